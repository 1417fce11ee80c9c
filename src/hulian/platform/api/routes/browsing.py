"""Looking at a device, proposing points for what it shows, and acting on a point."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import anyio
import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hulian.kernel.configuration import resolve_secret
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Browsed
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.credentials import check_reference
from hulian.platform.api.errors import ConflictError, NotWritableError, OutOfRangeError
from hulian.platform.api.refusals import RelayedError
from hulian.platform.api.routes.certificates import CertificateView, certificate_view
from hulian.platform.api.routes.connectors import CredentialsBody, open_url
from hulian.platform.api.routes.points import PointView, point_view
from hulian.trust import Action, EdgeState, Peer, PeerState

__all__ = ["ROUTES"]

Says = msgspec.Meta
_BROWSE_SECONDS = 30.0
_COMMAND_SECONDS = 10.0
_NUMBERS = (StorageClass.DOUBLE, StorageClass.INTEGER)
_NODE_ASKS_WITHIN = 10.0
"""Seconds in which an edge node is asked again about a certificate; a new order is tried out in that time, too."""
_WAITS_FOR_APPROVAL = "HL-OPCUA-0032"


class BrowseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device to look at. ``connector`` lends its credentials where none are given."""

    url: Annotated[str, Says(min_length=1, max_length=2000, examples=["opc.tcp://127.0.0.1:4840"])]
    protocol: str | None = None
    settings: dict[str, Any] = {}
    credentials: CredentialsBody | None = None
    connector: str | None = None
    edge: Annotated[str, Says(max_length=63, description="edge node that looks; empty: the platform itself")] = ""
    under: str | None = None
    depth: Annotated[int, Says(ge=0, le=100, description="levels; 0 for all")] = 1
    search: Annotated[str, Says(max_length=200, description="only what holds these words, of every level")] = ""


class BrowseView(msgspec.Struct, frozen=True, kw_only=True):
    """What the device shows; ``certificate`` where a person has to approve it before it shows anything.

    ``truncated``: there is more than fits, or a search ended with its time.
    """

    protocol: str
    nodes: list[dict[str, Any]]
    truncated: bool
    certificate: CertificateView | None


class ProposeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Browsed leaves to make points of. ``thing`` puts all under one thing, ``path`` under one place."""

    connector: Annotated[str, Says(min_length=1, max_length=200)]
    nodes: Annotated[list[Browsed], Says(max_length=100_000)]
    url: str = ""
    prefix: str | None = None
    thing: str | None = None
    path: str = ""


class ProposeView(msgspec.Struct, frozen=True, kw_only=True):
    """Points with legal, unique names; nothing is written yet."""

    points: list[PointView]


class CommandBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value for a writable point. ``confirm`` says that a person means it; ``identity`` makes a repeat harmless."""

    point: str
    value: Any
    confirm: Literal[True]
    identity: Annotated[str, Says(max_length=100)] | None = None


class CommandView(msgspec.Struct, frozen=True, kw_only=True):
    """The device has confirmed it."""

    identity: str
    point: str
    state: Literal["done"]


@post("/browse", opt=needs(Action.DEVICES_BROWSE), status_code=200, summary="Look at a device", tags=["connectors"])
async def browse(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[BrowseBody]) -> BrowseView:
    """The edge looks, from where it stands in the network."""
    asked: dict[str, Any] = {
        "do": "browse",
        "url": open_url(data.url),
        "protocol": data.protocol,
        "settings": data.settings,
        "under": data.under,
        "depth": data.depth,
        "search": data.search,
        "connector": data.connector,
        "timeout": _BROWSE_SECONDS,
    }
    if data.edge:
        await in_thread(lambda: _approved(context, data.edge))
    if data.credentials is not None:
        asked["credentials"] = await in_thread(lambda: _resolved(context, data.credentials, data.url))
    details = {"did": "browsed"} | ({"edge": data.edge} if data.edge else {})
    await context.audit(visitor(request), Action.DEVICES_BROWSE, data.url, details=details)
    answer = await _look(context, asked, data.edge)
    if isinstance(answer, Peer):
        view = certificate_view(answer)
        return BrowseView(protocol=data.protocol or "", nodes=[], truncated=False, certificate=view)
    return BrowseView(
        protocol=answer.get("protocol", ""),
        nodes=answer.get("nodes", []),
        truncated=bool(answer.get("truncated")),
        certificate=None,
    )


async def _look(context: Context, asked: Mapping[str, Any], edge: str) -> Any | Peer:
    """What the edge answers, or the device's certificate where a person has to approve it first.

    An edge node shows certificates to the centre, and hears what was decided, when it asks for its orders; it is told to ask
    now, and asked again for a few seconds.
    """
    deadline = time.monotonic() + _NODE_ASKS_WITHIN
    while True:
        try:
            return await context.ask("edge", asked, edge=edge, seconds=_BROWSE_SECONDS + 5)
        except RelayedError as error:
            if error.code != _WAITS_FOR_APPROVAL:
                raise
            if found := await in_thread(lambda: _waiting(context, str(asked["url"]), edge)):
                return found
            if not edge or time.monotonic() > deadline:
                raise
        await context.ask("edge", {"do": "reload"}, edge=edge)
        await anyio.sleep(0.5)


