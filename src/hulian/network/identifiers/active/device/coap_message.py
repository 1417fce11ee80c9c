"""CoAP messages (RFC 7252, section 3) and the block options (RFC 7959): bytes in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .errors import FormatError

__all__ = [
    "ACKNOWLEDGEMENT",
    "BLOCK1",
    "BLOCK2",
    "CONFIRMABLE",
    "CONTENT_FORMAT",
    "NON_CONFIRMABLE",
    "OCTETS",
    "POST",
    "RESET",
    "SIZE1",
    "URI_PATH",
    "Block",
    "CoapMessage",
    "code",
    "decode",
    "encode",
    "number",
]

CONFIRMABLE, NON_CONFIRMABLE, ACKNOWLEDGEMENT, RESET = range(4)
URI_PATH, CONTENT_FORMAT, BLOCK2, BLOCK1, SIZE1 = 11, 12, 23, 27, 60
POST = 0x02
OCTETS = 42
"""The content format of application/octet-stream."""

_LONGEST = 2048
_MOST_OPTIONS = 32


class CoapMessage(NamedTuple):
    """One datagram. ``options`` are numbers and values in ascending order."""

    type: int
    code: int
    id: int
    token: bytes = b""
    options: Sequence[tuple[int, bytes]] = ()
    payload: bytes = b""

    def option(self, wanted: int) -> bytes | None:
        """The first option of that number."""
        return next((value for found, value in self.options if found == wanted), None)


class Block(NamedTuple):
    """Which part of a body a message carries: ``number`` of ``size`` bytes each, and whether ``more`` follow."""

    number: int
    more: bool
    size: int

    def pack(self) -> bytes:
        return number(self.number << 4 | (8 if self.more else 0) | (self.size.bit_length() - 5))

    @classmethod
    def unpack(cls, value: bytes) -> Block:
        """Raises `FormatError`."""
        if len(value) > 3 or (value and value[-1] & 7 == 7):
            raise FormatError("a block option that is none")
        found = int.from_bytes(value, "big")
        return cls(found >> 4, bool(found & 8), 16 << (found & 7))


def code(major: int, minor: int) -> int:
    """A response code, such as 2.04."""
    return major << 5 | minor


def number(value: int) -> bytes:
    """A number as options carry it: without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(message: CoapMessage) -> bytes:
    """The bytes of ``message``."""
    parts = [bytes((0x40 | message.type << 4 | len(message.token), message.code)), message.id.to_bytes(2, "big"), message.token]
    before = 0
    for found, value in sorted(message.options, key=lambda one: one[0]):
        delta, delta_more = _nibble(found - before)
        size, size_more = _nibble(len(value))
        parts += (bytes((delta << 4 | size,)), delta_more, size_more, value)
        before = found
    if message.payload:
        parts += (b"\xff", message.payload)
    return b"".join(parts)


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")


def decode(data: bytes) -> CoapMessage:
    """The message that ``data`` is. Raises `FormatError`."""
    if not 4 <= len(data) <= _LONGEST or data[0] >> 6 != 1:
        raise FormatError("no CoAP message")
    size, found = data[0] & 15, data[1]
    if size > 8 or 4 + size > len(data) or (not found and len(data) > 4):
        raise FormatError("a CoAP message with a token that is none, or an empty one with something in it")
    at, before = 4 + size, 0
    options: list[tuple[int, bytes]] = []
    while at < len(data) and data[at] != 0xFF:
        if len(options) >= _MOST_OPTIONS:
            raise FormatError("a CoAP message with too many options")
        delta, length = data[at] >> 4, data[at] & 15
        delta, at = _extended(data, at + 1, delta)
        length, at = _extended(data, at, length)
        if length > len(data) - at:
            raise FormatError("a CoAP option that is cut short")
        before += delta
        options.append((before, data[at : at + length]))
        at += length
    if at < len(data) and at + 1 == len(data):
        raise FormatError("a CoAP message with a mark of a payload, and none")
    payload = data[at + 1 :]
    return CoapMessage(data[0] >> 4 & 3, found, int.from_bytes(data[2:4], "big"), data[4 : 4 + size], tuple(options), payload)


def _extended(data: bytes, at: int, nibble: int) -> tuple[int, int]:
    if nibble < 13:
        return nibble, at
    size = nibble - 12
    if nibble == 15 or at + size > len(data):
        raise FormatError("a CoAP option that is cut short")
    return int.from_bytes(data[at : at + size], "big") + (13 if size == 1 else 269), at + size
