"""The shelf, looked at: concepts by words and by relation, a concept whole, releases and differences, units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from hulian.kernel.errors import HulianError
from hulian.network.exchange.semantics.dictionary import Dictionaries, Entry, Found, Kind, Link
from hulian.network.exchange.semantics.dictionary.general import general
from hulian.network.exchange.semantics.errors import ConceptError, UnitError
from hulian.network.exchange.semantics.model.find import Question
from hulian.network.exchange.semantics.together import Semantics
from hulian.network.exchange.semantics.units import Unit, candidates, conversion, find, table
from hulian.platform.api.dictionary.errors import BuiltInError
from hulian.platform.api.dictionary.views import (
    Brief,
    BriefPage,
    ChangeView,
    ConversionView,
    DifferenceView,
    EntryView,
    NodeView,
    Relations,
    ReleaseView,
    Shelf,
    ShelvedView,
    TreeItem,
    TreeLevel,
    UnitPage,
    UnitView,
)
from hulian.platform.api.errors import RequestError

__all__ = ["KINDS", "RELATIONS", "Library", "kind_of"]

KINDS: Final = {kind.name.lower().replace("_", "-"): kind for kind in Kind}
RELATIONS: Final = ("superclasses", "subclasses", "properties", "classes", "values", "value-lists", "units", "quantities")
"""By relation: what stands above and below a concept, what it has, and what has it; ``units`` and ``quantities`` are the
concepts that are measured in a unit, or are of a quantity."""
_MOST: Final = 1000
_SHOWN: Final = 200
_DIFFERENT: Final = 500
_TOPS: Final = (Kind.CLASS, Kind.QUANTITY, Kind.ROLE)
_DEPTH: Final = 20


def kind_of(entry: Entry) -> str:
    """The kind in words: ``value-list``."""
    return entry.kind.name.lower().replace("_", "-")


class Library:
    """The dictionaries of an installation. All calls block."""

    def __init__(self, semantics: Semantics) -> None:
        self._semantics = semantics
        self._dictionaries: Dictionaries = semantics.dictionaries
        self._built_in = general()[0].name

    # ------------------------------------------------------------ the shelf

    def shelf(self) -> Shelf:
        """Every dictionary with its releases."""
        return Shelf(
            items=[
                ShelvedView(
                    name=one.name,
                    title=one.title,
                    publisher=one.publisher,
                    licence=one.licence,
                    format=one.format,
                    release=one.release,
                    label=one.label,
                    total=one.total,
                    own=one.name != self._built_in,
                    releases=[
                        ReleaseView(
                            release=release.release,
                            label=release.label,
                            taken_ms=release.taken // 1000 / 1000,
                            by=release.by,
                            added=release.added,
                            changed=release.changed,
                            removed=release.removed,
                            total=release.total,
                        )
                        for release in self._dictionaries.releases(one.name)[:_SHOWN]
                    ],
                )
                for one in self._dictionaries.shelf()
            ]
        )

    def may_change(self, name: str) -> None:
        """Raises `BuiltInError` for the dictionary that comes with Hulian."""
        if name == self._built_in:
            raise BuiltInError(f"the dictionary '{name}' comes with Hulian", place=name)

    def remove(self, name: str) -> None:
        """Takes a dictionary away; what was confirmed stays. Raises `BuiltInError`, `NoSuchDictionaryError`."""
        self.may_change(name)
        self._dictionaries.remove(name)

    def difference(self, name: str, old: int, new: int | None, language: str) -> DifferenceView:
        """What differs between two releases; 0 is the empty one, None the current one."""
        found = self._dictionaries.difference(name, old, new)
        newer = new if new is not None else max(one.release for one in self._dictionaries.releases(name))

        def listed(entries: Sequence[Entry]) -> list[Brief]:
            return [_brief(Found(entry, name, 0), language) for entry in entries[:_DIFFERENT]]

        return DifferenceView(
            older=old,
            newer=newer,
            added=listed(found.added),
            removed=listed(found.removed),
            changed=[
                ChangeView(concept=one.newer.identifier, name=one.newer.name(language), fields=one.fields)
                for one in found.changed[:_DIFFERENT]
            ],
            added_total=len(found.added),
            removed_total=len(found.removed),
            changed_total=len(found.changed),
        )

    # ------------------------------------------------------------ concepts

    def entries(self, text: str, kind: str, name: str, language: str, cursor: str, limit: int) -> BriefPage:
        """Concepts by words, or without words all of a dictionary, in pages. Raises `RequestError`."""
        if kind and kind not in KINDS:
            raise RequestError(f"there is no kind '{kind[:50]}'", place="query kind", hint=f"one of {', '.join(KINDS)}")
        if text.strip():
            after = _number(cursor)
            kinds = [KINDS[kind]] if kind else []
            found = self._exact(text, name) if not after and not kind else []
            found += [
                item
                for item in self._dictionaries.find(text, kinds=kinds, name=name, limit=min(_MOST, after + limit + 1))
                if not any(item.entry.identifier == one.entry.identifier and item.dictionary == one.dictionary for one in found)
            ]
            page = found[after : after + limit]
            more = len(found) > after + limit and after + limit < _MOST
            return BriefPage(items=[_brief(item, language) for item in page], next=str(after + limit) if more else None)
        if not name:
            raise RequestError("neither words nor a dictionary are named", place="query q", hint="give q, dictionary, or of")
        page = self._dictionaries.entries(name, kind=KINDS.get(kind), after=cursor, limit=limit + 1)
        following = page[limit - 1].entry.concept.key if len(page) > limit else None
        return BriefPage(items=[_brief(item, language) for item in page[:limit]], next=following)

    def _exact(self, text: str, name: str) -> list[Found]:
        """The concept whose identifier somebody pasted."""
        try:
            return [self._dictionaries.get(text, name)]
        except ConceptError:
            return []

    def related(self, relation: str, concept: str, name: str, language: str, limit: int) -> BriefPage:
        """Concepts by relation (`RELATIONS`). Raises `RequestError`, `NoSuchConceptError`."""
        where = self._dictionaries
        known: dict[str, Callable[[], list[Found]]] = {
            "superclasses": lambda: where.ancestors(concept, name)[1:],
            "subclasses": lambda: where.referring(concept, Link.PARENT, name=name, limit=limit),
            "properties": lambda: where.properties_of(concept, name=name),
            "classes": lambda: where.classes_of(concept, below=True, name=name, limit=limit),
            "values": lambda: where.values_of(concept, name),
            "value-lists": lambda: where.referring(concept, Link.VALUE, name=name, limit=limit),
            "units": lambda: where.referring(concept, Link.UNIT, name=name, limit=limit),
            "quantities": lambda: where.referring(concept, Link.QUANTITY, name=name, limit=limit),
        }
        if relation not in known:
            raise RequestError(
                f"there is no relation '{relation[:50]}'", place="query relation", hint=f"one of {', '.join(RELATIONS)}"
            )
        return BriefPage(items=[_brief(item, language) for item in known[relation]()[:limit]], next=None)

    def tree(self, name: str, under: str, language: str) -> TreeLevel:
        """One level: what stands under a concept, or at the top of a dictionary. Raises `NoSuchDictionaryError`."""
        if under:
            found = self._dictionaries.referring(under, Link.PARENT, name=name, limit=_MOST)
        else:
            found = self._dictionaries.roots(name, kinds=_TOPS, limit=_MOST)
        found.sort(key=lambda item: (item.entry.kind, item.entry.name(language).casefold()))
        below = self._dictionaries.below([item.entry.concept.key for item in found], name)
        return TreeLevel(
            items=[
                TreeItem(
                    concept=item.entry.identifier,
                    kind=kind_of(item.entry),
                    name=item.entry.name(language),
                    below=below.get(item.entry.concept.key, 0),
                )
                for item in found
            ],
            more=len(found) >= _MOST,
        )

    def entry(self, identifier: str, name: str, language: str) -> EntryView:
        """A concept whole. Raises `ConceptError`, `NoSuchConceptError`."""
        found = self._dictionaries.get(identifier, name)
        entry, concept = found.entry, found.entry.concept
        model = self._semantics.model.find(Question(meaning=concept.text or concept.canonical, limit=_SHOWN))
        return EntryView(
            concept=entry.identifier,
            key=concept.key,
            version=concept.version,
            kind=kind_of(entry),
            dictionary=found.dictionary,
            since=found.release,
            names=entry.names,
            short_names=entry.short_names,
            synonyms=entry.synonyms,
            definitions=entry.definitions,
            notes=entry.notes,
            datatype=entry.datatype,
            format=entry.format,
            unit=entry.unit,
            unit_known=_unit_of(entry.unit),
            units=entry.units,
            symbol=entry.symbol,
            value=entry.value,
            source=entry.source,
            deprecated=entry.deprecated,
            extra=entry.extra,
            others=sorted({concept.canonical, concept.text} - {entry.identifier, ""}),
            relations=self._relations(found, language),
            nodes=[
                NodeView(id=one.id, path=one.path, kind=one.kind, document=one.document, unit=one.unit, point=one.point)
                for one in model.nodes
            ],
            nodes_total=model.total,
            confirmed=self._semantics.suggester.meant(entry.identifier, limit=_SHOWN),
        )

    def _relations(self, found: Found, language: str) -> Relations:
        where, entry, name = self._dictionaries, found.entry, found.dictionary
        own = entry.identifier

        def listed(items: Iterable[Found]) -> list[Brief]:
            return [_brief(item, language) for item in list(items)[:_SHOWN]]

        def referring(link: Link) -> list[Brief]:
            return listed(where.referring(own, link, limit=_SHOWN))

        def one(identifier: str) -> list[Brief]:
            if not identifier:
                return []
            try:
                return listed([where.get(identifier)])
            except ConceptError:
                return []

        values = where.values_of(own, name) if entry.values else []
        if entry.value_list:
            try:
                values = where.values_of(entry.value_list, name)
            except ConceptError:  # its list is in no dictionary here
                values = []
        return Relations(
            above=listed(where.ancestors(own, name)[1:_DEPTH]),
            below=referring(Link.PARENT),
            properties=listed(where.properties_of(own, name=name)) if entry.kind is Kind.CLASS else [],
            classes=referring(Link.PROPERTY),
            values=listed(values),
            value_list=one(entry.value_list),
            value_lists=referring(Link.VALUE),
            quantity=one(entry.quantity),
            quantity_of=referring(Link.QUANTITY),
            replaced_by=one(entry.replaced_by),
            replaces=referring(Link.REPLACED),
        )

    # ------------------------------------------------------------ units

    @staticmethod
    def units(text: str, limit: int) -> UnitPage:
        """Units by any name, those that it names exactly first."""
        wanted = text.strip().casefold()
        found = {unit.id: unit for unit in candidates(text.strip())} if wanted else {}
        starts: list[Unit] = []
        holds: list[Unit] = []
        for unit in table().units:
            if unit.replaced_by or unit.name.startswith("CCY_") or unit.id in found:
                continue
            names = [name.casefold() for name in (unit.title, unit.name, unit.symbol, *unit.ucum, *unit.unece)]
            if any(name.startswith(wanted) for name in names):
                starts.append(unit)
            elif any(wanted in name for name in names):
                holds.append(unit)
        starts.sort(key=lambda unit: (not unit.unece, len(unit.title), unit.title))
        holds.sort(key=lambda unit: (not unit.unece, len(unit.title), unit.title))
        return UnitPage(items=[_unit(unit) for unit in [*found.values(), *starts, *holds][:limit]])

    @staticmethod
    def convert(value: float, source: str, target: str) -> ConversionView:
        """Raises `UnitError`, `DimensionError` where the dimensions differ, and what else is in the way."""
        a, b = find(source), find(target)
        way = conversion(a, b)
        return ConversionView(
            value=value,
            result=way.one(value),
            source=_unit(a),
            target=_unit(b),
            factor=float(way.factor),
            offset=float(way.offset),
        )


def _brief(item: Found, language: str) -> Brief:
    entry = item.entry
    known = _unit_of(entry.unit)
    return Brief(
        concept=entry.identifier,
        kind=kind_of(entry),
        name=entry.name(language),
        definition=entry.text(entry.definitions, language),
        unit=known.title if known else entry.unit,
        value=entry.value,
        dictionary=item.dictionary,
        deprecated=entry.deprecated,
        score=round(item.score, 3),
        via=item.via,
    )


def _unit_of(text: str) -> UnitView | None:
    if not text:
        return None
    try:
        return _unit(find(text))
    except UnitError:
        return None


def _unit(unit: Unit) -> UnitView:
    return UnitView(
        write=_writing(unit),
        title=unit.title,
        name=unit.name,
        symbol=unit.symbol,
        unece=list(unit.unece),
        ucum=list(unit.ucum),
        irdi=list(unit.irdi),
        dimension=unit.dimension,
        convertible=unit.factor is not None and unit.dimension is not None,
    )


def _writing(unit: Unit) -> str:
    """The shortest text that is read as this unit and no other."""
    for text in (unit.title, *unit.ucum, *(f"unece:{code}" for code in unit.unece), unit.id):
        try:
            if find(text).id == unit.id:
                return text
        except HulianError:
            continue
    return unit.id


def _number(cursor: str) -> int:
    if not cursor:
        return 0
    if not cursor.isdecimal() or len(cursor) > 5:
        raise RequestError("this is no cursor of a search", place="query cursor", hint="take next of the page before")
    return int(cursor)
