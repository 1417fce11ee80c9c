"""A half-duplex bus: one master, us; one question at a time; silence between frames. RTU and ASCII, serial or through TCP.

Modbus over Serial Line 1.02, sections 2.4 (states of the master) and 2.5 (frames). Several connectors may name the same
serial line: they share one `Bus`, each through a `Seat` of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final, Protocol

from hulian.network.exchange.protocols.modbus.ascii import AsciiReader, encode_ascii
from hulian.network.exchange.protocols.modbus.channel import Channel, Link, Pace, Request
from hulian.network.exchange.protocols.modbus.client import Client, Resolve, dial
from hulian.network.exchange.protocols.modbus.errors import GarbageError, LineSettingsError, LostError, ModbusError
from hulian.network.exchange.protocols.modbus.line import SerialLine, TcpLine, Wire
from hulian.network.exchange.protocols.modbus.rtu import RtuReader, answer_length, encode_rtu
from hulian.network.exchange.protocols.modbus.target import Line, Target

__all__ = ["Bus", "Seat", "open_link"]

_BROADCAST: Final = 0
_SERIAL_PAUSE: Final = 0.05
"""Within an answer: USB adapters hand bytes over in pieces, up to 16 ms apart, so t1.5 cannot be told from outside."""
_TCP_PAUSE: Final = 0.3
_NEVER_SILENT: Final = 1.0


class _Reader(Protocol):
    def expect(self, unit: int, pdu: bytes) -> None: ...

    def feed(self, data: bytes) -> bytes | None: ...

    @property
    def pending(self) -> int: ...


class Bus(Channel):
    """One line and the units on it.

    A frame leaves when the line has been silent for t3.5, counted from the last byte in either direction; the wait for an
    answer begins when the last byte of the request has left. Noise is passed over; an answer that stops in the middle, or
    whose check sum is wrong, fails when the line is silent again. After a broadcast (unit 0) the bus waits ``turnaround``.
    With ``echo`` the bytes that we sent are expected back first.
    """

    half_duplex = True

    def __init__(self, peer: str, framing: str, line: Line, pace: Pace | None = None) -> None:
        super().__init__(peer, depth=1, pace=pace)
        self.framing = framing
        self.line = line
        self.wire: Wire | None = None
        self.seats: set[Seat] = set()
        self.noise = 0
        self._encode = encode_ascii if framing == "ascii" else encode_rtu
        self._spread = 2 if framing == "ascii" else 1
        self._reader: _Reader = AsciiReader() if framing == "ascii" else RtuReader()
        self._pause_within = max(_SERIAL_PAUSE, 10 * line.silence) if line.baud else _TCP_PAUSE
        self._current: Request | None = None
        self._echo = b""
        self._heard = 0.0
        self._free_at = 0.0
        self._check: asyncio.TimerHandle | None = None
        self._start: asyncio.TimerHandle | None = None
        self._waiting_since = 0.0

    # -- out ------------------------------------------------------------------------------------------------------------

    def _send(self, requests: list[Request], now: float) -> None:
        (self._current,) = requests
        self._current.sent = now
        self._current.deadline = float("inf")
        self._waiting_since = now
        self._leave()

    def _leave(self) -> None:
        """Puts the request on the line as soon as the line has been silent long enough."""
        self._start = None
        request, wire = self._current, self.wire
        if request is None or wire is None or self.error is not None:
            return
        now = self._loop.time()
        if now < self._free_at:
            if now - self._waiting_since > _NEVER_SILENT:
                self._fail(request, GarbageError("the line is never silent", place=self.peer), now)
                return
            self._start = self._loop.call_at(self._free_at, self._leave)
            return
        frame = self._encode(request.unit, request.pdu)
        self._echo = frame if self.line.echo else b""
        self._reader.expect(request.unit, request.pdu)
        self._heard = 0.0
        left = now + len(frame) * self.line.character
        request.sent = left
        self._free_at = left + self.line.silence
        wire.write(frame)
        if request.unit == _BROADCAST:
            self._free_at = max(self._free_at, left + self.line.turnaround)
            self._start = self._loop.call_at(self._free_at, self._broadcast, request)
            return
        length = self._spread * (answer_length(request.pdu) + 4) if self.line.baud else 0
        request.deadline = left + request.trip.timeout + length * self.line.character
        self._watch(request.deadline)

    def _broadcast(self, request: Request) -> None:
        """The units have had their time; none answers."""
        self._start = None
        self._settle(request, memoryview(b""))

    def _awaited(self) -> list[Request]:
        return [self._current] if self._current is not None else []

    def _on_the_way(self) -> int:
        return 0 if self._current is None else 1

    def _forget(self, request: Request) -> None:
        self._current = None

    def _hang_up(self) -> None:
        self._current = None
        for timer in (self._check, self._start):
            if timer is not None:
                timer.cancel()
        if self.wire is not None:
            self.wire.close()
        for seat in self.seats:
            seat.ended(self.error)
        self.seats.clear()
        if _BUSES.get(self.peer) is self:
            del _BUSES[self.peer]

    # -- in -------------------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes from the line."""
        if self.error is not None:
            return
        now = self._loop.time()
        self._heard = now
        self._free_at = max(self._free_at, now + self.line.silence)
        request = self._current
        if request is None or request.deadline == float("inf"):
            # Nobody was asked: an answer that came too late, or noise.
            self.noise += len(data)
            return
        if self._echo:
            data = self._without_echo(data)
        if not data:
            return
        pdu = self._reader.feed(data)
        if pdu is None:
            if self._check is None and self._reader.pending:
                self._check = self._loop.call_at(now + self._pause_within, self._look_within)
            return
        spent = self._spread * (len(pdu) + 3) * self.line.character
        request.trip.observe(max(0.0, now - request.sent - spent))
        self._settle(request, memoryview(pdu))

    def _without_echo(self, data: bytes) -> bytes:
        """What is not the return of our own frame. A line that returns something else is not trusted with this answer."""
        size = min(len(self._echo), len(data))
        if data[:size] != self._echo[:size]:
            self._echo = b""
            request = self._current
            if request is not None:
                what = "our own bytes came back changed: two masters, or the line is not terminated"
                self._fail(request, GarbageError(what, place=self.peer, hint=""), self._loop.time())
            return b""
        self._echo = self._echo[size:]
        return data[size:]

    def _settle(self, request: Request, pdu: memoryview) -> None:
        self._current = None
        now = self._loop.time()
        self._was_heard(request.unit)
        if self._pace is not None:
            self._pace.ended(now)
        self._corked = True
        try:
            request.answered(pdu, time.time_ns())
        except Exception as error:  # noqa: BLE001 - a defect in a callback must reach the connector, not only the loop's log
            self.broken(error)
        finally:
            self._corked = False
        self._pump()

    def _look_within(self) -> None:
        """An answer has begun: if the line is silent since, it is cut off or its check sum is wrong."""
        self._check = None
        request = self._current
        if request is None or not self._reader.pending or self.error is not None:
            return
        now = self._loop.time()
        if now < self._heard + self._pause_within:
            self._check = self._loop.call_at(self._heard + self._pause_within, self._look_within)
            return
        what = f"{self._reader.pending} bytes came that are no answer of unit {request.unit} with a right check sum"
        hint = "check termination, bias and shield of the line, its baud rate and parity, and that each unit id is used once"
        self._fail(request, GarbageError(what, place=self.peer, hint=hint), now)

    def _fail(self, request: Request, error: ModbusError, now: float) -> None:
        self._current = None
        if self._pace is not None:
            self._pace.ended(now)
        self._corked = True
        try:
            request.failed(error)
        except Exception as defect:  # noqa: BLE001 - likewise
            self.broken(defect)
        finally:
            self._corked = False
        self._pump()

    def lost(self, error: Exception | None) -> None:
        """The line has ended."""
        what = f"the line broke: {error}" if error else "the line was closed at its other end"
        self.abandon(LostError(what, place=self.peer))

    # -- sharing --------------------------------------------------------------------------------------------------------

    def leave(self, seat: Seat) -> None:
        """One connector less; the last one closes the line."""
        self.seats.discard(seat)
        mine = [request for request in [*self._urgent, *(one for queue in self._queues.values() for one in queue)]
                if request.owner is seat]  # fmt: skip
        self.withdraw(*mine)
        for request in mine:
            request.failed(seat.error or LostError("the connection was closed by us", place=self.peer))
        if not self.seats:
            self.close()


