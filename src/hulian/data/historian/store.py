"""The historian over an engine: what is the same for the embedded store and for a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import schema
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, NUMERIC, Partials, SortedBlock, rollup, sort_block
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import (
    DEFAULT_LIMITS,
    Cancellation,
    Limits,
    Request,
)
from hulian.data.historian.engine import Deadline, Engine
from hulian.data.historian.native import NativeColumn, encode_block, fixed, nullable, strings
from hulian.data.historian.newest import Newest
from hulian.data.historian.queries import answer
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

__all__ = ["Store"]

_SAMPLE_COLUMNS = "series, time, value, status, version"
_TIME = "DateTime64(9, 'UTC')"


class Store:
    """Implements `hulian.data.historian.contract.Historian` over an `Engine`, whose tables it makes."""

    def __init__(self, engine: Engine, configuration: HistorianConfiguration) -> None:
        self._engine = engine
        self._configuration = configuration
        self._writing = threading.Lock()
        for statement in schema.create(engine.database, configuration.durability):
            engine.execute(statement)
        self._newest = {storage: Newest() for storage in StorageClass}
        self._version = 0
        self._load()

    def _load(self) -> None:
        limits = Limits(memory=2**30, seconds=600, rows=2**40)
        for storage in StorageClass:
            found = self._engine.table(
                f"SELECT series, max(time) AS newest, max(version) AS version FROM {self._engine.database}.{schema.last(storage)}"
                " GROUP BY series ORDER BY series",
                limits,
            )
            if found.num_rows:
                times = found.column("newest").combine_chunks().cast(pa.int64()).to_numpy()
                self._newest[storage].update(found.column("series").to_numpy(), times)
                self._version = max(self._version, int(found.column("version").to_numpy().max()))

    def insert(self, columns: Sequence[Columns], token: str) -> None:
        with self._writing:
            self._version += 1
            for storage, joined in _by_class(columns):
                self._insert(sort_block(joined), f"{token}/{storage.value}")

    def _insert(self, block: SortedBlock, token: str) -> None:
        names, storage = block.names, block.storage
        self._engine.insert(schema.raw(storage), _SAMPLE_COLUMNS, _samples(block, None, self._version), token)
        if storage in NUMERIC:
            minute, hour = rollup(block, MINUTE), rollup(block, HOUR)
            columns = ", ".join(schema.ROLLUP_COLUMNS)
            self._engine.insert("minute", columns, _rollup_block(minute, 0), token)
            self._engine.insert("hour", columns, _rollup_block(hour, 0), token)
        newest = block.newest
        self._engine.insert(schema.last(storage), _SAMPLE_COLUMNS, _samples(block, newest, self._version), token)
        self._newest[storage].update(names, block.time[newest])

    def query(
        self, request: Request, limits: Limits = DEFAULT_LIMITS, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]:
        deadline = Deadline(limits)
        asking = Asking(self._engine, self._newest, deadline, cancellation)
        for batch in answer(asking, request):
            deadline.count(batch.num_rows)
            yield batch

    def close(self) -> None:
        self._engine.close()


def _by_class(columns: Sequence[Columns]) -> Iterator[tuple[StorageClass, Columns]]:
    """One `Columns` a storage class, in the order of the classes; empty ones left out."""
    for storage in StorageClass:
        found = [part for part in columns if part.storage is storage and len(part)]
        if len(found) == 1:
            yield storage, found[0]
        elif found:
            yield (
                storage,
                Columns(
                    storage,
                    np.concatenate([part.series for part in found]),
                    np.concatenate([part.time for part in found]),
                    pa.concat_arrays([part.value for part in found]),
                    np.concatenate([part.status for part in found]),
                ),
            )


def _samples(block: SortedBlock, rows: npt.NDArray[np.int64] | None, version: int) -> bytes:
    series, when, value, status = block.series, block.time, block.value, block.status
    if rows is not None:
        series, when, value, status = series[rows], when[rows], value.take(pa.array(rows)), status[rows]
    count = len(series)
    return encode_block(
        [
            fixed("series", "UInt64", series),
            fixed("time", _TIME, when),
            _value_column(value, block.storage),
            fixed("status", "UInt32", status),
            fixed("version", "UInt64", np.full(count, version, np.uint64)),
        ],
        count,
    )


def _value_column(value: pa.Array, storage: StorageClass) -> NativeColumn:
    if storage not in NUMERIC:
        return strings("value", value, with_nulls=True)
    missing = value.is_null().to_numpy(zero_copy_only=False) if value.null_count else None
    filled = value if missing is None else value.fill_null(False if storage is StorageClass.BOOLEAN else 0)
    numbers = filled.to_numpy(zero_copy_only=False)
    return nullable("value", schema.VALUE_KINDS[storage], numbers, missing)


def _rollup_block(rows: Partials, revision: int) -> bytes:
    count = len(rows.series)
    return encode_block(
        [
            fixed("series", "UInt64", rows.series),
            fixed("time", "DateTime64(0, 'UTC')", rows.time // 1_000_000_000),
            fixed("revision", "UInt64", np.full(count, revision, np.uint64)),
            fixed("samples", "UInt64", rows.samples),
            fixed("good", "UInt64", rows.good),
            fixed("usable", "UInt64", rows.usable),
            fixed("total", "Float64", rows.total),
            fixed("lead", "UInt128", rows.lead),
            fixed("tail", "UInt128", rows.tail),
            fixed("lowest", "UInt128", rows.lowest),
            fixed("highest", "UInt128", rows.highest),
            NativeColumn("spread", "AggregateFunction(varPopStable, Float64)", (_spread(rows),)),
        ],
        count,
    )


def _spread(rows: Partials) -> bytes:
    """The states of varPopStable: a varint count, the mean, the sum of squared deviations."""
    widths = np.ones(len(rows.series), np.int64)
    for power in range(7, 63, 7):
        widths += rows.usable >= 1 << power
    starts = np.concatenate(([0], np.cumsum(widths + 16)[:-1]))
    out = np.empty(int((widths + 16).sum()), np.uint8)
    for place in range(int(widths.max(initial=0))):
        chosen = widths > place
        more = (widths[chosen] > place + 1).astype(np.uint8) << 7
        out[starts[chosen] + place] = ((rows.usable[chosen] >> np.uint64(7 * place)) & np.uint64(0x7F)).astype(np.uint8) | more
    floats = np.stack((rows.mean, rows.squares), axis=1).view(np.uint8).reshape(-1, 16)
    out[(starts + widths)[:, None] + np.arange(16)] = floats
    return out.tobytes()
