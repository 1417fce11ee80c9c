"""The columnar decoder against asyncua's, over random messages; and against garbage."""

from __future__ import annotations

import math
import random
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hulian.network.exchange.protocols.opcua.errors import WireError
from hulian.network.exchange.protocols.opcua.samples import decode_samples, nanoseconds
from hulian.network.exchange.protocols.opcua.values import (
    ARRAY,
    EPOCH_TICKS,
    BuiltIn,
    Extension,
    LocalizedText,
    Reader,
    to_json,
)
from hulian.network.exchange.protocols.opcua.wire import decode_history, decode_publish, decode_read, decode_republish

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

texts = st.text(max_size=12) | st.none()
times = st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))
floats32 = st.floats(width=32, allow_nan=True)
node_ids = st.one_of(
    st.builds(lambda number: ua.NodeId(number, 0), st.integers(0, 2**32 - 1)),
    st.builds(lambda number, index: ua.NodeId(number, index), st.integers(0, 2**32 - 1), st.integers(0, 65535)),
    st.builds(lambda name, index: ua.NodeId(name, index), st.text(max_size=9), st.integers(0, 65535)),
    st.builds(lambda guid, index: ua.NodeId(guid, index), st.uuids(), st.integers(0, 65535)),
)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    1: st.booleans(),
    2: st.integers(-(2**7), 2**7 - 1),
    3: st.integers(0, 2**8 - 1),
    4: st.integers(-(2**15), 2**15 - 1),
    5: st.integers(0, 2**16 - 1),
    6: st.integers(-(2**31), 2**31 - 1),
    7: st.integers(0, 2**32 - 1),
    8: st.integers(-(2**63), 2**63 - 1),
    9: st.integers(0, 2**64 - 1),
    10: floats32,
    11: st.floats(),
    12: texts,
    13: times,
    14: st.uuids(),
    15: st.binary(max_size=12) | st.none(),
    17: node_ids,
    19: st.integers(0, 2**32 - 1).map(ua.StatusCode),
    20: st.builds(lambda name, index: ua.QualifiedName(name, index), st.text(max_size=9), st.integers(0, 32767)),
    21: st.builds(lambda text, locale: ua.LocalizedText(text, locale), texts, st.none() | st.just("en")),
    22: st.builds(
        lambda number, body: ua.ExtensionObject(ua.NodeId(number, 4), body), st.integers(10_000, 60_000), st.binary(max_size=9)
    ),
}


@st.composite
def variants(draw: Any) -> ua.Variant | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    kind = draw(st.sampled_from(sorted(SCALARS)))
    if draw(st.integers(0, 4)):
        return ua.Variant(draw(SCALARS[kind]), ua.VariantType(kind))
    values = draw(st.lists(SCALARS[kind], max_size=6))
    if len(values) in (4, 6) and draw(st.booleans()):
        rows = len(values) // 2
        shaped = [values[0::2][:rows], values[1::2][:rows]]
        return ua.Variant(shaped, ua.VariantType(kind), Dimensions=[2, rows], is_array=True)
    return ua.Variant(values, ua.VariantType(kind), is_array=True)


@st.composite
def data_values(draw: Any, kinds: Any = None) -> ua.DataValue:
    value = ua.DataValue(draw(variants() if kinds is None else kinds))
    value.StatusCode = draw(st.none() | st.integers(0, 2**32 - 1).map(ua.StatusCode))
    value.SourceTimestamp = draw(st.none() | times)
    value.ServerTimestamp = draw(st.none() | times)
    return value  # without picoseconds: asyncua 2.1 writes and reads them in another order than the standard has


plain = st.builds(lambda number: ua.Variant(number, ua.VariantType.Double), st.floats())
few_kinds = st.one_of(
    plain,
    st.builds(lambda number: ua.Variant(number, ua.VariantType.Int32), st.integers(-5, 5)),
    st.builds(lambda flag: ua.Variant(flag, ua.VariantType.Boolean), st.booleans()),
)


@st.composite
def messages(draw: Any) -> tuple[list[tuple[int, ua.DataValue]], bytes]:
    kinds = draw(st.sampled_from([variants(), plain, few_kinds]))
    items = draw(st.lists(st.tuples(st.integers(0, 2**32 - 1), data_values(kinds)), max_size=60))
    return items, publish_bytes(items)


