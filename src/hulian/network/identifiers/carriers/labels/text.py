"""Lines of text on labels: how wide they are, where they break, and which characters a label may hold.

Widths are those of Helvetica (Adobe's font metrics) for Latin, and a full square for every other character. They serve to
centre and to break lines; a viewer with another font draws a little wider or narrower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hulian.network.identifiers.carriers.errors import FontError

__all__ = ["check_text", "is_latin", "runs", "width_of", "wrap"]

# fmt: off
_ASCII: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667,
    556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556,
    556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722,
    500, 500, 500, 334, 260, 334, 584,
)
# fmt: on
_OTHER_LATIN: Final = 600
_LATIN: Final = frozenset(bytes(range(32, 256)).decode("cp1252", "ignore"))


def is_latin(character: str) -> bool:
    """Whether it is of the Latin character set that every viewer's built-in font has (Windows code page 1252)."""
    return character in _LATIN


def width_of(text: str) -> float:
    """In units of the font's size."""
    return sum(_width(character) for character in text) / 1000


def _width(character: str) -> int:
    if " " <= character <= "~":
        return _ASCII[ord(character) - 32]
    return _OTHER_LATIN if is_latin(character) else 1000


def check_text(text: str) -> str:
    """``text`` if every character of it can stand on a label; control characters and lone surrogates cannot."""
    for place, character in enumerate(text):
        if not character.isprintable():
            raise FontError(
                f"U+{ord(character):04X} cannot be printed",
                rule="label.text",
                position=place,
                hint="leave it out of the text below the symbol (--no-text, or a text of your own)",
            )
    return text


def wrap(text: str, width: float) -> list[str]:
    """``text`` in lines of at most ``width`` font sizes, broken behind a character: identifiers have no words."""
    lines, begin, used = [], 0, 0.0
    for place, character in enumerate(text):
        step = _width(character) / 1000
        if place > begin and used + step > width:
            lines.append(text[begin:place])
            begin, used = place, 0.0
        used += step
    return [*lines, text[begin:]]


def runs(text: str) -> Iterator[tuple[bool, str]]:
    """``text`` in pieces of one kind: (whether it is Latin, the piece)."""
    begin = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or is_latin(text[place]) != is_latin(text[begin]):
            yield is_latin(text[begin]), text[begin:place]
            begin = place
