"""Lines of a text from outside, for the reader of CSV: bounded, and read as a stream."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import Metered
from hulian.network.exchange.semantics.errors import HostileDocumentError

__all__ = ["text_lines"]

_LONGEST: Final = 16 << 20
_PIECE: Final = 1 << 16


def text_lines(source: Source, encoding: str, largest: int) -> Iterator[str]:
    """The lines, each with its end. Raises UnicodeError for bytes that are no text, `HostileDocumentError` beyond a bound."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    rest = ""
    with source.open() as opened, Metered(opened, largest, source.progress, source.name) as stream:
        while True:
            piece = stream.read(_PIECE)
            lines = (rest + decoder.decode(piece, final=not piece)).split("\n")
            rest = lines.pop()
            for line in lines:
                yield line + "\n"
            if len(rest) > _LONGEST:
                raise HostileDocumentError(f"a line is longer than {_LONGEST >> 20} MiB", place=source.name)
            if not piece:
                break
    if rest:
        yield rest
