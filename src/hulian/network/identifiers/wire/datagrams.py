"""Messages in datagrams of at most 512 bytes, and back: splitting, and a bounded reassembler that no stranger can fill.

Each datagram carries the envelope of its message with the flag TC, its sequence number, and the length of the whole. Every one
but the last holds exactly 492 bytes, so that datagrams cannot overlap without contradicting that rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from struct import Struct
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import EnvelopeFlag
from hulian.network.identifiers.wire.errors import FragmentError, LengthError, ReassemblyLimitError
from hulian.network.identifiers.wire.frame import ENVELOPE_SIZE, Envelope, read_envelope
from hulian.network.identifiers.wire.limits import MAX_MESSAGE

__all__ = ["MAX_DATAGRAM", "PIECE", "Reassembler", "ReassemblyLimits", "split"]

MAX_DATAGRAM: Final = 512
PIECE: Final = MAX_DATAGRAM - ENVELOPE_SIZE
"""Bytes of a message in one datagram."""

_U32: Final = Struct(">I")
_TC: Final = EnvelopeFlag.TRUNCATED.value


def split(message: bytes) -> list[bytes]:
    """The datagrams of an encoded message: one that is not touched where it fits, else as many as needed, with TC set."""
    if len(message) <= MAX_DATAGRAM:
        return [message]
    head = bytearray(message[:ENVELOPE_SIZE])
    head[2] |= _TC
    datagrams = []
    for sequence, at in enumerate(range(ENVELOPE_SIZE, len(message), PIECE)):
        _U32.pack_into(head, 12, sequence)
        datagrams.append(bytes(head) + message[at : at + PIECE])
    return datagrams


class ReassemblyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be unfinished at a time.

    ``messages`` in all and ``per_source`` of one source; ``bytes`` of pieces in all; ``message`` the longest message in bytes;
    ``seconds`` how long one may take, counted from its first datagram.
    """

    messages: int = 1_024
    per_source: int = 8
    bytes: int = 8_388_608
    message: int = MAX_MESSAGE
    seconds: float = 5.0


class _Unfinished:
    __slots__ = ("began", "count", "envelope", "held", "pieces", "source")

    def __init__(self, envelope: Envelope, source: Hashable, began: float) -> None:
        self.envelope = envelope
        self.source = source
        self.began = began
        self.count = -(-envelope.length // PIECE)
        self.held = 0
        self.pieces: dict[int, bytes] = {}

    def agrees(self, other: Envelope) -> bool:
        mine = self.envelope
        return (mine.length, mine.version, mine.suggested, mine.flags & ~_TC) == (
            other.length,
            other.version,
            other.suggested,
            other.flags & ~_TC,
        )


class Reassembler:
    """Datagrams in, whole messages out. Pieces may come in any order, and twice where they are the same.

    State is kept by ``source`` (an address and port, say), session and request id, so that one source cannot touch another's
    message. Kept are only pieces that arrived, within the limits; a promised length reserves nothing. When the limits are
    reached the new datagram is dropped with `ReassemblyLimitError`; when pieces contradict each other the message is given up
    with `FragmentError`. The clock is the caller's: any that does not go back, in seconds.
    """

    def __init__(self, limits: ReassemblyLimits | None = None) -> None:
        self.limits = limits or ReassemblyLimits()
        self._unfinished: OrderedDict[tuple[Hashable, int, int], _Unfinished] = OrderedDict()
        self._by_source: dict[Hashable, int] = {}
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of pieces that are kept now."""
        return self._held

    def __len__(self) -> int:
        """How many messages are unfinished."""
        return len(self._unfinished)

    def add(self, source: Hashable, datagram: bytes, now: float) -> bytes | None:
        """The message that is complete with ``datagram``, as one piece without TC; None while pieces are missing."""
        envelope = read_envelope(datagram, limit=self.limits.message)
        size = len(datagram) - ENVELOPE_SIZE
        if envelope.length == size and not envelope.sequence:
            return _whole(envelope, datagram[:ENVELOPE_SIZE], datagram[ENVELOPE_SIZE:])
        if envelope.length <= PIECE:
            raise LengthError(f"the envelope promises {envelope.length} bytes, {size} are there", place="a datagram", offset=16)
        self.expire(now)
        key = (source, envelope.session_id, envelope.request_id)
        message = self._unfinished.get(key)
        if message is not None and not message.agrees(envelope):
            self._drop(key)
            raise FragmentError("its length, version or flags are not those of the first piece", place="a datagram", offset=0)
        expected = _expected(envelope)
        if size != expected:
            if message is not None:
                self._drop(key)
            raise FragmentError(f"piece {envelope.sequence} has {size} bytes, not {expected}", place="a datagram", offset=12)
        if message is None:
            message = self._begin(key, envelope, now)
        piece = datagram[ENVELOPE_SIZE:]
        known = message.pieces.get(envelope.sequence)
        if known is not None:
            if known == piece:
                return None
            self._drop(key)
            raise FragmentError(f"piece {envelope.sequence} came twice with other bytes", place="a datagram", offset=20)
        if self._held + size > self.limits.bytes:
            if not message.pieces:
                self._drop(key)
            raise ReassemblyLimitError(f"{self._held} bytes of pieces are kept", place="a datagram")
        message.pieces[envelope.sequence] = piece
        message.held += size
        self._held += size
        if len(message.pieces) < message.count:
            return None
        self._drop(key)
        body = b"".join([message.pieces[sequence] for sequence in range(message.count)])
        return _whole(envelope, datagram[:ENVELOPE_SIZE], body)

    def expire(self, now: float) -> int:
        """Gives up what has taken too long; how many that were."""
        oldest = now - self.limits.seconds
        count = 0
        while self._unfinished:
            key, message = next(iter(self._unfinished.items()))
            if message.began >= oldest:
                break
            self._drop(key)
            count += 1
        return count

    def _begin(self, key: tuple[Hashable, int, int], envelope: Envelope, now: float) -> _Unfinished:
        source = key[0]
        if len(self._unfinished) >= self.limits.messages:
            raise ReassemblyLimitError(f"{len(self._unfinished)} messages are unfinished", place="a datagram")
        if self._by_source.get(source, 0) >= self.limits.per_source:
            raise ReassemblyLimitError(f"{self._by_source[source]} messages of one source are unfinished", place="a datagram")
        self._by_source[source] = self._by_source.get(source, 0) + 1
        message = self._unfinished[key] = _Unfinished(envelope, source, now)
        return message

    def _drop(self, key: tuple[Hashable, int, int]) -> None:
        message = self._unfinished.pop(key)
        self._held -= message.held
        left = self._by_source[message.source] - 1
        if left:
            self._by_source[message.source] = left
        else:
            del self._by_source[message.source]


def _expected(envelope: Envelope) -> int:
    """How many bytes the piece of this sequence number has; -1 where there is no such piece."""
    last = (envelope.length - 1) // PIECE
    if envelope.sequence > last:
        return -1
    return PIECE if envelope.sequence < last else envelope.length - last * PIECE


def _whole(envelope: Envelope, head: bytes, body: bytes) -> bytes:
    """The message as if it had come in one piece."""
    if not envelope.flags & _TC and not envelope.sequence:
        return head + body
    plain = bytearray(head)
    plain[2] &= ~_TC & 0xFF
    plain[12:16] = b"\0\0\0\0"
    return bytes(plain) + body
