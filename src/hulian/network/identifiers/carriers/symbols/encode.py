"""A code as the modules of a symbol."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from hulian.network.identifiers.carriers.errors import CapacityError, UncarriableError
from hulian.network.identifiers.carriers.symbols.content import Content, content_of
from hulian.network.identifiers.carriers.symbols.symbology import SYMBOLOGIES, Kind, Symbology
from hulian.network.identifiers.schemes import Code

__all__ = ["ERROR_CORRECTION", "Symbol", "encode"]

ERROR_CORRECTION: Final = "LMQH"
"""The levels of QR Code: 7, 15, 25 and 30 per cent of a symbol may be lost."""

_GUARD: Final = 5.0
_FORMATS: Final = {
    Kind.QR: zxingcpp.BarcodeFormat.QRCode,
    Kind.DIGITAL_LINK: zxingcpp.BarcodeFormat.QRCode,
    Kind.DATA_MATRIX: zxingcpp.BarcodeFormat.DataMatrix,
    Kind.CODE_128: zxingcpp.BarcodeFormat.Code128,
    Kind.GS1_128: zxingcpp.BarcodeFormat.Code128,
    Kind.EAN_13: zxingcpp.BarcodeFormat.EAN13,
    Kind.EAN_8: zxingcpp.BarcodeFormat.EAN8,
    Kind.UPC_A: zxingcpp.BarcodeFormat.UPCA,
}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol before it has a size.

    ``modules`` is a boolean array of rows by columns, True where it is dark, without quiet zones. A one-dimensional symbol
    has one row, or two where guard bars reach lower: ``guard`` is then the height of the second in modules.
    """

    kind: Kind
    modules: NDArray[np.bool_] = field(repr=False)
    guard: float
    shown: str
    """The human-readable text."""

    @property
    def symbology(self) -> Symbology:
        """Quiet zones and sizes."""
        return SYMBOLOGIES[self.kind]

    @property
    def linear(self) -> bool:
        """Whether it is one-dimensional: bars, whose height is free."""
        return self.symbology.bar_height > 0

    @property
    def columns(self) -> int:
        """How many modules it is wide, without quiet zones."""
        return int(self.modules.shape[1])

    @property
    def rows(self) -> int:
        """How many modules it is high; of one-dimensional symbols, how many rows of bars there are."""
        return int(self.modules.shape[0])


def encode(code: Code, kind: Kind, *, stem: str = "", error_correction: str = "M") -> Symbol:
    """The symbol of ``kind`` that carries ``code``; ``stem`` as in `content_of`, ``error_correction`` one of LMQH, for QR.

    Raises `UncarriableError` and `CapacityError`, which name the rule of the symbology that is broken.

    >>> from hulian.network.identifiers.schemes import recognise
    >>> encode(recognise("9506000134352"), Kind.EAN).columns
    95
    """
    content = content_of(code, kind, stem)
    if error_correction not in ERROR_CORRECTION or len(error_correction) != 1:
        raise UncarriableError(
            f"{error_correction!r} is no level of error correction", rule="qr.error-correction", hint="take L, M, Q or H"
        )
    options: dict[str, object] = {}
    if content.gs1:
        options["gs1"] = True
    if content.kind in (Kind.QR, Kind.DIGITAL_LINK):
        options["ec_level"] = error_correction
    if content.kind is Kind.DATA_MATRIX:
        # Rectangles beyond 16x48 are a standard of their own that many scanners do not know.
        options["force_square"] = True
    try:
        made = zxingcpp.create_barcode(content.data, _FORMATS[content.kind], **options)
    except ValueError as error:
        raise _refused(content, str(error)) from None
    if not content.data.isascii():
        _check_guess(content, made)
    pixels = np.asarray(made.to_image(scale=1, add_quiet_zones=False))
    return _symbol(content, pixels == 0)


def _symbol(content: Content, dark: NDArray[np.bool_]) -> Symbol:
    if not SYMBOLOGIES[content.kind].bar_height:
        return Symbol(content.kind, dark, 0, content.shown)
    bars, guards = dark[:1], dark[-1:]
    if np.array_equal(bars, guards):
        return Symbol(content.kind, bars, 0, content.shown)
    return Symbol(content.kind, np.concatenate([bars, guards]), _GUARD, content.shown)


def _check_guess(content: Content, made: zxingcpp.Barcode) -> None:
    """Octets beyond ASCII have no mark of their encoding in the symbol: what a reader would guess wrong is not printed."""
    read = zxingcpp.read_barcode(
        made.to_image(scale=3), formats=zxingcpp.BarcodeFormats(_FORMATS[content.kind]), text_mode=zxingcpp.TextMode.Plain
    )
    if read is None or read.text != content.data:
        guessed = "nothing" if read is None else repr(read.text[:60])
        raise UncarriableError(
            f"a reader would take {content.shown[:60]!r} for {guessed}",
            rule=f"{content.kind}.encoding",
            position=next(place for place, character in enumerate(content.data) if not character.isascii()),
            hint="make it a link by a stem, which escapes such characters",
        )


def _refused(content: Content, said: str) -> CapacityError | UncarriableError:
    """The encoder's refusal; its own words are kept, without its numbers."""
    reason = re.sub(r"^Error \d+: | \(retval: \d+\)$", "", said)
    if "too long" in reason:
        return CapacityError(
            f"{content.kind} cannot hold the {len(content.data)} characters of {content.shown[:60]!r}: {reason}",
            rule=f"{content.kind}.length",
            position=0,
        )
    return UncarriableError(
        f"{content.kind} cannot carry {content.shown[:60]!r}: {reason}", rule=f"{content.kind}.content", position=0
    )
