"""Handles as they are compared, and the handles that stand for prefixes."""

from __future__ import annotations

from typing import Final

__all__ = ["ZERO_NA", "key_of", "prefix_folded", "zero_na"]

ZERO_NA: Final = b"0.NA/"
"""What the handle of a prefix begins with."""


def key_of(handle: str | bytes) -> bytes:
    """A handle as this node compares it where it answers itself: ASCII letters in upper case, every other byte as it is
    (DO-IRP 3.0, section 4). Letters beyond ASCII are told apart.

    >>> key_of("88.111.1/Item7")
    b'88.111.1/ITEM7'
    """
    return (handle.encode() if isinstance(handle, str) else handle).upper()


def prefix_folded(handle: bytes) -> bytes:
    """A handle as it is compared by who does not answer for it: the prefix without regard to the case of ASCII letters, the
    suffix as it is written, since another node may tell suffixes apart that differ in nothing else. Of the handle of a prefix
    nothing is told apart.

    >>> prefix_folded(b"abc.1/Item7"), prefix_folded(b"0.na/abc.1"), prefix_folded(b"abc.1")
    (b'ABC.1/Item7', b'0.NA/ABC.1', b'ABC.1')
    """
    prefix, slash, suffix = handle.partition(b"/")
    prefix = prefix.upper()
    return prefix + slash + (suffix.upper() if prefix == b"0.NA" else suffix)


def zero_na(handle: str | bytes) -> bytes:
    """The key of the handle that stands for the prefix of ``handle``; a prefix alone stands for itself.

    >>> zero_na("88.111.1/item7"), zero_na("88.111.1"), zero_na("0.NA/88")
    (b'0.NA/88.111.1', b'0.NA/88.111.1', b'0.NA/0.NA')
    """
    return ZERO_NA + key_of(handle).partition(b"/")[0]
