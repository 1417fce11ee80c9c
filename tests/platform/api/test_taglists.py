"""Tag lists, bulk edits, templates and copies over HTTP: previewed, authorised, audited, and told to the edge."""

from __future__ import annotations

import io

import openpyxl
import pytest

from hulian.kernel.configuration import resolve_secret
from hulian.kernel.identifier import escape
from hulian.kernel.storage import StorageClass


@pytest.fixture
def press(stack, request):
    """A connector of its own for a test, with two points."""
    name = "p" + request.node.name.replace("[", "-").replace("]", "")[-20:].lower().replace("_", "-")
    stack.connector(name, {"force": StorageClass.DOUBLE, "state": StorageClass.INTEGER})
    return name


def send(client, data, path="/points/list/preview", **query):
    return client.post(path, content=data, params=query, headers={"content-type": "application/octet-stream"})


def audited(client, did):
    return [entry for entry in client.get("/audit", params={"limit": 200}).json()["items"] if did in str(entry["details"])]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_out_changed_previewed_and_in_again(stack, press, form):
    with stack.browser() as client:
        answer = client.get(f"/points/list.{form}", params={"connector": press})
        assert answer.status_code == 200
        assert f".{form}" in answer.headers["content-disposition"]
        data = answer.content
        found = send(client, data).json()
        assert (found["rows"], found["faults"], found["unchanged"]) == ([], [], 2)
        if form == "csv":
            data = data.replace(f"{press}-force".upper().encode(), "力-1".encode())
        else:
            book = openpyxl.load_workbook(io.BytesIO(data))
            book.active.cell(row=2, column=2).value = "力-1"
            made = io.BytesIO()
            book.save(made)
            data = made.getvalue()
        found = send(client, data).json()
        assert [(row["row"], row["cells"]) for row in found["rows"]] == [
            (2, [{"column": "tag", "old": f"{press}-force".upper(), "new": "力-1"}])
        ]
        assert client.get(f"/points/{escape(f'99.118.8/{press}#force')}").json()["tag"] != "力-1"
        done = send(client, data, "/points/list", digest=found["digest"], name="plant.list")
        assert done.status_code == 200, done.text
        assert done.json()["points"] == {"added": 0, "changed": 1, "unchanged": 1, "reopened": 0}
        assert client.get(f"/points/{escape(f'99.118.8/{press}#force')}").json()["tag"] == "力-1"
        again = send(client, data, "/points/list", digest=found["digest"])
        assert (again.status_code, again.json()["code"]) == (409, "HL-CATALOGUE-0014")
        assert audited(client, "plant.list")


def test_what_a_connector_reads_otherwise_reaches_the_edge(stack, press):
    thing = f"99.118.8/{press}"
    data = f"identifier,connector,address\n{thing}#force,{press},ns=2;s=other\n{thing}#fresh,{press},ns=2;s=fresh\n"
    with stack.browser() as client:
        found = send(client, data).json()
        assert (found["added"], found["changed"], found["faulty"]) == (1, 1, 0)
        stack.edge.asked.clear()
        assert send(client, data, "/points/list", digest=found["digest"]).json()["connectors"] == [press]
        assert {"do": "reload", "connector": press} in stack.edge.asked


def test_mistakes_are_told_by_cell_and_refused_as_a_whole(stack, press):
    data = f"identifier,unit,raw low,raw high,low,high,kind\n99.118.8/{press}#force,kN,0,1000,0,10,often\nnothing,,,,,,\n"
    with stack.browser() as client:
        found = send(client, data).json()
        assert {(fault["row"], fault["column"]) for fault in found["faults"]} == {
            (2, "kind"),
            (2, "raw_low"),
            (3, "identifier"),
        }
        assert all(fault["code"] and fault["message"] for fault in found["faults"])
        refused = send(client, data, "/points/list", digest=found["digest"])
        assert (refused.status_code, refused.json()["code"]) == (422, "HL-CATALOGUE-0013")
        assert client.get(f"/points/{escape(f'99.118.8/{press}#force')}").json()["unit"] == "bar"
        broken = send(client, b"PK\x03\x04nothing")
        assert (broken.status_code, broken.json()["code"]) == (400, "HL-CATALOGUE-0010")
        large = send(client, b"identifier\n" * 3_100_000)
        assert large.status_code == 413


def test_who_only_reads_exports_and_changes_nothing(stack, press):
    with stack.program("read") as reader:
        assert reader.get("/points/list.csv", params={"connector": press}).status_code == 200
        assert send(reader, b"identifier\n").status_code == 403
        assert send(reader, b"identifier\n", "/points/list", digest="x").status_code == 403
        assert reader.post("/points/edit", json={"points": {"all": True}, "edit": {}}).status_code == 403
        assert reader.post(f"/connectors/{press}/copy", json={"name": "x", "url": "opc.tcp://a:1"}).status_code == 403
    assert stack.anonymous().get("/points/list.xlsx").status_code == 401


