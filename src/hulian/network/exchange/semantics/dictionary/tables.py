"""The tables of dictionaries. `semantic_concept_word`, the index of words, is each database's own: see `words`.

A row of `concept` is one edition of a concept: it counts from release ``first`` up to, but without, release ``last``. What was
written for a release that is not the current one yet is seen by nobody.
"""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import Ordered, metadata

__all__ = ["concept", "confirmation", "dictionary", "lesson", "link", "release"]

dictionary = sa.Table(
    "semantic_dictionary",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("publisher", sa.String, nullable=False),
    sa.Column("licence", sa.String, nullable=False),
    sa.Column("format", sa.String, nullable=False),
    sa.Column("current", sa.Integer, nullable=False),
    sa.Column("taking", sa.String, nullable=False),
)

release = sa.Table(
    "semantic_dictionary_release",
    metadata,
    sa.Column("dictionary", Ordered(), primary_key=True),
    sa.Column("release", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("taken", sa.BigInteger, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("added", sa.Integer, nullable=False),
    sa.Column("changed", sa.Integer, nullable=False),
    sa.Column("removed", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
)

concept = sa.Table(
    "semantic_concept",
    metadata,
    sa.Column("identity", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dictionary", Ordered(), nullable=False),
    sa.Column("key", Ordered(), nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Index("ix_semantic_concept_key", "key", "dictionary"),
    sa.Index("ix_semantic_concept_dictionary", "dictionary", "kind", "key"),
)

link = sa.Table(
    "semantic_concept_link",
    metadata,
    sa.Column("identity", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("link", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("target", Ordered(), nullable=False),
    sa.Index("ix_semantic_concept_link_target", "target", "link"),
)

confirmation = sa.Table(
    "semantic_confirmation",
    metadata,
    sa.Column("tag", Ordered(), primary_key=True),
    sa.Column("aspect", sa.String, primary_key=True),
    sa.Column("concept", Ordered(), nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("moment", sa.BigInteger, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Index("ix_semantic_confirmation_concept", "concept"),
)

lesson = sa.Table(
    "semantic_lesson",
    metadata,
    sa.Column("feature", Ordered(), primary_key=True),
    sa.Column("aspect", sa.String, primary_key=True),
    sa.Column("concept", Ordered(), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
