"""The digest of one value, as HS_SIGNATURE lists it."""

from __future__ import annotations

import base64
import hashlib

from hulian.network.identifiers.wire.values import Value, pack_value

__all__ = ["value_digest"]


def value_digest(value: Value) -> str:
    """Base64 of SHA-256 over the packed value without its index and timestamp, which a server may change."""
    return base64.b64encode(hashlib.sha256(pack_value(value)[8:]).digest()).decode()
