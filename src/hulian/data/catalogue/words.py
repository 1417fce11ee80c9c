"""The index of the words of points: SQLite's trigrams, which find any part of a word of three characters or more.

The index holds no text of its own. It is kept in the transaction that changes `catalogue_point.search`: `forget` before the
change, `learn` after it. PostgreSQL reads the column instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.data.catalogue import tables
from hulian.data.catalogue.rows import chunks, folded

__all__ = ["conditions", "forget", "learn", "learn_after"]

_TRIGRAM: Final = 3
_FORGET: Final = sa.text(
    "INSERT INTO catalogue_word (catalogue_word, rowid, search) "
    "SELECT 'delete', identity, search FROM catalogue_point WHERE identity IN :identities"
).bindparams(sa.bindparam("identities", expanding=True))
_LEARN: Final = sa.text(
    "INSERT INTO catalogue_word (rowid, search) SELECT identity, search FROM catalogue_point WHERE identity IN :identities"
).bindparams(sa.bindparam("identities", expanding=True))
_LEARN_AFTER: Final = sa.text(
    "INSERT INTO catalogue_word (rowid, search) SELECT identity, search FROM catalogue_point WHERE identity > :identity"
)


def forget(connection: Connection, identities: Sequence[int]) -> None:
    """Takes points out of the index, by the words they have at this moment."""
    _run(connection, _FORGET, identities)


def learn(connection: Connection, identities: Sequence[int]) -> None:
    """Puts points into the index."""
    _run(connection, _LEARN, identities)


def learn_after(connection: Connection, identity: int) -> None:
    """Puts every point of a higher identity into the index: those that were just added."""
    if connection.dialect.name == "sqlite":
        connection.execute(_LEARN_AFTER, {"identity": identity})


def conditions(connection: Connection, text: str) -> list[sa.ColumnElement[bool]]:
    """What a point must fulfil so that every word of ``text`` occurs in its words; nothing for an empty text."""
    words = list(dict.fromkeys(folded(text).split()))
    if connection.dialect.name != "sqlite":
        return [sa.func.strpos(tables.point.c.search, word) > 0 for word in words]
    short = [sa.func.instr(tables.point.c.search, word) > 0 for word in words if len(word) < _TRIGRAM]
    phrases = " ".join('"' + word.replace('"', '""') + '"' for word in words if len(word) >= _TRIGRAM)
    if not phrases:
        return short
    word = sa.table("catalogue_word", sa.column("rowid"))
    matching = sa.select(word.c.rowid).where(sa.literal_column("catalogue_word").op("MATCH", is_comparison=True)(phrases))
    return [*short, tables.point.c.identity.in_(matching)]


def _run(connection: Connection, statement: sa.TextClause, identities: Sequence[int]) -> None:
    if connection.dialect.name == "sqlite":
        for part in chunks(identities):
            connection.execute(statement, {"identities": list(part)})
