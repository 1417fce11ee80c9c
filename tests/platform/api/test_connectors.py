"""Connecting devices: what reaches the catalogue and the edge, and what never leaves."""

from __future__ import annotations

from api_stack import eventually

from hulian.assembly.plant import CataloguePlant
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.identifier import escape

NODE = {
    "address": "ns=2;s=Reactor.Pressure",
    "name": "Pressure",
    "path": ["Reactor", "Pressure"],
    "leaf": True,
    "storage": "double",
    "unit": "bar",
    "options": {"sampling": 100},
}


def test_browse_propose_connect_restart_forget(stack):
    stack.edge.nodes = [NODE, {**NODE, "address": "ns=2;s=Reactor", "name": "Reactor", "leaf": False, "storage": None}]
    with stack.browser() as client:
        found = client.post("/browse", json={"url": "opc.tcp://plc:4840", "credentials": {"user": "u", "password": "geheim"}})
        assert found.status_code == 200, found.text
        assert stack.edge.asked[-1]["credentials"] == {"user": "u", "password": "geheim"}
        nodes = found.json()["nodes"]
        proposed = client.post("/propose", json={"connector": "plc", "url": "opc.tcp://plc:4840", "nodes": nodes}).json()[
            "points"
        ]
        assert len(proposed) == 1
        assert proposed[0]["unit"] == "bar"
        assert proposed[0]["name"].startswith("99.118.8/")
        made = client.post(
            "/connectors",
            json={
                "name": "plc",
                "url": "opc.tcp://plc:4840",
                "credentials": {"user": "u", "password": "geheim"},
                "points": proposed,
            },
        )
        assert made.status_code == 201, made.text
        assert made.json()["protocol"] == "opcua"
        assert made.json()["points"] == 1
        assert "geheim" not in made.text
        assert "geheim" not in client.get("/connectors").text
        kept = stack.catalogue.connector("plc").credentials
        assert kept["user"] == "u"
        assert resolve_secret(kept["password"], stack.trust.secrets.get) == "geheim"
        assert stack.edge.asked[-1] == {"do": "reload", "connector": "plc"}
        point = stack.catalogue.point(proposed[0]["name"]).point
        assert point.options == {"sampling": 100}
        again = client.post("/connectors", json={"name": "plc", "url": "opc.tcp://plc:4840"})
        assert again.status_code == 409

        stack.say("edge", "plc", {"state": "connected", "samples": 7, "last_sample": 1_000_000_000_000})
        status = eventually(lambda: client.get("/connectors/plc").json()["status"])
        assert status["state"] == "connected"
        assert status["last_sample_ms"] == 1_000_000

        changed = client.patch("/connectors/plc", json={"enabled": False, "version": 1})
        assert changed.json()["enabled"] is False
        assert client.patch("/connectors/plc", json={"enabled": True, "version": 1}).status_code == 409
        assert client.post("/connectors/plc/restart").status_code == 204
        assert stack.edge.asked[-1] == {"do": "restart", "connector": "plc"}
        assert client.delete("/connectors/plc").status_code == 204
        assert client.get("/connectors/plc").status_code == 404
        assert stack.trust.secrets.get("connector/plc") is None
        trail = client.get("/audit", params={"action": "connectors.write"}).json()["items"]
        assert [item["details"]["did"] for item in trail[:4]] == ["removed", "restarted", "changed", "added"]


def test_settings_are_checked_before_anything_is_written(stack):
    with stack.browser() as client:
        body = {"name": "wrong", "url": "opc.tcp://plc:4840", "settings": {"publishing_intervall": 1}}
        reply = client.post("/connectors", json=body)
        assert reply.status_code == 400
        assert reply.json()["code"] == "HL-CONFIG-0002"
        assert client.post("/connectors", json={"name": "wrong", "url": "gopher://plc"}).status_code == 400
        assert client.get("/connectors/wrong").status_code == 404


def test_no_reference_reaches_into_this_machine(stack):
    with stack.browser() as client:
        for credentials in (
            {"user": "file:/etc/passwd"},
            {"user": "env:HOME"},
            {"reference": "file:/etc/passwd"},
            {"key_reference": "env:HOME"},
        ):
            body = {"name": "thief", "url": "opc.tcp://evil:4840", "credentials": credentials}
            assert client.post("/connectors", json=body).status_code == 400, credentials
            assert client.post("/browse", json={"url": "opc.tcp://evil:4840", "credentials": credentials}).status_code in (
                200,
                400,
            )
            assert "root" not in str(stack.edge.asked[-1])


