"""From a description to a running plant: what a document of the model can become, looked at and applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from hulian.data.catalogue.described import (
    Applied,
    Choice,
    ConnectorChange,
    Described,
    FieldChange,
    PointChange,
    Preview,
    Wish,
)
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.routes.connectors import CredentialsBody, kept_credentials, known_edge, open_url
from hulian.platform.edge.protocols import check_connection, check_options
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta
_TAGS: Final = ["model"]
_MOST: Final = 5_000
_UNNAMED: Final = "(chosen)"


class ChosenConnector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of a proposed connector; what is empty stays as the description has it."""

    name: Annotated[str, Says(max_length=64, description="another name, or that of a connector that is there")] = ""
    protocol: Annotated[str, Says(max_length=64)] = ""
    url: Annotated[str, Says(max_length=2000)] = ""
    settings: dict[str, Any] = {}
    credentials: CredentialsBody = CredentialsBody()
    enabled: bool = True
    edge: Annotated[str, Says(max_length=63)] = ""
    leave: Annotated[bool, Says(description="neither it nor its points are made or changed")] = False


class ProposalBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted: ``connectors`` by the names that the proposal gives, ``points`` by name or node (none: all).

    For points in ``overwrite`` the description counts more than what a person set. ``digest`` is that of what was looked at.
    """

    document: Annotated[str, Says(min_length=1, max_length=100)]
    connectors: Annotated[dict[str, ChosenConnector], Says(max_length=1000)] = {}
    points: Annotated[list[str], Says(max_length=200_000)] | None = None
    overwrite: Annotated[list[str], Says(max_length=200_000)] = []
    digest: Annotated[str, Says(max_length=64)] = ""


class ChangedField(msgspec.Struct, frozen=True, kw_only=True):
    """One field: what it is, and what the description says."""

    field: str
    old: Any
    new: Any


class ConnectorView(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a connector; ``described`` is its name in the proposal, ``kept`` what a person set and so stays.

    ``settings`` are those of the description, whatever is chosen.
    """

    name: str
    described: str
    protocol: str
    url: str
    change: Literal["added", "changed", "same", "left"]
    points: int
    settings: dict[str, Any]
    fields: list[ChangedField]
    kept: list[ChangedField]
    missing: list[str]


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a point; ``node`` is the property that it is, ``kept`` what a person set and so stays.

    One that a person ``removed`` is left out, and comes back where it is overwritten.
    """

    name: str
    node: str
    connector: str
    address: str
    change: Literal["added", "changed", "same", "left"]
    fields: list[ChangedField]
    kept: list[ChangedField]
    missing: list[str]
    removed: bool


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """What the description leaves open: a node's id or a connector's name, and what."""

    place: str
    what: str


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen. ``points`` are a page of ``total``, in the order of the description; counts are of all of them.

    ``taken`` is the version that the catalogue took over last: what is not as that said was set by a person. ``gone`` are
    points that it described and this one does not; they stay.
    """

    document: str
    version: int
    taken: int | None
    digest: str
    connectors: list[ConnectorView]
    points: list[PointView]
    next: str | None
    total: int
    added: int
    changed: int
    same: int
    left: int
    kept: int
    bound: int
    gone: list[str]
    missing: list[GapView]


