"""Engineering units of OPC UA as UCUM: ``EUInformation.unitId`` is a UN/ECE code in bytes (OPC 10000-8, section 5.6.3)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final

__all__ = ["unit_of", "unit_of_code"]

_UNECE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"


@cache
def _table() -> dict[str, str]:
    text = files(__package__).joinpath("units.txt").read_text(encoding="utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def unit_of_code(number: int) -> str:
    """The UCUM unit of a ``unitId``, empty where the code has none.

    >>> unit_of_code(4408652), unit_of_code(5067080), unit_of_code(-1)
    ('Cel', 'm3/h', '')
    """
    if not 0 < number < 2**32:
        return ""
    raw = number.to_bytes(4, "big").lstrip(b"\0")
    return _table().get(raw.decode("ascii", "replace"), "")


def unit_of(information: Any) -> str:
    """The unit of an EUInformation: UCUM where its code is of UN/ECE and known, else the text that the server shows."""
    uri, number = getattr(information, "NamespaceUri", None), getattr(information, "UnitId", 0)
    known = unit_of_code(number) if isinstance(number, int) and uri in (_UNECE, _UNECE + "/", None, "") else ""
    if known:
        return known
    shown = getattr(getattr(information, "DisplayName", None), "Text", None)
    return shown.strip() if isinstance(shown, str) else ""
