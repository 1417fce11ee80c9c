"""What published NodeSets do beyond their schema, and this reader accepts. Each bend has its reason; there are no others."""

from __future__ import annotations

from typing import Final

from hulian.network.exchange.semantics.contract import Loss

__all__ = ["BENDS", "bent"]

BENDS: Final = {
    "bare-required-model": "a RequiredModel without Version or PublicationDate: AML, AMLLibraries and ISA-95 name only the URI",
    "empty-parent": "ParentNodeId is empty: AMLLibraries writes it where there is none; it is read as absent",
    "foreign-attribute": "an attribute that the schema does not have, as DesignToolOnly of DI and the base model; it is kept, "
    "and not written, because a strict reader refuses it",
    "no-models": "no Models, as NodeSets before 1.03 and exports of tools; the first URI that nodes have is taken as defined",
    "standard-alias": "a name of the base namespace (HasComponent, Double) that no Alias explains; it means the standard node",
    "white-space": "white space around a node id: pretty printers break lines there",
    "zero-namespace": "ns=0; before an id of the base namespace, which needs no index",
    "guid-case": "a GUID in capitals: GUIDs are compared without case",
    "uri-in-id": "nsu=URI; in a node id where the schema has only indexes, as tools of Part 6, 1.05 write",
    "twice-defined": "a node that is defined twice; the first definition counts and the second is in the list of losses",
    "twice-in-locale": "two texts of one language; the first counts and the second is in the list of losses",
    "circle-of-parents": "nodes that are each other's parents; the first of them stands at the top, its references stay",
    "unordered": "children before their parents, and references to nodes further down: the model wants parents first",
    "odd-children": "children of a node in another order than the schema's; the writer puts them in order",
    "unknown-child": "a child element that the schema does not have; it is in the list of losses",
    "lax-value": "a value whose elements are not as the Types schema has them (attributes, no elements, other namespaces); it "
    "is kept as it is",
}


def bent(bend: str, place: str, what: str) -> Loss:
    """The loss that a bend makes, with its reason. Raises KeyError where the bend is not in the list."""
    return Loss(place=place, what=what, why=BENDS[bend])
