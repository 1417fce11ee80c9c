"""Dictionaries: the shelf, concepts by words and by relation, units, and what the raw tags of the plant mean."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.kernel.errors import HulianError
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.dictionary.views import (
    BriefPage,
    Confirm,
    ConfirmedPage,
    ConversionView,
    DifferenceView,
    EntryView,
    SaidView,
    Shelf,
    SuggestionView,
    TreeLevel,
    UnitPage,
)
from hulian.platform.api.errors import RequestError
from hulian.platform.api.jobs import Job
from hulian.platform.api.receiving import discard, receive
from hulian.platform.api.routes.points import LastView, PointView, last_values, point_view
from hulian.trust import Action

if TYPE_CHECKING:
    from hulian.platform.api.dictionary.matching import Suggestions

__all__ = ["ROUTES"]

Language = Annotated[str, QueryParameter(description="language of names and definitions: en, zh, de", max_length=20)]
Dictionary = Annotated[str, QueryParameter(description="only of this dictionary", max_length=100)]
Concept = Annotated[str, QueryParameter(description="identifier of a concept, in any spelling", max_length=2048)]
_BATCH = 500


class SuggestedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A live point with its suggestions: the best of each aspect, then the next. ``known`` is what documents say of it."""

    point: PointView
    suggestions: list[SuggestionView]
    said: list[SaidView]
    known: list[str]


class SuggestionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of points by name. It may be short, or empty, with a ``next``. ``matched`` of ``total`` points have a meaning."""

    items: list[SuggestedPoint]
    next: str | None
    total: int
    matched: int


@get("/dictionary", opt=needs(Action.MODEL_READ), summary="The shelf of dictionaries", tags=["dictionary"])
async def shelf(context: NamedDependency[Context]) -> Shelf:
    """Every dictionary with its releases."""
    library = (await context.dictionary()).library
    found: Shelf = await in_thread(library.shelf)
    return found


@get("/dictionary/entries", opt=needs(Action.MODEL_READ), summary="Find concepts", tags=["dictionary"])
async def entries(
    context: NamedDependency[Context],
    q: Annotated[str, QueryParameter(description="words in any language, or an identifier", max_length=1000)] = "",
    kind: Annotated[str, QueryParameter(description="class, property, value-list, value, unit, quantity, role")] = "",
    dictionary: Dictionary = "",
    language: Language = "",
    relation: Annotated[
        str, QueryParameter(description="subclasses, properties, values … of the concept of", max_length=40)
    ] = "",
    of: Concept = "",
    cursor: Annotated[str, QueryParameter(description="next of the page before", max_length=2048)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> BriefPage:
    """By words, the best first; by relation; or all of a dictionary by identifier."""
    library = (await context.dictionary()).library
    if bool(relation) != bool(of):
        raise RequestError("a relation needs a concept, and a concept a relation", place="query of")
    if of:
        found: BriefPage = await in_thread(lambda: library.related(relation, of, dictionary, language, limit))
    else:
        found = await in_thread(lambda: library.entries(q, kind, dictionary, language, cursor, limit))
    return found


@get("/dictionary/tree", opt=needs(Action.MODEL_READ), summary="A dictionary, level by level", tags=["dictionary"])
async def tree(
    context: NamedDependency[Context],
    dictionary: Annotated[str, QueryParameter(description="its name", max_length=100)],
    under: Concept = "",
    language: Language = "",
) -> TreeLevel:
    """What stands directly under a concept; the classes, quantities and roles at the top where none is named."""
    library = (await context.dictionary()).library
    found: TreeLevel = await in_thread(lambda: library.tree(dictionary, under, language))
    return found


@get("/dictionary/entry", opt=needs(Action.MODEL_READ), summary="A concept whole", tags=["dictionary"])
async def entry(
    context: NamedDependency[Context], concept: Concept, dictionary: Dictionary = "", language: Language = ""
) -> EntryView:
    """Its texts in all languages, its relations, and the nodes and live points that mean it."""
    library = (await context.dictionary()).library
    found: EntryView = await in_thread(lambda: library.entry(concept, dictionary, language))
    return found


@get("/dictionary/units", opt=needs(Action.MODEL_READ), summary="Find units", tags=["dictionary"])
async def units(
    context: NamedDependency[Context],
    q: Annotated[str, QueryParameter(description="a unit in any spelling, or a part of its name", max_length=200)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> UnitPage:
    """The units that it names first, then those whose names have it."""
    library = (await context.dictionary()).library
    found: UnitPage = await in_thread(lambda: library.units(q, limit))
    return found


@get("/dictionary/convert", opt=needs(Action.MODEL_READ), summary="A number in another unit", tags=["dictionary"])
async def convert(
    context: NamedDependency[Context],
    value: Annotated[float, QueryParameter(description="the number")],
    source: Annotated[str, QueryParameter(name="from", description="its unit, in any spelling", max_length=200)],
    target: Annotated[str, QueryParameter(name="to", description="the unit that is wanted", max_length=200)],
) -> ConversionView:
    """Refused where the dimensions differ."""
    library = (await context.dictionary()).library
    found: ConversionView = await in_thread(lambda: library.convert(value, source, target))
    return found


@get("/dictionary/{name:str}/differences", opt=needs(Action.MODEL_READ), summary="What a release changed", tags=["dictionary"])
async def differences(
    context: NamedDependency[Context],
    name: FromPath[str],
    old: Annotated[int, QueryParameter(ge=0, description="number of a release; 0 is the empty one")],
    new: Annotated[int | None, QueryParameter(ge=0, description="a later one; the current one otherwise")] = None,
    language: Language = "",
) -> DifferenceView:
    """Concepts that came, went, or changed, field by field."""
    library = (await context.dictionary()).library
    found: DifferenceView = await in_thread(lambda: library.difference(name, old, new, language))
    return found


@post(
    "/dictionary/imports",
    opt=needs(Action.MODEL_WRITE),
    status_code=202,
    summary="Import a dictionary",
    tags=["dictionary"],
    request_max_body_size=None,
)
async def import_dictionary(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    file: Annotated[str, QueryParameter(description="the file's name", min_length=1, max_length=300)],
    name: Annotated[str, QueryParameter(description="short name: eclass, plant; the file's otherwise", max_length=100)] = "",
    label: Annotated[str, QueryParameter(description="what this release is called: 14.0", max_length=100)] = "",
) -> Job:
    """The body is the file: ECLASS XML, a parcel of IEC CDD, one's own (JSON, CSV), or a .zip of them. A release is seen when
    all of it is written; ``problems`` of the job say what it brought and what was not taken."""
    dictionary = await context.dictionary()
    who = visitor(request)
    wanted = dictionary.importing.named(name, file)
    dictionary.library.may_change(wanted)
    path, size, _ = await receive(request, context.house.scratch, context.configuration.import_limit, "import_limit")
    try:
        job = context.jobs.new("dictionary import", who.name)
        job.name, job.total = wanted, size
        context.jobs.start(job, dictionary.importing.work(path, file, label))
    except BaseException:
        await discard(path)
        raise
    details = {"did": "dictionary import", "job": job.id, "file": file, "bytes": size, "label": label}
    await context.audit(who, Action.MODEL_WRITE, f"dictionary:{wanted}", details=details)
    return job


@delete(
    "/dictionary/imports/{identity:str}",
    opt=needs(Action.MODEL_WRITE),
    status_code=200,
    summary="End an import",
    tags=["dictionary"],
)
async def stop_import(request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str]) -> Job:
    """The release before stays. A job that has ended stays as it is."""
    job = context.jobs.get(identity)
    if (await context.dictionary()).importing.stop(identity):
        await context.audit(
            visitor(request), Action.MODEL_WRITE, f"dictionary:{job.name}", details={"did": "import ended", "job": identity}
        )
    return job


@delete(
    "/dictionary/{name:str}",
    opt=needs(Action.MODEL_WRITE, "dictionary:{name}"),
    summary="Remove a dictionary",
    tags=["dictionary"],
)
async def remove(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """With all its releases. What was confirmed stays."""
    library = (await context.dictionary()).library
    await in_thread(lambda: library.remove(name))
    await context.audit(visitor(request), Action.MODEL_WRITE, f"dictionary:{name}", details={"did": "dictionary removed"})


@get("/dictionary/suggestions", opt=needs(Action.MODEL_READ), summary="What points may mean", tags=["dictionary"])
async def suggestions(
    context: NamedDependency[Context],
    search: Annotated[str, QueryParameter(description="words in name, tag, path or texts", max_length=200)] = "",
    connector: Annotated[str | None, QueryParameter(description="only of this connector", max_length=200)] = None,
    thing: Annotated[str | None, QueryParameter(description="only of this thing", max_length=1024)] = None,
    unconfirmed: Annotated[bool, QueryParameter(description="only points without a meaning")] = True,
    last: Annotated[bool, QueryParameter(description="with the newest sample of each")] = True,
    language: Language = "",
    cursor: Annotated[str | None, QueryParameter(description="next of the page before", max_length=8192)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> SuggestionPage:
    """Ranked concepts for live points, each with score and reasons. While the historian does not answer, values are missing."""
    matching = (await context.dictionary()).matching
    found: Suggestions = await in_thread(
        lambda: matching.suggestions(
            search=search,
            connector=connector,
            thing=thing,
            unconfirmed=unconfirmed,
            language=language,
            cursor=cursor,
            limit=limit,
        )
    )
    newest: dict[int, LastView] = {}
    if last:
        with contextlib.suppress(HulianError):
            newest = await last_values(context, [item.point.series for item in found.items])
    items = [
        SuggestedPoint(
            point=point_view(item.point, newest.get(item.point.series)),
            suggestions=item.suggestions,
            said=item.said,
            known=item.known,
        )
        for item in found.items
    ]
    return SuggestionPage(items=items, next=found.next, total=found.total, matched=found.matched)


@post(
    "/dictionary/confirmations",
    opt=needs(Action.MODEL_WRITE),
    status_code=200,
    summary="Say what points mean",
    tags=["dictionary"],
)
async def confirm(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    data: JSONBody[list[Confirm]],
    language: Language = "",
) -> ConfirmedPage:
    """All or none. Learned at once, and noted in the model: what is asked by meaning finds the point from now on."""
    matching = (await context.dictionary()).matching
    who = visitor(request)
    found = await in_thread(lambda: matching.confirm(data, by=who.name, language=language))
    said = [f"{one.point or one.tag}: {'taken back' if one.retract else one.concept or 'none'}" for one in data[:_BATCH]]
    await context.audit(
        who, Action.MODEL_WRITE, "meanings", details={"did": "meanings confirmed", "count": len(data), "said": said[:50]}
    )
    return ConfirmedPage(items=found)


ROUTES = [
    shelf,
    entries,
    tree,
    entry,
    units,
    convert,
    suggestions,
    differences,
    import_dictionary,
    stop_import,
    confirm,
    remove,
]
