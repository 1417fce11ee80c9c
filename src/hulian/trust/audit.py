"""What was done and what was refused: a table that only grows, each record sealing all before it."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hulian.registry import Registry
from hulian.trust import private_files, tables

__all__ = ["Audit", "AuditRecord", "Verification"]

_BEGIN: Final = bytes(32)
_LONGEST: Final = 1000
_PAGE: Final = 2000


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the trail. ``outcome`` is ``done``, ``denied`` or ``failed``; ``time`` UTC ns; ``source`` an address."""

    sequence: int
    time: int
    principal: str
    action: str
    resource: str
    outcome: str
    source: str
    details: dict[str, Any]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the trail is what was written: ``checked`` records, and where it is not, the first that is wrong and why."""

    intact: bool
    checked: int
    broken_at: int | None = None
    reason: str = ""


class Audit:
    """The trail. The database refuses to change or delete a record; whoever gets round it breaks the chain.

    Each record carries a keyed hash (BLAKE2b with the node's key) over itself and the hash before it, so that nobody without
    the key can write a chain that verifies; a small file beside the key remembers the end, so that cutting the end shows.
    """

    def __init__(self, registry: Registry, key: bytes, head: Path) -> None:
        self._registry = registry
        self._key = key
        self._head = head
        self._lock = threading.Lock()

    def record(
        self,
        principal: str,
        action: str,
        resource: str = "",
        outcome: str = "done",
        *,
        source: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds one record, durable when this returns. Details are names and numbers, never a secret."""
        with self._registry.write() as connection:
            head = self.within(connection, principal, action, resource, outcome, source=source, details=details)
        self._remember(*head)

    def within(
        self,
        connection: Connection,
        principal: str,
        action: str,
        resource: str = "",
        outcome: str = "done",
        *,
        source: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> tuple[int, bytes]:
        """Adds one record in the transaction of the change it tells of: both are kept, or neither."""
        last = connection.execute(
            sa.select(tables.audit.c.sequence, tables.audit.c.chain).order_by(tables.audit.c.sequence.desc()).limit(1)
        ).first()
        sequence, before = (last.sequence + 1, last.chain) if last else (1, _BEGIN)
        values = {
            "sequence": sequence,
            "time": time.time_ns(),
            "principal": principal[:_LONGEST],
            "action": str(action)[:_LONGEST],
            "resource": resource[:_LONGEST],
            "outcome": outcome,
            "source": source[:_LONGEST],
            "details": msgspec.json.encode(details or {}, order="sorted").decode(),
        }
        chain = self._seal(before, values)
        connection.execute(tables.audit.insert().values(**values, chain=chain))
        return sequence, chain

    def list(
        self, limit: int = 100, *, before: int | None = None, principal: str | None = None, action: str | None = None
    ) -> list[AuditRecord]:
        """The newest records first; ``before`` is the sequence of the last one of the page before."""
        query = sa.select(tables.audit).order_by(tables.audit.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(tables.audit.c.sequence < before)
        if principal is not None:
            query = query.where(tables.audit.c.principal == principal)
        if action is not None:
            query = query.where(tables.audit.c.action == action)
        with self._registry.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def verify(self) -> Verification:
        """Walks the whole trail in one consistent view."""
        remembered = self._remembered()
        before, expected = _BEGIN, 1
        query = sa.select(tables.audit).order_by(tables.audit.c.sequence)
        with self._registry.read() as connection:
            for row in connection.execution_options(yield_per=_PAGE).execute(query):
                values = row._asdict()
                chain = values.pop("chain")
                if row.sequence != expected:
                    return _broken(expected, f"record {expected} is missing")
                if not hmac.compare_digest(self._seal(before, values), chain):
                    return _broken(expected, f"record {expected} was changed")
                if remembered is not None and remembered[0] == expected and remembered[1] != chain:
                    return _broken(expected, "the trail was written anew")
                before, expected = chain, expected + 1
        if remembered is not None and remembered[0] >= expected:
            return _broken(expected, f"records {expected} to {remembered[0]} were cut off the end")
        if expected > 1:
            self._remember(expected - 1, before)
        return Verification(intact=True, checked=expected - 1)

    def _seal(self, before: bytes, values: Mapping[str, Any]) -> bytes:
        content = msgspec.json.encode([values[name] for name in _SEALED])
        return hashlib.blake2b(before + content, key=self._key, digest_size=32, person=b"hulian-audit").digest()

    def _remember(self, sequence: int, chain: bytes) -> None:
        with self._lock:
            remembered = self._remembered()
            if remembered is None or remembered[0] < sequence:
                private_files.replace(self._head, f"{sequence} {chain.hex()}\n".encode())

    def _remembered(self) -> tuple[int, bytes] | None:
        content = private_files.read(self._head)
        if content is None:
            return None
        sequence, _, chain = content.decode().strip().partition(" ")
        return int(sequence), bytes.fromhex(chain)


_SEALED: Final = ("sequence", "time", "principal", "action", "resource", "outcome", "source", "details")


def _broken(sequence: int, reason: str) -> Verification:
    return Verification(intact=False, checked=sequence - 1, broken_at=sequence, reason=reason)


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        sequence=row.sequence,
        time=row.time,
        principal=row.principal,
        action=row.action,
        resource=row.resource,
        outcome=row.outcome,
        source=row.source,
        details=msgspec.json.decode(row.details),
    )
