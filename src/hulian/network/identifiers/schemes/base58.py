"""Base58: numbers without the characters that look alike; leading zero octets are leading ones."""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.schemes.errors import CharacterError, LengthError

__all__ = ["ALPHABET", "decode", "encode"]

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MAXIMUM: Final = 128


def encode(data: bytes) -> str:
    """``data`` in Base58.

    >>> encode(b"\\x00\\x01\\x02")
    '15T'
    """
    number, found = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        found = ALPHABET[digit] + found
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + found


def decode(text: str, rule: str) -> bytes:
    """The inverse; raises at the first character outside the alphabet."""
    if len(text) > _MAXIMUM:
        raise LengthError(f"Base58 of more than {_MAXIMUM} characters", rule=rule, position=_MAXIMUM)
    number = 0
    for place, character in enumerate(text):
        digit = ALPHABET.find(character)
        if digit < 0:
            raise CharacterError(f"{character!r} is not of Base58", rule=rule, position=place)
        number = 58 * number + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
