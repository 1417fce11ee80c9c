"""Where data come from: the connectors, and the protocols there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hulian.data.catalogue import ConnectorRecord
from hulian.kernel.configuration import convert, resolve_secret
from hulian.kernel.identifier import unescape
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.credentials import check_moved, check_reference
from hulian.platform.api.errors import ConflictError, RequestError
from hulian.platform.api.processing import check_processing
from hulian.platform.edge.errors import UnknownProtocolError
from hulian.platform.edge.processing.declaration import DESCRIBED, Described, filters_of
from hulian.platform.edge.processing.plan import PROTOCOL
from hulian.platform.edge.protocols import installed, protocol_named, protocol_of_url
from hulian.trust import Action

__all__ = ["ROUTES", "CredentialsBody", "kept_credentials", "known_edge", "open_url"]

Says = msgspec.Meta
_UNREADABLE_HERE = ("env:", "file:")


class CredentialsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What proves who we are to a device. The password is kept encrypted; ``reference`` names one that is kept already.

    ``key`` is the private key (PEM) of a certificate in the settings, kept likewise; ``key_reference`` names a kept one.
    """

    user: Annotated[str, Says(max_length=500)] = ""
    password: Annotated[str, Says(max_length=4000)] = ""
    reference: Annotated[str, Says(pattern="^(secret:.+)?$", max_length=300, examples=["secret:plc-1"])] = ""
    key: Annotated[str, Says(max_length=16_000)] = ""
    key_reference: Annotated[str, Says(pattern="^(secret:.+)?$", max_length=300, examples=["secret:plc-1-key"])] = ""


class ProposedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point to be fed by the connector, as `/propose` gives it; what it does not know is ignored."""

    name: Annotated[str, Says(max_length=1100, examples=["99.118.8/reactor#pressure"])]
    address: Annotated[str, Says(max_length=4000)]
    storage: StorageClass = StorageClass.DOUBLE
    kind: Kind = Kind.CONTINUOUS
    tag: str = ""
    path: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    raw_low: float | None = None
    raw_high: float | None = None
    texts: dict[str, str] = {}
    enumeration: dict[str, dict[str, str]] = {}
    writable: bool = False
    enabled: bool = True
    options: dict[str, Any] = {}

    def point(self, connector: str) -> Point:
        """The point as the catalogue keeps it; it finds the series itself."""
        return Point(series=0, connector=connector, **{name: getattr(self, name) for name in self.__struct_fields__})


class ConnectorBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new connection; the protocol is known from the address where it is not given."""

    name: Annotated[str, Says(min_length=1, max_length=200, examples=["reactor"])]
    url: Annotated[str, Says(min_length=1, max_length=2000, examples=["opc.tcp://127.0.0.1:4840"])]
    protocol: str | None = None
    settings: dict[str, Any] = {}
    credentials: CredentialsBody = CredentialsBody()
    points: Annotated[list[ProposedPoint], Says(max_length=100_000)] = []
    enabled: bool = True
    edge: Annotated[str, Says(max_length=63, description="edge node that it runs on; empty: the platform itself")] = ""


class ConnectorChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; ``points`` are added or described anew. With ``version`` only where nobody else was faster."""

    url: Annotated[str, Says(min_length=1, max_length=2000)] | None = None
    settings: dict[str, Any] | None = None
    credentials: CredentialsBody | None = None
    enabled: bool | None = None
    edge: Annotated[str, Says(max_length=63)] | None = None
    points: Annotated[list[ProposedPoint], Says(max_length=100_000)] = []
    remove_points: list[str] = []
    version: int | None = None


class ConnectorView(msgspec.Struct, frozen=True, kw_only=True):
    """A connection and how it is. A password is never shown, only that there is one."""

    name: str
    protocol: str
    url: str
    enabled: bool
    edge: str
    version: int
    points: int
    settings: dict[str, Any]
    credentials: dict[str, str]
    created_ms: float
    status: dict[str, Any] | None


class ConnectorPage(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    items: list[ConnectorView]


class ProtocolView(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol, and the JSON Schema of its settings; ``problem`` says why one that is installed cannot be used."""

    name: str
    schemes: list[str]
    settings_schema: dict[str, Any]
    problem: str = ""


