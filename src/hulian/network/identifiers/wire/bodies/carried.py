"""The bodies of what active carriers ask, which `hulian.network.identifiers.active.messages` reads."""

from __future__ import annotations

from typing import Final

import msgspec

from hulian.network.identifiers.wire.errors import LimitError
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["MAX_CARRIED", "Carried"]

MAX_CARRIED: Final = 65_000


class Carried(msgspec.Struct, frozen=True):
    """At most 65,000 bytes, passed on as they are."""

    data: bytes

    def pack(self) -> bytes:
        return self.data

    @classmethod
    def read(cls, reader: Reader) -> Carried:
        if reader.left > MAX_CARRIED:
            reader.fail(LimitError, f"{reader.left} bytes, where {MAX_CARRIED} are accepted")
        return cls(reader.rest())

    def __repr__(self) -> str:
        return f"Carried({len(self.data)} bytes)"
