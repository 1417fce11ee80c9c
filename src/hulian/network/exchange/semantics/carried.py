"""Nodes of one language inside a document of another, so that they come back as they were.

A language that is written from another says what it can in its own terms. Beside that it carries the nodes themselves, in the
place that it has for what only one system knows (an extension of OPC UA, additional information of CAEX): an element
``Carried`` that holds them as JSON. Other tools keep or ignore it; `restored` takes them out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from lxml import etree

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.contract import Attachment, Content, Document, Node, Reference

__all__ = ["CARRIED", "Carrier", "Restored", "carried_ids", "restored"]

CARRIED: Final = "urn:hulian:carried"
"""Namespace of the element."""
_ILLEGAL: Final = re.compile("[\x7f-\x9f\ufffe\uffff]")


class _Carried(msgspec.Struct, omit_defaults=True):
    """What one element holds. The numbers are places in the document, which other languages may put in another order."""

    document: Document | None = None
    nodes: list[tuple[int, Node]] = []
    references: list[tuple[int, Reference]] = []


class Carrier:
    """Packs the nodes of a document, each once, with the references that lead from it. Holds the references."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._given: set[str] = set()
        self._places = {node.id: place for place, node in enumerate(content.nodes())}
        self._references: dict[str, list[tuple[int, Reference]]] = {}
        for place, reference in enumerate(content.references()):
            owner = reference.source if reference.source in self._places else ""
            self._references.setdefault(owner, []).append((place, reference))

    def document(self) -> str:
        """The document itself, and references that lead from none of its nodes."""
        return _xml(_Carried(document=self._content.document, references=self._references.get("", [])))

    def of(self, *nodes: Node) -> str:
        """Those of the nodes that are in the document and were not packed before; empty where none is."""
        new = [node for node in nodes if node.id in self._places and node.id not in self._given]
        if not new:
            return ""
        self._given.update(node.id for node in new)
        references = [each for node in new for each in self._references.get(node.id, ())]
        return _xml(_Carried(nodes=[(self._places[node.id], node) for node in new], references=references))

    def rest(self) -> str:
        """All nodes that were not packed yet; empty where there are none."""
        return self.of(*(node for node in self._content.nodes() if node.id not in self._given))


def _xml(carried: _Carried) -> str:
    element = etree.Element(f"{{{CARRIED}}}Carried", nsmap={None: CARRIED})
    text = msgspec.json.encode(carried).decode()
    element.text = _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return etree.tostring(element, encoding="unicode")


class Restored:
    """`contract.Content` of what a document carries, held whole."""

    def __init__(self, document: Document, nodes: list[Node], references: list[Reference]) -> None:
        self.document = document
        self._nodes, self._references = nodes, references
        self._by_id = {node.id: node for node in nodes}

    def nodes(self) -> Iterator[Node]:
        """In the order in which they were."""
        return iter(self._nodes)

    def references(self) -> Iterator[Reference]:
        """As they were."""
        return iter(self._references)

    def attachments(self) -> Iterator[Attachment]:
        """None: they do not travel."""
        return iter(())

    def node(self, identity: str) -> Node | None:
        """A node of this document."""
        return self._by_id.get(identity)


def restored(pieces: Iterable[str]) -> Restored | None:
    """What XML pieces of a document carry; None where they carry no document. What is broken in them is left out."""
    document: Document | None = None
    nodes: list[tuple[int, Node]] = []
    references: list[tuple[int, Reference]] = []
    for piece in pieces:
        if CARRIED not in piece:
            continue
        for found in _read(piece):
            document = found.document or document
            nodes += found.nodes
            references += found.references
    if document is None:
        return None
    nodes.sort(key=lambda each: each[0])
    references.sort(key=lambda each: each[0])
    return Restored(document, [node for _, node in nodes], [reference for _, reference in references])


def carried_ids(pieces: Iterable[str]) -> list[str]:
    """Ids of the nodes that XML pieces carry."""
    return [node.id for piece in pieces if CARRIED in piece for found in _read(piece) for _, node in found.nodes]


def _read(piece: str) -> Iterator[_Carried]:
    try:
        root = etree.fromstring(piece, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError):
        return
    for element in root.iter(f"{{{CARRIED}}}Carried"):
        try:
            yield msgspec.json.decode((element.text or "").encode(), type=_Carried)
        except UNREADABLE:
            continue
