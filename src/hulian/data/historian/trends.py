"""What a chart draws: few samples for a long window."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import sql
from hulian.data.historian.aggregates import aggregate
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import BAD, HOUR, NUMERIC, double_of
from hulian.data.historian.contract import Aggregate, Aligned, Downsample
from hulian.data.historian.downsample import minmaxlttb
from hulian.data.historian.errors import QueryLimitError, RequestError
from hulian.data.historian.samples import neighbours, samples
from hulian.data.historian.sources import WIDTHS, rollup_source
from hulian.kernel.sample import SCHEMAS
from hulian.kernel.storage import StorageClass

__all__ = ["aligned", "downsample"]

_RAW_ENOUGH: Final = 200_000
_SECOND: Final = 1_000_000_000
_CHUNK: Final = 65_536
_DOUBLES: Final = SCHEMAS[StorageClass.DOUBLE]
_BUCKETS: Final = pa.schema(
    [
        ("series", pa.uint64()),
        ("time", pa.int64()),
        ("samples", pa.uint64()),
        ("good", pa.uint64()),
        ("usable", pa.uint64()),
        *((name, pa.binary(16)) for name in ("lead", "tail", "lowest", "highest")),
    ]
)
_AS_STORED: Final = "series, at, samples, good, usable, lead, tail, lowest, highest"
_MERGED: Final = "series, at, sum(samples), sum(good), sum(usable), min(lead), max(tail), min(lowest), max(highest)"
_SIGN: Final = np.uint64(1 << 63)

_Line = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.uint32]]
_NOTHING: Final[_Line] = (np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))


def downsample(asking: Asking, request: Downsample) -> Iterator[pa.RecordBatch]:
    """At most about ``points`` samples a series, extremes kept."""
    if request.end <= request.start:
        raise RequestError("the window ends before it begins", place="end")
    if not 3 <= request.points <= 1_000_000:
        raise RequestError("points are between 3 and 1000000", place="points")
    for storage, names in asking.by_class(request.series):
        if storage not in NUMERIC:
            continue
        for name in names.tolist():
            level, found = _read(asking, storage, request, name)
            time, value, status = _thin(*found, request.points)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(np.full(len(time), name, np.uint64)),
                    pa.array(time).view(pa.timestamp("ns", "UTC")),
                    pa.array(value, mask=np.isnan(value)),
                    pa.array(status),
                ],
                schema=_DOUBLES.with_metadata({"resolution": level}),
            )


def _read(asking: Asking, storage: StorageClass, request: Downsample, name: int) -> tuple[str, _Line]:
    """Raw samples where there are few, else the coarsest roll-up that has a bucket for each pair of points.

    What is likely enough is read at once, and only where the guess was wrong something else instead. Where the raw samples
    were dropped by retention the roll-ups, which stay longer, tell the rest.
    """
    few = max(_RAW_ENOUGH, 4 * request.points)
    span = request.end - request.start
    samples = 0
    if span // HOUR >= request.points // 2:
        line, samples = _from_rollup(asking, storage, request, name, "hour")
        if samples > few:
            return "hour", line
    elif span > _RAW_ENOUGH * _SECOND:
        samples = _count(asking, request, name)
    if samples <= few:
        raw = _from_raw(asking, storage, request, name, few)
        if raw is not None and len(raw[0]) and len(raw[0]) >= samples // 2:
            return "raw", raw
    line, samples = _from_rollup(asking, storage, request, name, "minute")
    return ("minute" if samples else "raw"), line


def _count(asking: Asking, request: Downsample, name: int) -> int:
    """About how many samples the window holds."""
    statement = (
        f"SELECT sum(samples) AS n FROM {asking.database}.hour WHERE series = {name}"
        f" AND time >= {sql.instant(request.start - HOUR)} AND time < {sql.instant(request.end)}"
    )
    found = asking.table(statement, pa.schema([("n", pa.uint64())]))
    return int(found.column(0)[0].as_py()) if found.num_rows else 0


def _from_raw(asking: Asking, storage: StorageClass, request: Downsample, name: int, most: int) -> _Line | None:
    """The raw samples; None where there are more than ``most``."""
    batches, rows = [], 0
    reading = samples(asking, storage, [name], request.start, request.end)
    with contextlib.closing(reading):
        for batch in reading:
            batches.append(batch)
            rows += batch.num_rows
            if rows > most:
                return None
    if not batches:
        return _NOTHING
    table = pa.Table.from_batches(batches).combine_chunks()
    value, missing = double_of(table.column(2).chunk(0), storage)
    status = table.column(3).to_numpy()
    hidden = status >= BAD
    if missing is not None:
        hidden |= missing
    return table.column(1).chunk(0).view(pa.int64()).to_numpy(), np.where(hidden, np.nan, value), status


def _from_rollup(asking: Asking, storage: StorageClass, request: Downsample, name: int, level: str) -> tuple[_Line, int]:
    """First, lowest, highest and last sample of each bucket, and how many samples there are.

    Rows of one bucket are merged here and not by the store, and what lies behind the last whole bucket is read from the
    level below: planning one statement that does both costs the store more than all of the reading.
    """
    width = WIDTHS[level]
    start, whole = request.start - request.start % width, request.end - request.end % width
    overlaps = asking.overlaps.within([name], start // HOUR, (request.end - 1) // HOUR)
    simple = all(overlap.settled for overlap in overlaps.values())
    source = rollup_source(asking, storage, level, [name], start, whole if simple else request.end)
    statement = f"SELECT {_MERGED if not simple else _AS_STORED} FROM {source} "
    table = asking.table(statement + ("ORDER BY at" if simple else "GROUP BY series, at ORDER BY at"), _BUCKETS)
    line, count = _line(table.combine_chunks(), request)
    if simple and whole < request.end:
        rest = msgspec.structs.replace(request, start=max(whole, request.start))
        if level == "hour":
            more, samples = _from_rollup(asking, storage, rest, name, "minute")
        else:
            more = _from_raw(asking, storage, rest, name, asking.deadline.limits.rows) or _NOTHING
            samples = len(more[0])
        line = (np.append(line[0], more[0]), np.append(line[1], more[1]), np.append(line[2], more[2]))
        count += samples
    return line, count


def _line(table: pa.Table, request: Downsample) -> tuple[_Line, int]:
    """Roll-up rows in the order of their buckets as samples, and how many samples they count."""
    if not table.num_rows:
        return _NOTHING, 0
    bucket = table.column("time").to_numpy()
    keys = {}
    for key in ("lead", "tail", "lowest", "highest"):
        data = table.column(key).chunk(0).buffers()[1]
        keys[key] = np.frombuffer(data, np.uint64, 2 * len(bucket)).reshape(-1, 2)
    number, good, usable = (table.column(name).to_numpy() for name in ("samples", "good", "usable"))
    new = np.append(True, bucket[1:] != bucket[:-1])
    if not bool(new.all()):
        starts = np.flatnonzero(new)
        number, good, usable = (np.add.reduceat(counts, starts) for counts in (number, good, usable))
        for key, pairs in keys.items():
            order = np.lexsort((pairs[:, 0], pairs[:, 1], bucket))
            chosen = starts if key in ("lead", "lowest") else np.append(starts[1:], len(bucket)) - 1
            keys[key] = pairs[order[chosen]]
        bucket = bucket[starts]
    status = np.where(usable == 0, BAD, np.where(good == number, 0, 0x4000_0000)).astype(np.uint32)
    some = usable > 0
    times = [
        bucket[some] + keys["lead"][some, 1].astype(np.int64),
        bucket[some] + keys["lowest"][some, 0].astype(np.int64),
        bucket[some] + (~keys["highest"][some, 0]).astype(np.int64),
        bucket[some] + keys["tail"][some, 1].astype(np.int64),
        bucket[~some],
    ]
    values = [
        keys["lead"][some, 0].view(np.float64),
        _unordered(keys["lowest"][some, 1]),
        _unordered(keys["highest"][some, 1]),
        keys["tail"][some, 0].view(np.float64),
        np.full(int((~some).sum()), np.nan),
    ]
    time, value = np.concatenate(times), np.concatenate(values)
    code = np.concatenate([status[some]] * 4 + [status[~some]])
    order = np.argsort(time, kind="stable")
    time, value, code = time[order], value[order], code[order]
    kept = np.append(time[1:] != time[:-1], True) & (time >= request.start) & (time < request.end)
    return (time[kept], value[kept], code[kept]), int(number.sum())


def _unordered(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """The doubles behind `hulian.data.historian.block.ordered_bits`."""
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)


def _thin(
    time: npt.NDArray[np.int64], value: npt.NDArray[np.float64], status: npt.NDArray[np.uint32], points: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
    """The samples to draw; where a stretch has no value, one sample without a value stays and breaks the line."""
    if len(time) <= points:
        return time, value, status
    shown = np.flatnonzero(np.isfinite(value))
    chosen = shown[minmaxlttb(time[shown], value[shown], points)] if len(shown) else shown
    hidden = ~np.isfinite(value)
    breaks = np.flatnonzero(hidden & ~np.append(False, hidden[:-1]))
    if len(breaks) > points // 2:
        breaks = breaks[:: -(-len(breaks) // max(points // 2, 1))]
    kept = np.union1d(chosen, breaks)
    return time[kept], value[kept], status[kept]


def aligned(asking: Asking, request: Aligned) -> Iterator[pa.RecordBatch]:
    """One row a step: time, then the mean of each series that is known, in the order asked."""
    if request.end <= request.start or request.step <= 0:
        raise RequestError("the window ends before it begins, or its step is not positive", place="end")
    count = -(-(request.end - request.start) // request.step)
    if count > asking.deadline.limits.rows:
        raise QueryLimitError(f"the query gives more than {asking.deadline.limits.rows} rows", bound="rows")
    columns = {}
    for storage, names in asking.by_class(request.series):
        if storage not in NUMERIC:
            continue
        for name in names.tolist():
            columns[name] = np.full(count, np.nan)
        inner = Aggregate(
            series=names.tolist(), start=request.start, end=request.end, step=request.step, functions=("mean",), storage=storage
        )
        for batch in aggregate(asking, inner):
            value = batch.column(2).fill_null(np.nan).to_numpy(zero_copy_only=False)
            row = (batch.column(1).view(pa.int64()).to_numpy() - request.start) // request.step
            series = batch.column(0).to_numpy()
            edges = np.concatenate(([0], np.flatnonzero(series[1:] != series[:-1]) + 1, [len(series)]))
            for begin, end in pairwise(edges.tolist()):
                columns[int(series[begin])][row[begin:end]] = value[begin:end]
        if request.fill:
            held = neighbours(asking, storage, names.tolist(), request.start, before=True, usable=True)
            before = dict(zip(held.column(0).to_pylist(), held.column(2).cast(pa.float64()).to_pylist(), strict=True))
            for name in names.tolist():
                columns[name] = _filled(columns[name], before.get(name, np.nan))
    order = [name for name in dict.fromkeys(request.series) if name in columns]
    wanted = pa.schema(
        [pa.field("time", pa.timestamp("ns", "UTC"), nullable=False), *(pa.field(str(name), pa.float64()) for name in order)]
    )
    time = request.start + np.arange(count) * request.step
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(time[part]).view(pa.timestamp("ns", "UTC")),
                *(pa.array(columns[name][part], mask=np.isnan(columns[name][part])) for name in order),
            ],
            schema=wanted,
        )


def _filled(value: npt.NDArray[np.float64], before: float) -> npt.NDArray[np.float64]:
    """Where there is no value, the one before it."""
    held = np.concatenate(([before], value))
    at = np.maximum.accumulate(np.where(np.isnan(held), 0, np.arange(len(held))))
    return held[at][1:]
