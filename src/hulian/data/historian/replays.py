"""Blocks that may be stored already, whole or in part: what of them is missing.

The engine knows a block that comes again by its token. But it notes the token before the rows stand in the table, and does
not wait for the note to reach the disk: killed in between it drops a block that it does not have, after a power cut it takes
one twice. Where a block may have been begun before, it is therefore compared with what is stored, sample by sample.
"""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, SortedBlock, coarser, rollup, sort_block
from hulian.data.historian.contract import Events
from hulian.data.historian.overlaps import Pair
from hulian.data.historian.records import find_events
from hulian.data.historian.rows import event_fields
from hulian.kernel.event import Event
from hulian.kernel.sample import SCHEMAS, Columns

__all__ = ["hours_of", "missing_events", "missing_rows", "newest_rows", "rows_of"]

_HOUR: Final = f"intDiv({sql.floor(sql.NANOSECONDS, 0, HOUR)}, {HOUR})"
_MANY: Final = 20_000
"""Of more hours than this all that lies between the first and the last is read."""
_ALL: Final = 1 << 62


def hours_of(block: SortedBlock) -> set[Pair]:
    """Every hour of every series of ``block``, which holds numbers."""
    hours = coarser(rollup(block, MINUTE), HOUR)
    return set(zip(hours.series.tolist(), (hours.time // HOUR).tolist(), strict=True))


def missing_rows(asking: Asking, block: SortedBlock) -> SortedBlock:
    """The samples of ``block`` that no version in the store equals; ``block`` itself where that is all of them."""
    hours = np.unique(block.time // HOUR).tolist()
    named = f" AND {_HOUR} IN {sql.listed(hours)}" if len(hours) <= _MANY else ""
    statement = f"SELECT series, time, value, status FROM {_place(asking, block)}{named}"
    columns = Columns(block.storage, block.series, block.time, block.value, block.status)
    left = None
    for batch in asking.stream(statement, SCHEMAS[block.storage]):
        if left is None:
            left = _comparable(columns.record_batch()).append_column("row", pa.array(np.arange(len(columns))))
        left = left.join(_comparable(batch), left.column_names[:-1], join_type="left anti")
    if left is None or left.num_rows == len(columns):
        return block
    return sort_block(columns.take(np.sort(left.column("row").to_numpy())))


def rows_of(asking: Asking, block: SortedBlock, version: int) -> int:
    """How many of the samples of ``block`` are stored under ``version``."""
    statement = f"SELECT count() FROM {_place(asking, block)} AND version = {version}"
    found = asking.table(statement, pa.schema([("count", pa.uint64())])).column(0).to_pylist()
    return int(found[0]) if found else 0


def _place(asking: Asking, block: SortedBlock) -> str:
    return (
        f"{asking.database}.{schema.raw(block.storage)} WHERE series IN {sql.listed(block.names.tolist())}"
        f" AND time >= {sql.instant(int(block.time.min()))} AND time <= {sql.instant(int(block.time.max()))}"
    )


def _comparable(batch: pa.RecordBatch) -> pa.Table:
    """Samples as keys that equal each other, also those without a value and those that are not a number."""
    series, time, value, status = batch.columns
    missing = value.is_null()
    if pa.types.is_floating(value.type):
        value = value.fill_null(0.0).view(pa.int64())
    elif pa.types.is_boolean(value.type):
        value = value.fill_null(False)
    else:
        value = value.fill_null(0 if pa.types.is_integer(value.type) else "")
    return pa.table([series, time, value, status, missing], ["series", "time", "value", "status", "missing"])


def newest_rows(asking: Asking, block: SortedBlock) -> SortedBlock:
    """The newest valid sample of each series of ``block``, all of whose samples are stored."""
    since = sql.instant(int(block.time[block.newest].min()))
    statement = (
        "SELECT series, tupleElement(best, 1), tupleElement(best, 2), tupleElement(best, 3) FROM"
        " (SELECT series, argMax(tuple(time, value, status), (time, version)) AS best"
        f" FROM {asking.database}.{schema.raw(block.storage)}"
        f" WHERE series IN {sql.listed(block.names.tolist())} AND time >= {since} GROUP BY series)"
    )
    found = asking.table(statement, SCHEMAS[block.storage]).combine_chunks().to_batches()
    return sort_block(Columns.from_record_batch(block.storage, found[0]))


def missing_events(asking: Asking, events: Sequence[Event]) -> list[Event]:
    """Those of ``events`` that are not stored; of equal ones as many as are missing."""
    times = [event.time for event in events]
    stored: Counter[tuple[object, ...]] = Counter()
    for batch in find_events(asking, Events(start=min(times), end=max(times) + 1, limit=_ALL)):
        columns = [batch.column(0).view(pa.int64()), *batch.columns[1:]]
        stored.update(zip(*(column.to_pylist() for column in columns), strict=True))
    missing = []
    for event in events:
        fields = event_fields(event)
        stored[fields] -= 1
        if stored[fields] < 0:
            missing.append(event)
    return missing
