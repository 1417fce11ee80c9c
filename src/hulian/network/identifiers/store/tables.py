"""The tables of records. ``key`` is the identifier as it is compared; times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import metadata

__all__ = ["attribute", "change", "derived", "foreign_template", "homed", "job", "record", "relation", "word"]

record = sa.Table(
    "identifier_record",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("handle", sa.String, nullable=False),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""``packed``: the counted values, as they stand in an answer."""

homed = sa.Table(
    "identifier_homed",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("prefix", sa.String, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)

change = sa.Table(
    "identifier_change",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("changes", sa.Integer, nullable=False, server_default="1"),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("what", sa.SmallInteger, nullable=False),
    sa.Column("handle", sa.String, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)
"""``content``: the digest of the values after the change, empty where there are none. ``seal`` binds a row to all before it.

A row of several ``changes`` stands for records that were created together; ``number`` and ``seal`` are those of the last, and
``content`` holds handles and digests of all (`hulian.network.identifiers.store.segments`)."""

job = sa.Table(
    "identifier_job",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
"""``rows`` of the file are done, and ``digest`` is over them: who goes on with another file is told so."""

attribute = sa.Table(
    "identifier_attribute",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("at", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.LargeBinary, nullable=False),
    sa.Column("text", sa.LargeBinary),
    sa.Column("number", sa.Float),
    sa.Column("moment", sa.BigInteger),
    sa.Column("public", sa.SmallInteger, nullable=False),
    sa.Index("ix_identifier_attribute_text", "name", "text", "key"),
    sa.Index("ix_identifier_attribute_number", "name", "number", "key"),
    sa.Index("ix_identifier_attribute_moment", "name", "moment", "key"),
)
"""What `hulian.network.identifiers.store.derived` takes out of records that name a template. Names and texts are folded, and
bytes, so that every database orders them alike; ``moment`` is UTC ns."""

word = sa.Table(
    "identifier_word",
    metadata,
    sa.Column("word", sa.LargeBinary, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("at", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("public", sa.SmallInteger, nullable=False),
    sa.Index("ix_identifier_word_key", "key"),
)
"""Which words stand in which value."""

relation = sa.Table(
    "identifier_relation",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("at", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.LargeBinary, nullable=False),
    sa.Column("target", sa.LargeBinary, nullable=False),
    sa.Column("public", sa.SmallInteger, nullable=False),
    sa.Index("ix_identifier_relation_target", "target", "kind", "key"),
)
"""Which record refers to which, to its template as well; ``target`` is the key of a handle, of this node or of any other."""

derived = sa.Table(
    "identifier_derived",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("position", sa.LargeBinary),
)
"""That the three tables above hold what is taken out of all records, and by which version of the rules; with a ``position``
of the records up to this key."""

foreign_template = sa.Table(
    "identifier_template",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
)
"""Templates of other nodes, as they were when a record here first named them."""