def publish_bytes(items: list[tuple[int, ua.DataValue]], sequence: int = 9) -> bytes:
    change = ua.DataChangeNotification()
    change.MonitoredItems = [ua.MonitoredItemNotification(handle, value) for handle, value in items]
    response = ua.PublishResponse()
    response.ResponseHeader.Timestamp = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
    response.ResponseHeader.StringTable = ["a", None]
    response.Parameters.SubscriptionId = 77
    response.Parameters.AvailableSequenceNumbers = [8, 9]
    response.Parameters.MoreNotifications = True
    response.Parameters.NotificationMessage.SequenceNumber = sequence
    response.Parameters.NotificationMessage.NotificationData = [change]
    response.Parameters.Results = [ua.StatusCode(0), ua.StatusCode(0x8001_0000)]
    return bytes(struct_to_binary(response))


def ticks_ns(time: datetime | None) -> int:
    return 0 if time is None else (time - EPOCH) // timedelta(microseconds=1) * 1000


def by_asyncua(value: ua.DataValue) -> tuple[Any, int, int]:
    """(value in our form, time, status) of what asyncua decoded."""
    time = ticks_ns(value.SourceTimestamp) or ticks_ns(value.ServerTimestamp)
    status = value.StatusCode.value if value.StatusCode is not None else 0
    variant = value.Value
    if variant is None:
        return None, time, status
    return ours(variant.Value), time, status


def ours(value: Any) -> Any:
    match value:
        case list():
            return [ours(element) for element in value]
        case datetime():
            text = value.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
            return text + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else "") + "Z"
        case UUID():
            return str(value)
        case ua.StatusCode():
            return value.value
        case ua.NodeId():
            return value.to_string()
        case ua.QualifiedName():
            return f"{value.NamespaceIndex}:{value.Name or ''}" if value.NamespaceIndex else value.Name or ""
        case ua.LocalizedText():
            return LocalizedText(value.Locale, value.Text)
        case ua.ExtensionObject():
            return Extension(value.TypeId.to_string(), value.Body)
        case _:
            return value


def flat(blocks: Any) -> list[tuple[int, Any, int, int]]:
    rows = []
    for block in blocks:
        values = [None] * len(block) if block.value is None else list(block.value)
        for handle, value, time, status in zip(block.handle, values, block.time, block.status, strict=True):
            if isinstance(value, np.generic):
                value = value.item()
            if block.kind == BuiltIn.BOOLEAN:
                value = bool(value)
            if block.kind == BuiltIn.DATETIME:
                value = Reader(struct.pack("<q", value)).scalar(BuiltIn.DATETIME)
            rows.append((int(handle), value, int(time), int(status)))
    return rows


def alike(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(alike(one, other) for one, other in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


@pytest.mark.fuzz
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages())
def test_decodes_what_asyncua_decodes(message: tuple[list[tuple[int, ua.DataValue]], bytes]) -> None:
    _, body = message
    theirs = struct_from_binary(ua.PublishResponse, Buffer(body))
    expected = [
        (item.ClientHandle, *by_asyncua(item.Value))
        for item in theirs.Parameters.NotificationMessage.NotificationData[0].MonitoredItems
    ]
    response = decode_publish(body)
    assert (response.subscription, response.sequence, response.more, response.available) == (77, 9, True, (8, 9))
    assert response.server_time == 1767323045678900000
    assert response.acknowledged == (0, 0x8001_0000)
    got = flat(response.notification.blocks)
    assert len(got) == len(expected)
    remaining = [(handle, value, time, status) for handle, value, time, status in expected]
    for row in got:
        match = next(
            (
                place
                for place, other in enumerate(remaining)
                if row[0] == other[0] and row[2:] == other[2:] and alike(row[1], other[1])
            ),
            None,
        )
        assert match is not None, f"{row} is not among {remaining}"
        remaining.pop(match)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), data_values(few_kinds)), min_size=1, max_size=80))
def test_samples_of_one_type_keep_their_order(items: list[tuple[int, ua.DataValue]]) -> None:
    blocks = decode_publish(publish_bytes(items)).notification.blocks
    for block in blocks:
        expected = [
            handle for handle, value in items if (int(value.Value.VariantType) if value.Value is not None else 0) == block.kind
        ]
        assert block.handle.tolist() == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(data_values(), max_size=30))
