"""The bytes of CSV and Parquet files: record batches in, chunks of bytes out, and back to tables of their columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from hulian.data.historian.errors import DataError
from hulian.data.historian.transfer.tables import COLUMNS, Problems

__all__ = ["Chunk", "decode_csv", "decode_parquet", "encode_csv", "encode_parquet"]

_ROWS: Final = 65_536


class Chunk(NamedTuple):
    """Some rows of a file: their columns, the line of the first, and how many bytes were read so far."""

    table: pa.Table
    line: int
    read: int


def encode_csv(batches: Iterable[pa.RecordBatch], names: Mapping[int, str]) -> Iterator[bytes]:
    """A CSV file of raw samples or of aggregates; ``names`` are those of the points. Times are RFC 3339 with all digits."""
    header = True
    for batch in batches:
        sink = io.BytesIO()
        csv.write_csv(_texts(_named(batch, names)), sink, csv.WriteOptions(include_header=header, quoting_style="needed"))
        header = False
        yield sink.getvalue()
    if header:
        yield (",".join(COLUMNS) + "\r\n").encode()


def encode_parquet(batches: Iterable[pa.RecordBatch], names: Mapping[int, str]) -> Iterator[bytes]:
    """The same as a Parquet file (zstd), a row group a batch."""
    sink = _Outlet()
    writer: Any = None
    for batch in batches:
        table = _named(batch, names)
        if writer is None:
            writer = parquet.ParquetWriter(sink, table.schema.remove_metadata(), compression="zstd")
        writer.write_table(table.replace_schema_metadata(None))
        yield sink.taken()
    if writer is None:
        empty = pa.schema(
            [("point", pa.string()), ("time", pa.timestamp("ns", "UTC")), ("value", pa.float64()), ("status", pa.uint32())]
        )
        writer = parquet.ParquetWriter(sink, empty)
    writer.close()
    yield sink.taken()


def _named(batch: pa.RecordBatch, names: Mapping[int, str]) -> pa.Table:
    """The same with the names of the points in place of the ids of the series."""
    table = pa.Table.from_batches([batch])
    if "series" not in table.column_names:
        return table
    encoded = table.column("series").combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    texts = pa.array([names.get(series, str(series)) for series in encoded.dictionary.to_pylist()], pa.string())
    return table.set_column(table.column_names.index("series"), "point", texts.take(encoded.indices))


def _texts(table: pa.Table) -> pa.Table:
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(column.cast(pa.timestamp("ns", "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(position, field.name, text)
        elif pa.types.is_binary(field.type):
            values = [None if one is None else one.hex() for one in column.to_pylist()]
            table = table.set_column(position, field.name, pa.array(values, pa.string()))
    return table


class _Outlet(io.RawIOBase):
    """A file of which each written byte is taken away at once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._parts.append(raw)
        self._position += len(raw)
        return len(raw)

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def decode_csv(file: BinaryIO, problems: Problems) -> Iterator[Chunk]:
    """The rows of a CSV file as text, some at a time. A row with too many or too few cells goes to ``problems``.

    Raises `DataError` where the header names not what it should, or the file is no text.
    """
    refused: list[int] = []

    def skip(row: Any) -> str:
        problems.add(row.number or 0, "", f"{row.actual_columns} cells, not {row.expected_columns}")
        refused.append(row.number or 0)
        return "skip"

    counted = _Counted(file)
    try:
        reader = csv.open_csv(
            counted,
            read_options=csv.ReadOptions(use_threads=False, block_size=4 << 20),
            parse_options=csv.ParseOptions(invalid_row_handler=skip),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        _check_header(reader.schema.names)
        line = 2
        for batch in reader:
            table = pa.Table.from_batches([batch])
            lines = _lines(batch.num_rows, line, refused)
            for begin in range(0, batch.num_rows, _ROWS):
                part = lines[begin : begin + _ROWS]
                yield from _runs(table.slice(begin, _ROWS), part, counted.read_bytes)
            line = int(lines[-1]) + 1 if len(lines) else line
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the file is no CSV of samples: {str(error)[:200]}", hint=f"its header is {','.join(COLUMNS)}"
        ) from error


def _lines(rows: int, first: int, refused: list[int]) -> Any:
    """The line of each row, where the lines in ``refused`` were left out."""
    lines = np.arange(first, first + rows + len(refused))
    return lines[~np.isin(lines, refused)][:rows]


def _runs(table: pa.Table, lines: Any, read: int) -> Iterator[Chunk]:
    """Cuts where lines were left out, so that each chunk counts its lines from the first."""
    edges = [0, *(np.flatnonzero(np.diff(lines) != 1) + 1).tolist(), len(lines)]
    for begin, end in pairwise(edges):
        if end > begin:
            yield Chunk(table.slice(begin, end - begin), int(lines[begin]), read)


def decode_parquet(file: BinaryIO) -> Iterator[Chunk]:
    """The rows of a Parquet file, some at a time, counted from 1. Raises `DataError` where it is none, or lacks a column."""
    try:
        opened = parquet.ParquetFile(file)
        _check_header(opened.schema_arrow.names)
        row, wanted = 1, [name for name in COLUMNS if name in opened.schema_arrow.names]
        total = opened.metadata.num_rows
        size = file.seek(0, io.SEEK_END)
        for batch in opened.iter_batches(batch_size=_ROWS, columns=wanted, use_threads=False):
            yield Chunk(pa.Table.from_batches([batch]), row, size * (row + batch.num_rows - 1) // max(total, 1))
            row += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"the file is no Parquet of samples: {str(error)[:200]}") from error


def _check_header(names: list[str]) -> None:
    for name in COLUMNS[:3]:
        if name not in names:
            raise DataError(f"there is no column '{name}'", place="line 1", hint=f"columns are {', '.join(COLUMNS)}")
    if len(set(names)) != len(names):
        raise DataError("a column is named twice", place="line 1")


class _Counted(io.RawIOBase):
    """A file that knows how much of it was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.read_bytes += len(data)
        return data