def test_a_private_key_is_kept_like_a_password(stack):
    """By reference, encrypted, never shown, and gone with its connector."""
    key = "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----"
    url = "opc.tcp://keyed:4840"
    with stack.browser() as client:
        made = client.post("/connectors", json={"name": "keyed", "url": url, "credentials": {"key": key}})
        assert made.status_code == 201, made.text
        shown = client.get("/connectors/keyed")
        assert shown.json()["credentials"] == {"key": "kept"}
        kept = stack.catalogue.connector("keyed").credentials["key"]
        assert kept.startswith("secret:")
        assert stack.catalogue.credentials("keyed", stack.trust.secrets.get).key == key
        assert CataloguePlant(stack.catalogue, stack.trust).credentials({"key": kept}).key == key
        assert not [
            path for path in (stack.directory / "secrets").rglob("*") if path.is_file() and b"hidden" in path.read_bytes()
        ]
        client.post("/browse", json={"url": url, "credentials": {"key_reference": kept}})
        assert stack.edge.asked[-1]["credentials"]["key"] == key
        other = {"name": "other", "url": url, "credentials": {"key_reference": "secret:nothing"}}
        assert client.post("/connectors", json=other).status_code == 400
        client.delete("/connectors/keyed")
        assert stack.trust.secrets.get(kept.removeprefix("secret:")) is None


def test_a_kept_password_goes_only_where_it_was_given_for(stack):
    """Who may connect devices may choose any address: neither the platform's own secrets nor another device's follow him."""
    home, evil = "opc.tcp://press:4840", "opc.tcp://evil:4840"
    stack.trust.secrets.set("clickhouse", "of the platform")
    stack.trust.secrets.set("plc-1", "kept for devices")
    with stack.browser() as client:
        body = {"name": "press", "url": home, "credentials": {"user": "u", "password": "of the press"}}
        assert client.post("/connectors", json=body).status_code == 201
        asked = len(stack.edge.asked)
        for reference in ("secret:clickhouse", "secret:connector/press", "secret:connector/nobody"):
            for credentials in ({"reference": reference}, {"key_reference": reference}):
                reply = client.post("/connectors", json={"name": "thief", "url": evil, "credentials": credentials})
                assert (reply.status_code, reply.json()["place"]) == (400, "$.credentials"), reply.text
                assert client.post("/browse", json={"url": evil, "credentials": credentials}).status_code == 400
        assert client.patch("/connectors/press", json={"url": evil}).status_code == 400
        assert client.patch("/connectors/press", json={"url": "opc.tcp://press:4841"}).status_code == 400
        assert stack.catalogue.connector("press").url == home
        assert len(stack.edge.asked) == asked, "nothing went out"
        assert client.patch("/connectors/press", json={"url": home + "/other"}).status_code == 200
        moved = {"url": evil, "credentials": {"user": "u", "password": "another"}}
        assert client.patch("/connectors/press", json=moved).status_code == 200
        reply = client.post("/connectors", json={"name": "kept", "url": home, "credentials": {"reference": "secret:plc-1"}})
        assert reply.status_code == 201, reply.text
        for name in ("press", "kept"):
            client.delete(f"/connectors/{name}")


def test_no_password_travels_in_an_address(stack):
    with stack.browser() as client:
        for path, body in (("/connectors", {"name": "open"}), ("/browse", {})):
            reply = client.post(path, json={**body, "url": "opc.tcp://user:geheim@plc:4840"})
            assert reply.status_code == 400
            assert "geheim" not in reply.text


def test_what_the_edge_refuses_keeps_its_code_and_status(stack):
    stack.edge.refusal = {
        "code": "HL-OPCUA-0010",
        "message": "nobody listens there",
        "place": "plc:4840",
        "hint": "switch it on",
    }
    try:
        with stack.browser() as client:
            reply = client.post("/browse", json={"url": "opc.tcp://plc:4840"})
            assert reply.status_code == 502
            assert reply.json() == stack.edge.refusal
    finally:
        stack.edge.refusal = None


def test_protocols_describe_their_settings(stack):
    with stack.program() as client:
        items = {item["name"]: item for item in client.get("/protocols").json()["items"]}
    assert "opc.tcp" in items["opcua"]["schemes"]
    assert items["opcua"]["settings_schema"]


