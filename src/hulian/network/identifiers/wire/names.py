"""Handles as they are compared, and the handles that stand for prefixes."""

from __future__ import annotations

from typing import Final

__all__ = ["ZERO_NA", "key_of", "zero_na"]

ZERO_NA: Final = b"0.NA/"
"""What the handle of a prefix begins with."""


def key_of(handle: str | bytes) -> bytes:
    """A handle as it is compared: ASCII letters in upper case, every other byte as it is (DO-IRP 3.0, section 4).

    >>> key_of("88.111.1/Item7")
    b'88.111.1/ITEM7'
    """
    return (handle.encode() if isinstance(handle, str) else handle).upper()


def zero_na(handle: str | bytes) -> bytes:
    """The key of the handle that stands for the prefix of ``handle``; a prefix alone stands for itself.

    >>> zero_na("88.111.1/item7"), zero_na("88.111.1"), zero_na("0.NA/88")
    (b'0.NA/88.111.1', b'0.NA/88.111.1', b'0.NA/0.NA')
    """
    return ZERO_NA + key_of(handle).partition(b"/")[0]