class Seat(Link):
    """A connector's share of a bus: it may leave without ending the bus for the others."""

    half_duplex = True

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.peer = bus.peer
        self.depth = 1
        self.late = 0
        self.requests = 0
        self.error: ModbusError | None = None
        self.defect: Exception | None = None
        self.closed = asyncio.get_running_loop().create_future()
        bus.seats.add(self)

    def submit(self, *requests: Request, urgent: bool = False) -> None:
        """See `Link.submit`."""
        self.requests += len(requests)
        for request in requests:
            request.owner = self
        if self.error is not None:
            for request in requests:
                request.failed(self.error)
        else:
            self.bus.submit(*requests, urgent=urgent)

    def withdraw(self, *requests: Request) -> None:
        """See `Link.withdraw`."""
        self.bus.withdraw(*requests)

    def ended(self, error: ModbusError | None) -> None:
        """The bus has ended, or we leave it."""
        if self.error is None:
            self.error = error or LostError("the line was closed", place=self.peer)
            self.defect = self.defect or self.bus.defect
            if not self.closed.done():
                self.closed.set_result(None)

    def abandon(self, error: ModbusError) -> None:
        """See `Link.abandon`."""
        if self.error is None:
            self.ended(error)
            self.bus.leave(self)

    def broken(self, defect: Exception) -> None:
        """See `Link.broken`."""
        if self.defect is None:
            self.defect = defect
        self.abandon(LostError(f"a defect: {type(defect).__name__}: {defect}", place=self.peer))


