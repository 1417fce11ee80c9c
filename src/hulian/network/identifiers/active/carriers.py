"""The carriers of an enterprise node: who is provisioned, who is enrolled, what each has installed and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hulian.network.identifiers.active.errors import (
    FullError,
    ProvisionError,
    RevokedCarrierError,
    SequenceError,
    UnknownCarrierError,
)
from hulian.network.identifiers.active.tables import carrier, certificate, report
from hulian.registry import Registry

__all__ = ["ENROLLED", "ENROLLING", "RESERVED", "REVOKED", "Carrier", "Carriers", "Reserved", "Revoked", "Waiting"]

RESERVED: Final = "reserved"
ENROLLING: Final = "enrolling"
ENROLLED: Final = "enrolled"
REVOKED: Final = "revoked"
SUPERSEDED: Final = "superseded"

MOST_WAITING: Final = 10_000
_SEEN: Final = 10_000_000_000
"""How often it is written down that a carrier asked something: a question a second shall not be a write a second."""


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a carrier before its first power-up. ``about`` are the registration data of facts: terminal, owner, …;
    ``number`` is that of its first certificate, where an authority of this node has issued it."""

    serial: str
    reservation: str
    fingerprint: bytes = b""
    number: str = ""
    about: Mapping[str, str] = {}


class Carrier(msgspec.Struct, frozen=True, kw_only=True):
    """One carrier as it stands now. Times are UTC ns, 0 for never.

    ``version`` is that of the contents that it should have, ``installed`` of those that it says it has; ``sequence`` its
    newest report, ``missing`` how many numbers before it never came.
    """

    serial: str
    reservation: str
    identifier: str
    state: str
    fingerprint: bytes
    about: dict[str, str]
    key: bytes
    certificate: str
    settings: dict[str, Any]
    version: int
    installed: int
    revision: int
    published: int
    sequence: int
    digest: bytes
    missing: int
    address: str
    enrolled: int
    seen: int
    changed: int


class Revoked(msgspec.Struct, frozen=True):
    """A certificate of a carrier that is good no more: its X.509 serial number (hexadecimal), when (UTC ns), and why."""

    number: str
    serial: str
    revoked: int
    reason: str


class Waiting(msgspec.Struct, frozen=True):
    """A report on its way to where reports go."""

    serial: str
    identifier: str
    sequence: int
    body: bytes
    received: int
    error: str = ""


