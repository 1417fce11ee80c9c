"""Modbus TCP: values read and decoded a second by our connector, and by pymodbus's client from the same device.

The device is our simulator in a process of its own; 2,000 floats in 40 requests, one in flight (what every device bears) and,
for ours, eight. Ours and the reference are measured in turns.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

VALUES = 2_000
SECONDS = 2.0
TURNS = 3

_DEVICE = """
import asyncio
from hulian.network.exchange.protocols.modbus.simulator import Simulator
async def main():
    async with Simulator(()) as device:
        device.fill("holding", 0, [16256, 0] * 2000)
        print(device.port, flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


async def _ours(port: int, depth: int) -> float:
    """Values a second, from request to columns."""
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.modbus.address import Place
    from hulian.network.exchange.protocols.modbus.client import Client
    from hulian.network.exchange.protocols.modbus.config import BindingOptions
    from hulian.network.exchange.protocols.modbus.plan import Limits, Plan
    from hulian.network.exchange.protocols.modbus.values import Item
    from hulian.network.exchange.protocols.modbus.wire import parse_read, read_request

    places = [Place.parse(f"holding@{2 * number}:float32") for number in range(VALUES)]
    items = [
        Item.of(number + 1, place.canonical, place, BindingOptions(), StorageClass.DOUBLE, unit=1, order="abcd")
        for number, place in enumerate(places)
    ]
    plan = Plan(items, Limits(registers=100))
    client = await Client.connect("127.0.0.1", port, timeout=5, depth=depth)
    numbers: list[int] = []

    async def read() -> None:
        while numbers:
            number = numbers.pop()
            block = plan.blocks[number]
            answer = await client.request(1, read_request(block.table, block.offset, block.count), 5)
            plan.answered(number, parse_read(answer, block.table, block.count), time.time_ns())

    began, count = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        numbers[:] = range(len(plan.blocks))
        if depth == 1:
            await read()
        else:
            await asyncio.gather(*(read() for _ in range(depth)))
        (columns,) = plan.columns()
        count += len(columns)
    client.close()
    return count / (time.monotonic() - began)


async def _pymodbus(port: int) -> float:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    began, count = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        for start in range(0, 2 * VALUES, 100):
            answer = await client.read_holding_registers(start, count=100, device_id=1)
            count += len(client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32))
    client.close()
    return count / (time.monotonic() - began)


def run() -> list[dict]:
    device = subprocess.Popen([sys.executable, "-c", _DEVICE], stdout=subprocess.PIPE, text=True)
    try:
        assert device.stdout is not None
        port = int(device.stdout.readline())
        ours, deep, theirs = [], [], []
        for _ in range(TURNS):
            ours.append(asyncio.run(_ours(port, 1)))
            theirs.append(asyncio.run(_pymodbus(port)))
            deep.append(asyncio.run(_ours(port, 8)))
    finally:
        device.kill()
        device.wait()
    reference = statistics.median(theirs)
    conditions = f"{VALUES} float32 in {2 * VALUES // 100} requests of 100 registers from our simulator, median of {TURNS}"
    return [
        {
            "name": name,
            "value": statistics.median(found),
            "unit": "values/s",
            "reference": "pymodbus 3.16.1 client and its conversion, same device",
            "reference_value": reference,
            "ratio": statistics.median(found) / reference,
            "conditions": f"{conditions}; {told}",
        }
        for name, found, told in (
            ("modbus.values_per_s", ours, "one request in flight"),
            ("modbus.values_per_s.depth_8", deep, "eight requests in flight, pymodbus one"),
        )
    ]
