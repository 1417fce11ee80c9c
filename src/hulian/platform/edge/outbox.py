"""What the edge tells, on its way: events are kept on disk until the spine has them, in order, over kill -9 and days alone.

They stand in a journal of their own, as samples do (`hulian.platform.edge.journal`). When its bound is reached the oldest go,
and how many is told by an event in their place. While the disk takes nothing they wait in memory, within a bound.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.errors import JournalError
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal, Record

__all__ = ["HELD", "Outbox"]

_log = structlog.get_logger(__name__)
HELD: Final = 10_000
"""Events kept in memory while the disk takes nothing; the oldest go."""
_LONGEST: Final = 64 * 1024
"""Bytes of one event; a longer one loses its details and the end of its message."""
_TEXT: Final = 2000
_AT_ONCE: Final = 64
"""Events under way to the spine."""
_PAUSE: Final = 1.0


class Outbox:
    """The events of one edge. ``put`` never waits; ``run`` keeps and sends. Not thread-safe: the edge's loop owns it."""

    def __init__(
        self, directory: Path, send: Callable[[Event], Awaitable[None]], *, bound: int = 32 * 2**20, power: bool = False
    ) -> None:
        self._journal = Journal(directory, bound=bound, policy=BufferPolicy.DROP_OLDEST, power=power)
        self._send = send
        self._waiting: deque[Event] = deque(maxlen=HELD)
        self._lost = 0
        self._put = anyio.Event()
        self._kept = anyio.Event()

    @property
    def pending(self) -> int:
        """Events that the spine does not have yet."""
        return self._journal.pending + len(self._waiting)

    def put(self, event: Event) -> None:
        """Takes an event: within moments it is on disk, with ``power`` past the disk's cache too."""
        self._lost += len(self._waiting) == HELD
        self._waiting.append(event)
        self._put.set()

    async def run(self) -> None:
        """Keeps and sends until cancelled; begins with what an earlier life left."""
        await self._open()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep)
                group.start_soon(self._send_kept)
        finally:
            self._write()
            self._journal.close()

    async def _open(self) -> None:
        """Without a place on disk events wait in memory, and the connectors run all the same."""
        while True:
            try:
                self._journal.open()
                return
            except JournalError as error:
                _log.error("events cannot be kept on disk", error=str(error), hint=error.hint)
                self._journal.close()
                await anyio.sleep(5 * _PAUSE)

    async def _keep(self) -> None:
        while True:
            await self._put.wait()
            if self._write():
                self._put = anyio.Event()
                if self._journal.power:
                    await anyio.to_thread.run_sync(self._journal.sync)
            else:
                await anyio.sleep(_PAUSE)

    def _write(self) -> bool:
        """What waits goes to disk as one group; False where the disk refuses it."""
        events = list(self._waiting)
        if self._lost:
            events.append(_dropped(self._lost, time.time_ns(), "the disk took nothing"))
        if events and not self._journal.append([(1, partial(_payload, _bytes(event))) for event in events]):
            return False
        self._lost = 0
        self._waiting.clear()
        self._kept.set()
        return True

    async def _send_kept(self) -> None:
        cursor = self._journal.cursor()
        while True:
            self._kept = anyio.Event()
            records, behind = self._journal.read(cursor)
            if not records:
                cursor = behind
                await self._kept.wait()
                continue
            try:
                for start in range(0, len(records), _AT_ONCE):
                    part = records[start : start + _AT_ONCE]
                    await self._send_all(part)
                    self._journal.acknowledge(part[-1].sequence)
                cursor = behind
            except HulianError as error:
                _log.warning("events wait for the spine", pending=self.pending, reason=str(error))
                await anyio.sleep(_PAUSE)
                cursor = self._journal.cursor()

    async def _send_all(self, records: list[Record]) -> None:
        """Sends all of them side by side: one that is sent again has the same identity."""
        failures: list[HulianError] = []

        async def one(event: Event) -> None:
            try:
                await self._send(event)
            except HulianError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            for record in records:
                group.start_soon(one, _event(record))
        if failures:
            raise failures[0]


def _payload(payload: bytes, *_: int) -> bytes:
    return payload


def _bytes(event: Event) -> bytes:
    payload = msgspec.json.encode(event)
    if len(payload) <= _LONGEST:
        return payload
    short = {name: getattr(event, name)[:_TEXT] for name in ("subject", "message", "hint")}
    return msgspec.json.encode(msgspec.structs.replace(event, details={}, **short))


def _event(record: Record) -> Event:
    if record.drop is not None:
        return _dropped(record.rows, record.drop.time, "the spine was away for too long")
    return msgspec.json.decode(record.payload, type=Event)


def _dropped(count: int, moment: int, why: str) -> Event:
    return Event(
        time=moment,
        code=EdgeEvent.EVENTS_DROPPED,
        severity=Severity.ERROR,
        component="edge",
        subject="events",
        message=f"{count} events were dropped: {why}",
        hint="look for what tells so much, and for the way to the spine",
        details={"dropped": count},
    )
