"""Connectors, points, series: what is kept, what is refused, and that a name never loses its history."""

from __future__ import annotations

import msgspec
import pytest

from hulian.data.catalogue import (
    Catalogue,
    ConnectorRecord,
    DescriptionError,
    OpenSecretError,
    SeriesCollisionError,
    SharedAddressError,
    TakenNameError,
    UnknownConnectorError,
    UnknownPointError,
    VersionError,
)
from hulian.kernel.errors import IdentifierError, SecretError
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Credentials

PLC = ConnectorRecord(name="plc", protocol="opcua", url="opc.tcp://192.0.2.4:4840", settings={"interval": "1s"})


@pytest.fixture
def catalogue(registry):
    made = Catalogue(registry, "acme")
    made.add_connector(PLC)
    return made


def point(name="99.1/pump#pressure", address="a", **more):
    return Point(**{"name": name, "series": 0, "connector": "plc", "address": address, **more})


class TestConnectors:
    def test_one_is_added_with_its_points_or_not_at_all(self, catalogue):
        other = ConnectorRecord(name="other", protocol="modbus", url="modbus://192.0.2.5")
        with pytest.raises(UnknownConnectorError):
            catalogue.add_connector(other, [point(connector="other"), point("99.1/pump#speed", connector="nowhere")])
        assert [record.name for record in catalogue.connectors()] == ["plc"]
        catalogue.add_connector(other, [point(connector="other")])
        assert catalogue.counts() == {"other": 1}
        assert [record.name for record in catalogue.connectors()] == ["other", "plc"]

    def test_a_name_is_taken_once(self, catalogue):
        with pytest.raises(TakenNameError):
            catalogue.add_connector(PLC)

    def test_a_change_names_the_version_it_changes(self, catalogue):
        first = catalogue.connector("plc")
        second = catalogue.change_connector("plc", version=first.version, settings={"interval": "2s"})
        assert (second.version, second.settings, second.url) == (first.version + 1, {"interval": "2s"}, first.url)
        with pytest.raises(VersionError):
            catalogue.change_connector("plc", version=first.version, enabled=False)
        assert catalogue.connector("plc").enabled
        assert catalogue.change_connector("plc", enabled=True).version == second.version, "nothing changed"

    def test_a_password_or_key_is_kept_by_reference_only(self, catalogue):
        for credentials in ({"user": "u", "password": "tiger-secret"}, {"password": "ENV:x"}, {"key": "tiger-key"}):
            with pytest.raises(OpenSecretError) as refused:
                catalogue.change_connector("plc", credentials=credentials)
            assert "tiger" not in f"{refused.value} {refused.value.hint} {refused.value.place}"
        with pytest.raises(OpenSecretError) as refused:
            catalogue.change_connector("plc", url="opc.tcp://user:tiger@192.0.2.4")
        assert "tiger" not in str(refused.value)
        with pytest.raises(DescriptionError):
            catalogue.change_connector("plc", credentials={"pasword": "env:X"})

    def test_credentials_are_read_from_where_they_lead(self, catalogue, monkeypatch):
        catalogue.change_connector("plc", credentials={"user": "ada", "password": "secret:plc"})
        assert catalogue.credentials("plc", {"plc": "tiger"}.get) == Credentials(user="ada", password="tiger")
        with pytest.raises(SecretError):
            catalogue.credentials("plc", {}.get)
        monkeypatch.setenv("PLC_USER", "eve")
        catalogue.change_connector("plc", credentials={"user": "env:PLC_USER"})
        assert catalogue.credentials("plc") == Credentials(user="eve")

    @pytest.mark.parametrize("name", ["", " x", "x ", "x\n", "x" * 65, "压" * 22])
    def test_names_that_cannot_be(self, catalogue, name):
        with pytest.raises(DescriptionError):
            catalogue.add_connector(ConnectorRecord(name=name, protocol="p", url="u"))

    def test_removed_with_its_points(self, catalogue):
        catalogue.upsert_points([point()])
        catalogue.remove_connector("plc")
        assert (catalogue.connectors(), catalogue.search().total) == ([], 0)
        with pytest.raises(UnknownConnectorError):
            catalogue.remove_connector("plc")

    def test_removed_without_its_points(self, catalogue):
        catalogue.upsert_points([point()])
        before = catalogue.history("99.1/pump#pressure")
        catalogue.remove_connector("plc", points=False)
        assert not catalogue.point("99.1/pump#pressure").point.enabled
        assert catalogue.history("99.1/pump#pressure") == before


