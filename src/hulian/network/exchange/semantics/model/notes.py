"""What people add to the nodes of documents: it is kept by the id of the node, outlives every version, and has a history."""

from __future__ import annotations

import time
from typing import Final

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


class Note(msgspec.Struct, frozen=True):
    """One field of one node, as somebody set it; ``made`` is nanoseconds since 1970. An empty value takes it back."""

    node: str
    field: str
    value: str
    who: str = ""
    made: int = 0


def take(connection: Connection, note: Note) -> None:
    """Keeps a note, and what was there before in the history. Raises `ModelError`."""
    if note.field not in FIELDS:
        raise ModelError(f"'{note.field}' cannot be set on a node", place=note.node, hint=f"one of: {', '.join(FIELDS)}")
    if len(note.value) > _LONGEST:
        raise ModelError(f"more than {_LONGEST} characters", place=f"{note.node}, {note.field}")
    row, made = tables.note.c, time.time_ns()
    mine = (row.node == note.node, row.field == note.field)
    before = connection.execute(sa.select(row.value).where(*mine)).scalar()
    if before == note.value or (before is None and not note.value):
        return
    connection.execute(sa.delete(tables.note).where(*mine))
    values = {"node": note.node, "field": note.field, "who": note.who, "made": made}
    if note.value:
        connection.execute(sa.insert(tables.note).values(value=note.value, **values))
    connection.execute(sa.insert(tables.note_log).values(before=before, after=note.value or None, **values))


def notes_of(connection: Connection, *, node: str | None = None, field: str | None = None) -> list[Note]:
    """Those of a node, of a field, or all."""
    row = tables.note.c
    query = sa.select(row.node, row.field, row.value, row.who, row.made).order_by(row.node, row.field)
    if node is not None:
        query = query.where(row.node == node)
    if field is not None:
        query = query.where(row.field == field)
    return [Note(*found) for found in connection.execute(query)]
