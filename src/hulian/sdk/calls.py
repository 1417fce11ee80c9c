"""Every call of a platform, once, for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.errors import BrokenAnswerError
from hulian.sdk.flow import Flow, Reply, Request, read
from hulian.sdk.history import History

T = TypeVar("T")

Moment = str | int | datetime
"""A time: RFC 3339, ``now-1h``, ns since 1970, or a `datetime` with a zone."""
Span = str | int | timedelta
"""A length of time: ``90s``, ``1h``, ns, or a `timedelta`."""

ARROW = "application/vnd.apache.arrow.stream"
_SLOW = 90.0


class _Items(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | int | None = None


def _moment(value: Moment | None) -> str | int | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: write datetime(..., tzinfo=UTC)")
        return value.isoformat()
    return value


def _span(value: Span | None) -> str | int | None:
    return round(value.total_seconds() * 1e6) * 1000 if isinstance(value, timedelta) else value


def window(last: Span | None, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """The fields of a question that say when."""
    span = _span(last)
    return _given(last=None if span is None else str(span), start=_moment(start), end=_moment(end))


def _listed(points: str | Iterable[str]) -> list[str]:
    return [points] if isinstance(points, str) else list(points)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _items(reply: Reply, kind: type[T]) -> list[T]:
    return [msgspec.json.decode(item, type=kind) for item in read(reply, _Items).items]


def _table(reply: Reply) -> History:
    try:
        return History(pa.ipc.open_stream(reply.body).read_all())
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenAnswerError(f"the table broke off: {error}") from error


# -- the session -----------------------------------------------------------------------------------------------------


def session() -> Flow[records.Session]:
    """Who is logged in."""
    return read((yield Request("GET", "/session")), records.Session)


def change_password(old: str, new: str) -> Flow[records.Session]:
    """Changes the own password; other sessions of the user end."""
    return read((yield Request("POST", "/session/password", body={"old": old, "new": new})), records.Session)


def health() -> Flow[records.Health]:
    """How the platform is."""
    return read((yield Request("GET", "/health")), records.Health)


# -- points ----------------------------------------------------------------------------------------------------------


def points(
    search: str = "",
    *,
    connector: str | None = None,
    thing: str | None = None,
    path: str | None = None,
    limit: int | None = None,
    last: bool = False,
) -> Flow[list[records.PointInfo]]:
    """The points that match, by name; all of them where no limit is given. ``last`` adds the newest sample of each."""
    found: list[records.PointInfo] = []
    cursor: str | None = None
    while True:
        size = 1000 if limit is None else min(1000, limit - len(found))
        query = _given(search=search or None, connector=connector, thing=thing, path=path, cursor=cursor)
        reply = yield Request("GET", "/points", query={**query, "limit": size, "last": str(last).lower()})
        page = read(reply, _Items)
        found += [msgspec.json.decode(item, type=records.PointInfo) for item in page.items]
        cursor = page.next if isinstance(page.next, str) else None
        if cursor is None or (limit is not None and len(found) >= limit):
            return found


def point(name: str) -> Flow[records.PointInfo]:
    """One point, with its newest sample."""
    return read((yield Request("GET", f"/points/{escape(name)}")), records.PointInfo)


def change_point(name: str, **changes: Any) -> Flow[records.PointInfo]:
    """Changes tag, path, unit, kind, low, high, texts, enabled, or the name of a point."""
    return read((yield Request("PATCH", f"/points/{escape(name)}", body=changes)), records.PointInfo)


def tree(under: str = "") -> Flow[records.Tree]:
    """What is directly below a place of the plant."""
    return read((yield Request("GET", "/tree", query=_given(under=under or None))), records.Tree)


# -- many points at once ---------------------------------------------------------------------------------------------


def point_list(
    form: str = "csv",
    search: str = "",
    *,
    connector: str | None = None,
    thing: str | None = None,
    path: str | None = None,
) -> Flow[bytes]:
    """The tag list of the points that match, as the bytes of a ``csv`` or ``xlsx`` file."""
    query = _given(search=search or None, connector=connector, thing=thing, path=path)
    return (yield Request("GET", f"/points/list.{form}", query=query, accept="*/*", seconds=_SLOW)).body


def preview_points(content: bytes, *, remove: bool = False) -> Flow[records.ListPreview]:
    """What a tag list (CSV or XLSX) would change, cell by cell; nothing is. ``remove``: also what it does not name, of the
    connectors that it names."""
    query = {"remove": str(remove).lower()}
    reply = yield Request("POST", "/points/list/preview", query=query, content=content, seconds=_SLOW)
    return read(reply, records.ListPreview)


def apply_points(content: bytes, digest: str, *, remove: bool = False, name: str = "") -> Flow[records.ListApplied]:
    """Applies the list whose preview had this digest: all of it, or nothing where something else would happen now."""
    query = {"digest": digest, "remove": str(remove).lower(), "name": name}
    reply = yield Request("POST", "/points/list", query=query, content=content, seconds=_SLOW)
    return read(reply, records.ListApplied)


def preview_edit(points: Mapping[str, Any], edit: Mapping[str, Any]) -> Flow[records.ListPreview]:
    """What an edit would do to the chosen points: ``{"names": [...]}`` or ``{"search": ..., "path": ...}``; ``edit`` is
    ``{"set": {column: pattern}, "replace": [{"column", "find", "put"}]}``."""
    body = {"points": dict(points), "edit": dict(edit)}
    return read((yield Request("POST", "/points/edit/preview", body=body, seconds=_SLOW)), records.ListPreview)


def edit_points(points: Mapping[str, Any], edit: Mapping[str, Any], digest: str) -> Flow[records.ListApplied]:
    """Does the edit whose preview had this digest."""
    body = {"points": dict(points), "edit": dict(edit), "digest": digest}
    return read((yield Request("POST", "/points/edit", body=body, seconds=_SLOW)), records.ListApplied)


def templates() -> Flow[list[records.Template]]:
    """The templates of machines."""
    return _items((yield Request("GET", "/templates")), records.Template)


def template(name: str) -> Flow[records.Template]:
    """One template."""
    return read((yield Request("GET", f"/templates/{escape(name)}")), records.Template)


def template_of(thing: str, *, name: str = "") -> Flow[records.Template]:
    """What a machine would be as a template; nothing is kept."""
    return read((yield Request("GET", "/template-of", query={"thing": thing, "name": name})), records.Template)


def keep_template(template: records.Template) -> Flow[records.Template]:
    """Keeps a new template (version 0), or changes the one at its version."""
    path = f"/templates/{escape(template.name)}"
    return read((yield Request("PUT", path, body=msgspec.to_builtins(template))), records.Template)


def remove_template(name: str) -> Flow[None]:
    """Forgets a template; the points that were made of it stay."""
    yield Request("DELETE", f"/templates/{escape(name)}")


def preview_instances(name: str, instances: Iterable[Mapping[str, str]] = (), *, table: str = "") -> Flow[records.ListPreview]:
    """What instances of a template would add, each a value a parameter, or all as delimited text with a line of titles."""
    body = {"instances": [dict(one) for one in instances], "table": table}
    reply = yield Request("POST", f"/templates/{escape(name)}/preview", body=body, seconds=_SLOW)
    return read(reply, records.ListPreview)


def make_instances(
    name: str, instances: Iterable[Mapping[str, str]] = (), *, digest: str, table: str = ""
) -> Flow[records.ListApplied]:
    """Makes the instances whose preview had this digest."""
    body = {"instances": [dict(one) for one in instances], "table": table, "digest": digest}
    reply = yield Request("POST", f"/templates/{escape(name)}/instances", body=body, seconds=_SLOW)
    return read(reply, records.ListApplied)


def copy_connector(
    name: str,
    copy: str,
    url: str,
    *,
    replace: Mapping[str, str] | None = None,
    enabled: bool = False,
    dry_run: bool = False,
) -> Flow[list[records.PointInfo]]:
    """Makes ``copy`` of a connector for the device at ``url``; its points. ``replace``: what becomes what in their names."""
    pairs = [{"find": find, "put": put} for find, put in (replace or {}).items()]
    body = {"name": copy, "url": url, "replace": pairs, "enabled": enabled, "dry_run": dry_run}
    reply = yield Request("POST", f"/connectors/{escape(name)}/copy", body=body, seconds=_SLOW)
    return read(reply, records.ConnectorCopy).points


# -- history ---------------------------------------------------------------------------------------------------------


def last(points: str | Iterable[str]) -> Flow[list[records.Last]]:
    """The newest sample of each point, in the order asked for."""
    names = ",".join(escape(name) for name in _listed(points))
    return _items((yield Request("GET", "/last", query={"points": names})), records.Last)


def history(
    points: str | Iterable[str],
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    every: Span | None = None,
    agg: str | Sequence[str] | None = None,
    limit: int | None = None,
) -> Flow[History]:
    """What was, as an Arrow table: raw samples, or with ``every`` one row a step with the aggregates ``agg`` (mean).

    The window is ``start`` to ``end`` (now), or ``last`` before it. Aggregates: mean, min, max, count, sum, first, last,
    stddev, time_weighted_mean, p01 to p99.
    """
    body: dict[str, Any] = {
        "points": _listed(points),
        "kind": "raw" if every is None else "aggregate",
        "format": "arrow",
        **window(last, start, end),
        **_given(limit=limit, step=_span(every)),
    }
    if agg is not None:
        body["functions"] = _listed(agg)
        if every is None:
            raise ValueError('aggregates want a step: every="1m"')
    return _table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=_SLOW)))


def downsampled(
    points: str | Iterable[str],
    wanted: int = 2000,
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[History]:
    """About ``wanted`` samples a point that draw the same line, extremes kept."""
    body = {
        "points": _listed(points),
        "kind": "downsample",
        "points_wanted": wanted,
        "format": "arrow",
        **window(last, start, end),
    }
    return _table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=_SLOW)))


def aligned(
    points: str | Iterable[str],
    every: Span,
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    fill: bool = False,
) -> Flow[History]:
    """Several points on one time axis: a column each, means of every step; with ``fill`` the last value holds."""
    body = {
        "points": _listed(points),
        "kind": "aligned",
        "step": _span(every),
        "fill": fill,
        "format": "arrow",
        **window(last, start, end),
    }
    return _table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=_SLOW)))


def at(points: str | Iterable[str], instants: Iterable[Moment], *, linear: bool | None = None) -> Flow[History]:
    """The values at given instants; interpolated where the point is continuous, unless ``linear`` says otherwise."""
    times = [_moment(instant) for instant in instants]
    body = {"points": _listed(points), "kind": "instants", "instants": times, "format": "arrow", **_given(linear=linear)}
    return _table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=_SLOW)))


def states(
    points: str | Iterable[str],
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[History]:
    """How long each value of a step point held."""
    body = {"points": _listed(points), "kind": "states", "format": "arrow", **window(last, start, end)}
    return _table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=_SLOW)))


def correct(point: str, samples: Iterable[tuple[Moment, Any]], reason: str) -> Flow[int]:
    """Replaces values, (time, value) each; the old ones stay readable as history. How many."""
    listed = [{"time": _moment(when), "value": value} for when, value in samples]
    body = {"point": point, "samples": listed, "reason": reason}
    return int(read((yield Request("POST", "/corrections", body=body)), dict[str, Any])["samples"])


# -- connectors ------------------------------------------------------------------------------------------------------


def connectors() -> Flow[list[records.Connector]]:
    """Every connection to a device, and how it is."""
    return _items((yield Request("GET", "/connectors")), records.Connector)


def connector(name: str) -> Flow[records.Connector]:
    """One connection."""
    return read((yield Request("GET", f"/connectors/{escape(name)}")), records.Connector)


def protocols() -> Flow[list[records.ProtocolInfo]]:
    """The protocols that the platform speaks."""
    return _items((yield Request("GET", "/protocols")), records.ProtocolInfo)


def browse(
    url: str,
    *,
    protocol: str | None = None,
    settings: Mapping[str, Any] | None = None,
    user: str | None = None,
    password: str | None = None,
    credentials: Mapping[str, str] | None = None,
    under: str | None = None,
    depth: int = 1,
    connector: str | None = None,
    edge: str | None = None,
) -> Flow[records.Browsing]:
    """What a device shows, ``depth`` levels below ``under`` (0: all). The platform's edge looks, or the edge node ``edge``, not
    this computer."""
    body = _given(
        url=url,
        protocol=protocol,
        settings=dict(settings) if settings else None,
        credentials={**_given(user=user, password=password), **(credentials or {})} or None,
        under=under,
        connector=connector,
        edge=edge,
    )
    return read((yield Request("POST", "/browse", body={**body, "depth": depth}, seconds=_SLOW)), records.Browsing)


def propose(
    connector: str,
    nodes: Iterable[records.Node | Mapping[str, Any]],
    *,
    prefix: str | None = None,
    thing: str | None = None,
    path: str | None = None,
) -> Flow[list[dict[str, Any]]]:
    """Points for browsed nodes, with names, units and kinds; nothing is written. Hand them to `create_connector`."""
    listed = [msgspec.to_builtins(node) for node in nodes]
    body = {"connector": connector, "nodes": listed, **_given(prefix=prefix, thing=thing, path=path)}
    reply = yield Request("POST", "/propose", body=body, seconds=_SLOW)
    return list(read(reply, dict[str, list[dict[str, Any]]])["points"])


def create_connector(
    name: str,
    url: str,
    *,
    protocol: str | None = None,
    settings: Mapping[str, Any] | None = None,
    user: str | None = None,
    password: str | None = None,
    credentials: Mapping[str, str] | None = None,
    points: Iterable[Mapping[str, Any]] = (),
    enabled: bool = True,
    edge: str | None = None,
) -> Flow[records.Connector]:
    """Connects a device: the connector starts at once, on the edge node ``edge`` or on the platform itself.

    The password is kept encrypted and never shown again.

    ``credentials`` may hold more: ``key`` (PEM) of a certificate in the settings; ``reference`` and ``key_reference`` name
    secrets that the platform keeps already (``secret:NAME``).
    """
    body = _given(
        name=name,
        url=url,
        protocol=protocol,
        settings=dict(settings) if settings else None,
        credentials={**_given(user=user, password=password), **(credentials or {})} or None,
        points=[dict(item) for item in points],
        enabled=enabled,
        edge=edge,
    )
    return read((yield Request("POST", "/connectors", body=body, seconds=_SLOW)), records.Connector)


def change_connector(name: str, **changes: Any) -> Flow[records.Connector]:
    """Changes url, settings, credentials, enabled, or adds ``points``."""
    return read((yield Request("PATCH", f"/connectors/{escape(name)}", body=changes, seconds=_SLOW)), records.Connector)


def remove_connector(name: str) -> Flow[None]:
    """Stops and forgets a connector and its points; their history stays."""
    yield Request("DELETE", f"/connectors/{escape(name)}")


def restart_connector(name: str) -> Flow[None]:
    """Ends the connection and makes it anew."""
    yield Request("POST", f"/connectors/{escape(name)}/restart")


def command(point: str, value: Any, *, identity: str | None = None) -> Flow[records.Command]:
    """Writes to a point that the configuration marks writable; returns when the device has confirmed it."""
    body = {"point": point, "value": value, "confirm": True, **_given(identity=identity)}
    return read((yield Request("POST", "/commands", body=body)), records.Command)


def dry_run(
    *,
    point: str = "",
    filters: Mapping[str, Any] | None = None,
    computed: Mapping[str, Any] | None = None,
    rule: Mapping[str, Any] | None = None,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[records.DryRun]:
    """What the edge would make of recorded samples with the filters of a point, a computed point, or a rule."""
    body = {"point": point, **_given(filters=filters, computed=computed, rule=rule), **window(last, start, end)}
    return read((yield Request("POST", "/processing/dry-run", body=body, seconds=_SLOW)), records.DryRun)


def edges() -> Flow[list[records.Edge]]:
    """The edge nodes, and how each one stands."""
    return _items((yield Request("GET", "/edges")), records.Edge)


def invite_edge(label: str = "", *, hours: float = 24.0) -> Flow[records.Invitation]:
    """A secret with which one edge node may ask to come in."""
    body = {"label": label, "hours": hours}
    return read((yield Request("POST", "/edges/invitations", body=body)), records.Invitation)


def decide_edge(name: str, decision: str, *, fingerprint: str | None = None) -> Flow[records.Edge]:
    """Lets an edge node in (``approve``) or shuts it out (``revoke``)."""
    body = {"decision": decision, **_given(fingerprint=fingerprint)}
    return read((yield Request("POST", f"/edges/{escape(name)}", body=body)), records.Edge)


def remove_edge(name: str) -> Flow[None]:
    """Shuts an edge node out and forgets it."""
    yield Request("DELETE", f"/edges/{escape(name)}")


def enrol(invitation: str, name: str, request: str, password_hash: str) -> Flow[dict[str, str]]:
    """Asks to come in, as an edge node: a claim and the fingerprint of its key."""
    body = {"invitation": invitation, "name": name, "request": request, "password_hash": password_hash}
    return read((yield Request("POST", "/enrolments", body=body)), dict[str, str])


def claim_enrolment(claim: str) -> Flow[records.Admission]:
    """How an enrolment stands, as an edge node."""
    return read((yield Request("POST", "/enrolments/claim", body={"claim": claim})), records.Admission)


def certificates() -> Flow[list[records.Certificate]]:
    """Certificates that devices showed, with what was decided."""
    return _items((yield Request("GET", "/certificates")), records.Certificate)


def decide_certificate(thumbprint: str, decision: str) -> Flow[records.Certificate]:
    """``approve`` or ``reject``."""
    return read((yield Request("POST", f"/certificates/{thumbprint}", body={"decision": decision})), records.Certificate)


# -- records ---------------------------------------------------------------------------------------------------------


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
    wanted = ",".join(_listed(severity)) if severity else None
    query = _given(since=_moment(since), severity=wanted, subject=subject, limit=limit)
    return _items((yield Request("GET", "/events", query=query)), records.Event)


def notes(
    points: str | Iterable[str] = (), *, start: Moment | None = None, end: Moment | None = None
) -> Flow[list[records.Annotation]]:
    """Notes that touch the window."""
    names = ",".join(escape(name) for name in _listed(points)) or None
    query = _given(points=names, start=_moment(start), end=_moment(end))
    return _items((yield Request("GET", "/annotations", query=query)), records.Annotation)


def annotate(
    text: str,
    *,
    point: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    identity: str | None = None,
) -> Flow[records.Annotation]:
    """Leaves a note at a time (now) or over a span, at one point or for all."""
    body = {"text": text, **_given(point=point, start=_moment(start), end=_moment(end), id=identity)}
    return read((yield Request("POST", "/annotations", body=body)), records.Annotation)


def remove_annotation(identity: str) -> Flow[None]:
    """Takes a note away."""
    yield Request("DELETE", f"/annotations/{escape(identity)}")


def audit(*, limit: int = 100, before: int | None = None, principal: str | None = None) -> Flow[list[records.AuditRecord]]:
    """Who did what, newest first."""
    query = _given(limit=limit, before=before, principal=principal)
    return _items((yield Request("GET", "/audit", query=query)), records.AuditRecord)


def job(identity: str) -> Flow[records.Job]:
    """How far an import is."""
    return read((yield Request("GET", f"/jobs/{identity}")), records.Job)


# -- accounts --------------------------------------------------------------------------------------------------------


def users() -> Flow[list[records.User]]:
    """Everybody."""
    return _items((yield Request("GET", "/users")), records.User)


def create_user(name: str, password: str, role: str, *, display: str = "", must_change: bool = True) -> Flow[records.User]:
    """Adds a person: viewer, operator, engineer or administrator."""
    body = {"name": name, "password": password, "role": role, "display": display, "must_change_password": must_change}
    return read((yield Request("POST", "/users", body=body)), records.User)


def change_user(name: str, **changes: Any) -> Flow[records.User]:
    """Changes role, display, disabled, must_change_password or password."""
    return read((yield Request("PATCH", f"/users/{escape(name)}", body=changes)), records.User)


def remove_user(name: str) -> Flow[None]:
    """Removes a person, their sessions and tokens."""
    yield Request("DELETE", f"/users/{escape(name)}")


def tokens(owner: str | None = None) -> Flow[list[records.Token]]:
    """API tokens, without their secrets."""
    return _items((yield Request("GET", "/tokens", query=_given(owner=owner))), records.Token)


def create_token(
    label: str, scopes: Iterable[str] = ("read",), *, expires: Moment | None = None, owner: str | None = None
) -> Flow[records.Token]:
    """Makes a token; its secret is in the answer and nowhere else."""
    body = {"label": label, "scopes": sorted(scopes), **_given(expires=_moment(expires), owner=owner)}
    return read((yield Request("POST", "/tokens", body=body)), records.Token)


def revoke_token(identity: str) -> Flow[None]:
    """Ends a token at once."""
    yield Request("DELETE", f"/tokens/{escape(identity)}")


def devices() -> Flow[list[records.Device]]:
    """Credentials of MQTT devices, without their passwords."""
    return _items((yield Request("GET", "/devices")), records.Device)


def create_device(name: str, publish: Iterable[str], *, subscribe: Iterable[str] = ()) -> Flow[records.Device]:
    """Makes a credential that may publish to, and hear, these MQTT topic filters; the password is shown once."""
    body = {"name": name, "publish": list(publish), "subscribe": list(subscribe)}
    return read((yield Request("POST", "/devices", body=body)), records.Device)


def remove_device(name: str) -> Flow[None]:
    """Takes a device's credential away."""
    yield Request("DELETE", f"/devices/{escape(name)}")
