"""Tag lists as XLSX (Office Open XML, ECMA-376): the first sheet of a workbook to cells and back.

The container is looked at before a part of it is unpacked: a file that would grow beyond its limits, or that brings a
document type definition, is refused. Formulas are never calculated: what the spreadsheet program stored for them counts.
"""

from __future__ import annotations

import datetime
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from hulian.data.catalogue.errors import ListFormatError, ListLimitError
from hulian.data.catalogue.taglist.grid import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Grid, Row, check_row

__all__ = ["MOST_UNPACKED", "read_sheet", "write_sheet"]

MOST_UNPACKED: Final = 128 * 2**20
"""Bytes that all parts of a workbook may have together, once unpacked."""

_MOST_PARTS: Final = 1000
_WIDEST: Final = 1000
_CHUNK: Final = 1 << 16
_LONGEST_EXACT: Final = 1e15


def read_sheet(data: bytes) -> Grid:
    """The cells of the first sheet. Raises `ListFormatError` and `ListLimitError`."""
    from openpyxl.utils.exceptions import InvalidFileException

    formulas = _inspect(data)
    try:
        stored = _cells(data, values=True)
        written = _cells(data, values=False) if formulas else None
        return _grid(stored, written)
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, EOFError, OSError) as error:
        raise ListFormatError(f"the workbook cannot be read: {error}") from error
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        # openpyxl says in these ways that a part is missing or is not what its place says
        raise ListFormatError(f"the workbook is damaged: {type(error).__name__}: {error}") from error


def _inspect(data: bytes) -> bool:
    """Whether a sheet holds a formula. Refuses what is too large, encrypted, or defines entities, without keeping any of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS:
                raise ListLimitError(f"the workbook has more than {_MOST_PARTS} parts")
            if sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise ListLimitError(f"the workbook would unpack to more than {MOST_UNPACKED} bytes")
            if any(part.flag_bits & 1 for part in parts):
                raise ListFormatError("the workbook is encrypted", hint="save it without a password")
            looked = [_look(archive, part) for part in parts if part.filename.lower().endswith((".xml", ".rels"))]
            return any(looked)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise ListFormatError(f"the file is no workbook: {error}") from error


def _look(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    found, tail = False, b""
    with archive.open(part) as stream:
        first = True
        while chunk := stream.read(_CHUNK):
            if first and (b"\0" in chunk[:64] or chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or _foreign(chunk)):
                raise ListFormatError("a part of the workbook is not UTF-8", place=part.filename)
            first = False
            window = tail + chunk
            if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                raise ListFormatError("a part of the workbook defines entities", place=part.filename)
            found = found or b"<f>" in window or b"<f " in window or b"<f/" in window
            tail = window[-16:]
    return found


def _foreign(chunk: bytes) -> bool:
    declaration = chunk[:200].partition(b"?>")[0].lower()
    return b"encoding=" in declaration and b"utf-8" not in declaration and b"us-ascii" not in declaration


def _cells(data: bytes, *, values: bool) -> Iterator[tuple[Any, ...]]:
    from openpyxl import load_workbook

    workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)
    try:
        if not workbook.worksheets:
            raise ListFormatError("the workbook has no sheet of cells")
        sheet = workbook.worksheets[0]
        sheet.reset_dimensions()  # a sheet may claim any size; what is there counts
        yield from sheet.iter_rows(max_row=MOST_ROWS + 2, values_only=True)
    finally:
        workbook.close()


def _grid(stored: Iterator[tuple[Any, ...]], written: Iterator[tuple[Any, ...]] | None) -> Grid:
    titles: Sequence[str] | None = None
    rows: list[Row] = []
    cells_left = MOST_ROWS * MOST_COLUMNS
    for number, values in enumerate(stored, 1):
        cells_left -= len(values)
        if len(values) > _WIDEST or cells_left < 0:
            raise ListLimitError(f"the sheet has more than {MOST_COLUMNS} columns", place=f"row {number}")
        formulas = next(written, ()) if written is not None else ()
        width = next((at for at in range(len(values), 0, -1) if values[at - 1] is not None), 0)
        cells = [_text(value) for value in values[:width]]
        while cells and not cells[-1]:
            cells.pop()
        check_row(number, cells)
        for column, formula in enumerate(formulas):
            if isinstance(formula, str) and formula.startswith("=") and values[column] is None:
                raise ListFormatError(
                    "the cell is a formula without a stored value, and none is calculated here",
                    place=f"row {number}, column {column + 1}",
                    hint="open and save the workbook in a spreadsheet program, or paste the values",
                )
        if not cells:
            continue
        if titles is None:
            titles = cells
        else:
            rows.append(Row(number, cells))
    if titles is None:
        raise ListFormatError("the first sheet is empty")
    return Grid(titles, rows)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _LONGEST_EXACT else repr(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)


def write_sheet(titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int]) -> bytes:
    """The list as a workbook of one sheet. ``numbers`` are the columns whose cells are numbers; all others are text, whatever
    they begin with, so that no cell is a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet("points")
    sheet.freeze_panes = "B2"
    for column, title in enumerate(titles, 1):
        sheet.column_dimensions[get_column_letter(column)].width = max(12, min(40, 2 * len(title)))

    def text(value: str) -> Any:
        cell = WriteOnlyCell(sheet, value="")
        cell.value = _allowed(value)
        cell.data_type = "s"
        return cell

    head = []
    for title in titles:
        cell = text(title)
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for row in rows:
        sheet.append([_number(cell) if at in numbers else text(cell) if cell else None for at, cell in enumerate(row)])
    result = io.BytesIO()
    workbook.save(result)
    return result.getvalue()


def _number(cell: str) -> float | int | None:
    if not cell:
        return None
    value = float(cell)
    return int(value) if value.is_integer() and abs(value) < _LONGEST_EXACT else value


def _allowed(text: str) -> str:
    """``text`` without the control characters that XML 1.0 cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n\r")[:LONGEST_CELL]
