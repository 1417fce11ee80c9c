"""How an input stands: its state, its events, and the marks on its points while nothing comes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, ConnectorStatus, Environment, Sink
from hulian.network.exchange.protocols.reports import Reports
from hulian.network.exchange.protocols.tabular import Rows, Target

__all__ = ["Backoff", "Standing"]

_TICK: Final = 1.0
_LONGEST: Final = 2**20
_LONG: Final = (StorageClass.TEXT, StorageClass.BYTES, StorageClass.STRUCTURE)
_ENOUGH: Final = 0.25


class Standing:
    """What a person sees of one input. ``rows`` knows its points; ``wrong`` are bindings that can never be read; ``marked``
    says whether points are marked uncertain, then bad after ``bad_after`` seconds, while the source is away."""

    def __init__(
        self,
        component: str,
        environment: Environment,
        rows: Rows,
        wrong: Sequence[tuple[Binding, HulianError]],
        *,
        bad_after: float = 10.0,
        marked: bool = True,
        serious: tuple[type[HulianError], ...] = (),
        counted: Mapping[type[HulianError], str] | None = None,
    ) -> None:
        self.reports = Reports(component, environment.connector, self._event, serious=serious, counted=counted)
        self.rows = rows
        self.samples = 0
        self.state = ConnectorState.STARTING
        self._wrong = list(wrong)
        self._bad_after = bad_after
        self._marked = marked
        self._sink: Sink | None = None
        self._error: HulianError | None = None
        self._away: HulianError | None = None
        self._retry_at = 0
        self._since = time.time_ns()
        self._last_sample = 0
        self._lost_at: float | None = None
        self._marked_bad = False
        self._unknown: set[int] = set()
        self._marks: dict[int, int] = {}

    def attach(self, sink: Sink) -> None:
        """The input has begun; bindings that can never be read are told."""
        self._sink = sink
        now = time.time_ns()
        for binding, error in self._wrong:
            self.reports.begin(type(error), binding.address, f"{error.message} ({binding.address})", error.hint)
            status = [int(Quality.BAD_CONFIGURATION_ERROR)]
            sink.samples(Columns.of(binding.storage, [binding.series], [now], [None], status))
        self.publish()

    def hand_over(self, columns: Iterable[Columns]) -> int:
        """Gives samples to the edge; how many."""
        count = 0
        if self._sink is not None:
            for part in columns:
                if len(part):
                    self._sink.samples(_bounded(part))
                    count += len(part)
        if count:
            self.samples += count
            self._last_sample = time.time_ns()
        return count

    async def room(self) -> None:
        """Waits while the edge's journal is a quarter full: the spine has to take some first, and nothing is dropped."""
        while self._sink is not None and self._sink.fill > _ENOUGH:  # noqa: ASYNC110 - the journal tells nobody that it drains
            await anyio.sleep(0.05)

    # -- there or away -------------------------------------------------------------------------------------------------

    def came_back(self) -> None:
        """The source is there."""
        self._lost_at, self._marked_bad = None, False
        if self._away is not None:
            self.reports.end(type(self._away), "")
            self._away = None
        if self.state is not ConnectorState.CONNECTED:
            self.set(ConnectorState.CONNECTED, None)

    def lost(self, error: HulianError, delay: float, *, state: ConnectorState = ConnectorState.WAITING) -> None:
        """The source is away, and is asked again in ``delay`` seconds."""
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self._mark(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)
        if self._away is not None and type(self._away) is not type(error):
            self.reports.end(type(self._away), "")
        self._away = error
        self.reports.begin(type(error), "", str(error), error.hint)
        self.set(state, error, retry_at=time.time_ns() + int(delay * 1e9))

    def _mark(self, status: Quality) -> None:
        if self._marked:
            known = lambda target: target.series not in self._unknown  # noqa: E731 - read at once
            marks = list(self.rows.marks(int(status), time.time_ns(), only=known))
            for part in marks:
                self._marks.update(zip(part.series.tolist(), part.time.tolist(), strict=True))
            self.hand_over(marks)

    def confirm(self, rows: Rows) -> None:
        """All that the source has for ``rows`` is read: the newest counts again, where it is older than our marks."""
        if self._marks:
            self.hand_over(rows.confirmed(self._marks))

    # -- points that the source does not know --------------------------------------------------------------------------

    def unknown(self, kind: type[HulianError], target: Target, address: str, message: str) -> None:
        """The source has no such place: the point is bad, told once."""
        if target.series not in self._unknown:
            self._unknown.add(target.series)
            self.reports.begin(kind, address, message)
            only = lambda one: one.series == target.series  # noqa: E731 - read at once
            self.hand_over(self.rows.marks(int(Quality.BAD_NODE_ID_UNKNOWN), time.time_ns(), only=only))

    def known(self, kind: type[HulianError], target: Target, address: str) -> None:
        """The source has it."""
        if target.series in self._unknown:
            self._unknown.discard(target.series)
            self.reports.end(kind, address)

    # -- what the edge hears -------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        if self._sink is not None:
            self._sink.event(event)

    def set(self, state: ConnectorState, error: HulianError | None, *, retry_at: int = 0) -> None:
        """Changes the state and tells it."""
        if state is not self.state:
            self._since = time.time_ns()
        self.state, self._error, self._retry_at = state, error, retry_at
        self.publish()

    def publish(self) -> None:
        """The status as it is now."""
        if self._sink is None:
            return
        state, error = self.state, self._error
        bad = len(self._wrong) + len(self._unknown)
        status = ConnectorStatus(
            state=state,
            error_code=error.code if error else "",
            error=str(error) if error else "",
            hint=error.hint if error else "",
            since=self._since,
            retry_at=self._retry_at,
            last_sample=self._last_sample,
            points=len(self.rows.targets) + len(self._wrong),
            bad_points=len(self.rows.targets) + len(self._wrong) if self._marked_bad else bad,
            samples=self.samples,
            counters=dict(self.reports.counters),
        )
        if state is ConnectorState.CONNECTED and self.reports.open:
            event = next(iter(self.reports.open.values()))
            status.state = ConnectorState.DEGRADED
            status.error_code, status.error, status.hint = event.code, f"{event.code}: {event.message}", event.hint
        self._sink.status(status)

    async def watch(self) -> None:
        """Once a second: the status, and bad marks for what has been away too long."""
        while True:
            if self._lost_at is not None and not self._marked_bad and time.monotonic() - self._lost_at >= self._bad_after:
                self._marked_bad = True
                refused = self.state is ConnectorState.REFUSED
                self._mark(Quality.BAD_USER_ACCESS_DENIED if refused else Quality.BAD_NO_COMMUNICATION)
            self.publish()
            await anyio.sleep(min(_TICK, max(0.05, self._bad_after / 4)))


