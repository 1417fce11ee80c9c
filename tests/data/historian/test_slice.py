"""The main path: open, insert under a token, ask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from hulian.data.historian.contract import Aggregate, Downsample, LastValues, RawWindow
from hulian.data.historian.embedded import EmbeddedHistorian
from hulian.kernel.sample import Columns

SECOND = 10**9
START = 1_700_000_000 // 3600 * 3600 * SECOND


def test_a_block_is_stored_once_and_can_be_asked(tmp_path: Path) -> None:
    historian = EmbeddedHistorian(tmp_path)
    try:
        time = START + np.arange(7200) * SECOND
        value = np.sin(np.arange(7200) / 100)
        for _ in range(2):
            historian.insert([Columns.doubles(np.full(7200, 7), time, value)], "spine-1-2")
        raw = pa.Table.from_batches(historian.query(RawWindow(series=[7], start=START, end=START + 7200 * SECOND)))
        assert raw.column("value").to_pylist() == value.tolist()
        hours = pa.Table.from_batches(
            historian.query(
                Aggregate(series=[7], start=START, end=START + 7200 * SECOND, step=3600 * SECOND, functions=("count", "mean"))
            )
        )
        assert hours.column("count").to_pylist() == [3600, 3600]
        np.testing.assert_allclose(hours.column("mean").to_numpy(), value.reshape(2, 3600).mean(axis=1))
        (last,) = pa.Table.from_batches(historian.query(LastValues(series=[7]))).to_pylist()
        assert last["number"] == value[-1]
        line = pa.Table.from_batches(
            historian.query(Downsample(series=[7], start=START, end=START + 7200 * SECOND, points=300))
        )
        assert 200 <= line.num_rows <= 400
        assert max(line.column("value").to_pylist()) == value.max()
    finally:
        historian.close()
