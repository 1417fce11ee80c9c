"""Values of one kind, decoded together: an index of bytes taken from one buffer, seen as numbers.

Every byte and word order is only another index, so that all of them cost the same. No I/O.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.modbus.address import FIELDS, NUMERIC, WIDTHS, Place, byte_order
from hulian.network.exchange.protocols.modbus.config import BindingOptions
from hulian.network.exchange.protocols.modbus.errors import OptionError, ValueFitError

__all__ = ["Item", "Numbers", "decode_text", "encode_field", "encode_value", "wire_index"]

_INTEGER_MOST: Final = 2**63 - 1
_STRUCT: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float16": ">e",
    "float32": ">f",
    "float64": ">d",
}


_FITS: Final = {
    "bool": (StorageClass.BOOLEAN, StorageClass.INTEGER, StorageClass.DOUBLE),
    "bit": (StorageClass.BOOLEAN, StorageClass.INTEGER, StorageClass.DOUBLE),
    "string": (StorageClass.TEXT,),
    "bytes": (StorageClass.BYTES,),
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
        fits = _FITS.get(kind, (StorageClass.DOUBLE,))
        if (kind in WIDTHS and not kind.startswith("float")) or kind in FIELDS:
            if not options.scaled:
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
        return f"{self.place.type}{8 * self.place.width}" if self.place.type in FIELDS else self.place.type


def wire_index(item: Item) -> npt.NDArray[np.intp]:
    """Positions of the value's bytes, lowest first, from the first byte of its first register."""
    return np.array(byte_order(item.order, item.place.width), dtype=np.intp)


def _bit_index(item: Item) -> tuple[int, int]:
    """Byte and shift of one bit of a register."""
    low, high = byte_order("ba" if item.order in ("badc", "dcba", "ba") else "ab", 2)
    return (low, item.place.bit) if item.place.bit < 8 else (high, item.place.bit - 8)


class Numbers:
    """All items of one numeric kind and one storage class: which bytes they are made of, and what these bytes say.

    Decoding is a handful of array operations, however many items there are.
    """

    __slots__ = ("_bits", "_invalid", "_kind", "_mask", "_offset", "_scale", "_shift", "_sign", "_storage", "_view", "index")

    def __init__(self, kind: str, storage: StorageClass, members: Sequence[tuple[Item, int, int]]) -> None:
        """``members``: item, byte in the buffer, and bit in that byte (of a table of bits)."""
        self._kind = kind
        self._storage = storage
        self._bits = kind in ("bool", "bit")
        self._mask = self._sign = self._invalid = None
        self._shift: npt.NDArray[Any] = np.zeros(0, np.uint8)
        items = [item for item, *_ in members]
        if kind == "bool":
            self.index = np.array([start for _, start, _ in members], dtype=np.intp)
            self._shift = np.array([bit for *_, bit in members], dtype=np.uint8)
        elif kind == "bit":
            places = [(start, _bit_index(item)) for item, start, _ in members]
            self.index = np.array([start + byte for start, (byte, _) in places], dtype=np.intp)
            self._shift = np.array([shift for _, (_, shift) in places], dtype=np.uint8)
        else:
            self.index = np.array([start + wire_index(item) for item, start, _ in members], dtype=np.intp).ravel()
        width = items[0].place.width
        self._view = NUMERIC.get(kind, f"<u{width}" if items[0].place.type in FIELDS else "<u2")
        if items[0].place.type in FIELDS:
            self._shift = np.array([item.place.bit for item in items], dtype=self._view)
            self._mask = np.array([(1 << item.place.size) - 1 for item in items], dtype=self._view)
            if items[0].place.type == "sbits":
                self._sign = np.array([1 << (item.place.size - 1) for item in items], dtype=np.int64)
        scaled = any(item.options.scaled for item in items)
        self._scale = np.array([item.options.scale for item in items]) if scaled else None
        self._offset = np.array([item.options.offset for item in items])
        self._invalid = _invalid(items, np.dtype(self._view if kind in NUMERIC else np.int64))

    def decode(self, raw: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint32] | None]:
        """Values of all members out of the bytes at `index`, in an array of their own, and their statuses (None: all good).

        A value whose status is bad is meaningless.
        """
        status: npt.NDArray[np.uint32] | None = None
        found: npt.NDArray[Any]
        if self._bits:
            found = (raw >> self._shift) & 1
        elif self._kind.startswith(("bcd", "mod10k")):
            found, wrong = _decimal(raw, self._kind, len(self.index))
            if wrong.any():
                status = np.where(wrong, np.uint32(Quality.BAD_DECODING_ERROR), np.uint32(0))
        else:
            found = raw.view(self._view)
            if self._mask is not None:
                found = (found >> self._shift) & self._mask
                if self._sign is not None:
                    found = (found.astype(np.int64) ^ self._sign) - self._sign
        if self._invalid is not None:
            rows, numbers = self._invalid
            hit = rows[found[rows] == numbers]
            if len(hit):
                status = np.zeros(len(found), np.uint32) if status is None else status
                status[hit] = Quality.BAD_NO_DATA
        if self._storage is StorageClass.INTEGER:
            if self._kind == "uint64" and (over := found > _INTEGER_MOST).any():
                status = np.zeros(len(found), np.uint32) if status is None else status
                status[over & (status == 0)] = Quality.BAD_OUT_OF_RANGE
            return found.astype(np.int64), status
        if self._storage is StorageClass.DOUBLE:
            values = found.astype(np.float64)
            if self._scale is not None:
                values *= self._scale
                values += self._offset
            return values, status
        return (found.astype(np.bool_) if self._storage is StorageClass.BOOLEAN else found), status


