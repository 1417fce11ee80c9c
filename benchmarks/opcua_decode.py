"""OPC UA's decoder on what plants really send, and the connector at full load.

Run by ``make bench``, or ``python -m benchmarks opcua_decode``. The decoder gets one message of interleaved types with both
timestamps and 1 % bad values; asyncua decodes the same message in the same run. The connector has a process of its own and
is fed by a server that speaks a real secure channel (policy None) and replays prepared notifications as fast as they are taken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import random
import struct
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import numpy as np

HOME = Path(__file__).parents[1]

TICKS = 116_444_736_000_000_000 + time.time_ns() // 100
KINDS = ("double", "float", "int32", "boolean", "int16", "uint32", "string", "int64")
"""The types of a mixed message, taken in turn: every eighth value has no fixed size."""


def sample(handle: int, kind: str, number: int, *, bad: bool) -> bytes:
    """A MonitoredItemNotification with both timestamps; a bad one has a status and no value."""
    times = struct.pack("<qq", TICKS + number, TICKS + number + 1)
    if bad:
        return struct.pack("<IBI", handle, 0x0E, 0x800A_0000) + times
    value = {
        "double": lambda: struct.pack("<Bd", 11, number / 3),
        "float": lambda: struct.pack("<Bf", 10, number / 3),
        "int32": lambda: struct.pack("<Bi", 6, number),
        "boolean": lambda: struct.pack("<BB", 1, number & 1),
        "int16": lambda: struct.pack("<Bh", 4, number % 32_000),
        "uint32": lambda: struct.pack("<BI", 7, number),
        "int64": lambda: struct.pack("<Bq", 8, number << 33),
        "string": lambda: (lambda text: struct.pack("<Bi", 12, len(text)) + text)(b"state-%d" % (number % 500)),
    }[kind]()
    return struct.pack("<IB", handle, 0x0D) + value + times


def mixed_items(count: int, seed: int = 7) -> bytes:
    """``count`` notifications of `KINDS` in turn, 1 % of them bad at places that follow no rule."""
    chance = random.Random(seed)
    chosen = set(chance.sample(range(count), count // 100))
    return b"".join(sample(n, KINDS[n % len(KINDS)], n + chance.randrange(1000), bad=n in chosen) for n in range(count))


def publish_body(items: bytes, count: int) -> bytes:
    """A PublishResponse with one DataChangeNotification of ``items``."""
    from asyncua import ua
    from asyncua.ua.ua_binary import struct_to_binary

    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification()]
    empty = bytes(struct_to_binary(response))
    place = empty.index(struct.pack("<ii", 8, 0))
    return empty[:place] + struct.pack("<ii", len(items) + 8, count) + items + empty[place + 8 :]


def rates(bodies: list[bytes], count: int, rounds: int = 5, seconds: float = 0.4) -> tuple[float, float]:
    """(ours, asyncua's) values a second of CPU time over ``bodies`` in turn, the best of ``rounds`` interleaved turns each."""
    from asyncua import ua
    from asyncua.common.utils import Buffer
    from asyncua.ua.ua_binary import struct_from_binary

    from hulian.network.exchange.protocols.opcua.wire import decode_publish

    def rate(decode: Any) -> float:
        begun = time.process_time()
        done = 0
        for body in itertools.cycle(bodies):
            decode(body)
            done += count
            if time.process_time() - begun > seconds:
                break
        return done / (time.process_time() - begun)

    best = [0.0, 0.0]
    for _ in range(rounds):
        best[1] = max(best[1], rate(lambda body: struct_from_binary(ua.PublishResponse, Buffer(body))))
        best[0] = max(best[0], rate(decode_publish))
    return best[0], best[1]


class _CountingSink:
    """Counts what came of which series; no journal, so that the figure is the connector's alone."""

    position = None

    def __init__(self, count: int) -> None:
        self.counts = np.zeros(count, np.int64)
        self.values = 0

    def samples(self, columns: Any) -> None:
        self.counts += np.bincount(columns.series.astype(np.int64) - 1, minlength=len(self.counts))
        self.values += len(columns) - columns.value.null_count

    def event(self, event: Any) -> None:
        print(event, file=sys.stderr)

    def status(self, status: Any) -> None: ...

    async def commit(self, position: int | None = None) -> None: ...


async def _client(url: str, count: int) -> None:
    """The connector until a line says how many messages were sent; answers with its CPU time and what is missing."""
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
    from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol

    storages = {"double": "double", "float": "double", "boolean": "boolean", "string": "text"}
    bindings = [
        Binding(series=n + 1, address=f"ns=2;s=V{n}", storage=StorageClass(storages.get(KINDS[n % len(KINDS)], "integer")))
        for n in range(count)
    ]
    trust: Any = None
    environment = Environment(organisation="bench", connector="bench", credentials=Credentials(), trust=trust)
    configuration = OpcuaConfiguration(security="none", clock_tolerance=86_400.0)
    connector = protocol.connector(url, configuration, bindings, environment)
    sink = _CountingSink(count)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, sink)
        while not sink.counts.any():
            await anyio.sleep(0.01)
        wall, cpu, first = time.monotonic(), time.process_time(), int(sink.counts.sum())
        print(json.dumps({"ready": True}), flush=True)
        sent = json.loads(await reader.readline())["messages"]
        while int(sink.counts.min()) < sent and time.monotonic() - wall < 60:
            await anyio.sleep(0.005)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        got = int(sink.counts.sum()) - first
        missing = int(np.maximum(sent - sink.counts, 0).sum())
        doubled = int(np.maximum(sink.counts - sent, 0).sum())
        print(json.dumps({"cpu": cpu, "wall": wall, "values": got, "missing": missing, "doubled": doubled}), flush=True)
        group.cancel_scope.cancel()


