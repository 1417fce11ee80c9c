"""One open file, read block by block from where its mark stands. Blocking: called from a worker thread."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from typing import Protocol as Interface

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.files.config import FilesConfiguration
from hulian.network.exchange.protocols.files.delimited import Parsed, Shape, parse, shape_of
from hulian.network.exchange.protocols.files.errors import FileError
from hulian.network.exchange.protocols.moments import parse_time
from hulian.network.exchange.protocols.tabular import Rows, time_column

__all__ = ["Block", "Mark", "ParquetReader", "Reader", "TextReader", "continues", "fingerprint", "open_reader"]

BLOCK: Final = 2**20
"""Bytes of text that are read at once."""
_SAMPLES: Final = 65_536
_MOST_HEAD: Final = 2**20
_HEAD: Final = 1024
_TAIL: Final = 64
_GROUP: Final = 2**29
_BATCH_BYTES: Final = 2**22


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a file stands: everything before ``offset`` (bytes of text, rows of Parquet) and ``skip`` rows behind it are
    read. ``line`` and ``row`` count from the beginning; ``head`` and ``tail`` are fingerprints of the first ``head_length``
    bytes and of those just before ``offset``; ``dropping``: within a line that is too long."""

    path: str
    inode: int
    offset: int = 0
    skip: int = 0
    line: int = 0
    row: int = 0
    head_length: int = 0
    head: bytes = b""
    tail: bytes = b""
    dropping: bool = False
    size: int = 0
    modified: int = 0
    finished: bool = False


class Block(msgspec.Struct):
    """Some rows: the ``table``, ``times`` where the rows hold none, the mark behind them, and what was wrong (lines from 1)."""

    table: pa.Table
    times: npt.NDArray[np.int64] | None
    mark: Mark
    bad: list[tuple[int, str]]
    parsed: Parsed | None = None
    first_line: int = 1

    def place(self, row: int) -> int:
        """The line (of text) or row (of Parquet) of a row of the table, from 1."""
        return self.first_line + (row if self.parsed is None else self.parsed.line(row))


class Reader(Interface):
    """An open file."""

    mark: Mark
    names: tuple[str, ...]

    def read(self, *, last: bool) -> Block | None:
        """The next block; None where there is no whole row yet. ``last``: nothing will be added, so that a last line
        without an end counts. Raises `FileError` for a file that cannot be read any further."""
        ...

    def close(self) -> None: ...


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def fingerprint(descriptor: int, begin: int, length: int) -> bytes:
    """A digest of ``length`` bytes from ``begin``."""
    return _digest(os.pread(descriptor, length, begin))


def _place(data: bytes, offset: int) -> dict[str, Any]:
    """The fields of a mark at ``offset`` of a file that begins with ``data``."""
    length = min(offset, _HEAD)
    tail = data[max(0, offset - _TAIL) : offset]
    return {"offset": offset, "head_length": length, "head": _digest(data[:length]), "tail": _digest(tail)}


def continues(descriptor: int, mark: Mark, *, whole: bool) -> bool:
    """Whether the file is still the one that ``mark`` was made of, grown or not; ``whole``: it may not have grown either."""
    size = os.fstat(descriptor).st_size
    if whole:
        begin, length = max(0, mark.size - _TAIL), _TAIL
    else:
        begin, length = max(0, mark.offset - _TAIL), min(mark.offset, _TAIL)
    if size != mark.size if whole and mark.size else size < mark.offset:
        return False
    if mark.head and fingerprint(descriptor, 0, mark.head_length) != mark.head:
        return False
    return not mark.tail or fingerprint(descriptor, begin, length) == mark.tail


def open_reader(
    descriptor: int, path: Path, mark: Mark | None, configuration: FilesConfiguration, rows: Rows, *, last: bool
) -> Reader | None:
    """A reader that owns ``descriptor``; None where the file has no whole header yet. Raises `FileError`. Where no reader
    comes of it, the descriptor is closed."""
    reader: Reader | None = None
    try:
        reader = _opened(descriptor, path, mark, configuration, rows, last=last)
    finally:
        if reader is None:
            os.close(descriptor)
    return reader


def _opened(
    descriptor: int, path: Path, mark: Mark | None, configuration: FilesConfiguration, rows: Rows, *, last: bool
) -> Reader | None:
    status = os.fstat(descriptor)
    start = mark or Mark(str(path), status.st_ino)
    start = msgspec.structs.replace(start, path=str(path), inode=status.st_ino)
    try:
        if configuration.is_parquet(path.name):
            return ParquetReader(descriptor, start, configuration, rows)
        head = os.pread(descriptor, _MOST_HEAD, 0)
        shape = shape_of(head, configuration, complete=last)
        if shape is None:
            if len(head) == _MOST_HEAD:
                raise FileError(f"no header within the first {_MOST_HEAD} bytes", place=str(path))
            return None
        if start.offset < shape.offset:
            start = msgspec.structs.replace(start, line=shape.line, **_place(head, shape.offset))
        return TextReader(descriptor, start, shape, configuration, rows)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise FileError(f"{type(error).__name__}: {str(error)[:300]}", place=str(path)) from error


