"""The tables of what a node counts and tells. Times are UTC: ``begin`` and ``end`` in Unix seconds, every other in ns."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import metadata

__all__ = ["counted", "fault", "mark", "outgoing", "received", "source"]

counted = sa.Table(
    "identifier_count",
    metadata,
    sa.Column("span", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
"""``span`` seconds from ``begin`` on: a minute or a day; ``content`` is a `Counts` in JSON."""

source = sa.Table(
    "identifier_source",
    metadata,
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("network", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""Questions of a day (its ``begin``) by where they came from; those of an empty ``network`` are of all others together."""

fault = sa.Table(
    "identifier_fault",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("over", sa.BigInteger),
    sa.Column("cause", sa.SmallInteger, nullable=False),
    sa.Column("code", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("message", sa.String, nullable=False),
)
"""``over``: when it ended; the same as ``at`` for what is a moment only, nothing while it lasts."""

mark = sa.Table(
    "identifier_mark",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
"""How far something has come: the change that was counted last, whether the node runs."""

outgoing = sa.Table(
    "identifier_outgoing",
    metadata,
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("part", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Reports that the node above has not taken yet."""

received = sa.Table(
    "identifier_report",
    metadata,
    sa.Column("prefix", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("begin", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("part", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Reports of nodes below, as they were signed; ``digest`` is over what they say."""
