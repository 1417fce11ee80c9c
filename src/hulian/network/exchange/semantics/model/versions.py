"""Versions of documents: written while they are read, in parts, and invisible until they are whole."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.apart.pieces import ATTACHMENT, END, NODES, REFERENCES, Ending
from hulian.network.exchange.semantics.apart.process import read_pieces
from hulian.network.exchange.semantics.contract import Attachment, Document, Format, Loss, Node, Reference, Source
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.intake import Intake
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.registry import Registry

__all__ = ["KeptContent", "Version", "clear", "drop", "mark_taken", "stage", "versions"]

_PART: Final = 20_000
"""Rows that are read or removed at once."""

_node = msgspec.msgpack.Decoder(Node).decode
_extra = msgspec.msgpack.Decoder(dict[str, Any]).decode
_losses = msgspec.json.Decoder(list[Loss])
_header = msgspec.json.Decoder(Document)
_raw = msgspec.json.Decoder(dict[str, Any])
_ending = msgspec.msgpack.Decoder(Ending)


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
    # Begun before anything is kept: a document that cannot be opened leaves no trace.
    stream = read_pieces(form, source, name)
    with contextlib.closing(stream):
        _, header = next(stream)
        with registry.write() as connection:
            made = connection.execute(
                sa.insert(tables.version).values(
                    document=name, complete=False, header=header, file=source.name, digest=b"", size=source.size, nodes=0,
                    references=0, losses=b"[]", who=who, made=time.time_ns(),
                )
            )  # fmt: skip
            assert made.inserted_primary_key is not None  # noqa: S101 - an insert has one
            key = int(made.inserted_primary_key[0])
        try:
            intake = Intake(registry, key, source.name, meanings)
            digest = _digest(source)
            ending = _take(stream, intake)
        except BaseException:
            drop(registry, key)
            raise
    values = {
        "complete": True, "header": msgspec.json.encode(ending.document), "nodes": intake.nodes, "digest": digest,
        "references": intake.references, "losses": msgspec.json.encode(ending.losses),
    }  # fmt: skip
    with registry.write() as connection:
        connection.execute(sa.update(tables.version).where(tables.version.c.key == key).values(values))
    return key


def _take(stream: Iterator[tuple[bytes, bytes]], intake: Intake) -> Ending:
    take = {NODES: intake.take_nodes, REFERENCES: intake.take_references, ATTACHMENT: intake.take_attachment}
    for kind, content in stream:
        if kind == END:
            break
        take[kind](content)
    intake.finish()
    return _ending.decode(content)


def _digest(source: Source) -> bytes:
    digest = hashlib.sha256()
    with source.open() as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.digest()


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
