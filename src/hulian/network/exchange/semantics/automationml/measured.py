"""A bound on what one element may hold: all of it is in memory until the next container begins or ends."""

from __future__ import annotations

import io
from typing import BinaryIO, Final, cast

import msgspec

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.errors import HostileDocumentError

__all__ = ["LARGEST_ELEMENT", "Measured"]

LARGEST_ELEMENT: Final = 16 << 20
"""Bytes of one element's own attributes, interfaces and opaque content; as a tree they are about eight times that."""


class Measured:
    """Counts what is read of a source since the last event of its parser."""

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._count = 0
        self.source = msgspec.structs.replace(source, open=lambda: cast(BinaryIO, _Stream(source.open(), self)))
        """The same source, counted."""

    def event(self) -> None:
        """Something was taken: counting begins anew."""
        self._count = 0

    def count(self, size: int) -> None:
        """Raises `HostileDocumentError` beyond the bound."""
        self._count += size
        if self._count > LARGEST_ELEMENT:
            raise HostileDocumentError(f"one element holds more than {LARGEST_ELEMENT >> 20} MiB", place=self._name)


class _Stream(io.RawIOBase):
    """A stream that tells what is read of it; nothing but reading is asked of it."""

    def __init__(self, stream: BinaryIO, counter: Measured) -> None:
        self._stream, self._counter = stream, counter

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As a file's; raises `HostileDocumentError` beyond the bound."""
        piece = self._stream.read(size)
        self._counter.count(len(piece))
        return piece

    def close(self) -> None:
        """Closes what it reads from as well."""
        self._stream.close()
        super().close()
