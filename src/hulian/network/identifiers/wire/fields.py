"""Fields written: the counterpart of the reader. What the protocol cannot carry is an `EncodeError`, never a wrong byte."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error
from typing import Final

from hulian.network.identifiers.wire.errors import EncodeError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_MESSAGE

__all__ = ["binary", "handle", "i32", "i64", "indexes", "list_of", "text", "u8", "u16", "u32"]

_I32: Final = Struct(">i")
_U32: Final = Struct(">I")
_I64: Final = Struct(">q")
_U16: Final = Struct(">H")


def _pack(form: Struct, value: int, what: str) -> bytes:
    try:
        return form.pack(value)
    except error:
        raise EncodeError(f"{what} of {value}, which is out of range", place=what) from None


def u8(value: int, what: str = "a byte") -> bytes:
    if not 0 <= value <= 255:
        raise EncodeError(f"{what} of {value}, which is out of range", place=what)
    return bytes((value,))


def u16(value: int, what: str = "a 16-bit number") -> bytes:
    return _pack(_U16, value, what)


def i32(value: int, what: str = "a number") -> bytes:
    return _pack(_I32, value, what)


def u32(value: int, what: str = "a number") -> bytes:
    return _pack(_U32, value, what)


def i64(value: int, what: str = "a 64-bit number") -> bytes:
    return _pack(_I64, value, what)


def binary(value: bytes, most: int = MAX_MESSAGE, what: str = "a field") -> bytes:
    """A length and the bytes."""
    if len(value) > most:
        raise EncodeError(f"{what} of {len(value)} bytes, where {most} are allowed", place=what)
    return _I32.pack(len(value)) + value


def text(value: str, most: int = MAX_MESSAGE, what: str = "a text") -> bytes:
    """A length and UTF-8."""
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise EncodeError(f"{what} that UTF-8 cannot carry", place=what) from None
    return binary(raw, most, what)


def handle(value: str) -> bytes:
    """A handle, at most 2048 bytes."""
    return text(value, MAX_HANDLE, "a handle")


def indexes(values: Sequence[int]) -> bytes:
    """A count and that many 32-bit numbers."""
    try:
        return _I32.pack(len(values)) + b"".join([_I32.pack(value) for value in values])
    except error:
        raise EncodeError("an index that is out of range", place="a list of indexes") from None


def list_of(values: Sequence[str], most: int = MAX_MESSAGE) -> bytes:
    """A count and that many texts."""
    return _I32.pack(len(values)) + b"".join([text(value, most) for value in values])
