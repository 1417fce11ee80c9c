"""Handles: ``prefix/suffix`` (RFC 3650, RFC 3651), with the Chinese grammar of prefixes.

A prefix is a dotted name without brackets or colons, compared without regard to the case of ASCII letters; a suffix is any
text. The national
industrial identifiers are Handles whose prefix is ``country.industry.enterprise``, e.g. ``88.111.1``: two digits, three to
five, one to 128 (the grammar of ``did:cn``). ``88`` and ``86`` are national prefixes, ``99`` is private: examples and
installations that are not registered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from hulian.kernel.identifier import Identifier
from hulian.network.identifiers.schemes import percent
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    LengthError,
    SchemeError,
    StructureError,
)

__all__ = ["MAXIMUM_LENGTH", "NATIONAL", "PRIVATE", "Handle", "NationalPrefix", "Tier", "ancestors", "fold_prefix", "tier_of"]

MAXIMUM_LENGTH: Final = 2048
"""Longest Handle, in bytes of UTF-8. Interfaces of the national system take 255 characters."""

NATIONAL: Final = frozenset({"86", "88"})
"""The prefixes of top-level national nodes."""

PRIVATE: Final = "99"
"""The prefix of whoever is not registered."""

_AUTHORITY: Final = "0.NA"
"""The prefix under which the Handles of prefixes themselves stand."""

_PROXIES: Final = ("hdl.handle.net", "handle.net", "doi.org", "dx.doi.org", "www.doi.org")
_SCHEMES: Final = ("hdl:", "info:hdl/", "doi:", "info:doi/")
_ASCII_FOLD: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NO_PREFIX: Final = frozenset("/@:()[]{}")
"""What no prefix holds: slash and at by RFC 3651, and the marks that other schemes begin with, so that a Handle can be told
from them. The RFC would allow the latter; nobody registers them."""
_CONTROLS: Final = frozenset({"Cc", "Cn", "Cs", "Zl", "Zp"})
_PROXY_URL = re.compile(rf"https?://(?:{'|'.join(map(re.escape, _PROXIES))})/(?:api/handles/)?([^?#]*)", re.IGNORECASE)


class Tier(StrEnum):
    """Which node answers for a prefix."""

    ROOT = "root"
    """Prefixes of the system itself (``0.…``)."""
    TOP = "top"
    """A national top-level node: ``88``."""
    SECOND = "second"
    """An industry: ``88.111``."""
    ENTERPRISE = "enterprise"
    """An enterprise: ``88.111.1``."""
    OTHER = "other"
    """A prefix outside the national grammar, such as ``10.1000`` or ``20.500.12345``."""


class NationalPrefix(NamedTuple):
    """A prefix by the roles of its parts; industry and enterprise are empty in the upper tiers.

    >>> NationalPrefix.parse("88.111.1").tier
    <Tier.ENTERPRISE: 'enterprise'>
    """

    country: str
    industry: str = ""
    enterprise: str = ""

    @classmethod
    def parse(cls, prefix: str) -> NationalPrefix:
        """Raises at the first part that breaks the grammar: 2DIGIT "." 3*5DIGIT "." 1*128DIGIT."""
        parts = prefix.split(".")
        if len(parts) > 3:
            raise StructureError(
                f"{prefix!r} has {len(parts)} parts; a national prefix has country, industry and enterprise",
                rule="handle.national",
                position=len(".".join(parts[:3])),
            )
        begin = 0
        for part, (role, shortest, longest) in zip(parts, _ROLES, strict=False):
            if not shortest <= len(part) <= longest:
                allowed = str(shortest) if shortest == longest else f"{shortest} to {longest}"
                raise LengthError(
                    f"the {role} {part!r} has {len(part)} digits, not {allowed}", rule=f"handle.{role}", position=begin
                )
            for place, character in enumerate(part):
                if character not in "0123456789":
                    raise CharacterError(
                        f"the {role} {part!r} holds {character!r}", rule=f"handle.{role}", position=begin + place
                    )
            begin += len(part) + 1
        return cls(*parts)

    @property
    def tier(self) -> Tier:
        """The node that this is the prefix of."""
        return Tier.ENTERPRISE if self.enterprise else Tier.SECOND if self.industry else Tier.TOP

    def __str__(self) -> str:
        return ".".join(part for part in self if part)


_ROLES: Final = (("country", 2, 2), ("industry", 3, 5), ("enterprise", 1, 128))


def fold_prefix(prefix: str) -> str:
    """``prefix`` as it is compared and kept: ASCII letters in lower case, others untouched; ``0.NA`` as everybody writes it."""
    folded = prefix.translate(_ASCII_FOLD)
    return _AUTHORITY if folded == "0.na" else folded


def tier_of(prefix: str) -> Tier:
    """The node that answers for ``prefix``, told by its form alone.

    >>> tier_of("88.111"), tier_of("10.1000")
    (<Tier.SECOND: 'second'>, <Tier.OTHER: 'other'>)
    """
    first = prefix.split(".", 1)[0]
    if first == "0":
        return Tier.ROOT
    if first in NATIONAL or first == PRIVATE:
        try:
            return NationalPrefix.parse(prefix).tier
        except SchemeError:
            return Tier.OTHER
    return Tier.OTHER


def ancestors(prefix: str) -> tuple[str, ...]:
    """The prefixes above, nearest first: where a referral may come from.

    >>> ancestors("88.111.1")
    ('88.111', '88')
    """
    parts = prefix.split(".")
    return tuple(".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


@dataclass(frozen=True, slots=True)
class Handle(Code):
    """One Handle; the prefix is folded, the suffix kept as it is.

    >>> handle = Handle.parse("hdl:88.111.1/ITEM7")
    >>> handle.text, handle.tier.value, handle.prefix_handle
    ('88.111.1/ITEM7', 'enterprise', '0.NA/88.111.1')
    """

    prefix: str
    suffix: str
    scheme: ClassVar[Scheme] = Scheme.HANDLE

    @classmethod
    def of(cls, prefix: str, suffix: str) -> Handle:
        """Checks both parts. Positions in errors are those in ``prefix/suffix``."""
        _check_prefix(prefix)
        if not suffix:
            raise StructureError("there is no suffix behind the slash", rule="handle.suffix", position=len(prefix))
        for place, character in enumerate(suffix):
            if not character.isprintable() and unicodedata.category(character) in _CONTROLS:
                raise CharacterError(
                    f"the suffix holds U+{ord(character):04X}", rule="handle.suffix", position=len(prefix) + 1 + place
                )
        if len(f"{prefix}/{suffix}".encode()) > MAXIMUM_LENGTH:
            raise LengthError(f"a Handle is longer than {MAXIMUM_LENGTH} bytes", rule="handle.length", position=len(prefix))
        folded = fold_prefix(prefix)
        return cls(folded, fold_prefix(suffix) if folded == _AUTHORITY else suffix)

    @classmethod
    def parse(cls, text: str) -> Handle:
        """``prefix/suffix``, also behind ``hdl:``, ``info:hdl/`` or ``doi:``, or as a URL of a Handle proxy.

        Positions in errors are those in ``text`` but in a percent-encoded URL, where they are those in what it stands for.
        """
        if len(text) > 4 * MAXIMUM_LENGTH:
            raise LengthError(f"a Handle is longer than {MAXIMUM_LENGTH} bytes", rule="handle.length", position=MAXIMUM_LENGTH)
        begin = next((len(word) for word in _SCHEMES if text[: len(word)].lower() == word), 0)
        bare = text[begin:]
        if proxy := _PROXY_URL.match(text):
            begin, bare = proxy.start(1), percent.decode(proxy[1], "handle.percent")
        prefix, slash, suffix = bare.partition("/")
        try:
            if not slash:
                raise StructureError(
                    f"{bare!r} has no slash between prefix and suffix", rule="handle.slash", position=len(bare)
                )
            return cls.of(prefix, suffix)
        except SchemeError as error:
            raise error.moved(begin) from None

    @classmethod
    def of_prefix(cls, prefix: str) -> Handle:
        """The Handle of a prefix itself, under which its site stands: ``88.111.1`` is ``0.NA/88.111.1``."""
        _check_prefix(prefix)
        return cls.of(_AUTHORITY, prefix)

    @property
    def text(self) -> str:
        """``prefix/suffix``."""
        return f"{self.prefix}/{self.suffix}"

    @property
    def parts(self) -> Mapping[str, str]:
        """Prefix and suffix; country, industry and enterprise too where the prefix is a national one."""
        found = {"prefix": self.prefix, "suffix": self.suffix}
        if (national := self.national) is not None:
            found |= {name: part for name, part in national._asdict().items() if part}
        return MappingProxyType(found)

    @property
    def national(self) -> NationalPrefix | None:
        """The prefix by roles, where it is a national or the private one and keeps the grammar."""
        return NationalPrefix.parse(self.prefix) if self.tier in (Tier.TOP, Tier.SECOND, Tier.ENTERPRISE) else None

    @property
    def tier(self) -> Tier:
        """The node that answers for the prefix."""
        return tier_of(self.prefix)

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The prefixes above, nearest first."""
        return ancestors(self.prefix)

    @property
    def prefix_handle(self) -> str:
        """The Handle under which the prefix itself is resolved, its letters in upper case as the protocol compares them."""
        return f"{_AUTHORITY}/{self.prefix.translate({lower: lower - 32 for lower in range(97, 123)})}"

    @property
    def identifier(self) -> Identifier:
        """The same as the kernel's noun. Raises `IdentifierError` where the kernel is stricter (1,024 bytes, no ``#``)."""
        return Identifier.parse(self.text)

    def to_url(self) -> str:
        """The address at the public proxy, percent-encoded."""
        return f"https://hdl.handle.net/{percent.encode(self.prefix, '.')}/{percent.encode(self.suffix, '/')}"


def _check_prefix(prefix: str) -> None:
    position = 0
    for segment in prefix.split("."):
        if not segment:
            raise StructureError("a part of the prefix is empty", rule="handle.prefix", position=position)
        for place, character in enumerate(segment):
            if character in _NO_PREFIX or not character.isprintable() or character.isspace():
                raise CharacterError(f"{character!r} has no place in a prefix", rule="handle.prefix", position=position + place)
        position += len(segment) + 1