_BUSES: Final[dict[str, Bus]] = {}
"""The serial lines that are open in this process, by the real path of their device."""


async def open_link(target: Target, *, timeout: float, depth: int, pace: Pace, resolve: Resolve | None = None) -> Link:
    """What leads to ``target``. Raises `ReachError`, `LineBusyError` or `LineSettingsError`."""
    if target.framing == "tcp":
        return await Client.connect(target.host, target.port, timeout=timeout, depth=depth, pace=pace, resolve=resolve)
    if target.device:
        return _serial(target, pace)
    wire: TcpLine = await dial(TcpLine, target.host, target.port, timeout=timeout, resolve=resolve)
    bus = Bus(str(target), target.framing, target.line, pace)
    if wire.ended:
        raise LostError("the connection was closed as soon as it was open", place=str(target))
    bus.wire, wire.received, wire.lost = wire, bus.received, bus.lost
    return Seat(bus)


def _serial(target: Target, pace: Pace) -> Link:
    path = os.path.realpath(target.device)
    bus = _BUSES.get(path)
    if bus is not None and bus.closed.get_loop() is asyncio.get_running_loop():
        if bus.line != target.line or bus.framing != target.framing:
            raise LineSettingsError(
                f"the line is open as {_settings(bus.framing, bus.line)}, not as {_settings(target.framing, target.line)}",
                place=target.device,
            )
        return Seat(bus)
    bus = Bus(path, target.framing, target.line, pace)
    bus.wire = SerialLine(path, target.line, bus.received, bus.lost)
    _BUSES[path] = bus
    return Seat(bus)


def _settings(framing: str, line: Line) -> str:
    return f"{framing} {line.baud} {line.bits}{line.parity}{line.stop:g}" + (" with echo" if line.echo else "")
