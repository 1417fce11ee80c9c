"""After a long cut: how soon what is new is with the centre again, and how soon everything is.

Three processes: nats-server, the historian, and an edge (its journal, sink, sender and uplink) that takes 20,000 samples a
second. nats-server is killed; while it is away the edge journals what ten minutes of that pace are, quicker than in ten
minutes, on top of what goes on coming; then the server is started again. New samples are waited for on the stream of samples;
the end is when the ledger of the historian has everything that the edge ever took, none twice and none missing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import structlog

ROOT = Path(__file__).resolve().parent.parent
RATE, SERIES = 20_000, 100
SECONDS = float(os.environ.get("HULIAN_BENCH_CUT_SECONDS", "600"))
TICK = 0.02


async def edge(url: str, password: str, directory: Path) -> None:
    """Takes samples until it is ended; ``pile`` on standard input: those of the cut, at once."""
    from hulian.assembly.uplink import SpineUplink
    from hulian.kernel.sample import Columns
    from hulian.network.exchange.spine.connection import Spine
    from hulian.network.exchange.spine.publisher import Publisher
    from hulian.platform.edge.config import BufferPolicy, EdgeConfiguration
    from hulian.platform.edge.journal import Journal
    from hulian.platform.edge.pace import Pace
    from hulian.platform.edge.sender import Sender
    from hulian.platform.edge.sink import JournalSink

    organisation = importlib.import_module("nats_node").ORGANISATION
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings, random = EdgeConfiguration(), np.random.default_rng(1)
    journal = Journal(directory / "journal", bound=2**30, policy=BufferPolicy.DROP_OLDEST)
    journal.open()
    async with await Spine.connect(url, "edge", password, "edge") as spine, Publisher(spine, timeout=3.0) as publisher:
        uplink = SpineUplink(spine, publisher, organisation)
        sender = Sender("plant", journal, uplink, settings.window, lambda event: None, Pace(settings.catch_up_rate))
        sink = JournalSink(organisation, "plant", journal, settings, uplink.encode, lambda event: None, sender.wake)
        taken = 0

        def take(count: int, end: int) -> None:
            nonlocal taken
            each = count // SERIES
            times = end - (np.arange(each)[::-1] * (SERIES * 1_000_000_000 // RATE)).repeat(SERIES)
            series = np.tile(np.arange(1, SERIES + 1), each)
            sink.samples(Columns.doubles(series, times, np.round(random.normal(20.0, 1.0, each * SERIES), 2)))
            taken += each * SERIES

        async def live() -> None:
            due = time.monotonic()
            while True:
                take(int(RATE * TICK), time.time_ns())
                due += TICK
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        tasks = [asyncio.create_task(sender.run()), asyncio.create_task(live())]
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print("ready", flush=True)
        while line := await reader.readline():
            if line == b"pile\n":
                end, step = time.time_ns(), 20_000
                for part in range(int(RATE * SECONDS) // step):
                    take(step, end - int((SECONDS - part * step / RATE) * 1e9))
                    await asyncio.sleep(0)
            if line == b"stop\n":
                tasks.pop().cancel()
                await sink.commit()
            figures = {"taken": taken, "dropped": journal.dropped, "pending": journal.pending, "bytes": journal.bytes}
            print(json.dumps(figures), flush=True)


async def measure(place: Path) -> dict[str, Any]:
    from hulian.data.ingest.client import QueryClient
    from hulian.kernel.identifier import escape
    from hulian.network.exchange.spine.bundle import columns_of
    from hulian.network.exchange.spine.errors import SpineError

    node_module, process_module = importlib.import_module("nats_node"), importlib.import_module("historian_process")
    node = node_module.NatsNode(place, mqtt_port=0)
    await node.open({})
    historian = process_module.HistorianProcess(node)
    historian.start()
    command = [sys.executable, "-m", "benchmarks.catch_up", "--role", "edge", "--url", node.url, "--directory", str(place)]
    command.append(f"--password={node.password('edge')}")
    source = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def ask(what: str) -> dict[str, Any]:
        source.stdin.write(what + "\n")
        source.stdin.flush()
        return json.loads(source.stdout.readline())

    try:
        assert source.stdout.readline() == "ready\n"
        async with await node.connect("api") as api:
            client = QueryClient(api, node_module.ORGANISATION)

            async def account() -> Any:
                try:
                    return next((row for row in await client.ledger() if row.source == "plant"), None)
                except SpineError:
                    return None  # the historian is not there, or not again

            while (row := await account()) is None or row.stored < 3 * RATE:
                await asyncio.sleep(0.2)
            node.kill()
            await asyncio.sleep(3.0)
            piled = await asyncio.to_thread(ask, "pile")
            await node.start()
            back, first = time.time_ns(), 0.0
            async for message in api.messages(f"hl.{escape(node_module.ORGANISATION)}.samples.>"):
                if max((int(columns.time.max()) for columns in columns_of(message.payload)), default=0) > back:
                    first = (time.time_ns() - back) / 1e9
                    break
            while True:
                now = await asyncio.to_thread(ask, "state")
                row = await account()
                if row is not None and now["pending"] < 100 and row.stored >= piled["taken"] and not row.missing:
                    break
                if time.time_ns() - back > 600e9:
                    raise RuntimeError(f"not caught up: {now}, {row}")
                await asyncio.sleep(0.25)
            took = (time.time_ns() - back) / 1e9
            end = await asyncio.to_thread(ask, "stop")
            while (row := await account()) is None or row.stored != end["taken"]:
                if time.time_ns() - back > 600e9:
                    raise RuntimeError(f"not the same at the end: {end}, {row}")
                await asyncio.sleep(0.25)
            assert (row.missing, row.dropped, end["dropped"]) == (0, 0, 0), row
            return {
                "took": took,
                "first": first,
                "piled": piled,
                "row": row,
                "memory": psutil.Process(source.pid).memory_info().rss,
            }
    finally:
        source.kill()
        source.wait()
        historian.stop()
        node.stop()


def run() -> list[dict]:
    with tempfile.TemporaryDirectory(prefix="hulian-bench-") as place:
        found = asyncio.run(measure(Path(place)))
    conditions = (
        f"{RATE * SECONDS:,.0f} samples ({SECONDS:g} s at {RATE}/s) journalled while nats-server was away, at most 300,000 "
        f"a second sent afterwards, {RATE}/s coming all the time; stored = taken = {found['row'].stored:,}, none missing, none "
        f"dropped, {found['row'].duplicated:,} repeated ones recognised; journal {found['piled']['bytes'] / 2**20:.0f} MiB, "
        f"edge {found['memory'] / 2**20:.0f} MiB"
    )
    common = {"reference": None, "reference_value": None, "ratio": None, "conditions": conditions}
    return [
        {"name": "edge.catch_up_s", "value": found["took"], "unit": "s", **common},
        {"name": "edge.catch_up_s.first_new", "value": found["first"], "unit": "s", **common},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("edge",))
    parser.add_argument("--url")
    parser.add_argument("--password")
    parser.add_argument("--directory", type=Path)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    if arguments.role == "edge":
        asyncio.run(edge(arguments.url, arguments.password, arguments.directory))
    else:
        print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    main()
