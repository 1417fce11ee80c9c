"""Files of samples to columns: CSV and Parquet, long or wide, checked as a whole before anything is written.

Long: ``point,time,value`` and optionally ``status``, as an export writes it. Wide: ``time`` and one column a point, named by
it. Times are RFC 3339 with an offset; a value that is empty is a sample without a value.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hulian.kernel.point import Point
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.platform.api.errors import ImportFileError

__all__ = ["FORMATS", "point_names", "read_columns", "read_file"]

FORMATS: Final = {"text/csv": "csv", "application/vnd.apache.parquet": "parquet"}
_TIME: Final = pa.timestamp("ns", "UTC")
_LONG: Final = frozenset({"point", "series", "time", "value", "status"})
_ROWS: Final = 65_536
_BLOCK: Final = 4 * 2**20


class _Counting(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._told = told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._told(self._file.tell())
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def read_file(path: Path, form: str, told: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """The rows of a file with their times read, chunk by chunk; ``told`` hears how many bytes are behind.

    Raises `ImportFileError` with the line, where Arrow knows it, for what cannot be read.
    """
    try:
        yield from _parquet(path, told) if form == "parquet" else _csv(path, told)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, OSError, UnicodeDecodeError) as error:
        raise ImportFileError(str(error).splitlines()[0][:500], place=form) from error


def _csv(path: Path, told: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    with _Counting(path, told) as file:
        header = pa.csv.open_csv(
            path, read_options=pa.csv.ReadOptions(block_size=_BLOCK), convert_options=pa.csv.ConvertOptions(check_utf8=True)
        ).schema.names
        if "time" not in header:
            raise ImportFileError(
                "there is no column 'time'", place="line 1", hint=f"the columns are: {', '.join(header[:20])}"
            )
        types = {name: _TIME if name == "time" else pa.string() for name in header}
        reader = pa.csv.open_csv(
            io.BufferedReader(file, _BLOCK),
            read_options=pa.csv.ReadOptions(block_size=_BLOCK),
            convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
        )
        yield from reader


def _parquet(path: Path, told: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    size = path.stat().st_size
    with pa.parquet.ParquetFile(path) as file:
        if "time" not in file.schema_arrow.names:
            raise ImportFileError(
                "there is no column 'time'", hint=f"the columns are: {', '.join(file.schema_arrow.names[:20])}"
            )
        kind = file.schema_arrow.field("time").type
        if not pa.types.is_timestamp(kind) or kind.tz is None:
            raise ImportFileError(f"the column 'time' holds {kind}, not times with a zone")
        rows, total = 0, max(1, file.metadata.num_rows)
        for batch in file.iter_batches(batch_size=_ROWS):
            place = batch.schema.get_field_index("time")
            if batch.column(place).type != _TIME:
                batch = batch.set_column(place, "time", batch.column(place).cast(_TIME))
            yield batch
            rows += batch.num_rows
            told(size * rows // total)


def _no_time(names: list[str]) -> ImportFileError:
    return ImportFileError("there is no column 'time'", place="header", hint=f"the columns are: {', '.join(names[:20])}")


def point_names(batch: pa.RecordBatch) -> set[str]:
    """The points that a chunk holds samples of."""
    if "point" not in batch.schema.names:
        return {name for name in batch.schema.names if name != "time"}
    names = pc.unique(_decoded(batch.column("point")))
    if names.null_count:
        raise ImportFileError("a row names no point", place="column point")
    return set(names.to_pylist())


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def read_columns(batch: pa.RecordBatch, points: Mapping[str, Point]) -> list[Columns]:
    """The columns of a chunk, one a storage class. Raises `ImportFileError` for a value that does not fit its point."""
    if batch.column("time").null_count:
        raise ImportFileError("a row has no time", place="column time")
    if "point" in batch.schema.names:
        return _long(batch, points)
    times = batch.column("time")
    status = np.zeros(batch.num_rows, np.uint32)
    found = []
    for name in batch.schema.names:
        if name != "time":
            point = points[name]
            series = np.full(batch.num_rows, point.series, np.uint64)
            found.append(_columns(point.storage, series, times, batch.column(name), status))
    return found


def _long(batch: pa.RecordBatch, points: Mapping[str, Point]) -> list[Columns]:
    if "value" not in batch.schema.names:
        raise ImportFileError("there is no column 'value'", hint="long files have point, time, value and status")
    if surplus := set(batch.schema.names) - _LONG:
        raise ImportFileError(f"there is a column {min(surplus)!r}", hint="long files have point, time, value and status")
    coded = pc.dictionary_encode(_decoded(batch.column("point")))
    known = [points[name] for name in coded.dictionary.to_pylist()]
    codes = coded.indices.to_numpy(zero_copy_only=False)
    series = np.array([point.series for point in known], np.uint64)[codes]
    classes = np.array([list(StorageClass).index(point.storage) for point in known], np.int8)[codes]
    status = np.zeros(batch.num_rows, np.uint32)
    if "status" in batch.schema.names:
        column = pc.fill_null(batch.column("status").cast(pa.uint32()), 0)
        status = column.to_numpy(zero_copy_only=False)
    found = []
    for code in np.unique(classes).tolist():
        chosen = np.flatnonzero(classes == code)
        rows = batch.take(pa.array(chosen))
        storage = list(StorageClass)[code]
        found.append(_columns(storage, series[chosen], rows.column("time"), rows.column("value"), status[chosen]))
    return found


def _columns(storage: StorageClass, series: Any, times: pa.Array, value: pa.Array, status: Any) -> Columns:
    kind = value_type(storage)
    try:
        if storage is StorageClass.BYTES and pa.types.is_string(value.type):
            value = pa.array([None if item is None else bytes.fromhex(item) for item in value.to_pylist()], kind)
        elif pa.types.is_floating(value.type) and storage is StorageClass.BOOLEAN:
            value = pc.not_equal(value, 0.0)
        elif value.type != kind:
            value = value.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ImportFileError(f"a value does not fit: {str(error).splitlines()[0][:300]}", place="column value") from error
    nanoseconds = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return Columns(storage, series, np.ascontiguousarray(nanoseconds), value, np.ascontiguousarray(status))
