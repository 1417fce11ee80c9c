"""Every language of the field, by name: which rooms there are, and which of them a document is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Final

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Format, Loss, Source
from hulian.network.exchange.semantics.errors import UnknownFormatError

__all__ = ["FORMATS", "document_name", "format_named", "format_of"]

FORMATS: Final = {
    "aml": "automationml",
    "nodeset": "nodeset",
    "aas": "aas",
    "aasx": "aas",
    "aas-xml": "aas",
    "aas-json": "aas",
    "td": "wot",
    "iml": "instrumentml",
    "hulian": "plain",
}
"""Formats by the name that commands take, and the room of each. A room is loaded when a document of it is."""
_HEAD: Final = 4096


def format_named(name: str) -> Format:
    """The format that a person names. Raises `UnknownFormatError`."""
    room = FORMATS.get(name.casefold())
    if room is None:
        raise UnknownFormatError(f"there is no format '{name}'", hint=f"one of: {', '.join(FORMATS)}")
    module = import_module(f"hulian.network.exchange.semantics.{room}")
    every = {one.name: one for one in getattr(module, "FORMATS", ())}  # of a room whose documents have several forms
    return _Translating(every.get(name.casefold(), module.FORMAT), room)


class _Translating:
    """A format that writes documents of other languages by the mapping that a standard has for them."""

    def __init__(self, form: Format, room: str) -> None:
        self.name: str = form.name
        self.suffixes: Sequence[str] = form.suffixes
        self.reader = form
        """What reads for it: `apart.process` names it to another process."""
        self._room = room

    def recognises(self, name: str, head: bytes) -> bool:
        """As `Format.recognises`."""
        return self.reader.recognises(name, head)

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `Format.read`."""
        return self.reader.read(source, name, losses)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """As `Format.write`. Raises `TranslationError` for a document of which the format can say nothing."""
        own = FORMATS.get(content.document.format, "plain")
        if own == self._room:
            return self.reader.write(content, out)
        from hulian.network.exchange.semantics.translation import translated

        losses: list[Loss] = []
        losses += self.reader.write(translated(content, own, self._room, losses), out)
        return losses


def format_of(source: Source) -> Format:
    """The format that a document has, by its name and its first bytes. Raises `UnknownFormatError`."""
    with source.open() as opened:
        head = opened.read(_HEAD)
    named = [name for name in FORMATS if source.name.casefold().endswith(tuple(format_named(name).suffixes))]
    for name in [*named, *(name for name in FORMATS if name not in named)]:
        if format_named(name).recognises(source.name, head):
            return format_named(name)
    raise UnknownFormatError(
        "it is of no format that is known", place=source.name, hint=f"name one with --format: {', '.join(FORMATS)}"
    )


def document_name(path: Path, form: Format) -> str:
    """A name for the document in a file: the file's own, without what says its format."""
    name = path.name
    for suffix in sorted((*form.suffixes, path.suffix), key=len, reverse=True):
        if suffix and name.casefold().endswith(suffix.casefold()) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    return "".join(character if character.isalnum() or character in "-_. " else "-" for character in name)[:100]
