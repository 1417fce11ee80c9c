"""What a document can become, over HTTP: looked at, applied with the right permissions, audited."""

from __future__ import annotations

from api_stack import eventually

PLANT = """<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="mill.aml">
<SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>
<SourceDocumentInformation OriginName="h" OriginID="h" OriginVersion="1" LastWritingDateTime="2026-01-01T00:00:00Z"/>
<InstanceHierarchy Name="Mill"><InternalElement Name="Press" ID="press">
<Attribute Name="Identifier"><Value>99.118.8/mill-press</Value></Attribute>
<Attribute Name="EndpointUrl"><Value>modbus://127.0.0.1:1/1</Value></Attribute>
<Attribute Name="force" AttributeDataType="xs:double" Unit="N">
 <Attribute Name="ModbusAddress"><Value>input@0:float32</Value></Attribute></Attribute>
<Attribute Name="strokes" AttributeDataType="xs:long">
 <Attribute Name="ModbusAddress"><Value>input@2:uint32</Value></Attribute></Attribute>
</InternalElement></InstanceHierarchy></CAEXFile>"""


def take_in(client, document="mill"):
    query = {"name": document, "file": f"{document}.aml"}
    reply = client.post("/model/imports", content=PLANT.encode(), params=query)
    job = eventually(
        lambda: (job := client.get(f"/jobs/{reply.json()['id']}", params={"wait": 5}).json())["state"] != "running" and job,
        60,
        "the end of the job",
    )
    assert job["state"] == "done", job
    assert client.post(f"/model/imports/{job['version']}/apply").status_code == 200


def test_a_proposal_is_looked_at_chosen_and_applied(stack):
    with stack.browser() as client:
        take_in(client)
        found = client.get("/model/proposals", params={"document": "mill", "limit": 1}).json()
        assert (found["added"], found["total"], len(found["points"]), found["next"]) == (2, 2, 1, "1")
        rest = client.get("/model/proposals", params={"document": "mill", "cursor": found["next"]}).json()
        assert [one["name"] for one in rest["points"]] == ["99.118.8/mill-press#strokes"]
        assert {one["field"]: one["new"] for one in found["points"][0]["fields"]}["unit"] == "N"
        chosen = {"Press": {"name": "press 3", "settings": {"interval": 2.0}, "enabled": False}}
        body = {"document": "mill", "connectors": chosen}
        seen = client.post("/model/proposals/preview", json=body).json()
        assert [(one["name"], one["settings"]) for one in seen["connectors"]] == [("press 3", {})]
        stale = client.post("/model/proposals/apply", json={**body, "digest": found["digest"]})
        assert stale.json()["code"] == "HL-CATALOGUE-0014"
        done = client.post("/model/proposals/apply", json={**body, "digest": seen["digest"]})
        assert done.status_code == 200, done.text
        assert (done.json()["points"]["added"], done.json()["connectors_added"], done.json()["bound"]) == (2, ["press 3"], 2)
        assert client.get("/connectors/press 3").json()["settings"] == {"interval": 2.0}
        points = client.get("/points", params={"connector": "press 3"}).json()["items"]
        assert {point["name"] for point in points} == {"99.118.8/mill-press#force", "99.118.8/mill-press#strokes"}
        again = client.post("/model/proposals/apply", json=body).json()
        assert (again["points"]["added"], again["connectors_changed"], again["bound"]) == (0, [], 0)
        trail = client.get("/audit", params={"limit": 50}).json()["items"]
        did = [one for one in trail if one["resource"] in ("mill", "connector:press 3")]
        assert {one["action"] for one in did} == {"model.write", "connectors.write"}
        client.delete("/connectors/press 3")


def test_a_password_is_kept_encrypted_and_mistakes_are_told(stack):
    with stack.browser() as client:
        take_in(client, "mill2")
        chosen = {"Press": {"name": "press 4", "enabled": False, "credentials": {"user": "reader", "password": "hush hush"}}}
        done = client.post("/model/proposals/apply", json={"document": "mill2", "connectors": chosen})
        assert done.status_code == 200, done.text
        shown = client.get("/connectors/press 4")
        assert shown.json()["credentials"] == {"user": "reader", "password": "kept"}
        assert "hush" not in shown.text
        assert client.get("/model/proposals", params={"document": "nowhere"}).json()["code"] == "HL-SEM-0010"
        refused = client.get("/model/proposals", params={"document": "mill2", "cursor": "x"})
        assert refused.status_code == 400
        open_url = {"Press": {"name": "press 5", "url": "modbus://me:secret@127.0.0.1:1/1"}}
        told = client.post("/model/proposals/preview", json={"document": "mill2", "connectors": open_url}).json()
        assert told["connectors"][0]["change"] == "left"
        assert "password" in told["connectors"][0]["missing"][0]
        client.delete("/connectors/press 4")


def test_a_connector_is_left_out_and_taken_later(stack):
    with stack.browser() as client:
        take_in(client, "mill3")
        body = {"document": "mill3", "connectors": {"Press": {"name": "press 6", "leave": True}}}
        seen = client.post("/model/proposals/preview", json=body).json()
        assert (seen["connectors"][0]["change"], seen["left"], seen["added"]) == ("left", 2, 0)
        assert seen["points"][0]["missing"] == ["its connector is left out"]
        done = client.post("/model/proposals/apply", json={**body, "digest": seen["digest"]}).json()
        assert (done["connectors_added"], done["bound"], done["left"]) == ([], 0, 2)
        assert client.get("/connectors/press 6").status_code == 404
        body["connectors"] = {"Press": {"name": "press 6", "enabled": False}}
        done = client.post("/model/proposals/apply", json=body).json()
        assert done["points"]["added"] == 2
        client.delete("/connectors/press 6")
