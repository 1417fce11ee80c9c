"""Thing Descriptions as one of the model's formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Loss, Source

__all__ = ["FORMAT", "ThingDescription"]

_SUFFIXES: Final = (".td.jsonld", ".tm.jsonld", ".td.json", ".tm.json", ".td", ".jsonld")
_CONTEXTS: Final = (b"https://www.w3.org/2022/wot/td/v1.1", b"https://www.w3.org/2019/wot/td/v1", b"http://www.w3.org/ns/td")


class ThingDescription:
    """Thing Descriptions and Thing Models of the W3C Web of Things."""

    name = "td"
    suffixes: Sequence[str] = _SUFFIXES

    def recognises(self, name: str, head: bytes) -> bool:
        """By its context, or by a suffix that only they have."""
        plain = head.replace(b"\\/", b"/")
        if any(context in plain for context in _CONTEXTS):
            return True
        return name.lower().endswith(_SUFFIXES[:5]) and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"")

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """See `Format.read`."""
        from hulian.network.exchange.semantics.wot.reading import read

        return read(source, name, losses)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """See `Format.write`."""
        from hulian.network.exchange.semantics.wot.writing import write

        return write(content, out)


FORMAT: Final = ThingDescription()
