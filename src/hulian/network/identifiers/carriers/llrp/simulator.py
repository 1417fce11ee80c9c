"""A reader without a radio: serves LLRP on a port, and reports the tags that it is shown.

One client at a time, as readers have it. It knows orders to read (ROSpecs) with immediate and ordered start, reports what
their selector asks for, keepalives, both versions of the protocol, and refuses the rest as the standard says. Tags are shown
by `Simulator.show`, once; nothing appears by chance.
"""

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute, TaskStatus
from anyio.streams.tls import TLSListener

from hulian.network.identifiers.carriers.errors import LlrpFormatError
from hulian.network.identifiers.carriers.llrp.codec import Frames, Message, find, parameter
from hulian.network.identifiers.carriers.llrp.messages import TagReport, encode_report, status
from hulian.network.identifiers.carriers.llrp.numbers import MessageType as M
from hulian.network.identifiers.carriers.llrp.numbers import ParameterType as P
from hulian.network.identifiers.carriers.llrp.numbers import Status

__all__ = ["Simulator"]

_Change = Callable[[int], None]
_Handler = Callable[["_Client", Message], bytes]

_ANSWERED: Final = 10
_OF_1_1: Final = (M.GET_SUPPORTED_VERSION, M.SET_PROTOCOL_VERSION)
_MOST_ORDERS: Final = 64
_PIECE: Final = 65_536
_MISSED: Final = 3
_IMMEDIATE: Final = 1
_ALREADY: Final = 2
_ANTENNAS: Final = 4
_BITS: Final = {"antenna": 12, "rssi": 10, "first_seen": 9, "last_seen": 8, "seen": 7}


@dataclass(slots=True)
class _Order:
    """A ROSpec as it was added."""

    octets: bytes
    immediate: bool
    selector: int
    control: bool
    state: int = 0
    """0 disabled, 1 inactive, 2 active."""


