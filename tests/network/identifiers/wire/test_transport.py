"""Datagrams and streams: any order, any cut, bounded memory, and no state that a stranger could fill or touch."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from handle_messages import REQUEST
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire import errors, frame
from hulian.network.identifiers.wire.datagrams import MAX_DATAGRAM, Reassembler, ReassemblyLimits, split
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.stream import Splitter


def message(size: int, request_id: int = 1) -> bytes:
    """An encoded message of ``size`` bytes behind the envelope."""
    body = bytes(at * 7 & 0xFF for at in range(size - 28))
    return frame.encode(Message(op_code=1, response_code=1, body=body, request_id=request_id))


def test_what_fits_is_one_untouched_datagram():
    for size in (28, 491, 492):
        assert split(message(size)) == [message(size)]


@pytest.mark.parametrize("size", [493, 984, 985, 5_000, 262_144])
def test_what_does_not_fit_is_cut_as_the_protocol_says(size):
    whole = message(size)
    pieces = split(whole)
    assert all(len(piece) == MAX_DATAGRAM for piece in pieces[:-1])
    for place, piece in enumerate(pieces):
        envelope = frame.read_envelope(piece)
        assert (envelope.flags, envelope.sequence, envelope.length) == (0x20, place, size)
    assert b"".join(piece[20:] for piece in pieces) == whole[20:]


@given(sizes=st.lists(st.integers(28, 4_000), min_size=1, max_size=4), data=st.data())
def test_datagrams_in_any_order_and_twice(sizes, data):
    wholes = [message(size, request_id) for request_id, size in enumerate(sizes)]
    sent = [(source, piece) for source in "ab" for whole in wholes for piece in split(whole)]
    repeated = data.draw(st.lists(st.sampled_from(sent), max_size=5))
    order = data.draw(st.permutations([*sent, *repeated]))
    reassembler = Reassembler()
    found = [whole for source, piece in order if (whole := reassembler.add(source, piece, 0.0)) is not None]
    for whole in wholes:
        assert found.count(whole) >= 2
    assert set(found) == set(wholes)


def test_a_message_without_the_flag_is_put_together_too():
    """Some senders forget TC; the length says that more follows."""
    pieces = [piece[:2] + b"\x02" + piece[3:] for piece in split(message(1_000))]
    reassembler = Reassembler()
    assert [reassembler.add("a", piece, 0.0) for piece in pieces][-1] == message(1_000)
    assert len(reassembler) == reassembler.held == 0


def patched(piece: bytes, at: int, new: bytes) -> bytes:
    return piece[:at] + new + piece[at + len(new) :]


FIRST, SECOND, THIRD = split(message(1_000))


@pytest.mark.parametrize(
    "wrong",
    [
        patched(SECOND, 16, (1_001).to_bytes(4, "big")),
        patched(SECOND, 0, b"\3"),
        patched(SECOND, 2, b"\xa2"),
        patched(SECOND, 12, (3).to_bytes(4, "big")),
        patched(SECOND, 12, (2**31).to_bytes(4, "big")),
        SECOND[:-1],
        SECOND + b"x",
        patched(FIRST, 30, b"other"),
    ],
)
def test_pieces_that_contradict_each_other(wrong):
    reassembler = Reassembler()
    assert reassembler.add("a", FIRST, 0.0) is None
    with pytest.raises(errors.FragmentError) as caught:
        reassembler.add("a", wrong, 0.0)
    assert caught.value.offset >= 0
    assert len(reassembler) == reassembler.held == 0
    for piece in (FIRST, SECOND):
        assert reassembler.add("a", piece, 0.0) is None
    assert reassembler.add("a", THIRD, 0.0) == message(1_000)


def test_a_datagram_that_lies_about_a_short_message():
    with pytest.raises(errors.LengthError):
        Reassembler().add("a", REQUEST[:-1], 0.0)
    with pytest.raises(errors.LimitError):
        Reassembler().add("a", patched(FIRST, 16, (262_145).to_bytes(4, "big")), 0.0)


def test_no_source_touches_another():
    reassembler = Reassembler()
    reassembler.add("victim", FIRST, 0.0)
    reassembler.add("victim", SECOND, 0.0)
    with pytest.raises(errors.FragmentError):
        reassembler.add("stranger", FIRST[:-1], 0.0)
    reassembler.add("stranger", patched(FIRST, 40, b"forged"), 0.0)
    assert reassembler.add("victim", THIRD, 0.0) == message(1_000)


def test_limits_refuse_what_is_new_and_keep_what_was_there():
    limits = ReassemblyLimits(messages=3, per_source=2, bytes=1_600, seconds=5.0)
    reassembler = Reassembler(limits)
    firsts = [split(message(1_000, request_id))[0] for request_id in range(5)]
    assert reassembler.add("a", firsts[0], 0.0) is None
    assert reassembler.add("a", firsts[1], 1.0) is None
    with pytest.raises(errors.ReassemblyLimitError, match="one source"):
        reassembler.add("a", firsts[2], 1.0)
    assert reassembler.add("b", firsts[2], 1.0) is None
    with pytest.raises(errors.ReassemblyLimitError, match="3 messages"):
        reassembler.add("c", firsts[3], 1.0)
    with pytest.raises(errors.ReassemblyLimitError, match="bytes"):
        reassembler.add("a", split(message(1_000, 0))[1], 1.0)
    assert (len(reassembler), reassembler.held) == (3, 3 * 492)
    assert reassembler.add("c", firsts[3], 5.5) is None, "the oldest has expired"
    assert reassembler.expire(100.0) == 3
    assert len(reassembler) == reassembler.held == 0
    assert not reassembler._by_source


def test_a_flood_of_first_pieces_stays_bounded():
    reassembler = Reassembler(ReassemblyLimits(messages=100, bytes=40_000))
    tracemalloc.start()
    refused = 0
    for number in range(20_000):
        piece = patched(FIRST, 8, number.to_bytes(4, "big") + bytes(4) + (262_144).to_bytes(4, "big"))
        try:
            reassembler.add(number % 5_000, piece, number / 1_000)
        except errors.ReassemblyLimitError:
            refused += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 10_000
    assert reassembler.held <= 40_000
    assert peak < 2_000_000


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.binary(max_size=8), st.integers(0, 2)), max_size=30))
def test_any_datagrams_leave_the_books_straight(changes):
    reassembler = Reassembler(ReassemblyLimits(messages=4, per_source=2, bytes=3_000, seconds=3.0))
    for now, (which, at, new, source) in enumerate(changes):
        with contextlib.suppress(errors.WireError):
            reassembler.add(source, patched((FIRST, SECOND, THIRD)[which], at, new), float(now))
        assert reassembler.held == sum(len(piece) for one in reassembler._unfinished.values() for piece in one.pieces.values())
        assert sum(reassembler._by_source.values()) == len(reassembler) <= 4
    reassembler.expire(1e9)
    assert not reassembler._by_source
    assert reassembler.held == 0


# -- streams -----------------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(28, 3_000), min_size=1, max_size=6), data=st.data())
def test_a_stream_cut_anywhere(sizes, data):
    wholes = [message(size, request_id) for request_id, size in enumerate(sizes)]
    raw = b"".join(wholes)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    splitter = Splitter()
    found = [one for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) for one in splitter.feed(raw[begin:end])]
    assert found == wholes
    assert splitter.unfinished == 0


def test_a_stream_byte_by_byte():
    raw = message(300) + message(28)
    splitter = Splitter()
    assert [one for byte in raw for one in splitter.feed(bytes((byte,)))] == [message(300), message(28)]


def test_what_is_too_long_is_refused_before_it_comes():
    splitter = Splitter(limit=1_000)
    with pytest.raises(errors.LimitError):
        splitter.feed(message(1_001)[:20])
    assert splitter.unfinished == 0
    with pytest.raises(errors.LimitError):
        splitter.feed(message(100))


def test_messages_before_a_broken_one_are_not_lost():
    splitter = Splitter()
    assert splitter.feed(message(100) + b"\1" + message(100)[1:]) == [message(100)]
    assert isinstance(splitter.error, errors.VersionError)
    with pytest.raises(errors.VersionError):
        splitter.feed(b"")
    with pytest.raises(errors.TruncatedError):
        Splitter().feed(REQUEST[:16] + (23).to_bytes(4, "big"))


def test_a_slow_peer_holds_one_message_at_most():
    splitter = Splitter()
    raw = message(262_144)
    tracemalloc.start()
    for at in range(len(raw) - 1):
        splitter.feed(raw[at : at + 1])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 400_000
    assert splitter.feed(raw[-1:]) == [raw]


@pytest.mark.fuzz
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_stream_is_messages_or_a_named_error(chunks):
    splitter = Splitter(limit=200)
    for chunk in chunks:
        try:
            for one in splitter.feed(chunk):
                assert len(one) >= 44
        except errors.WireError:
            assert splitter.error is not None
        assert splitter.unfinished <= 220
