"""Concepts as dictionary entries of OPC UA (OPC 10000-19), in the nouns of the model, for who writes NodeSets.

An entry is an object under Dictionaries (i=17594) whose node id and browse name are the identifier of its concept, in one of
the two namespaces that belong to no server. A NodeSet holds those that are needed, never all: its namespace says
``IsNamespaceSubset``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hulian.network.exchange.semantics.concepts import namespace_of, node_of, parse
from hulian.network.exchange.semantics.concepts.entry import (
    DICTIONARIES,
    IRDI_ENTRY_TYPE,
    IRDI_NAMESPACE,
    URI_ENTRY_TYPE,
    URI_NAMESPACE,
)
from hulian.network.exchange.semantics.contract import BATCH, Batch, Document, Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header

__all__ = ["described_by", "dictionary_document", "dictionary_nodes"]

_UA: Final = "http://opcfoundation.org/UA/"


def dictionary_document(name: str, header: Header) -> Document:
    """The document ``name`` that `dictionary_nodes` fills."""
    return Document(
        name=name,
        format="nodeset",
        title=header.title,
        namespaces=(IRDI_NAMESPACE, URI_NAMESPACE),
        requires=(_UA,),
        extra={"dictionary": {"IsNamespaceSubset": True, "release": header.label}},
    )


def dictionary_nodes(entries: Iterable[Entry]) -> Iterator[Batch]:
    """The entries as objects under Dictionaries, each once, in batches. Raises `ConceptError` for one without identifier."""
    batch = Batch()
    seen: set[str] = set()
    for entry in entries:
        concept = parse(entry.identifier)
        identity = node_of(concept)
        if identity in seen:
            continue
        seen.add(identity)
        if len(batch.nodes) >= BATCH:
            yield batch
            batch = Batch()
        batch.nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name=concept.text,
                parent=_ua(DICTIONARIES),
                type=_ua(IRDI_ENTRY_TYPE if concept.scheme == "irdi" else URI_ENTRY_TYPE),
                meanings=(concept.text,),
                labels=dict(entry.names) or {"": concept.text},
                descriptions=dict(entry.definitions),
                extra={"dictionary": {"namespace": namespace_of(concept), "kind": entry.kind.name.lower()}},
            )
        )
    if batch.nodes:
        yield batch


def described_by(node: str, identifier: str) -> Reference:
    """That ``node`` means the concept (HasDictionaryEntry). Raises `ConceptError`."""
    return Reference(source=node, relation=Relation.DESCRIBED, target=node_of(parse(identifier, place=node[:200])))


def _ua(node: str) -> str:
    return f"nsu={_UA};{node}"
