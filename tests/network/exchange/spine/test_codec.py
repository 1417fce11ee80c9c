"""The batch codec: what goes in comes out, and nothing else comes in."""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.codec import (
    ARROW_FROM,
    MAXIMUM_BYTES,
    Dropped,
    decode,
    decode_many,
    encode,
    encode_dropped,
    join,
)
from hulian.network.exchange.spine.errors import CodecError

_TEXT = st.text("aZ09 ß互联😀/#.\0", max_size=20)
_VALUES = {
    StorageClass.DOUBLE: st.floats(width=64),
    StorageClass.INTEGER: st.integers(-(2**63), 2**63 - 1),
    StorageClass.BOOLEAN: st.booleans(),
    StorageClass.TEXT: _TEXT,
    StorageClass.BYTES: st.binary(max_size=20),
    StorageClass.STRUCTURE: _TEXT,
}


@st.composite
def batches(draw: st.DrawFn) -> SampleBatch:
    storage = draw(st.sampled_from(list(StorageClass)))
    count = draw(st.integers(0, 12))
    nullable = draw(st.booleans())
    value = _VALUES[storage] if not nullable else st.none() | _VALUES[storage]
    columns = Columns.of(
        storage,
        draw(st.lists(st.integers(1, 2**64 - 1), min_size=count, max_size=count)),
        draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count)),
        draw(st.lists(value, min_size=count, max_size=count)),
        draw(st.lists(st.sampled_from([0, 0x80000000, 2**32 - 1]), min_size=count, max_size=count)),
    )
    names = st.text("aZ09 ß互联😀/#.", min_size=1, max_size=12)
    small = st.integers(0, 2**62 - 1)
    header = BatchHeader(
        draw(names), draw(names), draw(small), draw(st.integers(1, 2**62 - 1)), draw(small), draw(st.integers(0, 2**63 - 1))
    )
    return SampleBatch(header, columns)


def same(left: Columns, right: Columns) -> bool:
    """Equal to the bit: also a NaN is itself."""
    return (
        left.storage is right.storage
        and all(
            pa.array(a).view(pa.int64()).equals(pa.array(b).view(pa.int64())) if kind == "f" else np.array_equal(a, b)
            for a, b, kind in (
                (left.series, right.series, ""),
                (left.time, right.time, ""),
                (left.status, right.status, ""),
            )
        )
        and _bits(left.value) == _bits(right.value)
    )


def _bits(value: pa.Array) -> list[object]:
    return [struct.pack("<d", item) if isinstance(item, float) else item for item in value.to_pylist()]


@given(batches(), st.booleans())
def test_round_trip(batch: SampleBatch, arrow: bool) -> None:
    found = decode(encode(batch, arrow_from=0 if arrow else ARROW_FROM))
    assert found.header == batch.header
    assert same(found.columns, batch.columns)


@given(st.lists(st.tuples(batches(), st.booleans()), max_size=12))
def test_many_are_read_as_one_by_one(many: list[tuple[SampleBatch, bool]]) -> None:
    raw = [encode(batch, arrow_from=0 if arrow else ARROW_FROM) for batch, arrow in many]
    bulk = decode_many(raw)
    assert not bulk.errors
    assert sorted(place for group in bulk.groups for place in group.places.tolist()) == list(range(len(raw)))
    for group in bulk.groups:
        wanted = Columns.concatenate([many[place][0].columns for place in group.places.tolist()])
        assert same(wanted, Columns.concatenate(group.columns))
        for number, place in enumerate(group.places.tolist()):
            header = many[place][0].header
            assert (header.source, header.epoch, header.sequence, header.offset, header.received) == (
                group.source,
                group.epoch[number],
                group.sequence[number],
                group.offset[number],
                group.received[number],
            )


