"""Dictionaries of concepts: their releases, their words, and what people confirmed of suggestions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hulian.registry.tables import Ordered

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """No dictionary is known before."""
    op.create_table(
        "semantic_dictionary",
        sa.Column("name", Ordered(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("title", "publisher", "licence", "format")),
        sa.Column("current", sa.Integer(), nullable=False),
        sa.Column("taking", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_semantic_dictionary"),
    )
    op.create_table(
        "semantic_dictionary_release",
        sa.Column("dictionary", Ordered(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("added", "changed", "removed", "total")),
        sa.PrimaryKeyConstraint("dictionary", "release", name="pk_semantic_dictionary_release"),
    )
    op.create_table(
        "semantic_concept",
        sa.Column("identity", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("dictionary", Ordered(), nullable=False),
        sa.Column("key", Ordered(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer()),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_semantic_concept"),
    )
    op.create_index("ix_semantic_concept_key", "semantic_concept", ["key", "dictionary"])
    op.create_index("ix_semantic_concept_dictionary", "semantic_concept", ["dictionary", "kind", "key"])
    op.create_table(
        "semantic_concept_link",
        sa.Column("identity", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("link", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("target", Ordered(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "link", "position", name="pk_semantic_concept_link"),
    )
    op.create_index("ix_semantic_concept_link_target", "semantic_concept_link", ["target", "link"])
    op.create_table(
        "semantic_confirmation",
        sa.Column("tag", Ordered(), nullable=False),
        sa.Column("aspect", sa.String(), nullable=False),
        sa.Column("concept", Ordered(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "aspect", name="pk_semantic_confirmation"),
    )
    op.create_index("ix_semantic_confirmation_concept", "semantic_confirmation", ["concept"])
    op.create_table(
        "semantic_lesson",
        sa.Column("feature", Ordered(), nullable=False),
        sa.Column("aspect", sa.String(), nullable=False),
        sa.Column("concept", Ordered(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "aspect", "concept", name="pk_semantic_lesson"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE semantic_concept_word USING fts5 "
            "(names, parts, texts, tokenize='unicode61 remove_diacritics 0')"
        )
    else:
        op.execute("CREATE TABLE semantic_concept_word (identity integer PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_semantic_concept_word ON semantic_concept_word USING gin (words)")
