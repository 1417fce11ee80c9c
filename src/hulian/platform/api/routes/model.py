"""The information model: browsed, found by meaning with live values, asked in SPARQL, bound to points."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import structs

from hulian.kernel.errors import HulianError, IdentifierError
from hulian.kernel.identifier import Identifier, PointName
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError, TooManyError, UnknownPointError
from hulian.platform.api.meaning.views import (
    FindPage,
    FoundView,
    GraphView,
    LinkPage,
    LiveView,
    ModelDocuments,
    NodeItem,
    NodePage,
    NodeView,
    NoteBody,
    PointNodes,
    SearchPage,
    SparqlBody,
    SparqlView,
)
from hulian.platform.api.points import point_name
from hulian.trust import Action

if TYPE_CHECKING:
    from hulian.platform.api.meaning.browsing import Browsing

__all__ = ["ROUTES"]

_BROWSING = "hulian.platform.api.meaning.browsing"
_LIVE = "hulian.platform.api.meaning.live"
_MODEL = "hulian.network.exchange.semantics.model"
"""Loaded when somebody first asks: most visits never do."""
_MOST_NOTES = 200
_WAITING = 8
"""Questions in SPARQL that wait for those before them."""

Identity = Annotated[str, QueryParameter(name="id", description="of a node", min_length=1, max_length=1024)]
Cursor = Annotated[str | None, QueryParameter(description="next of the page before", max_length=20)]
Said = Annotated[str, QueryParameter(max_length=1024)]


async def _browsing(context: Context) -> Browsing:
    semantics = await context.semantics()
    module = await in_thread(lambda: importlib.import_module(_BROWSING))
    found: Browsing = module.Browsing(semantics)
    return found


async def _live(
    request: Request[Any, Any, Any], context: Context, nodes: list[NodeItem], unit: str = ""
) -> list[LiveView | None]:
    """Newest values, for who may see them. While the historian does not answer there are none."""
    await context.gate.authorise(visitor(request), Action.HISTORY_READ)
    module = await in_thread(lambda: importlib.import_module(_LIVE))
    try:
        found: list[LiveView | None] = await module.live_values(context, nodes, unit)
    except HulianError:
        return [None for _ in nodes]
    return found


@get("/model/documents", opt=needs(Action.MODEL_READ), summary="Documents of the model", tags=["model"])
async def documents(context: NamedDependency[Context]) -> ModelDocuments:
    """The version of each that counts now: who imported it and when, how many nodes it has, what its reading lost."""
    browsing = await _browsing(context)
    return ModelDocuments(items=await in_thread(browsing.documents))


@get("/model/nodes", opt=needs(Action.MODEL_READ), summary="What stands under a node", tags=["model"])
async def nodes(
    context: NamedDependency[Context],
    parent: Annotated[str, QueryParameter(description="id of a node; empty: the tops", max_length=1024)] = "",
    document: Annotated[str, QueryParameter(description="tops of this document only", max_length=100)] = "",
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> NodePage:
    """In the order of the document."""
    browsing = await _browsing(context)
    found: NodePage = await in_thread(lambda: browsing.children(parent, document, cursor, limit))
    return found


@get("/model/node", opt=needs(Action.MODEL_READ), summary="One node", tags=["model"])
async def node(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    identity: Identity,
    live: Annotated[bool, QueryParameter(description="with the newest value of its point")] = False,
    unit: Annotated[str, QueryParameter(description="unit of the live value", max_length=100)] = "",
) -> NodeView:
    """Whole: with what people noted, references both ways, the way down to it, its types, and what reading it lost."""
    browsing = await _browsing(context)
    found: NodeView = await in_thread(lambda: browsing.node(identity))
    if live and found.node.point:
        (value,) = await _live(request, context, [found.node], unit)
        found = structs.replace(found, live=value)
    return found


@get("/model/references", opt=needs(Action.MODEL_READ), summary="References of a node", tags=["model"])
async def references(
    context: NamedDependency[Context],
    identity: Identity,
    to: Annotated[bool, QueryParameter(description="those of other nodes to this one")] = False,
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> LinkPage:
    """With the node at the other end, where a document brings it. A node that nobody has has none."""
    browsing = await _browsing(context)
    found: LinkPage = await in_thread(lambda: browsing.links(identity, out=not to, cursor=cursor, limit=limit))
    return found


@get("/model/graph", opt=needs(Action.MODEL_READ), summary="What is around a node", tags=["model"])
async def graph(
    context: NamedDependency[Context],
    identity: Identity,
    depth: Annotated[int, QueryParameter(ge=1, le=3)] = 1,
    limit: Annotated[int, QueryParameter(ge=2, le=200, description="nodes")] = 60,
) -> GraphView:
    """The nearest first; ids under ``more`` have neighbours that were left out."""
    browsing = await _browsing(context)
    found: GraphView = await in_thread(lambda: browsing.graph(identity, depth, limit))
    return found


@get("/model/search", opt=needs(Action.MODEL_READ), summary="Nodes by name", tags=["model"])
async def search(
    context: NamedDependency[Context],
    text: Annotated[str, QueryParameter(name="q", description="a part of the name", min_length=1, max_length=200)],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> SearchPage:
    """By a part of the name, the label or identifier that somebody noted, or the whole id; the best first."""
    browsing = await _browsing(context)
    found: SearchPage = await in_thread(lambda: browsing.search(text, limit))
    return found


@get("/model/find", opt=needs(Action.MODEL_READ), summary="Nodes by meaning", tags=["model"])
async def find(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    meaning: Annotated[str, QueryParameter(description="identifier of a concept, or words", max_length=1024)] = "",
    of: Annotated[str, QueryParameter(description="meaning, type or name of what it belongs to", max_length=1024)] = "",
    inside: Annotated[str, QueryParameter(name="in", description="name or path above it", max_length=1024)] = "",
    of_type: Annotated[str, QueryParameter(name="type", description="id or name of its type", max_length=1024)] = "",
    kind: Annotated[str, QueryParameter(description="property, object, operation, …", max_length=30)] = "",
    name: Said = "",
    unit: Annotated[str, QueryParameter(description="unit wanted; other dimensions are left out", max_length=100)] = "",
    document: Annotated[str, QueryParameter(max_length=100)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    cursor: Cursor = None,
    live: Annotated[bool, QueryParameter(description="with the newest value of each that is a live point")] = False,
) -> FindPage:
    """Every outlet pressure, in bar, of pumps in line 2, whatever each device called it; ``live`` adds what they are now.

    All that is given must hold.
    """
    module = await in_thread(lambda: importlib.import_module(_MODEL))
    question = module.Question(
        meaning=meaning, of=of, inside=inside, type=of_type, kind=kind, name=name, unit=unit, document=document
    )
    browsing = await _browsing(context)
    found: FindPage = await in_thread(lambda: browsing.find(question, cursor, limit))
    if live:
        values = await _live(request, context, [one.node for one in found.items], unit)
        items = [structs.replace(one, live=value) for one, value in zip(found.items, values, strict=True)]
        found = structs.replace(found, items=items)
    return found


@get("/model/points", opt=needs(Action.MODEL_READ), summary="The nodes that a point is", tags=["model"])
async def points(
    context: NamedDependency[Context],
    point: Annotated[str, QueryParameter(description="name, or its escaped form", min_length=1, max_length=2100)],
) -> PointNodes:
    """Because somebody noted it, or because a document says so; none where the point means nothing yet."""
    browsing = await _browsing(context)
    name = point_name(point)
    found: list[FoundView] = await in_thread(lambda: browsing.at_point(name))
    return PointNodes(items=found)


@post("/model/sparql", opt=needs(Action.MODEL_READ), status_code=200, summary="Ask in SPARQL", tags=["model"])
async def sparql(context: NamedDependency[Context], data: JSONBody[SparqlBody]) -> SparqlView:
    """Prefixes hul, rdf, rdfs and xsd are there. One question at a time is answered; a few wait."""
    semantics = await context.semantics()
    places = context.sparql
    if places.statistics().tasks_waiting >= _WAITING:
        raise TooManyError("questions in SPARQL are answered one after the other, and several wait", seconds=10, place="sparql")
    reply = await anyio.to_thread.run_sync(
        lambda: semantics.model.sparql(data.query, documents=data.documents, rows=data.rows, seconds=data.seconds),
        limiter=places,
    )
    return SparqlView(names=reply.names, rows=reply.rows, more=reply.more)


@post("/model/notes", opt=needs(Action.MODEL_WRITE), status_code=204, summary="Note on nodes", tags=["model"])
async def note(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[list[NoteBody]]) -> None:
    """Which live point a property is, the identifier of a thing, a meaning, a unit, what people call it: all or none.

    Notes are kept by the id of the node, with their history, and stay when its document is imported again.
    """
    if not 1 <= len(data) <= _MOST_NOTES:
        raise RequestError(f"notes are 1 to {_MOST_NOTES} at a time", place="$")
    who = visitor(request)
    await _check(context, data)
    browsing = await _browsing(context)
    module = await in_thread(lambda: importlib.import_module(_MODEL))
    notes = [module.Note(one.node, one.field, one.value, who.name) for one in data]
    await in_thread(lambda: browsing.note(notes))
    for one in data:
        details = {"did": "noted" if one.value else "taken back", "field": one.field, "value": one.value[:500]}
        await context.audit(who, Action.MODEL_WRITE, f"node:{one.node}", details=details)


async def _check(context: Context, notes: list[NoteBody]) -> None:
    """Points must be there, and identifiers must be such. Raises `UnknownPointError`, `IdentifierError`."""
    there = await context.points.named(one.value for one in notes if one.field == "point" and one.value)
    for place, one in enumerate(notes):
        if not one.value or one.field not in ("point", "identifier") or one.value in there:
            continue
        try:
            PointName.parse(one.value) if one.field == "point" else Identifier.parse(one.value)
        except IdentifierError as error:
            error.place = error.place or f"$[{place}].value"
            raise
        if one.field == "point":
            raise UnknownPointError(f"there is no point {one.value[:200]!r}", place=f"$[{place}].value")


ROUTES = [documents, nodes, node, references, graph, search, find, points, sparql, note]