@given(st.lists(batches(), min_size=1, max_size=6), st.data())
def test_what_is_not_kept_leaves_no_row(many: list[SampleBatch], data: st.DataObject) -> None:
    bulk = decode_many([encode(batch) for batch in many])
    for group in bulk.groups:
        keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(group.places), max_size=len(group.places))))
        kept = [many[place].columns for place, stays in zip(group.places.tolist(), keep, strict=True) if stays]
        assert sum(len(part) for part in group.kept(keep)) == sum(len(part) for part in kept)
        if kept:
            assert same(Columns.concatenate(kept), Columns.concatenate(group.kept(keep)))


@given(st.lists(st.tuples(batches(), st.booleans(), st.booleans()), max_size=12))
def test_messages_of_several_shapes_are_joined_in_the_order_in_which_they_came(many) -> None:
    """Of two samples of one instant the later one is valid, whatever the shape of the messages that brought them."""
    bulk = decode_many([encode(batch, arrow_from=0 if arrow else ARROW_FROM) for batch, arrow, _ in many])
    stays = np.array([keep for _, _, keep in many], np.bool_)
    found = join(bulk.groups, [stays[group.places] for group in bulk.groups])
    wanted = {}
    for batch, _, keep in many:
        if keep and len(batch.columns):
            wanted.setdefault(batch.columns.storage, []).append(batch.columns)
    assert [columns.storage for columns in found] == [storage for storage in StorageClass if storage in wanted]
    assert all(same(Columns.concatenate(wanted[columns.storage]), columns) for columns in found)


_NUMBER = st.integers(0, 2**62 - 1)


@given(st.text("aZ09 ß互联😀/#.", min_size=1, max_size=12), st.lists(_NUMBER, min_size=6, max_size=6), batches())
def test_a_declaration_comes_back_and_is_no_batch(name: str, numbers: list[int], batch: SampleBatch) -> None:
    first, last = sorted((numbers[0] or 1, numbers[1] or 1))
    offset, end = sorted(numbers[2:4])
    declared = Dropped("o", name, numbers[4], first, last, offset, end, numbers[5])
    raw = encode_dropped(declared)
    bulk = decode_many([encode(batch), raw])
    assert bulk.dropped == [declared._replace(place=1)]
    assert [group.places.tolist() for group in bulk.groups] == [[0]]
    assert not bulk.errors
    with pytest.raises(CodecError, match="no batch"):
        decode(raw)


@pytest.mark.fuzz
@given(st.data())
def test_a_damaged_declaration_is_refused_or_read_whole(data: st.DataObject) -> None:
    raw = bytearray(encode_dropped(Dropped("o", "s", 1, 3, 9, 30, 90, 7)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(raw), bytes(raw[: data.draw(st.integers(0, len(raw)))]), bytes(raw) + b"\0"):
        for found in decode_many([damaged]).dropped:
            assert 0 < found.first <= found.last
            assert found.offset <= found.end


def test_a_range_that_is_none_is_refused_when_written() -> None:
    for first, last, offset, end in ((0, 1, 0, 1), (2, 1, 0, 1), (1, 1, 2, 1), (1, 2**62, 0, 1)):
        with pytest.raises(CodecError):
            encode_dropped(Dropped("o", "s", 1, first, last, offset, end, 0))


@pytest.mark.fuzz
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_not_fatal(raw: bytes) -> None:
    with pytest.raises(CodecError):
        decode(raw)


@pytest.mark.fuzz
@settings(max_examples=400)
@given(batches(), st.booleans(), st.data())
def test_damaged_batches_are_refused_or_read_whole(batch: SampleBatch, arrow: bool, data: st.DataObject) -> None:
    raw = bytearray(encode(batch, arrow_from=0 if arrow else ARROW_FROM))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut]), bytes(raw) + b"\0"):
        bulk = decode_many([damaged, encode(batch)])
        places = [place for group in bulk.groups for place in group.places.tolist()]
        assert 1 in places, "a good message suffers from a bad neighbour"
        for group in bulk.groups:
            for columns in group.columns:
                columns.value.validate(full=True)
                assert columns.series.all()


