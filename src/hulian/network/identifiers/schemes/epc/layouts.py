"""The schemes of the EPC Tag Data Standard and how tags hold them, as data (GS1 EPC TDS 1.13, sections 6, 10 and 14).

A tag begins with a header of eight bits that names the layout, a filter of three bits, and a partition of three bits that
says how many digits the company prefix has: 12 down to 6. Company prefix and reference share the bits that follow; the rest
is the serial, if there is one. The schemes that TDS 2 added (``SGTIN+`` and the like) are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

__all__ = ["BY_HEADER", "KINDS", "LAYOUTS", "PREFIX_BITS", "Kind", "Layout"]

PREFIX_BITS: Final = (40, 37, 34, 30, 27, 24, 20)
"""By partition: bits of a company prefix of 12, 11, … 6 digits."""


class Kind(NamedTuple):
    """One EPC scheme and the GS1 key that it is made of."""

    key: str
    """The kind of GS1 key (`hulian.network.identifiers.schemes.gs1.keys`)."""
    digits: int
    """Digits of company prefix and reference together; 0 where the reference is characters."""
    serial: Literal["", "characters", "digits"] = ""
    longest: int = 0
    """Most characters of the serial; where there is none, of the key."""
    serial_ai: str = ""
    """The application identifier of the serial; empty where it is part of the key."""


class Layout(NamedTuple):
    """How a tag holds an EPC. ``references``: by partition, bits and most digits (or characters) of the reference."""

    name: str
    kind: str
    header: int
    bits: int
    references: tuple[tuple[int, int], ...]
    tail: Literal["integer", "characters", "digits", "zeros", ""]
    tail_bits: int
    reference: Literal["digits", "integer", "characters"] = "digits"


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "sgtin": Kind("GTIN-14", 13, "characters", 20, "21"),
        "sscc": Kind("SSCC", 17),
        "sgln": Kind("GLN", 12, "characters", 20, "254"),
        "grai": Kind("GRAI", 12, "characters", 16),
        "giai": Kind("GIAI", 0, longest=30),
        "gsrn": Kind("GSRN", 17),
        "gsrnp": Kind("GSRN-P", 17),
        "gdti": Kind("GDTI", 12, "characters", 17),
        "sgcn": Kind("GCN", 12, "digits", 12),
        "pgln": Kind("GLN-PARTY", 12),
        "gsin": Kind("GSIN", 16),
        "ginc": Kind("GINC", 0, longest=30),
    }
)
"""The schemes by the word that stands in their URIs. The last three have no form for tags."""

_ITEM = tuple(zip((4, 7, 10, 14, 17, 20, 24), range(1, 8), strict=True))
_ASSET = tuple(zip((4, 7, 10, 14, 17, 20, 24), range(7), strict=True))
_UNIT = tuple(zip((18, 21, 24, 28, 31, 34, 38), range(5, 12), strict=True))
_PLACE = tuple(zip((1, 4, 7, 11, 14, 17, 21), range(7), strict=True))
_INDIVIDUAL = tuple(zip((42, 45, 48, 52, 55, 58, 62), range(13, 20), strict=True))
_INDIVIDUAL_LONG = tuple(zip((148, 151, 154, 158, 161, 164, 168), range(18, 25), strict=True))

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Layout("sgtin-96", "sgtin", 0x30, 96, _ITEM, "integer", 38),
            Layout("sgtin-198", "sgtin", 0x36, 198, _ITEM, "characters", 140),
            Layout("sscc-96", "sscc", 0x31, 96, _UNIT, "zeros", 24),
            Layout("sgln-96", "sgln", 0x32, 96, _PLACE, "integer", 41),
            Layout("sgln-195", "sgln", 0x39, 195, _PLACE, "characters", 140),
            Layout("grai-96", "grai", 0x33, 96, _ASSET, "integer", 38),
            Layout("grai-170", "grai", 0x37, 170, _ASSET, "characters", 112),
            Layout("giai-96", "giai", 0x34, 96, _INDIVIDUAL, "", 0, "integer"),
            Layout("giai-202", "giai", 0x38, 202, _INDIVIDUAL_LONG, "", 0, "characters"),
            Layout("gsrn-96", "gsrn", 0x2D, 96, _UNIT, "zeros", 24),
            Layout("gsrnp-96", "gsrnp", 0x2E, 96, _UNIT, "zeros", 24),
            Layout("gdti-96", "gdti", 0x2C, 96, _PLACE, "integer", 41),
            Layout("gdti-113", "gdti", 0x3A, 113, _PLACE, "digits", 58),
            Layout("gdti-174", "gdti", 0x3E, 174, _PLACE, "characters", 119),
            Layout("sgcn-96", "sgcn", 0x3F, 96, _PLACE, "digits", 41),
        )
    }
)
"""The layouts by the word that stands in tag URIs, the shortest of each scheme first. ``gdti-113`` is read, and written on
demand; the standard has replaced it by ``gdti-174``."""

BY_HEADER: Final[Mapping[int, Layout]] = MappingProxyType({row.header: row for row in LAYOUTS.values()})
"""The layouts by the first octet of a tag's EPC."""
