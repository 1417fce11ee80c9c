"""Computed points, windows and rules over columns: against a reading sample by sample, whatever the batches."""

from __future__ import annotations

import itertools
import math
import statistics

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.processing.engine import Engine
from hulian.platform.edge.processing.plan import Known, ProcessingSettings, Source
from hulian.platform.edge.processing.rules import What

SECOND = 1_000_000_000
SERIES = {"a": 11, "b": 12, "c": 13}
POINTS = {
    f"99.1/t#{name}": Source(
        series=series, connector="plc", address=name, storage=StorageClass.DOUBLE, writable=True, low=0, high=9
    )
    for name, series in SERIES.items()
}
INPUTS = {name: f"99.1/t#{name}" for name in SERIES}


def settings_of(**given):
    document = {"known": msgspec.to_builtins(Known(points=POINTS, commanders=("eve",))), **given}
    return msgspec.convert(document, ProcessingSettings)


def point(series, **options):
    if "expression" in options:
        options.setdefault("inputs", INPUTS)
    return Binding(series=series, address=f"point {series}", storage=StorageClass.DOUBLE, options=options)


def engine(*bindings, **given):
    made = Engine(settings_of(**given), bindings)
    assert made.refused == []
    return made


def columns_of(samples):
    series, times, numbers, status = zip(*samples, strict=True)
    values = pa.array(numbers, pa.float64())
    return Columns.of(StorageClass.DOUBLE, [SERIES[name] for name in series], [time * SECOND for time in times], values, status)


def rows(parts):
    return [
        (int(series), int(time) / SECOND, value, int(status))
        for part in parts
        for series, time, value, status in zip(part.series, part.time, part.value.to_pylist(), part.status, strict=True)
    ]


def fed(made, *samples):
    return rows(made.feed(columns_of([(*sample, 0)[:4] for sample in samples])).columns)


def test_the_others_have_their_last_value_at_the_time_of_the_trigger():
    made = engine(point(1, expression="a + b", triggers=["a"]))
    found = fed(made, ("b", 1, 10.0), ("b", 2, 20.0), ("b", 3, 30.0), ("a", 2, 1.0), ("a", 5, 2.0))
    assert found == [(1, 2.0, 21.0, 0), (1, 5.0, 32.0, 0)]


def test_the_worst_quality_goes_on_and_a_bad_one_takes_the_value():
    made = engine(point(1, expression="a + b"))
    assert fed(made, ("a", 1, 1.0)) == [(1, 1.0, None, Quality.BAD_WAITING_FOR_INITIAL_DATA)]
    assert fed(made, ("b", 2, 1.0, int(Quality.UNCERTAIN_SENSOR_NOT_ACCURATE))) == [
        (1, 2.0, 2.0, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE)
    ]
    assert fed(made, ("a", 3, 5.0, int(Quality.BAD_SENSOR_FAILURE))) == [(1, 3.0, None, Quality.BAD_SENSOR_FAILURE)]
    assert fed(made, ("a", 4, None)) == [(1, 4.0, None, Quality.BAD_NO_DATA)]


def test_what_is_not_defined_is_out_of_range():
    made = engine(point(1, expression="1 / a"))
    assert fed(made, ("a", 1, 0.0), ("a", 2, 4.0)) == [(1, 1.0, None, Quality.BAD_OUT_OF_RANGE), (1, 2.0, 0.25, 0)]


def test_an_old_input_makes_the_result_uncertain():
    made = engine(point(1, expression="a + b", triggers=["a"], stale_s=5))
    found = fed(made, ("b", 0, 1.0), ("a", 5, 1.0), ("a", 6, 1.0))
    assert [status for *_, status in found] == [0, Quality.UNCERTAIN_LAST_USABLE_VALUE]


def test_integers_and_booleans_are_numbers_too():
    kinds = {"99.1/t#a": StorageClass.INTEGER, "99.1/t#b": StorageClass.BOOLEAN}
    points = {
        name: Source(series=series, connector="plc", address=name, storage=storage)
        for series, (name, storage) in enumerate(kinds.items(), 1)
    }
    made = Engine(ProcessingSettings(known=Known(points=points)), [point(9, expression="if({99.1/t#b}, {99.1/t#a}, -1)")])
    made.feed(Columns.of(StorageClass.INTEGER, [1], [SECOND], [41]))
    assert rows(made.feed(Columns.of(StorageClass.BOOLEAN, [2], [SECOND], [True])).columns) == [(9, 1.0, 41.0, 0)]


