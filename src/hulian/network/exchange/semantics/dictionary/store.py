"""Dictionaries in the registry: releases, what differs between them, and their concepts by identifier, words and relation."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.concepts import key_of, parse
from hulian.network.exchange.semantics.dictionary import words
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header, Kind, Link
from hulian.network.exchange.semantics.dictionary.errors import (
    DictionaryTakenError,
    NoSuchConceptError,
    NoSuchDictionaryError,
)
from hulian.network.exchange.semantics.dictionary.records import Change, Difference, Found, Release, Shelved, Taken
from hulian.network.exchange.semantics.dictionary.tables import concept, dictionary, link, release
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.registry import Registry, bulk

__all__ = ["Dictionaries"]

_BATCH: Final = 500
_WRITTEN: Final = 2000
"""Entries of one transaction: some tenths of a second, so that other writers of the registry do not wait long."""
_MOST_ENTRIES: Final = 2_000_000
_LARGEST_ENTRY: Final = 1 << 20
_MOST_FOUND: Final = 1000
_DEEPEST: Final = 100
_NAME: Final = 100
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Entry)


class Dictionaries:
    """All dictionaries of a registry. Thread-safe; every method is one transaction, but for `take`."""

    def __init__(self, registry: Registry, clock: Callable[[], int] = time.time_ns) -> None:
        self._registry = registry
        self._clock = clock

    # ------------------------------------------------------------ taking

    def take(self, header: Header, entries: Iterable[Entry], *, by: str = "") -> Taken:
        """Makes ``entries`` the next release of ``header.name``: what differs is written, what is missing ends.

        It is written in short transactions and seen at once, at the end. Where the writing ends early (an error, a crash), the
        release before stays, and the next one clears what is left. Raises `DocumentError` for an entry that is none, with its
        identifier, `HostileDocumentError` beyond the bounds, `DictionaryTakenError` where somebody else takes the same one.
        """
        if not header.name or len(header.name) > _NAME or not header.name.replace("-", "").replace("_", "").isalnum():
            raise DocumentError(
                f"'{header.name[:100]}' is no name of a dictionary",
                place="name",
                hint="letters, digits, - and _: eclass, cdd-61987",
            )
        ours = secrets.token_hex(8)
        current = self._begin(header, ours)
        with self._registry.read() as connection:
            rows = connection.execute(
                sa.select(concept.c.key, concept.c.identity, concept.c.digest).where(
                    concept.c.dictionary == header.name, concept.c.last.is_(None)
                )
            )
            known = {row.key: (row.identity, row.digest) for row in rows}
        taken = Taken(release=current + 1)
        seen: set[str] = set()
        fresh: list[tuple[str, Entry, bytes, bytes]] = []
        ended: list[int] = []
        for entry in entries:
            key, digest, data = _packed(entry)
            if key in seen:
                if len(taken.repeated) < 100:
                    taken.repeated.append(entry.identifier)
                continue
            seen.add(key)
            if len(seen) > _MOST_ENTRIES:
                raise HostileDocumentError(f"it has more than {_MOST_ENTRIES} entries", place=header.name)
            before = known.get(key)
            if before is not None and before[1] == digest:
                taken.unchanged += 1
                continue
            if before is not None:
                ended.append(before[0])
                taken.changed += 1
            else:
                taken.added += 1
            fresh.append((key, entry, digest, data))
            if len(fresh) >= _WRITTEN:
                self._write(header.name, ours, current + 1, fresh, ended)
                fresh, ended = [], []
        ended += [identity for key, (identity, _) in known.items() if key not in seen]
        taken.removed = sum(1 for key in known if key not in seen)
        self._write(header.name, ours, current + 1, fresh, ended)
        self._end(header, ours, taken, len(seen), by)
        return taken

    def _begin(self, header: Header, ours: str) -> int:
        with self._registry.write() as connection:
            row = connection.execute(sa.select(dictionary.c.current).where(dictionary.c.name == header.name)).first()
            if row is None:
                connection.execute(
                    dictionary.insert().values(
                        name=header.name, title="", publisher="", licence="", format="", current=0, taking=ours
                    )
                )
                return 0
            connection.execute(dictionary.update().where(dictionary.c.name == header.name).values(taking=ours))
            current: int = row.current
            self._clear(connection, header.name, current)
            return current

    def _clear(self, connection: Connection, name: str, current: int) -> None:
        """Takes away what a release wrote that never became the current one."""
        left = sa.select(concept.c.identity).where(concept.c.dictionary == name, concept.c.first > current)
        _forget(connection, left)
        connection.execute(concept.update().where(concept.c.dictionary == name, concept.c.last > current).values(last=None))

    def _write(
        self,
        name: str,
        ours: str,
        number: int,
        fresh: Sequence[tuple[str, Entry, bytes, bytes]],
        ended: Sequence[int],
    ) -> None:
        with self._registry.write() as connection:
            _still(connection, name, ours)
            for at in range(0, len(ended), _BATCH):
                part = concept.c.identity.in_(ended[at : at + _BATCH])
                connection.execute(concept.update().where(part).values(last=number))
            if not fresh:
                return
            identity = connection.execute(sa.select(sa.func.max(concept.c.identity))).scalar() or 0
            rows, links = [], []
            learned = []
            for key, entry, digest, data in fresh:
                identity += 1
                rows.append(
                    {
                        "identity": identity, "dictionary": name, "key": key, "version": parse(entry.identifier).version,
                        "first": number, "last": None, "kind": int(entry.kind), "digest": digest, "data": data,
                    }
                )  # fmt: skip
                links += [
                    {"identity": identity, "link": int(kind), "position": at, "target": key_of(target)}
                    for at, (kind, target) in enumerate(entry.links())
                ]
                learned.append((identity, entry))
            bulk.insert(connection, concept, rows)
            bulk.insert(connection, link, links)
            words.learn(connection, learned)

    def _end(self, header: Header, ours: str, taken: Taken, total: int, by: str) -> None:
        with self._registry.write() as connection:
            _still(connection, header.name, ours)
            described = {name: getattr(header, name) for name in ("title", "publisher", "licence", "format")}
            before = connection.execute(
                sa.select(release.c.label).where(release.c.dictionary == header.name, release.c.release == taken.release - 1)
            ).scalar()
            same = not (taken.added or taken.changed or taken.removed) and before == header.label
            if same:
                taken.release -= 1
            connection.execute(
                dictionary.update()
                .where(dictionary.c.name == header.name)
                .values(current=taken.release, taking="", **described)
            )
            if not same:
                connection.execute(
                    release.insert().values(
                        dictionary=header.name, release=taken.release, label=header.label, taken=self._clock(), by=by,
                        added=taken.added, changed=taken.changed, removed=taken.removed, total=total,
                    )
                )  # fmt: skip

    def remove(self, name: str) -> None:
        """Takes a dictionary away, with all its releases. Raises `NoSuchDictionaryError`."""
        with self._registry.write() as connection:
            _current(connection, name)
            _forget(connection, sa.select(concept.c.identity).where(concept.c.dictionary == name))
            connection.execute(release.delete().where(release.c.dictionary == name))
            connection.execute(dictionary.delete().where(dictionary.c.name == name))

    # ------------------------------------------------------------ what there is

    def shelf(self) -> list[Shelved]:
        """The dictionaries that are here."""
        query = (
            sa.select(dictionary, release.c.label, release.c.total)
            .join(release, sa.and_(release.c.dictionary == dictionary.c.name, release.c.release == dictionary.c.current))
            .order_by(dictionary.c.name)
        )
        with self._registry.read() as connection:
            return [
                Shelved(row.name, row.title, row.publisher, row.licence, row.format, row.current, row.label, row.total)
                for row in connection.execute(query)
            ]

    def releases(self, name: str) -> list[Release]:
        """The releases of a dictionary, the newest first. Raises `NoSuchDictionaryError`."""
        with self._registry.read() as connection:
            _current(connection, name)
            query = sa.select(release).where(release.c.dictionary == name).order_by(release.c.release.desc())
            return [Release(*row[1:]) for row in connection.execute(query)]

    def difference(self, name: str, older: int, newer: int | None = None) -> Difference:
        """What differs between two releases; ``newer`` is the current one where it is not said. Release 0 is empty.

        Raises `NoSuchDictionaryError` where there is no such release.
        """
        with self._registry.read() as connection:
            current = _current(connection, name)
            newer = current if newer is None else newer
            for number in (older, newer):
                if not 0 <= number <= current:
                    raise NoSuchDictionaryError(
                        f"it has no release {number}", place=name, hint=f"its releases are 1 to {current}"
                    )
            low, high = min(older, newer), max(older, newer)
            moved = sa.or_(
                sa.and_(concept.c.first > low, concept.c.first <= high), sa.and_(concept.c.last > low, concept.c.last <= high)
            )
            query = sa.select(concept.c.key, concept.c.first, concept.c.last, concept.c.data).where(
                concept.c.dictionary == name, moved
            )
            before: dict[str, bytes] = {}
            after: dict[str, bytes] = {}
            for row in connection.execute(query.order_by(concept.c.key)):
                for number, side in ((older, before), (newer, after)):
                    if row.first <= number and (row.last is None or row.last > number):
                        side[row.key] = row.data
        result = Difference()
        for key in sorted(before.keys() | after.keys()):
            if key not in before:
                result.added.append(_DECODER.decode(after[key]))
            elif key not in after:
                result.removed.append(_DECODER.decode(before[key]))
            elif before[key] != after[key]:
                result.changed.append(_change(key, _DECODER.decode(before[key]), _DECODER.decode(after[key])))
        return result

    # ------------------------------------------------------------ concepts

    def get(self, identifier: str, name: str = "") -> Found:
        """The concept, in whatever edition is current; of dictionary ``name`` where it is said.

        Raises `ConceptError` where the text is no identifier, `NoSuchConceptError` where no dictionary has it.
        """
        wanted = parse(identifier)
        with self._registry.read() as connection:
            found = _current_of(connection, [wanted.key], name)
        if not found:
            raise NoSuchConceptError("no dictionary here has this concept", place=str(wanted))
        return next((item for item in found if item.entry.concept.version == wanted.version), found[0])

    def find(
        self,
        text: str,
        *,
        kinds: Sequence[Kind] = (),
        name: str = "",
        limit: int = 50,
        all_words: bool = True,
    ) -> list[Found]:
        """Concepts in which every word of ``text`` occurs, the best first; without ``all_words`` those with any of them."""
        asked = words.query(text)
        if not asked:
            return []
        limit = max(1, min(limit, _MOST_FOUND))
        with self._registry.read() as connection:
            matching = words.ranked(connection, asked, all_of_them=all_words)
            conditions = [concept.c.kind.in_([int(kind) for kind in kinds])] if kinds else []
            best = (
                _visible(sa.select(concept.c.identity, matching.c.score), name)
                .join(matching, matching.c.identity == concept.c.identity)
                .where(*conditions)
                .order_by(matching.c.score.desc(), concept.c.key, concept.c.dictionary)
                .limit(max(limit, 200))
                .subquery("best")  # without their data: a common word is in very many
            )
            query = (
                sa.select(concept.c.data, concept.c.dictionary, concept.c.first, best.c.score)
                .join(best, best.c.identity == concept.c.identity)
                .order_by(best.c.score.desc(), concept.c.key, concept.c.dictionary)
            )
            found = [
                Found(_DECODER.decode(row.data), row.dictionary, row.first, float(row.score))
                for row in connection.execute(query)
            ]
        whole = words.folded(text).strip()
        found.sort(key=lambda item: (whole not in map(words.folded, _all_names(item.entry)), item.entry.deprecated))
        return found[:limit]

    def entries(self, name: str, *, kind: Kind | None = None, after: str = "", limit: int = 200) -> list[Found]:
        """A page of a dictionary's concepts by key, after the key ``after``."""
        query = _visible(sa.select(concept.c.data, concept.c.dictionary, concept.c.first), name).where(concept.c.key > after)
        if kind is not None:
            query = query.where(concept.c.kind == int(kind))
        query = query.order_by(concept.c.key).limit(max(1, min(limit, _MOST_FOUND)))
        with self._registry.read() as connection:
            _current(connection, name)
            return [Found(_DECODER.decode(row.data), row.dictionary, row.first) for row in connection.execute(query)]

    # ------------------------------------------------------------ relations

    def roots(self, name: str, *, kinds: Sequence[Kind] = (Kind.CLASS,), limit: int = 1000) -> list[Found]:
        """The concepts of a dictionary that stand under no other, by kind and key. Raises `NoSuchDictionaryError`."""
        above = sa.exists().where(link.c.identity == concept.c.identity, link.c.link == int(Link.PARENT))
        query = (
            _visible(sa.select(concept.c.data, concept.c.dictionary, concept.c.first), name)
            .where(concept.c.kind.in_([int(kind) for kind in kinds]), ~above)
            .order_by(concept.c.kind, concept.c.key)
            .limit(max(1, min(limit, _MOST_FOUND)))
        )
        with self._registry.read() as connection:
            _current(connection, name)
            return [Found(_DECODER.decode(row.data), row.dictionary, row.first) for row in connection.execute(query)]

    def below(self, keys: Sequence[str], name: str = "") -> dict[str, int]:
        """How many concepts stand directly under each of some, by key; those with none are missing."""
        found: dict[str, int] = {}
        with self._registry.read() as connection:
            for at in range(0, len(keys), _BATCH):
                query = (
                    _visible(sa.select(link.c.target, sa.func.count()).select_from(concept), name)
                    .join(link, link.c.identity == concept.c.identity)
                    .where(link.c.target.in_(keys[at : at + _BATCH]), link.c.link == int(Link.PARENT))
                    .group_by(link.c.target)
                )
                found.update({row[0]: int(row[1]) for row in connection.execute(query)})
        return found

    def ancestors(self, identifier: str, name: str = "") -> list[Found]:
        """A class and those from which it inherits, the nearest first: at most 100, and each once."""
        found: list[Found] = []
        seen: set[str] = set()
        key = parse(identifier).key
        with self._registry.read() as connection:
            while key and key not in seen and len(found) < _DEEPEST:
                seen.add(key)
                here = _current_of(connection, [key], name)
                if not here:
                    break
                found.append(here[0])
                name = name or here[0].dictionary
                key = key_of(here[0].entry.parent) if here[0].entry.parent else ""
        return found

    def properties_of(self, identifier: str, *, inherited: bool = True, name: str = "") -> list[Found]:
        """The properties of a class, its own first; each says the class it is from. Raises `NoSuchConceptError`."""
        chain = self.ancestors(identifier, name)
        if not chain:
            raise NoSuchConceptError("no dictionary here has this class", place=identifier)
        result: list[Found] = []
        seen: set[str] = set()
        for owner in chain if inherited else chain[:1]:
            keys = [key for key in map(key_of, owner.entry.properties) if key not in seen]
            seen.update(keys)
            with self._registry.read() as connection:
                by_key = {item.entry.concept.key: item for item in reversed(_current_of(connection, keys, name))}
            for key in keys:
                if key in by_key:
                    by_key[key].via = owner.entry.identifier
                    result.append(by_key[key])
        return result

    def values_of(self, identifier: str, name: str = "") -> list[Found]:
        """The values that a property, or a value list, allows, in their order."""
        entry = self.get(identifier, name).entry
        if entry.value_list:
            entry = self.get(entry.value_list, name).entry
        keys = list(map(key_of, entry.values))
        with self._registry.read() as connection:
            by_key = {item.entry.concept.key: item for item in reversed(_current_of(connection, keys, name))}
        return [by_key[key] for key in keys if key in by_key]

    def referring(self, identifier: str, relation: Link, *, name: str = "", limit: int = 1000) -> list[Found]:
        """The concepts that refer to one: classes of a property (`Link.PROPERTY`), subclasses (`Link.PARENT`), and so on."""
        query = (
            _visible(sa.select(concept.c.data, concept.c.dictionary, concept.c.first), name)
            .join(link, link.c.identity == concept.c.identity)
            .where(link.c.target == parse(identifier).key, link.c.link == int(relation))
            .order_by(concept.c.key, concept.c.dictionary)
            .limit(max(1, min(limit, _MOST_FOUND)))
        )
        with self._registry.read() as connection:
            return [Found(_DECODER.decode(row.data), row.dictionary, row.first) for row in connection.execute(query)]

    def classes_of(self, identifier: str, *, below: bool = False, name: str = "", limit: int = 1000) -> list[Found]:
        """The classes that have a property; with ``below`` also those that inherit it, at most ``limit``."""
        found = self.referring(identifier, Link.PROPERTY, name=name, limit=limit)
        if not below:
            return found
        seen = {item.entry.concept.key for item in found}
        at = 0
        while at < len(found) < limit:
            for item in self.referring(found[at].entry.identifier, Link.PARENT, name=name, limit=limit):
                if item.entry.concept.key not in seen and len(found) < limit:
                    seen.add(item.entry.concept.key)
                    found.append(item)
            at += 1
        return found


