"""The nouns of a dictionary (IEC 61360-1, ISO 13584-42)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.concepts import Concept, parse

__all__ = ["LANGUAGES", "Entry", "Header", "Kind", "Link"]

LANGUAGES: Final = ("en", "de", "zh")
"""In this order one text is chosen where a reader names no language."""


class Kind(IntEnum):
    """What an entry is. The numbers are kept in databases and never change."""

    CLASS = 1
    PROPERTY = 2
    VALUE_LIST = 3
    VALUE = 4
    """A value of a list, with a meaning of its own."""
    UNIT = 5
    QUANTITY = 6
    """What can be measured: pressure, mass flow."""
    ROLE = 7
    """What a value is for: measured value, set-point, alarm limit."""


class Link(IntEnum):
    """How an entry refers to another. The numbers are kept in databases and never change."""

    PARENT = 1
    CASE = 2
    """Class to a class of which it is a case: nothing is inherited but what it imports."""
    PROPERTY = 3
    VALUE = 4
    VALUE_LIST = 5
    UNIT = 6
    QUANTITY = 7
    REPLACED = 8


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of a dictionary as a whole."""

    name: str
    """Short and unique: ``eclass``, ``cdd-61987``, ``plant``."""
    title: str = ""
    label: str = ""
    """The publisher's name of this release: ``15.0``."""
    publisher: str = ""
    licence: str = ""
    format: str = ""


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One concept in one edition. Texts are by language tag; identifiers are IRDIs or URIs, in any spelling."""

    identifier: str
    kind: Kind
    names: dict[str, str] = {}
    short_names: dict[str, str] = {}
    synonyms: dict[str, tuple[str, ...]] = {}
    definitions: dict[str, str] = {}
    notes: dict[str, str] = {}
    parent: str = ""
    """A class: the class from which it inherits properties. A quantity: the more general one."""
    cases: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    """A class: those that it adds."""
    datatype: str = ""
    """IEC 61360-1, without ``_TYPE``: ``REAL_MEASURE``, ``STRING_TRANSLATABLE``, ``BOOLEAN``."""
    format: str = ""
    """``NR2 S..3.3``."""
    unit: str = ""
    units: tuple[str, ...] = ()
    """Other units that are allowed."""
    quantity: str = ""
    """QUDT's quantity kind, or an entry of kind `Kind.QUANTITY`."""
    symbol: str = ""
    value_list: str = ""
    values: tuple[str, ...] = ()
    """A value list: its values, in order."""
    value: str = ""
    """A value: how it is coded in data."""
    source: str = ""
    deprecated: bool = False
    replaced_by: str = ""
    extra: dict[str, Any] = {}
    """What only its own format knows."""

    @property
    def concept(self) -> Concept:
        """What identifies it. Raises `ConceptError`."""
        return parse(self.identifier)

    def text(self, texts: dict[str, str], language: str = "") -> str:
        """One of ``texts``: in ``language``, else in English, German or Chinese, else any."""
        for wanted in (language, *LANGUAGES):
            for tag in (wanted, wanted.partition("-")[0]):
                if tag and tag in texts:
                    return texts[tag]
        for tag, found in texts.items():
            if language and tag.partition("-")[0] == language.partition("-")[0]:
                return found
        return next(iter(texts.values()), "")

    def name(self, language: str = "") -> str:
        """Its name, or its identifier where it has none."""
        return self.text(self.names, language) or self.identifier

    def links(self) -> list[tuple[Link, str]]:
        """Everything that it refers to, in order."""
        found = [(Link.PARENT, self.parent), (Link.VALUE_LIST, self.value_list), (Link.UNIT, self.unit)]
        found += [(Link.QUANTITY, self.quantity), (Link.REPLACED, self.replaced_by)]
        found += [(Link.CASE, target) for target in self.cases]
        found += [(Link.PROPERTY, target) for target in self.properties]
        found += [(Link.VALUE, target) for target in self.values]
        return [(link, target) for link, target in found if target]
