"""The tables of records. ``key`` is the identifier as it is compared; times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import metadata

__all__ = ["homed", "record"]

record = sa.Table(
    "identifier_record",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("handle", sa.String, nullable=False),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
"""``packed``: the counted values, as they stand in an answer."""

homed = sa.Table(
    "identifier_homed",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("prefix", sa.String, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)
