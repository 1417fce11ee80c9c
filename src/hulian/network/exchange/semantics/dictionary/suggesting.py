"""What raw tags may mean: ranked suggestions with their reasons, confirmed by people, and learned from what they confirmed.

A suggestion has one of three aspects: the ``quantity`` that is measured, the ``role`` that the value plays, and the
``property`` of a dictionary that it may be an instance of. Its score is a sum of evidence, brought between 0 and 1; each piece
of evidence is a reason in words. Nothing is taken for true before a person has confirmed it; from then on the same features
count for other tags of the plant as much as they were confirmed together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.concepts import parse
from hulian.network.exchange.semantics.dictionary.entry import Entry, Kind
from hulian.network.exchange.semantics.dictionary.general import general
from hulian.network.exchange.semantics.dictionary.store import Dictionaries
from hulian.network.exchange.semantics.dictionary.tables import confirmation, lesson
from hulian.network.exchange.semantics.dictionary.tags import Parts, RawTag, take_apart
from hulian.network.exchange.semantics.dictionary.words import cut, folded
from hulian.network.exchange.semantics.errors import ConceptError, UnitError
from hulian.network.exchange.semantics.units import find
from hulian.registry import Registry

__all__ = ["Aspect", "Confirmation", "Suggester", "Suggestion"]

Aspect = Literal["quantity", "role", "property"]
_NONE: Final = "none"
"""The aspect under which it is kept that somebody found no concept that fits."""
_KINDS: Final[dict[Kind, Aspect]] = {Kind.QUANTITY: "quantity", Kind.ROLE: "role"}
_MOST: Final = 10
_MOST_OWN: Final = 1000
_PART: Final = 400
_LONG: Final = 5
_HALF: Final = 3.0
"""Evidence of this sum is a score of one half."""
_LEARNED: Final = {"letters": 3.0, "end": 3.0, "word": 3.0, "text": 2.0, "unit": 1.5, "path": 1.0}
_MOST_LEARNED: Final = 8.0
_CONFIRMED: Final = 1000.0
_FREE_LETTERS: Final = frozenset("CDGMNO")
"""ISA-5.1 leaves these to who uses them: what they usually mean is no more than that."""
_SHARED: Final = ("PERCENT", "UNITLESS", "PPM", "NUM")
"""Units of no dimension that very different quantities have."""


class Suggestion(msgspec.Struct):
    """What a tag may mean. ``score`` is between 0 and 1; a confirmed one has 1."""

    concept: str
    name: str
    aspect: Aspect
    score: float
    reasons: list[str]
    confirmed: bool = False


class Confirmation(msgspec.Struct):
    """What a person said; ``moment`` in ns since 1970."""

    tag: str
    aspect: str
    concept: str
    by: str
    moment: int


class _Candidate:
    def __init__(self, entry: Entry, aspect: Aspect) -> None:
        self.entry, self.aspect = entry, aspect
        tags = entry.extra.get("tags", {})
        tags = tags if isinstance(tags, dict) else {}
        self.letters = {str(text).upper() for text in _list(tags.get("letters"))}
        self.words = {folded(str(text)) for text in _list(tags.get("words"))}
        names = [*entry.names.values(), *entry.short_names.values()]
        self.names = [" ".join(cut(name)) for name in names]
        self.words |= {folded(name) for name in names if len(name.split()) == 1}
        self.own_unit = bool(tags.get("own-unit"))
        self.key = entry.concept.key
        try:
            self.unit = find(entry.unit) if entry.unit else None
        except UnitError:
            self.unit = None


class Suggester:
    """Suggests, and learns. Thread-safe; each call is one transaction."""

    def __init__(self, registry: Registry, dictionaries: Dictionaries, clock: Callable[[], int] = time.time_ns) -> None:
        self._registry, self._dictionaries, self._clock = registry, dictionaries, clock
        self._shelf: object = None
        self._known: list[_Candidate] = []

    # ------------------------------------------------------------ suggesting

    def suggest(self, raw: RawTag, *, language: str = "", limit: int = 5) -> list[Suggestion]:
        """What ``raw`` may mean: the best of each aspect first, then the next of each; at most ``limit`` of an aspect."""
        return self.suggest_all([raw], language=language, limit=limit)[0]

    def suggest_all(self, raws: Sequence[RawTag], *, language: str = "", limit: int = 5) -> list[list[Suggestion]]:
        """As `suggest`, for many tags with one look into what was learned."""
        limit = max(1, min(limit, _MOST))
        known = self._candidates()
        parted = [take_apart(raw) for raw in raws]
        with self._registry.read() as connection:
            lessons = _lessons(connection, {feature for parts in parted for feature in parts.features})
            confirmed = _confirmed(connection, [raw.key for raw in raws])
        return [
            self._ranked(raw, parts, known, lessons, confirmed, language, limit)
            for raw, parts in zip(raws, parted, strict=True)
        ]

    def _ranked(
        self,
        raw: RawTag,
        parts: Parts,
        known: Sequence[_Candidate],
        lessons: dict[str, dict[tuple[str, str], int]],
        confirmed: dict[tuple[str, str], str],
        language: str,
        limit: int,
    ) -> list[Suggestion]:
        found: dict[Aspect, list[tuple[float, Suggestion]]] = {aspect: [] for aspect in get_args(Aspect)}
        seen: set[tuple[str, str]] = set()
        foreign = any(candidate.own_unit and parts.end in candidate.words for candidate in known)
        for candidate in known:
            evidence, reasons = _evidence(candidate, parts, foreign_unit=foreign)
            seen.add((candidate.aspect, candidate.key))
            learned, said = _learned(candidate.aspect, candidate.key, parts, lessons)
            self._put(found, candidate.entry, candidate.aspect, evidence + learned, reasons + said, raw, confirmed, language)
        for entry, evidence, reasons in self._properties(parts, found["quantity"]):
            seen.add(("property", entry.concept.key))
            learned, said = _learned("property", entry.concept.key, parts, lessons)
            self._put(found, entry, "property", evidence + learned, reasons + said, raw, confirmed, language)
        self._put_others(found, parts, lessons, seen, raw, confirmed, language)
        for ranked in found.values():
            ranked.sort(key=lambda item: -item[0])  # of those that fit equally well, the first of its dictionary
        return [ranked[place][1] for place in range(limit) for ranked in found.values() if place < len(ranked)]

    def _put(
        self,
        found: dict[Aspect, list[tuple[float, Suggestion]]],
        entry: Entry,
        aspect: Aspect,
        evidence: float,
        reasons: list[str],
        raw: RawTag,
        confirmed: dict[tuple[str, str], str],
        language: str,
    ) -> None:
        sure = confirmed.get((raw.key, aspect)) == entry.concept.key
        if sure:
            evidence, reasons = _CONFIRMED, ["it was confirmed for this tag", *reasons]
        if evidence > 0 and reasons:
            score = 1.0 if sure else round(evidence / (evidence + _HALF), 3)
            found[aspect].append((evidence, Suggestion(entry.identifier, entry.name(language), aspect, score, reasons, sure)))

    def _put_others(
        self,
        found: dict[Aspect, list[tuple[float, Suggestion]]],
        parts: Parts,
        lessons: dict[str, dict[tuple[str, str], int]],
        seen: set[tuple[str, str]],
        raw: RawTag,
        confirmed: dict[tuple[str, str], str],
        language: str,
    ) -> None:
        """What was confirmed of other tags, or of this one, and is no candidate by itself."""
        others = {pair for feature in parts.features for pair in lessons.get(feature, {})}
        others |= {(aspect, key) for (tag, aspect), key in confirmed.items() if tag == raw.key}
        for aspect, key in sorted(others - seen)[:100]:
            named: Aspect = "role" if aspect == "role" else "quantity" if aspect == "quantity" else "property"
            try:
                entry = self._dictionaries.get(_identifier(key)).entry
            except ConceptError:
                continue
            learned, said = _learned(named, key, parts, lessons)
            self._put(found, entry, named, learned, said, raw, confirmed, language)

    def _candidates(self) -> list[_Candidate]:
        """The quantities and roles that are known: Hulian's own, and those of the dictionaries that are here."""
        shelf = [(item.name, item.release) for item in self._dictionaries.shelf()]
        if shelf != self._shelf:
            header, entries = general()
            known = {entry.concept.key: _Candidate(entry, _KINDS[entry.kind]) for entry in entries if entry.kind in _KINDS}
            for name, _ in shelf:
                if name != header.name:
                    for kind, aspect in _KINDS.items():
                        for item in self._dictionaries.entries(name, kind=kind, limit=_MOST_OWN):
                            known.setdefault(item.entry.concept.key, _Candidate(item.entry, aspect))
            self._known, self._shelf = list(known.values()), shelf
        return self._known

    def _properties(self, parts: Parts, quantities: Sequence[tuple[float, Suggestion]]) -> list[tuple[Entry, float, list[str]]]:
        """Properties of dictionaries in whose names words of the tag occur."""
        own = [word for word in (*parts.texts, *parts.words) if len(word) > 2 or not word.isascii()][:8]
        best = max(quantities, key=lambda item: item[0], default=None)
        asked = [*own, *(cut(best[1].name) if best is not None else [])]
        if not asked:
            return []
        result = []
        for item in self._dictionaries.find(" ".join(asked), kinds=[Kind.PROPERTY], all_words=False, limit=40):
            entry = item.entry
            names = {word for name in (*entry.names.values(), *entry.short_names.values()) for word in cut(name)}
            names |= {word for group in entry.synonyms.values() for name in group for word in cut(name)}
            hits = [word for word in own if word in names]
            path = [word for word in parts.path if word in names]
            meant = [word for word in cut(best[1].name) if word in names] if best is not None else []
            if not hits and not meant:
                continue
            evidence = 1.5 * len(hits) + 0.5 * len(path) + (0.8 if meant else 0.0)
            reasons = [f"its names have '{word}'" for word in (*hits, *path)]
            reasons += [f"it is a kind of {best[1].name}"] if meant and best is not None and not hits else []
            extra, said = _by_unit(entry.unit, parts)
            result.append((entry, evidence + extra, reasons + said))
        return result

    # ------------------------------------------------------------ learning

    def confirm(self, raw: RawTag, concept: str, aspect: Aspect, *, by: str) -> Confirmation:
        """What a person says that the tag means; it takes the place of what was said of this aspect before.

        Raises `ConceptError` where nobody says it, where ``concept`` is no identifier, or ``aspect`` none.
        """
        return self.confirm_all([(raw, concept, aspect)], by=by)[0]

    def confirm_all(self, said: Sequence[tuple[RawTag, str, Aspect]], *, by: str) -> list[Confirmation]:
        """As `confirm`, for many tags: all of them, or none."""
        found = []
        rows: list[tuple[str, Aspect, str, list[str]]] = []
        moment = self._clock()
        for raw, concept, aspect in said:
            if not by.strip() or aspect not in get_args(Aspect) or not raw.key:
                raise ConceptError(
                    "a confirmation needs a tag, a person, and an aspect",
                    place=raw.key[:200],
                    hint=f"say who confirms it, and one of {', '.join(get_args(Aspect))}",
                )
            rows.append((raw.key, aspect, parse(concept, place=raw.key[:200]).key, list(take_apart(raw).features)))
            found.append(Confirmation(raw.key, aspect, concept, by, moment))
        lessons: Counter[tuple[str, str, str]] = Counter()
        with self._registry.write() as connection:
            for tag, aspect, key, features in rows:
                self._unlearn(connection, tag, _NONE)
                self._unlearn(connection, tag, aspect)
                values = {"tag": tag, "aspect": aspect, "concept": key, "by": by, "moment": moment, "features": features}
                connection.execute(confirmation.insert().values(values))
                lessons.update((feature, aspect, key) for feature in features)
            for (feature, of, meant), times in lessons.items():  # many tags have the same: each is counted once
                _count(connection, [feature], of, meant, times)
        return found

    def decline(self, raws: Sequence[RawTag], *, by: str) -> None:
        """A person says that no concept that is known is meant. What was confirmed of the tags before is taken back."""
        if not by.strip() or not all(raw.key for raw in raws):
            raise ConceptError("a decision needs a tag and a person", hint="say who decides")
        with self._registry.write() as connection:
            for raw in raws:
                for aspect in (*get_args(Aspect), _NONE):
                    self._unlearn(connection, raw.key, aspect)
                values = {"tag": raw.key, "aspect": _NONE, "concept": "", "by": by, "moment": self._clock(), "features": []}
                connection.execute(confirmation.insert().values(values))

    def rename(self, names: Mapping[str, str]) -> None:
        """What was said of some points is kept under their new names, all at once, so that two may swap theirs."""
        with self._registry.write() as connection:
            found = []
            for old in names:
                rows = connection.execute(sa.select(confirmation).where(confirmation.c.tag == old)).mappings().all()
                found += [{**row, "tag": names[old]} for row in rows]
                connection.execute(confirmation.delete().where(confirmation.c.tag == old))
            for row in found:
                self._unlearn(connection, row["tag"], row["aspect"])
                connection.execute(confirmation.insert().values(row))

    def said_of(self, keys: Sequence[str]) -> dict[str, list[Confirmation]]:
        """What people said of tags, by what it is kept under; those of whom nothing was said are missing.

        A tag that was declined has one confirmation without a concept, whose aspect is ``none``.
        """
        found: dict[str, list[Confirmation]] = {}
        with self._registry.read() as connection:
            for at in range(0, len(keys), _PART):
                query = sa.select(confirmation).where(confirmation.c.tag.in_(keys[at : at + _PART]))
                for row in connection.execute(query.order_by(confirmation.c.tag, confirmation.c.aspect)):
                    found.setdefault(row.tag, []).append(_said(row))
        return found

    def meant(self, concept: str, *, limit: int = 100) -> list[str]:
        """What a concept was confirmed of: names of points, and tags; at most ``limit``."""
        query = sa.select(confirmation.c.tag).where(confirmation.c.concept == parse(concept).key)
        with self._registry.read() as connection:
            return list(connection.execute(query.distinct().order_by(confirmation.c.tag).limit(limit)).scalars())

    def retract(self, tag: str, aspect: str) -> bool:
        """Takes a confirmation back, and what was learned from it; whether there was one."""
        with self._registry.write() as connection:
            return self._unlearn(connection, tag, aspect)

    def confirmations(self, *, after: str = "", limit: int = 1000) -> list[Confirmation]:
        """What people said, by tag, after the tag ``after``."""
        query = sa.select(confirmation).where(confirmation.c.tag > after).order_by(confirmation.c.tag, confirmation.c.aspect)
        with self._registry.read() as connection:
            rows = connection.execute(query.limit(max(1, min(limit, 10_000))))
            return [_said(row) for row in rows]

    def _unlearn(self, connection: Connection, tag: str, aspect: str) -> bool:
        here = sa.and_(confirmation.c.tag == tag, confirmation.c.aspect == aspect)
        row = connection.execute(sa.select(confirmation.c.concept, confirmation.c.features).where(here)).first()
        if row is None:
            return False
        connection.execute(confirmation.delete().where(here))
        _count(connection, row.features, aspect, row.concept, -1)
        return True