class Carriers:
    """The table of carriers. Thread-safe, and other processes may write it too: each method reads anew.

    What a method has changed is durable when it returns.
    """

    def __init__(self, registry: Registry, *, most_waiting: int = MOST_WAITING) -> None:
        self._registry = registry
        self._most = most_waiting

    # -- reading -------------------------------------------------------------------------------------------------------

    def find(self, serial: str) -> Carrier:
        """Raises `UnknownCarrierError`."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(carrier).where(carrier.c.serial == serial)).first()
        if row is None:
            raise UnknownCarrierError(f"no carrier has the serial number {serial}")
        return _carrier(row)

    def named(self, identifier: str) -> Carrier:
        """The carrier of the full identifier, or of the serial number, ``identifier``. Raises `UnknownCarrierError`."""
        key = _compared(identifier)
        with self._registry.read() as connection:
            row = connection.execute(sa.select(carrier).where(carrier.c.identifier == key)).first()
        return self.find(identifier) if row is None else _carrier(row)

    def page(self, after: str = "", most: int = 1_000, state: str = "") -> list[Carrier]:
        """Up to ``most`` carriers behind the serial number ``after``, in its order."""
        query = sa.select(carrier).where(carrier.c.serial > after).order_by(carrier.c.serial).limit(most)
        if state:
            query = query.where(carrier.c.state == state)
        with self._registry.read() as connection:
            return [_carrier(row) for row in connection.execute(query)]

    def unpublished(self, most: int = 100) -> list[Carrier]:
        """Carriers whose record does not show how they stand."""
        query = sa.select(carrier).where(carrier.c.revision > carrier.c.published).limit(most)
        with self._registry.read() as connection:
            return [_carrier(row) for row in connection.execute(query)]

    # -- life ----------------------------------------------------------------------------------------------------------

    def reserve(self, carriers: Sequence[Reserved]) -> int:
        """New carriers in one transaction: all of them, or with `ProvisionError` none."""
        now = time.time_ns()
        rows = [_row(one, now) for one in carriers]
        for column in ("serial", "identifier"):
            if len({row[column] for row in rows}) < len(rows):
                raise ProvisionError(f"a {column.replace('identifier', 'reservation with its serial number')} comes twice")
        with self._registry.write() as connection:
            for begin in range(0, len(rows), 500):
                part = rows[begin : begin + 500]
                taken = connection.execute(
                    sa.select(carrier.c.serial).where(
                        sa.or_(
                            carrier.c.serial.in_([row["serial"] for row in part]),
                            carrier.c.identifier.in_([row["identifier"] for row in part]),
                        )
                    )
                ).first()
                if taken is not None:
                    raise ProvisionError(f"the carrier {taken.serial} is provisioned already")
            for begin in range(0, len(rows), 1_000):
                connection.execute(sa.insert(carrier), rows[begin : begin + 1_000])
            for one in carriers:
                if one.number:
                    _issued(connection, one.number, one.serial, now)
        return len(rows)

    def begin(self, serial: str, key: bytes, certificate: str, address: str, number: str = "") -> Carrier:
        """The enrolment of a carrier is decided: from now on its key is ``key``, unless it had one, and its ``certificate`` has
        the ``number``. How it stands now."""
        with self._registry.write() as connection:
            done = connection.execute(
                sa.update(carrier)
                .where(carrier.c.serial == serial, carrier.c.state == RESERVED)
                .values(
                    state=ENROLLING,
                    key=key,
                    certificate=certificate,
                    version=1,
                    address=address,
                    revision=carrier.c.revision + 1,
                    changed=time.time_ns(),
                )
            )
            if done.rowcount and number:
                self._supersede(connection, serial, number)
        return self.find(serial)

    def finish(self, serial: str) -> Carrier:
        """The record of a carrier's identifier is there: it is enrolled."""
        now = time.time_ns()
        with self._registry.write() as connection:
            connection.execute(
                sa.update(carrier)
                .where(carrier.c.serial == serial, carrier.c.state == ENROLLING)
                .values(state=ENROLLED, enrolled=now, seen=now, changed=now)
            )
        return self.find(serial)

    def rekey(self, serial: str, key: bytes, certificate: str, number: str = "", before: str = "") -> Carrier:
        """Another key, under newer contents. ``number`` is that of its certificate, ``before`` of the one that it replaces."""

        def beside(connection: Connection) -> None:
            if before:
                _issued(connection, before, serial, time.time_ns())
            if number:
                self._supersede(connection, serial, number)

        return self._changed(serial, ENROLLED, beside, key=key, certificate=certificate)

    def settle(self, serial: str, settings: Mapping[str, Any]) -> Carrier:
        """Other settings, under newer contents. Raises `UnknownCarrierError`, `RevokedCarrierError`."""
        if self.find(serial).state == REVOKED:
            raise RevokedCarrierError(f"the carrier {serial} is revoked")
        return self._changed(serial, settings=msgspec.json.encode(settings, order="deterministic").decode())

    def revoke(self, serial: str, number: str = "") -> Carrier:
        """From now on nothing of the carrier is taken, and its certificates are good no more: those that are written down, and
        the one with the ``number``. Raises `UnknownCarrierError`."""

        def beside(connection: Connection) -> None:
            if number:
                _issued(connection, number, serial, time.time_ns())
            self._end(connection, serial, REVOKED)

        return self._changed(serial, beside=beside, state=REVOKED)

    def revoked(self) -> list[Revoked]:
        """The certificates that are good no more, in the order of their numbers."""
        query = sa.select(certificate).where(certificate.c.revoked > 0).order_by(certificate.c.number)
        with self._registry.read() as connection:
            return [Revoked(row.number, row.serial, row.revoked, row.reason) for row in connection.execute(query)]

    def revocations(self) -> tuple[int, int]:
        """How many certificates are good no more, and when the last one was revoked (UTC ns): together they tell a change."""
        query = sa.select(sa.func.count(), sa.func.max(certificate.c.revoked)).where(certificate.c.revoked > 0)
        with self._registry.read() as connection:
            count, last = connection.execute(query).one()
        return int(count), int(last or 0)

    @staticmethod
    def _end(connection: Connection, serial: str, reason: str) -> None:
        """No certificate of the carrier that was issued until now is good any more."""
        good = (certificate.c.serial == serial) & (certificate.c.revoked == 0)
        connection.execute(sa.update(certificate).where(good).values(revoked=time.time_ns(), reason=reason))

    def _supersede(self, connection: Connection, serial: str, number: str) -> None:
        self._end(connection, serial, SUPERSEDED)
        _issued(connection, number, serial, time.time_ns())

    def published(self, serial: str, revision: int) -> None:
        """The record shows ``revision``."""
        with self._registry.write() as connection:
            connection.execute(
                sa.update(carrier).where(carrier.c.serial == serial, carrier.c.published < revision).values(published=revision)
            )

    def seen(self, known: Carrier, address: str, installed: int | None = None) -> None:
        """A carrier asked something; where it says so, with the contents ``installed``."""
        now = time.time_ns()
        values: dict[str, Any] = {} if installed is None or installed == known.installed else {"installed": installed}
        if values or now - known.seen > _SEEN or address != known.address:
            with self._registry.write() as connection:
                connection.execute(
                    sa.update(carrier).where(carrier.c.serial == known.serial).values(**values, seen=now, address=address)
                )

    def _changed(
        self, serial: str, only: str = "", beside: Callable[[Connection], None] | None = None, **values: Any
    ) -> Carrier:
        known = self.find(serial)
        where = [carrier.c.serial == serial] + ([carrier.c.state == only] if only else [])
        # Contents have versions only once there are any: those of a carrier that is not enrolled begin with 1.
        version = carrier.c.version + (1 if known.version else 0)
        with self._registry.write() as connection:
            done = connection.execute(
                sa.update(carrier)
                .where(*where)
                .values(**values, version=version, revision=carrier.c.revision + 1, changed=time.time_ns())
            )
            if beside is not None and done.rowcount:
                beside(connection)
        return self.find(serial)

    # -- reports -------------------------------------------------------------------------------------------------------

    def take(self, known: Carrier, sequence: int, body: bytes, digest: bytes) -> bool:
        """Keeps a report for delivery; False where it was kept before. Durable when it returns.

        Raises `SequenceError` for an old number with another report, `FullError` where too many wait, and
        `UnknownCarrierError` where the carrier was revoked meanwhile.
        """
        now = time.time_ns()
        with self._registry.write() as connection:
            row = connection.execute(
                sa.select(carrier.c.sequence, carrier.c.digest, carrier.c.missing).where(
                    carrier.c.serial == known.serial, carrier.c.state == ENROLLED
                )
            ).first()
            if row is None:
                raise UnknownCarrierError(f"the carrier {known.serial} is not enrolled")
            if sequence == row.sequence and digest == bytes(row.digest):
                return False
            if sequence <= row.sequence:
                raise SequenceError(f"report {sequence} of {known.serial}, where {row.sequence} is there")
            if self._count(connection) >= self._most:
                raise FullError(f"{self._most} reports wait for delivery")
            connection.execute(
                sa.insert(report).values(serial=known.serial, sequence=sequence, body=body, received=now, error="")
            )
            connection.execute(
                sa.update(carrier)
                .where(carrier.c.serial == known.serial)
                .values(sequence=sequence, digest=digest, missing=row.missing + sequence - row.sequence - 1, seen=now)
            )
        return True

    def waiting(self, most: int = 100, serial: str = "", *, failed: bool = False) -> list[Waiting]:
        """Up to ``most`` reports that wait, oldest first; or those that will never be delivered."""
        query = (
            sa.select(report, carrier.c.identifier, carrier.c.reservation)
            .join(carrier, carrier.c.serial == report.c.serial)
            .where(report.c.error != "" if failed else report.c.error == "")
            .order_by(report.c.received, report.c.serial, report.c.sequence)
            .limit(most)
        )
        if serial:
            query = query.where(report.c.serial == serial)
        with self._registry.read() as connection:
            return [
                Waiting(row.serial, row.reservation + row.serial, row.sequence, bytes(row.body), row.received, row.error)
                for row in connection.execute(query)
            ]

    def delivered(self, reports: Iterable[Waiting]) -> None:
        """These are where they belong."""
        with self._registry.write() as connection:
            for one in reports:
                connection.execute(sa.delete(report).where(report.c.serial == one.serial, report.c.sequence == one.sequence))

    def failed(self, one: Waiting, error: str) -> None:
        """This one will never be delivered; it stays for a person to look at."""
        with self._registry.write() as connection:
            connection.execute(
                sa.update(report)
                .where(report.c.serial == one.serial, report.c.sequence == one.sequence)
                .values(error=error[:500] or "refused")
            )

    @staticmethod
    def _count(connection: Connection) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(report)).scalar() or 0)


