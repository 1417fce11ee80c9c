"""Addresses: ``[unit/]table:reference[:type[:order]]`` or ``[unit/]table@offset[:type[:order]]``.

Text in, `Place` out, and back; no I/O. The same register written in two ways is one place with one canonical text.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.modbus.errors import AddressError

__all__ = ["FIELDS", "NUMERIC", "WIDTHS", "Place", "Table", "byte_order", "check_order"]


class Table(StrEnum):
    """The four tables of the data model (Modbus Application Protocol 1.1b3, section 4.3)."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def bits(self) -> bool:
        """Whether an entry is one bit, not a register of 16."""
        return self is Table.COIL or self is Table.DISCRETE

    @property
    def writable(self) -> bool:
        """Whether the data model lets a master write to it."""
        return self in (Table.COIL, Table.HOLDING)


_DIGIT: Final = {Table.COIL: "0", Table.DISCRETE: "1", Table.INPUT: "3", Table.HOLDING: "4"}
_TABLE: Final = {digit: table for table, digit in _DIGIT.items()}

NUMERIC: Final = {
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "int64": "<i8",
    "uint64": "<u8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
}
"""Numeric types and their little-endian numpy form."""

WIDTHS: Final = {
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
    "bcd16": 2,
    "bcd32": 4,
    "bcd64": 8,
    "mod10k32": 4,
    "mod10k48": 6,
    "mod10k64": 8,
}
"""Bytes of each number. ``bcd`` has a decimal digit in four bits, ``mod10k`` (of energy meters) 0 to 9999 in a register."""

FIELDS: Final = ("bits", "sbits")
"""Some bits of one, two or four registers as a number: unsigned, and in two's complement."""