class ProtocolPage(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    items: list[ProtocolView]


def _view(context: Context, record: ConnectorRecord, points: int) -> ConnectorView:
    return ConnectorView(
        name=record.name,
        protocol=record.protocol,
        url=record.url,
        enabled=record.enabled,
        edge=record.edge,
        version=record.version,
        points=points,
        settings=record.settings,
        credentials={key: value if key == "user" else "kept" for key, value in record.credentials.items() if value},
        created_ms=record.created // 1000 / 1000,
        status=context.board.of("edge", record.name),
    )


async def _one(context: Context, name: str) -> ConnectorView:
    def look() -> tuple[ConnectorRecord, int]:
        return context.catalogue.connector(name), context.catalogue.counts().get(name, 0)

    return _view(context, *await in_thread(look))


def _plain(token: str) -> str:
    return unescape(token) if "~" in token else token


def open_url(url: str) -> str:
    """``url``, which holds no password: it would be shown, logged and stored as it is. Raises `RequestError`."""
    try:
        secret = urlsplit(url).password
    except ValueError as error:
        raise RequestError(f"not an address: {error}", place="$.url") from error
    if secret is not None:
        raise RequestError("the address holds a password", place="$.url", hint="give it as credentials: it is kept encrypted")
    return url


def _checked(protocol: str | None, url: str, settings: Mapping[str, Any]) -> str:
    """The protocol's name, once its settings fit. Raises what says where they do not."""
    open_url(url)
    found = protocol_named(protocol) if protocol else protocol_of_url(url)
    convert(dict(settings), found.configuration, place="settings")
    return found.name


def _check_filters(points: Sequence[ProposedPoint]) -> None:
    """Refuses filters that could not work, with the place of the mistake."""
    for index, point in enumerate(points):
        known = Described(name=point.name, unit=point.unit, low=point.low, high=point.high)
        options = {**point.options, DESCRIBED: msgspec.to_builtins(known)}
        filters_of(options, point.storage, place=f"$.points[{index}].options")


def _points_of(context: Context, connector: str) -> list[Point]:
    """All points of a connector. Blocks."""
    found: list[Point] = []
    cursor: str | None = None
    while True:
        page = context.catalogue.search(connector=connector, limit=1000, cursor=cursor)
        found += [record.point for record in page.items]
        if (cursor := page.next) is None:
            return found


def known_edge(context: Context, name: str) -> str:
    """``name``, once there is such an edge node. Raises `UnknownAccountError`."""
    return context.trust.edges.get(name).name if name else ""


def kept_credentials(context: Context, name: str, given: CredentialsBody, url: str) -> dict[str, str]:
    """The credentials by reference; an open password goes into the store of secrets first."""
    if given.user.startswith(_UNREADABLE_HERE):
        raise RequestError(
            "a reference to this machine's files or environment is only taken from hulian.toml", place="$.credentials"
        )
    kept = {"user": given.user} if given.user else {}
    for field, value, reference, secret in (
        ("password", given.password, given.reference, f"connector/{name}"),
        ("key", given.key, given.key_reference, f"connector-key/{name}"),
    ):
        if value:
            context.trust.secrets.set(secret, value)
            kept[field] = f"secret:{secret}"
        elif reference:
            check_reference(context, reference, url)
            resolve_secret(reference, context.trust.secrets.get)
            kept[field] = reference
    return kept


@get("/connectors", opt=needs(Action.CONNECTORS_READ), summary="Connections", tags=["connectors"])
async def connectors(context: NamedDependency[Context]) -> ConnectorPage:
    """Each with its state, last error and what to do about it, counters and data age."""

    def look() -> tuple[list[ConnectorRecord], dict[str, int]]:
        return context.catalogue.connectors(), context.catalogue.counts()

    records, counts = await in_thread(look)
    return ConnectorPage(items=[_view(context, record, counts.get(record.name, 0)) for record in records])


@post("/connectors", opt=needs(Action.CONNECTORS_WRITE), status_code=201, summary="Connect a device", tags=["connectors"])
async def add_connector(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[ConnectorBody]
) -> ConnectorView:
    """With its points, or neither; it starts at once."""

    def write() -> None:
        protocol = _checked(data.protocol, data.url, data.settings)
        _check_filters(data.points)
        if protocol == PROTOCOL:
            points = [point.point(data.name) for point in data.points]
            check_processing(context, visitor(request), data.edge, data.settings, points)
        if any(record.name == data.name for record in context.catalogue.connectors()):
            raise ConflictError(f"there is already a connector {data.name!r}", place="$.name", hint="choose another name")
        record = ConnectorRecord(
            name=data.name,
            protocol=protocol,
            url=data.url,
            settings=data.settings,
            credentials=kept_credentials(context, data.name, data.credentials, data.url),
            enabled=data.enabled,
            edge=known_edge(context, data.edge),
        )
        context.catalogue.add_connector(record, [point.point(data.name) for point in data.points])

    await in_thread(write)
    details = {"did": "added", "url": data.url, "points": len(data.points)}
    await context.audit(visitor(request), Action.CONNECTORS_WRITE, f"connector:{data.name}", details=details)
    await context.reload_edge(data.name)
    return await _one(context, data.name)


@get("/connectors/{name:str}", opt=needs(Action.CONNECTORS_READ, "connector:{name}"), summary="One", tags=["connectors"])
async def connector(context: NamedDependency[Context], name: FromPath[str]) -> ConnectorView:
    """With its status."""
    return await _one(context, _plain(name))


@patch("/connectors/{name:str}", opt=needs(Action.CONNECTORS_WRITE, "connector:{name}"), summary="Change", tags=["connectors"])
async def change_connector(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[ConnectorChange]
) -> ConnectorView:
    """The edge takes the change over at once."""
    known = _plain(name)
    before = await in_thread(lambda: context.catalogue.connector(known).edge)

    def write() -> None:
        record = context.catalogue.connector(known)
        url = data.url or record.url
        if data.credentials is None:
            check_moved(context, known, url)
        if data.settings is not None or data.url is not None:
            _checked(record.protocol, url, record.settings if data.settings is None else data.settings)
        _check_filters(data.points)
        if record.protocol == PROTOCOL:
            changed = {point.name: point.point(known) for point in data.points}
            kept = [found for found in _points_of(context, known) if found.name not in {*changed, *data.remove_points}]
            settings = record.settings if data.settings is None else data.settings
            edge = record.edge if data.edge is None else data.edge
            check_processing(context, visitor(request), edge, settings, [*kept, *changed.values()], record.settings)
        context.catalogue.change_connector(
            known,
            version=data.version,
            url=data.url,
            settings=data.settings,
            credentials=None if data.credentials is None else kept_credentials(context, known, data.credentials, url),
            enabled=data.enabled,
            edge=None if data.edge is None else known_edge(context, data.edge),
        )
        if data.points:
            context.catalogue.upsert_points([point.point(known) for point in data.points])
        if data.remove_points:
            context.catalogue.remove_points(data.remove_points)

    await in_thread(write)
    fields = sorted(field for field in data.__struct_fields__ if getattr(data, field))
    await context.audit(
        visitor(request), Action.CONNECTORS_WRITE, f"connector:{known}", details={"did": "changed", "fields": fields}
    )
    await context.reload_edge(known, before)
    return await _one(context, known)


@delete("/connectors/{name:str}", opt=needs(Action.CONNECTORS_WRITE, "connector:{name}"), summary="Forget", tags=["connectors"])
async def remove_connector(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """With its points; what they measured stays in the historian."""
    known = _plain(name)
    before = await in_thread(lambda: context.catalogue.connector(known).edge)

    def write() -> None:
        context.catalogue.remove_connector(known)
        for secret in (f"connector/{known}", f"connector-key/{known}"):
            context.trust.secrets.delete(secret)

    await in_thread(write)
    await context.audit(visitor(request), Action.CONNECTORS_WRITE, f"connector:{known}", details={"did": "removed"})
    await context.reload_edge(known, before)


@post(
    "/connectors/{name:str}/restart",
    opt=needs(Action.CONNECTORS_WRITE, "connector:{name}"),
    status_code=204,
    summary="Connect anew",
    tags=["connectors"],
)
async def restart_connector(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """Ends the connection and makes it again."""
    known = _plain(name)
    record = await in_thread(lambda: context.catalogue.connector(known))
    await context.ask("edge", {"do": "restart", "connector": known}, edge=record.edge)
    await context.audit(visitor(request), Action.CONNECTORS_WRITE, f"connector:{known}", details={"did": "restarted"})


@get("/protocols", opt=needs(Action.CONNECTORS_READ), summary="What can be connected", tags=["connectors"])
async def protocols() -> ProtocolPage:
    """With the schema of each one's settings."""

    def look(name: str) -> ProtocolView:
        try:
            found = protocol_named(name)
        except UnknownProtocolError as error:
            return ProtocolView(name=name, schemes=[], settings_schema={}, problem=f"{error}; {error.hint}")
        return ProtocolView(name=name, schemes=list(found.schemes), settings_schema=msgspec.json.schema(found.configuration))

    return ProtocolPage(items=await in_thread(lambda: [look(name) for name in installed()]))


ROUTES = [
    connectors,
    add_connector,
    connector,
    change_connector,
    remove_connector,
    restart_connector,
    protocols,
]
