"""An OPC UA server that offers encrypted endpoints only, in a process of its own, with a certificate of a chosen age."""

from __future__ import annotations

import contextlib
import subprocess
import sys

CODE = """
import asyncio, sys
from hulian.network.exchange.protocols.opcua.simulator import Simulator

async def main():
    simulator = Simulator(secure=True, certificate_days=int(sys.argv[2]), period=0.2)
    simulator._port = int(sys.argv[1])
    async with simulator as device:
        print(device.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@contextlib.contextmanager
def secure_opcua_device(port: int, days: int):
    """Gives the address; ``days`` is how long the certificate is still good, negative: expired."""
    command = [sys.executable, "-c", CODE, str(port), str(days)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address, "the OPC UA device did not start"
        yield address
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