class TestPoints:
    def test_what_is_written_reads_back(self, catalogue):
        written = point(
            storage=StorageClass.INTEGER, kind=Kind.STEP, tag="PT-101", path="works/line 1", unit="bar", low=-1.5, high=2.0,
            texts={"en": "Pressure", "zh-CN": "压力"}, writable=True, options={"interval": "1s", "deep": {"a": [1, None]}},
        )  # fmt: skip
        assert catalogue.upsert_points([written]).added == 1
        found = catalogue.point(written.name).point
        assert found == msgspec.structs.replace(written, series=catalogue.series("plc", "a", StorageClass.INTEGER))
        assert catalogue.points_named([written.name, "99.1/x#y", "nonsense"]) == {written.name: found}
        assert catalogue.points_of_series([found.series, 5]) == {found.series: found}

    def test_a_series_above_half_of_its_range_keeps_every_bit(self, catalogue):
        many = [point(f"99.1/x#p{number}", f"a{number}") for number in range(40)]
        catalogue.upsert_points(many)
        ids = {catalogue.series("plc", f"a{number}", StorageClass.DOUBLE) for number in range(40)}
        assert max(ids) > 2**63 > min(ids)
        assert set(catalogue.points_of_series(ids)) == ids
        assert {binding.series for binding in catalogue.bindings("plc")} == ids

    def test_counting(self, catalogue):
        assert catalogue.upsert_points([point(), point("99.1/pump#speed", "b")]).added == 2
        counted = catalogue.upsert_points([point(unit="bar"), point("99.1/pump#speed", "b"), point("99.1/pump#x", "c")])
        assert (counted.added, counted.changed, counted.unchanged, counted.reopened) == (1, 1, 1, 0)

    def test_all_or_nothing(self, catalogue):
        good = point("99.1/good#x", "good")
        for bad, error in (
            (point("99.1/bad#x", "bad", low=2.0, high=1.0), DescriptionError),
            (point("99.1/bad#x", "bad", low=float("nan")), DescriptionError),
            (point("99.1/bad#x", "bad", path="a\x00b"), DescriptionError),
            (point("99.1/bad#x", "bad", tag="x" * 201), DescriptionError),
            (point("99.1/bad#x", "bad\0"), DescriptionError),
            (point("99.1/bad#x", "bad", connector="nowhere"), UnknownConnectorError),
            (point("99.1/bad#x", "good"), SharedAddressError),
            (point("99.1/good#x", "bad"), TakenNameError),
            (point("99.1/bad#x", "bad", series=17), DescriptionError),
        ):
            revision = catalogue.revision()
            with pytest.raises(error):
                catalogue.upsert_points([good, bad])
            assert (catalogue.search().total, catalogue.revision()) == (0, revision)

    def test_a_name_that_no_rule_allows(self):
        with pytest.raises(IdentifierError):
            point("pump")

    def test_a_prefix_in_capitals_is_the_same_name(self, catalogue):
        catalogue.upsert_points([point("Plant.X/pump#p")])
        assert catalogue.upsert_points([point("plant.x/pump#p")]).unchanged == 1
        assert catalogue.point("PLANT.X/pump#p").point.name == "plant.x/pump#p"

    def test_a_change_names_the_version_it_changes(self, catalogue):
        catalogue.upsert_points([point()])
        first = catalogue.point("99.1/pump#pressure")
        second = catalogue.change_point("99.1/pump#pressure", version=first.version, unit="bar", kind="step", low=0, high=None)
        assert (second.point.unit, second.point.kind, second.point.low) == ("bar", Kind.STEP, 0.0)
        with pytest.raises(VersionError):
            catalogue.change_point("99.1/pump#pressure", version=first.version, unit="Pa")
        assert catalogue.change_point("99.1/pump#pressure", low=None).point.low is None
        for wrong in ({"series": 5}, {"unit": 5}, {"kind": "wave"}, {"low": 9, "high": 1}, {"colour": "red"}):
            with pytest.raises(DescriptionError):
                catalogue.change_point("99.1/pump#pressure", **wrong)
        with pytest.raises(UnknownPointError):
            catalogue.change_point("99.1/pump#nothing", unit="bar")

    def test_the_edge_reads_what_is_enabled(self, catalogue):
        catalogue.upsert_points(
            [point(options={"interval": "1s"}, writable=True, kind=Kind.STEP), point("99.1/pump#off", "b", enabled=False)]
        )
        (binding,) = catalogue.bindings("plc")
        assert (binding.address, binding.writable, binding.kind, binding.options) == ("a", True, Kind.STEP, {"interval": "1s"})
        assert catalogue.bindings("nowhere") == []

    def test_a_point_without_a_connector_keeps_its_series_under_another_name(self, catalogue):
        catalogue.upsert_points([Point(name="99.1/lab#ph", series=0)])
        series = catalogue.point("99.1/lab#ph").point.series
        catalogue.rename_point("99.1/lab#ph", "99.1/laboratory#ph")
        moved = catalogue.point("99.1/laboratory#ph").point
        assert moved.series == series
        assert catalogue.upsert_points([moved]).unchanged == 1


