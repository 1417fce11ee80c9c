"""What every link to devices has in common: requests wait in a queue for each unit, leave in turn, and end exactly once.

A `Channel` is driven by the event loop's callbacks, without a task for each request: a poll of thirty registers costs tens
of microseconds, and hundreds of connections fit one core. `Client` (Modbus TCP) and `Bus` (RTU and ASCII) are its two kinds.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from typing import Final

from hulian.network.exchange.protocols.modbus.errors import LostError, ModbusError, SilenceError

__all__ = ["Channel", "Link", "Pace", "Request", "RoundTrip"]

_GAIN: Final = 0.125
_VARIATION_GAIN: Final = 0.25
_MOST_QUEUED: Final = 4096
_SILENT_SHARE: Final = 4
"""A silent unit waits so many times as long as it has cost, for each silent unit: together they take a fifth of the time."""


class RoundTrip:
    """How long a unit takes to answer, and how long to wait for it: RFC 6298 between two bounds.

    Until the first answer, and where ``least`` is not below ``most``, the wait is ``most``. So it is after an expiry, until an
    answer comes: a device that has become slow is not taken for silent before ``most`` has passed.
    """

    __slots__ = ("_mean", "_variation", "least", "most", "timeout")

    def __init__(self, least: float, most: float) -> None:
        self.least = min(least, most)
        self.most = most
        self.timeout = most
        self._mean = -1.0
        self._variation = 0.0

    @property
    def mean(self) -> float:
        """The smoothed round trip in seconds, 0 before the first."""
        return max(0.0, self._mean)

    def observe(self, seconds: float) -> None:
        """An answer took so long."""
        if self._mean < 0:
            self._mean, self._variation = seconds, seconds / 2
        else:
            self._variation += _VARIATION_GAIN * (abs(seconds - self._mean) - self._variation)
            self._mean += _GAIN * (seconds - self._mean)
        wait = self._mean + 4 * self._variation
        self.timeout = self.least if wait < self.least else min(wait, self.most)

    def expired(self) -> None:
        """An answer did not come in `timeout`."""
        self.timeout = self.most


class Pace:
    """What a device bears: at least ``gap`` seconds from one answer to the next request, at most ``rate`` requests a second."""

    __slots__ = ("_next", "_step", "gap")

    def __init__(self, gap: float = 0.0, rate: float = 0.0) -> None:
        self.gap = gap
        self._step = 1 / rate if rate else 0.0
        self._next = 0.0

    @property
    def free(self) -> bool:
        """Whether there is nothing to wait for, ever."""
        return not self.gap and not self._step

    def wait(self, now: float) -> float:
        """Seconds until the next request may leave."""
        return max(0.0, self._next - now)

    def sent(self, now: float) -> None:
        """A request left."""
        self._next = max(self._next, now + self._step)

    def ended(self, now: float) -> None:
        """An answer came, or its time is over."""
        self._next = max(self._next, now + self.gap)


class Request:
    """One question to one unit. It is on its way at most once at a time, and may be asked again after it has ended.

    ``pdu`` is the protocol data unit; ``trip`` tells how long to wait. Exactly one of `answered` and `failed` is called for
    each `Channel.submit`, unless `Channel.withdraw` comes first.
    """

    __slots__ = ("deadline", "owner", "pdu", "queued", "sent", "tail", "trip", "unit")

    def __init__(self, unit: int, pdu: bytes, trip: RoundTrip) -> None:
        self.unit = unit
        self.pdu = pdu
        self.trip = trip
        self.tail = b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu
        self.queued = False
        self.sent = 0.0
        self.deadline = 0.0
        self.owner: Link | None = None

    def answered(self, pdu: memoryview, time: int) -> None:
        """The unit answered with this function, or its exception, at ``time`` (UTC ns). ``pdu`` is valid for this call only."""
        raise NotImplementedError

    def failed(self, error: ModbusError) -> None:
        """There was no answer that could be believed."""
        raise NotImplementedError


class _Call(Request):
    """A request that somebody awaits."""

    __slots__ = ("future",)

    def __init__(self, unit: int, pdu: bytes, trip: RoundTrip, future: asyncio.Future[bytes]) -> None:
        super().__init__(unit, pdu, trip)
        self.future = future

    def answered(self, pdu: memoryview, time: int) -> None:
        if not self.future.done():
            self.future.set_result(bytes(pdu))

    def failed(self, error: ModbusError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Link(ABC):
    """What a connector holds of a channel: its own, or its share of a bus that others use too."""

    peer: str
    depth: int
    half_duplex: bool
    """Whether one request at a time is all there ever is, unit 0 is a broadcast, and silence ends what made no sense."""
    late: int
    requests: int
    error: ModbusError | None
    defect: Exception | None
    closed: asyncio.Future[None]

    @abstractmethod
    def submit(self, *requests: Request, urgent: bool = False) -> None:
        """Queues requests; ``urgent`` ones go before all others. Where the link has ended they fail at once."""

    @abstractmethod
    def withdraw(self, *requests: Request) -> None:
        """Forgets those that have not left yet; they end neither way."""

    @abstractmethod
    def abandon(self, error: ModbusError) -> None:
        """Ends the link for a reason that its user has found."""

    @abstractmethod
    def broken(self, defect: Exception) -> None:
        """Ends the link because of a defect of ours, which its user raises."""

    def close(self) -> None:
        """Ends the link; whoever waits gets a `LostError`."""
        self.abandon(LostError("the connection was closed by us", place=self.peer))

    async def request(self, unit: int, pdu: bytes, timeout: float) -> bytes:
        """The answer's data unit. Raises `SilenceError` after ``timeout`` seconds, or the reason the link ended."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        call = _Call(unit, pdu, RoundTrip(timeout, timeout), future)
        self.submit(call, urgent=True)
        try:
            return await future
        finally:
            self.withdraw(call)