def test_read_responses_carry_their_place(values: list[ua.DataValue]) -> None:
    response = ua.ReadResponse()
    response.Results = values
    body = bytes(struct_to_binary(response))
    theirs = struct_from_binary(ua.ReadResponse, Buffer(body)).Results
    _, result, blocks, count = decode_read(body)
    assert (result, count) == (0, len(values))
    got = {row[0]: row[1:] for row in flat(blocks)}
    assert sorted(got) == list(range(len(values)))
    for place, value in enumerate(theirs):
        expected = by_asyncua(value)
        assert got[place][1:] == expected[1:]
        assert alike(got[place][0], expected[0])


@st.composite
def raw_samples(draw: Any) -> tuple[list[tuple[int, int, Any, int, int]], bytes]:
    """Samples of every mask, written by the standard's own table (OPC 10000-6, table 25), asyncua apart."""
    rows, body = [], b""
    masks = draw(st.lists(st.integers(0, 0x3F), min_size=1, max_size=3))
    for _ in range(draw(st.integers(0, 50))):
        mask = draw(st.sampled_from(masks))
        handle = draw(st.integers(0, 2**32 - 1))
        kind, value, status, times = 0, None, 0, [0, 0]
        body += struct.pack("<IB", handle, mask)
        if mask & 0x01:
            kind, value = 11, draw(st.floats(allow_nan=False))
            body += struct.pack("<Bd", kind, value)
        if mask & 0x02:
            status = draw(st.integers(0, 2**32 - 1))
            body += struct.pack("<I", status)
        for place, (coarse, fine) in enumerate(((0x04, 0x10), (0x08, 0x20))):
            if mask & coarse:
                ticks = draw(st.integers(1, 2**61) | st.just(0))
                body += struct.pack("<q", ticks)
                times[place] = nanoseconds(ticks)
            if mask & fine:
                part = draw(st.integers(0, 9999))
                body += struct.pack("<H", part)
                times[place] += part // 100 if times[place] else 0
        rows.append((handle, kind, value, status, times[0] or times[1]))
    return rows, body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw_samples())
def test_every_mask_is_read_as_the_standard_writes_it(samples: tuple[list[tuple[int, int, Any, int, int]], bytes]) -> None:
    rows, items = samples
    empty = publish_bytes([])
    at = empty.index(struct.pack("<ii", 8, 0)) if struct.pack("<ii", 8, 0) in empty else -1
    assert at > 0, "the empty notification's length and count"
    body = empty[:at] + struct.pack("<ii", len(items) + 8, len(rows)) + items + empty[at + 8 :]
    got = [(row[0], block.kind, *row[1:]) for block in decode_publish(body).notification.blocks for row in flat([block])]
    for kind in (0, 11):
        assert [(h, k, v, s, t) for h, k, v, t, s in got if k == kind] == [row for row in rows if row[1] == kind]


def test_a_thousand_doubles_are_one_block() -> None:
    now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    items = [
        (number, ua.DataValue(ua.Variant(number / 7, ua.VariantType.Double), SourceTimestamp=now, ServerTimestamp=now))
        for number in range(1000)
    ]
    (block,) = decode_publish(publish_bytes(items)).notification.blocks
    assert block.kind == BuiltIn.DOUBLE
    assert block.handle.tolist() == list(range(1000))
    assert block.value.tolist() == [number / 7 for number in range(1000)]
    assert set(block.time.tolist()) == {1778051289 * 10**9}


def test_a_source_time_that_cannot_be_said_falls_back_to_the_servers() -> None:
    now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    value = ua.DataValue(ua.Variant(1.0, ua.VariantType.Double), SourceTimestamp=now, ServerTimestamp=now)
    body = publish_bytes([(1, value), (2, value)])
    ticks = struct.pack("<q", EPOCH_TICKS + 1778051289 * 10**7)
    assert body.count(ticks) == 4
    for nonsense in (0, -1, 2**63 - 1):
        changed = body.replace(ticks, struct.pack("<q", nonsense), 1)
        (block,) = decode_publish(changed).notification.blocks
        assert block.time.tolist() == [1778051289 * 10**9] * 2


