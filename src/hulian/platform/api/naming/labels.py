"""Labels for the console: one page as a picture, or a PDF that is sent while it is drawn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from io import BytesIO
from itertools import islice

from hulian.network.identifiers.carriers.labels.layout import Page, Sheet, Style, lay_out, page_size
from hulian.network.identifiers.carriers.labels.pdf import PdfWriter
from hulian.network.identifiers.carriers.labels.png import draw_png
from hulian.network.identifiers.carriers.labels.printing import Job, Request, make_labels
from hulian.network.identifiers.carriers.labels.svg import draw_svg
from hulian.network.identifiers.carriers.symbols.symbology import Kind
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import RequestError
from hulian.platform.api.naming.views import LabelsBody

__all__ = ["page_count", "pdf", "picture"]


def page_count(body: LabelsBody) -> int:
    """How many pages the labels fill."""
    places = body.sheet.across * body.sheet.down if body.sheet else 1
    return -(-len(body.labels) // places)


def _pages(body: LabelsBody, *, begin: int = 0, most: int | None = None) -> Iterator[Page]:
    """The pages from ``begin`` on. Raises what is wrong with an identifier, its symbol, its place or its text."""
    sheet = body.sheet
    places = sheet.across * sheet.down if sheet else 1
    end = None if most is None else (begin + most) * places
    requests = [
        Request(one.identifier, tuple(one.lines), f"$.labels[{number}]")
        for number, one in islice(enumerate(body.labels), begin * places, end)
    ]
    style = Style(
        module=body.module,
        bar_height=body.bar_height,
        font_size=body.font_size,
        dpi=body.dpi if body.form == "png" else 0,
    )
    on = Sheet(*page_size(sheet.page), sheet.across, sheet.down, sheet.margin, sheet.gap) if sheet else None
    job = Job(
        kind=Kind(body.symbology),
        style=style,
        sheet=on,
        stem=body.stem,
        error_correction=body.error_correction,
        readable=body.readable,
    )
    return lay_out(make_labels(requests, job), style, on)


async def picture(body: LabelsBody) -> bytes:
    """The page ``body.number`` as SVG or PNG. Raises `RequestError` where there is no such page."""
    if body.number > page_count(body):
        raise RequestError(f"there are {page_count(body)} pages", place="$.number")

    def draw() -> bytes:
        page = next(_pages(body, begin=body.number - 1, most=1))
        return draw_svg(page) if body.form == "svg" else draw_png(page, body.dpi)

    drawn: bytes = await in_thread(draw)
    return drawn


async def pdf(body: LabelsBody) -> AsyncGenerator[bytes, None]:
    """A PDF in parts, one page in memory at a time. Every label is checked before the first part."""
    await in_thread(lambda: sum(1 for _ in _pages(body)))
    out = BytesIO()
    writer = PdfWriter(out)
    pages = _pages(body)

    def draw() -> bool:
        page = next(pages, None)
        if page is None:
            writer.close()
            return False
        writer.add(page)
        return True

    more = True
    while more:
        more = await in_thread(draw)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
