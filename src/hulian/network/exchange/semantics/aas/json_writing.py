"""Fields to AAS JSON; elements may be opened, filled and closed."""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.network.exchange.semantics.aas.metamodel import CHILDREN

__all__ = ["JsonWriting"]


class JsonWriting:
    """The JSON form of a document."""

    separator = b","
    suffix = "json"

    def document(self) -> tuple[bytes, bytes]:
        """Begin and end."""
        return b"{", b"}\n"

    def listed(self, name: str, *, first: bool) -> tuple[bytes, bytes]:
        """Begin and end of a list of the environment."""
        return (b"" if first else b",") + f'"{name}":['.encode(), b"]"

    def whole(self, fields: dict[str, Any]) -> bytes:
        """An element with all that is below it."""
        return msgspec.json.encode(fields)

    def opened(self, fields: dict[str, Any]) -> bytes:
        """An element up to where its children begin."""
        return msgspec.json.encode(fields)[:-1] + f',"{CHILDREN[fields["modelType"]]}":['.encode()

    def closed(self, fields: dict[str, Any]) -> bytes:
        """The rest of it."""
        del fields
        return b"]}"