def _evidence(candidate: _Candidate, parts: Parts, *, foreign_unit: bool) -> tuple[float, list[str]]:
    """``foreign_unit``: the unit is that of its role, as the percents of a controller's output, and not of its quantity."""
    found = 0.0
    reasons: list[str] = []
    texts: tuple[tuple[str, tuple[str, ...], float], ...]
    if candidate.aspect == "quantity":
        found, reasons = _by_letters(candidate, parts)
        texts = (
            ("its word", parts.words, 3.0),
            ("its end", (parts.end,), 2.0),
            ("its text", parts.texts, 2.5),
            ("its path", parts.path, 0.7),
        )
    else:
        texts = (
            ("its end", (parts.end,), 4.0),
            ("its word", parts.words, 2.0),
            ("its text", parts.texts, 1.2),
            ("its path", (), 0.0),
        )
        if candidate.key == "hulian:measured-value" and not parts.end:
            if parts.letters and parts.letters[-1] in "TIE" and len(parts.letters) > 1:
                found, reasons = 1.5, [f"{parts.letters} transmits or indicates (ISA-5.1)"]
            elif parts.unit is not None:
                found, reasons = 0.5, ["it has a unit, and nothing says otherwise"]
    for where, words, weight in texts:
        for word in words:
            if len(word) == 1 and word.isascii() and where != "its end":
                continue
            if word in candidate.words:
                found += weight
                reasons.append(f"{where} '{word}' is {candidate.entry.name('en')}")
            elif len(word) > _LONG and any(len(known) > 3 and word.endswith(known) for known in candidate.words):
                found += weight * 0.7
                reasons.append(f"{where} '{word}' ends with {candidate.entry.name('en')}")
            elif not word.isascii() and any(
                len(known) > 1 and not known.isascii() and known in word for known in candidate.words
            ):
                found += weight * 0.7
                reasons.append(f"{where} '{word}' has {candidate.entry.name('zh')}")
    joined = f" {' '.join(parts.texts)} "
    for name in candidate.names:
        if " " in name and f" {name} " in joined:
            found += 2.5
            reasons.append(f"its text says '{name}'")
    if candidate.aspect == "quantity" and not foreign_unit:
        by_unit, said = _by_unit(candidate.entry.unit, parts)
        found += by_unit
        reasons += said
    return found, reasons


