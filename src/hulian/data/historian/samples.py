"""Samples as they were stored: the newest ones, and those of a window."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import schema
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import BAD, NUMERIC
from hulian.data.historian.contract import LastValues, RawWindow
from hulian.data.historian.errors import QueryLimitError, RequestError
from hulian.data.historian.newest import NewestSamples
from hulian.data.historian.sql import USABLE, instant, listed
from hulian.kernel.sample import SCHEMAS
from hulian.kernel.storage import StorageClass

__all__ = ["LAST_SCHEMA", "TRUNCATED", "by_name", "by_series", "last_values", "neighbours", "raw_window", "samples", "text_of"]

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
_LEAST_MARGIN: Final = 10 * 1_000_000_000
_MOST_MARGIN: Final = 3_600 * 1_000_000_000
_SHORT: Final = 6 * 3_600 * 1_000_000_000
_FEW: Final = 100_000
"""Samples of one series that are put in order here."""
_COLUMNS: Final = "series, time, value, status"


def last_values(asking: Asking, request: LastValues) -> Iterator[pa.RecordBatch]:
    """The newest sample of each series: numbers from memory, the rest from their tables."""
    if request.series:
        chosen = list(asking.by_class(request.series))
    else:
        chosen = [(storage, newest.samples.names) for storage, newest in asking.newest.items() if len(newest)]
    for storage, names in chosen:
        if storage in NUMERIC:
            yield _remembered(asking.newest[storage].samples, storage, names)
            continue
        where = f" WHERE series IN {listed(names.tolist())}" if request.series else ""
        statement = f"SELECT {_COLUMNS} FROM {asking.database}.{schema.last(storage)} FINAL{where} ORDER BY series"
        for batch in asking.stream(statement, SCHEMAS[storage]):
            series, time, value, status = batch.columns
            yield _last_batch(series, time, text_of(value, storage), pa.nulls(len(series), pa.float64()), status, storage)


def _remembered(newest: NewestSamples, storage: StorageClass, names: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    rows = newest.rows(np.searchsorted(newest.names, names))
    value = pa.array(rows.value, mask=rows.missing)
    time = pa.array(rows.time).view(pa.timestamp("ns", "UTC"))
    number = value if storage is StorageClass.DOUBLE else pa.array(rows.value.astype(np.float64), mask=rows.missing)
    return _last_batch(pa.array(rows.names), time, text_of(value, storage), number, pa.array(rows.status), storage)


def _last_batch(
    series: pa.Array, time: pa.Array, text: pa.Array, number: pa.Array, status: pa.Array, storage: StorageClass
) -> pa.RecordBatch:
    names = pa.array([storage.value]).take(pa.array(np.zeros(len(series), np.int64)))
    return pa.RecordBatch.from_arrays([series, time, text, number, status, names], schema=LAST_SCHEMA)


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


def samples(
    asking: Asking, storage: StorageClass, names: Iterable[int], start: int, end: int
) -> Generator[pa.RecordBatch, None, None]:
    """The valid samples of ``names`` in ``[start, end)``, in (series, time) order."""
    chosen = list(names)
    if len(chosen) == 1 and end - start <= _SHORT:
        found = _unordered(asking, storage, chosen[0], start, end)
        if found is not None:
            if found.num_rows:
                yield found
            return
    statement = (
        f"SELECT {_COLUMNS} FROM {asking.database}.{schema.raw(storage)} WHERE series IN {listed(chosen)}"
        f" AND time >= {instant(start)} AND time < {instant(end)} ORDER BY series, time, version"
    )
    yield from _newest_versions(asking.stream(statement, SCHEMAS[storage]))


def _unordered(asking: Asking, storage: StorageClass, name: int, start: int, end: int) -> pa.RecordBatch | None:
    """The samples of one series, read as they lie and put in order here; None where they are many or an instant repeats.

    Ordering a few rows by the store takes it longer to plan than to do. Which of two versions is valid is its business again.
    """
    plain = pa.schema([SCHEMAS[storage].field(name) for name in ("time", "value", "status")])
    statement = (
        f"SELECT time, value, status FROM {asking.database}.{schema.raw(storage)}"
        f" PREWHERE series = {int(name)} AND time >= {instant(start)} AND time < {instant(end)}"
    )
    parts: list[pa.RecordBatch] = []
    rows = 0
    with contextlib.closing(asking.stream(statement, plain)) as reading:
        for batch in reading:
            parts.append(batch)
            rows += batch.num_rows
            if rows > _FEW:
                return None
    if not rows:
        return pa.RecordBatch.from_pylist([], schema=SCHEMAS[storage])
    table = pa.Table.from_batches(parts, schema=plain).combine_chunks()
    time = table.column(0).chunk(0).view(pa.int64()).to_numpy()
    if not bool((time[1:] > time[:-1]).all()):
        order = np.argsort(time, kind="stable")
        time = time[order]
        if not bool((time[1:] > time[:-1]).all()):
            return None
        table = table.take(pa.array(order)).combine_chunks()
    columns = [column.chunk(0) for column in table.columns]
    return pa.RecordBatch.from_arrays([pa.array(np.full(rows, name, np.uint64)), *columns], schema=SCHEMAS[storage])


def _newest_versions(batches: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
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
    """The window with a sample on each side of it; a margin read with the window mostly holds them."""
    wanted, storage = SCHEMAS[request.storage], request.storage
    margin = min(max((request.end - request.start) // 20, _LEAST_MARGIN), _MOST_MARGIN)
    parts = list(samples(asking, storage, names, request.start - margin, request.end + margin))
    table = pa.Table.from_batches(parts, schema=wanted).combine_chunks()
    series, time = _places(table)
    early, late = time < request.start, time >= request.end
    first = np.ones(len(time), np.bool_)  # of its series
    first[1:] = series[1:] != series[:-1]
    before, after = early.copy(), late.copy()
    before[:-1] &= first[1:] | ~early[1:]
    after[1:] &= first[1:] | ~late[:-1]
    inside = ~early & ~late
    unseen_before = sorted({*names} - {*series[before].tolist()})
    unseen_after = sorted({*names} - {*series[after].tolist()})
    found = [
        table.filter(pa.array(inside | before | after)),
        pa.Table.from_batches([neighbours(asking, storage, unseen_before, request.start, before=True)], schema=wanted),
        pa.Table.from_batches([neighbours(asking, storage, unseen_after, request.end, before=False)], schema=wanted),
    ]
    joined = pa.concat_tables(found).combine_chunks()
    if not joined.num_rows:
        return
    series, time = _places(joined)
    if bool(((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (time[1:] > time[:-1]))).all()):
        yield from joined.to_batches()
    else:
        yield from joined.take(pa.array(np.lexsort((time, series)))).to_batches()


def _places(table: pa.Table) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Series and time of each row."""
    if not table.num_rows:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    return table.column(0).to_numpy(), table.column(1).chunk(0).view(pa.int64()).to_numpy()


