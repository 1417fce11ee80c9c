"""Every form of a value, the dividing and joining of requests, and writes within a device's limits."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modbus_support import running

from hulian.kernel.quality import Quality, is_bad
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.modbus.address import Place, Table
from hulian.network.exchange.protocols.modbus.config import BindingOptions
from hulian.network.exchange.protocols.modbus.division import Divisions
from hulian.network.exchange.protocols.modbus.errors import AddressError, RefusedError, ValueFitError, VerifyError
from hulian.network.exchange.protocols.modbus.plan import Limits, Plan
from hulian.network.exchange.protocols.modbus.server import Memory
from hulian.network.exchange.protocols.modbus.simulator import Simulator
from hulian.network.exchange.protocols.modbus.values import Item, encode_value
from hulian.network.exchange.protocols.modbus.wire import parse_read, parse_read_write, read_request, read_write_request

ORDERS = ["abcd", "badc", "cdab", "dcba"]


def item(address: str, storage: S, series: int = 1, **options) -> Item:
    place = Place.parse(address)
    return Item.of(series, address, place, BindingOptions(**options), storage, unit=1, order="abcd")


def decoded(one: Item, payload: bytes) -> tuple[object, int]:
    plan = Plan([one], Limits())
    plan.answered(0, payload, 1)
    (columns,) = plan.columns()
    return columns.value[0].as_py(), int(columns.status[0])


# -- values ---------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 63), st.integers(1, 32), st.binary(min_size=8, max_size=8), st.sampled_from(ORDERS), st.booleans())
@settings(max_examples=300)
def test_bit_fields_of_any_place_width_and_order(first, size, raw, order, signed):
    last = min(63, first + size - 1)
    kind = "sbits" if signed else "bits"
    one = item(f"holding@0:{kind}[{first}-{last}]:{order}", S.INTEGER)
    width = one.place.width
    assert width == (2 if last < 16 else 4 if last < 32 else 8)
    whole = decoded(item(f"holding@0:uint{8 * width}:{order}", S.STRUCTURE if width == 8 else S.INTEGER), raw[:width])[0]
    expected = int(whole) >> first & ((1 << last - first + 1) - 1)
    if signed and expected >> (last - first):
        expected -= 1 << last - first + 1
    assert decoded(one, raw[:width]) == (expected, 0)
    assert Place.parse(one.place.canonical) == one.place


@pytest.mark.parametrize(
    "text", ["holding@0:bits[4]", "holding@0:bits[7-4]", "holding@0:bits[0-32]", "holding@0:bits[60-64]", "coil@0:bits[0-3]",
             "holding@0.1:bits[0-3]", "holding@0:uint16[0-3]", "holding@0:mod10k16", "holding@0:float16[2]"],
)  # fmt: skip
def test_wrong_fields_say_what_to_write(text):
    with pytest.raises(AddressError) as caught:
        Place.parse(text)
    assert caught.value.hint


@given(st.floats(width=16, allow_nan=False), st.sampled_from(["abcd", "badc"]))
def test_half_precision(value, order):
    one = item(f"holding@0:float16:{order}", S.DOUBLE)
    wire = encode_value(one, value)
    assert decoded(one, wire) == (value, 0)
    assert struct.unpack(">e" if order == "abcd" else "<e", wire)[0] == value


@given(st.sampled_from([("mod10k32", 2), ("mod10k48", 3), ("mod10k64", 4)]), st.data(), st.sampled_from(ORDERS))
def test_modulo_ten_thousand(kind, data, order):
    name, groups = kind
    value = data.draw(st.integers(0, 10_000**groups - 1))
    one = item(f"holding@0:{name}:{order}", S.INTEGER)
    wire = encode_value(one, value)
    assert decoded(one, wire) == (value, 0)
    if order == "abcd":
        words = struct.unpack(f">{groups}H", wire)
        assert sum(word * 10_000**place for place, word in enumerate(reversed(words))) == value
    with pytest.raises(ValueFitError):
        encode_value(one, 10_000**groups)


def test_a_group_above_9999_is_no_number():
    assert decoded(item("holding@0:mod10k32", S.INTEGER), struct.pack(">HH", 0, 10_000)) == (None, Quality.BAD_DECODING_ERROR)


@given(st.lists(st.tuples(st.integers(0, 65535), st.sets(st.integers(-5, 70_000), max_size=3)), min_size=1, max_size=20))
def test_invalid_numbers_of_many_values_at_once(pairs):
    items = [
        item(f"holding@{place}:uint16", S.DOUBLE, series=place + 1, invalid=tuple(invalid))
        for place, (_, invalid) in enumerate(pairs)
    ]
    plan = Plan(items, Limits())
    plan.answered(0, struct.pack(f">{len(pairs)}H", *(value for value, _ in pairs)), 1)
    (columns,) = plan.columns()
    for series, value, status in zip(columns.series, columns.value.to_pylist(), columns.status, strict=True):
        raw, invalid = pairs[int(series) - 1]
        assert (value, status) == ((None, Quality.BAD_NO_DATA) if raw in invalid else (raw, 0))


def test_what_was_handed_over_never_changes():
    """The columns of one poll share no buffer that a later poll, a refusal or a mark writes to."""
    items = [item(f"holding@{200 * place}:float32", S.DOUBLE, series=place + 1) for place in range(2)]
    plan = Plan(items, Limits())
    given_out = []

    def keep():
        given_out.extend((columns, columns.value.to_pylist(), columns.status.tolist()) for columns in plan.columns())

    for value in (1.0, 2.0):
        for number in range(2):
            plan.answered(number, struct.pack(">f", value), int(value))
        keep()
    plan.answered(0, struct.pack(">f", 3.0), 3)
    keep()
    plan.failed(1, int(Quality.BAD), 4)
    keep()
    plan.marked(int(Quality.UNCERTAIN), 5)
    plan.answered(0, struct.pack(">f", 4.0), 6)
    plan.answered(1, struct.pack(">f", 4.0), 6)
    keep()
    for columns, values, status in given_out:
        assert columns.value.to_pylist() == values
        assert columns.status.tolist() == status
    assert plan.bad == 0


# -- dividing and joining -------------------------------------------------------------------------------------------------


def settle(plan: Plan, divisions: Divisions, allowed) -> int:
    """Reads the plan as a poll does until nothing changes; how many requests that took."""
    asked = 0
    while True:
        todo, divided = list(plan.blocks), False
        while todo:
            block = todo.pop(0)
            asked += 1
            assert asked < 20_000, "dividing does not end"
            if allowed(block):
                divisions.answered(block)
            elif len(block.members) > 1:
                todo += divisions.divide(block)
                divided = True
            else:
                divisions.refused(block)
        if not divisions.settled() and not divided:
            return asked


@given(st.sets(st.integers(0, 199), max_size=6), st.integers(20, 125))
@settings(max_examples=100)
def test_bad_addresses_are_isolated_and_the_others_joined_again(bad, most):
    items = [item(f"holding@{place}:uint16", S.INTEGER, series=place + 1) for place in range(200)]
    plan = Plan(items, Limits())

    def allowed(block):
        return block.count <= most and not any(block.offset <= place < block.offset + block.count for place in bad)

    settle(plan, Divisions(plan), allowed)
    assert sorted(member for block in plan.blocks for member in block.members) == list(range(200))
    refused = [block for block in plan.blocks if not allowed(block)]
    assert sorted(block.offset for block in refused) == sorted(bad)
    assert all(len(block.members) == 1 for block in refused)
    if most == 125:
        assert len(plan.blocks) <= 2 * len(bad) + 1 + 2


def test_one_bad_address_in_a_hundred_costs_two_requests_more():
    items = [item(f"holding@{place}:uint16", S.INTEGER, series=place + 1) for place in range(100)]
    plan = Plan(items, Limits())
    divisions = Divisions(plan)
    settle(plan, divisions, lambda block: not block.offset <= 37 < block.offset + block.count)
    assert [(block.offset, block.count) for block in plan.blocks] == [(0, 37), (37, 1), (38, 62)]
    settle(plan, divisions, lambda block: True)
    assert [(block.offset, block.count) for block in plan.blocks] == [(0, 100)]


def test_a_hole_that_nobody_wants_is_not_read_across_again():
    items = [item(f"holding@{place}:uint16", S.INTEGER, series=place + 1) for place in (*range(10), *range(13, 20))]
    plan = Plan(items, Limits())
    settle(
        plan, Divisions(plan), lambda block: not any(block.offset <= hole < block.offset + block.count for hole in (10, 11, 12))
    )
    assert [(block.offset, block.count) for block in plan.blocks] == [(0, 10), (13, 7)]


@pytest.mark.anyio
async def test_a_bad_address_is_remembered_asked_rarely_and_comes_back(environment, sink):
    bindings = [Binding(series=place + 1, address=f"holding@{place}", storage=S.INTEGER) for place in range(60)]
    async with Simulator(bindings) as device:
        device.remove("holding@30")
        async with running(device.url, bindings, environment, sink, recheck=0.5) as connector:
            await sink.until(lambda: sink.last(31) and is_bad(sink.last(31)[1]) and sink.last(60) == (0, 0))
            await sink.until(lambda: len(connector.polls[0].plan.blocks) == 3)
            splits = connector.counters["splits"]
            exceptions, cycles = connector.counters["exceptions"], len(sink.of(1))
            await sink.until(lambda: len(sink.of(1)) > cycles + 20)
            assert connector.counters["exceptions"] - exceptions <= (len(sink.of(1)) - cycles) / 4
            assert connector.counters["splits"] == splits
            device.put("holding@30", 5)
            await sink.until(lambda: sink.last(31) == (5, 0))
            await sink.until(lambda: len(connector.polls[0].plan.blocks) == 1)
            assert sink.events[-1].active is False
            assert sink.events[-1].code == RefusedError.code


# -- writes ---------------------------------------------------------------------------------------------------------------


def point(address: str, storage: S = S.INTEGER, **options) -> Binding:
    return Binding(series=9, address=address, storage=storage, writable=True, options=options)


class _Picky(Memory):
    """Knows only the functions of ``known``; remembers what it was asked to write."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self.known = known
        self.asked: list[bytes] = []

    def answer(self, pdu: bytes) -> bytes:
        if pdu[0] not in self.known:
            return bytes((pdu[0] | 0x80, 1))
        if pdu[0] not in (1, 2, 3, 4):
            self.asked.append(pdu)
        return super().answer(pdu)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("known", "setting", "functions"),
    [
        ({1, 3, 5, 6, 15, 16, 22}, "auto", [5, 6, 16, 22, 16]),
        ({1, 3, 15, 16}, "auto", [15, 16, 16, 16, 16]),
        ({1, 3, 5, 6, 15, 16, 22}, "multiple", [15, 16, 16, 16, 16]),
        ({1, 3, 15, 16, 23}, "read-write", [15, 23, 23, 16, 16]),
    ],
)
async def test_the_functions_that_a_device_knows_are_used(known, setting, functions, environment, sink):
    async with Simulator(()) as device:
        memory = device.units[1] = _Picky(known)
        memory.put("coil", 0, [0])
        memory.put("holding", 0, [0] * 40)
        url, ours = device.url, [point("holding@39")]
        async with running(url, ours, environment, sink, write_function=setting) as connector:
            await sink.until(lambda: sink.last(9))
            await connector.write(point("coil@0", S.BOOLEAN), value=True)
            await connector.write(point("holding@1"), 7)
            await connector.write(point("holding@2:float32:cdab", S.DOUBLE), 1.5)
            await connector.write(point("holding@1:sbits[8-11]"), -3)
            await connector.write(point("holding@4:bits[12-19]:dcba"), 0xA5)
    assert [pdu[0] for pdu in memory.asked] == functions
    assert memory.get("coil", 0) == [1]
    assert memory.get("holding", 1) == [0x0D07]
    assert struct.pack(">2H", *memory.get("holding", 2, 2)) == struct.pack(">f", 1.5)[2:] + struct.pack(">f", 1.5)[:2]
    assert int.from_bytes(struct.pack(">2H", *memory.get("holding", 4, 2)), "little") == 0xA5 << 12