def _by_letters(candidate: _Candidate, parts: Parts) -> tuple[float, list[str]]:
    """ISA-5.1: the first letter, with the modifier behind it where the quantity has one, says what is measured."""
    code = parts.letters
    if not code:
        return 0.0, []
    weight = 3.0 if parts.sure else 1.0
    weight *= 0.6 if code[0] in _FREE_LETTERS else 1.0
    both = code[:2]
    if len(code) > 1 and both in candidate.letters:
        return weight + 1.5, [f"{both} in {code} is {candidate.entry.name('en')} (ISA-5.1)"]
    if code[0] in candidate.letters:
        share = max(1, len(candidate.letters))
        return weight / (1 if share == 1 else 1.3), [f"{code[0]} in {code} is {candidate.entry.name('en')} (ISA-5.1)"]
    return 0.0, []


def _by_unit(unit: str, parts: Parts) -> tuple[float, list[str]]:
    if not unit or parts.unit is None:
        return 0.0, []
    try:
        usual = find(unit)
    except UnitError:
        return 0.0, []
    if usual.name == parts.unit.name and usual.unece == parts.unit.unece:
        weight = 0.5 if usual.name in _SHARED else 2.5 if usual.dimension else 4.0
        return weight, [f"its unit {parts.unit.title} is the usual one"]
    if parts.unit.name in _SHARED and usual.dimension:
        return -0.5, []  # a part of its range, perhaps
    if parts.unit.dimension is None or usual.dimension is None:
        return -2.0, []
    if usual.dimension != parts.unit.dimension:
        return -4.0, []
    if not usual.dimension:
        return 0.3, []  # plain numbers measure everything
    return 2.0, [f"its unit {parts.unit.title} measures the same dimension as {usual.title}"]


