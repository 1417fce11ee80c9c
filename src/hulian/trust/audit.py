"""What was done and what was refused: a table that grows at one end, each record sealing all before it.

What is older than its retention goes at the other end, whole records only, and the trail says so: the record of a pruning
names the last one that went and carries its hash, so that what is left still verifies from its first record on.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator, Mapping
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
_AT_ONCE: Final = 5000
_PRUNE: Final = "audit.prune"
_PRUNER: Final = "audit retention"
_DAY: Final = 86_400 * 1_000_000_000


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
    """Whether the trail is what was written: ``checked`` records, and where it is not, the first that is wrong and why.

    ``pruned`` is the sequence of the last record that went by the retention; 0: none did.
    """

    intact: bool
    checked: int
    pruned: int = 0
    broken_at: int | None = None
    reason: str = ""


class Audit:
    """The trail. The database refuses to change or delete a record; whoever gets round it breaks the chain.

    Only `prune` takes records away, the oldest, by the settings of the node.

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
            "principal": _kept(principal),
            "action": _kept(str(action)),
            "resource": _kept(resource),
            "outcome": outcome,
            "source": _kept(source),
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
        with self._registry.read() as connection:
            first = connection.execute(sa.select(sa.func.min(tables.audit.c.sequence))).scalar() or 1
            pruned = first - 1
            before = _BEGIN if pruned == 0 else _pruned_at(connection, pruned)
            if before is None:
                return Verification(intact=False, checked=0, broken_at=1, reason="record 1 is missing")
            expected = first
            query = sa.select(tables.audit).order_by(tables.audit.c.sequence)
            for row in connection.execution_options(yield_per=_PAGE).execute(query):
                values = row._asdict()
                chain = values.pop("chain")
                if row.sequence != expected:
                    return _broken(expected, pruned, f"record {expected} is missing")
                if not hmac.compare_digest(self._seal(before, values), chain):
                    return _broken(expected, pruned, f"record {expected} was changed")
                if remembered is not None and remembered[0] == expected and remembered[1] != chain:
                    return _broken(expected, pruned, "the trail was written anew")
                before, expected = chain, expected + 1
        if remembered is not None and remembered[0] >= expected:
            return _broken(expected, pruned, f"records {expected} to {remembered[0]} were cut off the end")
        if expected > 1:
            self._remember(expected - 1, before)
        return Verification(intact=True, checked=expected - 1 - pruned, pruned=pruned)

    def prune(self, *, days: float = 0, records: int = 0, now: int | None = None) -> int:
        """Takes away what is older than ``days`` and more than ``records`` and records that; gives how many went.

        Zero is without that bound. The newest record of all always stays, and so does the record of the last pruning. Done
        in steps, each in a transaction of its own, so that nobody waits long to write; ``kill -9`` leaves a trail that
        verifies.
        """
        moment = time.time_ns() if now is None else now
        oldest = moment - int(days * _DAY) if days else None
        gone = 0
        while count := self._prune_some(oldest, records):
            gone += count
        return gone

    def _prune_some(self, oldest: int | None, most: int) -> int:
        audit = tables.audit
        with self._registry.write() as connection:
            first, last = connection.execute(sa.select(sa.func.min(audit.c.sequence), sa.func.max(audit.c.sequence))).one()
            if last is None:
                return 0
            # The record of this pruning takes one of the places.
            surplus = last + 1 - max(most, 2) if most and last - first + 1 > max(most, 2) else 0
            rows = connection.execute(
                sa.select(audit.c.sequence, audit.c.time, audit.c.chain)
                .where(audit.c.sequence < last)
                .order_by(audit.c.sequence)
                .limit(_AT_ONCE)
            ).all()
            kept = (row.sequence > surplus and (oldest is None or row.time >= oldest) for row in rows)
            count = next((number for number, keep in enumerate(kept) if keep), len(rows))
            if not count or self._only_our_own(connection, first, rows[count - 1].sequence):
                return 0
            ending = rows[count - 1]
            details = {"through": ending.sequence, "chain": ending.chain.hex(), "until": ending.time, "records": count}
            head = self.within(connection, _PRUNER, _PRUNE, "audit", details=details)
            with _deleting(connection, self._registry.dialect):
                connection.execute(audit.delete().where(audit.c.sequence <= ending.sequence))
        self._remember(*head)
        return count

    @staticmethod
    def _only_our_own(connection: Connection, first: int, through: int) -> bool:
        """Whether nothing would go but records of prunings: each would be replaced by another, for ever."""
        others = sa.select(tables.audit.c.sequence).where(
            tables.audit.c.sequence.between(first, through), tables.audit.c.action != _PRUNE
        )
        return connection.execute(others.limit(1)).first() is None

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


def _kept(text: str) -> str:
    """Text of anybody as every database takes it: bounded, without NUL and unpaired surrogates."""
    return text[:_LONGEST].encode("utf-8", "replace").decode().replace("\0", "?")


def _pruned_at(connection: Connection, sequence: int) -> bytes | None:
    """The hash of record ``sequence``, from the newest record of a pruning; None where that is not where it ended.

    That record is part of the chain that is then verified: nobody without the key can write one.
    """
    query = (
        sa.select(tables.audit.c.details)
        .where(tables.audit.c.principal == _PRUNER, tables.audit.c.action == _PRUNE)
        .order_by(tables.audit.c.sequence.desc())
        .limit(1)
    )
    found = connection.execute(query).scalar()
    try:
        details = msgspec.json.decode(found or "{}")
        return bytes.fromhex(details["chain"]) if details.get("through") == sequence else None
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None


@contextlib.contextmanager
def _deleting(connection: Connection, dialect: str) -> Iterator[None]:
    """Lets this transaction, and no other, delete from the trail: what refuses it is back when it commits."""
    if dialect == "sqlite":
        name = "trust_audit_no_delete"
        found = connection.execute(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name"), {"name": name}
        ).scalar()
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        yield
        if found:
            connection.exec_driver_sql(found)
    else:
        connection.exec_driver_sql("ALTER TABLE trust_audit DISABLE TRIGGER trust_audit_only_grows")
        yield
        connection.exec_driver_sql("ALTER TABLE trust_audit ENABLE TRIGGER trust_audit_only_grows")


def _broken(sequence: int, pruned: int, reason: str) -> Verification:
    return Verification(intact=False, checked=sequence - 1 - pruned, pruned=pruned, broken_at=sequence, reason=reason)


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
