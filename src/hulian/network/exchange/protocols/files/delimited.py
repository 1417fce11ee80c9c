"""Delimited text to Arrow tables, in blocks of whole lines. Bytes in, columns out: no file is touched here."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyarrow import csv as arrow_csv

from hulian.network.exchange.protocols.files.config import FilesConfiguration

__all__ = ["Parsed", "Shape", "data_lines", "parse", "shape_of"]

_DELIMITERS: Final = (",", ";", "\t", "|")
_MOST_COLUMNS: Final = 20_000
_BOM: Final = b"\xef\xbb\xbf"
_EDGES: Final = re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
_BLANKS: Final = re.compile(rb"[ \t]+")


class Shape(msgspec.Struct, frozen=True):
    """What the head of a file tells: names of columns (all different), units, the delimiter, and where the rows begin."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    delimiter: str
    offset: int
    line: int


class Parsed(msgspec.Struct):
    """A block as a table; ``bad`` holds the lines (from 0 within the block) that are no rows, ``lines`` that of each row."""

    table: pa.Table
    bad: list[tuple[int, str]]
    lines: list[int] | None = None

    def line(self, row: int) -> int:
        """The line of a row of the table, from 0 within the block."""
        return row if self.lines is None else self.lines[row]


def shape_of(head: bytes, configuration: FilesConfiguration, *, complete: bool = False) -> Shape | None:
    """The shape of a file that begins with ``head``; None where the head is too short to tell. Raises `ValueError`.

    ``complete``: the file ends with ``head``, so that its last line may lack an end.
    """
    at, line = (len(_BOM) if head.startswith(_BOM) else 0), 0
    texts: list[str] = []
    wanted = configuration.skip + (1 + configuration.units_line if configuration.header else 0)
    begin = at
    while line < wanted or (not texts and not configuration.header):
        end = head.find(b"\n", at)
        if end < 0:
            if not (complete and at < len(head)):
                return None
            end = len(head) - 1
        if line >= configuration.skip:
            texts.append(head[at : end + 1].decode(configuration.encoding, "replace").strip("\r\n"))
        at, line = end + 1, line + 1
        if line == configuration.skip:
            begin = at
    first = texts[0]
    delimiter = configuration.delimiter if configuration.delimiter != "auto" else _sniff(first)
    cells = _cells(first, delimiter, configuration.quote)
    if len(cells) > _MOST_COLUMNS:
        raise ValueError(f"{len(cells)} columns are more than {_MOST_COLUMNS}")
    if configuration.header:
        units = _cells(texts[1], delimiter, configuration.quote) if configuration.units_line else []
        return Shape(_distinct(cells), tuple(units), delimiter, at, line)
    names = list(configuration.columns[: len(cells)])
    names += [f"c{number + 1}" for number in range(len(names), len(cells))]
    return Shape(_distinct(names), (), delimiter, begin, configuration.skip)


def _sniff(line: str) -> str:
    counts = {delimiter: line.count(delimiter) for delimiter in _DELIMITERS}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else "whitespace" if len(line.split()) > 1 and not line.startswith('"') else ","


def _cells(line: str, delimiter: str, quote: str) -> list[str]:
    if delimiter == "whitespace":
        return line.split()
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        found = next(csv.reader([line], delimiter=delimiter, **quoting), [])
    except csv.Error as error:
        raise ValueError(f"the header cannot be read: {error}") from error
    return [cell.strip() for cell in found]


def _distinct(names: list[str]) -> tuple[str, ...]:
    """An empty name becomes that of its place, a repeated one gets a number."""
    found: dict[str, None] = {}
    for place, name in enumerate(names):
        name = name or f"c{place + 1}"
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name}#{number}"
        found[candidate] = None
    return tuple(found)


def data_lines(data: bytes) -> list[int]:
    """The line of each row, from 0: lines end with LF. Arrow ends a row at a lone CR too, so that one line may hold several."""
    return [number for number, line in enumerate(data.split(b"\n")) for row in line.split(b"\r") if row]


def parse(data: bytes, shape: Shape, configuration: FilesConfiguration, types: Mapping[str, pa.DataType]) -> Parsed:
    """The columns named in ``types`` of whole lines; those that are not of their type come as texts, for all of the block.

    A line with another number of columns is bad; everything else of the block is read.
    """
    if shape.delimiter == "whitespace":
        data = _BLANKS.sub(b" ", _EDGES.sub(b"", data))
    data = _as_utf8(data, configuration.encoding)
    try:
        return _parse(data, shape, configuration, types)
    except pa.ArrowInvalid:
        pass
    # Something does not fit its type: every cell as a text, and the mapping decides value by value.
    texts = dict.fromkeys(types, pa.string())
    data = data.replace(b"\0", b"?")
    try:
        return _parse(data, shape, configuration, texts)
    except pa.ArrowInvalid:
        return _line_by_line(data, shape, configuration, texts)


def _as_utf8(data: bytes, encoding: str) -> bytes:
    """Bytes that are no text of the encoding become U+FFFD: Arrow would refuse the block for one of them."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii"):
        try:
            data.decode()
            return data
        except UnicodeDecodeError:
            encoding = "utf-8"
    return data.decode(encoding, "replace").encode()


def _parse(data: bytes, shape: Shape, configuration: FilesConfiguration, types: Mapping[str, pa.DataType]) -> Parsed:
    skipped: list[tuple[int, str]] = []

    def skip(row: Any) -> str:
        skipped.append((row.number, row.text))
        return "skip"

    if not data.strip():
        return Parsed(pa.table({name: pa.array([], kind) for name, kind in types.items()}), [])
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(
            use_threads=False, column_names=list(shape.names), block_size=max(len(data) + 1, 4096)
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=" " if shape.delimiter == "whitespace" else shape.delimiter,
            quote_char=configuration.quote or False,
            invalid_row_handler=skip,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=list(configuration.nulls),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            decimal_point=configuration.decimal,
        ),
    )
    if not skipped:
        return Parsed(table, [], None if data.count(b"\n") == table.num_rows else data_lines(data))
    lines = data_lines(data)
    # Arrow counts rows from 1, blank lines left out.
    bad = [(lines[number - 1], text) for number, text in skipped]
    gone = {number - 1 for number, _ in skipped}
    return Parsed(table, bad, [line for place, line in enumerate(lines) if place not in gone])


def _line_by_line(data: bytes, shape: Shape, configuration: FilesConfiguration, types: Mapping[str, pa.DataType]) -> Parsed:
    """A block that Arrow refuses as a whole (an open quote): each line alone, so that one harms no other."""
    tables: list[pa.Table] = []
    bad: list[tuple[int, str]] = []
    lines: list[int] = []
    for number, line in enumerate(data.split(b"\n")):
        if not line.strip(b"\r"):
            continue
        try:
            one = _parse(line + b"\n", shape, configuration, types)
        except pa.ArrowInvalid:
            bad.append((number, line.decode("utf-8", "replace")))
            continue
        bad += [(number, text) for _, text in one.bad]
        if one.table.num_rows:
            tables.append(one.table)
            lines.append(number)
    empty = pa.table({name: pa.array([], kind) for name, kind in types.items()})
    return Parsed(pa.concat_tables(tables) if tables else empty, bad, lines)
