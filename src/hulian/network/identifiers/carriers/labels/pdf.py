"""Pages as PDF 1.5 (ISO 32000-1), written as they come: what stays in memory is one page and where each object began.

Two fonts are named and not embedded, as every viewer has them or a substitute: Helvetica for Latin, and STSong-Light with
the character collection Adobe-GB1 for Chinese (9.7.5.2). Bars and modules are filled paths, sharp at every resolution.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final

from hulian.network.identifiers.carriers.errors import FontError
from hulian.network.identifiers.carriers.labels.layout import Line, Page
from hulian.network.identifiers.carriers.labels.modules import rectangles
from hulian.network.identifiers.carriers.labels.text import runs, width_of

__all__ = ["PdfWriter"]

_POINTS: Final = 72 / 25.4
_CATALOGUE, _PAGES, _LATIN, _CHINESE, _CHINESE_GLYPHS, _CHINESE_METRICS, _FIRST_FREE = range(1, 8)


class PdfWriter:
    """Writes one document into ``out``, which must be open for binary writing and need not be seekable.

    `add` writes a page, `close` ends the document; one that was not closed is no PDF. ``out`` stays open.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._written = 0
        # Where each object begins, by its number; a page is two objects, one behind the other.
        self._begins = array("Q", bytes(8 * _FIRST_FREE))
        # Four octets above 127 tell transfer programs that this is no text (7.5.2).
        self._write(b"%PDF-1.5\n%\xe4\xba\x92\xe8\x81\x94\n")
        self._object(_CATALOGUE, f"<</Type/Catalog/Pages {_PAGES} 0 R>>")
        self._object(_LATIN, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
        self._object(
            _CHINESE,
            "<</Type/Font/Subtype/Type0/BaseFont/STSong-Light-UniGB-UTF16-H/Encoding/UniGB-UTF16-H"
            f"/DescendantFonts[{_CHINESE_GLYPHS} 0 R]>>",
        )
        self._object(
            _CHINESE_GLYPHS,
            "<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000"
            "/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>"
            f"/FontDescriptor {_CHINESE_METRICS} 0 R>>",
        )
        self._object(
            _CHINESE_METRICS,
            "<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0"
            "/Ascent 880/Descent -120/CapHeight 880/StemV 93>>",
        )

    def add(self, page: Page) -> None:
        """Raises `FontError` where neither font has a character of the text; nothing of the page is written then."""
        content = zlib.compress("\n".join(_operators(page)).encode("ascii"))
        number = len(self._begins)
        stream = number + 1
        self._begins.extend((0, 0))
        box = f"{page.width * _POINTS:.3f} {page.height * _POINTS:.3f}"
        self._object(
            number,
            f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {box}]/Contents {stream} 0 R"
            f"/Resources<</Font<</L {_LATIN} 0 R/C {_CHINESE} 0 R>>>>>>",
        )
        self._begins[stream] = self._written
        self._write(f"{stream} 0 obj\n<</Length {len(content)}/Filter/FlateDecode>>\nstream\n".encode())
        self._write(content + b"\nendstream\nendobj\n")

    def close(self) -> None:
        """Writes the list of pages and the table of objects."""
        size = len(self._begins)
        pages = range(_FIRST_FREE, size, 2)
        kids = " ".join(f"{number} 0 R" for number in pages)
        self._object(_PAGES, f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>")
        table = self._written
        self._write(f"xref\n0 {size}\n0000000000 65535 f \n".encode())
        for begin in self._begins[1:]:
            self._write(f"{begin:010d} 00000 n \n".encode())
        self._write(f"trailer\n<</Size {size}/Root {_CATALOGUE} 0 R>>\nstartxref\n{table}\n%%EOF\n".encode())

    def _object(self, number: int, body: str) -> None:
        self._begins[number] = self._written
        self._write(f"{number} 0 obj\n{body}\nendobj\n".encode("ascii"))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._written += len(data)


def _operators(page: Page) -> Iterator[str]:
    # Millimetres from the top left, as the layout has them.
    yield f"{_POINTS:.6f} 0 0 {-_POINTS:.6f} 0 {page.height * _POINTS:.4f} cm"
    for mark in page.marks:
        # And modules from the first one, which are whole numbers.
        yield f"q {mark.module:.6f} 0 0 {mark.module:.6f} {mark.x:.4f} {mark.y:.4f} cm"
        for x, y, wide, high in rectangles(mark):
            yield f"{x} {y:.6g} {wide} {high:.6g} re"
        yield "f Q"
    if page.lines:
        yield "BT"
        for line in page.lines:
            yield from _text(line)
        yield "ET"


def _text(line: Line) -> Iterator[str]:
    yield f"1 0 0 -1 {line.x - width_of(line.text) * line.size / 2:.4f} {line.y:.4f} Tm"
    begin = 0
    for latin, piece in runs(line.text):
        if not latin:
            _check_chinese(piece, begin)
        octets = piece.encode("cp1252") if latin else piece.encode("utf-16-be")
        yield f"/{'L' if latin else 'C'} {line.size:.4f} Tf <{octets.hex()}> Tj"
        begin += len(piece)


def _check_chinese(text: str, begin: int) -> None:
    for place, character in enumerate(text):
        try:
            character.encode("gbk")
        except UnicodeEncodeError:
            raise FontError(
                f"the fonts that a PDF viewer has need not draw {character!r}",
                rule="pdf.font",
                position=begin + place,
                hint="take SVG, whose viewer chooses the font, or PNG with a font of your own",
            ) from None
