"""Answers against a plain numpy reference, over random data: late, unordered, repeated, without value, of bad quality."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.data.historian import samples as reading
from hulian.data.historian.contract import Aggregate, Downsample, Instants, RawWindow, Request
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.kernel.sample import SCHEMAS, Columns
from hulian.kernel.storage import StorageClass

SECOND = 10**9
HOUR = 3600 * SECOND
START = 472_222 * HOUR
SPAN = 3 * HOUR
_series = itertools.count(10_000_000)
FUNCTIONS = ("mean", "min", "max", "count", "sum", "first", "last", "stddev", "time_weighted_mean", "p05", "p50", "p99")
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Sample(NamedTuple):
    at: int
    value: float | None
    status: int


samples = st.builds(
    Sample,
    at=st.one_of(
        st.integers(0, 180).map(lambda minute: minute * 60 * SECOND),
        st.integers(0, SPAN - 1),
        st.integers(0, 30).map(lambda second: HOUR + second * SECOND),
    ),
    value=st.one_of(
        st.none(),
        st.just(float("nan")),
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3)),
        st.integers(-3, 3).map(float),
    ),
    status=st.sampled_from([0, 0, 0, 0x4090_0000, 0x8000_0000]),
)
blocks = st.lists(st.lists(samples, min_size=1, max_size=25), min_size=1, max_size=4)


def insert(historian: EmbeddedHistorian, given_blocks: list[list[Sample]], settle: bool) -> tuple[int, dict[int, Sample]]:
    """Stores the blocks under a new series; what is valid afterwards, by instant."""
    series, valid = next(_series), {}
    for number, block in enumerate(given_blocks):
        columns = Columns.doubles(
            [series] * len(block),
            [START + one.at for one in block],
            [0.0 if one.value is None else one.value for one in block],
            np.array([one.status for one in block], np.uint32),
            missing=np.array([one.value is None for one in block]),
        )
        historian.insert([columns], f"{series}-{number}")
        valid |= {START + one.at: one for one in block}
        if settle:
            historian.settle()
    return series, dict(sorted(valid.items()))


def ask(historian: EmbeddedHistorian, request: Request) -> pa.Table:
    batches = list(historian.query(request))
    return pa.Table.from_batches(batches) if batches else pa.table({})


def usable(one: Sample) -> bool:
    return one.value is not None and not np.isnan(one.value) and one.status < 0x8000_0000


def reference(valid: dict[int, Sample], start: int, end: int, step: int) -> list[dict[str, Any]]:
    found = []
    times = list(valid)
    for begin in range(start, end, step):
        stop = min(begin + step, end)
        inside = [(at, one) for at, one in valid.items() if begin <= at < stop]
        if not inside:
            continue
        values = np.array([one.value for _, one in inside if usable(one)])
        row: dict[str, Any] = {"time": begin, "count": len(inside)}
        row["good"] = sum(usable(one) and one.status < 0x4000_0000 for _, one in inside) / len(inside)
        if len(values):
            row |= {"mean": values.mean(), "min": values.min(), "max": values.max(), "sum": values.sum()}
            row |= {"first": values[0], "last": values[-1]}
            row |= {f"p{one:02}": np.percentile(values, one) for one in (5, 50, 99)}
            row["stddev"] = values.std(ddof=1) if len(values) > 1 else None
        area = length = 0.0
        for at, after in itertools.pairwise([*times, end]):
            one, begins, ends = valid[at], max(at, begin), min(after, stop)
            if at < end and ends > begins and usable(one):
                area += float(one.value or 0) * (ends - begins)
                length += ends - begins
        row["time_weighted_mean"] = area / length if length else None
        found.append(row)
    return found


@FEW
@given(
    given_blocks=blocks,
    step=st.sampled_from([HOUR, 60 * SECOND, 10 * 60 * SECOND, 7 * SECOND * 60 + 1]),
    end=st.sampled_from([SPAN, SPAN - 1, SPAN - 30 * SECOND, 2 * HOUR + 60 * SECOND]),
    start=st.sampled_from([0, HOUR, 60 * SECOND]),
    settle=st.booleans(),
)
def test_aggregates(
    historian: EmbeddedHistorian, given_blocks: list[list[Sample]], step: int, start: int, end: int, settle: bool
) -> None:
    series, valid = insert(historian, given_blocks, settle)
    wanted = reference(valid, START + start, START + end, step)
    exact = ("mean", "min", "max", "count", "sum", "first", "last")
    for functions in (exact, (*exact, "stddev"), FUNCTIONS):
        request = Aggregate(series=[series], start=START + start, end=START + end, step=step, functions=functions)
        table = ask(historian, request)
        assert table.num_rows == len(wanted)
        if not wanted:
            continue
        times = table.column("time").combine_chunks().view(pa.int64()).to_pylist()
        assert times == [row["time"] for row in wanted]
        for name in (*functions, "good"):
            got = table.column(name).to_pylist()
            for one, row in zip(got, wanted, strict=True):
                expected = row.get(name)
                assert (one is None) == (expected is None), (name, one, expected)
                if expected is not None:
                    assert one == pytest.approx(expected, rel=1e-7, abs=1e-6), (name, table.schema.metadata)


@FEW
@given(given_blocks=blocks, low=st.integers(0, SPAN), high=st.integers(0, SPAN))
def test_raw_windows(historian: EmbeddedHistorian, given_blocks: list[list[Sample]], low: int, high: int) -> None:
    series, valid = insert(historian, given_blocks, False)
    start, end = START + min(low, high), START + max(low, high)
    times = [at for at in valid if start <= at < end]
    table = ask(historian, RawWindow(series=[series], start=start, end=end))
    assert (table.column("time").combine_chunks().view(pa.int64()).to_pylist() if table.num_rows else []) == times
    for one, at in zip(table.column("value").to_pylist() if table.num_rows else [], times, strict=True):
        expected = valid[at].value
        assert one == expected or (expected is not None and np.isnan(one) and np.isnan(expected))
    bounded = ask(historian, RawWindow(series=[series], start=start, end=end, bounds=True))
    before, after = [at for at in valid if at < start][-1:], [at for at in valid if at >= end][:1]
    got = bounded.column("time").combine_chunks().view(pa.int64()).to_pylist() if bounded.num_rows else []
    assert got == [*before, *times, *after]


@FEW
@given(given_blocks=blocks, instants=st.lists(st.integers(-HOUR, SPAN + HOUR), min_size=1, max_size=10), linear=st.booleans())
def test_instants(historian: EmbeddedHistorian, given_blocks: list[list[Sample]], instants: list[int], linear: bool) -> None:
    series, valid = insert(historian, given_blocks, False)
    asked = sorted({START + one for one in instants})
    table = ask(historian, Instants(series=[series], instants=asked, linear=linear))
    assert table.column("time").combine_chunks().view(pa.int64()).to_pylist() == asked
    times = list(valid)
    for at, got in zip(asked, table.column("value").to_pylist(), strict=True):
        before = [one for one in times if one <= at]
        if not before:
            assert got is None
            continue
        left = before[-1]
        expected = valid[left].value
        rights = times[len(before) :]
        if linear and rights and left < at and usable(valid[left]) and usable(valid[rights[0]]):
            low, high = valid[left].value or 0.0, valid[rights[0]].value or 0.0
            expected = low + (high - low) * (at - left) / (rights[0] - left)
        assert got == (pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True) if expected is not None else None)


def lines(seed: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
    random = np.random.default_rng(seed)
    step = random.choice([20 * SECOND, 60 * SECOND, 90 * SECOND])
    time = START + np.arange(count) * step + random.integers(0, step, count)
    value = np.round(np.cumsum(random.normal(size=count)), 2)
    value[random.integers(0, count, 3)] += random.choice([-1000.0, 1000.0], 3)
    status = np.where(random.random(count) < 0.01, 0x8000_0000, 0).astype(np.uint32)
    return time, value, status


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.sampled_from([50, 3000, 250_000]), points=st.sampled_from([50, 400, 2000]))
def test_a_thinned_line_keeps_its_extremes(historian: EmbeddedHistorian, seed: int, count: int, points: int) -> None:
    series = next(_series)
    time, value, status = lines(seed, count)
    order = np.random.default_rng(seed).permutation(count)
    for number, part in enumerate(np.array_split(order, 3)):
        historian.insert(
            [Columns.doubles(np.full(len(part), series), time[part], value[part], status[part])], f"{series}-{number}"
        )
    table = ask(historian, Downsample(series=[series], start=int(time[0]), end=int(time[-1]) + 1, points=points))
    drawn = table.column("time").combine_chunks().view(pa.int64()).to_numpy()
    shown = table.column("value").to_numpy()
    assert bool((np.diff(drawn) > 0).all())
    good = status == 0
    assert len(drawn) <= max(1.7 * points, 60)
    at = np.searchsorted(time, drawn[~np.isnan(shown)])
    assert time[at].tolist() == drawn[~np.isnan(shown)].tolist(), "every drawn point is a sample"
    assert value[at].tolist() == shown[~np.isnan(shown)].tolist()
    assert np.nanmin(shown) == value[good].min()
    assert np.nanmax(shown) == value[good].max()
    if table.schema.metadata == {b"resolution": b"raw"}:
        spans, at = max(points // 16, 1), time[good] - time[good][0]
        number = np.minimum((at * (spans / (at[-1] + 1))).astype(int), spans - 1)
        lows = [value[good][number == span].min() for span in range(spans) if bool((number == span).any())]
        assert set(lows[1:-1]) <= set(shown.tolist()), "the lowest of each span is drawn"


@FEW
@given(given_blocks=blocks, start=st.integers(-HOUR, SPAN), length=st.integers(1, SPAN), bounds=st.booleans())
def test_a_window_is_the_same_whether_the_store_orders_it_or_we_do(historian, given_blocks, start, length, bounds):
    """Many samples and repeated instants are left to the store; a few are put in order here."""
    series, _ = insert(historian, given_blocks, settle=False)
    request = RawWindow(series=[series], start=START + start, end=START + start + length, bounds=bounds)
    here = pa.Table.from_batches([*historian.query(request)], schema=SCHEMAS[StorageClass.DOUBLE])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_FEW", -1)
        store = pa.Table.from_batches([*historian.query(request)], schema=SCHEMAS[StorageClass.DOUBLE])
    for column in ("series", "time", "status"):
        assert here[column].combine_chunks().equals(store[column].combine_chunks())
    assert str(here["value"].to_pylist()) == str(store["value"].to_pylist())


def test_more_samples_than_are_put_in_order_here_come_from_the_store(historian, monkeypatch):
    series, count = next(_series), 3000
    times = START + np.arange(count) * SECOND
    for number, part in enumerate((slice(1000, None), slice(None, 1000))):
        at = times[part]
        historian.insert([Columns.doubles(np.full(len(at), series), at, at % 97)], f"{series}-{number}")
    request = RawWindow(series=[series], start=START, end=START + HOUR, limit=10_000)
    for few in (reading._FEW, 100, count, count - 1):
        monkeypatch.setattr(reading, "_FEW", few)
        found = pa.Table.from_batches([*historian.query(request)])
        assert np.array_equal(found["time"].cast(pa.int64()).to_numpy(), times)
        assert np.array_equal(found["value"].to_numpy(), (times % 97).astype(float))
