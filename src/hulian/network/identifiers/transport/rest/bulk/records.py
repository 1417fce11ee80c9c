"""Columns of rows as packed records: checked and packed column by column, without an object for each value."""

from __future__ import annotations

import time
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hulian.network.identifiers.transport.rest.bulk.rows import Refuse
from hulian.network.identifiers.transport.rest.errors import RowError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_MESSAGE, MAX_VALUES
from hulian.network.identifiers.wire.typed.values import check
from hulian.network.identifiers.wire.values import Value

__all__ = ["Records", "records_of"]

_COUNT: Final = Struct(">i")
_HEAD: Final = np.dtype(
    [("index", ">i4"), ("timestamp", ">u4"), ("ttl_type", "u1"), ("ttl", ">i4"), ("permissions", "u1"), ("type", ">i4")]
)
_ONE: Final = b"\0\0\0\1"
_LONGEST: Final = MAX_HANDLE - 32
_LARGEST: Final = MAX_MESSAGE - MAX_HANDLE - 256
_I32: Final = 0x7FFFFFFF
_HANDLE: Final = r"^[^/\x00-\x1f]+/[^\x00-\x1f]+$"


class Records(msgspec.Struct, frozen=True):
    """Records by columns: no two ``keys`` are alike; ``lines`` are those of their first rows."""

    handles: Sequence[str]
    keys: Sequence[bytes]
    packed: Sequence[bytes]
    lines: Sequence[int]

    def without(self, gone: set[int]) -> Records:
        """All but those at the positions ``gone``."""
        left = [place for place in range(len(self.keys)) if place not in gone]
        return Records(
            [self.handles[place] for place in left],
            [self.keys[place] for place in left],
            [self.packed[place] for place in left],
            [self.lines[place] for place in left],
        )


def records_of(rows: pa.RecordBatch, refuse: Refuse) -> Records:
    """The records of ``rows``, whose neighbours of one handle make one. A refused row refuses the record it belongs to, which
    would not be whole without it, and no other."""
    bad = _check(rows, refuse)
    handles = rows.column("handle")
    starts = _starts(handles)
    values = _packed(rows, bad)
    count = len(starts)
    lines = rows.column("line").take(pa.array(starts))
    if count == rows.num_rows:
        packed = pc.binary_join_element_wise(pa.scalar(_ONE), values, pa.scalar(b"")).to_pylist()
        names = handles
        gone = set(np.flatnonzero(bad).tolist()) if bad.any() else set()
    else:
        names = handles.take(pa.array(starts))
        packed, gone = _grouped(values.to_pylist(), rows, starts, bad, refuse)
    keys = pc.ascii_upper(names).cast(pa.binary()).to_pylist()
    found = Records(names.to_pylist(), keys, packed, lines.to_pylist())
    for place, one in enumerate(packed):
        if one is not None and len(one) > _LARGEST and place not in gone:
            refuse(found.lines[place], found.handles[place], RowError(f"a record of {len(one)} bytes, where {_LARGEST} fit"))
            gone.add(place)
    if len(set(keys)) != count:
        seen: set[bytes] = set()
        for place, key in enumerate(keys):
            if place in gone:
                continue
            if key in seen:
                refuse(found.lines[place], found.handles[place], RowError("the handle comes twice", hint=_TOGETHER))
                gone.add(place)
            seen.add(key)
    return found.without(gone) if gone else found


_TOGETHER: Final = "rows of one handle stand together, and make one record"


def _starts(handles: pa.Array) -> Any:
    if not len(handles):
        return np.zeros(0, np.int64)
    same = pc.fill_null(pc.equal(handles.slice(1), handles.slice(0, len(handles) - 1)), False)
    return np.concatenate(([0], np.flatnonzero(~same.to_numpy(zero_copy_only=False)) + 1))


