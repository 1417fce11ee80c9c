"""The bounds of the protocol, checked before anything is allocated."""

from __future__ import annotations

from typing import Final

__all__ = [
    "MAX_ELEMENTS",
    "MAX_HANDLE",
    "MAX_INTERFACES",
    "MAX_MESSAGE",
    "MAX_SERVERS",
    "MAX_VALUES",
]

MAX_MESSAGE: Final = 262_144
"""Bytes of a message behind its envelope."""

MAX_HANDLE: Final = 2_048
"""Bytes of a handle."""

MAX_VALUES: Final = 2_048
"""Values of one record, and indexes or types of one question."""

MAX_ELEMENTS: Final = 1_048_576
"""Elements of any other list; what the bytes can hold is always fewer."""

MAX_SERVERS: Final = 1_024
"""Servers of one HS_SITE."""

MAX_INTERFACES: Final = 64
"""Interfaces of one server."""
