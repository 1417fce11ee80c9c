"""Templates of machines, and copies of connectors: what is there once, many times."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.data.catalogue import ConnectorRecord, copied_points, taglist
from hulian.data.catalogue.taglist import Applied, Preview, Template, Templates
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.identifier import unescape
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import ConflictError, RequestError
from hulian.platform.api.routes.connectors import open_url
from hulian.platform.api.routes.points import PointView, point_view
from hulian.platform.api.routes.taglists import Selection, applied, may_bind, selected
from hulian.platform.edge.protocols import check_options
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta
Value = Annotated[str, Says(max_length=1000)]


class TemplatePage(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    items: list[Template]


class InstancesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value a parameter and instance, or ``table``: the same as delimited text with a line of titles, as pasted from a
    spreadsheet. ``digest`` is that of the preview."""

    instances: Annotated[list[dict[str, Value]], Says(max_length=10_000)] = []
    table: Annotated[str, Says(max_length=2 * 2**20)] = ""
    digest: str = ""


class Replace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wherever ``find`` stands in a thing's identifier, in a tag or a place, it becomes ``put``."""

    find: Annotated[str, Says(min_length=1, max_length=200)]
    put: Annotated[str, Says(max_length=200)] = ""


class CopyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connector under another name and address. It is made disabled unless told otherwise; ``dry_run`` only tells."""

    name: Annotated[str, Says(min_length=1, max_length=200)]
    url: Annotated[str, Says(min_length=1, max_length=2000)]
    replace: Annotated[list[Replace], Says(max_length=20)] = []
    enabled: bool = False
    dry_run: bool = False


class CopyView(msgspec.Struct, frozen=True, kw_only=True):
    """The points that the copy has; ``made`` is False after a dry run."""

    name: str
    made: bool
    points: list[PointView]


def _plain(token: str) -> str:
    return unescape(token) if "~" in token else token


@get("/templates", opt=needs(Action.POINTS_READ), summary="Templates of machines", tags=["points"])
async def templates(context: NamedDependency[Context]) -> TemplatePage:
    """By name."""
    return TemplatePage(items=await in_thread(Templates(context.catalogue).all))


@get("/templates/{name:str}", opt=needs(Action.POINTS_READ), summary="One template", tags=["points"])
async def template(context: NamedDependency[Context], name: FromPath[str]) -> Template:
    """With its parameters and rows."""
    found: Template = await in_thread(lambda: Templates(context.catalogue).get(_plain(name)))
    return found


@get("/template-of", opt=needs(Action.POINTS_READ), summary="A template after a machine", tags=["points"])
async def template_of(
    context: NamedDependency[Context],
    thing: Annotated[str, QueryParameter(description="identifier of the machine", max_length=1100)],
    name: Annotated[str, QueryParameter(description="name of the template", max_length=100)] = "",
) -> Template:
    """What the points of a thing would be as a template; nothing is kept."""

    def make() -> Template:
        points = selected(context, Selection(thing=thing), 5_000)
        if not points:
            raise RequestError(f"no point belongs to {thing[:200]!r}", place="thing")
        return taglist.template_of(name or thing.partition("/")[2][:100], points, taglist.columns_for(points))

    found: Template = await in_thread(make)
    return found


@put("/templates/{name:str}", opt=needs(Action.POINTS_WRITE, "template:{name}"), summary="Keep a template", tags=["points"])
async def keep_template(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[Template]
) -> Template:
    """A new one with version 0, or a change of the one at its version."""
    if data.name != _plain(name):
        raise RequestError("the template has another name than the path", place="$.name")
    kept: Template = await in_thread(lambda: Templates(context.catalogue).put(data))
    details = {"did": "template kept", "rows": len(kept.rows), "version": kept.version}
    await context.audit(visitor(request), Action.POINTS_WRITE, f"template:{kept.name}", details=details)
    return kept


@delete("/templates/{name:str}", opt=needs(Action.POINTS_WRITE, "template:{name}"), summary="Forget one", tags=["points"])
async def remove_template(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """The points that were made of it stay."""
    await in_thread(lambda: Templates(context.catalogue).remove(_plain(name)))
    await context.audit(visitor(request), Action.POINTS_WRITE, f"template:{_plain(name)}", details={"did": "template removed"})


def _instances(template: Template, data: InstancesBody) -> list[dict[str, str]]:
    if not data.table:
        return list(data.instances)
    return [*data.instances, *taglist.instances_of(taglist.read_list(data.table.encode()), template)]


@post(
    "/templates/{name:str}/preview",
    opt=needs(Action.POINTS_WRITE),
    status_code=200,
    summary="What instances would add",
    tags=["points"],
)
async def preview_instances(context: NamedDependency[Context], name: FromPath[str], data: JSONBody[InstancesBody]) -> Preview:
    """The row of a difference or mistake is the number of its instance. Nothing is changed."""

    def look() -> Preview:
        found = Templates(context.catalogue).get(_plain(name))
        rows, columns, faults = taglist.instantiated(found, _instances(found, data))
        return taglist.preview(context.catalogue, rows, columns, faults, check=check_options)

    answer: Preview = await in_thread(look)
    return answer


@post(
    "/templates/{name:str}/instances",
    opt=needs(Action.POINTS_WRITE, "template:{name}"),
    status_code=200,
    summary="Make instances",
    tags=["points"],
)
async def make_instances(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[InstancesBody]
) -> Applied:
    """All of them or none, where exactly what was previewed would happen."""

    def read() -> tuple[list[taglist.Wanted], list[str], taglist.Faults]:
        found = Templates(context.catalogue).get(_plain(name))
        return taglist.instantiated(found, _instances(found, data))

    rows, columns, faults = await in_thread(read)
    await may_bind(request, context, columns, rows)
    done = await in_thread(lambda: taglist.apply(context.catalogue, rows, faults, data.digest, check=check_options))
    details = {"did": "template instantiated", "points": len(rows)}
    return await applied(request, context, done, details, f"template:{_plain(name)}")


@post(
    "/connectors/{name:str}/copy",
    opt=needs(Action.CONNECTORS_WRITE, "connector:{name}"),
    status_code=200,
    summary="Copy a connector",
    tags=["connectors"],
)
async def copy_connector(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[CopyBody]
) -> CopyView:
    """Its settings, credentials and points for another device of the same kind; all of it, or nothing."""
    known = _plain(name)
    open_url(data.url)

    def make() -> list[PointView]:
        source = context.catalogue.connector(known)
        if any(record.name == data.name for record in context.catalogue.connectors()):
            raise ConflictError(f"there is already a connector {data.name!r}", place="$.name", hint="choose another name")
        points = copied_points(context.catalogue, source, data.name, [(item.find, item.put) for item in data.replace])
        if not data.dry_run:
            record = ConnectorRecord(
                name=data.name,
                protocol=source.protocol,
                url=data.url,
                settings=source.settings,
                credentials=_credentials(context, source, data.name),
                enabled=data.enabled,
                edge=source.edge,
            )
            context.catalogue.add_connector(record, points)
        return [point_view(context.catalogue.placed(point)) for point in points]

    points = await in_thread(make)
    if not data.dry_run:
        details = {"did": "copied", "from": known, "url": data.url, "points": len(points)}
        await context.audit(visitor(request), Action.CONNECTORS_WRITE, f"connector:{data.name}", details=details)
        await context.reload_edge(data.name)
    return CopyView(name=data.name, made=not data.dry_run, points=points)


def _credentials(context: Context, source: ConnectorRecord, name: str) -> dict[str, str]:
    """Those of ``source``; a secret that is kept for it alone is kept once more for the copy, as it goes with its connector."""
    found = dict(source.credentials)
    for field, kind in (("password", "connector"), ("key", "connector-key")):
        if found.get(field) == f"secret:{kind}/{source.name}":
            context.trust.secrets.set(f"{kind}/{name}", resolve_secret(found[field], context.trust.secrets.get))
            found[field] = f"secret:{kind}/{name}"
    return found


ROUTES = [
    templates,
    template,
    template_of,
    keep_template,
    remove_template,
    preview_instances,
    make_instances,
    copy_connector,
]
