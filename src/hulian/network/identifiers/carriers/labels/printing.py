"""Identifiers → files: one label after another, one page in memory at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError
from hulian.network.identifiers.carriers.labels.layout import Label, Page, Sheet, Style, lay_out, told_at
from hulian.network.identifiers.carriers.labels.pdf import PdfWriter
from hulian.network.identifiers.carriers.labels.png import Fonts, draw_png
from hulian.network.identifiers.carriers.labels.svg import draw_svg
from hulian.network.identifiers.carriers.symbols.encode import encode
from hulian.network.identifiers.carriers.symbols.symbology import Kind
from hulian.network.identifiers.schemes import recognise

__all__ = [
    "DEFAULT_DPI",
    "MAXIMUM_LABELS",
    "MAXIMUM_PICTURES",
    "Form",
    "Job",
    "Printed",
    "Request",
    "make_labels",
    "print_labels",
]

DEFAULT_DPI: Final = 300

MAXIMUM_LABELS: Final = 1_000_000
"""Most labels of one job."""

MAXIMUM_PICTURES: Final = 10_000
"""Most files of one job, where each page is one (SVG, PNG)."""


class Form(StrEnum):
    """What is written."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


class Request(NamedTuple):
    """One label: what it names, lines below the symbol beside the human-readable text, and where errors say it came from."""

    identifier: str
    lines: tuple[str, ...] = ()
    origin: str = ""


class Printed(NamedTuple):
    """What a job wrote."""

    labels: int
    pages: int
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """How labels are made: the symbology, how they look, and where they stand."""

    kind: Kind
    style: Style = field(default_factory=Style)
    sheet: Sheet | None = None
    stem: str = ""
    error_correction: str = "M"
    readable: bool = True
    """Whether the human-readable text stands below the symbol."""


def make_labels(requests: Iterable[Request], job: Job) -> Iterator[Label]:
    """Labels, one at a time. An identifier that cannot be read or carried raises its own error, its origin in the place."""
    for number, request in enumerate(requests, 1):
        if number > MAXIMUM_LABELS:
            raise CapacityError(f"more than {MAXIMUM_LABELS} labels", rule="job.labels", hint="divide the list")
        with told_at(request.origin):
            symbol = encode(recognise(request.identifier), job.kind, stem=job.stem, error_correction=job.error_correction)
        yield Label(symbol, ((symbol.shown,) if job.readable else ()) + request.lines, request.origin)


def print_labels(
    requests: Iterable[Request], job: Job, out: Path, form: Form, *, dpi: int = DEFAULT_DPI, font: Path | None = None
) -> Printed:
    """Writes the labels to ``out``: one PDF, or a picture a page (``name-0001.svg`` and so on where there are several).

    Nothing appears under ``out`` before all of it is written: an error leaves what was there before. ``dpi`` and ``font``
    are for PNG. Raises what is wrong with an identifier, its symbol, its place or its text.
    """
    count = 0

    def counted() -> Iterator[Request]:
        nonlocal count
        for request in requests:
            count += 1
            yield request

    if form is Form.PNG:
        job = replace(job, style=replace(job.style, dpi=dpi))
    pages = lay_out(make_labels(counted(), job), job.style, job.sheet)
    if form is Form.PDF:
        number = _print_pdf(pages, out)
        return Printed(count, number, (out,))
    fonts = Fonts(font)
    files = _print_pictures((draw_svg(page) if form is Form.SVG else draw_png(page, dpi, fonts) for page in pages), out)
    return Printed(count, len(files), files)


def _print_pdf(pages: Iterator[Page], out: Path) -> int:
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    number = 0
    try:
        with part.open("xb") as file:
            writer = PdfWriter(file)
            for page in pages:
                writer.add(page)
                number += 1
            if not number:
                raise _nothing()
            writer.close()
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return number


def _print_pictures(drawn: Iterator[bytes], out: Path) -> tuple[Path, ...]:
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        parts: list[Path] = []
        for number, data in enumerate(drawn, 1):
            if number > MAXIMUM_PICTURES:
                raise CapacityError(
                    f"more than {MAXIMUM_PICTURES} pictures",
                    rule="job.pictures",
                    hint="take PDF, which holds them all in one file",
                )
            part = Path(folder) / str(number)
            part.write_bytes(data)
            parts.append(part)
        if not parts:
            raise _nothing()
        names = [out] if len(parts) == 1 else [out.with_stem(f"{out.stem}-{number:04d}") for number in range(1, len(parts) + 1)]
        for part, name in zip(parts, names, strict=True):
            part.replace(name)
    return tuple(names)


def _nothing() -> CarrierError:
    return CarrierError("there is nothing to print", rule="job.labels", hint="give at least one identifier")
