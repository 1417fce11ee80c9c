"""The records of a registry as of one moment, read while its node goes on changing them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hulian.network.identifiers.store.changes import FIRST_SEAL, Change, What, changes_behind, digest_of_values
from hulian.network.identifiers.store.records import key_of
from hulian.network.identifiers.store.tables import change, homed, record
from hulian.registry import Registry

__all__ = ["Kept", "Snapshot", "snapshot"]

_PART: Final = 100
"""Records that are in memory at once: with the largest ones 25 MiB."""


class Kept(msgspec.Struct, frozen=True):
    """One record: its counted values, and when they were put there (UTC ns)."""

    handle: str
    packed: bytes
    changed: int


class Snapshot:
    """What one read transaction sees. ``number`` and ``seal`` are those of the newest change in it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute(sa.select(change.c.number, change.c.seal).order_by(change.c.number.desc()).limit(1)).first()
        self.number, self.seal = (int(row[0]), bytes(row[1])) if row else (0, FIRST_SEAL)

    def seal_of(self, number: int) -> bytes | None:
        """The seal of change ``number``, 32 zero bytes for 0; None where there is no such change."""
        if not number:
            return FIRST_SEAL
        found = changes_behind(self._connection, number - 1, 1)
        return found[0].seal if found and found[0].number == number else None

    def prefixes(self) -> list[tuple[str, int]]:
        """The prefixes that the node answers for, and since when (UTC ns)."""
        query = sa.select(homed.c.prefix, homed.c.since).order_by(homed.c.key)
        return [(row.prefix, row.since) for row in self._connection.execute(query)]

    def count(self) -> int:
        """How many records there are."""
        return int(self._connection.execute(sa.select(sa.func.count()).select_from(record)).scalar() or 0)

    def records(self) -> Iterator[Kept]:
        """All records, in the order of their keys, a hundred in memory at once."""
        for row in self._streamed(sa.select(record.c.handle, record.c.packed, record.c.changed).order_by(record.c.key)):
            yield Kept(row.handle, bytes(row.packed), row.changed)

    def changes(self, after: int) -> Iterator[tuple[Change, bytes | None]]:
        """The changes behind number ``after``, in order, each with the counted values after it; None where there are none, or
        where those are no longer known: a later change of the same record brings the ones of now."""
        last = after
        while part := changes_behind(self._connection, last, _PART):
            found = self._packed({key_of(one.handle) for one in part if one.what in _KEPT})
            for one in part:
                values = found.get(key_of(one.handle)) if one.what in _KEPT else None
                yield one, values if values is not None and digest_of_values(values) == one.content else None
            last = part[-1].number

    def _packed(self, keys: set[bytes]) -> dict[bytes, bytes]:
        query = sa.select(record.c.key, record.c.packed).where(record.c.key.in_(keys))
        return {bytes(row.key): bytes(row.packed) for row in self._connection.execute(query)}

    def _streamed(self, query: sa.Select[tuple[str, bytes, int]]) -> Iterator[Row[tuple[str, bytes, int]]]:
        yield from self._connection.execute(query, execution_options={"yield_per": _PART})


_KEPT: Final = frozenset((What.CREATE, What.UPDATE))


@contextlib.contextmanager
def snapshot(registry: Registry) -> Iterator[Snapshot]:
    """What ``registry`` holds now, for as long as the block lasts. Nobody who writes is kept waiting; SQLite's write-ahead log
    grows meanwhile by what is written."""
    with registry.read() as connection:
        yield Snapshot(connection)