class Simulator:
    """The reader. ``newest`` is the version it speaks: 2 for LLRP 1.1, 1 for 1.0.1, which knows no question of versions.

    ``reports`` counts tags that were reported, ``acknowledged`` the keepalives that were answered, ``served`` clients that
    were let in; ``active`` is set while an order is being carried out. ``orders`` are kept over connections, as readers do;
    ``mute`` withholds keepalives.
    """

    def __init__(self, *, newest: int = 2) -> None:
        self.newest = newest
        self.port = 0
        self.reports = 0
        self.acknowledged = 0
        self.served = 0
        self.active = anyio.Event()
        self.orders: dict[int, _Order] = {}
        self.mute = False
        self._client: _Client | None = None

    @property
    def connected(self) -> bool:
        """Whether a client is there."""
        return self._client is not None

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serves until it is cancelled; ``port`` 0 takes a free one, which is told by ``task_status``."""
        plain = await anyio.create_tcp_listener(local_host=host, local_port=port)
        listener: Listener[ByteStream] = plain if tls is None else TLSListener(plain, tls)
        async with listener:
            self.port = int(plain.extra(SocketAttribute.local_port))  # noqa: S610 - no database is near
            task_status.started(self.port)
            await listener.serve(self._serve)

    async def show(self, tags: Iterable[TagReport]) -> int:
        """Holds tags in front of the reader once; how many it reported. Without a client or an active order it sees nothing."""
        return await self._client.show(list(tags)) if self._client else 0

    async def drop(self) -> None:
        """Cuts the connection to the client, as a pulled cable does."""
        if self._client:
            await anyio.aclose_forcefully(self._client.stream)

    async def send(self, octets: bytes) -> None:
        """Sends any octets to the client, for tests of what it does with them."""
        if self._client:
            await self._client.stream.send(octets)

    async def _serve(self, stream: ByteStream) -> None:
        async with stream:
            if self._client is not None:
                await stream.send(
                    _event(M.READER_EVENT_NOTIFICATION, 0, P.CONNECTION_ATTEMPT_EVENT, struct.pack(">H", _ALREADY))
                )
                return
            self._client = client = _Client(self, stream)
            self.served += 1
            try:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, LlrpFormatError):
                    await client.run()
            finally:
                self._client = None


class _Client:
    """One connection."""

    def __init__(self, reader: Simulator, stream: ByteStream) -> None:
        self.stream = stream
        self._reader = reader
        self._version = 1
        self._orders = reader.orders
        self._keepalive = 0.0
        self._unanswered = 0
        self._changed = anyio.Event()
        self._next_id = 1
        self._sending = anyio.Lock()
        self._open = True

    async def run(self) -> None:
        """Greets, answers, and sends keepalives; ends with the connection."""
        await self._send_octets(_event(M.READER_EVENT_NOTIFICATION, 0, P.CONNECTION_ATTEMPT_EVENT, struct.pack(">H", 0)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_alive)
            frames = Frames()
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, LlrpFormatError):
                while self._open:
                    for message in frames.feed(await self.stream.receive(_PIECE)):
                        await self._answer(message)
            tasks.cancel_scope.cancel()

    async def show(self, tags: list[TagReport]) -> int:
        order = next((order for order in self._orders.values() if order.state == 2), None)
        if order is None:
            return 0
        now = time.time_ns() // 1000
        chosen = []
        for tag in tags:

            def asked(name: str, value: int) -> int | None:
                return value if order.selector >> _BITS[name] & 1 else None

            chosen.append(
                TagReport(
                    tag.epc,
                    tag.bits,
                    asked("antenna", tag.antenna or 1),
                    asked("rssi", tag.rssi or 0),
                    asked("first_seen", tag.first_seen or now),
                    asked("last_seen", tag.last_seen or now),
                    asked("seen", tag.seen or 1),
                    tag.control if order.control else None,
                )
            )
        # Counted before they are sent: whoever has read a report finds it counted.
        self._reader.reports += len(chosen)
        await self._send(M.RO_ACCESS_REPORT, self._number(), encode_report(chosen))
        return len(chosen)

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id

    async def _send(self, type_: int, id_: int, body: bytes = b"") -> None:
        await self._send_octets(Message(type_, id_, body, self._version).encode())

    async def _send_octets(self, octets: bytes) -> None:
        async with self._sending:
            await self.stream.send(octets)

    async def _keep_alive(self) -> None:
        while True:
            changed = self._changed
            with anyio.move_on_after(self._keepalive or None):
                await changed.wait()
                continue
            if self._reader.mute:
                await anyio.sleep(self._keepalive)
                continue
            if self._unanswered == _MISSED:
                await anyio.aclose_forcefully(self.stream)
                return
            self._unanswered += 1
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._send(M.KEEPALIVE, self._number())

    async def _answer(self, message: Message) -> None:
        if message.type == M.KEEPALIVE_ACK:
            self._unanswered = 0
            self._reader.acknowledged += 1
            return
        if message.version > self._reader.newest:
            await self._send(M.ERROR_MESSAGE, message.id, status(Status.UNSUPPORTED_VERSION, "LLRP 1.0.1"))
            return
        if message.type in (M.ENABLE_EVENTS_AND_REPORTS, M.GET_REPORT):
            return
        handler = _HANDLERS.get(message.type)
        if handler is None or (self._reader.newest < 2 and message.type in _OF_1_1):
            await self._send(M.ERROR_MESSAGE, message.id, status(Status.UNSUPPORTED_MESSAGE, f"message {message.type}"))
            return
        try:
            body = handler(self, message)
        except (LlrpFormatError, struct.error) as error:
            body = status(Status.PARAMETER_ERROR, str(error))
        closing = message.type == M.CLOSE_CONNECTION
        await self._send(M.CLOSE_CONNECTION_RESPONSE if closing else message.type + _ANSWERED, message.id, body)
        self._open = not closing

    def versions(self, _: Message) -> bytes:
        return bytes([self._version, self._reader.newest]) + status()

    def set_version(self, message: Message) -> bytes:
        if not message.body or not 1 <= message.body[0] <= self._reader.newest:
            return status(Status.UNSUPPORTED_VERSION)
        self._version = message.body[0]
        return status()

    def capabilities(self, _: Message) -> bytes:
        return status() + _general() + _llrp() + _regulatory() + parameter(P.C1G2_LLRP_CAPABILITIES, struct.pack(">BH", 0, 0))

    def configuration(self, _: Message) -> bytes:
        return status()

    def configure(self, message: Message) -> bytes:
        found = find(message.body, P.KEEPALIVE_SPEC, 1)
        if found is not None:
            kind, milliseconds = struct.unpack(">BI", found.value)
            self._keepalive = milliseconds / 1000 if kind else 0.0
            self._unanswered = 0
            self._changed.set()
            self._changed = anyio.Event()
        return status()

    def add(self, message: Message) -> bytes:
        found = find(message.body, P.ROSPEC)
        if found is None:
            return status(Status.MISSING_PARAMETER, "ROSpec")
        number, _, state = struct.unpack_from(">IBB", found.value)
        if number == 0 or state != 0 or number in self._orders or len(self._orders) == _MOST_ORDERS:
            return status(Status.FIELD_ERROR, f"ROSpec {number} in state {state}; there are {len(self._orders)}")
        boundary = find(found.value, P.RO_BOUNDARY_SPEC, 6)
        start = boundary and find(boundary.value, P.ROSPEC_START_TRIGGER)
        if not start or not start.value or find(found.value, P.AISPEC, 6) is None:
            return status(Status.MISSING_PARAMETER, "ROBoundarySpec or AISpec")
        report = find(found.value, P.RO_REPORT_SPEC, 6)
        selector = report and find(report.value, P.TAG_REPORT_CONTENT_SELECTOR, 3)
        bits = int.from_bytes(selector.value[:2], "big") if selector else 0xFFFF
        memory = selector and find(selector.value, P.C1G2_EPC_MEMORY_SELECTOR, 2)
        control = bool(memory and memory.value and memory.value[0] & 0x40)
        self._orders[number] = _Order(found.value, start.value[0] == _IMMEDIATE, bits, control)
        return status()

    def delete(self, message: Message) -> bytes:
        return self._change(message, self._orders.__delitem__)

    def enable(self, message: Message) -> bytes:
        return self._change(message, lambda number: self._become(number, 2 if self._orders[number].immediate else 1))

    def disable(self, message: Message) -> bytes:
        return self._change(message, lambda number: self._become(number, 0))

    def start(self, message: Message) -> bytes:
        number = struct.unpack(">I", message.body)[0]
        if number in self._orders and self._orders[number].state == 0:
            return status(Status.INVALID, f"ROSpec {number} is disabled")
        return self._change(message, lambda number: self._become(number, 2))

    def stop(self, message: Message) -> bytes:
        return self._change(message, lambda number: self._become(number, 1))

    def rospecs(self, _: Message) -> bytes:
        shown = (
            parameter(P.ROSPEC, order.octets[:5] + bytes([order.state]) + order.octets[6:]) for order in self._orders.values()
        )
        return status() + b"".join(shown)

    def accept(self, _: Message) -> bytes:
        return status()

    def _become(self, number: int, state: int) -> None:
        self._orders[number].state = state

    def _change(self, message: Message, change: _Change) -> bytes:
        (number,) = struct.unpack(">I", message.body)
        if number and number not in self._orders:
            return status(Status.FIELD_ERROR, f"there is no ROSpec {number}")
        for each in [number] if number else list(self._orders):
            change(each)
        if any(order.state == 2 for order in self._orders.values()):
            self._reader.active.set()
        elif self._reader.active.is_set():
            self._reader.active = anyio.Event()
        return status()


def _event(type_: int, id_: int, event: int, value: bytes) -> bytes:
    now = parameter(P.UTC_TIMESTAMP, (time.time_ns() // 1000).to_bytes(8, "big"))
    return Message(type_, id_, parameter(P.READER_EVENT_NOTIFICATION_DATA, b"", now, parameter(event, value))).encode()


def _general() -> bytes:
    firmware = b"simulator"
    fields = struct.pack(">HHIIH", _ANTENNAS, 0x4000, 0, 0, len(firmware)) + firmware
    protocols = (
        parameter(P.PER_ANTENNA_AIR_PROTOCOL, struct.pack(">HHB", antenna, 1, 1)) for antenna in range(1, _ANTENNAS + 1)
    )
    return parameter(
        P.GENERAL_DEVICE_CAPABILITIES,
        fields,
        parameter(P.RECEIVE_SENSITIVITY_TABLE_ENTRY, struct.pack(">Hh", 1, 0)),
        parameter(P.GPIO_CAPABILITIES, struct.pack(">HH", 0, 0)),
        *protocols,
    )


def _llrp() -> bytes:
    return parameter(P.LLRP_CAPABILITIES, struct.pack(">BBHIIIII", 0, 1, 0, _MOST_ORDERS, 1, 1, 0, 0))


def _regulatory() -> bytes:
    powers = (
        parameter(P.TRANSMIT_POWER_LEVEL_TABLE_ENTRY, struct.pack(">Hh", index, 1000 + 100 * index)) for index in range(1, 24)
    )
    frequencies = parameter(P.FIXED_FREQUENCY_TABLE, struct.pack(">HI", 1, 920_625))
    modes = parameter(
        P.C1G2_UHF_RF_MODE_TABLE,
        b"",
        parameter(
            P.C1G2_UHF_RF_MODE_TABLE_ENTRY, struct.pack(">IBBBBIIIII", 0, 0x80, 2, 2, 2, 250_000, 1_500, 6_250, 25_000, 0)
        ),
    )
    band = parameter(P.UHF_BAND_CAPABILITIES, b"", *powers, parameter(P.FREQUENCY_INFORMATION, b"\0", frequencies), modes)
    return parameter(P.REGULATORY_CAPABILITIES, struct.pack(">HH", 156, 0), band)


_HANDLERS: Final[dict[int, _Handler]] = {
    M.GET_SUPPORTED_VERSION: _Client.versions,
    M.SET_PROTOCOL_VERSION: _Client.set_version,
    M.GET_READER_CAPABILITIES: _Client.capabilities,
    M.GET_READER_CONFIG: _Client.configuration,
    M.SET_READER_CONFIG: _Client.configure,
    M.ADD_ROSPEC: _Client.add,
    M.DELETE_ROSPEC: _Client.delete,
    M.ENABLE_ROSPEC: _Client.enable,
    M.DISABLE_ROSPEC: _Client.disable,
    M.START_ROSPEC: _Client.start,
    M.STOP_ROSPEC: _Client.stop,
    M.GET_ROSPECS: _Client.rospecs,
    M.DELETE_ACCESSSPEC: _Client.accept,
    M.CLOSE_CONNECTION: _Client.accept,
}