def _waiting(context: Context, url: str, edge: str) -> Peer | None:
    """The certificate that the device at ``url`` showed last, to the platform itself or to ``edge``, while it waits."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    found = (
        peer
        for peer in context.trust.peers.list()
        if peer.state is PeerState.PENDING and peer.edge == edge and host in peer.peer
    )
    return max(found, key=lambda peer: peer.last_seen, default=None)


def _approved(context: Context, name: str) -> None:
    """Raises `UnknownAccountError`, `ConflictError`."""
    state = context.trust.edges.get(name).state
    if state is not EdgeState.APPROVED:
        raise ConflictError(f"the edge node {name!r} is {state.value}", place="$.edge", hint="approve it first")


def _resolved(context: Context, given: CredentialsBody | None, url: str) -> dict[str, str]:
    if given is None:
        return {}
    for reference in filter(None, (given.reference, given.key_reference)):
        check_reference(context, reference, url)

    def behind(value: str, reference: str) -> str:
        return value or (resolve_secret(reference, context.trust.secrets.get) if reference else "")

    password, key = behind(given.password, given.reference), behind(given.key, given.key_reference)
    return {"user": given.user, "password": password} | ({"key": key} if key else {})


@post("/propose", opt=needs(Action.POINTS_READ), status_code=200, summary="Make points of nodes", tags=["connectors"])
async def propose(context: NamedDependency[Context], data: JSONBody[ProposeBody]) -> ProposeView:
    """Names, units and kinds for browsed leaves. Browsing twice renames nothing."""
    points = await in_thread(
        lambda: context.catalogue.propose(
            [node for node in data.nodes if node.leaf],
            connector=data.connector,
            prefix=data.prefix or context.house.prefix,
            thing=data.thing,
            path=data.path,
        )
    )
    return ProposeView(points=[point_view(point) for point in points])


@post("/commands", opt=needs(Action.COMMANDS_SEND), status_code=200, summary="Act on a point", tags=["connectors"])
async def command(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[CommandBody]
) -> CommandView:
    """Only where the configuration marks the point writable, and within its range. Answers when the device has confirmed it."""
    (point,) = await context.points.resolve([data.point], most=1, place="$.point")
    who, identity = visitor(request), data.identity or secrets.token_urlsafe(9)
    details: dict[str, Any] = {"identity": identity, "value": data.value}
    if not point.writable:
        await context.audit(who, Action.COMMANDS_SEND, f"point:{point.name}", "denied", details)
        raise NotWritableError(f"{point.name} is not writable", place="$.point")
    if problem := _unfit(point, data.value):
        await context.audit(who, Action.COMMANDS_SEND, f"point:{point.name}", "denied", details)
        raise OutOfRangeError(problem, place="$.value")
    asked = {
        "do": "write",
        "connector": point.connector,
        "address": point.address,
        "value": data.value,
        "identity": identity,
        "principal": who.name,
        "expires": time.time_ns() + int(_COMMAND_SECONDS * 1e9),
        "timeout": _COMMAND_SECONDS,
    }
    edge = await in_thread(lambda: context.catalogue.connector(point.connector).edge) if point.connector else ""
    try:
        await context.ask("edge", asked, edge=edge, seconds=_COMMAND_SECONDS + 2)
    except HulianError as error:
        # Silence too: nobody knows whether it was carried out, and the trail is where somebody will look.
        failed = {**details, "error": error.code}
        await context.audit(who, Action.COMMANDS_SEND, f"point:{point.name}", "failed", failed)
        raise
    await context.audit(who, Action.COMMANDS_SEND, f"point:{point.name}", details=details)
    return CommandView(identity=identity, point=point.name, state="done")


def _unfit(point: Point, value: Any) -> str:
    """Why ``value`` is none for ``point``: it is no number where the point is one, or beyond its range; empty where it fits.

    A text would slip past the range and reach a device that reads numbers out of texts.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if point.storage in _NUMBERS and not number:
        return f"{_shown(value)} is not a number"
    if not number:
        return ""
    if (point.low is not None and value < point.low) or (point.high is not None and value > point.high):
        return f"{_shown(value)} is outside {_end(point.low)} … {_end(point.high)}"
    return ""


def _shown(value: Any) -> str:
    """The beginning of a value, as a person may have written it."""
    return repr(value)[:80] if not isinstance(value, int | float) else f"{value}"[:80]


def _end(limit: float | None) -> str:
    return "–" if limit is None else f"{limit:g}"


ROUTES = [browse, propose, command]
