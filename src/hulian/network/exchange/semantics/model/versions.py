"""Versions of documents: written while they are read, in parts, and invisible until they are whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Attachment, Batch, Document, Format, Loss, Node, Reference, Source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.registry import Registry, bulk

__all__ = ["KeptContent", "Version", "clear", "drop", "mark_taken", "stage", "versions"]

MOST_NODES: Final = 20_000_000
MOST_REFERENCES: Final = 50_000_000
MOST_LOSSES: Final = 10_000
"""Kept of a document; the last one says how many there are in all."""
_LONGEST_ID: Final = 1024
_LARGEST_BODY: Final = 8 << 20
_LARGEST_ATTACHMENT: Final = 64 << 20
_PART: Final = 20_000
"""Nodes of one transaction: other writers of the registry wait for less than half a second."""
_TOP: Final = -1

_encode = msgspec.msgpack.Encoder().encode
_node = msgspec.msgpack.Decoder(Node).decode
_extra = msgspec.msgpack.Decoder(dict[str, Any]).decode
_losses = msgspec.json.Decoder(list[Loss])
_header = msgspec.json.Decoder(Document)
_raw = msgspec.json.Decoder(dict[str, Any])


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document; ``made`` is nanoseconds since 1970."""

    key: int
    document: Document
    file: str
    digest: str
    size: int
    nodes: int
    references: int
    losses: tuple[Loss, ...]
    who: str
    made: int
    current: bool
    taken: int | None = None
    """When connectors and points last took over what it says, nanoseconds since 1970; None where they never did."""


class _Marks(msgspec.Struct, omit_defaults=True):
    """What is noted of a version beside its document's header, in the same column."""

    taken: int | None = None


_marks = msgspec.json.Decoder(_Marks)


def stage(registry: Registry, form: Format, source: Source, name: str, who: str, meanings: Callable[[str], str | None]) -> int:
    """Reads a document into a version of its own, which nobody sees yet; its key.

    ``meanings`` normalises a semantic identifier, or gives None for what is none. Raises `DocumentError`; then, and when the
    process is killed, what was written is cleared by the next `clear`.
    """
    losses: list[Loss] = []
    document, batches = form.read(source, name, losses)
    digest = _digest(source)
    header = msgspec.json.encode(document)
    with registry.write() as connection:
        made = connection.execute(
            sa.insert(tables.version).values(
                document=name, complete=False, header=header, file=source.name, digest=digest, size=source.size, nodes=0,
                references=0, losses=b"[]", who=who, made=time.time_ns(),
            )
        )  # fmt: skip
        assert made.inserted_primary_key is not None  # noqa: S101 - an insert has one
        key = int(made.inserted_primary_key[0])
    intake = _Intake(registry, key, source.name, meanings)
    try:
        for batch in batches:
            intake.take(batch)
        intake.finish()
    except BaseException:
        drop(registry, key)
        raise
    shown = losses[:MOST_LOSSES]
    if len(losses) > len(shown):
        shown.append(Loss(source.name, f"{len(losses) - len(shown)} more", f"only the first {MOST_LOSSES} losses are kept"))
    # The header may have been completed while the document was read.
    values = {
        "complete": True, "header": msgspec.json.encode(document), "nodes": intake.nodes, "references": intake.references,
        "losses": msgspec.json.encode(shown),
    }  # fmt: skip
    with registry.write() as connection:
        connection.execute(sa.update(tables.version).where(tables.version.c.key == key).values(values))
    return key


def _digest(source: Source) -> bytes:
    digest = hashlib.sha256()
    with source.open() as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.digest()


