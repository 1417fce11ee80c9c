"""Means weighted by how long each value held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian.asking import Asking
from hulian.data.historian.block import BAD, double_of
from hulian.data.historian.contract import Aggregate
from hulian.data.historian.samples import by_name, by_series, neighbours, samples
from hulian.kernel.sample import SCHEMAS

__all__ = ["time_weighted_means", "weighted"]

Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def weighted(asking: Asking, request: Aggregate, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """``batches`` with their column ``time_weighted_mean`` filled."""
    batches = list(batches)
    if not batches:
        return
    rows = pa.Table.from_batches(batches).combine_chunks()
    series, begins = rows.column("series").to_numpy(), rows.column("time").chunk(0).view(pa.int64()).to_numpy()
    names = np.unique(series).tolist()
    wanted, storage = SCHEMAS[request.storage], request.storage
    before = by_name(neighbours(asking, storage, names, request.start, before=True), wanted)
    means = np.full(len(series), np.nan)
    for name, table in by_series(asking, samples(asking, storage, names, request.start, request.end), wanted):
        held = pa.concat_tables([before[name], table]) if name in before else table
        held = held.combine_chunks()
        numbers, missing = double_of(held.column(2).chunk(0), storage)
        usable = held.column(3).to_numpy() < BAD
        if missing is not None:
            usable &= ~missing
        time = np.maximum(held.column(1).chunk(0).view(pa.int64()).to_numpy(), request.start)
        key = np.uint64(name)
        at = slice(int(np.searchsorted(series, key)), int(np.searchsorted(series, key, side="right")))
        ends = np.minimum(begins[at] + request.step, request.end)
        means[at] = time_weighted_means(time, np.where(usable, numbers, 0.0), usable, begins[at], ends)
    column = rows.schema.get_field_index("time_weighted_mean")
    filled = pa.array(means, mask=np.isnan(means))
    yield from (
        rows.set_column(column, rows.schema.field(column), filled).replace_schema_metadata(rows.schema.metadata).to_batches()
    )


def time_weighted_means(time: Times, value: Numbers, usable: npt.NDArray[np.bool_], begins: Times, ends: Times) -> Numbers:
    """The mean over each ``[begin, end)`` of a signal that holds each value until the next sample.

    ``time`` and ``begins`` are in order, the steps do not overlap.
    Stretches that are not usable do not count; NaN where none is left.

    >>> time_weighted_means(np.array([0, 9]), np.array([1.0, 11.0]), np.array([True, True]), np.array([0]), np.array([10]))
    array([2.])
    """
    cuts = np.unique(np.concatenate((time, begins, ends)))
    spans = np.diff(cuts).astype(np.float64)
    cuts = cuts[:-1]
    at = np.searchsorted(time, cuts, side="right") - 1
    step = np.searchsorted(begins, cuts, side="right") - 1
    counted = (at >= 0) & (step >= 0)
    counted &= usable[np.maximum(at, 0)] & (cuts < ends[np.maximum(step, 0)])
    at, step, spans = at[counted], step[counted], spans[counted]
    held = np.bincount(step, spans, len(begins))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = spans / held[step]  # each value by its share, so that neither long nor short steps lose digits
        means = np.bincount(step, value[at] * share, len(begins))
        return np.where(held > 0, means, np.nan)
