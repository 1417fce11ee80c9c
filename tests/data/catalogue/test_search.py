"""Finding points among many."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.data.catalogue import Catalogue, ConnectorRecord, CursorError
from hulian.kernel.point import Point


@pytest.fixture
def catalogue(registry):
    made = Catalogue(registry, "acme")
    made.add_connector(ConnectorRecord(name="plc", protocol="opcua", url="x"))
    made.add_connector(ConnectorRecord(name="other", protocol="opcua", url="y"))
    made.upsert_points(
        [
            entry(
                "99.1/reactor#pressure",
                "r1",
                tag="PT-101",
                path="works/line 1",
                texts={"en": "Reactor Pressure", "zh": "反应器压力"},
            ),
            entry("99.1/reactor#temperature", "r2", tag="TT-102", path="works/line 1", texts={"de": "Größe der Straße"}),
            entry("99.1/pump#speed", "p1", tag="ST-201", path="works/line 10", connector="other"),
            entry("99.1/pump#50%_load", "p2", path="works/line 1/cell 2"),
            entry("99.1/odd#a\"b'c", "o1", path="elsewhere"),
            entry("99.1/free#x", "f1"),
        ]
    )
    return made


def entry(name, address, **more):
    return Point(**{"name": name, "series": 0, "connector": "plc", "address": address, **more})


def names(page):
    return [item.point.name.partition("/")[2] for item in page.items]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["free#x", "odd#a\"b'c", "pump#50%_load", "pump#speed", "reactor#pressure", "reactor#temperature"]),
        ("PRESSURE", ["reactor#pressure"]),
        ("pt-1", ["reactor#pressure"]),
        ("T-1", ["reactor#pressure", "reactor#temperature"]),
        ("压力", ["reactor#pressure"]),
        ("反应器压", ["reactor#pressure"]),
        ("grösse STRASSE", ["reactor#temperature"]),
        ("line 10", ["pump#speed", "reactor#pressure", "reactor#temperature"]),
        ("e1/c 1/c", []),
        ("1/cell", ["pump#50%_load"]),
        ("reactor 102", ["reactor#temperature"]),
        ("102 reactor", ["reactor#temperature"]),
        ("50%_l", ["pump#50%_load"]),
        ("%", ["pump#50%_load"]),
        ("_", ["pump#50%_load"]),
        ('a"b', ["odd#a\"b'c"]),
        ("'c", ["odd#a\"b'c"]),
        ("99.1/pump#s", ["pump#speed"]),
        ("r2", ["reactor#temperature"]),
        ("nothing", []),
        ("AND", []),
        ("* NEAR(", []),
        ("-pump", []),
    ],
)
def test_by_identifier_tag_place_text_and_address(catalogue, text, found):
    page = catalogue.search(text)
    assert names(page) == found
    assert (page.total, page.next) == (len(found), None)


def test_by_connector_thing_and_place(catalogue):
    assert names(catalogue.search(connector="other")) == ["pump#speed"]
    assert names(catalogue.search(thing="99.1/pump")) == ["pump#50%_load", "pump#speed"]
    assert names(catalogue.search(path="works/line 1")) == ["pump#50%_load", "reactor#pressure", "reactor#temperature"]
    assert names(catalogue.search("50%", path="/works/line 1/")) == ["pump#50%_load"]
    assert names(catalogue.search(thing="no identifier")) == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=12))
def test_no_text_breaks_the_search(catalogue, text):
    assert catalogue.search(text).total >= 0


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=st.integers(0, 40), length=st.integers(1, 12))
def test_every_part_of_a_points_words_finds_it(catalogue, begin, length):
    text = "99.1/reactor#pressure PT-101 works/line 1 Reactor Pressure 反应器压力"
    part = text[begin : begin + length]
    assert "reactor#pressure" in names(catalogue.search(part))


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 100])
def test_pages_join_to_the_whole(catalogue, limit):
    found, cursor = [], None
    for _ in range(10):
        page = catalogue.search(limit=limit, cursor=cursor)
        assert page.total == 6
        found += names(page)
        cursor = page.next
        if cursor is None:
            break
    assert found == names(catalogue.search())


def test_a_page_neither_repeats_nor_skips_when_points_come_and_go(catalogue):
    first = catalogue.search(limit=3)
    catalogue.remove_points(["99.1/free#x"])
    catalogue.upsert_points([entry("99.1/a#new", "n")])
    rest = catalogue.search(cursor=first.next)
    assert names(first) + names(rest) == [
        "free#x",
        "odd#a\"b'c",
        "pump#50%_load",
        "pump#speed",
        "reactor#pressure",
        "reactor#temperature",
    ]


@pytest.mark.parametrize("cursor", ["x y", "~~", "~FF", "%"])
def test_what_is_no_cursor(catalogue, cursor):
    with pytest.raises(CursorError):
        catalogue.search(cursor=cursor)


def test_the_tree(catalogue):
    top = catalogue.tree()
    assert [(branch.name, branch.path, branch.things, branch.points) for branch in top.branches] == [
        ("elsewhere", "elsewhere", 1, 1),
        ("works", "works", 2, 4),
    ]
    assert [(thing.identifier, thing.label, thing.points) for thing in top.things] == [("99.1/free", "free", 1)]
    works = catalogue.tree("works")
    assert [(branch.name, branch.things, branch.points) for branch in works.branches] == [("line 1", 2, 3), ("line 10", 1, 1)]
    line = catalogue.tree("/works/line 1/")
    assert [branch.path for branch in line.branches] == ["works/line 1/cell 2"]
    assert [(thing.label, thing.points) for thing in line.things] == [("reactor", 2)]
    assert catalogue.tree("nowhere").branches == catalogue.tree("nowhere").things == []


def test_the_words_follow_every_change(catalogue):
    catalogue.change_point("99.1/free#x", tag="ZEBRA-9", texts={"en": "now with words"})
    assert names(catalogue.search("zebra")) == ["free#x"]
    catalogue.change_point("99.1/free#x", tag="GIRAFFE")
    assert names(catalogue.search("zebra")) == []
    assert names(catalogue.search("giraffe words")) == ["free#x"]
    catalogue.rename_thing("99.1/free", "99.1/bound")
    assert names(catalogue.search("bound#")) == ["bound#x"]
    assert names(catalogue.search("99.1/free")) == []
    catalogue.remove_connector("plc")
    assert names(catalogue.search("giraffe")) == []
    catalogue.upsert_points([entry("99.1/z#z", "z", connector="other", tag="okapi")])
    assert names(catalogue.search("okapi")) == ["z#z"]


@pytest.mark.soak
def test_a_hundred_thousand_points(sqlite_registry):
    made = Catalogue(sqlite_registry, "acme")
    made.add_connector(ConnectorRecord(name="plc", protocol="opcua", url="x"))
    for block in range(10):
        made.upsert_points(
            entry(
                f"99.1/thing-{number // 10}#p{number}", f"a{number}", tag=f"TAG-{number}", path=f"works/line {number // 1000}"
            )
            for number in range(block * 10_000, block * 10_000 + 10_000)
        )
    begin = time.process_time()
    for text in ("tag-4711", "thing-77 p77", "zebra", "line"):
        made.search(text)
    made.tree("works")
    assert made.search("tag-99999").total == 1
    assert time.process_time() - begin < 5
