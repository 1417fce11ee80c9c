"""From the journal to the spine, with a window of messages under way."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from hulian.kernel.event import Event, Severity
from hulian.platform.edge.contract import Uplink
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Cursor, Journal, Record
from hulian.platform.edge.pace import Pace
from hulian.platform.edge.ranges import Ranges

__all__ = ["Sender"]


_PILE: Final = 4
"""Windows of unsent batches from which on what is new goes first."""
_FIRST: Final = 0.05
_LONGEST: Final = 2.0
"""Seconds between two tries; what is new is with the spine within five seconds of its return."""


class Sender:
    """Sends what one journal holds and acknowledges it there once the spine has stored it.

    In order; but where much has piled up while the spine was away, what is new goes first, and the backlog beside it in its
    order, at the pace that ``pace`` allows. The ledger is told by the journal's figures that the edge still holds what is
    between.

    A refusal (full stream, time-out, lost link) ends the window: what is under way is waited for, then one message is tried,
    later each time, and when it is taken everything from the first unacknowledged record goes again. The spine and the ledger
    recognise what they had already.
    """

    def __init__(
        self,
        source: str,
        journal: Journal,
        uplink: Uplink,
        window: int,
        emit: Callable[[Event], None],
        pace: Pace | None = None,
    ) -> None:
        self.source = source
        self.refusal = ""
        self._journal = journal
        self._uplink = uplink
        self._window = window
        self._emit = emit
        self._pace = pace
        self._written = anyio.Event()
        self._settled = anyio.Event()
        self._under_way = 0
        self._stored = Ranges()
        """What the spine has, of batches and of declarations, and does not follow on what is acknowledged yet."""
        self._behind: Cursor
        self._ahead: Cursor | None = None
        """Where what is new is read, while there is a backlog: it ends before the batch ``_split``."""
        self._split = 0
        self._waited: deque[Record] = deque()
        """Of the backlog, read already."""
        self._last = False
        """Whether that is its end."""
        self._failure: Exception | None = None
        self._allowed = float(window)
        """Messages that may be under way now: one after a refusal, more with each that is taken, so that a stream that is
        full again and again takes what the historian makes room for instead of refusing windows."""
        self._careful = float(window)
        """From here on ``_allowed`` grows slowly: half of what was under way at the last refusal."""
        self._told = False
        self._failing_since = 0.0
        self._in_a_row = 0
        """Messages taken since the last failure."""
        self._taken = False
        """Whether, after a failure, the spine has taken nearly everything, or much in a row: what was only sent, or fitted into
        a full stream now and then, is no recovery."""
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
        delay = _FIRST
        self._begin()
        while True:
            if self._failure is not None or not self._uplink.connected:
                await self._settle()
                delay = _FIRST if self._in_a_row else min(delay * 2, _LONGEST)
                self._note_failure()
                await anyio.sleep(delay * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
                self._failure = None
                self._begin()
                continue
            self._written = anyio.Event()
            sent = await self._send_some()
            if self._taken or (not sent and self._journal.pending == 0):
                delay = self._recovered()
            if not sent and self._failure is None:
                await self._written.wait()
                continue
            await anyio.lowlevel.checkpoint()

    def _begin(self) -> None:
        """From the first unacknowledged record."""
        self._stored.clear()
        self._waited.clear()
        self._behind, self._ahead, self._last = self._journal.cursor(), None, False

    async def _send_some(self) -> bool:
        """Hands the next records to the uplink; whether there were any."""
        if self._ahead is None:
            if self._journal.pending - self._under_way <= _PILE * self._window:
                records, self._behind = self._journal.read(self._behind)
                for record in records:
                    if not await self._room(self._window):
                        break
                    self._send(record)
                return bool(records)
            self._ahead, self._split = self._journal.end(), self._journal.sequence + 1
        fresh, self._ahead = self._journal.read(self._ahead)
        for record in fresh:
            if not await self._room(self._window):
                return True
            self._send(record)
        if not self._waited:
            records, self._behind = self._journal.read(self._behind)
            self._waited.extend(record for record in records if record.drop is not None or record.sequence < self._split)
            if len(self._waited) < len(records) or not records:
                # The rest of these, and all behind them, was sent from ``_ahead``.
                self._behind, self._last = self._ahead, True
        await self._send_waited()
        if self._last and not self._waited:
            self._behind, self._ahead, self._last = self._ahead, None, False
        return True

    async def _send_waited(self) -> None:
        """Of the backlog, until there is something new; half of the window stays free for that."""
        while self._waited and not self._written.is_set():
            if self._pace is not None:
                await self._pace.take(self._waited[0].rows)
            if not await self._room(max(1, self._window // 2)):
                return
            self._send(self._waited.popleft())

    async def _room(self, window: int) -> bool:
        """Waits for a place in the window; False where a refusal has ended it."""
        while self._failure is None and self._under_way >= min(window, int(self._allowed)):
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
                self._allowed = min(self._window, self._allowed + (1 if self._allowed < self._careful else 1 / self._allowed))
                self._acknowledge(first, last)
                self._in_a_row += 1
                if self._failing_since and (self._journal.pending < self._window or self._in_a_row >= 2 * self._window):
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
        self._stored.add(first, last)
        through = self._stored.through(self._journal.acknowledged)
        if through > self._journal.acknowledged:
            self._journal.acknowledge(through)
            self._stored.forget(through)
        if not self._journal.pending:
            self._empty.set()

    async def _settle(self) -> None:
        with anyio.move_on_after(10):
            while self._under_way:
                self._settled = anyio.Event()
                await self._settled.wait()

    def _note_failure(self) -> None:
        now, self._taken, self._in_a_row = time.monotonic(), False, 0
        self._careful, self._allowed = max(1.0, self._allowed / 2), 1.0
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
        return _FIRST

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
