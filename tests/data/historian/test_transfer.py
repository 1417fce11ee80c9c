"""Files out and in: what is exported can be imported, and every bad row is told with its place."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hulian.data.historian.errors import DataError
from hulian.data.historian.transfer.moving import Format, export_samples, import_samples
from hulian.data.historian.transfer.tables import Progress, Target
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

NAMES = {
    11: ("99.118.8/a#pressure", StorageClass.DOUBLE),
    12: ("99.118.8/b, c#n", StorageClass.INTEGER),
    13: ("99.118.8/d#on", StorageClass.BOOLEAN),
    14: ('99.118.8/é"#text', StorageClass.TEXT),
    15: ("99.118.8/f#bytes", StorageClass.BYTES),
    16: ("99.118.8/g#structure", StorageClass.STRUCTURE),
}
BY_NAME = {name: Target(series, storage) for series, (name, storage) in NAMES.items()}


class Taken:
    """What an import inserted."""

    def __init__(self) -> None:
        self.blocks: list[tuple[list[Columns], str]] = []

    def __call__(self, columns: Sequence[Columns], token: str) -> None:
        self.blocks.append((list(columns), token))

    def rows(self) -> list[tuple[int, int, object, int]]:
        return [
            row
            for columns, _ in self.blocks
            for part in columns
            for row in zip(part.series.tolist(), part.time.tolist(), part.value.to_pylist(), part.status.tolist(), strict=True)
        ]


def read(text: str, **options: bool) -> tuple[Taken, object]:
    taken = Taken()
    return taken, import_samples(io.BytesIO(text.encode()), "csv", BY_NAME.get, taken, **options)


VALUES = {
    StorageClass.DOUBLE: st.floats(allow_nan=False),
    StorageClass.INTEGER: st.integers(-(2**63), 2**63 - 1),
    StorageClass.BOOLEAN: st.booleans(),
    StorageClass.TEXT: st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    StorageClass.BYTES: st.binary(min_size=1),
    StorageClass.STRUCTURE: st.just('{"a": "b, \\"c\\""}'),
}


@settings(max_examples=40, deadline=None)
@given(data=st.data(), file_format=st.sampled_from(["csv", "parquet"]), series=st.sampled_from(sorted(NAMES)))
def test_what_goes_out_comes_back(data: st.DataObject, file_format: Format, series: int) -> None:
    name, storage = NAMES[series]
    values = data.draw(st.lists(st.one_of(st.none(), VALUES[storage]), min_size=1, max_size=20))
    times = data.draw(st.lists(st.integers(-(10**18), 4 * 10**18), min_size=len(values), max_size=len(values)))
    status = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=len(values), max_size=len(values)))
    sent = Columns.of(storage, [series] * len(values), times, values, status)
    file = b"".join(export_samples([sent.record_batch()], file_format, {series: name}))
    taken = Taken()
    report = import_samples(io.BytesIO(file), file_format, BY_NAME.get, taken)
    assert report.rows == len(values)
    assert taken.rows() == [(series, *row) for row in zip(times, values, status, strict=True)]


def test_every_bad_row_is_told_and_nothing_is_taken() -> None:
    text = "\r\n".join(
        [
            "point,time,value,status",
            "99.118.8/a#pressure,2026-01-01T00:00:00Z,1.5,0",
            "99.118.8/a#pressure,yesterday,1.5,0",
            "99.118.8/nobody#x,2026-01-01T00:00:00Z,1.5,0",
            "99.118.8/a#pressure,2026-13-01T00:00:00Z,1.5,0",
            "99.118.8/a#pressure,2026-01-01T00:00:00Z,1.5",
            "99.118.8/a#pressure,2026-01-01T00:00:00Z,high,0",
            "99.118.8/a#pressure,2026-01-01T00:00:00Z,1.5,-1",
            "99.118.8/d#on,1767225600000000000,true,",
            '"99.118.8/b, c#n",2026-01-01T01:00:00+01:00,9223372036854775808,0',
            "99.118.8/f#bytes,2026-01-01T00:00:00Z,xyz,0",
            "99.118.8/a#pressure,2026-01-01T00:00:00,1,0",
        ]
    )
    taken, report = read(text, dry_run=True)
    assert not taken.blocks
    assert (report.rows, report.refused, report.dry_run) == (2, 9, True)
    assert sorted((one.line, one.column) for one in report.problems) == [
        (3, "time"),
        (4, "point"),
        (5, "time"),
        (6, ""),
        (7, "value"),
        (8, "status"),
        (10, "value"),
        (11, "value"),
        (12, "time"),
    ]
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.code == "HL-HISTORIAN-0010"
    taken, report = read(text, skip_bad=True)
    assert taken.rows() == [(11, 1767225600_000_000_000, 1.5, 0), (13, 1767225600_000_000_000, True, 0)]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\r\n1,2\r\n", b"point,time,value,value\r\n", b"PAR1"])
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_files_of_something_else_are_refused(content: bytes, file_format: Format) -> None:
    with pytest.raises(DataError):
        import_samples(io.BytesIO(content), file_format, BY_NAME.get, Taken())


def test_a_large_file_goes_in_blocks_with_progress_and_stable_tokens() -> None:
    count = 300_000
    lines = [f"99.118.8/a#pressure,{10**18 + row},{row / 4},0" for row in range(count)]
    text = "point,time,value,status\n" + "\n".join(lines)
    told: list[Progress] = []
    first, second = Taken(), Taken()
    report = import_samples(io.BytesIO(text.encode()), "csv", BY_NAME.get, first, tell=told.append)
    import_samples(io.BytesIO(text.encode()), "csv", BY_NAME.get, second)
    assert report.rows == count
    assert (report.first, report.last) == (10**18, 10**18 + count - 1)
    assert len(first.blocks) > 3
    assert [token for _, token in first.blocks] == [token for _, token in second.blocks]
    assert len({token for _, token in first.blocks}) == len(first.blocks)
    assert told[-1].rows == count
    assert 0 < told[0].bytes <= told[0].total == len(text)
    assert [row[2] for row in first.rows()] == [row / 4 for row in range(count)]


def test_parquet_of_others_with_other_types(tmp_path: object) -> None:
    table = pa.table(
        {
            "value": pa.array([1, None, 3], pa.int32()),
            "time": pa.array([1_767_225_600_000_000, 1_767_225_601_000_000, None], pa.timestamp("us", "UTC")),
            "point": pa.array(["99.118.8/a#pressure"] * 3).dictionary_encode(),
        }
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    taken = Taken()
    report = import_samples(io.BytesIO(sink.getvalue()), "parquet", BY_NAME.get, taken, skip_bad=True)
    assert [(one.line, one.column) for one in report.problems] == [(3, "time")]
    assert taken.rows() == [(11, 1_767_225_600_000_000_000, 1.0, 0), (11, 1_767_225_601_000_000_000, None, 0)]


def test_aggregates_are_exported_too() -> None:
    schema = pa.schema([("series", pa.uint64()), ("time", pa.timestamp("ns", "UTC")), ("mean", pa.float64())])
    batch = pa.RecordBatch.from_arrays(
        [pa.array([11], pa.uint64()), pa.array([1_767_225_600_000_000_001]).view(pa.timestamp("ns", "UTC")), pa.array([0.5])],
        schema=schema,
    )
    lines = b"".join(export_samples([batch, batch], "csv", {11: "99.118.8/a#pressure"})).decode().split()
    assert [line.replace('"', "") for line in lines] == [
        "point,time,mean",
        *["99.118.8/a#pressure,2026-01-01T00:00:00.000000001Z,0.5"] * 2,
    ]
    table = parquet.read_table(io.BytesIO(b"".join(export_samples([batch, batch], "parquet", {}))))
    assert table.column("point").to_pylist() == ["11", "11"]


def test_an_empty_answer_is_a_file_without_rows() -> None:
    assert parquet.read_table(io.BytesIO(b"".join(export_samples([], "parquet", {})))).num_rows == 0
    with np.errstate(all="raise"):
        assert b"".join(export_samples([], "csv", {})).startswith(b"point,time")
