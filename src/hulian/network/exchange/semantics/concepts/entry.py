"""How OPC UA names the entries of dictionaries (OPC 10000-19)."""

from __future__ import annotations

from typing import Final

from hulian.network.exchange.semantics.concepts.identifier import Concept, parse

__all__ = [
    "DICTIONARIES",
    "HAS_DICTIONARY_ENTRY",
    "IRDI_ENTRY_TYPE",
    "IRDI_NAMESPACE",
    "URI_ENTRY_TYPE",
    "URI_NAMESPACE",
    "concept_of_node",
    "namespace_of",
    "node_of",
]

IRDI_NAMESPACE: Final = "http://opcfoundation.org/UA/Dictionary/IRDI"
URI_NAMESPACE: Final = "http://opcfoundation.org/UA/Dictionary/URI"
HAS_DICTIONARY_ENTRY: Final = "i=17597"
DICTIONARIES: Final = "i=17594"
"""The object under which a server's dictionaries stand."""
IRDI_ENTRY_TYPE: Final = "i=17598"
URI_ENTRY_TYPE: Final = "i=17600"


def namespace_of(concept: Concept) -> str:
    """The namespace of its entry."""
    return IRDI_NAMESPACE if concept.scheme == "irdi" else URI_NAMESPACE


def node_of(concept: Concept) -> str:
    """The id of its entry: ``nsu=http://opcfoundation.org/UA/Dictionary/IRDI;s=0112/2///61987#ABA565#007``.

    The identifier of the node is the identifier of the concept, as its owner writes it; the browse name is the same.
    """
    return f"nsu={namespace_of(concept)};s={concept.text}"


def concept_of_node(node: str) -> Concept | None:
    """The concept of an entry's node id; None where it is a node of another namespace. Raises `ConceptError`."""
    for namespace in (IRDI_NAMESPACE, URI_NAMESPACE):
        prefix = f"nsu={namespace};s="
        if node.startswith(prefix):
            return parse(node[len(prefix) :], place=node[:200])
    return None
