"""What reading a document from outside can raise: one noun, because msgspec's own errors are not all of it."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["UNREADABLE"]

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""For ``except`` around `msgspec.json.decode` and its kin: no document, bytes that are no UTF-8 inside a text, too deep."""
