"""The information model over HTTP: browsed in pages, found by meaning with live values, asked in SPARQL, bound to points."""

from __future__ import annotations

import doctest
import re
import time
from pathlib import Path

import described_plant
import msgspec
import numpy as np
import pytest
from api_stack import eventually

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.formats import format_named

MORE = 250
PAGE = Path(__file__).parents[3] / "docs" / "topics" / "model-browser.md"


@pytest.fixture(scope="module")
def stack(fresh_stack):
    """Nothing but what is put in here."""
    return fresh_stack


@pytest.fixture(scope="module")
def plant(stack):
    """The plant as a document of the model, imported as a person would."""
    with stack.program() as client:
        # The document of the points that no other describes may be there: it comes with the first point.
        assert {one["name"] for one in client.get("/model/documents").json()["items"]} <= {"live points"}
    model = stack.semantics.model
    source = memory_source("plant.jsonl", described_plant.content(MORE))
    model.apply(model.read(format_named("hulian"), source, "plant", "ann").version.key)
    return model


@pytest.fixture
def reader(stack, plant):
    with stack.program("read") as client:
        yield client


@pytest.fixture
def writer(stack, plant):
    with stack.program("read", "configure") as client:
        yield client


@pytest.fixture(scope="module")
def bound(stack, plant):
    """Three pumps of line 2, each the live point of its own connector and unit, with a value each."""
    given = {"plant/line2/P1/out": ("bar", 4.5), "plant/line2/P2/out": ("kPa", 250.0), "plant/line2/P3/out": ("MPa", 0.31)}
    points = {}
    for number, (node, (unit, value)) in enumerate(given.items(), 1):
        (point,) = stack.connector(f"feed-{number}", {"p": StorageClass.DOUBLE})
        stack.catalogue.change_point(point.name, unit=unit)
        columns = Columns.doubles(np.full(1, point.series, np.uint64), np.array([time.time_ns()], np.int64), np.array([value]))
        stack.publish(point.connector, columns)
        points[node] = point.name
    with stack.program("read", "configure") as client:
        notes = [{"node": node, "field": "point", "value": name} for node, name in points.items()]
        assert client.post("/model/notes", json=notes).status_code == 204
        eventually(lambda: client.get("/last", params={"points": points["plant/line2/P3/out"]}).json()["items"][0]["time_ms"])
    return points


def refused(reply, status, code):
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.json()["message"]
    return reply.json()


def test_every_outlet_pressure_in_bar_of_pumps_in_line_2_whatever_each_device_called_it(reader, bound):
    asked = {"meaning": "hulian:pressure", "of": "Pump", "in": "line 2", "unit": "bar", "live": True}
    found = reader.get("/model/find", params=asked).json()
    assert [one["path"].rsplit("/", 1)[1] for one in found["items"]] == ["p_out", "PT_101", "Austrittsdruck"]
    assert [one["live"]["number"] for one in found["items"]] == [4.5, 2.5, 3.1]
    assert [one["live"]["point_unit"] for one in found["items"]] == ["bar", "kPa", "MPa"]
    assert [one["live"]["point"] for one in found["items"]] == list(bound.values())
    for one in found["items"]:
        live = one["live"]
        assert (live["unit"], live["quality"], live["refused"]) == ("bar", "good", "")
        assert float(live["value"]) == live["number"]
        assert live["time_ms"] > 0
        assert live["series"].isdigit()
    assert (found["total"], found["unit"], found["next"]) == (3, "bar", None)
    without = reader.get("/model/find", params={**asked, "live": False}).json()["items"]
    assert [one["live"] for one in without] == [None] * 3


