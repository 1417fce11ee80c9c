"""Where each node of a model stands in a CAEX file: the element that it becomes, and the order of all of them.

A document that was read as CAEX is written as it comes. Anything else (a node set, an edited model) is arranged first: types
into libraries, objects into a hierarchy, and below one parent in the schema's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from hulian.network.exchange.semantics.automationml.names import EXTRA, KINDS, LIBRARIES
from hulian.network.exchange.semantics.contract import Content, Kind, Loss, Node

__all__ = ["HOLDERS", "Placed", "arranged", "element_of"]

_RANK: Final = {
    "Attribute": 1,
    "ExternalInterface": 2,
    "InternalElement": 3,
    "RoleRequirements": 4,
    "InstanceHierarchy": 5,
    "InterfaceClassLib": 6,
    "RoleClassLib": 7,
    "SystemUnitClassLib": 8,
    "AttributeTypeLib": 9,
    "ExternalFile": 10,
    "SystemUnitClass": 5,
    "RoleClass": 5,
    "InterfaceClass": 5,
    "AttributeType": 5,
}
_LIBRARY: Final = {
    "SystemUnitClass": "SystemUnitClassLib",
    "RoleClass": "RoleClassLib",
    "InterfaceClass": "InterfaceClassLib",
    "AttributeType": "AttributeTypeLib",
}
_ELEMENTS: Final = {
    Kind.OBJECT_TYPE: "SystemUnitClass",
    Kind.ROLE: "RoleClass",
    Kind.INTERFACE_TYPE: "InterfaceClass",
    Kind.REFERENCE_TYPE: "InterfaceClass",
    Kind.PROPERTY_TYPE: "AttributeType",
    Kind.DATA_TYPE: "AttributeType",
    Kind.PROPERTY: "Attribute",
}
HOLDERS: Final = {
    "Attribute": (
        "InternalElement",
        "ExternalInterface",
        "Attribute",
        "SystemUnitClass",
        "RoleClass",
        "InterfaceClass",
        "AttributeType",
        "RoleRequirements",
    ),
    "ExternalInterface": (
        "InternalElement",
        "ExternalInterface",
        "SystemUnitClass",
        "RoleClass",
        "InterfaceClass",
        "RoleRequirements",
    ),
    "InternalElement": ("InstanceHierarchy", "InternalElement", "SystemUnitClass"),
    "RoleRequirements": ("InternalElement",),
    "SystemUnitClass": ("SystemUnitClassLib", "SystemUnitClass"),
    "RoleClass": ("RoleClassLib", "RoleClass"),
    "InterfaceClass": ("InterfaceClassLib", "InterfaceClass"),
    "AttributeType": ("AttributeTypeLib", "AttributeType"),
}
"""The elements in which an element may stand; libraries and hierarchies stand in none."""

Placed: TypeAlias = tuple[Node, str, int]
"""A node, the element that it becomes, and its depth: 0 for hierarchies and libraries."""


def element_of(node: Node) -> str:
    """The CAEX element that a node becomes."""
    tag = node.extra.get(EXTRA, {}).get("tag") if EXTRA in node.extra else None
    if isinstance(tag, str) and (tag in KINDS or tag == "ExternalFile"):
        return tag
    return _ELEMENTS.get(node.kind, "InternalElement")


def arranged(content: Content, losses: list[Loss], moved: dict[str, str]) -> Iterator[Placed]:
    """All nodes as they are written: parents first, what stands under them right behind them, in the schema's order.

    ``moved`` gets the new parent of each node that stands elsewhere; the empty text for a library that was made.
    """
    if _in_order(content):
        yield from _as_it_comes(content)
    else:
        yield from _Arrangement(content, losses, moved).placed()


def _in_order(content: Content) -> bool:
    """Whether the nodes come as the schema wants them."""
    open_ids: list[tuple[str, str]] = []
    ranks: list[int] = [0]
    for node in content.nodes():
        tag = element_of(node)
        while open_ids and open_ids[-1][0] != node.parent:
            open_ids.pop()
            ranks.pop()
        if not open_ids and (node.parent or (tag not in LIBRARIES and tag != "ExternalFile")):
            return False
        if open_ids and open_ids[-1][1] not in HOLDERS.get(tag, ("ExternalFile",)):
            return False
        if _RANK[tag] < ranks[-1]:
            return False
        ranks[-1] = _RANK[tag]
        open_ids.append((node.id, tag))
        ranks.append(0)
    return True


def _as_it_comes(content: Content) -> Iterator[Placed]:
    open_ids: list[str] = []
    for node in content.nodes():
        while open_ids and open_ids[-1] != node.parent:
            open_ids.pop()
        yield node, element_of(node), len(open_ids)
        open_ids.append(node.id)


class _Arrangement:
    """A model that is no CAEX file, held whole and put in order."""

    def __init__(self, content: Content, losses: list[Loss], moved: dict[str, str]) -> None:
        self._losses, self._moved = losses, moved
        self._name = content.document.name
        self._children: dict[str, list[Node]] = {}
        self._tags: dict[str, str] = {}
        self._made: dict[str, Node] = {}
        self._place(list(content.nodes()))

    def _place(self, nodes: list[Node]) -> None:
        below: dict[str, list[Node]] = {}
        for node in nodes:
            below.setdefault(node.parent, []).append(node)
        # parents are placed before what stands under them, wherever they come in the list
        known = {node.id for node in nodes}
        waiting = [node for node in reversed(nodes) if node.parent not in known]
        while waiting:
            node = waiting.pop()
            self._settle(node)
            waiting.extend(reversed(below.get(node.id, ())))

    def _settle(self, node: Node) -> None:
        tag = element_of(node)
        above = self._tags.get(node.parent, "")
        if tag == "InternalElement" and not above and node.kind == Kind.FOLDER:
            tag = "InstanceHierarchy"
        if tag == "Attribute" and above in ("", "InstanceHierarchy"):
            tag = "InternalElement"
            self._losses.append(Loss(node.id, "a property outside any object", "CAEX has it as an element with its value lost"))
        if tag in LIBRARIES or tag == "ExternalFile":
            if not above or above == "ExternalFile":
                self._add(node, tag, node.parent if above else "")
                return
            tag = "InternalElement"
        if above in HOLDERS[tag]:
            self._add(node, tag, node.parent)
            return
        if tag == "InternalElement" and above in ("Attribute", "AttributeType"):
            # an attribute holds attributes only: what an object has of values stays, as attributes
            self._losses.append(Loss(node.id, "an object below a property", "CAEX has it as an attribute"))
            self._add(node, "Attribute", node.parent)
            return
        library = _LIBRARY.get(tag, "InstanceHierarchy")
        if above:
            self._losses.append(Loss(node.id, f"its place below {node.parent}", f"CAEX has {tag} in {library} only"))
        self._add(node, tag, self._library(library))

    def _library(self, tag: str) -> str:
        """The id of the hierarchy or library for what has no place of its own."""
        made = self._made.get(tag)
        if made is None:
            made = Node(
                id=f"{self._name}/{LIBRARIES[tag]}~made",
                kind=Kind.FOLDER,
                name=self._name,
                extra={EXTRA: {"tag": tag}},
            )
            self._made[tag] = made
            self._add(made, tag, "")
        return made.id

    def _add(self, node: Node, tag: str, parent: str) -> None:
        self._tags[node.id] = tag
        if parent != node.parent or node.id.endswith("~made"):
            self._moved[node.id] = parent
        self._children.setdefault(parent, []).append(node)
        if node.kind in (Kind.OPERATION, Kind.EVENT):
            self._losses.append(Loss(node.id, f"that it is an {node.kind.name.lower()}", "CAEX has it as an element"))

    def placed(self) -> Iterator[Placed]:
        waiting = [(node, 0) for node in self._sorted("")]
        while waiting:
            node, depth = waiting.pop()
            yield node, self._tags[node.id], depth
            waiting.extend((child, depth + 1) for child in self._sorted(node.id))

    def _sorted(self, parent: str) -> list[Node]:
        """What stands under a parent, last first."""
        children = sorted(self._children.get(parent, ()), key=lambda node: _RANK[self._tags[node.id]])
        return children[::-1]
