"""Reports of a node to the one above: what they say, those that are not sent yet, and those that came from below."""

from __future__ import annotations

import hashlib
import time
from typing import Final

import msgspec
import sqlalchemy as sa

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.statistics.counts import Counts
from hulian.network.identifiers.statistics.data import Data
from hulian.network.identifiers.statistics.errors import ReportError, SealError
from hulian.network.identifiers.statistics.kept import DAY
from hulian.network.identifiers.statistics.tables import mark, outgoing, received
from hulian.network.identifiers.wire.names import key_of
from hulian.registry import Registry

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "MOST_WAITING",
    "Entry",
    "Inbox",
    "Outgoing",
    "Product",
    "Received",
    "Report",
    "ReportedFault",
    "Route",
    "Subject",
    "Terminal",
    "read_report",
]

MOST_ROWS: Final = 2_000
"""Rows of one part of a report, and `MOST_BYTES` of them: a part is taken whole, or not at all."""

MOST_BYTES: Final = 512 << 10
MOST_WAITING: Final = 1_000
"""Parts that wait to be sent; nothing more is made until some of them are. What they would say stays where it is."""

KEPT: Final = 3 * 366 * DAY


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a prefix is asked: ``ip`` is 4 or 6, ``protocol`` is udp, tcp, http or https."""

    code: str = "handle"
    prefix: str
    ip: int
    address: str
    protocol: str
    port: int


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose a prefix is: its administrators as index:handle, what its record says in words; ``deleted`` where it is gone."""

    prefix: str
    administrators: tuple[str, ...] = ()
    description: str = ""
    deleted: bool = False


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What kind of thing has the identifier. Times are as its record writes them; what the record does not say is empty."""

    type: str = ""
    brand: str = ""
    name: str = ""
    maker: str = ""
    produced: str = ""
    expires: str = ""


class Terminal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The carrier of an active identifier: ``type`` of terminal, ``licence`` for the access to the network."""

    type: str = ""
    owner: str = ""
    purpose: str = ""
    serial: str = ""
    imei: str = ""
    licence: str = ""
    brand: str = ""
    model: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One change of an identifier: ``operation`` 1 added, 2 deleted, 3 modified; ``at`` is UTC ns.

    What else it says is out of the record as it was when the report was made: ``created`` (UTC ns, 0 where nobody knows),
    ``metadata``, the template as version:handle, the ``product``, and the ``terminal`` of an active identifier.
    """

    handle: str
    operation: int
    at: int
    created: int = 0
    metadata: str = ""
    product: Product | None = None
    terminal: Terminal | None = None


class ReportedFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault event: ``cause`` 1 network, 2 system, 3 attack, 4 other; times are UTC ns, ``over`` null while it lasts."""

    number: int
    cause: int
    code: str
    at: int
    over: int | None
    subject: str
    message: str


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One part of what the node of ``prefix`` reports of the time from ``begin`` to ``end`` (Unix seconds).

    Which of the lists it has follows from its kind. Kind, ``begin`` and ``part`` name it: a node reports nothing twice. Parts
    count from 1 to ``parts``; those of master data are named by the number of their first change, and ``parts`` is 0.
    """

    version: int = 1
    kind: Data
    prefix: str
    begin: int
    end: int
    part: int = 1
    parts: int = 1
    routes: tuple[Route, ...] = ()
    subjects: tuple[Subject, ...] = ()
    entries: tuple[Entry, ...] = ()
    counts: Counts | None = None
    sources: dict[str, int] = {}
    other_sources: int = 0
    faults: tuple[ReportedFault, ...] = ()
    prefixes: int = 0

    def packed(self) -> bytes:
        """JSON."""
        return msgspec.json.encode(self)


def read_report(document: bytes) -> Report:
    """Raises `SealError` for what is no report of this version."""
    try:
        found = msgspec.json.decode(document, type=Report)
    except UNREADABLE as error:
        raise SealError(f"no report: {error}") from None
    if found.version != 1 or not 0 <= found.begin <= found.end < 1 << 40 or not _parted(found):
        raise SealError("no report: its version, its time or its parts cannot be")
    return found


def _parted(report: Report) -> bool:
    return 1 <= report.part <= report.parts <= 1 << 20 or (report.parts == 0 and 1 <= report.part < 1 << 62)


class Outgoing:
    """Reports that wait to be sent, in the registry: made once, with the mark that says how far was reported."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def reached(self, what: str) -> int | None:
        """How far was reported; None where nothing was yet."""
        with self._registry.read() as connection:
            found: int | None = connection.execute(sa.select(mark.c.number).where(mark.c.name == f"report:{what}")).scalar()
        return found

    def put(self, what: str, reached: int, reports: list[Report]) -> None:
        """These wait to be sent, and ``what`` is reported as far as ``reached``: both or neither."""
        now, name = time.time_ns(), f"report:{what}"
        with self._registry.write() as connection:
            for one in reports:
                key = {"kind": one.kind.value, "begin": one.begin, "part": one.part}
                connection.execute(sa.insert(outgoing).values(**key, content=one.packed(), at=now))
            if not connection.execute(sa.update(mark).where(mark.c.name == name).values(number=reached)).rowcount:
                connection.execute(sa.insert(mark).values(name=name, number=reached))

    def oldest(self) -> tuple[Report, bytes] | None:
        """What is sent next, and its very bytes: whoever gets them twice must see that they are the same."""
        query = sa.select(outgoing.c.content).order_by(outgoing.c.at, outgoing.c.kind, outgoing.c.begin, outgoing.c.part)
        with self._registry.read() as connection:
            content = connection.execute(query.limit(1)).scalar()
        return None if content is None else (read_report(bytes(content)), bytes(content))

    def done(self, report: Report) -> None:
        """It was taken, or will never be."""
        this = (outgoing.c.kind == report.kind.value) & (outgoing.c.begin == report.begin) & (outgoing.c.part == report.part)
        with self._registry.write() as connection:
            connection.execute(sa.delete(outgoing).where(this))

    def __len__(self) -> int:
        with self._registry.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(outgoing)).scalar() or 0