def test_keep_alives_faults_and_changes_of_state() -> None:
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 5
    response.Parameters.NotificationMessage.SequenceNumber = 3
    assert decode_publish(struct_to_binary(response)).keep_alive
    response.Parameters.NotificationMessage.NotificationData = [ua.StatusChangeNotification(ua.StatusCode(0x800A_0000))]
    decoded = decode_publish(struct_to_binary(response))
    assert not decoded.keep_alive
    assert decoded.notification.status_change == 0x800A_0000
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(0x8079_0000)
    assert decode_publish(struct_to_binary(fault)).result == 0x8079_0000
    again = ua.RepublishResponse()
    again.NotificationMessage.SequenceNumber = 12
    assert decode_republish(struct_to_binary(again)).sequence == 12


@settings(max_examples=100, deadline=None)
@pytest.mark.fuzz
@given(st.binary(max_size=300))
@example(b"\x01\x00\x3d\x03")
def test_garbage_is_refused_and_nothing_else(garbage: bytes) -> None:
    for decode in (decode_publish, decode_read, decode_republish, lambda body: decode_history(body, 1)):
        with pytest.raises(WireError) as caught:
            decode(garbage)
        assert caught.value.hint


@pytest.mark.fuzz
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages(), st.data())
def test_damaged_messages_never_raise_anything_else(
    message: tuple[list[tuple[int, ua.DataValue]], bytes], data: st.DataObject
) -> None:
    body = bytearray(message[1])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for damaged in (bytes(body), bytes(body[:cut])):
        try:
            response = decode_publish(damaged)
        except WireError:
            continue
        for block in response.notification.blocks:
            for value in [] if block.value is None else list(block.value)[:50]:
                msgspec.json.decode(to_json(block.kind, value.item() if isinstance(value, np.generic) else value))


@pytest.mark.parametrize("kind", [BuiltIn.STRING, BuiltIn.DOUBLE, BuiltIn.VARIANT, BuiltIn.BYTESTRING])
def test_lengths_are_believed_only_as_far_as_there_are_bytes(kind: int) -> None:
    reader = Reader(bytes([kind | ARRAY]) + struct.pack("<i", 2**31 - 1) + b"\0" * 64)
    with pytest.raises(WireError):
        reader.variant()
    with pytest.raises(WireError):
        Reader(struct.pack("<i", 2**31 - 1) + b"abc").string()


def test_nesting_has_an_end() -> None:
    with pytest.raises(WireError, match="deep"):
        Reader(bytes([BuiltIn.VARIANT]) * 4000 + b"\0").variant()
    with pytest.raises(WireError, match="deep"):
        Reader(bytes([BuiltIn.DATA_VALUE, 1]) * 4000).variant()
    with pytest.raises(WireError, match="deep"):
        Reader(b"\x40" * 4000).diagnostic()


def test_dimensions_must_fit() -> None:
    body = bytes([BuiltIn.INT32 | 0xC0]) + struct.pack("<i4i", 4, 1, 2, 3, 4)
    kind, value = Reader(body + struct.pack("<i2i", 2, 2, 2)).variant()
    assert (kind, value) == (BuiltIn.INT32 | ARRAY, [[1, 2], [3, 4]])
    with pytest.raises(WireError):
        Reader(body + struct.pack("<i2i", 2, 2, 3)).variant()


@given(st.integers(-(2**63), 2**63 - 1))
def test_times_stay_within_64_bits(ticks: int) -> None:
    assert -(2**63) <= nanoseconds(ticks) < 2**63


def one_by_one(data: bytes, count: int, handles: bool) -> list[tuple[int, int, Any, int, int, int]]:
    """(handle, kind, value, status, time, server's time) of each sample, read as the standard's table has it."""
    reader, rows = Reader(data), []
    for place in range(count):
        handle = reader.uint32() if handles else place
        mask = reader.byte()
        kind, value = reader.variant() if mask & 0x01 else (0, None)
        status = reader.uint32() if mask & 0x02 else 0
        times = [0, 0]
        for step, (coarse, fine) in enumerate(((0x04, 0x10), (0x08, 0x20))):
            times[step] = nanoseconds(reader.int64()) if mask & coarse else 0
            rest = min(reader.uint16(), 9999) // 100 if mask & fine else 0
            times[step] += rest if times[step] else 0
        rows.append((handle, kind, value, status, times[0] or times[1], times[1]))
    assert reader.position == len(data)
    return rows


