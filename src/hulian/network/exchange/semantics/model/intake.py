"""Pieces of a document to rows of the registry: the hot path of every import.

Nodes come encoded and are kept so: of each only what has a column or is looked up is decoded (`_Head`). Work is done for a
batch at a time where C does it, and for one node only where it must be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from hulian.network.exchange.semantics.contract import Attachment
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.registry import Registry, bulk

__all__ = ["Intake"]

MOST_NODES: Final = 20_000_000
MOST_REFERENCES: Final = 50_000_000
_LONGEST_ID: Final = 1024
_LARGEST_BODY: Final = 8 << 20
_LARGEST_ATTACHMENT: Final = 64 << 20
_PART: Final = 4_096
"""Nodes of one transaction, some 40 ms: other writers of the registry wait no longer, and a reader on the other side of a pipe
goes on meanwhile, because the pipe holds about as much."""
_LARGEST_PART: Final = 16 << 20
"""Bytes of the nodes of one transaction, or one batch."""
_CHECKPOINT: Final = 8_192
"""Pages of 4 KiB in SQLite's write-ahead log before it is folded in. That waits for the disk, as no commit does; with the usual
thousand pages it would come after every second part."""
_TOP: Final = -1


class _Head(msgspec.Struct, gc=False):
    """The fields of `contract.Node` that have columns of their own."""

    id: str
    kind: int
    name: str
    parent: str = ""
    type: str = ""
    unit: str = ""
    meanings: tuple[str, ...] = ()


class _Refers(msgspec.Struct, gc=False):
    """`contract.Reference`, with what only the format knows as it is kept."""

    source: str
    relation: str
    target: str
    extra: msgspec.Raw = msgspec.Raw(b"")


_heads = msgspec.msgpack.Decoder(list[_Head]).decode
_bodies = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_refers = msgspec.msgpack.Decoder(list[_Refers]).decode
_attachment = msgspec.msgpack.Decoder(Attachment).decode


class Intake:
    """Takes the pieces of one version; `finish` ends it. Raises `DocumentError` for what no model can hold."""

    def __init__(self, registry: Registry, key: int, place: str, meanings: Callable[[str], str | None]) -> None:
        """``key`` is the version's, ``place`` the document's name in errors; ``meanings`` normalises identifiers."""
        self._registry = registry
        self._first = key * PLACES
        self._version = key
        self._place = place
        self._meanings = meanings
        self._keys: dict[str, int] = {}
        self._orphans: list[tuple[int, str]] = []
        self._known: dict[str, str | None] = {}
        self._begin()
        self.nodes = self.references = self._attachments = 0

    def _begin(self) -> None:
        self._rows: list[list[Any]] = [[] for _ in range(8)]
        self._concepts: tuple[list[str], list[int]] = ([], [])
        self._refer: list[list[Any]] = [[] for _ in range(5)]
        self._bytes = 0

    def take_nodes(self, encoded: bytes) -> None:
        """A list of nodes."""
        heads = _heads(encoded)
        bodies = [bytes(body) for body in _bodies(encoded)]
        first, count = self._first + self.nodes, len(heads)
        if self.nodes + count > MOST_NODES:
            raise HostileDocumentError(f"it has more than {MOST_NODES:,} nodes", place=self._place)
        identities = [head.id for head in heads]
        self._check(heads, identities, bodies)
        known = self._keys
        before = len(known)
        # The numbers are made once: the table of ids and the rows hold the same objects.
        keys = list(range(first, first + count))
        known.update(zip(identities, keys, strict=True))
        if len(known) != before + count:
            raise DocumentError("an id is there twice", place=f"{self._place}, {self._twice(identities, first)}")
        parents = [known.get(head.parent, _TOP) if head.parent else _TOP for head in heads]
        if _TOP in parents:
            self._orphans += [
                (key, head.parent)
                for key, parent, head in zip(keys, parents, heads, strict=True)
                if parent == _TOP and head.parent
            ]
        for key, head in zip(keys, heads, strict=True):
            if head.meanings:
                self._mean(head.meanings, key)
        columns: tuple[Sequence[Any], ...] = (
            keys, identities, [head.kind for head in heads], [head.name for head in heads], parents,
            [head.type for head in heads], [head.unit for head in heads], bodies,
        )  # fmt: skip
        for column, more in zip(self._rows, columns, strict=True):
            column += more
        self.nodes += count
        self._bytes += len(encoded)
        self._write_if_full()

    def _check(self, heads: Sequence[_Head], identities: Sequence[str], bodies: Sequence[bytes]) -> None:
        if not all(identities) or max(map(len, identities)) > _LONGEST_ID:
            name = next(head.name for head in heads if not 0 < len(head.id) <= _LONGEST_ID)
            raise DocumentError(f"a node's id has 1 to {_LONGEST_ID} characters", place=f"{self._place}, {name[:80]}")
        if max(map(len, bodies)) > _LARGEST_BODY:
            identity = next(head.id for head, body in zip(heads, bodies, strict=True) if len(body) > _LARGEST_BODY)
            raise HostileDocumentError(f"a node is larger than {_LARGEST_BODY >> 20} MiB", place=f"{self._place}, {identity}")

    def _twice(self, identities: Sequence[str], first: int) -> str:
        """The id that made the table grow by less than the batch: its place there is no longer the one that it came with."""
        seen: set[str] = set()
        for identity in identities:
            if identity in seen or self._keys[identity] < first:
                return identity
            seen.add(identity)
        return ""

    def _mean(self, given: tuple[str, ...], key: int) -> None:
        concepts, nodes = self._concepts
        seen = set()
        for text in given:
            if text not in self._known:
                self._known[text] = self._meanings(text)
            concept = self._known[text]
            if concept is not None and concept not in seen:
                seen.add(concept)
                concepts.append(concept)
                nodes.append(key)

    def take_references(self, encoded: bytes) -> None:
        """A list of references."""
        found = _refers(encoded)
        first, count = self._first + self.references, len(found)
        if self.references + count > MOST_REFERENCES:
            raise HostileDocumentError(f"it has more than {MOST_REFERENCES:,} references", place=self._place)
        columns: tuple[Sequence[Any], ...] = (
            range(first, first + count), [one.source for one in found], [one.relation for one in found],
            [one.target for one in found], [bytes(one.extra) for one in found],
        )  # fmt: skip
        for column, more in zip(self._refer, columns, strict=True):
            column += more
        self.references += count
        self._bytes += len(encoded)
        self._write_if_full()

    def take_attachment(self, encoded: bytes) -> None:
        """A file."""
        attachment = _attachment(encoded)
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
        row = tables.node.c
        statement = sa.update(tables.node).where(row.key == sa.bindparam("orphan")).values(parent=sa.bindparam("above"))
        for begin in range(0, len(found), _PART):
            with self._registry.write() as connection:
                connection.execute(statement, found[begin : begin + _PART])

    def _write_if_full(self) -> None:
        if len(self._rows[0]) >= _PART or len(self._refer[0]) >= _PART or self._bytes >= _LARGEST_PART:
            self._write()

    def _write(self) -> None:
        names = ("key", "id", "kind", "name", "parent", "type", "unit", "body")
        refers = ("key", "source", "relation", "target", "extra")
        with self._registry.write() as connection:
            if self._registry.dialect == "sqlite":
                connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
            bulk.insert_columns(connection, tables.node, dict(zip(names, self._rows, strict=True)))
            bulk.insert_columns(connection, tables.meaning, {"concept": self._concepts[0], "node": self._concepts[1]})
            bulk.insert_columns(connection, tables.reference, dict(zip(refers, self._refer, strict=True)))
        self._begin()
