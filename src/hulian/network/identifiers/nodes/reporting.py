"""What a node reports to the one above, when it is due, and that it arrives."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.nodes.master import OPERATIONS, entry_of
from hulian.network.identifiers.statistics.counts import Counts
from hulian.network.identifiers.statistics.data import Data
from hulian.network.identifiers.statistics.errors import DeliveryError
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import DAY, Kept, begin_of
from hulian.network.identifiers.statistics.report import (
    MOST_BYTES,
    MOST_ROWS,
    MOST_WAITING,
    Outgoing,
    Report,
    ReportedFault,
    Route,
    Subject,
)
from hulian.network.identifiers.statistics.sealed import seal
from hulian.network.identifiers.statistics.shown import address_of
from hulian.network.identifiers.store import Change, RecordStore, key_of
from hulian.network.identifiers.wire.authentication.respond import KeyIdentity
from hulian.network.identifiers.wire.codes import Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["Reporter"]

HOUR: Final = 3_600
SECONDS: Final = 2.0
_LONGEST_PAUSE: Final = 300.0
_ZERO_NA: Final = "0.NA/"
_PAGE: Final = 1_000
_MOST_FAULTS: Final = 1_000
_log = structlog.get_logger(__name__)
_Row = TypeVar("_Row")


class Reporter:
    """Reports the chosen ``data`` of the node of ``prefix``: each is made once, waits in the registry, and is sent until taken.

    ``send`` takes the messages that are signed by what ``identity`` gives, which is asked anew for each (in a worker thread): a
    key may give way to another one meanwhile. It raises `DeliveryError`. What the node above refuses for good is
    logged and left out. While it does not take anything a fault lasts.
    """

    def __init__(
        self,
        store: RecordStore,
        kept: Kept,
        prefix: str,
        identity: Callable[[], KeyIdentity],
        send: Callable[[bytes], Awaitable[object]],
        data: Collection[Data],
        *,
        clock: Callable[[], float] = time.time,
        seconds: float = SECONDS,
    ) -> None:
        self._store, self._kept = store, kept
        self._prefix, self._identity = prefix, identity
        self._send, self._data = send, frozenset(data)
        self._clock, self._seconds = clock, seconds
        self.outgoing = Outgoing(store.registry)
        self._routed = -1

    async def run(self, faults: Faults) -> None:
        """Until cancelled."""
        pause = self._seconds
        while True:
            try:
                await anyio.to_thread.run_sync(self.make)
                await self.deliver()
                faults.ended(FaultEvent.UPSTREAM_UNREACHABLE, "reports")
                pause = self._seconds
            except HulianError as error:
                pause = min(pause * 2, _LONGEST_PAUSE)
                faults.began(FaultEvent.UPSTREAM_UNREACHABLE, "reports", str(error))
            await anyio.sleep(pause)

    async def deliver(self) -> int:
        """Sends what waits, in order; how many were taken. Raises `DeliveryError` at the first that is not."""
        taken = 0
        while (waiting := await anyio.to_thread.run_sync(self.outgoing.oldest)) is not None:
            report, document = waiting
            try:
                identity = await anyio.to_thread.run_sync(self._identity)
                await self._send(seal("report", document, identity))
                taken += 1
            except DeliveryError as error:
                if not error.for_ever:
                    raise
                _log.error("a report is refused for good", kind=report.kind.value, begin=report.begin, reason=str(error))
            await anyio.to_thread.run_sync(self.outgoing.done, report)
        return taken

    def make(self) -> None:
        """Puts what is due into the queue. Reads the registry: not for the thread of the event loop."""
        now = self._clock()
        if len(self.outgoing) >= MOST_WAITING:
            return
        for data, due in (
            (Data.ROUTES, self._routes),
            (Data.SUBJECTS, self._subjects),
            (Data.COUNTS, self._counts),
            (Data.MASTER, self._master),
            (Data.BUSINESS, self._business),
        ):
            if data in self._data:
                due(now)

    # -- what is due ---------------------------------------------------------------------------------------------------

    def _routes(self, now: float) -> None:
        """All routes, as soon as one of them has changed."""
        last = self._store.log.last
        if last == self._routed or (self._routed >= 0 and not self._store.log.touches(self._routed, _ZERO_NA)):
            self._routed = last
            return
        rows = [route for handle, values in self._prefixes() for route in _routes_of(handle, values)]
        digest = int.from_bytes(hashlib.sha256(msgspec.json.encode(rows)).digest()[:7])
        if digest != self.outgoing.reached(Data.ROUTES):
            # Two changes within one second are two reports all the same.
            begin = max(int(now), (self.outgoing.reached("routes at") or 0) + 1)
            reports = [
                Report(kind=Data.ROUTES, prefix=self._prefix, begin=begin, end=begin, routes=part, part=number, parts=parts)
                for number, parts, part in _parts(rows)
            ]
            self.outgoing.put("routes at", begin, [])
            self.outgoing.put(Data.ROUTES, digest, reports)
        self._routed = last

    def _subjects(self, now: float) -> None:
        """Every hour the prefixes whose records have changed."""
        hour = begin_of(HOUR, now)
        if (self.outgoing.reached("subjects at") or 0) >= hour:
            return
        last = self._store.log.last
        after = self.outgoing.reached(Data.SUBJECTS) or 0
        handles = {one.handle for one in self._changes(after, last) if one.handle.upper().startswith(_ZERO_NA)}
        rows = [self._subject(handle) for handle in sorted(handles)]
        reports = [
            Report(
                kind=Data.SUBJECTS,
                prefix=self._prefix,
                begin=hour - HOUR,
                end=hour,
                subjects=part,
                part=number,
                parts=parts,
            )
            for number, parts, part in _parts(rows)
            if part
        ]
        self.outgoing.put("subjects at", hour, [])
        self.outgoing.put(Data.SUBJECTS, last, reports)

    def _counts(self, now: float) -> None:
        """Every day that is over and in which something was counted."""
        today = begin_of(DAY, now)
        after = self.outgoing.reached(Data.COUNTS) or 0
        if after >= today:
            return
        reports = []
        faults = self._kept.faults(_MOST_FAULTS)
        for begin, counts in self._kept.counts(DAY, after, today):
            most, _, others = self._kept.sources(begin, MOST_ROWS) if Data.SOURCES in self._data else ([], 0, 0)
            reports.append(
                Report(
                    kind=Data.COUNTS,
                    prefix=self._prefix,
                    begin=begin,
                    end=begin + DAY,
                    counts=counts,
                    sources={address_of(network): count for network, count in most},
                    other_sources=others,
                    faults=tuple(
                        ReportedFault(
                            number=one.number,
                            cause=one.cause.value,
                            code=one.code.value,
                            at=one.at,
                            over=one.over,
                            subject=one.subject,
                            message=one.message,
                        )
                        for one in faults
                        if begin <= one.at / 1e9 < begin + DAY
                    ),
                )
            )
        self.outgoing.put(Data.COUNTS, today, reports)

    def _master(self, now: float) -> None:
        """Every day what was registered, changed and deleted since the last time; as much of it as there is room for."""
        today = begin_of(DAY, now)
        if (self.outgoing.reached("master at") or 0) >= today:
            return
        last, after = self._store.log.last, self.outgoing.reached(Data.MASTER) or 0
        while after < last:
            if len(self.outgoing) >= MOST_WAITING:
                return  # the rest is due still
            found = [one for one in self._store.log.read(after, _PAGE) if one.number <= last]
            private = Data.PRIVATE in self._data
            rows = [
                entry_of(one, self._store.packed(key_of(one.handle)), private=private)
                for one in found
                if one.what in OPERATIONS
            ]
            first, reports = found[0].number, list[Report]()
            for _, _, part in _parts(rows):
                if part:
                    made = Report(
                        kind=Data.MASTER,
                        prefix=self._prefix,
                        begin=today - DAY,
                        end=today,
                        entries=part,
                        part=first + len(reports),
                        parts=0,
                    )
                    reports.append(made)
            after = found[-1].number
            self.outgoing.put(Data.MASTER, after, reports)
        self.outgoing.put("master at", today, [])

    def _business(self, now: float) -> None:
        """Every month that is over: its counts together, and how many prefixes there are."""
        day = datetime.datetime.fromtimestamp(now, datetime.UTC)
        this = int(datetime.datetime(day.year, day.month, 1, tzinfo=datetime.UTC).timestamp())
        if (self.outgoing.reached(Data.BUSINESS) or 0) >= this:
            return
        before = datetime.datetime.fromtimestamp(this - DAY, datetime.UTC)
        begin = int(datetime.datetime(before.year, before.month, 1, tzinfo=datetime.UTC).timestamp())
        whole = Counts()
        for _, counts in self._kept.counts(DAY, begin, this):
            whole.add(counts)
        prefixes = sum(1 for _ in self._prefixes())
        made = Report(kind=Data.BUSINESS, prefix=self._prefix, begin=begin, end=this, counts=whole, prefixes=prefixes)
        self.outgoing.put(Data.BUSINESS, this, [] if whole.empty else [made])

    # -- out of the records --------------------------------------------------------------------------------------------

    def _prefixes(self) -> Iterator[tuple[str, tuple[Value, ...]]]:
        last = b""
        while found := self._store.below(_ZERO_NA.encode(), last, _PAGE):
            for handle in found:
                if (packed := self._store.packed(key_of(handle))) is not None:
                    yield handle, unpack_values(packed)
            last = key_of(found[-1])

    def _changes(self, after: int, last: int) -> Iterator[Change]:
        while after < last and (found := self._store.log.read(after, _PAGE)):
            yield from (one for one in found if one.number <= last)
            after = found[-1].number

    def _subject(self, handle: str) -> Subject:
        prefix, packed = handle[len(_ZERO_NA) :], self._store.packed(key_of(handle))
        if packed is None:
            return Subject(prefix=prefix, deleted=True)
        values = [value for value in unpack_values(packed) if value.type in ("HS_ADMIN", "DESC")]
        who = []
        for value in values:
            if value.type == "HS_ADMIN":
                try:
                    who.append(str(Admin.unpack(value.data).reference))
                except WireError:
                    continue
        words = next((value.data[:500].decode(errors="replace") for value in values if value.type == "DESC"), "")
        return Subject(prefix=prefix, administrators=tuple(who), description=words)


def _routes_of(handle: str, values: Sequence[Value]) -> Iterator[Route]:
    prefix = handle[len(_ZERO_NA) :]
    for value in values:
        if value.type not in ("HS_SITE", "HS_SITE.PREFIX"):
            continue
        try:
            site = Site.unpack(value.data)
        except WireError:
            continue
        # A site for what is derived from the prefix is the route of a range.
        named = f"{prefix}.*" if value.type == "HS_SITE.PREFIX" else prefix
        for server in site.servers:
            for interface in server.interfaces:
                protocol = Transport(interface.transport).name.lower() if interface.transport in _TRANSPORTS else ""
                if protocol:
                    address, ip = str(server.address), server.address.version
                    yield Route(prefix=named, ip=ip, address=address, protocol=protocol, port=interface.port)


_TRANSPORTS: Final = frozenset(one.value for one in Transport)


def _parts(rows: Iterable[_Row]) -> list[tuple[int, int, tuple[_Row, ...]]]:
    """Number, how many there are, and the rows of each part; one without rows where there are none."""
    parts: list[list[_Row]] = [[]]
    size = 0
    for row in rows:
        more = len(msgspec.json.encode(row))
        if parts[-1] and (len(parts[-1]) >= MOST_ROWS or size + more > MOST_BYTES):
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += more
    return [(number, len(parts), tuple(part)) for number, part in enumerate(parts, 1)]
