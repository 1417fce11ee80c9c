"""A declaration of batches that never come: a full journal dropped them by its policy.

The header's sequence and offset are those of the first batch that is gone; behind it follow last u64, the number of the last
one, and end u64, the offset behind it. Storage class, flags and count are 0. The declaration takes no number of its own: it
stands in the sequence where the batches would have stood, and may come again, or again with a later end.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from hulian.kernel.sample import BatchHeader
from hulian.network.exchange.spine.errors import CodecError
from hulian.network.exchange.spine.header import BEYOND, NUMBERS, STORAGES, Form, Layout, pack_header

__all__ = ["Dropped", "encode_dropped", "read_dropped"]

_RANGE: Final = struct.Struct("<QQ")


class Dropped(NamedTuple):
    """Batches ``first`` to ``last`` of ``epoch``, samples ``offset`` to ``end``, are gone, but for those that had come."""

    organisation: str
    source: str
    epoch: int
    first: int
    last: int
    offset: int
    end: int
    received: int
    """When the last of them was dropped, UTC ns."""
    place: int = 0
    """Where the declaration stood among the messages read."""


def encode_dropped(dropped: Dropped) -> bytes:
    """The message; raises `CodecError` where the range is none."""
    _check(dropped)
    header = BatchHeader(dropped.organisation, dropped.source, dropped.epoch, dropped.first, dropped.offset, dropped.received)
    return pack_header(Form.DROPPED, STORAGES[0], 0, header, 0) + _RANGE.pack(dropped.last, dropped.end)


def read_dropped(layout: Layout, raw: bytes, place: int) -> Dropped:
    """The inverse of `encode_dropped`; raises `CodecError` for whatever that cannot have written."""
    epoch, first, offset, received = NUMBERS.unpack_from(raw, layout.body - NUMBERS.size)
    last, end = _RANGE.unpack_from(raw, layout.body)
    dropped = Dropped(layout.organisation, layout.source, epoch, first, last, offset, end, received, place)
    _check(dropped)
    return dropped


def _check(dropped: Dropped) -> None:
    if not (0 <= dropped.epoch < BEYOND and 0 < dropped.first <= dropped.last < BEYOND):
        raise CodecError("epoch or sequence out of range", place=dropped.source[:80])
    if not 0 <= dropped.offset <= dropped.end < BEYOND:
        raise CodecError("dropped samples end before they begin", place=dropped.source[:80])
