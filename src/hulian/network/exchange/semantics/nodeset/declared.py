"""What instances of a type have: what it declares itself, what it derives from, and what its interfaces declare.

Instance declarations: OPC 10000-3, 6.2 and 6.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from hulian.network.exchange.semantics.contract import Content, Kind, Node, Relation
from hulian.network.exchange.semantics.nodeset.names import uri_of
from hulian.network.exchange.semantics.nodeset.schema import BASE
from hulian.network.exchange.semantics.nodeset.standard import standard_nodes

__all__ = ["Declaration", "Name", "Types"]

Name = tuple[str, str]
"""A browse name: namespace URI and name."""

_HAS_INTERFACE: Final = "i=17603"
_MANDATORY: Final = frozenset({"i=78", "i=11510"})
_PLACEHOLDERS: Final = frozenset({"i=11508", "i=11510"})
_RULES: Final = frozenset({"i=78", "i=80"}) | _PLACEHOLDERS
_TYPES: Final = frozenset({Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.ROLE})
_DEEPEST: Final = 64


class Declaration(msgspec.Struct, frozen=True):
    """One member that instances of a type have, must have, or may have any number of."""

    id: str
    """Of the node in the type."""
    name: Name
    kind: Kind
    type: str
    """Its type definition; empty for operations."""
    required: bool
    many: bool
    """A placeholder: instances have members of its type under names of their own."""


class Types:
    """The types of some documents, with those of the base namespace. One small record is held for each type and member."""

    def __init__(self, contents: Iterable[Content]) -> None:
        self._general: dict[str, str] = {}
        self._special: dict[str, set[str]] = {}
        self._members: dict[str, list[Declaration]] = {}
        self._interfaces: dict[str, list[str]] = {}
        self._names: dict[str, Name] = {}
        for node in standard_nodes():
            self._take(node)
        for content in contents:
            for node in content.nodes():
                self._take(node)
            for reference in content.references():
                if reference.relation == _HAS_INTERFACE:
                    self._interfaces.setdefault(reference.source, []).append(reference.target)

    def _take(self, node: Node) -> None:
        details = node.extra.get("nodeset", {})
        name = (details.get("browse") or uri_of(node.id) or BASE, node.name)
        if node.kind in _TYPES:
            self._names[node.id] = name
            if node.type:
                self._general[node.id] = node.type
                self._special.setdefault(node.type, set()).add(node.id)
        elif node.parent and details.get("rule") in _RULES and node.relation not in (Relation.INPUT, Relation.OUTPUT):
            rule = details["rule"]
            member = Declaration(node.id, name, node.kind, node.type, rule in _MANDATORY, rule in _PLACEHOLDERS)
            self._members.setdefault(node.parent, []).append(member)

    def __contains__(self, identity: str) -> bool:
        return identity in self._names

    def name(self, identity: str) -> str:
        """Browse name of a type, without namespace; its id where it is not known."""
        return self._names.get(identity, ("", identity))[1]

    def named(self, name: str) -> list[str]:
        """The ids of the types that are called ``name``."""
        return sorted(identity for identity, (_, called) in self._names.items() if called == name)

    def generals(self, identity: str) -> Iterator[str]:
        """The type and all that it derives from, the most special first."""
        for _ in range(_DEEPEST):
            if not identity:
                return
            yield identity
            identity = self._general.get(identity, "")

    def specials(self, identity: str) -> set[str]:
        """The type and all that derive from it."""
        found = {identity}
        waiting = [identity]
        while waiting:
            new = self._special.get(waiting.pop(), set()) - found
            found |= new
            waiting.extend(new)
        return found

    def is_a(self, identity: str, general: str) -> bool:
        """Whether a type is another, or derives from it."""
        return any(each == general for each in self.generals(identity))

    def members(self, type_: str, declaration: str = "") -> list[Declaration]:
        """What an instance of ``type_`` has; ``declaration`` is the member of another type that the instance stands for.

        A member of a special type stands for one of the same name of a general type.
        """
        found: dict[Name, Declaration] = {}
        for source in self._sources(type_, declaration):
            for member in self._members.get(source, ()):
                kept = found.setdefault(member.name, member)
                if member.required and not kept.required:
                    found[member.name] = msgspec.structs.replace(kept, required=True)
        return list(found.values())

    def _sources(self, type_: str, declaration: str) -> Iterator[str]:
        if declaration:
            yield declaration
            yield from self._of_interfaces(declaration)
        for general in self.generals(type_):
            yield general
            yield from self._of_interfaces(general)

    def _of_interfaces(self, identity: str) -> Iterator[str]:
        for interface in self._interfaces.get(identity, ()):
            yield from self.generals(interface)
