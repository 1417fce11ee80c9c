"""The tables of the information model.

A document is imported as a whole and never changed: importing it again makes a new version, and the model shows the current one
of each. What people add to nodes (live points, identifiers, meanings) is kept apart, by the id of the node, and stays.

The key of a node is the key of its version times 2**32, plus its place in the document: a version is one range of keys, in
document order.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from hulian.registry.tables import Ordered, metadata

__all__ = ["PLACES", "attachment", "document", "meaning", "node", "note", "note_log", "reference", "state", "version"]

PLACES: Final = 2**32
"""Keys of a version."""

state = sa.Table(
    "semantics_state",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

document = sa.Table(
    "semantics_document",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("current", sa.BigInteger, nullable=False),
)

version = sa.Table(
    "semantics_version",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("document", Ordered(), nullable=False, index=True),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("header", sa.LargeBinary, nullable=False),
    sa.Column("file", sa.String, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("nodes", sa.Integer, nullable=False),
    sa.Column("references", sa.Integer, nullable=False),
    sa.Column("losses", sa.LargeBinary, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
)

node = sa.Table(
    "semantics_node",
    metadata,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", Ordered(), nullable=False, index=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("parent", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String, nullable=False),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index(None, "parent", "key"),
)

meaning = sa.Table(
    "semantics_meaning",
    metadata,
    sa.Column("concept", Ordered(), primary_key=True),
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
)

reference = sa.Table(
    "semantics_reference",
    metadata,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", Ordered(), nullable=False),
    sa.Column("relation", sa.String, nullable=False),
    sa.Column("target", Ordered(), nullable=False),
    sa.Column("extra", sa.LargeBinary, nullable=False),
    sa.Index(None, "source", "key"),
    sa.Index(None, "target", "key"),
)

attachment = sa.Table(
    "semantics_attachment",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("media_type", sa.String, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

note = sa.Table(
    "semantics_note",
    metadata,
    sa.Column("node", Ordered(), primary_key=True),
    sa.Column("field", sa.String, primary_key=True),
    sa.Column("value", Ordered(), nullable=False, index=True),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
)

note_log = sa.Table(
    "semantics_note_log",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("node", Ordered(), nullable=False, index=True),
    sa.Column("field", sa.String, nullable=False),
    sa.Column("before", sa.String),
    sa.Column("after", sa.String),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
)
