"""What people and components said beside the samples: events, annotations, and every version of a corrected sample."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.contract import Annotations, Events, Versions
from hulian.kernel.sample import SCHEMAS

__all__ = ["ANNOTATIONS_SCHEMA", "EVENTS_SCHEMA", "find_annotations", "find_events", "find_versions"]

_TIME: Final = pa.timestamp("ns", "UTC")

EVENTS_SCHEMA: Final = pa.schema(
    [
        pa.field("time", _TIME, nullable=False),
        *(pa.field(name, pa.string()) for name in ("code", "severity", "component", "subject", "message", "hint")),
        pa.field("active", pa.bool_()),
        pa.field("details", pa.string()),
    ]
)
ANNOTATIONS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("series", pa.uint64(), nullable=False),
        pa.field("start", _TIME, nullable=False),
        pa.field("end", _TIME, nullable=False),
        pa.field("author", pa.string()),
        pa.field("text", pa.string()),
        pa.field("created", _TIME),
    ]
)


def find_events(asking: Asking, request: Events) -> Iterator[pa.RecordBatch]:
    """Events, newest first."""
    where = [f"time >= {sql.instant(request.start)}", f"time < {sql.instant(request.end)}"]
    if request.severities:
        where.append(f"severity IN ({', '.join(sql.quote(one) for one in request.severities)})")
    if request.subject:
        where.append(f"subject = {sql.quote(request.subject)}")
    statement = (
        "SELECT time, code, toString(severity), toString(component), subject, message, hint, active, details"
        f" FROM {asking.database}.events WHERE {' AND '.join(where)} ORDER BY time DESC, code LIMIT {int(request.limit)}"
    )
    yield from asking.stream(statement, EVENTS_SCHEMA)


def find_annotations(asking: Asking, request: Annotations) -> Iterator[pa.RecordBatch]:
    """The annotations that touch the window, the oldest first."""
    where = [f"end >= {sql.instant(request.start)}", f"start < {sql.instant(request.end)}", "text != ''"]
    if request.series:
        where.append(f"series IN {sql.listed([0, *request.series])}")
    statement = (
        f"SELECT id, series, start, end, author, text, created FROM {asking.database}.annotations FINAL"
        f" WHERE {' AND '.join(where)} ORDER BY start, id"
    )
    yield from asking.stream(statement, ANNOTATIONS_SCHEMA)


def find_versions(asking: Asking, request: Versions) -> Iterator[pa.RecordBatch]:
    """Every version of every sample of the window."""
    names = next((found for storage, found in asking.by_class(request.series) if storage is request.storage), None)
    if names is None:
        return
    listed = sql.listed(names.tolist())
    wanted = pa.schema(
        [
            *SCHEMAS[request.storage],
            ("version", pa.uint64()),
            ("author", pa.string()),
            ("reason", pa.string()),
            ("created", _TIME),
        ]
    )
    statement = (
        "SELECT s.series, s.time, s.value, s.status, s.version, nullIf(c.author, ''), nullIf(c.reason, ''),"
        " if(c.author = '', NULL, c.created)"
        f" FROM {asking.database}.{schema.raw(request.storage)} AS s LEFT JOIN (SELECT series, version, any(author) AS author,"
        f" any(reason) AS reason, any(created) AS created FROM {asking.database}.corrections WHERE series IN {listed}"
        " GROUP BY series, version) AS c ON s.series = c.series AND s.version = c.version"
        f" WHERE s.series IN {listed} AND s.time >= {sql.instant(request.start)} AND s.time < {sql.instant(request.end)}"
        " ORDER BY s.series, s.time, s.version"
    )
    yield from asking.stream(statement, wanted)
