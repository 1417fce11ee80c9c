"""Which records there are, read from the registry alone: for whoever shows them and does not answer from them."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from hulian.network.identifiers.store.kinds import RECORD
from hulian.network.identifiers.store.tables import homed, record, relation
from hulian.registry import Registry

__all__ = ["Listed", "Listing"]


class Listed(NamedTuple):
    """One record: its handle, its counted values as they stand in an answer, and when it was changed in UTC ns."""

    handle: str
    packed: bytes
    changed: int


class Listing:
    """The records of a node, in the order of their keys; thread-safe, and nothing is kept in memory.

    It reads what a `RecordStore` has made durable, in whichever process that one is. It never writes.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def page(self, begins: bytes, after: bytes = b"", most: int = 100) -> list[Listed]:
        """Up to ``most`` records whose key begins with ``begins`` and comes behind ``after``."""
        query = (
            sa.select(record.c.handle, record.c.packed, record.c.changed)
            .where(record.c.key >= max(begins, after + b"\0" if after else b""), *_below(begins))
            .order_by(record.c.key)
            .limit(most)
        )
        with self._registry.read() as connection:
            return [Listed(row.handle, bytes(row.packed), row.changed) for row in connection.execute(query)]

    def count(self, begins: bytes, most: int) -> int:
        """How many records begin with ``begins``; no more than ``most`` are counted."""
        counted = sa.select(sa.literal(1)).where(record.c.key >= begins, *_below(begins)).limit(most).subquery()
        with self._registry.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one())

    def naming(self, template: bytes, after: bytes = b"", most: int = 100) -> list[str]:
        """Up to ``most`` records behind ``after`` that name the template of this key, in whichever version."""
        query = (
            sa.select(record.c.handle)
            .join(relation, relation.c.key == record.c.key)
            .where(relation.c.target == template, relation.c.kind == RECORD.encode(), record.c.key > after)
            .order_by(record.c.key)
            .limit(most)
        )
        with self._registry.read() as connection:
            return [str(row.handle) for row in connection.execute(query)]

    def count_naming(self, template: bytes, most: int) -> int:
        """How many records name the template of this key; no more than ``most`` are counted."""
        named = (relation.c.target == template, relation.c.kind == RECORD.encode())
        counted = sa.select(sa.literal(1)).where(*named).limit(most).subquery()
        with self._registry.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one())

    def homed(self) -> list[str]:
        """The prefixes that the node answers for, in order, such as ``88.111.1``."""
        with self._registry.read() as connection:
            rows = connection.execute(sa.select(homed.c.key, homed.c.prefix).order_by(homed.c.key))
            return [str(row.prefix).removeprefix("0.NA/") for row in rows]


def _below(begins: bytes) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that a key is not behind all that begin with ``begins``; none where nothing is."""
    end = begins.rstrip(b"\xff")
    return (record.c.key < end[:-1] + bytes([end[-1] + 1]),) if end else ()
