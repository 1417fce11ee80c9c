"""Identifiers: resolved with the path, printed on labels, kept in records, and the nodes that answer for them."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable
from typing import Annotated, Any, Literal, TypeVar

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import structs

from hulian.kernel.errors import HulianError, IdentifierError
from hulian.kernel.identifier import unescape
from hulian.platform.api.access import Visitor, in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.naming.documents import StatisticsView
from hulian.platform.api.naming.views import (
    LabelsBody,
    NodesView,
    RecordChange,
    RecordCreation,
    RecordPage,
    RecordView,
    ResolvedView,
    TierView,
)
from hulian.platform.api.streaming import Streaming
from hulian.trust import Action

__all__ = ["ROUTES", "WALK", "begun", "handle_of", "told", "writes"]

_T = TypeVar("_T")
_LONGEST = 8192
_DRAWING = "hulian.platform.api.naming.labels"
"""Loaded when somebody first prints: its libraries are for nothing else here."""
_MEDIA = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}
WALK, _PROBES, _LABELS, _CHANGE = 1.0, 4.0, 2.0, 2.0
"""What a question costs of a person's pace: asking every site costs more than one walk."""


def handle_of(name: str) -> str:
    """A handle from its plain or its escaped form. Raises `RequestError`."""
    if "/" in name or "~" not in name:
        return name
    try:
        return unescape(name)
    except IdentifierError as error:
        raise RequestError(f"{name[:120]!r} is no escaped identifier", place="name") from error


@get("/identifiers/resolve", opt=needs(Action.IDENTIFIERS_READ), summary="Resolve an identifier", tags=["identifiers"])
async def resolve(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    text: Annotated[str, QueryParameter(description="whatever was typed or scanned", min_length=1, max_length=_LONGEST)],
    fresh: Annotated[bool, QueryParameter(description="from the root on, whatever is remembered of the way")] = False,
) -> ResolvedView:
    """Recognised, followed from the root data of this installation, and told with the path and the time of each question.

    A text that is no identifier is refused with the rule that it breaks. A walk that fails is told with how far it came:
    ``outcome`` is ``failed``, and ``error`` says why.
    """
    context.asking.take(visitor(request).name, 2 * WALK if fresh else WALK)
    naming = await context.naming()
    found: ResolvedView = await naming.resolving.resolve(text, fresh=fresh)
    point = (await context.points.named([found.handle])).get(found.handle) if "#" in found.handle else None
    thing = ""
    if point is None and found.handle:
        known = await in_thread(lambda: context.catalogue.search(thing=found.handle, limit=1).total)
        thing = found.handle if known else ""
    return structs.replace(found, point=point.name if point else "", thing=point.thing if point else thing)


@get("/identifiers/nodes", opt=needs(Action.IDENTIFIERS_READ), summary="Nodes and prefixes", tags=["identifiers"])
async def nodes(request: Request[Any, Any, Any], context: NamedDependency[Context]) -> NodesView:
    """The node of this installation and the tiers from the root down, each site asked how it is."""
    context.asking.take(visitor(request).name, _PROBES)
    found: NodesView = await (await context.naming()).tiers.overview()
    return found


@get("/identifiers/nodes/{prefix:str}", opt=needs(Action.IDENTIFIERS_READ), summary="One prefix", tags=["identifiers"])
async def tier(request: Request[Any, Any, Any], context: NamedDependency[Context], prefix: FromPath[str]) -> TierView:
    """The sites that answer for a prefix, each asked how it is, and the prefixes that this node registered below it."""
    if not 0 < len(prefix) <= 200 or "/" in prefix:
        raise RequestError(f"{prefix[:120]!r} is no prefix", place="prefix", hint="such as 88.111.1")
    context.asking.take(visitor(request).name, _PROBES)
    found: TierView = await (await context.naming()).tiers.tier(prefix)
    return found