@pytest.mark.parametrize(
    ("options", "place", "hint"),
    [
        ({"expression": "a + tru"}, "expression", "did you mean 'true'"),
        ({"expression": "{99.1/t#aa}"}, "expression", "'99.1/t#a'"),
        ({"expression": "1 + 1"}, "expression", ""),
        ({"expression": "a", "triggers": ["b"]}, "triggers", "99.1/t#a"),
        ({"expresion": "a"}, "expresion", "'expression'"),
        ({}, "point 1, options", ""),
        ({"window": {"of": "99.1/t#a", "function": "men", "length_s": 1}}, "window.function", "'mean'"),
        ({"window": {"of": "99.1/t#a", "function": "mean", "length_s": 10, "slide_s": 3}}, "window.slide_s", "multiple"),
        ({"window": {"of": "99.1/t#z", "function": "mean", "length_s": 10}}, "window.of", ""),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_its_neighbours_go_on(options, place, hint):
    if "expression" in options:
        options["inputs"] = INPUTS
    wrong = Binding(series=1, address="point 1", storage=StorageClass.DOUBLE, options=options)
    made = Engine(settings_of(), [wrong, point(2, expression="a")])
    (refusal,) = made.refused
    assert (refusal.series, place in refusal.error.place, hint in refusal.error.hint) == (1, True, True), refusal.error
    assert fed(made, ("a", 1, 1.0)) == [(2, 1.0, 1.0, 0)]


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("function", ["mean", "min", "max", "sum", "count", "stddev", "first", "last"])
def test_a_tumbling_window_is_what_statistics_says(function):
    numbers = [3.0, 8.0, -1.0, 4.5]
    made = engine(point(1, window={"of": "99.1/t#a", "function": function, "length_s": 10, "lateness_s": 0}))
    samples = [("a", second, number) for second, number in zip((0, 2, 5, 9), numbers, strict=True)]
    ((_, time, value, status),) = fed(made, *samples, ("a", 10, 100.0))
    known = {"mean": statistics.mean, "min": min, "max": max, "sum": sum, "count": len, "stddev": statistics.stdev}
    expected = {**known, "first": lambda all_: all_[0], "last": lambda all_: all_[-1]}[function](numbers)
    assert (time, value, status) == (10.0, pytest.approx(expected), 0)


def test_a_sliding_window_waits_for_what_is_late_within_its_bound():
    window = {"of": "99.1/t#a", "function": "sum", "length_s": 20, "slide_s": 10, "lateness_s": 5}
    made = engine(point(1, window=window))
    found = fed(made, ("a", 1, 1.0), ("a", 12, 2.0), ("a", 9, 4.0), ("a", 15, 8.0), ("a", 8, 100.0), ("a", 40, 0.0))
    assert [(time, value) for _, time, value, _ in found] == [(10.0, 5.0), (20.0, 15.0), (30.0, 10.0)]


def test_a_window_is_closed_by_the_clock_and_a_silence_is_told_once():
    made = engine(point(1, window={"of": "99.1/t#a", "function": "mean", "length_s": 10, "lateness_s": 2}))
    assert fed(made, ("a", 3, 4.0)) == []
    assert rows(made.advance(11 * SECOND).columns) == []
    assert rows(made.advance(12 * SECOND).columns) == [(1, 10.0, 4.0, 0)]
    assert rows(made.advance(10**9 * SECOND).columns) == [(1, 20.0, None, Quality.BAD_NO_DATA)]
    assert fed(made, ("a", 10**9 + 5, 1.0)) == []
    assert len(rows(made.advance((10**9 + 40) * SECOND).columns)) == 2


# ---------------------------------------------------------------- rules


def rule(**given):
    return {"name": "high", "when": "a > 5", "inputs": INPUTS, **given}


def changes(made, *samples):
    found = made.feed(columns_of([(*sample, 0)[:4] for sample in samples])).changes
    return [(change.time / SECOND, change.what) for change in found]


def test_a_rule_begins_after_its_hold_and_ends_with_its_hysteresis():
    made = engine(rules=[rule(hold_s=5, until="a < 4")])
    assert changes(made, ("a", 0, 6.0), ("a", 3, 5.0), ("a", 4, 6.0)) == []
    assert made.advance(8 * SECOND).changes == []
    assert [(change.time / SECOND, change.what) for change in made.advance(10 * SECOND).changes] == [(9.0, What.BEGUN)]
    assert changes(made, ("a", 11, 4.5), ("a", 12, None), ("a", 13, 3.0)) == [(13.0, What.ENDED)]


def test_a_rule_that_flaps_is_switched_off_for_a_while():
    made = engine(rules=[rule(flaps=2, flap_window_s=100, rest_s=50)])
    found = changes(made, *(("a", second, 6.0 if second % 2 else 0.0) for second in range(12)))
    assert [what for _, what in found] == [What.BEGUN, What.ENDED, What.BEGUN, What.ENDED, What.SWITCHED_OFF]
    assert changes(made, ("a", 60, 6.0)) == [(55.0, What.SWITCHED_ON), (60.0, What.BEGUN)]


@pytest.mark.parametrize(
    ("command", "allowed", "message"),
    [
        ({"value": 10.5}, ["99.1/t#c"], "outside 0.0"),
        ({"owner": "mallory"}, ["99.1/t#c"], "may not send commands"),
        ({}, [], "rules may not write"),
        ({"point": "99.1/t#x"}, ["99.1/t#x"], "there is no point"),
    ],
)
def test_a_rule_writes_only_where_everything_allows_it(command, allowed, message):
    given = rule(command={"point": "99.1/t#c", "value": 1, "owner": "eve", **command})
    made = Engine(settings_of(rules=[given], commands=allowed), [])
    assert message in made.refused[0].error.message
    assert made.entries == []


# ---------------------------------------------------------------- whatever the batches

NUMBER = st.one_of(st.integers(-8, 8).map(float), st.sampled_from([0.5, math.nan, None]))
STATUS = st.sampled_from([0, 0, 0, int(Quality.UNCERTAIN), int(Quality.BAD)])
SAMPLES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), NUMBER, STATUS), min_size=1, max_size=50)


