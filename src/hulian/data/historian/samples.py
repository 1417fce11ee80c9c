"""Samples as they were stored: the newest ones, and those of a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from hulian.data.historian import schema
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import NUMERIC
from hulian.data.historian.contract import LastValues, RawWindow
from hulian.data.historian.errors import RequestError
from hulian.data.historian.sql import instant, listed
from hulian.kernel.sample import SCHEMAS
from hulian.kernel.storage import StorageClass

__all__ = ["LAST_SCHEMA", "TRUNCATED", "last_values", "raw_window", "samples", "text_of"]

LAST_SCHEMA: Final = pa.schema(
    [
        pa.field("series", pa.uint64(), nullable=False),
        pa.field("time", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("value", pa.string()),
        pa.field("number", pa.float64()),
        pa.field("status", pa.uint32(), nullable=False),
        pa.field("storage", pa.string(), nullable=False),
    ]
)
TRUNCATED: Final = b"truncated"
_NEAR: Final = (3_600, 7 * 86_400)
_COLUMNS: Final = "series, time, value, status"


def last_values(asking: Asking, request: LastValues) -> Iterator[pa.RecordBatch]:
    """The newest sample of each series."""
    if request.series:
        chosen = [(storage, f" WHERE series IN {listed(names)}") for storage, names in asking.by_class(request.series)]
    else:
        chosen = [(storage, "") for storage, newest in asking.newest.items() if len(newest)]
    for storage, where in chosen:
        statement = f"SELECT {_COLUMNS} FROM {asking.database}.{schema.last(storage)} FINAL{where} ORDER BY series"
        for batch in asking.stream(statement, SCHEMAS[storage]):
            series, time, value, status = batch.columns
            count = batch.num_rows
            number = value.cast(pa.float64()) if storage in NUMERIC else pa.nulls(count, pa.float64())
            names = pa.array([storage.value]).take(pa.array(np.zeros(count, np.int64)))
            yield pa.RecordBatch.from_arrays([series, time, text_of(value, storage), number, status, names], schema=LAST_SCHEMA)


def text_of(value: pa.Array, storage: StorageClass) -> pa.Array:
    """Values as a person reads them; byte strings in hexadecimal."""
    if storage is StorageClass.BYTES:
        return pa.array([None if one is None else one.hex() for one in value.to_pylist()], type=pa.string())
    return value.cast(pa.string())


def raw_window(asking: Asking, request: RawWindow) -> Iterator[pa.RecordBatch]:
    """Every sample of the window; of one series and instant the newest version."""
    if request.end < request.start:
        raise RequestError("the window ends before it begins", place="end")
    if request.limit < 0:
        raise RequestError("a limit is not negative", place="limit")
    names = next((found for storage, found in asking.by_class(request.series) if storage is request.storage), None)
    wanted = SCHEMAS[request.storage]
    if names is None:
        return
    room = request.limit
    for batch in (
        _with_bounds(asking, request, names.tolist())
        if request.bounds
        else samples(asking, request.storage, names.tolist(), request.start, request.end)
    ):
        if batch.num_rows > room:
            cut = wanted.with_metadata({TRUNCATED: b"true"})
            yield batch.slice(0, room).replace_schema_metadata(cut.metadata)
            return
        room -= batch.num_rows
        yield batch


def samples(asking: Asking, storage: StorageClass, names: Iterable[int], start: int, end: int) -> Iterator[pa.RecordBatch]:
    """The valid samples of ``names`` in ``[start, end)``, in (series, time) order."""
    statement = (
        f"SELECT {_COLUMNS} FROM {asking.database}.{schema.raw(storage)} WHERE series IN {listed(names)}"
        f" AND time >= {instant(start)} AND time < {instant(end)} ORDER BY series, time, version"
    )
    return _newest_versions(asking.stream(statement, SCHEMAS[storage]))


def _newest_versions(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of rows with one series and instant the last one, also where they stand in two batches."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        series = batch.column(0).to_numpy()
        time = batch.column(1).view(pa.int64()).to_numpy()
        if held is not None and not (held.column(0)[0].as_py() == series[0] and held.column(1)[0].value == time[0]):
            yield held
        valid = np.append((series[1:] != series[:-1]) | (time[1:] != time[:-1]), True)
        if not bool(valid.all()):
            batch = batch.filter(pa.array(valid))
        held = batch.slice(batch.num_rows - 1)
        if batch.num_rows > 1:
            yield batch.slice(0, batch.num_rows - 1)
    if held is not None:
        yield held


def _with_bounds(asking: Asking, request: RawWindow, names: list[int]) -> Iterator[pa.RecordBatch]:
    """The window with a sample on each side of it."""
    wanted = SCHEMAS[request.storage]
    before = neighbours(asking, request.storage, names, request.start, before=True)
    after = neighbours(asking, request.storage, names, request.end, before=False)
    parts = [before, *samples(asking, request.storage, names, request.start, request.end), after]
    asking.deadline.count(0)
    table = pa.Table.from_batches([part for part in parts if part.num_rows], schema=wanted)
    order = np.lexsort((table.column(1).combine_chunks().view(pa.int64()).to_numpy(), table.column(0).to_numpy()))
    yield from table.take(pa.array(order)).to_batches()


def neighbours(asking: Asking, storage: StorageClass, names: list[int], at: int, *, before: bool) -> pa.RecordBatch:
    """Of each series the last sample before ``at``, or the first at or after it; near ones are looked for first."""
    wanted = SCHEMAS[storage]
    found: list[pa.RecordBatch] = []
    missing = names
    choose = "argMax" if before else "argMin"
    for seconds in (*_NEAR, None):
        if not missing:
            break
        if before:
            window = f"time < {instant(at)}" + (f" AND time >= {instant(at - seconds * 10**9)}" if seconds else "")
        else:
            window = f"time >= {instant(at)}" + (f" AND time < {instant(at + seconds * 10**9)}" if seconds else "")
        order = "(time, version)" if before else "(time, -toInt64(version))"
        statement = (
            f"SELECT series, tupleElement(best, 1) AS time, tupleElement(best, 2) AS value, tupleElement(best, 3) AS status FROM"
            f" (SELECT series, {choose}(tuple(time, value, status), {order}) AS best"
            f" FROM {asking.database}.{schema.raw(storage)} WHERE series IN {listed(missing)} AND {window}"
            " GROUP BY series ORDER BY series)"
        )
        table = asking.table(statement, wanted)
        found.extend(table.to_batches())
        present = set(table.column(0).to_pylist())
        missing = [name for name in missing if name not in present]
    return (
        pa.Table.from_batches(found, schema=wanted).combine_chunks().to_batches()[0]
        if found
        else (pa.RecordBatch.from_pylist([], schema=wanted))
    )
