"""The decoder of delimited text: against Python's own csv module, against garbage, and against cases kept as data."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.files.config import FilesConfiguration, targets_of
from hulian.network.exchange.protocols.files.delimited import parse, shape_of
from hulian.network.exchange.protocols.files.reading import open_reader
from hulian.network.exchange.protocols.files.replay import Pace
from hulian.network.exchange.protocols.tabular import Rows

CASES = Path(__file__).resolve().parents[4] / "cases" / "files"
FUZZ = int(os.environ.get("HULIAN_FUZZ", "1"))

cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=12)


@given(
    st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8))
)
def test_texts_are_read_as_pythons_csv_module_writes_them(rows):
    text = io.StringIO()
    names = [f"n{place}" for place in range(len(rows[0]))]
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    data = text.getvalue().encode()
    configuration = FilesConfiguration(delimiter=",")
    shape = shape_of(data, configuration)
    parsed = parse(data[shape.offset :], shape, configuration, dict.fromkeys(names, pa.string()))
    assert parsed.bad == []
    assert [list(row.values()) for row in parsed.table.to_pylist()] == rows


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20), st.sampled_from(",;\t|"))
def test_doubles_come_back_bit_for_bit(numbers, delimiter):
    data = f"a{delimiter}b\n".encode() + b"".join(f"{number!r}{delimiter}1\n".encode() for number in numbers)
    configuration = FilesConfiguration()
    shape = shape_of(data, configuration)
    assert shape.delimiter == delimiter
    parsed = parse(data[shape.offset :], shape, configuration, {"a": pa.float64()})
    assert parsed.table.column("a").to_numpy().tobytes() == np.array(numbers).tobytes()


@pytest.mark.fuzz
@settings(max_examples=150 * FUZZ)
@given(st.binary(max_size=400), st.sampled_from(["auto", ",", "whitespace"]), st.sampled_from(['"', ""]))
@example(b"\x00\r\x00\r\x00", "auto", '"')
def test_garbage_never_breaks_the_reader_and_every_line_is_accounted_for(tmp_path_factory, garbage, delimiter, quote):
    path = tmp_path_factory.getbasetemp() / "garbage.csv"
    path.write_bytes(b"time,a\n1700000000,1\n" + garbage + b"\n1700000001,2\n")
    configuration = FilesConfiguration(delimiter=delimiter, quote=quote)
    rows = Rows(
        configuration, targets_of((Binding(series=1, address="column=a", storage=StorageClass.DOUBLE),), configuration)[0]
    )
    reader = open_reader(os.open(path, os.O_RDONLY), path, None, configuration, rows, last=True)
    assert reader is not None
    try:
        while (block := reader.read(last=True)) is not None:
            rows.map(block.table, block.times)
            assert all(line >= 1 for line, _ in block.bad)
        assert reader.mark.offset == path.stat().st_size
    finally:
        reader.close()


def test_a_line_with_carriage_returns_inside_is_several_rows_of_one_line():
    """Found by ten minutes of fuzzing: the rows were counted by other ends than Arrow's, and the reader broke off."""
    configuration = FilesConfiguration()
    shape = shape_of(b"time,a\n", configuration)
    parsed = parse(b"1,2\n3\r4\r5\r\n6,7\n", shape, configuration, {"a": pa.float64()})
    assert parsed.table.to_pylist() == [{"a": 2.0}, {"a": 7.0}]
    assert ([line for line, _ in parsed.bad], [parsed.line(row) for row in range(2)]) == ([1, 1, 1], [0, 2])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_blocks_of_any_size_hold_the_same_rows(tmp_path_factory, numbers, growth):
    """A file that is read while it grows, at whatever bytes the writer stopped."""
    path = tmp_path_factory.getbasetemp() / "growing.csv"
    data = b"time,a\n" + b"".join(f"{1700000000 + place},{number}\n".encode() for place, number in enumerate(numbers))
    configuration = FilesConfiguration()
    rows = Rows(
        configuration, targets_of((Binding(series=1, address="column=a", storage=StorageClass.DOUBLE),), configuration)[0]
    )
    found, at = [], 7
    path.write_bytes(data[:at])
    reader = open_reader(os.open(path, os.O_RDONLY), path, None, configuration, rows, last=False)
    try:
        while at < len(data):
            at += growth[at % len(growth)]
            path.write_bytes(data[:at])
            while (block := reader.read(last=False)) is not None:
                found += [value for columns in rows.map(block.table).columns for value in columns.value.to_pylist()]
    finally:
        reader.close()
    assert found == numbers


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50), st.floats(0.1, 1000))
def test_every_row_of_a_replay_comes_and_none_before_its_time(steps, factor):
    times = np.cumsum(np.array(steps, np.int64)) + 10**18
    pace, clock, done, turns = Pace(factor, 60.0, now=True), 2 * 10**18, 0, 0
    while done < len(times):
        count, wait = pace.due(times[done:], clock)
        assert wait <= 60.0 + 1e-6
        if count:
            played = pace.played(times[done : done + count])
            assert (played <= clock + 1000).all()
        else:
            clock += max(1, int(wait * 1e9))
        done += count
        turns += 1
        assert turns < 20 * len(times) + 20


@pytest.mark.parametrize("folder", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_case(folder):
    """A folder of ``tests/cases/files``: settings and points in, samples out."""
    place = CASES / folder
    case = json.loads((place / "case.json").read_text())
    configuration = msgspec.convert(case["settings"], FilesConfiguration)
    configuration.check()
    bindings = tuple(
        Binding(series=one["series"], address=one["address"], storage=StorageClass(one["storage"])) for one in case["points"]
    )
    targets, wrong = targets_of(bindings, configuration)
    assert not wrong
    rows = Rows(configuration, targets)
    path = next(one for one in place.iterdir() if one.name.startswith("input."))
    reader = open_reader(os.open(path, os.O_RDONLY), path, None, configuration, rows, last=True)
    found, bad = [], []
    try:
        while (block := reader.read(last=True)) is not None:
            mapped = rows.map(block.table, block.times)
            bad += [line for line, _ in block.bad] + [block.place(row) for row in mapped.bad_rows]
            for columns in mapped.columns:
                found += [
                    [int(series), int(time), value, hex(status)]
                    for series, time, value, status in zip(
                        columns.series, columns.time, columns.value.to_pylist(), columns.status, strict=True
                    )
                ]
    finally:
        reader.close()
    assert sorted(found, key=lambda row: row[:2]) == case["samples"]
    assert sorted(bad) == case.get("bad_lines", [])
