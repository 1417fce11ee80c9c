"""Where everything stands, in millimetres from the top left: labels one by one, or in columns and rows on pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.carriers.errors import LayoutError
from hulian.network.identifiers.carriers.labels.text import check_text, width_of, wrap
from hulian.network.identifiers.carriers.symbols.encode import Symbol

__all__ = [
    "MAXIMUM_PAGE",
    "PAGES",
    "Label",
    "Line",
    "Mark",
    "Page",
    "Sheet",
    "Style",
    "check_dpi",
    "lay_out",
    "page_size",
    "told_at",
]

PAGES: Final = {"a4": (210.0, 297.0), "a5": (148.0, 210.0), "letter": (215.9, 279.4)}
"""Page sizes by name, upright."""

MAXIMUM_PAGE: Final = 2000.0
"""Longest side of a page or a label."""

_MOST_PLACES: Final = 2500
_MOST_LINES: Final = 12
_LEADING: Final = 1.25
_NARROWEST: Final = 18.0


@dataclass(frozen=True, slots=True)
class Label:
    """A symbol, and the lines below it. ``origin`` says in errors where it was asked for."""

    symbol: Symbol
    lines: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """How a label is drawn; sizes in millimetres. 0 takes the symbology's own."""

    module: float = 0
    bar_height: float = 0
    font_size: float = 2.5
    padding: float = 1.0
    """Between the label's edge and what stands in it, beside the quiet zone."""
    dpi: int = 0
    """Dots of the printer: modules become a whole number of them. 0: any size."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page with places for labels: across and down, with margins at the edges and gaps between."""

    width: float
    height: float
    across: int = 1
    down: int = 1
    margin: float = 0
    gap: float = 0

    def __post_init__(self) -> None:
        if not (0 < self.width <= MAXIMUM_PAGE and 0 < self.height <= MAXIMUM_PAGE):
            raise LayoutError(f"a page has sides of up to {MAXIMUM_PAGE:g} mm", rule="sheet.page")
        if not (self.across >= 1 and self.down >= 1 and self.across * self.down <= _MOST_PLACES):
            raise LayoutError(f"a page has 1 to {_MOST_PLACES} places, not {self.across} x {self.down}", rule="sheet.places")
        if not (self.margin >= 0 and self.gap >= 0 and self.place[0] > 0 and self.place[1] > 0):
            raise LayoutError(
                f"margins of {self.margin:g} and gaps of {self.gap:g} mm leave no room for {self.across} x {self.down} labels",
                rule="sheet.margin",
            )

    @property
    def place(self) -> tuple[float, float]:
        """Width and height of one place."""
        return (
            (self.width - 2 * self.margin - (self.across - 1) * self.gap) / self.across,
            (self.height - 2 * self.margin - (self.down - 1) * self.gap) / self.down,
        )

    def places(self) -> Iterator[tuple[float, float]]:
        """The top left of each place, row by row."""
        width, height = self.place
        for row in range(self.down):
            for column in range(self.across):
                yield self.margin + column * (width + self.gap), self.margin + row * (height + self.gap)


@dataclass(frozen=True, slots=True)
class Mark:
    """A symbol on a page: top left of its first module, size of a module, height of its bars (0 where modules are squares)."""

    x: float
    y: float
    module: float
    bar_height: float
    symbol: Symbol

    def heights(self) -> tuple[float, ...]:
        """The height of each row of modules."""
        if not self.symbol.linear:
            return (self.module,) * self.symbol.rows
        return (self.bar_height, self.symbol.guard * self.module)[: self.symbol.rows]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text: the middle of its baseline, and the font's size."""

    x: float
    y: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on one page."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]


@contextmanager
def told_at(origin: str) -> Iterator[None]:
    """An error from inside names ``origin``, where there is one, before its own place."""
    try:
        yield
    except HulianError as error:
        if origin:
            error.place = f"{origin}: {error.place}"
        raise


def check_dpi(dpi: int) -> None:
    """Raises `LayoutError` for a resolution that no printer has."""
    if not 50 <= dpi <= 2400:
        raise LayoutError(f"{dpi} dots to the inch; 50 to 2400 can be made", rule="label.dpi")


def page_size(text: str) -> tuple[float, float]:
    """``a4``, ``letter``, or a label of a roll in millimetres, such as ``50x30``."""
    if named := PAGES.get(text.lower()):
        return named
    width, _, height = text.lower().partition("x")
    try:
        size = float(width), float(height)
    except ValueError:
        size = 0.0, 0.0
    if not (0 < size[0] <= MAXIMUM_PAGE and 0 < size[1] <= MAXIMUM_PAGE):
        raise LayoutError(
            f"{text!r} is no size of a page",
            rule="sheet.page",
            hint=f"take {', '.join(PAGES)}, or width x height in millimetres, such as 50x30",
        )
    return size


