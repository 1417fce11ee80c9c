"""A Modbus TCP device in this process: for tests, for the demo plant, and to try a configuration without hardware."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.modbus.address import Place, Table
from hulian.network.exchange.protocols.modbus.config import BindingOptions, MapEntry, ModbusConfiguration
from hulian.network.exchange.protocols.modbus.errors import GarbageError
from hulian.network.exchange.protocols.modbus.server import Memory
from hulian.network.exchange.protocols.modbus.values import Item, encode_value
from hulian.network.exchange.protocols.modbus.wire import FrameReader, encode_frame

__all__ = ["DEFAULT_BINDINGS", "Simulator"]

DEFAULT_BINDINGS = (
    Binding(series=1, address="holding@0:float32", storage=StorageClass.DOUBLE, writable=True),
    Binding(series=2, address="holding@2:int16", storage=StorageClass.INTEGER, writable=True),
    Binding(series=3, address="input@10:uint32", storage=StorageClass.INTEGER),
    Binding(series=4, address="coil@0", storage=StorageClass.BOOLEAN, kind=Kind.STEP, writable=True),
    Binding(series=5, address="discrete@3", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=6, address="holding@20:string[8]", storage=StorageClass.TEXT, kind=Kind.STEP, writable=True),
    Binding(series=7, address="holding@30:bytes[1]", storage=StorageClass.BYTES, kind=Kind.STEP),
)
"""One point of each kind."""


class Simulator:
    """``async with Simulator() as sim:`` listens on loopback at ``sim.url`` until the block ends.

    ``bindings`` name what it has; `set` changes a value. `stop` ends the listener and every connection; `start` opens the
    same port again.
    ``configuration`` is quick to notice either. ``delay`` is waited before each answer, in seconds; the units in ``silent``
    do not answer.
    """

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = True
    tcp: ClassVar[bool] = True
    keeps: ClassVar[str] = ""

    def __init__(
        self, bindings: Iterable[Binding] = DEFAULT_BINDINGS, *, host: str = "127.0.0.1", port: int = 0, unit: int = 1,
        identification: dict[int, str] | None = None,
    ) -> None:  # fmt: skip
        self.bindings = tuple(bindings)
        self.bad_binding = Binding(series=99, address="holding@9999:uint16", storage=StorageClass.INTEGER)
        self.credentials = Credentials()
        self.extras: Mapping[str, Any] = {}
        self.configuration = ModbusConfiguration(
            interval=0.1,
            changes_only=True,
            timeout=0.5,
            reconnect_first=0.1,
            reconnect_most=0.5,
            bad_after=1.0,
            map=tuple(MapEntry(name=binding.address, address=binding.address) for binding in self.bindings),
        )
        self.units: dict[int, Memory] = {}
        self.silent: set[int] = set()
        self.delay = 0.0
        self.requests = 0
        self.connections = 0
        self._host = host
        self._port = port
        self._unit = unit
        names = {0: "Hulian", 1: "SIM", 2: "1.0", 4: "Modbus simulator"}
        self._identification = names if identification is None else identification
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.Transport] = set()
        for binding in self.bindings:
            item = self._item(binding.address)
            blank = "" if item.kind == "string" else b"" if item.kind == "bytes" else 0
            self.put(binding.address, blank)

    @property
    def port(self) -> int:
        """Where it listens; chosen by the system unless given."""
        return self._port

    @property
    def url(self) -> str:
        """What a connector takes."""
        return f"modbus://{self._host}:{self._port}" + (f"/{self._unit}" if self._unit != 1 else "")

    def memory(self, unit: int | None = None) -> Memory:
        """The tables of a unit, made where they are new."""
        number = self._unit if unit is None else unit
        return self.units.setdefault(number, Memory(self._identification))

    async def set(self, address: str, value: Any) -> None:
        """`put`, as every simulator offers it."""
        self.put(address, value)

    def put(self, address: str, value: Any) -> None:
        """The next poll reads ``value`` at ``address`` (which begins to exist). The scale of a binding is not applied."""
        self._put(self._item(address), value)

    def remove(self, address: str) -> None:
        """From now on the device refuses this address."""
        item = self._item(address)
        self.memory(item.unit).remove(item.place.table, item.place.offset, item.place.count)

    def _item(self, address: str) -> Item:
        place = Place.parse(address)
        unit = self._unit if place.unit is None else place.unit
        return Item.of(1, address, place, BindingOptions(), place.natural_storage(), unit=unit, order="abcd")

    def _put(self, item: Item, value: Any) -> None:
        place, memory = item.place, self.memory(item.unit)
        if place.type == "bool":
            memory.put(place.table, place.offset, [int(bool(value))])
        elif place.type == "bit":
            (register,) = memory.get(place.table, place.offset)
            mask = 1 << ((place.bit + 8) % 16 if item.order in ("badc", "dcba", "ba") else place.bit)
            memory.put(place.table, place.offset, [register | mask if value else register & ~mask])
        else:
            raw = encode_value(item, value)
            memory.put(place.table, place.offset, [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)])

    def fill(self, table: Table | str, offset: int, values: Sequence[int], *, unit: int | None = None) -> None:
        """Plain entries from ``offset`` on."""
        self.memory(unit).put(Table(table), offset, list(values))

    async def start(self) -> None:
        """Listens; a second start uses the port of the first."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port, reuse_address=True)
            self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends the listener and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            self.drop()
            await server.wait_closed()

    def drop(self) -> None:
        """Ends every connection, as a device does that starts again."""
        for transport in list(self._transports):
            transport.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Connection(asyncio.Protocol):
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._simulator.connections += 1
        self._simulator._transports.add(transport)  # type: ignore[arg-type]  # noqa: SLF001 - one object in two classes

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._simulator._transports.discard(self._transport)  # noqa: SLF001 - likewise

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            frames = self._reader.feed(data)
        except GarbageError:
            self._transport.abort()
            return
        simulator = self._simulator
        for frame in frames:
            simulator.requests += 1
            if frame.unit in simulator.silent:
                continue
            memory = simulator.units.get(frame.unit)
            pdu = memory.answer(frame.pdu) if memory is not None else bytes((frame.pdu[0] | 0x80, 11))
            answer = encode_frame(frame.transaction, frame.unit, pdu)
            if simulator.delay:
                asyncio.get_running_loop().call_later(simulator.delay, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
