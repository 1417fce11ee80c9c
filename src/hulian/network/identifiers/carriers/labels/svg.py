"""A page as SVG 1.1, in millimetres. Text stays text: the viewer's fonts draw it, Chinese ones among them."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from hulian.network.identifiers.carriers.labels.layout import Page
from hulian.network.identifiers.carriers.labels.modules import rectangles

__all__ = ["draw_svg"]

_FONTS = "Helvetica, Arial, 'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"


def draw_svg(page: Page) -> bytes:
    """One SVG document, UTF-8. Each symbol is one path on a white ground."""
    return "".join(_pieces(page)).encode()


def _pieces(page: Page) -> Iterator[str]:
    width, height = _number(page.width), _number(page.height)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{width}mm" height="{height}mm" '
    yield f'viewBox="0 0 {width} {height}">\n<rect width="{width}" height="{height}" fill="#fff"/>\n'
    for mark in page.marks:
        path = "".join(f"M{x} {_number(y)}h{wide}v{_number(high)}h-{wide}z" for x, y, wide, high in rectangles(mark))
        place = f"translate({_number(mark.x)} {_number(mark.y)}) scale({_number(mark.module)})"
        yield f'<path transform="{place}" d="{path}" fill="#000" shape-rendering="crispEdges"/>\n'
    if page.lines:
        yield f'<g font-family="{_FONTS}" text-anchor="middle" fill="#000">\n'
        for line in page.lines:
            where = f'x="{_number(line.x)}" y="{_number(line.y)}" font-size="{_number(line.size)}"'
            yield f'<text {where} xml:space="preserve">{escape(line.text)}</text>\n'
        yield "</g>\n"
    yield "</svg>\n"


def _number(value: float) -> str:
    return f"{value:.5f}".rstrip("0").rstrip(".")