async def _live(seconds: float, count: int) -> dict[str, Any]:
    """Answers every PublishRequest at once with ``count`` values for ``seconds``; what the client says of it."""
    from opcua_replayer import Replayer, publish_template

    prepared = [publish_template(mixed_items(count, seed), count) for seed in range(8)]
    sent = 0
    stopped = False

    def answer(link: Any, number: int, request: Any) -> None:
        nonlocal sent
        if stopped:
            return
        body, places = prepared[sent % len(prepared)]
        sent += 1
        struct.pack_into("<I", body, places["handle"], request.RequestHeader.RequestHandle)
        struct.pack_into("<I", body, places["subscription"], server.subscription)
        struct.pack_into("<I", body, places["sequence"], sent)
        link.send(number, body)

    async with Replayer() as server:
        server.answers["PublishRequest"] = answer
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.opcua_decode", "--client", server.url, str(count), cwd=HOME,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        await child.stdout.readline()
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        stopped = True
        cpu = time.process_time() - cpu
        child.stdin.write(json.dumps({"messages": sent}).encode() + b"\n")
        found: dict[str, Any] = json.loads(await child.stdout.readline())
        child.stdin.close()
        await child.wait()
    return {**found, "messages": sent, "server": cpu / seconds}


def run(count: int = 1000, seconds: float = 10.0) -> list[dict[str, Any]]:
    """The rows of ``benchmarks/results/latest.json`` about decoding and the highest rate."""
    live = asyncio.run(_live(seconds, count))
    highest = live["values"] / live["cpu"]
    conditions = (
        f"{live['messages']} messages of {count} values of {len(KINDS)} types, 1 % bad, in {live['wall']:.0f} s from a "
        f"replaying server on loopback (at {100 * live['server']:.0f} %) over a channel of policy None; the connector in "
        f"a process without a journal took {live['cpu'] / live['wall']:.2f} cores; Python {platform.python_version()}"
    )
    ours, theirs = rates([publish_body(mixed_items(count, seed), count) for seed in range(20)], count)
    return [
        {
            "name": "opcua.decode_values_per_s", "value": round(ours), "unit": "1/s of CPU time",
            "reference": "asyncua's decoder", "reference_value": round(theirs), "ratio": round(ours / theirs, 1),
            "conditions": f"20 different PublishResponses of {count} values of {len(KINDS)} types in turn (one a string) with "
            f"both timestamps, 1 % bad, best of 5 x 0.4 s, interleaved; Python {platform.python_version()}",
        },
        {
            "name": "opcua.live_max_values_per_s", "value": round(highest), "unit": "1/s of a core", "reference": "the goal",
            "reference_value": 50_000, "ratio": round(highest / 50_000, 2), "conditions": conditions,
        },
        {
            "name": "opcua.live_max_missing", "value": live["missing"], "unit": "samples", "reference": None,
            "reference_value": None, "ratio": None,
            "conditions": f"of {live['messages'] * count} sent; {live['doubled']} came twice; {conditions}",
        },
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", nargs=2, metavar=("URL", "COUNT"))
    arguments = parser.parse_args()
    if arguments.client:
        url, count = arguments.client
        anyio.run(_client, url, int(count), backend_options={"use_uvloop": True})
        return
    sys.path.insert(0, str(HOME / "tests" / "support"))
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
