"""OPC UA: 1,000 variables at 10 Hz from a foreign server that counts what it wrote; and the bare decoder.

Run by ``make bench``, or ``python -m benchmarks.opcua [seconds]``. The connector has a process of its own, whose CPU time is
taken; asyncua's own client against the same server is the reference, measured before and after ours.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import logging
import platform
import struct
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import numpy as np

HOME = Path(__file__).parents[1]
PERIOD = 0.1
VARIABLES = 1000


def _peer() -> Any:
    path = Path(__file__).parents[1] / "tests" / "peers" / "node-opcua" / "peer.py"
    spec = importlib.util.spec_from_file_location("hulian_peer_node_opcua", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _CountingSink:
    """Counts which steps of which variable came; no journal, so that the figure is the connector's alone."""

    position = None

    def __init__(self, variables: int) -> None:
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []
        self.variables = variables
        self.first = anyio.Event()
        self.count = 0

    def samples(self, columns: Any) -> None:
        self.seen.append((columns.series, columns.value.to_numpy(zero_copy_only=False)))
        self.count += len(columns)
        if self.count >= self.variables:
            self.first.set()

    def event(self, event: Any) -> None:
        print(event, file=sys.stderr)

    def status(self, status: Any) -> None: ...

    async def commit(self, position: int | None = None) -> None: ...

    def missing(self, steps: int) -> tuple[int, int]:
        """(missing, doubled) of the steps 1…``steps`` of every variable."""
        series = np.concatenate([pair[0] for pair in self.seen]).astype(np.int64) - 1
        value = np.nan_to_num(np.concatenate([pair[1] for pair in self.seen])).astype(np.int64)
        real = (value >= 1) & (value <= steps)
        counts = np.bincount(series[real] * steps + value[real] - 1, minlength=self.variables * steps)
        return int((counts == 0).sum()), int(np.maximum(counts - 1, 0).sum())


class _AsyncuaHandler:
    def __init__(self) -> None:
        self.count = 0

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.count += 1


async def _ours(url: str, variables: int) -> None:
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
    from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol

    bindings = [
        Binding(series=number + 1, address=f"ns=1;s=V{number}", storage=StorageClass.DOUBLE) for number in range(variables)
    ]
    trust: Any = None
    environment = Environment(organisation="bench", connector="bench", credentials=Credentials(), trust=trust)
    connector = protocol.connector(url, OpcuaConfiguration(security="none", sampling_interval=0), bindings, environment)
    sink = _CountingSink(variables)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, sink)
        await sink.first.wait()
        await _measure(lambda steps: sink.missing(steps))
        group.cancel_scope.cancel()


async def _asyncua(url: str, variables: int) -> None:
    from asyncua import Client

    logging.disable(logging.CRITICAL)
    handler = _AsyncuaHandler()
    async with Client(url, timeout=60, watchdog_intervall=60) as client:
        subscription = await client.create_subscription(PERIOD * 1000, handler)
        nodes = [client.get_node(f"ns=1;s=V{number}") for number in range(variables)]
        await subscription.subscribe_data_change(nodes, queuesize=100, sampling_interval=0)
        while handler.count < variables:
            await anyio.sleep(0.05)
        initial = handler.count
        await _measure(lambda steps: (steps * variables - (handler.count - initial), 0))


