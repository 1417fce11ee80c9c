"""Nodes by a part of their name, and by the live point that they are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Node
from hulian.network.exchange.semantics.errors import QueryError
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.browse import Seen, current_versions, known
from hulian.network.exchange.semantics.model.columns import NOWHERE, Columns
from hulian.network.exchange.semantics.model.tables import PLACES

__all__ = ["LONGEST", "LabelsOfDocuments", "Names", "PointNode", "PointsOfDocuments", "at_point", "search"]

LONGEST: Final = 200
"""Characters of what is searched for."""
_MOST: Final = 500
_POINT: Final = b"\xa5point"
_LABELS: Final = b"\xa6labels"
"""How MessagePack spells the names of the fields: rows without them are not decoded."""


class _Called(msgspec.Struct):
    """Of a node, what it is called."""

    name: str = ""
    labels: dict[str, str] = {}


_node = msgspec.msgpack.Decoder(Node).decode
_called = msgspec.msgpack.Decoder(_Called).decode


class Names:
    """All names of one state of the model, and all labels of its documents, in one text: a million are searched in some
    milliseconds."""

    def __init__(self, columns: Columns, labels: Iterable[Labels]) -> None:
        self.columns = columns
        self._numbers, first = np.unique(columns.names, return_index=True)
        words = [_plain(columns.name(int(row))) for row in first]
        self._rows: list[NDArray[np.int32]] = []
        for said in labels:
            words += said.words
            rows = columns.places(said.keys)
            edges = np.searchsorted(said.numbers, np.arange(len(said.words) + 1))
            self._rows += [rows[begin:end] for begin, end in itertools.pairwise(edges)]
        self._text = "\n" + "\n".join(words) + "\n"
        self._ends = np.cumsum(np.fromiter((len(word) + 1 for word in words), np.int64, len(words)))

    def find(self, text: str) -> NDArray[np.int32]:
        """Rows whose name or label has ``text`` in it, whatever the case: whole ones first, then beginnings, then the rest."""
        wanted = text.casefold()
        matched: list[list[int]] = [[], [], []]
        at = self._text.find(wanted)
        while at >= 0:
            word = int(np.searchsorted(self._ends, at, side="left")) if at else 0
            end = int(self._ends[word])  # the line break behind the word
            begins = self._text[at - 1] == "\n" if at else False
            matched[0 if begins and at + len(wanted) == end else 1 if begins else 2].append(word)
            at = self._text.find(wanted, end)
        found: list[NDArray[np.int64]] = []
        taken = np.zeros(len(self.columns), np.bool_)
        for words in matched:
            if words:
                rows = self._of(words) & ~taken
                taken |= rows
                found.append(np.flatnonzero(rows))
        return np.concatenate(found).astype(np.int32) if found else np.empty(0, np.int32)

    def _of(self, words: list[int]) -> NDArray[np.bool_]:
        """Which rows are called one of these words."""
        known = len(self._numbers)
        rows = np.isin(self.columns.names, self._numbers[[word for word in words if word < known]])
        for word in words:
            if word >= known:
                labelled = self._rows[word - known]
                rows[labelled[labelled != NOWHERE]] = True
        return rows


class Labels(NamedTuple):
    """What the nodes of a version are called in its languages, where that is not their name: words, and in their order which
    word (``numbers``) stands at which node (``keys``)."""

    words: list[str]
    numbers: NDArray[np.int32]
    keys: NDArray[np.int64]


class LabelsOfDocuments:
    """The labels of the current versions. A version never changes, so each is looked through once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[int, Labels] = {}

    def of(self, connection: Connection, versions: Iterable[int]) -> list[Labels]:
        """Of these versions; those of others are forgotten."""
        with self._lock:
            known = self._of
            self._of = {
                version: known[version] if version in known else _labels_in(connection, version) for version in versions
            }
            return list(self._of.values())


def _labels_in(connection: Connection, version: int) -> Labels:
    words: dict[str, int] = {}
    numbers: list[int] = []
    keys: list[int] = []
    for key, body in _bodies_with(connection, version, _LABELS):
        called = _called(body)
        for label in {_plain(one) for one in called.labels.values()} - {_plain(called.name), ""}:
            numbers.append(words.setdefault(label, len(words)))
            keys.append(key)
    number = np.array(numbers, np.int32)
    order = np.argsort(number, kind="stable")
    return Labels(list(words), number[order], np.array(keys, np.int64)[order])


