"""Points: found, described, and with their last value; the tree of the plant above them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.data.historian.contract import LastValues
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Kind, Point
from hulian.kernel.quality import name_of
from hulian.platform.api.access import in_thread, needs
from hulian.platform.api.context import Context
from hulian.platform.api.errors import NotFoundError
from hulian.platform.api.points import point_name, split_points
from hulian.platform.api.query import time_ms
from hulian.platform.edge.processing.declaration import FILTERS
from hulian.trust import Action

__all__ = ["ROUTES", "PointView", "last_values", "point_view"]

POINTS_TEXT = "names, escaped names or series ids; commas between"
_BINDING = frozenset({"enabled", "kind", "low", "high", "raw_low", "raw_high"})
_BAD = 0x8000_0000
_UNCERTAIN = 0x4000_0000


class LastView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sample: ``value`` as text, ``number`` where it is one, ``quality`` good, uncertain or bad."""

    time_ms: float
    value: str | None
    number: float | None
    status: int
    quality: str
    quality_name: str


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """A point as the catalogue knows it. ``series`` is decimal text, for it has 64 bits."""

    name: str
    series: str
    thing: str
    property: str
    storage: str
    kind: str
    tag: str
    path: str
    unit: str
    low: float | None
    high: float | None
    raw_low: float | None
    raw_high: float | None
    texts: dict[str, str]
    enumeration: dict[str, dict[str, str]]
    connector: str
    address: str
    writable: bool
    enabled: bool
    options: dict[str, Any]
    last: LastView | None = None


class PointPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of points; ``next`` is the cursor of the following one."""

    items: list[PointView]
    next: str | None
    total: int


class LastItem(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sample of one point."""

    name: str
    series: str
    unit: str
    time_ms: float | None = None
    value: str | None = None
    number: float | None = None
    status: int | None = None
    quality: str = ""
    quality_name: str = ""


class LastPage(msgspec.Struct, frozen=True, kw_only=True):
    """In the order asked for; a point without a sample has no time."""

    items: list[LastItem]


