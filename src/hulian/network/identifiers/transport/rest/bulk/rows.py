"""Rows as columns, out of CSV and Arrow IPC streams, with bounds on everything that a sender chooses."""

from __future__ import annotations

import codecs
import csv
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from hulian.network.identifiers.transport.rest.errors import RequestError, RowError, SizeError

__all__ = ["SCHEMA", "Refuse", "arrow_rows", "csv_rows"]

SCHEMA: Final = pa.schema(
    [
        ("line", pa.int64()),
        ("handle", pa.string()),
        ("index", pa.int64()),
        ("type", pa.string()),
        ("data", pa.binary()),
        ("ttl", pa.int64()),
        ("permissions", pa.string()),
    ]
)
"""``line`` counts from 1, the head line of a CSV file included. A number that cannot be read is -1, a text that is missing is
null. ``permissions`` are four binary digits; ``ttl`` are seconds."""

BLOCK: Final = 1 << 20
"""Bytes of CSV that are looked at together, and so the longest line."""

LARGEST_MESSAGE: Final = 32 << 20
"""Bytes of one Arrow batch."""

_LARGEST_METADATA: Final = 1 << 20
_MOST_COLUMNS: Final = 64
_NEEDED: Final = ("handle", "index", "type", "data")
_OPTIONAL: Final = ("ttl", "permissions")
_USUAL: Final = {"ttl": "86400", "permissions": "1110"}
_RECORD_BATCH: Final = 3
_SCHEMA_MESSAGE: Final = 1
_NUMBER: Final = r"^[0-9]{1,10}$"

Read = Callable[[], bytes]
"""The next bytes of the body; none at its end."""

Refuse = Callable[[int, str, RowError], None]
"""Says that the row at a line, of a handle where it is known, is refused."""


# -- CSV -----------------------------------------------------------------------------------------------------------------


def csv_rows(read: Read, refuse: Refuse) -> Iterator[pa.RecordBatch]:
    """Batches of the rows of a CSV text in UTF-8: one row a line, with a head line that names the columns.

    A value with a line break in it does not go by CSV: what a quote leaves open ends with its line, and harms no other row.
    Raises `RequestError` for a head line without the columns, `SizeError` for a line of more than 1 MiB.
    """
    places: dict[str, int] | None = None
    line, width = 0, 0
    for block in _blocks(read):
        if places is None:
            head, _, block = block.partition(b"\n")
            places, width = _head(head)
            line = 1
        if block:
            batch, count = _rows(block, line + 1, places, width, refuse)
            yield batch
            line += count
    if places is None:
        raise RequestError("an empty body", place="line 1", hint=f"the head line names the columns: {', '.join(_NEEDED)}")


def _blocks(read: Read) -> Iterator[bytes]:
    """Whole lines, of about a block at a time."""
    rest, ended = b"", False
    while not ended:
        parts, size = [rest], len(rest)
        while size < BLOCK:
            part = read()
            if not part:
                ended = True
                break
            parts.append(part)
            size += len(part)
        block = b"".join(parts)
        cut = len(block) if ended else block.rfind(b"\n") + 1
        if not cut and block:
            raise SizeError(f"a line of more than {BLOCK} bytes", hint="long values go by Arrow")
        rest = block[cut:]
        if cut:
            yield block[:cut]


def _head(line: bytes) -> tuple[dict[str, int], int]:
    try:
        names = [name.strip().lower() for name in next(csv.reader([line.decode("utf-8-sig")], strict=True))]
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise RequestError(f"no head line: {error}", place="line 1") from None
    return _placed(names), len(names)


def _placed(names: list[str]) -> dict[str, int]:
    known = (*_NEEDED, *_OPTIONAL)
    if len(names) > _MOST_COLUMNS or len(set(names)) != len(names) or (missing := [one for one in _NEEDED if one not in names]):
        what = f"the column {missing[0]!r} is missing" if len(set(names)) == len(names) and missing else "columns come twice"
        raise RequestError(what, place="line 1", hint=f"columns are {', '.join(_NEEDED)}; if you like {', '.join(_OPTIONAL)}")
    if unknown := [name for name in names if name not in known]:
        raise RequestError(f"there is no column {unknown[0][:40]!r}", place="line 1", hint=f"one of {', '.join(known)}")
    return {name: names.index(name) for name in known if name in names}


