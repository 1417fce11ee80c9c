"""The model's own language: the nouns of `contract` as lines of JSON. Nothing is lost in it, so it carries models between
installations, and what people write by hand.

The first line is the document, ``{"hulian": 1, "document": {…}}``; each of the others has one key: ``node``, ``reference`` or
``attachment``, whose value has the fields of that noun.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.contract import (
    BATCH,
    Attachment,
    Batch,
    Content,
    Document,
    Loss,
    Node,
    Reference,
    Source,
)
from hulian.network.exchange.semantics.documents import Metered
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["FORMAT", "Plain"]

_LONGEST: Final = 96 << 20
"""Bytes of a line: an attachment in base 64."""
_LARGEST: Final = 8 << 30
_VERSION: Final = 1


class _First(msgspec.Struct):
    hulian: int
    document: Document


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    node: Node | None = None
    reference: Reference | None = None
    attachment: Attachment | None = None


_first = msgspec.json.Decoder(_First).decode
_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


class Plain:
    """The format ``hulian``."""

    name = "hulian"
    suffixes = (".hulian.jsonl",)

    def recognises(self, name: str, head: bytes) -> bool:
        """By its first key."""
        return head.lstrip().startswith(b'{"hulian":')

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterator[Batch]]:
        """Nothing is lost. Raises `DocumentError` with the line."""
        lines = _lines(source)
        number, text = next(lines, (1, b""))
        try:
            first = _first(text)
        except UNREADABLE as error:
            raise DocumentError(f"it does not begin as a model does: {error}", place=f"{source.name}, line {number}") from error
        if first.hulian != _VERSION:
            raise DocumentError(
                f"it is of version {first.hulian}, and {_VERSION} is known",
                place=source.name,
                hint="read it with the version of Hulian that wrote it, or a newer one",
            )
        return msgspec.structs.replace(first.document, name=name, format=self.name), _batches(source.name, lines)

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """All of it."""
        out.write(_encode(_First(_VERSION, content.document)) + b"\n")
        for node in content.nodes():
            out.write(_encode(_Line(node=node)) + b"\n")
        for reference in content.references():
            out.write(_encode(_Line(reference=reference)) + b"\n")
        for attachment in content.attachments():
            out.write(_encode(_Line(attachment=attachment)) + b"\n")
        return []


def _lines(source: Source) -> Iterator[tuple[int, bytes]]:
    rest, number = b"", 0
    with source.open() as opened, Metered(opened, _LARGEST, source.progress, source.name) as stream:
        while piece := stream.read(1 << 20):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                number += 1
                if line.strip():
                    yield number, line
            if len(rest) > _LONGEST:
                raise HostileDocumentError(
                    f"a line is longer than {_LONGEST >> 20} MiB", place=f"{source.name}, line {number + 1}"
                )
    if rest.strip():
        yield number + 1, rest


def _batches(name: str, lines: Iterator[tuple[int, bytes]]) -> Iterator[Batch]:
    batch = Batch([], [], [])
    for number, text in lines:
        try:
            line = _line(text)
        except UNREADABLE as error:
            raise DocumentError(f"it cannot be read: {error}", place=f"{name}, line {number}") from error
        if line.node is not None:
            batch.nodes.append(line.node)
        if line.reference is not None:
            batch.references.append(line.reference)
        if line.attachment is not None:
            batch.attachments.append(line.attachment)
        if len(batch.nodes) >= BATCH or len(batch.references) >= BATCH or batch.attachments:
            yield batch
            batch = Batch([], [], [])
    yield batch


FORMAT: Final = Plain()
