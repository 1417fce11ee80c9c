"""AutomationML: CAEX 2.15 and 3.0, plain (.aml) and in containers (.amlx), read and written.

`names` has the words and how objects are named, `reading` one file as a stream, `files` all files of a document, `writing` both
versions, `checks` the schema's rules, `bends` what is accepted beyond them. `opcua` and `from_opcua` are the ways to OPC UA
(OPC 30040) and back (OPC 10000-83); `points` proposes which live points a description names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Loss, Source

__all__ = ["FORMAT", "AutomationML"]


class AutomationML:
    """`contract.Format` of CAEX. Its libraries are loaded when a document is read or written."""

    name = "aml"
    suffixes = (".aml", ".amlx", ".caex")

    def recognises(self, name: str, head: bytes) -> bool:
        """By the suffix of a container, by the root element of a file."""
        if head.startswith(b"PK\x03\x04"):
            return name.lower().endswith(".amlx")
        for encoding in ("utf-16-le", "utf-16-be"):
            if "CAEXFile".encode(encoding) in head:
                return True
        return b"<CAEXFile" in head or b":CAEXFile" in head or name.lower().endswith((".aml", ".caex"))

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `contract.Format.read`; ``Document.namespaces`` is complete when all batches have been taken."""
        from hulian.network.exchange.semantics.automationml.files import open_document

        return open_document(source, name, losses)

    def write(self, content: Content, out: BinaryIO, *, version: str = "") -> list[Loss]:
        """As `contract.Format.write`; ``version`` is 2.15 or 3.0: that of the document, or 3.0, where it is empty."""
        from hulian.network.exchange.semantics.automationml.writing import write_document

        return write_document(content, out, version)


FORMAT: Final = AutomationML()
