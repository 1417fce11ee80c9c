"""A sample batch as bytes, and back: packed columns for small batches, Arrow IPC for large ones.

Both forms begin alike, so that a router reads who sent what without touching the columns (all little endian)::

    0   magic "HL" | form u8 (1 packed, 2 Arrow) | storage u8 | flags u8 | schema version u8
    6   organisation length u16 | source length u16 | reserved u16 (0)
    12  count u32
    16  organisation, source (UTF-8)
    +0  epoch u64 | sequence u64 | offset u64 | received i64

Packed columns follow: series u64[n], time i64[n], status u32[n] (absent where all are good), a validity bitmap of
ceil(n/8) bytes (absent where every sample has a value), then values: f64[n], i64[n], u8[n], or offsets u32[n+1] and data.
The Arrow form holds one IPC stream of one uncompressed record batch of `hulian.kernel.sample.SCHEMAS`.

Every length is checked against the bytes at hand before anything is allocated from it. `decode_many` is the way of
ingest: messages of one layout are read by one numpy structured view, whatever their number.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.errors import BatchError
from hulian.kernel.sample import SCHEMA_VERSION, BatchHeader, Columns, SampleBatch, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.errors import CodecError

__all__ = ["ARROW_FROM", "MAXIMUM_BYTES", "MAXIMUM_COUNT", "Bulk", "Group", "decode", "decode_many", "encode", "join"]

MAXIMUM_BYTES: Final = 8 * 2**20
"""Largest message, and so the largest batch, that the spine carries."""

MAXIMUM_COUNT: Final = 1_000_000
"""Most samples in one batch."""

ARROW_FROM: Final = 4096
"""Batches of this many samples and more travel as Arrow."""

_MAGIC: Final = b"HL"
_PACKED, _ARROW = 1, 2
_WITH_STATUS, _WITH_NULLS = 1, 2
_PREFIX = struct.Struct("<2sBBBBHHHI")
_NUMBERS = struct.Struct("<QQQq")
_NAME_LIMIT: Final = 1024
_BEYOND: Final = 2**62

_STORAGES: Final = tuple(StorageClass)
_NUMBER_OF = {storage: number for number, storage in enumerate(_STORAGES)}
_FIXED: Final[dict[StorageClass, np.dtype[Any]]] = {
    StorageClass.DOUBLE: np.dtype("<f8"),
    StorageClass.INTEGER: np.dtype("<i8"),
    StorageClass.BOOLEAN: np.dtype("u1"),
}


def encode(batch: SampleBatch, *, arrow_from: int = ARROW_FROM) -> bytes:
    """The bytes of ``batch``; raises `CodecError` where it is larger than the spine carries."""
    header, columns = batch.header, batch.columns
    count = len(columns)
    if count > MAXIMUM_COUNT:
        raise CodecError(f"a batch of {count} samples is longer than {MAXIMUM_COUNT}", place=header.source)
    organisation, source = header.organisation.encode(), header.source.encode()
    if not 0 < len(organisation) <= _NAME_LIMIT or not 0 < len(source) <= _NAME_LIMIT:
        raise CodecError("organisation and source are names of 1 to 1024 bytes", place=header.source[:80])
    if count >= arrow_from:
        form, flags, body = _ARROW, 0, [_arrow_bytes(columns)]
    else:
        form, flags, body = _PACKED, *_packed(columns)
    try:
        raw = b"".join(
            (
                _PREFIX.pack(
                    _MAGIC,
                    form,
                    _NUMBER_OF[columns.storage],
                    flags,
                    header.version,
                    len(organisation),
                    len(source),
                    0,
                    count,
                ),
                organisation,
                source,
                _NUMBERS.pack(header.epoch, header.sequence, header.offset, header.received),
                *body,
            )
        )
    except struct.error as error:
        raise CodecError(f"a header field is out of range: {error}", place=header.source) from error
    if len(raw) > MAXIMUM_BYTES:
        raise CodecError(f"a batch of {len(raw)} bytes is larger than {MAXIMUM_BYTES}", place=header.source)
    return raw


def _packed(columns: Columns) -> tuple[int, list[Any]]:
    count, value = len(columns), columns.value
    flags = 0
    status = columns.status.tobytes()
    body: list[Any] = [columns.series.tobytes(), columns.time.tobytes()]
    if status.count(0) < len(status):  # for a few hundred bytes much quicker than numpy's any
        flags |= _WITH_STATUS
        body.append(status)
    if value.null_count:
        flags |= _WITH_NULLS
        body.append(np.packbits(_valid(value), bitorder="little").tobytes())
    kind = _FIXED.get(columns.storage)
    if kind is None:
        offsets, data = _variable(value)
        body += [offsets.tobytes(), data]
    elif columns.storage is StorageClass.BOOLEAN:
        bits = np.frombuffer(value.buffers()[1], np.uint8) if count else np.empty(0, np.uint8)
        body.append(np.unpackbits(bits, bitorder="little")[value.offset : value.offset + count].tobytes())
    elif count:
        start = value.offset * kind.itemsize
        body.append(memoryview(value.buffers()[1])[start : start + count * kind.itemsize])
    return flags, body


def _valid(value: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(value.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def _variable(value: pa.Array) -> tuple[npt.NDArray[np.uint32], bytes]:
    """Offsets from 0 and the data of a string or binary array."""
    if not len(value):
        return np.zeros(1, np.uint32), b""
    _, offsets, data = value.buffers()
    raw = np.frombuffer(offsets, np.int32)[value.offset : value.offset + len(value) + 1]
    first, last = int(raw[0]), int(raw[-1])
    return (raw - first).astype(np.uint32), data.slice(first, last - first).to_pybytes() if data is not None else b""


def _arrow_bytes(columns: Columns) -> bytes:
    batch = columns.record_batch()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


class _Layout(NamedTuple):
    """What a message's first bytes and its length say: the same for all messages of one source and shape."""

    storage: StorageClass
    arrow: bool
    flags: int
    version: int
    organisation: str
    source: str
    samples: int
    body: int
    """Where the columns begin."""


