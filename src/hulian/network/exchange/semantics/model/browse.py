"""The model looked at node by node: what stands under one, where it stands, what it refers to and what refers to it.

Every look is a few steps along an index, whatever the size of the model. A page begins after a key, and keys grow in document
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Loss, Node
from hulian.network.exchange.semantics.errors import NoSuchNodeError, QueryError
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.network.exchange.semantics.model.versions import versions

__all__ = [
    "MOST",
    "Linked",
    "Seen",
    "children",
    "current_versions",
    "known",
    "losses_of",
    "references",
    "seen",
    "standing",
    "type_chain",
    "way_down",
]

MOST: Final = 500
"""Nodes or references of one page, at most."""
_TOP: Final = -1
_DEEPEST: Final = 1_000
_PART: Final = 500
_T = TypeVar("_T")
_node = msgspec.msgpack.Decoder(Node).decode


class Seen(msgspec.Struct, kw_only=True):
    """A node of the current model as it stands in a list; ``place`` is where a page that follows it begins."""

    node: Node
    document: str
    place: int
    children: bool = False
    noted: dict[str, str] = {}

    @property
    def point(self) -> str:
        """The live point that it is: what somebody noted goes before what its document says."""
        return self.noted.get("point", self.node.point)

    @property
    def unit(self) -> str:
        """Its unit, the same way."""
        return self.noted.get("unit", self.node.unit)

    @property
    def identifier(self) -> str:
        """The registered identifier of what it stands for, the same way."""
        return self.noted.get("identifier", self.node.identifier)

    @property
    def meanings(self) -> tuple[str, ...]:
        """What it means, what somebody noted first."""
        return (*((self.noted["meaning"],) if "meaning" in self.noted else ()), *self.node.meanings)


class Linked(msgspec.Struct, kw_only=True):
    """A reference and the node at its other end, which may be of no document that is here: then ``other`` is None."""

    relation: str
    identity: str
    """Of the node at the other end."""
    other: Seen | None
    place: int


def current_versions(connection: Connection) -> dict[int, str]:
    """Names of documents by the key of the version that counts, in the order of the keys."""
    row = tables.document.c
    return {int(key): name for key, name in connection.execute(sa.select(row.current, row.name).order_by(row.current))}


def children(connection: Connection, parent: str, *, document: str = "", after: int = -1, limit: int = 100) -> list[Seen]:
    """What stands under a node, or at the top of the documents (of one ``document``), in document order.

    Raises `NoSuchNodeError`, `QueryError`.
    """
    _check_limit(limit)
    current = current_versions(connection)
    row = tables.node.c
    if parent:
        key = _key(connection, parent, current)
        ranges = [(key, after + 1, (key // PLACES + 1) * PLACES)]
    else:
        wanted = [key for key, name in current.items() if not document or name == document]
        if document and not wanted:
            raise QueryError(f"there is no document '{document}'", place="document")
        ranges = [(_TOP, max(after + 1, key * PLACES), (key + 1) * PLACES) for key in wanted]
    found: list[tuple[int, bytes]] = []
    for above, low, high in ranges:
        if low >= high:
            continue
        query = sa.select(row.key, row.body).where(row.parent == above, row.key >= low, row.key < high).order_by(row.key)
        found += [(int(key), bytes(body)) for key, body in connection.execute(query.limit(limit - len(found)))]
        if len(found) >= limit:
            break
    return _seen(connection, found, current)


def seen(connection: Connection, identity: str) -> Seen:
    """One node. Raises `NoSuchNodeError`."""
    found = known(connection, [identity])
    if identity not in found:
        raise NoSuchNodeError("no document has a node of this id", place=identity[:200])
    return found[identity]


def known(connection: Connection, identities: Iterable[str]) -> dict[str, Seen]:
    """Those of the nodes that are part of the model, by their ids, in the order asked for."""
    current = current_versions(connection)
    row = tables.node.c
    wanted = list(dict.fromkeys(identities))
    found: dict[str, tuple[int, bytes]] = {}
    for part in _parts(wanted):
        for key, identity, body in connection.execute(sa.select(row.key, row.id, row.body).where(row.id.in_(part))):
            if key // PLACES in current:
                found.setdefault(identity, (int(key), bytes(body)))
    rows = [found[identity] for identity in wanted if identity in found]
    return {one.node.id: one for one in _seen(connection, rows, current)}


def standing(connection: Connection, identities: Iterable[str]) -> set[str]:
    """Those of the ids that a node of the model has."""
    versions = current_versions(connection)
    row = tables.node.c
    return {
        identity
        for part in _parts(list(identities))
        for key, identity in connection.execute(sa.select(row.key, row.id).where(row.id.in_(part)))
        if key // PLACES in versions
    }


def way_down(connection: Connection, place: int) -> list[Seen]:
    """The nodes over one, the top first, without itself."""
    row = tables.node.c
    above: list[tuple[int, bytes]] = []
    passed = {place}
    at = connection.execute(sa.select(row.parent).where(row.key == place)).scalar()
    while at is not None and at != _TOP and at not in passed and len(above) < _DEEPEST:
        passed.add(at)
        found = connection.execute(sa.select(row.key, row.body, row.parent).where(row.key == at)).first()
        if found is None:
            break
        above.append((int(found.key), bytes(found.body)))
        at = found.parent
    return _seen(connection, above[::-1], current_versions(connection))


def type_chain(connection: Connection, node: Node) -> list[Linked]:
    """Its type, and the more general types above that; ends at one that no document brings."""
    chain: list[Linked] = []
    passed = {node.id}
    at = node.type
    while at and at not in passed and len(chain) < 100:
        passed.add(at)
        other = known(connection, [at]).get(at)
        chain.append(Linked(relation="type" if not chain else "subtype", identity=at, other=other, place=0))
        at = other.node.type if other is not None else ""
    return chain


def references(connection: Connection, identity: str, *, out: bool, after: int = -1, limit: int = 100) -> list[Linked]:
    """What a node refers to (``out``), or what refers to it, in the order of the documents. Raises `QueryError`."""
    _check_limit(limit)
    row = tables.reference.c
    mine, other = (row.source, row.target) if out else (row.target, row.source)
    found: list[tuple[int, str, str]] = []
    for version in current_versions(connection):
        low, high = max(after + 1, version * PLACES), (version + 1) * PLACES
        if low >= high:
            continue
        query = sa.select(row.key, row.relation, other).where(mine == identity, row.key >= low, row.key < high)
        found += [tuple(one) for one in connection.execute(query.order_by(row.key).limit(limit - len(found)))]
        if len(found) >= limit:
            break
    ends = known(connection, [end for _, _, end in found])
    return [Linked(relation=relation, identity=end, other=ends.get(end), place=int(key)) for key, relation, end in found]


def losses_of(connection: Connection, one: Seen) -> list[Loss]:
    """What the reading of its document lost of this node, or found wrong with it: at most a hundred."""
    version = versions(connection, key=one.place // PLACES)
    identity = one.node.id
    names = {identity, identity.removeprefix(f"{one.document}/")}
    return [loss for found in version for loss in found.losses if _names(loss.place, names)][:100]


def _names(place: str, names: set[str]) -> bool:
    return place in names or any(len(name) > 3 and place.endswith((f" {name}", f"/{name}", f": {name}")) for name in names)


def _key(connection: Connection, identity: str, current: dict[int, str]) -> int:
    for key in connection.execute(sa.select(tables.node.c.key).where(tables.node.c.id == identity)).scalars():
        if key // PLACES in current:
            return int(key)
    raise NoSuchNodeError("no document has a node of this id", place=identity[:200])


def _parts(items: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(items)
    while part := list(islice(left, _PART)):
        yield part


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST:
        raise QueryError(f"the limit is 1 to {MOST}", place="limit")


def _seen(connection: Connection, rows: Sequence[tuple[int, bytes]], current: dict[int, str]) -> list[Seen]:
    """Rows with what people noted, and whether anything stands under them."""
    nodes = [(key, _node(body)) for key, body in rows]
    below = tables.node.alias("below")
    row, note = tables.node.c, tables.note.c
    parents: set[int] = set()
    noted: dict[str, dict[str, str]] = {}
    for part in _parts(nodes):
        exists: sa.Select[Any] = sa.select(row.key).where(
            row.key.in_([key for key, _ in part]), sa.exists().where(below.c.parent == row.key)
        )
        parents |= {int(key) for key in connection.execute(exists).scalars()}
        query = sa.select(note.node, note.field, note.value).where(note.node.in_([node.id for _, node in part]))
        for identity, field, value in connection.execute(query):
            noted.setdefault(identity, {})[field] = value
    return [
        Seen(
            node=node,
            document=current.get(key // PLACES, ""),
            place=key,
            children=key in parents,
            noted=noted.get(node.id, {}),
        )
        for key, node in nodes
    ]
