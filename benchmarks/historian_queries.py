"""How long the questions of a screen take: the newest values, an hour of raw samples, a year's trend.

`prepare` fills a store, `measure` asks anything that answers requests (a historian, or a client of one), so that the same
questions can be asked while samples are being ingested. `run` ingests 50,000 points a second from a thread beside.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from hulian.data.historian.contract import Downsample, LastValues, RawWindow, Request
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.kernel.sample import Columns

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LIVE = list(range(1, 1001))
YEARLY = list(range(100_001, 100_004))
Ask = Callable[[Request], Iterable[pa.RecordBatch]]
Insert = Callable[[list[Columns], str], None]


def prepare(insert: Insert, now: int) -> None:
    """Two hours of 1,000 series at 1 s, and a year of 1-minute samples of three more."""
    random = np.random.default_rng(1)
    minutes = np.arange(365 * 1440)
    for series in YEARLY:
        value = np.round(np.sin(minutes / 20_000) * 50 + np.cumsum(random.normal(size=len(minutes))) / 50, 2)
        insert(
            [Columns.doubles(np.full(len(minutes), series), now - 365 * DAY + minutes * 60 * SECOND, value)], f"year-{series}"
        )
    for part in range(15):
        at = now - 2 * HOUR + (part * 480 + np.arange(480)) * SECOND
        value = np.round(np.cumsum(random.normal(size=(480, 1000)), axis=0), 2)
        insert([Columns.doubles(np.tile(LIVE, 480), np.repeat(at, 1000), value.ravel())], f"live-{part}")


def measure(ask: Ask, now: int, *, rounds: int = 31) -> dict[str, list[float]]:
    """Milliseconds of each question, results taken whole; the series differ from round to round."""
    spent: dict[str, list[float]] = {"query.last_1000_ms": [], "query.raw_hour_ms": [], "query.year_trend_2000px_ms": []}
    for number in range(rounds):
        start = now - 2 * HOUR + number * 60 * SECOND
        questions: dict[str, tuple[Request, int]] = {
            "query.last_1000_ms": (LastValues(series=LIVE), 1000),
            "query.raw_hour_ms": (RawWindow(series=[LIVE[number * 31 % 1000]], start=start, end=start + HOUR), 3600),
            "query.year_trend_2000px_ms": (
                Downsample(series=[YEARLY[number % 3]], start=now - 365 * DAY, end=now, points=2000),
                1500,
            ),
        }
        for name, (request, least) in questions.items():
            began = time.perf_counter()
            rows = sum(batch.num_rows for batch in ask(request))
            spent[name].append((time.perf_counter() - began) * 1000)
            if rows < least:
                raise AssertionError(f"{name}: {rows} rows, at least {least} expected")
    return {name: times[1:] for name, times in spent.items()}


def rows(spent: dict[str, list[float]], conditions: str) -> list[dict[str, Any]]:
    """What `measure` found, as results: medians beside their goals."""
    goals = {"query.last_1000_ms": 10.0, "query.raw_hour_ms": 15.0, "query.year_trend_2000px_ms": 50.0}
    answer = []
    for name, times in spent.items():
        median = statistics.median(times)
        p95 = sorted(times)[int(len(times) * 0.95)]
        answer.append(
            {
                "name": name,
                "value": round(median, 2),
                "unit": "ms",
                "reference": "goal",
                "reference_value": goals[name],
                "ratio": round(median / goals[name], 3),
                "conditions": f"{conditions}; median of {len(times)}, p95 {p95:.1f} ms",
            }
        )
    return answer


def run() -> list[dict[str, Any]]:
    directory = tempfile.mkdtemp(prefix="hulian-bench-")
    historian = EmbeddedHistorian(directory)
    stop = threading.Event()
    ingested = 0

    def ingest() -> None:
        nonlocal ingested
        number, began, random = 0, time.monotonic(), np.random.default_rng(2)
        while not stop.is_set():
            at = now + (number * 10 + np.arange(10)) * SECOND // 10
            value = np.round(random.normal(size=10_000), 2)
            historian.insert([Columns.doubles(np.tile(LIVE, 10), np.repeat(at, 1000), value)], f"flow-{number}")
            number += 1
            ingested += 10_000
            stop.wait(max(0.0, began + number * 0.2 - time.monotonic()))

    try:
        now = time.time_ns() // HOUR * HOUR
        prepare(historian.insert, now)
        thread = threading.Thread(target=ingest)
        thread.start()
        time.sleep(3)
        began, before = time.monotonic(), ingested
        spent = measure(lambda request: historian.query(request), now)
        rate = (ingested - before) / (time.monotonic() - began)
        stop.set()
        thread.join()
        return rows(spent, f"while {rate:,.0f} points/s are inserted in the same process")
    finally:
        stop.set()
        historian.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    for found in run():
        print(found)
