"""RTU and ASCII frames: round trips, pymodbus as second opinion, noise, and bytes that nobody should send; URLs of lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii, FramerRTU
from pymodbus.pdu import DecodePDU

from hulian.network.exchange.protocols.modbus.ascii import MAXIMUM_ASCII, AsciiReader, encode_ascii, lrc
from hulian.network.exchange.protocols.modbus.errors import AddressError
from hulian.network.exchange.protocols.modbus.rtu import MAXIMUM_RTU, RtuReader, answer_length, crc16, encode_rtu
from hulian.network.exchange.protocols.modbus.server import Memory
from hulian.network.exchange.protocols.modbus.target import Line, parse_url
from hulian.network.exchange.protocols.modbus.wire import (
    identification_request,
    mask_write_request,
    read_request,
    read_write_request,
    write_bits_request,
    write_registers_request,
)

KINDS = [(encode_rtu, RtuReader), (encode_ascii, AsciiReader)]


def memory() -> Memory:
    found = Memory({0: "maker", 1: "code", 4: "a longer product name"})
    for table in ("coil", "discrete", "input", "holding"):
        found.put(table, 0, [number % 2 for number in range(300)])
    return found


REQUESTS = st.one_of(
    st.builds(read_request, st.sampled_from(["coil", "discrete"]), st.integers(0, 20), st.integers(1, 200)),
    st.builds(read_request, st.sampled_from(["input", "holding"]), st.integers(0, 400), st.integers(1, 125)),
    st.builds(write_bits_request, st.integers(0, 20), st.lists(st.booleans(), min_size=1, max_size=40)),
    st.builds(lambda at, n: write_registers_request(at, bytes(2 * n)), st.integers(0, 20), st.integers(1, 123)),
    st.builds(lambda at, n: read_write_request(at, bytes(2 * n)), st.integers(0, 20), st.integers(1, 121)),
    st.builds(mask_write_request, st.integers(0, 20), st.integers(0, 65535), st.integers(0, 65535)),
    st.just(identification_request()),
)


@given(st.binary(min_size=1, max_size=254))
def test_check_sums_are_those_of_pymodbus(data):
    assert crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")
    assert lrc(data) == FramerAscii.compute_LRC(data)


@given(st.integers(1, 247), st.integers(0, 65535), st.integers(1, 125))
def test_pymodbus_cuts_the_same_frames(unit, offset, count):
    pdu = read_request("holding", offset, count)
    for encode, framer in ((encode_rtu, FramerRTU(DecodePDU(True))), (encode_ascii, FramerAscii(DecodePDU(True)))):
        raw = encode(unit, pdu)
        used, found, _, data = framer.decode(raw)
        assert (used, found, data) == (len(raw), unit, pdu)


@pytest.mark.parametrize(("encode", "kind"), KINDS)
@given(unit=st.integers(1, 247), request=REQUESTS, step=st.integers(1, 40), noise=st.binary(max_size=40))
def test_answers_come_back_however_they_are_split_and_whatever_stood_before(encode, kind, unit, request, step, noise):
    answer = memory().answer(request)
    if kind is AsciiReader:
        noise = noise.replace(b":", b"")
    reader, stream, found = kind(), noise + encode(unit, answer), None
    reader.expect(unit, request)
    for place in range(0, len(stream), step):
        assert found is None
        found = reader.feed(stream[place : place + step])
    assert found == answer
    assert answer[0] & 0x80 or answer[0] == 43 or len(answer) == answer_length(request)


@pytest.mark.fuzz
@pytest.mark.parametrize(("encode", "kind"), KINDS)
@given(request=REQUESTS, pieces=st.lists(st.binary(max_size=700), max_size=6), damage=st.integers(0, 10_000))
@settings(max_examples=200)
def test_any_bytes_are_an_answer_with_a_right_sum_or_nothing_and_never_grow(encode, kind, request, pieces, damage):
    whole = bytearray(encode(7, memory().answer(request)))
    whole[damage % len(whole)] ^= 1 + damage % 255
    reader = kind()
    reader.expect(7, request)
    for piece in [*pieces, bytes(whole), b"\x07" * 600, b":" * 600]:
        found = reader.feed(piece)
        assert reader.pending <= max(2 * MAXIMUM_RTU, MAXIMUM_ASCII)
        if found is not None:
            assert found[0] & 0x7F == request[0]


def test_a_sum_that_is_wrong_is_no_answer():
    for encode, kind in KINDS:
        reader = kind()
        request = read_request("holding", 0, 2)
        good = encode(1, b"\x03\x04\x00\x01\x00\x02")
        for place in range(len(good)):
            if encode is encode_ascii and place >= len(good) - 2:
                continue
            reader.expect(1, request)
            assert reader.feed(good[:place] + bytes((good[place] ^ 0x11,)) + good[place + 1 :]) is None


def test_frames_as_the_specification_prints_them():
    assert encode_rtu(2, b"\x07").hex() == "02074112"
    assert encode_ascii(1, read_request("holding", 0, 1)) == b":010300000001FB\r\n"


# -- URLs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told", "framing", "unit", "line"),
    [
        ("modbus://plc", "plc:502", "tcp", None, Line(baud=0)),
        ("modbus+tcp://plc:503/7", "plc:503", "tcp", 7, Line(baud=0)),
        ("modbus+rtu://[::1]:4001/7", "[::1]:4001", "rtu", 7, Line(baud=0)),
        ("modbus+rtu://gate?unit=3&echo=1", "gate:502", "rtu", 3, Line(baud=0, echo=True)),
        ("modbus-rtu:///dev/ttyUSB0", "/dev/ttyUSB0", "rtu", None, Line()),
        ("modbus-rtu:///dev/ttyS0?baud=9600&parity=n&unit=9", "/dev/ttyS0", "rtu", 9, Line(baud=9600, parity="N", stop=2)),
        ("modbus-ascii:///dev/ttyS0?baud=9600", "/dev/ttyS0", "ascii", None, Line(baud=9600, bits=7)),
    ],
)
def test_urls(url, told, framing, unit, line):
    target = parse_url(url)
    assert (str(target), target.framing, target.unit) == (told, framing, unit)
    same = Line(**{name: getattr(target.line, name) for name in Line.__struct_fields__})
    if line.baud:
        assert same == line
    else:
        assert (same.baud, same.echo) == (0, line.echo)


@pytest.mark.parametrize(
    "url",
    ["modbus-rtu://dev/ttyUSB0", "modbus-rtu://", "modbus-rtu:///dev/ttyS0?baud=7", "modbus-rtu:///dev/ttyS0?bauds=9600",
     "modbus-rtu:///dev/ttyS0?parity=X", "modbus-rtu:///dev/ttyS0?bits=7", "modbus-rtu:///dev/ttyS0?stop=3", "modbus://h?unit=3",
     "modbus+rtu://h?baud=9600", "modbus+rtu://h/3?unit=3", "modbus-rtu:///dev/ttyS0?unit=300", "modbus-rtu:///dev/ttyS0?baud",
     "modbus-rtu:///dev/ttyS0?turnaround=-1", "modbus-rtu:///dev/ttyS0?baud=0"],
)  # fmt: skip
def test_wrong_urls_say_what_to_write(url):
    with pytest.raises(AddressError) as caught:
        parse_url(url)
    assert caught.value.hint


def test_silence_between_frames():
    assert Line(baud=9600).silence == pytest.approx(3.5 * 11 / 9600)
    assert Line(baud=9600, parity="N", stop=2).silence == pytest.approx(3.5 * 11 / 9600)
    assert Line(baud=115200).silence == 0.00175
