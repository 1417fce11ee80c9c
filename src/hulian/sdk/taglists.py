"""Tag lists and templates, as the platform tells them."""

from __future__ import annotations

import msgspec

__all__ = [
    "CellChange",
    "Fault",
    "ListApplied",
    "ListPreview",
    "RowChange",
    "Template",
    "TemplateParameter",
    "Upserted",
]


class CellChange(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a tag list that would change."""

    column: str
    old: str
    new: str


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """A point that would be added, changed or removed; ``row`` is where the list names it."""

    row: int
    name: str
    change: str
    cells: list[CellChange] = []


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a cell, or with a row where ``column`` is empty."""

    row: int
    column: str
    code: str
    message: str
    hint: str = ""


class ListPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What would change; ``digest`` is asked for when it is applied. ``rows`` and ``faults`` are the first of those counted."""

    digest: str
    columns: list[str]
    rows: list[RowChange]
    faults: list[Fault]
    added: int
    changed: int
    removed: int
    unchanged: int
    faulty: int


class Upserted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of points; ``reopened`` of the changed ones have another series from now on."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    reopened: int = 0


class ListApplied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; ``connectors`` read something else from now on."""

    points: Upserted
    removed: int
    connectors: list[str]


class TemplateParameter(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from one machine to the next."""

    name: str
    default: str | None = None
    text: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A type of machine: rows of patterns under the columns of a tag list."""

    name: str
    columns: list[str]
    rows: list[list[str]]
    text: str = ""
    parameters: list[TemplateParameter] = []
    version: int = 0
