"""What held, and how long: time in state, and values at given instants."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import BAD, double_of
from hulian.data.historian.contract import Instants, TimeInState
from hulian.data.historian.errors import RequestError
from hulian.data.historian.samples import by_name, by_series, neighbours, samples, text_of
from hulian.kernel.quality import Quality
from hulian.kernel.sample import SCHEMAS
from hulian.kernel.storage import StorageClass

__all__ = ["STATES_SCHEMA", "at_instants", "time_in_state"]

STATES_SCHEMA: Final = pa.schema(
    [
        pa.field("series", pa.uint64(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("changes", pa.uint64(), nullable=False),
    ]
)
_DENSE: Final = 2_000_000


def time_in_state(asking: Asking, request: TimeInState) -> Iterator[pa.RecordBatch]:
    """How long each value held; stretches that are bad or have no value stand under null."""
    if request.end < request.start:
        raise RequestError("the window ends before it begins", place="end")
    if request.storage in (StorageClass.DOUBLE, StorageClass.BYTES):
        raise RequestError(f"series of the class {request.storage} have no states", place="storage", hint="ask for aggregates")
    for name, table in _held(asking, request.storage, request.series, request.start, request.end):
        time = np.maximum(table.column(1).chunk(0).view(pa.int64()).to_numpy(), request.start)
        value = table.column(2).chunk(0)
        shown = table.column(3).to_numpy() < BAD
        if value.null_count:
            shown &= ~value.is_null().to_numpy(zero_copy_only=False)
        encoded = value.filter(pa.array(shown)).dictionary_encode()
        states = np.full(len(time), len(encoded.dictionary))
        states[shown] = encoded.indices.to_numpy()
        seconds = np.diff(np.append(time, request.end)) / 1e9
        entered = np.append(False, states[1:] != states[:-1])
        count = len(encoded.dictionary) + 1
        total = np.bincount(states, seconds, count)
        changes = np.bincount(states[entered], minlength=count)
        texts = [*text_of(encoded.dictionary, request.storage).to_pylist(), None]
        rows = [row for row in range(count) if row < count - 1 or not shown.all()]
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([name] * len(rows), pa.uint64()),
                pa.array([texts[row] for row in rows], pa.string()),
                pa.array(total[rows]),
                pa.array(changes[rows].astype(np.uint64)),
            ],
            schema=STATES_SCHEMA,
        )


def _held(asking: Asking, storage: StorageClass, series: object, start: int, end: int) -> Iterator[tuple[int, pa.Table]]:
    """Of each series the samples of the window, and before them the one that held when it began."""
    found = next((names for kind, names in asking.by_class(series) if kind is storage), None)  # type: ignore[arg-type]
    if found is None:
        return
    wanted = SCHEMAS[storage]
    before = by_name(neighbours(asking, storage, found.tolist(), start, before=True), wanted)
    for name, table in by_series(asking, samples(asking, storage, found.tolist(), start, end), wanted):
        held = before.pop(name, None)
        yield name, (table if held is None else pa.concat_tables([held, table])).combine_chunks()
    for name, held in sorted(before.items()):
        yield name, held.combine_chunks()


def at_instants(asking: Asking, request: Instants) -> Iterator[pa.RecordBatch]:
    """One row a series and instant, instants in order."""
    wanted = SCHEMAS[request.storage]
    instants = np.unique(np.array(request.instants, np.int64))
    found = next((names for kind, names in asking.by_class(request.series) if kind is request.storage), None)
    if found is None or not len(instants):
        return
    linear = request.linear and request.storage is StorageClass.DOUBLE
    first, last = int(instants[0]), int(instants[-1])
    for name in found.tolist():
        if _count(asking, request.storage, name, first, last) <= _DENSE:
            parts = [
                neighbours(asking, request.storage, [name], first, before=True),
                *samples(asking, request.storage, [name], first, last + 1),
                *([neighbours(asking, request.storage, [name], last + 1, before=False)] if linear else []),
            ]
        else:
            parts = _around(asking, request.storage, name, instants, linear=linear)
        known = pa.Table.from_batches([part for part in parts if part.num_rows], schema=wanted).combine_chunks()
        yield _sampled(name, known, instants, wanted, linear=linear)


def _count(asking: Asking, storage: StorageClass, name: int, first: int, last: int) -> int:
    statement = (
        f"SELECT count() FROM {asking.database}.{schema.raw(storage)} WHERE series = {name}"
        f" AND time >= {sql.instant(first)} AND time <= {sql.instant(last)}"
    )
    found = asking.table(statement, pa.schema([("n", pa.uint64())]))
    return int(found.column(0)[0].as_py()) if found.num_rows else 0


def _around(
    asking: Asking, storage: StorageClass, name: int, instants: npt.NDArray[np.int64], *, linear: bool
) -> list[pa.RecordBatch]:
    """The samples around each of few instants that lie far apart."""
    found = []
    for instant in instants.tolist():
        found.append(neighbours(asking, storage, [name], instant + 1, before=True))
        if linear:
            found.append(neighbours(asking, storage, [name], instant + 1, before=False))
    rows = pa.Table.from_batches([part for part in found if part.num_rows], schema=SCHEMAS[storage]).combine_chunks()
    if not rows.num_rows:
        return []
    times = rows.column(1).chunk(0).view(pa.int64()).to_numpy()
    _, first = np.unique(times, return_index=True)
    kept: list[pa.RecordBatch] = rows.take(pa.array(first)).to_batches()
    return kept


def _sampled(name: int, known: pa.Table, instants: npt.NDArray[np.int64], wanted: pa.Schema, *, linear: bool) -> pa.RecordBatch:
    count = len(instants)
    series = pa.array(np.full(count, name, np.uint64))
    when = pa.array(instants).view(pa.timestamp("ns", "UTC"))
    if not known.num_rows:
        status = pa.array(np.full(count, Quality.BAD_NO_DATA, np.uint32))
        return pa.RecordBatch.from_arrays([series, when, pa.nulls(count, wanted.field(2).type), status], schema=wanted)
    time = known.column(1).chunk(0).view(pa.int64()).to_numpy()
    at = np.searchsorted(time, instants, side="right") - 1
    exists = at >= 0
    value = known.column(2).chunk(0).take(pa.array(at, mask=~exists))
    status = np.where(exists, known.column(3).to_numpy()[np.maximum(at, 0)], np.uint32(Quality.BAD_NO_DATA))
    if linear:
        value = _interpolated(known, time, at, instants, value)
    return pa.RecordBatch.from_arrays([series, when, value, pa.array(status.astype(np.uint32))], schema=wanted)


def _interpolated(
    known: pa.Table, time: npt.NDArray[np.int64], at: npt.NDArray[np.int64], instants: npt.NDArray[np.int64], value: pa.Array
) -> pa.Array:
    """Between two neighbours that are usable, the straight line; elsewhere what held."""
    numbers, missing = double_of(known.column(2).chunk(0), StorageClass.DOUBLE)
    usable = known.column(3).to_numpy() < BAD
    if missing is not None:
        usable &= ~missing
    left, right = np.maximum(at, 0), np.minimum(at + 1, len(time) - 1)
    between = (at >= 0) & (at + 1 < len(time)) & usable[left] & usable[right] & (time[left] < instants)
    span = np.where(between, time[right] - time[left], 1)
    share = (instants - time[left]) / span
    with np.errstate(invalid="ignore", over="ignore"):
        line = numbers[left] * (1.0 - share) + numbers[right] * share
    held = value.fill_null(0.0).to_numpy(zero_copy_only=False)
    empty = value.is_null().to_numpy(zero_copy_only=False)
    return pa.array(np.where(between, line, held), mask=empty & ~between)