def test_a_value_is_in_the_unit_of_its_node_and_another_dimension_is_refused(reader, bound):
    node = reader.get("/model/node", params={"id": "plant/line2/P2/out", "live": True}).json()
    assert (node["live"]["unit"], node["live"]["number"]) == ("kPa", 250.0)
    node = reader.get("/model/node", params={"id": "plant/line2/P2/out", "live": True, "unit": "psi"}).json()
    assert node["live"]["number"] == pytest.approx(36.2594, abs=1e-4)
    wrong = reader.get("/model/node", params={"id": "plant/line2/P2/out", "live": True, "unit": "Cel"}).json()["live"]
    assert (wrong["number"], wrong["unit"]) == (250.0, "kPa")
    assert "kPa cannot be converted into Cel" in wrong["refused"]
    none = reader.get("/model/find", params={"meaning": "hulian:pressure", "in": "line 2", "unit": "Cel"}).json()
    assert (none["total"], none["items"]) == (0, [])
    said = refused(reader.get("/model/find", params={"meaning": "hulian:pressure", "unit": "parsnips"}), 400, "HL-SEM-0040")
    assert said["place"] == "unit"


def test_a_point_that_went_is_said_and_stops_nothing(stack, writer):
    (point,) = stack.connector("went", {"p": StorageClass.DOUBLE})
    body = [{"node": "plant/line1/P1/out", "field": "point", "value": point.name}]
    assert writer.post("/model/notes", json=body).status_code == 204
    without = writer.get("/model/node", params={"id": "plant/line1/P1/out", "live": True}).json()["live"]
    assert (without["series"], without["time_ms"]) == (str(point.series), None)
    stack.catalogue.rename_point(point.name, "99.118.8/went-2#p")
    gone = writer.get("/model/find", params={"name": "p_out", "in": "line 1", "live": True}).json()["items"][0]["live"]
    assert gone["series"] == ""
    assert "no point of this name" in gone["refused"]
    assert writer.post("/model/notes", json=[{**body[0], "value": ""}]).status_code == 204


def test_documents_say_who_when_and_how_much(reader):
    (one,) = [one for one in reader.get("/model/documents").json()["items"] if one["name"] == "plant"]
    assert (one["name"], one["format"], one["who"], one["file"]) == ("plant", "hulian", "ann", "plant.jsonl")
    assert one["nodes"] == len(described_plant.nodes(MORE))
    assert one["references"] == len(described_plant.references())
    assert one["title"].startswith("North works")
    assert 0 < one["made_ms"] <= time.time() * 1000


def test_children_in_pages_and_each_says_whether_more_is_below(reader):
    top = reader.get("/model/nodes", params={"document": "plant"}).json()
    assert [(one["name"], one["children"]) for one in top["items"]] == [("Types", True), ("North works", True)]
    every = reader.get("/model/nodes").json()["items"]
    assert [one for one in every if one["document"] == "plant"] == top["items"]
    ids, cursor, pages = [], None, 0
    while pages < 10:
        parameters = {"parent": "plant/store", "limit": 100, **({"cursor": cursor} if cursor else {})}
        page = reader.get("/model/nodes", params=parameters).json()
        ids += [one["id"] for one in page["items"]]
        pages, cursor = pages + 1, page["next"]
        if not cursor:
            break
    assert pages == 3
    assert ids == [f"plant/store/{number}" for number in range(MORE)]
    refused(reader.get("/model/nodes", params={"parent": "nobody"}), 404, "HL-SEM-0012")
    refused(reader.get("/model/nodes", params={"document": "nobody"}), 400, "HL-SEM-0040")
    refused(reader.get("/model/nodes", params={"parent": "plant/store", "cursor": "x"}), 400, "HL-API-0001")
    refused(reader.get("/model/nodes", params={"limit": 501}), 400, "HL-API-0001")


