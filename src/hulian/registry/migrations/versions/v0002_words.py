"""Finds points by any part of a word: an index of the trigrams of `catalogue_point.search`, where the database has one."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the index in SQLite; PostgreSQL reads the column. Triggers would keep it, at ten times the price of a bulk."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute(
        "CREATE VIRTUAL TABLE catalogue_word USING fts5 "
        "(search, content='catalogue_point', content_rowid='identity', tokenize='trigram')"
    )
    op.execute("INSERT INTO catalogue_word (catalogue_word) VALUES ('rebuild')")
