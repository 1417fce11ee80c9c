"""A document as a tree that can be walked up: what stands around a property, and what is said below it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from hulian.kernel.errors import IdentifierError
from hulian.kernel.identifier import Identifier, PointName
from hulian.network.exchange.semantics.contract import Kind, Node

__all__ = ["NodeNotes", "Plant"]

NodeNotes = Mapping[tuple[str, str], str]
"""What people noted, by node and field."""

_IDENTIFIERS: Final = ("identifier", "handle", "identificationlink")
_DEEPEST: Final = 256
_FEW: Final = 8
_TEXTS: Final = ("displayname", "title", "label")
_TAGS: Final = ("tag", "tagname", "plctag", "loopname")
_OF_THINGS: Final = frozenset((*_IDENTIFIERS, "securitymode", "messagesecuritymode"))
"""Names of properties that say something of the thing which has them."""
_TYPES: Final = (Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE)


class Plant:
    """The nodes of a document, without its classes and libraries.

    Where ``live`` says which properties are asked for, all others are held by name only: a document has far more of them.
    """

    def __init__(self, nodes: Iterable[Node], notes: NodeNotes, live: Container[str] | None = None) -> None:
        self._nodes: dict[str, Node] = {}
        self._below: dict[str, list[str]] = {}
        self._named: dict[str, dict[str, tuple[int, str]]] = {}
        self.notes = notes
        whole: set[str] = set()
        for node in nodes:
            if node.kind in _TYPES or (node.parent and node.parent not in self._nodes):
                continue
            if node.kind is Kind.PROPERTY and live is not None:
                if not (node.id in live or node.parent in whole or plain(node.name) in _OF_THINGS):
                    self._nodes[node.id] = Node(id=node.id, kind=node.kind, name=node.name, parent=node.parent)
                    continue
                whole.add(node.id)
            self._nodes[node.id] = node
            if node.parent:
                self._below.setdefault(node.parent, []).append(node.id)

    def node(self, identity: str) -> Node | None:
        """The node of this id."""
        return self._nodes.get(identity)

    def above(self, node: Node) -> list[Node]:
        """Parents, the nearest first."""
        found: list[Node] = []
        while node.parent in self._nodes and len(found) < _DEEPEST:
            node = self._nodes[node.parent]
            found.append(node)
        return found

    def below(self, node: Node) -> list[Node]:
        """What stands directly under it."""
        return [self._nodes[identity] for identity in self._below.get(node.id, ())]

    def said(self, node: Node, *names: str) -> Node | None:
        """The first property below ``node`` with one of these names (small letters, without ``_``, ``-`` and spaces)."""
        children = self._below.get(node.id, ())
        if len(children) > _FEW:  # asked once for each of its points: looking through all of them would be quadratic
            index = self._named.get(node.id)
            if index is None:
                index = self._named[node.id] = {}
                for position, identity in enumerate(children):
                    one = self._nodes[identity]
                    if one.kind is Kind.PROPERTY:
                        index.setdefault(plain(one.name), (position, identity))
            found = min((index[name] for name in names if name in index), default=None)
            return self._nodes[found[1]] if found is not None else None
        for identity in children:
            one = self._nodes[identity]
            if one.kind is Kind.PROPERTY and plain(one.name) in names:
                return one
        return None

    # -- what counts for a point ---------------------------------------------------------------------------------------

    def bound(self, node: Node) -> str:
        """The point that a node is, as noted or as its document says; empty where that is none."""
        text = self.notes.get((node.id, "point"), node.point)
        try:
            return str(PointName.parse(text)) if text else ""
        except IdentifierError:
            return ""

    def identifier(self, node: Node) -> str:
        """The registered identifier of a thing; empty where none is said."""
        text = self.notes.get((node.id, "identifier"), node.identifier)
        if not text and (said := self.said(node, *_IDENTIFIERS)) is not None:
            text = (said.value or "").strip()
        try:
            return str(Identifier.parse(text)) if text and "://" not in text else ""
        except IdentifierError:
            return ""

    def place(self, node: Node) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Identifier of the thing that has the property (or empty), names down to the thing, names from there to the property.

        The thing is the nearest object around it that has an identifier; where none has, the nearest object that is no
        interface of another.
        """
        around = [one for one in self.above(node) if one.kind in (Kind.OBJECT, Kind.FOLDER, Kind.PROPERTY)]
        chosen, thing = 0, ""
        for level, one in enumerate(around):
            if one.kind is Kind.OBJECT and (thing := self.identifier(one)):
                chosen = level
                break
        else:
            objects = [level for level, one in enumerate(around) if one.kind is Kind.OBJECT and not _interface(one)]
            chosen = objects[0] if objects else 0
        if not around:
            return "", (node.name,), (node.name,)
        names = [one.name for one in reversed(around)]
        cut = len(names) - chosen
        return thing, tuple(names[:cut]), (*names[cut:], node.name)

    def unit(self, node: Node) -> str:
        """As somebody noted it, or as the document has it."""
        return self.notes.get((node.id, "unit"), node.unit)

    def texts(self, node: Node) -> dict[str, str]:
        """What people read, by language."""
        found = {language or "en": text for language, text in (node.labels or node.descriptions).items() if text}
        said = self.said(node, *_TEXTS)
        if said is not None:
            found |= self.languages(said)
        if noted := self.notes.get((node.id, "label")):
            found["en"] = noted
        return found

    def languages(self, node: Node) -> dict[str, str]:
        """A text of AutomationML in its languages: its own, and those of the attributes ``aml-lang=…`` below it."""
        found = {}
        for one in self.below(node):
            if one.name.startswith("aml-lang=") and one.value:
                found[one.name.removeprefix("aml-lang=") or "en"] = one.value
        if not found and node.value:
            found["en"] = node.value
        return found

    def tag(self, node: Node) -> str:
        """The familiar tag beside a property."""
        said = self.said(node, *_TAGS)
        return (said.value or "").strip() if said is not None else ""

    def enumeration(self, node: Node) -> dict[str, dict[str, str]]:
        """What each value means: the texts below ``EnumStrings`` (or ``EnumValues``), else the names of its choices."""
        said = self.said(node, "enumstrings", "enumvalues")
        if said is not None:
            return {one.name: texts for one in self.below(said) if (texts := self.languages(one))}
        choices = node.constraints.choices if node.constraints else ()
        return {value: {"en": name} for value, name in choices if name and name != value}


def plain(name: str) -> str:
    """A name as attributes are compared: small letters, nothing between the words."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _interface(node: Node) -> bool:
    return bool(node.extra.get("aml", {}).get("tag") == "ExternalInterface")
