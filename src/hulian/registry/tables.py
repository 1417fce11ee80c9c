"""The one collection of tables, and the column types they share."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

__all__ = ["Ordered", "Unsigned64", "metadata"]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of every room; a test compares it with what the migrations make."""


class Unsigned64(TypeDecorator[int]):
    """An unsigned 64-bit number, such as a series id, in the signed column that every database has (same bits)."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return value if value is None or value < 2**63 else value - 2**64

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return value if value is None or value >= 0 else value + 2**64


def Ordered(length: int | None = None) -> sa.String:  # noqa: N802 - reads as a column type
    """Text that sorts by code point in every database, so that a page can begin after a key."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