def _packed(entry: Entry) -> tuple[str, bytes, bytes]:
    key = parse(entry.identifier, place="identifier of an entry").key
    data = _ENCODER.encode(entry)
    if len(data) > _LARGEST_ENTRY:
        raise HostileDocumentError(f"an entry has more than {_LARGEST_ENTRY >> 20} MiB", place=entry.identifier)
    return key, blake2b(data, digest_size=16).digest(), data


def _still(connection: Connection, name: str, ours: str) -> None:
    taking = connection.execute(sa.select(dictionary.c.taking).where(dictionary.c.name == name)).scalar()
    if taking != ours:
        raise DictionaryTakenError("it is being taken by somebody else", place=name)


def _forget(connection: Connection, identities: sa.Select[tuple[int]]) -> None:
    words.forget(connection, identities)
    connection.execute(link.delete().where(link.c.identity.in_(identities)))
    connection.execute(concept.delete().where(concept.c.identity.in_(identities)))


def _current(connection: Connection, name: str) -> int:
    current = connection.execute(sa.select(dictionary.c.current).where(dictionary.c.name == name)).scalar()
    if not current:
        known = connection.execute(sa.select(dictionary.c.name).where(dictionary.c.current > 0).limit(10)).scalars().all()
        hint = f"there are: {', '.join(known)}" if known else "import one first"
        raise NoSuchDictionaryError("there is no such dictionary", place=name, hint=hint)
    return int(current)