def _bounded(columns: Columns) -> Columns:
    """The same columns, without values longer than a batch can carry: those are bad."""
    if columns.storage not in _LONG or columns.value.nbytes <= _LONGEST:
        return columns
    wrong = pc.greater(pc.binary_length(columns.value), _LONGEST).fill_null(False)
    if not pc.any(wrong).as_py():
        return columns
    values = pc.if_else(wrong, pa.scalar(None, columns.value.type), columns.value)
    status = np.where(np.asarray(wrong), np.uint32(Quality.BAD_OUT_OF_RANGE), columns.status)
    return Columns(columns.storage, columns.series, columns.time, values, status)


class Backoff:
    """Waits between attempts: each as long as the peer has been away, at least ``first`` and at most ``most`` seconds.

    So a peer is found again before it has been there for as long as it was away. Each wait is shortened by chance, to no less
    than half: many connectors that lost one peer do not come back in one moment. ``clock`` counts seconds.
    """

    def __init__(self, first: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._first = first
        self._most = most
        self._clock = clock
        self._since: float | None = None

    def reset(self) -> None:
        """All went well: the next failure is the first."""
        self._since = None

    def next(self) -> float:
        """An attempt has failed: seconds until the next one."""
        now = self._clock()
        if self._since is None:
            self._since = now
        wait = min(max(self._first, now - self._since), self._most)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
