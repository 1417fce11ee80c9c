"""Modbus TCP: registers and values read and decoded a second by our client and plan, and a fleet of slow and dead devices.

The devices are a C server in a process of its own, so that the client is what is measured. Ours and the reference, which is
pymodbus's client with its own conversion, are measured in turns.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from typing import Any

from free_ports import free_port

from benchmarks._modbus_server import c_server
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
from hulian.network.exchange.protocols.modbus import protocol
from hulian.network.exchange.protocols.modbus.address import Place
from hulian.network.exchange.protocols.modbus.channel import Request, RoundTrip
from hulian.network.exchange.protocols.modbus.client import Client
from hulian.network.exchange.protocols.modbus.config import BindingOptions, ModbusConfiguration
from hulian.network.exchange.protocols.modbus.errors import ModbusError
from hulian.network.exchange.protocols.modbus.plan import Block, Limits, Plan
from hulian.network.exchange.protocols.modbus.values import Item
from hulian.network.exchange.protocols.modbus.wire import read_request

REGISTERS = 8_000
SECONDS = 2.0
TURNS = 3
REFERENCE = "pymodbus 3.16.1 client and its conversion, same C server, one request in flight"


class _Read(Request):
    """One block of the scan: its answer goes to the plan, as a poll's does."""

    __slots__ = ("number", "scan")

    def __init__(self, scan: _Scan, block: Block) -> None:
        super().__init__(1, read_request(block.table, block.offset, block.count), RoundTrip(2, 2))
        self.scan, self.number = scan, block.number

    def answered(self, pdu: memoryview, time: int) -> None:
        self.scan.answered(self.number, pdu[2:], time)

    def failed(self, error: ModbusError) -> None:
        self.scan.done.set_exception(error)


