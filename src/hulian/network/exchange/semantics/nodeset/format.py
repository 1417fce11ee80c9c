"""NodeSet2 as a format of the model: light until a document is read or written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Format, Loss, Source

__all__ = ["FORMAT", "NodeSet"]

_NAMESPACE: Final = b"http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"


class NodeSet:
    """The pair of functions of ``UANodeSet.xsd`` (OPC 10000-6, Annex F)."""

    name = "nodeset"
    suffixes: Sequence[str] = (".nodeset2.xml", ".nodeset.xml", ".xml")

    def recognises(self, name: str, head: bytes) -> bool:
        """A begin with the schema's namespace: most publishers put a licence before it, which may be longer than ``head``."""
        text = head.replace(b"\0", b"")
        if _NAMESPACE in text:
            return b"UANodeSetChanges" not in text
        return name.lower().endswith(".xml") and "nodeset" in name.lower()

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `Format.read`. Raises `DocumentError` with line and path."""
        from hulian.network.exchange.semantics.nodeset.reading import read

        return read(source, name, losses)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """As `Format.write`."""
        from hulian.network.exchange.semantics.nodeset.writing import write

        return write(content, out)


FORMAT: Final[Format] = NodeSet()