def neighbours(
    asking: Asking, storage: StorageClass, names: list[int], at: int, *, before: bool, usable: bool = False
) -> pa.RecordBatch:
    """Of each series the last sample before ``at``, or the first at or after it; near ones are looked for first.

    ``usable``: the last sample with a value that is not bad.
    """
    wanted = SCHEMAS[storage]
    found: list[pa.RecordBatch] = []
    missing = names if before else _not_older(asking, storage, names, at)
    choose = "argMax" if before else "argMin"
    order = "(time, version)" if before else "(time, -toInt64(version))"
    for seconds in (*_NEAR, None):
        if not missing:
            break
        span = int(seconds * 10**9) if seconds else None
        if before:
            window = f"time < {instant(at)}" + (f" AND time >= {instant(at - span)}" if span else "")
        else:
            window = f"time >= {instant(at)}" + (f" AND time < {instant(at + span)}" if span else "")
        if usable:
            window += f" AND {USABLE if storage in NUMERIC else f'(value IS NOT NULL AND status < {BAD})'}"
        statement = (
            "SELECT series, tupleElement(best, 1), tupleElement(best, 2), tupleElement(best, 3) FROM"
            f" (SELECT series, {choose}(tuple(time, value, status), {order}) AS best"
            f" FROM {asking.database}.{schema.raw(storage)} WHERE series IN {listed(missing)} AND {window}"
            " GROUP BY series ORDER BY series)"
        )
        table = asking.table(statement, wanted)
        found.extend(table.to_batches())
        present = set(table.column(0).to_pylist())
        missing = [name for name in missing if name not in present]
    if not found:
        return pa.RecordBatch.from_pylist([], schema=wanted)
    return pa.Table.from_batches(found, schema=wanted).combine_chunks().to_batches()[0]


def _not_older(asking: Asking, storage: StorageClass, names: list[int], at: int) -> list[int]:
    """Those of ``names`` that have a sample at or after ``at``."""
    asked = np.array(names, np.uint64)
    kept: list[int] = asked[asking.newest[storage].of(asked) >= at].tolist()
    return kept


def by_series(asking: Asking, batches: Iterable[pa.RecordBatch], wanted: pa.Schema) -> Iterator[tuple[int, pa.Table]]:
    """The samples of one series after the other; raises `QueryLimitError` where one has more than the query may give."""
    held: list[pa.RecordBatch] = []
    rows, current = 0, -1
    for batch in batches:
        series = batch.column(0).to_numpy()
        edges = np.flatnonzero(series[1:] != series[:-1]) + 1
        for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), len(series)], strict=True):
            if held and int(series[begin]) != current:
                yield current, pa.Table.from_batches(held, schema=wanted)
                held, rows = [], 0
            current = int(series[begin])
            held.append(batch.slice(begin, end - begin))
            rows += end - begin
            if rows > asking.deadline.limits.rows:
                raise QueryLimitError(f"one series has more than {asking.deadline.limits.rows} samples here", bound="rows")
    if held:
        yield current, pa.Table.from_batches(held, schema=wanted)


def by_name(batch: pa.RecordBatch, wanted: pa.Schema) -> dict[int, pa.Table]:
    """The rows of ``batch``, each a table under its series."""
    names = batch.column(0).to_pylist()
    return {name: pa.Table.from_batches([batch.slice(row, 1)], schema=wanted) for row, name in enumerate(names)}
