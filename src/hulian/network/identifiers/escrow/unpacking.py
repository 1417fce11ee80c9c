"""The one document in a zip, inflated piece by piece and never past the size that was announced.

What is needed of the form (APPNOTE 6.3.10, section 4.3.7) is the local header; sizes and digests stand in the manifest, which
is signed, and so the directory behind the data, which could be of any size, is not read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Final

from hulian.network.identifiers.escrow.errors import DocumentError

__all__ = ["inflated"]

_HEADER: Final = Struct("<4sHHHHHIIIHH")
_DEFLATE: Final = 8
_ENCRYPTED: Final = 1
_PIECE: Final = 65_536
_MOST_BEHIND: Final = 65_536
_PLACE: Final = "the zip"


def inflated(pieces: Iterator[bytes], name: str, size: int) -> Iterator[bytes]:
    """The ``size`` bytes of the document ``name``, in pieces of up to 64 KiB. Raises `DocumentError`."""
    waiting = b""
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _HEADER.size + len(name) + 256:
            break
    rest = _after_header(waiting, name)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    done = 0
    while not inflate.eof:
        try:
            found = inflate.decompress(rest, _PIECE)
        except zlib.error:
            raise DocumentError("it does not inflate", place=_PLACE) from None
        done += len(found)
        if done > size:
            raise DocumentError(f"more than the {size} bytes that were announced", place=_PLACE)
        if found:
            yield found
        rest = inflate.unconsumed_tail
        # With a whole piece given, more may wait inside, for which no input is needed.
        if not rest and len(found) < _PIECE and not inflate.eof:
            rest = next(pieces, b"")
            if not rest:
                raise DocumentError("it ends early", place=_PLACE)
    if done != size:
        raise DocumentError(f"{done} bytes, where {size} were announced", place=_PLACE)
    behind = len(inflate.unused_data)
    for piece in pieces:
        behind += len(piece)
        if behind > _MOST_BEHIND:
            raise DocumentError("more than one document", place=_PLACE)


def _after_header(data: bytes, name: str) -> bytes:
    if len(data) < _HEADER.size:
        raise DocumentError("it ends early", place=_PLACE)
    magic, _, flags, method, _, _, _, _, _, named, extra = _HEADER.unpack_from(data)
    begin = _HEADER.size + named + extra
    if magic != b"PK\3\4" or flags & _ENCRYPTED or method != _DEFLATE:
        raise DocumentError("no zip with a deflated document", place=_PLACE)
    if len(data) < begin or data[_HEADER.size : _HEADER.size + named] != name.encode():
        raise DocumentError(f"its document is not {name}", place=_PLACE)
    return data[begin:]
