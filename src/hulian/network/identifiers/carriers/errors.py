"""What can be wrong with a carrier: a symbol, a label, an image, a tag, a reader.

HulianError
└── CarrierError                HL-ID-0600
    ├── CapacityError           HL-ID-0601   more than the symbology or the memory holds
    ├── UncarriableError        HL-ID-0602   a code, or a character, that the symbology has no form for
    ├── LayoutError             HL-ID-0603   a label that does not fit its place, or a sheet out of bounds
    ├── FontError               HL-ID-0604   a character that the font cannot draw
    ├── ImageError              HL-ID-0605   no image, a damaged one, or one above the bounds
    ├── TagError                HL-ID-0610   memory of an RFID tag that contradicts itself
    ├── NdefError               HL-ID-0620   an NDEF message or an NFC tag's image that contradicts itself
    └── LlrpError               HL-ID-0630   the root of what can go wrong with a reader
        ├── LlrpFormatError     HL-ID-0631   bytes that are no LLRP, or above the bounds
        ├── ReaderError         HL-ID-0632   the reader refused what it was asked
        └── UnreachableError    HL-ID-0633   no reader there, or it fell silent

Each names the rule that is broken (``rule``, a fixed word such as ``ean.gtin-only``) and where (``position``, counted from 0
in what was given: characters of a text, octets of a memory, bits where the message says so; None where no place is to blame).
"""

from __future__ import annotations

from typing import Any

from hulian.kernel.errors import HulianError

__all__ = [
    "CapacityError",
    "CarrierError",
    "FontError",
    "ImageError",
    "LayoutError",
    "LlrpError",
    "LlrpFormatError",
    "NdefError",
    "ReaderError",
    "TagError",
    "UncarriableError",
    "UnreachableError",
]


class CarrierError(HulianError):
    """A carrier that breaks a rule; ``rule`` names it, ``position`` says where, counted from 0."""

    code = "HL-ID-0600"

    def __init__(self, message: str, *, rule: str, position: int | None = None, hint: str = "") -> None:
        place = rule if position is None else f"{rule}, position {position}"
        super().__init__(message, place=place, hint=hint)
        self.rule = rule
        self.position = position

    def as_dict(self) -> dict[str, Any]:
        """As in `HulianError`, with the rule and the position for programs."""
        return {**super().as_dict(), "rule": self.rule, "position": self.position}


class CapacityError(CarrierError):
    """More than the symbology, the record or the memory holds."""

    code = "HL-ID-0601"
    default_hint = "take a carrier that holds more: QR and Data Matrix hold two thousand characters and more"


class UncarriableError(CarrierError):
    """A code, or a character in it, that the carrier has no form for."""

    code = "HL-ID-0602"
    default_hint = "QR and Data Matrix carry every code; docs/topics/identifiers-carriers.md says what each symbology carries"


class LayoutError(CarrierError):
    """A label that does not fit its place, or a sheet out of bounds."""

    code = "HL-ID-0603"
    default_hint = "a smaller module, fewer labels on a page, or a larger page"


class FontError(CarrierError):
    """A character that the font cannot draw."""

    code = "HL-ID-0604"
    default_hint = "name a font file that has it, e.g. --font NotoSansCJK-Regular.ttc"


class ImageError(CarrierError):
    """No image that is read here, a damaged one, or one above the bounds."""

    code = "HL-ID-0605"
    default_hint = "give a PNG, JPEG, GIF, BMP, TIFF or WebP of at most 32 MiB and 50 million pixels"


class TagError(CarrierError):
    """Memory of an RFID tag that contradicts itself."""

    code = "HL-ID-0610"
    default_hint = "read the tag again from nearer by; if it stays, the tag was written wrongly"


class NdefError(CarrierError):
    """An NDEF message, or the image of an NFC tag, that contradicts itself."""

    code = "HL-ID-0620"
    default_hint = "read the tag again without moving it; if it stays, the tag was written wrongly"


class LlrpError(CarrierError):
    """The root of what can go wrong with an RFID reader."""

    code = "HL-ID-0630"


class LlrpFormatError(LlrpError):
    """Octets that are no LLRP, or a message above the bounds; the connection cannot go on."""

    code = "HL-ID-0631"
    default_hint = "look whether the address is that of a reader's LLRP port (5084, with TLS 5085)"


class ReaderError(LlrpError):
    """The reader refused what it was asked; ``status`` is its LLRP status code."""

    code = "HL-ID-0632"
    default_hint = "the reader's own words stand in the message; its manual lists what it can do"

    def __init__(self, message: str, *, rule: str, status: int = 0, hint: str = "") -> None:
        super().__init__(message, rule=rule, hint=hint)
        self.status = status

    def as_dict(self) -> dict[str, Any]:
        """As in `CarrierError`, with the status code."""
        return {**super().as_dict(), "status": self.status}


class UnreachableError(LlrpError):
    """No reader answers there, or it fell silent."""

    code = "HL-ID-0633"
    default_hint = "look at the address, the network and whether another client holds the reader"
