"""Percent-encoding as URIs have it (RFC 3986, section 2.1), refused where it is broken."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from hulian.network.identifiers.schemes.errors import CharacterError

__all__ = ["decode", "encode"]

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode(text: str, safe: str = "") -> str:
    """``text`` with every octet but unreserved ones and ``safe`` as ``%XX``."""
    return quote(text, safe=safe)


def decode(text: str, rule: str) -> str:
    """The inverse; raises `CharacterError` at a lone ``%`` or where the octets are no UTF-8."""
    if broken := _BROKEN.search(text):
        raise CharacterError("a % is not followed by two hexadecimal digits", rule=rule, position=broken.start())
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError as error:
        raise CharacterError("the percent-encoded octets are no UTF-8", rule=rule, position=max(text.find("%"), 0)) from error