def _row_times(configuration: FilesConfiguration, row: int, count: int) -> npt.NDArray[np.int64] | None:
    if not configuration.start:
        return None
    start = parse_time(configuration.start, "iso") or 0
    found: npt.NDArray[np.int64] = start + np.rint(np.arange(row, row + count) * (configuration.every * 1e9)).astype(np.int64)
    return found


class _Took(NamedTuple):
    """One read: ``raw`` begins ``before`` bytes before the place of the mark; the file was in ``status`` just before."""

    raw: bytes
    before: int
    status: os.stat_result

    @property
    def data(self) -> bytes:
        """What is new."""
        return self.raw[self.before :]


class TextReader:
    """Delimited text, as it grows."""

    def __init__(self, descriptor: int, mark: Mark, shape: Shape, configuration: FilesConfiguration, rows: Rows) -> None:
        self.mark = mark
        self.names = shape.names
        self.shape = shape
        self._descriptor = descriptor
        self._configuration = configuration
        self._rows = rows
        self._types: dict[str, pa.DataType] | None = None

    def read(self, *, last: bool) -> Block | None:
        """See `Reader`."""
        longest = self._configuration.longest_line
        took = self._take(max(BLOCK, longest))
        if took is None:
            return None
        mark, data = self.mark, took.data
        end = data.rfind(b"\n") + 1
        if mark.dropping:
            return self._drop(took)
        if not end:
            if len(data) >= longest:
                bad = [(mark.line + 1, f"longer than {longest} bytes: {data[:60].decode('utf-8', 'replace')} …")]
                return self._moved(took, self._nothing(), len(data), 0, bad, dropping=True)
            if not (last and data.strip()):
                return None
            end = len(data)
        whole = data[:end]
        types = self._types if self._types is not None else self._guess(whole)
        try:
            parsed = parse(whole, self.shape, self._configuration, types)
        except pa.ArrowException as error:
            raise FileError(f"line {mark.line + 1}: {str(error)[:300]}", place=mark.path) from error
        self._types = types
        bad = [(mark.line + 1 + line, text) for line, text in parsed.bad]
        return self._moved(took, parsed.table, end, whole.count(b"\n"), bad, parsed)

    def _take(self, most: int) -> _Took | None:
        """What stands behind the mark; None where the file is not the one any more that the mark was made of.

        A writer may cut the file and write it anew at any moment, also between two of our looks. So the state is taken before
        the bytes, and what stands before them is compared, and its fingerprint made, from the same read.
        """
        mark = self.mark
        status = os.fstat(self._descriptor)
        if mark.head and fingerprint(self._descriptor, 0, mark.head_length) != mark.head:
            return None
        begin = max(0, mark.offset - _TAIL) if mark.head_length == _HEAD else 0
        before = mark.offset - begin
        raw = os.pread(self._descriptor, before + most, begin)
        if len(raw) < before or (mark.tail and _digest(raw[:before][-_TAIL:]) != mark.tail):
            return None
        return _Took(raw, before, status)

    def _drop(self, took: _Took) -> Block | None:
        """The rest of a line that is too long."""
        data = took.data
        end = data.find(b"\n") + 1
        if not data:
            return None
        return self._moved(took, self._nothing(), end or len(data), 1 if end else 0, [], dropping=not end)

    def _nothing(self) -> pa.Table:
        return pa.table({})

    def _moved(
        self, took: _Took, table: pa.Table, length: int, lines: int, bad: list[tuple[int, str]],
        parsed: Parsed | None = None, *, dropping: bool = False,
    ) -> Block:  # fmt: skip
        mark = self.mark
        offset = mark.offset + length
        times = _row_times(self._configuration, mark.row, table.num_rows)
        first = mark.line + 1
        if mark.skip:
            # Rows of this block that an earlier life has handed over already.
            table = table.slice(mark.skip)
            times = None if times is None else times[mark.skip :]
            bad = []
            if parsed is not None:
                lines_of = parsed.lines if parsed.lines is not None else list(range(table.num_rows + mark.skip))
                parsed = Parsed(table, [], lines_of[mark.skip :])
        if mark.head_length < _HEAD:
            place = _place(took.raw, offset)
        else:
            place = {"offset": offset, "tail": _digest(took.raw[: took.before + length][-_TAIL:])}
        self.mark = msgspec.structs.replace(
            mark,
            skip=0,
            line=mark.line + lines,
            row=mark.row + mark.skip + table.num_rows,
            dropping=dropping,
            size=took.status.st_size,
            modified=took.status.st_mtime_ns,
            finished=False,
            **place,
        )
        return Block(table, times, self.mark, bad, parsed, first)

    def _guess(self, data: bytes) -> dict[str, pa.DataType]:
        """The type of each column that matters: from the points, that of the time from the first row."""
        rows, mapping = self._rows, self._rows.mapping
        types: dict[str, pa.DataType] = {}
        time = None if self._configuration.start else time_column(self.names, mapping.time)
        if mapping.layout == "long":
            storages = {target.storage for target in rows.targets}
            types[mapping.tag] = pa.dictionary(pa.int32(), pa.string())
            types[mapping.value] = _TYPES[storages.pop()] if len(storages) == 1 else pa.string()
        else:
            for name, targets in rows.by_name.items():
                storages = {target.storage for target in targets}
                types[name] = _TYPES[storages.pop()] if len(storages) == 1 else pa.string()
        if mapping.quality:
            types[mapping.quality] = pa.dictionary(pa.int32(), pa.string())
        if time is not None:
            types[time] = pa.string()
        types = {name: kind for name, kind in types.items() if name in self.names}
        if time is not None and "%" not in mapping.time_format:
            # What suits the first row most likely suits all; otherwise the block is read as texts.
            first = data.lstrip().partition(b"\n")[0] + b"\n"
            for kind in _TIME_TYPES:
                try:
                    one = parse(first, self.shape, self._configuration, {time: kind})
                except pa.ArrowException:
                    continue
                if one.table.num_rows and one.table.schema.field(0).type == kind and one.table.column(0).null_count == 0:
                    types[time] = kind
                    break
        return types

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


