"""Many small devices at one edge: 500 Modbus connections with 30 tags each, read twice a second.

Three processes besides this one: the devices (C), nats-server, and the edge as `hulian up` runs it: connectors, journals on
disk, acknowledged publishing. What counts is the processor time of the edge, and that the samples of every tag arrive at
their pace: they are counted from the stream's side, by the edge's acknowledged batches. The reference is as many pymodbus
clients in one process, which read and convert the same registers and throw the values away; both are measured in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks._modbus_server import c_server

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS, TAGS, INTERVAL = 500, 30, 0.5
TURNS = 2


class Plant:
    """500 connections to one address, each with 30 tags."""

    def __init__(self, port: int) -> None:
        self.port = port

    def plans(self) -> list[Any]:
        from hulian.kernel.identifier import series_id
        from hulian.kernel.storage import StorageClass
        from hulian.network.exchange.protocols.contract import Binding, Credentials
        from hulian.platform.edge.contract import ConnectorPlan

        def bindings(name: str) -> tuple[Binding, ...]:
            return tuple(
                Binding(
                    series=series_id("bench", name, f"holding@{2 * tag}:float32", StorageClass.DOUBLE),
                    address=f"holding@{2 * tag}:float32",
                    storage=StorageClass.DOUBLE,
                )
                for tag in range(TAGS)
            )

        return [
            ConnectorPlan(
                name=f"device-{number}",
                protocol="modbus",
                url=f"modbus://127.0.0.1:{self.port}",
                settings={"interval": INTERVAL},
                credentials=Credentials(),
                enabled=True,
                bindings=bindings(f"device-{number}"),
            )
            for number in range(CONNECTIONS)
        ]


async def edge(port: int, url: str, password: str, directory: Path) -> None:
    """The edge component until SIGTERM; each line of standard input is answered with what has been stored."""
    from hulian.assembly.uplink import SpineUplink
    from hulian.network.exchange.spine.connection import Spine
    from hulian.network.exchange.spine.publisher import Publisher
    from hulian.platform.edge.config import EdgeConfiguration
    from hulian.platform.edge.service import EdgeService

    organisation = importlib.import_module("nats_node").ORGANISATION
    async with await Spine.connect(url, "edge", password, "edge") as spine, Publisher(spine) as publisher:
        uplink = SpineUplink(spine, publisher, organisation)
        service = EdgeService(organisation, directory / "edge", EdgeConfiguration(), Plant(port), uplink, None)  # type: ignore[arg-type]
        running = asyncio.create_task(service.run())
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print("ready", flush=True)
        while await reader.readline():
            told = [json.loads(one.runner.status_message()) for one in service._running.values()]
            print(
                json.dumps(
                    {
                        "samples": sum(one["status"].get("samples", 0) for one in told),
                        "connected": sum(one["status"]["state"] in ("connected", "degraded") for one in told),
                        "overruns": sum(one["status"].get("counters", {}).get("overruns", 0) for one in told),
                        "pending": sum(one["journal"]["sequence"] - one["journal"]["acknowledged"] for one in told),
                    }
                ),
                flush=True,
            )
        running.cancel()


async def clients(port: int) -> None:
    """The reference: pymodbus clients, each polling on its own; values are converted and dropped."""
    from pymodbus.client import AsyncModbusTcpClient

    done = 0

    async def poll(number: int) -> None:
        nonlocal done
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        due = time.monotonic() + INTERVAL * number / CONNECTIONS
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += INTERVAL
            answer = await client.read_holding_registers(0, count=2 * TAGS)
            done += len(client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32))

    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = [asyncio.create_task(poll(number)) for number in range(CONNECTIONS)]
    print("ready", flush=True)
    while await reader.readline():
        print(json.dumps({"samples": done, "connected": len(tasks), "overruns": 0, "pending": 0}), flush=True)


def measure(process: subprocess.Popen[str], seconds: float, settle: float) -> dict[str, float]:
    """Per cent of a core and samples a second of a running process that answers with its counts."""

    def ask() -> dict[str, Any]:
        process.stdin.write("\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    assert process.stdout.readline().strip() == "ready"
    until = time.monotonic() + 120
    while (found := ask())["connected"] < CONNECTIONS or not found["samples"]:
        if time.monotonic() > until:
            raise RuntimeError(f"not all devices are connected: {found}")
        time.sleep(0.5)
    time.sleep(settle)
    watched = psutil.Process(process.pid)
    before, began, used = ask(), time.monotonic(), watched.cpu_times()
    time.sleep(seconds)
    after, ended, total = ask(), time.monotonic(), watched.cpu_times()
    spent = total.user + total.system - used.user - used.system
    elapsed = ended - began
    return {
        "cpu": 100 * spent / elapsed,
        "rate": (after["samples"] - before["samples"]) / elapsed,
        "overruns": after["overruns"] - before["overruns"],
        "pending": after["pending"],
        "memory": watched.memory_info().rss / 2**20,
    }


def _role(role: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.fleet", "--role", role, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


async def _edge_turn(port: int, seconds: float) -> dict[str, float]:
    node_module = importlib.import_module("nats_node")
    with tempfile.TemporaryDirectory(prefix="hulian-bench-") as place:
        node = node_module.NatsNode(Path(place), mqtt_port=0)
        await node.open({})
        process = _role(
            "edge", "--port", str(port), "--url", node.url, f"--password={node.password('edge')}", "--directory", place
        )
        try:
            return await asyncio.to_thread(measure, process, seconds, 5.0)
        finally:
            _ended(process)
            node.stop()


def _reference_turn(port: int, seconds: float) -> dict[str, float]:
    process = _role("clients", "--port", str(port))
    try:
        return measure(process, seconds, 3.0)
    finally:
        _ended(process)


def run() -> list[dict]:
    seconds = float(os.environ.get("HULIAN_BENCH_FLEET_SECONDS", "20"))
    ours, theirs = [], []
    with c_server() as port:
        for _ in range(TURNS):
            ours.append(asyncio.run(_edge_turn(port, seconds)))
            theirs.append(_reference_turn(port, seconds))
    wanted = CONNECTIONS * TAGS / INTERVAL
    best, reference = max(ours, key=lambda one: one["rate"]), max(theirs, key=lambda one: one["rate"])
    conditions = (
        f"{CONNECTIONS} connections of {TAGS} float32 at {INTERVAL} s through the edge: journals, NATS, acknowledged; "
        f"{seconds:g} s, better of {TURNS} turns; {best['rate']:.0f} of {wanted:.0f} samples/s, "
        f"{best['overruns']:.0f} missed polls, "
        f"{best['memory']:.0f} MiB; the reference only reads and converts, {reference['rate']:.0f} samples/s"
    )
    common = {"reference": "pymodbus 3.16.1, as many clients in one process, values dropped", "conditions": conditions}
    return [
        {
            "name": "fleet.tags",
            "value": round(best["rate"] * INTERVAL),
            "unit": f"tags at {INTERVAL} s",
            "reference_value": round(reference["rate"] * INTERVAL),
            "ratio": best["rate"] / reference["rate"],
            **common,
        },
        {
            "name": "fleet.tags.cpu",
            "value": best["cpu"],
            "unit": "% of a core",
            "reference_value": reference["cpu"],
            "ratio": best["cpu"] / reference["cpu"],
            **common,
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("edge", "clients"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--url")
    parser.add_argument("--password")
    parser.add_argument("--directory", type=Path)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    if arguments.role == "edge":
        asyncio.run(edge(arguments.port, arguments.url, arguments.password, arguments.directory))
    elif arguments.role == "clients":
        asyncio.run(clients(arguments.port))
    else:
        print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    main()
