"""The catalogue as a text: out, back in, and every mistake with its line."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.data.catalogue import (
    Catalogue,
    ConnectorRecord,
    DescriptionError,
    OpenSecretError,
    UnknownConnectorError,
    apply,
    dump,
)
from hulian.kernel.errors import ConfigurationError, UnknownKeyError
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner.filter(lambda item: item is not None), max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def catalogue(sqlite_registry):
    made = Catalogue(sqlite_registry, "acme")
    made.add_connector(
        ConnectorRecord(
            name="plc", protocol="opcua", url="opc.tcp://x", settings={"interval": "1s"},
            credentials={"user": "ada", "password": "secret:plc"},
        ),
        [
            Point(name="99.1/a#x", series=0, connector="plc", address="ns=2;s=A", storage=StorageClass.INTEGER, kind=Kind.STEP,
                  texts={"zh-CN": '压"力\n'}, low=-1.0, options={"a b": [1, 2.5, "c"]}),
            Point(name="99.1/b#x", series=0, connector="plc", address="b", enabled=False),
        ],
    )  # fmt: skip
    return made


@pytest.fixture
def empty(tmp_path):
    from hulian.registry import Registry

    registry = Registry.open(tmp_path / "other.db")
    yield Catalogue(registry, "acme")
    registry.close()


def test_out_and_in_again_is_the_same(catalogue, empty):
    text = dump(catalogue)
    applied = apply(empty, text)
    assert (applied.connectors_added, applied.points.added) == (["plc"], 2)
    assert dump(empty) == text
    for name in ("99.1/a#x", "99.1/b#x"):
        assert empty.point(name).point == catalogue.point(name).point
    again = apply(empty, text)
    assert (again.connectors_changed, again.points.unchanged) == ([], 2)


def test_it_holds_no_secret(catalogue):
    assert "secret:plc" in dump(catalogue)


def test_changes_and_removals(catalogue):
    text = dump(catalogue).replace('interval = "1s"', 'interval = "5s"').replace("low = -1.0", "low = 0.0")
    text = text[: text.index('[[point]]\nname = "99.1/b#x"')]
    looked = apply(catalogue, text, remove=True, dry_run=True)
    assert (looked.connectors_changed, looked.points.changed, looked.points_removed) == (["plc"], 1, ["99.1/b#x"])
    assert catalogue.connector("plc").settings == {"interval": "1s"}, "a dry run changes nothing"
    assert catalogue.search().total == 2
    assert apply(catalogue, text).points_removed == []
    assert catalogue.search().total == 2
    assert apply(catalogue, text, remove=True).points_removed == ["99.1/b#x"]
    assert catalogue.connector("plc").settings == {"interval": "5s"}
    assert catalogue.point("99.1/a#x").point.low == 0.0


def test_an_address_moves_from_a_removed_point_to_a_new_one(catalogue):
    text = dump(catalogue).replace("99.1/b#x", "99.1/c#x")
    applied = apply(catalogue, text, remove=True)
    assert (applied.points.added, applied.points_removed) == (1, ["99.1/b#x"])


def test_everything_can_go(catalogue):
    applied = apply(catalogue, "version = 1\n", remove=True)
    assert (applied.connectors_removed, applied.points_removed) == (["plc"], ["99.1/a#x", "99.1/b#x"])
    assert (catalogue.connectors(), catalogue.search().total) == ([], 0)


@pytest.mark.parametrize(
    ("text", "error", "place"),
    [
        ("= 1", ConfigurationError, "c.toml"),
        ("version = 2", ConfigurationError, "c.toml:1: version"),
        ('[[point]]\nname = "99.1/z#z"\nunti = "bar"', UnknownKeyError, "c.toml:3: point.0.unti"),
        (
            '[[point]]\nname = "99.1/z#z"\n\n[[point]]\nname = "99.1/y#y"\nlow = "x"',
            ConfigurationError,
            "c.toml:6: point.1.low",
        ),
        ('[[connector]]\nname = "x"\nprotocol = "p"\nurl = "u"\ncredentials = {password = "tiger"}', OpenSecretError, "x"),
        ('[[point]]\nname = "99.1/z#z"\nconnector = "nowhere"\naddress = "a"', UnknownConnectorError, ""),
        ('[[connector]]\nname = "x"\nprotocol = "p"\nurl = "u"\n' * 2, DescriptionError, ""),
    ],
)
def test_a_mistake_is_named_with_its_place_and_changes_nothing(catalogue, text, error, place):
    before = dump(catalogue)
    with pytest.raises(error) as refused:
        apply(catalogue, text, place="c.toml")
    assert refused.value.place == place
    assert "tiger" not in f"{refused.value}{refused.value.hint}"
    assert dump(catalogue) == before


def test_nothing_is_removed_that_something_kept_needs(catalogue):
    text = '[[point]]\nname = "99.1/a#x"\nconnector = "plc"\naddress = "ns=2;s=A"\nstorage = "integer"'
    with pytest.raises(UnknownConnectorError):
        apply(catalogue, text, remove=True)
    assert catalogue.connector("plc")


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=st.dictionaries(TEXT, VALUE, max_size=4), text=TEXT, unit=TEXT, low=st.none() | st.floats(-1e300, 1e300))
def test_any_content_comes_back(catalogue, options, text, unit, low):
    catalogue.change_point("99.1/a#x", options=options, texts={"en": text}, unit=unit, low=low)
    written = dump(catalogue)
    read = tomllib.loads(written)["point"][0]
    assert read.get("texts", {}) == {"en": text}
    assert read.get("unit", "") == unit
    assert read.get("low") == low
    assert read.get("options", {}) == without_none(options)


def without_none(value):
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    return [without_none(item) for item in value] if isinstance(value, list) else value