class AppliedView(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; ``bound`` nodes are live points from now on."""

    document: str
    version: int
    points: dict[str, int]
    connectors_added: list[str]
    connectors_changed: list[str]
    bound: int
    kept: int
    left: int


def _fields(changes: tuple[FieldChange, ...]) -> list[ChangedField]:
    return [ChangedField(field=one.field, old=one.old, new=one.new) for one in changes]


def _connector(one: ConnectorChange) -> ConnectorView:
    values = {name: getattr(one, name) for name in ("name", "described", "protocol", "url", "change", "points", "settings")}
    return ConnectorView(fields=_fields(one.fields), kept=_fields(one.kept), missing=list(one.missing), **values)


def _point(one: PointChange) -> PointView:
    values = {name: getattr(one, name) for name in ("name", "node", "connector", "address", "change", "removed")}
    return PointView(fields=_fields(one.fields), kept=_fields(one.kept), missing=list(one.missing), **values)


def _view(found: Preview, start: int, limit: int) -> ProposalView:
    end = start + limit
    counts = ("document", "version", "taken", "digest", "added", "changed", "same", "left", "kept", "bound")
    return ProposalView(
        connectors=[_connector(one) for one in found.connectors],
        points=[_point(one) for one in found.points[start:end]],
        next=str(end) if end < len(found.points) else None,
        total=len(found.points),
        gone=list(found.gone[:_MOST]),
        missing=[GapView(place=one.place, what=one.what) for one in found.missing[:_MOST]],
        **{name: getattr(found, name) for name in counts},
    )


async def _described(context: Context) -> Described:
    semantics = await context.semantics()

    def check(protocol: str, url: str, settings: Mapping[str, Any]) -> None:
        open_url(url)
        check_connection(protocol, url, settings)

    return Described(
        context.catalogue, semantics.model, prefix=context.house.prefix, check_connector=check, check_options=check_options
    )


def _wish(data: ProposalBody, credentials: Mapping[str, dict[str, str]]) -> Wish:
    chosen = {
        name: Choice(
            name=one.name, protocol=one.protocol, url=one.url, settings=one.settings, enabled=one.enabled, edge=one.edge,
            credentials=credentials.get(name, {}), leave=one.leave,
        )
        for name, one in data.connectors.items()
    }  # fmt: skip
    points = None if data.points is None else frozenset(data.points)
    return Wish(connectors=chosen, points=points, overwrite=frozenset(data.overwrite))


def _promised(data: ProposalBody) -> dict[str, dict[str, str]]:
    """In the place of credentials that are not kept yet: what is looked at keeps no secret."""
    empty = CredentialsBody()
    return {
        name: {"user": one.credentials.user or _UNNAMED} for name, one in data.connectors.items() if one.credentials != empty
    }


@get("/model/proposals", opt=needs(Action.MODEL_READ), summary="What a document can become", tags=_TAGS)
async def proposals(
    context: NamedDependency[Context],
    document: Annotated[str, QueryParameter(description="name of the document", min_length=1, max_length=100)],
    cursor: Annotated[str, QueryParameter(description="that of the page before", max_length=10)] = "",
    limit: Annotated[int, QueryParameter(description="points of a page", ge=1, le=_MOST)] = 1_000,
) -> ProposalView:
    """Connectors and points that the document describes, and what each would change in the catalogue; nothing is changed."""
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise RequestError("no page has this cursor", place="cursor")
    described = await _described(context)
    found: Preview = await in_thread(lambda: described.preview(document))
    return _view(found, int(cursor or 0), limit)


@post("/model/proposals/preview", opt=needs(Action.MODEL_READ), status_code=200, summary="The same with choices", tags=_TAGS)
async def preview(context: NamedDependency[Context], data: JSONBody[ProposalBody]) -> ProposalView:
    """With connectors, points and overwriting as chosen; the first 5,000 points."""
    described = await _described(context)
    found: Preview = await in_thread(lambda: described.preview(data.document, _wish(data, _promised(data))))
    return _view(found, 0, _MOST)


@post("/model/proposals/apply", opt=needs(Action.MODEL_WRITE), status_code=200, summary="Take it over", tags=_TAGS)
async def apply(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[ProposalBody]
) -> AppliedView:
    """Connectors and points in one transaction, then each node is bound to its point; again, it changes nothing.

    It needs the permission to change points and each connector, too. With a digest, only what was looked at happens.
    """
    who = visitor(request)
    described = await _described(context)
    await context.gate.authorise(who, Action.POINTS_WRITE, "")
    found: Preview = await in_thread(lambda: described.preview(data.document, _wish(data, _promised(data))))
    names = {one.described: one.name for one in found.connectors}
    for name in {*names.values(), *(one.connector for one in found.points if one.connector)}:
        await context.gate.authorise(who, Action.CONNECTORS_WRITE, f"connector:{name}")

    def write() -> Applied:
        credentials: dict[str, dict[str, str]] = {}
        urls = {one.described: one.url for one in found.connectors}
        for described_as, one in data.connectors.items():
            known_edge(context, one.edge)
            if one.credentials != CredentialsBody() and described_as in names and not one.leave:
                credentials[described_as] = kept_credentials(context, names[described_as], one.credentials, urls[described_as])
        digest = "" if credentials else data.digest
        if data.digest and data.digest != found.digest:
            digest = data.digest  # refused by the catalogue, as it is for any other change since
        return described.apply(data.document, who.name, _wish(data, credentials), digest=digest)

    done: Applied = await in_thread(write)
    counts = {name: count for name, count in msgspec.to_builtins(done.points).items() if count}
    details = {"did": "points of a document", "version": done.version, "bound": done.bound, **counts}
    await context.audit(who, Action.MODEL_WRITE, data.document, details=details)
    for name in {*done.connectors_added, *done.connectors_changed}:
        what = "added" if name in done.connectors_added else "changed"
        described_by = {"did": what, "document": data.document}
        await context.audit(who, Action.CONNECTORS_WRITE, f"connector:{name}", details=described_by)
    for name in done.connectors:
        await context.reload_edge(name)
    return AppliedView(
        document=done.document,
        version=done.version,
        points=msgspec.to_builtins(done.points),
        connectors_added=list(done.connectors_added),
        connectors_changed=list(done.connectors_changed),
        bound=done.bound,
        kept=done.kept,
        left=done.left,
    )


ROUTES = [proposals, preview, apply]