def as_rows(blocks: Any) -> list[tuple[int, int, Any, int, int, int]]:
    rows = []
    for block in blocks:
        values = [None] * len(block) if block.value is None else [getattr(v, "item", lambda v=v: v)() for v in block.value]
        if block.kind == BuiltIn.BOOLEAN:
            values = [value != 0 for value in values]
        if block.kind == BuiltIn.DATETIME:
            values = [Reader(struct.pack("<q", value)).scalar(BuiltIn.DATETIME) for value in values]
        columns = (block.handle, values, block.status, block.time, block.server)
        for handle, value, status, time, server in zip(*(list(column) for column in columns), strict=True):
            rows.append((int(handle), block.kind, value, int(status), int(time), int(server)))
    return rows


LOOKALIKES = bytes([0x0D, 0x0E, 0x0F, 0x0B, 0x0A, 0x06, 0x01, 0x00])
"""Bytes that look like masks and types: a decoder that guesses where samples begin has every chance to guess wrong."""


def a_sample(chance: random.Random, masks: list[int], kinds: list[int], handle: int | None) -> bytes:
    def noise(size: int) -> bytes:
        return bytes(chance.choices(LOOKALIKES, k=size))

    mask = chance.choice(masks)
    body = b"" if handle is None else noise(4) if chance.random() < 0.5 else struct.pack("<I", handle)
    body += bytes([mask])
    if mask & 0x01:
        kind = chance.choice(kinds)
        if kind in (12, 15):
            text = noise(chance.randrange(40)) if chance.random() < 0.9 else None
            value = struct.pack("<i", -1) if text is None else struct.pack("<i", len(text)) + text
        elif kind == 0x8B:
            value = struct.pack("<i", 3) + noise(24)
        elif kind == 21:
            value = b"\x02" + struct.pack("<i", 4) + noise(4)
        else:
            value = noise({1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 19: 4}[kind])
        body += bytes([kind]) + value
    for bit, size in ((0x02, 4), (0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2)):
        body += noise(size) if mask & bit else b""
    return body


@pytest.mark.fuzz
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(1, 400), st.booleans())
def test_long_messages_are_read_as_one_by_one(seed: int, count: int, handles: bool) -> None:
    """Runs, mixtures, texts full of what looks like samples: the columns hold what a reader of single samples finds."""
    chance = random.Random(seed)
    masks = chance.choice([[0x0D], [0x0D, 0x0D, 0x0D, 0x0E], [0x0D, 0x0F, 0x0E], list(range(64))])
    kinds = chance.choice([[11], [11, 10, 6, 1], [11, 12, 15], [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 19], [11, 0x8B, 21]])
    data = b"".join(a_sample(chance, masks, kinds, place if handles else None) for place in range(count))
    reader = Reader(data)
    found = as_rows(decode_samples(reader, count, handles=handles))
    assert reader.position == len(data)
    expected = one_by_one(data, count, handles)
    by_kind = sorted(range(count), key=lambda place: expected[place][1])
    assert [row[:2] for row in found] == [expected[place][:2] for place in by_kind], "each type in the message's order"
    for row, place in zip(found, by_kind, strict=True):
        assert row[3:] == expected[place][3:]
        assert alike(row[2], expected[place][2]), (row, expected[place])
    for cut in {len(data) - 1, len(data) // 2}:
        with pytest.raises(WireError):
            decode_samples(Reader(data, 0, cut), count, handles=handles)


@pytest.mark.fuzz
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.lists(data_values(), max_size=20), st.none() | st.binary(min_size=1, max_size=9)), max_size=5))
def test_history_is_decoded_as_asyncua_decodes_it(results: list[tuple[list[ua.DataValue], bytes | None]]) -> None:
    response = ua.HistoryReadResponse()
    for values, point in results:
        result = ua.HistoryReadResult(ContinuationPoint=point)
        result.HistoryData = ua.HistoryData(DataValues=values)
        response.Results.append(result)
    body = bytes(struct_to_binary(response))
    theirs = struct_from_binary(ua.HistoryReadResponse, Buffer(body)).Results
    found = decode_history(body, len(results))
    assert [result.continuation for result in found] == [point for _, point in results]
    for result, their in zip(found, theirs, strict=True):
        rows = {row[0]: row[1:] for row in flat(result.blocks)}
        assert sorted(rows) == list(range(len(their.HistoryData.DataValues)))
        for place, value in enumerate(their.HistoryData.DataValues):
            expected = by_asyncua(value)
            assert rows[place][1:] == expected[1:]
            assert alike(rows[place][0], expected[0])
    with pytest.raises(WireError):
        decode_history(body, len(results) + 1)