@pytest.mark.anyio
async def test_limits_of_writing(environment, sink):
    async with Simulator([point("holding@0:string[20]", S.TEXT)]) as device:
        device.fill("holding", 0, [0] * 40)
        ours = [point("holding@0:string[20]", S.TEXT)]
        async with running(device.url, ours, environment, sink, max_write_registers=3) as connector:
            await sink.until(lambda: sink.last(9))
            await connector.write(ours[0], "twenty characters ok")
            await sink.until(lambda: sink.last(9) == ("twenty characters ok", 0))
            with pytest.raises(ValueFitError) as caught:
                await connector.write(point("holding@20:float64", S.DOUBLE), 1.0)
            assert "max_write_registers" in caught.value.hint
            for value in (16, -1, 1.5, "x", True):
                with pytest.raises(ValueFitError):
                    await connector.write(point("holding@20:bits[4-7]"), value)


@pytest.mark.anyio
@pytest.mark.parametrize("setting", ["auto", "read-write"])
async def test_a_device_that_keeps_another_value_is_found_out(setting, environment, sink):
    class Limiting(Memory):
        def answer(self, pdu):
            answer = super().answer(pdu)
            if pdu[0] in (6, 16, 22, 23):
                self.put("holding", 0, [min(self.get("holding", 0)[0], 100)])
                if pdu[0] == 23:
                    return super().answer(pdu[:1] + pdu[1:5] + pdu[5:7] + b"\0\1\2" + b"\0\x64")
            return answer

    async with Simulator(()) as device:
        device.units[1] = Limiting()
        device.fill("holding", 0, [0] * 4)
        async with running(device.url, [point("holding@0")], environment, sink, write_function=setting) as connector:
            await sink.until(lambda: sink.last(9))
            await connector.write(point("holding@0"), 100)
            for address, value in (("holding@0", 500), ("holding@0:bits[8-15]", 3)):
                with pytest.raises(VerifyError) as caught:
                    await connector.write(point(address), value)
                assert caught.value.hint
            await connector.write(point("holding@0", verify=False), 100)


@given(st.binary(min_size=2, max_size=40).filter(lambda raw: len(raw) % 2 == 0))
def test_function_23_writes_before_it_reads(payload):
    memory = Memory()
    memory.put("holding", 5, [1] * 30)
    count = len(payload) // 2
    assert parse_read_write(memory.answer(read_write_request(5, payload)), count) == payload
    assert parse_read(memory.answer(read_request(Table.HOLDING, 5, count)), Table.HOLDING, count) == payload
    assert np.all(np.array(memory.get("holding", 5 + count, 30 - count)) == 1)
