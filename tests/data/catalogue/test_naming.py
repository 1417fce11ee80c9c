"""From what a device shows to legal, unique, stable names."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.data.catalogue.naming import plant_path, word
from hulian.kernel.identifier import MAXIMUM_LENGTH, Identifier, PointName, escape, unescape
from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Browsed


@pytest.fixture
def catalogue(sqlite_registry):
    made = Catalogue(sqlite_registry, "acme")
    made.add_connector(ConnectorRecord(name="Press 2", protocol="opcua", url="x"))
    made.add_connector(ConnectorRecord(name="other", protocol="opcua", url="y"))
    return made


def leaf(*path, **more):
    return Browsed(**{"address": "/".join(path), "name": path[-1], "path": path, "leaf": True, **more})


def names(points):
    return [point.name for point in points]


def test_the_innermost_branch_is_the_thing(catalogue):
    nodes = [
        Browsed(address="b", name="Reactor", path=("Objects", "Plant", "Reactor"), leaf=False),
        leaf("Objects", "Plant", "Reactor", "Outlet Pressure", unit="bar", low=0.0, high=4.0, description="After the valve"),
        leaf("Objects", "Plant", "Reactor", "Running", storage=StorageClass.BOOLEAN, options={"interval": "1s"}),
        leaf("Objects", "Uptime", storage=StorageClass.INTEGER, writable=True),
    ]
    pressure, running, uptime = catalogue.propose(nodes, connector="Press 2", prefix="99.118.8", path="works")
    assert (pressure.name, pressure.path, pressure.tag) == (
        "99.118.8/reactor#outlet-pressure",
        "works/Plant",
        "Outlet Pressure",
    )
    assert (pressure.unit, pressure.low, pressure.high) == ("bar", 0.0, 4.0)
    assert pressure.texts == {"und": "After the valve"}
    assert (running.kind, running.storage, running.options) == (Kind.STEP, StorageClass.BOOLEAN, {"interval": "1s"})
    assert (uptime.name, uptime.path, uptime.writable) == ("99.118.8/press-2#uptime", "works", False)
    assert catalogue.upsert_points([pressure, running, uptime]).added == 3


def test_machines_of_one_kind_stay_apart(catalogue):
    nodes = [
        leaf("Line 1", "Pump", "Speed"),
        leaf("Line 2", "Pump", "Speed"),
        leaf("Pump", "Speed"),
        leaf("Line 1", "Oven", "Heat"),
    ]
    assert names(catalogue.propose(nodes, connector="Press 2", prefix="99.1")) == [
        "99.1/line-1.pump#speed",
        "99.1/line-2.pump#speed",
        "99.1/pump#speed",
        "99.1/oven#heat",
    ]


def test_a_second_machine_with_the_same_names(catalogue):
    nodes = [leaf("Machine", "Speed")]
    catalogue.upsert_points(catalogue.propose(nodes, connector="other", prefix="99.1"))
    assert names(catalogue.propose(nodes, connector="Press 2", prefix="99.1")) == ["99.1/press-2.machine#speed"]


def test_browsing_twice_renames_nothing(catalogue):
    nodes = [leaf("Machine", "Speed"), leaf("Machine", "speed"), leaf("Machine", "Heat")]
    first = catalogue.propose(nodes, connector="Press 2", prefix="99.1")
    assert names(first) == ["99.1/machine#speed", "99.1/machine#speed-2", "99.1/machine#heat"]
    catalogue.upsert_points(first)
    catalogue.rename_point("99.1/machine#heat", "99.1/machine#warmth")
    again = catalogue.propose([*nodes, leaf("Machine", "SPEED")], connector="Press 2", prefix="99.1")
    assert names(again) == ["99.1/machine#speed", "99.1/machine#speed-2", "99.1/machine#warmth", "99.1/machine#speed-3"]
    assert catalogue.upsert_points(again).added == 1


def test_all_under_one_thing(catalogue):
    nodes = [leaf("Server", "Plant", "Reactor", "P"), leaf("Server", "Plant", "Stripper", "P"), leaf("Server", "Plant", "T")]
    wanted = ["99.1/tep#reactor.p", "99.1/tep#stripper.p", "99.1/tep#t"]
    assert names(catalogue.propose(nodes, connector="Press 2", prefix="99.1", thing="tep")) == wanted
    assert names(catalogue.propose(nodes, connector="Press 2", prefix="99.1", thing="88.2/tep"))[0] == "88.2/tep#reactor.p"
    assert catalogue.propose([], connector="Press 2", prefix="99.1", thing="tep") == []


def test_what_a_device_calls_a_place_is_cleaned(catalogue):
    nodes = [
        leaf("Area/51\x00", " Hall\n2 ", "Oven", "Heat\t", address="a"),
        leaf(*(["deep" * 50] * 9), "Oven2", "Heat", address="b"),
    ]
    oven, deep = catalogue.propose(nodes, connector="Press 2", prefix="99.1", path="works")
    assert (oven.path, oven.tag) == ("works/Area-51/Hall 2", "Heat")
    assert deep.path.startswith("works/deepdeep")
    assert catalogue.upsert_points([oven, deep]).added == 2


def test_a_range_that_makes_no_sense_is_left_out(catalogue):
    (point,) = catalogue.propose([leaf("M", "S", low=5.0, high=5.0)], connector="Press 2", prefix="99.1")
    assert (point.low, point.high) == (None, None)


@given(st.text())
def test_a_word_is_always_part_of_a_legal_name(text):
    made = word(text)
    assert made == word(made), "and stays what it is"
    assert PointName.parse(f"99.1/{made}#{made}").path == made
    assert unescape(escape(made)) == made


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.lists(st.text(max_size=5), max_size=3), st.text(max_size=300)),
        max_size=12,
        unique_by=lambda pair: repr(pair),
    )
)
def test_whatever_a_device_shows_gets_legal_unique_names(catalogue, shown):
    nodes = [
        Browsed(address=f"a{number}", name=name, path=(*path, name), leaf=True) for number, (path, name) in enumerate(shown)
    ]
    points = catalogue.propose(nodes, connector="Press 2", prefix="99.1", path="works")
    assert len(points) == len(nodes)
    assert len(set(names(points))) == len(points)
    for point in points:
        thing, _ = PointName.parse(point.name)
        assert thing == Identifier.parse(point.thing)
        assert len(point.name.encode()) <= MAXIMUM_LENGTH
        assert unescape(escape(point.name)) == point.name
    with_rollback(catalogue, points)


def with_rollback(catalogue, points):
    """The catalogue takes them all; what one example wrote, the next does not see."""
    catalogue.upsert_points(points)
    catalogue.remove_points(names(points))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=80))
def test_a_place_is_itself_once_it_is_clean(text):
    assert plant_path(plant_path(text)) == plant_path(text)