class Channel(Link):
    """Queues, the window of ``depth`` requests on their way, pace and time-outs. A kind adds how bytes go and come.

    Units are served in turn, each in the order of its requests, so that a unit with much to say takes no more than its share.
    Where one request at a time is on its way, a unit that stayed silent twice waits: all silent ones together take at most a
    fifth of the time from the others.
    """

    half_duplex = False

    def __init__(self, peer: str, *, depth: int = 1, pace: Pace | None = None) -> None:
        self.peer = peer
        self.depth = depth
        self.late = 0
        self.requests = 0
        self.error: ModbusError | None = None
        self.defect: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._pace = pace if pace is not None and not pace.free else None
        self._urgent: deque[Request] = deque()
        self._queues: dict[int, deque[Request]] = {}
        self._turns: deque[int] = deque()
        self._corked = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._pause: asyncio.TimerHandle | None = None
        self._silent: dict[int, tuple[int, float]] = {}
        """Units that did not answer: how often in a row, and when they may be asked again."""

    # -- what a kind of channel does ------------------------------------------------------------------------------------

    @abstractmethod
    def _send(self, requests: list[Request], now: float) -> None:
        """Writes requests that fit the window, all at once, and awaits their answers."""

    @abstractmethod
    def _awaited(self) -> list[Request]:
        """What has been sent and has not ended."""

    @abstractmethod
    def _forget(self, request: Request) -> None:
        """The request has expired: an answer that comes later is known as late."""

    @abstractmethod
    def _hang_up(self) -> None:
        """Ends the transport."""

    @abstractmethod
    def _on_the_way(self) -> int:
        """How many are awaited."""

    # -- queues ---------------------------------------------------------------------------------------------------------

    def submit(self, *requests: Request, urgent: bool = False) -> None:
        """See `Link.submit`."""
        if self.error is not None:
            for request in requests:
                request.failed(self.error)
            return
        for request in requests:
            request.queued = True
            if urgent:
                if len(self._urgent) >= _MOST_QUEUED:
                    request.queued = False
                    request.failed(LostError(f"{_MOST_QUEUED} requests wait already", place=self.peer))
                    continue
                self._urgent.append(request)
                continue
            queue = self._queues.get(request.unit)
            if queue is None:
                queue = self._queues[request.unit] = deque()
            if not queue:
                self._turns.append(request.unit)
            queue.append(request)
        if not self._corked:
            self._pump()

    def withdraw(self, *requests: Request) -> None:
        """See `Link.withdraw`. One that is on its way is still answered or failed, to keep the channel in step."""
        for request in requests:
            if not request.queued:
                continue
            request.queued = False
            with contextlib.suppress(ValueError):
                self._urgent.remove(request)
                continue
            queue = self._queues[request.unit]
            queue.remove(request)
            if not queue:
                self._turns.remove(request.unit)

    def _next(self, now: float) -> Request | None:
        if self._urgent:
            request = self._urgent.popleft()
        else:
            queue = self._turn(now)
            if queue is None:
                return None
            request = queue.popleft()
            if queue:
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
        request.queued = False
        return request

    def _turn(self, now: float) -> deque[Request] | None:
        """The queue of the unit whose turn it is; None where nothing waits, or nothing that may leave already."""
        if not self._silent:
            return self._queues[self._turns[0]] if self._turns else None
        earliest = float("inf")
        for _ in range(len(self._turns)):
            unit = self._turns[0]
            until = self._silent.get(unit, (0, 0.0))[1]
            if until <= now:
                return self._queues[unit]
            earliest = min(earliest, until)
            self._turns.rotate(-1)
        if self._turns:
            self._pause_until(earliest)
        return None

    def _pause_until(self, when: float) -> None:
        """Looks at the queues again at ``when``; what is submitted meanwhile is looked at sooner."""
        if self._pause is not None:
            self._pause.cancel()
        self._pause = self._loop.call_at(when, self._resume)

    def _pump(self) -> None:
        """Sends what the window and the pace allow."""
        room = self.depth - self._on_the_way()
        if room <= 0 or self.error is not None or not (self._turns or self._urgent):
            return
        now = self._loop.time()
        ready: list[Request] = []
        while len(ready) < room:
            if self._pace is not None and (wait := self._pace.wait(now)) > 0:
                self._pause_until(now + wait)
                break
            request = self._next(now)
            if request is None:
                break
            if self._pace is not None:
                self._pace.sent(now)
            ready.append(request)
        if ready:
            self.requests += len(ready)
            self._send(ready, now)

    def _resume(self) -> None:
        self._pause = None
        self._pump()

    # -- time-outs ------------------------------------------------------------------------------------------------------

    def _watch(self, deadline: float) -> None:
        """One timer serves all requests: it stands at or before the earliest deadline."""
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """Ends what has expired."""
        self._timer = None
        if self.error is not None:
            return
        now = self._loop.time()
        self._corked = True
        try:
            for request in self._awaited():
                if request.deadline <= now:
                    self._expire(request, now)
        except Exception as error:  # noqa: BLE001 - a defect in a callback must reach the connector, not only the loop's log
            self.broken(error)
        finally:
            self._corked = False
        if self.error is None:
            awaited = self._awaited()
            if awaited:
                self._watch(min(request.deadline for request in awaited))
            self._pump()

    def _expire(self, request: Request, now: float) -> None:
        self._forget(request)
        if self._pace is not None:
            self._pace.ended(now)
        waited = request.trip.timeout
        request.trip.expired()
        self._was_silent(request, now, waited)
        request.failed(
            SilenceError(
                f"function {request.pdu[0]} was not answered within {waited:.3g} s", place=f"{self.peer}, unit {request.unit}"
            )
        )

    def _was_silent(self, request: Request, now: float, spent: float) -> None:
        if self.depth > 1 or len(self._queues) < 2:
            return
        count = self._silent.get(request.unit, (0, 0.0))[0] + 1
        silent = sum(times > 1 for times, _ in self._silent.values()) + 1
        self._silent[request.unit] = (count, now + _SILENT_SHARE * silent * spent if count > 1 else 0.0)

    def _was_heard(self, unit: int) -> None:
        if self._silent:
            self._silent.pop(unit, None)

    # -- the end --------------------------------------------------------------------------------------------------------

    def abandon(self, error: ModbusError) -> None:
        """See `Link.abandon`."""
        if self.error is not None:
            return
        self.error = error
        for timer in (self._timer, self._pause):
            if timer is not None:
                timer.cancel()
        waiting = [*self._awaited(), *self._urgent]
        for queue in self._queues.values():
            waiting += queue
        self._urgent.clear()
        self._queues.clear()
        self._turns.clear()
        self._hang_up()
        for request in waiting:
            request.queued = False
            request.failed(error)
        if not self.closed.done():
            self.closed.set_result(None)

    def broken(self, defect: Exception) -> None:
        """See `Link.broken`."""
        if self.defect is None:
            self.defect = defect
        self.abandon(LostError(f"a defect: {type(defect).__name__}: {defect}", place=self.peer))
