"""What happened: ledger, events, notes, the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.calls.asking import Moment, given, items, listed, moment
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "annotate",
    "audit",
    "events",
    "job",
    "ledger",
    "notes",
    "remove_annotation",
]


def ledger() -> Flow[records.Ledger]:
    """What became of the samples of each source: sent, stored, duplicated, missing."""
    return read((yield Request("GET", "/ledger")), records.Ledger)


def events(
    *,
    since: Moment | None = None,
    severity: str | Sequence[str] | None = None,
    subject: str | None = None,
    limit: int = 100,
) -> Flow[list[records.Event]]:
    """What happened, newest first."""
    wanted = ",".join(listed(severity)) if severity else None
    query = given(since=moment(since), severity=wanted, subject=subject, limit=limit)
    return items((yield Request("GET", "/events", query=query)), records.Event)


def notes(
    points: str | Iterable[str] = (), *, start: Moment | None = None, end: Moment | None = None
) -> Flow[list[records.Annotation]]:
    """Notes that touch the window."""
    names = ",".join(escape(name) for name in listed(points)) or None
    query = given(points=names, start=moment(start), end=moment(end))
    return items((yield Request("GET", "/annotations", query=query)), records.Annotation)


def annotate(
    text: str,
    *,
    point: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    identity: str | None = None,
) -> Flow[records.Annotation]:
    """Leaves a note at a time (now) or over a span, at one point or for all."""
    body = {"text": text, **given(point=point, start=moment(start), end=moment(end), id=identity)}
    return read((yield Request("POST", "/annotations", body=body)), records.Annotation)


def remove_annotation(identity: str) -> Flow[None]:
    """Takes a note away."""
    yield Request("DELETE", f"/annotations/{escape(identity)}")


def audit(*, limit: int = 100, before: int | None = None, principal: str | None = None) -> Flow[list[records.AuditRecord]]:
    """Who did what, newest first."""
    query = given(limit=limit, before=before, principal=principal)
    return items((yield Request("GET", "/audit", query=query)), records.AuditRecord)


def job(identity: str) -> Flow[records.Job]:
    """How far an import is."""
    return read((yield Request("GET", f"/jobs/{identity}")), records.Job)
