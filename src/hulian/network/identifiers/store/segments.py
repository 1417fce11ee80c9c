"""Changes that were made together, in one row of the log: the handles that were created, and the digests of their values.

Big-endian: for each change the length of its handle in two bytes; the handles one behind another; the digests, 32 bytes each.
Their seals are not kept, except the last: they are computed again from the one before the segment.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from hulian.network.identifiers.store.errors import BrokenLogError

__all__ = ["LARGEST", "pack_segment", "unpack_segment"]

LARGEST: Final = 512
"""Changes of one segment: who reads one of them reads them all."""

_DIGEST: Final = 32


def pack_segment(handles: Sequence[bytes], digests: Sequence[bytes]) -> bytes:
    """The content of a row. As many digests as handles.

    >>> len(pack_segment([b"99.118.8/a", b"99.118.8/bc"], [bytes(32), bytes(32)]))
    89
    """
    return struct.pack(f">{len(handles)}H", *map(len, handles)) + b"".join(handles) + b"".join(digests)


def unpack_segment(content: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Handle and digest of each of ``count`` changes. Raises `BrokenLogError` where the content does not hold as many."""
    if not 0 < count <= LARGEST or len(content) < count * (2 + _DIGEST):
        raise BrokenLogError(f"a segment of {count} changes in {len(content)} bytes")
    ends = list(accumulate(struct.unpack_from(f">{count}H", content), initial=2 * count))
    if len(content) != ends[-1] + count * _DIGEST:
        raise BrokenLogError(f"a segment of {count} changes in {len(content)} bytes")
    digests = [content[at : at + _DIGEST] for at in range(ends[-1], len(content), _DIGEST)]
    return [(content[ends[place] : ends[place + 1]], digests[place]) for place in range(count)]
