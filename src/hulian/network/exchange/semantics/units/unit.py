"""What is known of a unit."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Final

import msgspec

__all__ = ["CODES_NAMESPACE", "IRDI_PREFIX", "QUDT", "Unit", "code_of", "unit_id"]

QUDT: Final = "http://qudt.org/vocab/unit/"
IRDI_PREFIX: Final = "0112/2///62720#"
CODES_NAMESPACE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
"""``namespaceUri`` of an OPC UA EUInformation whose ``unitId`` is a code of UNECE."""
_LONGEST_CODE: Final = 3
_CUT: Final = 28
"""Digits from which on a published factor is taken as cut, not as finished."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of measure: its names in each list, and the way from its values to coherent SI units."""

    name: str
    """QUDT's local name, ``BAR``; empty where only UNECE knows it."""
    symbol: str
    dimension: str | None
    """``L-1M1T-2``: QUDT's letters A (amount), E (current), L, I (luminous), M, H (temperature), T; empty for plain numbers;
    None where it is not known."""
    published: tuple[str, str]
    """Factor and offset as published."""
    unece: tuple[str, ...] = ()
    irdi: tuple[str, ...] = ()
    """IEC 62720, as ``0112/2///62720#UAA323``."""
    ucum: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    """Other symbols."""
    replaced_by: str = ""
    """Name of the unit that took its place; its own name where it went out of use without one."""
    reference: str = ""
    """From where it counts, as far as the spelling said: ``gauge``, ``absolute``, ``normal``, ``standard``, or empty."""
    difference: bool = False
    """It measures a difference: its offset is of no meaning."""

    @property
    def factor(self) -> Fraction | None:
        """(value + `offset`) × factor is the value in coherent SI units; None: no factor leads from it."""
        return _exact(self.published[0]) if self.published[0] else None

    @property
    def offset(self) -> Fraction:
        """What is added before the factor: 273.15 for °C."""
        return _exact(self.published[1]) if self.published[1] else Fraction(0)

    @property
    def id(self) -> str:
        """One text that names it and nothing else: QUDT's URI, or ``unece:CODE``."""
        return QUDT + self.name if self.name else f"unece:{self.unece[0]}"

    @property
    def title(self) -> str:
        """How people write it: ``bar(g)``, ``Δ°C``."""
        says_itself = self.symbol.endswith(("abs", "A"))  # QUDT's own units of absolute pressure
        suffix = "" if says_itself else {"gauge": "(g)", "absolute": "(a)"}.get(self.reference, "")
        prefix = {"normal": "N", "standard": "S"}.get(self.reference, "")
        return f"{'Δ' if self.difference else ''}{prefix}{self.symbol or self.name or self.unece[0]}{suffix}"

    @property
    def unit_id(self) -> int | None:
        """``unitId`` of its EUInformation in OPC UA; None where UNECE has no code for it."""
        return unit_id(self.unece[0]) if self.unece else None

    @property
    def affine(self) -> bool:
        """Whether its zero is not the zero of what it measures: °C, °F."""
        return bool(self.published[1]) and not self.difference


@functools.lru_cache(4096)
def _exact(published: str) -> Fraction:
    """The number that was published: ``0.5555555555555555555555555555555556`` is 5/9, cut after 34 digits.

    A fraction of a denominator up to 10^12 lies within 10^-24 of any number by chance; one that agrees with all of 28 digits
    and more is what was meant.
    """
    exact = Fraction(published)
    whole, _, decimals = published.partition(".")
    digits = (whole + decimals).lstrip("0")
    if len(digits) < _CUT:
        return exact
    simple = exact.limit_denominator(10**12)
    return simple if abs(simple - exact) <= Fraction(1, 10 ** len(decimals)) else exact


def unit_id(code: str) -> int:
    """OPC UA's number of a UNECE code: its characters as one big-endian number. Raises ValueError where it is none."""
    if not 0 < len(code) <= _LONGEST_CODE or not code.isascii() or not code.isalnum():
        raise ValueError(f"'{code}' is no code of UNECE")
    return int.from_bytes(code.encode("ascii"), "big")


def code_of(number: int) -> str:
    """The UNECE code of OPC UA's ``unitId``. Raises ValueError where the number is none."""
    if not 0 < number < 1 << 8 * _LONGEST_CODE:
        raise ValueError(f"{number} is no number of a unit")
    code = number.to_bytes((number.bit_length() + 7) // 8, "big").decode("latin-1")
    if not code.isascii() or not code.isalnum():
        raise ValueError(f"{number} is no number of a unit")
    return code
