"""Who applies: an organisation with its number in a public register, whose check characters are computed."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from hulian.network.identifiers.provisioning.errors import RegistrationError

__all__ = ["Contact", "Organisation", "Register", "check_number", "lei_remainder", "uscc_check"]

_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The characters of a unified social credit code: no I, O, S, V, Z, which are taken for others."""

_USCC_LENGTH: Final = 18
_LEI_LENGTH: Final = 20
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_INDUSTRY: Final = re.compile(r"[A-T](?:[0-9]{2,4})?")
_ADDRESS: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,63}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()/-]{3,30}")
_OTHER: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./-]{0,63}")

Line = Annotated[str, Meta(min_length=1, max_length=200)]


class Register(StrEnum):
    """Where an organisation is registered. What is neither of the first two has no check character that we could know."""

    USCC = "uscc"
    """The unified social credit code of China (GB 32100-2015): 18 characters, the last over the others modulo 31."""
    LEI = "lei"
    """The legal entity identifier (ISO 17442): 20 characters, the last two modulo 97."""
    OTHER = "other"
    """Any other register; ``authority`` names it."""


class Contact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person who answers for the organisation."""

    name: Line
    email: Annotated[str, Meta(max_length=254)]
    phone: Annotated[str, Meta(max_length=32)] = ""


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``country`` is ISO 3166-1 alpha-2, ``industry`` a class of GB/T 4754 (``C``, ``C34``, ``C3441``)."""

    name: Line
    register: Register
    number: Annotated[str, Meta(min_length=1, max_length=64)]
    country: str
    industry: str
    contact: Contact
    authority: Annotated[str, Meta(max_length=200)] = ""
    address: Annotated[str, Meta(max_length=500)] = ""

    def check(self) -> None:
        """Raises `RegistrationError` for the first field that breaks its rule."""
        check_number(self.register, self.number)
        if self.register is Register.OTHER and not self.authority:
            raise RegistrationError("the register is not named", place="$.organisation.authority")
        if not _COUNTRY.fullmatch(self.country):
            raise RegistrationError("a country is two capital letters (ISO 3166-1)", place="$.organisation.country")
        if not _INDUSTRY.fullmatch(self.industry):
            why = "an industry is a class of GB/T 4754: a letter from A to T, and up to four digits"
            raise RegistrationError(why, place="$.organisation.industry")
        if not _ADDRESS.fullmatch(self.contact.email):
            raise RegistrationError("that is no mail address", place="$.organisation.contact.email")
        if self.contact.phone and not _PHONE.fullmatch(self.contact.phone):
            raise RegistrationError("that is no telephone number", place="$.organisation.contact.phone")


def check_number(register: Register, number: str) -> None:
    """Raises `RegistrationError` where ``number`` cannot be one of ``register``.

    >>> check_number(Register.USCC, "91350100M000100Y43")
    >>> check_number(Register.LEI, "7LTWFZYICNSX8D621K86")
    """
    place = "$.organisation.number"
    if register is Register.USCC:
        if len(number) != _USCC_LENGTH or not set(number) <= set(_USCC):
            why = f"a unified social credit code has {_USCC_LENGTH} digits and capital letters, without I, O, S, V and Z"
            raise RegistrationError(why, place=place)
        if (wanted := uscc_check(number[:-1])) != number[-1]:
            raise RegistrationError(f"its check character would be {wanted}, and is {number[-1]}", place=place, hint=_TYPED)
    elif register is Register.LEI:
        if len(number) != _LEI_LENGTH or not re.fullmatch(r"[0-9A-Z]{18}[0-9]{2}", number):
            raise RegistrationError("a legal entity identifier has 18 digits and capital letters, and two digits", place=place)
        if lei_remainder(number) != 1:
            raise RegistrationError("its check digits do not fit the rest", place=place, hint=_TYPED)
    elif not _OTHER.fullmatch(number):
        raise RegistrationError("a number holds letters, digits, blanks, dots, slashes and hyphens", place=place)


_TYPED: Final = "a character was mistyped or misread: compare it with the certificate of registration"


def uscc_check(body: str) -> str:
    """The check character behind the 17 characters ``body`` (GB 32100-2015, 5.5): weights 3^i modulo 31.

    >>> uscc_check("91350100M000100Y4")
    '3'
    """
    total = sum(_USCC.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return _USCC[-total % 31]


def lei_remainder(number: str) -> int:
    """What ``number`` leaves modulo 97, letters standing for 10 to 35; 1 if it is right (ISO/IEC 7064 MOD 97-10)."""
    return int("".join(str(int(character, 36)) for character in number)) % 97
