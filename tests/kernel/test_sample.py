"""Columns that fit together, or one error; to Arrow and back."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.command import Command
from hulian.kernel.errors import BatchError, IdentifierError
from hulian.kernel.event import Event, Severity
from hulian.kernel.point import Kind, Point
from hulian.kernel.sample import SCHEMAS, BatchHeader, Columns, SampleBatch, value_type
from hulian.kernel.storage import StorageClass

VALUES = {
    StorageClass.DOUBLE: st.floats(),
    StorageClass.INTEGER: st.integers(-(2**63), 2**63 - 1),
    StorageClass.BOOLEAN: st.booleans(),
    StorageClass.TEXT: st.text(st.characters(exclude_categories=("Cs",))),
    StorageClass.BYTES: st.binary(),
    StorageClass.STRUCTURE: st.text(st.characters(exclude_categories=("Cs",))),
}


@st.composite
def columns(draw):
    storage = draw(st.sampled_from(StorageClass))
    count = draw(st.integers(0, 20))

    def column(values):
        return draw(st.lists(values, min_size=count, max_size=count))

    return Columns.of(
        storage,
        column(st.integers(0, 2**64 - 1)),
        column(st.integers(-(2**63), 2**63 - 1)),
        column(st.none() | VALUES[storage]),
        column(st.integers(0, 2**32 - 1)),
    )


@given(columns())
def test_to_arrow_and_back(given_columns):
    batch = given_columns.record_batch()
    batch.validate(full=True)
    assert batch.schema == SCHEMAS[given_columns.storage]
    back = Columns.from_record_batch(given_columns.storage, batch)
    assert len(back) == len(given_columns) == len(SampleBatch(header(), back))
    for name in ("series", "time", "status"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given_columns, name))
        assert getattr(back, name).dtype == getattr(given_columns, name).dtype
    assert back.record_batch().equals(batch) or given_columns.storage is StorageClass.DOUBLE  # NaN is not equal to itself
    assert back.value.null_count == given_columns.value.null_count


def header(**more):
    return BatchHeader(**{"organisation": "o", "source": "s", "epoch": 1, "sequence": 1, "offset": 0, "received": 0, **more})


def test_every_storage_class_has_a_schema():
    assert set(SCHEMAS) == set(StorageClass)
    for storage, schema in SCHEMAS.items():
        assert schema.names == ["series", "time", "value", "status"]
        assert schema.field("value").type == value_type(storage)
        assert [field.nullable for field in schema] == [False, False, True, False]


def test_doubles_take_numpy_as_it_is():
    values = np.array([1.0, 2.0, 3.0])
    made = Columns.doubles([1, 2, 3], [10, 20, 30], values, missing=np.array([False, True, False]))
    assert made.value.to_pylist() == [1.0, None, 3.0]
    assert made.status.tolist() == [0, 0, 0]
    series = np.array([1, 2, 3], np.uint64)
    assert Columns.doubles(series, [1, 2, 3], values).series is series, "nothing is copied"


@pytest.mark.parametrize(
    ("series", "time", "value", "status"),
    [([1], [1, 2], [1.0], [0]), ([1], [1], [1.0, 2.0], [0]), ([1], [1], [1.0], [0, 0]), ([], [1], [], [])],
)
def test_columns_of_different_length(series, time, value, status):
    with pytest.raises(BatchError):
        Columns.of(StorageClass.DOUBLE, series, time, value, status)


@pytest.mark.parametrize(
    ("storage", "series", "value"),
    [
        (StorageClass.DOUBLE, [1], ["x"]),
        (StorageClass.INTEGER, [1], [2**63]),
        (StorageClass.BOOLEAN, [1], [7]),
        (StorageClass.TEXT, [1], [5]),
        (StorageClass.DOUBLE, [-1], [1.0]),
        (StorageClass.DOUBLE, [2**64], [1.0]),
        (StorageClass.DOUBLE, ["a"], [1.0]),
        (StorageClass.DOUBLE, [1], pa.array([1])),
    ],
)
def test_values_that_do_not_fit(storage, series, value):
    with pytest.raises(BatchError):
        Columns.of(storage, series, [1], value)


def test_arrays_of_another_type():
    good = np.array([1], np.uint64), np.array([1], np.int64), pa.array([1.0]), np.array([0], np.uint32)
    Columns(StorageClass.DOUBLE, *good)
    for position, wrong in ((0, np.array([1])), (1, np.array([1.0])), (2, pa.array([1])), (3, np.array([0]))):
        bad = [*good]
        bad[position] = wrong
        with pytest.raises(BatchError):
            Columns(StorageClass.DOUBLE, *bad)


def test_a_record_batch_of_another_schema():
    made = Columns.doubles([1], [1], [1.0]).record_batch()
    with pytest.raises(BatchError):
        Columns.from_record_batch(StorageClass.INTEGER, made)
    with pytest.raises(BatchError):
        Columns.from_record_batch(StorageClass.DOUBLE, made.rename_columns(["a", "b", "c", "d"]))


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=("Cs",))))
def test_a_header_travels(number, text):
    sent = header(organisation=text, source=text, epoch=number, sequence=number, offset=number, received=number)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=BatchHeader) == sent


def test_nouns_travel():
    event = Event(time=1, code="HL-X-1", severity=Severity.ERROR, component="edge", subject="plc", message="m", active=True)
    command = Command(identity="i", principal="p", point="99.1/a#b", value={"a": [1]}, issued=1, expires=2)
    point = Point(name="99.1/a#b", series=2**64 - 1, kind=Kind.STEP, options={"a": 1})
    for noun in (event, command, point):
        assert msgspec.json.decode(msgspec.json.encode(noun), type=type(noun)) == noun
    assert point.thing == "99.1/a"
    with pytest.raises(IdentifierError):
        Point(name="a", series=1)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "99.1/a#b", "series": 1, "colour": "red"}, Point)
