"""Values of one kind, decoded together: an index of bytes taken from one buffer, seen as numbers.

Every byte and word order is only another index, so that all of them cost the same. No I/O.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.modbus.address import NUMERIC, Place, byte_order
from hulian.network.exchange.protocols.modbus.config import BindingOptions
from hulian.network.exchange.protocols.modbus.errors import OptionError, ValueFitError

__all__ = ["Item", "Numbers", "decode_text", "encode_value", "wire_index"]

_INTEGER_MOST: Final = 2**63 - 1
_STRUCT: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}


class Item(msgspec.Struct, frozen=True):
    """One value that is read: where it lies, how it is read, and the series that it feeds."""

    series: int
    address: str
    place: Place
    options: BindingOptions
    storage: StorageClass
    unit: int
    order: str

    @classmethod
    def of(
        cls, series: int, address: str, place: Place, options: BindingOptions, storage: StorageClass, *, unit: int, order: str
    ) -> Item:
        """Raises `OptionError` where type and storage class do not go together."""
        kind = place.type
        fits = {
            "bool": (StorageClass.BOOLEAN, StorageClass.INTEGER, StorageClass.DOUBLE),
            "bit": (StorageClass.BOOLEAN, StorageClass.INTEGER, StorageClass.DOUBLE),
            "string": (StorageClass.TEXT,),
            "bytes": (StorageClass.BYTES,),
        }.get(kind, (StorageClass.DOUBLE,))
        if kind in NUMERIC or kind.startswith("bcd"):
            if not kind.startswith("float") and not options.scaled:
                fits = (StorageClass.INTEGER, StorageClass.DOUBLE)
            if kind == "uint64" and not options.scaled:
                fits = (*fits, StorageClass.STRUCTURE)
        if storage not in fits:
            scaled = "scaled " if options.scaled else ""
            raise OptionError(
                f"a {scaled}{kind} cannot be kept as {storage}", place=address, hint=f"it can be kept as {' or '.join(fits)}"
            )
        if options.scaled and kind in ("bool", "bit", "string", "bytes"):
            raise OptionError(f"a {kind} has no scale and no offset", place=address)
        return cls(series, address, place, options, storage, unit, options.order or place.order or order)

    @property
    def kind(self) -> str:
        """Items of equal kind are decoded together."""
        return self.place.type


def wire_index(item: Item) -> npt.NDArray[np.intp]:
    """Positions of the value's bytes, lowest first, from the first byte of its first register."""
    return np.array(byte_order(item.order, item.place.width), dtype=np.intp)


def _bit_index(item: Item) -> tuple[int, int]:
    """Byte and shift of one bit of a register."""
    low, high = byte_order("ba" if item.order in ("badc", "dcba", "ba") else "ab", 2)
    return (low, item.place.bit) if item.place.bit < 8 else (high, item.place.bit - 8)


