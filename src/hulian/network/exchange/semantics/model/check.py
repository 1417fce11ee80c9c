"""What is wrong with a version, seen with the rest of the model: told before it becomes current, by name and place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES

__all__ = ["Finding", "check", "errors"]

SHOWN: Final = 200
"""Findings of one rule that are listed."""


class Finding(msgspec.Struct, frozen=True):
    """One rule that a node breaks. An ``error`` keeps the document out of the model, a ``warning`` does not."""

    severity: str
    rule: str
    node: str
    message: str


def check(connection: Connection, key: int, name: str, known: Callable[[str], bool]) -> list[Finding]:
    """Findings of version ``key`` of the document ``name``, the errors first; at most `SHOWN` of each rule.

    ``known`` are ids that need no document.
    """
    return [
        *errors(connection, key, name),
        *_missing_types(connection, key, name, known),
        *_missing_targets(connection, key, name, known),
    ]


def errors(connection: Connection, key: int, name: str) -> list[Finding]:
    """The errors alone, which keep the document out of the model."""
    return [*_conflicts(connection, key, name), *_circles(connection, key)]


def _mine(column: Any, key: int) -> Any:
    return sa.and_(column >= key * PLACES, column < (key + 1) * PLACES)


def _visible(column: Any, key: int, name: str) -> Any:
    """Of the version itself, or of the current one of another document."""
    document = tables.document.c
    others = sa.exists().where(
        document.name != name, column >= document.current * PLACES, column < (document.current + 1) * PLACES
    )
    return sa.or_(_mine(column, key), others)


def _conflicts(connection: Connection, key: int, name: str) -> list[Finding]:
    mine, other, document = tables.node.alias("mine"), tables.node.alias("other"), tables.document.c
    if not connection.execute(sa.select(document.name).where(document.name != name).limit(1)).all():
        return []  # nobody is there to have one of its ids
    query = (
        sa.select(mine.c.id, document.name)
        .join(other, other.c.id == mine.c.id)
        .join(tables.document, sa.and_(other.c.key >= document.current * PLACES, other.c.key < (document.current + 1) * PLACES))
        .where(_mine(mine.c.key, key), document.name != name)
        .limit(SHOWN)
    )
    return [
        Finding("error", "conflict", found, f"the document '{owner}' has this id") for found, owner in connection.execute(query)
    ]


def _circles(connection: Connection, key: int) -> list[Finding]:
    """Nodes that stand under themselves: found by walking up at most once through each."""
    row = tables.node.c
    query = sa.select(row.key, row.parent).where(_mine(row.key, key))
    if not connection.execute(query.where(row.parent > row.key).limit(1)).all():
        return []  # where all stand below something earlier, there is no circle
    every = {int(found.key): int(found.parent) for found in connection.execute(query)}
    found, safe = [], set()
    for begin in every:
        seen: set[int] = set()
        at = begin
        while at in every and at not in safe:
            if at in seen:
                identity = connection.execute(sa.select(row.id).where(row.key == at)).scalar() or ""
                found.append(Finding("error", "circle", identity, "it stands under itself"))
                break
            seen.add(at)
            at = every[at]
        safe |= seen
    return found[:SHOWN]


def _missing_types(connection: Connection, key: int, name: str, standard: Callable[[str], bool]) -> list[Finding]:
    row, other = tables.node.c, tables.node.alias("other")
    wanted = sa.select(row.type, sa.func.min(row.id), sa.func.count()).where(_mine(row.key, key), row.type != "")
    found = []
    for kind, example, count in connection.execute(wanted.group_by(row.type)).all():
        known = connection.execute(
            sa.select(other.c.key).where(other.c.id == kind, _visible(other.c.key, key, name)).limit(1)
        ).scalar()
        if known is None and not standard(kind):
            more = f" and {count - 1} more" if count > 1 else ""
            found.append(Finding("warning", "type", example, f"its type '{kind}' is not in the model{more}"))
    return found[:SHOWN]


def _missing_targets(connection: Connection, key: int, name: str, standard: Callable[[str], bool]) -> list[Finding]:
    row, other = tables.reference.c, tables.node.alias("other")
    here = sa.exists().where(other.c.id == row.target, _visible(other.c.key, key, name))
    query = sa.select(row.target, sa.func.min(row.source), sa.func.min(row.relation), sa.func.count())
    found = []
    for target, source, relation, count in connection.execute(query.where(_mine(row.key, key), ~here).group_by(row.target)):
        if not standard(target):
            more = f", and {count - 1} more" if count > 1 else ""
            message = f"it refers ({relation}) to '{target}', which is not in the model{more}"
            found.append(Finding("warning", "reference", source, message))
            if len(found) >= SHOWN:
                break
    return found
