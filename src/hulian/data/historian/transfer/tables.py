"""What export and import share: progress, problems, and the columns of a file.

A file holds one row a sample: ``point`` (its name, or its series id where it has none), ``time``, ``value``, ``status``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from hulian.kernel.storage import StorageClass

__all__ = ["COLUMNS", "Problem", "Problems", "Progress", "Resolve", "Target"]

COLUMNS: Final = ("point", "time", "value", "status")

_KEPT: Final = 1000


class Target(NamedTuple):
    """Where the samples of one point go."""

    series: int
    storage: StorageClass


Resolve = Callable[[str], Target | None]
"""From the name of a point, or a series id in digits, to its series; None where there is none."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: rows and bytes done, of ``total`` bytes or rows where that is known (else 0), and rows refused."""

    rows: int
    bytes: int
    total: int = 0
    refused: int = 0


class Problem(msgspec.Struct, frozen=True):
    """One value that cannot be taken: its line (of CSV, counted from 1) or row (of Parquet), its column, and why."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class Problems:
    """Counts every refused row and keeps the first thousand problems in full."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.rows = 0

    def add(self, line: int, column: str, message: str) -> None:
        """One row is refused."""
        self.rows += 1
        if len(self.first) < _KEPT:
            self.first.append(Problem(line, column, message))