def lay_out(labels: Iterable[Label], style: Style, sheet: Sheet | None = None) -> Iterator[Page]:
    """Pages, one at a time; of the labels, no more than a page's worth is taken before it is given out.

    Without a sheet, each label is a page that is as large as it needs to be. Raises `LayoutError` where a label does not
    fit its place, or a module is not of the size that its symbology allows.
    """
    if not 0.5 <= style.font_size <= 50 or not 0 <= style.padding <= 100:
        raise LayoutError("a font has 0.5 to 50 mm, a padding 0 to 100 mm", rule="label.style")
    if sheet is None:
        for label in labels:
            with told_at(label.origin):
                page = _alone(label, style)
            yield page
        return
    remaining = iter(labels)
    width, height = sheet.place
    while chunk := list(islice(remaining, sheet.across * sheet.down)):
        marks, lines = [], []
        for label, (x, y) in zip(chunk, sheet.places(), strict=False):
            with told_at(label.origin):
                mark, below = _placed(label, style, width, height)
            marks.append(replace(mark, x=mark.x + x, y=mark.y + y))
            lines += [replace(line, x=line.x + x, y=line.y + y) for line in below]
        yield Page(sheet.width, sheet.height, tuple(marks), tuple(lines))


def _alone(label: Label, style: Style) -> Page:
    wide, high = _size(label.symbol, style)
    width = max(wide, _NARROWEST if label.lines else 0) + 2 * style.padding
    lines = _lines(label, style, width)
    height = high + 2 * style.padding + len(lines) * style.font_size * _LEADING
    mark, below = _placed(label, style, width, height)
    return Page(width, height, (mark,), tuple(below))


def _module(symbol: Symbol, style: Style) -> float:
    kind = symbol.symbology
    module = style.module or kind.module
    if style.dpi:
        check_dpi(style.dpi)
        dots = round(module * style.dpi / 25.4)
        if dots < 1:
            raise LayoutError(f"a module of {module:g} mm is less than a dot at {style.dpi} to the inch", rule="label.module")
        module = dots * 25.4 / style.dpi
    # A printer's dots may miss the standard's edge by a hair: 0.264 mm are 3.12 dots at 300 to the inch.
    if not kind.smallest * 0.95 <= module <= kind.largest * 1.05:
        raise LayoutError(
            f"a module of {symbol.kind} has {kind.smallest:g} to {kind.largest:g} mm, not {module:.3g}",
            rule=f"{symbol.kind}.module",
            hint="choose the module, or a finer resolution, so that it falls between",
        )
    return module


def _size(symbol: Symbol, style: Style) -> tuple[float, float]:
    """Width and height with quiet zones."""
    kind, module = symbol.symbology, _module(symbol, style)
    wide = (symbol.columns + kind.quiet_left + kind.quiet_right) * module
    if symbol.linear:
        return wide, _bar_height(symbol, style) + symbol.guard * module
    return wide, (symbol.rows + 2 * kind.quiet_above) * module


def _bar_height(symbol: Symbol, style: Style) -> float:
    height = style.bar_height or symbol.symbology.bar_height
    if not 1 <= height <= 500:
        raise LayoutError(f"bars have 1 to 500 mm, not {height:g}", rule="label.bar-height")
    return height


def _lines(label: Label, style: Style, width: float) -> list[str]:
    found: list[str] = []
    for text in label.lines:
        found += wrap(check_text(text), (width - 2 * style.padding) / style.font_size)
    if len(found) > _MOST_LINES:
        raise LayoutError(
            f"the text of {label.symbol.shown[:40]!r} needs {len(found)} lines; a label has {_MOST_LINES} at most",
            rule="label.lines",
            hint="a smaller font, a wider label, or a text of your own",
        )
    return found


def _placed(label: Label, style: Style, width: float, height: float) -> tuple[Mark, list[Line]]:
    """The label in a place of this size, in the middle."""
    symbol, kind = label.symbol, label.symbol.symbology
    module = _module(symbol, style)
    wide, high = _size(symbol, style)
    lines = _lines(label, style, width)
    leading = style.font_size * _LEADING
    needed = high + len(lines) * leading
    # A thousandth of a millimetre is rounding.
    if wide > width + 0.001 or needed > height + 0.001:
        raise LayoutError(
            f"{symbol.shown[:40]!r} needs {wide:.1f} x {needed:.1f} mm as {symbol.kind}; "
            f"its place has {width:.1f} x {height:.1f}",
            rule="label.size",
            hint="a smaller module, lower bars, fewer labels on a page, or a symbology that needs less",
        )
    left, top = (width - wide) / 2, (height - needed) / 2
    mark = Mark(
        left + kind.quiet_left * module,
        top + kind.quiet_above * module,
        module,
        _bar_height(symbol, style) if symbol.linear else 0,
        symbol,
    )
    baseline = top + high + style.font_size
    widest = max((width_of(line) for line in lines), default=0) * style.font_size
    middle = width / 2 if widest > wide else left + wide / 2
    return mark, [Line(middle, baseline + row * leading, style.font_size, line) for row, line in enumerate(lines)]
