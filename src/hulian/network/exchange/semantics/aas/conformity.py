"""Whether a submodel is as its template says: what is missing, what is there too often, what is of another kind, by path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from hulian.network.exchange.semantics.aas.elements import class_of
from hulian.network.exchange.semantics.aas.strict import fits
from hulian.network.exchange.semantics.aas.texts import cardinality_of
from hulian.network.exchange.semantics.contract import Node

__all__ = ["Deviation", "deviations"]

_ARBITRARY: Final = re.compile(r"^arbitrary", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"(__?\d+__?|_?\{\d+\}|_?\d{2,})$")
_ANY: Final = frozenset({"SubmodelElement", "DataElement"})


class Deviation(msgspec.Struct, frozen=True):
    """One place where a submodel is not as its template."""

    path: str
    """idShortPath in the submodel; empty for the submodel itself."""
    what: str
    rule: str
    """``missing``, ``many``, ``kind``, ``type``, ``value``, ``unknown``."""


class _Tree:
    def __init__(self, nodes: Iterable[Node]) -> None:
        self._below: dict[str, list[Node]] = {}
        for node in nodes:
            self._below.setdefault(node.parent, []).append(node)

    def below(self, node: Node) -> list[Node]:
        return [one for one in self._below.get(node.id, []) if one.extra.get("aas", {}).get("modelType") != "Submodel"]


def deviations(submodel: Node, nodes: Iterable[Node], template: Node, of_template: Iterable[Node]) -> list[Deviation]:
    """All of them, in document order.

    ``nodes`` are those below ``submodel`` (others do no harm), ``of_template`` those below ``template``. An element belongs to
    the declaration that has its meaning; where it or the declaration has none, to that of its name.
    """
    return list(_Check(_Tree(nodes), _Tree(of_template)).below(submodel, template, ""))


class _Check:
    def __init__(self, tree: _Tree, declared: _Tree) -> None:
        self._tree, self._declared = tree, declared

    def below(self, node: Node, declaration: Node, path: str) -> list[Deviation]:
        """Deviations of what stands below a node."""
        found: list[Deviation] = []
        declarations = self._declared.below(declaration)
        counts = [0] * len(declarations)
        listed = class_of(node) == "SubmodelElementList"
        for index, one in enumerate(self._tree.below(node)):
            here = f"{path}[{index}]" if listed else f"{path}.{one.name}" if path else one.name
            at = self._belongs(one, declarations, listed=listed)
            if at is None:
                if declarations and not any(_ARBITRARY.match(other.name) for other in declarations):
                    found.append(Deviation(here, "the template declares no such element", "unknown"))
                continue
            counts[at] += 1
            found += self._one(one, declarations[at], here)
        for count, one in zip(counts, declarations, strict=True):
            limits = cardinality_of(one.extra.get("aas", {}))
            if limits is None or _ARBITRARY.match(one.name):
                continue
            required, many = limits
            named = f"{path}.{one.name}" if path else one.name
            if required and not count:
                found.append(Deviation(named, "it must be there", "missing"))
            elif count > 1 and not many:
                found.append(Deviation(named, f"it may be there once, and is {count} times", "many"))
        return found

    def _belongs(self, node: Node, declarations: list[Node], *, listed: bool) -> int | None:
        for meaning in node.meanings:
            for at, one in enumerate(declarations):
                if meaning in one.meanings:
                    return at
        plain = _NUMBERED.sub("", node.name)
        for at, one in enumerate(declarations):
            if _NUMBERED.sub("", one.name) == plain and not (node.meanings and one.meanings):
                return at
        return 0 if listed and len(declarations) == 1 else None

    def _one(self, node: Node, declaration: Node, path: str) -> list[Deviation]:
        found = []
        is_, wanted = class_of(node), class_of(declaration)
        if is_ != wanted and wanted not in _ANY:
            found.append(Deviation(path, f"it is a {is_}; the template has a {wanted}", "kind"))
            return found
        if declaration.datatype and node.datatype != declaration.datatype:
            found.append(Deviation(path, f"it is of {node.datatype or 'no type'}, not {declaration.datatype}", "type"))
        if node.value and node.datatype and not fits(node.value, node.datatype):
            found.append(Deviation(path, f"{node.value[:100]!r} is no {node.datatype}", "value"))
        limits = declaration.constraints
        if limits is not None and node.value:
            if limits.choices and node.value not in {value for value, _ in limits.choices} | {
                name for _, name in limits.choices
            }:
                found.append(Deviation(path, f"{node.value[:100]!r} is none of the choices", "value"))
            if not _between(node.value, limits.low, limits.high):
                found.append(Deviation(path, f"{node.value[:100]!r} is not between {limits.low} and {limits.high}", "value"))
        return found + self.below(node, declaration, path)


def _between(value: str, low: str | None, high: str | None) -> bool:
    try:
        number = float(value)
        return (low is None or number >= float(low)) and (high is None or number <= float(high))
    except ValueError:
        return True
