"""An OPC UA server of your own: a press with a pressure, a temperature, a counter and a switch.

    python examples/opcua_server.py            # serves on opc.tcp://127.0.0.1:4850
    python examples/opcua_server.py --port 0   # the system chooses the port

It serves loopback only and without encryption, so that the first try needs no certificates.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import time

from asyncua import Server, ua
from asyncua.common.node import Node

UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"
BAR = ua.EUInformation(UNECE, 4342098, ua.LocalizedText("bar"), ua.LocalizedText("bar"))
CELSIUS = ua.EUInformation(UNECE, 4408652, ua.LocalizedText("°C"), ua.LocalizedText("degree Celsius"))


async def analog(machine: Node, space: int, name: str, unit: ua.EUInformation, high: float) -> Node:
    """A variable that tells its unit and range, as real devices do."""
    node = await machine.add_variable(f"ns={space};s=Press.{name}", f"{space}:{name}", 0.0, datatype=ua.NodeId(11))
    await node.add_property(ua.NodeId(f"Press.{name}.Unit", space), ua.QualifiedName("EngineeringUnits", 0), unit)
    await node.add_property(ua.NodeId(f"Press.{name}.Range", space), ua.QualifiedName("EURange", 0), ua.Range(0.0, high))
    return node


async def serve(port: int, period: float) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/press")
    server.set_server_name("A press")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace("urn:example:press")
    machine = await server.nodes.objects.add_object(f"ns={space};s=Press", f"{space}:Press")
    pressure = await analog(machine, space, "Pressure", BAR, 250.0)
    temperature = await analog(machine, space, "Temperature", CELSIUS, 120.0)
    strokes = await machine.add_variable(f"ns={space};s=Press.Strokes", f"{space}:Strokes", 0, ua.VariantType.Int64)
    running = await machine.add_variable(f"ns={space};s=Press.Running", f"{space}:Running", True)
    await running.set_writable()
    async with server:
        chosen = server.bserver._server.sockets[0].getsockname()[1]
        print(f"opc.tcp://127.0.0.1:{chosen}/press", flush=True)
        began, count = time.monotonic(), 0
        while True:
            now = time.monotonic() - began
            if await running.read_value():
                count += 1
                await pressure.write_value(120.0 + 80.0 * math.sin(now))
                await strokes.write_value(count, ua.VariantType.Int64)
            await temperature.write_value(60.0 + 5.0 * math.sin(now / 20))
            await asyncio.sleep(period)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=4850)
    arguments.add_argument("--period", type=float, default=0.5, help="seconds between two values")
    given = arguments.parse_args()
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, given.period))
