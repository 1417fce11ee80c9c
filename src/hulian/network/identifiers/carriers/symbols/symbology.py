"""The symbologies that are written here, as data: quiet zones, sizes of a module, heights of bars.

Quiet zones are those of the standards, in modules: Code 128 ISO/IEC 15417 (4.4), EAN/UPC ISO/IEC 15420 (4.3.6), QR ISO/IEC
18004 (5.3.8), Data Matrix ISO/IEC 16022 (5.5). Sizes are those of the GS1 General Specifications (5.12.3) where they bind,
otherwise what printers can make.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["SYMBOLOGIES", "Kind", "Symbology"]


class Kind(StrEnum):
    """What may be asked for: a symbology, or a family of which the code chooses the member."""

    QR = "qr"
    """QR Code: any code; GS1 data in GS1 mode."""
    DATA_MATRIX = "datamatrix"
    """Data Matrix ECC 200, square: any code; GS1 data in GS1 mode."""
    CODE_128 = "code128"
    """Code 128: any code of Latin-1 characters but GS1 data."""
    GS1_128 = "gs1-128"
    """GS1-128: GS1 data as an element string behind FNC1."""
    EAN = "ean"
    """EAN-13, EAN-8 or UPC-A, as the GTIN asks for."""
    EAN_13 = "ean-13"
    EAN_8 = "ean-8"
    UPC_A = "upc-a"
    DIGITAL_LINK = "digital-link"
    """QR Code that holds a GS1 Digital Link."""


class Symbology(NamedTuple):
    """How a symbol is printed. Quiet zones are in modules, sizes in millimetres."""

    quiet_left: int
    quiet_right: int
    quiet_above: int
    """The same above and below."""
    module: float
    """The size of a module where none is asked for."""
    smallest: float
    largest: float
    bar_height: float = 0
    """Of one-dimensional symbols; 0 where the modules are squares."""


SYMBOLOGIES: Final[Mapping[Kind, Symbology]] = MappingProxyType(
    {
        Kind.QR: Symbology(4, 4, 4, 0.5, 0.1, 20),
        Kind.DATA_MATRIX: Symbology(1, 1, 1, 0.5, 0.1, 20),
        Kind.CODE_128: Symbology(10, 10, 0, 0.25, 0.1, 2, 12.7),
        Kind.GS1_128: Symbology(10, 10, 0, 0.495, 0.25, 1.016, 31.75),
        Kind.EAN_13: Symbology(11, 7, 0, 0.33, 0.264, 0.66, 22.85),
        Kind.EAN_8: Symbology(7, 7, 0, 0.33, 0.264, 0.66, 18.23),
        Kind.UPC_A: Symbology(9, 9, 0, 0.33, 0.264, 0.66, 22.85),
        Kind.DIGITAL_LINK: Symbology(4, 4, 4, 0.495, 0.396, 0.99),
    }
)
"""Every symbology; `Kind.EAN` is a choice among three and has no row."""