def test_commands_reach_only_writable_points(stack):
    from hulian.kernel.storage import StorageClass

    (valve,) = stack.connector("valve", {"position": StorageClass.DOUBLE}, writable=True)
    (fixed,) = stack.connector("fixed", {"position": StorageClass.DOUBLE})
    with stack.browser() as client:
        done = client.post("/commands", json={"point": valve.name, "value": 42.5, "confirm": True})
        assert done.status_code == 200, done.text
        asked = stack.edge.asked[-1]
        assert (asked["do"], asked["connector"], asked["address"], asked["value"]) == ("write", "valve", valve.address, 42.5)
        refused = client.post("/commands", json={"point": fixed.name, "value": 1, "confirm": True})
        assert refused.status_code == 403
        assert refused.json()["code"] == "HL-API-0016"
        assert stack.edge.asked[-1] is asked
        assert client.post("/commands", json={"point": valve.name, "value": 1, "confirm": False}).status_code == 400
        trail = client.get("/audit", params={"action": "commands.send"}).json()["items"]
        assert {(item["outcome"], item["resource"]) for item in trail} >= {
            ("done", f"point:{valve.name}"),
            ("denied", f"point:{fixed.name}"),
        }
    stack.trust.users.add("looks-on", "four unusual words here", "viewer", by="test")
    with stack.browser("looks-on", "four unusual words here") as client:
        assert client.post("/commands", json={"point": valve.name, "value": 1, "confirm": True}).status_code == 403


def test_commands_stay_within_the_range_of_the_point(stack):
    from hulian.kernel.storage import StorageClass

    (valve,) = stack.connector("ranged", {"position": StorageClass.DOUBLE}, writable=True)
    with stack.browser() as client:
        changed = client.patch(f"/points/{escape(valve.name)}", json={"low": 0, "high": 100})
        assert changed.status_code == 200, changed.text
        for value in (0, 100, 12.5):
            assert client.post("/commands", json={"point": valve.name, "value": value, "confirm": True}).status_code == 200
        asked = stack.edge.asked[-1]
        for value in (-0.1, 101, 1e300):
            refused = client.post("/commands", json={"point": valve.name, "value": value, "confirm": True})
            assert refused.status_code == 422
            assert refused.json()["code"] == "HL-API-0017"
            assert "0 … 100" in refused.json()["message"]
        assert stack.edge.asked[-1] is asked
        trail = client.get("/audit", params={"action": "commands.send"}).json()["items"]
        assert [item["outcome"] for item in trail if item["resource"] == f"point:{valve.name}"].count("denied") == 3


def test_points_are_described_renamed_and_found(stack):
    from hulian.kernel.storage import StorageClass

    (point,) = stack.connector("describe", {"temperature": StorageClass.DOUBLE})
    with stack.browser() as client:
        path = f"/points/{escape(point.name)}"
        changed = client.patch(path, json={"tag": "TT-4711", "unit": "Cel", "low": -10, "high": None, "texts": {"zh": "温度"}})
        assert changed.status_code == 200, changed.text
        assert client.get(path).json()["unit"] == "Cel"
        for words in ("TT-4711", "温度", "describe temp"):
            assert point.name in [item["name"] for item in client.get("/points", params={"search": words}).json()["items"]], (
                words
            )
        renamed = client.patch(path, json={"name": "99.118.8/describe#heat"})
        assert renamed.json()["name"] == "99.118.8/describe#heat"
        assert client.get(path).status_code == 404
        assert client.patch(f"/points/{escape('99.118.8/describe#heat')}", json={"unit": 5}).status_code == 400
        tree = client.get("/tree").json()
        assert any(branch["path"] == "site" for branch in tree["branches"])


def test_pages_of_points_neither_repeat_nor_miss(stack):
    from hulian.kernel.storage import StorageClass

    stack.connector("paged", {f"p{number:03}": StorageClass.DOUBLE for number in range(25)})
    found, cursor = [], None
    with stack.program() as client:
        while True:
            query = {"connector": "paged", "limit": 10, **({"cursor": cursor} if cursor else {})}
            page = client.get("/points", params=query).json()
            found += [item["name"] for item in page["items"]]
            assert page["total"] == 25
            if not (cursor := page["next"]):
                break
    assert found == sorted(set(found))
    assert len(found) == 25