def test_a_node_is_shown_whole(reader, bound):
    node = reader.get("/model/node", params={"id": "plant/line2/P1/out"}).json()
    assert [one["name"] for one in node["path"]] == ["North works", "Line 2", "P-201"]
    assert node["node"]["labels"] == {"en": "Outlet pressure", "zh": "出口压力"}
    assert node["node"]["point"] == bound["plant/line2/P1/out"]
    assert (node["constraints"]["low"], node["constraints"]["high"], node["value"]) == ("0", "16", "1.5")
    assert (node["unit"]["text"], node["unit"]["symbol"]) == ("bar", "bar")
    (meaning,) = node["meanings"]
    assert (meaning["concept"], meaning["names"]["zh"], meaning["dictionary"]) == ("hulian:pressure", "压力", "hulian")
    (note,) = node["notes"]
    assert (note["field"], note["value"], note["who"]) == ("point", bound["plant/line2/P1/out"], "admin")
    assert note["made_ms"] > 0
    pump = reader.get("/model/node", params={"id": "plant/line2/P2"}).json()
    assert [one["id"] for one in pump["types"]] == ["plant/Centrifugal", "plant/Pump"]
    assert [(one["relation"], one["node"]["name"]) for one in pump["refers"]["items"]] == [
        ("link", "P-203"),
        ("role", "Conveying"),
    ]
    assert [(one["relation"], one["id"]) for one in pump["referred"]["items"]] == [("link", "plant/line2/P1")]
    assert pump["live"] is None
    refused(reader.get("/model/node", params={"id": "nobody"}), 404, "HL-SEM-0012")
    refused(reader.get("/model/node"), 400, "HL-API-0001")
    refused(reader.get("/model/node", params={"id": "x" * 1025}), 400, "HL-API-0001")


def test_references_come_in_pages_with_what_is_missing(reader):
    first = reader.get("/model/references", params={"id": "plant/line2/P1", "limit": 2}).json()
    assert [one["relation"] for one in first["items"]] == ["link", "role"]
    rest = reader.get("/model/references", params={"id": "plant/line2/P1", "cursor": first["next"]}).json()
    assert rest == {"items": [{"relation": "same", "id": "elsewhere/pump", "node": None}], "next": None, "names": {}}
    back = reader.get("/model/references", params={"id": "plant/Conveying", "to": True}).json()
    assert [one["node"]["name"] for one in back["items"]] == ["P-101", "P-102", "P-103", "P-201", "P-202", "P-203"]
    assert reader.get("/model/references", params={"id": "nobody"}).json() == {"items": [], "next": None, "names": {}}


def test_what_only_a_standard_has_is_named(reader, plant):
    """A type of OPC UA's own namespace, and a relation that a document defines."""
    lines = [
        {"hulian": 1, "document": {"name": "devices", "format": "hulian"}},
        {"node": {"id": "devices/joins", "kind": 8, "name": "ConnectsTo"}},
        {"node": {"id": "devices/a", "kind": 1, "name": "A", "type": "i=58"}},
        {"node": {"id": "devices/b", "kind": 1, "name": "B"}},
        {"reference": {"source": "devices/a", "relation": "devices/joins", "target": "devices/b"}},
    ]
    source = memory_source("devices.jsonl", b"\n".join(msgspec.json.encode(line) for line in lines))
    plant.apply(plant.read(format_named("hulian"), source, "devices", "ann").version.key)
    try:
        node = reader.get("/model/node", params={"id": "devices/a"}).json()
        assert (node["types"][0]["node"], node["names"]) == (None, {"i=58": "BaseObjectType"})
        assert node["refers"]["names"] == {"devices/joins": "ConnectsTo"}
        graph = reader.get("/model/graph", params={"id": "devices/a"}).json()
        assert (graph["absent"], graph["names"]) == (["i=58"], {"i=58": "BaseObjectType", "devices/joins": "ConnectsTo"})
    finally:
        plant.remove("devices")


def test_the_graph_around_a_node_is_bounded(reader):
    found = reader.get("/model/graph", params={"id": "plant/line2/P1"}).json()
    assert found["nodes"][0]["id"] == "plant/line2/P1"
    assert {"source": "plant/line2", "relation": "component", "target": "plant/line2/P1"} in found["edges"]
    assert {"source": "plant/line2/P1", "relation": "type", "target": "plant/Pump"} in found["edges"]
    assert (found["absent"], found["more"]) == (["elsewhere/pump"], [])
    store = reader.get("/model/graph", params={"id": "plant/store", "limit": 20}).json()
    assert (len(store["nodes"]), store["more"]) == (20, ["plant/store"])
    refused(reader.get("/model/graph", params={"id": "nobody"}), 404, "HL-SEM-0012")
    for wrong in ({"depth": 4}, {"depth": 0}, {"limit": 201}):
        refused(reader.get("/model/graph", params={"id": "plant/store", **wrong}), 400, "HL-API-0001")


