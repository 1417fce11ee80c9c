"""How much room samples take, and how fast they go in: ours beside the raw engine with the same tables kept by views.

Both get the same blocks in turn; each process owns one store.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._plain_store import PlainStore

SERIES = 1000
BLOCK = 500_000
SECOND = 10**9
START = 472_222 * 3600 * SECOND


def blocks(samples: int) -> Iterator[tuple[Any, Any, Any, Any]]:
    """1,000 series at 1 s in time order: random walks of 2 decimals, half of the samples repeat, one in a hundred is bad."""
    random = np.random.default_rng(1)
    names = random.integers(1, 2**63, SERIES).astype(np.uint64)
    level = np.full(SERIES, 100.0)
    steps = BLOCK // SERIES
    for number in range(samples // BLOCK):
        moves = np.where(random.random((steps, SERIES)) < 0.5, 0.0, random.normal(size=(steps, SERIES)))
        walk = level + np.cumsum(moves, axis=0)
        level = walk[-1]
        times = START + np.arange(number * steps, (number + 1) * steps) * SECOND
        status = np.where(random.random(BLOCK) < 0.99, 0, 0x8000_0000).astype(np.uint32)
        yield np.tile(names, steps), np.repeat(times, SERIES), np.round(walk, 2).ravel(), status


def ours(directory: str, pipe: Connection) -> None:
    from hulian.data.historian.embedded import EmbeddedHistorian
    from hulian.kernel.sample import Columns

    historian = EmbeddedHistorian(directory)

    def insert(number: int, series: Any, times: Any, value: Any, status: Any) -> None:
        historian.insert([Columns.doubles(series, times, value, status)], f"block-{number}")

    def finish() -> dict[str, Any]:
        for table in ("raw_double", "minute", "hour", "last_double"):
            historian._engine.execute(f"OPTIMIZE TABLE hulian.{table} FINAL")
        return {name: (size.rows, size.bytes) for name, size in historian.sizes().items()}

    _serve(pipe, insert, finish)
    historian.close()


def reference(directory: str, pipe: Connection) -> None:
    store = PlainStore(f"{directory}/store")
    _serve(pipe, store.insert, dict)
    store.close()


def _serve(pipe: Connection, insert: Any, finish: Any) -> None:
    """Inserts what the pipe brings and answers how long it took; ends with what ``finish`` says."""
    pipe.send("ready")
    while (message := pipe.recv()) is not None:
        began = time.perf_counter()
        number, block = message
        insert(number, *block)
        pipe.send(time.perf_counter() - began)
    pipe.send(finish())


def run(samples: int = 10_000_000) -> list[dict[str, Any]]:
    directory = Path(tempfile.mkdtemp(prefix="hulian-bench-"))
    context = multiprocessing.get_context("spawn")
    workers = {}
    try:
        for name, work in (("ours", ours), ("reference", reference)):
            here, there = context.Pipe()
            process = context.Process(target=work, args=(str(directory / name), there), daemon=True)
            process.start()
            here.recv()
            workers[name] = (process, here, [])
        for number, block in enumerate(blocks(samples)):
            turn = list(workers.values())
            for _, pipe, spent in turn if number % 2 else turn[::-1]:
                pipe.send((number, block))
                spent.append(pipe.recv())
        results = {}
        for name, (process, pipe, _) in workers.items():
            pipe.send(None)
            results[name] = pipe.recv()
            process.join(30)
    finally:
        for process, _, _ in workers.values():
            if process.is_alive():
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)
    speeds = {name: samples / sum(spent) for name, (_, _, spent) in workers.items()}
    sizes = results["ours"]
    rollups = sum(sizes[table][1] for table in ("minute", "hour", "last_double"))
    conditions = f"{samples} samples, {SERIES} series at 1 s, random walk of 2 decimals, half repeats"
    return [
        _row(
            "historian.bytes_per_point",
            sizes["raw_double"][1] / samples,
            "bytes",
            f"{conditions}; raw table after merge",
            3.5,
            "goal",
        ),
        _row(
            "historian.rollup_bytes_per_point",
            rollups / samples,
            "bytes",
            f"{conditions}; newest, 1-minute and 1-hour tables",
            None,
            "",
        ),
        _row(
            "historian.raw_insert",
            speeds["ours"],
            "points/s",
            f"{conditions}; blocks of {BLOCK} in one process each, interleaved, newest and both roll-ups kept",
            speeds["reference"],
            "chdb, same data, materialized views",
        ),
    ]


def _row(name: str, value: float, unit: str, conditions: str, other: float | None, reference: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "reference": reference,
        "reference_value": None if other is None else round(other, 3),
        "ratio": None if not other else round(value / other, 3),
        "conditions": conditions,
    }


if __name__ == "__main__":
    for found in run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000):
        print(found)
