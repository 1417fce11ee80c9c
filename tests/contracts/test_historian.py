"""What every historian promises, asked of each: the embedded one, the one over HTTP, and a server where one is configured.

``HULIAN_CLICKHOUSE`` holds the address of a server as ``http://user:password@host:port``; without it that part is skipped,
and the implementation for servers is asked only over the HTTP interface that `clickhouse_front` gives to a chdb.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest

from hulian.data.historian.configuration import HistorianConfiguration, ServerConfiguration
from hulian.data.historian.contract import (
    Aggregate,
    Aligned,
    Annotate,
    Annotations,
    Cancellation,
    Correct,
    Downsample,
    Events,
    Historian,
    Instants,
    LastValues,
    Limits,
    RawWindow,
    Request,
    TimeInState,
    Versions,
)
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.data.historian.errors import QueryCancelledError, QueryLimitError, RequestError
from hulian.data.historian.server import ServerHistorian
from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

SECOND = 10**9
HOUR = 3600 * SECOND
START = 472_222 * HOUR
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["embedded", "front", "server"])
def historian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Historian]:
    if request.param == "embedded":
        embedded = EmbeddedHistorian(tmp_path_factory.mktemp("historian"))
        yield embedded
        embedded.close()
        return
    with contextlib.ExitStack() as stack:
        if request.param == "front":
            address = stack.enter_context(front(tmp_path_factory.mktemp("front")))
        elif not (address := os.environ.get("HULIAN_CLICKHOUSE", "")):
            pytest.skip("$HULIAN_CLICKHOUSE names no server")
        parts = urlsplit(address)
        server = ServerConfiguration(
            url=f"{parts.scheme}://{parts.hostname}:{parts.port}",
            database=f"hulian_test_{os.getpid()}",
            user=parts.username or "default",
        )
        store = ServerHistorian(HistorianConfiguration(server=server), parts.password or "")
        yield store
        store._engine.execute(f"DROP DATABASE {server.database} SYNC")
        store.close()


@contextlib.contextmanager
def front(directory: Path) -> Iterator[str]:
    """A chdb of another process behind the HTTP interface of a ClickHouse server."""
    program = Path(__file__).with_name("clickhouse_front.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(directory / "store")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield f"http://127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def series() -> int:
    return 1_000_000 + next(_numbers) * 1000


@pytest.fixture
def token() -> str:
    return f"token-{next(_numbers)}"


def ask(historian: Historian, request: Request, limits: Limits | None = None) -> pa.Table:
    batches = list(historian.query(request, limits or Limits()))
    return pa.Table.from_batches(batches) if batches else pa.table({})


def rows(historian: Historian, request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(historian, request).to_pylist()
    return found


def doubles(series: int, seconds: list[float], values: list[float | None], status: list[int] | None = None) -> Columns:
    times = [START + int(one * SECOND) for one in seconds]
    return Columns.of(StorageClass.DOUBLE, [series] * len(times), times, pa.array(values, pa.float64()), status)


def seconds_of(table: pa.Table) -> list[float]:
    column = table.column("time").combine_chunks().view(pa.int64()).to_numpy()
    found: list[float] = ((column - START) / SECOND).tolist()
    return found


def test_a_token_counts_once_in_samples_and_roll_ups(historian: Historian, series: int, token: str) -> None:
    block = doubles(series, list(range(120)), [float(one) for one in range(120)])
    for _ in range(3):
        historian.insert([block], token)
    assert ask(historian, RawWindow(series=[series], start=START, end=START + HOUR)).num_rows == 120
    (hour,) = rows(historian, Aggregate(series=[series], start=START, end=START + HOUR, step=HOUR, functions=("count", "sum")))
    assert (hour["count"], hour["sum"]) == (120, 7140.0)


VALUES = {
    StorageClass.DOUBLE: [1.5, None, -0.0, float("inf")],
    StorageClass.INTEGER: [-(2**63), None, 0, 2**63 - 1],
    StorageClass.BOOLEAN: [True, None, False, True],
    StorageClass.TEXT: ["", None, "温度 ü", "x" * 70_000],
    StorageClass.BYTES: [b"", None, b"\x00\xff\n", b"y" * 20_000],
    StorageClass.STRUCTURE: ["{}", None, '{"a":[1,2]}', '["' + "z" * 200 + '"]'],
}


@pytest.mark.parametrize("storage", list(StorageClass))
def test_every_class_keeps_its_values(historian: Historian, series: int, token: str, storage: StorageClass) -> None:
    times = [START + one * SECOND for one in range(4)]
    status = [0, 0x8000_0000, 0x4090_0000, 1]
    historian.insert([Columns.of(storage, [series] * 4, times, VALUES[storage], status)], token)
    table = ask(historian, RawWindow(series=[series], start=START, end=START + HOUR, storage=storage))
    assert table.column("value").to_pylist() == VALUES[storage]
    assert table.column("status").to_pylist() == status
    assert table.column("time").combine_chunks().view(pa.int64()).to_pylist() == times
    (last,) = rows(historian, LastValues(series=[series]))
    assert last["storage"] == storage.value
    assert last["status"] == 1
    expected = VALUES[storage][-1]
    if storage is StorageClass.BOOLEAN:
        assert (last["value"], last["number"]) == ("true", 1.0)
    elif storage is StorageClass.BYTES:
        assert last["value"] == expected.hex()  # type: ignore[union-attr]
    else:
        assert last["value"] == str(expected)


def test_several_classes_in_one_insert(historian: Historian, series: int, token: str) -> None:
    historian.insert(
        [
            doubles(series, [0], [1.0]),
            Columns.of(StorageClass.TEXT, [series + 1], [START], ["on"]),
            doubles(series + 2, [0], [3.0]),
        ],
        token,
    )
    found = {row["series"]: row["value"] for row in rows(historian, LastValues(series=[series, series + 1, series + 2]))}
    assert found == {series: "1.0", series + 1: "on", series + 2: "3.0"} or found == {
        series: "1",
        series + 1: "on",
        series + 2: "3",
    }


def test_late_and_unordered_samples_find_their_place(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [50, 10, 30], [5.0, 1.0, 3.0])], token)
    historian.insert([doubles(series, [40, 0, 20], [4.0, 0.0, 2.0])], token + "b")
    table = ask(historian, RawWindow(series=[series], start=START, end=START + HOUR))
    assert seconds_of(table) == [0, 10, 20, 30, 40, 50]
    assert table.column("value").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert rows(historian, LastValues(series=[series]))[0]["number"] == 5.0
    (hour,) = rows(
        historian, Aggregate(series=[series], start=START, end=START + HOUR, step=HOUR, functions=("first", "last", "count"))
    )
    assert (hour["first"], hour["last"], hour["count"]) == (0.0, 5.0, 6)


def test_of_repeated_instants_the_newest_version_is_valid_everywhere(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 10, 20, 20], [1.0, 2.0, 9.0, 3.0])], token)
    historian.insert([doubles(series, [10, 30], [20.0, 4.0])], token + "b")
    historian.insert([doubles(series, [30], [40.0])], token + "c")
    table = ask(historian, RawWindow(series=[series], start=START, end=START + HOUR))
    assert table.column("value").to_pylist() == [1.0, 20.0, 3.0, 40.0]
    functions = ("count", "sum", "min", "max", "first", "last", "mean", "stddev")
    for step in (HOUR, 60 * SECOND, 7 * 60 * SECOND + 1):
        found = rows(historian, Aggregate(series=[series], start=START, end=START + HOUR, step=step, functions=functions))[0]
        assert found["count"] == 4, step
        assert (found["sum"], found["min"], found["max"], found["first"], found["last"]) == (64.0, 1.0, 40.0, 1.0, 40.0)
        assert found["stddev"] == pytest.approx(np.std([1, 20, 3, 40], ddof=1))
    assert rows(historian, LastValues(series=[series]))[0]["number"] == 40.0
    line = ask(historian, Downsample(series=[series], start=START, end=START + HOUR))
    assert line.column("value").to_pylist() == [1.0, 20.0, 3.0, 40.0]


def test_settled_hours_answer_as_before(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 10, 3700], [1.0, 2.0, 7.0])], token)
    historian.insert([doubles(series, [10], [20.0])], token + "b")
    request = Aggregate(series=[series], start=START, end=START + 2 * HOUR, step=HOUR, functions=("count", "sum", "last"))
    before = rows(historian, request)
    assert historian.settle() >= 1  # type: ignore[attr-defined]
    assert rows(historian, request) == before
    historian.insert([doubles(series, [20], [5.0])], token + "c")
    assert [row["sum"] for row in rows(historian, request)] == [26.0, 7.0]
    historian.settle()  # type: ignore[attr-defined]
    assert [row["sum"] for row in rows(historian, request)] == [26.0, 7.0]


def test_a_correction_replaces_and_the_old_value_stays_readable(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 10, 20], [1.0, 999.0, 3.0])], token)
    historian.correct(Correct(columns=doubles(series, [10], [2.0]), author="ada", reason="spike"))
    assert ask(historian, RawWindow(series=[series], start=START, end=START + HOUR)).column("value").to_pylist() == [1, 2, 3]
    (hour,) = rows(historian, Aggregate(series=[series], start=START, end=START + HOUR, step=HOUR, functions=("max", "mean")))
    assert (hour["max"], hour["mean"]) == (3.0, 2.0)
    told = rows(historian, Versions(series=[series], start=START, end=START + HOUR))
    assert [(row["value"], row["author"], row["reason"]) for row in told] == [
        (1.0, None, None),
        (999.0, None, None),
        (2.0, "ada", "spike"),
        (3.0, None, None),
    ]
    with pytest.raises(RequestError):
        historian.correct(Correct(columns=doubles(series, [10], [2.0]), author="ada", reason=" "))


def test_a_window_has_bounds_and_a_limit(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 100, 200, 300_000], [0.0, 1.0, 2.0, 3.0])], token)
    window = {"series": [series], "start": START + 50 * SECOND, "end": START + 200 * SECOND}
    assert seconds_of(ask(historian, RawWindow(**window))) == [100]
    assert seconds_of(ask(historian, RawWindow(**window, bounds=True))) == [0, 100, 200]
    far = RawWindow(series=[series], start=START + 201 * SECOND, end=START + 202 * SECOND, bounds=True)
    assert seconds_of(ask(historian, far)) == [200, 300_000]
    batches = list(historian.query(RawWindow(series=[series], start=START, end=START + 1000 * HOUR, limit=2)))
    assert sum(batch.num_rows for batch in batches) == 2
    assert batches[-1].schema.metadata == {b"truncated": b"true"}


def test_bad_samples_count_only_as_samples(historian: Historian, series: int, token: str) -> None:
    status = [0, 0x8000_0000, 0x4000_0000, 0, 0]
    historian.insert([doubles(series, [0, 1, 2, 3, 4], [1.0, 100.0, 3.0, None, float("nan")], status)], token)
    for step in (HOUR, 60 * SECOND, HOUR - 1):
        (found,) = rows(
            historian,
            Aggregate(
                series=[series],
                start=START,
                end=START + HOUR - (step == HOUR - 1),
                step=step,
                functions=("count", "max", "mean"),
            ),
        )
        assert (found["count"], found["max"], found["mean"], found["good"]) == (5, 3.0, 2.0, 0.2)
    only_bad = doubles(series + 1, [0], [1.0], [0x8000_0000])
    historian.insert([only_bad], token + "b")
    (found,) = rows(
        historian, Aggregate(series=[series + 1], start=START, end=START + HOUR, step=HOUR, functions=("mean", "min"))
    )
    assert (found["mean"], found["min"], found["good"]) == (None, None, 0.0)


def test_time_weighted_mean_holds_each_value(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [-10, 10, 20, 90], [4.0, 1.0, 100.0, 0.0], [0, 0, 0x8000_0000, 0])], token)
    found = rows(
        historian,
        Aggregate(
            series=[series], start=START, end=START + 120 * SECOND, step=60 * SECOND, functions=("time_weighted_mean", "count")
        ),
    )
    assert [row["count"] for row in found] == [2, 1]
    assert found[0]["time_weighted_mean"] == pytest.approx((4 * 10 + 1 * 10) / 20)
    assert found[1]["time_weighted_mean"] == pytest.approx(0.0)


def test_time_in_state(historian: Historian, series: int, token: str) -> None:
    times = [START + one * SECOND for one in (-5, 10, 20, 40, 50)]
    block = Columns.of(StorageClass.INTEGER, [series] * 5, times, [1, 2, 1, None, 2])
    historian.insert([block], token)
    found = rows(historian, TimeInState(series=[series], start=START, end=START + 60 * SECOND))
    assert {row["value"]: (row["seconds"], row["changes"]) for row in found} == {
        "1": (30.0, 1),
        "2": (20.0, 2),
        None: (10.0, 1),
    }
    historian.insert([Columns.of(StorageClass.TEXT, [series + 1], [START - HOUR], ["run"])], token + "b")
    (held,) = rows(historian, TimeInState(series=[series + 1], start=START, end=START + HOUR, storage=StorageClass.TEXT))
    assert (held["value"], held["seconds"], held["changes"]) == ("run", 3600.0, 0)


def test_instants_hold_or_interpolate(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 10, 20], [0.0, 10.0, 100.0], [0, 0, 0x8000_0000])], token)
    instants = [START + int(one * SECOND) for one in (-1, 0, 2.5, 10, 15, 30)]
    held = ask(historian, Instants(series=[series], instants=instants))
    assert held.column("value").to_pylist() == [None, 0.0, 0.0, 10.0, 10.0, 100.0]
    line = ask(historian, Instants(series=[series], instants=instants, linear=True))
    assert line.column("value").to_pylist() == [None, 0.0, 2.5, 10.0, 10.0, 100.0]
    assert line.column("status").to_pylist()[0] == 0x809B_0000


def test_several_series_on_one_axis(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [-30, 0, 130], [7.0, 1.0, 3.0]), doubles(series + 1, [65, 70], [10.0, 20.0])], token)
    request = Aligned(series=[series + 1, series], start=START, end=START + 180 * SECOND, step=60 * SECOND)
    table = ask(historian, request)
    assert table.column_names == ["time", str(series + 1), str(series)]
    assert table.column(1).to_pylist() == [None, 15.0, None]
    assert table.column(2).to_pylist() == [1.0, None, 3.0]
    filled = ask(
        historian,
        Aligned(series=[series + 1, series], start=START - 60 * SECOND, end=START + 180 * SECOND, step=60 * SECOND, fill=True),
    )
    assert filled.column(1).to_pylist() == [None, None, 15.0, 15.0]
    assert filled.column(2).to_pylist() == [7.0, 1.0, 1.0, 3.0]


def test_a_long_trend_keeps_its_extremes(historian: Historian, series: int, token: str) -> None:
    count = 300_000
    value = np.sin(np.arange(count) / 5000)
    value[123_456], value[234_567] = 50.0, -50.0
    times = START + np.arange(count, dtype=np.int64) * 60 * SECOND
    historian.insert([Columns.doubles(np.full(count, series), times, value)], token)
    request = Downsample(series=[series], start=START, end=START + count * 60 * SECOND, points=1000)
    table = ask(historian, request)
    assert table.schema.metadata == {b"resolution": b"hour"}
    assert 500 <= table.num_rows <= 1200
    drawn = dict(
        zip(table.column("time").combine_chunks().view(pa.int64()).to_pylist(), table.column("value").to_pylist(), strict=True)
    )
    assert drawn[int(times[123_456])] == 50.0
    assert drawn[int(times[234_567])] == -50.0
    assert int(times[0]) in drawn
    assert int(times[-1]) in drawn


def test_events_come_newest_first(historian: Historian, token: str) -> None:
    subject = f"source-{token}"
    told = [
        Event(
            time=START + one,
            code="HL-X-0001",
            severity=severity,
            component="ingest",
            subject=subject,
            message="温 'gap'",
            active=active,
            details={"missing": one},
        )
        for one, (severity, active) in enumerate([(Severity.INFO, None), (Severity.ERROR, True), (Severity.ERROR, False)])
    ]
    historian.insert_events(told, token)
    historian.insert_events(told, token)
    found = rows(historian, Events(subject=subject))
    assert [row["active"] for row in found] == [False, True, None]
    assert found[0]["message"] == "温 'gap'"
    assert [row["details"] for row in found] == ['{"missing": 2}', '{"missing": 1}', '{"missing": 0}']
    assert len(rows(historian, Events(subject=subject, severities=["info"]))) == 1
    assert len(rows(historian, Events(subject=subject, start=START + 1, limit=1))) == 1


def test_annotations_replace_and_leave(historian: Historian, series: int, token: str) -> None:
    note = {"id": token, "series": series, "start": START, "end": START + SECOND, "author": "ada", "created": START}
    historian.annotate(Annotate(text="pump changed", **note))
    historian.annotate(Annotate(text="pump 17 changed", **note))
    (found,) = rows(historian, Annotations(series=[series]))
    assert (found["text"], found["author"]) == ("pump 17 changed", "ada")
    assert rows(historian, Annotations(series=[series], start=START + 2 * SECOND)) == []
    historian.annotate(Annotate(text="", **note))
    assert rows(historian, Annotations(series=[series])) == []


def test_every_bound_is_named(historian: Historian, series: int, token: str) -> None:
    count = 400_000
    historian.insert(
        [Columns.doubles(np.full(count, series), START + np.arange(count) * SECOND, np.random.default_rng(1).random(count))],
        token,
    )
    whole = {"series": [series], "start": START, "end": START + count * SECOND}
    with pytest.raises(QueryLimitError) as caught:
        ask(historian, RawWindow(**whole), Limits(rows=1000))
    assert caught.value.bound == "rows"
    assert "rows" in str(caught.value)
    with pytest.raises(QueryLimitError) as caught:
        ask(historian, Aggregate(**whole, step=HOUR * 1000, functions=("p50",)), Limits(memory=2 * 2**20))
    assert caught.value.bound == "memory"
    with pytest.raises(QueryLimitError) as caught:
        ask(historian, Aggregate(**whole, step=7, functions=("p50", "p99")), Limits(seconds=0.02))
    assert caught.value.bound == "seconds"
    assert ask(historian, RawWindow(**whole)).num_rows == count


def test_a_query_is_cancelled_from_elsewhere(historian: Historian, series: int, token: str) -> None:
    count = 400_000
    historian.insert(
        [Columns.doubles(np.full(count, series), START + np.arange(count) * SECOND, np.arange(float(count)))], token
    )
    cancellation = Cancellation()
    heavy = Aggregate(series=[series], start=START, end=START + count * SECOND, step=7, functions=("p50", "p99", "p01", "p05"))
    timer = threading.Timer(0.05, cancellation.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(QueryCancelledError):  # noqa: PT012 - in which of them it arrives is not known
        for _ in range(100):
            list(historian.query(heavy, Limits(memory=2**31), cancellation))
    assert time.monotonic() - began < 20
    timer.join()
    with pytest.raises(QueryCancelledError):
        list(historian.query(RawWindow(series=[series], start=START, end=START + HOUR), Limits(), cancellation))


def test_leaving_a_query_early_frees_its_place(historian: Historian, series: int, token: str) -> None:
    count = 200_000
    historian.insert(
        [Columns.doubles(np.full(count, series), START + np.arange(count) * SECOND, np.arange(float(count)))], token
    )
    for _ in range(20):
        batches = historian.query(RawWindow(series=[series], start=START, end=START + count * SECOND))
        assert next(batches).num_rows > 0
        batches.close()  # type: ignore[attr-defined]
    assert ask(historian, RawWindow(series=[series], start=START, end=START + 10 * SECOND)).num_rows == 10


@pytest.mark.parametrize(
    "request_",
    [
        Aggregate(series=[1], start=0, end=10, step=0),
        Aggregate(series=[1], start=10, end=0, step=1),
        Aggregate(series=[1], start=0, end=10, step=1, functions=("median",)),
        Aggregate(series=[1], start=0, end=10, step=1, functions=("mean); DROP TABLE x",)),
        Aggregate(series=[1], start=0, end=10, step=1, storage=StorageClass.TEXT),
        Downsample(series=[1], start=10, end=10),
        Downsample(series=[1], start=0, end=10, points=1),
        RawWindow(series=[-1], start=0, end=10),
        RawWindow(series=[1], start=10, end=0),
        TimeInState(series=[1], start=0, end=10, storage=StorageClass.DOUBLE),
    ],
)
def test_requests_without_sense_are_refused(historian: Historian, token: str, request_: Request) -> None:
    historian.insert([doubles(1, [0], [1.0])], token)
    with pytest.raises(RequestError):
        ask(historian, request_)


def test_unknown_series_give_nothing(historian: Historian) -> None:
    for request in (
        LastValues(series=[2**64 - 1]),
        RawWindow(series=[2**64 - 1], start=0, end=2**62),
        Aggregate(series=[2**64 - 1], start=0, end=2**62, step=HOUR),
        Downsample(series=[2**64 - 1], start=0, end=2**62),
        Instants(series=[2**64 - 1], instants=[0]),
    ):
        assert ask(historian, request).num_rows == 0


def test_times_before_1970_and_far_ahead(historian: Historian, series: int, token: str) -> None:
    times = [-HOUR - 1, -1, 0, 7_000_000_000 * SECOND]
    historian.insert([Columns.doubles([series] * 4, times, [1.0, 2.0, 3.0, 4.0])], token)
    table = ask(historian, RawWindow(series=[series], start=-2 * HOUR, end=2**63 - 1))
    assert table.column("time").combine_chunks().view(pa.int64()).to_pylist() == times
    found = rows(historian, Aggregate(series=[series], start=-2 * HOUR, end=HOUR, step=HOUR, functions=("sum", "first")))
    assert [(row["sum"], row["first"]) for row in found] == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_sizes_tell_rows_bytes_and_span(historian: Historian, series: int, token: str) -> None:
    historian.insert([doubles(series, [0, 10], [1.0, 2.0])], token)
    sizes = historian.sizes()
    assert sizes["raw_double"].rows >= 2
    assert sizes["raw_double"].bytes > 0
    assert sizes["raw_double"].oldest <= START < sizes["raw_double"].newest
    assert sizes["minute"].rows >= 1
