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


class Address(str):
    """Where the device is, and which process it is."""

    process_id: int


@contextlib.contextmanager
def modbus_device(port: int):
    process = subprocess.Popen([sys.executable, "-c", CODE, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address, "the Modbus device did not start"
        found = Address(address)
        found.process_id = process.pid
        yield found
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
