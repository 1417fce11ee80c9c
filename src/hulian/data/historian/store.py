"""The historian over an engine: what is the same for the embedded store and for a server."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import migration, retention, schema
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, NUMERIC, SortedBlock, coarser, rollup, sort_block
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import (
    DEFAULT_LIMITS,
    Annotate,
    Cancellation,
    Correct,
    Limits,
    Request,
    Size,
)
from hulian.data.historian.engine import Deadline, Engine
from hulian.data.historian.errors import RequestError
from hulian.data.historian.native import NativeBlock, fixed, stacked, strings
from hulian.data.historian.newest import Newest, NewestSamples
from hulian.data.historian.overlaps import Overlap, Overlaps, Pair
from hulian.data.historian.queries import answer
from hulian.data.historian.repeats import repeated_hours, settle
from hulian.data.historian.replays import hours_of, missing_events, missing_rows, newest_rows, rows_of
from hulian.data.historian.rows import event_rows, rollup_rows, sample_rows
from hulian.data.historian.sql import quote
from hulian.kernel.event import Event
from hulian.kernel.sample import SCHEMAS, Columns
from hulian.kernel.storage import StorageClass

__all__ = ["INTERNAL", "Store"]

INTERNAL: Final = Limits(memory=2**30, seconds=3_600, rows=2**40)
"""The bounds of what the historian asks on its own account."""

_DOUBTED: Final = 64
"""So many of the first blocks of a process are compared with what is stored; what its predecessor had begun is among them."""
_LIFE: Final = 1 << 20
"""A process counts its versions from so far above the last one that is known: blocks without an end used some as well."""
_TIME: Final = "DateTime64(9, 'UTC')"
_DTYPES: Final[dict[StorageClass, type]] = {
    StorageClass.DOUBLE: np.float64,
    StorageClass.INTEGER: np.int64,
    StorageClass.BOOLEAN: np.bool_,
}


class Store:
    """Implements `hulian.data.historian.contract.Historian` over an `Engine`, whose tables it makes and migrates."""

    def __init__(self, engine: Engine, configuration: HistorianConfiguration) -> None:
        self._engine = engine
        self._configuration = configuration
        self._writing = threading.RLock()
        migration.prepare(engine, configuration.durability)
        self._newest = {storage: Newest(_DTYPES.get(storage, np.bool_)) for storage in StorageClass}
        self._overlaps = Overlaps()
        self._version = 0
        self._done: dict[str, None] = {}
        self._failed: set[str] = set()
        self._begun = 0
        self._load()
        self._version += _LIFE

    def _load(self) -> None:
        database = self._engine.database
        for storage in StorageClass:
            wanted = pa.schema([*SCHEMAS[storage], pa.field("version", pa.uint64())])
            asking = self._asking(Deadline(INTERNAL), None)
            statement = (
                f"SELECT series, time, value, status, version FROM {database}.{schema.last(storage)} FINAL ORDER BY series"
            )
            for batch in asking.stream(statement, wanted):
                self._remember(storage, *batch.columns[:4])
                self._version = max(self._version, int(batch.column(4).to_numpy().max()))
        wanted = pa.schema(
            [
                ("series", pa.uint64()),
                ("hour", pa.int64()),
                ("storage", pa.string()),
                ("settled", pa.bool_()),
                ("revision", pa.uint64()),
            ]
        )
        found = self._engine.table(
            f"SELECT series, hour, toString(storage), settled, revision FROM {database}.overlaps FINAL", INTERNAL
        )
        if found.num_columns:
            self._overlaps.put(
                {
                    (row["series"], row["hour"]): Overlap(StorageClass(row["storage"]), row["settled"], row["revision"])
                    for row in pa.Table.from_arrays(found.columns, schema=wanted).to_pylist()
                }
            )

    def _remember(self, storage: StorageClass, series: pa.Array, when: pa.Array, value: pa.Array, status: pa.Array) -> None:
        numbers, missing = _plain(storage, value)
        self._newest[storage].update(
            NewestSamples(series.to_numpy(), when.view(pa.int64()).to_numpy(), numbers, missing, status.to_numpy())
        )

    def insert(self, columns: Sequence[Columns], token: str) -> None:
        with self._once(token) as doubted:
            if doubted is None:
                return
            self._version += 1
            blocks = [sort_block(joined) for joined in _by_class(columns)]
            if doubted:
                self._insert_doubted(blocks, token, self._version)
            else:
                self._insert(blocks, token, self._version)

    @contextlib.contextmanager
    def _once(self, token: str) -> Iterator[bool | None]:
        """None for a block that is stored; else whether a part of it may be, of a process that ended or a try that failed."""
        with self._writing:
            if token in self._done:
                yield None
                return
            try:
                yield token in self._failed or self._begun < _DOUBTED
            except BaseException:
                self._failed.add(token)
                raise
            self._begun += 1
            self._failed.discard(token)
            self._done[token] = None
            while len(self._done) > schema.DEDUPLICATION_WINDOW:
                del self._done[next(iter(self._done))]

    def _insert_doubted(self, blocks: Sequence[SortedBlock], token: str, version: int) -> None:
        """Inserts what is not there. Where a part is, the roll-ups may be or not: the hours are taken from the raw samples."""
        engine, asking = self._engine, self._asking(Deadline(INTERNAL), None)
        missing = [missing_rows(asking, block) for block in blocks]
        if all(rows is block for rows, block in zip(missing, blocks, strict=True)):
            self._insert(blocks, token, version)
            if all(rows_of(asking, block, version) == len(block.series) for block in blocks):
                return
            missing = [missing_rows(asking, block) for block in blocks]
        for block, rows in zip(blocks, missing, strict=True):
            if block.storage in NUMERIC:
                self._note(block.storage, hours_of(block))
            if len(rows.series):
                engine.insert(schema.raw(block.storage), sample_rows(rows, version), "")
            self._insert_newest(newest_rows(asking, block), version, "")

    def _insert(self, blocks: Sequence[SortedBlock], token: str, version: int) -> None:
        """Repeats are noted before, and newest samples last, so that a replay after a crash at any point mends all.

        The roll-ups of all classes go in together: of small blocks it is the number of inserts that costs.
        """
        engine = self._engine
        minutes: list[NativeBlock] = []
        hours: list[NativeBlock] = []
        for block in blocks:
            if block.storage in NUMERIC:
                by_minute = rollup(block, MINUTE)
                by_hour = coarser(by_minute, HOUR)
                repeats = repeated_hours(engine, block, by_hour, self._newest[block.storage], self._overlaps)
                self._note(block.storage, repeats)
                minutes.append(rollup_rows(by_minute, 0, spread=False))
                hours.append(rollup_rows(by_hour, 0, spread=True))
        for block in blocks:
            engine.insert(schema.raw(block.storage), sample_rows(block, version), _part(token, block.storage))
        together = _part(token, *(block.storage for block in blocks if block.storage in NUMERIC))
        if minutes:
            engine.insert("minute", stacked(minutes), together)
            engine.insert("hour", stacked(hours), together)
        for block in blocks:
            self._insert_newest(block, version, _part(token, block.storage))

    def _insert_newest(self, block: SortedBlock, version: int, token: str) -> None:
        storage, at = block.storage, block.newest
        self._engine.insert(schema.last(storage), sample_rows(block, version, newest=True), token)
        numbers, missing = _plain(storage, block.value.take(pa.array(at)))
        self._newest[storage].update(NewestSamples(block.names, block.time[at], numbers, missing, block.status[at]))

    def _note(self, storage: StorageClass, pairs: Iterable[Pair]) -> None:
        """Marks hours in which instants repeat, before the samples that repeat them are stored."""
        found: dict[Pair, Overlap] = {}
        for pair in pairs:
            before = self._overlaps.get(pair)
            if before is None or before.settled:
                found[pair] = Overlap(storage, settled=False, revision=_later(before))
        self._put_overlaps(found)

    def _put_overlaps(self, found: Mapping[Pair, Overlap]) -> None:
        if not found:
            return
        block = NativeBlock(
            [
                fixed("series", "UInt64", np.array([series for series, _ in found], np.uint64)),
                fixed("hour", "Int64", np.array([hour for _, hour in found], np.int64)),
                strings("storage", [overlap.storage.value for overlap in found.values()]),
                fixed("settled", "Bool", np.array([overlap.settled for overlap in found.values()], np.bool_)),
                fixed("revision", "UInt64", np.array([overlap.revision for overlap in found.values()], np.uint64)),
            ],
            len(found),
        )
        self._engine.insert("overlaps", block, "")
        self._overlaps.put(found)

    def settle(self, quiet: float = 7200.0) -> int:
        """Gives the hours with repeated instants right roll-ups, once they ended ``quiet`` seconds ago; how many."""
        before = (time.time_ns() - int(quiet * 1e9)) // HOUR
        done = 0
        while True:
            with self._writing:
                pending = {pair: found for pair, found in self._overlaps.pending().items() if pair[1] < before}
                some = dict(sorted(pending.items())[:500])
                if not some:
                    return done
                self._put_overlaps(settle(self._asking(Deadline(INTERNAL), None), some, _later))
                done += len(some)

    def insert_events(self, events: Sequence[Event], token: str) -> None:
        if not events:
            return
        with self._once(f"events/{token}") as doubted:
            if doubted is None:
                return
            missing = missing_events(self._asking(Deadline(INTERNAL), None), events) if doubted else events
            if missing:
                self._engine.insert("events", event_rows(missing), "" if doubted else token)

    def correct(self, correction: Correct) -> None:
        if not len(correction.columns):
            return
        if not correction.reason.strip() or not correction.author.strip():
            raise RequestError("a correction has an author and a reason", place="reason")
        with self._writing:
            self._version += 1
            block, version = sort_block(correction.columns), self._version
            token = f"correction/{version}/{time.time_ns()}"
            self._log_correction(block, correction, version)
            self._insert([block], token, version)

    def _log_correction(self, block: SortedBlock, correction: Correct, version: int) -> None:
        count = len(block.names)
        counts = np.diff(np.append(block.starts, len(block.series))).astype(np.uint64)
        rows = NativeBlock(
            [
                fixed("version", "UInt64", np.full(count, version, np.uint64)),
                strings("storage", [block.storage.value] * count),
                fixed("series", "UInt64", block.names),
                fixed("start", _TIME, block.first),
                fixed("end", _TIME, block.time[block.newest]),
                fixed("samples", "UInt64", counts),
                strings("author", [correction.author] * count),
                strings("reason", [correction.reason] * count),
                fixed("created", _TIME, np.full(count, time.time_ns(), np.int64)),
            ],
            count,
        )
        self._engine.insert("corrections", rows, "")

    def annotate(self, annotation: Annotate) -> None:
        if not annotation.id:
            raise RequestError("an annotation has an id", place="id")
        if annotation.end < annotation.start:
            raise RequestError("the annotation ends before it begins", place="end")
        with self._writing:
            rows = NativeBlock(
                [
                    strings("id", [annotation.id]),
                    fixed("series", "UInt64", np.array([annotation.series], np.uint64)),
                    fixed("start", _TIME, np.array([annotation.start], np.int64)),
                    fixed("end", _TIME, np.array([annotation.end], np.int64)),
                    strings("author", [annotation.author]),
                    strings("text", [annotation.text]),
                    fixed("created", _TIME, np.array([annotation.created], np.int64)),
                    fixed("revision", "UInt64", np.array([time.time_ns()], np.uint64)),
                ],
                1,
            )
            self._engine.insert("annotations", rows, "")

    def query(
        self, request: Request, limits: Limits = DEFAULT_LIMITS, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]:
        self._engine.check_open()
        deadline = Deadline(limits)
        for batch in answer(self._asking(deadline, cancellation), request):
            deadline.count(batch.num_rows)
            yield batch

    def _asking(self, deadline: Deadline, cancellation: Cancellation | None) -> Asking:
        return Asking(self._engine, self._newest, self._overlaps, deadline, cancellation)

    def series(self) -> Mapping[StorageClass, npt.NDArray[np.uint64]]:
        """Which series the store holds, by storage class."""
        return {storage: newest.samples.names for storage, newest in self._newest.items()}

    def sizes(self) -> Mapping[str, Size]:
        return retention.sizes(self._engine, INTERNAL)

    def enforce_retention(self) -> Iterable[Event]:
        self.settle()
        with self._writing:
            return list(retention.enforce(self._engine, self._configuration.retention, INTERNAL, time.time_ns()))

    def backup(self, directory: str) -> Mapping[str, Any]:
        """By the server itself into a directory of its own, where its configuration allows backups to files."""
        with self._writing:
            self._engine.execute(f"BACKUP DATABASE {self._engine.database} TO File({quote(directory)})")
        return {"directory": directory}

    def close(self) -> None:
        with self._writing:
            self._engine.close()


def _part(token: str, *storages: StorageClass) -> str:
    """The token of a part of a block; none where the block has none."""
    return f"{token}/{'+'.join(storage.value for storage in storages)}" if token else ""


def _plain(storage: StorageClass, value: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The values as numpy keeps them beside a mask; of classes that are not numbers only the mask."""
    missing = value.is_null().to_numpy(zero_copy_only=False)
    if storage not in NUMERIC:
        return np.zeros(len(value), np.bool_), missing
    filled = value.fill_null(False if storage is StorageClass.BOOLEAN else 0) if value.null_count else value
    return filled.to_numpy(zero_copy_only=False), missing


def _later(before: Overlap | None) -> int:
    """A revision above every earlier one; never used twice, also not after a crash."""
    return max(time.time_ns(), before.revision + 1 if before else 0)


def _by_class(columns: Sequence[Columns]) -> Iterator[Columns]:
    """One `Columns` a storage class, in the order of the classes; empty ones left out."""
    for storage in StorageClass:
        found = [part for part in columns if part.storage is storage and len(part)]
        if found:
            yield Columns.concatenate(found)
