"""Handle values: index, timestamp, TTL, permissions, type, data, references; one, and many at once.

A value keeps every bit that it was read with, so that packing it again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from struct import error as struct_error
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import Permission, TtlType
from hulian.network.identifiers.wire.errors import CountError, EncodeError, TruncatedError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_MESSAGE, MAX_VALUES
from hulian.network.identifiers.wire.reader import Reader

__all__ = [
    "DEFAULT_PERMISSIONS",
    "DEFAULT_TTL",
    "SMALLEST_VALUE",
    "PackedValue",
    "Reference",
    "Value",
    "pack_value",
    "pack_values",
    "read_values",
    "scan",
    "unpack_value",
    "unpack_values",
]

DEFAULT_TTL: Final = 86_400
DEFAULT_PERMISSIONS: Final = 0x0E
SMALLEST_VALUE: Final = 26
"""Bytes of a value whose type and data are empty."""

_FIXED: Final = Struct(">iIBIBi")
"""Index, timestamp, TTL type, TTL, permissions, length of the type."""
_I32: Final = Struct(">i")
_SMALLEST_REFERENCE: Final = 8


class Reference(msgspec.Struct, frozen=True, order=True):
    """One value of one handle: ``300:0.NA/88.111``."""

    handle: str
    index: int = 0

    def __str__(self) -> str:
        return f"{self.index}:{self.handle}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """What ``index:handle`` names; a text without an index is index 0.

        >>> Reference.parse("301:0.0/0.0")
        Reference(handle='0.0/0.0', index=301)
        """
        index, colon, handle = text.partition(":")
        if colon and index.isascii() and index.isdigit() and len(index) <= 10:
            return cls(handle, int(index))
        return cls(text, 0)


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One handle value (DO-IRP 3.0, section 5.1).

    ``timestamp`` is in Unix seconds, unsigned. ``ttl`` is in seconds, or Unix seconds where ``ttl_type`` is absolute.
    ``ttl_type`` and ``permissions`` are plain numbers, because bits that no standard names are kept too.

    >>> value = Value(index=1, type="URL", data=b"https://example.com/item/7", timestamp=0x6B02A205)
    >>> pack_value(value).hex()[:46]
    '000000016b02a20500000151800e0000000355524c0000'
    """

    index: int
    type: str
    data: bytes
    timestamp: int = 0
    ttl_type: int = TtlType.RELATIVE.value
    ttl: int = DEFAULT_TTL
    permissions: int = DEFAULT_PERMISSIONS
    references: tuple[Reference, ...] = ()

    @property
    def public_read(self) -> bool:
        """Whether everyone may read it."""
        return bool(self.permissions & Permission.PUBLIC_READ)

    @property
    def admin_read(self) -> bool:
        """Whether an administrator may read it."""
        return bool(self.permissions & Permission.ADMIN_READ)

    def __repr__(self) -> str:
        data = f"<{len(self.data)} bytes>" if self.type == "HS_SECKEY" else repr(self.data)
        return f"Value(index={self.index}, type={self.type!r}, data={data})"


class PackedValue(msgspec.Struct, frozen=True):
    """Where one value stands in packed bytes, and what decides whether it is shown."""

    start: int
    end: int
    index: int
    permissions: int
    type: bytes


def pack_value(value: Value) -> bytes:
    """The bytes of ``value``. Raises `EncodeError` for what does not fit."""
    kind, data = _encoded(value.type, MAX_MESSAGE), value.data
    if len(data) > MAX_MESSAGE:
        raise EncodeError(f"data of {len(data)} bytes, where {MAX_MESSAGE} are allowed", place=f"value {value.index}")
    if not -0x80000000 <= value.ttl <= 0xFFFFFFFF:
        raise EncodeError(f"a TTL of {value.ttl}", place=f"value {value.index}")
    try:
        head = _FIXED.pack(value.index, value.timestamp, value.ttl_type, value.ttl & 0xFFFFFFFF, value.permissions, len(kind))
    except struct_error:
        raise EncodeError("a number that is out of range", place=f"value {value.index}") from None
    if not value.references:
        return b"%b%b%b%b\0\0\0\0" % (head, kind, _I32.pack(len(data)), data)
    parts = [head, kind, _I32.pack(len(data)), data, _I32.pack(len(value.references))]
    for reference in value.references:
        raw = _encoded(reference.handle, MAX_HANDLE)
        if not -0x80000000 <= reference.index <= 0x7FFFFFFF:
            raise EncodeError(f"an index of {reference.index}", place=f"references of value {value.index}")
        parts += (_I32.pack(len(raw)), raw, _I32.pack(reference.index))
    return b"".join(parts)


def _encoded(text: str, most: int) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise EncodeError("text that UTF-8 cannot carry", place="a handle value") from None
    if len(raw) > most:
        raise EncodeError(f"text of {len(raw)} bytes, where {most} are allowed", place="a handle value")
    return raw