_ALIASES: Final = {
    "float": "float32",
    "double": "float64",
    "bcd": "bcd16",
    "real": "float32",
    "word": "uint16",
    "dword": "uint32",
}
_ADDRESS = re.compile(
    r"(?:(?P<unit>\d{1,3})/)?(?:(?P<table>[a-z]+)(?P<mark>[:@]))?(?P<number>\d{1,6})(?:\.(?P<dot>\d{1,2}))?"
    r"(?::(?P<type>[a-z][a-z0-9]*)(?:\[(?P<size>\d{1,3})(?:-(?P<last>\d{1,2}))?\])?(?::(?P<order>[a-h]{2,8}))?)?\Z"
)
_LETTERS: Final = "abcdefgh"


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a value lies and what it is made of.

    ``unit`` is None where the connector's own unit is meant; ``offset`` is zero-based; ``type`` one of ``bool``, ``bit``,
    `FIELDS`, `WIDTHS`, ``string``, ``bytes``; ``size`` the bytes of a string or the bits of a field; ``bit`` the (lowest) bit,
    0 being the lowest of the value; ``order`` the order of bytes on the wire, empty where the connector's own is meant.
    """

    unit: int | None
    table: Table
    offset: int
    type: str
    size: int = 0
    bit: int = 0
    order: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """Raises `AddressError` with the reason.

        >>> Place.parse("holding:40011:float32").canonical
        'holding@10:float32'
        >>> Place.parse("7/holding@10.3").canonical
        '7/holding@10:bit[3]'
        """
        return _parse(text)

    @classmethod
    def _parsed(cls, text: str) -> Place:
        found = _ADDRESS.match(text.strip().lower())
        if not found:
            raise AddressError(f"{text!r} is not a Modbus address", place=text)
        unit = int(found["unit"]) if found["unit"] else None
        if unit is not None and unit > 255:
            raise AddressError(f"unit {unit} is beyond 255", place=text)
        table, offset = _where(found["table"], found["mark"], found["number"], text)
        if table.bits:
            if found["type"] not in (None, "bool", "bit") or found["dot"] or found["size"] or found["order"]:
                raise AddressError(f"an entry of table '{table}' is one bit: its only type is 'bool'", place=text)
            return cls(unit, table, offset, "bool")
        return cls._register(unit, table, offset, found, text)

    @classmethod
    def _register(cls, unit: int | None, table: Table, offset: int, found: re.Match[str], text: str) -> Place:
        kind = _ALIASES.get(found["type"] or "", found["type"] or ("bit" if found["dot"] else "uint16"))
        size = int(found["size"]) if found["size"] else 0
        order = found["order"] or ""
        if found["last"] and kind not in FIELDS:
            raise AddressError(f"a '{kind}' has no range of bits; 'bits[4-7]' has", place=text)
        if kind in FIELDS:
            place = cls._field(unit, table, offset, found, text)
        elif kind in ("bit", "bool"):
            if not found["dot"] and not found["size"]:
                raise AddressError("a bit of a register needs its number, e.g. 'holding@0:bit[3]'", place=text)
            bit = int(found["dot"]) if found["dot"] else size
            if bit > 15 or (found["dot"] and found["size"]):
                raise AddressError("a register has the bits 0 (lowest) to 15", place=text)
            place = cls(unit, table, offset, "bit", bit=bit, order=order)
        elif found["dot"]:
            raise AddressError(f"a bit number and the type '{kind}' exclude each other", place=text)
        elif kind in ("string", "bytes"):
            if not 1 <= size <= 250:
                raise AddressError(f"'{kind}' needs its length of 1 to 250 bytes, e.g. '{kind}[16]'", place=text)
            place = cls(unit, table, offset, kind, size=size, order=order)
        elif kind in WIDTHS and not size:
            place = cls(unit, table, offset, kind, order=order)
        else:
            hint = f"types: bit[n], bits[n-m], sbits[n-m], {', '.join(WIDTHS)}, string[n], bytes[n]"
            raise AddressError(f"there is no type '{found['type']}' of this form", place=text, hint=hint)
        if order:
            check_order(order, place.width, text)
        if offset + place.count > 65536:
            raise AddressError("the value ends beyond the last register, 65535", place=text)
        return place

    @classmethod
    def _field(cls, unit: int | None, table: Table, offset: int, found: re.Match[str], text: str) -> Place:
        first, last = int(found["size"] or -1), int(found["last"] or -1)
        if found["dot"] or not 0 <= first <= last <= 63 or last - first > 31:
            hint = "bits count from 0, the lowest, to 63 of four registers; a field has 1 to 32 of them"
            raise AddressError(f"'{found['type']}' needs its first and last bit, e.g. 'bits[4-7]'", place=text, hint=hint)
        return cls(unit, table, offset, found["type"], size=last - first + 1, bit=first, order=found["order"] or "")

    @property
    def count(self) -> int:
        """Registers (or bits) that the value takes."""
        return 1 if self.table.bits else (self.width + 1) // 2

    @property
    def width(self) -> int:
        """Bytes of the value itself, or of the registers that hold a bit field."""
        if self.type in FIELDS:
            last = self.bit + self.size
            return 2 if last <= 16 else 4 if last <= 32 else 8
        return WIDTHS.get(self.type, self.size or 2)

    @property
    def canonical(self) -> str:
        """The one text of this place, with a zero-based offset."""
        unit = "" if self.unit is None else f"{self.unit}/"
        size = self.bit if self.type == "bit" else self.size
        if self.type in FIELDS:
            kind = f"{self.type}[{self.bit}-{self.bit + self.size - 1}]"
        else:
            kind = f"{self.type}[{size}]" if self.type in ("bit", "string", "bytes") else self.type
        suffix = "" if self.table.bits else f":{kind}" + (f":{self.order}" if self.order else "")
        return f"{unit}{self.table}@{self.offset}{suffix}"

    @property
    def reference(self) -> str:
        """The same entry as manuals number it: table digit and a one-based number of four or five digits."""
        number = self.offset + 1
        return f"{_DIGIT[self.table]}{number:04d}" if number <= 9999 else f"{_DIGIT[self.table]}{number:05d}"

    def natural_storage(self, *, scaled: bool = False) -> StorageClass:
        """The storage class a value of this type has where nobody asks for another."""
        if self.type in ("bool", "bit"):
            return StorageClass.BOOLEAN
        if self.type == "string":
            return StorageClass.TEXT
        if self.type == "bytes":
            return StorageClass.BYTES
        return StorageClass.DOUBLE if scaled or self.type.startswith("float") else StorageClass.INTEGER


@lru_cache(maxsize=65_536)
def _parse(text: str) -> Place:
    """Devices of one make have the same addresses: hundreds of connections parse each only once."""
    return Place._parsed(text)  # noqa: SLF001 - one thing in two parts


def _where(name: str | None, mark: str | None, number: str, text: str) -> tuple[Table, int]:
    """Table and zero-based offset from the two ways to write them."""
    if name is None and len(number) in (5, 6) and number[0] in _TABLE:
        name, mark = _TABLE[number[0]].value, ":"
    try:
        table = Table(name or "")
    except ValueError as error:
        hint = f"tables: {', '.join(Table)}"
        raise AddressError(f"there is no table '{name or number}'", place=text, hint=hint) from error
    if mark == "@":
        if int(number) > 65535:
            raise AddressError("an offset lies between 0 and 65535", place=text)
        return table, int(number)
    digit = _DIGIT[table]
    if len(number) not in (5, 6) or number[0] != digit or not 1 <= int(number[1:]) <= 65536:
        raise AddressError(
            f"{number} is not a reference of table '{table}': five or six digits from {digit}0001 on",
            place=text,
            hint=f"write '{table}@{int(number)}' for a zero-based offset",
        )
    return table, int(number[1:]) - 1


def check_order(order: str, width: int, place: str) -> None:
    """Raises `AddressError` unless ``order`` names a byte order for ``width`` bytes."""
    fits = len(order) == width and sorted(order) == list(_LETTERS[:width])
    if not (fits or order in ("abcd", "badc", "cdab", "dcba", "ab", "ba")):
        raise AddressError(
            f"'{order}' is not an order of {width} bytes",
            place=place,
            hint="abcd (as the standard says), badc (bytes swapped), cdab (words swapped), dcba (both), or every byte named",
        )


def byte_order(order: str, width: int) -> tuple[int, ...]:
    """For each byte from the lowest to the highest: its position on the wire, in a value of ``width`` bytes.

    The four general orders apply to any width: 'b' before 'a' swaps the bytes within each register, 'c' before 'a' reverses
    the registers. An order that names every byte is taken literally.

    >>> byte_order("abcd", 4), byte_order("cdab", 4), byte_order("cdab", 8)
    ((3, 2, 1, 0), (1, 0, 3, 2), (1, 0, 3, 2, 5, 4, 7, 6))
    """
    if len(order) == width and order not in ("abcd", "badc", "cdab", "dcba"):
        return tuple(order.index(letter) for letter in reversed(_LETTERS[:width]))
    swapped = order in ("badc", "dcba", "ba")
    words = range(width // 2)
    if order in ("cdab", "dcba"):
        words = words[::-1]
    big_endian = [2 * word + half for word in words for half in ((1, 0) if swapped else (0, 1))]
    return tuple(reversed(big_endian))