def _rows(block: bytes, first: int, places: dict[str, int], width: int, refuse: Refuse) -> tuple[pa.RecordBatch, int]:
    """The rows of ``block``, and how many lines it has."""
    columns = _at_once(block, width)
    if columns is not None:
        return _batch(columns, np.arange(first, first + len(columns[0])), places), len(columns[0])
    lines = block.removesuffix(b"\n").split(b"\n")
    rows = _quick(lines)
    if rows is None:
        rows = [_careful(line, first + place, refuse) for place, line in enumerate(lines)]
    for place, row in enumerate(rows):
        if row and len(row) != width:
            refuse(first + place, row[0], RowError(f"{len(row)} columns, where {width} belong"))
    numbers = [first + place for place, row in enumerate(rows) if len(row) == width]
    columns = list(zip(*[row for row in rows if len(row) == width], strict=True)) or [()] * width
    return _batch([pa.array(column, pa.string()) for column in columns], numbers, places), len(lines)


def _batch(columns: Sequence[Any], numbers: Any, places: dict[str, int]) -> pa.RecordBatch:
    """Columns of texts by what they are: see `SCHEMA`."""
    found = {name: columns[place] for name, place in places.items()}
    for name, usual in _USUAL.items():
        given = found.get(name)
        found[name] = pa.repeat(usual, len(numbers)) if given is None else _or(given, usual)
    return pa.record_batch(
        [
            pa.array(numbers, pa.int64()),
            found["handle"],
            _numbers(found["index"]),
            found["type"],
            found["data"].cast(pa.binary()),
            _numbers(found["ttl"]),
            found["permissions"],
        ],
        schema=SCHEMA,
    )