class Numbers:
    """All items of one numeric kind and one storage class: where their bytes lie, and where their values go."""

    __slots__ = ("_bits", "_index", "_invalid", "_kind", "_offset", "_scale", "_scaled", "_shift", "_storage", "positions")

    def __init__(self, kind: str, storage: StorageClass, members: list[tuple[int, Item, int, int]]) -> None:
        """``members``: position in the output, item, byte in the buffer, and bit in that byte (of a table of bits)."""
        self._kind = kind
        self._storage = storage
        self.positions = np.array([position for position, *_ in members], dtype=np.intp)
        self._bits = kind in ("bool", "bit")
        if kind == "bool":
            self._index = np.array([start for _, _, start, _ in members], dtype=np.intp)
            self._shift = np.array([bit for *_, bit in members], dtype=np.uint8)
        elif kind == "bit":
            places = [(start, _bit_index(item)) for _, item, start, _ in members]
            self._index = np.array([start + byte for start, (byte, _) in places], dtype=np.intp)
            self._shift = np.array([shift for _, (_, shift) in places], dtype=np.uint8)
        else:
            self._index = np.array([start + wire_index(item) for _, item, start, _ in members], dtype=np.intp)
            self._shift = np.zeros(0, np.uint8)
        self._scale = np.array([item.options.scale for _, item, _, _ in members])
        self._offset = np.array([item.options.offset for _, item, _, _ in members])
        self._scaled = any(item.options.scaled for _, item, _, _ in members)
        self._invalid = [(row, member[1].options.invalid) for row, member in enumerate(members) if member[1].options.invalid]

    def decode(self, buffer: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint32]]:
        """Values and statuses of all members; a value whose status is bad is meaningless."""
        status = np.zeros(len(self.positions), np.uint32)
        raw: npt.NDArray[Any]
        if self._bits:
            raw = (buffer[self._index] >> self._shift) & 1
        elif self._kind.startswith("bcd"):
            raw = self._decimal(buffer[self._index], status)
        else:
            raw = np.ascontiguousarray(buffer[self._index]).view(NUMERIC[self._kind]).ravel()
        for row, invalid in self._invalid:
            if int(raw[row]) in invalid if math.isfinite(raw[row]) else False:
                status[row] = Quality.BAD_NO_DATA
        if self._storage is StorageClass.INTEGER:
            if self._kind == "uint64":
                status[raw > _INTEGER_MOST] = Quality.BAD_OUT_OF_RANGE
            return raw.astype(np.int64), status
        if self._storage is StorageClass.DOUBLE:
            values = raw.astype(np.float64)
            return (values * self._scale + self._offset if self._scaled else values), status
        return (raw.astype(np.bool_) if self._storage is StorageClass.BOOLEAN else raw), status

    def _decimal(self, digits: npt.NDArray[np.uint8], status: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        low, high = (digits & 15).astype(np.int64), (digits >> 4).astype(np.int64)
        status[((low > 9) | (high > 9)).any(axis=1)] = Quality.BAD_DECODING_ERROR
        powers = np.array([100**place for place in range(digits.shape[1])], dtype=np.int64)
        total: npt.NDArray[np.int64] = ((low + 10 * high) * powers).sum(axis=1)
        return total


def decode_text(item: Item, raw: bytes) -> str | bytes | None:
    """A string (up to its first NUL, white space behind it dropped) or bytes; None where it is not text."""
    if item.order in ("badc", "dcba", "ba"):
        even = raw + b"\0" * (len(raw) % 2)
        raw = bytes(byte for pair in zip(even[1::2], even[::2], strict=True) for byte in pair)
    raw = raw[: item.place.size]
    if item.place.type == "bytes":
        return raw
    try:
        return raw.partition(b"\0")[0].decode(item.options.encoding).rstrip()
    except UnicodeDecodeError:
        return None


def encode_value(item: Item, value: Any) -> bytes:
    """The registers of ``value`` in wire order; raises `ValueFitError` where they cannot hold it. Not for single bits."""
    kind, options = item.place.type, item.options
    if kind in ("string", "bytes"):
        return _encode_text(item, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueFitError(f"{value!r} is not a number", place=item.address)
    if not math.isfinite(value) and not kind.startswith("float"):
        raise ValueFitError(f"{value} does not fit a {kind}", place=item.address)
    raw: int | float = (value - options.offset) / options.scale if options.scaled else value
    if not kind.startswith("float"):
        nearest = round(raw)
        if not options.scaled and nearest != raw:
            raise ValueFitError(f"{value} is not a whole number and the register has no scale", place=item.address)
        raw = nearest
    try:
        packed = _decimal_bytes(raw, item.place.width) if kind.startswith("bcd") else struct.pack(_STRUCT[kind], raw)
    except (struct.error, OverflowError, ValueError) as error:
        raise ValueFitError(f"{value} does not fit a {kind}", place=item.address) from error
    wire = bytearray(len(packed))
    for place, byte in zip(byte_order(item.order, len(packed)), reversed(packed), strict=True):
        wire[place] = byte
    return bytes(wire)


def _decimal_bytes(value: int | float, width: int) -> bytes:
    digits = f"{value:0{2 * width}d}"
    if len(digits) != 2 * width or digits.startswith("-"):
        raise ValueError(digits)
    return bytes.fromhex(digits)


def _encode_text(item: Item, value: Any) -> bytes:
    if isinstance(value, str) and item.place.type == "string":
        try:
            raw = value.encode(item.options.encoding)
        except UnicodeEncodeError as error:
            raise ValueFitError(f"{value!r} has no form in {item.options.encoding}", place=item.address) from error
    elif isinstance(value, bytes):
        raw = value
    else:
        raise ValueFitError(f"{value!r} is not a {item.place.type}", place=item.address)
    if len(raw) > item.place.size:
        raise ValueFitError(f"{len(raw)} bytes do not fit {item.place.size}", place=item.address)
    raw = raw.ljust(2 * item.place.count, b"\0")
    if item.order in ("badc", "dcba", "ba"):
        raw = bytes(byte for pair in zip(raw[1::2], raw[::2], strict=True) for byte in pair)
    return raw
