"""The collector: from the tallies of every thread to minutes and days, and to what is asked about right now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.network.identifiers.statistics.counts import Counts
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import MINUTE, MOST_SOURCES, Changes, Kept, begin_of
from hulian.network.identifiers.statistics.tally import Meter
from hulian.registry.errors import RegistryError

__all__ = ["Dropped", "Statistics"]

SECONDS: Final = 10.0
"""How often the tallies are emptied: more often than they forget seconds."""

EXHAUSTED: Final = 100
"""Questions over the budget of their source, in `SECONDS`, that are told as a fault: one or two are somebody's retries."""

QUIET: Final = 60.0
"""Seconds without any, or without a failure of the store, after which such a fault is over."""

_HERE: Final = "identifiers"
_log = structlog.get_logger(__name__)


class Dropped(msgspec.Struct, frozen=True):
    """Of the questions that came so far: how many were not answered, and how many of them because of the budget."""

    all: int = 0
    over_budget: int = 0


class Statistics:
    """Counts of one node: of the current minute, since it began, and, where there is ``kept``, of the days before.

    ``dropped`` says how many questions were not answered so far, ``changes`` what was registered (see `Kept`), ``registered``
    how many records there are. ``kill -9`` loses what was counted in the current minute, but no registration. What a
    database refuses is kept until it takes it.
    """

    def __init__(
        self,
        meter: Meter,
        kept: Kept | None = None,
        *,
        dropped: Callable[[], Dropped] = Dropped,
        changes: Changes | None = None,
        registered: Callable[[], int] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.meter = meter
        self.kept = kept
        self.faults = faults or Faults()
        self.began = time.time()
        self.total = Counts()
        """Since this process began; only grows, but for the peak, which is that of all seconds so far."""
        self._dropped_now, self._dropped = dropped, Dropped()
        self._changes = None if changes is None else _beginning(changes)
        self._registered = registered
        self._minute = begin_of(MINUTE, self.began)
        self._counts = Counts()
        self._sources: dict[bytes, int] = {}
        self._others = 0
        self._seconds: dict[int, int] = {}
        self._quiet_from: dict[FaultEvent, float] = {}
        self._writing = anyio.Lock()

    async def run(self) -> None:
        """Until cancelled; then what was counted last is written."""
        await self._begin()
        try:
            while True:
                await anyio.sleep(SECONDS - time.time() % SECONDS)
                await self.collect()
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()

    async def collect(self) -> None:
        """Empties the tallies; a minute that is over is written, and so are new faults."""
        now = time.time()
        if begin_of(MINUTE, now) != self._minute:
            self._take(now)
            await self.write()
            self._minute = begin_of(MINUTE, now)
        else:
            self._take(now)
            if self.faults.waiting():
                await self.write()

    async def write(self) -> None:
        """Adds what was collected to the current minute of the registry. What it refuses waits for the next time."""
        if self.kept is None:
            self._forget()
            return
        async with self._writing:
            counts, sources, others = self._counts, self._sources, self._others
            self._forget()
            faults = self.faults.waiting()
            # As they are now: one that ends while it is written is written again.
            copies = [msgspec.structs.replace(one) for one in faults]
            try:
                added = await anyio.to_thread.run_sync(
                    self.kept.write, self._minute, counts, sources, others, copies, self._changes
                )
            except RegistryError as error:
                counts.add(self._counts)
                self._counts = counts
                self._add_sources(sources, others)
                self._failed(str(error))
                return
            for one, copy in zip(faults, copies, strict=True):
                one.number = copy.number
            self.faults.written([one for one, copy in zip(faults, copies, strict=True) if one.over == copy.over])
            for name in ("created", "changed", "deleted"):
                setattr(self.total, name, getattr(self.total, name) + getattr(added, name))

    @property
    def current(self) -> Counts:
        """What was collected and is not written yet."""
        return self._counts

    # -- beginning and end ---------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        if self.kept is None:
            return
        try:
            seen = await anyio.to_thread.run_sync(self.kept.begin)
        except RegistryError as error:
            self._failed(str(error))
            return
        if seen is not None:
            told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seen))
            self.faults.happened(FaultEvent.UNCLEAN_STOP, _HERE, f"it was seen running at {told}, and never stopped")
        self.faults.happened(FaultEvent.STARTED, _HERE, "started")
        await self.write()

    async def _end(self) -> None:
        self._take(time.time(), last=True)
        self.faults.happened(FaultEvent.STOPPED, _HERE, "stopped")
        await self.write()
        if self.kept is not None:
            with contextlib.suppress(RegistryError):  # then the next start says that nobody has stopped it
                await anyio.to_thread.run_sync(self.kept.end)

    # -- one collection ------------------------------------------------------------------------------------------------

    def _take(self, now: float, *, last: bool = False) -> None:
        taken = self.meter.take()
        for counts in (self._counts, self.total):
            counts.take(taken)
        for second, count in taken.seconds.items():
            self._seconds[second] = self._seconds.get(second, 0) + count
        # The current second, and the one before, may still grow.
        for second in [one for one in self._seconds if last or one < int(now) - 1]:
            count = self._seconds.pop(second)
            self._counts.peaked(second, count)
            self.total.peaked(second, count)
        self._add_sources(taken.sources, taken.others)
        self._take_dropped()
        if self._registered is not None:
            self._counts.registered = self.total.registered = self._registered()
        if self.meter.failed:
            self._failed(self.meter.failed)
            self.meter.failed = ""
        self._settle()

    def _take_dropped(self) -> None:
        dropped = self._dropped_now()
        over = dropped.over_budget - self._dropped.over_budget
        for counts in (self._counts, self.total):
            counts.dropped += dropped.all - self._dropped.all
            counts.over_budget += over
        self._dropped = dropped
        if over >= EXHAUSTED or (over and self.faults.lasts(FaultEvent.BUDGET_EXHAUSTED, _HERE)):
            self._lasts(FaultEvent.BUDGET_EXHAUSTED, f"{over} questions were not answered in {SECONDS:g} s")

    def _add_sources(self, more: dict[bytes, int], others: int) -> None:
        sources = self._sources
        for network, count in more.items():
            if network in sources:
                sources[network] += count
            elif len(sources) < MOST_SOURCES:
                sources[network] = count
            else:
                others += count
        self._others += others

    def _forget(self) -> None:
        self._counts, self._sources, self._others = Counts(), {}, 0

    # -- faults --------------------------------------------------------------------------------------------------------

    def _failed(self, reason: str) -> None:
        self._lasts(FaultEvent.STORE_FAILED, reason)

    def _lasts(self, code: FaultEvent, message: str) -> None:
        self._quiet_from[code] = time.monotonic() + QUIET
        self.faults.began(code, _HERE, message)

    def _settle(self) -> None:
        for code, quiet in list(self._quiet_from.items()):
            if time.monotonic() > quiet:
                del self._quiet_from[code]
                self.faults.ended(code, _HERE)


def _beginning(changes: Changes) -> Changes:
    """Where nothing was counted yet, from now on: what was there before is not new."""
    first = changes(-1)[0]
    return lambda after: changes(first if after < 0 else after)