def _check(rows: pa.RecordBatch, refuse: Refuse) -> Any:
    """Which rows are refused, a truth value each; each is told once, with the first rule that it breaks."""
    handle, kind, data = rows.column("handle"), rows.column("type"), rows.column("data")
    index, ttl, permissions = rows.column("index"), rows.column("ttl"), rows.column("permissions")
    rules = (
        (pc.match_substring_regex(handle, _HANDLE), "a handle is a prefix, a slash and a suffix, without control characters"),
        (pc.less_equal(pc.binary_length(handle), _LONGEST), f"a handle of more than {_LONGEST} bytes"),
        (
            pc.invert(pc.starts_with(handle, "0.NA/", ignore_case=True)),
            "a prefix is registered by itself, at /api/handles: others are asked for it",
        ),
        (_between(index, 1, _I32), f"an index is a number from 1 to {_I32}"),
        (_between(pc.binary_length(kind), 1, MAX_HANDLE), "a value needs a type"),
        (pc.is_valid(data), "a value needs data"),
        (_between(ttl, 0, _I32), f"a TTL is a number of seconds from 0 to {_I32}"),
        (pc.match_substring_regex(permissions, "^[01]{4}$"), "permissions are four binary digits, such as 1110"),
    )
    bad = np.zeros(rows.num_rows, bool)
    for good, message in rules:
        kept = pc.fill_null(good, False).to_numpy(zero_copy_only=False)
        for place in np.flatnonzero(~kept & ~bad).tolist():
            refuse(rows.column("line")[place].as_py(), handle[place].as_py() or "", RowError(message))
        bad |= ~kept
    typed = pc.fill_null(pc.starts_with(kind, "HS_", ignore_case=True), False).to_numpy(zero_copy_only=False) & ~bad
    for place in np.flatnonzero(typed).tolist():
        value = Value(index=index[place].as_py(), type=kind[place].as_py(), data=data[place].as_py())
        if (error := check(value)) is not None:
            refuse(rows.column("line")[place].as_py(), handle[place].as_py(), RowError(f"{value.type}: {error.message}"))
            bad[place] = True
    return bad


def _between(column: Any, least: int, most: int) -> Any:
    return pc.and_(pc.greater_equal(column, least), pc.less_equal(column, most))


def _packed(rows: pa.RecordBatch, bad: Any) -> Any:
    """Each row as a packed value; a refused one as null."""
    count = rows.num_rows
    kind, data = rows.column("type").cast(pa.binary()), rows.column("data")
    head = np.zeros(count, _HEAD)
    good = ~bad

    def numbers(column: Any) -> Any:
        return np.where(good, pc.fill_null(column, 0).to_numpy(zero_copy_only=False), 0)

    digits = pc.if_else(pa.array(good), pc.fill_null(rows.column("permissions"), "0000"), "0000").cast(pa.int64()).to_numpy()
    head["index"] = numbers(rows.column("index"))
    head["timestamp"] = int(time.time())
    head["ttl"] = numbers(rows.column("ttl"))
    head["permissions"] = digits // 1000 * 8 + digits // 100 % 10 * 4 + digits // 10 % 10 * 2 + digits % 10
    head["type"] = numbers(pc.binary_length(kind))
    length = numbers(pc.binary_length(data)).astype(">i4")
    joined = pc.binary_join_element_wise(
        _fixed(head), kind, _fixed(length), data, pa.scalar(b"\0\0\0\0"), pa.scalar(b""), null_handling="emit_null"
    )
    return pc.if_else(pa.array(good), joined, pa.scalar(None, pa.binary())) if bad.any() else joined


def _fixed(column: Any) -> Any:
    """An array of numbers or structs as one of their bytes."""
    made = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(column.dtype.itemsize), len(column), [None, pa.py_buffer(column.tobytes())]
    )
    return made.cast(pa.binary())


def _grouped(
    values: list[bytes | None], rows: pa.RecordBatch, starts: Any, bad: Any, refuse: Refuse
) -> tuple[list[bytes], set[int]]:
    """The counted values of each record, and the positions of those that are refused."""
    ends = [*starts[1:].tolist(), rows.num_rows]
    indexes = rows.column("index").to_pylist()
    packed: list[bytes] = []
    gone: set[int] = set()
    for place, (begin, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        part = [value for value in values[begin:end] if value is not None]
        packed.append(_COUNT.pack(len(part)) + b"".join(part))
        if len(part) != end - begin:
            gone.add(place)
        elif end - begin > 1 and (end - begin > MAX_VALUES or len(set(indexes[begin:end])) != end - begin):
            why = f"more than {MAX_VALUES} values" if end - begin > MAX_VALUES else "an index comes twice in the record"
            refuse(rows.column("line")[begin].as_py(), rows.column("handle")[begin].as_py(), RowError(why))
            gone.add(place)
    return packed, gone
