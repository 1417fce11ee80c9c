"""Tag lists and bulk edits: many points at once, every difference shown before it is made.

A preview changes nothing and ends with a digest; the call that applies asks for it, and refuses where something else would
happen now. Whether a file is CSV or XLSX, its first bytes tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from hulian.data.catalogue import ListLimitError, taglist
from hulian.data.catalogue.taglist import Applied, Edit, Preview
from hulian.kernel.point import Point
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import NotFoundError
from hulian.platform.api.points import point_name
from hulian.platform.edge.protocols import check_options
from hulian.trust import Action

__all__ = ["ROUTES", "applied", "selected"]

Says = msgspec.Meta
LIST_LIMIT: Final = 32 * 2**20
"""Bytes of a tag list."""

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PAGE: Final = 1000
_BINDING: Final = frozenset(
    {"connector", "address", "storage", "kind", "options", "scale", "offset", "raw_low", "raw_high", "writable"}
)

Search = Annotated[str, QueryParameter(description="words in name, tag, path or texts", max_length=200)]


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which points: those of ``names``, or else all that the search finds. An empty selection is refused."""

    names: Annotated[list[str], Says(max_length=taglist.MOST_EDITED)] = []
    search: Annotated[str, Says(max_length=200)] = ""
    connector: str | None = None
    thing: str | None = None
    path: str | None = None
    all: bool = False


class EditBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edit of the selected points; ``digest`` is that of its preview."""

    points: Selection
    edit: Edit
    digest: str = ""


def selected(context: Context, selection: Selection, most: int = taglist.MOST_EDITED) -> list[Point]:
    """The points, by name. Raises `NotFoundError` for one that is not there, `ListLimitError` where they are too many."""
    if selection.names:
        names = [point_name(name) for name in selection.names]
        found = context.catalogue.points_named(names)
        if missing := [name for name in names if name not in found]:
            raise NotFoundError(f"there is no point {missing[0][:200]!r}", place="$.points.names")
        return sorted({point.name: point for point in found.values()}.values(), key=lambda point: point.name)
    where = {"connector": selection.connector, "thing": selection.thing, "path": selection.path}
    if not (selection.search or any(where.values()) or selection.all):
        raise NotFoundError("no point is chosen", place="$.points", hint="give names, a search, or all: true")
    points: list[Point] = []
    cursor: str | None = None
    while True:
        page = context.catalogue.search(selection.search, **where, limit=_PAGE, cursor=cursor)
        points += [record.point for record in page.items]
        if len(points) > most:
            raise ListLimitError(f"more than {most} points are chosen")
        if (cursor := page.next) is None:
            return points


async def _exported(
    request: Request[Any, Any, Any], context: Context, form: taglist.Form, selection: Selection
) -> Response[bytes]:
    def write() -> tuple[bytes, int]:
        points = selected(context, selection, 200_000)
        return taglist.write_list(points, form), len(points)

    data, count = await in_thread(write)
    name = f"hulian-points-{datetime.now(UTC):%Y%m%d-%H%M%S}.{form}"
    await context.audit(visitor(request), Action.EXPORTS_CREATE, name, details={"points": count, "format": form})
    return Response(
        data,
        media_type="text/csv; charset=utf-8" if form == "csv" else XLSX,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _file(description: str, media: str) -> dict[int, ResponseSpec]:
    return {200: ResponseSpec(bytes, media_type=media, description=description)}


@get(
    "/points/list.csv",
    opt=needs(Action.EXPORTS_CREATE),
    summary="Tag list as CSV",
    tags=["points"],
    responses=_file("UTF-8 with its mark; no cell is a formula", "text/csv"),
)
async def list_csv(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    search: Search = "",
    connector: Annotated[str | None, QueryParameter(description="only of this connector")] = None,
    thing: Annotated[str | None, QueryParameter(description="only of this thing")] = None,
    path: Annotated[str | None, QueryParameter(description="only below this place of the plant")] = None,
) -> Response[bytes]:
    """One row a point, every column; importing it again changes nothing."""
    selection = Selection(search=search, connector=connector, thing=thing, path=path, all=True)
    return await _exported(request, context, "csv", selection)


@get(
    "/points/list.xlsx",
    opt=needs(Action.EXPORTS_CREATE),
    summary="Tag list as XLSX",
    tags=["points"],
    responses=_file("One sheet of values", XLSX),
)
async def list_xlsx(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    search: Search = "",
    connector: Annotated[str | None, QueryParameter(description="only of this connector")] = None,
    thing: Annotated[str | None, QueryParameter(description="only of this thing")] = None,
    path: Annotated[str | None, QueryParameter(description="only below this place of the plant")] = None,
) -> Response[bytes]:
    """One row a point, every column; importing it again changes nothing."""
    selection = Selection(search=search, connector=connector, thing=thing, path=path, all=True)
    return await _exported(request, context, "xlsx", selection)


@post(
    "/points/list/preview",
    opt=needs(Action.POINTS_WRITE),
    status_code=200,
    summary="What a tag list would change",
    tags=["points"],
    request_max_body_size=LIST_LIMIT,
)
async def preview_list(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    remove: Annotated[bool, QueryParameter(description="remove the other points of the list's connectors")] = False,
) -> Preview:
    """The body is a CSV or XLSX file. Differences and mistakes by cell; nothing is changed."""
    data = await request.body()

    def look() -> Preview:
        rows, columns, faults = taglist.wanted_rows(taglist.read_list(data))
        return taglist.preview(context.catalogue, rows, columns, faults, remove=remove, check=check_options)

    found: Preview = await in_thread(look)
    return found


@post(
    "/points/list",
    opt=needs(Action.POINTS_WRITE),
    status_code=200,
    summary="Apply a tag list",
    tags=["points"],
    request_max_body_size=LIST_LIMIT,
)
async def apply_list(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    digest: Annotated[str, QueryParameter(description="that of the preview", max_length=64)],
    remove: Annotated[bool, QueryParameter(description="as for the preview")] = False,
    name: Annotated[str, QueryParameter(description="the file's name, for the record", max_length=300)] = "",
) -> Applied:
    """The same file again, all of it or nothing, where exactly what was previewed would happen."""
    data = await request.body()
    rows, columns, faults = await in_thread(lambda: taglist.wanted_rows(taglist.read_list(data)))
    await may_bind(request, context, columns, rows)
    done = await in_thread(lambda: taglist.apply(context.catalogue, rows, faults, digest, remove=remove, check=check_options))
    details = {"did": "tag list", "file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return await applied(request, context, done, details)


async def may_bind(
    request: Request[Any, Any, Any], context: Context, columns: Sequence[str], rows: Sequence[taglist.Wanted]
) -> None:
    """Where a change reaches into what a connector reads or writes, it needs the permission to change connectors, too."""
    if _BINDING & set(columns):
        names = sorted({name for row in rows if (name := row.draft.get("connector"))})
        for name in names or [""]:
            await context.gate.authorise(visitor(request), Action.CONNECTORS_WRITE, f"connector:{name}" if name else "")


async def applied(
    request: Request[Any, Any, Any], context: Context, done: Applied, details: Mapping[str, Any], resource: str = "points"
) -> Applied:
    """Records what was done, and tells the edges."""
    counts = msgspec.to_builtins(done.points) | {"removed": done.removed}
    await context.audit(visitor(request), Action.POINTS_WRITE, resource, details={**details, **counts})
    for connector in done.connectors:
        await context.reload_edge(connector)
    return done


@post("/points/edit/preview", opt=needs(Action.POINTS_WRITE), status_code=200, summary="What an edit would do", tags=["points"])
async def preview_edit(context: NamedDependency[Context], data: JSONBody[EditBody]) -> Preview:
    """The same change to many points, cell by cell; nothing is changed."""

    def look() -> Preview:
        rows, columns, faults = taglist.edited(selected(context, data.points), data.edit)
        return taglist.preview(context.catalogue, rows, columns, faults, check=check_options, only_known=True)

    found: Preview = await in_thread(look)
    return found


@post("/points/edit", opt=needs(Action.POINTS_WRITE), status_code=200, summary="Edit many points", tags=["points"])
async def apply_edit(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[EditBody]) -> Applied:
    """All of them or none, where exactly what was previewed would happen."""
    rows, columns, faults = await in_thread(lambda: taglist.edited(selected(context, data.points), data.edit))
    await may_bind(request, context, columns, rows)
    done = await in_thread(
        lambda: taglist.apply(context.catalogue, rows, faults, data.digest, check=check_options, only_known=True)
    )
    details = {"did": "bulk edit", "set": data.edit.set, "replaced": len(data.edit.replace)}
    return await applied(request, context, done, details)


ROUTES = [list_csv, list_xlsx, preview_list, apply_list, preview_edit, apply_edit]
