"""The tree in a graph: parents before what stands under them, out of a document that has its nodes in any order.

A node is given away at once where its parent was, or is of another document; else it waits, in few bytes, until its
parent comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import Kind, Loss, Node, Reference, Relation
from hulian.network.exchange.semantics.errors import HostileDocumentError
from hulian.network.exchange.semantics.nodeset.bends import bent
from hulian.network.exchange.semantics.nodeset.schema import INSTANCES

__all__ = ["Forest", "Read", "inverse"]

_MOST_WAITING: Final = 512 << 20
"""Bytes of nodes that wait for their parents, encoded."""


class Read(msgspec.Struct):
    """A node as it was read, before it has its place."""

    node: Node
    attribute: str
    """ParentNodeId; empty where there is none."""
    stated: list[tuple[str, bool, str]]
    """Its references: relation, whether forward, the other node."""


class _Waiting(msgspec.Struct):
    """A node that waits for its parent."""

    node: Node
    attribute: str
    above: list[tuple[str, str]]
    """Relation and parent of each inverse reference that may make the tree."""
    references: list[Reference]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Waiting)
_TYPES: Final = frozenset({Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.DATA_TYPE, Kind.REFERENCE_TYPE})


def inverse(node: str, relation: str, other: str) -> Reference:
    """A reference that ``node`` states from the side of its target."""
    return Reference(other, relation, node, {"nodeset": {"inverse": True}})


class Forest:
    """Takes nodes in document order and gives them back with their places, parents first."""

    def __init__(self, ids: set[str], tree: set[str], losses: list[Loss], place: str) -> None:
        """``ids`` are the nodes of the document, which leave the set one by one; ``tree`` the relations that make the tree."""
        self._left, self._tree = ids, tree
        self._losses, self._place = losses, place
        self._stated: dict[str, list[tuple[str, str]]] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._orphans: dict[str, bytes] = {}
        self._held = 0

    def take(self, read: Read) -> Iterator[tuple[Node, list[Reference]]]:
        """One more node. Gives every node that has its place now, with the references that go with it.

        Raises `HostileDocumentError` where more waits than an honest document makes wait.
        """
        identity = read.node.id
        waiting, below = self._sorted(read)
        for relation, target in below:
            if target not in self._left or target == identity:
                waiting.references.append(Reference(identity, relation, target))
                continue
            self._stated.setdefault(target, []).append((relation, identity))
            orphan = self._orphans.pop(target, None)
            if orphan is not None:
                self._waiting.setdefault(identity, []).append(orphan)
        parent = waiting.attribute or (waiting.above[0][1] if waiting.above else "")
        if parent and parent in self._left:
            self._waiting.setdefault(parent, []).append(self._encode(waiting))
        elif not parent and not any(source not in self._left for _, source in self._stated.get(identity, ())):
            # Whoever stands above it may say so further down.
            encoded = self._encode(waiting)
            sources = self._stated.get(identity)
            if sources:
                self._waiting.setdefault(sources[0][1], []).append(encoded)
            else:
                self._orphans[identity] = encoded
        elif identity in self._waiting:
            yield from self._settle(waiting)
        else:  # as most: nobody waits for it
            references = self._give_place(waiting)
            self._left.discard(identity)
            yield waiting.node, references

    def _sorted(self, read: Read) -> tuple[_Waiting, list[tuple[str, str]]]:
        """Its references: those that may make the tree above it, the others, and (beside it) the tree below it."""
        node, tree = read.node, self._tree
        identity = node.id
        waiting = _Waiting(node, read.attribute, [], [])
        below: list[tuple[str, str]] = []
        for relation, forward, other in read.stated:
            if forward:
                if relation in tree:
                    below.append((relation, other))
                else:
                    waiting.references.append(Reference(identity, relation, other))
            elif relation in tree or other == read.attribute:
                waiting.above.append((relation, other))
            else:
                waiting.references.append(inverse(identity, relation, other))
        if len(waiting.above) > 1 and node.kind in _TYPES:
            waiting.above.sort(key=lambda above: above[0] != Relation.SUBTYPE)
        return waiting, below

    def _encode(self, waiting: _Waiting) -> bytes:
        encoded = _encoder.encode(waiting)
        self._held += len(encoded)
        if self._held > _MOST_WAITING:
            raise HostileDocumentError(
                f"more than {_MOST_WAITING >> 20} MiB of nodes stand before their parents", place=self._place
            )
        return encoded

    def _settle(self, first: _Waiting) -> Iterator[tuple[Node, list[Reference]]]:
        """Gives ``first``, and all that has waited for it."""
        queue: deque[_Waiting | bytes] = deque([first])
        while queue:
            each = queue.popleft()
            if isinstance(each, bytes):
                self._held -= len(each)
                each = _decoder.decode(each)
            references = self._give_place(each)
            self._left.discard(each.node.id)
            queue.extend(self._waiting.pop(each.node.id, ()))
            yield each.node, references

    def _give_place(self, read: _Waiting) -> list[Reference]:
        """Chooses the parent; all that did not make the tree stays a reference."""
        node, references = read.node, read.references
        stated = self._stated.pop(node.id, [])
        details: dict[str, Any] = node.extra["nodeset"]
        chosen = self._choose(read, stated)
        marks = ""
        if chosen is not None:
            node.relation, node.parent = chosen
            if read.attribute == node.parent:
                marks += "a"
            if chosen in read.above:
                marks += "c"
                read.above.remove(chosen)
            if chosen in stated:
                marks += "p"
                stated.remove(chosen)
            if marks != ("ac" if details["class"] in INSTANCES else "c"):
                details["stated"] = marks
            if node.relation == Relation.SUBTYPE:
                node.type = node.parent
        if read.attribute and read.attribute != node.parent:
            details["parent"] = read.attribute
        for relation, other in read.above:
            references.append(inverse(node.id, relation, other))
        for relation, other in stated:
            references.append(Reference(other, relation, node.id))
        return references

    def _choose(self, read: _Waiting, stated: list[tuple[str, str]]) -> tuple[str, str] | None:
        if read.attribute:
            for each in (*read.above, *stated):
                if each[1] == read.attribute:
                    return each
        if read.above:
            return read.above[0]
        if stated:
            return stated[0]
        if read.attribute:
            described = read.node.extra["nodeset"]["class"] == "Variable" and read.node.type == "i=68"
            return (Relation.PROPERTY if described else Relation.COMPONENT), read.attribute
        return None

    def rest(self) -> Iterator[tuple[Node, list[Reference]]]:
        """What still waits when the document is at its end: the top of it, and circles."""
        orphans, self._orphans = list(self._orphans.values()), {}
        for encoded in orphans:
            yield from self._settle(self._decode(encoded))
        for parent in list(self._waiting):
            while waiting := self._waiting.get(parent):
                encoded = waiting.pop(0)
                if not waiting:
                    del self._waiting[parent]
                yield from self._settle(self._without_parent(self._decode(encoded)))

    def _decode(self, encoded: bytes) -> _Waiting:
        self._held -= len(encoded)
        return _decoder.decode(encoded)

    def _without_parent(self, read: _Waiting) -> _Waiting:
        """A node of a circle: it goes to the top, and all that it said of its parents stays as references."""
        node = read.node
        self._losses.append(bent("circle-of-parents", f"{self._place}, {node.id}", f"{node.name} stands below itself"))
        read.references.extend(inverse(node.id, relation, other) for relation, other in read.above)
        read.references.extend(Reference(other, relation, node.id) for relation, other in self._stated.pop(node.id, ()))
        if read.attribute:
            node.extra["nodeset"]["parent"] = read.attribute
        read.above, read.attribute = [], ""
        return read

    def leftover(self) -> Iterator[Reference]:
        """References to nodes that never came."""
        for target, sources in self._stated.items():
            for relation, source in sources:
                yield Reference(source, relation, target)
