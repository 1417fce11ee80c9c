"""The polls of one unit and one interval: due times without drift, answers to columns, silence to marks."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.modbus.channel import Link, Request, RoundTrip
from hulian.network.exchange.protocols.modbus.division import Divisions
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
_DIVISIONS_A_CYCLE: Final = 64


class Unit:
    """One unit id: how fast it answers, whether it does, and when to ask again while it does not."""

    __slots__ = ("error", "number", "retry_at", "since", "trip")

    def __init__(self, number: int, trip: RoundTrip) -> None:
        self.number = number
        self.trip = trip
        self.error: ModbusError | None = None
        self.retry_at = 0.0
        self.since = 0.0

    def answered(self) -> None:
        """It is there."""
        self.error, self.retry_at = None, 0.0

    def silent(self, error: ModbusError, now: float, first: float, most: float) -> None:
        """It is not. Each next question comes as much later as the silence has lasted, ``first`` to ``most`` seconds.

        So the wait at most doubles the time that the unit was away.
        """
        if self.error is None:
            self.since = now
        self.error = error
        self.retry_at = now + min(max(first, now - self.since), most)


class _Read(Request):
    """The request of one block, made once and asked in every cycle."""

    __slots__ = ("attempts", "block", "function", "poll", "size")

    def __init__(self, poll: Poll, block: Block) -> None:
        super().__init__(poll.unit.number, read_request(block.table, block.offset, block.count), poll.unit.trip)
        self.poll = poll
        self.block = block
        self.function = self.pdu[0]
        self.size = (block.count + 7) // 8 if block.table.bits else 2 * block.count
        self.attempts = 0

    def answered(self, pdu: memoryview, time: int) -> None:
        if len(pdu) == self.size + 2 and pdu[0] == self.function and pdu[1] == self.size:
            self.poll.answered(self, pdu[2:], time)
            return
        try:
            parse_read(bytes(pdu), self.block.table, self.block.count)
        except RefusedError as error:
            self.poll.refused(self, error)
        except GarbageError as error:
            self.poll.garbled(self, error)

    def failed(self, error: ModbusError) -> None:
        self.poll.failed(self, error)


class Poll:
    """Reads one plan at its interval, driven by the event loop. The connector calls `start` anew for each connection."""

    def __init__(self, connector: ModbusConnector, unit: Unit, interval: float, plan: Plan) -> None:
        self.connector = connector
        self.unit = unit
        self.interval = interval
        self.plan = plan
        self.divisions = Divisions(plan)
        self._reads: dict[Block, _Read] = {}
        self._recheck: dict[Block, float] = {}
        self._lost_at: float | None = None
        self._marked_bad = False
        self._late_cycles = 0
        self._calm = 0
        # Polls of one interval are spread over it, each connection always at the same place.
        seed = f"{connector.environment.connector}/{unit.number}/{interval}"
        part = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=4).digest(), "big") / 2**32
        self._phase = part * interval
        self._link: Link | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._running = False
        self._clean = True
        self._held: list[_Read] = []
        self._open: set[_Read] = set()
        self._flushed = 0.0
        self._divided = 0

    @property
    def subject(self) -> str:
        """How events name this poll."""
        return f"{self.connector.environment.connector}/{self.unit.number}@{self.interval:g}s"

    # -- when -----------------------------------------------------------------------------------------------------------

    def start(self, link: Link) -> None:
        """Polls over ``link`` until `stop`: at once, and then at the due times of this poll."""
        self._link = link
        self._running = False
        self._open.clear()
        self._held.clear()
        self._due = link.closed.get_loop().time()
        self._guarded(self._begin)

    def stop(self) -> None:
        """No further poll; what is on its way is forgotten."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._link = None
        self._running = False

    def hasten(self) -> None:
        """The unit is there again: the next poll need not wait as long as its silence made it."""
        if self._link is not None and not self._running:
            self._at(self._link.closed.get_loop().time())

    def _at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            self._timer = self._link.closed.get_loop().call_at(when, self._guarded, self._begin)

    def _guarded(self, step: Callable[[], None]) -> None:
        """A defect of ours ends the link, whose session raises it; the loop's log alone would hide it."""
        link = self._link
        try:
            step()
        except Exception as error:  # noqa: BLE001 - see above
            if link is not None:
                link.broken(error)

    def _begin(self) -> None:
        """Asks every block once."""
        link = self._link
        if link is None or link.error is not None:
            return
        now = link.closed.get_loop().time()
        if self.unit.retry_at > now + 0.0005:
            self._at(self.unit.retry_at)
            return
        self._timer = None
        if self.unit.error is not None or self._due < now - self.interval:
            self._due = now
        self._running, self._clean, self._flushed, self._divided = True, True, now, 0
        reads = [self._read(block) for block in self.plan.blocks if self._recheck.get(block, 0.0) <= now]
        for read in reads:
            read.attempts = 0
        self._open = set(reads)
        if not reads:
            self._finish()
        elif self.unit.error is not None:
            self._held = reads[1:]
            link.submit(reads[0])
        else:
            link.submit(*reads)

    def _read(self, block: Block) -> _Read:
        found = self._reads.get(block)
        if found is None:
            found = self._reads[block] = _Read(self, block)
        return found

    def _ended(self, read: _Read) -> None:
        """One block is settled for this cycle."""
        self._open.discard(read)
        if not self._running:
            return
        if not self._open:
            self._finish()
        elif self._link is not None and (now := self._link.closed.get_loop().time()) - self._flushed > _FLUSH_AFTER:
            self._flushed = now
            self._flush()

    def _finish(self) -> None:
        """The cycle is over: hand over, join what need not be apart, and wait for the next due time."""
        self._running = False
        self._flush()
        link = self._link
        if link is None or link.error is not None:
            return
        if self.divisions.settled():
            kept = set(self.plan.blocks)
            self._reads = {block: read for block, read in self._reads.items() if block in kept}
            self._recheck = {block: when for block, when in self._recheck.items() if block in kept}
        if self._clean and self.unit.error is None:
            self.connector.deepen(link, self)
        now = link.closed.get_loop().time()
        # Due times lie on a lattice of their own; the first poll of a connection came at once, before its first due time.
        due = self._due + self.interval
        due -= (due - self._phase) % self.interval
        if due <= self._due + 1e-6:
            due += self.interval
        missed = int((now - due) / self.interval) + 1 if now > due else 0
        due += missed * self.interval
        self._due = due
        if self._clean:
            self._count_overrun(missed)
        self._at(due)

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
        if self._calm == _CALM_CYCLES:
            self._late_cycles = 0
            connector.close_event(OverloadError.code, self.subject)

    # -- what comes -----------------------------------------------------------------------------------------------------

    def answered(self, read: _Read, payload: memoryview, when: int) -> None:
        """A block's values are there."""
        block = read.block
        if self._link is None:
            return
        if self.unit.error is not None or self._lost_at is not None:
            self._present()
        self.connector.came_back()
        if block.number >= 0:
            self.plan.answered(block.number, payload, when)
        if self._recheck and self._recheck.pop(block, None) is not None:
            for member in block.members:
                self.connector.close_event(RefusedError.code, self._name(member))
        self.divisions.answered(block)
        self._ended(read)

    def _present(self) -> None:
        was_away = self.unit.error is not None
        self._lost_at, self._marked_bad = None, False
        if was_away:
            self.unit.answered()
            self.connector.close_event(SilenceError.code, f"{self.connector.environment.connector}/{self.unit.number}")
            for poll in self.connector.polls:
                if poll.unit is self.unit and poll is not self:
                    poll.hasten()
        if self._held and self._link is not None:
            held, self._held = self._held, []
            self._link.submit(*held)

    def _name(self, member: int) -> str:
        return f"{self.connector.environment.connector}/{self.plan.items[member].address}"

    def refused(self, read: _Read, error: RefusedError) -> None:
        """The device answered with an exception. What it refuses is divided, and its parts are asked."""
        connector, link, block = self.connector, self._link, read.block
        connector.counters["exceptions"] += 1
        self._clean = False
        if link is None:
            return
        if error.exception in _UNIT_IS_AWAY:
            place = f"{link.peer}, unit {self.unit.number}"
            self._silent(SilenceError(error.message, place=place, hint=error.hint), gateway=True)
            return
        self._present()
        connector.came_back()
        if error.exception in (5, 6):
            self._ended(read)
            return
        if len(block.members) > 1 and error.exception in _DIVISIBLE and block.number >= 0:
            self._divide(link, read)
            return
        if block.number >= 0:
            self.plan.failed(block.number, int(_STATUS_OF.get(error.exception, Quality.BAD)), time.time_ns())
        self.divisions.refused(block)
        self._recheck[block] = link.closed.get_loop().time() + connector.configuration.recheck
        for member in block.members:
            item = self.plan.items[member]
            told = RefusedError(error.exception, place=f"{link.peer}, unit {item.unit}, {item.address}")
            connector.open_event(told, self._name(member), Severity.WARNING)
        self._ended(read)

    def _divide(self, link: Link, read: _Read) -> None:
        self._flush()
        parts = self.divisions.divide(read.block)
        del self._reads[read.block]
        self.connector.counters["splits"] += 1
        self._divided += 1
        if self._divided <= _DIVISIONS_A_CYCLE:
            reads = [self._read(part) for part in parts]
            for one in reads:
                one.attempts = 0
            self._open.update(reads)
            link.submit(*reads)
        self._ended(read)

    def garbled(self, read: _Read, error: GarbageError) -> None:
        """The answer was none to what was asked."""
        link = self._link
        self._clean = False
        if link is None:
            return
        if link.half_duplex:
            self.connector.counters["garbage"] += 1
            self._again(link, read, error)
            return
        link.abandon(GarbageError(error.message, place=link.peer, hint=error.hint))

    def failed(self, read: _Read, error: ModbusError) -> None:
        """No answer, or no link."""
        link = self._link
        self._clean = False
        if link is None or link.error is not None:
            self._open.discard(read)
            return
        if isinstance(error, GarbageError):
            self.connector.counters["garbage"] += 1
        else:
            self.connector.counters["timeouts"] += 1
            if link.depth > 1:
                self.connector.shallow(link)
        self._again(link, read, error)

    def _again(self, link: Link, read: _Read, error: ModbusError) -> None:
        if not self._running or read not in self._open:
            return
        read.attempts += 1
        if read.attempts <= self.connector.configuration.retries and self.unit.error is None and read.block.number >= 0:
            link.submit(read)
        else:
            self._silent(error, gateway=False)

    def _silent(self, error: ModbusError, *, gateway: bool) -> None:
        """This unit does not answer. Where no other does either, the connection itself is given up."""
        connector, configuration, link = self.connector, self.connector.configuration, self._link
        if link is None:
            return
        now = link.closed.get_loop().time()
        link.withdraw(*self._open)
        self._open.clear()
        self._held.clear()
        self.unit.silent(error, now, max(configuration.reconnect_first, self.interval), configuration.reconnect_most)
        if not gateway and all(unit.error is not None for unit in connector.units.values()):
            link.abandon(error)
            return
        for poll in connector.polls:
            if poll.unit is self.unit:
                poll.lost()
        connector.open_event(error, f"{connector.environment.connector}/{self.unit.number}", Severity.ERROR)
        self._running = False
        self._flush()
        self._at(self.unit.retry_at)

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
