"""What the model says of its nodes, as the API shows it. Every call blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import structs

from hulian.kernel.errors import HulianError
from hulian.network.exchange.semantics.contract import Node
from hulian.network.exchange.semantics.model import Found, Linked, Note, Question, Seen, Version
from hulian.network.exchange.semantics.nodeset.standard import standard_table
from hulian.network.exchange.semantics.together import Semantics
from hulian.network.exchange.semantics.units import find as find_unit
from hulian.platform.api.errors import RequestError
from hulian.platform.api.meaning.views import (
    ConceptView,
    ConstraintsView,
    DocumentView,
    EdgeView,
    FindPage,
    FoundView,
    GraphView,
    LinkPage,
    LinkView,
    LossView,
    NodeItem,
    NodePage,
    NodeView,
    NoteView,
    SearchItem,
    SearchPage,
    UnitView,
)

__all__ = ["MOST_FOUND", "Browsing", "item"]

MOST_FOUND: Final = 10_000
"""Nodes of an answer that can be paged through."""
_LONGEST_IN_LIST: Final = 300
_LONGEST_VALUE: Final = 10_000
_LARGEST_EXTRA: Final = 64 << 10
_MOST_MEANINGS: Final = 20
_LINKS: Final = 50


class Browsing:
    """Built for each question; holds nothing of its own."""

    def __init__(self, semantics: Semantics) -> None:
        self._model = semantics.model
        self._dictionaries = semantics.dictionaries

    def documents(self) -> list[DocumentView]:
        """By name."""
        return [_document(version) for version in self._model.documents()]

    def children(self, parent: str, document: str, cursor: str | None, limit: int) -> NodePage:
        """Raises `NoSuchNodeError`, `QueryError`, `RequestError`."""
        found = self._model.children(parent, document=document, after=_after(cursor), limit=limit)
        following = str(found[-1].place) if len(found) == limit else None
        return NodePage(items=[item(one) for one in found], next=following)

    def links(self, identity: str, *, out: bool, cursor: str | None, limit: int) -> LinkPage:
        """References of a node, or to it. Raises `RequestError`."""
        found = self._model.references(identity, out=out, after=_after(cursor), limit=limit)
        following = str(found[-1].place) if len(found) == limit else None
        return LinkPage(items=[_link(one) for one in found], next=following, names=self._names_of(found))

    def search(self, text: str, limit: int) -> SearchPage:
        """Nodes by a part of their name. Raises `QueryError`."""
        total, found = self._model.search(text, limit=limit)
        items = [SearchItem(node=item(one), path=[above.node.name for above in self._model.way_down(one)]) for one in found]
        return SearchPage(items=items, total=total)

    def node(self, identity: str) -> NodeView:
        """A node whole, without its live value. Raises `NoSuchNodeError`."""
        model = self._model
        one = model.seen(identity)
        types = model.type_chain(one.node)
        node, notes = model.node(identity)
        value = node.value
        extra_cut = len(msgspec.json.encode(node.extra)) > _LARGEST_EXTRA
        limits = node.constraints
        return NodeView(
            node=item(one),
            descriptions=node.descriptions,
            value=value[:_LONGEST_VALUE] if value is not None else None,
            value_cut=value is not None and len(value) > _LONGEST_VALUE,
            writable=node.writable,
            constraints=ConstraintsView(
                low=limits.low,
                high=limits.high,
                choices=list(limits.choices[:200]),
                pattern=limits.pattern,
                required=limits.required,
                many=limits.many,
            )
            if limits is not None
            else None,
            unit=_unit(one.unit),
            meanings=self._words(one),
            notes=[_note(one) for one in notes],
            path=[item(above) for above in model.way_down(one)],
            types=[_link(link) for link in types],
            names=self._names_of(types),
            refers=self.links(identity, out=True, cursor=None, limit=_LINKS),
            referred=self.links(identity, out=False, cursor=None, limit=_LINKS),
            losses=[LossView(place=loss.place, what=loss.what, why=loss.why, lost=loss.lost) for loss in model.losses_of(one)],
            extra={} if extra_cut else node.extra,
            extra_cut=extra_cut,
        )

    def graph(self, identity: str, depth: int, limit: int) -> GraphView:
        """Raises `NoSuchNodeError`, `QueryError`."""
        found = self._model.around(identity, depth=depth, limit=limit)
        return GraphView(
            nodes=[item(one) for one in found.nodes],
            edges=[EdgeView(source=edge.source, relation=edge.relation, target=edge.target) for edge in found.edges],
            absent=found.absent,
            more=found.more,
            names=self._names([*found.absent, *(edge.relation for edge in found.edges)]),
        )

    def find(self, question: Question, cursor: str | None, limit: int) -> FindPage:
        """A page of the answer, without live values. Raises `QueryError`, `RequestError`."""
        begin = _after(cursor) + 1
        if begin >= MOST_FOUND:
            raise RequestError(
                f"only the first {MOST_FOUND:,} nodes of an answer are shown", place="query cursor", hint="ask for less"
            )
        end = min(begin + limit, MOST_FOUND)
        answer = self._model.find(structs.replace(question, limit=end))
        page = answer.nodes[begin:end]
        following = str(end - 1) if answer.total > end and end < MOST_FOUND else None
        return FindPage(items=self._found(page), total=answer.total, unit=question.unit, next=following)

    def at_point(self, point: str) -> list[FoundView]:
        """The nodes that a live point is."""
        return [
            FoundView(
                node=item(one),
                path=_path([*(above.node.name for above in self._model.way_down(one)), one.node.name]),
                meanings=list(one.meanings[:_MOST_MEANINGS]),
            )
            for one in self._model.at_point(point)[:100]
        ]

    def note(self, notes: Sequence[Note]) -> None:
        """All or none. Raises `NoSuchNodeError`, `ModelError`, `UnitError`, `IdentifierError`."""
        for note in notes:
            if note.field == "unit" and note.value:
                find_unit(note.value)
        self._model.note(notes)

    def _found(self, page: Sequence[Found]) -> list[FoundView]:
        seen = self._model.known(one.id for one in page)
        return [
            FoundView(
                node=item(seen[one.id]),
                path=one.path,
                meanings=list(one.meanings[:_MOST_MEANINGS]),
                factor=one.factor,
                offset=one.offset,
            )
            for one in page
            if one.id in seen
        ]

    def _names_of(self, links: Sequence[Linked]) -> dict[str, str]:
        absent = [link.identity for link in links if link.other is None]
        return self._names([*absent, *(link.relation for link in links)])

    def _names(self, wanted: Iterable[str]) -> dict[str, str]:
        """Names of relations and nodes by their ids, where the model or the standard of OPC UA has them."""
        ids = {one for one in wanted if not one.isalpha()}
        standard = standard_table() if any(one.startswith("i=") for one in ids) else {}
        names = {one: standard[one].name for one in ids if one in standard}
        return names | {one.node.id: one.node.name for one in self._model.known(ids - names.keys()).values()}

    def _words(self, one: Seen) -> list[ConceptView]:
        """What a node means, in the words of the dictionaries."""
        noted = one.noted.get("meaning", "")
        shown = list(dict.fromkeys(one.meanings))[:_MOST_MEANINGS]
        return [self._concept(text, noted=text == noted) for text in shown]

    def _concept(self, text: str, *, noted: bool) -> ConceptView:
        try:
            found = self._dictionaries.get(text)
        except HulianError:  # no identifier of a concept, or of none that a dictionary here has
            return ConceptView(concept=text, noted=noted)
        entry = found.entry
        return ConceptView(
            concept=text, noted=noted, names=entry.names, definitions=entry.definitions, dictionary=found.dictionary
        )


def item(one: Seen) -> NodeItem:
    """A node as it stands in a list."""
    node: Node = one.node
    return NodeItem(
        id=node.id,
        name=node.name,
        kind=node.kind.name.lower(),
        document=one.document,
        type=node.type,
        unit=one.unit,
        value=node.value[:_LONGEST_IN_LIST] if node.value is not None else None,
        datatype=node.datatype,
        point=one.point,
        identifier=one.identifier,
        label=one.noted.get("label", ""),
        labels=node.labels,
        children=one.children,
    )


def _document(version: Version) -> DocumentView:
    header = version.document
    lost = sum(1 for loss in version.losses if loss.lost)
    return DocumentView(
        name=header.name,
        key=version.key,
        format=header.format,
        version=header.version,
        title=header.title,
        file=version.file,
        size=version.size,
        nodes=version.nodes,
        references=version.references,
        who=version.who,
        made_ms=version.made / 1e6,
        namespaces=list(header.namespaces[:200]),
        requires=list(header.requires[:200]),
        losses=lost,
        findings=len(version.losses) - lost,
    )


def _link(one: Linked) -> LinkView:
    return LinkView(relation=one.relation, id=one.identity, node=item(one.other) if one.other is not None else None)


def _note(one: Note) -> NoteView:
    return NoteView(field=one.field, value=one.value, who=one.who, made_ms=one.made / 1e6)


def _unit(text: str) -> UnitView | None:
    if not text:
        return None
    try:
        found = find_unit(text)
    except HulianError:  # shown as it is written
        return UnitView(text=text)
    return UnitView(text=text, symbol=found.symbol, title=found.title)


def _path(names: Sequence[str]) -> str:
    return "/".join(name.replace("/", "//") for name in names)


def _after(cursor: str | None) -> int:
    if not cursor:
        return -1
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise RequestError(
            f"{cursor[:60]!r} is no cursor of this list",
            place="query cursor",
            hint="begin with the first page, without a cursor",
        )
    return int(cursor)