def _at_once(block: bytes, width: int) -> list[Any] | None:
    """The columns of lines without quotes, split in C; None where there is anything to look at line by line."""
    if b'"' in block or block.startswith(codecs.BOM_UTF8):
        return None
    if b"\r" in block and b"\r" in (block := block.replace(b"\r\n", b"\n")):
        return None
    if b"\n\n" in block or block.startswith(b"\n"):
        return None
    names = [str(place) for place in range(width)]
    try:
        table = pcsv.read_csv(
            pa.BufferReader(block),
            pcsv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            pcsv.ParseOptions(quote_char=False, double_quote=False, ignore_empty_lines=False),
            pcsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    if any((pc.max(pc.binary_length(column)).as_py() or 0) > csv.field_size_limit() for column in columns):
        return None
    return columns


def _or(column: Any, usual: str) -> Any:
    return pc.if_else(pc.equal(column, ""), usual, column)


def _numbers(column: Any) -> Any:
    """Digits as numbers, anything else as -1."""
    return pc.if_else(pc.match_substring_regex(column, _NUMBER), column, "-1").cast(pa.int64())


def _quick(lines: list[bytes]) -> list[list[str]] | None:
    """Every line as its fields; None where one of them has to be looked at by itself."""
    try:
        texts = b"\n".join(lines).decode().split("\n")
        if len(texts) != len(lines):
            return None
        reader = csv.reader([text[:-1] if text.endswith("\r") else text for text in texts], strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows if len(rows) == len(lines) == reader.line_num else None


def _careful(line: bytes, number: int, refuse: Refuse) -> list[str]:
    try:
        text = line.decode()
        reader = csv.reader([text[:-1] if text.endswith("\r") else text], strict=True)
        return next(reader, [])
    except UnicodeDecodeError:
        refuse(number, "", RowError("the line is not UTF-8"))
    except csv.Error as error:
        refuse(number, "", RowError(f"the line is no CSV: {error}", hint="a value with line breaks goes by Arrow"))
    return []


# -- Arrow ---------------------------------------------------------------------------------------------------------------


def arrow_rows(read: Read, refuse: Refuse) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow IPC stream whose columns are texts, bytes and whole numbers, neither compressed nor of
    dictionaries. ``line`` is the number of the row, from 1.

    Raises `RequestError` for what is no such stream, `SizeError` for a batch of more than 32 MiB.
    """
    stream = _Bytes(read)
    try:
        schema = None
        row = 1
        while (message := _message(stream)) is not None:
            kind, data = message
            if schema is None:
                if kind != _SCHEMA_MESSAGE:
                    raise RequestError("an Arrow stream begins with its schema")
                schema = pa.ipc.read_schema(pa.py_buffer(data))
                _check_schema(schema)
            elif kind != _RECORD_BATCH:
                raise RequestError("only plain batches are read here", hint="send columns without dictionaries")
            else:
                batch = pa.ipc.read_record_batch(pa.py_buffer(data), schema)
                batch.validate(full=True)
                yield _converted(batch, row)
                row += batch.num_rows
        if schema is None:
            raise RequestError("an empty body")
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError) as error:
        raise RequestError(f"not an Arrow IPC stream: {str(error)[:200]}") from error


class _Bytes:
    def __init__(self, read: Read) -> None:
        self._read = read
        self._rest = b""

    def take(self, count: int) -> bytes:
        """``count`` bytes; fewer where the stream ends."""
        parts, size = [self._rest], len(self._rest)
        while size < count:
            part = self._read()
            if not part:
                break
            parts.append(part)
            size += len(part)
        whole = b"".join(parts)
        self._rest = whole[count:]
        return whole[:count]


def _message(stream: _Bytes) -> tuple[int, bytes] | None:
    """Kind and bytes of the next message (Arrow's encapsulated message format); None at the end."""
    head = stream.take(8)
    if not head or head[4:] == b"\0\0\0\0":
        return None
    mark, size = struct.unpack("<Ii", head)
    if mark != 0xFFFFFFFF or not 0 < size <= _LARGEST_METADATA:
        raise RequestError("not an Arrow IPC stream")
    metadata = stream.take(size)
    if len(metadata) < size:
        raise RequestError("the Arrow stream ends early")
    table = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    kind, length = table.number(1, "<B"), table.number(3, "<q")
    if not 0 <= length <= LARGEST_MESSAGE:
        raise SizeError(f"a batch of more than {LARGEST_MESSAGE >> 20} MiB", hint="send smaller batches")
    inner = table.table(2)
    if kind == _RECORD_BATCH and inner is not None and inner.table(3) is not None:
        raise RequestError("compressed batches are not read here", hint="send them without compression")
    body = stream.take(length)
    if len(body) < length:
        raise RequestError("the Arrow stream ends early")
    return kind, head + metadata + body


class _Table:
    """A table of a flatbuffer, as far as it is needed here. Raises `struct.error` and `ValueError` for a broken one."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        entry = at - struct.unpack_from("<i", data, at)[0]
        if entry < 0:
            raise ValueError("a table outside of its message")
        size = struct.unpack_from("<H", data, entry)[0]
        self._fields = struct.unpack_from(f"<{max(0, size - 4) // 2}H", data, entry + 4)

    def number(self, field: int, form: str) -> int:
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from(form, self._data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return None if place is None else _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def _place(self, field: int) -> int | None:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._at + offset if offset else None


def _check_schema(schema: pa.Schema) -> None:
    _placed([name.lower() for name in schema.names])
    for field in schema:
        kind = field.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        raw = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        allowed = {
            "index": pa.types.is_integer(kind),
            "ttl": pa.types.is_integer(kind),
            "data": text or raw,
        }.get(field.name.lower(), text)
        if not allowed:
            raise RequestError(f"a column of {kind} cannot be {field.name!r}", place=field.name)


def _converted(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    found = {name.lower(): column for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    count = batch.num_rows

    def number(name: str, missing: int) -> Any:
        column = found.get(name)
        if column is None:
            return pa.array([missing] * count, pa.int64())
        if pa.types.is_uint64(column.type):
            column = pc.if_else(pc.greater(column, 0x7FFFFFFFFFFF), pa.scalar(0x7FFFFFFFFFFF, pa.uint64()), column)
        return pc.fill_null(column.cast(pa.int64()), missing)

    permissions = found.get("permissions")
    if permissions is None:
        permissions = pa.array(["1110"] * count, pa.string())
    return pa.record_batch(
        [
            pa.array(range(first, first + count), pa.int64()),
            found["handle"].cast(pa.string()),
            number("index", -1),
            found["type"].cast(pa.string()),
            found["data"].cast(pa.binary()),
            number("ttl", 86_400),
            pc.fill_null(permissions.cast(pa.string()), "1110"),
        ],
        schema=SCHEMA,
    )
