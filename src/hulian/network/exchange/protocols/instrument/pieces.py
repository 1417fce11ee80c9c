"""What a record on the line is made of: literals, fields, lists of values, lengths and check sums. Bytes in, values out.

A piece is compiled once from the description; nothing of a description is ever executed. `Incomplete` means that more has to
come; `Mismatch` that what came is not this record.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

__all__ = [
    "BINARY",
    "CHECKSUMS",
    "Checksum",
    "FieldPiece",
    "Incomplete",
    "Length",
    "Literal",
    "Mismatch",
    "Piece",
    "ValuesPiece",
    "checked_pattern",
]

BINARY: Final = {
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_WHOLE: Final = re.compile(r"[+-]?\d{1,20}")
_PATTERN: Final = re.compile(r"(?:[^%]|%%){0,32}%[-+ 0#]{0,5}(\d{0,2})(?:\.(\d{1,2}))?([dfeEgGxXos])(?:[^%]|%%){0,32}")
_LIST: Final = re.compile(rb"[0-9eE+\-.,;:|/ \t\r\n]*|(?:[+-]?(?:nan|inf)|[0-9eE+\-.,;:|/ \t\r\n])*", re.IGNORECASE)
_LONGEST: Final = 65_536
"""Bytes of one text field."""


class Incomplete(Exception):  # noqa: N818 - no error: more has to come
    """The record is not complete; ``needed`` bytes are, where it is known."""

    def __init__(self, needed: int = 0) -> None:
        super().__init__(needed)
        self.needed = needed


class Mismatch(Exception):  # noqa: N818 - no error: it is another record
    """This is not the record."""


class Literal(msgspec.Struct, frozen=True):
    """Bytes that are always there."""

    data: bytes
    terminates: bool = False


class FieldPiece(msgspec.Struct, frozen=True):
    """One value. ``width`` 0 means: up to the literal behind it."""

    name: str
    kind: str
    """``number``, ``integer``, ``boolean``, ``text`` or ``bytes``."""
    form: str = "text"
    """``text``, ``hex``, ``base64``, or a binary type, or ``bytes``."""
    order: str = ">"
    width: int = 0
    fill: str = " "
    align: str = "right"
    pattern: str = ""
    true: str = "1"
    false: str = "0"
    quote: str = ""
    missing: str = ""
    encoding: str = "ascii"

    @property
    def size(self) -> int:
        """Bytes on the line; 0 where that is not fixed."""
        return struct.calcsize(BINARY[self.form]) if self.form in BINARY else self.width

    # -- out -----------------------------------------------------------------------------------------------------------

    def encode(self, value: Any) -> bytes:
        """Raises `ValueError` for a value that does not fit."""
        if self.form in BINARY:
            try:
                return struct.pack(self.order + BINARY[self.form], value)
            except (struct.error, OverflowError) as error:
                raise ValueError(f"{value!r} does not fit into {self.form}") from error
        data = self._text(value)
        if self.width and len(data) > self.width:
            raise ValueError(f"{value!r} is longer than {self.width} bytes")
        if self.width:
            fill = self.fill.encode(self.encoding)
            data = data.rjust(self.width, fill) if self.align == "right" else data.ljust(self.width, fill)
        return data

    def _text(self, value: Any) -> bytes:
        if isinstance(value, bytes):
            return (
                value
                if self.form == "bytes"
                else base64.b64encode(value)
                if self.form == "base64"
                else value.hex().upper().encode()
            )
        if isinstance(value, bool):
            text = self.true if value else self.false
        elif self.pattern:
            text = self.pattern % value
        else:
            text = str(value)
        if self.quote:
            text = self.quote + text.replace(self.quote, self.quote * 2) + self.quote
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise ValueError(f"{value!r} cannot be said in {self.encoding}") from error

    # -- in ------------------------------------------------------------------------------------------------------------

    def decode(self, data: bytes) -> Any:
        """The value of the bytes that are the field's. Raises `Mismatch`."""
        if self.form in BINARY:
            return struct.unpack(self.order + BINARY[self.form], data)[0]
        if self.form == "bytes":
            return data
        try:
            text = data.decode(self.encoding).strip(self.fill + " " if self.width else " \t")
            if self.missing and text == self.missing:
                return None
            if self.form == "hex":
                raw = bytes.fromhex(text)
                return raw if self.kind == "bytes" else int.from_bytes(raw, "big")
            if self.form == "base64":
                return base64.b64decode(text, validate=True)
        except (UnicodeDecodeError, ValueError, binascii.Error) as error:
            raise Mismatch(f"{self.name}: {error}") from error
        return self._value(text)

    def _value(self, text: str) -> Any:
        if self.kind == "text":
            return self._unquoted(text)
        if self.kind == "boolean":
            if text in (self.true, self.false):
                return text == self.true
        elif self.kind == "integer":
            if _WHOLE.fullmatch(text):
                return int(text)
        elif _NUMBER.fullmatch(text) and len(text) <= 64:
            return float(text)
        raise Mismatch(f"{self.name}: {text[:40]!r} is no {self.kind}")

    def _unquoted(self, text: str) -> str:
        if not self.quote:
            return text
        if len(text) < 2 or text[0] != self.quote or text[-1] != self.quote:
            raise Mismatch(f"{self.name}: {text[:40]!r} is not in quotes")
        return text[1:-1].replace(self.quote * 2, self.quote)


