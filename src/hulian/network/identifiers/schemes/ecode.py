"""Ecode (GB/T 31866), as far as it is published.

Published are the three parts, version (0 to 4), numbering system identifier and master data code, and one example:
``0``, ``0001``, ``6901234567892``. How long the parts are in each version could not be found. So this reads what the example
shows: one digit, four digits, and then digits or capitals; it knows no check and no binary form. Because nothing marks such
a text as an Ecode, `hulian.network.identifiers.schemes.recognition` takes it for one last of all, unless ``ecode:`` stands
before it, which is our own mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes.checks import ALPHANUMERIC, require_digits
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import CharacterError, ContentError, LengthError, SchemeError

__all__ = ["MARK", "Ecode"]

MARK: Final = "ecode:"
"""Our own mark for text that is to be read as an Ecode."""

_SYSTEM: Final = 4
_MAXIMUM: Final = 128


@dataclass(frozen=True, slots=True)
class Ecode(Code):
    """One Ecode of the published form.

    >>> Ecode.parse("000016901234567892").parts["numbering_system"]
    '0001'
    """

    version: str
    numbering_system: str
    master_data: str
    scheme: ClassVar[Scheme] = Scheme.ECODE

    @classmethod
    def parse(cls, text: str) -> Ecode:
        """Reads ``V NSI MD`` written in a row, with or without ``ecode:`` before it."""
        begin = len(MARK) if text[: len(MARK)].lower() == MARK else 0
        body = text[begin:]
        if not 2 + _SYSTEM <= len(body) <= _MAXIMUM:
            raise LengthError(
                f"an Ecode has {2 + _SYSTEM} to {_MAXIMUM} characters, not {len(body)}",
                rule="ecode.length",
                position=begin + min(len(body), _MAXIMUM),
            )
        if body[0] not in "01234":
            raise ContentError(f"{body[0]!r} is not a version from 0 to 4", rule="ecode.version", position=begin)
        try:
            require_digits(body[1 : 1 + _SYSTEM], "ecode.numbering-system", "the numbering system")
        except SchemeError as error:
            raise error.moved(begin + 1) from None
        for place, character in enumerate(body[1 + _SYSTEM :], begin + 1 + _SYSTEM):
            if character not in ALPHANUMERIC:
                raise CharacterError(f"{character!r} in the master data code", rule="ecode.master-data", position=place)
        return cls(body[0], body[1 : 1 + _SYSTEM], body[1 + _SYSTEM :])

    @property
    def text(self) -> str:
        """``ecode:`` and the parts in a row: without the mark, it could be anything."""
        return f"{MARK}{self.version}{self.numbering_system}{self.master_data}"

    @property
    def parts(self) -> Mapping[str, str]:
        """Version, numbering system and master data code."""
        return MappingProxyType(
            {"version": self.version, "numbering_system": self.numbering_system, "master_data": self.master_data}
        )
