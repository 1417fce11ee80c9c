"""Raw tags matched to concepts: suggestions for the live points of the catalogue, and what people say of them.

What is said of a point is kept under its name with what was learned from it, and its main concept (the property, else the
quantity, else the role) is noted as the meaning of the nodes of the model that the point is: see `living`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hulian.data.catalogue import Catalogue
from hulian.kernel.identifier import escape
from hulian.kernel.point import Point
from hulian.network.exchange.semantics.concepts import key_of
from hulian.network.exchange.semantics.dictionary import Kind
from hulian.network.exchange.semantics.dictionary.suggesting import Aspect, Confirmation, Suggestion
from hulian.network.exchange.semantics.dictionary.tags import RawTag
from hulian.network.exchange.semantics.errors import ConceptError
from hulian.network.exchange.semantics.model import Note
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.api.dictionary.living import LivePoints, Standing
from hulian.platform.api.dictionary.views import Confirm, Confirmed, SaidView, SuggestionView
from hulian.platform.api.errors import NotFoundError, RequestError
from hulian.platform.api.points import point_name

__all__ = ["MOST_CONFIRMED", "Matching", "Suggested", "Suggestions", "raw_tag"]

MOST_CONFIRMED: Final = 1000
"""Points and tags of one request."""
_PAGE: Final = 200
_LOOKED: Final = 5_000
"""Points that one page looks at: with more matched ones between, it is short."""
_COUNTED: Final = 10_000
_RANK: Final = ("property", "quantity", "role")
"""The aspect whose concept is the meaning of a node, the first that there is."""


def raw_tag(point: Point) -> RawTag:
    """What a point says of itself. Where it has no tag, the property of its name is one, and its thing is part of its place."""
    thing = point.thing.partition("/")[2]
    path = f"{point.path}/{thing}" if thing else point.path
    texts = tuple(text for text in point.texts.values() if text)
    return RawTag(tag=point.tag or point.name.partition("#")[2], unit=point.unit, path=path, texts=texts, point=point.name)


class Suggested(msgspec.Struct, frozen=True, kw_only=True):
    """A live point with its suggestions: the best of each aspect, then the next. ``known`` is what documents say of it."""

    point: Point
    suggestions: list[SuggestionView]
    said: list[SaidView]
    known: list[str]


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of points by name. It may be short, or empty, with a ``next``. ``matched`` of ``total`` points have a meaning."""

    items: list[Suggested]
    next: str | None
    total: int
    matched: int


