"""The built-in types of OPC UA, from bytes (OPC 10000-6, section 5.2): no socket, no clock, limits before allocation.

What has no Python form of its own comes out in the form that the house keeps: node ids, GUIDs and qualified names as text,
times as RFC 3339 text, structures as `Extension`. `to_json` writes whatever came out as JSON.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from hulian.network.exchange.protocols.opcua.errors import WireError

__all__ = ["ARRAY", "EPOCH_TICKS", "BuiltIn", "Extension", "LocalizedText", "Reader", "to_json", "to_text"]

EPOCH_TICKS: Final = 116_444_736_000_000_000
"""1970-01-01 in OPC UA time: ticks of 100 ns since 1601-01-01."""

ARRAY: Final = 0x80
"""Added to a built-in type's number where the value is an array of it."""

MAXIMUM_DEPTH: Final = 32
"""How deep values may stand inside values; the standard asks decoders for a limit of their own (section 5.1.5: 100)."""

_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST_TICK: Final = 2_650_467_743_990_000_000
"""9999-12-31T23:59:59, which stands for "never" (section 5.2.2.5)."""


class BuiltIn(IntEnum):
    """The built-in types by their number in a Variant's encoding byte (table 1)."""

    NULL = 0
    BOOLEAN = 1
    SBYTE = 2
    BYTE = 3
    INT16 = 4
    UINT16 = 5
    INT32 = 6
    UINT32 = 7
    INT64 = 8
    UINT64 = 9
    FLOAT = 10
    DOUBLE = 11
    STRING = 12
    DATETIME = 13
    GUID = 14
    BYTESTRING = 15
    XML_ELEMENT = 16
    NODE_ID = 17
    EXPANDED_NODE_ID = 18
    STATUS_CODE = 19
    QUALIFIED_NAME = 20
    LOCALIZED_TEXT = 21
    EXTENSION_OBJECT = 22
    DATA_VALUE = 23
    VARIANT = 24
    DIAGNOSTIC_INFO = 25


class LocalizedText(NamedTuple):
    """A text and the language it is in; either may be missing."""

    locale: str | None
    text: str | None


class Extension(NamedTuple):
    """A structure whose type this decoder does not know: its encoding's node id and its body as it came."""

    type_id: str
    body: bytes | str | None


_FIXED: Final[dict[int, struct.Struct]] = {
    BuiltIn.SBYTE: struct.Struct("<b"),
    BuiltIn.BYTE: struct.Struct("<B"),
    BuiltIn.INT16: struct.Struct("<h"),
    BuiltIn.UINT16: struct.Struct("<H"),
    BuiltIn.INT32: struct.Struct("<i"),
    BuiltIn.UINT32: struct.Struct("<I"),
    BuiltIn.INT64: struct.Struct("<q"),
    BuiltIn.UINT64: struct.Struct("<Q"),
    BuiltIn.FLOAT: struct.Struct("<f"),
    BuiltIn.DOUBLE: struct.Struct("<d"),
    BuiltIn.STATUS_CODE: struct.Struct("<I"),
}
_INT32 = struct.Struct("<i")
_INT64 = struct.Struct("<q")
_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")


