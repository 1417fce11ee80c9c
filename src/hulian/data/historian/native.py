"""ClickHouse's Native format, the part that an insert needs: numpy and Arrow columns in, one block of bytes out.

A block is a varint of the columns, a varint of the rows, then each column: name, type, data. Fixed types are their
little-endian bytes; ``Nullable(T)`` is a byte a row (1: null) and then T; ``String`` is a varint length and the bytes, row
by row; built here without a Python step a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["NativeBlock", "NativeColumn", "encode_strings", "fixed", "nullable", "stacked", "strings"]

Buffer = bytes | memoryview


class NativeColumn(NamedTuple):
    """A column of a block: its name, its ClickHouse type, and its data as they stand in the block."""

    name: str
    kind: str
    data: tuple[Buffer, ...]


class NativeBlock(NamedTuple):
    """Some rows of a table, ready to be inserted."""

    columns: Sequence[NativeColumn]
    rows: int

    @property
    def names(self) -> str:
        """The names of the columns, as SQL lists them."""
        return ", ".join(column.name for column in self.columns)

    @property
    def structure(self) -> str:
        """Names and types of the columns, as SQL declares them."""
        return ", ".join(f"{column.name} {column.kind}" for column in self.columns)

    def parts(self) -> Iterator[Buffer]:
        """The block's bytes, piece by piece and without a copy.

        >>> b"".join(NativeBlock([fixed("n", "UInt8", np.array([7, 8], np.uint8))], 2).parts())
        b'\\x01\\x02\\x01n\\x05UInt8\\x07\\x08'
        """
        yield _varint(len(self.columns)) + _varint(self.rows)
        for column in self.columns:
            yield _text(column.name) + _text(column.kind)
            yield from column.data


def stacked(blocks: Sequence[NativeBlock]) -> NativeBlock:
    """The rows of all ``blocks``, which have the same columns, none of them nullable, without a copy.

    >>> numbers = [NativeBlock([fixed("n", "UInt8", np.array([n], np.uint8))], 1) for n in (7, 8)]
    >>> b"".join(stacked(numbers).parts())
    b'\\x01\\x02\\x01n\\x05UInt8\\x07\\x08'
    """
    columns = [
        NativeColumn(same[0].name, same[0].kind, tuple(part for column in same for part in column.data))
        for same in zip(*(block.columns for block in blocks), strict=True)
    ]
    return NativeBlock(columns, sum(block.rows for block in blocks))


def fixed(name: str, kind: str, values: npt.NDArray[Any]) -> NativeColumn:
    """A column of a fixed-width type, whose bytes are those of ``values``."""
    return NativeColumn(name, kind, (_bytes_of(values),))


def nullable(name: str, kind: str, values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None) -> NativeColumn:
    """A ``Nullable`` column of a fixed-width type; ``missing`` is True where there is no value, None where all are there."""
    mask: Buffer = bytes(len(values)) if missing is None else _bytes_of(missing.view(np.uint8))
    return NativeColumn(name, f"Nullable({kind})", (mask, _bytes_of(values)))


def strings(name: str, values: pa.Array | Sequence[str | bytes], *, with_nulls: bool = False) -> NativeColumn:
    """A ``String`` or ``Nullable(String)`` column from an Arrow string or binary array, or from Python strings."""
    array = values if isinstance(values, pa.Array) else pa.array([_raw(value) for value in values], type=pa.binary())
    if not with_nulls:
        return NativeColumn(name, "String", (encode_strings(array),))
    mask: Buffer = bytes(len(array)) if not array.null_count else _bytes_of(_nulls(array).view(np.uint8))
    return NativeColumn(name, "Nullable(String)", (mask, encode_strings(array)))


def encode_strings(array: pa.Array) -> bytes:
    """Each row as a varint length and its bytes; a null as the empty string."""
    offsets, data = _offsets_and_data(array)
    lengths = np.diff(offsets)
    if array.null_count:
        missing = _nulls(array)
        if bool(lengths[missing].any()):
            return encode_strings(pa.array(array.to_pylist(), type=array.type).fill_null(""))
    if not len(lengths):
        return b""
    widths = np.ones(len(lengths), np.int64)
    for power in (7, 14, 21, 28):
        widths += lengths >= 1 << power
    starts = np.concatenate(([0], np.cumsum(lengths + widths)[:-1]))
    out = np.empty(int((lengths + widths).sum()), np.uint8)
    header = np.zeros(len(out), np.bool_)
    for place in range(int(widths.max())):
        rows = widths > place
        at = starts[rows] + place
        header[at] = True
        more = (widths[rows] > place + 1).astype(np.uint8) << 7
        out[at] = ((lengths[rows] >> (7 * place)) & 0x7F).astype(np.uint8) | more
    out[~header] = data[offsets[0] : offsets[-1]]
    return out.tobytes()


def _offsets_and_data(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    _, positions, data = array.buffers()
    dtype = np.dtype(np.int64 if wide else np.int32)
    if positions is None or len(array) == 0:
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    offsets = np.frombuffer(positions, dtype, len(array) + 1, array.offset * dtype.itemsize).astype(np.int64)
    return offsets, np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)


def _nulls(array: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _raw(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _bytes_of(values: npt.NDArray[Any]) -> memoryview:
    if not len(values):
        return memoryview(b"")
    return memoryview(np.ascontiguousarray(values).data).cast("B")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(value: str) -> bytes:
    raw = value.encode()
    return _varint(len(raw)) + raw
