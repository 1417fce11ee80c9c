"""A document as a stream of pieces, each a kind and bytes: what reading gives and what keeping takes.

Nodes are encoded as they will be kept, a batch at a time. So the same stream leads from a reader to the tables, whether the two
are in one process or a pipe is between them (`apart`), and nothing is encoded twice.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import msgspec

from hulian.network.exchange.semantics.contract import Document, Format, Loss, Source

__all__ = ["ATTACHMENT", "DOCUMENT", "END", "MOST_LOSSES", "NODES", "REFERENCES", "Ending", "pieces"]

DOCUMENT: Final = b"D"
"""What stands before the nodes: `Document` as JSON."""
NODES: Final = b"N"
"""A list of `Node`, as MessagePack."""
REFERENCES: Final = b"R"
"""A list of `Reference`, as MessagePack."""
ATTACHMENT: Final = b"A"
"""An `Attachment`, as MessagePack."""
END: Final = b"Z"
"""The last piece: an `Ending`, as MessagePack."""
MOST_LOSSES: Final = 10_000
"""Kept of a document; the last one says how many there are in all."""

_encode = msgspec.msgpack.Encoder().encode


class Ending(msgspec.Struct):
    """What is known when all was read: the document, completed perhaps, and what was lost."""

    document: Document
    losses: list[Loss]


def pieces(form: Format, source: Source, name: str) -> Generator[tuple[bytes, bytes], None, None]:
    """Reads ``source`` as the document ``name``. Raises `DocumentError`, while it reads as well."""
    losses: list[Loss] = []
    document, batches = form.read(source, name, losses)
    yield DOCUMENT, msgspec.json.encode(document)
    for batch in batches:
        if batch.nodes:
            yield NODES, _encode(batch.nodes)
        if batch.references:
            yield REFERENCES, _encode(batch.references)
        for attachment in batch.attachments:
            yield ATTACHMENT, _encode(attachment)
    shown = losses[:MOST_LOSSES]
    if more := len(losses) - len(shown):
        shown.append(Loss(source.name, f"{more} more", f"only the first {MOST_LOSSES} losses are kept"))
    yield END, _encode(Ending(document, shown))
