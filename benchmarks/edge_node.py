"""An edge node with a connector of every protocol that runs there: its resident memory."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import paho.mqtt.publish
import psutil
from free_ports import free_port
from mqtt_peers import Mosquitto
from running import RunningPlatform
from running_edge import RunningEdge, joined

from hulian.network.exchange.protocols.files.simulator import Simulator as Files
from hulian.network.exchange.protocols.http.simulator import Simulator as Http
from hulian.network.exchange.protocols.modbus.simulator import Simulator as Modbus
from hulian.network.exchange.protocols.opcua.simulator import Simulator as Opcua
from hulian.network.exchange.protocols.sql.simulator import Simulator as Sql

MINUTES = float(os.environ.get("HULIAN_BENCH_MINUTES", "5"))


def order(platform: RunningPlatform, name: str, simulator: Any) -> None:
    """A connector on the node for everything that the simulator offers."""
    points = [
        {"name": f"99.118.8/{name}#p{number}", "address": binding.address, "storage": binding.storage.value}
        for number, binding in enumerate(simulator.bindings)
    ]
    default = type(simulator.configuration)()
    settings = {
        key: value
        for key, value in msgspec.to_builtins(simulator.configuration).items()
        if value != msgspec.to_builtins(default).get(key)
    }
    more = {"password": simulator.credentials.password} if simulator.credentials.password else {}
    with platform.sdk() as sdk:
        sdk.create_connector(name, simulator.url, protocol=name, settings=settings, points=points, edge="press", **more)


def order_others(platform: RunningPlatform, broker: int) -> None:
    """A foreign broker, and a computed point."""
    with platform.sdk() as sdk:
        point = {"name": "99.118.8/mqtt#p", "address": "json:plant/one:value", "storage": "double"}
        settings = {"topics": ["plant/#"]}
        url = f"mqtt://127.0.0.1:{broker}"
        sdk.create_connector("mqtt", url, protocol="mqtt", settings=settings, points=[point], edge="press")
        computed = {"expression": "n * 2", "inputs": {"n": point["name"]}}
        double = {"name": "99.118.8/mqtt#double", "address": "double", "options": computed}
        sdk.create_connector("computed", "processing:", protocol="processing", points=[double], edge="press")


def states(platform: RunningPlatform) -> dict[str, str]:
    with platform.sdk() as sdk:
        return {item.name: (item.status or {}).get("state", "") for item in sdk.connectors()}


def part(command: list[str]) -> str:
    """What a process of the node is called, without the paths of this machine."""
    if "nats" in Path(command[0]).name:
        return "nats-server"
    return "edge" if {"up", "edge"} <= set(command) else "supervisor"


async def measure(place: Path) -> tuple[float, str]:
    async with AsyncExitStack() as stack:
        simulators = {
            "modbus": Modbus(),
            "opcua": Opcua(variables=1000),
            "files": Files(),
            "sql": Sql(),
            "http": Http(),
        }
        for simulator in simulators.values():
            await stack.enter_async_context(simulator)
        platform = RunningPlatform(place / "centre", free_port, settings=f"leaf_port = {free_port()}\n")
        await anyio.to_thread.run_sync(stack.enter_context, platform)
        edge = stack.enter_context(RunningEdge(place / "edge"))
        roots = [str(simulators[name].root) for name in ("files", "sql")]
        edge.config.write_text(edge.config.read_text() + f"directories = {json.dumps(roots)}\n")
        await anyio.to_thread.run_sync(joined, platform, edge)
        await anyio.to_thread.run_sync(edge.start)
        broker = Mosquitto(place / "broker")
        broker.start()
        stack.callback(broker.kill)
        for name, simulator in simulators.items():
            await anyio.to_thread.run_sync(order, platform, name, simulator)
        await anyio.to_thread.run_sync(order_others, platform, broker.port)
        with anyio.fail_after(120):
            while set((found := await anyio.to_thread.run_sync(states, platform)).values()) != {"connected"}:
                await anyio.sleep(1)
        end = anyio.current_time() + MINUTES * 60
        number = 0
        publish = partial(paho.mqtt.publish.single, hostname="127.0.0.1", port=broker.port, qos=1)
        while anyio.current_time() < end:
            number += 1
            await anyio.to_thread.run_sync(publish, "plant/one", json.dumps({"value": number}))
            await simulators["opcua"].set("ns=2;s=V0", float(number))
            await anyio.sleep(0.5)
        assert set((await anyio.to_thread.run_sync(states, platform)).values()) == {"connected"}, found
        root = psutil.Process(edge.process.pid)
        parts = {part(one.cmdline()): one.memory_info().rss / 2**20 for one in [root, *root.children(recursive=True)]}
        told = ", ".join(f"{name} {size:.0f}" for name, size in sorted(parts.items(), key=lambda item: -item[1]))
        return sum(parts.values()), f"{len(found)} connectors ({', '.join(sorted(found))}) for {MINUTES:g} minutes; {told}"


def run() -> list[dict]:
    logging.getLogger("paho").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as directory:
        size, told = anyio.run(measure, Path(directory))
    return [
        {
            "name": "edge.memory_mb", "value": round(size, 1), "unit": "MiB", "reference": "the goal", "reference_value": 250,
            "ratio": round(size / 250, 3), "conditions": f"resident, all processes of the node; {told}",
        }
    ]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
