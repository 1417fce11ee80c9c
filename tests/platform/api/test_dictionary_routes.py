"""Dictionaries and matching over HTTP: looked at, imported, learned from, and found again in the model by meaning."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from api_stack import eventually

from hulian.data.catalogue import ConnectorRecord
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.contract import Document, Kind, Node
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.model.find import Question
from hulian.network.exchange.semantics.together import Semantics

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "dictionary" / "plant.json"


@pytest.fixture(scope="module")
def stack(fresh_stack):
    """Nothing but what is put in here."""
    return fresh_stack


@pytest.fixture(scope="module")
def semantics(stack):
    """The model and the dictionaries of the same registry, as another process sees them."""
    found = Semantics(stack.registry)
    yield found
    found.close()


@pytest.fixture
def line(stack, request):
    """A connector with five points of one thing, as plants name them."""
    name = "m" + str(abs(hash(request.node.name)))[:8]
    rows = [
        ("pt", "PT_101.PV", "bar", {"en": "outlet pressure of the pump"}),
        ("tt", "TT_102.PV", "Cel", {}),
        ("ft", "FT_103.PV", "m3/h", {}),
        ("sp", "PIC_104.SP", "bar", {}),
        ("odd", "XQZ", "", {}),
    ]
    points = [
        Point(
            name=f"99.118.8/{name}#{key}", series=0, storage=StorageClass.DOUBLE, tag=tag, path="site/line 2", unit=unit,
            texts=texts, connector=name, address=key,
        )
        for key, tag, unit, texts in rows
    ]  # fmt: skip
    stack.catalogue.add_connector(ConnectorRecord(name=name, protocol="opcua", url="opc.tcp://127.0.0.1:1"), points)
    yield name
    stack.catalogue.remove_connector(name)


def ended(client, job):
    def look():
        found = client.get(f"/jobs/{job['id']}").json()
        return found if found["state"] != "running" else None

    return eventually(look, 60, "the end of the import")


def taken(client, content, file="plant.json", **query):
    answer = client.post("/dictionary/imports", params={"file": file, **query}, content=content)
    assert answer.status_code == 202, answer.text
    assert answer.json()["kind"] == "dictionary import"
    return ended(client, answer.json())


@pytest.fixture
def plant(stack):
    """The dictionary of the examples, taken over HTTP."""
    with stack.browser() as client:
        job = taken(client, EXAMPLE.read_bytes())
        assert (job["state"], job["name"], job["done"]) == ("done", "plant", job["total"]), job
        yield "plant"
        client.delete("/dictionary/plant")


def suggested(client, name, **query):
    answer = client.get("/dictionary/suggestions", params={"connector": name, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def say(client, *items, expected=200):
    answer = client.post("/dictionary/confirmations", json=list(items))
    assert answer.status_code == expected, answer.text
    return answer.json()


def best(page, key, aspect="quantity"):
    item = next(item for item in page["items"] if item["point"]["name"].endswith(f"#{key}"))
    return next(one for one in item["suggestions"] if one["aspect"] == aspect)


# ------------------------------------------------------------ the shelf


def test_a_dictionary_is_imported_shown_searched_and_removed(stack, plant):
    with stack.browser() as client:
        shelf = {one["name"]: one for one in client.get("/dictionary").json()["items"]}
        assert shelf["hulian"]["own"] is False
        assert shelf["plant"]["own"] is True
        assert [one["added"] for one in shelf["plant"]["releases"]] == [9]
        found = client.get("/dictionary/entries", params={"q": "druck", "dictionary": "plant", "language": "de"}).json()
        assert [one["concept"] for one in found["items"]] == ["plant:outlet-pressure"]
        page = client.get("/dictionary/entries", params={"dictionary": "plant", "limit": 4}).json()
        rest = client.get("/dictionary/entries", params={"dictionary": "plant", "limit": 100, "cursor": page["next"]}).json()
        names = [one["concept"] for one in (*page["items"], *rest["items"])]
        assert len(page["items"]) == 4
        assert rest["next"] is None
        assert len(set(names)) == 9
        assert client.delete("/dictionary/plant").status_code == 204
        gone = client.get("/dictionary/plant/differences", params={"old": 0})
        assert (gone.status_code, gone.json()["code"]) == (404, "HL-SEM-0032")
        told = [
            one for one in client.get("/audit", params={"limit": 200}).json()["items"] if one["resource"] == "dictionary:plant"
        ]
        assert {one["details"]["did"] for one in told} >= {"dictionary import", "dictionary removed"}


@pytest.mark.parametrize(
    ("relation", "of", "expected"),
    [
        ("properties", "plant:pump", {"plant:outlet-pressure", "plant:material", "plant:maker"}),
        ("superclasses", "plant:pump", {"plant:machine"}),
        ("subclasses", "plant:machine", {"plant:pump"}),
        ("classes", "plant:maker", {"plant:machine", "plant:pump"}),
    ],
)
def test_concepts_are_found_by_relation(stack, plant, relation, of, expected):
    with stack.browser() as client:
        found = client.get("/dictionary/entries", params={"relation": relation, "of": of}).json()
        assert {one["concept"] for one in found["items"]} == expected


def test_values_of_a_list_and_who_uses_it(stack, plant):
    with stack.browser() as client:
        values = client.get("/dictionary/entries", params={"relation": "values", "of": "plant:material"}).json()["items"]
        assert [one["value"] for one in values] == ["ST", "BZ"]
        lists = client.get("/dictionary/entries", params={"relation": "value-lists", "of": values[0]["concept"]}).json()
        assert len(lists["items"]) == 1
        odd = client.get("/dictionary/entries", params={"relation": "cousins", "of": "plant:pump"})
        assert (odd.status_code, odd.json()["code"]) == (400, "HL-API-0001")
        assert "subclasses" in odd.json()["hint"]


def test_an_entry_is_whole_in_every_language_with_its_relations(stack, plant):
    with stack.browser() as client:
        entry = client.get("/dictionary/entry", params={"concept": "plant:pump", "language": "zh"}).json()
        assert set(entry["names"]) >= {"en", "zh"}
        assert [one["concept"] for one in entry["relations"]["above"]] == ["plant:machine"]
        assert {one["via"] for one in entry["relations"]["properties"]} == {"plant:pump", "plant:machine"}
        pressure = client.get("/dictionary/entry", params={"concept": "plant:outlet-pressure"}).json()
        assert pressure["unit_known"]["dimension"] == "L-1M1T-2"
        missing = client.get("/dictionary/entry", params={"concept": "plant:nothing"})
        assert (missing.status_code, missing.json()["code"]) == (404, "HL-SEM-0031")
        no_concept = client.get("/dictionary/entry", params={"concept": "words"})
        assert (no_concept.status_code, no_concept.json()["code"]) == (400, "HL-SEM-0030")


def test_the_tree_is_opened_level_by_level(stack, plant):
    with stack.browser() as client:
        top = client.get("/dictionary/tree", params={"dictionary": "plant"}).json()["items"]
        assert [(one["concept"], one["below"]) for one in top if one["kind"] == "class"] == [("plant:machine", 1)]
        below = client.get("/dictionary/tree", params={"dictionary": "plant", "under": "plant:machine"}).json()["items"]
        assert [(one["concept"], one["below"]) for one in below] == [("plant:pump", 0)]


def test_a_second_release_says_what_differs(stack, plant):
    document = json.loads(EXAMPLE.read_text())
    pump = next(one for one in document["entries"] if one["id"] == "plant:pump")
    pump["definitions"]["en"] = "lifts"
    document["entries"].append({"id": "plant:valve", "kind": "class", "names": {"en": "Valve"}})
    with stack.browser() as client:
        job = taken(client, json.dumps(document).encode(), label="2")
        assert "1 new, 1 changed, 0 gone" in job["problems"][0]
        found = client.get("/dictionary/plant/differences", params={"old": 1, "new": 2}).json()
        assert [one["concept"] for one in found["added"]] == ["plant:valve"]
        assert found["changed"][0]["fields"]["definitions"][1]["en"] == "lifts"
        assert (found["added_total"], found["removed_total"], found["changed_total"]) == (1, 0, 1)


def test_a_broken_file_fails_with_its_place_and_leaves_nothing(stack):
    with stack.browser() as client:
        job = taken(client, b'{"dictionary": {}, "entries": [{"id": "x:y", "kind": "thing"}]}', file="broken.json")
        assert job["state"] == "failed"
        assert (job["error"]["code"], job["error"]["place"]) == ("HL-SEM-0001", "broken.json, $.entries[0]")
        assert "broken" not in [one["name"] for one in client.get("/dictionary").json()["items"]]
        empty = client.post("/dictionary/imports", params={"file": "a.json"}, content=b"")
        assert (empty.status_code, empty.json()["code"]) == (400, "HL-API-0001")
        own = client.post("/dictionary/imports", params={"file": "hulian.json"}, content=b"{}")
        assert (own.status_code, own.json()["code"]) == (409, "HL-API-0081")
        stays = client.delete("/dictionary/hulian")
        assert (stays.status_code, stays.json()["code"]) == (409, "HL-API-0081")


def test_an_import_is_ended_by_who_may(stack, tmp_path):
    rows = [f"long:{number},property,Property number {number}" for number in range(150_000)]
    content = "\n".join(["id,kind,name.en", *rows]).encode()
    with stack.browser() as client:
        answer = client.post("/dictionary/imports", params={"file": "long.csv"}, content=content)
        job = answer.json()
        with stack.program("read") as reader:
            assert reader.delete(f"/dictionary/imports/{job['id']}").status_code == 403
        assert client.delete(f"/dictionary/imports/{job['id']}").status_code == 200
        job = ended(client, job)
        assert (job["state"], job["error"]["code"]) == ("failed", "HL-API-0080")
        assert "long" not in [one["name"] for one in client.get("/dictionary").json()["items"]]


# ------------------------------------------------------------ units


def test_units_are_found_and_converted_and_dimensions_are_kept_apart(stack):
    with stack.browser() as client:
        units = client.get("/dictionary/units", params={"q": "bar"}).json()["items"]
        assert units[0]["name"] == "BAR"
        assert "mbar" in [one["title"] for one in client.get("/dictionary/units", params={"q": "mba"}).json()["items"]]
        done = client.get("/dictionary/convert", params={"value": 212, "from": "°F", "to": "Cel"}).json()
        assert done["result"] == 100.0
        refused = client.get("/dictionary/convert", params={"value": 1, "from": "bar", "to": "m"})
        assert (refused.status_code, refused.json()["code"]) == (422, "HL-SEM-0021")
        unknown = client.get("/dictionary/convert", params={"value": 1, "from": "bra", "to": "m"})
        assert (unknown.status_code, unknown.json()["code"]) == (400, "HL-SEM-0020")
        for unit in client.get("/dictionary/units", params={"q": "m", "limit": 200}).json()["items"]:
            again = client.get("/dictionary/units", params={"q": unit["write"], "limit": 1}).json()["items"][0]
            assert again["name"] == unit["name"], unit


# ------------------------------------------------------------ matching


def test_points_of_the_catalogue_get_ranked_suggestions_with_reasons(stack, line):
    with stack.browser() as client:
        page = suggested(client, line)
        assert (page["total"], page["matched"], page["next"]) == (5, 0, None)
        assert best(page, "pt")["concept"] == "hulian:pressure"
        assert any("bar" in reason for reason in best(page, "pt")["reasons"])
        assert best(page, "pt", "role")["concept"] == "hulian:measured-value"
        assert best(page, "sp", "role")["concept"] == "hulian:set-point"
        assert best(page, "tt")["concept"] == "hulian:temperature"


def test_a_confirmed_meaning_finds_the_live_point_and_is_taken_back(stack, semantics, line):
    name = f"99.118.8/{line}#pt"
    with stack.browser() as client:
        said = say(client, {"point": name, "concept": "hulian:pressure"}, {"point": name, "concept": "hulian:measured-value"})
        assert [(one["aspect"], one["concept"], one["by"]) for one in said["items"][0]["said"]] == [
            ("quantity", "hulian:pressure", "admin"),
            ("role", "hulian:measured-value", "admin"),
        ]
        found = semantics.model.find(Question(meaning="hulian:pressure", unit="kPa", inside="line 2", of=line))
        assert [(one.point, one.unit, one.factor) for one in found.nodes] == [(name, "bar", 100.0)]
        entry = client.get("/dictionary/entry", params={"concept": "hulian:pressure"}).json()
        assert name in entry["confirmed"]
        assert name in [one["point"] for one in entry["nodes"]]
        assert name not in [one["point"]["name"] for one in suggested(client, line)["items"]]
        assert suggested(client, line)["matched"] == 1
        whole = suggested(client, line, unconfirmed=False)
        assert len(whole["items"]) == 5
        assert best(whole, "pt")["confirmed"] is True
        back = say(client, {"point": name, "retract": True})
        assert back["items"][0]["said"] == []
        assert len(back["items"][0]["before"]) == 2
        assert name not in [one.point for one in semantics.model.find(Question(meaning="hulian:pressure")).nodes]
        assert suggested(client, line)["matched"] == 0


def test_what_is_confirmed_is_learned_at_once(stack, line):
    with stack.browser() as client:
        assert "hulian:density" not in [one["concept"] for one in suggested(client, line)["items"][-1]["suggestions"][:1]]
        name = f"99.118.8/{line}#odd"
        say(client, {"tag": "XQZ", "concept": "hulian:density"})
        after = best(suggested(client, line), "odd")
        assert after["concept"] == "hulian:density"
        assert "confirmed for 1 of 1 tags with word 'xqz'" in after["reasons"]
        assert after["confirmed"] is False, "another tag of the same text was confirmed, not this point"
        say(client, {"tag": "XQZ", "retract": True})
        assert not [one for one in suggested(client, line)["items"] if one["point"]["name"] == name and one["suggestions"]]


def test_none_of_these_counts_as_looked_at(stack, line):
    name = f"99.118.8/{line}#odd"
    with stack.browser() as client:
        said = say(client, {"point": name, "concept": None})["items"][0]["said"]
        assert [(one["aspect"], one["concept"]) for one in said] == [("none", "")]
        page = suggested(client, line)
        assert page["matched"] == 1
        assert name not in [one["point"]["name"] for one in page["items"]]
        say(client, {"point": name, "concept": "hulian:level"})
        said = say(client, {"point": name, "retract": True})["items"][0]["before"]
        assert [one["aspect"] for one in said] == ["quantity"], "a concept takes the place of 'none of these'"


def test_many_are_confirmed_together_or_none(stack, semantics, line):
    names = [f"99.118.8/{line}#{key}" for key in ("pt", "tt", "ft")]
    concepts = ["hulian:pressure", "hulian:temperature", "hulian:volume-flow"]
    both = [{"point": name, "concept": concept} for name, concept in zip(names, concepts, strict=True)]
    with stack.browser() as client:
        refused = say(client, *both, {"point": f"99.118.8/{line}#gone", "concept": "hulian:level"}, expected=404)
        assert (refused["code"], refused["place"]) == ("HL-API-0006", "$[3].point")
        refused = say(client, *both, {"point": names[0], "concept": "hulian:unheard"}, expected=404)
        assert (refused["code"], refused["place"]) == ("HL-SEM-0031", "$[3].concept")
        assert suggested(client, line)["matched"] == 0
        assert len(say(client, *both)["items"]) == 3
        for name, concept in zip(names, concepts, strict=True):
            assert name in [one.point for one in semantics.model.find(Question(meaning=concept, document="live points")).nodes]
        assert suggested(client, line)["matched"] == 3
        did = [one for one in client.get("/audit", params={"limit": 50}).json()["items"] if one["resource"] == "meanings"]
        assert did[0]["details"]["count"] == 3
        say(client, *[{"point": name, "retract": True} for name in names])


def test_pages_hold_every_point_once(stack, line):
    with stack.browser() as client:
        name = f"99.118.8/{line}#odd"
        say(client, {"point": name, "concept": None})
        seen, cursor = [], None
        for _ in range(10):
            page = suggested(client, line, limit=1, **({"cursor": cursor} if cursor else {}))
            seen += [one["point"]["name"] for one in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == sorted(f"99.118.8/{line}#{key}" for key in ("pt", "tt", "ft", "sp"))
        say(client, {"point": name, "retract": True})


def test_a_described_point_is_matched_where_its_document_says_what_it_means(stack, semantics, line):
    """The note goes to the node of the document, and a document that comes later takes the point out of the generated one."""
    pt, tt = f"99.118.8/{line}#pt", f"99.118.8/{line}#tt"
    name = f"doc {line}"
    nodes = [
        Node(id=f"{name}/pump", kind=Kind.OBJECT, name="pump"),
        Node(id=f"{name}/p", kind=Kind.PROPERTY, name="p", parent=f"{name}/pump", point=pt, meanings=("hulian:pressure",)),
        Node(id=f"{name}/t", kind=Kind.PROPERTY, name="t", parent=f"{name}/pump", point=tt),
    ]
    lines = [{"hulian": 1, "document": json.loads(_encoded(Document(name="x", format="hulian")))}]
    lines += [{"node": json.loads(_encoded(node))} for node in nodes]
    content = "\n".join(map(json.dumps, lines)).encode()
    with stack.browser() as client:
        say(client, {"point": tt, "concept": "hulian:temperature"})
        say(client, {"point": tt, "retract": True})
        source = memory_source("plant.hulian.jsonl", content)
        semantics.model.apply(semantics.model.read(format_named("hulian"), source, name, "ann").version.key)
        try:
            page = suggested(client, line)
            assert page["matched"] == 1
            assert pt not in [one["point"]["name"] for one in page["items"]]
            done = say(client, {"point": tt, "concept": "hulian:temperature"})["items"][0]
            assert done["nodes"] == [f"{name}/t"]
            found = semantics.model.find(Question(meaning="hulian:temperature")).nodes
            assert [one.document for one in found if one.point == tt] == [name]
            say(client, {"point": tt, "retract": True})
        finally:
            semantics.model.remove(name)


def _encoded(value):
    return msgspec.json.encode(value)


def test_a_renamed_point_keeps_its_meaning(stack, semantics, line):
    old, new = f"99.118.8/{line}#ft", f"99.118.8/{line}#flow"
    with stack.browser() as client:
        say(client, {"point": old, "concept": "hulian:volume-flow"})
        stack.catalogue.rename_point(old, new)
        say(client, {"point": f"99.118.8/{line}#pt", "concept": "hulian:pressure"})

        def found():
            return {one.point for one in semantics.model.find(Question(meaning="hulian:volume-flow")).nodes}

        eventually(lambda: new in found(), 60, "the new name in the model")
        assert old not in found()
        assert suggested(client, line)["matched"] == 2
        say(client, {"point": new, "retract": True}, {"point": f"99.118.8/{line}#pt", "retract": True})


def test_the_model_follows_a_change_of_the_catalogue(stack, semantics, line):
    """What is converted on a question is converted from the unit that the point has now."""
    name = f"99.118.8/{line}#pt"
    with stack.browser() as client:
        say(client, {"point": name, "concept": "hulian:pressure"})
        stack.catalogue.change_point(name, unit="kPa")

        def factor():
            nodes = semantics.model.find(Question(meaning="hulian:pressure", unit="bar")).nodes
            return next((one.factor for one in nodes if one.point == name), None)

        eventually(lambda: factor() == 0.01, 60, "the new unit in the model")
        say(client, {"point": name, "retract": True})


def test_reading_needs_read_and_saying_needs_configure(stack, line):
    body = [{"point": f"99.118.8/{line}#pt", "concept": "hulian:pressure"}]
    with stack.program("read") as reader:
        assert reader.get("/dictionary/suggestions", params={"connector": line}).status_code == 200
        assert reader.get("/dictionary").status_code == 200
        for refused in (
            reader.post("/dictionary/confirmations", json=body),
            reader.post("/dictionary/imports", params={"file": "a.json"}, content=b"{}"),
            reader.delete("/dictionary/plant"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "HL-TRUST-0002")
    with stack.program("configure") as program:
        assert program.post("/dictionary/confirmations", json=body).status_code == 200
        assert (
            program.post("/dictionary/confirmations", json=[{**body[0], "concept": None, "retract": True}]).status_code == 200
        )
    with stack.anonymous() as nobody:
        assert nobody.get("/dictionary").status_code == 401


@pytest.mark.parametrize(
    "body",
    [[], [{}], [{"point": "a", "tag": "b"}], [{"tag": "b", "concept": "hulian:pressure", "aspect": "role"}]],
)
def test_what_cannot_be_said_is_refused_with_its_place(stack, body):
    with stack.browser() as client:
        answer = client.post("/dictionary/confirmations", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "HL-API-0001"), answer.text
        assert answer.json()["place"].startswith("$")
