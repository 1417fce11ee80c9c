"""The shape of the whole model in columns: who stands under whom, of what kind, type and name. A million nodes are some ten
megabytes, and a question over all of them is a few passes over arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Kind
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES

__all__ = ["NOWHERE", "Columns", "load", "load_notes"]

NOWHERE: Final = -1
_PART: Final = 50_000
_DEEPEST: Final = 1_000
"""Steps up from a node at most: a circle of types ends there."""
_TYPES: Final = (Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.DATA_TYPE, Kind.REFERENCE_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE)


class Columns:
    """All nodes of the current versions, in the order of their keys. Rows are numbers from 0; NOWHERE is none.

    What people noted is apart, and changes without the rest (`load_notes`): ``revision`` is the model's when it was read.
    """

    revision = -1

    def __init__(
        self,
        versions: Sequence[int],
        keys: NDArray[np.int64],
        kinds: NDArray[np.int8],
        parents: NDArray[np.int32],
        types: NDArray[np.int32],
        names: NDArray[np.int32],
        words: list[str],
        meanings: dict[str, NDArray[np.int32]],
    ) -> None:
        self.versions = tuple(versions)
        """Those whose nodes these are, in order."""
        self.keys = keys
        self.kinds = kinds
        self.parents = parents
        self.types = types
        self.names = names
        self._meanings = meanings
        self.noted: dict[str, NDArray[np.int32]] = {}
        """Rows by concept, as people noted it."""
        self._words = words
        self._folded: dict[str, list[int]] = {}
        for number, word in enumerate(words):
            self._folded.setdefault(word.casefold(), []).append(number)

    def __len__(self) -> int:
        return len(self.keys)

    def meaning(self, concepts: Iterable[str]) -> NDArray[np.int32]:
        """Rows that mean one of the concepts, in order."""
        found = [said[concept] for concept in concepts for said in (self._meanings, self.noted) if concept in said]
        if len(found) == 1:
            return found[0]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int32)

    def rows(self, keys: Iterable[int]) -> NDArray[np.int32]:
        """Rows of these keys; those of other versions are left out."""
        wanted = np.fromiter(keys, np.int64)
        if not len(self.keys) or not len(wanted):
            return np.empty(0, np.int32)
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.unique(found[self.keys[found] == wanted]).astype(np.int32)

    def places(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """The row of each key, NOWHERE for those of other versions."""
        return _places(self.keys, keys) if len(self.keys) else np.full(len(keys), NOWHERE, np.int32)

    def named(self, name: str) -> NDArray[np.bool_]:
        """Which rows have this name, whatever its case."""
        return np.isin(self.names, self._folded.get(name.casefold(), []))

    def name(self, row: int) -> str:
        """The name of a row."""
        return self._words[int(self.names[row])]

    def path(self, row: int) -> str:
        """Names from the top down to a row, with ``/`` between; a ``/`` inside a name is doubled."""
        parts = []
        for _ in range(_DEEPEST):
            parts.append(self.name(row).replace("/", "//"))
            row = int(self.parents[row])
            if row == NOWHERE:
                break
        return "/".join(reversed(parts))

    def mask(self, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Rows as a mask."""
        found = np.zeros(len(self.keys), np.bool_)
        found[rows] = True
        return found

    def below(self, rows: NDArray[np.int32], above: NDArray[np.bool_], *, itself: bool = False) -> NDArray[np.bool_]:
        """Which of ``rows`` have one of the rows ``above`` over them; ``itself`` counts the row too."""
        found = above[rows].copy() if itself else np.zeros(len(rows), np.bool_)
        at = rows.copy()
        for _ in range(_DEEPEST):
            at = np.where(at == NOWHERE, NOWHERE, self.parents[at])
            alive = at != NOWHERE
            if not alive.any():
                break
            found |= alive & above[at]
        return found

    def of_types(self, types: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which rows are of one of the ``types``, or of a type below one. The types themselves are not."""
        kinds = types.copy()
        at = np.where(np.isin(self.kinds, [int(kind) for kind in _TYPES]), self.types, NOWHERE)
        for _ in range(_DEEPEST):
            more = (at != NOWHERE) & kinds[at] & ~kinds
            if not more.any():
                break
            kinds |= more
        plain = ~np.isin(self.kinds, [int(kind) for kind in _TYPES])
        found: NDArray[np.bool_] = plain & (self.types != NOWHERE) & kinds[self.types]
        return found


def load(connection: Connection, before: Columns | None = None) -> Columns:
    """The columns of the current versions; bounded by their number alone. ``before`` is good still where they are the same."""
    row, current = tables.node.c, tables.document.c
    versions = sorted(int(key) for key in connection.execute(sa.select(current.current)).scalars())
    if before is not None and before.versions == tuple(versions):
        return before
    words: dict[str, int] = {}
    ids: dict[str, int] = {}
    parts: list[tuple[Any, ...]] = []
    for version in versions:
        query = sa.select(row.key, row.kind, row.parent, row.type, row.name)
        query = query.where(row.key >= version * PLACES, row.key < (version + 1) * PLACES).order_by(row.key)
        result = connection.execute(query.execution_options(yield_per=_PART))
        for rows in result.partitions(_PART):
            keys, kinds, parents, types, names = zip(*rows, strict=True)
            parts.append(
                (
                    np.array(keys, np.int64),
                    np.array(kinds, np.int8),
                    np.array(parents, np.int64),
                    np.fromiter((ids.setdefault(name, len(ids)) for name in types), np.int32, len(types)),
                    np.fromiter((words.setdefault(name, len(words)) for name in names), np.int32, len(names)),
                )
            )
    if not parts:
        empty = np.empty(0, np.int32)
        return Columns(versions, np.empty(0, np.int64), np.empty(0, np.int8), empty, empty, empty, [], {})
    key, kind, parent, type_, name = (np.concatenate(column) for column in zip(*parts, strict=True))
    del parts
    of_type = _typed(connection, key, type_, list(ids), versions)
    row_of = tables.meaning.c
    meant = _by_concept(connection, sa.select(row_of.concept, row_of.node), key)
    return Columns(versions, key, kind, _places(key, parent), of_type, name, list(words), meant)


def load_notes(connection: Connection, columns: Columns, revision: int) -> None:
    """What people noted of meanings, as it is at ``revision``: a pass over the notes, however large the model is."""
    note = tables.note.c
    query = sa.select(note.value, tables.node.c.key).join(tables.node, note.node == tables.node.c.id)
    columns.noted = _by_concept(connection, query.where(note.field == "meaning"), columns.keys) if len(columns) else {}
    columns.revision = revision


def _by_concept(connection: Connection, query: sa.Select[Any], keys: NDArray[np.int64]) -> dict[str, NDArray[np.int32]]:
    """Rows by concept, from pairs of a concept and a node's key; keys of other versions are left out."""
    numbers: dict[str, int] = {}
    parts: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []
    for rows in connection.execute(query.execution_options(yield_per=_PART)).partitions(_PART):
        concepts, nodes = zip(*rows, strict=True)
        number = np.fromiter((numbers.setdefault(concept, len(numbers)) for concept in concepts), np.int32, len(concepts))
        parts.append((number, np.array(nodes, np.int64)))
    if not parts:
        return {}
    concept, place = np.concatenate([part[0] for part in parts]), _places(keys, np.concatenate([part[1] for part in parts]))
    concept, place = concept[place != NOWHERE], place[place != NOWHERE]
    order = np.lexsort((place, concept))
    concept, place = concept[order], place[order]
    edges = np.searchsorted(concept, np.arange(len(numbers) + 1))
    return {name: np.unique(place[edges[number] : edges[number + 1]]) for name, number in numbers.items()}


def _places(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int32]:
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[found] == wanted, found, NOWHERE).astype(np.int32)


def _typed(
    connection: Connection, keys: NDArray[np.int64], types: NDArray[np.int32], ids: Sequence[str], versions: Sequence[int]
) -> NDArray[np.int32]:
    """Rows of the types, from numbers of their ids. Of two with one id that of the same document wins, else the first."""
    row = tables.node.c
    table = np.full((len(ids), max(len(versions), 1)), NOWHERE, np.int64)
    places = {version: place for place, version in enumerate(versions)}
    for begin in range(0, len(ids), 500):
        part = [name for name in ids[begin : begin + 500] if name]
        numbers = {name: begin + place for place, name in enumerate(ids[begin : begin + 500])}
        for key, name in connection.execute(sa.select(row.key, row.id).where(row.id.in_(part))):
            place = places.get(key // PLACES)
            if place is not None:
                table[numbers[name], place] = key
    any_of = np.full(len(ids), NOWHERE, np.int64)
    for place in reversed(range(table.shape[1])):
        any_of = np.where(table[:, place] != NOWHERE, table[:, place], any_of)
    own = np.searchsorted(np.array(versions), keys // PLACES)
    wanted = table[types, own]
    return _places(keys, np.where(wanted == NOWHERE, any_of[types], wanted))
