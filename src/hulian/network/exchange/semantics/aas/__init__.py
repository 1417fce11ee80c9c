"""Asset Administration Shells (IDTA 01001-3.0 and 3.1): packages, XML and JSON; templates, interfaces and the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Loss, Source

__all__ = ["FORMAT", "FORMATS"]


class _Lazy:
    """The format, whose libraries are loaded when a document is read or written."""

    suffixes: Sequence[str] = (".aasx", ".xml", ".json")

    def __init__(self, name: str, form: str | None = None) -> None:
        self.name, self._form = name, form

    def recognises(self, name: str, head: bytes) -> bool:
        """As `Format.recognises`; the formats that only name what is written recognise nothing."""
        from hulian.network.exchange.semantics.aas.format import AasFormat

        return self._form is None and AasFormat().recognises(name, head)

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `Format.read`."""
        from hulian.network.exchange.semantics.aas.format import AasFormat

        return AasFormat().read(source, name, losses)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """As `Format.write`."""
        from hulian.network.exchange.semantics.aas.format import AasFormat

        return AasFormat(self.name, self._form).write(content, out)  # type: ignore[arg-type]


FORMAT: Final = _Lazy("aas")
"""Reads all forms; writes the one that the document was read from, a package where it was none."""
FORMATS: Final = (FORMAT, _Lazy("aasx", "aasx"), _Lazy("aas-xml", "xml"), _Lazy("aas-json", "json"))
"""And those that say which form is written."""