def _invalid(items: Sequence[Item], kind: np.dtype[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]] | None:
    """Rows and the raw numbers that mean "no value" there; a number that the type cannot hold never comes."""
    pairs = [(row, number) for row, item in enumerate(items) for number in item.options.invalid]
    if kind.kind in "iu":
        span = np.iinfo(kind)
        pairs = [(row, number) for row, number in pairs if span.min <= number <= span.max]
    if not pairs:
        return None
    return np.array([row for row, _ in pairs], dtype=np.intp), np.array([number for _, number in pairs]).astype(kind)


def _decimal(raw: npt.NDArray[np.uint8], kind: str, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Numbers of decimal digits, lowest byte first, and which of them hold something that is no digit."""
    width = WIDTHS[kind]
    if kind.startswith("bcd"):
        digits = raw.reshape(size // width, width)
        low, high = (digits & 15).astype(np.int64), (digits >> 4).astype(np.int64)
        powers = np.array([100**place for place in range(width)], dtype=np.int64)
        numbers: npt.NDArray[np.int64] = ((low + 10 * high) * powers).sum(axis=1)
        wrong: npt.NDArray[np.bool_] = np.any((low > 9) | (high > 9), axis=1)
        return numbers, wrong
    groups = raw.view("<u2").reshape(size // width, width // 2).astype(np.int64)
    powers = np.array([10_000**place for place in range(width // 2)], dtype=np.int64)
    numbers = (groups * powers).sum(axis=1)
    wrong = np.any(groups > 9999, axis=1)
    return numbers, wrong


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
    """The registers of ``value`` in wire order; raises `ValueFitError` where they cannot hold it. Not for bits."""
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
        if kind.startswith("bcd"):
            packed = _decimal_bytes(raw, item.place.width)
        elif kind.startswith("mod10k"):
            packed = _modulo_bytes(raw, item.place.width)
        else:
            packed = struct.pack(_STRUCT[kind], raw)
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


def _modulo_bytes(value: int | float, width: int) -> bytes:
    groups = []
    rest = int(value)
    for _ in range(width // 2):
        rest, group = divmod(rest, 10_000)
        groups.append(group)
    if rest:
        raise ValueError(value)
    return struct.pack(f">{width // 2}H", *reversed(groups))


def encode_field(item: Item, value: Any) -> tuple[int, int]:
    """Mask and bits, both in place, of a bit field as a number of its registers; raises `ValueFitError`."""
    place, options = item.place, item.options
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueFitError(f"{value!r} is not a number", place=item.address)
    raw = (value - options.offset) / options.scale if options.scaled else value
    number = round(raw)
    if not options.scaled and number != raw:
        raise ValueFitError(f"{value} is not a whole number and the field has no scale", place=item.address)
    low, high = (-(1 << place.size - 1), (1 << place.size - 1) - 1) if place.type == "sbits" else (0, (1 << place.size) - 1)
    if not low <= number <= high:
        raise ValueFitError(f"{value} does not fit {place.size} bits", place=item.address)
    mask = (1 << place.size) - 1
    return mask << place.bit, (number & mask) << place.bit


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
