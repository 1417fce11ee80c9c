"""Export and import: between the historian and files, with progress."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Literal

import msgspec
import pyarrow as pa

from hulian.data.historian.errors import DataError
from hulian.data.historian.transfer.columns import to_samples
from hulian.data.historian.transfer.files import Chunk, decode_csv, decode_parquet, encode_csv, encode_parquet
from hulian.data.historian.transfer.tables import Problem, Problems, Progress, Resolve, Target
from hulian.kernel.sample import Columns

__all__ = ["Format", "ImportReport", "export_samples", "import_samples"]

Format = Literal["csv", "parquet"]
Tell = Callable[[Progress], None]


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do: rows taken and refused, points, the span of time, and the first problems."""

    rows: int
    refused: int
    points: int
    first: int
    last: int
    dry_run: bool
    problems: list[Problem]


def export_samples(
    batches: Iterable[pa.RecordBatch], file_format: Format, names: Mapping[int, str], tell: Tell | None = None
) -> Iterator[bytes]:
    """The bytes of a file that holds the answer to a query, as they come; no more than a batch is in memory.

    >>> list(export_samples([], "csv", {}))
    [b'point,time,value,status\\r\\n']
    """
    rows = size = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            yield batch

    encode = encode_csv if file_format == "csv" else encode_parquet
    for chunk in encode(counted(), names):
        size += len(chunk)
        yield chunk
        if tell is not None:
            tell(Progress(rows=rows, bytes=size))


def import_samples(
    file: BinaryIO,
    file_format: Format,
    resolve: Resolve,
    insert: Callable[[Sequence[Columns], str], None],
    *,
    dry_run: bool = False,
    skip_bad: bool = False,
    tell: Tell | None = None,
) -> ImportReport:
    """Takes the samples of ``file``, which can be read twice: first every row is checked, then all are inserted.

    Nothing is inserted where a row is bad, unless ``skip_bad``; the report names line and column. ``insert`` gets blocks
    under tokens made of the file's content, so that the same import again, after a crash, doubles nothing. Raises
    `DataError` where the file cannot be read at all.
    """
    size = file.seek(0, io.SEEK_END)
    digest = _digest(file)
    checked = _pass(file, file_format, resolve, None, "", tell, size)
    if dry_run:
        return msgspec.structs.replace(checked, dry_run=True)
    if checked.refused and not skip_bad:
        where = checked.problems[0]
        raise DataError(
            f"{checked.refused} of {checked.rows + checked.refused} rows cannot be taken, nothing was imported;"
            f" the first: {where.message}",
            place=f"line {where.line}, column {where.column or '-'}",
            hint="see them all with a dry run, mend them, or import the others only",
        )
    return _pass(file, file_format, resolve, insert, f"import/{digest}", tell, size)


def _pass(
    file: BinaryIO,
    file_format: Format,
    resolve: Resolve,
    insert: Callable[[Sequence[Columns], str], None] | None,
    token: str,
    tell: Tell | None,
    size: int,
) -> ImportReport:
    file.seek(0)
    problems = Problems()
    known: dict[str, Target | None] = {}
    chunks: Iterator[Chunk] = decode_csv(file, problems) if file_format == "csv" else decode_parquet(file)
    rows, first, last = 0, 0, 0
    for number, chunk in enumerate(chunks):
        columns = to_samples(chunk.table, chunk.line, resolve, known, problems)
        taken = sum(len(part) for part in columns)
        if taken:
            oldest, newest = min(int(part.time.min()) for part in columns), max(int(part.time.max()) for part in columns)
            first, last = (min(first, oldest), max(last, newest)) if rows else (oldest, newest)
        if insert is not None and taken:
            insert(columns, f"{token}/{number}")
        rows += taken
        if tell is not None:
            tell(Progress(rows=rows, bytes=min(chunk.read, size), total=size, refused=problems.rows))
    points = sum(target is not None for target in known.values())
    return ImportReport(
        rows=rows, refused=problems.rows, points=points, first=first, last=last, dry_run=False, problems=problems.first
    )


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    found = hashlib.blake2b(digest_size=12)
    while chunk := file.read(1 << 20):
        found.update(chunk)
    return found.hexdigest()