def _bodies_with(connection: Connection, version: int, mark: bytes) -> Iterator[tuple[int, bytes]]:
    """Keys and bodies of those nodes of a version that have a field, found by how it is spelled."""
    row = tables.node.c
    wanted = sa.literal(mark, sa.LargeBinary)
    within = (
        sa.func.instr(row.body, wanted) if connection.dialect.name == "sqlite" else sa.func.position(wanted.op("IN")(row.body))
    )
    query = sa.select(row.key, row.body).where(row.key >= version * PLACES, row.key < (version + 1) * PLACES, within > 0)
    for key, body in connection.execute(query.execution_options(yield_per=1_000)):
        yield int(key), body


def _plain(text: str) -> str:
    """As it is searched: whatever the case, on one line."""
    return text.casefold().replace("\n", " ")


def search(connection: Connection, names: Names, text: str, *, limit: int) -> tuple[int, list[Seen]]:
    """How many nodes are called so, and the first of them; the node of just this id, and what people call so, come first.

    Raises `QueryError`.
    """
    text = text.strip()
    if not 1 <= len(text) <= LONGEST or "\n" in text:
        raise QueryError(f"what is searched for has 1 to {LONGEST} characters", place="q")
    if not 1 <= limit <= _MOST:
        raise QueryError(f"the limit is 1 to {_MOST}", place="limit")
    note, row = tables.note.c, tables.node.c
    like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    called = sa.select(note.node).where(
        note.field.in_(("label", "identifier", "point")), sa.func.lower(note.value).like(like.lower(), escape="\\")
    )
    first = [text, *connection.execute(called.order_by(note.node).limit(limit)).scalars()]
    rows = names.find(text)
    keys = [int(key) for key in names.columns.keys[rows[:limit]]]
    ids = {int(key): identity for key, identity in connection.execute(sa.select(row.key, row.id).where(row.key.in_(keys)))}
    found = known(connection, [*first, *(ids[key] for key in keys if key in ids)])
    order = dict.fromkeys([*first, *(ids[key] for key in keys if key in ids)])
    nodes = [found[one] for one in order if one in found]
    total = len(rows) + sum(1 for one in first if one in found and one not in ids.values())
    return max(total, len(nodes)), nodes[:limit]


class PointNode(NamedTuple):
    """A node that a document says to be a live point; ``meanings`` as the document says them."""

    id: str
    meanings: tuple[str, ...]


class PointsOfDocuments:
    """Which nodes are live points by what their documents say. A version never changes, so each is looked through once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[int, dict[str, list[PointNode]]] = {}

    def of(self, connection: Connection, versions: Iterable[int]) -> dict[int, dict[str, list[PointNode]]]:
        """By version and by the name of a point; what other versions say is forgotten."""
        with self._lock:
            known = self._of
            self._of = {
                version: known[version] if version in known else _points_in(connection, version) for version in versions
            }
            return self._of

    def nodes(self, connection: Connection, point: str) -> list[str]:
        """Ids of the nodes of the current versions that are ``point``."""
        stated = self.of(connection, current_versions(connection))
        return [node.id for version in stated.values() for node in version.get(point, ())]


def _points_in(connection: Connection, version: int) -> dict[str, list[PointNode]]:
    found: dict[str, list[PointNode]] = {}
    for _, body in _bodies_with(connection, version, _POINT):
        node = _node(body)
        if node.point:
            found.setdefault(node.point, []).append(PointNode(node.id, node.meanings))
    return found


def at_point(connection: Connection, stated: PointsOfDocuments, point: str) -> list[Seen]:
    """The nodes that are this live point: because somebody noted it, or because their document says so and nobody else."""
    note = tables.note.c
    noted = connection.execute(
        sa.select(note.node).where(note.value == point, note.field == "point").order_by(note.node).limit(_MOST)
    )
    found = known(connection, [*noted.scalars(), *stated.nodes(connection, point)[:_MOST]])
    return [one for one in found.values() if one.point == point]
