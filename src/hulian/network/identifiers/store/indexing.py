"""Takes out of all records, anew, what is searched: part by part, each in a transaction of its own that says how far it came.

That is done at the first start after a migration or with other rules, before the node answers. Who is killed over it goes on
behind the last part that was committed; what the tables hold beyond it is taken out again before anything is put in.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from hulian.network.identifiers.store import derived
from hulian.network.identifiers.store.tables import attribute, record, relation, word
from hulian.network.identifiers.store.tables import derived as state
from hulian.registry import Registry

__all__ = ["bring_up_to_date"]

PART: Final = 5_000
"""Records of one transaction, and `PART_BYTES` of their values: it bounds memory, and for how long others cannot write."""

PART_BYTES: Final = 16 << 20
TOLD: Final = 100_000
"""Records after which the log says how far it is."""

_NAME: Final = "records"
_log = structlog.get_logger(__name__)


def bring_up_to_date(registry: Registry) -> int:
    """Indexes what is not indexed yet by these rules; how many records were looked at. Several processes may do it at once.

    Raises `RegistryError`; what was done until then is kept.
    """
    with registry.read() as connection:
        row = connection.execute(sa.select(state.c.version, state.c.position).where(state.c.name == _NAME)).first()
        if row is not None and row.version == derived.VERSION and row.position is None:
            return 0
        whole = connection.execute(sa.select(sa.func.count()).select_from(record)).scalar() or 0
    told = done = 0
    while (part := _part(registry)) is not None:
        done += part
        if done // TOLD > told:
            told = done // TOLD
            _log.info("records are being indexed", records=done, of=whole)
    if told:
        _log.info("records are indexed", records=done)
    return done


def _part(registry: Registry) -> int | None:
    """Indexes the next records; how many, and None where there were no more."""
    with registry.write() as connection:
        row = connection.execute(sa.select(state.c.version, state.c.position).where(state.c.name == _NAME)).first()
        begun = row is not None and row.version == derived.VERSION
        if row is not None and begun and row.position is None:
            return None  # another process has finished it
        after = bytes(row.position) if row is not None and begun else b""
        records = _behind(connection, after)
        _forget(connection, after, records[-1][0] if records else None)
        derived.take_out(connection, iter(records))
        if row is None:
            connection.execute(sa.insert(state).values(name=_NAME, version=derived.VERSION, position=after))
        reached = records[-1][0] if records else None
        values = {"version": derived.VERSION, "position": reached}
        connection.execute(sa.update(state).where(state.c.name == _NAME).values(values))
    return len(records) if records else None


def _behind(connection: Connection, after: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and packed values of the next records in the order of their keys."""
    query = sa.select(record.c.key, record.c.packed).where(record.c.key > after).order_by(record.c.key).limit(PART)
    found: list[tuple[bytes, bytes]] = []
    size = 0
    with connection.execute(query, execution_options={"yield_per": 100}) as rows:
        for key, packed in rows:
            found.append((bytes(key), bytes(packed)))
            size += len(packed)
            if size >= PART_BYTES:
                break
    return found


def _forget(connection: Connection, after: bytes, last: bytes | None) -> None:
    """What the tables hold of keys behind ``after``, up to ``last`` or to the end."""
    for table in (attribute, word, relation):
        gone = sa.delete(table).where(table.c.key > after)
        connection.execute(gone if last is None else gone.where(table.c.key <= last))
