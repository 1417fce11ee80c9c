"""What is served: which document of the model has which shell, submodel or concept description, and where in it.

A version of a document never changes, so that each is looked through once; what is current is asked with every request.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from hulian.network.exchange.semantics.aas.api.contract import Collection
from hulian.network.exchange.semantics.aas.nodes import CONCEPTS
from hulian.network.exchange.semantics.contract import Document, Kind, Node
from hulian.network.exchange.semantics.model.excerpts import Excerpts

__all__ = ["DESCRIPTOR", "FORMATS", "Directory", "Item", "Shown"]

FORMATS: Final = ("aml", "td", "iml")
"""Languages beside AAS whose things are shown as submodels: those whose documents describe things, not types."""
DESCRIPTOR: Final = "aas-descriptor"
"""Of the documents that keep a descriptor which somebody registered: the language of its one node's ``extra``."""
_COLLECTIONS: Final[dict[str, Collection]] = {
    "AssetAdministrationShell": "shells",
    "Submodel": "submodels",
    "ConceptDescription": "concept-descriptions",
}
_REMEMBERED: Final = 8 << 20
"""Bytes of JSON, and of ids, that are kept between requests."""
_BELOW: Final = (Kind.OBJECT, Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE)
"""Kinds of submodels below a shell, and of concept descriptions below their folder."""


class Item(NamedTuple):
    """One thing that is served: from which document, version, and places of it."""

    collection: Collection
    identity: str
    document: str
    version: int
    begin: int
    end: int
    writable: bool = True
    alone: bool = False
    """Nothing else is in its document."""


class Shown:
    """All that is served at one moment."""

    def __init__(self, revision: int, items: list[Item], documents: dict[int, Document]) -> None:
        self.revision, self.documents = revision, documents
        self._items: dict[Collection, dict[str, Item]] = {}
        for item in items:
            self._items.setdefault(item.collection, {}).setdefault(item.identity, item)
        self._copies: dict[str, list[Item]] = {}
        for item in items:
            if item.collection == "concept-descriptions":
                self._copies.setdefault(item.identity, []).append(item)
        self._order = {collection: sorted(of) for collection, of in self._items.items()}

    def get(self, collection: Collection, identity: str) -> Item | None:
        """One by its id; of concept descriptions that several documents have, the one of the first document by name."""
        return self._items.get(collection, {}).get(identity)

    def copies(self, identity: str) -> list[Item]:
        """Every copy of a concept description."""
        return self._copies.get(identity, [])

    def behind(self, collection: Collection, after: str) -> Iterator[Item]:
        """Those with greater ids, in the order of ids."""
        order, of = self._order.get(collection, []), self._items.get(collection, {})
        for at in range(bisect_right(order, after) if after else 0, len(order)):
            yield of[order[at]]

    def names(self, collection: Collection) -> list[str]:
        """All ids, in order."""
        return self._order.get(collection, [])


