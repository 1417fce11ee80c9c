"""What the tables hold and take, and what leaves them: whole parts, the oldest first."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from hulian.data.historian import schema
from hulian.data.historian.configuration import Retention
from hulian.data.historian.contract import Limits, Size
from hulian.data.historian.engine import Engine
from hulian.data.historian.errors import StoreError
from hulian.data.historian.events import HistorianEvent
from hulian.kernel.event import Event, Severity
from hulian.kernel.storage import StorageClass

__all__ = ["enforce", "sizes"]

_DAY: Final = 86_400_000_000_000


class _Part(NamedTuple):
    table: str
    name: str
    rows: int
    bytes: int
    oldest: int
    newest: int


def sizes(engine: Engine, limits: Limits) -> Mapping[str, Size]:
    """Rows, bytes on disk and the span of time of each table."""
    found = engine.table(
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts"
        f" WHERE active AND database = '{engine.database}' GROUP BY table",
        limits,
    )
    held = {}
    if found.num_columns:
        names = found.column(0).cast(pa.string()).to_pylist()
        held = dict(zip(names, zip(found.column(1).to_pylist(), found.column(2).to_pylist(), strict=True), strict=True))
    answer = {}
    for table in schema.tables():
        rows, size = held.get(table, (0, 0))
        oldest = newest = 0
        if rows and table in _DATED:
            span = engine.table(f"SELECT {_SPAN} FROM {engine.database}.{table}", limits)
            oldest, newest = span.column(0)[0].as_py(), span.column(1)[0].as_py()
        answer[table] = Size(rows=rows, bytes=size, oldest=oldest, newest=newest)
    return answer


_DATED: Final = frozenset((*schema.sample_tables(), "events"))
_SPAN: Final = (
    "toUnixTimestamp64Nano(toDateTime64(min(time), 9, 'UTC')), toUnixTimestamp64Nano(toDateTime64(max(time), 9, 'UTC'))"
)


def enforce(engine: Engine, retention: Retention, limits: Limits, now: int) -> Iterator[Event]:
    """Drops the parts that are older than asked, then the oldest while the samples take more room than asked."""
    ages = {schema.raw(storage): retention.raw_days for storage in StorageClass}
    ages |= {"minute": retention.minute_days, "hour": retention.hour_days, "events": retention.event_days}
    for table, days in ages.items():
        if days > 0:
            before = now - int(days * _DAY)
            gone = [part for part in _parts(engine, table, limits) if part.newest < before]
            if gone:
                yield from _drop(engine, gone, HistorianEvent.EXPIRED, now, f"older than {days:g} days")
    if retention.maximum_bytes > 0:
        yield from _shrink(engine, retention.maximum_bytes, limits, now)


def _shrink(engine: Engine, maximum: int, limits: Limits, now: int) -> Iterator[Event]:
    """The oldest raw parts go first; the part that holds the newest samples of a table stays."""
    taken = sum(size.bytes for table, size in sizes(engine, limits).items() if table in _DATED)
    if taken <= maximum:
        return
    candidates: list[_Part] = []
    for storage in StorageClass:
        parts = sorted(_parts(engine, schema.raw(storage), limits), key=lambda part: part.newest)
        candidates.extend(parts[:-1])
    gone: dict[str, list[_Part]] = {}
    for part in sorted(candidates, key=lambda part: part.newest):
        if taken <= maximum:
            break
        taken -= part.bytes
        gone.setdefault(part.table, []).append(part)
    for parts in gone.values():
        yield from _drop(engine, parts, HistorianEvent.OVERSIZE, now, f"more than {maximum} bytes on disk")


def _parts(engine: Engine, table: str, limits: Limits) -> list[_Part]:
    spans = engine.table(f"SELECT _part, {_SPAN} FROM {engine.database}.{table} GROUP BY _part", limits)
    if not spans.num_rows:
        return []
    held = engine.table(
        f"SELECT name, rows, bytes_on_disk FROM system.parts WHERE active AND database = '{engine.database}'"
        f" AND table = '{table}'",
        limits,
    )
    known = {row[0]: row[1:] for row in zip(*(column.to_pylist() for column in held.columns), strict=True)}
    names, oldest, newest = spans.column(0).cast(pa.string()).to_pylist(), *(spans.column(at).to_pylist() for at in (1, 2))
    return [
        _Part(table, name, known[name][0], known[name][1], first, last)
        for name, first, last in zip(names, oldest, newest, strict=True)
        if name in known
    ]


def _drop(engine: Engine, parts: list[_Part], code: str, now: int, why: str) -> Iterator[Event]:
    table = parts[0].table
    kept = set()
    for part in parts:
        try:
            engine.execute(f"ALTER TABLE {engine.database}.{table} DROP PART '{part.name}'")
        except StoreError:  # it was merged into another part in between, which goes the next time
            kept.add(part.name)
    parts = [part for part in parts if part.name not in kept]
    if not parts:
        return
    rows, size = sum(part.rows for part in parts), sum(part.bytes for part in parts)
    yield Event(
        time=now,
        code=code,
        severity=Severity.INFO if code == HistorianEvent.EXPIRED else Severity.WARNING,
        component="historian",
        subject=table,
        message=f"{rows} rows left {table}: {why}",
        hint="see historian.retention",
        details={"rows": rows, "bytes": size, "oldest": min(p.oldest for p in parts), "newest": max(p.newest for p in parts)},
    )
