"""A tag list in whichever form it comes: delimited text or a workbook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from hulian.data.catalogue.errors import ListFormatError, ListLimitError
from hulian.data.catalogue.taglist.columns import columns_for, shown
from hulian.data.catalogue.taglist.delimited import read_delimited, write_delimited
from hulian.data.catalogue.taglist.grid import MOST_ROWS, Grid
from hulian.data.catalogue.taglist.sheet import read_sheet, write_sheet
from hulian.kernel.point import Point

__all__ = ["Form", "read_list", "write_list"]

Form = Literal["csv", "xlsx"]

_CONTAINER: Final = b"PK\x03\x04"
_OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"


def read_list(data: bytes) -> Grid:
    """The cells of a list, whose form its first bytes tell. Raises `ListFormatError` and `ListLimitError`."""
    if data.startswith(_OLD_WORKBOOK):
        raise ListFormatError("this is an old or an encrypted workbook (.xls)", hint="save it as .xlsx, without a password")
    return read_sheet(data) if data.startswith(_CONTAINER) else read_delimited(data)


def write_list(points: Iterable[Point], form: Form) -> bytes:
    """The list of ``points``: reading it back changes nothing. Raises `ListLimitError`."""
    listed: Sequence[Point] = list(points)
    if len(listed) > MOST_ROWS:
        raise ListLimitError(f"{len(listed)} points are more than the {MOST_ROWS} rows of a list", hint="export a part of them")
    columns = columns_for(listed)
    titles = [column.key.replace("_", " ") for column in columns]
    rows = (shown(point, columns) for point in listed)
    if form == "csv":
        return write_delimited(titles, rows)
    return write_sheet(titles, rows, frozenset(at for at, column in enumerate(columns) if column.number))
