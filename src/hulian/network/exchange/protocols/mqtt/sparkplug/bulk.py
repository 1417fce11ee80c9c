"""Plain data messages to columns: many payloads in a few array operations. Bytes in, columns out; no I/O, no clock.

*Plain* is what edge nodes send all day: time, metrics of alias, time, type, perhaps the mark of history and a number, then the
sequence number, each field once and in the order of its number. A payload counts as plain only where every byte of it was
accounted for; each other one, legal or not, is left to the protocol buffers' own decoder (Sparkplug 3.0.0, section 6.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Plain", "read_plain"]

INT, LONG, FLOAT, DOUBLE, BOOLEAN = 0x50, 0x58, 0x65, 0x69, 0x70
"""The keys of the value fields 10 to 14 on the wire."""

_BODY, _ALIAS, _TIME, _TYPE, _HISTORICAL, _SEQUENCE = 0x12, 0x10, 0x18, 0x20, 0x28, 0x18
_HEAD: Final = 7
"""Bytes of the time in front: its key and, until the year 2109, six bytes."""
_PAD: Final = bytes(320)
_SIX_LAST: Final = np.uint64(0x0000_8080_8080_8080)
_SIX_ON: Final = np.uint64(0x0000_0080_8080_8080)
_SIX: Final = np.uint64(0x0000_FFFF_FFFF_FFFF)
_EIGHTHS: Final = np.uint64(0x8080_8080_8080_8080)
_KEEP: Final = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""The lowest 0 to 8 bytes of a word."""

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Truth = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Plain:
    """What n messages hold. ``plain`` bool[n]: whether a message is; ``sequence`` int64[n]; ``counts`` int64[n] its metrics, 0
    where it is not plain.

    The other columns hold one entry a metric of the plain messages, in order: ``message`` int64 its message, ``alias`` int64,
    ``time`` int64 (UTC ms), ``historical`` bool, ``key`` uint8 the value's field on the wire, ``bits`` uint64 its 64, 32 or
    fewer bits as they stand there.
    """

    plain: Truth
    sequence: Whole
    counts: Whole
    message: Whole
    alias: Whole
    time: Whole
    historical: Truth
    key: Bytes
    bits: Words


def read_plain(payloads: Sequence[bytes]) -> Plain:
    """The plain ones of ``payloads``; never raises, whatever they hold."""
    sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
    data = b"".join(payloads) + _PAD
    raw = np.frombuffer(data, np.uint8)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    begins, plain = _time(data, raw, starts)
    plain &= sizes > _HEAD + 2
    at, behind, message = _bodies(raw, starts + _HEAD, ends)
    counts = np.bincount(message, minlength=len(sizes))
    last = np.cumsum(counts)
    plain &= counts > 0
    linked = np.empty(len(at), np.bool_)
    if len(at):
        linked[1:] = at[1:] == behind[:-1]
        leading = (last - counts)[counts > 0]
        linked[leading] = at[leading] == starts[counts > 0] + _HEAD
    tail = np.where(plain, behind[np.maximum(last - 1, 0)] if len(at) else 0, 0)
    sequence, closed = _sequence(raw, tail, ends)
    plain &= closed
    metrics = _Metrics(data, raw, at + 2, behind)
    alias = metrics.alias()
    own, time = metrics.time()
    metrics.datatype()
    historical = metrics.history()
    key, bits = metrics.value()
    plain[message[~(linked & metrics.fits)]] = False
    if not own.all():
        time = np.where(own, time, begins[message])
    plain[message[time <= 0]] = False
    if plain.all():
        return Plain(plain, sequence, counts, message, alias, time, historical, key, bits)
    kept, counts = plain[message], np.where(plain, counts, 0)
    message, alias, time = message[kept], alias[kept], time[kept]
    return Plain(plain, sequence, counts, message, alias, time, historical[kept], key[kept], bits[kept])


_OPAQUE: Final = {4: np.dtype("V4"), 8: np.dtype("V8")}


def _gather(data: bytes, at: Whole, form: str) -> Any:
    """The numbers of type ``form`` at any places, aligned or not."""
    dtype = np.dtype(form)
    return np.ndarray((len(data) - dtype.itemsize + 1,), _OPAQUE[dtype.itemsize], data, 0, (1,))[at].view(dtype)


def _joined(words: Words) -> Words:
    """Varints of up to eight bytes: seven bits of each byte put together."""
    words = words & np.uint64(0x7F7F_7F7F_7F7F_7F7F)
    words = (words & np.uint64(0x007F_007F_007F_007F)) | ((words & np.uint64(0x7F00_7F00_7F00_7F00)) >> np.uint64(1))
    words = (words & np.uint64(0x0000_3FFF_0000_3FFF)) | ((words & np.uint64(0x3FFF_0000_3FFF_0000)) >> np.uint64(2))
    return (words & np.uint64(0x0FFF_FFFF)) | ((words & np.uint64(0x0FFF_FFFF_0000_0000)) >> np.uint64(4))


def _six(words: Words) -> tuple[Whole, Truth]:
    """Varints of six bytes, and whether they are that."""
    return _joined(words & _SIX).view(np.int64), (words & _SIX_LAST) == _SIX_ON


def _time(data: bytes, raw: Bytes, starts: Whole) -> tuple[Whole, Truth]:
    """The payloads' own times, and whether they have the usual size."""
    time, fits = _six(_gather(data, starts + 1, "<u8"))
    return time, fits & (raw[starts] == 0x08)


