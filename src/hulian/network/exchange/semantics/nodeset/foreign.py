"""Nodes of other languages in a NodeSet, and what the model knows that OPC UA says by nodes of its own.

Ids of other languages become names (``s=``) in the document's own namespace. Who has no type gets the base type of its
class, who has no parent stands under the Objects folder. Units, ranges and choices become the standard properties,
arguments below an operation ``InputArguments`` and ``OutputArguments``, meanings references to entries of a dictionary
(OPC 10000-19).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import Content, Kind, Loss, Node, Relation
from hulian.network.exchange.semantics.nodeset.meaning import TELLING, unit_information
from hulian.network.exchange.semantics.nodeset.names import node_id, split
from hulian.network.exchange.semantics.nodeset.schema import BASE, DATATYPES, TYPE_IDS
from hulian.network.exchange.semantics.nodeset.tables import Tables

__all__ = ["Foreign", "is_foreign"]

_BASE_TYPES: Final = {
    Kind.OBJECT: "i=58",
    Kind.EVENT: "i=58",
    Kind.FOLDER: "i=61",
    Kind.PROPERTY: "i=63",
    Kind.OBJECT_TYPE: "i=58",
    Kind.PROPERTY_TYPE: "i=62",
    Kind.DATA_TYPE: "i=22",
    Kind.REFERENCE_TYPE: "i=32",
    Kind.ROLE: "i=17602",
    Kind.INTERFACE_TYPE: "i=58",
}
_TYPES: Final = frozenset(
    {Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.DATA_TYPE, Kind.REFERENCE_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE}
)
_LONGEST: Final = 1024
_OBJECTS: Final = "i=85"
_DICTIONARIES: Final = "i=17594"
_IRDI: Final = "http://opcfoundation.org/UA/Dictionary/IRDI"
_URI: Final = "http://opcfoundation.org/UA/Dictionary/URI"
_ARGUMENTS: Final = {Relation.INPUT: "InputArguments", Relation.OUTPUT: "OutputArguments"}
_NEAREST: Final = {Relation.ROLE: "i=17603", Relation.LINK: "i=24137", Relation.SAME: "i=25258"}
_STRUCTURES: Final = {
    "Argument": ("i=296", "i=297"),
    "Range": ("i=884", "i=885"),
    "EUInformation": ("i=887", "i=888"),
    "EnumValueType": ("i=7594", "i=7616"),
}


def is_foreign(node: Node) -> bool:
    """Whether no NodeSet and no mapping to OPC UA has said what the node is there."""
    return "nodeset" not in node.extra


class Foreign:
    """What is added to, or left out of, the nodes of a document so that OPC UA can say it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._told: set[tuple[str, str]] = set()
        self._arguments: dict[str, dict[str, list[Node]]] = {}
        self._entries: dict[str, str] = {}

    def skips(self, node: Node) -> bool:
        """Whether the node is written within another: arguments of operations."""
        return node.relation in _ARGUMENTS and node.kind is Kind.PROPERTY

    def take_argument(self, node: Node) -> None:
        """Takes note of an argument that no NodeSet has told of."""
        if node.extra.get("nodeset", {}).get("made") != "argument":
            self._arguments.setdefault(node.parent, {}).setdefault(node.relation, []).append(node)

    def arguments(self, node: Node) -> Iterator[Node]:
        """The arguments of an operation, of which notes were taken."""
        return (each for arguments in self._arguments.get(node.id, {}).values() for each in arguments)

    def look(self, node: Node) -> Iterator[str]:
        """Takes note of standard properties that are there already; gives the dictionary entries that the node refers to."""
        if node.name in TELLING or node.name in _ARGUMENTS.values():
            self._told.add((node.parent, node.name))
        if is_foreign(node):
            for meaning in node.meanings:
                uri = _IRDI if "#" in meaning and "://" not in meaning else _URI
                identity = node_id(uri, f"s={meaning}")
                if len(identity) <= _LONGEST:
                    self._entries[identity] = meaning
                    yield identity

    def relation(self, relation: str) -> str:
        """The standard reference type that comes nearest to a relation of the model; empty where none does."""
        return _NEAREST.get(relation, "")

    # ------------------------------------------------------------ nodes of other languages

    def translated(self, node: Node, content: Content, here: set[str], losses: list[Loss]) -> Node:
        """The node as OPC UA has it."""
        if node.kind in _TYPES:
            general = node.type if self._is_there(node.type, content) else ""
            if node.type and not general:
                losses.append(Loss(node.id, f"its general type {node.type}", "it is not in the model"))
            general = general or _BASE_TYPES[node.kind]
            parent, relation = node.parent, node.relation
            if not parent:
                parent, relation = general, Relation.SUBTYPE
            elif relation == Relation.COMPONENT and node.kind is not Kind.OBJECT_TYPE:
                relation = Relation.ORGANIZES
            return msgspec.structs.replace(node, type=general, parent=parent, relation=relation, labels=self._labels(node))
        type_ = node.type
        if node.kind is not Kind.OPERATION:
            if type_ and not self._is_there(type_, content):
                losses.append(Loss(node.id, f"its type {type_}", "it is not in the model; it is written with its base type"))
                type_ = ""
            if not type_:
                type_ = "i=68" if node.relation == Relation.PROPERTY and node.kind is Kind.PROPERTY else _BASE_TYPES[node.kind]
        else:
            type_ = ""
        if node.kind is Kind.EVENT:
            losses.append(Loss(node.id, "that it is an event", "OPC UA has types of events, but no node for one"))
        relation = node.relation if node.parent else Relation.ORGANIZES
        datatype, value = self._typed(node)
        return msgspec.structs.replace(
            node,
            type=type_,
            parent=node.parent or _OBJECTS,
            relation=relation,
            datatype=datatype,
            value=value,
            labels=self._labels(node),
        )

    def _labels(self, node: Node) -> dict[str, str]:
        return node.labels or {"": node.name}

    def _is_there(self, identity: str, content: Content) -> bool:
        return bool(identity) and (split(identity)[0] != "" or content.node(identity) is not None)

    def _typed(self, node: Node) -> tuple[str, str | None]:
        """Data type and value in types that OPC UA has."""
        array = node.datatype.endswith("[]")
        plain = node.datatype.removesuffix("[]")
        identity = TYPE_IDS.get(plain, "")
        xs = DATATYPES.get(identity, "")
        if not xs:
            # Of a type that has no element of its own, a value is its text.
            return ("xs:string" + "[]" * array if node.value is not None else identity or plain), node.value
        return xs + "[]" * array, node.value

    # ------------------------------------------------------------ beside a node

    def beside(self, node: Node, losses: list[Loss]) -> Iterator[Node]:
        """Standard properties for what the model knows of the node; nothing where the document has them."""
        if node.kind is Kind.PROPERTY and is_foreign(node):
            yield from self._restricted(node, losses)
        elif node.kind is Kind.PROPERTY and node.unit and (node.id, "EngineeringUnits") not in self._told:
            losses.append(
                Loss(node.id, f"the unit {node.unit}", "a node of a NodeSet says its unit by a property, and has none")
            )
        for relation, arguments in self._arguments.get(node.id, {}).items():
            if (node.id, _ARGUMENTS[relation]) not in self._told:
                yield self._property(node, _ARGUMENTS[relation], "Argument", [self._argument(each) for each in arguments])

    def _argument(self, node: Node) -> dict[str, Any]:
        plain = node.datatype.removesuffix("[]")
        words = next(iter(node.descriptions.values()), "")
        return {
            "Name": node.name,
            "DataType": {"Identifier": TYPE_IDS.get(plain, plain) or "i=24"},
            "ValueRank": "1" if node.datatype.endswith("[]") else "-1",
            "ArrayDimensions": "",
            "Description": {"Text": words},
        }

    def _restricted(self, node: Node, losses: list[Loss]) -> Iterator[Node]:
        limits = node.constraints
        if node.unit and (node.id, "EngineeringUnits") not in self._told:
            yield self._property(node, "EngineeringUnits", "EUInformation", unit_information(node.unit))
        if limits is None:
            return
        if (limits.low is not None or limits.high is not None) and (node.id, "EURange") not in self._told:
            low, high = limits.low or "-INF", limits.high or "INF"
            yield self._property(node, "EURange", "Range", {"Low": low, "High": high})
        if limits.choices and not {(node.id, "EnumStrings"), (node.id, "EnumValues")} & self._told:
            if all(value.lstrip("-").isdecimal() for value, _ in limits.choices):
                bodies = [{"Value": value, "DisplayName": {"Text": name or value}} for value, name in limits.choices]
                yield self._property(node, "EnumValues", "EnumValueType", bodies)
            else:
                losses.append(Loss(node.id, "its choices", "choices of OPC UA are numbers"))
        if limits.pattern:
            losses.append(Loss(node.id, f"the pattern {limits.pattern[:100]!r}", "OPC UA restricts no texts"))

    def _property(self, node: Node, name: str, structure: str, body: Any) -> Node:
        datatype, encoding = _STRUCTURES[structure]
        many = isinstance(body, list)
        objects = [{"TypeId": {"Identifier": encoding}, "Body": {structure: each}} for each in (body if many else [body])]
        details: dict[str, Any] = {"browse": BASE, "class": "Variable", "made": "property"}
        details["value"] = "ListOfExtensionObject" if many else {"type": "ExtensionObject"}
        if many:
            details["attributes"] = {"ValueRank": "1"}
        return Node(
            id=self._made_id(node, name),
            kind=Kind.PROPERTY,
            name=name,
            parent=node.id,
            relation=Relation.PROPERTY,
            type="i=68",
            datatype=datatype,
            value=msgspec.json.encode(objects if many else objects[0]).decode(),
            labels={"": name},
            extra={"nodeset": details},
        )

    def _made_id(self, node: Node, name: str) -> str:
        uri, local = split(node.id)
        return node_id(self._tables.own if uri in ("", BASE) else uri, f"s={local if uri else node.id}/{name}")

    def dictionaries(self, here: set[str]) -> set[str]:
        """Namespaces of the entries."""
        return {split(identity)[0] for identity in self._entries if identity not in here}

    def entries(self, here: set[str]) -> Iterator[Node]:
        """Entries of dictionaries that nodes of other languages refer to by their meanings."""
        for identity, meaning in self._entries.items():
            if identity in here:
                continue
            of = split(identity)[0]
            yield Node(
                id=identity,
                kind=Kind.OBJECT,
                name=meaning,
                parent=_DICTIONARIES,
                type="i=17598" if of == _IRDI else "i=17600",
                labels={"": meaning},
                extra={"nodeset": {"browse": of, "class": "Object"}},
            )