class BranchView(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the plant, and how much is below it."""

    name: str
    path: str
    things: int
    points: int


class ThingView(msgspec.Struct, frozen=True, kw_only=True):
    """A thing at this place."""

    identifier: str
    label: str
    points: int


class TreeView(msgspec.Struct, frozen=True, kw_only=True):
    """One level of the plant."""

    branches: list[BranchView]
    things: list[ThingView]


class PointChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an engineer may change of a point; what is not given stays."""

    tag: str | msgspec.UnsetType = msgspec.UNSET
    path: str | msgspec.UnsetType = msgspec.UNSET
    unit: str | msgspec.UnsetType = msgspec.UNSET
    kind: Kind | msgspec.UnsetType = msgspec.UNSET
    low: float | msgspec.UnsetType | None = msgspec.UNSET
    high: float | msgspec.UnsetType | None = msgspec.UNSET
    raw_low: float | msgspec.UnsetType | None = msgspec.UNSET
    raw_high: float | msgspec.UnsetType | None = msgspec.UNSET
    texts: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    enumeration: dict[str, dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET


def quality(status: int) -> str:
    """``good``, ``uncertain`` or ``bad``."""
    return "bad" if status & _BAD else "uncertain" if status & _UNCERTAIN else "good"


def point_view(point: Point, last: LastView | None = None) -> PointView:
    """A point as the API shows it."""
    return PointView(
        name=point.name,
        series=str(point.series),
        thing=point.thing,
        property=point.name.partition("#")[2],
        storage=point.storage,
        kind=point.kind,
        tag=point.tag,
        path=point.path,
        unit=point.unit,
        low=point.low,
        high=point.high,
        raw_low=point.raw_low,
        raw_high=point.raw_high,
        texts=point.texts,
        enumeration=point.enumeration,
        connector=point.connector,
        address=point.address,
        writable=point.writable,
        enabled=point.enabled,
        options=point.options,
        last=last,
    )


async def last_values(context: Context, series: list[int]) -> dict[int, LastView]:
    """The newest sample of each series that has one."""
    if not series:
        return {}
    table = await context.table(LastValues(series=series))
    if not table.num_rows:
        return {}
    rows = zip(
        table.column("series").to_pylist(),
        time_ms(table.column("time")).tolist(),
        table.column("value").to_pylist(),
        table.column("number").to_pylist(),
        table.column("status").to_pylist(),
        strict=True,
    )
    return {
        identity: LastView(
            time_ms=when, value=value, number=number, status=status, quality=quality(status), quality_name=name_of(status)
        )
        for identity, when, value, number, status in rows
    }


@get("/points", opt=needs(Action.POINTS_READ), summary="Find points", tags=["points"])
async def find(
    context: NamedDependency[Context],
    search: Annotated[str, QueryParameter(description="words in name, tag, path or texts", max_length=200)] = "",
    connector: Annotated[str | None, QueryParameter(description="only of this connector")] = None,
    thing: Annotated[str | None, QueryParameter(description="only of this thing")] = None,
    path: Annotated[str | None, QueryParameter(description="only below this place of the plant")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(description="next of the page before")] = None,
    last: Annotated[bool, QueryParameter(description="with the newest sample of each")] = True,
) -> PointPage:
    """By name. While the historian does not answer, points come without their last value."""
    page = await in_thread(
        lambda: context.catalogue.search(search, connector=connector, thing=thing, path=path, limit=limit, cursor=cursor)
    )
    points = [record.point for record in page.items]
    newest: dict[int, LastView] = {}
    if last:
        try:
            newest = await last_values(context, [point.series for point in points])
        except HulianError:
            newest = {}
    return PointPage(items=[point_view(point, newest.get(point.series)) for point in points], next=page.next, total=page.total)


async def _one(context: Context, name: str) -> Point:
    point = (await context.points.named([point_name(name)])).get(point_name(name))
    if point is None:
        raise NotFoundError(f"there is no point {point_name(name)!r}", hint="search with GET /api/v1/points?search=")
    return point


@get("/points/{name:str}", opt=needs(Action.POINTS_READ, "point:{name}"), summary="One point", tags=["points"])
async def one(context: NamedDependency[Context], name: FromPath[str]) -> PointView:
    """``name`` is escaped: ``99~2E118~2E8~2Freactor~23pressure``."""
    point = await _one(context, name)
    try:
        newest = await last_values(context, [point.series])
    except HulianError:
        newest = {}
    return point_view(point, newest.get(point.series))


@patch("/points/{name:str}", opt=needs(Action.POINTS_WRITE, "point:{name}"), summary="Describe a point", tags=["points"])
async def change(context: NamedDependency[Context], name: FromPath[str], data: JSONBody[PointChange]) -> PointView:
    """A new ``name`` takes the history along."""
    point = await _one(context, name)
    given: dict[str, Any] = {
        field: value for field in data.__struct_fields__ if (value := getattr(data, field)) is not msgspec.UNSET
    }
    wanted = given.pop("name", point.name)

    def write() -> Point:
        if given:
            context.catalogue.change_point(point.name, **given)
        if wanted != point.name:
            context.catalogue.rename_point(point.name, wanted)
        return context.catalogue.point(wanted).point

    changed = await in_thread(write)
    # What filters make of a sample hangs on its unit too.
    binding = _BINDING | {"unit"} if FILTERS in point.options else _BINDING
    if binding & given.keys() and point.connector:
        await context.reload_edge(point.connector)
    return point_view(changed)


@get("/last", opt=needs(Action.HISTORY_READ), summary="Last values", tags=["history"])
async def last(
    context: NamedDependency[Context],
    points: Annotated[list[str] | None, QueryParameter(description=POINTS_TEXT)] = None,
    series: Annotated[list[str] | None, QueryParameter(description="series ids; commas between")] = None,
) -> LastPage:
    """The newest sample of each point, in the order asked for."""
    wanted = split_points([*(points or []), *(series or [])])
    found = await context.points.resolve(wanted, most=context.configuration.query_points)
    newest = await last_values(context, [point.series for point in found])
    return LastPage(items=[_last_item(point, newest.get(point.series)) for point in found])


def _last_item(point: Point, newest: LastView | None) -> LastItem:
    if newest is None:
        return LastItem(name=point.name, series=str(point.series), unit=point.unit)
    return LastItem(
        name=point.name,
        series=str(point.series),
        unit=point.unit,
        time_ms=newest.time_ms,
        value=newest.value,
        number=newest.number,
        status=newest.status,
        quality=newest.quality,
        quality_name=newest.quality_name,
    )


@get("/tree", opt=needs(Action.POINTS_READ), summary="The plant, level by level", tags=["points"])
async def tree(
    context: NamedDependency[Context],
    under: Annotated[str, QueryParameter(description="a place: site/area/line", max_length=1000)] = "",
) -> TreeView:
    """What is directly below a place; the top where none is given."""
    level = await in_thread(lambda: context.catalogue.tree(under))
    return TreeView(
        branches=[
            BranchView(name=branch.name, path=branch.path, things=branch.things, points=branch.points)
            for branch in level.branches
        ],
        things=[ThingView(identifier=thing.identifier, label=thing.label, points=thing.points) for thing in level.things],
    )


ROUTES = [find, one, change, last, tree]
