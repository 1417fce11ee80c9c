"""From the journal to the spine, in order, with a window of messages under way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import anyio

from hulian.kernel.event import Event, Severity
from hulian.platform.edge.contract import Uplink
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal, Record

__all__ = ["Sender"]


class Sender:
    """Sends what one journal holds and acknowledges it there once the spine has stored it.

    A refusal (full stream, time-out, lost link) ends the window: what is under way is waited for, then everything from the
    first unacknowledged record goes again, later each time. The spine and the ledger recognise what they had already.
    """

    def __init__(self, source: str, journal: Journal, uplink: Uplink, window: int, emit: Callable[[Event], None]) -> None:
        self.source = source
        self.refusal = ""
        self._journal = journal
        self._uplink = uplink
        self._window = window
        self._emit = emit
        self._written = anyio.Event()
        self._settled = anyio.Event()
        self._under_way = 0
        self._stored: set[int] = set()
        self._declared: list[tuple[int, int]] = []
        """Ranges of dropped batches that the spine has been told, and that do not follow on what is acknowledged yet."""
        self._failure: Exception | None = None
        self._told = False
        self._failing_since = 0.0
        self._taken = False
        """Whether, after a failure, the spine has taken nearly everything: what was only sent is no recovery."""
        self._empty = anyio.Event()

    def wake(self) -> None:
        """The journal has grown."""
        self._written.set()

    async def emptied(self) -> None:
        """Returns when the spine has everything that the journal holds."""
        while self._journal.pending:
            await self._empty.wait()
            self._empty = anyio.Event()

    async def run(self) -> None:
        """Sends until cancelled."""
        delay = 0.05
        cursor = self._journal.cursor()
        while True:
            if self._failure is not None or not self._uplink.connected:
                await self._settle()
                self._note_failure()
                await anyio.sleep(delay * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
                delay = min(delay * 2, 5.0)
                self._failure = None
                self._stored.clear()
                self._declared.clear()
                cursor = self._journal.cursor()
                continue
            self._written = anyio.Event()
            records, cursor = self._journal.read(cursor)
            if self._taken or (not records and self._journal.pending == 0):
                delay = self._recovered()
            if not records:
                await self._written.wait()
                continue
            for record in records:
                if not await self._room():
                    break
                self._send(record)
            await anyio.lowlevel.checkpoint()

    async def _room(self) -> bool:
        """Waits for a place in the window; False where a refusal has ended it."""
        while self._under_way >= self._window and self._failure is None:
            self._settled = anyio.Event()
            await self._settled.wait()
        return self._failure is None

    def _send(self, record: Record) -> None:
        self._under_way += 1
        drop = record.drop
        first, last = (record.sequence, record.sequence) if drop is None else (drop.first, drop.last)

        def done(error: Exception | None) -> None:
            self._under_way -= 1
            if error is None:
                self._acknowledge(first, last)
                if self._failing_since and self._journal.pending < self._window:
                    self._taken = True
                    self._written.set()  # the source may be silent for long: that it is over is said now
            else:
                self._failure = error
                self._written.set()
            self._settled.set()

        epoch = self._journal.epoch
        if drop is None:
            self._uplink.send(self.source, record.payload, f"{self.source}-{epoch}-{last}", done)
        else:
            identity = f"{self.source}-{epoch}-{first}-{last}-dropped"
            self._uplink.send(self.source, self._uplink.declare(self.source, epoch, drop), identity, done)

    def _acknowledge(self, first: int, last: int) -> None:
        through = self._journal.acknowledged
        if first == last:
            self._stored.add(last)
        else:
            self._declared.append((first, last))
        while True:
            before = through
            while through + 1 in self._stored:
                through += 1
                self._stored.remove(through)
            for begin, end in self._declared:
                if begin <= through + 1:
                    through = max(through, end)
            if through == before:
                break
        if through > self._journal.acknowledged:
            self._journal.acknowledge(through)
            self._declared = [(begin, end) for begin, end in self._declared if end > through]
        if not self._journal.pending:
            self._empty.set()
        if len(self._stored) > 2 * self._window:
            self._stored = {number for number in self._stored if number > through}

    async def _settle(self) -> None:
        with anyio.move_on_after(10):
            while self._under_way:
                self._settled = anyio.Event()
                await self._settled.wait()

    def _note_failure(self) -> None:
        now, self._taken = time.monotonic(), False
        self._failing_since = self._failing_since or now
        self.refusal = str(self._failure) if self._failure else "no link to the spine"
        if not self._told and now - self._failing_since > 2.0:
            self._told = True
            self._emit(self._event(active=True, message=f"the spine does not take samples: {self.refusal}"))

    def _recovered(self) -> float:
        self._failing_since, self._taken = 0.0, False
        self.refusal = ""
        if self._told:
            self._told = False
            self._emit(self._event(active=False, message="the spine takes samples again"))
        return 0.05

    def _event(self, *, active: bool, message: str) -> Event:
        return Event(
            time=time.time_ns(),
            code=EdgeEvent.SPINE_REFUSES,
            severity=Severity.WARNING if active else Severity.INFO,
            component="edge",
            subject=self.source,
            message=message,
            hint="samples wait in the journal on disk; look at the streams and at the historian" if active else "",
            active=active,
            details={"pending": self._journal.pending, "bytes": self._journal.bytes},
        )
