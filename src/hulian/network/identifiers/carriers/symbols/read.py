"""The symbols in an image, and what their content says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hulian.network.identifiers.carriers.errors import ImageError
from hulian.network.identifiers.schemes import Code, recognise
from hulian.network.identifiers.schemes.errors import SchemeError

__all__ = ["FORMATS", "MAXIMUM_OCTETS", "MAXIMUM_PIXELS", "Found", "read_image"]

MAXIMUM_OCTETS: Final = 32 << 20
"""Largest image file that is looked at."""

MAXIMUM_PIXELS: Final = 50_000_000
"""Most pixels, told by the image's header before any of them is unpacked."""

FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
"""The image formats that are read."""

_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class Found:
    """One symbol in an image.

    ``corners`` are the pixels (x, y) of its corners, clockwise from where the symbol has its top left. ``code`` is the
    preferred reading; where nothing reads it, ``error`` says why.
    """

    format: str
    symbology_identifier: str
    """As ISO/IEC 15424 has it, e.g. ``]d2`` for a Data Matrix in GS1 mode."""
    corners: tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
    text: str
    octets: bytes
    code: Code | None
    error: SchemeError | None

    def as_dict(self) -> dict[str, Any]:
        """As programs read it; octets in hexadecimal digits."""
        return {
            "format": self.format,
            "symbology_identifier": self.symbology_identifier,
            "corners": [list(corner) for corner in self.corners],
            "text": self.text,
            "octets": self.octets.hex(),
            "code": None if self.code is None else {"scheme": self.code.scheme.value, "text": self.code.text},
            "error": None if self.error is None else self.error.as_dict(),
        }


def read_image(data: bytes, *, maximum_octets: int = MAXIMUM_OCTETS, maximum_pixels: int = MAXIMUM_PIXELS) -> tuple[Found, ...]:
    """Every symbol in an image file, from top to bottom; empty where there is none.

    Raises `ImageError` where it is no image, damaged, or above the bounds; these are told by the file's size and header
    before a pixel is unpacked. Of several frames, the first is read. The library that opens images may warn (`warnings`) of
    details that do no harm.
    """
    pixels = _grey(data, maximum_octets, maximum_pixels)
    symbols = zxingcpp.read_barcodes(pixels, text_mode=zxingcpp.TextMode.Plain)
    found = [_found(symbol) for symbol in symbols]
    return tuple(sorted(found, key=lambda each: (each.corners[0][1], each.corners[0][0])))


def _grey(data: bytes, maximum_octets: int, maximum_pixels: int) -> NDArray[np.uint8]:
    if len(data) > maximum_octets:
        raise ImageError(f"{len(data)} octets; {maximum_octets} are read at most", rule="image.octets", position=maximum_octets)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > maximum_pixels:
                raise ImageError(
                    f"{width} x {height} pixels; {maximum_pixels} are read at most", rule="image.pixels", position=0
                )
            if image.has_transparency_data:
                flat = Image.new("L", image.size, _WHITE)
                rgba = image.convert("RGBA")
                flat.paste(rgba.convert("L"), mask=rgba.getchannel("A"))
                return np.asarray(flat)
            return np.asarray(image.convert("L"))
    except UnidentifiedImageError:
        raise ImageError(f"this is no image of {', '.join(FORMATS)}", rule="image.format", position=0) from None
    except Image.DecompressionBombError:
        raise ImageError(f"more than {maximum_pixels} pixels", rule="image.pixels", position=0) from None
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
        raise ImageError(f"the image is damaged: {error}", rule="image.content") from None


def _found(symbol: zxingcpp.Barcode) -> Found:
    identifier, text = symbol.symbology_identifier, symbol.text
    position = symbol.position
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    a, b, c, d = ((corner.x, corner.y) for corner in corners)
    code, error = None, None
    try:
        binary = symbol.content_type == zxingcpp.ContentType.Binary
        code = recognise(symbol.bytes if binary else f"{identifier}{text}")
    except SchemeError as refused:
        error = refused
    return Found(symbol.format.name, identifier, (a, b, c, d), text, symbol.bytes, code, error)
