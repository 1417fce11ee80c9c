"""Check digits and check characters: sums that catch a mistyped or misread character.

All take and give ASCII text. They raise `CharacterError` where the text holds what the sum is not defined for.
"""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.schemes.errors import CharacterError

__all__ = ["ALPHANUMERIC", "check_digit", "check_pair", "iban_remainder", "luhn_character", "require_digits"]

ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PAIR_CHARACTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The 32 characters of a GS1 check character pair: none that is easily taken for another."""

_CSET_82: Final = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_PRIMES: Final = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


def require_digits(text: str, rule: str, what: str) -> str:
    """``text`` if it is ASCII digits only (an empty text is); otherwise `CharacterError` at the first that is none."""
    if not text or (text.isascii() and text.isdigit()):
        return text
    position = next(place for place, character in enumerate(text) if character not in "0123456789")
    raise CharacterError(f"{what} holds {text[position]!r} where a digit belongs", rule=rule, position=position)


def check_digit(digits: str) -> str:
    """The check digit behind ``digits``: weights 3 and 1 from the right (GS1 General Specifications, 7.9.1).

    >>> check_digit("0950600013435")
    '2'
    """
    require_digits(digits, "gs1.check-digit", "the number")
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def check_pair(text: str) -> str:
    """The two check characters behind a Global Model Number (GS1 General Specifications, 7.9.5).

    >>> check_pair("1987654Ad4X4bL5ttr2310c")
    '2K'
    """
    total = 0
    for place, character in enumerate(text):
        weight = _CSET_82.find(character)
        if weight < 0 or len(text) > len(_PRIMES):
            raise CharacterError(f"no check pair is defined for {character!r} here", rule="gs1.check-pair", position=place)
        total += weight * _PRIMES[len(text) - 1 - place]
    total %= 1021
    return PAIR_CHARACTERS[total >> 5] + PAIR_CHARACTERS[total & 31]


def iban_remainder(text: str) -> int:
    """What an international bank account number leaves modulo 97: 1 if it is right (ISO 13616, ISO 7064 MOD 97-10)."""
    rearranged = text[4:] + text[:4]
    for place, character in enumerate(text):
        if character not in ALPHANUMERIC:
            raise CharacterError(f"{character!r} has no place in a bank account number", rule="iban", position=place)
    return int("".join(str(ALPHANUMERIC.index(character)) for character in rearranged) or "0") % 97


def luhn_character(text: str, alphabet: str) -> str:
    """The check character behind ``text`` over any alphabet of even size (ISO/IEC 7812-1 Annex B, carried to modulus N).

    It catches every single wrong character and nearly every swap of neighbours. ``text`` must be of the alphabet.
    """
    size, total = len(alphabet), 0
    for place, character in enumerate(reversed(text)):
        value = alphabet.find(character)
        if value < 0:
            raise CharacterError(
                f"{character!r} is not of the alphabet", rule="check-character", position=len(text) - 1 - place
            )
        doubled = value * (1 if place % 2 else 2)
        total += doubled // size + doubled % size
    return alphabet[-total % size]
