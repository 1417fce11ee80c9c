"""Tag lists as delimited text (RFC 4180 and what spreadsheets make of it): bytes to cells and back.

A text cell that a spreadsheet would take for a formula is written with an apostrophe before it, which reading takes away
again: what one exports, edits and imports is the same, and nothing of it is executed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from hulian.data.catalogue.errors import ListFormatError
from hulian.data.catalogue.taglist.grid import Grid, Row, check_row

__all__ = ["decoded", "guarded", "read_delimited", "unguarded", "write_delimited"]

_DELIMITERS: Final = (",", ";", "\t")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """``text`` as a cell that no spreadsheet calculates; a number stays one.

    >>> guarded("=1+1"), guarded("-5"), guarded("'+x"), guarded("TI-101")
    ("'=1+1", '-5', "''+x", 'TI-101')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    return text[1:] if _GUARDED.match(text) else text


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, in UTF-16 with its mark, or in GB18030. Raises `ListFormatError`."""
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"byte {error.start}"
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise ListFormatError(
            "the text is neither UTF-8 nor GB18030", place=place, hint="save the list as 'CSV UTF-8', or as XLSX"
        ) from error


def read_delimited(data: bytes) -> Grid:
    """The cells of a list whose columns are separated by commas, semicolons or tabs: whichever its first line holds most.

    Raises `ListFormatError` and `ListLimitError`.
    """
    text = decoded(data)
    head = text.lstrip("\r\n").partition("\n")[0]
    if "\0" in text:
        raise ListFormatError("the file holds zero bytes: it is no text", hint="save the list as CSV or XLSX")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    titles: Sequence[str] | None = None
    rows: list[Row] = []
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            check_row(number, cells)
            if not any(cells):
                continue
            if titles is None:
                titles = cells
            else:
                rows.append(Row(number, [unguarded(cell) for cell in cells]))
    except csv.Error as error:
        raise ListFormatError(f"the row cannot be read: {error}", place=f"row {number + 1}") from error
    if titles is None:
        raise ListFormatError("the file is empty")
    return Grid(titles, rows, decimal_comma=delimiter == ";")


def write_delimited(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The list as CSV in UTF-8, with the mark that makes spreadsheets read it as such."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(titles)
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")
