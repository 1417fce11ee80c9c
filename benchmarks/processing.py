"""What the edge makes of samples: typical filters and an expression over a thousand series, beside plain Python a sample.

Run by ``make bench``, or ``python -m benchmarks processing``. A batch is what a thousand points give that are read
four times; the reference does the same sample by sample, as a script would, and is checked to give the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.processing.bank import FilterBank
from hulian.platform.edge.processing.declaration import filters_of
from hulian.platform.edge.processing.engine import Engine
from hulian.platform.edge.processing.plan import Known, ProcessingSettings, Source

SERIES, EACH = 1000, 4
FILTERS = {
    "scale": {"factor": 0.1, "offset": -5.0},
    "clamp": {"low": -4.0, "high": 40.0},
    "deadband": {"absolute": 0.5},
    "report": {"heartbeat_s": 60},
}
SECOND = 1_000_000_000


def batches(count: int) -> list[Columns]:
    """Random walks of all series, a quarter of a second apart."""
    chance = np.random.default_rng(11)
    walk = chance.normal(0, 3, (count * EACH, SERIES)).cumsum(axis=0) + 200
    series = np.tile(np.arange(1, SERIES + 1, dtype=np.uint64), EACH)
    found = []
    for number in range(count):
        part = walk[number * EACH : (number + 1) * EACH]
        times = (np.repeat(np.arange(EACH), SERIES) + number * EACH) * SECOND // 4
        found.append(Columns.doubles(series, times, part.ravel()))
    return found


def plain_filters(parts: list[Columns]) -> int:
    """The same filters sample by sample."""
    last: dict[int, tuple[float, int, int]] = {}
    passed = 0
    for part in parts:
        for series, when, value in zip(part.series.tolist(), part.time.tolist(), part.value.to_pylist(), strict=True):
            number, status = value * 0.1 - 5.0, 0
            if number < -4.0 or number > 40.0:
                number, status = min(max(number, -4.0), 40.0), 0x0030_0000
            before = last.get(series)
            if before is None or status != before[1] or abs(number - before[0]) > 0.5 or when - before[2] >= 60 * SECOND:
                last[series] = number, status, when
                passed += 1
    return passed


def plain_expression(parts: list[Columns]) -> float:
    """``if(x > 200, x - y, x / 2)`` for neighbours, with the last known value and the quality of the other."""
    known: dict[int, tuple[int, float, int]] = {}
    total = 0.0
    for part in parts:
        columns = part.series.tolist(), part.time.tolist(), part.value.to_pylist(), part.status.tolist()
        for series, when, value, status in zip(*columns, strict=True):
            before = known.get(series)
            if before is not None and when < before[0]:
                continue
            known[series] = when, value, status
            if series % 2 and (other := known.get(series + 1)) is not None and max(status, other[2]) < 1 << 31:
                total += value - other[1] if value > 200 else value / 2
    return total


def engine() -> Engine:
    """Five hundred computed points, each of two series."""
    points = {
        f"99.1/t#{series}": Source(series=series, connector="plc", address=str(series), storage=StorageClass.DOUBLE)
        for series in range(1, SERIES + 1)
    }
    bindings = [
        Binding(
            series=10_000 + series,
            address=str(series),
            storage=StorageClass.DOUBLE,
            options={
                "expression": "if(x > 200, x - y, x / 2)",
                "inputs": {"x": f"99.1/t#{series}", "y": f"99.1/t#{series + 1}"},
                "triggers": ["x"],
            },
        )
        for series in range(1, SERIES + 1, 2)
    ]
    made = Engine(ProcessingSettings(known=Known(points=points)), bindings)
    assert not made.refused
    return made


def filtered(parts: list[Columns]) -> int:
    """Through our filters; how many samples pass."""
    declared = filters_of({"filters": FILTERS}, StorageClass.DOUBLE, place="")
    assert declared is not None
    bank = FilterBank(dict.fromkeys(range(1, SERIES + 1), declared))
    return sum(len(passed) for part in parts for passed in bank.apply(part, 0)[0])


def computed(parts: list[Columns]) -> float:
    """Through our engine; the sum of all results."""
    made = engine()
    return _fed(made, parts)


def _fed(made: Engine, parts: list[Columns]) -> float:
    return sum(float(np.nansum(out.value.to_numpy(zero_copy_only=False))) for part in parts for out in made.feed(part).columns)


def rate(work: Callable[[list[Columns]], Any], parts: list[Columns]) -> float:
    """Without what is done once, at the start."""
    if work is computed:
        work = partial(_fed, engine())
    begun = time.process_time()
    work(parts)
    return len(parts) * SERIES * EACH / (time.process_time() - begun)


def run() -> list[dict[str, Any]]:
    """Values a second of processor time, the best of three interleaved turns each."""
    parts = batches(50)
    assert filtered(parts) == plain_filters(parts)
    rows = []
    for name, ours, plain in (("filters", filtered, plain_filters), ("expression", computed, plain_expression)):
        best = [0.0, 0.0]
        for _ in range(3):
            best = [max(best[0], rate(ours, parts)), max(best[1], rate(plain, parts))]
        rows.append(
            {
                "name": f"processing.{name}",
                "value": best[0],
                "unit": "values/s",
                "reference": "plain Python, sample by sample",
                "reference_value": best[1],
                "ratio": best[0] / best[1],
                "conditions": f"{SERIES} series, {SERIES * EACH} values a batch, one core, processor time",
            }
        )
    return rows