@get("/identifiers/records", opt=needs(Action.IDENTIFIERS_READ), summary="Records of this node", tags=["identifiers"])
async def records(
    context: NamedDependency[Context],
    begins: Annotated[str, QueryParameter(description="beginning of the identifier: 88.111.1/PUMP-", max_length=2048)] = "",
    after: Annotated[str, QueryParameter(description="next of the page before", max_length=2048)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> RecordPage:
    """In the order of their names, with the types of the values that everybody may read."""
    found: RecordPage = await (await context.naming()).records.page(begins, after, limit)
    return found


@get("/identifiers/records/{name:str}", opt=needs(Action.IDENTIFIERS_READ), summary="One record", tags=["identifiers"])
async def record(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> RecordView:
    """``name`` is escaped: ``88~2E111~2E1~2FITEM7``. Who may change records sees the values for administrators as well."""
    context.asking.take(visitor(request).name, WALK)
    found: RecordView = await (await context.naming()).records.read(handle_of(name), whole=writes(request, context))
    return found


@post("/identifiers/records", opt=needs(Action.IDENTIFIERS_WRITE), summary="Register an identifier", tags=["identifiers"])
async def create(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[RecordCreation]
) -> RecordView:
    """At the node that is responsible, over the protocol, proved with the key of this installation."""
    naming = await begun(request, context)
    creating = naming.records.create(data.handle, data.values)
    await told(context, visitor(request), "create", data.handle, creating, values=len(data.values))
    found: RecordView = await naming.records.read(data.handle, whole=True)
    return found


@patch(
    "/identifiers/records/{name:str}",
    opt=needs(Action.IDENTIFIERS_WRITE, "identifier:{name}"),
    summary="Change a record",
    tags=["identifiers"],
)
async def change(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[RecordChange]
) -> RecordView:
    """Values are put in the place of those with the same index, and others removed."""
    naming, handle = await begun(request, context), handle_of(name)
    changing = naming.records.change(handle, data.put, data.remove)
    await told(context, visitor(request), "change", handle, changing, values=len(data.put), removed=data.remove[:20])
    found: RecordView = await naming.records.read(handle, whole=True)
    return found


@delete(
    "/identifiers/records/{name:str}",
    opt=needs(Action.IDENTIFIERS_WRITE, "identifier:{name}"),
    summary="Delete a record",
    tags=["identifiers"],
)
async def remove(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """Its change stays in the log of the node."""
    naming, handle = await begun(request, context), handle_of(name)
    await told(context, visitor(request), "delete", handle, naming.records.delete(handle))


def writes(request: Request[Any, Any, Any], context: Context) -> bool:
    """Whether who asks may change identifiers, and so sees what is for administrators."""
    principal = visitor(request).principal
    return principal is not None and context.trust.authority.allowed(principal, Action.IDENTIFIERS_WRITE)


async def begun(request: Request[Any, Any, Any], context: Context) -> Any:
    """What is asked about identifiers, for a change, which has its price. Raises `TooManyError`."""
    context.asking.take(visitor(request).name, _CHANGE)
    return await context.naming()


async def told(
    context: Context, who: Visitor, what: str, handle: str, doing: Awaitable[_T], *, kind: str = "identifier", **more: Any
) -> _T:
    """Does it, and records who did: under the person's name, for the node's own log knows the installation's key alone."""
    details: dict[str, Any] = {"do": what, **{name: value for name, value in more.items() if value}}
    resource = f"{kind}:{handle[:500]}"
    try:
        done = await doing
    except HulianError as error:
        await context.audit(who, Action.IDENTIFIERS_WRITE.value, resource, "failed", {**details, "code": error.code})
        raise
    await context.audit(who, Action.IDENTIFIERS_WRITE.value, resource, "done", details)
    return done


@post("/identifiers/labels", opt=needs(Action.IDENTIFIERS_READ), status_code=200, summary="Labels", tags=["identifiers"])
async def labels(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[LabelsBody]
) -> Response[bytes]:
    """Identifiers as barcodes: a page as SVG or PNG, or all pages as PDF. ``Hulian-Pages`` says how many there are."""
    context.asking.take(visitor(request).name, _LABELS)
    drawing = await in_thread(lambda: importlib.import_module(_DRAWING))
    headers = {"Hulian-Pages": str(drawing.page_count(data)), "Cache-Control": "no-store"}
    if data.form == "pdf":
        headers["Content-Disposition"] = 'attachment; filename="labels.pdf"'
        return await Streaming(drawing.pdf(data), _MEDIA["pdf"], headers=headers).prepare()
    if data.number > 1:
        name = f"label-{data.number:04}.{data.form}"
    else:
        name = f"label.{data.form}"
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(await drawing.picture(data), media_type=_MEDIA[data.form], headers=headers)


@get("/identifiers/statistics", opt=needs(Action.IDENTIFIERS_READ), summary="Statistics", tags=["identifiers"])
async def statistics(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    by: Annotated[Literal["hour", "day"], QueryParameter(description="48 hours, or 30 days (UTC)")] = "hour",
) -> StatisticsView:
    """What the node of this installation has counted: questions, successes, times, peak, registrations, faults. Who asked for
    what is not among it."""
    context.asking.take(visitor(request).name, WALK)
    found: StatisticsView = await (await context.naming()).figures.read(by)
    return found


ROUTES = [resolve, nodes, tier, records, record, create, change, remove, labels, statistics]
