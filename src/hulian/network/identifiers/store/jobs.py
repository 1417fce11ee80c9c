"""How far bulk jobs have come, in the transactions of their records: neither is without the other."""

from __future__ import annotations

import time
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.store.tables import job
from hulian.registry import Registry

__all__ = ["Job", "Jobs"]

DAYS: Final = 30
"""How long a job is remembered after its last change."""

_DAY: Final = 86_400_000_000_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job of ``owner`` (index:handle): ``rows`` of its file are done, ``digest`` is over them; of them ``records`` were
    made, and ``refused`` rows were refused."""

    name: str
    owner: str
    rows: int = 0
    records: int = 0
    refused: int = 0
    digest: bytes = b""
    done: bool = False


class Jobs:
    """The jobs of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, name: str) -> Job | None:
        """What is known of the job."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(job).where(job.c.name == name)).first()
        if row is None:
            return None
        return Job(
            name=row.name,
            owner=row.owner,
            rows=row.rows,
            records=row.records,
            refused=row.refused,
            digest=bytes(row.digest),
            done=row.done,
        )

    def begin(self, made: Job) -> None:
        """A new job; those that nobody has touched for 30 days are forgotten."""
        now = time.time_ns()
        with self._registry.write() as connection:
            connection.execute(sa.delete(job).where(job.c.changed < now - DAYS * _DAY))
            connection.execute(sa.insert(job).values(**msgspec.structs.asdict(made), changed=now))

    @staticmethod
    def advance(connection: Connection, to: Job) -> None:
        """The job stands at ``to`` when the transaction of ``connection`` is committed."""
        more = {"rows": to.rows, "records": to.records, "refused": to.refused, "digest": to.digest, "done": to.done}
        connection.execute(sa.update(job).where(job.c.name == to.name).values(**more, changed=time.time_ns()))
