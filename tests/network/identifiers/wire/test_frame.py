"""Envelope, header, credential: captured bytes, round trips, every wrong length by name, and the hot path in place."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest
from handle_messages import NOT_FOUND, REQUEST, VALUE_ADMIN, VALUE_URL, messages
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire import bodies, errors, fast, frame
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Value, pack_value, unpack_value


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def test_the_captured_question():
    message = frame.decode(REQUEST)
    assert message == Message(
        op_code=OpCode.RESOLVE,
        flags=OpFlag.RECURSIVE | OpFlag.PUBLIC_ONLY,
        body=REQUEST[44:-4],
        request_id=0x11223344,
        version=(2, 10),
        suggested=(2, 11),
        expiration=0x6B034B0E,
    )
    assert bodies.read_body(message) == bodies.ResolveRequest("88.111.1/ITEM7")
    assert frame.encode(message) == REQUEST
    again = bodies.request(
        OpCode.RESOLVE,
        bodies.ResolveRequest("88.111.1/ITEM7"),
        request_id=0x11223344,
        expiration=0x6B034B0E,
        flags=0x11000000,
        version=(2, 10),
    )
    assert frame.encode(again) == REQUEST


def test_the_captured_answer():
    """Envelope and header to the last bit, the first and the last value; the one between is as long as it was.

    The question is written in 2.10 and suggests 2.11: the answer is 2.11.
    """
    between = Value(index=2, type="EMAIL", data=b"x" * 14)
    values = (unpack_value(VALUE_URL), between, unpack_value(VALUE_ADMIN))
    made = bodies.answer(
        frame.decode(REQUEST),
        ResponseCode.SUCCESS,
        bodies.Values("88.111.1/ITEM7", values),
        expiration=0x6B034B0E,
        flags=OpFlag.AUTHORITATIVE,
        site_serial=1,
    )
    raw = frame.encode(made)
    assert raw == bytes.fromhex(
        "020b020b 00000000 11223344 00000000 000000d0 00000001 00000001 91000000 0001 00 00 6b034b0e 000000b4"
        "0000000e 38382e3131312e312f4954454d37 00000003"
    ) + VALUE_URL + pack_value(between) + VALUE_ADMIN + bytes(4)
    assert bodies.read_body(frame.decode(raw)) == bodies.Values("88.111.1/ITEM7", values)
    assert values[0].data == b"https://example.com/item/7"


def test_the_captured_refusals():
    message = frame.decode(NOT_FOUND)
    assert message.response_code == ResponseCode.HANDLE_NOT_FOUND
    assert bodies.read_body(message) == bodies.Failure("")
    assert frame.encode(message) == NOT_FOUND
    foreign = Message(op_code=1, response_code=0x12D, body=bodies.Failure("That prefix doesn't live here").pack())
    assert bodies.read_body(frame.decode(frame.encode(foreign))).message == "That prefix doesn't live here"


@given(messages)
def test_what_is_encoded_is_decoded(message):
    raw = frame.encode(message)
    assert frame.decode(raw) == message
    assert frame.encode(frame.decode(raw)) == raw


@pytest.mark.parametrize(
    ("data", "error", "offset"),
    [
        (b"", errors.TruncatedError, 0),
        (REQUEST[:19], errors.TruncatedError, 0),
        (REQUEST[:-1], errors.LengthError, 16),
        (REQUEST + b"\0", errors.LengthError, 16),
        (changed(REQUEST, 0, b"\1"), errors.VersionError, 0),
        (changed(REQUEST, 0, b"\5\0"), errors.VersionError, 0),
        (changed(REQUEST, 0, b"\2\0"), errors.VersionError, 0),
        (changed(REQUEST, 2, b"\x82"), errors.OpaqueError, 2),
        (changed(REQUEST, 2, b"\x42"), errors.OpaqueError, 2),
        (changed(REQUEST, 16, struct.pack(">I", 262_145)), errors.LimitError, 16),
        (changed(REQUEST, 16, b"\xff\xff\xff\xff"), errors.LimitError, 16),
        (REQUEST[:16] + struct.pack(">I", 23) + REQUEST[20:43], errors.TruncatedError, 20),
        (changed(REQUEST, 40, b"\xff\xff\xff\xff"), errors.LengthError, 40),
        (changed(REQUEST, 40, struct.pack(">i", 31)), errors.LengthError, 40),
        (changed(REQUEST, 40, struct.pack(">i", 28)), errors.TruncatedError, 0),
        (changed(REQUEST, 70, b"\xff\xff\xff\xff"), errors.LengthError, 0),
        (changed(REQUEST, 70, b"\0\0\0\1"), errors.LengthError, 0),
        (changed(REQUEST, 40, struct.pack(">i", 22)), errors.TrailingError, 70),
    ],
)
def test_every_wrong_length_has_its_name(data, error, offset):
    with pytest.raises(error) as caught:
        frame.decode(data)
    assert type(caught.value) is error
    assert caught.value.offset == offset
    assert f"byte {offset} of " in str(caught.value)


def test_promised_bytes_are_not_allocated():
    """An envelope that promises much costs nothing; nor does a body that counts millions."""
    greedy = changed(REQUEST, 16, struct.pack(">I", 262_144))
    tracemalloc.start()
    for _ in range(100):
        with pytest.raises(errors.LengthError):
            frame.decode(greedy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_what_the_frame_cannot_carry_is_an_error():
    for message in (
        Message(op_code=2**32),
        Message(op_code=1, site_serial=40_000),
        Message(op_code=1, version=(300, 1)),
        Message(op_code=1, suggested=(32, 1)),
        Message(op_code=1, envelope_flags=0x10),
        Message(op_code=1, request_id=-1),
        Message(op_code=1, body=bytes(262_144)),
    ):
        with pytest.raises(errors.EncodeError):
            frame.encode(message)


def test_old_messages_are_told():
    assert Message(op_code=1, expiration=9).expired(10)
    assert not Message(op_code=1, expiration=10).expired(10)


def test_versions_meet_at_the_lower_one():
    assert frame.lower_version(Message(op_code=1, version=(2, 10), suggested=(2, 11))) == (2, 10)
    assert frame.lower_version(Message(op_code=1, version=(2, 11), suggested=(2, 3))) == (2, 3)
    assert frame.lower_version(Message(op_code=1, version=(2, 1), suggested=(0, 0))) == (2, 1)


@pytest.mark.parametrize(
    ("written", "suggested", "answered"),
    [
        ((2, 10), (2, 11), (2, 11)),
        ((2, 3), (2, 3), (2, 3)),
        ((2, 3), (2, 30), (2, 11)),
        ((2, 11), (2, 3), (2, 3)),
        ((2, 1), (0, 0), (2, 1)),
        ((3, 0), (3, 0), (3, 0)),
        ((2, 11), (3, 7), (3, 0)),
        ((3, 0), (0, 0), (3, 0)),
    ],
)
def test_an_answer_is_in_the_version_that_is_suggested(written, suggested, answered):
    assert frame.answer_version(Message(op_code=1, version=written, suggested=suggested)) == answered


def test_every_code_has_a_text():
    for code in ResponseCode:
        assert response_text(code) != f"response code {code.value}"
    assert response_text(999) == "response code 999"


# -- the hot path ------------------------------------------------------------------------------------------------------


def test_a_plain_question_is_read_in_place():
    request_id, flags, question = fast.peek(REQUEST)
    assert (request_id, flags) == (0x11223344, 0x11000000)
    assert question == REQUEST[44:-4]
    assert fast.handle_of(question) == b"88.111.1/ITEM7"


@given(messages)
def test_peek_takes_only_what_decode_takes(message):
    raw = frame.encode(message)
    peeked = fast.peek(raw)
    plain = (
        message.op_code == OpCode.RESOLVE
        and message.response_code == 0
        and message.session_id == message.sequence == 0
        and message.credential == b""
        and not message.envelope_flags
        and len(message.body) >= 12
    )
    assert (peeked is not None) == plain
    if peeked:
        assert peeked == (message.request_id, message.flags, message.body)


@pytest.mark.fuzz
@given(st.binary(max_size=120), st.integers(0, 80))
def test_peek_never_believes_what_decode_refuses(noise, at):
    for data in (noise, changed(REQUEST, min(at, len(REQUEST)), noise)):
        peeked = fast.peek(data)
        if peeked is not None:
            message = frame.decode(data)
            assert peeked == (message.request_id, message.flags, message.body)


@pytest.mark.parametrize(
    "question",
    [b"", bytes(11), b"\0\0\0\1" + bytes(8), b"\xff\xff\xff\xff" + bytes(20), struct.pack(">i", 3_000) + bytes(4_000)],
)
def test_a_question_with_a_broken_handle(question):
    with pytest.raises(errors.WireError):
        fast.handle_of(question)


# -- hostile -----------------------------------------------------------------------------------------------------------


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_named_error(data):
    try:
        message = frame.decode(data)
    except errors.WireError:
        return
    assert frame.encode(message) == data


def test_any_flipped_byte_is_a_message_or_a_named_error():
    chance = random.Random(4)
    for raw in (REQUEST, NOT_FOUND):
        for at in range(len(raw)):
            for _ in range(20):
                data = changed(raw, at, bytes((chance.randrange(256),)))
                try:
                    message = frame.decode(data)
                    bodies.read_body(message)
                except errors.WireError:
                    continue
                assert frame.encode(message) == data
