"""The contents of a carrier as its node writes them: a document, and the node's signature over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hulian.network.identifiers.active.messages import RECEIPT, SESSION
from hulian.network.identifiers.wire.authentication import Signer

__all__ = ["CONTENTS", "INDEX", "NodeSigner", "document"]

CONTENTS: Final = b"hulian active contents 1\0"
INDEX: Final = 300
"""The index of a carrier's key in its record."""

_USER: Final = b"hulian active node"


class NodeSigner:
    """Signs contents and receipts with the key whose public half the carriers were given."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def contents(self, packed: bytes) -> bytes:
        """The signature over the document ``packed``."""
        return self._signer.sign(CONTENTS + packed, self._signer.digests[0], _USER)

    def session(self, covered: bytes) -> bytes:
        """The signature over what `session_covered` gives."""
        if not covered.startswith(SESSION):
            raise ValueError("no session")
        return self._signer.sign(covered, self._signer.digests[0], _USER)

    def receipt(self, covered: bytes) -> bytes:
        """The signature over what `receipt_covered` gives."""
        if not covered.startswith(RECEIPT):
            raise ValueError("no receipt")
        return self._signer.sign(covered, self._signer.digests[0], _USER)


def document(
    *,
    serial: str,
    version: int,
    identifier: str,
    certificate: str,
    settings: dict[str, Any],
    trust: Sequence[str],
    revoked: bool,
) -> bytes:
    """The same bytes for the same contents, always."""
    found = {
        "certificate": certificate,
        "identifier": identifier,
        "index": INDEX,
        "revoked": revoked,
        "serial": serial,
        "settings": settings,
        "trust": list(trust),
        "version": version,
    }
    return msgspec.json.encode(found, order="deterministic")
