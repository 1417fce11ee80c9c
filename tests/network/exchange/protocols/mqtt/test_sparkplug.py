"""Sparkplug B: payloads against an independent implementation's, and the life of an edge node as the host sees it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.mqtt.config import BindingOptions, SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import DeathError, GapError, MetricError, UnbornError
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Metric, encode_data, parse_topic, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import (
    NAMES,
    NUMBERS,
    decode_value,
    encode_value,
    natural_storage,
    properties_of,
    quality_of,
)
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session
from hulian.network.exchange.protocols.reports import Reports

PAYLOADS = json.loads((Path(__file__).parents[4] / "cases/mqtt/sparkplug/payloads.json").read_text())


def expected(value, kind):
    """What the JavaScript side wrote, as we read it."""
    if isinstance(value, dict) and "bytes" in value:
        return bytes.fromhex(value["bytes"])
    if kind.startswith(("Int", "UInt")):
        return int(value)
    if kind == "DateTime":
        return "2023-11-14T22:13:20.123Z"
    return value


@pytest.mark.parametrize("case", PAYLOADS["theirs"], ids=lambda case: case["name"])
def test_we_read_what_the_reference_implementation_writes(case):
    payload = Payload.FromString(bytes.fromhex(case["hex"]))
    assert (payload.timestamp, payload.seq) == (1700000000123, 7)
    for message, wrote in zip(payload.metrics, case["metrics"], strict=True):
        assert message.name == wrote["name"]
        assert NAMES[message.datatype] == wrote["type"]
        assert message.timestamp == 1700000000123
        value = None if message.is_null else decode_value(message, message.datatype)
        if case["name"] == "dataset":
            assert value == {key: wrote["value"][key] for key in ("columns", "types", "rows")}
        elif case["name"] == "template":
            assert value == {
                "metrics": {"speed": 1480, "on": True},
                "parameters": {"maker": "ACME", "rows": 3},
                "template": "Pump",
                "version": "v1",
            }
        else:
            assert value == (None if wrote["value"] is None else expected(wrote["value"], wrote["type"]))
        if case["name"] == "alias":
            assert message.HasField("alias")
            assert message.alias == int(wrote["alias"])
        if case["name"] == "properties":
            found = properties_of(message.properties)
            assert found == {"engUnit": "bar", "Quality": 500, "engHigh": 10, "nested": {"deep": True}}
            assert quality_of(message) == Quality.UNCERTAIN_LAST_USABLE_VALUE
        assert message.is_historical is (case["name"] == "historical")


@pytest.mark.parametrize("case", PAYLOADS["ours"], ids=lambda case: case["name"])
def test_the_reference_implementation_reads_what_we_write(case):
    ours, read = Payload.FromString(bytes.fromhex(case["hex"])), case["read"]
    assert len(ours.metrics) == len(read.get("metrics", []))
    assert str(ours.timestamp) == read.get("timestamp", "0")
    for message, theirs in zip(ours.metrics, read.get("metrics", []), strict=True):
        kind = theirs["type"]
        assert message.name == theirs.get("name", "")
        assert str(message.alias) == theirs.get("alias", "0")
        value = None if message.is_null else decode_value(message, message.datatype)
        if kind == "DataSet":
            assert value == {key: theirs["value"][key] for key in ("columns", "types", "rows")}
        elif kind in ("Int64", "UInt64", "UInt32", "DateTime"):
            assert decode_value(message, 8 if kind == "DateTime" else message.datatype) == int(theirs["value"])
        else:
            assert value == (None if theirs["value"] is None else expected(theirs["value"], kind))


RANGES = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
VALUES = {
    **{name: st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for name, bits in RANGES.items()},
    **{f"U{name}": st.integers(0, (1 << bits) - 1) for name, bits in RANGES.items()},
    "Float": st.floats(width=32),
    "Double": st.floats(),
    "Boolean": st.booleans(),
    "String": st.text(st.characters(exclude_categories=["Cs"])),
    "Bytes": st.binary(),
    "Int16Array": st.lists(st.integers(-(2**15), 2**15 - 1)),
    "UInt64Array": st.lists(st.integers(0, 2**64 - 1)),
    "DoubleArray": st.lists(st.floats(allow_nan=False)),
    "BooleanArray": st.lists(st.booleans()),
    "StringArray": st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
}


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
@settings(max_examples=400)
def test_every_value_comes_back(pair):
    kind, value = pair
    payload = Payload()
    encode_value(payload.metrics.add(), NUMBERS[kind], value)
    back = decode_value(Payload.FromString(payload.SerializeToString()).metrics[0], NUMBERS[kind])
    if isinstance(value, float) and math.isnan(value):
        assert math.isnan(back)
    else:
        assert back == value


@pytest.mark.parametrize(("kind", "value"), [("Int8", 128), ("UInt16", -1), ("Int64", 2**63), ("Boolean", 2), ("Int32", 1.5)])
def test_what_does_not_fit_is_refused(kind, value):
    with pytest.raises(ValueError):
        encode_value(Payload().metrics.add(), NUMBERS[kind], value)


def test_every_type_has_a_storage_class():
    assert {natural_storage(number) for number in range(1, 35)} == set(S)


# -- the host's session ---------------------------------------------------------------------------------------------------


class Plant:
    """An edge node and our session on one wire; what the session sends reaches the node."""

    def __init__(self, *metrics: str, **options) -> None:
        self.now = 1_700_000_000_000_000_000
        self.rows = Rows()
        self.events = []
        self.reports = Reports("mqtt", "devices", self.events.append)
        self.targets = {}
        bound = {}
        for series, metric in enumerate(metrics, 1):
            device, _, name = metric.rpartition("|")
            binding = Binding(series=series, address=f"sparkplug:G/N:{metric}", storage=S.DOUBLE)
            self.targets[metric] = Target(binding, BindingOptions(), 0.0)
            bound["G/N", device, name] = [self.targets[metric]]
        self.session = Session(bound, SparkplugSettings(**options), self.reports)
        self.node = SparkplugNode("G", "N", self.hear, clock=lambda: self.now)
        self.lost = 0

    def hear(self, where: str, payload: bytes) -> None:
        self.now += 1_000_000
        if self.lost:
            self.lost -= 1
            return
        self.session.take(parse_topic(where), payload, self.now, self.rows)

    def answer(self) -> int:
        """Delivers what the session sent; how many messages that were."""
        sent, self.session.outbox = self.session.outbox, []
        for where, payload in sent:
            self.node.receive(where, payload)
        return len(sent)

    def samples(self) -> list[tuple[str, object, int]]:
        names = {target.series: name for name, target in self.targets.items()}
        return [
            (names[int(series)], value, int(status))
            for columns in self.rows.take()
            for series, value, status in zip(columns.series, columns.value.to_pylist(), columns.status, strict=True)
        ]

    def open(self) -> set[str]:
        return {code for code, _ in self.reports.open}


def declared(plant: Plant) -> Plant:
    plant.node.declare("", "t", "Double", 20.0)
    plant.node.declare("dev", "p", "Double", 1.0, unit="bar")
    plant.node.declare("dev", "unbound", "Int32", 1)
    return plant


@pytest.fixture
def plant() -> Plant:
    return declared(Plant("t", "dev|p"))


def test_births_then_data_by_alias(plant):
    plant.node.birth()
    assert plant.samples() == [("t", 20.0, 0), ("dev|p", 1.0, 0)]
    plant.node.update("dev", {"p": 2.5, "unbound": 7})
    plant.node.update("", {"t": 21.0})
    assert plant.samples() == [("dev|p", 2.5, 0), ("t", 21.0, 0)]
    assert plant.events == []
    assert plant.session.outbox == []
    assert plant.session.nodes["G/N"].devices["dev"].metrics["p"].properties == {"engUnit": "bar"}


def test_sequence_runs_over_without_a_gap(plant):
    plant.node.birth()
    for value in range(600):
        plant.node.update("dev", {"p": float(value)})
    assert plant.events == []
    assert len(plant.samples()) == 602


def test_a_missing_message_is_told_and_a_rebirth_requested():
    plant = declared(Plant("t", "dev|p", reorder=0.0))
    plant.node.birth()
    plant.lost = 1
    plant.node.update("dev", {"p": 2.0})
    plant.node.update("dev", {"p": 3.0})
    assert plant.open() == {GapError.code}
    assert "1 messages are missing" in plant.events[0].message
    assert plant.samples()[-1] == ("dev|p", 3.0, 0)
    plant.lost = 1
    plant.node.update("dev", {"p": 4.0})
    plant.node.update("dev", {"p": 5.0})
    assert plant.answer() == 1, "requests are rate limited"
    assert plant.node.births == 2
    assert plant.open() == set()
    assert [event.active for event in plant.events] == [True, False]


def test_rebirth_requests_become_rarer(plant):
    plant.node.birth()
    for _ in range(100):
        plant.lost = 1
        plant.node.update("dev", {"p": 2.0})
        plant.node.update("dev", {"p": 3.0})
        plant.now += 1_000_000_000
    requests = plant.reports.counters["rebirth_requests"]
    assert 3 <= requests <= 6


def test_data_before_the_birth_wait_for_it(plant):
    plant.node.birth()
    plant.samples()
    other = Plant("t", "dev|p")
    other.node = plant.node
    plant.node._publish = other.hear
    other.node.update("dev", {"p": 8.0})
    other.node.update("", {"t": 9.0})
    assert other.samples() == []
    assert other.open() == {UnbornError.code}
    assert other.answer() == 1
    assert other.samples() == [("t", 9.0, 0), ("t", 9.0, 0), ("dev|p", 8.0, 0), ("dev|p", 8.0, 0)]
    assert other.open() == set()


def test_data_are_given_up_when_no_birth_comes(plant):
    plant.node.birth()
    other = Plant("dev|p", hold=2.0)
    other.now = plant.now
    plant.node._publish = other.hear
    plant.node.update("dev", {"p": 8.0})
    other.session.tick(other.now + 3_000_000_000, other.rows)
    assert other.samples() == []
    assert any("given up" in event.message for event in other.events)


def test_a_death_marks_everything_bad_at_its_time(plant):
    plant.node.birth()
    plant.samples()
    plant.node.death()
    bad = int(Quality.BAD_NO_COMMUNICATION)
    assert sorted(plant.samples()) == [("dev|p", None, bad), ("t", None, bad)]
    assert plant.targets["t"].last_time == plant.now
    assert plant.open() == {DeathError.code}
    plant.node.birth()
    assert sorted(plant.samples()) == [("dev|p", 1.0, 0), ("t", 20.0, 0)]
    assert plant.open() == set()


def test_the_will_of_an_earlier_connection_is_no_death(plant):
    old = plant.node.will
    plant.node.birth_death = 5
    plant.node.birth()
    plant.samples()
    plant.hear(*old)
    assert plant.samples() == []
    assert plant.session.nodes["G/N"].alive
    assert plant.reports.counters["stale_deaths"] == 1


def test_the_death_of_a_device_leaves_its_node_alive(plant):
    plant.node.birth()
    plant.samples()
    plant.node.device_death("dev")
    assert plant.samples() == [("dev|p", None, int(Quality.BAD_NO_COMMUNICATION))]
    plant.node.update("", {"t": 22.0})
    plant.node.device_birth("dev")
    assert plant.samples() == [("t", 22.0, 0), ("dev|p", 1.0, 0)]
    assert plant.open() == set()


def test_a_device_that_is_not_born_again_is_dead(plant):
    plant.node.birth()
    plant.samples()
    plant.node._devices = {"": plant.node._devices[""]}
    plant.node.birth()
    plant.session.tick(plant.now + 11_000_000_000, plant.rows)
    assert ("dev|p", None, int(Quality.BAD_NO_COMMUNICATION)) in plant.samples()


def test_an_unknown_alias_asks_for_a_rebirth_and_harms_no_other(plant):
    plant.node.birth()
    plant.samples()
    payload = encode_data(
        [Metric(alias=999, value=1.0), Metric(alias=2, value=4.0)], sequence=2, timestamp=plant.now // 1_000_000
    )
    plant.hear(topic("DDATA", "G/N", "dev"), payload)
    assert plant.samples() == [("dev|p", 4.0, 0)]
    assert plant.answer() == 1


def test_null_historical_quality_and_time(plant):
    plant.node.birth()
    plant.samples()
    plant.node.update("dev", {"p": None})
    plant.node.update("dev", {"p": 6.0}, timestamp=1_600_000_000_000, historical=True)
    plant.node.update("dev", {"p": 7.0}, properties={"Quality": 0})
    plant.node.update("dev", {"p": 8.0}, properties={"Quality": 500})
    assert plant.targets["dev|p"].last_value == 8.0
    rows = plant.rows.take()[0]
    assert rows.value.to_pylist() == [None, 6.0, 7.0, 8.0]
    assert rows.status.tolist() == [
        Quality.BAD_NO_DATA, 0, Quality.BAD, Quality.UNCERTAIN_LAST_USABLE_VALUE,
    ]  # fmt: skip
    assert rows.time[1] == 1_600_000_000_000_000_000


def test_a_metric_that_no_birth_names_is_bad():
    plant = Plant("t", "gone")
    plant.node.declare("", "t", "Double", 20.0)
    plant.node.birth()
    assert ("gone", None, int(Quality.BAD_NODE_ID_UNKNOWN)) in plant.samples()
    assert plant.open() == {MetricError.code}
    plant.node.declare("", "gone", "Double", 1.0)
    plant.node.birth()
    assert plant.open() == set()


@pytest.mark.fuzz
@given(st.binary(max_size=200), st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]))
@settings(max_examples=300)
def test_any_bytes_change_nothing_for_others(raw, kind):
    plant = Plant("t")
    plant.node.declare("", "t", "Double", 20.0)
    plant.node.birth()
    plant.session.take(parse_topic(topic(kind, "G/Other", "d" if kind[0] == "D" else "")), raw, plant.now, plant.rows)
    plant.node.update("", {"t": 30.0})
    assert plant.samples()[-1] == ("t", 30.0, 0)


@pytest.mark.fuzz
@given(st.data())
@settings(max_examples=150)
def test_a_damaged_payload_never_ends_the_session(data):
    plant = Plant("t", "dev|p")
    plant.node.declare("", "t", "Double", 20.0)
    plant.node.declare("dev", "p", "String", "x")
    sent = []
    plant.node._publish = lambda where, payload: sent.append((where, payload))
    plant.node.birth()
    plant.node.update("dev", {"p": "y"})
    for where, payload in sent:
        raw = bytearray(payload)
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        plant.session.take(parse_topic(where), bytes(raw[: data.draw(st.integers(0, len(raw)))]), plant.now, plant.rows)
        plant.session.tick(plant.now, plant.rows)
    plant.rows.take()
