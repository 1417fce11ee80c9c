"""Bulk edits: the same change to many points, with what each is called put into patterns; then planned like a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from hulian.data.catalogue.errors import CellError, ListFormatError, PatternError
from hulian.data.catalogue.taglist.columns import Draft, known
from hulian.data.catalogue.taglist.grid import Budget, Faults
from hulian.data.catalogue.taglist.patterns import LONGEST_PATTERN, Pattern
from hulian.data.catalogue.taglist.planning import Wanted
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point

__all__ = ["MOST_EDITED", "Edit", "Replacement", "edited", "placeholders"]

MOST_EDITED: Final = 50_000
"""How many points one edit may change."""

_REPLACEABLE: Final = ("tag", "path", "unit", "address")


class Replacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wherever ``find`` stands in a column, literally, it becomes ``put``."""

    column: str
    find: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    put: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to each point. ``set`` is a pattern a column, empty to clear it; replacements come after, in order."""

    set: dict[str, Annotated[str, msgspec.Meta(max_length=LONGEST_PATTERN)]] = {}
    replace: Annotated[list[Replacement], msgspec.Meta(max_length=20)] = []


def placeholders(point: Point, number: int) -> dict[str, str]:
    """What a pattern of an edit may name: the point's own texts, the parts of its place from the top, and its number in the
    selection, from 1."""
    thing, _, property_ = point.name.partition("#")
    prefix, _, suffix = thing.partition("/")
    parts = {f"path.{at}": part for at, part in enumerate(point.path.split("/"), 1)}
    return {
        "number": str(number),
        "identifier": point.name,
        "prefix": prefix,
        "thing": suffix,
        "property": property_,
        "tag": point.tag,
        "path": point.path,
        "unit": point.unit,
        "connector": point.connector,
        "address": point.address,
        "low": "" if point.low is None else f"{point.low:g}",
        "high": "" if point.high is None else f"{point.high:g}",
        **parts,
        **{f"text.{language}": text for language, text in point.texts.items()},
    }


def edited(points: Sequence[Point], edit: Edit) -> tuple[list[Wanted], list[str], Faults]:
    """The rows that ``edit`` makes of ``points``, numbered from 1. Raises `PatternError`, and `ListFormatError` for a column
    that cannot be set."""
    patterns = {_column(key): Pattern(text) for key, text in edit.set.items()}
    for item in edit.replace:
        if _column(item.column) not in _REPLACEABLE and not item.column.startswith("text."):
            raise ListFormatError(
                f"nothing is replaced in the column '{item.column}'", hint=", ".join((*_REPLACEABLE, "text.en"))
            )
    faults = Faults()
    rows: list[Wanted] = []
    budget = Budget()
    for number, point in enumerate(points, 1):
        rows.append(Wanted(number, point.name, _draft(point, number, patterns, edit.replace, faults, budget)))
    columns = list(dict.fromkeys([*patterns, *(item.column for item in edit.replace)]))
    return rows, columns, faults


def _draft(
    point: Point,
    number: int,
    patterns: Mapping[str, Pattern],
    replace: Sequence[Replacement],
    faults: Faults,
    budget: Budget,
) -> Draft:
    cells: dict[str, str] = {}
    values = placeholders(point, number)
    draft: Draft = {}
    for key, pattern in patterns.items():
        try:
            cells[key] = pattern.fill(values)
        except PatternError as error:
            faults.add(number, key, error)
    for item in replace:
        column = known(item.column)
        before = cells.get(item.column, column.show(point) if column else "")
        if item.find in before:
            cells[item.column] = before.replace(item.find, item.put)
    for key, text in cells.items():
        budget.spend(text)
        column = known(key)
        if column is None:
            continue
        if not text.strip() and column.keeps:
            faults.add(number, key, CellError("this column cannot be empty"))
            continue
        try:
            draft[key] = column.parse(text.strip()) if text.strip() else None
        except HulianError as error:
            faults.add(number, key, error)
    return draft


def _column(key: str) -> str:
    if key == "identifier" or known(key) is None:
        raise ListFormatError(
            f"the column '{key[:60]}' cannot be set", hint="tag, path, unit, kind, low, high, enabled, text.en …"
        )
    return key
