"""The hot path: a plain question read in place. No objects are made.

Offsets in a message: opcode 20, response code 24, opFlags 28, expiration 36, body length 40, body 44.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeAlias

from hulian.network.identifiers.wire.codes import OpCode
from hulian.network.identifiers.wire.errors import LengthError, TruncatedError
from hulian.network.identifiers.wire.limits import MAX_HANDLE

__all__ = ["BODY", "Peeked", "handle_of", "peek"]

BODY: Final = 44
"""Where the body begins."""

Peeked: TypeAlias = tuple[int, int, bytes]
"""(request id, opFlags, packed question: handle, index list and type list)."""

_PEEK: Final = Struct(">HBxIIQQI8xi").unpack_from
"""Version, flags, session id, request id, sequence and length in one, opcode and response code in one, opFlags, body length."""
_I32: Final = Struct(">i")
_RESOLVE: Final = OpCode.RESOLVE.value << 32
_FLAGS: Final = 0xE0


def peek(data: bytes) -> Peeked | None:
    """The question of a plain resolution request in one piece, or None for anything that deserves a closer look.

    Plain means: version 2.1 to 3, neither encrypted, compressed nor fragmented, no session, no credential, and all lengths
    agree. None is no verdict: `decode` says what is wrong, if anything is. The question is not looked into; it is its own key.

    >>> peek(bytes.fromhex("020a020b 00000000 11223344 00000000 00000036 00000001 00000000 11000000 ffff 00 00 6b034b0e"
    ...     "0000001a 0000000e 38382e3131312e312f4954454d37 00000000 00000000 00000000"))
    (287454020, 285212672, b'\\x00\\x00\\x00\\x0e88.111.1/ITEM7\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00')
    """
    size = len(data)
    if size < 60:
        return None
    version, third, session, request_id, length, operation, flags, body = _PEEK(data)
    if (
        operation != _RESOLVE
        or length != size - 20  # with sequence 0 in front
        or body != size - 48
        or session
        or third & _FLAGS
        or not 0x0200 < version < 0x0400
        or not data.endswith(b"\0\0\0\0")
    ):
        return None
    return request_id, flags, data[44:-4]


def handle_of(question: bytes) -> bytes:
    """The handle of a packed question, as bytes. Raises `TruncatedError` and `LengthError`."""
    if len(question) < 12:
        raise TruncatedError(f"{len(question)} bytes, where a question has 12 at least", place="a resolution request", offset=0)
    (size,) = _I32.unpack_from(question)
    if not 0 <= size <= min(MAX_HANDLE, len(question) - 12):
        raise LengthError(f"a handle of {size} bytes", place="a resolution request", offset=0)
    return question[4 : 4 + size]
