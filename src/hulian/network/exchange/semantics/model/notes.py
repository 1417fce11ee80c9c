"""What people add to the nodes of documents: it is kept by the id of the node, outlives every version, and has a history."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.errors import ModelError
from hulian.network.exchange.semantics.model import tables

__all__ = ["FIELDS", "Note", "notes_of", "take"]

FIELDS: Final = ("point", "identifier", "meaning", "unit", "label")
"""What may be noted: the live point that a property is, the registered identifier of a thing, what it means where its document
is silent or wrong, its unit, what people call it."""
_LONGEST: Final = 2_048
_PART: Final = 500


class Note(msgspec.Struct, frozen=True):
    """One field of one node, as somebody set it; ``made`` is nanoseconds since 1970. An empty value takes it back."""

    node: str
    field: str
    value: str
    who: str = ""
    made: int = 0


def take(connection: Connection, notes: Sequence[Note]) -> None:
    """Keeps notes, and what was there before in the history; of two on one field of one node the later counts.

    Raises `ModelError`.
    """
    for begin in range(0, len(notes), _PART):
        _take(connection, notes[begin : begin + _PART])


def _take(connection: Connection, notes: Sequence[Note]) -> None:
    row, made = tables.note.c, time.time_ns()
    there = sa.select(row.node, row.field, row.value).where(row.node.in_({note.node for note in notes}))
    now = {(node, field): value for node, field, value in connection.execute(there)}
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    log: list[dict[str, Any]] = []
    for note in notes:
        _check(note)
        place, after = (note.node, note.field), note.value or None
        before = now.get(place)
        if before == after:
            continue
        values = {"node": note.node, "field": note.field, "who": note.who, "made": made}
        log.append({**values, "before": before, "after": after})
        kept[place] = {**values, "value": after}
        now[place] = after
    if not log:
        return
    gone = sa.delete(tables.note).where(row.node == sa.bindparam("of"), row.field == sa.bindparam("which"))
    connection.execute(gone, [{"of": node, "which": field} for node, field in kept])
    if more := [values for values in kept.values() if values["value"] is not None]:
        connection.execute(sa.insert(tables.note), more)
    connection.execute(sa.insert(tables.note_log), log)


def _check(note: Note) -> None:
    if note.field not in FIELDS:
        raise ModelError(f"'{note.field}' cannot be set on a node", place=note.node, hint=f"one of: {', '.join(FIELDS)}")
    if len(note.value) > _LONGEST:
        raise ModelError(f"more than {_LONGEST} characters", place=f"{note.node}, {note.field}")


def notes_of(connection: Connection, *, node: str | None = None, field: str | None = None) -> list[Note]:
    """Those of a node, of a field, or all."""
    row = tables.note.c
    query = sa.select(row.node, row.field, row.value, row.who, row.made).order_by(row.node, row.field)
    if node is not None:
        query = query.where(row.node == node)
    if field is not None:
        query = query.where(row.field == field)
    return [Note(*found) for found in connection.execute(query)]
