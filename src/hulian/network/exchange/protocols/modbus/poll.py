"""The poll loop of one unit and one interval: due times without drift, answers to columns, silence to marks."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio

from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.modbus.client import Client
from hulian.network.exchange.protocols.modbus.errors import (
    GarbageError,
    ModbusError,
    OverloadError,
    RefusedError,
    SilenceError,
)
from hulian.network.exchange.protocols.modbus.plan import Block, Plan
from hulian.network.exchange.protocols.modbus.wire import parse_read, read_request

if TYPE_CHECKING:
    from hulian.network.exchange.protocols.modbus.connector import ModbusConnector

__all__ = ["Poll", "Unit"]

_STATUS_OF: Final = {
    1: Quality.BAD_CONFIGURATION_ERROR,
    2: Quality.BAD_NODE_ID_UNKNOWN,
    3: Quality.BAD_OUT_OF_RANGE,
    4: Quality.BAD_DEVICE_FAILURE,
    8: Quality.BAD_DEVICE_FAILURE,
}
_DIVISIBLE: Final = (2, 3, 4)
_UNIT_IS_AWAY: Final = (10, 11)
_FLUSH_AFTER: Final = 0.05
_CALM_CYCLES: Final = 10


class Unit:
    """One unit id: whether it answers, and when to ask again while it does not."""

    __slots__ = ("error", "number", "retry_at", "wait")

    def __init__(self, number: int) -> None:
        self.number = number
        self.error: ModbusError | None = None
        self.retry_at = 0.0
        self.wait = 0.0

    def answered(self) -> None:
        """It is there."""
        self.error, self.retry_at, self.wait = None, 0.0, 0.0

    def silent(self, error: ModbusError, first: float, most: float) -> None:
        """It is not; each time the next question is later."""
        self.error = error
        self.wait = min(self.wait * 2, most) if self.wait else first
        self.retry_at = time.monotonic() + self.wait


class Poll:
    """Reads one plan at its interval. The connector starts `run` anew on each connection."""

    def __init__(self, connector: ModbusConnector, unit: Unit, interval: float, plan: Plan) -> None:
        self.connector = connector
        self.unit = unit
        self.interval = interval
        self.plan = plan
        self._recheck: dict[Block, float] = {}
        self._lost_at: float | None = None
        self._marked_bad = False
        self._late_cycles = 0
        self._calm = 0

    @property
    def subject(self) -> str:
        """How events name this poll."""
        return f"{self.connector.environment.connector}/{self.unit.number}@{self.interval:g}s"

    async def run(self, client: Client) -> None:
        """Polls until the connection ends or the scope is cancelled. A missed due time is counted and left out."""
        due = time.monotonic()
        while client.error is None:
            now = time.monotonic()
            if self.unit.retry_at > now:
                await anyio.sleep(self.unit.retry_at - now)
                due = time.monotonic()
            clean = await self._cycle(client)
            due += self.interval
            now = time.monotonic()
            missed = int((now - due) / self.interval) + 1 if now > due else 0
            if missed:
                due += missed * self.interval
            if clean:
                self._count_overrun(missed)
            await anyio.sleep(max(0.0, due - time.monotonic()))

    def _count_overrun(self, missed: int) -> None:
        connector = self.connector
        if missed:
            self._calm = 0
            self._late_cycles += 1
            connector.counters["overruns"] += missed
            if self._late_cycles >= 3:
                text = f"polls of unit {self.unit.number} take longer than their interval of {self.interval:g} s"
                connector.open_event(OverloadError(text, place=self.subject), self.subject, Severity.WARNING)
            return
        self._calm += 1
        if self._calm >= _CALM_CYCLES:
            self._late_cycles = 0
            connector.close_event(OverloadError.code, self.subject)

    async def _cycle(self, client: Client) -> bool:
        """Asks every block once; whether all went well."""
        now = time.monotonic()
        queue = deque(block for block in self.plan.blocks if self._recheck.get(block, 0.0) <= now)
        clean = True
        try:
            if self.unit.error is not None and queue:
                clean &= await self._read(client, queue.popleft(), queue)
            if client.window.depth == 1 or len(queue) < 2:
                started = time.monotonic()
                while queue and self.unit.error is None and client.error is None:
                    clean &= await self._read(client, queue.popleft(), queue)
                    if time.monotonic() - started > _FLUSH_AFTER:
                        self._flush()
                        started = time.monotonic()
            else:
                clean &= await self._read_deep(client, queue)
        finally:
            self._flush()
        if clean and client.error is None and self.unit.error is None:
            self.connector.deepen(client, self)
        return clean and client.error is None

    async def _read_deep(self, client: Client, queue: deque[Block]) -> bool:
        results = []

        async def work() -> None:
            while queue and self.unit.error is None and client.error is None:
                results.append(await self._read(client, queue.popleft(), queue))

        async with anyio.create_task_group() as scope:
            for _ in range(min(client.window.depth, len(queue))):
                scope.start_soon(work)
        return all(results)

    async def _read(self, client: Client, block: Block, queue: deque[Block]) -> bool:
        """One request with its repetitions. What the device refuses is divided, and its parts queued."""
        connector, configuration = self.connector, self.connector.configuration
        request = read_request(block.table, block.offset, block.count)
        for attempt in range(configuration.retries + 1):
            try:
                answer = await client.request(self.unit.number, request, configuration.timeout)
                payload = parse_read(answer, block.table, block.count)
            except SilenceError as error:
                connector.counters["timeouts"] += 1
                if client.window.depth > 1:
                    connector.shallow(client)
                if attempt == configuration.retries:
                    self._silent(client, error)
                    return False
            except RefusedError as error:
                connector.counters["exceptions"] += 1
                self._refused(client, block, error, queue)
                return False
            except GarbageError as error:
                client.abandon(GarbageError(error.message, place=client.peer, hint=error.hint))
                return False
            except ModbusError:
                return False
            else:
                self._answered(block, payload)
                return True
        return False

    def _answered(self, block: Block, payload: bytes) -> None:
        self._present()
        self.connector.came_back()
        number = self._number(block)
        if number is not None:
            self.plan.answered(number, payload, time.time_ns())
        if self._recheck.pop(block, None) is not None:
            for member in block.members:
                self.connector.close_event(RefusedError.code, self._name(member))

    def _present(self) -> None:
        if self.unit.error is not None:
            self.unit.answered()
            self.connector.close_event(SilenceError.code, f"{self.connector.environment.connector}/{self.unit.number}")
        self._lost_at, self._marked_bad = None, False

    def _number(self, block: Block) -> int | None:
        try:
            return self.plan.blocks.index(block)
        except ValueError:
            return None

    def _name(self, member: int) -> str:
        return f"{self.connector.environment.connector}/{self.plan.items[member].address}"

    def _refused(self, client: Client, block: Block, error: RefusedError, queue: deque[Block]) -> None:
        connector = self.connector
        if error.exception in _UNIT_IS_AWAY:
            place = f"{client.peer}, unit {self.unit.number}"
            self._silent(client, SilenceError(error.message, place=place, hint=error.hint), gateway=True)
            return
        self._present()
        connector.came_back()
        if error.exception in (5, 6):
            return
        parts = block.divided(self.plan.items) if error.exception in _DIVISIBLE else [block]
        if len(parts) > 1:
            self._flush()
            self.plan.replace(block, parts)
            connector.counters["splits"] += 1
            queue.extendleft(reversed(parts))
            return
        number = self._number(block)
        if number is not None:
            status = _STATUS_OF.get(error.exception, Quality.BAD)
            self.plan.failed(number, int(status), time.time_ns())
        self._recheck[block] = time.monotonic() + connector.configuration.recheck
        for member in block.members:
            item = self.plan.items[member]
            connector.open_event(
                _placed(error, f"{client.peer}, unit {item.unit}, {item.address}"), self._name(member), Severity.WARNING
            )

    def _silent(self, client: Client, error: ModbusError, *, gateway: bool = False) -> None:
        """This unit does not answer. Where no other does either, the connection itself is given up."""
        connector, configuration = self.connector, self.connector.configuration
        self.unit.silent(error, max(configuration.reconnect_first, self.interval), configuration.reconnect_most)
        if not gateway and all(unit.error is not None for unit in connector.units.values()):
            client.abandon(error)
            return
        for poll in connector.polls:
            if poll.unit is self.unit:
                poll.lost()
        connector.open_event(error, f"{connector.environment.connector}/{self.unit.number}", Severity.ERROR)

    def _flush(self) -> None:
        self.connector.emit(self.plan.columns())

    def lost(self) -> None:
        """Marks every value uncertain, once for each silence."""
        if self._lost_at is None:
            self._flush()
            self._lost_at = time.monotonic()
            self._marked_bad = False
            self.connector.emit(self.plan.marked(int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), time.time_ns()))

    def age(self, bad_after: float) -> None:
        """Marks every value bad, once, when the silence has lasted ``bad_after`` seconds."""
        if self._lost_at is not None and not self._marked_bad and time.monotonic() - self._lost_at >= bad_after:
            self._marked_bad = True
            self.connector.emit(self.plan.marked(int(Quality.BAD_NO_COMMUNICATION), time.time_ns()))


def _placed(error: RefusedError, place: str) -> RefusedError:
    return RefusedError(error.exception, place=place)