def _header(**changes: int) -> bytes:
    fields = {"form": 1, "storage": 0, "flags": 0, "version": 1, "org": 1, "source": 1, "reserved": 0, "count": 1} | changes
    return struct.pack("<2sBBBBHHHI", b"HL", *fields.values()) + b"os" + struct.pack("<QQQq", 1, 1, 0, 0)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (_header(count=2**32 - 1), "longer than"),
        (_header(count=1_000_000), "do not hold"),
        (_header(count=999_999, storage=3), "do not hold"),
        (_header(org=1000), "ends within its header"),
        (_header(org=0), "1 to 1024"),
        (_header(version=99), "version 99"),
        (_header(storage=6), "does not exist"),
        (_header(form=4), "later version"),
        (_header(form=3, count=0), "one range"),
        (_header(form=3, count=1) + bytes(16), "one range"),
        (_header(form=3, count=0) + struct.pack("<QQ", 0, 1), "out of range"),
        (_header(form=3, count=0) + struct.pack("<QQ", 2**62, 1), "out of range"),
        (_header(form=3, count=0) + struct.pack("<QQ", 1, 2**62), "before they begin"),
        (_header(flags=128), "later version"),
        (b"HL" + bytes(MAXIMUM_BYTES), "larger than"),
        (_header(form=2), "without its body"),
    ],
)
def test_limits_are_checked_before_anything_is_allocated(raw: bytes, words: str) -> None:
    with pytest.raises(CodecError, match=words):
        decode(raw)


def test_a_sample_without_series_is_refused() -> None:
    batch = SampleBatch(BatchHeader("o", "s", 1, 1, 0, 0), Columns.doubles([0, 7], [1, 2], [1.0, 2.0]))
    for arrow in (0, ARROW_FROM):
        with pytest.raises(CodecError, match="id 0"):
            decode(encode(batch, arrow_from=arrow))


def test_compressed_arrow_is_refused() -> None:
    columns = Columns.doubles(np.arange(1, 5001), np.arange(5000), np.zeros(5000))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, columns.record_batch().schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(columns.record_batch())
    with pytest.raises(CodecError, match="compressed"):
        decode(_header(form=2, count=5000) + sink.getvalue().to_pybytes())


def test_large_batches_travel_as_arrow_and_small_ones_packed() -> None:
    def sent(count: int) -> bytes:
        header = BatchHeader("o", "s", 1, 1, 0, 0)
        return encode(SampleBatch(header, Columns.doubles(np.arange(1, count + 1), np.arange(count), np.zeros(count))))

    assert sent(ARROW_FROM - 1)[2] == 1
    assert sent(ARROW_FROM)[2] == 2
    assert len(sent(1)) == 52 + 2 + 24 - 4


def test_too_much_is_refused_when_written() -> None:
    text = pa.array(["x" * (MAXIMUM_BYTES + 1)])
    with pytest.raises(CodecError, match="larger than"):
        encode(SampleBatch(BatchHeader("o", "s", 1, 1, 0, 0), Columns.of(StorageClass.TEXT, [1], [1], text)))
    with pytest.raises(CodecError, match="out of range"):
        encode(SampleBatch(BatchHeader("o", "s", -1, 1, 0, 0), Columns.doubles([1], [1], [1.0])))
    with pytest.raises(CodecError, match="names"):
        encode(SampleBatch(BatchHeader("o", "", 1, 1, 0, 0), Columns.doubles([1], [1], [1.0])))


def test_a_slice_is_encoded_as_what_it_shows() -> None:
    whole = pa.array(["a", None, "ccc", "d"])
    columns = Columns.of(StorageClass.TEXT, [1, 2], [1, 2], whole[1:3])
    assert decode(encode(SampleBatch(BatchHeader("o", "s", 1, 1, 0, 0), columns))).columns.value.to_pylist() == [None, "ccc"]
    flags = pa.array([True, False, None, True, True])
    columns = Columns.of(StorageClass.BOOLEAN, [1, 2, 3], [1, 2, 3], flags[1:4])
    assert decode(encode(SampleBatch(BatchHeader("o", "s", 1, 1, 0, 0), columns))).columns.value.to_pylist() == [
        False,
        None,
        True,
    ]