async def _measure(missing: Any) -> None:
    """Says that it is ready; measures its own CPU time from the first line on its input to the second."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    await reader.readline()
    wall, cpu = time.monotonic(), time.process_time()
    await reader.readline()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    steps = json.loads(await reader.readline())["steps"]
    lost, doubled = missing(steps)
    print(json.dumps({"cpu": cpu, "wall": wall, "missing": lost, "doubled": doubled}), flush=True)


async def _one(which: str, seconds: float, variables: int) -> dict[str, Any]:
    """A fresh server, a fresh client process, ``seconds`` of writing."""
    async with _peer().NodeOpcua(variables=variables, period=PERIOD * 1000) as peer:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.opcua", "--client", which, peer.url, str(variables), cwd=HOME,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        await child.stdout.readline()
        child.stdin.write(b"start\n")
        server_before = (await peer.order("start"))["step"]
        before = await peer.order("count")
        await anyio.sleep(seconds)
        steps = (await peer.order("stop"))["step"] - server_before
        after = await peer.order("count")
        child.stdin.write(b"stop\n")
        await anyio.sleep(2)
        child.stdin.write(json.dumps({"steps": steps}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await child.stdout.readline())
        child.stdin.close()
        await child.wait()
    return {**answer, "steps": steps, "server_cpu": (after["cpu"] - before["cpu"]) / 1e6 / answer["wall"]}


def _decoder(count: int = 1000) -> tuple[float, float]:
    """(ours, asyncua) samples decoded a second from one message of ``count`` doubles."""
    from asyncua import ua
    from asyncua.common.utils import Buffer
    from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

    from hulian.network.exchange.protocols.opcua.wire import decode_publish

    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification()]
    empty = struct_to_binary(response)
    ticks = 134_000_000_000_000_000
    items = b"".join(struct.pack("<IBBdqq", n, 0x0D, 11, n / 3, ticks, ticks) for n in range(count))
    place = empty.index(struct.pack("<ii", 8, 0))
    body = empty[:place] + struct.pack("<ii", len(items) + 8, count) + items + empty[place + 8 :]

    def rate(decode: Any, seconds: float) -> float:
        done, end = 0, time.process_time() + seconds
        begun = time.process_time()
        while time.process_time() < end:
            decode()
            done += count
        return done / (time.process_time() - begun)

    ours = theirs = 0.0
    for _ in range(3):
        theirs = max(theirs, rate(lambda: struct_from_binary(ua.PublishResponse, Buffer(body)), 0.5))
        ours = max(ours, rate(lambda: decode_publish(body), 0.5))
    return ours, theirs


def run(seconds: float = 60.0, variables: int = VARIABLES) -> list[dict[str, Any]]:
    """The rows of ``benchmarks/results/latest.json`` that concern OPC UA."""
    if reason := _peer().missing():
        raise RuntimeError(reason)
    before = asyncio.run(_one("asyncua", seconds / 3, variables))
    ours = asyncio.run(_one("ours", seconds, variables))
    after = asyncio.run(_one("asyncua", seconds / 3, variables))
    mine = 100 * ours["cpu"] / ours["wall"]
    theirs = 50 * (before["cpu"] / before["wall"] + after["cpu"] / after["wall"])
    rate, their_rate = _decoder()
    conditions = (
        f"{variables} variables at {1 / PERIOD:g} Hz for {seconds:g} s from node-opcua on loopback, unencrypted, "
        f"publishing 100 ms, sampled on change; connector in its own process without a journal; "
        f"{ours['steps'] * variables} samples written, "
        f"server at {100 * ours['server_cpu']:.0f} % of a core; Python {platform.python_version()}"
    )
    return [
        {
            "name": "opcua.live", "value": round(mine, 2), "unit": "% of a core", "reference": "asyncua's client, same server",
            "reference_value": round(theirs, 2), "ratio": round(mine / theirs, 3), "conditions": conditions,
        },
        {
            "name": "opcua.live_missing", "value": ours["missing"], "unit": "samples",
            "reference": "asyncua's client, same server",
            "reference_value": before["missing"] + after["missing"], "ratio": None,
            "conditions": f"of {ours['steps'] * variables} written; {ours['doubled']} came twice; {conditions}",
        },
        {
            "name": "opcua.decode_samples_per_s", "value": round(rate), "unit": "1/s of CPU time",
            "reference": "asyncua's decoder",
            "reference_value": round(their_rate), "ratio": round(rate / their_rate, 1),
            "conditions": "one PublishResponse of 1,000 doubles with both timestamps, best of 3 x 0.5 s, interleaved",
        },
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    parser.add_argument("--client", nargs=3, metavar=("WHICH", "URL", "VARIABLES"))
    arguments = parser.parse_args()
    if arguments.client:
        which, url, variables = arguments.client
        anyio.run(_ours if which == "ours" else _asyncua, url, int(variables), backend_options={"use_uvloop": True})
        return
    print(json.dumps(run(arguments.seconds), indent=2))


if __name__ == "__main__":
    main()
