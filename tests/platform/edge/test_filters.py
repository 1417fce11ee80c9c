"""The filters of points: what each lets through, that batches do not matter, and that a wrong one names its place."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.edge.processing.bank import FilterBank
from hulian.platform.edge.processing.declaration import filters_of
from hulian.platform.edge.processing.units import UNITS, conversion

SECOND = 1_000_000_000


def bank(filters, *, storage=StorageClass.DOUBLE, described=None, series=(1,)):
    options = {"filters": filters, "described": described or {}}
    declared = {one: filters_of(options, storage, place="point") for one in series}
    made = FilterBank(declared)
    made.storages(dict.fromkeys(series, storage))
    return made


def through(made, values, times=None, status=None, series=1, storage=StorageClass.DOUBLE, now=0):
    times = [index * SECOND for index in range(len(values))] if times is None else times
    columns = Columns.of(storage, [series] * len(values), times, values, status)
    return rows(made.apply(columns, now)[0])


def rows(parts):
    return [
        (int(series), int(time), value, int(status))
        for part in parts
        for series, time, value, status in zip(part.series, part.time, part.value.to_pylist(), part.status, strict=True)
    ]


def values(found):
    return [value for _, _, value, _ in found]


def test_scale_follows_the_unit_and_clamps_say_so():
    made = bank({"unit": {"source": "[degF]"}, "scale": {"offset": 1.0}, "clamp": {"high": 101.5}}, described={"unit": "Cel"})
    found = through(made, [32.0, 212.0, 300.0, None], status=[0, 0, 0, Quality.BAD_NO_DATA])
    assert values(found)[:2] == pytest.approx([1.0, 101.0])
    assert found[2][2:] == (101.5, Quality.GOOD_CLAMPED)
    assert found[3][2:] == (None, Quality.BAD_NO_DATA)


def test_a_clamp_leaves_the_status_of_what_was_not_good():
    found = through(bank({"clamp": {"low": 0}}), [-1.0, -1.0], status=[Quality.UNCERTAIN, Quality.GOOD])
    assert [(value, status) for _, _, value, status in found] == [(0.0, Quality.UNCERTAIN), (0.0, Quality.GOOD_CLAMPED)]


def test_a_deadband_compares_with_what_passed():
    made = bank({"deadband": {"absolute": 1.0}})
    assert values(through(made, [0.0, 0.6, 1.0, 1.2, 1.9, 2.3])) == [0.0, 1.2, 2.3]
    percent = bank({"deadband": {"percent": 10}}, described={"low": 100, "high": 200})
    assert values(through(percent, [100.0, 109.0, 110.5])) == [100.0, 110.5]


def test_report_by_exception_has_a_heartbeat_and_sees_the_status():
    made = bank({"report": {"heartbeat_s": 3}})
    status = [0, 0, 0, 0, 0, Quality.UNCERTAIN]
    found = through(made, [5.0] * 6, status=status)
    assert [time // SECOND for _, time, _, _ in found] == [0, 3, 5]


@pytest.mark.parametrize(
    ("storage", "given"),
    [
        (StorageClass.TEXT, ["a", "a", "b", None, None, "b"]),
        (StorageClass.INTEGER, [2**53, 2**53, 2**53 + 1, None, None, 2**53 + 1]),
        (StorageClass.BOOLEAN, [True, True, False, None, None, False]),
        (StorageClass.BYTES, [b"a", b"a", b"b", None, None, b"b"]),
        (StorageClass.DOUBLE, [0.0, -0.0, float("inf"), None, None, float("inf")]),
    ],
)
def test_every_storage_class_reports_by_exception(storage, given):
    found = through(bank({"report": {}}, storage=storage), given, storage=storage)
    assert values(found) == [given[0], given[2], None, given[5]]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("first", [(0, 1.0), (10, 7.0), (20, 0.0)]),
        ("last", [(9, 3.0), (10, 7.0)]),
        ("mean", [(9, 3.0), (10, 7.0)]),
        ("extremes", [(0, 1.0), (5, 5.0), (10, 7.0)]),
    ],
)
def test_a_rate_limit_keeps_one_sample_an_interval(keep, expected):
    made = bank({"rate": {"interval_s": 10, "keep": keep}})
    times = [second * SECOND for second in (0, 5, 9, 10, 3, 20)]
    found = through(made, [1.0, 5.0, 3.0, 7.0, 100.0, 0.0], times)
    assert [(time // SECOND, value) for _, time, value, _ in found] == expected


def test_an_interval_ends_by_the_clock_too():
    made = bank({"rate": {"interval_s": 10}})
    assert through(made, [1.0, 2.0]) == []
    assert made.tick(10 * SECOND)[0] == []
    assert values(rows(made.tick(12 * SECOND)[0])) == [2.0]
    assert made.tick(13 * SECOND)[0] == []
    assert made.filtered == 1


def test_what_is_silent_becomes_stale_once_and_ends_with_a_sample():
    made = bank({"stale": {"after_s": 5}}, described={"name": "a#b"}, series=(1, 2))
    through(made, [4.5], now=0)
    made.tick(0)
    assert made.tick(5 * SECOND) == ([], [])
    found, changes = made.tick(6 * SECOND)
    assert rows(found) == [
        (1, 6 * SECOND, 4.5, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE),
        (2, 6 * SECOND, None, Quality.BAD_NO_COMMUNICATION),
    ]
    assert [(change.series, change.name, change.stale) for change in changes] == [(1, "a#b", True), (2, "a#b", True)]
    assert made.tick(20 * SECOND) == ([], [])
    _, fresh = made.apply(Columns.doubles([2], [0], [1.0]), 21 * SECOND)
    assert [(change.series, change.stale) for change in fresh] == [(2, False)]


def test_what_has_no_filters_passes_and_what_has_wrong_ones_turns_bad():
    made = FilterBank({}, refused=[7])
    parts, _ = made.apply(Columns.doubles([1, 7], [1, 2], [1.5, 2.5]), 0)
    assert rows(parts) == [(1, 1, 1.5, 0), (7, 2, None, Quality.BAD_CONFIGURATION_ERROR)]


@pytest.mark.parametrize(
    ("filters", "storage", "place", "hint"),
    [
        ({"deadbnd": {}}, "double", "options.filters: deadbnd", "'deadband'"),
        ({"clamp": {"lowest": 1}}, "double", "clamp.lowest", "'low'"),
        ({"clamp": {"low": 2, "high": 1}}, "double", "filters.clamp", ""),
        ({"clamp": {}}, "double", "filters.clamp", ""),
        ({"deadband": {"percent": 101}}, "double", "deadband.percent", ""),
        ({"deadband": {"percent": 1}}, "double", "deadband.percent", "low"),
        ({"deadband": {}}, "double", "filters.deadband", ""),
        ({"rate": {"interval_s": 0}}, "double", "rate.interval_s", ""),
        ({"unit": {"source": "barr", "target": "bar"}}, "double", "filters.unit", "'bar'"),
        ({"unit": {"source": "bar", "target": "Cel"}}, "double", "filters.unit", ""),
        ({"scale": {"factor": 0}}, "double", "filters.scale", ""),
        ({"scale": {"factor": 2}}, "integer", "filters", "report"),
        ({"rate": {"interval_s": 1, "keep": "mean"}}, "text", "filters", "report"),
    ],
)
def test_a_mistake_has_its_place_and_a_hint(filters, storage, place, hint):
    with pytest.raises(HulianError) as caught:
        filters_of({"filters": filters}, StorageClass(storage), place="options")
    assert place in caught.value.place
    assert hint in caught.value.hint


# Numbers that add without rounding, so that a mean does not hang on the order of additions.
NUMBER = st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, 7.0, -3.0, 100.0, float("nan"), float("inf"), None])
SAMPLE = st.tuples(
    st.integers(1, 6), st.integers(0, 40), NUMBER, st.sampled_from([0, 0, 0, int(Quality.UNCERTAIN), int(Quality.BAD)])
)
FILTERS = {
    1: {"deadband": {"absolute": 1.0}},
    2: {"report": {"heartbeat_s": 5}},
    3: {"rate": {"interval_s": 4, "keep": "mean"}, "scale": {"factor": 2}},
    4: {"rate": {"interval_s": 4, "keep": "extremes"}, "clamp": {"low": 0, "high": 6}},
    5: {"rate": {"interval_s": 4}, "report": {}},
    6: {"rate": {"interval_s": 4, "keep": "first"}},
}


def all_filters():
    made = FilterBank(
        {one: filters_of({"filters": filters}, StorageClass.DOUBLE, place="") for one, filters in FILTERS.items()}
    )
    made.storages({})
    return made


def columns_of(samples):
    series, times, numbers, status = zip(*samples, strict=True)
    return Columns.of(StorageClass.DOUBLE, series, [time * SECOND for time in times], pa.array(numbers, pa.float64()), status)


def by_series(parts):
    found = {}
    for series, *rest in rows(parts):
        found.setdefault(series, []).append(repr(rest))
    return found


@settings(max_examples=100, deadline=None)
@given(samples=st.lists(SAMPLE, min_size=1, max_size=60), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_how_samples_came_in_batches_does_not_matter(samples, cuts):
    whole, split = all_filters(), all_filters()
    expected = whole.apply(columns_of(samples), 0)[0]
    found = []
    edges = sorted({0, len(samples), *(cut for cut in cuts if cut < len(samples))})
    for begin, end in itertools.pairwise(edges):
        found += split.apply(columns_of(samples[begin:end]), 0)[0]
    assert by_series(found) == by_series(expected)
    assert by_series(split.close()) == by_series(whole.close())
    assert split.filtered == whole.filtered


@settings(max_examples=80, deadline=None)
@given(samples=st.lists(st.tuples(st.integers(0, 30), NUMBER), min_size=30, max_size=80))
def test_a_long_series_walked_alone_and_many_in_step_agree(samples):
    """The two ways of the gate: one series of many samples, and the same in batches of one."""
    plan = {"deadband": {"absolute": 1.0}, "report": {"heartbeat_s": 7}}
    walked, stepped = bank(plan), bank(plan)
    every = [(1, time, number, 0) for time, number in samples]
    expected = [part for sample in every for part in stepped.apply(columns_of([sample]), 0)[0]]
    assert by_series(walked.apply(columns_of(every), 0)[0]) == by_series(expected)


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("Cel", "K", 20, 293.15),
        ("[degF]", "Cel", -40, -40),
        ("bar", "[psi]", 1, 14.503773773),
        ("kPa", "bar", 250, 2.5),
        ("m3/h", "L/min", 6, 100),
        ("[gal_us]/min", "L/min", 1, 3.785411784),
        ("km/h", "m/s", 36, 10),
        ("kW.h", "MJ", 1, 3.6),
        ("[HP]", "kW", 1, 0.74569987158),
        ("%", "1", 50, 0.5),
        ("circ", "deg", 1, 360),
    ],
)
def test_units_convert(source, target, value, expected):
    linear = conversion(source, target)
    assert value * linear.factor + linear.offset == pytest.approx(expected, rel=1e-9)


def test_every_conversion_goes_back():
    for source, (dimension, _) in UNITS.items():
        for target in (code for code, (other, _) in UNITS.items() if other == dimension):
            there, back = conversion(source, target), conversion(target, source)
            found = (np.array([-40.0, 0.0, 3.7]) * there.factor + there.offset) * back.factor + back.offset
            assert found == pytest.approx([-40.0, 0.0, 3.7], rel=1e-9, abs=1e-6)
