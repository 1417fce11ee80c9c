"""A page as PNG in black and white: every module is a whole number of dots, so that its edges are sharp."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hulian.network.identifiers.carriers.errors import FontError, LayoutError
from hulian.network.identifiers.carriers.labels.layout import Line, Mark, Page, check_dpi

__all__ = ["MAXIMUM_DOTS", "Fonts", "draw_png"]

MAXIMUM_DOTS: Final = 100_000_000
"""Most dots of a page: A4 at 1,000 to the inch."""

_HAIR: Final = 0.01
_ABSENT: Final = "\U0010ffff"
_SYSTEM: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)

_Font = ImageFont.FreeTypeFont


class Fonts:
    """What a line is drawn with: the file that was named, or else a Latin font that is built in, or else, for characters
    which that has not, a Chinese font of the system where there is one."""

    def __init__(self, path: Path | None = None, *, system: tuple[str, ...] = _SYSTEM) -> None:
        self._path = path
        self._system = system
        self._found: dict[int, list[_Font]] = {}

    def font_for(self, text: str, size: int) -> _Font:
        """A font of ``size`` dots that has all of ``text``. Raises `FontError` at the first character that none has."""
        fonts = self._found.get(size)
        if fonts is None:
            fonts = self._found[size] = self._load(size)
        furthest = 0
        for font in fonts:
            missing = _first_missing(font, text)
            if missing is None:
                return font
            furthest = max(furthest, missing)
        raise FontError(f"no font here draws {text[furthest]!r}", rule="label.font", position=furthest)

    def _load(self, size: int) -> list[_Font]:
        if self._path is not None:
            try:
                return [ImageFont.truetype(str(self._path), size)]
            except OSError as error:
                raise FontError(
                    f"{self._path} is no font that can be read: {error}",
                    rule="label.font",
                    hint="name a TrueType or OpenType file",
                ) from None
        built_in = ImageFont.load_default(size)
        fonts = [built_in] if isinstance(built_in, ImageFont.FreeTypeFont) else []
        return fonts + [ImageFont.truetype(path, size) for path in self._system if Path(path).is_file()]


def _first_missing(font: _Font, text: str) -> int | None:
    """Where the first character stands that is drawn as the box for what is not there."""
    box = bytes(font.getmask(_ABSENT))
    for place, character in enumerate(text):
        if not character.isspace() and bytes(font.getmask(character)) == box:
            return place
    return None


def draw_png(page: Page, dpi: int, fonts: Fonts | None = None) -> bytes:
    """One PNG of one bit a dot, with its resolution in it. The page's modules must have been laid out for ``dpi``.

    Raises `FontError` where no font has a character of the text, `LayoutError` above `MAXIMUM_DOTS`.
    """
    check_dpi(dpi)
    width, height = _dots(page.width, dpi), _dots(page.height, dpi)
    if width * height > MAXIMUM_DOTS:
        raise LayoutError(
            f"{width} x {height} dots; a page has {MAXIMUM_DOTS} at most",
            rule="png.dots",
            hint="fewer dots to the inch, or PDF",
        )
    ground = np.full((height, width), fill_value=True)
    for mark in page.marks:
        _stamp(ground, mark, dpi)
    image = Image.fromarray(ground.view(np.uint8) * 255)
    pen = ImageDraw.Draw(image)
    fonts = fonts or Fonts()
    for line in page.lines:
        _write(pen, line, dpi, fonts)
    out = io.BytesIO()
    image.convert("1", dither=Image.Dither.NONE).save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


def _dots(millimetres: float, dpi: int) -> int:
    return max(1, round(millimetres * dpi / 25.4))


def _stamp(ground: NDArray[np.bool_], mark: Mark, dpi: int) -> None:
    module = _dots(mark.module, dpi)
    if abs(module - mark.module * dpi / 25.4) > _HAIR:
        raise LayoutError(
            f"a module of {mark.module:.4f} mm is no whole number of dots at {dpi} to the inch",
            rule="png.module",
            hint="lay the page out for the resolution that it is drawn at",
        )
    heights = [_dots(height, dpi) for height in mark.heights()]
    dark = np.repeat(np.repeat(mark.symbol.modules, module, axis=1), heights, axis=0)
    x, y = round(mark.x * dpi / 25.4), round(mark.y * dpi / 25.4)
    part = ground[y : y + dark.shape[0], x : x + dark.shape[1]]
    part &= ~dark[: part.shape[0], : part.shape[1]]


def _write(pen: ImageDraw.ImageDraw, line: Line, dpi: int, fonts: Fonts) -> None:
    # Six per cent smaller than its width was reckoned with: the built-in font runs wider than Helvetica.
    font = fonts.font_for(line.text, max(1, int(line.size * dpi / 25.4 * 0.94)))
    pen.text((line.x * dpi / 25.4, line.y * dpi / 25.4), line.text, fill=0, font=font, anchor="ms")
