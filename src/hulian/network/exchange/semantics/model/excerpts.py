"""Parts of the documents of the model, read without the rest: for those who serve a document piece by piece.

A version never changes, so that what was read of it stays true as long as it is kept. Everything here only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from hulian.network.exchange.semantics.contract import Attachment, Document, Kind, Node, Reference
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.registry import Registry

__all__ = ["Excerpts", "Head"]

_T = TypeVar("_T")
_PART: Final = 500
_node = msgspec.msgpack.Decoder(Node).decode
_extra = msgspec.msgpack.Decoder(dict).decode
_header = msgspec.json.Decoder(Document).decode


class Head(NamedTuple):
    """A document and its current version."""

    name: str
    version: int


class Excerpts:
    """Reads parts of the model that ``registry`` keeps. Thread-safe; all calls block."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def revision(self) -> int:
        """A number that changes with every change of the model."""
        with self._registry.read() as connection:
            return int(connection.execute(sa.select(tables.state.c.revision)).scalar() or 0)

    def heads(self) -> list[Head]:
        """All documents, by name."""
        row = tables.document.c
        with self._registry.read() as connection:
            return [Head(*found) for found in connection.execute(sa.select(row.name, row.current).order_by(row.name))]

    def current(self, name: str) -> int | None:
        """The current version of a document."""
        row = tables.document.c
        with self._registry.read() as connection:
            found = connection.execute(sa.select(row.current).where(row.name == name)).scalar()
        return None if found is None else int(found)

    def documents(self, versions: Iterable[int]) -> dict[int, tuple[Document, int]]:
        """Header and number of nodes of these versions, of those that are there."""
        row, found = tables.version.c, {}
        with self._registry.read() as connection:
            for part in _parts(versions):
                query = sa.select(row.key, row.header, row.nodes).where(row.key.in_(part), row.complete)
                for key, header, nodes in connection.execute(query):
                    found[int(key)] = (_header(header), int(nodes))
        return found

    def outline(self, version: int, kinds: Sequence[Kind] = ()) -> list[tuple[int, int, Node]]:
        """Place, place of the parent (-1 at the top) and node of what stands at the top of a document, in its order; with
        ``kinds`` also what of these kinds stands directly below that."""
        row, within = tables.node.c, (tables.node.c.key >= version * PLACES, tables.node.c.key < (version + 1) * PLACES)
        with self._registry.read() as connection:
            query = sa.select(row.key, row.parent, row.body).where(*within, row.parent < 0).order_by(row.key)
            found = [(int(key), -1, _node(body)) for key, _, body in connection.execute(query)]
            if kinds:
                tops = {key for key, _, _ in found}
                wanted = sa.select(row.key, row.parent).where(*within, row.kind.in_([int(kind) for kind in kinds]))
                below = {int(key): int(parent) for key, parent in connection.execute(wanted) if parent in tops}
                for part in _parts(below):
                    for key, body in connection.execute(sa.select(row.key, row.body).where(row.key.in_(part))):
                        found.append((int(key), below[key], _node(body)))
                found.sort(key=lambda one: one[0])
        return [
            (key - version * PLACES, parent if parent < 0 else parent - version * PLACES, node) for key, parent, node in found
        ]

    def nodes(self, version: int, begin: int = 0, end: int = PLACES) -> Iterator[Node]:
        """Those from place ``begin`` to before ``end``, in document order, read in parts."""
        row, at = tables.node.c, version * PLACES + begin
        while True:
            with self._registry.read() as connection:
                query = sa.select(row.key, row.body).where(row.key >= at, row.key < version * PLACES + end)
                rows = connection.execute(query.order_by(row.key).limit(4 * _PART)).all()
            for _, body in rows:
                yield _node(body)
            if len(rows) < 4 * _PART:
                return
            at = rows[-1][0] + 1

    def nodes_at(self, version: int, places: Iterable[int]) -> dict[int, Node]:
        """Single nodes, by place."""
        row, found = tables.node.c, {}
        with self._registry.read() as connection:
            for part in _parts(place + version * PLACES for place in places):
                for key, body in connection.execute(sa.select(row.key, row.body).where(row.key.in_(part))):
                    found[int(key) - version * PLACES] = _node(body)
        return found

    def references(self, version: int, sources: Iterable[str]) -> list[Reference]:
        """Those that lead from nodes with these ids, in the order in which they were read."""
        row = tables.reference.c
        found: list[Any] = []
        within = (row.key >= version * PLACES, row.key < (version + 1) * PLACES)
        with self._registry.read() as connection:
            for part in _parts(sources):
                query = sa.select(row.key, row.source, row.relation, row.target, row.extra)
                found += connection.execute(query.where(row.source.in_(part), *within)).all()
        found.sort(key=lambda one: one[0])
        return [Reference(one[1], one[2], one[3], _extra(one[4]) if one[4] else {}) for one in found]

    def attachment(self, version: int, path: str) -> Attachment | None:
        """A file of a container, by its path there."""
        row = tables.attachment.c
        with self._registry.read() as connection:
            query = sa.select(row.path, row.media_type, row.content).where(row.version == version, row.path == path)
            found = connection.execute(query.limit(1)).one_or_none()
        return None if found is None else Attachment(found.path, found.media_type, bytes(found.content))

    def points(self) -> dict[str, str]:
        """The live points that people noted on nodes, by the node's id."""
        row = tables.note.c
        with self._registry.read() as connection:
            query = sa.select(row.node, row.value).where(row.field == "point")
            return {found.node: found.value for found in connection.execute(query)}


def _parts(values: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(values)
    while part := list(islice(iterator, _PART)):
        yield part