def everything():
    return engine(
        point(1, expression="a + b", triggers=["a"]),
        point(2, expression="a + b", inputs={"a": INPUTS["c"], "b": INPUTS["a"]}),
        point(3, expression="if(b > 0, a / b, 1) ** 2", stale_s=3),
        point(4, window={"of": "99.1/t#a", "function": "sum", "length_s": 6, "slide_s": 2, "lateness_s": 1}),
        point(5, window={"of": "99.1/t#b", "function": "last", "length_s": 4, "lateness_s": 0}),
        rules=[rule(hold_s=2, until="b < 0", flaps=3), rule(name="other", when="c > a")],
        back_s=5,
    )


def by_series(outcomes):
    found = {}
    for outcome in outcomes:
        for series, *rest in rows(outcome.columns):
            found.setdefault(series, []).append(repr(rest))
        for change in outcome.changes:
            found.setdefault(("rule", change.rule), []).append(change)
    return found


@settings(max_examples=100)
@given(samples=SAMPLES, cuts=st.lists(st.integers(0, 50), max_size=8), snapshot=st.booleans())
def test_how_samples_came_in_batches_does_not_matter_nor_does_a_snapshot(samples, cuts, snapshot):
    whole, split = everything(), everything()
    expected = [whole.feed(columns_of(samples))]
    found = []
    edges = sorted({0, len(samples), *(cut for cut in cuts if cut < len(samples))})
    for begin, end in itertools.pairwise(edges):
        found.append(split.feed(columns_of(samples[begin:end])))
        if snapshot:
            again = everything()
            again.load(split.snapshot())
            again.remember(msgspec.msgpack.decode(msgspec.msgpack.encode(split.marks())))
            split = again
    assert by_series(found) == by_series(expected)
    assert by_series([split.advance(100 * SECOND)]) == by_series([whole.advance(100 * SECOND)])


@settings(max_examples=100)
@given(samples=SAMPLES)
def test_the_last_known_values_are_those_of_a_reading_sample_by_sample(samples):
    found = rows(engine(point(1, expression="a * 100 + b", triggers=["a"]), back_s=5).feed(columns_of(samples)).columns)
    expected, history = [], {"a": [], "b": [], "c": []}
    for name, time, number, status in samples:
        if history[name] and time < history[name][-1][0]:
            continue
        history[name].append((time, number, status))
        if name != "a":
            continue
        b = [entry for entry in history["b"] if entry[0] <= time]
        if not history["b"]:
            known = (None, int(Quality.BAD_WAITING_FOR_INITIAL_DATA))
        elif not b or time < history["b"][-1][0] - 5:
            known = (None, int(Quality.BAD_NO_DATA))
        else:
            known = b[-1][1:]
        expected.append((1, float(time), *combined((number, status), known)))
    assert repr(found) == repr(expected)


def combined(*inputs):
    inputs = [(value, int(Quality.BAD_NO_DATA) if value is None and not status >> 31 else status) for value, status in inputs]
    worst = max((status for _, status in inputs), key=lambda status: status >> 30)
    if worst >> 31:
        return None, worst
    result = inputs[0][0] * 100 + inputs[1][0]
    return (None, int(Quality.BAD_OUT_OF_RANGE)) if math.isnan(result) else (result, worst)


def test_every_refusal_is_an_error_of_the_house():
    made = Engine(settings_of(rules=[rule(), rule(), rule(name="x", when="a >")]), [])
    assert all(isinstance(refusal.error, HulianError) and refusal.error.place for refusal in made.refused)
    assert len(made.refused) == 2
