"""A table of text cells, and what is wrong with it: what every form of a tag list is read into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from hulian.data.catalogue.errors import CellError, ListLimitError
from hulian.kernel.errors import HulianError

__all__ = [
    "LONGEST_CELL",
    "MOST_CHARACTERS",
    "MOST_COLUMNS",
    "MOST_FAULTS",
    "MOST_ROWS",
    "Budget",
    "Fault",
    "Faults",
    "Grid",
    "Row",
    "check_row",
]

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 100
LONGEST_CELL: Final = 8_000
"""The limits of a list: rows, columns, and characters of one cell."""

MOST_CHARACTERS: Final = 64 * 2**20
"""Characters of all cells that patterns may make."""

MOST_FAULTS: Final = 500
"""How many mistakes are told; the others are counted."""


class Row(NamedTuple):
    """One row as it stands in the file; ``number`` counts as a spreadsheet does, so that a person finds it."""

    number: int
    cells: Sequence[str]


class Grid(NamedTuple):
    """The titles of the columns and the rows below them, without empty ones."""

    titles: Sequence[str]
    rows: Sequence[Row]
    decimal_comma: bool = False
    """Whether a comma in a number is its decimal mark, as in lists that separate by semicolons."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a cell, or with a row where ``column`` is empty."""

    row: int
    column: str
    code: str
    message: str
    hint: str = ""


class Budget:
    """What all cells together may hold: patterns could make far more of a small request than a file can bring."""

    def __init__(self) -> None:
        self._left = MOST_CHARACTERS

    def spend(self, text: str) -> None:
        """Raises `ListLimitError` once the cells hold more than `MOST_CHARACTERS`."""
        self._left -= len(text) + 1
        if self._left < 0:
            raise ListLimitError(f"the cells hold more than {MOST_CHARACTERS} characters")


class Faults:
    """Mistakes as they are found: the first ones told, all of them counted."""

    def __init__(self) -> None:
        self.told: list[Fault] = []
        self.count = 0
        self.rows: set[int] = set()

    def add(self, row: int, column: str, error: HulianError | str, hint: str = "") -> None:
        """Notes ``error``; a text is a `CellError`."""
        self.count += 1
        self.rows.add(row)
        if len(self.told) >= MOST_FAULTS:
            return
        if isinstance(error, str):
            self.told.append(Fault(row=row, column=column, code=CellError.code, message=error, hint=hint))
        else:
            self.told.append(Fault(row=row, column=column, code=error.code, message=error.message, hint=error.hint))


def check_row(number: int, cells: Sequence[str]) -> None:
    """Raises `ListLimitError` where a row is beyond the limits."""
    if number > MOST_ROWS + 1:
        raise ListLimitError(f"the list has more than {MOST_ROWS} rows")
    if len(cells) > MOST_COLUMNS:
        raise ListLimitError(f"the row has more than {MOST_COLUMNS} columns", place=f"row {number}")
    for column, cell in enumerate(cells, 1):
        if len(cell) > LONGEST_CELL:
            raise ListLimitError(f"the cell is longer than {LONGEST_CELL} characters", place=f"row {number}, column {column}")
