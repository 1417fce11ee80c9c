"""The base namespace, as far as documents of other namespaces stand on it: no base NodeSet needs to be there for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from hulian.network.exchange.semantics.contract import Document, Kind, Loss, Node
from hulian.network.exchange.semantics.nodeset.schema import BASE, DATATYPES, KINDS, RELATIONS

__all__ = [
    "HIERARCHICAL",
    "Standard",
    "hierarchical",
    "missing_models",
    "standard_document",
    "standard_names",
    "standard_node",
    "standard_nodes",
    "standard_supertypes",
]

HIERARCHICAL: Final = "i=33"
_LETTERS: Final = dict(zip("OVDRovmw", ("ObjectType", "VariableType", "DataType", "ReferenceType", *KINDS), strict=False))


class Standard(NamedTuple):
    """One node of the base namespace."""

    identity: str
    node_class: str
    abstract: bool
    symmetric: bool
    name: str
    parent: str
    reference: str
    """Id of the reference type from the parent."""
    type: str
    rule: str
    datatype: str
    rank: str
    inverse: str


@cache
def standard_table() -> dict[str, Standard]:
    """All of them, by id."""
    text = files(__package__).joinpath("standard.txt").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        number, letter, name, parent, reference, type_, rule, datatype, rank, inverse = cells + [""] * (10 - len(cells))
        identity = f"i={number}"
        table[identity] = Standard(
            identity,
            _LETTERS[letter[0]],
            "a" in letter,
            "s" in letter,
            name,
            f"i={parent}" if parent else "",
            f"i={reference or 45}" if parent else "",
            f"i={type_}" if type_ else "",
            f"i={rule}" if rule else "",
            f"i={datatype}" if datatype else "",
            rank,
            inverse,
        )
    return table


@cache
def standard_names() -> dict[str, str]:
    """Ids of the reference types and data types of the base namespace, by name: what an alias mostly is."""
    return {node.name: node.identity for node in standard_table().values() if node.node_class in ("ReferenceType", "DataType")}


@cache
def hierarchical() -> frozenset[str]:
    """Ids of the hierarchical reference types of the base namespace."""
    found = {HIERARCHICAL}
    types = [node for node in standard_table().values() if node.node_class == "ReferenceType"]
    while more := {node.identity for node in types if node.parent in found} - found:
        found |= more
    return frozenset(found)


def standard_supertypes(identity: str) -> Iterator[str]:
    """The standard type itself and what it derives from, the most special first; nothing for what is no standard type."""
    table = standard_table()
    while (node := table.get(identity)) is not None:
        yield identity
        if node.reference != "i=45":
            return
        identity = node.parent


def standard_document() -> Document:
    """The base namespace as a document of the model."""
    return Document(name="opcua", format="nodeset", version="1.05", title="OPC UA base namespace", namespaces=(BASE,))


def standard_node(identity: str) -> Node | None:
    """A node of the base namespace as the model has it; None for one that is not in the table."""
    found = standard_table().get(identity)
    return None if found is None else _node(found)


def standard_nodes() -> Iterator[Node]:
    """All nodes of the table, parents first."""
    given: set[str] = {""}
    waiting = list(standard_table().values())
    while waiting:
        ready = [node for node in waiting if node.parent in given]
        given.update(node.identity for node in ready)
        yield from map(_node, ready)
        waiting = [node for node in waiting if node.identity not in given]


def _node(found: Standard) -> Node:
    attributes = {}
    if found.abstract:
        attributes["IsAbstract"] = "true"
    if found.symmetric:
        attributes["Symmetric"] = "true"
    if found.rank:
        attributes["ValueRank"] = found.rank
    extra: dict[str, Any] = {"browse": BASE, "class": found.node_class}
    if attributes:
        extra["attributes"] = attributes
    if found.rule:
        extra["rule"] = found.rule
    if found.inverse:
        extra["inverse"] = {"": found.inverse}
    is_type = found.node_class.endswith("Type")
    datatype = DATATYPES.get(found.datatype, found.datatype)
    if datatype.startswith("xs:") and found.rank.isdigit():
        datatype += "[]"
    kind = KINDS[found.node_class]
    if found.type == "i=61":
        kind = Kind.FOLDER
    elif "i=17602" in standard_supertypes(found.identity):
        kind = Kind.ROLE
    return Node(
        id=found.identity,
        kind=kind,
        name=found.name,
        parent=found.parent,
        relation=RELATIONS.get(found.reference, found.reference) or "component",
        type=found.parent if is_type and found.reference == "i=45" else found.type,
        datatype=datatype,
        labels={"": found.name},
        extra={"nodeset": extra},
    )


def missing_models(document: Document, present: Iterable[str]) -> list[Loss]:
    """The models that a document requires and that are neither the base namespace nor in ``present`` (namespace URIs).

    Each loss names the model, and the version and date that the document asks for where it says so.
    """
    there = {BASE, *document.namespaces, *present}
    asked = {}
    for model in document.extra.get("nodeset", {}).get("models", ()):
        for required in model.get("requires", ()):
            attributes = required.get("attributes", {})
            asked[attributes.get("ModelUri", "")] = attributes
    losses = []
    for uri in document.requires:
        if uri in there:
            continue
        attributes = asked.get(uri, {})
        words = " of ".join(attributes[key] for key in ("Version", "PublicationDate") if attributes.get(key))
        losses.append(
            Loss(
                place=document.name,
                what=f"the required model {uri}" + (f", version {words}" if words else ""),
                why="it is not in the model: types and reference types of it stay names until it is imported",
            )
        )
    return losses