class _Intake:
    """Batches to rows."""

    def __init__(self, registry: Registry, key: int, place: str, meanings: Callable[[str], str | None]) -> None:
        self._registry = registry
        self._first = key * PLACES
        self._version = key
        self._place = place
        self._meanings = meanings
        self._keys: dict[str, int] = {}
        self._orphans: list[tuple[int, str]] = []
        self._known: dict[str, str | None] = {}
        self._rows: list[list[Any]] = [[] for _ in range(8)]
        self._concepts: tuple[list[str], list[int]] = ([], [])
        self._refers: list[list[Any]] = [[] for _ in range(5)]
        self.nodes = self.references = self._attachments = 0

    def take(self, batch: Batch) -> None:
        """Raises `DocumentError` for what no model can hold."""
        self._take_nodes(batch.nodes)
        self._take_references(batch.references)
        for attachment in batch.attachments:
            self._attach(attachment)
        if len(self._rows[0]) >= _PART or len(self._refers[0]) >= _PART:
            self._write()

    def _take_nodes(self, nodes: Sequence[Node]) -> None:
        if self.nodes + len(nodes) > MOST_NODES:
            raise HostileDocumentError(f"it has more than {MOST_NODES:,} nodes", place=self._place)
        keys, ids, kinds, names, parents, types, units, bodies = self._rows
        place, known = self._first + self.nodes, self._keys
        for node in nodes:
            parent = _TOP
            if node.parent:
                parent = known.get(node.parent, _TOP)
                if parent == _TOP:
                    self._orphans.append((place, node.parent))
            if not node.id or len(node.id) > _LONGEST_ID:
                raise DocumentError(f"a node's id has 1 to {_LONGEST_ID} characters", place=f"{self._place}, {node.name[:80]}")
            if node.id in known:
                raise DocumentError("an id is there twice", place=f"{self._place}, {node.id}")
            body = _encode(node)
            if len(body) > _LARGEST_BODY:
                raise HostileDocumentError(
                    f"a node is larger than {_LARGEST_BODY >> 20} MiB", place=f"{self._place}, {node.id}"
                )
            known[node.id] = place
            keys.append(place)
            ids.append(node.id)
            kinds.append(int(node.kind))
            names.append(node.name)
            parents.append(parent)
            types.append(node.type)
            units.append(node.unit)
            bodies.append(body)
            if node.meanings:
                self._mean(node.meanings, place)
            place += 1
        self.nodes += len(nodes)

    def _mean(self, given: tuple[str, ...], place: int) -> None:
        concepts, nodes = self._concepts
        seen = set()
        for text in given:
            if text not in self._known:
                self._known[text] = self._meanings(text)
            concept = self._known[text]
            if concept is not None and concept not in seen:
                seen.add(concept)
                concepts.append(concept)
                nodes.append(place)

    def _take_references(self, references: Sequence[Reference]) -> None:
        if self.references + len(references) > MOST_REFERENCES:
            raise HostileDocumentError(f"it has more than {MOST_REFERENCES:,} references", place=self._place)
        keys, sources, relations, targets, extras = self._refers
        place = self._first + self.references
        for reference in references:
            keys.append(place)
            sources.append(reference.source)
            relations.append(reference.relation)
            targets.append(reference.target)
            extras.append(_encode(reference.extra) if reference.extra else b"")
            place += 1
        self.references += len(references)

    def _attach(self, attachment: Attachment) -> None:
        if len(attachment.content) > _LARGEST_ATTACHMENT:
            raise HostileDocumentError("a file in it is larger than 64 MiB", place=f"{self._place}, {attachment.path}")
        row = {"version": self._version, "place": self._attachments, **msgspec.structs.asdict(attachment)}
        with self._registry.write() as connection:
            connection.execute(sa.insert(tables.attachment).values(row))
        self._attachments += 1

    def finish(self) -> None:
        """Writes what is left. Parents that came later are found now; those of other documents stay at the top."""
        self._write()
        found = [{"orphan": key, "above": self._keys[parent]} for key, parent in self._orphans if parent in self._keys]
        if not found:
            return
        row = tables.node.c
        statement = sa.update(tables.node).where(row.key == sa.bindparam("orphan")).values(parent=sa.bindparam("above"))
        for begin in range(0, len(found), _PART):
            with self._registry.write() as connection:
                connection.execute(statement, found[begin : begin + _PART])

    def _write(self) -> None:
        names = ("key", "id", "kind", "name", "parent", "type", "unit", "body")
        refers = ("key", "source", "relation", "target", "extra")
        with self._registry.write() as connection:
            bulk.insert_columns(connection, tables.node, dict(zip(names, self._rows, strict=True)))
            bulk.insert_columns(connection, tables.meaning, {"concept": self._concepts[0], "node": self._concepts[1]})
            bulk.insert_columns(connection, tables.reference, dict(zip(refers, self._refers, strict=True)))
        self._rows = [[] for _ in range(8)]
        self._concepts = ([], [])
        self._refers = [[] for _ in range(5)]


def _range(column: Any, key: int) -> tuple[Any, Any]:
    return column >= key * PLACES, column < (key + 1) * PLACES


def clear(registry: Registry, *, older_than: int = 0) -> None:
    """Removes what imports that never ended have left; those begun after ``older_than`` (ns since 1970) are left alone."""
    with registry.read() as connection:
        query = sa.select(tables.version.c.key).where(~tables.version.c.complete)
        if older_than:
            query = query.where(tables.version.c.made < older_than)
        keys = [int(key) for key in connection.execute(query).scalars()]
    for key in keys:
        drop(registry, key)


