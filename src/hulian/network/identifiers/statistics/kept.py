"""What was counted, in the registry: minutes for two days, days for three years, sources as long as they may be kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.statistics.counts import Counts
from hulian.network.identifiers.statistics.events import Cause, FaultEvent
from hulian.network.identifiers.statistics.faults import Fault
from hulian.network.identifiers.statistics.tables import counted, fault, mark, source
from hulian.registry import Registry, bulk

__all__ = ["DAY", "MINUTE", "Changes", "Kept", "begin_of"]

MINUTE: Final = 60
DAY: Final = 86_400
MINUTES_KEPT: Final = 2 * DAY
DAYS_KEPT: Final = 3 * 366 * DAY
MOST_SOURCES: Final = 10_000
"""Networks that a day tells apart: those with most questions. The others are counted together."""

MOST_FAULTS: Final = 10_000
_PART: Final = 500
_OTHERS: Final = b""
_CODES: Final = {event.value: event for event in FaultEvent}
_RUNNING: Final = "running"
_CHANGES: Final = "changes"

Changes: TypeAlias = Callable[[int], tuple[int, int, int, int]]
"""Given the number of a change: that of the last one, and how many records were created, changed, deleted since. Given a
negative one, because nothing was counted yet: since whatever the count begins with."""


def begin_of(span: int, at: float) -> int:
    """When the minute or the day of ``at`` began, all in Unix seconds.

    >>> begin_of(DAY, 86_400.5), begin_of(MINUTE, 119.9)
    (86400, 60)
    """
    return int(at) // span * span


class Kept:
    """Counts, sources and faults of one node. Thread-safe; one process writes them.

    ``source_days`` is how long it is kept who has asked; 0: not at all. What `write` has returned from survives ``kill -9``.
    """

    def __init__(self, registry: Registry, *, source_days: int = 30) -> None:
        self._registry = registry
        self._source_days = source_days
        self._tidied = 0.0

    # -- counts --------------------------------------------------------------------------------------------------------

    def write(
        self,
        minute: int,
        counts: Counts,
        sources: dict[bytes, int],
        others: int,
        faults: Iterable[Fault] = (),
        changes: Changes | None = None,
    ) -> Counts:
        """Adds what was counted in the minute that began at ``minute`` to it and to its day, in one transaction.

        With ``changes`` the records that were registered since the last time are counted as well, each once, whenever the
        node was killed. What was added, all in all; what was given stays as it is.
        """
        whole = Counts()
        whole.add(counts)
        with self._registry.write() as connection:
            if changes is not None:
                self._count_changes(connection, whole, changes)
            if not whole.empty:
                self._add(connection, MINUTE, minute, whole)
                self._add(connection, DAY, begin_of(DAY, minute), whole)
            if self._source_days and (sources or others):
                self._add_sources(connection, begin_of(DAY, minute), {**sources, _OTHERS: others})
            numbers = self._write_faults(connection, faults)
            _set(connection, _RUNNING, time.time_ns())
            if time.monotonic() > self._tidied:
                self._tidied = time.monotonic() + 3600
                self._tidy(connection, time.time())
        _number(numbers)
        return whole

    def counts(self, span: int, begin: int, end: int) -> list[tuple[int, Counts]]:
        """The minutes or days that begin in this time, in order."""
        query = sa.select(counted.c.begin, counted.c.content).where(
            counted.c.span == span, counted.c.begin >= begin, counted.c.begin < end
        )
        with self._registry.read() as connection:
            rows = connection.execute(query.order_by(counted.c.begin)).all()
        return [(begin, msgspec.json.decode(bytes(content), type=Counts)) for begin, content in rows]

    def sources(self, day: int, most: int = 100) -> tuple[list[tuple[bytes, int]], int, int]:
        """Those networks of a day with most questions, how many there are, and the questions of all that are not told apart."""
        of_day = source.c.begin == day
        told = sa.select(source.c.network, source.c.count).where(of_day, source.c.network != _OTHERS)
        with self._registry.read() as connection:
            rows = connection.execute(told.order_by(source.c.count.desc(), source.c.network).limit(most)).all()
            distinct = connection.execute(sa.select(sa.func.count()).where(of_day, source.c.network != _OTHERS)).scalar() or 0
            others = connection.execute(sa.select(source.c.count).where(of_day, source.c.network == _OTHERS)).scalar() or 0
        return [(bytes(network), count) for network, count in rows], distinct, others

    @staticmethod
    def _count_changes(connection: Connection, counts: Counts, changes: Changes) -> None:
        known = connection.execute(sa.select(mark.c.number).where(mark.c.name == _CHANGES)).scalar()
        last, created, changed, deleted = changes(-1 if known is None else known)
        counts.created += created
        counts.changed += changed
        counts.deleted += deleted
        if last != known:
            _set(connection, _CHANGES, last)

    @staticmethod
    def _add(connection: Connection, span: int, begin: int, counts: Counts) -> None:
        this = (counted.c.span == span) & (counted.c.begin == begin)
        there = connection.execute(sa.select(counted.c.content).where(this)).scalar()
        whole = Counts() if there is None else msgspec.json.decode(bytes(there), type=Counts)
        whole.add(counts)
        content = msgspec.json.encode(whole)
        if there is None:
            connection.execute(sa.insert(counted).values(span=span, begin=begin, content=content))
        else:
            connection.execute(sa.update(counted).where(this).values(content=content))

    # -- sources -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _add_sources(connection: Connection, day: int, found: dict[bytes, int]) -> None:
        of_day = source.c.begin == day
        networks = [network for network, count in found.items() if count]
        there: set[bytes] = set()
        for at in range(0, len(networks), _PART):
            part = source.c.network.in_(networks[at : at + _PART])
            there.update(bytes(row[0]) for row in connection.execute(sa.select(source.c.network).where(of_day, part)))
        more = [{"network_": network, "more": found[network]} for network in networks if network in there]
        if more:
            named = source.c.network == sa.bindparam("network_")
            connection.execute(sa.update(source).where(of_day, named).values(count=source.c.count + sa.bindparam("more")), more)
        new = [{"begin": day, "network": network, "count": found[network]} for network in networks if network not in there]
        bulk.insert(connection, source, new)
        told = (of_day, source.c.network != _OTHERS)
        distinct = connection.execute(sa.select(sa.func.count()).where(*told)).scalar() or 0
        if distinct > MOST_SOURCES + MOST_SOURCES // 10:
            Kept._fold(connection, day, distinct - MOST_SOURCES)

    @staticmethod
    def _fold(connection: Connection, day: int, many: int) -> None:
        """The ``many`` networks with fewest questions are told apart no more."""
        told = (source.c.begin == day, source.c.network != _OTHERS)
        least = sa.select(source.c.network, source.c.count).where(*told).order_by(source.c.count, source.c.network).limit(many)
        rows = [(bytes(network), count) for network, count in connection.execute(least)]
        for at in range(0, len(rows), _PART):
            gone = [network for network, _ in rows[at : at + _PART]]
            connection.execute(sa.delete(source).where(source.c.begin == day, source.c.network.in_(gone)))
        Kept._add_sources(connection, day, {_OTHERS: sum(count for _, count in rows)})

    # -- faults --------------------------------------------------------------------------------------------------------

    def faults(self, most: int = 100) -> list[Fault]:
        """The newest ones first."""
        query = sa.select(fault).order_by(fault.c.number.desc()).limit(most)
        with self._registry.read() as connection:
            return [
                Fault(
                    number=row.number,
                    at=row.at,
                    over=row.over,
                    cause=Cause(row.cause),
                    code=_CODES[row.code],
                    subject=row.subject,
                    message=row.message,
                )
                for row in connection.execute(query)
            ]

    def begin(self) -> float | None:
        """The node runs. When it was last seen running (Unix seconds), where nobody has stopped it since.

        What lasted then is over: it is found out anew.
        """
        now = time.time_ns()
        with self._registry.write() as connection:
            before = connection.execute(sa.select(mark.c.number).where(mark.c.name == _RUNNING)).scalar()
            connection.execute(sa.update(fault).where(fault.c.over.is_(None)).values(over=now))
            _set(connection, _RUNNING, now)
        return before / 1e9 if before else None

    def end(self, faults: Iterable[Fault] = ()) -> None:
        """The node was stopped."""
        with self._registry.write() as connection:
            numbers = self._write_faults(connection, faults)
            _set(connection, _RUNNING, 0)
        _number(numbers)

    @staticmethod
    def _write_faults(connection: Connection, faults: Iterable[Fault]) -> list[tuple[Fault, int]]:
        """The new ones with the numbers that they have when the transaction is committed."""
        numbers = []
        last = connection.execute(sa.select(sa.func.max(fault.c.number))).scalar() or 0
        for one in faults:
            if one.number:
                connection.execute(sa.update(fault).where(fault.c.number == one.number).values(over=one.over))
                continue
            values = {name: getattr(one, name) for name in ("at", "over", "subject", "message")}
            last += 1
            connection.execute(sa.insert(fault).values(number=last, cause=one.cause.value, code=one.code.value, **values))
            numbers.append((one, last))
        return numbers

    # -- retention -----------------------------------------------------------------------------------------------------

    def _tidy(self, connection: Connection, now: float) -> None:
        """What may not be kept any longer goes; looked at every hour, and at the first writing."""
        for span, kept in ((MINUTE, MINUTES_KEPT), (DAY, DAYS_KEPT)):
            old = (counted.c.span == span) & (counted.c.begin < begin_of(span, now) - kept)
            connection.execute(sa.delete(counted).where(old))
        first = begin_of(DAY, now) - (self._source_days - 1) * DAY
        connection.execute(sa.delete(source).where(source.c.begin < first))
        last = connection.execute(sa.select(sa.func.max(fault.c.number))).scalar() or 0
        connection.execute(sa.delete(fault).where(fault.c.number <= last - MOST_FAULTS))


def _number(numbers: Iterable[tuple[Fault, int]]) -> None:
    for one, number in numbers:
        one.number = number


def _set(connection: Connection, name: str, number: int) -> None:
    done = connection.execute(sa.update(mark).where(mark.c.name == name).values(number=number))
    if not done.rowcount:
        connection.execute(sa.insert(mark).values(name=name, number=number))
