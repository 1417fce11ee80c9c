"""A connection to one Modbus device, or to a bus of them: poll, decode, write, and come back by itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import anyio

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, ConnectorStatus, Environment, Sink
from hulian.network.exchange.protocols.modbus.address import Place
from hulian.network.exchange.protocols.modbus.bus import open_link
from hulian.network.exchange.protocols.modbus.channel import Link, Pace, RoundTrip
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration, parse_options
from hulian.network.exchange.protocols.modbus.errors import (
    GarbageError,
    LostError,
    ModbusError,
    OptionError,
    ReachError,
    SilenceError,
)
from hulian.network.exchange.protocols.modbus.plan import Limits, Plan
from hulian.network.exchange.protocols.modbus.poll import Poll, Unit
from hulian.network.exchange.protocols.modbus.target import Target
from hulian.network.exchange.protocols.modbus.values import Item
from hulian.network.exchange.protocols.modbus.write import write_item

__all__ = ["ModbusConnector"]

_DEEPEST: Final = 16
_STATUS_EVERY: Final = 1.0
_FIRST_CONNECT: Final = 2.0
"""Seconds for the first attempt to connect; each later one may take as long as the device has been away."""


class ModbusConnector:
    """Polls every binding at its interval for as long as `run` is not cancelled.

    A binding whose address or options are wrong, or which the device refuses, is bad with an event that names it; the others
    go on. A unit that is silent is asked ever more rarely while its neighbours on the connection go on.
    """

    def __init__(
        self, target: Target, configuration: ModbusConfiguration, bindings: Sequence[Binding], environment: Environment
    ) -> None:
        self.configuration = configuration
        self.environment = environment
        self.link: Link | None = None
        self.sink: Sink | None = None
        self.counters = dict.fromkeys(
            ("requests", "timeouts", "exceptions", "garbage", "reconnects", "splits", "overruns", "late", "writes"), 0
        )
        self._target = target
        self._broadcasts = target.framing != "tcp"
        self._unit = configuration.unit if target.unit is None else target.unit
        self._items: dict[int, Item] = {}
        self._wrong: list[tuple[Binding, HulianError]] = []
        for binding in bindings:
            try:
                self._items[binding.series] = self.item(binding)
            except ModbusError as error:
                self._wrong.append((binding, error))
        self.units: dict[int, Unit] = {}
        self.polls = self._make_polls()
        self._depth = 1 if configuration.depth == "auto" else configuration.depth
        self._ceiling = _DEEPEST
        self._open: dict[tuple[str, str], Event] = {}
        self._state = ConnectorStatus(state=ConnectorState.STARTING, since=time.time_ns())
        self._samples = 0
        self._last_sample = 0
        self._healthy = False
        self._lost_at: float | None = None

    def item(self, binding: Binding) -> Item:
        """The binding as something to read or write; raises `AddressError` or `OptionError`."""
        place = Place.parse(binding.address)
        options = parse_options(binding.options, binding.address)
        if options.group is not None and options.group not in self.configuration.groups:
            known = ", ".join(sorted(self.configuration.groups)) or "none is configured"
            raise OptionError(f"there is no poll group '{options.group}'", place=binding.address, hint=f"groups: {known}")
        unit = self._unit if place.unit is None else place.unit
        if unit == 0 and self._broadcasts and not binding.writable:
            hint = "unit 0 is the broadcast of a serial line: nobody answers it; name the unit, or mark the point writable"
            raise OptionError("a broadcast cannot be read", place=binding.address, hint=hint)
        return Item.of(
            binding.series, binding.address, place, options, binding.storage, unit=unit, order=self.configuration.order
        )

    def _make_polls(self) -> list[Poll]:
        configuration = self.configuration
        limits = Limits(configuration.max_registers, configuration.max_bits, configuration.gap, configuration.bit_gap)
        groups: dict[tuple[int, float], list[Item]] = {}
        for item in self._items.values():
            if item.unit == 0 and self._broadcasts:
                continue  # it can only be written
            options = item.options
            interval = options.interval or (configuration.groups[options.group] if options.group else configuration.interval)
            groups.setdefault((item.unit, interval), []).append(item)
        polls = []
        for (unit, interval), items in sorted(groups.items()):
            state = self.units.setdefault(unit, Unit(unit, RoundTrip(configuration.timeout_least, configuration.timeout)))
            repeat = int(configuration.repeat_after * 1e9) if configuration.changes_only else None
            polls.append(Poll(self, state, interval, Plan(items, limits, repeat_after=repeat)))
        return polls

    # -- the life of the connection ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled."""
        self.sink = sink
        self._report_wrong()
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self._watch)
                await self._connect_for_ever()
        finally:
            self._set_state(ConnectorState.STOPPED, None)
            self.link = None

    async def _connect_for_ever(self) -> None:
        """A session after the other. The wait before the next one is as long as the device was away, within its bounds.

        So a device that was away for some time is found again before as much time has passed once more.
        """
        configuration = self.configuration
        since = time.monotonic()
        while True:
            self._healthy = False
            try:
                await self._session(time.monotonic() - since)
            except ModbusError as error:
                if self._healthy:
                    since = time.monotonic()
                self._lost(error)
                away = max(configuration.reconnect_first, time.monotonic() - since)
                delay = min(away, configuration.reconnect_most) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
                self._set_state(ConnectorState.WAITING, error, retry_at=time.time_ns() + int(delay * 1e9))
                await anyio.sleep(delay)
                self.counters["reconnects"] += 1

    async def _session(self, away: float) -> None:
        """One connection, from its start to the error that ends it."""
        configuration = self.configuration
        link = await open_link(
            self._target,
            timeout=min(configuration.connect_timeout, max(_FIRST_CONNECT, away)),
            depth=self._depth,
            pace=Pace(configuration.request_gap, configuration.rate),
            resolve=self.environment.extras.get("modbus.resolve"),
        )
        self.link = link
        for unit in self.units.values():
            unit.answered()
        try:
            for poll in self.polls:
                poll.start(link)
            if not self.polls:
                self.came_back()
            await asyncio.wait([link.closed])
        finally:
            for poll in self.polls:
                poll.stop()
            link.close()
            self.link = None
            self.counters["late"] += link.late
            self.counters["requests"] += link.requests
        if link.defect is not None:
            raise link.defect
        raise link.error or LostError("the connection ended", place=link.peer)

    def _lost(self, error: ModbusError) -> None:
        if isinstance(error, GarbageError):
            self.counters["garbage"] += 1
        if self.configuration.depth == "auto" and self._depth > 1 and not isinstance(error, ReachError):
            self._ceiling = self._depth = max(1, self._depth // 2)
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            for poll in self.polls:
                poll.lost()
        for unit in self.units.values():
            self.close_event(SilenceError.code, f"{self.environment.connector}/{unit.number}")
        self._open_for(error)

    def _open_for(self, error: ModbusError) -> None:
        """One open event at a time says why the device is away."""
        for code in (ReachError.code, SilenceError.code, LostError.code, GarbageError.code):
            if code != error.code:
                self.close_event(code, self.environment.connector)
        self.open_event(error, self.environment.connector, Severity.ERROR)

    def came_back(self) -> None:
        """The device gives sensible answers."""
        if self._healthy:
            return
        self._healthy = True
        self._lost_at = None
        for code in (ReachError.code, SilenceError.code, LostError.code, GarbageError.code):
            self.close_event(code, self.environment.connector)
        self._set_state(ConnectorState.CONNECTED, None)

    def deepen(self, link: Link, poll: Poll) -> None:
        """After a clean cycle: one step more in flight, where the configuration leaves the depth to us."""
        if self.configuration.depth != "auto" or link.half_duplex:
            return
        if len(poll.plan.blocks) > self._depth and self._depth * 2 <= self._ceiling:
            self._depth = link.depth = self._depth * 2

    def shallow(self, link: Link) -> None:
        """A request expired while others were in flight: the device may not bear that."""
        if self.configuration.depth == "auto" and self._depth > 1:
            self._ceiling = self._depth = link.depth = self._depth // 2

    # -- what the edge hears -------------------------------------------------------------------------------------------

    def emit(self, columns: Sequence[Columns]) -> None:
        """Hands columns to the edge and counts them."""
        if self.sink is None:
            return
        for part in columns:
            self.sink.samples(part)
            self._samples += len(part)
            self._last_sample = time.time_ns()

    def open_event(self, error: HulianError, subject: str, severity: Severity) -> None:
        """Says once that a condition has begun."""
        key = (error.code, subject)
        if key in self._open or self.sink is None:
            return
        event = Event(
            time=time.time_ns(),
            code=error.code,
            severity=severity,
            component="modbus",
            subject=subject,
            message=f"{error.message} ({error.place})" if error.place else error.message,
            hint=error.hint,
            active=True,
            details={"connector": self.environment.connector},
        )
        self._open[key] = event
        self.sink.event(event)

    def close_event(self, code: str, subject: str) -> None:
        """Says that the condition has ended, where it was open."""
        event = self._open.pop((code, subject), None)
        if event is None or self.sink is None:
            return
        self.sink.event(
            Event(
                time=time.time_ns(),
                code=code,
                severity=Severity.INFO,
                component="modbus",
                subject=subject,
                message=f"over: {event.message}",
                active=False,
                details=event.details,
            )
        )

    def _report_wrong(self) -> None:
        now = time.time_ns()
        for binding, error in self._wrong:
            self.open_event(error, f"{self.environment.connector}/{binding.address}", Severity.ERROR)
            self.emit([Columns.of(binding.storage, [binding.series], [now], [None], [int(Quality.BAD_CONFIGURATION_ERROR)])])

    def _set_state(self, state: ConnectorState, error: HulianError | None, *, retry_at: int = 0) -> None:
        old = self._state
        self._state = ConnectorStatus(
            state=state,
            error_code=error.code if error else "",
            error=str(error) if error else "",
            hint=error.hint if error else "",
            since=old.since if old.state is state else time.time_ns(),
            retry_at=retry_at,
        )
        self._publish()

    def _publish(self) -> None:
        if self.sink is None:
            return
        counters = dict(self.counters)
        if self.link is not None:
            counters["requests"] += self.link.requests
            counters["late"] += self.link.late
            counters["depth"] = self.link.depth
        counters["blocks"] = sum(len(poll.plan.blocks) for poll in self.polls)
        state = self._state
        bad = len(self._wrong) + sum(poll.plan.bad for poll in self.polls)
        away = [unit.error for unit in self.units.values() if unit.error is not None]
        shown = ConnectorStatus(
            state=state.state,
            error_code=state.error_code,
            error=state.error,
            hint=state.hint,
            since=state.since,
            retry_at=state.retry_at,
            last_sample=self._last_sample,
            points=len(self._items) + len(self._wrong),
            bad_points=bad,
            samples=self._samples,
            counters=counters,
        )
        if state.state is ConnectorState.CONNECTED and (away or self._open):
            shown.state = ConnectorState.DEGRADED
            if away:
                shown.error_code, shown.error, shown.hint = away[0].code, str(away[0]), away[0].hint
            else:
                event = next(iter(self._open.values()))
                shown.error_code, shown.error, shown.hint = event.code, f"{event.code}: {event.message}", event.hint
        self.sink.status(shown)

    async def _watch(self) -> None:
        """Once a second: the status, and bad marks for what has been silent too long."""
        while True:
            for poll in self.polls:
                poll.age(self.configuration.bad_after)
            self._publish()
            await anyio.sleep(min(_STATUS_EVERY, max(0.05, self.configuration.bad_after / 4)))

    # -- set-points ----------------------------------------------------------------------------------------------------

    async def write(self, binding: Binding, value: Any) -> None:
        """Writes, and returns when the device has confirmed and (unless the option 'verify' is false) reads back the same."""
        item = self.item(binding)
        link = self.link
        if link is None:
            raise LostError("the device is not connected", place=str(self._target), hint="try again when it is back")
        await write_item(link, item, value, self.configuration)
        self.counters["writes"] += 1