def pack_values(values: Iterable[Value]) -> bytes:
    """A count and the values."""
    packed = [pack_value(value) for value in values]
    if len(packed) > MAX_VALUES:
        raise EncodeError(f"{len(packed)} values, where {MAX_VALUES} are allowed", place="a list of values")
    return _I32.pack(len(packed)) + b"".join(packed)


def _quick(reader: Reader) -> Value | None:
    """A whole value without references in five reads; None, and nothing read, for any other or broken one."""
    data, at, end = reader.data, reader.at, reader.end
    if end - at < SMALLEST_VALUE:
        return None
    index, timestamp, ttl_type, ttl, permissions, size = _FIXED.unpack_from(data, at)
    began = at + 18
    stop = began + size
    if size < 0 or stop > end - 8:
        return None
    (length,) = _I32.unpack_from(data, stop)
    last = stop + 4 + length
    if length < 0 or last > end - 4 or data[last : last + 4] != b"\0\0\0\0":
        return None
    try:
        kind = data[began:stop].decode()
    except UnicodeDecodeError:
        return None
    reader.at = last + 4
    if ttl > 0x7FFFFFFF and ttl_type != 1:
        ttl -= 0x100000000
    return Value(
        index=index,
        type=kind,
        data=data[stop + 4 : last],
        timestamp=timestamp,
        ttl_type=ttl_type,
        ttl=ttl,
        permissions=permissions,
    )


def _value(reader: Reader) -> Value:
    found = _quick(reader)
    return _careful(reader) if found is None else found


def _careful(reader: Reader) -> Value:
    """Field by field: for values with references, and to say exactly what is broken."""
    index, timestamp = reader.i32(), reader.u32()
    ttl_type = reader.u8()
    ttl = reader.u32() if ttl_type == TtlType.ABSOLUTE else reader.i32()
    permissions = reader.u8()
    kind, data = reader.text(), reader.binary()
    references = tuple(Reference(reader.handle(), reader.i32()) for _ in range(reader.count(_SMALLEST_REFERENCE, MAX_VALUES)))
    return Value(
        index=index,
        timestamp=timestamp,
        ttl_type=ttl_type,
        ttl=ttl,
        permissions=permissions,
        type=kind,
        data=data,
        references=references,
    )


def read_values(reader: Reader) -> tuple[Value, ...]:
    """A count and that many values, from ``reader``."""
    return tuple([_value(reader) for _ in range(reader.count(SMALLEST_VALUE, MAX_VALUES))])


def unpack_value(data: bytes) -> Value:
    """The one value that ``data`` holds."""
    reader = Reader(data, "a handle value")
    found = _value(reader)
    reader.done()
    return found


def unpack_values(data: bytes) -> tuple[Value, ...]:
    """The counted values that ``data`` holds."""
    reader = Reader(data, "a list of handle values")
    found = read_values(reader)
    reader.done()
    return found


def scan(data: bytes | memoryview, at: int = 0, end: int | None = None) -> Iterator[PackedValue]:
    """Walks counted values without making them: for filters by index, type and permission over packed records.

    Raises the same errors as reading them would, except for text, which is not decoded.
    """
    stop = len(data) if end is None else end
    if stop - at < 4:
        raise TruncatedError("no count", place="a list of handle values", offset=0)
    (count,) = _I32.unpack_from(data, at)
    if not 0 <= count <= MAX_VALUES or count * SMALLEST_VALUE > stop - at - 4:
        raise CountError(f"a count of {count}", place="a list of handle values", offset=0)
    origin, at = at, at + 4
    for _ in range(count):
        began = at
        if stop - at < SMALLEST_VALUE:
            raise TruncatedError("the values end early", place="a list of handle values", offset=at - origin)
        index, _, _, _, permissions, size = _FIXED.unpack_from(data, at)
        at = _past(data, at + 14, stop, origin)
        kind = bytes(data[began + 18 : began + 18 + size])
        at = _past(data, at, stop, origin)
        if stop - at < 4:
            raise TruncatedError("the values end early", place="a list of handle values", offset=at - origin)
        (references,) = _I32.unpack_from(data, at)
        at += 4
        if not 0 <= references <= MAX_VALUES or references * _SMALLEST_REFERENCE > stop - at:
            raise CountError(f"{references} references", place="a list of handle values", offset=at - 4 - origin)
        for _ in range(references):
            at = _past(data, at, stop, origin) + 4
        if at > stop:
            raise TruncatedError("the values end early", place="a list of handle values", offset=stop - origin)
        yield PackedValue(began, at, index, permissions, kind)


def _past(data: bytes | memoryview, at: int, stop: int, origin: int) -> int:
    """Behind the counted bytes that begin at ``at``."""
    size = _I32.unpack_from(data, at)[0] if stop - at >= 4 else -1
    if size < 0 or size > stop - at - 4:
        raise TruncatedError(f"a field of {size} bytes", place="a list of handle values", offset=at - origin)
    return int(at + 4 + size)
