"""Bank 11 of a Gen2 tag in its simplest published form: one message of data identifiers (ISO/IEC 15962 no-directory, as
ISO 17367 and the automotive guidelines use it).

    03h   format identifier: no directory, data format 3 (ISO/IEC 15434, data identifiers)
    46h   precursor: six bits a character, format envelope 06
    n     octets that follow; from 128 on in two octets, seven bits each, the first with its highest bit set
    …     the text in six bits a character, ended by EOT

Not here: packed objects (TDS 1.13, section 17), directories, and any other compaction; they are refused by name.
"""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.carriers.errors import CapacityError, TagError
from hulian.network.identifiers.carriers.rfid import six_bit

__all__ = ["MAXIMUM_OCTETS", "decode_user", "encode_user"]

MAXIMUM_OCTETS: Final = 8192
"""Largest bank that is written or read; tags on the market hold 64 bits to 8 KiB."""

_FORMAT: Final = 0x03
_PRECURSOR: Final = 0x46
_ACCESS: Final = ("no directory", "a directory", "packed objects", "a tag data profile")
_ONE_OCTET: Final = 0x80


def encode_user(text: str) -> bytes:
    """``text`` (data identifiers and their values, separated by GS) as bank 11, in whole words.

    >>> decode_user(encode_user("25SVAA08810012345678/ABC123"))
    '25SVAA08810012345678/ABC123'
    """
    body = six_bit.encode(text, unit=8, ended=True)
    if len(body) >= _ONE_OCTET**2 or len(body) > MAXIMUM_OCTETS - 6:
        raise CapacityError(f"{len(body)} octets of text; bank 11 has {MAXIMUM_OCTETS}", rule="user-bank.length")
    length = bytes([len(body)]) if len(body) < _ONE_OCTET else bytes([_ONE_OCTET | len(body) >> 7, len(body) & 0x7F])
    bank = bytes([_FORMAT, _PRECURSOR]) + length + body
    return bank + b"\0" * (len(bank) % 2)


def decode_user(data: bytes) -> str:
    """The text of bank 11, however much of it was read behind the text; empty where the bank holds nothing.

    Raises `TagError` where it has another form, which it names.
    """
    if len(data) > MAXIMUM_OCTETS:
        raise TagError(f"more than {MAXIMUM_OCTETS} octets", rule="user-bank.length", position=MAXIMUM_OCTETS)
    if not data.strip(b"\0"):
        return ""
    if data[0] != _FORMAT:
        raise TagError(
            f"format identifier {data[0]:02X}: {_ACCESS[data[0] >> 6]}, data format {data[0] & 31}",
            rule="user-bank.format",
            position=0,
            hint="only data identifiers without directory (03) are read here; packed objects are not",
        )
    if data[1:2] != bytes([_PRECURSOR]):
        raise TagError("the precursor is not that of text in six bits (46)", rule="user-bank.precursor", position=1)
    begin = 4 if data[2:3] and data[2] & _ONE_OCTET else 3
    if len(data) < begin:
        raise TagError("the bank ends inside its length", rule="user-bank.length", position=len(data))
    length = data[2] if begin == 3 else (data[2] & 0x7F) << 7 | data[3]
    if len(data) < begin + length:
        raise TagError(f"the length says {length} octets, there are {len(data) - begin}", rule="user-bank.length", position=2)
    return six_bit.decode(data[begin : begin + length])