_TYPES: Final = {
    StorageClass.DOUBLE: pa.float64(),
    StorageClass.INTEGER: pa.int64(),
    StorageClass.BOOLEAN: pa.string(),
    StorageClass.TEXT: pa.string(),
    StorageClass.BYTES: pa.string(),
    StorageClass.STRUCTURE: pa.string(),
}
_TIME_TYPES: Final = (pa.int64(), pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC"))


class ParquetReader:
    """A Parquet file, row group by row group; it is finished when we meet it."""

    def __init__(self, descriptor: int, mark: Mark, configuration: FilesConfiguration, rows: Rows) -> None:
        self._descriptor = descriptor
        self._stream = os.fdopen(descriptor, "rb", closefd=False)
        try:
            self._file = parquet.ParquetFile(
                self._stream,
                pre_buffer=False,
                thrift_string_size_limit=2**26,
                thrift_container_size_limit=2**20,
                arrow_extensions_enabled=False,
            )
        except BaseException:
            self._stream.close()
            raise
        self.names = tuple(self._file.schema_arrow.names)
        self.mark = mark
        self._configuration = configuration
        self._rows = rows
        self._batches: Iterator[Any] | None = None
        self._left: list[pa.RecordBatch] = []

    def read(self, *, last: bool) -> Block | None:
        """See `Reader`."""
        status = os.fstat(self._descriptor)
        try:
            table = self._next()
        except (pa.ArrowException, OSError) as error:
            raise FileError(str(error)[:300], place=self.mark.path) from error
        if table is None:
            return None
        mark = self.mark
        row = mark.offset + mark.skip
        head_length = mark.head_length or min(status.st_size, _HEAD)
        self.mark = msgspec.structs.replace(
            mark,
            offset=row + table.num_rows,
            skip=0,
            row=row + table.num_rows,
            head_length=head_length,
            head=mark.head or fingerprint(self._descriptor, 0, head_length),
            tail=fingerprint(self._descriptor, max(0, status.st_size - _TAIL), _TAIL),
            size=status.st_size,
            modified=status.st_mtime_ns,
        )
        return Block(table, _row_times(self._configuration, row, table.num_rows), self.mark, [], first_line=row + 1)

    def _next(self) -> pa.Table | None:
        if self._batches is None:
            self._batches = self._iterate(self.mark.offset + self.mark.skip)
        if not self._left:
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._left = _small(batch)
        return pa.Table.from_batches([self._left.pop(0)])

    def _iterate(self, row: int) -> Iterator[pa.RecordBatch]:
        """From ``row`` on; the row groups before it are not touched."""
        file, metadata = self._file, self._file.metadata
        wanted = self._rows.wanted(self.names)
        count = _SAMPLES if self._rows.mapping.layout == "long" else max(1024, _SAMPLES // max(1, len(self._rows.targets)))
        before = 0
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).num_rows
            if before + size > row:
                if metadata.row_group(group).total_byte_size > _GROUP:
                    raise FileError(
                        f"row group {group} holds more than {_GROUP} bytes",
                        place=self.mark.path,
                        hint="write it with smaller row groups",
                    )
                skip = max(0, row - before)
                for batch in file.iter_batches(count, row_groups=[group], columns=wanted, use_threads=False):
                    if skip < batch.num_rows:
                        yield batch.slice(skip)
                    skip = max(0, skip - batch.num_rows)
            before += size

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        self._stream.close()
        os.close(self._descriptor)


def _small(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Pieces of a few MiB: texts and bytes may be long."""
    pieces = min(batch.num_rows, batch.nbytes // _BATCH_BYTES + 1)
    step = -(-batch.num_rows // pieces)
    return [batch.slice(start, step) for start in range(0, batch.num_rows, step)]
