"""A document of the information model in memory, for tests of formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hulian.network.exchange.semantics.contract import Attachment, Batch, Document, Node, Reference


class Collected:
    """`Content` over the batches that a format has read."""

    def __init__(self, document: Document, batches: Iterable[Batch]) -> None:
        self.batches = list(batches)
        self.document = document
        self._nodes = {node.id: node for batch in self.batches for node in batch.nodes}

    def nodes(self) -> Iterator[Node]:
        return (node for batch in self.batches for node in batch.nodes)

    def references(self) -> Iterator[Reference]:
        return (reference for batch in self.batches for reference in batch.references)

    def attachments(self) -> Iterator[Attachment]:
        return (attachment for batch in self.batches for attachment in batch.attachments)

    def node(self, identity: str) -> Node | None:
        return self._nodes.get(identity)
