"""What inputs of tables share: bookmarks beside the journal, columns of times, values of any type, rows to samples."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.quality import Quality
from hulian.kernel.sample import value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.bookmarks import Bookmarks
from hulian.network.exchange.protocols.convert import to_storage
from hulian.network.exchange.protocols.moments import LATEST, parse_quality, parse_time
from hulian.network.exchange.protocols.tabular import Rows, TableMapping, Target
from hulian.network.exchange.protocols.times import qualities_of, times_of

names = st.sampled_from("abc")
changes = st.lists(st.tuples(st.dictionaries(names, st.none() | st.binary(max_size=3), max_size=3), st.booleans()), max_size=12)


@given(changes, st.integers(0, 12))
def test_bookmarks_come_back_as_they_were_at_the_journals_position(tmp_path_factory, written, position):
    marks = Bookmarks(tmp_path_factory.mktemp("marks"))
    assert marks.open(None)
    states = {0: {}}
    now: dict[str, bytes] = {}
    for change, samples in written:
        number = marks.write(change, samples=samples)
        now = {name: value for name, value in {**now, **change}.items() if value is not None}
        states[number] = dict(now)
    position = min(position, marks.number)
    marks.close()
    assert marks.open(position or None)
    assert marks.items() == states[position]
    assert marks.write({"a": b"later"}) == position + 1
    marks.close()


def test_bookmarks_that_the_journal_has_outrun_are_not_believed(tmp_path):
    marks = Bookmarks(tmp_path)
    marks.open(None)
    marks.write({"a": b"1"})
    assert not marks.open(7)
    assert marks.items() == {}
    assert marks.write({"a": b"2"}) == 8
    marks.close()


def test_old_versions_of_bookmarks_are_let_go(tmp_path):
    marks = Bookmarks(None)
    marks.open(None)
    marks.write({"gone": b"x"})
    marks.write({"gone": None})
    for number in range(3000):
        marks.write({"a": str(number).encode()})
    count = marks._opened().execute("SELECT count(*) FROM bookmark").fetchone()[0]
    assert count < 1400
    assert marks.items() == {"a": b"2999"}


@given(st.lists(st.none() | st.integers(-(2**40), 2**63 - 1), min_size=1), st.sampled_from(["auto", "s", "ms", "us", "ns"]))
def test_a_column_of_numbers_has_the_times_of_each_number(numbers, form):
    times, valid = times_of(pa.array(numbers, pa.int64()), form)
    wanted = [None if number is None else parse_time(number, form) for number in numbers]
    assert [int(time) if good else None for time, good in zip(times, valid, strict=True)] == wanted


moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1))


@given(st.lists(moments, min_size=1), st.sampled_from(["iso", "%d.%m.%Y %H:%M:%S.%f", "%Y%m%d %H%M%S.%f"]), st.booleans())
def test_a_column_of_texts_has_the_times_of_each_text(values, form, mixed):
    texts = [value.isoformat() if form == "iso" else value.strftime(form) for value in values]
    texts += ["nonsense"] * mixed
    times, valid = times_of(pa.array(texts), form)
    wanted = [
        (value.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution) * 1000 for value in values
    ]
    assert times[: len(values)].tolist() == wanted
    assert valid.tolist() == [True] * len(values) + [False] * mixed


@given(moments, st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/Sao_Paulo"]))
def test_local_times_are_read_by_arrow_as_by_python(value, zone):
    local = value.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    if local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        return  # a time that the clocks left out
    (quick,), _ = times_of(pa.array([local.replace(tzinfo=None).isoformat()]), "iso", zone)
    (slow, _), _ = times_of(pa.array([local.replace(tzinfo=None).isoformat(), "x"]), "iso", zone)
    assert quick == slow == round(local.timestamp()) * 10**9


@given(st.lists(st.none() | st.integers(0, 2**32 - 1) | st.just(192), min_size=1))
def test_a_column_of_qualities_has_the_code_of_each(values):
    wanted = [0 if value is None else parse_quality(value) for value in values]
    assert qualities_of(pa.array(values, pa.int64())).tolist() == wanted


anything = st.one_of(
    st.lists(st.none() | st.floats()).map(lambda v: pa.array(v, pa.float64())),
    st.lists(st.none() | st.integers(0, 2**64 - 1)).map(lambda v: pa.array(v, pa.uint64())),
    st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=6)).map(lambda v: pa.array(v, pa.string())),
    st.lists(st.none() | st.sampled_from(["1", "1.5", "true", "[1]", "AA==", "1e3", " 7"])).map(
        lambda v: pa.array(v, pa.string())
    ),
    st.lists(st.none() | st.booleans()).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.none() | st.binary(max_size=4)).map(lambda v: pa.array(v, pa.binary())),
    st.lists(st.none() | st.lists(st.integers(-9, 9))).map(lambda v: pa.array(v, pa.list_(pa.int64()))),
    st.lists(st.none() | st.dates()).map(lambda v: pa.array(v, pa.date32())),
)


@given(anything, st.sampled_from(list(StorageClass)))
def test_any_column_becomes_any_storage_class_or_says_which_values_do_not(column, storage):
    values, wrong = to_storage(column, storage)
    assert values.type == value_type(storage)
    assert len(values) == len(column)
    wrong = np.zeros(len(column), np.bool_) if wrong is None else wrong
    for before, after, bad in zip(column.to_pylist(), values.to_pylist(), wrong, strict=True):
        assert (after is None) == (before is None or bool(bad))
        if isinstance(before, float) and storage is StorageClass.INTEGER and not bad:
            assert math.isfinite(before)
            assert after == before


def test_unfit_values_of_a_column_leave_the_others():
    values, wrong = to_storage(pa.array([1, 2**63, None], pa.uint64()), StorageClass.INTEGER)
    assert values.to_pylist() == [1, None, None]
    assert wrong.tolist() == [False, True, False]


rows = st.lists(
    st.tuples(st.integers(0, LATEST // 10**9), st.sampled_from(["a", "b", "x"]), st.none() | st.floats(allow_nan=False)),
    min_size=1,
)


@given(rows, st.sampled_from(["skip", "null"]))
def test_wide_and_long_tables_of_the_same_samples_give_the_same(samples, empty):
    targets = [
        Target(1, "a", StorageClass.DOUBLE),
        Target(2, "b", StorageClass.DOUBLE, 2.0, 1.0),
        Target(3, "a", StorageClass.DOUBLE),
    ]
    times = pa.array([time for time, _, _ in samples])
    long = pa.table(
        {"time": times, "tag": [name for _, name, _ in samples], "value": pa.array([v for _, _, v in samples], pa.float64())}
    )
    wide = pa.table(
        {"time": times}
        | {name: pa.array([value if one == name else None for _, one, value in samples], pa.float64()) for name in "abx"}
    )
    mapping = TableMapping(layout="long", time_format="s", empty=empty)
    one = Rows(mapping, targets).map(long)
    other = Rows(TableMapping(time_format="s"), targets).map(wide)
    assert not one.bad_rows
    assert sorted(_samples(one.columns)) == sorted(_samples(other.columns))
    missing = [status for columns in one.columns for status in columns.status[np.asarray(columns.value.is_null())]]
    assert len(missing) == (
        sum((2 if n == "a" else 1) for _, n, v in samples if v is None and n != "x") if empty == "null" else 0
    )
    assert set(missing) <= {int(Quality.BAD_NO_DATA)}


def _samples(found):
    for columns in found:
        for series, time, value in zip(columns.series, columns.time, columns.value.to_pylist(), strict=True):
            if value is not None:
                yield int(series), int(time), value


def test_a_scale_of_one_point_leaves_those_of_another_type_alone():
    table = pa.table({"time": [1, 1], "tag": ["a", "b"], "value": [3, 4]})
    targets = [Target(1, "a", StorageClass.DOUBLE, 2.0), Target(2, "b", StorageClass.INTEGER)]
    found = Rows(TableMapping(layout="long", time_format="s"), targets).map(table)
    assert sorted(_samples(found.columns)) == [(1, 10**9, 6.0), (2, 10**9, 4)]


def test_rows_without_a_time_or_a_name_are_bad_and_alone():
    table = pa.table({"time": [1, None, 3], "tag": ["a", "a", None], "value": [1.0, 2.0, 3.0]})
    found = Rows(TableMapping(layout="long", time_format="s"), [Target(1, "a", StorageClass.DOUBLE)]).map(table)
    assert found.bad_rows == [1, 2]
    assert list(_samples(found.columns)) == [(1, 10**9, 1.0)]


@pytest.mark.parametrize(("text", "wanted"), [("1e3", 1000), ("7.5", None), ("99999999999999999999", None), (" 12 ", 12)])
def test_integers_in_texts(text, wanted):
    values, _ = to_storage(pa.array([text]), StorageClass.INTEGER)
    assert values.to_pylist() == [wanted]