class Reader:
    """A position in a message. Every method moves it behind what it returns; raises `WireError` and nothing else.

    No method allocates more than a small multiple of the bytes that are really there.
    """

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end

    def fail(self, what: str) -> WireError:
        """The error to raise here."""
        return WireError(what, place=f"byte {self.position} of {self.end}")

    def skip(self, count: int) -> int:
        """Moves ``count`` bytes on and returns where they began."""
        start = self.position
        if count < 0 or count > self.end - start:
            raise self.fail(f"the message ends within a field of {count} bytes")
        self.position = start + count
        return start

    def byte(self) -> int:
        return self.data[self.skip(1)]

    def uint16(self) -> int:
        return int(_UINT16.unpack_from(self.data, self.skip(2))[0])

    def uint32(self) -> int:
        return int(_UINT32.unpack_from(self.data, self.skip(4))[0])

    def int32(self) -> int:
        return int(_INT32.unpack_from(self.data, self.skip(4))[0])

    def int64(self) -> int:
        return int(_INT64.unpack_from(self.data, self.skip(8))[0])

    def count(self, smallest: int) -> int:
        """The length of an array whose elements take at least ``smallest`` bytes each; a null array has none."""
        number = self.int32()
        if number <= 0:
            return 0
        if number * smallest > self.end - self.position:
            raise self.fail(f"an array claims {number} elements, more than the message can hold")
        return number

    def bytes_(self) -> bytes | None:
        length = self.int32()
        if length < 0:
            return None
        start = self.skip(length)
        return self.data[start : start + length]

    def string(self) -> str | None:
        raw = self.bytes_()
        return None if raw is None else raw.decode("utf-8", "replace")

    def guid(self) -> str:
        start = self.skip(16)
        return str(UUID(bytes_le=self.data[start : start + 16]))

    def node_id(self) -> str:
        """Any node id in the text form of section 5.3.1.10."""
        encoding = self.byte()
        form = encoding & 0x3F
        if form == 0:
            namespace, name = 0, f"i={self.byte()}"
        elif form == 1:
            namespace, name = self.byte(), f"i={self.uint16()}"
        elif form in (2, 3, 4, 5):
            namespace = self.uint16()
            if form == 2:
                name = f"i={self.uint32()}"
            elif form == 3:
                name = f"s={self.string() or ''}"
            elif form == 4:
                name = f"g={self.guid()}"
            else:
                name = f"b={base64.b64encode(self.bytes_() or b'').decode()}"
        else:
            raise self.fail(f"there is no node id encoding {form}")
        uri = self.string() if encoding & 0x80 else None
        server = self.uint32() if encoding & 0x40 else 0
        text = f"nsu={uri};{name}" if uri else f"ns={namespace};{name}" if namespace else name
        return f"svr={server};{text}" if server else text

    def localized_text(self) -> LocalizedText:
        mask = self.byte()
        locale = self.string() if mask & 1 else None
        return LocalizedText(locale, self.string() if mask & 2 else None)

    def extension(self) -> Extension:
        type_id = self.node_id()
        encoding = self.byte()
        if encoding == 0:
            return Extension(type_id, None)
        if encoding == 1:
            return Extension(type_id, self.bytes_())
        if encoding == 2:
            return Extension(type_id, self.string())
        raise self.fail(f"there is no extension object encoding {encoding}")

    def diagnostic(self, depth: int = 0) -> dict[str, Any]:
        if depth > MAXIMUM_DEPTH:
            raise self.fail("diagnostics nest too deep")
        mask = self.byte()
        found: dict[str, Any] = {}
        for bit, key in ((0x01, "SymbolicId"), (0x02, "NamespaceUri"), (0x08, "Locale"), (0x04, "LocalizedText")):
            if mask & bit:
                found[key] = self.int32()
        if mask & 0x10:
            found["AdditionalInfo"] = self.string()
        if mask & 0x20:
            found["InnerStatusCode"] = self.uint32()
        if mask & 0x40:
            found["InnerDiagnosticInfo"] = self.diagnostic(depth + 1)
        return found

    def data_value(self, depth: int = 0) -> dict[str, Any]:
        """A DataValue inside a Variant; those of monitored items are read by `hulian…opcua.wire` as columns."""
        mask = self.byte()
        if mask & 0xC0:
            raise self.fail(f"a data value has the reserved mask bits {mask:#04x}")
        found: dict[str, Any] = {}
        if mask & 0x01:
            kind, value = self.variant(depth + 1)
            found["Value"] = (kind, value)
        if mask & 0x02:
            found["Status"] = self.uint32()
        if mask & 0x04:
            found["SourceTimestamp"] = _time_text(self.int64())
        if mask & 0x10:
            found["SourcePicoseconds"] = self.uint16()
        if mask & 0x08:
            found["ServerTimestamp"] = _time_text(self.int64())
        if mask & 0x20:
            found["ServerPicoseconds"] = self.uint16()
        return found

    def variant(self, depth: int = 0) -> tuple[int, Any]:
        """(type, value): the built-in type's number, plus `ARRAY` where the value is a list (of lists)."""
        if depth > MAXIMUM_DEPTH:
            raise self.fail("values nest too deep")
        encoding = self.byte()
        kind = encoding & 0x3F
        if kind > 25:
            kind = BuiltIn.BYTESTRING if kind < 32 else kind
            if kind > 25:
                raise self.fail(f"there is no built-in type {kind}")
        if not encoding & 0x80:
            if encoding & 0x40:
                raise self.fail("a single value has array dimensions")
            return kind, self.scalar(kind, depth)
        if kind == 0:
            raise self.fail("an array has no element type")
        length = self.int32()
        values = self._array(kind, length, depth) if length >= 0 else None
        if encoding & 0x40:
            dimensions = [self.int32() for _ in range(self.count(4))]
            values = self._shape(values, dimensions)
        return kind | ARRAY, values

    def _array(self, kind: int, length: int, depth: int) -> list[Any]:
        smallest = _SMALLEST.get(kind, 1)
        if length * smallest > self.end - self.position:
            raise self.fail(f"an array claims {length} elements, more than the message can hold")
        if (form := _FIXED.get(kind)) is not None:
            start = self.skip(length * form.size)
            return list(struct.unpack_from(f"<{length}{form.format[-1]}", self.data, start))
        return [self.scalar(kind, depth) for _ in range(length)]

    def _shape(self, values: list[Any] | None, dimensions: list[int]) -> list[Any] | None:
        """``values`` as nested lists, last dimension innermost; dimensions that do not fit make it an error."""
        if values is None or len(dimensions) < 2:
            return values
        if any(size <= 0 for size in dimensions) or math.prod(dimensions) != len(values):
            if not values:
                return values
            raise self.fail(f"{len(values)} values do not fill the dimensions {dimensions[:8]}")
        if len(dimensions) > MAXIMUM_DEPTH:
            raise self.fail(f"an array has {len(dimensions)} dimensions")
        for size in reversed(dimensions[1:]):
            values = [values[start : start + size] for start in range(0, len(values), size)]
        return values

    def scalar(self, kind: int, depth: int = 0) -> Any:
        """One value of the built-in type ``kind``."""
        if (form := _FIXED.get(kind)) is not None:
            return form.unpack_from(self.data, self.skip(form.size))[0]
        read = _READERS.get(kind)
        if read is not None:
            return read(self)
        if kind == BuiltIn.DATA_VALUE:
            return self.data_value(depth)
        if kind == BuiltIn.VARIANT:
            return self.variant(depth + 1)
        if kind == BuiltIn.DIAGNOSTIC_INFO:
            return self.diagnostic(depth)
        raise self.fail(f"there is no built-in type {kind}")


