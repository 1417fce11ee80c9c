"""What identifies a concept: IRDIs and URIs in one form, compared with and without version, and named in OPC UA."""

from __future__ import annotations

from hulian.network.exchange.semantics.concepts.entry import concept_of_node, namespace_of, node_of
from hulian.network.exchange.semantics.concepts.identifier import Concept, key_of, of_reference, parse, recognise, same

__all__ = ["Concept", "concept_of_node", "key_of", "namespace_of", "node_of", "of_reference", "parse", "recognise", "same"]
