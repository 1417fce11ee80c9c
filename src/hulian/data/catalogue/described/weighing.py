"""Whose word counts: what a description says now, what it said when it was taken over last, and what is there.

A field that is as the description said last, or that nobody has filled, takes over what it says now. Any other was set by a
person, and stays. What a description is silent about is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hulian.data.catalogue.described.records import FieldChange

__all__ = ["ABSENT", "weigh"]


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = _Absent()
"""Not said, or not there: other than any value."""


def weigh(
    current: Mapping[str, Any],
    wanted: Mapping[str, Any],
    before: Mapping[str, Any],
    *,
    together: Iterable[str] = (),
    overwrite: bool = False,
) -> tuple[list[FieldChange], list[FieldChange]]:
    """What is taken over, and what a person set and so stays. Fields of ``together`` are taken all or none."""
    taken: list[FieldChange] = []
    kept: list[FieldChange] = []
    for field, value in wanted.items():
        now = current.get(field, ABSENT)
        if now == value:
            continue
        change = FieldChange(field=field, old=None if now is ABSENT else now, new=value)
        was = before.get(field, ABSENT)
        empty = now is ABSENT or now is None or now == ""
        ours = now == was if was is not ABSENT else empty
        (taken if ours or overwrite else kept).append(change)
    group = set(together)
    if any(change.field in group for change in kept):
        kept += [change for change in taken if change.field in group]
        taken = [change for change in taken if change.field not in group]
    return taken, kept
