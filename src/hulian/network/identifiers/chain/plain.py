"""Plain questions, answered without the chain: from the bytes that came to the bytes that go, in one step.

A link that can be passed by for such questions offers a `Plain`; a link that must see every question does not pass that of the
next one on. What these two classes say, and what ``compiled/plain.c`` says in their place, is what the chain would say, byte
for byte; whatever they do not understand is left to it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from enum import IntEnum
from struct import Struct
from struct import error as struct_error
from typing import Final, Protocol

from hulian.network.identifiers.chain.contract import LIFE
from hulian.network.identifiers.store import key_of, zero_na
from hulian.network.identifiers.store.index import PackedIndex
from hulian.network.identifiers.wire.codes import OpFlag, Permission, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.fast import handle_of, peek
from hulian.network.identifiers.wire.frame import CURRENT, NEXT
from hulian.network.identifiers.wire.limits import MAX_VALUES
from hulian.network.identifiers.wire.names import prefix_folded
from hulian.network.identifiers.wire.values import scan

__all__ = [
    "HEAD",
    "FromMemory",
    "FromRecords",
    "Plain",
    "PlainKind",
    "ended",
    "forgotten",
    "plain_of",
    "remembered",
    "remembered_key",
]

_DEEPEST: Final = 10
_MOST_KEPT: Final = 65_536
_LONGEST_KEPT: Final = 1_024
_NEVER: Final = 1 << 62
_ALLOWED: Final = (
    OpFlag.AUTHORITATIVE | OpFlag.RECURSIVE | OpFlag.KEEP_CONNECTION | OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER
).value
_CARRIED: Final = (OpFlag.RECURSIVE | OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER).value
_PUBLIC: Final = Permission.PUBLIC_READ.value
_AT: Final = OpFlag.AUTHORITATIVE.value
_PO: Final = OpFlag.PUBLIC_ONLY.value
_ZERO_NA: Final = b"0.NA/"
_EVERYTHING: Final = bytes(8)
_NO_TEXT: Final = bytes(4)
_I32: Final = Struct(">i")
_U32: Final = Struct(">I")
_ANSWER: Final = Struct(">BBBBIIIIIIIhBBII")
_HEAD: Final = Struct("=qHBx")
"""Of what is remembered: its end in Unix ms, the response code, whether it was used."""
HEAD: Final = _HEAD.size
"""Bytes in front of the rest of an answer that is remembered."""
_USED: Final = 10


class PlainKind(IntEnum):
    """The numbers of ``compiled/plain.h``."""

    AUTHORITATIVE = 0
    REMEMBERED = 1


class Plain(Protocol):
    """What a plain question is answered from. The listener calls it for every message, before anything else looks at it."""

    kind: PlainKind
    records: PackedIndex
    homes: PackedIndex | None

    def answer(self, data: bytes, room: int) -> bytes | bytearray | None:
        """The whole answer to the message ``data``; None for anything that is not a plain question with an answer here of at
        most ``room`` bytes. The answer holds until the next call. It never raises for what an asker sent."""
        ...


def plain_of(link: object) -> Plain | None:
    """What ``link`` offers; None where it must see every question."""
    return getattr(link, "plain", None)


class _Plain(ABC):
    """Answers that were given, kept to be patched for whoever asks the same next.

    The same means every byte but request id and expiration, so that whatever decides about being plain is in the key. An
    answer is given again as long as the value that it was made of is still that of its key, and until it ends.
    """

    kind: PlainKind
    records: PackedIndex
    homes: PackedIndex | None

    def __init__(self, records: PackedIndex, homes: PackedIndex | None = None) -> None:
        self.records = records
        self.homes = homes
        self._value = records.get
        self._kept: dict[bytes, tuple[bytes, bytes, bytearray, int]] = {}
        self._second = 0
        self._expiration = b""

    def answer(self, data: bytes, room: int) -> bytes | bytearray | None:
        """See `Plain`."""
        asked = data[:8] + data[12:36] + data[40:]
        now = time.time()
        kept = self._kept.get(asked)
        if kept is not None and self._value(kept[0]) == kept[1] and kept[3] > now:
            answer = kept[2]
        else:
            peeked = peek(data)
            if peeked is None or not peeked[1] & _PO or peeked[1] & ~_ALLOWED or data[34] > _DEEPEST:
                return None
            try:
                made = self._made(data, peeked[1], peeked[2], handle_of(peeked[2]), now)
            except (WireError, IndexError, struct_error):
                return None
            if made is None:
                return None
            key, source, answer, ends = made
            if source is not None and len(asked) + len(answer) <= _LONGEST_KEPT:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[asked] = (key, source, answer, ends)
        if len(answer) > room:
            return None
        if self._second != int(now):
            self._second = int(now)
            self._expiration = _U32.pack(self._second + LIFE & 0xFFFFFFFF)
        answer[8:12] = data[8:12]
        answer[36:40] = self._expiration
        return answer

    @abstractmethod
    def _made(
        self, data: bytes, flags: int, question: bytes, handle: bytes, now: float
    ) -> tuple[bytes, bytes | None, bytearray, int] | None:
        """The key, the value behind the answer (None: it is not to be kept), the answer, and when it ends in Unix seconds."""


def _answer(data: bytes, code: int, flags: int, body: bytes) -> bytearray:
    """With everything but request id and expiration."""
    third = data[2] & 31
    major, minor = (third, data[3]) if third else (data[0], data[1])
    if major >= NEXT[0]:
        major, minor = NEXT
    elif (major, minor) > CURRENT:
        major, minor = CURRENT
    size = len(body)
    head = _ANSWER.pack(major, minor, *CURRENT, 0, 0, 0, size + 28, 1, code, flags, -1, data[34], 0, 0, size)
    return bytearray(b"%b%b\0\0\0\0" % (head, body))


class FromRecords(_Plain):
    """What `Answer` says about whole records, and that there is none below a prefix that is homed here.

    About a prefix that is not here it says nothing: a `Refer` in front may know who is asked instead.
    """

    kind = PlainKind.AUTHORITATIVE

    def _made(
        self, data: bytes, flags: int, question: bytes, handle: bytes, now: float
    ) -> tuple[bytes, bytes | None, bytearray, int] | None:
        if question[4 + len(handle) :] != _EVERYTHING:
            return None
        flags = flags & _CARRIED | _AT
        key = key_of(handle)
        if b"/" not in key:
            key = zero_na(key)
        packed = self._value(key)
        if packed is None:
            if not handle.isascii() or key.startswith(_ZERO_NA) or self.homes is None or zero_na(key) not in self.homes:
                return None
            return key, None, _answer(data, ResponseCode.HANDLE_NOT_FOUND, flags, _NO_TEXT), 0
        shown = _public(packed)
        if not shown:
            return key, packed, _answer(data, ResponseCode.VALUES_NOT_FOUND, flags, _NO_TEXT), _NEVER
        return key, packed, _answer(data, ResponseCode.SUCCESS, flags, question[: 4 + len(handle)] + shown), _NEVER


def _public(packed: bytes) -> bytes:
    """The public ones of counted values, counted; nothing where there are values, but none is public.

    Raises `IndexError` or `struct.error`, or `WireError`, for what is not whole.
    """
    (count,) = _I32.unpack_from(packed)
    at, end, shown = 4, len(packed), []
    for _ in range(count):
        began = at
        at += 18 + _size(packed, at + 14, end)
        at += 4 + _size(packed, at, end)
        (references,) = _I32.unpack_from(packed, at)
        at += 4
        if references:  # seldom: the careful way
            return _carefully(packed)
        if packed[began + 13] & _PUBLIC:
            shown.append((began, at))
    if at != end or not 0 <= count <= MAX_VALUES:
        return _carefully(packed)
    if len(shown) == count:
        return packed
    return _I32.pack(len(shown)) + b"".join([packed[began:at] for began, at in shown]) if shown else b""


def _size(packed: bytes, at: int, end: int) -> int:
    size = int(_I32.unpack_from(packed, at)[0])
    if size < 0 or size > end - at - 4:
        raise IndexError(at)
    return size


def _carefully(packed: bytes) -> bytes:
    values = list(scan(packed))
    shown = [value for value in values if value.permissions & _PUBLIC]
    if len(shown) == len(values):
        return packed
    return _I32.pack(len(shown)) + b"".join([packed[value.start : value.end] for value in shown]) if shown else b""


def remembered_key(question: bytes, handle_size: int) -> bytes:
    """The key of a packed question: the handle, its prefix without regard to case, and what is wanted of the record."""
    behind = 4 + handle_size
    return question[:4] + prefix_folded(question[4:behind]) + question[behind:]


def remembered(ends: float, code: int, rest: bytes) -> bytes:
    """An answer as it is kept until ``ends`` (Unix seconds); ``rest`` stands behind the handle in the body, where that is."""
    return _HEAD.pack(int(ends * 1000), code, 0) + rest


def forgotten(kept: bytes, now: float) -> tuple[int, bytes] | None:
    """Code and rest of what `remembered` made; None where it has ended at ``now``."""
    ends, code, _ = _HEAD.unpack_from(kept)
    return None if ends <= int(now * 1000) else (code, kept[_HEAD.size :])


def ended(kept: bytes) -> tuple[int, float]:
    """Code and end, in Unix seconds, of what `remembered` made."""
    ends, code, _ = _HEAD.unpack_from(kept)
    return code, ends / 1000


class FromMemory(_Plain):
    """What `Cache` says as long as an answer holds; it notes that it was used. Who wants an authoritative one passes by."""

    kind = PlainKind.REMEMBERED

    def _made(
        self, data: bytes, flags: int, question: bytes, handle: bytes, now: float
    ) -> tuple[bytes, bytes | None, bytearray, int] | None:
        key = remembered_key(question, len(handle))
        kept = self._value(key)
        found = None if kept is None or flags & _AT else forgotten(kept, now)
        if kept is None or found is None:
            return None
        if not kept[_USED]:
            self.records.exchange(key, _USED, 1)
            kept = kept[:_USED] + b"\1" + kept[_USED + 1 :]
        code, rest = found
        body = question[: 4 + len(handle)] + rest if code == ResponseCode.SUCCESS else rest
        return key, kept, _answer(data, code, flags & _CARRIED, body), _HEAD.unpack_from(kept)[0] // 1000