def drop(registry: Registry, key: int) -> None:
    """Removes a version and all of it, in parts, the version itself last."""
    ranged = (
        (tables.meaning, tables.meaning.c.node),
        (tables.node, tables.node.c.key),
        (tables.reference, tables.reference.c.key),
    )
    for table, column in ranged:
        while True:
            with registry.write() as connection:
                part = sa.select(column).where(*_range(column, key)).order_by(column).limit(1).offset(_PART)
                end = connection.execute(part).scalar()
                bound = (key + 1) * PLACES if end is None else int(end)
                connection.execute(sa.delete(table).where(column >= key * PLACES, column < bound))
            if end is None:
                break
    with registry.write() as connection:
        connection.execute(sa.delete(tables.attachment).where(tables.attachment.c.version == key))
        connection.execute(sa.delete(tables.version).where(tables.version.c.key == key))


def mark_taken(connection: Connection, key: int) -> None:
    """Notes that connectors and points took over what this version says."""
    row = tables.version
    header = connection.execute(sa.select(row.c.header).where(row.c.key == key)).scalar_one()
    marked = msgspec.json.encode({**_raw.decode(header), "taken": time.time_ns()})
    connection.execute(sa.update(row).where(row.c.key == key).values(header=marked))


def versions(connection: Connection, *, document: str | None = None, key: int | None = None) -> list[Version]:
    """All whole versions, of one document or of all, the newest first."""
    row, current = tables.version, tables.document
    query = sa.select(row, current.c.current).outerjoin(current, current.c.current == row.c.key).where(row.c.complete)
    if document is not None:
        query = query.where(row.c.document == document)
    if key is not None:
        query = query.where(row.c.key == key)
    return [
        Version(
            key=found.key,
            document=_header.decode(found.header),
            file=found.file,
            digest=bytes(found.digest).hex(),
            size=found.size,
            nodes=found.nodes,
            references=found.references,
            losses=tuple(_losses.decode(found.losses)),
            who=found.who,
            made=found.made,
            current=found.current is not None,
            taken=_marks.decode(found.header).taken,
        )
        for found in connection.execute(query.order_by(row.c.key.desc()))
    ]


class KeptContent:
    """A version as what is written: `contract.Content`, read in parts."""

    def __init__(self, registry: Registry, version: Version) -> None:
        self._registry = registry
        self._version = version

    @property
    def document(self) -> Document:
        """As it was read."""
        return self._version.document

    def nodes(self) -> Iterator[Node]:
        """In document order."""
        for rows in self._parts(tables.node.c.key, tables.node.c.body):
            for _, body in rows:
                yield _node(body)

    def references(self) -> Iterator[Reference]:
        """In the order in which they were read."""
        row = tables.reference.c
        for rows in self._parts(row.key, row.source, row.relation, row.target, row.extra):
            for _, source, relation, target, extra in rows:
                yield Reference(source, relation, target, _extra(extra) if extra else {})

    def _parts(self, key: Any, *columns: Any) -> Iterable[Sequence[Any]]:
        after = self._version.key * PLACES - 1
        end = (self._version.key + 1) * PLACES
        while True:
            with self._registry.read() as connection:
                query = sa.select(key, *columns).where(key > after, key < end).order_by(key).limit(_PART)
                rows = connection.execute(query).all()
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    def attachments(self) -> Iterator[Attachment]:
        """One at a time."""
        row, place = tables.attachment.c, 0
        while True:
            with self._registry.read() as connection:
                query = sa.select(row.path, row.media_type, row.content)
                found = connection.execute(query.where(row.version == self._version.key, row.place == place)).one_or_none()
            if found is None:
                return
            yield Attachment(found.path, found.media_type, bytes(found.content))
            place += 1

    def node(self, identity: str) -> Node | None:
        """Of this version, or else of the current one of another document."""
        row, current = tables.node.c, tables.document.c
        with self._registry.read() as connection:
            own = sa.select(row.body).where(row.id == identity, *_range(row.key, self._version.key))
            body = connection.execute(own).scalar()
            if body is None:
                others = sa.select(row.body).where(
                    row.id == identity,
                    sa.exists().where(row.key >= current.current * PLACES, row.key < (current.current + 1) * PLACES),
                )
                body = connection.execute(others.limit(1)).scalar()
        return None if body is None else _node(bytes(body))
