"""Several sample batches in one message: one write, and with ``durability = "power"`` one fsync, for all of them.

A bundle is (little endian) magic ``HM`` | version u8 (1) | reserved u8 (0) | count u32 | length u32[count] | the batches one
behind the other. A batch begins with ``HL``, so that a reader tells the two apart by their first bytes. What a batch is
(`hulian.network.exchange.spine.codec`), who sent it and whether it is a repeat does not depend on the company it came in.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.codec import decode_many, join
from hulian.network.exchange.spine.errors import CodecError, SpineError
from hulian.network.exchange.spine.publisher import Published, Publisher

__all__ = ["Bundler", "columns_of", "pack", "unpack"]

_MAGIC: Final = b"HM"
_HEAD = struct.Struct("<2sBBI")
_MOST_BYTES: Final = 256 * 1024
"""A bundle ends with the batch that makes it this large."""

Done = Callable[[Published | SpineError], None]


def pack(payloads: Sequence[bytes]) -> bytes:
    """One message of all ``payloads``; a single one stays as it is.

    >>> unpack(pack([b"HL-one", b"HL-two"]))
    [b'HL-one', b'HL-two']
    """
    if len(payloads) == 1:
        return payloads[0]
    lengths = struct.pack(f"<{len(payloads)}I", *map(len, payloads))
    return b"".join((_HEAD.pack(_MAGIC, 1, 0, len(payloads)), lengths, *payloads))


def unpack(payload: bytes) -> list[bytes]:
    """The batches of one message. Raises `CodecError` where a bundle's lengths are not those of its bytes."""
    if payload[:2] != _MAGIC:
        return [payload]
    if len(payload) < _HEAD.size:
        raise CodecError("a bundle that ends within its header")
    _, version, reserved, count = _HEAD.unpack_from(payload)
    if version != 1 or reserved:
        raise CodecError("a bundle of a later version", hint="upgrade this node before its edges")
    place = _HEAD.size + 4 * count
    if place > len(payload):
        raise CodecError(f"{len(payload)} bytes do not hold {count} batches")
    lengths = struct.unpack_from(f"<{count}I", payload, _HEAD.size)
    if place + sum(lengths) != len(payload):
        raise CodecError("the lengths of a bundle are not those of its bytes")
    batches = []
    for length in lengths:
        batches.append(payload[place : place + length])
        place += length
    return batches


def columns_of(payload: bytes) -> list[Columns]:
    """What the batches of one message hold, without their headers: one `Columns` a storage class. Raises `CodecError`."""
    bulk = decode_many(unpack(payload))
    if bulk.errors:
        raise bulk.errors[0][1]
    return join(bulk.groups)


class _Item(NamedTuple):
    payload: bytes
    message_id: str
    done: Done


class Bundler:
    """Posts batches through a `Publisher`: those of one subject and one turn of the event loop share a message.

    Nothing waits for company: what is posted leaves at the end of the turn. A bundle is acknowledged, or refused, as one.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self._open: dict[str, list[_Item]] = {}
        self._bytes: dict[str, int] = {}

    def post(self, subject: str, payload: bytes, message_id: str, done: Done) -> None:
        """As `Publisher.post`; ``done`` is called once."""
        if not self._open:
            self._loop.call_soon(self.flush)
        self._open.setdefault(subject, []).append(_Item(payload, message_id, done))
        size = self._bytes.get(subject, 0) + len(payload)
        self._bytes[subject] = size
        if size >= _MOST_BYTES:
            self._close(subject)

    def flush(self) -> None:
        """Sends what is open now."""
        for subject in tuple(self._open):
            self._close(subject)

    def _close(self, subject: str) -> None:
        items = self._open.pop(subject)
        del self._bytes[subject]
        if len(items) == 1:
            self._publisher.post(subject, items[0].payload, items[0].message_id, items[0].done)
            return

        def ended(result: Published | SpineError) -> None:
            for item in items:
                item.done(result)

        # After a restart the same batches may go in other company: the server takes that for new, the ledger does not.
        identity = f"{items[0].message_id}+{len(items)}"
        self._publisher.post(subject, pack([item.payload for item in items]), identity, ended)