def test_nodes_are_found_by_name_with_the_names_above_them(reader):
    found = reader.get("/model/search", params={"q": "pt_"}).json()
    assert found["total"] == 2
    assert [(one["node"]["name"], one["path"]) for one in found["items"]] == [
        ("PT_101", ["North works", "Line 1", "P-102"]),
        ("PT_101", ["North works", "Line 2", "P-202"]),
    ]
    many = reader.get("/model/search", params={"q": "spare", "limit": 7}).json()
    assert (len(many["items"]), many["total"]) == (7, MORE)
    refused(reader.get("/model/search", params={"q": "x" * 201}), 400, "HL-API-0001")
    refused(reader.get("/model/search", params={"q": " "}), 400, "HL-SEM-0040")


def test_an_answer_is_paged_through(reader):
    ids, cursor = [], None
    for _ in range(10):
        parameters = {"in": "store", "limit": 60, **({"cursor": cursor} if cursor else {})}
        page = reader.get("/model/find", params=parameters).json()
        assert page["total"] == MORE
        ids += [one["node"]["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert ids == [f"plant/store/{number}" for number in range(MORE)]
    refused(reader.get("/model/find", params={"in": "store", "cursor": "10000"}), 400, "HL-API-0001")
    refused(reader.get("/model/find", params={"kind": "banana"}), 400, "HL-SEM-0040")
    refused(reader.get("/model/find", params={"meaning": "no such word here"}), 400, "HL-SEM-0040")
    of_type = reader.get("/model/find", params={"type": "Pump", "in": "line 1"}).json()
    assert [one["node"]["name"] for one in of_type["items"]] == ["P-101", "P-102", "P-103"]


def test_a_point_leads_to_what_it_means(reader, bound):
    name = bound["plant/line2/P2/out"]
    (found,) = reader.get("/model/points", params={"point": name}).json()["items"]
    assert (found["node"]["id"], found["path"]) == ("plant/line2/P2/out", "North works/Line 2/P-202/PT_101")
    assert found["meanings"] == ["hulian:pressure"]
    escaped = name.replace(".", "~2E").replace("/", "~2F").replace("#", "~23")
    assert reader.get("/model/points", params={"point": escaped}).json()["items"] == [found]
    assert reader.get("/model/points", params={"point": "99.118.8/nobody#x"}).json() == {"items": []}


def test_notes_are_kept_together_taken_back_and_audited(stack, writer):
    notes = [
        {"node": "plant/line1/P3", "field": "identifier", "value": "99.118.8/pump-13"},
        {"node": "plant/line1/P3", "field": "label", "value": "Old faithful"},
        {"node": "plant/line1/P3/out", "field": "unit", "value": "bar"},
        {"node": "plant/line1/P3/maker", "field": "meaning", "value": "0112/2///61987#ABA565#007"},
    ]
    assert writer.post("/model/notes", json=notes).status_code == 204
    pump = writer.get("/model/node", params={"id": "plant/line1/P3"}).json()
    assert (pump["node"]["identifier"], pump["node"]["label"]) == ("99.118.8/pump-13", "Old faithful")
    assert writer.get("/model/node", params={"id": "plant/line1/P3/out"}).json()["unit"]["text"] == "bar"
    (meaning,) = writer.get("/model/node", params={"id": "plant/line1/P3/maker"}).json()["meanings"]
    assert (meaning["concept"], meaning["noted"], meaning["names"]) == ("0112/2///61987#ABA565", True, {})
    trail = [record for record in stack.trust.audit.list(limit=50) if record.resource.startswith("node:plant/line1/P3")]
    assert len(trail) == 4
    assert {(record.action, record.details["did"]) for record in trail} == {("model.write", "noted")}
    assert writer.post("/model/notes", json=[{**one, "value": ""} for one in notes]).status_code == 204
    assert writer.get("/model/node", params={"id": "plant/line1/P3"}).json()["notes"] == []


def test_a_note_that_cannot_be_is_refused_and_none_beside_it_is_kept(writer):
    good = {"node": "plant/line1/P2", "field": "label", "value": "kept?"}
    cases = [
        ({"node": "nobody", "field": "label", "value": "x"}, 404, "HL-SEM-0012"),
        ({"node": "plant/line1/P2", "field": "colour", "value": "red"}, 422, "HL-SEM-0010"),
        ({"node": "plant/line1/P2", "field": "meaning", "value": "not one"}, 422, "HL-SEM-0010"),
        ({"node": "plant/line1/P2", "field": "unit", "value": "parsnips"}, 400, "HL-SEM-0020"),
        ({"node": "plant/line1/P2", "field": "point", "value": "99.118.8/nobody#x"}, 404, "HL-API-0060"),
        ({"node": "plant/line1/P2", "field": "point", "value": "nonsense"}, 400, "HL-KERNEL-0001"),
        ({"node": "plant/line1/P2", "field": "identifier", "value": "nonsense"}, 400, "HL-KERNEL-0001"),
        ({"node": "plant/line1/P2", "field": "label", "value": "x", "more": 1}, 400, "HL-API-0001"),
        ({"node": "plant/line1/P2", "field": "label", "value": "x" * 2049}, 400, "HL-API-0001"),
    ]
    for wrong, status, code in cases:
        said = refused(writer.post("/model/notes", json=[good, wrong]), status, code)
        assert said["place"], said
    refused(writer.post("/model/notes", json=[]), 400, "HL-API-0001")
    refused(writer.post("/model/notes", json=[good] * 201), 400, "HL-API-0001")
    assert writer.get("/model/node", params={"id": "plant/line1/P2"}).json()["notes"] == []


def test_who_may_only_read_binds_nothing(reader):
    body = [{"node": "plant/line1/P2", "field": "label", "value": "mine"}]
    refused(reader.post("/model/notes", json=body), 403, "HL-TRUST-0002")
    assert reader.get("/model/node", params={"id": "plant/line1/P2"}).json()["node"]["label"] == ""


def test_sparql_is_answered_and_bounded(reader):
    asked = "SELECT ?name WHERE { ?n hul:type ?t ; hul:name ?name . ?t hul:name 'Pump' } ORDER BY ?name"
    reply = reader.post("/model/sparql", json={"query": asked, "documents": ["plant"]})
    assert reply.status_code == 200, reply.text
    assert reply.json() == {"names": ["name"], "rows": [["Centrifugal pump"], ["P-101"], ["P-201"]], "more": False}
    one = reader.post("/model/sparql", json={"query": asked, "rows": 1}).json()
    assert (one["rows"], one["more"]) == ([["Centrifugal pump"]], True)
    refused(reader.post("/model/sparql", json={"query": "SELECT nonsense"}), 400, "HL-SEM-0040")
    fetch = "SELECT ?a WHERE { SERVICE <http://127.0.0.1:1/> { ?a ?b ?c } }"
    refused(reader.post("/model/sparql", json={"query": fetch}), 400, "HL-SEM-0040")
    for wrong in ({"rows": 10_001}, {"seconds": 31}, {"query": ""}, {"query": "x" * 20_001}):
        refused(reader.post("/model/sparql", json={"query": asked, **wrong}), 400, "HL-API-0001")
    refused(reader.post("/model/sparql", json={"query": asked, "documents": ["nobody"]}), 400, "HL-SEM-0040")


def test_the_examples_of_the_page_run(stack, bound):
    text = PAGE.read_text()
    blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    known = {"token": stack.token("read", "configure")}
    shown = doctest.DocTestParser().get_doctest(
        blocks.replace("http://127.0.0.1:8080", stack.url), known, PAGE.name, str(PAGE), 0
    )
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert (result.failed, result.attempted >= 20) == (0, True), "".join(told)
    with stack.program("read") as client:
        paths = client.get("/openapi.json").json()["paths"]
    named = set(re.findall(r"/api/v1/model/[a-z]+", text))
    browsing = {"documents", "nodes", "node", "references", "graph", "search", "find", "sparql"}
    assert {f"/api/v1/model/{one}" for one in browsing} <= named <= paths.keys()
