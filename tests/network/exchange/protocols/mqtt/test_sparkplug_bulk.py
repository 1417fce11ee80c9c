"""Plain data messages by columns: the same samples, states and events as metric by metric, whatever the bytes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkplug_plant import START, Plant

from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.mqtt.sparkplug import batches
from hulian.network.exchange.protocols.mqtt.sparkplug.bulk import read_plain
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import NUMBERS, encode_value
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

TYPES = {
    "Int8": st.integers(-128, 127),
    "Int16": st.integers(-(2**15), 2**15 - 1),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "UInt8": st.integers(0, 255),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Float": st.floats(width=32),
    "Double": st.floats(),
    "Boolean": st.booleans(),
    "String": st.text("ab\x10\x12\x18", max_size=6),
    "DateTime": st.integers(0, 2**42),
}
POINTS = {
    f"dev|{kind}{storage.value}": storage
    for kind in TYPES
    for storage in (S.DOUBLE, S.INTEGER, S.BOOLEAN, S.TEXT)
}  # fmt: skip
ENDS = ("free", "double", "integer", "boolean", "text")
START_VALUES = {"Boolean": False, "String": ""}


@pytest.fixture(autouse=True)
def _columns_at_once(monkeypatch):
    monkeypatch.setattr(batches, "_WORTH", 0)


def plant(**options) -> Plant:
    """Every type to every storage class, some scaled; some metrics are of no point."""
    scaled = {name: 0.5 for name in POINTS if name.endswith(("Floatdouble", "Int16double"))}
    one = Plant(POINTS, scales=scaled, **options)
    for kind in TYPES:
        for end in ENDS:
            one.node.declare("dev", f"{kind}{end}", kind, START_VALUES.get(kind, 0))
    one.node.birth()
    one.rows.take()
    return one


NAMES = [f"{kind}{end}" for kind in TYPES for end in ENDS]


@st.composite
def metrics(draw):
    """One metric: mostly as an edge node writes it, sometimes with what only the whole decoder reads."""
    kind = draw(st.sampled_from(sorted(TYPES)))
    return {
        "name": f"{kind}{draw(st.sampled_from(ENDS))}",
        "kind": kind,
        "value": draw(TYPES[kind]),
        "time": draw(st.sampled_from([None, START // 10**6 + 1, START // 10**6 + 2, START // 10**6 - 5, 77, 2**50])),
        "typed": draw(st.booleans()),
        "historical": draw(st.sampled_from([False, False, False, True])),
        "odd": draw(st.sampled_from(["", "", "", "", "", "null", "named", "transient", "quality", "stranger"])),
    }


def payload_of(number: int, given, aliases) -> bytes:
    message = Payload(timestamp=START // 10**6 + number, seq=number & 255)
    for one in given:
        metric = message.metrics.add()
        if one["odd"] == "named":
            metric.name = one["name"]
        else:
            metric.alias = 9999 if one["odd"] == "stranger" else aliases[one["name"]]
        if one["time"] is not None:
            metric.timestamp = one["time"]
        if one["typed"]:
            metric.datatype = NUMBERS[one["kind"]]
        if one["historical"]:
            metric.is_historical = True
        if one["odd"] == "transient":
            metric.is_transient = True
        if one["odd"] == "null":
            metric.is_null = True
        else:
            encode_value(metric, NUMBERS[one["kind"]], one["value"])
        if one["odd"] == "quality":
            metric.properties.keys.append("Quality")
            metric.properties.values.add(type=3, int_value=500)
    return message.SerializeToString()


def same(messages: list[tuple[str, bytes]], **options) -> None:
    """Both ways give the same, series by series in order, and leave the points in the same state."""
    whole, single = plant(**options), plant(**options)
    whole.gather(*messages)
    for where, raw in messages:
        single.deliver(where, raw)
    outcomes = []
    for one in (whole, single):
        by_point: dict[str, list] = {}
        for name, time, value, status in one.timed():
            by_point.setdefault(name, []).append((time, repr(value), status))
        told = sorted((event.code, event.details["subject"], event.message) for event in one.events)
        node = one.session.nodes["G/N"]
        outcomes.append((by_point, one.state(), told, node.sequence, node.alive, len(node.early), one.session.outbox))
    assert outcomes[0] == outcomes[1]


@given(st.lists(st.lists(metrics(), max_size=6), min_size=1, max_size=8))
@settings(max_examples=100)
def test_columns_and_single_metrics_agree(batch):
    aliases = {name: number + 1 for number, name in enumerate(NAMES)}
    same([("spBv1.0/G/DDATA/N/dev", payload_of(number, several, aliases)) for number, several in enumerate(batch, 2)])


@given(st.data(), st.lists(st.lists(metrics(), max_size=4), min_size=2, max_size=6))
@settings(max_examples=80)
def test_they_agree_on_lost_repeated_and_mixed_messages(data, batch):
    aliases = {name: number + 1 for number, name in enumerate(NAMES)}
    messages = [("spBv1.0/G/DDATA/N/dev", payload_of(number, several, aliases)) for number, several in enumerate(batch, 2)]
    order = data.draw(st.lists(st.sampled_from(range(len(messages))), max_size=8))
    other = [("spBv1.0/G/NDATA/N", messages[0][1]), ("spBv1.0/G/DDATA/N/other", messages[0][1])]
    chosen = [messages[place] for place in order] + data.draw(st.lists(st.sampled_from(other), max_size=1))
    same(chosen, reorder=data.draw(st.sampled_from([0.0, 2.0])))


@pytest.mark.fuzz
@given(st.data(), st.lists(st.lists(metrics(), min_size=1, max_size=4), min_size=1, max_size=5))
@settings(max_examples=100)
def test_damaged_payloads_are_read_as_the_whole_decoder_reads_them(data, batch):
    aliases = {name: number + 1 for number, name in enumerate(NAMES)}
    messages = []
    for number, several in enumerate(batch, 2):
        raw = bytearray(payload_of(number, several, aliases))
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        end = data.draw(st.sampled_from([len(raw), len(raw), data.draw(st.integers(0, len(raw)))]))
        messages.append(("spBv1.0/G/DDATA/N/dev", bytes(raw[:end])))
    same(messages)


@pytest.mark.fuzz
@given(st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=100)
def test_any_bytes_are_read_without_an_error(payloads):
    found = read_plain(payloads)
    assert len(found.plain) == len(payloads)
    assert found.counts.sum() == len(found.alias)


def test_usual_messages_are_plain():
    """What the benchmark counts on: none of these is left to the whole decoder."""
    one = plant()
    one.kept = []
    for number in range(300):
        one.node.update("dev", {"Doubledouble": number / 3, "Int32double": -number, "Booleanboolean": True, "Floatdouble": 1.5})
    found = read_plain([raw for _, raw in one.kept])
    assert found.plain.all()
    assert found.counts.tolist() == [4] * 300
    assert found.sequence.tolist() == [(2 + number) & 255 for number in range(300)]
    assert not found.historical.any()
    one.gather(*one.kept)
    values = [value for name, value, _ in one.samples() if name == "dev|Doubledouble"]
    assert np.array_equal(values, [number / 3 for number in range(300)])


def test_points_hear_who_waits_for_a_value():
    """While a set-point waits for its confirmation, every value is looked at singly."""
    one = plant()
    one.kept = []
    one.node.update("dev", {"Doubledouble": 4.0})
    heard = []
    one.targets["dev|Doubledouble"].waiters.append(heard.append)
    one.session.attentive += 1
    one.gather(*one.kept)
    assert heard == [4.0]


def test_a_birth_between_data_changes_what_aliases_mean():
    one = plant()
    one.kept = []
    one.node.update("dev", {"Doubledouble": 1.0})
    devices = one.node._devices["dev"]
    swapped = {"Doubledouble": "Floatdouble", "Floatdouble": "Doubledouble"}
    aliases = {name: devices[swapped.get(name, name)].alias for name in devices}
    for name in swapped:
        devices[name] = msgspec.structs.replace(devices[name], alias=aliases[name])
    one.node.device_birth("dev")
    one.node.update("dev", {"Doubledouble": 2.0})
    one.gather(*one.kept)
    assert [value for name, value, _ in one.samples() if name == "dev|Doubledouble"] == [1.0, 1.0, 2.0]
