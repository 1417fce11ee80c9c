"""Packed columns: the form of small batches.

Behind the header (`hulian.network.exchange.spine.header`) follow series u64[n], time i64[n], status u32[n] (absent where all
are good), a validity bitmap of ceil(n/8) bytes (absent where every sample has a value), then values: f64[n], i64[n], u8[n],
or offsets u32[n+1] and data. Messages of one layout are read by one numpy structured view, whatever their number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.errors import CodecError
from hulian.network.exchange.spine.header import FIXED, NUMBERS, WITH_NULLS, WITH_STATUS, Form, Layout

__all__ = ["pack", "read_fixed", "read_variable", "structure"]


def pack(columns: Columns) -> tuple[int, list[Any]]:
    """Flags and the buffers of the columns, in order."""
    count, value = len(columns), columns.value
    flags = 0
    status = columns.status.tobytes()
    body: list[Any] = [columns.series.tobytes(), columns.time.tobytes()]
    if status.count(0) < len(status):  # for a few hundred bytes much quicker than numpy's any
        flags |= WITH_STATUS
        body.append(status)
    if value.null_count:
        flags |= WITH_NULLS
        body.append(np.packbits(_valid(value), bitorder="little").tobytes())
    kind = FIXED.get(columns.storage)
    if kind is None:
        offsets, data = _variable(value)
        body += [offsets.tobytes(), data]
    elif columns.storage is StorageClass.BOOLEAN:
        bits = np.frombuffer(value.buffers()[1], np.uint8) if count else np.empty(0, np.uint8)
        body.append(np.unpackbits(bits, bitorder="little")[value.offset : value.offset + count].tobytes())
    elif count:
        start = value.offset * kind.itemsize
        body.append(memoryview(value.buffers()[1])[start : start + count * kind.itemsize])
    return flags, body


def _valid(value: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(value.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def _variable(value: pa.Array) -> tuple[npt.NDArray[np.uint32], bytes]:
    """Offsets from 0 and the data of a string or binary array."""
    if not len(value):
        return np.zeros(1, np.uint32), b""
    _, offsets, data = value.buffers()
    raw = np.frombuffer(offsets, np.int32)[value.offset : value.offset + len(value) + 1]
    first, last = int(raw[0]), int(raw[-1])
    return (raw - first).astype(np.uint32), data.slice(first, last - first).to_pybytes() if data is not None else b""


@lru_cache(maxsize=2048)
def structure(layout: Layout, length: int) -> np.dtype[Any]:
    """Header numbers and columns of one message of fixed width as a structured type."""
    count, place = layout.samples, layout.body - NUMBERS.size
    fields: list[tuple[str, Any, int]] = [
        ("epoch", "<u8", place),
        ("sequence", "<u8", place + 8),
        ("offset", "<u8", place + 16),
        ("received", "<i8", place + 24),
    ]
    place = layout.body
    kind = FIXED.get(layout.storage)
    columns: list[tuple[str, str, int]] = [("series", "<u8", count), ("time", "<i8", count)]
    if layout.flags & WITH_STATUS:
        columns.append(("status", "<u4", count))
    if layout.flags & WITH_NULLS:
        columns.append(("valid", "u1", -(-count // 8)))
    if kind is not None:
        columns.append(("value", kind.str, count))
    for name, code, width in columns if layout.form == Form.PACKED else []:
        item = np.dtype(code)
        fields.append((name, (item, (width,)), place))
        place += item.itemsize * width
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": length})


def read_fixed(layout: Layout, table: npt.NDArray[Any]) -> Columns:
    """The columns of all messages in ``table``, one copy each."""
    total = len(table) * layout.samples
    value = np.ascontiguousarray(table["value"]).reshape(-1)
    bitmap = None
    if layout.flags & WITH_NULLS:
        valid = np.unpackbits(np.ascontiguousarray(table["valid"]), axis=1, count=layout.samples, bitorder="little")
        bitmap = pa.py_buffer(np.packbits(valid.reshape(-1), bitorder="little").tobytes())
    if layout.storage is StorageClass.BOOLEAN:
        data = pa.py_buffer(np.packbits(value != 0, bitorder="little").tobytes())
    else:
        data = pa.py_buffer(value)
    return Columns(
        layout.storage,
        np.ascontiguousarray(table["series"]).reshape(-1),
        np.ascontiguousarray(table["time"]).reshape(-1),
        pa.Array.from_buffers(value_type(layout.storage), total, [bitmap, data]),
        np.ascontiguousarray(table["status"]).reshape(-1) if layout.flags & WITH_STATUS else np.zeros(total, np.uint32),
    )


def read_variable(layout: Layout, raw: bytes) -> Columns:
    """The columns of one message of strings or bytes; offsets and UTF-8 are checked."""
    count, place = layout.samples, layout.body
    series = np.frombuffer(raw, "<u8", count, place).astype(np.uint64)
    time = np.frombuffer(raw, "<i8", count, place + 8 * count).astype(np.int64)
    place += 16 * count
    status = np.zeros(count, np.uint32)
    if layout.flags & WITH_STATUS:
        status = np.frombuffer(raw, "<u4", count, place).astype(np.uint32)
        place += 4 * count
    bitmap = None
    if layout.flags & WITH_NULLS:
        bitmap = pa.py_buffer(raw[place : place + -(-count // 8)])
        place += -(-count // 8)
    offsets = np.frombuffer(raw, "<u4", count + 1, place)
    place += 4 * (count + 1)
    size = len(raw) - place
    if offsets[0] != 0 or offsets[-1] != size or (offsets[1:] < offsets[:-1]).any():
        raise CodecError("the offsets of a text or bytes column do not fit its data")
    value = pa.Array.from_buffers(
        value_type(layout.storage),
        count,
        [bitmap, pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(raw[place:])],
    )
    return Columns(layout.storage, series, time, _checked(value), status)


def _checked(value: pa.Array) -> pa.Array:
    try:
        value.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CodecError(f"a value column is not valid: {error}") from error
    return value
