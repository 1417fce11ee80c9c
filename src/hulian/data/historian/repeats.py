"""Finding the hours in which instants repeat, and setting their roll-ups right."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, Partials, SortedBlock, coarser, rollup, sort_block
from hulian.data.historian.contract import Limits
from hulian.data.historian.engine import Engine
from hulian.data.historian.newest import Newest
from hulian.data.historian.overlaps import Overlap, Overlaps, Pair
from hulian.data.historian.rows import rollup_rows
from hulian.data.historian.sources import raw_source
from hulian.kernel.sample import SCHEMAS, Columns
from hulian.kernel.storage import StorageClass

__all__ = ["repeated_hours", "settle"]

_EXACT: Final = 4_000
_LIMITS: Final = Limits(memory=2**29, seconds=600, rows=2**40)
_HOUR: Final = f"intDiv({sql.floor(sql.NANOSECONDS, 0, HOUR)}, {HOUR})"


def repeated_hours(engine: Engine, block: SortedBlock, hours: Partials, newest: Newest, overlaps: Overlaps) -> set[Pair]:
    """The hours of ``block`` in which it repeats an instant that is stored, or that are known to repeat some.

    A sample newer than all of its series repeats nothing: in the ordinary flow this costs a comparison a series. A few late
    samples are looked up one by one; of many only their hours, so that a bulk load may name an hour without need.
    """
    found: set[Pair] = set()
    if len(overlaps):
        marked = np.fromiter((int(name) in overlaps for name in hours.series), np.bool_, len(hours.series))
        pairs = zip(hours.series[marked].tolist(), (hours.time[marked] // HOUR).tolist(), strict=True)
        found = {pair for pair in pairs if overlaps.get(pair) is not None}
    known = newest.of(block.names)
    if not bool((block.first <= known).any()):
        return found
    counts = np.diff(np.append(block.starts, len(block.series)))
    late = np.flatnonzero(block.time <= np.repeat(known, counts))
    return found | _stored(engine, block, late)


def _stored(engine: Engine, block: SortedBlock, late: npt.NDArray[np.int64]) -> set[Pair]:
    series, time = block.series[late], block.time[late]
    names = np.unique(series).tolist()
    where = (
        f"series IN {sql.listed(names)} AND time >= {sql.instant(int(time.min()))} AND time <= {sql.instant(int(time.max()))}"
    )
    if len(late) <= _EXACT:
        instants = ", ".join(f"({one}, {at})" for one, at in zip(series.tolist(), time.tolist(), strict=True))
        where += f" AND (series, {sql.NANOSECONDS}) IN ({instants})"
    statement = f"SELECT DISTINCT series, {_HOUR} AS hour FROM {engine.database}.{schema.raw(block.storage)} WHERE {where}"
    table = engine.table(statement, _LIMITS)
    if not table.num_rows:
        return set()
    stored = set(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))
    return stored & set(zip(series.tolist(), (time // HOUR).tolist(), strict=True))


def settle(asking: Asking, pending: Mapping[Pair, Overlap], later: Callable[[Overlap | None], int]) -> dict[Pair, Overlap]:
    """Writes the roll-up rows of ``pending`` anew from the valid samples; their new states, to be noted afterwards."""
    done: dict[Pair, Overlap] = {}
    for storage in {overlap.storage for overlap in pending.values()}:
        pairs = {pair: overlap for pair, overlap in pending.items() if overlap.storage is storage}
        revision = max(later(overlap) for overlap in pairs.values())
        columns = _samples(asking, storage, list(pairs))
        if columns is not None:
            minutes = rollup(sort_block(columns), MINUTE)
            asking.engine.insert("minute", rollup_rows(minutes, revision, spread=False), "")
            hours = rollup_rows(coarser(minutes, HOUR), revision, spread=True)
            asking.engine.insert("hour", hours, "")
        done |= {pair: Overlap(storage, settled=True, revision=revision) for pair in pairs}
    return done


def _samples(asking: Asking, storage: StorageClass, pairs: list[Pair]) -> Columns | None:
    names = sorted({series for series, _ in pairs})
    first, last = min(hour for _, hour in pairs), max(hour for _, hour in pairs)
    source = raw_source(asking, storage, names, first * HOUR, (last + 1) * HOUR)
    listed = ", ".join(f"({series}, {hour})" for series, hour in pairs)
    statement = f"SELECT series, time, value, status FROM {source} WHERE (series, {_HOUR}) IN ({listed}) ORDER BY series, time"
    batches = list(asking.stream(statement, SCHEMAS[storage]))
    if not batches:
        return None
    return Columns.from_record_batch(storage, pa.Table.from_batches(batches).combine_chunks().to_batches()[0])
