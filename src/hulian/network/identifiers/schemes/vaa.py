"""VAA codes: unique identifiers under the issuing agency code VAA (ISO/IEC 15459), given to CAICT.

One layout is published, by its example ``VAA08810012345678/abc123``: the agency, a country in three digits, an industry in
three, an enterprise in eight, a slash, and a code that the enterprise gives. Four other forms are said to exist; they are
not published, and not read here. The same holds for how shorter enterprise numbers are filled up: a VAA code is a Handle
``88.100.12345678/abc123`` only where nothing was filled up but the country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes.checks import require_digits
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
)
from hulian.network.identifiers.schemes.handle import Handle, NationalPrefix

__all__ = ["AGENCY", "Vaa"]

AGENCY: Final = "VAA"
"""The issuing agency code."""

_MAXIMUM: Final = 255
_FIELDS: Final = (("country", 3), ("industry", 3), ("enterprise", 8))


@dataclass(frozen=True, slots=True)
class Vaa(Code):
    """One VAA code.

    >>> Vaa.parse("VAA08810012345678/abc123").to_handle().text
    '88.100.12345678/abc123'
    """

    country: str
    industry: str
    enterprise: str
    item: str
    scheme: ClassVar[Scheme] = Scheme.VAA

    @classmethod
    def parse(cls, text: str) -> Vaa:
        """Reads the published layout; the agency may be in lower case."""
        if len(text) > _MAXIMUM:
            raise LengthError(f"a VAA code longer than {_MAXIMUM} characters", rule="vaa.length", position=_MAXIMUM)
        if text[:3].upper() != AGENCY:
            raise StructureError("a VAA code begins with VAA", rule="vaa.agency", position=0)
        issuer, slash, item = text.partition("/")
        if not slash or not item:
            raise StructureError("there is no code behind a slash", rule="vaa.item", position=len(issuer))
        values, begin = [], 3
        for name, width in _FIELDS:
            value = issuer[begin : begin + width]
            try:
                require_digits(value, f"vaa.{name}", f"the {name}")
            except SchemeError as error:
                raise error.moved(begin) from None
            if len(value) < width:
                raise LengthError(
                    f"the {name} has {len(value)} of {width} digits", rule=f"vaa.{name}", position=begin + len(value)
                )
            values.append(value)
            begin += width
        if len(issuer) > begin:
            raise LengthError("there are more than 14 digits before the slash", rule="vaa.enterprise", position=begin)
        for place, character in enumerate(item):
            if not "!" <= character <= "~":
                raise CharacterError(f"{character!r} in the code", rule="vaa.item", position=begin + 1 + place)
        return cls(values[0], values[1], values[2], item)

    @classmethod
    def from_handle(cls, handle: Handle) -> Vaa:
        """The VAA code of a Handle with an industry of three and an enterprise of eight digits, the first not 0."""
        national = handle.national
        if (
            national is None
            or len(national.industry) != 3
            or len(national.enterprise) != 8
            or national.enterprise.startswith("0")
        ):
            raise ConversionError(
                f"{handle.text!r} has no published VAA form",
                rule="vaa.handle",
                hint="only prefixes such as 88.100.12345678 have one: how others are filled up is not published",
            )
        return cls.parse(f"{AGENCY}0{national.country}{national.industry}{national.enterprise}/{handle.suffix}")

    def to_handle(self) -> Handle:
        """The Handle of the same thing, as far as the mapping is published."""
        if not self.country.startswith("0") or self.enterprise.startswith("0"):
            raise ConversionError(
                f"{self.text!r} has no published Handle form",
                rule="vaa.handle",
                hint="the country must have two digits behind a zero, and the enterprise must not begin with one",
            )
        prefix = NationalPrefix(self.country[1:], self.industry, self.enterprise)
        return Handle.of(str(prefix), self.item)

    @property
    def text(self) -> str:
        """The published layout."""
        return f"{AGENCY}{self.country}{self.industry}{self.enterprise}/{self.item}"

    @property
    def parts(self) -> Mapping[str, str]:
        """Agency, country, industry, enterprise and item."""
        return MappingProxyType(
            {
                "agency": AGENCY,
                "country": self.country,
                "industry": self.industry,
                "enterprise": self.enterprise,
                "item": self.item,
            }
        )
