"""What was read of a document, held in memory: the `Content` of tests of round trips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hulian.network.exchange.semantics.contract import Attachment, Batch, Document, Node, Reference


class Collected:
    """A document and its batches."""

    def __init__(self, document: Document, batches: Iterable[Batch]) -> None:
        self.document = document
        self._batches = list(batches)
        self._by_id = {node.id: node for batch in self._batches for node in batch.nodes}

    def nodes(self) -> Iterator[Node]:
        return (node for batch in self._batches for node in batch.nodes)

    def references(self) -> Iterator[Reference]:
        return (reference for batch in self._batches for reference in batch.references)

    def attachments(self) -> Iterator[Attachment]:
        return (attachment for batch in self._batches for attachment in batch.attachments)

    def node(self, identity: str) -> Node | None:
        return self._by_id.get(identity)
