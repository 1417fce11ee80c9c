"""GS1 element strings: application identifiers with their values, in brackets for people and with FNC1 for scanners.

General Specifications 7.8: in a symbol, a value of predefined length needs nothing behind it; every other is ended by
FNC1, which scanners send as GS (U+001D), unless it is the last. In writing, identifiers stand in brackets; a bracket that
belongs to a value is written ``\\(``, as the GS1 Barcode Syntax Engine does, so that the text can be read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import LengthError, SchemeError, StructureError, UnknownError
from hulian.network.identifiers.schemes.gs1.content import check_value
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS, LINK_KEYS, PREDEFINED, Application, application_at

__all__ = ["FNC1", "GS1", "MAXIMUM_ELEMENTS", "MAXIMUM_LENGTH", "in_order", "parse_bracketed", "parse_scanned"]

FNC1: Final = "\x1d"
"""What a scanner sends for FNC1: group separator."""

MAXIMUM_LENGTH: Final = 8192
"""Longest text that is read as GS1 data; the largest symbol (Data Matrix, QR) holds less."""

MAXIMUM_ELEMENTS: Final = 128
"""Most identifiers in one code."""

_BRACKET = re.compile(r"(?<!\\)\((\d{2,4})\)")


@dataclass(frozen=True, slots=True)
class GS1(Code):
    """Application identifiers with their checked values, the identification key first.

    ``elements`` are in canonical order, whatever order they were read in: the key that a GS1 Digital Link could begin
    with, its qualifiers in their order, then the rest by identifier.

    >>> GS1.of({"21": "A(1)", "01": "09506000134352"}).text
    '(01)09506000134352(21)A\\\\(1)'
    """

    elements: tuple[tuple[str, str], ...]
    scheme: ClassVar[Scheme] = Scheme.GS1

    @classmethod
    def of(cls, elements: Mapping[str, str] | Iterable[tuple[str, str]]) -> GS1:
        """Checks every value and puts them in order. An identifier given twice must have the same value."""
        pairs = list(elements.items() if isinstance(elements, Mapping) else elements)
        if not pairs:
            raise StructureError("there is no application identifier", rule="gs1.elements")
        if len(pairs) > MAXIMUM_ELEMENTS:
            raise LengthError(f"more than {MAXIMUM_ELEMENTS} application identifiers", rule="gs1.elements")
        values: dict[str, str] = {}
        for ai, value in pairs:
            application = APPLICATIONS.get(ai)
            if application is None:
                raise UnknownError(f"({ai}) is not an application identifier", rule="gs1.application-identifier")
            check_value(application, value)
            _add(values, ai, value, None)
        return cls(in_order(values))

    @property
    def primary(self) -> str:
        """The identifier of the key that the rest qualifies, or an empty text: dates alone identify nothing."""
        return self.elements[0][0] if self.elements[0][0] in LINK_KEYS else ""

    @property
    def text(self) -> str:
        r"""Brackets, e.g. ``(01)09506000134352(10)ABC``; an opening bracket inside a value is ``\(``."""
        return "".join(f"({ai})" + value.replace("(", "\\(") for ai, value in self.elements)

    @property
    def parts(self) -> Mapping[str, str]:
        """Value by application identifier."""
        return MappingProxyType(dict(self.elements))

    def to_element_string(self) -> str:
        """As in a symbol, without the leading FNC1: predefined lengths first, GS behind the others but the last."""
        predefined = [pair for pair in self.elements if APPLICATIONS[pair[0]].predefined]
        others = [pair for pair in self.elements if not APPLICATIONS[pair[0]].predefined]
        return "".join(ai + value for ai, value in predefined) + FNC1.join(ai + value for ai, value in others)

    def to_binary(self) -> bytes:
        """The element string in ASCII."""
        return self.to_element_string().encode()

    def to_url(self) -> str:
        """The canonical GS1 Digital Link URI, under ``https://id.gs1.org``. Raises where no key can begin one."""
        from hulian.network.identifiers.schemes.gs1.link import DigitalLink

        return DigitalLink(self).to_url()


def parse_bracketed(text: str) -> GS1:
    """``(01)09506000134352(10)ABC``. Positions in errors are those in ``text``."""
    _check_size(text)
    values: dict[str, str] = {}
    matches = list(_BRACKET.finditer(text))
    if not matches or matches[0].start():
        raise StructureError(
            "an application identifier in brackets is missing at the beginning", rule="gs1.elements", position=0
        )
    if len(matches) > MAXIMUM_ELEMENTS:
        raise LengthError(f"more than {MAXIMUM_ELEMENTS} application identifiers", rule="gs1.elements")
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        application = APPLICATIONS.get(match[1])
        if application is None:
            raise UnknownError(
                f"({match[1]}) is not an application identifier", rule="gs1.application-identifier", position=match.start() + 1
            )
        raw = text[match.end() : following.start() if following else None]
        value = raw.replace("\\(", "(")
        try:
            check_value(application, value)
        except SchemeError as error:
            raise error.moved(match.end() + _escapes_before(raw, error.position or 0)) from None
        _add(values, application.ai, value, match.start() + 1)
    return GS1(in_order(values))


def parse_scanned(text: str) -> GS1:
    """An element string as a scanner sends it, GS for FNC1; a leading GS is passed over, symbology prefixes are not.

    >>> parse_scanned("010950600013435210ABC\\x1d21XYZ").parts["21"]
    'XYZ'
    """
    _check_size(text)
    values: dict[str, str] = {}
    position = 1 if text.startswith(FNC1) else 0
    if position == len(text):
        raise StructureError("there is no application identifier", rule="gs1.elements", position=0)
    while position < len(text):
        application = application_at(text, position)
        if application is None:
            raise UnknownError(
                f"{text[position : position + 4]!r} begins no application identifier",
                rule="gs1.application-identifier",
                position=position,
            )
        begin = position + len(application.ai)
        end = _end_of(application, text, begin)
        try:
            check_value(application, text[begin:end])
        except SchemeError as error:
            raise error.moved(begin) from None
        _add(values, application.ai, text[begin:end], position)
        position = end + 1 if text[end : end + 1] == FNC1 else end
        if len(values) > MAXIMUM_ELEMENTS:
            raise LengthError(f"more than {MAXIMUM_ELEMENTS} application identifiers", rule="gs1.elements")
    return GS1(in_order(values))


def _check_size(text: str) -> None:
    if len(text) > MAXIMUM_LENGTH:
        raise LengthError(f"GS1 data longer than {MAXIMUM_LENGTH} characters", rule="gs1.length", position=MAXIMUM_LENGTH)


def _end_of(application: Application, text: str, begin: int) -> int:
    if application.predefined:
        # What is told by the first two digits holds for the whole group, so (31nn) and (41n) end without a separator.
        return min(begin + PREDEFINED[application.ai[:2]], len(text))
    end = text.find(FNC1, begin)
    return len(text) if end < 0 else end


def _escapes_before(raw: str, position: int) -> int:
    """How many backslashes stand in ``raw`` before character ``position`` of the value that it writes."""
    place = 0
    for _ in range(position):
        place += 2 if raw.startswith("\\(", place) else 1
    return place - position


def _add(values: dict[str, str], ai: str, value: str, position: int | None) -> None:
    if values.setdefault(ai, value) != value:
        raise StructureError(
            f"({ai}) is given twice with different values: {values[ai]!r} and {value!r}", rule="gs1.repeated", position=position
        )


def in_order(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Checked values as `GS1` holds them: the key first, then its qualifiers, then the rest by identifier.

    The choice among several keys is that of the order of `LINK_KEYS`.
    """
    first: list[str] = []
    key = next((ai for ai in LINK_KEYS if ai in values), None)
    if key:
        first.append(key)
        for chain in LINK_KEYS[key]:
            if any(ai in values for ai in chain):
                first += [ai for ai in chain if ai in values]
                break
    return tuple((ai, values[ai]) for ai in [*first, *sorted(values.keys() - set(first))])