def _issued(connection: Connection, number: str, serial: str, now: int) -> None:
    """Writes down a certificate that is not written down yet."""
    there = sa.select(certificate.c.number).where(certificate.c.number == number)
    if connection.execute(there).first() is None:
        connection.execute(sa.insert(certificate).values(number=number, serial=serial, issued=now, revoked=0, reason=""))


def _compared(identifier: str) -> str:
    """As identifiers are compared: ASCII letters in upper case (DO-IRP 3.0, section 4)."""
    return identifier.encode().upper().decode()


def _row(one: Reserved, now: int) -> dict[str, Any]:
    return {
        "serial": one.serial,
        "reservation": one.reservation,
        "identifier": _compared(one.reservation + one.serial),
        "state": RESERVED,
        "fingerprint": one.fingerprint,
        "about": msgspec.json.encode(dict(one.about)).decode(),
        "key": b"",
        "certificate": "",
        "settings": "{}",
        "digest": b"",
        "address": "",
        "changed": now,
        **dict.fromkeys(("version", "installed", "revision", "published", "sequence", "missing", "enrolled", "seen"), 0),
    }


def _carrier(row: Row[Any]) -> Carrier:
    found = dict(row._mapping)  # noqa: SLF001 - the public way to the columns of a row
    found["about"], found["settings"] = msgspec.json.decode(found["about"]), msgspec.json.decode(found["settings"])
    for name in ("fingerprint", "key", "digest"):
        found[name] = bytes(found[name])
    # The column holds the identifier as it is compared; this is how it is written.
    found["identifier"] = found["reservation"] + found["serial"]
    return Carrier(**found)
