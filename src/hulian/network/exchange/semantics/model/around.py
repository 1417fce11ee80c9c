"""What is around a node, as a graph that a person can look at: bounded, nearest first."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from hulian.network.exchange.semantics.contract import Relation
from hulian.network.exchange.semantics.errors import QueryError
from hulian.network.exchange.semantics.model.browse import Seen, children, known, references, seen, way_down

__all__ = ["DEEPEST", "MOST_NODES", "Edge", "Graph", "around"]

DEEPEST: Final = 3
"""Steps from the node in the middle."""
MOST_NODES: Final = 200
_EACH: Final = 40
"""Of one node: children, references out and references in that are followed, of each at most so many."""


class Edge(msgspec.Struct, frozen=True):
    """``source`` has ``target`` as a part, is of this type (``type``), or refers to it."""

    source: str
    relation: str
    target: str


class Graph(msgspec.Struct, kw_only=True):
    """Nodes with the one in the middle first, and the edges between them."""

    nodes: list[Seen]
    edges: list[Edge]
    absent: list[str] = []
    """Ids that are referred to and that no document brings."""
    more: list[str] = []
    """Ids of nodes that have neighbours which were left out."""


class _Drawing:
    def __init__(self, connection: Connection, most: int) -> None:
        self._connection = connection
        self._most = most
        self.nodes: dict[str, Seen] = {}
        self.edges: dict[Edge, None] = {}
        self.absent: dict[str, None] = {}
        self.more: dict[str, None] = {}

    def expand(self, one: Seen) -> list[str]:
        """Draws what is next to a node; ids of those that were not there before."""
        identity = one.node.id
        wanted: list[tuple[Edge, str, Seen | None]] = []
        above = way_down(self._connection, one.place)
        if above:
            parent = above[-1]
            wanted.append((Edge(parent.node.id, one.node.relation, identity), parent.node.id, parent))
        if one.node.type:
            there = known(self._connection, [one.node.type]).get(one.node.type)
            wanted.append((Edge(identity, "type", one.node.type), one.node.type, there))
        below = children(self._connection, identity, limit=_EACH + 1)
        wanted += [(Edge(identity, child.node.relation, child.node.id), child.node.id, child) for child in below[:_EACH]]
        cut = len(below) > _EACH
        for out in (True, False):
            linked = references(self._connection, identity, out=out, limit=_EACH + 1)
            cut = cut or len(linked) > _EACH
            for link in linked[:_EACH]:
                edge = Edge(identity, link.relation, link.identity) if out else Edge(link.identity, link.relation, identity)
                wanted.append((edge, link.identity, link.other))
        fresh = []
        for edge, other, found in wanted:
            if other not in self.nodes and other not in self.absent:
                if len(self.nodes) + len(self.absent) >= self._most:
                    cut = True
                    continue
                if found is None:
                    self.absent[other] = None
                else:
                    self.nodes[other] = found
                    fresh.append(other)
            if Edge(edge.target, edge.relation, edge.source) in self.edges and edge.relation in (Relation.LINK, Relation.SAME):
                continue  # without direction: drawn once
            self.edges[edge] = None
        if cut:
            self.more[identity] = None
        return fresh


def around(connection: Connection, identity: str, *, depth: int = 1, limit: int = 60) -> Graph:
    """The neighbourhood of a node. Raises `NoSuchNodeError`, `QueryError`."""
    if not 1 <= depth <= DEEPEST:
        raise QueryError(f"the depth is 1 to {DEEPEST}", place="depth")
    if not 2 <= limit <= MOST_NODES:
        raise QueryError(f"the limit is 2 to {MOST_NODES}", place="limit")
    drawing = _Drawing(connection, limit)
    drawing.nodes[identity] = seen(connection, identity)
    edge_of_it = [identity]
    for _ in range(depth):
        edge_of_it = [fresh for one in edge_of_it for fresh in drawing.expand(drawing.nodes[one])]
    return Graph(
        nodes=list(drawing.nodes.values()),
        edges=list(drawing.edges),
        absent=list(drawing.absent),
        more=list(drawing.more),
    )