class Directory:
    """Thread-safe; its calls block."""

    def __init__(self, excerpts: Excerpts) -> None:
        self._excerpts = excerpts
        self._lock = threading.Lock()
        self._of_version: dict[int, tuple[Document, list[Item]]] = {}
        self._shown = Shown(-1, [], {})
        self._heads: tuple[Any, ...] = ()
        self._jsons: dict[tuple[int, int], tuple[frozenset[str], bytes]] = {}
        self._held = 0
        self._points: tuple[int, dict[str, str]] = (-1, {})

    def shown(self) -> Shown:
        """What is served now."""
        with self._lock:
            revision = self._excerpts.revision()
            if revision == self._shown.revision:
                return self._shown
            heads = tuple(self._excerpts.heads())
            if heads == self._heads:
                self._shown.revision = revision
                return self._shown
            missing = [head.version for head in heads if head.version not in self._of_version]
            for version, (document, nodes) in self._excerpts.documents(missing).items():
                self._of_version[version] = (document, self._look_through(version, document, nodes))
            current = {head.version for head in heads}
            self._of_version = {version: found for version, found in self._of_version.items() if version in current}
            found = [self._of_version[head.version] for head in heads if head.version in self._of_version]
            documents = {head.version: self._of_version[head.version][0] for head in heads if head.version in self._of_version}
            self._shown = Shown(revision, [item for _, items in found for item in items], documents)
            self._heads = heads
            return self._shown

    def points(self, revision: int) -> dict[str, str]:
        """The live points that people noted on nodes, by the node's id, as they are at this revision or later."""
        with self._lock:
            if self._points[0] < revision:
                self._points = (revision, self._excerpts.points())
            return self._points[1]

    def remembered(self, item: Item) -> tuple[frozenset[str], bytes] | None:
        """What `remember` was given for an item: the ids of its nodes, and its JSON."""
        with self._lock:
            return self._jsons.get((item.version, item.begin))

    def remember(self, item: Item, nodes: frozenset[str], json: bytes) -> None:
        """Keeps the JSON of an item without live points for a while; the oldest are forgotten first."""
        with self._lock:
            size = len(json) + sum(map(len, nodes))
            if size > _REMEMBERED // 4:
                return
            while self._jsons and self._held + size > _REMEMBERED:
                ids, old = self._jsons.pop(next(iter(self._jsons)))
                self._held -= len(old) + sum(map(len, ids))
            if self._jsons.setdefault((item.version, item.begin), (nodes, json))[1] is json:
                self._held += size

    def _look_through(self, version: int, document: Document, nodes: int) -> list[Item]:
        if document.extra.get(DESCRIPTOR):
            kept: list[Any] = [node.extra.get(DESCRIPTOR) for _, _, node in self._excerpts.outline(version)]
            # Somebody may have imported a document that only looks like one of ours.
            descriptors = [one for one in kept if _is_descriptor(one)] if len(kept) == 1 else []
            return [Item(one["collection"], one["id"], document.name, version, 0, nodes, alone=True) for one in descriptors]
        if document.format == "aas":
            return self._of_aas(version, document, nodes)
        if document.format in FORMATS:
            return self._of_other(version, document, nodes)
        return []

    def _of_aas(self, version: int, document: Document, nodes: int) -> list[Item]:
        starts: list[tuple[int, Collection | None, str]] = []
        shells: set[int] = set()
        for place, parent, node in self._excerpts.outline(version, _BELOW):
            own = node.extra.get("aas", {})
            named = own.get("modelType", "")
            if parent >= 0 and named not in _COLLECTIONS and not (parent in shells and named != "AssetInformation"):
                continue
            if named == "AssetAdministrationShell":
                shells.add(place)
            collection = None if named == CONCEPTS else _COLLECTIONS.get(named, "submodels")
            starts.append((place, collection, _id_of(node, own, named)))
        items = []
        for number, (place, collection, identity) in enumerate(starts):
            end = starts[number + 1][0] if number + 1 < len(starts) else nodes
            if collection is not None:
                items.append(Item(collection, identity, document.name, version, place, end))
        return [items[0]._replace(alone=True)] if len(items) == 1 else items

    def _of_other(self, version: int, document: Document, nodes: int) -> list[Item]:
        """Things at the top, and gatherings of things: each is a submodel."""
        outline = self._excerpts.outline(version, (Kind.OBJECT,))
        gatherings = {parent for _, parent, _ in outline}
        tops = [(place, node) for place, parent, node in outline if parent < 0]
        items = []
        for number, (place, node) in enumerate(tops):
            end = tops[number + 1][0] if number + 1 < len(tops) else nodes
            if node.kind is Kind.OBJECT or (node.kind is Kind.FOLDER and place in gatherings):
                items.append(Item("submodels", node.id, document.name, version, place, end, writable=False))
        return items


def _is_descriptor(kept: Any) -> bool:
    return (
        isinstance(kept, dict)
        and kept.get("collection") in ("shell-descriptors", "submodel-descriptors")
        and isinstance(kept.get("descriptor"), dict)
        and isinstance(kept.get("id"), str)
        and kept["descriptor"].get("id") == kept["id"]
    )


def _id_of(node: Node, own: dict[str, Any], named: str) -> str:
    if named == "ConceptDescription":
        return str(own.get("id", node.id))
    return str(own.get("id", node.id)) if named in _COLLECTIONS else node.id
