"""IML as one of the model's formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Loss, Source

__all__ = ["FORMAT", "InstrumentML"]

_ROOT: Final = re.compile(rb"<(?:[\w.-]+:)?(?:(?:Device|Instrument)(?:Set|Peer)?|maiml)[\s/>]")
_FIRST: Final = re.compile(rb"<[A-Za-z_][^\s/>]*[\s/>]")


class InstrumentML:
    """NASA's Instrument Markup Language. A document of MaiML is recognised too: reading it says which language it is."""

    name = "iml"
    suffixes: Sequence[str] = (".iml", ".xml")

    def recognises(self, name: str, head: bytes) -> bool:
        """By the first element."""
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            head = head.decode("utf-16", "ignore").encode()
        head = re.sub(rb"<!--.*?-->", b"", head, flags=re.DOTALL)
        first = _FIRST.search(head)
        if first is None:
            return name.lower().endswith((".iml", ".maiml"))
        return _ROOT.match(head, first.start()) is not None

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """See `Format.read`."""
        from hulian.network.exchange.semantics.instrumentml.reading import read

        return read(source, name, losses)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """See `Format.write`."""
        from hulian.network.exchange.semantics.instrumentml.writing import write

        return write(content, out)


FORMAT: Final = InstrumentML()
