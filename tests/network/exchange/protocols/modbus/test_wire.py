"""Bytes in, values out: round trips, pymodbus as second opinion, and bytes that nobody should send."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.modbus.address import WIDTHS, Place, Table, byte_order
from hulian.network.exchange.protocols.modbus.config import BindingOptions
from hulian.network.exchange.protocols.modbus.errors import AddressError, GarbageError, ModbusError, RefusedError, ValueFitError
from hulian.network.exchange.protocols.modbus.plan import Limits, Plan, join
from hulian.network.exchange.protocols.modbus.server import Memory
from hulian.network.exchange.protocols.modbus.target import parse_url
from hulian.network.exchange.protocols.modbus.values import Item, encode_value
from hulian.network.exchange.protocols.modbus.wire import (
    Frame,
    FrameReader,
    check_write,
    encode_frame,
    identification_request,
    mask_write_request,
    parse_identification,
    parse_read,
    read_request,
    write_bits_request,
    write_registers_request,
)

ORDERS = ["abcd", "badc", "cdab", "dcba"]


def item(address: str, storage: S, order: str = "abcd", **options) -> Item:
    place = Place.parse(address)
    return Item.of(1, address, place, BindingOptions(**options), storage, unit=1, order=order)


def decoded(one: Item, payload: bytes) -> tuple[object, int]:
    plan = Plan([one], Limits())
    plan.answered(0, payload, 1)
    (columns,) = plan.columns()
    return columns.value[0].as_py(), int(columns.status[0])


# -- frames ---------------------------------------------------------------------------------------------------------------

FRAMES = st.builds(Frame, st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=1, max_size=253))


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_frames_come_back_however_they_are_split(frames, cuts):
    stream = b"".join(encode_frame(*frame) for frame in frames)
    reader, found, place, number = FrameReader(), [], 0, 0
    while place < len(stream):
        step = cuts[number % len(cuts)]
        found += reader.feed(stream[place : place + step])
        place, number = place + step, number + 1
    assert found == frames
    assert reader.pending == 0


@given(FRAMES)
def test_pymodbus_cuts_the_same_frame(frame):
    raw = encode_frame(*frame)
    used, unit, transaction, pdu = FramerSocket(DecodePDU(False)).decode(raw)
    assert (used, unit, transaction, pdu) == (len(raw), frame.unit, frame.transaction, frame.pdu)


@pytest.mark.fuzz
@given(st.binary(max_size=600))
@settings(max_examples=500)
def test_any_stream_is_frames_or_garbage_and_never_grows(raw):
    reader = FrameReader()
    try:
        for place in range(0, len(raw), 7):
            reader.feed(raw[place : place + 7])
            assert reader.pending < 6 + 254 + 7
    except GarbageError:
        pass


@pytest.mark.parametrize("header", [b"\0\1\0\1\0\6\1", b"\0\1\0\0\0\1\1", b"\0\1\0\0\0\xff\1", b"\0\1\0\0\xff\xff\1"])
def test_impossible_headers(header):
    with pytest.raises(GarbageError):
        FrameReader().feed(header)


@pytest.mark.fuzz
@given(st.binary(max_size=260), st.sampled_from(list(Table)), st.integers(1, 125))
@settings(max_examples=500)
def test_any_answer_is_a_payload_or_a_named_error(pdu, table, count):
    for parse in (
        lambda: parse_read(pdu, table, count),
        lambda: parse_identification(pdu),
        lambda: check_write(write_registers_request(0, b"ab"), pdu),
    ):
        with contextlib.suppress(GarbageError, RefusedError):
            parse()


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_a_device_of_ours_answers_any_bytes(pdu):
    memory = Memory({0: "x"})
    memory.put(Table.HOLDING, 0, [1] * 200)
    memory.put(Table.COIL, 0, [1] * 200)
    answer = memory.answer(pdu)
    assert 1 <= len(answer) <= 253


def test_requests_as_the_specification_prints_them():
    assert read_request(Table.HOLDING, 0x6B, 3).hex() == "03006b0003"
    assert write_bits_request(0xAC, [True]).hex() == "0500acff00"
    bits = [bool(int(bit)) for bit in "1011001110"]
    assert write_bits_request(0x13, bits).hex() == "0f0013000a02cd01"
    assert write_registers_request(1, bytes.fromhex("000a0102")).hex() == "100001000204000a0102"
    assert mask_write_request(4, 0xF2, 0x25).hex() == "16000400f20025"
    assert identification_request().hex() == "2b0e0200"


def test_identification_of_several_answers():
    memory = Memory(dict.fromkeys(range(5), "x" * 100))
    found, position, rounds = {}, 0, 0
    while True:
        objects, position = parse_identification(memory.answer(identification_request(position)))
        found |= objects
        rounds += 1
        if not position:
            break
    assert (len(found), rounds) == (5, 3)


# -- values ---------------------------------------------------------------------------------------------------------------

NUMBERS = {
    "int16": (st.integers(-(2**15), 2**15 - 1), "INT16"),
    "uint16": (st.integers(0, 2**16 - 1), "UINT16"),
    "int32": (st.integers(-(2**31), 2**31 - 1), "INT32"),
    "uint32": (st.integers(0, 2**32 - 1), "UINT32"),
    "int64": (st.integers(-(2**63), 2**63 - 1), "INT64"),
    "uint64": (st.integers(0, 2**63 - 1), "UINT64"),
    "float32": (st.floats(width=32, allow_nan=False), "FLOAT32"),
    "float64": (st.floats(allow_nan=False), "FLOAT64"),
}


@given(
    st.sampled_from(sorted(NUMBERS)).flatmap(lambda kind: st.tuples(st.just(kind), NUMBERS[kind][0])), st.sampled_from(ORDERS)
)
@settings(max_examples=400)
def test_numbers_come_back_and_pymodbus_reads_the_same(pair, order):
    kind, value = pair
    one = item(f"holding@0:{kind}", S.DOUBLE if kind.startswith("float") else S.INTEGER, order)
    wire = encode_value(one, value)
    assert decoded(one, wire) == (value, 0)
    registers = list(struct.unpack(f">{len(wire) // 2}H", wire))
    if order in ("abcd", "cdab"):
        data_type = getattr(ModbusClientMixin.DATATYPE, NUMBERS[kind][1])
        theirs = ModbusClientMixin.convert_from_registers(registers, data_type, "big" if order == "abcd" else "little")
        assert theirs == value
    if order in ("badc", "dcba"):
        swapped = [(register >> 8) | (register & 255) << 8 for register in registers]
        plain = item(f"holding@0:{kind}", one.storage, {"badc": "abcd", "dcba": "cdab"}[order])
        assert decoded(plain, struct.pack(f">{len(swapped)}H", *swapped)) == (value, 0)


@given(st.sampled_from([("bcd16", 4), ("bcd32", 8), ("bcd64", 16)]), st.data(), st.sampled_from(ORDERS))
def test_decimal_numbers_come_back(kind, data, order):
    name, digits = kind
    value = data.draw(st.integers(0, 10**digits - 1))
    one = item(f"holding@0:{name}", S.INTEGER, order)
    assert decoded(one, encode_value(one, value)) == (value, 0)


@given(st.permutations("abcdefgh"), st.integers(0, 2**63 - 1))
def test_any_order_of_bytes(order, value):
    one = item(f"holding@0:uint64:{''.join(order)}", S.INTEGER)
    wire = encode_value(one, value)
    assert decoded(one, wire) == (value, 0)
    assert bytes(wire["".join(order).index(letter)] for letter in "abcdefgh") == value.to_bytes(8, "big")


@given(st.binary(min_size=8, max_size=8), st.sampled_from(sorted(WIDTHS)), st.sampled_from(ORDERS))
@settings(max_examples=300)
def test_any_registers_are_a_value_or_a_named_status(raw, kind, order):
    one = item(f"holding@0:{kind}", S.DOUBLE, order)
    value, status = decoded(one, raw[: WIDTHS[kind]])
    assert status in (0, Quality.BAD_DECODING_ERROR)
    assert (value is None) == (status != 0)


@given(st.text(max_size=20), st.sampled_from(ORDERS), st.sampled_from(["utf-8", "latin-1", "utf-16-le"]))
def test_strings_come_back(text, order, encoding):
    assume("\0" not in text and text == text.rstrip() and "\ufeff" not in text)
    one = item("holding@0:string[40]", S.TEXT, order, encoding=encoding)
    try:
        wire = encode_value(one, text)
    except ValueFitError:
        return
    if encoding != "utf-16-le":
        assert decoded(one, wire) == (text, 0)


def test_bits_scale_invalid_and_overflow():
    assert decoded(item("holding@0:bit[0]", S.BOOLEAN), b"\x00\x01") == (True, 0)
    assert decoded(item("holding@0.15", S.INTEGER), b"\x80\x00") == (1, 0)
    assert decoded(item("holding@0:bit[8]:badc", S.BOOLEAN), b"\x00\x01") == (True, 0)
    assert decoded(item("input@0:int16", S.DOUBLE, scale=0.1, offset=5), struct.pack(">h", -20)) == (3.0, 0)
    assert decoded(item("input@0:uint16", S.DOUBLE, invalid=(0xFFFF,)), b"\xff\xff") == (None, Quality.BAD_NO_DATA)
    assert decoded(item("input@0:uint64", S.INTEGER), b"\xff" * 8) == (None, Quality.BAD_OUT_OF_RANGE)
    assert decoded(item("input@0:uint64", S.STRUCTURE), b"\xff" * 8) == (str(2**64 - 1), 0)
    assert decoded(item("input@0:bcd16", S.INTEGER), b"\x12\x3a") == (None, Quality.BAD_DECODING_ERROR)
    assert decoded(item("input@0:string[2]", S.TEXT), b"\xff\xfe") == (None, Quality.BAD_DECODING_ERROR)
    assert decoded(item("coil@9", S.BOOLEAN), b"\x01") == (True, 0)


# -- addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("holding:40001", "holding@0:uint16"), ("40001:float", "holding@0:float32"),
        ("holding:400001:int32", "holding@0:int32"), ("coil:00001", "coil@0"),
        ("holding:465536", "holding@65535:uint16"), ("input:30011:real:cdab", "input@10:float32:cdab"),
        ("10017", "discrete@16"), ("3/coil@5:bool", "3/coil@5"), ("HOLDING@7.12", "holding@7:bit[12]"),
        ("holding@1:string[7]", "holding@1:string[7]"), ("input:300100:bytes[4]", "input@99:bytes[4]"),
    ],
)  # fmt: skip
def test_addresses(text, canonical):
    place = Place.parse(text)
    assert place.canonical == canonical
    assert Place.parse(canonical) == place


@pytest.mark.parametrize(
    "text",
    ["", "holding", "holding:1", "holding:30001", "holding@65536", "holding@65535:int32", "coil@0:int16", "holding@0:bit[16]",
     "holding@0:string", "holding@0:string[0]", "holding@0:int24", "256/coil@0", "holding@0:int16:abxd",
     "holding@0.3:int16", "holding:40000", "relay@3", "holding@-1", "holding@0:float32:aabb"],
)  # fmt: skip
def test_wrong_addresses_say_what_to_write(text):
    with pytest.raises(AddressError) as caught:
        Place.parse(text)
    assert caught.value.hint


@given(st.text("holdingcinput@:/0123456789.[]abcdefloatu ", max_size=30))
def test_any_text_is_an_address_or_a_named_error(text):
    try:
        place = Place.parse(text)
    except ModbusError:
        return
    assert Place.parse(place.canonical) == place


def test_references():
    assert [Place.parse(f"holding@{offset}").reference for offset in (0, 9998, 9999)] == ["40001", "49999", "410000"]
    assert byte_order("ba", 2) == byte_order("badc", 2) == (0, 1)


@pytest.mark.parametrize("url", ["modbus://", "modbus://h/x", "modbus://h:99999", "http://h", "modbus://h/256", "modbus://u@h"])
def test_wrong_urls(url):
    with pytest.raises(AddressError) as caught:
        parse_url(url)
    assert caught.value.hint


# -- the plan -------------------------------------------------------------------------------------------------------------

PLACES = st.lists(
    st.tuples(st.sampled_from(list(Table)), st.integers(0, 400), st.sampled_from(["uint16", "int32", "float64", "string[30]"])),
    min_size=1,
    max_size=40,
)


@given(PLACES, st.integers(16, 125), st.integers(0, 30))
@settings(max_examples=200)
def test_every_value_is_read_once_within_the_limits(places, registers, gap):
    items = []
    for table, offset, kind in places:
        place = Place.parse(f"{table}@{offset}" + ("" if table.bits else f":{kind}"))
        items.append(Item.of(len(items) + 1, "x", place, BindingOptions(), place.natural_storage(), unit=1, order="abcd"))
    limits = Limits(registers, 200, gap, gap)
    blocks = join(items, limits)
    assert sorted(member for block in blocks for member in block.members) == list(range(len(items)))
    for block in blocks:
        assert block.count <= limits.most(block.table)
        for member in block.members:
            place = items[member].place
            assert block.offset <= place.offset
            assert place.offset + place.count <= block.offset + block.count
        assert {member for part in block.divided(items) for member in part.members} == set(block.members)


@given(PLACES, st.binary(min_size=64, max_size=64))
@settings(max_examples=100)
def test_the_whole_plan_reads_what_each_value_reads_alone(places, seed):
    memory = Memory()
    for table in Table:
        memory.put(table, 0, [seed[at % 64] % 2 if table.bits else seed[at % 64] * 257 % 65536 ^ at for at in range(500)])
    items = []
    for table, offset, kind in places:
        place = Place.parse(f"{table}@{offset}" + ("" if table.bits else f":{kind}"))
        items.append(Item.of(len(items) + 1, "x", place, BindingOptions(), place.natural_storage(), unit=1, order="abcd"))

    def read(items):
        plan = Plan(items, Limits())
        for number, block in enumerate(plan.blocks):
            answer = memory.answer(read_request(block.table, block.offset, block.count))
            plan.answered(number, parse_read(answer, block.table, block.count), 7)
        return {
            int(series): (repr(value), int(status))
            for columns in plan.columns()
            for series, value, status in zip(columns.series, columns.value.to_pylist(), columns.status, strict=True)
        }

    together = read(items)
    assert len(together) == len(items)
    for one in items:
        assert read([one])[one.series] == together[one.series]


def test_unchanged_values_are_left_out_until_they_are_due():
    one = item("holding@0:float32", S.DOUBLE)
    plan = Plan([one], Limits(), repeat_after=100)
    given = []
    for time, raw in [(1, b"\0\0\0\0"), (2, b"\0\0\0\0"), (3, b"\x7f\xc0\0\0"), (4, b"\x7f\xc0\0\0"), (110, b"\x7f\xc0\0\0")]:
        plan.answered(0, raw, time)
        given += [int(columns.time[0]) for columns in plan.columns()]
    assert given == [1, 3, 110]