class Received(msgspec.Struct, frozen=True):
    """A report that came, when (UTC ns), and the message that its sender has signed."""

    report: Report
    at: int
    sealed: bytes


class Inbox:
    """Reports of nodes below, each kept once however often it comes; for three years."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def take(self, report: Report, document: bytes, sealed: bytes) -> bool:
        """Whether it is new. Durable when this returns. Raises `ReportError` where another one was received in its place."""
        digest = hashlib.sha256(document).digest()
        names = {"prefix": _compared(report.prefix), "kind": report.kind.value, "begin": report.begin, "part": report.part}
        this = sa.and_(*(received.c[name] == value for name, value in names.items()))
        now = time.time_ns()
        with self._registry.write() as connection:
            there = connection.execute(sa.select(received.c.digest).where(this)).scalar()
            if there is not None and bytes(there) != digest:
                raise ReportError(f"a different report of {report.prefix} about {report.kind.value} was received before")
            if there is not None:
                return False
            connection.execute(sa.delete(received).where(received.c.at < now - KEPT * 10**9))
            connection.execute(sa.insert(received).values(**names, end=report.end, digest=digest, sealed=sealed, at=now))
        return True

    def prefixes(self) -> list[tuple[str, int, int]]:
        """Who has reported: the prefix, how many parts of reports, when the last one came (UTC ns)."""
        query = sa.select(received.c.prefix, sa.func.count(), sa.func.max(received.c.at)).group_by(received.c.prefix)
        with self._registry.read() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(received.c.prefix))]

    def of(self, prefix: str, kind: str = "", most: int = 100) -> list[Received]:
        """The reports of one node, the newest first."""
        query = sa.select(received).where(received.c.prefix == _compared(prefix))
        if kind:
            query = query.where(received.c.kind == kind)
        order = (received.c.begin.desc(), received.c.kind, received.c.part)
        with self._registry.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(most)).all()
        return [Received(_unsealed(bytes(row.sealed)), row.at, bytes(row.sealed)) for row in rows]


def _compared(prefix: str) -> str:
    return key_of(prefix).decode()


class _Document(msgspec.Struct):
    document: bytes


def _unsealed(sealed: bytes) -> Report:
    return read_report(msgspec.json.decode(sealed, type=_Document).document)
