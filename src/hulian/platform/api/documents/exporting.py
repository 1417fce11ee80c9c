"""A document of the model as a file: written whole to the disk first, so that an error is answered as one, then streamed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec
from anyio import to_thread

from hulian.network.exchange.semantics.contract import Content, Document, Loss
from hulian.network.exchange.semantics.formats import FORMATS, format_named
from hulian.platform.api.errors import JobCancelledError, RequestError
from hulian.platform.api.receiving import room

__all__ = ["FORMS", "Written", "file_name", "streamed", "written"]

FORMS: Final = tuple(FORMATS)
"""Formats that a document can be written in."""
_SUFFIXES: Final = {
    "aml": ".aml",
    "nodeset": ".NodeSet2.xml",
    "aasx": ".aasx",
    "aas-xml": ".aas.xml",
    "aas-json": ".aas.json",
    "td": ".td.jsonld",
    "iml": ".iml",
    "hulian": ".hulian.jsonl",
}
_PACKED: Final = {"aml": ".amlx", "aas": ".aasx"}
_CHUNK: Final = 1 << 18
_EVERY: Final = 64 << 20


class Written(msgspec.Struct):
    """A file without a name: it is gone when it is closed, however the process ends."""

    file: BinaryIO
    size: int
    losses: list[Loss]
    name: str


def written(content: Content, form: str, scratch: Path | None, most: int, ended: threading.Event) -> Written:
    """Writes; blocking. Raises `RequestError` for a format that is none, what the format raises, and `NoSpaceError`."""
    chosen = form or content.document.format
    if chosen not in FORMATS:
        raise RequestError(f"there is no format {chosen[:40]!r}", place="query as", hint=f"one of: {', '.join(FORMS)}")
    room(scratch, 0)
    out = cast(BinaryIO, tempfile.TemporaryFile(dir=scratch))  # noqa: SIM115 - it outlives this function, and closes itself
    try:
        losses = format_named(chosen).write(content, cast(BinaryIO, _Bounded(out, scratch, most, ended)))
        out.flush()
        size = out.seek(0, 2)
        out.seek(0)
        name = file_name(content.document, chosen, out.read(4))
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return Written(file=out, size=size, losses=losses, name=name)


def file_name(document: Document, form: str, head: bytes) -> str:
    """What the file is called: the document's name, and what its format is known by."""
    suffix = _SUFFIXES.get(form, "")
    if head.startswith(b"PK"):
        suffix = _PACKED.get(form, suffix)
    elif not suffix:  # AAS in the form that it was read in
        suffix = ".aas.xml" if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else ".aas.json"
    return document.name + suffix


class _Bounded:
    """What a format writes to: it ends where nobody wants it any more, or where the disk would be full."""

    def __init__(self, file: BinaryIO, scratch: Path | None, most: int, ended: threading.Event) -> None:
        self._file, self._scratch, self._most, self._ended = file, scratch, most, ended
        self._since = 0

    def write(self, piece: bytes) -> int:
        if self._ended.is_set():
            raise JobCancelledError("nobody waits for the export any more")
        self._since += len(piece)
        if self._since > _EVERY:
            self._since = 0
            room(self._scratch, _EVERY)
            if self._file.tell() > self._most:
                raise RequestError(f"the document is larger than {self._most:,} bytes", hint="raise model_limit of [api]")
        return self._file.write(piece)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


async def streamed(found: Written) -> AsyncGenerator[bytes, None]:
    """The file in pieces; it is gone at the end."""
    try:
        while piece := await to_thread.run_sync(found.file.read, _CHUNK):
            yield piece
    finally:
        found.file.close()
