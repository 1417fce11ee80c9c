"""What standard properties say of the variable that has them: its range, its unit, its choices (OPC 10000-8)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import Constraints
from hulian.network.exchange.semantics.nodeset.schema import BASE
from hulian.network.exchange.semantics.nodeset.values import elements_of

__all__ = ["TELLING", "Facts", "choices_of_fields", "unit_information", "unit_of"]

UNECE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
TELLING: Final = frozenset({"EURange", "EngineeringUnits", "EnumStrings", "EnumValues"})
"""Browse names (of the base namespace) of the properties that `Facts` understands."""


@lru_cache(maxsize=4096)
def _told(name: str, value: str | None) -> dict[str, Any]:
    """What a property's value says; the same units and ranges come again and again."""
    if name == "EURange":
        return next(({"low": _text(body.get("Low")), "high": _text(body.get("High"))} for body in elements_of(value)), {})
    if name == "EngineeringUnits":
        return next(({"unit": unit_of(body)} for body in elements_of(value)), {})
    if name == "EnumStrings":
        return {"choices": tuple((str(number), words) for number, words in enumerate(_texts(value)))}
    bodies = elements_of(value)
    return {"choices": tuple((_text(body.get("Value")) or "0", _localized(body.get("DisplayName"))) for body in bodies)}


class Facts(msgspec.Struct):
    """What the properties of one variable (or type) say of it."""

    low: str | None = None
    high: str | None = None
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()

    def add(self, name: str, value: str | None) -> None:
        """Takes the value of the property ``name``; what is not of its shape says nothing."""
        for field, told in _told(name, value).items():
            setattr(self, field, told)

    def constraints(self) -> Constraints | None:
        """What they restrict, None where nothing."""
        if self.low is None and self.high is None and not self.choices:
            return None
        return Constraints(low=self.low, high=self.high, choices=self.choices)


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _localized(value: Any) -> str:
    inside = value.get("Text") if isinstance(value, dict) else None
    return inside if isinstance(inside, str) else ""


def _texts(value: str | None) -> list[str]:
    if not value or value[0] != "[":
        return []
    return [_localized(item) for item in msgspec.json.decode(value)]


def unit_of(body: dict[str, Any]) -> str:
    """The unit of an EUInformation: its UN/ECE code where it has one, else what it shows; empty where neither.

    >>> unit_of({"NamespaceUri": "http://www.opcfoundation.org/UA/units/un/cefact", "UnitId": "4408652"})
    'CEL'
    """
    number, uri = _text(body.get("UnitId")) or "", _text(body.get("NamespaceUri")) or UNECE
    if uri.rstrip("/") == UNECE and number.isdecimal() and 0 < int(number) < 2**32:
        raw = int(number).to_bytes(4, "big").lstrip(b"\0")
        if raw.isalnum():
            return raw.decode("ascii")
    return _localized(body.get("DisplayName"))


def unit_information(unit: str) -> dict[str, Any]:
    """The body of an EUInformation that `unit_of` understands."""
    raw = unit.encode()
    code = len(raw) in (2, 3) and raw.isalnum() and unit.isascii() and unit == unit.upper()
    return {
        "NamespaceUri": UNECE if code else "",
        "UnitId": str(int.from_bytes(raw, "big")) if code else "-1",
        "DisplayName": {"Text": unit},
        "Description": {"Text": unit},
    }


def choices_of_fields(fields: list[dict[str, Any]]) -> Constraints | None:
    """What an enumeration's or option set's fields allow; None for a structure."""
    choices = tuple((field["Value"], field.get("Name", "")) for field in fields if "Value" in field)
    return Constraints(choices=choices) if choices else None


def is_standard(uri: str, name: str) -> bool:
    """Whether a browse name is one that `Facts` understands."""
    return uri == BASE and name in TELLING
