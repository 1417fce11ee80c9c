"""Questions by meaning, type, name and place: "every outlet pressure, in bar, of pumps in line 2"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Kind, Node
from hulian.network.exchange.semantics.errors import QueryError
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.columns import Columns
from hulian.network.exchange.semantics.model.tables import PLACES

__all__ = ["MOST", "Answer", "Found", "Question", "find"]

MOST: Final = 10_000
"""Nodes of one answer, at most; ``Answer.total`` says how many there are."""
_PART: Final = 500
_node = msgspec.msgpack.Decoder(Node).decode


class Question(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All of what is given must hold. A meaning is an identifier of a concept, or words that the dictionary has."""

    meaning: str = ""
    """What the node means."""
    kind: str = ""
    """``property``, ``object``, ``operation`` … (`Kind`)."""
    name: str = ""
    """Its name, whatever the case."""
    type: str = ""
    """Id or name of its type, or of one above that."""
    of: str = ""
    """A meaning, type or name of the thing that it belongs to: itself or anything above it."""
    inside: str = ""
    """Name or path (``plant/line 2``) of something that it stands under."""
    document: str = ""
    unit: str = ""
    """The unit wanted: nodes of another dimension are left out, the factor is told."""
    limit: int = 1_000


class Found(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One node of an answer. ``factor`` and ``offset`` turn its numbers into the unit that was asked for."""

    id: str
    path: str
    kind: str
    name: str
    document: str
    type: str = ""
    value: str | None = None
    datatype: str = ""
    unit: str = ""
    factor: float | None = None
    offset: float | None = None
    meanings: tuple[str, ...] = ()
    point: str = ""
    identifier: str = ""


class Answer(msgspec.Struct, kw_only=True):
    """The first ``limit`` nodes in the order of the model, and how many there are."""

    total: int
    nodes: list[Found]


class Meanings(msgspec.Struct, frozen=True):
    """What the questions need of the rooms below: normalised identifiers, words to concepts, units to units."""

    normal: Callable[[str], str | None]
    concepts: Callable[[str], Sequence[str]] = lambda words: ()
    convert: Callable[[str, str], tuple[float, float] | None] = lambda unit, wanted: (1.0, 0.0) if unit == wanted else None
    """Factor and offset from one unit to another; None where the dimensions differ. Raises `UnitError` for no unit."""
    known: Callable[[str], bool] = lambda identity: False
    """Ids of nodes that every model has without a document: those of the standards themselves."""


def find(connection: Connection, columns: Columns, question: Question, meanings: Meanings) -> Answer:
    """Raises `QueryError` for what cannot be asked."""
    if not 1 <= question.limit <= MOST:
        raise QueryError(f"the limit is 1 to {MOST}", place="limit")
    rows = _start(connection, columns, question, meanings)
    if question.kind:
        rows = rows[columns.kinds[rows] == _kind(question.kind)]
    if question.name and question.meaning:
        rows = rows[columns.named(question.name)[rows]]
    if question.type:
        rows = rows[columns.of_types(_types(connection, columns, question.type))[rows]]
    if question.document:
        rows = rows[_of_document(connection, columns, question.document)[rows]]
    if question.of:
        rows = rows[columns.below(rows, _things(connection, columns, question.of, meanings), itself=True)]
    if question.inside:
        rows = rows[columns.below(rows, _path(columns, question.inside))]
    return _answer(connection, columns, rows, question, meanings)


def _start(connection: Connection, columns: Columns, question: Question, meanings: Meanings) -> NDArray[np.int32]:
    if question.meaning:
        return _meaning(columns, question.meaning, meanings)
    if question.name:
        return np.flatnonzero(columns.named(question.name)).astype(np.int32)
    return np.arange(len(columns), dtype=np.int32)


def _meaning(columns: Columns, text: str, meanings: Meanings) -> NDArray[np.int32]:
    """Nodes that mean ``text``: by their documents, or because somebody noted it."""
    given = meanings.normal(text)
    concepts = [given] if given is not None else list(meanings.concepts(text))
    if not concepts:
        raise QueryError(
            f"'{text}' is no concept that is known",
            place="meaning",
            hint="give the identifier of a concept, import a dictionary that has the word, or ask by name",
        )
    return columns.meaning(concepts)


def _kind(text: str) -> int:
    try:
        return int(Kind[text.upper().replace(" ", "_").replace("-", "_")])
    except KeyError:
        raise QueryError(
            f"there is no kind '{text}'", place="kind", hint=f"one of: {', '.join(kind.name.lower() for kind in Kind)}"
        ) from None


def _by_id(connection: Connection, columns: Columns, text: str) -> NDArray[np.int32]:
    return columns.rows(connection.execute(sa.select(tables.node.c.key).where(tables.node.c.id == text)).scalars())


def _types(connection: Connection, columns: Columns, text: str) -> NDArray[np.bool_]:
    found = columns.mask(_by_id(connection, columns, text))
    return found if found.any() else columns.named(text)


def _things(connection: Connection, columns: Columns, text: str, meanings: Meanings) -> NDArray[np.bool_]:
    """Things of this name, of a type of this name or id, or that mean it, themselves or by their type."""
    found = columns.named(text) | columns.mask(_by_id(connection, columns, text))
    types = found.copy()
    given = meanings.normal(text)
    if given is not None or meanings.concepts(text):
        meant = columns.mask(_meaning(columns, text, meanings))
        found |= meant
        types |= meant
    return found | columns.of_types(types)


def _path(columns: Columns, text: str) -> NDArray[np.bool_]:
    """Rows that end the path: its last name, with the others above it in this order, gaps allowed."""
    names = [part.strip() for part in text.replace("//", "\0").split("/")]
    over: NDArray[np.bool_] | None = None
    for name in (name.replace("\0", "/") for name in names if name):
        rows = np.flatnonzero(columns.named(name)).astype(np.int32)
        if over is not None:
            rows = rows[columns.below(rows, over)]
        over = columns.mask(rows)
    if over is None:
        raise QueryError("the path is empty", place="inside")
    return over


def _of_document(connection: Connection, columns: Columns, name: str) -> NDArray[np.bool_]:
    row = tables.document.c
    version = connection.execute(sa.select(row.current).where(row.name == name)).scalar()
    if version is None:
        known = ", ".join(connection.execute(sa.select(row.name).order_by(row.name).limit(20)).scalars())
        raise QueryError(f"there is no document '{name}'", place="document", hint=f"there are: {known or 'none'}")
    found: NDArray[np.bool_] = columns.keys // PLACES == version
    return found


def _answer(
    connection: Connection, columns: Columns, rows: NDArray[np.int32], question: Question, meanings: Meanings
) -> Answer:
    factors: dict[str, tuple[float, float] | None] = {}
    nodes: list[Found] = []
    total = 0
    if not question.unit:
        total, rows = len(rows), rows[: question.limit]
    for begin in range(0, len(rows), _PART):
        part = rows[begin : begin + _PART]
        for row, node, noted in _nodes(connection, columns, part):
            unit = noted.get("unit", node.unit)
            factor: tuple[float, float] | None = None
            if question.unit:
                if unit not in factors:
                    factors[unit] = meanings.convert(unit, question.unit) if unit else None
                factor = factors[unit]
                if factor is None:
                    continue
                total += 1
                if len(nodes) >= question.limit:
                    continue
            nodes.append(_found(columns, row, node, noted, unit, factor))
    return Answer(total=total, nodes=_documents(connection, columns, nodes))


def _nodes(connection: Connection, columns: Columns, rows: NDArray[np.int32]) -> list[tuple[int, Node, dict[str, str]]]:
    keys = [int(key) for key in columns.keys[rows]]
    row, note = tables.node.c, tables.note.c
    bodies = {key: bytes(body) for key, body in connection.execute(sa.select(row.key, row.body).where(row.key.in_(keys)))}
    found = [(int(place), _node(bodies[key])) for place, key in zip(rows, keys, strict=True) if key in bodies]
    noted: dict[str, dict[str, str]] = {}
    query = sa.select(note.node, note.field, note.value).where(note.node.in_([node.id for _, node in found]))
    for identity, field, value in connection.execute(query):
        noted.setdefault(identity, {})[field] = value
    return [(place, node, noted.get(node.id, {})) for place, node in found]


def _found(
    columns: Columns, row: int, node: Node, noted: dict[str, str], unit: str, factor: tuple[float, float] | None
) -> Found:
    return Found(
        id=node.id,
        path=columns.path(row),
        kind=node.kind.name.lower(),
        name=node.name,
        document=str(int(columns.keys[row]) // PLACES),
        type=node.type,
        value=node.value,
        datatype=node.datatype,
        unit=unit,
        factor=factor[0] if factor else None,
        offset=factor[1] if factor else None,
        meanings=(*((noted["meaning"],) if "meaning" in noted else ()), *node.meanings),
        point=noted.get("point", node.point),
        identifier=noted.get("identifier", node.identifier),
    )


def _documents(connection: Connection, columns: Columns, nodes: list[Found]) -> list[Found]:
    row = tables.document.c
    names: dict[str, Any] = {str(key): name for name, key in connection.execute(sa.select(row.name, row.current))}
    for node in nodes:
        node.document = names.get(node.document, "")
    return nodes
