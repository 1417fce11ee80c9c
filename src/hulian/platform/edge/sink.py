"""Where a connector's samples become numbered batches in its journal."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import anyio.to_thread
import numpy as np
import pyarrow as pa

from hulian.kernel.event import Event, Severity
from hulian.kernel.quality import SEVERITY_MASK, Quality
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import ConnectorState, ConnectorStatus
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Encode, Journal
from hulian.platform.edge.processing.bank import FilterBank, Staleness

__all__ = ["JournalSink"]

_PIECE_BYTES: Final = 4 * 2**20
_TICK: Final = 0.25
"""Seconds between two looks at the clock on behalf of filters."""
_TOLD_AT_ONCE: Final = 200
"""Events of stale points that one look tells at the most; the others wait for the next."""
HELD_ROWS: Final = 1_000_000
"""Samples kept in memory while the disk takes nothing; what comes on top is dropped, counted, told, and declared when the disk
takes something again."""


class JournalSink:
    """The `Sink` of one connector.

    Samples wait at most ``flush_ms``, then go to the journal as one group: at once when the connector was quiet, together
    when it is busy. A connector that commits positions is flushed only by its commits, as long as it hands samples over
    and commits without giving up control in between.
    """

    def __init__(
        self,
        organisation: str,
        source: str,
        journal: Journal,
        settings: EdgeConfiguration,
        encode: Callable[[SampleBatch], bytes],
        emit: Callable[[Event], None],
        written: Callable[[], None],
        filters: FilterBank | None = None,
    ) -> None:
        self.organisation = organisation
        self.source = source
        self.position = journal.position
        self.current = ConnectorStatus(state=ConnectorState.STARTING, since=time.time_ns())
        self.samples_taken = 0
        self.last_sample = 0
        self.held_dropped = 0
        """Samples dropped from memory that no declaration in the journal counts yet."""
        self._journal = journal
        self._settings = settings
        self._encode = encode
        self._emit = emit
        self._written = written
        self._waiting: list[Columns] = []
        self._waiting_rows = 0
        self._timer: asyncio.Handle | None = None
        self._soon = False
        self._owed: int | None = None
        self._flushed = 0.0
        self._disk_full = False
        self._dropped_seen = journal.dropped
        self._ahead = False
        self._filters = filters
        self._staleness: deque[Staleness] = deque()

    # ------------------------------------------------------------ the Sink that connectors see

    def samples(self, columns: Columns) -> None:
        """Takes the columns; see `hulian.network.exchange.protocols.contract.Sink`."""
        if not len(columns):
            return
        columns = self._checked(columns)
        if self._filters is None:
            self._take([columns])
            return
        passed, fresh = self._filters.apply(columns, time.time_ns())
        self._staleness.extend(fresh)
        self._take(passed)

    @property
    def filtered(self) -> int:
        """Samples that filters kept back, since the start."""
        return self._filters.filtered if self._filters is not None else 0

    async def watch(self) -> None:
        """What filters do by the clock alone, until cancelled: intervals that end, points that become stale."""
        while self._filters is not None and self._filters.timed:
            await asyncio.sleep(_TICK)
            passed, late = self._filters.tick(time.time_ns())
            self._take(passed)
            self._staleness.extend(late)
            for _ in range(min(len(self._staleness), _TOLD_AT_ONCE)):
                self._emit(self._stale_event(self._staleness.popleft()))

    def _take(self, passed: Sequence[Columns]) -> None:
        """What goes to the journal with the next flush."""
        rows = sum(map(len, passed))
        if not rows:
            return
        self._waiting.extend(passed)
        self._waiting_rows += rows
        loop = asyncio.get_running_loop()
        if self._waiting_rows >= 4 * self._settings.batch_rows and not self._disk_full and not self._soon:
            # Not at once: a connector that commits without giving up control has its samples and position in one group.
            self._soon = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_soon(self._flush)
        elif self._timer is None:
            due = max(loop.time(), self._flushed + self._settings.flush_ms / 1000)
            self._timer = loop.call_at(due, self._flush)

    @property
    def fill(self) -> float:
        """See `hulian.network.exchange.protocols.contract.Sink`."""
        journal = self._journal
        return journal.bytes / journal.bound if journal.pending else 0.0

    def event(self, event: Event) -> None:
        self._emit(event)

    def status(self, status: ConnectorStatus) -> None:
        changed = (status.state, status.error_code, status.error) != (
            self.current.state,
            self.current.error_code,
            self.current.error,
        )
        if not status.since:
            status.since = time.time_ns() if changed else self.current.since
        self.current = status
        if changed:
            self._written()

    async def commit(self, position: int | None = None) -> None:
        """Everything handed over is in the journal on return; waits while the disk takes nothing."""
        self._flush(position)
        while self._waiting:
            await asyncio.sleep(0.2)
            self._flush(position)
        if position is not None:
            self.position = position
        if self._journal.power:
            await anyio.to_thread.run_sync(self._journal.sync)

    def close(self) -> None:
        """What still waits goes to the journal, if the disk takes it; nothing comes after this."""
        if self._filters is not None:
            self._take(self._filters.close())
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------ into the journal

    def _checked(self, columns: Columns) -> Columns:
        """A time far ahead of this node's clock would hide every later value: it is replaced, and marked uncertain."""
        now = time.time_ns()
        limit = now + int(self._settings.future_tolerance_s * 1e9)
        newest = int(columns.time.max())
        if newest <= limit:
            if self._ahead:
                self._ahead = False
                self._emit(self._clock_event(now, active=False, ahead=0.0))
            return columns
        if not self._ahead:
            self._ahead = True
            self._emit(self._clock_event(now, active=True, ahead=(newest - now) / 1e9))
        wrong = columns.time > limit
        status = columns.status.copy()
        good = wrong & ((status & SEVERITY_MASK) == 0)
        status[good] = Quality.UNCERTAIN
        return Columns(columns.storage, columns.series, np.where(wrong, now, columns.time), columns.value, status)

    def _stale_event(self, change: Staleness) -> Event:
        name = change.name or str(change.series)
        return Event(
            time=change.time,
            code=EdgeEvent.POINT_STALE,
            severity=Severity.WARNING if change.stale else Severity.INFO,
            component="edge",
            subject=name,
            message=f"{name} gives no sample" if change.stale else f"{name} gives samples again",
            hint=f"look at the device behind {self.source}" if change.stale else "",
            active=change.stale,
        )

    def _clock_event(self, now: int, *, active: bool, ahead: float) -> Event:
        return Event(
            time=now,
            code=EdgeEvent.DEVICE_CLOCK_AHEAD,
            severity=Severity.WARNING if active else Severity.INFO,
            component="edge",
            subject=self.source,
            message=f"the device's clock is {ahead:.0f} s ahead" if active else "the device's clock is right again",
            hint="set the device's clock (NTP); until then its samples carry the time of receipt" if active else "",
            active=active,
        )

    def _flush(self, position: int | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._soon = False
        if not self._waiting:
            return
        # A position whose group the disk refused goes with the next attempt, whoever makes it.
        self._owed = position = self._owed if position is None else position
        self._flushed = asyncio.get_running_loop().time()
        batches = [(len(columns), self._encoder(columns)) for columns in self._joined()]
        if self._declared() and self._journal.append(batches, position):
            self.samples_taken += self._waiting_rows
            self.last_sample = time.time_ns()
            self._waiting.clear()
            self._waiting_rows = 0
            self._owed = None
            self._tell_disk(full=False)
            self._tell_dropped()
            self._written()
            return
        self._tell_disk(full=True)
        while self._waiting_rows > HELD_ROWS:
            gone = self._waiting.pop(0)
            self._waiting_rows -= len(gone)
            self.held_dropped += len(gone)
        self._timer = asyncio.get_running_loop().call_later(0.5, self._flush)

    def _declared(self) -> bool:
        """What was dropped from memory gets its place in the sequence, before what came after it."""
        lost = self.held_dropped
        if lost and not self._journal.lose(lost):
            return False
        self._dropped_seen += lost
        self.held_dropped = 0
        return True

    def _joined(self) -> list[Columns]:
        """What waits, one batch a storage class, cut at ``batch_rows``."""
        limit = self._settings.batch_rows
        joined: list[Columns] = []
        for storage in StorageClass:
            parts = [columns for columns in self._waiting if columns.storage is storage]
            if not parts:
                continue
            whole = parts[0] if len(parts) == 1 else _concatenate(storage, parts)
            for start in range(0, len(whole), limit):
                joined.extend(_pieces(_slice(whole, start, start + limit)))
        return joined

    def _encoder(self, columns: Columns) -> Encode:
        received = time.time_ns()

        def encode(epoch: int, sequence: int, offset: int) -> bytes:
            header = BatchHeader(self.organisation, self.source, epoch, sequence, offset, received)
            return self._encode(SampleBatch(header, columns))

        return encode

    def _tell_disk(self, *, full: bool) -> None:
        if full == self._disk_full:
            return
        self._disk_full = full
        self._emit(
            Event(
                time=time.time_ns(),
                code=EdgeEvent.JOURNAL_UNWRITABLE,
                severity=Severity.CRITICAL if full else Severity.INFO,
                component="edge",
                subject=self.source,
                message="the journal cannot be written: the disk refuses" if full else "the journal is written again",
                hint="free space on the disk of the data directory; samples are held in memory until then" if full else "",
                active=full,
                details={"held": self._waiting_rows, "dropped": self.held_dropped + self._journal.dropped},
            )
        )

    def _tell_dropped(self) -> None:
        lost = self._journal.dropped - self._dropped_seen
        if lost:
            self._dropped_seen = self._journal.dropped
            self._emit(
                Event(
                    time=time.time_ns(),
                    code=EdgeEvent.JOURNAL_FULL,
                    severity=Severity.ERROR,
                    component="edge",
                    subject=self.source,
                    message=f"the journal is full: {lost} samples were dropped ({self._journal.policy})",
                    hint="bring the spine back, or raise edge.buffer_mb",
                    details={"dropped": lost, "total": self._journal.dropped},
                )
            )


def _concatenate(storage: StorageClass, parts: list[Columns]) -> Columns:
    return Columns(
        storage,
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.time for part in parts]),
        pa.concat_arrays([part.value for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def _pieces(columns: Columns) -> list[Columns]:
    """Texts and bytes may be long: halves of halves, until each fits into a record of the journal."""
    if len(columns) == 1 or columns.value.nbytes <= _PIECE_BYTES:
        return [columns]
    half = len(columns) // 2
    return _pieces(_slice(columns, 0, half)) + _pieces(_slice(columns, half, len(columns)))


def _slice(columns: Columns, start: int, end: int) -> Columns:
    if start == 0 and end >= len(columns):
        return columns
    return Columns(
        columns.storage,
        columns.series[start:end],
        columns.time[start:end],
        columns.value[start:end],
        columns.status[start:end],
    )
