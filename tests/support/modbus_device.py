"""A Modbus device in a process of its own, whose holding register 0 counts."""

from __future__ import annotations

import contextlib
import subprocess
import sys

CODE = """
import asyncio, sys
from hulian.network.exchange.protocols.modbus.simulator import Simulator

async def main():
    async with Simulator(port=int(sys.argv[1])) as device:
        count = 0
        await device.set("holding@0:uint16", 0)
        print(device.url, flush=True)
        while True:
            await asyncio.sleep(0.1)
            count = (count + 1) % 60000
            await device.set("holding@0:uint16", count)

asyncio.run(main())
"""


@contextlib.contextmanager
def modbus_process(port: int):
    """Gives the device's address and the process id of the device."""
    process = subprocess.Popen([sys.executable, "-c", CODE, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address, "the Modbus device did not start"
        yield address, process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def modbus_device(port: int):
    """Gives the device's address."""
    with modbus_process(port) as (address, _):
        yield address