class TestHistory:
    def test_a_changed_type_opens_a_new_series_and_keeps_the_old(self, catalogue):
        catalogue.upsert_points([point()])
        before = catalogue.point("99.1/pump#pressure").point.series
        assert catalogue.upsert_points([point(storage=StorageClass.INTEGER)]).reopened == 1
        after = catalogue.point("99.1/pump#pressure").point.series
        old, new = catalogue.history("99.1/pump#pressure")
        assert (old.series, old.storage, old.since) == (before, StorageClass.DOUBLE, 0)
        assert (new.series, new.storage, new.until) == (after, StorageClass.INTEGER, None)
        assert old.until == new.since > 0
        middle = new.since
        found = catalogue.spans(["99.1/pump#pressure", "99.1/none#x"], 0, middle)
        assert [span.series for span in found["99.1/pump#pressure"]] == [before]
        assert list(found) == ["99.1/pump#pressure"]
        assert [span.series for span in catalogue.spans(["99.1/pump#pressure"], middle, middle + 1)["99.1/pump#pressure"]] == [
            after
        ]
        both = catalogue.spans(["99.1/pump#pressure"], middle - 1, middle + 1)["99.1/pump#pressure"]
        assert [span.series for span in both] == [before, after]

    def test_a_replaced_device_and_back_again(self, catalogue):
        catalogue.add_connector(ConnectorRecord(name="new-plc", protocol="opcua", url="opc.tcp://192.0.2.9"))
        catalogue.upsert_points([point()])
        catalogue.upsert_points([point(connector="new-plc", address="z")])
        catalogue.upsert_points([point()])
        spans = catalogue.history("99.1/pump#pressure")
        assert [(span.connector, span.address) for span in spans] == [("plc", "a"), ("new-plc", "z"), ("plc", "a")]
        assert [span.until for span in spans[:-1]] == [span.since for span in spans[1:]]

    def test_a_rename_keeps_everything(self, catalogue):
        catalogue.upsert_points([point(unit="bar"), point("99.1/pump#speed", "b")])
        catalogue.upsert_points([point(storage=StorageClass.INTEGER, unit="bar")])
        history = catalogue.history("99.1/pump#pressure")
        catalogue.rename_point("99.1/pump#pressure", "88.123/pump-17#outlet.pressure")
        assert catalogue.history("88.123/pump-17#outlet.pressure") == history
        assert catalogue.point("88.123/pump-17#outlet.pressure").point.unit == "bar"
        assert catalogue.search("pump-17").total == 1
        assert catalogue.search("99.1/pump#pressure").total == 0
        with pytest.raises(UnknownPointError):
            catalogue.point("99.1/pump#pressure")
        with pytest.raises(TakenNameError):
            catalogue.rename_point("99.1/pump#speed", "88.123/pump-17#outlet.pressure")

    def test_two_names_swap(self, catalogue):
        catalogue.upsert_points([point("99.1/a#x", "a"), point("99.1/b#x", "b")])
        catalogue.rename_points({"99.1/a#x": "99.1/b#x", "99.1/b#x": "99.1/a#x"})
        assert catalogue.point("99.1/a#x").point.address == "b"
        assert catalogue.point("99.1/b#x").point.address == "a"
        with pytest.raises(TakenNameError):
            catalogue.rename_points({"99.1/a#x": "99.1/c#x", "99.1/b#x": "99.1/c#x"})

    def test_a_thing_takes_its_points_along(self, catalogue):
        catalogue.upsert_points([point("99.1/a#x", "a"), point("99.1/a#y", "b"), point("99.1/ab#x", "c")])
        assert catalogue.rename_thing("99.1/a", "88.7/z") == 2
        assert [thing.identifier for thing in catalogue.things()] == ["88.7/z", "99.1/ab"]
        with pytest.raises(UnknownPointError):
            catalogue.rename_thing("99.1/a", "88.7/y")

    def test_a_removed_point_leaves_its_series_recorded(self, catalogue, monkeypatch):
        catalogue.upsert_points([point()])
        taken = catalogue.point("99.1/pump#pressure").point.series
        catalogue.remove_points(["99.1/pump#pressure"])
        assert catalogue.search().total == 0
        with pytest.raises(UnknownPointError):
            catalogue.remove_points(["99.1/pump#pressure"])
        monkeypatch.setattr(Catalogue, "series", lambda *_place: taken)
        with pytest.raises(SeriesCollisionError):
            catalogue.upsert_points([point("99.1/other#x", "somewhere else")])


