"""What happened: the ledger, events, annotations, the audit trail."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from hulian.data.historian.contract import Annotate, Annotations, Events
from hulian.kernel.event import Severity
from hulian.kernel.identifier import unescape
from hulian.kernel.unreadable import UNREADABLE
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import NotFoundError, RequestError
from hulian.platform.api.points import split_points
from hulian.platform.api.routes.points import POINTS_TEXT
from hulian.platform.api.times import format_time, parse_time
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta
_EVER = 2**62


class LedgerRowView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the samples of one source: sent = stored + pending + dropped + missing, always.

    ``dropped`` is what the edge declares that its full journal dropped by its policy.
    """

    source: str
    epoch: int
    sent: int
    stored: int
    duplicated: int
    missing: int
    dropped: int
    pending: int
    gaps: int
    undecodable: int
    state: str
    since_ms: float
    last_time_ms: float
    last_sequence: int


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """Every source, and the sums."""

    rows: list[LedgerRowView]
    totals: dict[str, int]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. ``active`` is true where a condition begins, false where it ends, null for a moment."""

    time: str
    time_ms: float
    code: str
    severity: str
    component: str
    subject: str
    message: str
    hint: str
    active: bool | None
    details: dict[str, Any]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    items: list[EventView]


class AnnotationView(msgspec.Struct, frozen=True, kw_only=True):
    """A note. ``series`` is "0" where it holds for all points."""

    id: str
    point: str | None
    series: str
    start_ms: float
    end_ms: float
    author: str
    text: str
    created_ms: float


class AnnotationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first."""

    items: list[AnnotationView]


class AnnotationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note at ``start`` (now), or over a span; the ``id`` of a note that is there replaces it."""

    text: Annotated[str, Says(min_length=1, max_length=4000, examples=["valve replaced"])]
    point: str | None = None
    start: str | int | None = None
    end: str | int | None = None
    id: Annotated[str, Says(max_length=100)] | None = None


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what."""

    sequence: int
    time: str
    time_ms: float
    principal: str
    action: str
    resource: str
    outcome: str
    source: str
    details: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; ``next`` is what to give as ``before`` for the page after."""

    items: list[AuditView]
    next: int | None
    intact: bool | None = None


def _ms(nanoseconds: int) -> float:
    return nanoseconds // 1000 / 1000


@get("/ledger", opt=needs(Action.LEDGER_READ), summary="Nothing lost, nothing doubled", tags=["records"])
async def ledger(context: NamedDependency[Context]) -> LedgerView:
    """For each source what was sent, stored, repeated, is missing, and since when."""
    rows = [
        LedgerRowView(
            source=row.source,
            epoch=row.epoch,
            sent=row.sent,
            stored=row.stored,
            duplicated=row.duplicated,
            missing=row.missing,
            dropped=row.dropped,
            pending=row.pending,
            gaps=row.gaps,
            undecodable=row.undecodable,
            state=row.state,
            since_ms=_ms(row.since),
            last_time_ms=_ms(row.last_time),
            last_sequence=row.last_sequence,
        )
        for row in await context.queries.ledger()
    ]
    counted = ("sent", "stored", "duplicated", "missing", "dropped", "pending")
    return LedgerView(rows=rows, totals={name: sum(getattr(row, name) for row in rows) for name in counted})


@get("/events", opt=needs(Action.EVENTS_READ), summary="What happened", tags=["records"])
async def events(
    context: NamedDependency[Context],
    since: Annotated[str | None, QueryParameter(description="RFC 3339, ns, or now-1d")] = None,
    until: Annotated[str | None, QueryParameter(description="not included; for the page before")] = None,
    severity: Annotated[str, QueryParameter(description="of info, warning, error, critical; commas between")] = "",
    subject: Annotated[str, QueryParameter(description="connector, source, user or point", max_length=1100)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=5000)] = 100,
) -> EventPage:
    """Newest first."""
    wanted = split_points([severity])
    if unknown := set(wanted) - set(Severity):
        raise RequestError(f"there is no severity {min(unknown)!r}", place="query severity", hint=", ".join(Severity))
    now = time.time_ns()
    request = Events(
        start=parse_time(since, now=now, place="query since") if since else 0,
        end=parse_time(until, now=now, place="query until") if until else _EVER,
        severities=wanted,
        subject=subject,
        limit=limit,
    )
    table = await context.table(request)
    if not table.num_rows:
        return EventPage(items=[])
    times = table.column("time").cast("int64").to_pylist()
    rows = table.drop_columns(["time"]).to_pylist()
    return EventPage(items=[_event(when, row) for when, row in zip(times, rows, strict=True)])


def _event(when: int, row: dict[str, Any]) -> EventView:
    try:
        details = msgspec.json.decode(row["details"] or "{}", type=dict[str, Any])
    except UNREADABLE:
        details = {}
    return EventView(
        time=format_time(when),
        time_ms=_ms(when),
        code=row["code"],
        severity=row["severity"],
        component=row["component"],
        subject=row["subject"],
        message=row["message"],
        hint=row["hint"] or "",
        active=row["active"],
        details=details,
    )


@get("/annotations", opt=needs(Action.ANNOTATIONS_READ), summary="Notes", tags=["records"])
async def notes(
    context: NamedDependency[Context],
    points: Annotated[list[str] | None, QueryParameter(description=POINTS_TEXT)] = None,
    start: FromQuery[str | None] = None,
    end: FromQuery[str | None] = None,
) -> AnnotationPage:
    """Those that touch the window; with points, theirs and those for all."""
    names = split_points(points or [])
    found = await context.points.resolve(names, most=context.configuration.query_points) if names else []
    tracks = await context.points.tracks(found)
    return AnnotationPage(
        items=await _find(
            context,
            series=[track.series for track in tracks],
            start=parse_time(start, now=time.time_ns(), place="query start") if start else 0,
            end=parse_time(end, now=time.time_ns(), place="query end") if end else _EVER,
        )
    )


async def _find(context: Context, *, series: list[int], start: int, end: int) -> list[AnnotationView]:
    table = await context.table(Annotations(series=series, start=start, end=end))
    if not table.num_rows:
        return []
    columns = {name: table.column(name).cast("int64").to_pylist() for name in ("start", "end", "created")}
    rows = table.select(["id", "series", "author", "text"]).to_pylist()
    names = await context.points.of_series(row["series"] for row in rows if row["series"])
    return [
        AnnotationView(
            id=row["id"],
            point=names[row["series"]].name if row["series"] in names else None,
            series=str(row["series"]),
            start_ms=_ms(columns["start"][index]),
            end_ms=_ms(columns["end"][index]),
            author=row["author"],
            text=row["text"],
            created_ms=_ms(columns["created"][index]),
        )
        for index, row in enumerate(rows)
    ]


@post("/annotations", opt=needs(Action.ANNOTATIONS_WRITE), status_code=201, summary="Leave a note", tags=["records"])
async def annotate(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[AnnotationBody]
) -> AnnotationView:
    """At one point, or for all."""
    who, now = visitor(request), time.time_ns()
    start = now if data.start is None else parse_time(data.start, now=now, place="$.start")
    end = start if data.end is None else parse_time(data.end, now=now, place="$.end")
    if end < start:
        raise RequestError("the note ends before it begins", place="$.end")
    named = await context.points.resolve([data.point], most=1, place="$.point") if data.point else []
    note = Annotate(
        id=data.id or secrets.token_urlsafe(9),
        series=named[0].series if named else 0,
        start=start,
        end=end,
        author=who.name,
        text=data.text,
        created=now,
    )
    await context.queries.annotate(note)
    await context.audit(who, Action.ANNOTATIONS_WRITE, f"annotation:{note.id}", details={"did": "written"})
    return AnnotationView(
        id=note.id,
        point=named[0].name if named else None,
        series=str(note.series),
        start_ms=_ms(start),
        end_ms=_ms(end),
        author=note.author,
        text=note.text,
        created_ms=_ms(now),
    )


@delete("/annotations/{identity:str}", opt=needs(Action.ANNOTATIONS_WRITE), summary="Take a note away", tags=["records"])
async def remove_annotation(
    request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str]
) -> None:
    """404 where there is none."""
    wanted = unescape(identity) if "~" in identity else identity
    who = visitor(request)
    found = next((note for note in await _find(context, series=[], start=0, end=_EVER) if note.id == wanted), None)
    if found is None:
        raise NotFoundError(f"there is no annotation {wanted[:60]!r}")
    start, end = round(found.start_ms * 1000) * 1000, round(found.end_ms * 1000) * 1000
    gone = Annotate(id=wanted, series=int(found.series), start=start, end=end, author=who.name, text="", created=time.time_ns())
    await context.queries.annotate(gone)
    await context.audit(who, Action.ANNOTATIONS_WRITE, f"annotation:{wanted}", details={"did": "removed"})


@get("/audit", opt=needs(Action.AUDIT_READ), summary="Who did what", tags=["records"])
async def audit(
    context: NamedDependency[Context],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    before: Annotated[int | None, QueryParameter(description="next of the page before")] = None,
    principal: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    verify: Annotated[bool, QueryParameter(description="check the whole chain of hashes too")] = False,
) -> AuditPage:
    """Newest first."""
    found = await in_thread(lambda: context.trust.audit.list(limit=limit, before=before, principal=principal, action=action))
    verification = await in_thread(context.trust.audit.verify) if verify else None
    items = [
        AuditView(
            sequence=record.sequence,
            time=format_time(record.time),
            time_ms=_ms(record.time),
            principal=record.principal,
            action=record.action,
            resource=record.resource,
            outcome=record.outcome,
            source=record.source,
            details=record.details,
        )
        for record in found
    ]
    following = items[-1].sequence if len(items) == limit else None
    return AuditPage(items=items, next=following, intact=verification.intact if verification else None)


ROUTES = [ledger, events, notes, annotate, remove_annotation, audit]
