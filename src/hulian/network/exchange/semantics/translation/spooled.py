"""What a mapping makes, kept in a temporary file: writers go through it more than once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from hulian.network.exchange.semantics.aas.carried import ORDER
from hulian.network.exchange.semantics.contract import Attachment, Batch, Content, Document, Node, Reference

__all__ = ["Spooled", "Under"]

_IN_MEMORY: Final = 16 << 20
_encode = msgspec.msgpack.Encoder().encode
_node = msgspec.msgpack.Decoder(Node).decode


class Spooled:
    """`contract.Content` of batches. In memory are the references, and a place for each node that was asked for by id."""

    def __init__(self, document: Document, batches: Iterable[Batch], source: Content) -> None:
        """``source`` is what the batches are made from: its attachments are given on."""
        self.document = document
        self._source = source
        self._references: list[Reference] = []
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the content
        for batch in batches:
            for node in batch.nodes:
                encoded = _encode(node)
                self._file.write(len(encoded).to_bytes(4, "big") + encoded)
            self._references.extend(batch.references)
        self._places: dict[str, int] | None = None

    def nodes(self) -> Iterator[Node]:
        """In the order in which they were made."""
        return (node for _, node in self._all())

    def _all(self) -> Iterator[tuple[int, Node]]:
        at = 0
        while True:
            # others may have read since
            self._file.seek(at)
            size = int.from_bytes(self._file.read(4), "big")
            if not size:
                return
            yield at, _node(self._file.read(size))
            at += 4 + size

    def references(self) -> Iterator[Reference]:
        """All of them."""
        return iter(self._references)

    def attachments(self) -> Iterator[Attachment]:
        """Of the source."""
        return self._source.attachments()

    def node(self, identity: str) -> Node | None:
        """A node of this document, or else of the model."""
        if self._places is None:
            self._places = {node.id: at for at, node in self._all()}
        at = self._places.get(identity)
        if at is None:
            return self._source.node(identity)
        self._file.seek(at)
        return _node(self._file.read(int.from_bytes(self._file.read(4), "big")))


class Under:
    """`contract.Content` of another document with the same nodes."""

    def __init__(self, document: Document, content: Content) -> None:
        self.document = document
        self._content = content

    def nodes(self) -> Iterator[Node]:
        """Those of the content."""
        return self._content.nodes()

    def references(self) -> Iterator[Reference]:
        """Those of the content, in the order of the document that they are of."""
        known = [(int(one.extra.get(ORDER, 0)), one) for one in self._content.references()]
        known.sort(key=lambda each: each[0])
        for _, one in known:
            one.extra = {name: value for name, value in one.extra.items() if name != ORDER}
            yield one

    def attachments(self) -> Iterator[Attachment]:
        """Those of the content."""
        return self._content.attachments()

    def node(self, identity: str) -> Node | None:
        """As the content's."""
        return self._content.node(identity)
