"""Answers as CSV, Arrow and Parquet: chunk by chunk, with the point's name beside its series."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hulian.data.historian.contract import Limits
from hulian.kernel.sample import value_type
from hulian.kernel.storage import StorageClass
from hulian.platform.api.access import in_thread
from hulian.platform.api.contract import Queries
from hulian.platform.api.points import Track
from hulian.platform.api.query import Part, merged

__all__ = ["ARROW", "CSV", "PARQUET", "chunks", "encoded"]

ARROW: Final = "application/vnd.apache.arrow.stream"
CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"


class Encoder(Protocol):
    """Record batches to the bytes of a file, as they come."""

    def start(self, schema: pa.Schema) -> None: ...

    def add(self, batch: pa.RecordBatch) -> bytes: ...

    def finish(self) -> bytes: ...


async def chunks(queries: Queries, parts: Sequence[Part], limits: Limits) -> AsyncGenerator[pa.RecordBatch, None]:
    """The record batches of all parts under one schema, named."""
    common = _common_value(parts)
    for part in parts:
        name = _Namer(part.tracks, common)
        async with aclosing(_closable(queries.query(part.request, limits))) as batches:
            async for batch in batches:
                yield name(batch)


async def _closable(source: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Any asynchronous iterator as a generator that closes it, so that a query ends with its reader."""
    try:
        async for item in source:
            yield item
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def _common_value(parts: Sequence[Part]) -> pa.DataType | None:
    """The type every value column is cast to where the parts differ: numbers to double, anything else to text."""
    classes = {track.storage for part in parts for track in part.tracks}
    if len(classes) < 2:
        return None
    numbers = {StorageClass.DOUBLE, StorageClass.INTEGER, StorageClass.BOOLEAN}
    return value_type(StorageClass.DOUBLE) if classes <= numbers else value_type(StorageClass.TEXT)


class _Namer:
    """Puts a dictionary column ``point`` in front, so that a name costs four bytes a row."""

    def __init__(self, tracks: Sequence[Track], value: pa.DataType | None) -> None:
        ordered = sorted(tracks, key=lambda track: track.series)
        self._tracks = tracks
        self._ids = np.array([track.series for track in ordered], dtype=np.uint64)
        self._names = pa.array([track.point.name for track in ordered])
        self._value = value

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if "series" not in batch.schema.names:
            columns = {"time": batch.column("time"), **merged(self._tracks, batch)}
            return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns), metadata=batch.schema.metadata)
        place = np.searchsorted(self._ids, batch.column("series").to_numpy(zero_copy_only=False)).astype(np.int32)
        names = pa.DictionaryArray.from_arrays(pa.array(place), self._names)
        named, labels = [names], ["point"]
        for label, column in zip(batch.schema.names, batch.columns, strict=True):
            if label == "value" and self._value is not None and column.type != self._value:
                column = _cast(column, self._value)
            named.append(column)
            labels.append(label)
        return pa.RecordBatch.from_arrays(named, names=labels, metadata=batch.schema.metadata)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(column.type) and pa.types.is_floating(kind):
        column = column.cast(pa.uint8())
    return column.cast(kind)


async def encoded(batches: AsyncGenerator[pa.RecordBatch, None], encoder: Encoder) -> AsyncGenerator[bytes, None]:
    """The bytes of a file of ``batches``. Encoding runs in a thread; the next chunk is asked for when this one has left."""
    started = False
    async with aclosing(batches):
        async for batch in batches:
            if not started:
                encoder.start(batch.schema)
                started = True
            chunk = await in_thread(_adding(encoder, batch))
            if chunk:
                yield chunk
    if not started:
        encoder.start(EMPTY)
    yield await in_thread(encoder.finish)


def _adding(encoder: Encoder, batch: pa.RecordBatch) -> Callable[[], bytes]:
    return lambda: encoder.add(batch)


EMPTY: Final = pa.schema(
    [
        pa.field("point", pa.dictionary(pa.int32(), pa.string())),
        pa.field("series", pa.uint64()),
        pa.field("time", pa.timestamp("ns", "UTC")),
        pa.field("value", pa.float64()),
        pa.field("status", pa.uint32()),
    ]
)
"""What an answer without a row looks like."""


class _Sink(io.RawIOBase):
    """A file that only remembers what was written since it was last emptied."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        joined = b"".join(self._parts)
        self._parts.clear()
        return joined


class ArrowEncoder:
    """An Arrow IPC stream."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer: Any = None

    def start(self, schema: pa.Schema) -> None:
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def add(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return self._sink.take()

    def finish(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class ParquetEncoder:
    """A Parquet file, a row group a chunk, ZSTD."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer: Any = None

    def start(self, schema: pa.Schema) -> None:
        self._writer = pa.parquet.ParquetWriter(self._sink, schema, compression="zstd", use_dictionary=["point"])

    def add(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return self._sink.take()

    def finish(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class CsvEncoder:
    """CSV with a header line and times in RFC 3339 to the nanosecond."""

    def __init__(self) -> None:
        self._header = b""

    def start(self, schema: pa.Schema) -> None:
        names = [name for name in schema.names if name != "series"]
        self._header = (",".join(_quoted(name) for name in names) + "\r\n").encode()

    def add(self, batch: pa.RecordBatch) -> bytes:
        columns, names = [], []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == "series":
                continue
            if pa.types.is_timestamp(column.type):
                column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
            elif pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            elif pa.types.is_binary(column.type):
                column = pa.array([None if item is None else item.hex() for item in column.to_pylist()], pa.string())
            columns.append(column)
            names.append(name)
        sink = pa.BufferOutputStream()
        options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
        pa.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=names), sink, options)
        body: bytes = sink.getvalue().to_pybytes()
        return self._lead() + body

    def finish(self) -> bytes:
        return self._lead()

    def _lead(self) -> bytes:
        lead, self._header = self._header, b""
        return lead


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\r\n') else name
