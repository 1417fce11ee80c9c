"""Every body of every opcode, and handle values: round trips, hostile counts and lengths by name, bounded allocation."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from handle_messages import (
    ANSWERS,
    CHALLENGES,
    FAILED,
    FAILURES,
    REFERRALS,
    REQUEST,
    REQUESTS,
    VALUE_ADMIN,
    VALUE_URL,
    value_lists,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.wire import bodies, errors, frame
from hulian.network.identifiers.wire.codes import DigestAlgorithm, OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import (
    Reference,
    Value,
    _careful,
    _quick,
    pack_value,
    pack_values,
    scan,
    unpack_value,
    unpack_values,
)

ASKED = Message(op_code=1, flags=OpFlag.RETURN_DIGEST | OpFlag.PUBLIC_ONLY, body=bytes(12), request_id=7)


@pytest.mark.parametrize("op_code", list(REQUESTS), ids=lambda code: code.name)
@settings(max_examples=40)
@given(data=st.data())
def test_requests(op_code, data):
    body = data.draw(REQUESTS[op_code])
    sent = bodies.request(op_code, body, request_id=7, expiration=9, flags=OpFlag.PUBLIC_ONLY)
    received = frame.decode(frame.encode(sent))
    assert received == sent
    assert bodies.read_answer(received) == (body, None)


@pytest.mark.parametrize("op_code", list(ANSWERS), ids=lambda code: code.name)
@settings(max_examples=40)
@given(data=st.data(), algorithm=st.sampled_from([None, DigestAlgorithm.MD5, DigestAlgorithm.SHA1, DigestAlgorithm.SHA256]))
def test_answers(op_code, data, algorithm):
    body = data.draw(ANSWERS[op_code])
    asked = Message(op_code=op_code, flags=0 if algorithm is None else OpFlag.RETURN_DIGEST, body=b"asked")
    digest = None if algorithm is None else bodies.digest_of(asked, algorithm)
    sent = bodies.answer(asked, ResponseCode.SUCCESS, body, expiration=9, digest=digest)
    received = frame.decode(frame.encode(sent))
    assert bodies.read_answer(received) == (body, digest)
    if digest is not None:
        bodies.check_digest(asked, received)


@given(body=FAILURES, code=st.sampled_from(FAILED), digested=st.booleans())
def test_failures(body, code, digested):
    asked = ASKED if digested else Message(op_code=100)
    digest = bodies.digest_of(asked) if digested else None
    sent = bodies.answer(asked, code, body, expiration=9, digest=digest)
    assert bodies.read_answer(frame.decode(frame.encode(sent))) == (body, digest)


@given(body=REFERRALS, code=st.sampled_from([ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL]))
def test_referrals(body, code):
    sent = bodies.answer(Message(op_code=1), code, body, expiration=9)
    assert bodies.read_body(frame.decode(frame.encode(sent))) == body


@given(body=CHALLENGES)
def test_challenges_always_carry_the_digest(body):
    asked = Message(op_code=100, body=b"create")
    digest = bodies.digest_of(asked)
    sent = bodies.answer(asked, ResponseCode.AUTHENTICATION_NEEDED, body, expiration=9, digest=digest)
    assert sent.has(OpFlag.RETURN_DIGEST)
    assert bodies.read_answer(frame.decode(frame.encode(sent))) == (body, digest)
    with pytest.raises(errors.EncodeError):
        bodies.answer(asked, ResponseCode.AUTHENTICATION_NEEDED, body, expiration=9)


def test_a_digest_goes_with_its_flag_only():
    with pytest.raises(errors.EncodeError):
        bodies.answer(ASKED, ResponseCode.SUCCESS, bodies.Values("a"), expiration=9)
    with pytest.raises(errors.EncodeError):
        bodies.answer(
            Message(op_code=1), ResponseCode.SUCCESS, bodies.Values("a"), expiration=9, digest=bodies.digest_of(ASKED)
        )


def test_the_digest_of_another_request_is_told():
    other = Message(op_code=1, flags=ASKED.flags, body=bytes(11) + b"\1")
    good = bodies.answer(ASKED, ResponseCode.SUCCESS, bodies.Values("a"), expiration=9, digest=bodies.digest_of(ASKED))
    bodies.check_digest(ASKED, good)
    with pytest.raises(errors.DigestError):
        bodies.check_digest(other, good)
    with pytest.raises(errors.DigestError, match="without"):
        bodies.check_digest(ASKED, Message(op_code=1, response_code=1))
    with pytest.raises(errors.FieldError):
        bodies.check_digest(ASKED, Message(op_code=1, response_code=1, flags=OpFlag.RETURN_DIGEST, body=b"\0" * 40))
    with pytest.raises(errors.TruncatedError):
        bodies.check_digest(ASKED, Message(op_code=1, response_code=1, flags=OpFlag.RETURN_DIGEST, body=b"\3" * 32))


def test_an_answer_repeats_what_it_must_of_its_request():
    asked = Message(
        op_code=1,
        flags=OpFlag.PUBLIC_ONLY | OpFlag.AUTHORITATIVE | OpFlag.RECURSIVE,
        request_id=5,
        session_id=6,
        version=(2, 3),
        suggested=(2, 3),
    )
    given_back = bodies.answer(asked, ResponseCode.SUCCESS, bodies.Values("a"), expiration=9)
    assert given_back.flags == OpFlag.PUBLIC_ONLY | OpFlag.RECURSIVE
    assert (given_back.request_id, given_back.session_id, given_back.version) == (5, 6, (2, 3))
    answered = bodies.answer(
        Message(op_code=200), ResponseCode.SUCCESS, bodies.Created("a/b"), expiration=9, op_code=OpCode.CREATE
    )
    assert bodies.read_body(answered) == bodies.Created("a/b"), "it answers what was challenged"


def test_a_body_belongs_to_its_opcode():
    with pytest.raises(errors.EncodeError, match="RESOLVE"):
        bodies.request(OpCode.RESOLVE, bodies.Login("a", 1), request_id=1, expiration=1)
    for op_code in (0, 3, 2000, 2**31):
        with pytest.raises(errors.FieldError):
            bodies.read_body(Message(op_code=op_code))


# -- values ------------------------------------------------------------------------------------------------------------


@given(value_lists)
def test_values_round_trip_and_are_scanned(many):
    raw = pack_values(many)
    assert unpack_values(raw) == many
    assert pack_values(unpack_values(raw)) == raw
    found = list(scan(b"xy" + raw, 2))
    assert [(one.index, one.permissions, one.type.decode()) for one in found] == [
        (value.index, value.permissions, value.type) for value in many
    ]
    assert [(b"xy" + raw)[one.start : one.end] for one in found] == [pack_value(value) for value in many]


@given(values())
def test_one_value_round_trips(value):
    assert unpack_value(pack_value(value)) == value


@given(st.one_of(values().map(pack_value), st.binary(max_size=80)), st.integers(0, 60), st.binary(max_size=4))
def test_the_quick_way_reads_what_the_careful_way_reads(raw, at, new):
    raw = raw[:at] + new + raw[at + len(new) :]
    quick, careful = Reader(raw, "a value"), Reader(raw, "a value")
    found = _quick(quick)
    if found is None:
        assert quick.at == 0
    else:
        assert found == _careful(careful)
        assert quick.at == careful.at


def test_the_captured_values():
    url, admin = unpack_value(VALUE_URL), unpack_value(VALUE_ADMIN)
    assert (url.index, url.timestamp, url.ttl, url.permissions) == (1, 0x6B02A205, 86_400, 0x0E)
    assert (admin.index, admin.type) == (100, "HS_ADMIN")
    assert pack_value(url) == VALUE_URL
    assert pack_value(admin) == VALUE_ADMIN


def test_a_reference_is_written_as_people_write_it():
    assert Reference.parse("300:0.NA/88.111") == Reference("0.NA/88.111", 300)
    assert str(Reference("0.NA/88.111", 300)) == "300:0.NA/88.111"
    assert Reference.parse("88.111/a:b") == Reference("88.111/a:b", 0)
    assert Reference.parse("²:x") == Reference("²:x", 0)


@pytest.mark.parametrize(
    "value",
    [
        Value(index=2**31, type="URL", data=b""),
        Value(index=1, type="URL", data=b"", ttl=2**32),
        Value(index=1, type="URL", data=b"", ttl=-(2**31) - 1),
        Value(index=1, type="URL", data=b"", ttl_type=256),
        Value(index=1, type="URL", data=b"", timestamp=-1),
        Value(index=1, type="URL", data=b"", permissions=-1),
        Value(index=1, type="\ud800", data=b""),
        Value(index=1, type="URL", data=bytes(262_145)),
        Value(index=1, type="URL", data=b"", references=(Reference("a" * 2_049, 1),)),
        Value(index=1, type="URL", data=b"", references=(Reference("a", 2**31),)),
    ],
)
def test_a_value_that_cannot_be_written(value):
    with pytest.raises(errors.EncodeError):
        pack_value(value)


def test_a_secret_key_is_not_shown():
    hidden = Value(index=1, type="HS_SECKEY", data=b"secret")
    assert "secret" not in repr(hidden)
    assert "secret" not in repr(bodies.Values("a", (hidden,)))
    assert "secret" not in repr(Message(op_code=100, body=bodies.Values("a", (hidden,)).pack(), credential=b"secret"))
    assert "secret" not in repr(bodies.ChallengeResponse("HS_SECKEY", "a", 1, b"secret"))
    assert "secret" not in repr(bodies.VerifyRequest("a", 1, b"n", b"d", b"secret"))
    assert "secret" not in repr(bodies.ExchangeKey(b"secret"))
    assert "secret" not in repr(bodies.SessionSetupAnswer(1, b"secret"))


# -- hostile -----------------------------------------------------------------------------------------------------------

HANDLE = b"\0\0\0\1a"
HUGE = struct.pack(">i", 2**31 - 1)
NEGATIVE = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("op_code", "code", "body", "error", "offset"),
    [
        (1, 0, b"", errors.TruncatedError, 0),
        (1, 0, b"\0\0\0", errors.TruncatedError, 0),
        (1, 0, NEGATIVE, errors.LengthError, 0),
        (1, 0, struct.pack(">i", 2_049) + bytes(3_000), errors.LimitError, 0),
        (1, 0, struct.pack(">i", 10) + b"a", errors.TruncatedError, 0),
        (1, 0, b"\0\0\0\2\xc3\x28" + bytes(8), errors.TextError, 4),
        (1, 0, HANDLE + HUGE + bytes(100), errors.CountError, 5),
        (1, 0, HANDLE + NEGATIVE + bytes(100), errors.CountError, 5),
        (1, 0, HANDLE + struct.pack(">i", 26) + bytes(100), errors.CountError, 5),
        (1, 0, HANDLE + bytes(4) + HUGE, errors.CountError, 9),
        (1, 0, HANDLE + bytes(4) + NEGATIVE, errors.CountError, 9),
        (1, 0, HANDLE + bytes(4) + struct.pack(">i", 2_049) + bytes(10_000), errors.CountError, 9),
        (1, 0, HANDLE + bytes(9), errors.TrailingError, 13),
        (1, 1, HANDLE + HUGE, errors.CountError, 5),
        (1, 1, HANDLE + struct.pack(">i", 2) + VALUE_URL[:30], errors.CountError, 5),
        (1, 1, HANDLE + struct.pack(">i", 1) + VALUE_URL[:30], errors.TruncatedError, 26 + 4),
        (1, 1, HANDLE + struct.pack(">i", 1) + VALUE_URL[:-4] + HUGE, errors.CountError, 9 + 51),
        (1, 1, HANDLE + struct.pack(">i", 1) + VALUE_URL + b"x", errors.TrailingError, 9 + 55),
        (1, 303, b"", errors.TruncatedError, 0),
        (1, 303, bytes(4) + HUGE, errors.CountError, 4),
        (1, 100, HUGE, errors.LimitError, 0),
        (1, 100, bytes(4) + HUGE, errors.CountError, 4),
        (105, 1, HUGE, errors.CountError, 0),
        (105, 1, struct.pack(">i", 1_048_576) + bytes(400), errors.CountError, 0),
        (103, 0, HANDLE + HUGE, errors.CountError, 5),
        (200, 0, HANDLE + HANDLE + bytes(4) + struct.pack(">i", 65_537) + bytes(70_000), errors.LimitError, 14),
        (400, 0, b"\0\7" + bytes(12), errors.FieldError, 0),
        (1001, 0, b"\2" + bytes(30), errors.FieldError, 0),
        (1001, 0, b"\0" + bytes(24), errors.TruncatedError, 22),
        (2, 1, bytes(12) + HUGE + bytes(100), errors.CountError, 12),
        (2, 1, bytes(16) + HUGE + bytes(100), errors.CountError, 16),
    ],
)
def test_every_broken_body_has_its_name(op_code, code, body, error, offset):
    with pytest.raises(errors.WireError) as caught:
        bodies.read_body(Message(op_code=op_code, response_code=code, body=body))
    assert (type(caught.value), caught.value.offset) == (error, offset)
    assert str(op_code) in caught.value.place or "HS_SITE" in caught.value.place


def test_counts_are_checked_before_anything_is_allocated():
    hostile = [
        Message(op_code=1, body=HANDLE + HUGE + bytes(100)),
        Message(op_code=1, response_code=1, body=HANDLE + struct.pack(">i", 2_048) + bytes(100)),
        Message(op_code=105, response_code=1, body=struct.pack(">i", 1_048_576) + bytes(100)),
        Message(op_code=1, response_code=100, body=HUGE + bytes(100)),
        Message(op_code=1, response_code=303, body=bytes(4) + HUGE + bytes(100)),
    ]
    tracemalloc.start()
    for message in hostile * 50:
        with pytest.raises(errors.WireError):
            bodies.read_body(message)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000


@pytest.mark.parametrize("raw", [b"", bytes(3), HUGE, NEGATIVE, b"\0\0\0\1" + bytes(25), b"\0\0\0\1" + VALUE_URL[:-4] + HUGE])
def test_a_broken_list_is_not_scanned(raw):
    with pytest.raises(errors.WireError):
        list(scan(raw))


@pytest.mark.fuzz
@given(st.sampled_from(list(OpCode)), st.sampled_from([0, 1, 2, 100, 302, 402, 999]), st.binary(max_size=200), st.booleans())
def test_any_body_is_read_or_a_named_error(op_code, code, raw, digest):
    message = Message(op_code=op_code, response_code=code, body=raw, flags=OpFlag.RETURN_DIGEST if digest else 0)
    try:
        body, found = bodies.read_answer(message)
    except errors.WireError:
        return
    packed = (found.packed() if found else b"") + body.pack()
    if isinstance(body, bodies.Verdict):
        assert len(packed) == len(raw)
    else:
        assert packed == raw


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_any_values_are_read_or_a_named_error(raw):
    for data in (raw, b"\0\0\0\1" + raw, b"\0\0\0\2" + VALUE_URL + raw):
        try:
            found = unpack_values(data)
        except errors.WireError:
            continue
        assert pack_values(found) == data
        assert len(list(scan(data))) == len(found)


@pytest.mark.fuzz
@given(st.integers(0, len(REQUEST) - 45), st.binary(max_size=6))
def test_a_changed_question_is_read_or_a_named_error(at, new):
    body = REQUEST[44:-4]
    body = body[:at] + new + body[at + len(new) :]
    try:
        found = bodies.read_body(Message(op_code=1, body=body))
    except errors.WireError:
        return
    assert found.pack() == body
