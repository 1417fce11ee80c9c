"""How every message of the stream of samples begins, and which forms follow.

The beginning is the same for all, so that a router reads who sent what without touching what comes behind (little endian)::

    0   magic "HL" | form u8 | storage u8 | flags u8 | schema version u8
    6   organisation length u16 | source length u16 | reserved u16 (0)
    12  count u32
    16  organisation, source (UTF-8)
    +0  epoch u64 | sequence u64 | offset u64 | received i64

Forms: 1 packed columns (`hulian.network.exchange.spine.packing`), 2 Arrow (`hulian.network.exchange.spine.arrow`),
3 a declaration of batches that never come (`hulian.network.exchange.spine.dropped`). A reader refuses a form, a flag or a
schema version that it does not know, and nothing else: a newer sender is named, older messages stay readable.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from hulian.kernel.sample import SCHEMA_VERSION, BatchHeader
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.errors import CodecError

__all__ = [
    "BEYOND",
    "FIXED",
    "MAXIMUM_BYTES",
    "MAXIMUM_COUNT",
    "NUMBERS",
    "NUMBER_OF",
    "STORAGES",
    "WITH_NULLS",
    "WITH_STATUS",
    "Form",
    "Layout",
    "head_of",
    "layout_of",
    "pack_header",
]

MAXIMUM_BYTES: Final = 8 * 2**20
"""Largest message, and so the largest batch, that the spine carries."""

MAXIMUM_COUNT: Final = 1_000_000
"""Most samples in one batch."""

BEYOND: Final = 2**62
"""Epochs, sequences and offsets stay below it."""

WITH_STATUS, WITH_NULLS = 1, 2
NUMBERS = struct.Struct("<QQQq")

STORAGES: Final = tuple(StorageClass)
NUMBER_OF: Final = {storage: number for number, storage in enumerate(STORAGES)}
FIXED: Final[dict[StorageClass, np.dtype[Any]]] = {
    StorageClass.DOUBLE: np.dtype("<f8"),
    StorageClass.INTEGER: np.dtype("<i8"),
    StorageClass.BOOLEAN: np.dtype("u1"),
}
"""The value's width in packed columns; the others are of variable length."""

MAGIC: Final = b"HL"
PREFIX: Final = struct.Struct("<2sBBBBHHHI")
NAME_LIMIT: Final = 1024
_DECLARED: Final = 16
"""Bytes behind the numbers of a declaration."""


class Form(IntEnum):
    """What follows the beginning."""

    PACKED = 1
    ARROW = 2
    DROPPED = 3


def pack_header(form: Form, storage: StorageClass, flags: int, header: BatchHeader, count: int) -> bytes:
    """The beginning of a message; raises `CodecError` where a field is out of range."""
    organisation, source = header.organisation.encode(), header.source.encode()
    if not 0 < len(organisation) <= NAME_LIMIT or not 0 < len(source) <= NAME_LIMIT:
        raise CodecError("organisation and source are names of 1 to 1024 bytes", place=header.source[:80])
    try:
        prefix = PREFIX.pack(MAGIC, form, NUMBER_OF[storage], flags, header.version, len(organisation), len(source), 0, count)
        return prefix + organisation + source + NUMBERS.pack(header.epoch, header.sequence, header.offset, header.received)
    except struct.error as error:
        raise CodecError(f"a header field is out of range: {error}", place=header.source) from error


_FORMS: Final = frozenset(Form)


class Layout(NamedTuple):
    """What a message's first bytes and its length say: the same for all messages of one source and shape."""

    form: Form
    storage: StorageClass
    flags: int
    version: int
    organisation: str
    source: str
    samples: int
    body: int
    """Where the columns begin."""


@lru_cache(maxsize=8192)
def layout_of(head: bytes, length: int) -> Layout:
    """The layout behind prefix and names; every length is checked here, before a column is touched."""
    _, form, number, flags, version, organisation, source, reserved, count = PREFIX.unpack_from(head)
    if number >= len(STORAGES):
        raise CodecError(f"storage class {number} does not exist")
    if form not in _FORMS or flags & ~(WITH_STATUS | WITH_NULLS) or reserved:
        raise CodecError("a form or flag of a later version, or a damaged header", hint="upgrade this node before its edges")
    if not 1 <= version <= SCHEMA_VERSION:
        raise CodecError(f"schema version {version} is not known here", hint="upgrade this node before its edges")
    if count > MAXIMUM_COUNT:
        raise CodecError(f"a batch of {count} samples is longer than {MAXIMUM_COUNT}")
    storage = STORAGES[number]
    start = PREFIX.size
    try:
        names = head[start : start + organisation].decode(), head[start + organisation :].decode()
    except UnicodeDecodeError as error:
        raise CodecError("a name in the header is not UTF-8") from error
    body = start + organisation + source + NUMBERS.size
    if form == Form.PACKED:
        kind = FIXED.get(storage)
        fixed = body + count * (16 + 4 * (flags & WITH_STATUS)) + (-(-count // 8) if flags & WITH_NULLS else 0)
        fixed += 4 * (count + 1) if kind is None else count * kind.itemsize
        if length < fixed or (kind is not None and length != fixed):
            raise CodecError(f"{length} bytes do not hold {count} samples of class {storage}")
    elif form == Form.DROPPED:
        if length != body + _DECLARED or flags or count:
            raise CodecError("a declaration of dropped batches carries one range and nothing else")
    elif length <= body:
        raise CodecError("an Arrow batch without its body")
    return Layout(Form(form), storage, flags, version, *names, count, body)


def head_of(raw: bytes) -> bytes:
    """Prefix and names: the part that all messages of one source and shape share."""
    if len(raw) > MAXIMUM_BYTES:
        raise CodecError(f"a message of {len(raw)} bytes is larger than {MAXIMUM_BYTES}")
    if raw[:2] != MAGIC or len(raw) < PREFIX.size + NUMBERS.size + 2:
        raise CodecError("not a sample batch")
    organisation, source = raw[6] | raw[7] << 8, raw[8] | raw[9] << 8
    if not 0 < organisation <= NAME_LIMIT or not 0 < source <= NAME_LIMIT:
        raise CodecError("organisation and source are names of 1 to 1024 bytes")
    end = PREFIX.size + organisation + source
    if end + NUMBERS.size > len(raw):
        raise CodecError("the message ends within its header")
    return raw[:end]
