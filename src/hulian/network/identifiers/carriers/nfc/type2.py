"""The memory of a Type 2 tag (NFC Forum T2T 1.2) as an image, from block 0 on.

0     serial number with its check octets (nine octets), one of the maker
10    static lock bits: FFFFh where blocks 3 to 15 can no longer be written
12    capability container: E1h, version, size of the data area in eight octets, access
16    data area: TLV blocks, of which one holds the message
…     dynamic lock bits, one for eight octets beyond the first 48, where the data area is larger
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import CapacityError, NdefError

__all__ = ["NTAG213", "NTAG215", "NTAG216", "ULTRALIGHT", "Type2", "decode_type2", "encode_type2"]

ULTRALIGHT, NTAG213, NTAG215, NTAG216 = 48, 144, 496, 872
"""Sizes of the data area of tags on the market."""

_HEAD: Final = 16
_STATIC: Final = 48
_MAGIC: Final = 0xE1
_VERSION: Final = 0x10
_NULL, _LOCK, _MEMORY, _MESSAGE, _END = 0x00, 0x01, 0x02, 0x03, 0xFE
_LONG: Final = 0xFF
_CASCADE: Final = 0x88


class Type2(NamedTuple):
    """What an image holds. ``message`` is None where there is no TLV block for one, empty where the tag is prepared."""

    serial: bytes
    message: bytes | None
    locked: bool
    size: int


def encode_type2(message: bytes, size: int = NTAG213, *, serial: bytes = bytes(7), locked: bool = False) -> bytes:
    """The image of a tag with a data area of ``size`` octets. Locked, no writer changes it again.

    Raises `CapacityError` where the message does not fit.
    """
    if len(serial) != 7 or not 8 <= size <= 2040 or size % 8:
        raise NdefError("a serial number has 7 octets, a data area 8 to 2040 in steps of 8", rule="type2.size")
    length = bytes([len(message)]) if len(message) < _LONG else bytes([_LONG]) + len(message).to_bytes(2, "big")
    block = bytes([_MESSAGE]) + length + message
    if len(block) > size:
        raise CapacityError(f"{len(block)} octets with their head; the tag has {size}", rule="type2.length", position=size)
    # A terminator stands behind the last block unless it fills the data area.
    data = (block + bytes([_END]))[:size].ljust(size, b"\0")
    checks = _CASCADE ^ serial[0] ^ serial[1] ^ serial[2], serial[3] ^ serial[4] ^ serial[5] ^ serial[6]
    head = serial[:3] + bytes(checks[:1]) + serial[3:] + bytes(checks[1:]) + b"\0"
    lock = b"\xff" if locked else b"\0"
    container = bytes([_MAGIC, _VERSION, size // 8, 0x0F if locked else 0])
    return head + lock * 2 + container + data + lock * (-(-(size - _STATIC) // 64) if size > _STATIC else 0)


def decode_type2(image: bytes) -> Type2:
    """Reads an image; what stands behind the data area may be missing. Positions in errors are octets of the image."""
    if len(image) < _HEAD or image[12] != _MAGIC:
        raise NdefError("there is no capability container at octet 12", rule="type2.container", position=min(len(image), 12))
    if image[13] >> 4 != _VERSION >> 4:
        raise NdefError(f"version {image[13] >> 4}.{image[13] & 15} of the mapping", rule="type2.version", position=13)
    size = 8 * image[14]
    end = _HEAD + size
    if len(image) < end:
        raise NdefError(f"the data area has {size} octets, {len(image) - _HEAD} are there", rule="type2.size", position=14)
    locked = image[10:12] == b"\xff\xff" or image[15] & 0x0F == 0x0F
    return Type2(image[:3] + image[4:8], _message(image, end), locked, size)


def _message(image: bytes, end: int) -> bytes | None:
    """The content of the first block for a message, octets that are reserved by other blocks left out."""
    reserved: set[int] = set()
    place = _HEAD

    def take(count: int) -> bytes:
        nonlocal place
        found = bytearray()
        while len(found) < count:
            if place >= end:
                raise NdefError("a TLV block reaches beyond the data area", rule="type2.tlv", position=end)
            if place not in reserved:
                found.append(image[place])
            place += 1
        return bytes(found)

    while place < end:
        if place in reserved:
            place += 1
            continue
        begin = place
        tag = take(1)[0]
        if tag == _NULL:
            continue
        if tag == _END:
            return None
        length = take(1)[0]
        if length == _LONG:
            length = int.from_bytes(take(2), "big")
        value = take(length)
        if tag == _MESSAGE:
            return value
        if tag in (_LOCK, _MEMORY):
            if length != 3:
                raise NdefError("a control block has three octets", rule="type2.control", position=begin)
            reserved |= _reserved(tag, value)
    return None


def _reserved(tag: int, value: bytes) -> set[int]:
    """Which octets a lock control or memory control block reserves (T2T 1.2, tables 4 to 7)."""
    begin = (value[0] >> 4) * 2 ** (value[2] & 15) + (value[0] & 15)
    count = value[1] or 256
    return set(range(begin, begin + (-(-count // 8) if tag == _LOCK else count)))
