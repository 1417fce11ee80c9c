"""How fast samples go from a publisher to the historian: acknowledged, exactly once, with roll-ups, while queries run.

Four processes: nats-server, the historian (ingest and queries), a publisher that waits for every acknowledgement within
its window, and this one, which asks and counts. The publisher holds back while more than a few blocks wait in the stream,
so that the backlog stays flat and the figure is what is sustained. The reference is the same data straight into the same
engine with the same roll-ups as materialized views, measured before and after.
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

import anyio
import numpy as np
import psutil

from benchmarks._plain_store import PlainStore
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import Aggregate, LastValues, RawWindow
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.data.ingest.client import QueryClient
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.data.ingest.service import HistorianService
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.network.exchange.spine import codec
from hulian.network.exchange.spine.bundle import Bundler
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.streams import SAMPLES, Subjects, state

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
nats_node = importlib.import_module("nats_node")
ORGANISATION = nats_node.ORGANISATION

SERIES = 1000
POINTS = 200
START = 1_800_000_000_000_000_000
STEP = 100_000_000
BACKLOG = 6000
BYTES = 5700
"""Of a batch of 200 doubles with times and statuses."""
SEED = 7


def walk(rows: int) -> np.ndarray:
    """Random walks with two decimals, half of the samples repeated."""
    generator = np.random.default_rng(SEED)
    steps = np.where(generator.random((rows, SERIES)) < 0.5, 0.0, generator.normal(0, 0.5, (rows, SERIES)))
    return np.round(100 + np.cumsum(steps, axis=0), 2)


class Source:
    """Message after message of 200 doubles: 1,000 series at 10 Hz, jittered times, one status in a hundred not good."""

    def __init__(self) -> None:
        generator = np.random.default_rng(SEED)
        self.values = walk(4000)
        self.jitter = generator.integers(0, 20_000_000, SERIES)
        self.status = np.where(generator.random((64, SERIES)) < 0.01, np.uint32(0x40000000), np.uint32(0)).astype(np.uint32)
        self.ids = np.arange(1, SERIES + 1, dtype=np.uint64)

    def columns(self, number: int) -> Columns:
        row, part = divmod(number, SERIES // POINTS)
        cut = slice(part * POINTS, (part + 1) * POINTS)
        return Columns.doubles(
            self.ids[cut],
            START + row * STEP + self.jitter[cut],
            self.values[row % len(self.values), cut],
            self.status[row % len(self.status), cut],
        )


def reference(directory: Path, seconds: float, durability: str) -> float:
    """Points per second into the plain store, in blocks of half a million, as they come."""
    source = Source()
    store = PlainStore(str(directory), durability)
    try:
        blocks = 0
        spent = 0.0
        while spent < seconds:
            block = Columns.concatenate([source.columns(blocks * 2500 + number) for number in range(2500)])
            began = time.perf_counter()
            store.insert(blocks, block.series, block.time, block.value.to_numpy(), block.status)
            spent += time.perf_counter() - began
            blocks += 1
        return blocks * 2500 * POINTS / spent
    finally:
        store.close()


async def serve(url: str, password: str, directory: Path, durability: str) -> None:
    historian = EmbeddedHistorian(directory / "historian", HistorianConfiguration(durability=durability))
    async with await Spine.connect(url, "historian", password, "historian") as spine, anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            service = HistorianService(spine, historian, directory, ORGANISATION, IngestConfiguration(durability=durability))
            await tasks.start(service.run)
            print("ready", flush=True)
            async for _ in signals:
                tasks.cancel_scope.cancel()
                break
    historian.close()


async def publish(url: str, password: str, pace: float) -> None:
    """Publishes until SIGTERM; prints how many messages were acknowledged."""
    source = Source()
    subject = Subjects(ORGANISATION).samples("bench")
    acknowledged = failed = 0

    def done(result: object) -> None:
        nonlocal acknowledged, failed
        if hasattr(result, "sequence"):
            acknowledged += 1
        else:
            failed += 1

    async with await Spine.connect(url, "edge", password, "edge") as spine, Publisher(spine, window=1000) as publisher:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        bundler = Bundler(publisher)
        number = 0
        began = time.monotonic()
        held = False

        async def look() -> None:
            nonlocal held
            while True:
                held = (await state(spine, SAMPLES)).bytes > BACKLOG * BYTES
                await asyncio.sleep(0.05)

        looking = asyncio.create_task(look())
        while not stop.is_set():
            if held or (pace and number > (time.monotonic() - began) * pace / POINTS):
                await asyncio.sleep(0.002)
                continue
            for _ in range(50):
                columns = source.columns(number)
                header = BatchHeader(ORGANISATION, "bench", 1, number + 1, number * POINTS, time.time_ns())
                number += 1
                bundler.post(subject, codec.encode(SampleBatch(header, columns)), f"bench-1-{number}", done)
            await publisher.room()
            await asyncio.sleep(0)
        await publisher.settled()
        looking.cancel()
    print(json.dumps({"acknowledged": acknowledged, "failed": failed}), flush=True)


async def ask(client: QueryClient, times: list[float], stop: asyncio.Event) -> None:
    """What a person watching would ask, about ten questions a second."""
    now = START
    kinds = (
        lambda: LastValues(series=list(range(1, 101))),
        lambda: RawWindow(series=[17], start=now, end=now + 3600 * 10**9, limit=10_000),
        lambda: Aggregate(series=[18], start=now, end=now + 86_400 * 10**9, step=60 * 10**9, functions=["mean", "max"]),
    )
    number = 0
    while not stop.is_set():
        began = time.perf_counter()
        await client.table(kinds[number % len(kinds)]())
        times.append(time.perf_counter() - began)
        number += 1
        await asyncio.sleep(0.1)


def cpu(number: int) -> float:
    """CPU seconds of a process."""
    times = psutil.Process(number).cpu_times()
    return times.user + times.system


async def measure(directory: Path, durability: str, seconds: float, pace: float) -> dict[str, Any]:
    node = nats_node.NatsNode(directory, durability=durability, mqtt_port=0)
    await node.open({})
    arguments = [
        sys.executable,
        "-m",
        "benchmarks.ingest",
        "--url",
        node.url,
        "--directory",
        str(directory),
        "--durability",
        durability,
    ]
    historian = subprocess.Popen(
        [*arguments, "--role", "historian", f"--password={node.password('historian')}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    publisher = None
    try:
        await asyncio.to_thread(historian.stdout.readline)
        publisher = subprocess.Popen(
            [*arguments, "--role", "publisher", f"--password={node.password('edge')}", "--pace", str(pace)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        async with await node.connect("api") as api:
            client = QueryClient(api, ORGANISATION)
            stop, times, backlog = asyncio.Event(), [], []
            while not (rows := await client.ledger()) or rows[0].stored < 2_000_000:
                await asyncio.sleep(0.1)
            asking = asyncio.create_task(ask(client, times, stop))
            members = {"nats-server": node.process.pid, "historian": historian.pid, "publisher": publisher.pid}
            spent = {name: -cpu(number) for name, number in members.items()}
            first, began = (await client.ledger())[0].stored, time.monotonic()
            while time.monotonic() - began < seconds:
                backlog.append((await state(api, SAMPLES)).bytes / BYTES)
                await asyncio.sleep(0.5)
            last, ended = (await client.ledger())[0].stored, time.monotonic()
            for name, number in members.items():
                spent[name] += cpu(number)
            stop.set()
            await asking
            publisher.send_signal(signal.SIGTERM)
            told = json.loads((await asyncio.to_thread(publisher.communicate))[0])
            while (row := (await client.ledger())[0]).stored < told["acknowledged"] * POINTS:
                await asyncio.sleep(0.1)
            rows_stored = (await client.sizes())["raw_double"].rows
            if row.stored != told["acknowledged"] * POINTS or row.missing or row.duplicated or rows_stored != row.stored:
                raise RuntimeError(f"not exactly once: {told}, {row}, {rows_stored} rows")
            half = len(backlog) // 2
            return {
                "rate": (last - first) / (ended - began),
                "backlog_before": float(np.mean(backlog[:half])),
                "backlog_after": float(np.mean(backlog[half:])),
                "query_ms": float(np.median(times) * 1000),
                "queries": len(times),
                "cpu": {name: value / ((last - first) / 1e6) for name, value in spent.items()},
            }
    finally:
        for process in (publisher, historian):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(30)
        node.stop()


def one(name: str, durability: str, seconds: float, pace: float = 0.0) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="hulian-bench-") as place:
        before = reference(Path(place) / "before", 4, durability)
        found = asyncio.run(measure(Path(place) / "node", durability, seconds, pace))
        after = reference(Path(place) / "after", 4, durability)
    straight = (before + after) / 2
    return {
        "name": name,
        "value": round(found["rate"]),
        "unit": "points/s",
        "reference": "chdb, same data straight in, the same roll-ups as materialized views",
        "reference_value": round(straight),
        "ratio": round(found["rate"] / straight, 3),
        "conditions": (
            f"{seconds:g} s, 200 doubles a message, 1,000 series, durability '{durability}', acknowledged publisher in a "
            f"process of its own, {found['queries']:.0f} queries meanwhile (median {found['query_ms']:.0f} ms), backlog "
            f"{found['backlog_before']:.0f} then {found['backlog_after']:.0f} batches; counts checked to the sample; "
            f"CPU seconds a million points: {', '.join(f'{name} {value:.2f}' for name, value in found['cpu'].items())}"
        ),
    }


def run() -> list[dict[str, object]]:
    seconds = float(os.environ.get("HULIAN_BENCH_SECONDS", "60"))
    return [
        one("ingest.points_per_s", "process", seconds),
        one("ingest.power_points_per_s", "power", min(seconds, 30)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("historian", "publisher"))
    parser.add_argument("--url")
    parser.add_argument("--password")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--durability", default="process")
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.role == "historian":
        asyncio.run(serve(arguments.url, arguments.password, arguments.directory, arguments.durability))
    elif arguments.role == "publisher":
        asyncio.run(publish(arguments.url, arguments.password, arguments.pace))
    else:
        name = "ingest.points_per_s" if arguments.durability == "process" else "ingest.power_points_per_s"
        print(json.dumps(one(name, arguments.durability, arguments.seconds), indent=1))


if __name__ == "__main__":
    main()
