"""Foreign bodies: Arrow streams that lie, and documents of any shape."""

from __future__ import annotations

import contextlib
import os
import tracemalloc

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.http.bodies import _check_sizes, arrow_batches, decompressed
from hulian.network.exchange.protocols.http.config import HttpConfiguration, JsonMapping
from hulian.network.exchange.protocols.http.errors import BodyError, HttpError, SizeError
from hulian.network.exchange.protocols.http.intake import Body, Intake
from hulian.network.exchange.protocols.http.keys import Answered, KeyWindow
from hulian.network.exchange.protocols.http.seen import Seen

FUZZ = int(os.environ.get("HULIAN_FUZZ", "1"))


def stream(table: pa.Table, **options) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return out.getvalue().to_pybytes()


TABLE = pa.table(
    {
        "time": pa.array(range(100)),
        "s": pa.array([str(n) for n in range(100)]).dictionary_encode(),
        "v": [[float(n)] for n in range(100)],
    }
)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_the_sizes_that_a_stream_will_take_are_known_before_it_is_read(compression):
    body = stream(TABLE, compression=compression)
    (batch,) = arrow_batches(body, 10**6)
    assert batch.num_rows == 100
    with pytest.raises(SizeError):
        _check_sizes(body, 1000)


@settings(max_examples=300 * FUZZ)
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    st.sampled_from([None, "zstd", "lz4"]),
    st.integers(0, 200),
)
def test_a_damaged_arrow_stream_is_refused_or_valid(damage, compression, cut):
    body = bytearray(stream(TABLE, compression=compression))
    for place, value in damage:
        body[place % len(body)] = value
    try:
        for batch in arrow_batches(bytes(body[: len(body) - cut]), 10**6):
            batch.validate(full=True)
            batch.to_pylist()
    except HttpError:
        pass


@pytest.mark.fuzz
@settings(max_examples=200 * FUZZ)
@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_garbage_is_not_decompressed(garbage, encoding):
    with contextlib.suppress(HttpError):
        assert len(decompressed(garbage, encoding, 10_000)) <= 10_000


def test_broken_bodies_cost_no_memory():
    """Found by ten minutes of fuzzing: pyarrow's `read` loses its buffer where the stream breaks, a mebibyte for each body."""
    broken, limit = b"\x28\xb5\x2f\xfd" + bytes(range(100)), 100_000
    tracemalloc.start()
    try:
        for _ in range(50):
            with pytest.raises(HttpError):
                decompressed(broken, "zstd", limit)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10 * limit


json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "data", "ts", "tag", "val"]), inner, max_size=4)
    ),
    max_leaves=12,
)
mappings = st.builds(
    JsonMapping,
    samples=st.sampled_from(["", "data", "a.b"]),
    time=st.sampled_from(["auto", "", "ts"]),
    quality=st.sampled_from(["", "b"]),
    name=st.sampled_from(["", "tag"]),
    value=st.just("val"),
)


def intake(*mapped: JsonMapping) -> Intake:
    bindings = [
        Binding(series=number, address=f"json:s:{'a' if number < 3 else '$'}", storage=storage)
        for number, storage in enumerate(StorageClass, 1)
    ]
    return Intake(HttpConfiguration(mappings=mapped), bindings, Seen("fuzz", "here"))


@pytest.mark.fuzz
@settings(max_examples=300 * FUZZ)
@given(json, mappings)
def test_any_document_gives_columns_or_says_what_is_wrong(document, mapping):
    try:
        content = msgspec.json.encode(document)
    except (msgspec.MsgspecError, OverflowError, ValueError):
        return
    try:
        taken = intake(mapping).take(Body("json", "s", content, 5))
    except BodyError:
        return
    for columns in taken.columns:
        assert len(columns)
        assert (columns.time >= 0).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=40), st.integers(1, 4))
def test_the_window_of_keys_is_bounded_and_its_changes_tell_all(requests, most):
    window, stored, now = KeyWindow(most, 10e-9), {}, 0
    for key, later in requests:
        now += later
        known = window.begin(str(key), b"d", now)
        if known is not None:
            assert now - known.time <= 10
            continue
        for name, value in window.end(str(key), Answered(now, b"d", 204)).items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = value
        window.give_up(str(key), forget=False)
        assert len(stored) <= most
        again = KeyWindow(most, 10e-9)
        again.load(stored)
        assert again._known == window._known
