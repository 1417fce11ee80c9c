"""``hulian label`` and ``hulian scan``: identifiers onto paper, and back from pictures."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hulian.cli.errors import CommandError, NothingFoundError
from hulian.cli.local import Json
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from hulian.network.identifiers.carriers.labels.layout import Sheet
    from hulian.network.identifiers.carriers.labels.printing import Form, Request
    from hulian.network.identifiers.carriers.symbols.read import Found

__all__ = ["label", "scan"]

_LONGEST_LINE = 16_384
_DOTS = 300

Symbology = Literal["qr", "datamatrix", "code128", "gs1-128", "ean", "ean-13", "ean-8", "upc-a", "digital-link"]


def label(
    *identifiers: Annotated[str, Parameter(help="e.g. 88.111.1/ITEM7, or (01)09506000134352(10)ABC")],
    as_: Annotated[Symbology, Parameter(name="--as", help="the kind of symbol")] = "qr",
    out: Annotated[Path, Parameter(help="the file; its ending says which form: .svg, .png or .pdf")],
    from_: Annotated[
        str,
        Parameter(
            name="--from",
            allow_leading_hyphen=True,
            help="a file with one identifier a line, a text for the label behind a tab; - is standard input",
        ),
    ] = "",
    text: Annotated[list[str] | None, Parameter(help="a line below every symbol, in any language", negative="")] = None,
    no_text: Annotated[bool, Parameter(help="leave the identifier's own text away", negative="")] = False,
    sheet: Annotated[str, Parameter(help="places on a page, across x down, e.g. 3x8; without it each label is a page")] = "",
    page: Annotated[str, Parameter(help="a4, a5, letter, or millimetres such as 50x30 for a roll of labels")] = "",
    margin: Annotated[float, Parameter(help="millimetres at the edges of a page")] = 0,
    gap: Annotated[float, Parameter(help="millimetres between the places of a page")] = 0,
    module: Annotated[float, Parameter(help="millimetres of one module; the symbology's own where none is given")] = 0,
    bar_height: Annotated[float, Parameter(help="millimetres of the bars of Code 128 and EAN")] = 0,
    font_size: Annotated[float, Parameter(help="millimetres")] = 2.5,
    dpi: Annotated[int, Parameter(help="dots to the inch of a PNG, so that modules are whole dots")] = _DOTS,
    font: Annotated[Path | None, Parameter(help="TrueType or OpenType file for the text of a PNG")] = None,
    stem: Annotated[str, Parameter(help="address of a resolver: the symbol holds a link to it that phones open")] = "",
    error_correction: Annotated[Literal["L", "M", "Q", "H"], Parameter(help="of a QR Code")] = "M",
    json: Json = False,
) -> None:
    """Print identifiers as barcodes: single labels or sheets, as SVG, PNG or PDF.

    Nothing is written before every identifier was checked and every label fits.

    Examples:

        hulian label 88.111.1/ITEM7 --out item7.svg
        hulian label 9506000134352 --as ean --out box.png --dpi 600
        hulian label "(01)09506000134352(10)ABC" --as digital-link --stem https://id.example.com --out lot.pdf
        hulian label --from items.txt --sheet 3x8 --page a4 --margin 8 --gap 2 --out items.pdf
        hulian label --from - --page 50x30 --text "泵房 2" --out roll.pdf
    """
    from hulian.network.identifiers.carriers.labels.layout import Style
    from hulian.network.identifiers.carriers.labels.printing import Job, print_labels
    from hulian.network.identifiers.carriers.symbols.symbology import Kind

    if bool(identifiers) == bool(from_):
        raise CommandError(
            "give identifiers, or a file of them",
            place="--from",
            hint="one of both: 'hulian label 88.111.1/ITEM7 …' or '--from FILE'",
        )
    job = Job(
        kind=Kind(as_),
        style=Style(module=module, bar_height=bar_height, font_size=font_size),
        sheet=_sheet(sheet, page, margin, gap),
        stem=stem,
        error_correction=error_correction,
        readable=not no_text,
    )
    with ExitStack() as open_files:
        requests = _requests(identifiers, from_, tuple(text or ()), open_files)
        try:
            printed = print_labels(requests, job, out, _form(out), dpi=dpi, font=font)
        except OSError as error:
            raise CommandError(
                f"cannot write: {error.strerror}", place=str(out), hint="look at the folder and its permissions"
            ) from error
    if json:
        emit({"labels": printed.labels, "pages": printed.pages, "files": [str(file) for file in printed.files]})
        return
    first, last = printed.files[0], printed.files[-1]
    where = str(first) if first == last else f"{first} to {last.name}"
    labels, pages = _counted(printed.labels, "label"), _counted(printed.pages, "page")
    print(f"{labels} on {pages}: {where}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _form(out: Path) -> Form:
    from hulian.network.identifiers.carriers.labels.printing import Form

    try:
        return Form(out.suffix.lower().removeprefix("."))
    except ValueError:
        raise CommandError(
            f"{out.name!r} does not say which form", place="--out", hint="let it end in .svg, .png or .pdf"
        ) from None


def _sheet(sheet: str, page: str, margin: float, gap: float) -> Sheet | None:
    from hulian.network.identifiers.carriers.labels.layout import Sheet, page_size

    if not sheet and not page:
        if margin or gap:
            raise CommandError("a margin or gap belongs to a page", place="--margin", hint="add --sheet 3x8 or --page 50x30")
        return None
    across, _, down = (sheet or "1x1").lower().partition("x")
    if not (across.isdecimal() and down.isdecimal() and len(sheet) < 10):
        raise CommandError(f"{sheet!r} is no number of places", place="--sheet", hint="across x down, e.g. 3x8")
    width, height = page_size(page or "a4")
    return Sheet(width, height, int(across), int(down), margin, gap)


def _requests(identifiers: tuple[str, ...], source: str, lines: tuple[str, ...], open_files: ExitStack) -> Iterator[Request]:
    from hulian.network.identifiers.carriers.labels.printing import Request

    if identifiers:
        return (Request(identifier, lines) for identifier in identifiers)
    if source == "-":
        file: IO[str] = sys.stdin
    else:
        try:
            file = Path(source).open(encoding="utf-8-sig")  # noqa: SIM115 - closed by the stack
            open_files.callback(file.close)
        except OSError as error:
            raise CommandError(
                f"cannot read the identifiers: {error.strerror}", place=source, hint="look at its name"
            ) from error
    return _from_file(file, source, lines)


def _from_file(file: IO[str], source: str, lines: tuple[str, ...]) -> Iterator[Request]:
    """One request a line that is not empty; what is wrong with one is told with its number."""
    from hulian.network.identifiers.carriers.labels.printing import Request

    number = 0
    try:
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise CommandError(
                    f"a line of {_LONGEST_LINE} characters and more",
                    place=f"{source}, line {number}",
                    hint="one identifier a line",
                )
            identifier, *own = line.rstrip("\r\n").split("\t")
            if identifier.strip():
                yield Request(identifier, tuple(filter(None, own)) + lines, f"{source}, line {number}")
    except UnicodeDecodeError as error:
        raise CommandError("the file is not UTF-8", place=f"{source}, behind line {number}", hint="save it as UTF-8") from error


def scan(
    *files: Annotated[Path, Parameter(help="images: PNG, JPEG, GIF, BMP, TIFF or WebP")],
    json: Json = False,
) -> None:
    """Read the barcodes in images: what they hold, and what it names.

    Every common symbology is read, in any direction. Images are bounded in size before they are unpacked.

    Examples:

        hulian scan photo.jpg
        hulian scan shelf-1.png shelf-2.png --json
    """
    from hulian.network.identifiers.carriers.errors import ImageError
    from hulian.network.identifiers.carriers.symbols.read import MAXIMUM_OCTETS, read_image

    if not files:
        raise CommandError("no image was named", place="scan", hint="hulian scan photo.jpg")
    found: list[tuple[Path, Found]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                data = file.read(MAXIMUM_OCTETS + 1)
        except OSError as error:
            raise CommandError(f"cannot read the image: {error.strerror}", place=str(path), hint="look at its name") from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found += [(path, symbol) for symbol in read_image(data)]
        except ImageError as error:
            error.place = f"{path}: {error.place}"
            raise
    if json:
        emit([{"file": str(path), **symbol.as_dict()} for path, symbol in found])
    elif found:
        table([_row(path, symbol) for path, symbol in found], ["file", "at", "symbol", "scheme", "identifier"], empty="")
    if not found:
        raise NothingFoundError(
            "no symbol was found",
            place=", ".join(map(str, files)),
            hint="take the picture from nearer by, sharp, with the light margin around the symbol in it",
        )


def _row(path: Path, symbol: Found) -> dict[str, str]:
    x, y = symbol.corners[0]
    read = symbol.code
    return {
        "file": path.name,
        "at": f"{x},{y}",
        "symbol": f"{symbol.format} {symbol.symbology_identifier}",
        "scheme": read.scheme.value if read else "–",
        "identifier": read.text if read else f"{symbol.text[:200]!r}: {symbol.error}",
    }
