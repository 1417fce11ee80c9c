"""The information model of an installation, kept in its registry."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Content, Format, Loss, Node, Source
from hulian.network.exchange.semantics.errors import ChangedError, ConflictError, ModelError, NoSuchNodeError, QueryError
from hulian.network.exchange.semantics.model import browse, tables
from hulian.network.exchange.semantics.model.around import Graph, around
from hulian.network.exchange.semantics.model.asking import Reply
from hulian.network.exchange.semantics.model.browse import Linked, Seen
from hulian.network.exchange.semantics.model.check import Finding, check, errors
from hulian.network.exchange.semantics.model.columns import Columns, load, load_notes
from hulian.network.exchange.semantics.model.differences import Differences, differences
from hulian.network.exchange.semantics.model.find import Answer, Meanings, Question, find
from hulian.network.exchange.semantics.model.names import (
    LabelsOfDocuments,
    Names,
    PointNode,
    PointsOfDocuments,
    at_point,
    search,
)
from hulian.network.exchange.semantics.model.notes import Note, notes_of, take
from hulian.network.exchange.semantics.model.sparql import MOST_NODES, Sparql
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.network.exchange.semantics.model.versions import KeptContent, Version, clear, drop, mark_taken, stage, versions
from hulian.registry import Registry

__all__ = ["KEPT", "Import", "Model"]

KEPT: Final = 5
"""Versions of a document that are kept, the current one among them."""
_node = msgspec.msgpack.Decoder(Node).decode


class Import(msgspec.Struct, kw_only=True):
    """A document that was read and is not part of the model yet: what it would change, and what is wrong with it."""

    version: Version
    differences: Differences
    findings: list[Finding]
    orphans: int = 0
    """Notes of people on nodes that would no longer be there; they are kept."""

    @property
    def errors(self) -> list[Finding]:
        """What keeps it out."""
        return [finding for finding in self.findings if finding.severity == "error"]


class Model:
    """Thread-safe; blocking. Every change is a transaction of the registry, and what was there before is kept."""

    def __init__(self, registry: Registry, meanings: Meanings) -> None:
        self._registry = registry
        self._meanings = meanings
        self._lock = threading.Lock()
        self._columns: Columns | None = None
        self._names: Names | None = None
        self._stated = PointsOfDocuments()
        self._labels = LabelsOfDocuments()
        self._sparql = Sparql(meanings.normal)

    def close(self) -> None:
        """Ends what answers SPARQL. The registry stays open."""
        self._sparql.close()

    # -- documents -----------------------------------------------------------------------------------------------------

    def read(self, form: Format, source: Source, name: str, who: str) -> Import:
        """Reads a document without changing the model. Raises `DocumentError`; `apply` or `discard` comes next."""
        _check_name(name)
        key = stage(self._registry, form, source, name, who, self._meanings.normal)
        return self.staged(key)

    def staged(self, key: int) -> Import:
        """What `read` found, again. Raises `ModelError` where there is no such version."""
        with self._registry.read() as connection:
            version = self._version(connection, key)
            current = _current(connection, version.document.name)
            findings = check(connection, key, version.document.name, self._meanings.known)
            orphans = _orphans(connection, version, current)
        return Import(
            version=version, differences=differences(self._registry, current, key), findings=findings, orphans=orphans
        )

    def apply(self, key: int, *, instead_of: int | None = -1) -> Version:
        """Makes a version the current one of its document. Raises `ConflictError` where it has errors.

        ``instead_of`` is the version that must be the current one until now (None: there must be none); `ChangedError` where
        it is not, so that nobody's change is lost who changed the document meanwhile. With -1 it may be any.
        """
        with self._registry.write() as connection:
            version = self._version(connection, key)
            name = version.document.name
            _expect(connection, name, instead_of)
            if wrong := errors(connection, key, name):
                raise ConflictError(
                    f"the document has {len(wrong)} errors, the first: {wrong[0].message}",
                    place=wrong[0].node,
                    hint="import it under the name of the document that it replaces, or mend it",
                )
            connection.execute(sa.delete(tables.document).where(tables.document.c.name == name))
            connection.execute(sa.insert(tables.document).values(name=name, current=key))
            _changed(connection)
            old = [one.key for one in versions(connection, document=name) if one.key != key][KEPT - 1 :]
        for one in old:
            drop(self._registry, one)
        return version

    def discard(self, key: int) -> None:
        """Forgets a version that is not current. Raises `ModelError`."""
        with self._registry.read() as connection:
            if self._version(connection, key).current:
                raise ModelError("this version is the current one", place=str(key), hint="remove the document instead")
        drop(self._registry, key)

    def remove(self, name: str, *, instead_of: int | None = -1) -> None:
        """Takes a document out of the model; its versions stay and can be applied again. Raises `ModelError`, and
        `ChangedError` as `apply`."""
        with self._registry.write() as connection:
            _expect(connection, name, instead_of)
            gone = connection.execute(sa.delete(tables.document).where(tables.document.c.name == name))
            if not gone.rowcount:
                raise ModelError("there is no such document", place=name, hint=_known(connection))
            _changed(connection)

    def clear(self, older_than: int) -> None:
        """Removes what imports that were killed have left; ``older_than`` is nanoseconds since 1970."""
        clear(self._registry, older_than=older_than)

    def documents(self) -> list[Version]:
        """The current version of each document, by name."""
        with self._registry.read() as connection:
            found = [one for one in versions(connection) if one.current]
        return sorted(found, key=lambda version: version.document.name)

    def history(self, name: str) -> list[Version]:
        """All versions of a document that are kept, the newest first."""
        with self._registry.read() as connection:
            return versions(connection, document=name)

    def differences(self, old: int | None, new: int) -> Differences:
        """From one version to another."""
        return differences(self._registry, old, new)

    def mark_taken(self, key: int) -> None:
        """Notes that connectors and points took over what a version says: ``Version.taken``. Raises `ModelError`."""
        with self._registry.write() as connection:
            self._version(connection, key)
            mark_taken(connection, key)

    def content(self, name: str, key: int | None = None) -> Content:
        """A version of a document, to be written; the current one where none is named. Raises `ModelError`."""
        with self._registry.read() as connection:
            current = _current(connection, name) if key is None else key
            if current is None:
                raise ModelError("there is no such document", place=name, hint=_known(connection))
            return KeptContent(self._registry, self._version(connection, current))

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def node(self, identity: str) -> tuple[Node, list[Note]]:
        """A node of the current model, and what people noted on it. Raises `NoSuchNodeError`."""
        with self._registry.read() as connection:
            body = _body(connection, identity)
            if body is None:
                raise NoSuchNodeError("no document has a node of this id", place=identity)
            return _node(body), notes_of(connection, node=identity)

    def note(self, notes: Sequence[Note]) -> None:
        """Keeps what somebody says of nodes, all or none. Raises `NoSuchNodeError`, `ModelError`."""
        with self._registry.write() as connection:
            given = list(dict.fromkeys(note.node for note in notes if note.value))
            there = browse.standing(connection, given)
            if missing := next((node for node in given if node not in there), None):
                raise NoSuchNodeError("no document has a node of this id", place=missing)
            take(connection, [self._normal(note) for note in notes])
            _changed(connection)

    def _normal(self, note: Note) -> Note:
        if note.field != "meaning" or not note.value:
            return note
        normal = self._meanings.normal(note.value)
        if normal is None:
            raise ModelError(f"'{note.value}' identifies no concept", place=note.node, hint="an IRDI or a URI")
        return msgspec.structs.replace(note, value=normal)

    def notes(self, field: str | None = None) -> list[Note]:
        """All that people noted, or all of one field."""
        with self._registry.read() as connection:
            return notes_of(connection, field=field)

    def find(self, question: Question) -> Answer:
        """Raises `QueryError`."""
        columns = self.columns()
        with self._registry.read() as connection:
            return find(connection, columns, question, self._meanings)

    def sparql(self, text: str, *, documents: Sequence[str] = (), rows: int = 1_000, seconds: float = 10.0) -> Reply:
        """A question in SPARQL over some documents, or all; see `triples` for the terms. Raises `QueryError`, `ModelError`."""
        chosen = [one for one in self.documents() if not documents or one.document.name in documents]
        if missing := set(documents) - {one.document.name for one in chosen}:
            raise QueryError(f"there is no document '{min(missing)}'", place="documents")
        if (nodes := sum(one.nodes for one in chosen)) > MOST_NODES:
            raise QueryError(
                f"{nodes:,} nodes are more than the {MOST_NODES:,} that SPARQL is asked over",
                place="documents",
                hint="name some documents, or ask by meaning",
            )
        contents = [KeptContent(self._registry, one) for one in chosen]
        return self._sparql.ask(text, contents, tuple(one.key for one in chosen), rows=rows, seconds=seconds)

    def columns(self) -> Columns:
        """The shape of the model as it is now; made anew after a change of a document."""
        with self._registry.read() as connection:
            revision = _revision(connection)
            with self._lock:
                if self._columns is None or self._columns.revision != revision:
                    self._columns = load(connection, self._columns)
                    load_notes(connection, self._columns, revision)
                return self._columns

    # -- looked at node by node ----------------------------------------------------------------------------------------

    def children(self, parent: str, *, document: str = "", after: int = -1, limit: int = 100) -> list[Seen]:
        """What stands under a node, or at the top (of one ``document``). Raises `NoSuchNodeError`, `QueryError`."""
        with self._registry.read() as connection:
            return browse.children(connection, parent, document=document, after=after, limit=limit)

    def seen(self, identity: str) -> Seen:
        """A node with what people noted and where it is from. Raises `NoSuchNodeError`."""
        with self._registry.read() as connection:
            return browse.seen(connection, identity)

    def known(self, identities: Iterable[str]) -> dict[str, Seen]:
        """Those of the nodes that there are."""
        with self._registry.read() as connection:
            return browse.known(connection, identities)

    def way_down(self, one: Seen) -> list[Seen]:
        """The nodes over one, the top first."""
        with self._registry.read() as connection:
            return browse.way_down(connection, one.place)

    def type_chain(self, node: Node) -> list[Linked]:
        """Its type, and the more general ones above that."""
        with self._registry.read() as connection:
            return browse.type_chain(connection, node)

    def references(self, identity: str, *, out: bool, after: int = -1, limit: int = 100) -> list[Linked]:
        """What a node refers to, or what refers to it. Raises `QueryError`."""
        with self._registry.read() as connection:
            return browse.references(connection, identity, out=out, after=after, limit=limit)

    def losses_of(self, one: Seen) -> list[Loss]:
        """What the reading of its document said of a node."""
        with self._registry.read() as connection:
            return browse.losses_of(connection, one)

    def around(self, identity: str, *, depth: int = 1, limit: int = 60) -> Graph:
        """A node and what is next to it. Raises `NoSuchNodeError`, `QueryError`."""
        with self._registry.read() as connection:
            return around(connection, identity, depth=depth, limit=limit)

    def at_point(self, point: str) -> list[Seen]:
        """The nodes that a live point is."""
        with self._registry.read() as connection:
            return at_point(connection, self._stated, point)

    def points_stated(self, versions: Iterable[int]) -> Mapping[int, Mapping[str, Sequence[PointNode]]]:
        """By version and by the name of a point, the nodes that documents say to be live points; notes do not count here."""
        with self._registry.read() as connection:
            return self._stated.of(connection, versions)

    def search(self, text: str, *, limit: int = 50) -> tuple[int, list[Seen]]:
        """How many nodes have ``text`` in their name, and the best of them. Raises `QueryError`."""
        columns = self.columns()
        with self._registry.read() as connection:
            names = self._names
            if names is None or names.columns is not columns:
                names = self._names = Names(columns, self._labels.of(connection, columns.versions))
            return search(connection, names, text, limit=limit)

    def _version(self, connection: Connection, key: int) -> Version:
        found = versions(connection, key=key)
        if not found:
            raise ModelError("there is no such version", place=str(key))
        return found[0]


def _check_name(name: str) -> None:
    if not name or len(name) > 100 or not all(character.isalnum() or character in "-_. " for character in name):
        raise ModelError(
            "a document's name has 1 to 100 letters, digits, '-', '_', '.' and spaces",
            place=name,
            hint="choose one with --name",
        )


def _current(connection: Connection, name: str) -> int | None:
    found = connection.execute(sa.select(tables.document.c.current).where(tables.document.c.name == name)).scalar()
    return None if found is None else int(found)


def _body(connection: Connection, identity: str) -> bytes | None:
    row, document = tables.node.c, tables.document.c
    current = sa.exists().where(row.key >= document.current * PLACES, row.key < (document.current + 1) * PLACES)
    found = connection.execute(sa.select(row.body).where(row.id == identity, current).limit(1)).scalar()
    return None if found is None else bytes(found)


def _expect(connection: Connection, name: str, instead_of: int | None) -> None:
    if instead_of != -1 and _current(connection, name) != instead_of:
        raise ChangedError(
            "somebody else changed the document meanwhile", place=name, hint="look at it as it is now, and change that"
        )


def _known(connection: Connection) -> str:
    names = connection.execute(sa.select(tables.document.c.name).order_by(tables.document.c.name).limit(20)).scalars().all()
    return f"there are: {', '.join(names)}" if names else "import one with 'hulian model import'"


def _orphans(connection: Connection, version: Version, current: int | None) -> int:
    if current is None:
        return 0
    note, old, new = tables.note.c, tables.node.alias("old"), tables.node.alias("new")

    def within(column: sa.ColumnElement[int], key: int) -> sa.ColumnElement[bool]:
        return sa.and_(column >= key * PLACES, column < (key + 1) * PLACES)

    was = sa.exists().where(old.c.id == note.node, within(old.c.key, current))
    is_there = sa.exists().where(new.c.id == note.node, within(new.c.key, version.key))
    return int(connection.execute(sa.select(sa.func.count()).select_from(tables.note).where(was, ~is_there)).scalar() or 0)


def _revision(connection: Connection) -> int:
    return int(connection.execute(sa.select(tables.state.c.revision)).scalar() or 0)


def _changed(connection: Connection) -> None:
    if not connection.execute(sa.update(tables.state).values(revision=tables.state.c.revision + 1)).rowcount:
        connection.execute(sa.insert(tables.state).values(one=1, revision=1))