def _learned(aspect: str, key: str, parts: Parts, lessons: dict[str, dict[tuple[str, str], int]]) -> tuple[float, list[str]]:
    found, reasons = 0.0, []
    for feature in parts.features:
        counts = lessons.get(feature)
        if not counts:
            continue
        times = counts.get((aspect, key), 0)
        total = sum(count for (other, _), count in counts.items() if other == aspect)
        if times:
            kind, _, value = feature.partition(":")
            found += _LEARNED.get(kind, 1.0) * times / (total + 1)
            reasons.append(f"confirmed for {times} of {total} tags with {kind} '{value}'")
    return min(found, _MOST_LEARNED), reasons


def _lessons(connection: Connection, features: set[str]) -> dict[str, dict[tuple[str, str], int]]:
    found: dict[str, dict[tuple[str, str], int]] = {}
    ordered = sorted(features)
    for at in range(0, len(ordered), _PART):
        query = sa.select(lesson).where(lesson.c.feature.in_(ordered[at : at + _PART]))
        for feature, aspect, key, times in connection.execute(query):
            found.setdefault(feature, {})[(aspect, key)] = times
    return found


def _confirmed(connection: Connection, tags: Sequence[str]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for at in range(0, len(tags), _PART):
        query = sa.select(confirmation.c.tag, confirmation.c.aspect, confirmation.c.concept)
        for row in connection.execute(query.where(confirmation.c.tag.in_(tags[at : at + _PART]))):
            if row.aspect != _NONE:
                found[(row.tag, row.aspect)] = row.concept
    return found


def _said(row: Any) -> Confirmation:
    return Confirmation(row.tag, row.aspect, _identifier(row.concept) if row.concept else "", row.by, row.moment)


def _count(connection: Connection, features: Iterable[str], aspect: str, key: str, change: int) -> None:
    for feature in features:
        here = sa.and_(lesson.c.feature == feature, lesson.c.aspect == aspect, lesson.c.concept == key)
        times = connection.execute(sa.select(lesson.c.count).where(here)).scalar()
        if times is None and change > 0:
            connection.execute(lesson.insert().values(feature=feature, aspect=aspect, concept=key, count=change))
        elif times is not None and times + change > 0:
            connection.execute(lesson.update().where(here).values(count=times + change))
        elif times is not None:
            connection.execute(lesson.delete().where(here))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _identifier(key: str) -> str:
    """A key as an identifier that can be looked up again: what `concepts` leaves out of a web address is put back."""
    return "https:" + key if key.startswith("//") else key
