"""What tests of carriers share: a font that holds just what a test names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def make_font(tmp_path: Path) -> Callable[[str], Path]:
    """A TrueType file with the given characters, each a triangle of its own height."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def make(characters: str) -> Path:
        def glyph(height: int):
            pen = TTGlyphPen(None)
            pen.moveTo((0, 0))
            pen.lineTo((900, 0))
            pen.lineTo((0, height))
            pen.closePath()
            return pen.glyph()

        names = {character: f"g{ord(character):X}" for character in characters}
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder([".notdef", *names.values()])
        builder.setupCharacterMap({ord(character): name for character, name in names.items()})
        builder.setupGlyf({".notdef": glyph(500), **{name: glyph(600 + 7 * i) for i, name in enumerate(names.values())}})
        builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (1000, 0)))
        builder.setupHorizontalHeader(ascent=880, descent=-120)
        builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        path = tmp_path / "test.ttf"
        builder.save(path)
        return path

    return make