_READERS: Final[dict[int, Callable[[Reader], Any]]] = {
    BuiltIn.NULL: lambda reader: None,
    BuiltIn.BOOLEAN: lambda reader: reader.byte() != 0,
    BuiltIn.STRING: Reader.string,
    BuiltIn.DATETIME: lambda reader: _time_text(reader.int64()),
    BuiltIn.GUID: Reader.guid,
    BuiltIn.BYTESTRING: Reader.bytes_,
    BuiltIn.XML_ELEMENT: Reader.string,
    BuiltIn.NODE_ID: Reader.node_id,
    BuiltIn.EXPANDED_NODE_ID: Reader.node_id,
    BuiltIn.QUALIFIED_NAME: lambda reader: _qualified(reader.uint16(), reader.string()),
    BuiltIn.LOCALIZED_TEXT: Reader.localized_text,
    BuiltIn.EXTENSION_OBJECT: Reader.extension,
}

_SMALLEST: Final[dict[int, int]] = {
    **{kind: form.size for kind, form in _FIXED.items()},
    BuiltIn.STRING: 4,
    BuiltIn.DATETIME: 8,
    BuiltIn.GUID: 16,
    BuiltIn.BYTESTRING: 4,
    BuiltIn.XML_ELEMENT: 4,
    BuiltIn.NODE_ID: 2,
    BuiltIn.EXPANDED_NODE_ID: 2,
    BuiltIn.QUALIFIED_NAME: 6,
    BuiltIn.EXTENSION_OBJECT: 3,
}


def _qualified(namespace: int, name: str | None) -> str:
    return f"{namespace}:{name or ''}" if namespace else name or ""


def _time_text(ticks: int) -> str:
    """RFC 3339 with as many decimals as there are; times outside 1601…9999 become these bounds (section 5.2.2.5)."""
    if ticks <= 0:
        return "1601-01-01T00:00:00Z"
    if ticks >= _LAST_TICK:
        return "9999-12-31T23:59:59Z"
    seconds, rest = divmod(ticks, 10_000_000)
    text = (_WINDOWS_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:07d}".rstrip("0") + "Z" if rest else f"{text}Z"


def to_text(kind: int, value: Any) -> str | None:
    """A value of a textual built-in type as the house keeps it: a localized text without its language."""
    if isinstance(value, LocalizedText):
        return value.text
    if value is None or isinstance(value, str):
        return value
    return to_json(kind, value)


def to_json(kind: int, value: Any) -> str:
    """Any value as JSON (OPC 10000-6, section 5.4, in its non-reversible form; 64-bit integers stay numbers).

    A structure is ``{"TypeId": …, "Body": …}`` with its bytes in base64: what it means stands in the server's types.
    """
    return msgspec.json.encode(_plain(kind, value)).decode()


def _plain(kind: int, value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes():
            return base64.b64encode(value).decode()
        case LocalizedText():
            return {"Locale": value.locale, "Text": value.text} if value.locale else value.text
        case Extension():
            return {"TypeId": value.type_id, "Body": _plain(0, value.body)}
        case tuple() if len(value) == 2:
            return _plain(value[0], value[1])
        case list():
            return [_plain(kind & 0x3F, element) for element in value]
        case dict():
            return {key: _plain(0, element) for key, element in value.items()}
        case _:
            return str(value)