class _Scan:
    """The whole plan again and again, as fast as the window allows: from request to columns."""

    def __init__(self, kind: str, width: int) -> None:
        places = [Place.parse(f"holding@{width * number}:{kind}") for number in range(REGISTERS // width)]
        items = [
            Item.of(number + 1, place.canonical, place, BindingOptions(), StorageClass.DOUBLE, unit=1, order="abcd")
            for number, place in enumerate(places)
        ]
        self.plan = Plan(items, Limits(registers=125 // width * width))
        self.reads = [_Read(self, block) for block in self.plan.blocks]
        self.left = self.count = 0

    async def run(self, port: int, depth: int) -> float:
        """Values a second."""
        self.client = await Client.connect("127.0.0.1", port, timeout=5, depth=depth)
        self.done = asyncio.get_running_loop().create_future()
        self.count, self.began = 0, time.monotonic()
        self.again()
        await self.done
        self.client.close()
        return self.count / (time.monotonic() - self.began)

    def again(self) -> None:
        self.left = len(self.reads)
        self.client.submit(*self.reads)

    def answered(self, number: int, payload: memoryview, when: int) -> None:
        self.plan.answered(number, payload, when)
        self.left -= 1
        if self.left:
            return
        (columns,) = self.plan.columns()
        if columns.status.any() or columns.value[len(columns) - 1].as_py() is None:
            raise RuntimeError("the device gave bad values")
        self.count += len(columns)
        if time.monotonic() - self.began > SECONDS:
            self.done.set_result(None)
        else:
            self.again()


async def _pymodbus(port: int, kind: str, width: int) -> float:
    """Values a second of the reference."""
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    data_type = getattr(client.DATATYPE, kind.upper())
    began, count = time.monotonic(), 0
    size = 125 // width * width
    while time.monotonic() - began < SECONDS:
        for start in range(0, REGISTERS - size + 1, size):
            answer = await client.read_holding_registers(start, count=size, device_id=1)
            values = client.convert_from_registers(answer.registers, data_type)
            count += len(values)
    client.close()
    return count / (time.monotonic() - began)


def _rates(name: str, kind: str, width: int, unit: str, depths: dict[str, int]) -> list[dict]:
    found: dict[str, list[float]] = {suffix: [] for suffix in depths}
    theirs = []
    with c_server() as port:
        for _ in range(TURNS):
            for suffix, depth in depths.items():
                found[suffix].append(asyncio.run(_Scan(kind, width).run(port, depth)))
            theirs.append(asyncio.run(_pymodbus(port, kind, width)))
    reference = statistics.median(theirs)
    size = 125 // width * width
    return [
        {
            "name": name + suffix,
            "value": statistics.median(found[suffix]),
            "unit": unit,
            "reference": REFERENCE,
            "reference_value": reference,
            "ratio": statistics.median(found[suffix]) / reference,
            "conditions": (
                f"{REGISTERS // width} {kind} to columns of doubles, requests of {size} registers, one connection, "
                f"{depth} in flight, median of {TURNS} turns of {SECONDS:g} s (best {max(found[suffix]):,.0f})"
            ),
        }
        for suffix, depth in depths.items()
    ]


# -- a fleet --------------------------------------------------------------------------------------------------------------

DEVICES, DEAD, ROUND_TRIP_MS, FLEET_SECONDS = 100, 10, 20.0, 15.0
FLEET_REGISTERS = 300


class _Sink:
    """Notes how long after its due time each poll's values came."""

    position = None

    def __init__(self, late: list[float], began: float) -> None:
        self.late, self.began = late, began
        self.phase = 0.0
        self.seen = 0

    def samples(self, columns: Any) -> None:
        # The first poll comes with the connection, at no due time.
        self.seen += 1
        now = asyncio.get_running_loop().time()
        if self.seen > 1 and now > self.began + 3 and not columns.status.any():
            self.late.append((now - self.phase) % 1.0)

    def event(self, event: Any) -> None: ...

    def status(self, status: Any) -> None: ...

    async def commit(self, position: int | None = None) -> None: ...


async def _ours_fleet(port: int, depth: int) -> list[float]:
    """Seconds from due to columns of the living, while a tenth of the fleet is dead: half refuse, half are silent."""
    late: list[float] = []
    began = asyncio.get_running_loop().time()
    nobody = free_port()
    running = []
    for number in range(DEVICES):
        dead = number >= DEVICES - DEAD
        url = f"modbus://127.0.0.1:{nobody}" if dead and number % 2 else f"modbus://127.0.0.1:{port}/{201 if dead else 1}"
        bindings = [
            Binding(series=place + 1, address=f"holding@{place}:uint16", storage=StorageClass.DOUBLE)
            for place in range(FLEET_REGISTERS)
        ]
        environment = Environment(organisation="o", connector=f"d{number}", credentials=Credentials(), trust=None)  # type: ignore[arg-type]
        connector = protocol.connector(url, ModbusConfiguration(interval=1.0, depth=depth), bindings, environment)
        sink = _Sink(late, began)
        sink.phase = connector.polls[0]._phase
        running.append(asyncio.create_task(connector.run(sink)))  # type: ignore[arg-type]
    await asyncio.sleep(FLEET_SECONDS)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    expected = (DEVICES - DEAD) * (FLEET_SECONDS - 3)
    if len(late) < 0.9 * expected:
        raise RuntimeError(f"only {len(late)} of {expected:.0f} polls gave values")
    return late


async def _their_fleet(port: int) -> list[float]:
    from pymodbus.client import AsyncModbusTcpClient
    from pymodbus.exceptions import ModbusException

    late: list[float] = []
    nobody = free_port()
    began = asyncio.get_running_loop().time()

    async def poll(number: int) -> None:
        dead = number >= DEVICES - DEAD
        client = AsyncModbusTcpClient("127.0.0.1", port=nobody if dead and number % 2 else port, timeout=2, retries=1)
        await client.connect()
        due = asyncio.get_running_loop().time() + number / DEVICES
        while due < began + FLEET_SECONDS:
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            try:
                for start in range(0, FLEET_REGISTERS, 100):
                    answer = await client.read_holding_registers(start, count=100, device_id=201 if dead else 1)
                    client.convert_from_registers(answer.registers, client.DATATYPE.UINT16)
            except (ModbusException, OSError):
                await asyncio.sleep(0.1)
            else:
                now = asyncio.get_running_loop().time()
                if now > began + 3:
                    late.append(now - due)
            due += 1.0

    # pymodbus takes a cancellation for a lost answer: each poll ends by its own clock.
    await asyncio.gather(*(poll(number) for number in range(DEVICES)))
    return late


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] * 1000


def _fleet() -> list[dict]:
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    deep, single, theirs = [], [], []
    with c_server(ROUND_TRIP_MS, silent_from=200) as port:
        for _ in range(2):
            deep.append(_p99(asyncio.run(_ours_fleet(port, 4))))
            single.append(_p99(asyncio.run(_ours_fleet(port, 1))))
            theirs.append(_p99(asyncio.run(_their_fleet(port))))
    reference = min(theirs)
    common = {
        "unit": "ms",
        "reference": "pymodbus 3.16.1, as many clients, three requests one after the other, nothing subtracted",
        "reference_value": reference,
    }
    told = (
        f"{DEVICES} devices of {FLEET_REGISTERS} registers at 1 Hz, {ROUND_TRIP_MS:g} ms round trip, {DEAD} of them dead; p99"
    )
    rows = (
        ("modbus.fleet_late_ms", min(deep), "due to columns, four in flight, the round trip included"),
        ("modbus.fleet_late_ms.one_at_a_time", min(single), "due to columns, one in flight: three round trips included"),
    )
    return [
        {"name": name, "value": value, "ratio": value / reference, "conditions": f"{told}; {what}; better of 2 turns", **common}
        for name, value, what in rows
    ]


def run() -> list[dict]:
    return [
        *_rates("modbus.registers_per_s", "uint16", 1, "registers/s", {"": 1, ".pipelined": 32}),
        *_rates("modbus.values_per_s", "float32", 2, "values/s", {"": 1, ".depth_8": 8}),
        *_fleet(),
    ]