def _visible(query: sa.Select[Any], name: str) -> sa.Select[Any]:
    """``query`` over concepts, for those of the current release of each dictionary, or of one."""
    query = query.join(dictionary, dictionary.c.name == concept.c.dictionary).where(
        concept.c.first <= dictionary.c.current,
        sa.or_(concept.c.last.is_(None), concept.c.last > dictionary.c.current),
    )
    return query.where(concept.c.dictionary == name) if name else query


def _current_of(connection: Connection, keys: Sequence[str], name: str) -> list[Found]:
    found: list[Found] = []
    for at in range(0, len(keys), _BATCH):
        query = _visible(sa.select(concept.c.data, concept.c.dictionary, concept.c.first), name)
        query = query.where(concept.c.key.in_(keys[at : at + _BATCH])).order_by(concept.c.dictionary)
        found += [Found(_DECODER.decode(row.data), row.dictionary, row.first) for row in connection.execute(query)]
    return found


def _change(key: str, older: Entry, newer: Entry) -> Change:
    fields = {
        name: (getattr(older, name), getattr(newer, name))
        for name in Entry.__struct_fields__
        if getattr(older, name) != getattr(newer, name)
    }
    return Change(key, older, newer, fields)


def _all_names(entry: Entry) -> Iterator[str]:
    yield from entry.names.values()
    yield from entry.short_names.values()
    for synonyms in entry.synonyms.values():
        yield from synonyms