class TestCollisions:
    def test_with_what_is_there(self, catalogue, monkeypatch):
        catalogue.upsert_points([point()])
        series = catalogue.point("99.1/pump#pressure").point.series
        monkeypatch.setattr(Catalogue, "series", lambda *_place: series)
        with pytest.raises(SeriesCollisionError) as refused:
            catalogue.upsert_points([point("99.1/other#x", "b")])
        assert "plc a" in refused.value.message
        assert "plc b" in refused.value.message
        assert catalogue.search().total == 1

    def test_within_one_batch(self, catalogue, monkeypatch):
        monkeypatch.setattr(Catalogue, "series", lambda *_place: 2**64 - 5)
        with pytest.raises(SeriesCollisionError):
            catalogue.upsert_points([point("99.1/a#x", "a"), point("99.1/b#x", "b")])
        assert catalogue.search().total == 0


class TestChanges:
    def test_each_change_is_told_once_with_what_it_touched(self, catalogue):
        told = []
        stop = catalogue.on_change(told.append)
        revision = catalogue.revision()
        catalogue.upsert_points([point()])
        catalogue.change_point("99.1/pump#pressure", unit="bar")
        catalogue.change_point("99.1/pump#pressure", enabled=False)
        catalogue.change_connector("plc", enabled=False)
        catalogue.upsert_points([catalogue.point("99.1/pump#pressure").point])
        assert [change.revision for change in told] == [revision + 1, revision + 2, revision + 3, revision + 4]
        assert [sorted(change.connectors) for change in told] == [["plc"], [], ["plc"], ["plc"]], "a unit restarts no connector"
        assert [sorted(change.points) for change in told] == [["99.1/pump#pressure"]] * 3 + [[]]
        assert catalogue.revision() == revision + 4
        stop()
        catalogue.remove_points(["99.1/pump#pressure"])
        assert len(told) == 4

    def test_a_refused_change_is_not_told(self, catalogue):
        told = []
        catalogue.on_change(told.append)
        with pytest.raises(DescriptionError):
            catalogue.upsert_points([point(low=2.0, high=1.0)])
        assert told == []

    def test_a_listener_may_read_what_it_is_told(self, catalogue):
        seen = []
        catalogue.on_change(lambda change: seen.append((change.revision, catalogue.revision(), catalogue.search().total)))
        catalogue.upsert_points([point()])
        assert seen[0][0] == seen[0][1]
        assert seen[0][2] == 1