def _bodies(raw: Bytes, begins: Whole, ends: Whole) -> tuple[Whole, Whole, Whole]:
    """Where metrics may begin and end, none inside another, and the message of each.

    Every pair of bytes that looks like the head of a metric with an alias is taken; what lies inside an earlier one, or is
    not followed by another metric or the sequence number, is dropped. The caller checks that the rest hang together.
    """
    at = np.flatnonzero((raw[:-2] == _BODY) & (raw[2:] == _ALIAS))
    at = at[: int(np.searchsorted(at, ends[-1]))] if len(ends) else at[:0]
    message = np.searchsorted(ends, at, "right")
    behind = at + 2 + raw[at + 1]
    follows = raw[behind]
    real = (raw[at + 1] < 0x80) & (behind < ends[message]) & ((follows == _BODY) | (follows == _SEQUENCE))
    real &= at >= begins[message]
    if not real.all():
        at, behind, message = at[real], behind[real], message[real]
    if len(at) > 1:
        outside = np.empty(len(at), np.bool_)
        outside[0] = True
        outside[1:] = at[1:] >= np.maximum.accumulate(behind)[:-1]
        if not outside.all():
            at, behind, message = at[outside], behind[outside], message[outside]
    return at, behind, message


def _sequence(raw: Bytes, tail: Whole, ends: Whole) -> tuple[Whole, Truth]:
    """The sequence numbers behind the last metrics, and whether each ends its payload."""
    low = raw[tail + 1].astype(np.int64)
    one = (low < 0x80) & (tail + 2 == ends)
    two = (low >= 0x80) & (raw[tail + 2] == 1) & (tail + 3 == ends)
    return low, (one | two) & (raw[tail] == _SEQUENCE)


class _Metrics:
    """A cursor into each metric, field by field. ``fits`` bool[n]: whether everything so far was plain."""

    __slots__ = ("_at", "_behind", "_data", "_raw", "fits")

    def __init__(self, data: bytes, raw: Bytes, at: Whole, behind: Whole) -> None:
        self._data, self._raw, self._at, self._behind = data, raw, at, behind
        self.fits = np.ones(len(at), np.bool_)

    def alias(self) -> Whole:
        """Of one to four bytes."""
        words = _gather(self._data, self._at + 1, "<u8")
        size = np.ones(len(words), np.int64)
        on = (words & np.uint64(0x80)) != 0
        for place in range(1, 4):
            if not on.any():
                break
            size += on
            on = on & ((words >> np.uint64(8 * place) & np.uint64(0x80)) != 0)
        else:
            self.fits &= ~on
        self._at = self._at + 1 + size
        return _joined(words & _KEEP[size]).view(np.int64)

    def time(self) -> tuple[Truth, Whole]:
        """Whether a metric has a time of its own, and which."""
        own = self._raw[self._at] == _TIME
        time, fits = _six(_gather(self._data, self._at + 1, "<u8"))
        self.fits &= fits | ~own
        self._at = self._at + _HEAD * own
        return own, time

    def datatype(self) -> None:
        """Skipped: the birth has said it."""
        there = self._raw[self._at] == _TYPE
        self.fits &= (self._raw[self._at + 1] < 0x80) | ~there
        self._at = self._at + 2 * there

    def history(self) -> Truth:
        """Whether a metric is of the past."""
        there: Truth = self._raw[self._at] == _HISTORICAL
        if there.any():
            self.fits &= (self._raw[self._at + 1] == 1) | ~there
            self._at = self._at + 2 * there
        return there

    def value(self) -> tuple[Bytes, Words]:
        """The value's key and bits; it is the last field."""
        key = self._raw[self._at]
        size = self._behind - self._at - 1
        bits: Words = _gather(self._data, self._at + 1, "<u8")
        wide = key == DOUBLE
        if wide.all():
            self.fits &= size == 8
            return key, bits
        fits = wide & (size == 8)
        bits = bits.copy()
        at = np.flatnonzero(key == FLOAT)
        fits[at] = size[at] == 4
        bits[at] &= np.uint64(0xFFFF_FFFF)
        at = np.flatnonzero(key == BOOLEAN)
        fits[at] = (size[at] == 1) & ((bits[at] & np.uint64(0xFE)) == 0)
        bits[at] &= np.uint64(1)
        at = np.flatnonzero((key == INT) | (key == LONG))
        if len(at):
            bits[at], fits[at] = self._varint(at, bits[at], size[at], key[at])
        self.fits &= fits
        return key, bits

    def _varint(self, which: Whole, words: Words, sizes: Whole, key: Bytes) -> tuple[Words, Truth]:
        """The numbers of one to ten bytes at ``which``, and whether they are that; a field of 32 bits keeps its lowest."""
        size = np.clip(sizes, 1, 10)
        first = np.minimum(size, 8)
        # Every byte but the last one carries the mark that another follows.
        marks = np.where(size > 8, _KEEP[8], _KEEP[first - 1]) & _EIGHTHS
        fits: Truth = (size == sizes) & ((words & _KEEP[first] & _EIGHTHS) == marks)
        found = _joined(words & _KEEP[first])
        long = np.flatnonzero(size > 8)
        if len(long):  # negative numbers of 64 bits
            at = self._at[which[long]]
            ninth, tenth = self._raw[at + 9], self._raw[at + 10]
            more = size[long] == 10
            fits[long] &= np.where(more, (ninth >= 0x80) & (tenth <= 1), ninth < 0x80)
            high = (ninth & 0x7F).astype(np.uint64) << np.uint64(56)
            found[long] |= high | np.where(more, tenth & 1, 0).astype(np.uint64) << np.uint64(63)
        return np.where(key == INT, found & np.uint64(0xFFFF_FFFF), found), fits
