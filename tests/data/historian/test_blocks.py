"""The pure parts: Native columns, sorted blocks, roll-ups that add up, weighted means, thin lines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.data.historian.block import HOUR, MINUTE, coarser, ordered_bits, rollup, sort_block
from hulian.data.historian.downsample import minmaxlttb
from hulian.data.historian.native import encode_strings
from hulian.data.historian.weighting import time_weighted_means
from hulian.kernel.sample import Columns

words = st.one_of(st.none(), st.binary(max_size=5), st.integers(100, 20_000).map(bytes))


@given(values=st.lists(words, max_size=20), cut=st.integers(0, 5))
def test_strings_stand_as_length_and_bytes(values: list[bytes | None], cut: int) -> None:
    array = pa.array(values, pa.binary())[cut:]
    expected = b""
    for value in values[cut:]:
        raw, length, size = value or b"", bytearray(), len(value or b"")
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        expected += bytes([*length, size]) + raw
    assert encode_strings(array) == expected


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([1, 2, 2**64 - 1, 77]), st.integers(-3, 3), st.floats(allow_nan=False)),
        min_size=1,
        max_size=40,
    )
)
def test_a_block_is_sorted_and_keeps_the_last_of_each_instant(rows: list[tuple[int, int, float]]) -> None:
    block = sort_block(Columns.doubles([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]))
    expected = sorted({(series, time): value for series, time, value in rows}.items())
    assert list(zip(block.series.tolist(), block.time.tolist(), strict=True)) == [key for key, _ in expected]
    assert block.value.to_pylist() == [value for _, value in expected]
    assert block.names.tolist() == sorted({row[0] for row in rows})
    assert block.series[block.starts].tolist() == block.names.tolist()
    assert block.series[block.newest].tolist() == block.names.tolist()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 300), bad=st.sampled_from([0.0, 0.3, 1.0]))
def test_hours_made_from_minutes_are_hours_made_from_samples(seed: int, count: int, bad: float) -> None:
    random = np.random.default_rng(seed)
    columns = Columns.doubles(
        random.integers(1, 4, count),
        random.integers(-2 * HOUR, 2 * HOUR, count),
        random.integers(-5, 5, count) / 4,
        np.where(random.random(count) < bad, 0x8000_0000, 0).astype(np.uint32),
    )
    block = sort_block(columns)
    made, wanted = coarser(rollup(block, MINUTE), HOUR), rollup(block, HOUR)
    for name in wanted._fields:
        np.testing.assert_allclose(
            getattr(made, name).astype(float), getattr(wanted, name).astype(float), rtol=1e-12, atol=1e-12, err_msg=name
        )


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=20))
def test_ordered_bits_sort_as_their_doubles(values: list[float]) -> None:
    array = np.array(values)
    bits = ordered_bits(array)
    for left, right in pairwise(values):
        a, b = values.index(left), values.index(right)
        if left < right:
            assert bits[a] < bits[b]


def test_a_value_that_held_for_an_instant_keeps_its_digits() -> None:
    time, value = np.array([0, 10**15]), np.array([1e9, -3.25])
    begins, ends = np.array([0, 10**15 - 7]), np.array([10**15 - 7, 10**15 + 2])
    means = time_weighted_means(time, value, np.array([True, True]), begins, ends)
    assert means[0] == pytest.approx(1e9)
    assert means[1] == pytest.approx((7e9 - 6.5) / 9, rel=1e-12)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 5000), points=st.integers(3, 500))
@settings(deadline=None, max_examples=50)
def test_a_thin_line_is_thin_ordered_and_complete(seed: int, count: int, points: int) -> None:
    random = np.random.default_rng(seed)
    time = np.cumsum(random.integers(1, 10**12, count))
    value = np.round(random.normal(size=count), 1)
    chosen = minmaxlttb(time, value, points)
    assert bool((np.diff(chosen) > 0).all())
    assert {0, count - 1} <= set(chosen.tolist())
    assert value[chosen].min() == value.min()
    assert value[chosen].max() == value.max()
    assert len(chosen) <= max(points + 8, 4)