class ValuesPiece(msgspec.Struct, frozen=True):
    """Rows of numbers, one column a name. ``count`` 0: as many as come; ``framing``: ``text``, ``ieee488`` or ``fixed``."""

    names: tuple[str, ...]
    framing: str = "text"
    separator: str = ","
    form: str = ""
    order: str = ">"
    count: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one number of a binary block."""
        return np.dtype(self.order + {"b": "i1", "B": "u1"}.get(BINARY[self.form], BINARY[self.form]))

    def columns(self, data: bytes) -> dict[str, Any]:
        """One numpy array of doubles for each name. Raises `Mismatch`."""
        if self.framing == "text":
            if not _LIST.fullmatch(data):
                raise Mismatch("the list holds what is no number")
            parts = data.decode("ascii").split(self.separator) if data.strip() else []
            try:
                numbers = np.array(parts, dtype=np.float64)
            except ValueError as error:
                raise Mismatch(f"the list holds what is no number: {error}") from error
        else:
            if len(data) % self.dtype.itemsize:
                raise Mismatch(f"a block of {len(data)} bytes holds no whole number of {self.form}")
            numbers = np.frombuffer(data, self.dtype).astype(np.float64)
        width = len(self.names)
        if len(numbers) % width:
            raise Mismatch(f"{len(numbers)} numbers are no whole rows of {width}")
        if self.count and len(numbers) != self.count * width:
            raise Mismatch(f"{len(numbers) // width} rows came, {self.count} were described")
        table = numbers.reshape(-1, width)
        return {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(self.names)}


class Length(msgspec.Struct, frozen=True):
    """How many bytes stand between here and the check sum or the terminator."""

    form: str = "uint16"
    order: str = ">"

    @property
    def layout(self) -> struct.Struct:
        """Of the number itself."""
        return struct.Struct(self.order + BINARY[self.form])


def _crc16(data: bytes, polynomial: int, register: int) -> int:
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ polynomial if register & 1 else register >> 1
    return register


def _xor(data: bytes) -> int:
    found = 0
    for byte in data:
        found ^= byte
    return found


CHECKSUMS: Final[dict[str, tuple[int, Callable[[bytes], int]]]] = {
    "xor8": (1, _xor),
    "sum8": (1, lambda data: sum(data) & 0xFF),
    "lrc8": (1, lambda data: -sum(data) & 0xFF),
    "sum16": (2, lambda data: sum(data) & 0xFFFF),
    "crc16-modbus": (2, lambda data: _crc16(data, 0xA001, 0xFFFF)),
    "crc16-ccitt": (2, lambda data: binascii.crc_hqx(data, 0xFFFF)),
    "crc32": (4, zlib.crc32),
}
"""Bytes and function of each check sum that a description may name."""


class Checksum(msgspec.Struct, frozen=True):
    """A check sum of all bytes from ``start`` of the record to here."""

    kind: str
    start: int = 0
    form: str = "hex"
    """``hex`` (two digits a byte) or ``binary``."""
    order: str = ">"

    @property
    def size(self) -> int:
        """Bytes on the line."""
        return CHECKSUMS[self.kind][0] * (2 if self.form == "hex" else 1)

    def of(self, data: bytes) -> bytes:
        """The check sum as it stands behind ``data``."""
        size, function = CHECKSUMS[self.kind]
        found = function(data[self.start :]).to_bytes(size, "big" if self.order == ">" else "little")
        return found.hex().upper().encode() if self.form == "hex" else found


Piece = Literal | FieldPiece | ValuesPiece | Length | Checksum


def checked_pattern(pattern: str, kind: str) -> str:
    """A printf pattern that can do no harm: one conversion, at most 99 wide. Raises `ValueError`.

    >>> checked_pattern("%08.3f", "number") % 1.5
    '0001.500'
    """
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise ValueError(f"{pattern!r} is no pattern with one conversion such as %08.3f, %d or %s")
    wanted = {"number": "feEgG", "integer": "dxXofeEgG", "text": "s", "boolean": "d"}.get(kind, "")
    if found[3] not in wanted:
        raise ValueError(f"the pattern {pattern!r} is none for a {kind}")
    return pattern


def taken_text(piece: FieldPiece | ValuesPiece, buffer: bytes, at: int, until: bytes, terminator: bytes, most: int) -> bytes:
    """The bytes up to ``until``, not across ``terminator``. Raises `Incomplete`, `Mismatch`."""
    end = (
        _outside_quotes(buffer, at, until, piece.quote)
        if isinstance(piece, FieldPiece) and piece.quote
        else buffer.find(until, at)
    )
    stop = buffer.find(terminator, at) if terminator else -1
    if stop >= 0 and (end < 0 or stop < end):
        raise Mismatch("the record ends too early")
    longest = most if isinstance(piece, ValuesPiece) else min(most, _LONGEST)
    if end < 0:
        if len(buffer) - at > longest:
            raise Mismatch(f"more than {longest} bytes without an end")
        raise Incomplete
    if end - at > longest:
        raise Mismatch(f"more than {longest} bytes in one field")
    return buffer[at:end]


def _outside_quotes(buffer: bytes, at: int, until: bytes, quote: str) -> int:
    """Where ``until`` stands behind the closing quote; -1 where it is not there yet."""
    mark = quote.encode()
    if buffer[at : at + 1] != mark:
        return buffer.find(until, at)
    place = at + 1
    while True:
        place = buffer.find(mark, place)
        if place < 0:
            return -1
        if buffer[place + 1 : place + 2] == mark:
            place += 2
            continue
        return buffer.find(until, place + 1)