class Matching:
    """Suggestions and confirmations over the live catalogue. Thread-safe; all calls block."""

    def __init__(self, catalogue: Catalogue, semantics: Semantics) -> None:
        self._catalogue, self._semantics = catalogue, semantics
        self._suggester = semantics.suggester
        self.living = LivePoints(catalogue, semantics)

    # ------------------------------------------------------------ suggesting

    def suggestions(
        self,
        *,
        search: str = "",
        connector: str | None = None,
        thing: str | None = None,
        unconfirmed: bool = True,
        language: str = "",
        cursor: str | None = None,
        limit: int = 50,
        most: int = 3,
    ) -> Suggestions:
        """Points by name, each with ``most`` suggestions of each aspect; with ``unconfirmed`` only those without a meaning."""
        described = self.living.described()
        self.living.wanted = True
        chosen: list[Point] = []
        total = looked = 0
        more = True
        while more and len(chosen) < limit and looked < _LOOKED:
            page = self._catalogue.search(search, connector=connector, thing=thing, limit=_PAGE, cursor=cursor)
            points = [record.point for record in page.items]
            said = self._suggester.said_of([point.name for point in points]) if unconfirmed else {}
            total, looked, more = page.total, looked + len(points), page.next is not None
            for place, point in enumerate(points):
                if not (unconfirmed and (point.name in said or _meanings(described.get(point.name)))):
                    chosen.append(point)
                if len(chosen) == limit:
                    more = more or place + 1 < len(points)
                    break
            cursor = escape(point.name) if points else None
        said = self._suggester.said_of([point.name for point in chosen])
        found = self._suggester.suggest_all([raw_tag(point) for point in chosen], language=language, limit=most)
        return Suggestions(
            items=[
                Suggested(
                    point=point,
                    suggestions=[_suggestion(one) for one in suggestions],
                    said=self._shown(said.get(point.name, []), language),
                    known=_meanings(described.get(point.name)),
                )
                for point, suggestions in zip(chosen, found, strict=True)
            ],
            next=cursor if more else None,
            total=total,
            matched=self._matched(search, connector, thing, described),
        )

    def _matched(self, search: str, connector: str | None, thing: str | None, described: dict[str, list[Standing]]) -> int:
        names = {name for name, standings in described.items() if _meanings(standings)}
        after = ""
        while True:
            part = self._suggester.confirmations(after=after, limit=_COUNTED)
            names.update(one.tag for one in part if "#" in one.tag)
            if len(part) < _COUNTED:
                break
            after = part[-1].tag
        points = list(self._catalogue.points_named(names).values())
        if search:
            wanted = search.casefold().split()
            points = [point for point in points if all(word in _searched(point) for word in wanted)]
        return sum(
            1
            for point in points
            if (connector is None or point.connector == connector) and (thing is None or point.thing == thing)
        )

    # ------------------------------------------------------------ saying

    def confirm(self, wanted: Sequence[Confirm], *, by: str, language: str = "") -> list[Confirmed]:
        """Keeps what somebody says, all or none; learns, and notes the meaning in the model at once.

        Raises `NotFoundError` for a point that is not there, `NoSuchConceptError`, `RequestError`, `TooManyPointsError`.
        """
        if not wanted or len(wanted) > MOST_CONFIRMED:
            raise RequestError(f"name 1 to {MOST_CONFIRMED} points", place="$")
        raws = self._raws(wanted)
        said, declined, retracted = [], [], []
        known: dict[tuple[str | None, str], tuple[str, Aspect]] = {}
        for number, (one, raw) in enumerate(zip(wanted, raws, strict=True)):
            if one.retract:
                retracted.append((raw, one.aspect))
            elif one.concept is None:
                declined.append(raw)
            else:
                if (one.concept, one.aspect) not in known:
                    known[one.concept, one.aspect] = self._concept(one, f"$[{number}].concept")
                said.append((raw, *known[one.concept, one.aspect]))
        points = [raw.point for raw in raws if raw.point]
        placed = self.living.place(points) if points else {}
        keys = list(dict.fromkeys(raw.key for raw in raws))
        before = self._suggester.said_of(keys)
        for raw, aspect in retracted:
            for one_aspect in (aspect,) if aspect else (*_RANK, "none"):
                self._suggester.retract(raw.key, one_aspect)
        if said:
            self._suggester.confirm_all(said, by=by)
        if declined:
            self._suggester.decline(declined, by=by)
        after = self._suggester.said_of(keys)
        self._note(points, placed, before, after, by)
        return [
            Confirmed(
                point=key,
                said=self._shown(after.get(key, []), language),
                before=self._shown(before.get(key, []), language),
                nodes=[standing.node for standing in placed.get(key, [])],
            )
            for key in keys
        ]

    @staticmethod
    def sure(item: Suggested, score: float) -> list[Confirm]:
        """The best quantity or property of a point with at least ``score``, and its role; none without the first."""
        ranked = sorted((one for one in item.suggestions if one.score >= score), key=lambda one: -one.score)
        main = next((one for one in ranked if one.aspect != "role"), None)
        role = next((one for one in ranked if one.aspect == "role"), None)
        return [Confirm(point=item.point.name, concept=one.concept) for one in (main, role) if one is not None and main]

    def confirm_many(self, wanted: Sequence[Confirm], *, by: str) -> None:
        """As `confirm`, for any number: what belongs to one point stays together, the parts are each all or none."""
        part: list[Confirm] = []
        for place, one in enumerate(wanted):
            if len(part) >= MOST_CONFIRMED - 10 and one.point != wanted[place - 1].point:
                self.confirm(part, by=by)
                part = []
            part.append(one)
        if part:
            self.confirm(part, by=by)

    def _raws(self, wanted: Sequence[Confirm]) -> list[RawTag]:
        names = [point_name(one.point) for one in wanted if one.point]
        points = self._catalogue.points_named(names)
        found = []
        for number, one in enumerate(wanted):
            if bool(one.point) == bool(one.tag):
                raise RequestError("it names neither a point nor a tag, or both", place=f"$[{number}]")
            if not one.point:
                found.append(RawTag(tag=one.tag))
                continue
            point = points.get(point_name(one.point))
            if point is None:
                raise NotFoundError(f"there is no point {one.point[:200]!r}", place=f"$[{number}].point")
            found.append(raw_tag(point))
        return found

    def _concept(self, one: Confirm, place: str) -> tuple[str, Aspect]:
        try:
            entry = self._semantics.dictionaries.get(one.concept or "").entry
        except ConceptError as error:
            error.place = place
            raise
        of_kind: Aspect = "role" if entry.kind is Kind.ROLE else "quantity" if entry.kind is Kind.QUANTITY else "property"
        if one.aspect and one.aspect != of_kind:
            raise RequestError(
                f"'{entry.identifier}' is no {one.aspect[:20]}", place=place, hint=f"it is a {of_kind}: leave the aspect out"
            )
        return entry.identifier, of_kind

    def _note(
        self,
        points: Sequence[str],
        placed: dict[str, list[Standing]],
        before: dict[str, list[Confirmation]],
        after: dict[str, list[Confirmation]],
        by: str,
    ) -> None:
        """The main concept of each point as the meaning of its nodes; one that somebody else noted there is never removed."""
        notes = []
        for point in dict.fromkeys(points):
            meant, was = _main(after.get(point, [])), _main(before.get(point, []))
            for standing in placed.get(point, []):
                if meant:
                    notes.append(Note(node=standing.node, field="meaning", value=meant, who=by))
                elif was:
                    _, noted = self._semantics.model.node(standing.node)
                    if any(note.field == "meaning" and note.value == key_of(was) for note in noted):
                        notes.append(Note(node=standing.node, field="meaning", value="", who=by))
        if notes:
            self._semantics.model.note(notes)

    def _shown(self, said: Sequence[Confirmation], language: str) -> list[SaidView]:
        shown = []
        for one in said:
            try:
                entry = self._semantics.dictionaries.get(one.concept).entry if one.concept else None
            except ConceptError:  # its dictionary is here no longer
                entry = None
            shown.append(
                SaidView(
                    aspect=one.aspect,
                    concept=entry.identifier if entry else one.concept,
                    name=entry.name(language) if entry else one.concept,
                    by=one.by,
                    moment_ms=one.moment // 1000 / 1000,
                )
            )
        return shown


def _main(said: Sequence[Confirmation]) -> str:
    concepts = {one.aspect: one.concept for one in said}
    return next((concepts[aspect] for aspect in _RANK if concepts.get(aspect)), "")


def _meanings(standings: Sequence[Standing] | None) -> list[str]:
    return list(dict.fromkeys(meaning for one in standings or () for meaning in one.meanings))


def _searched(point: Point) -> str:
    return "\n".join((point.name, point.tag, point.path, point.address, *point.texts.values())).casefold()


def _suggestion(one: Suggestion) -> SuggestionView:
    return SuggestionView(
        concept=one.concept, name=one.name, aspect=one.aspect, score=one.score, reasons=one.reasons, confirmed=one.confirmed
    )