def test_an_edit_of_a_selection_is_previewed_and_made(stack, press):
    with stack.browser() as client:
        body = {"points": {"connector": press}, "edit": {"set": {"path": "works/{thing}", "tag": "{property}-{number:02}"}}}
        found = client.post("/points/edit/preview", json=body).json()
        assert found["changed"] == 2
        assert found["rows"][0]["cells"][0] == {"column": "tag", "old": f"{press}-FORCE".upper(), "new": "force-01"}
        done = client.post("/points/edit", json=body | {"digest": found["digest"]})
        assert done.json()["points"]["changed"] == 2
        point = client.get(f"/points/{escape(f'99.118.8/{press}#state')}").json()
        assert (point["tag"], point["path"]) == ("state-02", f"works/{press}")
        assert audited(client, "bulk edit")
        for points in ({}, {"names": ["99.118.8/none#at-all"]}):
            assert client.post("/points/edit/preview", json={"points": points, "edit": {}}).status_code == 404
        wrong = client.post("/points/edit/preview", json={"points": {"connector": press}, "edit": {"set": {"tag": "{no"}}})
        assert wrong.json()["code"] == "HL-CATALOGUE-0015"


def test_a_template_after_a_machine_makes_fifty_more(stack, press):
    with stack.browser() as client:
        made = client.get("/template-of", params={"thing": f"99.118.8/{press}", "name": "压机"}).json()
        assert [parameter["name"] for parameter in made["parameters"]] == ["machine", "connector"]
        at = made["columns"].index("address")
        made["rows"] = [
            [*row[:at], "ns=2;s={machine}.{base+" + str(n) + "}", *row[at + 1 :]] for n, row in enumerate(made["rows"])
        ]
        url = f"/templates/{escape('压机')}"
        kept = client.put(url, json=made)
        assert kept.status_code == 200, kept.text
        assert client.put(url, json=made).status_code == 409
        table = "machine\tbase\n" + "".join(f"{press}-{n}\t{n * 10}\n" for n in range(1, 51))
        found = client.post(f"{url}/preview", json={"table": table}).json()
        assert (found["added"], found["faulty"]) == (100, 0)
        done = client.post(f"{url}/instances", json={"table": table, "digest": found["digest"]})
        assert done.json()["points"]["added"] == 100
        point = client.get(f"/points/{escape(f'99.118.8/{press}-50#state')}").json()
        assert point["address"] == f"ns=2;s={press}-50.501"
        assert [item["name"] for item in client.get("/templates").json()["items"]] == ["压机"]
        assert client.delete(url).status_code == 204
        assert client.get(url).json()["code"] == "HL-CATALOGUE-0016"


def test_a_copy_of_a_connector_keeps_its_secret_for_itself(stack, press):
    with stack.browser() as client:
        client.patch(f"/connectors/{press}", json={"credentials": {"user": "u", "password": "geheim"}})
        body = {"name": f"{press}-b", "url": "opc.tcp://plc-b:4840", "replace": [{"find": press, "put": f"{press}-b"}]}
        told = client.post(f"/connectors/{press}/copy", json=body | {"dry_run": True}).json()
        assert (told["made"], len(told["points"])) == (False, 2)
        assert client.get(f"/connectors/{press}-b").status_code == 404
        done = client.post(f"/connectors/{press}/copy", json=body)
        assert done.status_code == 200, done.text
        assert "geheim" not in done.text
        assert {point["name"] for point in done.json()["points"]} == {f"99.118.8/{press}-b#force", f"99.118.8/{press}-b#state"}
        copy = client.get(f"/connectors/{press}-b").json()
        assert (copy["enabled"], copy["points"], copy["url"]) == (False, 2, "opc.tcp://plc-b:4840")
        client.delete(f"/connectors/{press}")
        kept = stack.catalogue.connector(f"{press}-b").credentials
        assert resolve_secret(kept["password"], stack.trust.secrets.get) == "geheim"
        assert client.post(f"/connectors/{press}-b/copy", json=body).status_code == 409


def test_texts_of_values_and_raw_ranges_are_described_one_point_at_a_time_too(stack, press):
    url = f"/points/{escape(f'99.118.8/{press}#state')}"
    with stack.browser() as client:
        texts = {"0": {"en": "open", "zh": "开"}, "1": {"en": "closed"}}
        assert client.patch(url, json={"enumeration": texts}).json()["enumeration"] == texts
        refused = client.patch(url, json={"enumeration": {"open": {"en": "x"}}})
        assert (refused.status_code, refused.json()["code"]) == (400, "HL-CATALOGUE-0007")