@lru_cache(maxsize=8192)
def _layout(head: bytes, length: int) -> _Layout:
    """The layout behind prefix and names; every length is checked here, before a column is touched."""
    _, form, number, flags, version, organisation, source, reserved, count = _PREFIX.unpack_from(head)
    if number >= len(_STORAGES):
        raise CodecError(f"storage class {number} does not exist")
    if form not in (_PACKED, _ARROW) or flags & ~(_WITH_STATUS | _WITH_NULLS) or reserved:
        raise CodecError("a form or flag of a later version, or a damaged header")
    if not 1 <= version <= SCHEMA_VERSION:
        raise CodecError(f"schema version {version} is not known here", hint="upgrade this node before its edges")
    if count > MAXIMUM_COUNT:
        raise CodecError(f"a batch of {count} samples is longer than {MAXIMUM_COUNT}")
    storage = _STORAGES[number]
    start = _PREFIX.size
    try:
        names = head[start : start + organisation].decode(), head[start + organisation :].decode()
    except UnicodeDecodeError as error:
        raise CodecError("a name in the header is not UTF-8") from error
    body = start + organisation + source + _NUMBERS.size
    if form == _PACKED:
        kind = _FIXED.get(storage)
        fixed = body + count * (16 + 4 * (flags & _WITH_STATUS)) + (-(-count // 8) if flags & _WITH_NULLS else 0)
        fixed += 4 * (count + 1) if kind is None else count * kind.itemsize
        if length < fixed or (kind is not None and length != fixed):
            raise CodecError(f"{length} bytes do not hold {count} samples of class {storage}")
    elif length <= body:
        raise CodecError("an Arrow batch without its body")
    return _Layout(storage, form == _ARROW, flags, version, *names, count, body)


def _head(raw: bytes) -> bytes:
    """Prefix and names: the part that all messages of one source and shape share."""
    if len(raw) > MAXIMUM_BYTES:
        raise CodecError(f"a message of {len(raw)} bytes is larger than {MAXIMUM_BYTES}")
    if raw[:2] != _MAGIC or len(raw) < _PREFIX.size + _NUMBERS.size + 2:
        raise CodecError("not a sample batch")
    organisation, source = raw[6] | raw[7] << 8, raw[8] | raw[9] << 8
    if not 0 < organisation <= _NAME_LIMIT or not 0 < source <= _NAME_LIMIT:
        raise CodecError("organisation and source are names of 1 to 1024 bytes")
    end = _PREFIX.size + organisation + source
    if end + _NUMBERS.size > len(raw):
        raise CodecError("the message ends within its header")
    return raw[:end]


@lru_cache(maxsize=2048)
def _structure(layout: _Layout, length: int) -> np.dtype[Any]:
    """Header numbers and columns of one message of fixed width as a structured type."""
    count, place = layout.samples, layout.body - _NUMBERS.size
    fields: list[tuple[str, Any, int]] = [
        ("epoch", "<u8", place),
        ("sequence", "<u8", place + 8),
        ("offset", "<u8", place + 16),
        ("received", "<i8", place + 24),
    ]
    place = layout.body
    kind = _FIXED.get(layout.storage)
    columns: list[tuple[str, str, int]] = [("series", "<u8", count), ("time", "<i8", count)]
    if layout.flags & _WITH_STATUS:
        columns.append(("status", "<u4", count))
    if layout.flags & _WITH_NULLS:
        columns.append(("valid", "u1", -(-count // 8)))
    if kind is not None:
        columns.append(("value", kind.str, count))
    for name, code, width in columns if not layout.arrow else []:
        item = np.dtype(code)
        fields.append((name, (item, (width,)), place))
        place += item.itemsize * width
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": length})


class Group(NamedTuple):
    """Messages of one source and one layout, as arrays over the messages; ``places`` are theirs in the input."""

    places: npt.NDArray[np.int64]
    storage: StorageClass
    organisation: str
    source: str
    samples: int
    """In each message."""
    epoch: npt.NDArray[np.uint64]
    sequence: npt.NDArray[np.uint64]
    offset: npt.NDArray[np.uint64]
    received: npt.NDArray[np.int64]
    columns: Sequence[Columns]
    """One for the whole group where it could be read at once, else one a message."""

    def kept(self, keep: npt.NDArray[np.bool_]) -> list[Columns]:
        """The columns of the messages that ``keep`` marks."""
        if keep.all():
            return list(self.columns)
        if len(self.columns) == len(keep):
            return [columns for columns, stays in zip(self.columns, keep, strict=True) if stays]
        (whole,) = self.columns
        return [whole.take(np.repeat(keep, self.samples))]


class Bulk(NamedTuple):
    """What `decode_many` made of the messages: groups, and an error for each message that is no batch."""

    groups: list[Group]
    errors: list[tuple[int, CodecError]]


def decode_many(messages: Sequence[bytes]) -> Bulk:
    """Many messages to few columns. A bad message becomes an error beside its index and harms no other."""
    alike: dict[tuple[bytes, int], list[int]] = {}
    errors: list[tuple[int, CodecError]] = []
    ends: dict[bytes, int] = {}
    for index, raw in enumerate(messages):
        length = len(raw)
        # Equal prefixes have equal name lengths: one slice and two look-ups a message on the usual path.
        end = ends.get(raw[:16])
        if end is None or end + _NUMBERS.size > length:
            try:
                head = _head(raw)
            except CodecError as error:
                errors.append((index, error))
                continue
            ends[raw[:16]] = len(head)
        else:
            head = raw[:end]
        if (found := alike.get((head, length))) is None:
            alike[head, length] = [index]
        else:
            found.append(index)
    groups: list[Group] = []
    for (head, length), indices in alike.items():
        _read_group(head, length, indices, messages, groups, errors)
    errors.sort(key=lambda entry: entry[0])
    return Bulk(groups, errors)


def _read_group(
    head: bytes,
    length: int,
    indices: list[int],
    messages: Sequence[bytes],
    groups: list[Group],
    errors: list[tuple[int, CodecError]],
) -> None:
    try:
        if length > MAXIMUM_BYTES:
            raise CodecError(f"a message of {length} bytes is larger than {MAXIMUM_BYTES}")
        layout = _layout(head, length)
    except CodecError as error:
        errors.extend((index, error) for index in indices)
        return
    raw = messages[indices[0]] if len(indices) == 1 else b"".join([messages[index] for index in indices])
    table = np.frombuffer(raw, _structure(layout, length))
    numbered = (table["sequence"] > 0) & (np.maximum(table["sequence"], table["offset"]) < _BEYOND) & (table["epoch"] < _BEYOND)
    if not numbered.all():
        errors.extend(
            (indices[place], CodecError("epoch, sequence or offset out of range")) for place in np.flatnonzero(~numbered)
        )
        indices = [index for index, stays in zip(indices, numbered, strict=True) if stays]
        table = table[numbered]
        if not indices:
            return
    columns: list[Columns] = []
    good = np.ones(len(indices), np.bool_)
    if layout.arrow or layout.storage not in _FIXED:
        for place, index in enumerate(indices):
            try:
                one = _read_arrow(layout, messages[index]) if layout.arrow else _read_variable(layout, messages[index])
                _check_series(one.series)
                columns.append(one)
            except CodecError as error:
                good[place] = False
                errors.append((index, error))
    else:
        bad = (table["series"] == 0).any(axis=1) if layout.samples else ~good
        if bad.any():
            good = ~bad
            errors.extend((indices[place], CodecError("a sample without a series (id 0)")) for place in np.flatnonzero(bad))
            table = table[good]
        columns.append(_read_fixed(layout, table))
        if not good.all():
            indices = [index for index, stays in zip(indices, good, strict=True) if stays]
            good = np.ones(len(indices), np.bool_)
    if not indices or not good.any():
        return
    if not good.all():
        indices = [index for index, stays in zip(indices, good, strict=True) if stays]
        table = table[good]
    groups.append(
        Group(
            np.array(indices, np.int64),
            layout.storage,
            layout.organisation,
            layout.source,
            layout.samples,
            table["epoch"].astype(np.uint64),
            table["sequence"].astype(np.uint64),
            table["offset"].astype(np.uint64),
            table["received"].astype(np.int64),
            columns,
        )
    )


def _check_series(series: npt.NDArray[np.uint64]) -> None:
    if not series.all():
        raise CodecError("a sample without a series (id 0)")


def _read_fixed(layout: _Layout, table: npt.NDArray[Any]) -> Columns:
    """The columns of all messages in ``table``, one copy each."""
    total = len(table) * layout.samples
    value = np.ascontiguousarray(table["value"]).reshape(-1)
    bitmap = None
    if layout.flags & _WITH_NULLS:
        valid = np.unpackbits(np.ascontiguousarray(table["valid"]), axis=1, count=layout.samples, bitorder="little")
        bitmap = pa.py_buffer(np.packbits(valid.reshape(-1), bitorder="little").tobytes())
    if layout.storage is StorageClass.BOOLEAN:
        data = pa.py_buffer(np.packbits(value != 0, bitorder="little").tobytes())
    else:
        data = pa.py_buffer(value)
    return Columns(
        layout.storage,
        np.ascontiguousarray(table["series"]).reshape(-1),
        np.ascontiguousarray(table["time"]).reshape(-1),
        pa.Array.from_buffers(value_type(layout.storage), total, [bitmap, data]),
        np.ascontiguousarray(table["status"]).reshape(-1) if layout.flags & _WITH_STATUS else np.zeros(total, np.uint32),
    )


def _read_variable(layout: _Layout, raw: bytes) -> Columns:
    """The columns of one message of strings or bytes; offsets and UTF-8 are checked."""
    count, place = layout.samples, layout.body
    series = np.frombuffer(raw, "<u8", count, place).astype(np.uint64)
    time = np.frombuffer(raw, "<i8", count, place + 8 * count).astype(np.int64)
    place += 16 * count
    status = np.zeros(count, np.uint32)
    if layout.flags & _WITH_STATUS:
        status = np.frombuffer(raw, "<u4", count, place).astype(np.uint32)
        place += 4 * count
    bitmap = None
    if layout.flags & _WITH_NULLS:
        bitmap = pa.py_buffer(raw[place : place + -(-count // 8)])
        place += -(-count // 8)
    offsets = np.frombuffer(raw, "<u4", count + 1, place)
    place += 4 * (count + 1)
    size = len(raw) - place
    if offsets[0] != 0 or offsets[-1] != size or (offsets[1:] < offsets[:-1]).any():
        raise CodecError("the offsets of a text or bytes column do not fit its data")
    value = pa.Array.from_buffers(
        value_type(layout.storage),
        count,
        [bitmap, pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(raw[place:])],
    )
    return Columns(layout.storage, series, time, _checked(value), status)


def _checked(value: pa.Array) -> pa.Array:
    try:
        value.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CodecError(f"a value column is not valid: {error}") from error
    return value


def _read_arrow(layout: _Layout, raw: bytes) -> Columns:
    body = pa.py_buffer(raw).slice(layout.body)
    try:
        with pa.ipc.open_stream(_uncompressed(body)) as reader:
            batch = reader.read_next_batch()
        if batch.num_rows != layout.samples:
            raise CodecError(f"the header counts {layout.samples} samples, the Arrow batch {batch.num_rows}")
        batch.validate(full=True)
        return Columns.from_record_batch(layout.storage, batch)
    except (pa.ArrowException, BatchError, StopIteration, OSError, ValueError) as error:
        raise CodecError(f"the Arrow batch cannot be read: {error}") from error


def _uncompressed(body: pa.Buffer) -> pa.Buffer:
    """``body``, where none of its record batches is compressed: a compressed buffer says itself how much to allocate."""
    raw, place = memoryview(body), 0
    try:
        for _ in range(3):
            if place + 8 > len(raw):
                break
            mark, size = struct.unpack_from("<Ii", raw, place)
            if mark != 0xFFFF_FFFF or not 0 <= size <= len(raw) - place - 8:
                raise CodecError("not an Arrow stream")
            if size == 0:
                break
            message = raw[place + 8 : place + 8 + size]
            table = struct.unpack_from("<I", message)[0]
            kind_at, header_at, length_at = (_field(message, table, number) for number in (1, 2, 3))
            kind = message[kind_at] if kind_at else 0
            if kind not in (1, 3):
                raise CodecError("an Arrow stream of one plain batch holds a schema and the batch, nothing else")
            if kind == 3:
                header = header_at + struct.unpack_from("<I", message, header_at)[0]
                if _field(message, header, 3):
                    raise CodecError("compressed Arrow batches are not accepted")
            length = struct.unpack_from("<q", message, length_at)[0] if length_at else 0
            if not 0 <= length <= len(raw) - place - 8 - size:
                raise CodecError("an Arrow message is longer than what carries it")
            place += 8 + size + length
    except (struct.error, IndexError) as error:
        raise CodecError("not an Arrow stream") from error
    return body


def _field(message: memoryview, table: int, number: int) -> int:
    """Where field ``number`` of the flatbuffers table at ``table`` stands, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", message, table)[0]
    if vtable < 0:
        raise CodecError("not an Arrow stream")
    size = struct.unpack_from("<H", message, vtable)[0]
    entry = 4 + 2 * number
    if entry + 2 > size:
        return 0
    relative: int = struct.unpack_from("<H", message, vtable + entry)[0]
    return table + relative if relative else 0


def decode(raw: bytes) -> SampleBatch:
    """One message to its batch. Raises `CodecError` for whatever `encode` cannot have written; never anything else."""
    bulk = decode_many((raw,))
    if bulk.errors:
        raise bulk.errors[0][1]
    (group,) = bulk.groups
    header = BatchHeader(
        group.organisation,
        group.source,
        int(group.epoch[0]),
        int(group.sequence[0]),
        int(group.offset[0]),
        int(group.received[0]),
        raw[5],
    )
    return SampleBatch(header, group.columns[0])


def join(groups: Sequence[Group], keep: Sequence[npt.NDArray[np.bool_]] | None = None) -> list[Columns]:
    """The messages of ``groups`` that ``keep`` marks (None: all), in the order in which they came: one `Columns` a storage
    class, in the order of `StorageClass`."""
    joined: list[Columns] = []
    marks = [np.ones(len(group.places), np.bool_) for group in groups] if keep is None else keep
    for storage in _STORAGES:
        same = [(group, stays) for group, stays in zip(groups, marks, strict=True) if group.storage is storage and stays.any()]
        parts = [part for group, stays in same for part in group.kept(stays)]
        if not any(len(part) for part in parts):
            continue
        whole = Columns.concatenate(parts)
        if len(same) > 1:
            places = np.concatenate([group.places[stays] for group, stays in same])
            counts = np.concatenate([np.full(int(stays.sum()), group.samples) for group, stays in same])
            whole = _in_order(whole, places, counts)
        joined.append(whole)
    return joined


def _in_order(whole: Columns, places: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Columns:
    """The rows of messages that stand at ``places``, ``counts`` rows each, in the order of the places."""
    order = np.argsort(places, kind="stable")
    if bool((order[1:] > order[:-1]).all()):
        return whole
    starts = (np.cumsum(counts) - counts)[order]
    counts = counts[order]
    rows = np.arange(len(whole)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return whole.take(rows)
