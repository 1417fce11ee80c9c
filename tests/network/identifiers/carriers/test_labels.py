"""Labels and sheets: what is printed is scanned again, at the place and size that was asked for."""

from __future__ import annotations

import io
import re
import tracemalloc
import xml.etree.ElementTree as ET

import numpy as np
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hulian.network.identifiers.carriers.errors import CarrierError, FontError, LayoutError
from hulian.network.identifiers.carriers.labels.layout import Label, Sheet, Style, lay_out, page_size
from hulian.network.identifiers.carriers.labels.modules import rectangles
from hulian.network.identifiers.carriers.labels.pdf import PdfWriter
from hulian.network.identifiers.carriers.labels.png import Fonts, draw_png
from hulian.network.identifiers.carriers.labels.printing import Form, Job, Request, print_labels
from hulian.network.identifiers.carriers.labels.svg import draw_svg
from hulian.network.identifiers.carriers.labels.text import runs, width_of, wrap
from hulian.network.identifiers.carriers.symbols.encode import encode
from hulian.network.identifiers.carriers.symbols.read import read_image
from hulian.network.identifiers.carriers.symbols.symbology import Kind
from hulian.network.identifiers.schemes import recognise
from hulian.network.identifiers.schemes.errors import CheckError

A4 = Sheet(210, 297, 3, 8, 8, 2)
SVG = "{http://www.w3.org/2000/svg}"
EACH = [
    ("88.111.1/ITEM7", Kind.QR),
    ("88.111.1/ITEM7", Kind.DATA_MATRIX),
    ("88.111.1/ITEM7", Kind.CODE_128),
    ("(01)09506000134352(10)ABC(17)251231", Kind.GS1_128),
    ("(01)09506000134352(10)ABC(17)251231", Kind.DATA_MATRIX),
    ("(01)09506000134352(10)ABC", Kind.DIGITAL_LINK),
    ("9506000134352", Kind.EAN),
    ("95050003", Kind.EAN),
    ("012345678905", Kind.EAN),
]


def drawn_svg(data, dots_per_mm):
    """An SVG of ours as a grey image: its rectangles, filled by this test."""
    root = ET.fromstring(data)
    _, _, width, height = map(float, root.get("viewBox").split())
    ground = np.full((round(height * dots_per_mm), round(width * dots_per_mm)), 255, np.uint8)
    for path in root.iter(f"{SVG}path"):
        left, top, module = map(float, re.findall(r"[\d.]+", path.get("transform")))
        for rectangle in re.findall(r"M([-\d.]+) ([-\d.]+)h([-\d.]+)v([-\d.]+)h-[-\d.]+z", path.get("d")):
            x, y, wide, high = (float(number) * module * dots_per_mm for number in rectangle)
            x, y = x + left * dots_per_mm, y + top * dots_per_mm
            ground[round(y) : round(y + high), round(x) : round(x + wide)] = 0
    out = io.BytesIO()
    Image.fromarray(ground).save(out, "PNG")
    return out.getvalue()


def drawn_pdf(path, page=0, dpi=300):
    document = pypdfium2.PdfDocument(str(path))
    try:
        rendered = document[page].render(scale=dpi / 72).to_pil()
    finally:
        document.close()
    out = io.BytesIO()
    rendered.save(out, "PNG")
    return out.getvalue()


def pdf_text(path):
    document = pypdfium2.PdfDocument(str(path))
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()


@pytest.mark.parametrize(("text", "kind"), EACH)
def test_every_form_of_every_symbol_is_scanned_again(text, kind, tmp_path):
    job, requests = Job(kind), [Request(text)]
    pictures = []
    for form in Form:
        printed = print_labels(requests, job, tmp_path / f"label.{form}", form)
        assert (printed.labels, printed.pages) == (1, 1)
        data = printed.files[0].read_bytes()
        pictures.append(data if form is Form.PNG else drawn_svg(data, 12) if form is Form.SVG else drawn_pdf(printed.files[0]))
    for data in pictures:
        (found,) = read_image(data)
        assert found.code == recognise(text)


def test_text_for_people_stands_below(tmp_path):
    job = Job(Kind.QR)
    requests = [Request("88.111.1/ITEM7", ("水泵 <7> & Ü", "second (line)"))]
    root = ET.fromstring(print_labels(requests, job, tmp_path / "a.svg", Form.SVG).files[0].read_bytes())
    assert [each.text for each in root.iter(f"{SVG}text")] == ["88.111.1/ITEM7", "水泵 <7> & Ü", "second (line)"]
    print_labels(requests, job, tmp_path / "a.pdf", Form.PDF)
    assert pdf_text(tmp_path / "a.pdf")[0].splitlines() == ["88.111.1/ITEM7", "水泵 <7> & Ü", "second (line)"]
    bare = print_labels([Request("88.111.1/ITEM7")], Job(Kind.QR, readable=False), tmp_path / "b.svg", Form.SVG)
    assert list(ET.fromstring(bare.files[0].read_bytes()).iter(f"{SVG}text")) == []


def test_a_sheet_fills_its_places_row_by_row(tmp_path):
    requests = [Request(f"88.111.1/ITEM{number}") for number in range(30)]
    job = Job(Kind.QR, sheet=A4)
    printed = print_labels(requests, job, tmp_path / "sheet.pdf", Form.PDF)
    assert (printed.labels, printed.pages) == (30, 2)
    document = pypdfium2.PdfDocument(str(tmp_path / "sheet.pdf"))
    assert [
        size == pytest.approx((595.28, 841.89), abs=0.01) for size in (document.get_page_size(0), document.get_page_size(1))
    ]
    document.close()
    first, second = (read_image(drawn_pdf(tmp_path / "sheet.pdf", page, 150)) for page in (0, 1))
    assert sorted(str(each.code) for each in second) == sorted(f"88.111.1/ITEM{n}" for n in range(24, 30))
    width, height = A4.place
    for each in first:
        number = int(each.text.removeprefix("88.111.1/ITEM"))
        column, row = number % 3, number // 3
        x, y = (value * 25.4 / 150 for value in each.corners[0])
        assert 8 + column * (width + 2) <= x <= 8 + column * (width + 2) + width
        assert 8 + row * (height + 2) <= y <= 8 + row * (height + 2) + height


def test_several_pictures_are_numbered(tmp_path):
    requests = [Request("88.111.1/A"), Request("88.111.1/B")]
    printed = print_labels(requests, Job(Kind.QR, sheet=Sheet(50, 30)), tmp_path / "roll.png", Form.PNG)
    assert [file.name for file in printed.files] == ["roll-0001.png", "roll-0002.png"]
    assert [str(read_image(file.read_bytes())[0].code) for file in printed.files] == ["88.111.1/A", "88.111.1/B"]
    assert Image.open(printed.files[0]).size == (round(50 / 25.4 * 300), round(30 / 25.4 * 300))


@settings(max_examples=30)
@given(st.sampled_from(EACH), st.integers(200, 1200))
def test_quiet_zones_and_modules_are_kept_to_the_dot(each, dpi):
    text, kind = each
    symbol = encode(recognise(text), kind)
    (page,) = lay_out([Label(symbol)], Style(padding=0, dpi=dpi, bar_height=5))
    mark = page.marks[0]
    dots = mark.module * dpi / 25.4
    assert dots == pytest.approx(round(dots), abs=1e-6)
    pixels = np.asarray(Image.open(io.BytesIO(draw_png(page, dpi))).convert("L")) == 0
    columns = np.flatnonzero(pixels.any(axis=0))
    kind = symbol.symbology
    assert abs(columns[0] - kind.quiet_left * round(dots)) <= 1
    assert abs(pixels.shape[1] - 1 - columns[-1] - kind.quiet_right * round(dots)) <= 1
    row = pixels[np.flatnonzero(pixels.any(axis=1))[0], columns[0] : columns[-1] + 1]
    assert np.array_equal(row, np.repeat(symbol.modules[0], round(dots))[: len(row)]) or not symbol.linear


def test_rectangles_cover_what_is_dark_and_nothing_else():
    (page,) = lay_out([Label(encode(recognise("88.111.1/ITEM7"), Kind.QR))], Style())
    mark = page.marks[0]
    area = sum(wide * high for _, _, wide, high in rectangles(mark))
    assert area == pytest.approx(int(mark.symbol.modules.sum()))


@pytest.mark.parametrize(
    ("kind", "style", "sheet", "rule"),
    [
        (Kind.QR, Style(), Sheet(10, 10), "label.size"),
        (Kind.CODE_128, Style(), Sheet(30, 30), "label.size"),
        (Kind.QR, Style(module=30), None, "qr.module"),
        (Kind.QR, Style(module=0.05, dpi=300), None, "qr.module"),
        (Kind.QR, Style(module=0.01, dpi=300), None, "label.module"),
        (Kind.QR, Style(dpi=20), None, "label.dpi"),
        (Kind.QR, Style(font_size=0.1), None, "label.style"),
        (Kind.QR, Style(font_size=20), None, "label.lines"),
        (Kind.CODE_128, Style(bar_height=0.5), None, "label.bar-height"),
    ],
)
def test_what_does_not_fit_is_refused(kind, style, sheet, rule):
    label = Label(encode(recognise("88.111.1/ITEM7"), kind), ("88.111.1/ITEM7 " * 3,), "items.txt, line 3")
    with pytest.raises(LayoutError) as raised:
        list(lay_out([label], style, sheet))
    assert raised.value.rule == rule
    assert raised.value.hint
    assert rule == "label.style" or raised.value.place.startswith("items.txt, line 3: ")


def test_a_picture_needs_a_resolution_that_it_was_laid_out_for(tmp_path):
    (page,) = lay_out([Label(encode(recognise("88.111.1/ITEM7"), Kind.QR))], Style(dpi=300))
    for dpi, rule in ((0, "label.dpi"), (-300, "label.dpi"), (203, "png.module")):
        with pytest.raises(LayoutError) as raised:
            draw_png(page, dpi)
        assert raised.value.rule == rule
    with pytest.raises(LayoutError):
        print_labels([Request("88.111.1/ITEM7")], Job(Kind.QR), tmp_path / "a.png", Form.PNG, dpi=0)


def test_a_retail_module_has_the_bounds_of_its_standard():
    symbol = encode(recognise("9506000134352"), Kind.EAN)
    for module, fits in ((0.25, False), (0.264, True), (0.66, True), (0.7, False)):
        if fits:
            list(lay_out([Label(symbol)], Style(module=module)))
        else:
            with pytest.raises(LayoutError, match=r"0.264 to 0.66 mm"):
                list(lay_out([Label(symbol)], Style(module=module)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": 1e9},
        {"width": float("nan")},
        {"across": 0},
        {"across": 100, "down": 100},
        {"margin": 110},
        {"gap": -1},
    ],
)
def test_sheets_out_of_bounds_are_refused(wrong):
    with pytest.raises(LayoutError):
        Sheet(**{"width": 210, "height": 297, **wrong})


def test_page_sizes():
    assert page_size("A4") == (210, 297)
    assert page_size("letter") == (215.9, 279.4)
    assert page_size("50x30.5") == (50, 30.5)
    for wrong in ("", "a9", "50", "50x", "-5x5", "1e9x3", "nanx3"):
        with pytest.raises(LayoutError):
            page_size(wrong)


def test_an_error_leaves_what_was_there(tmp_path):
    for form in Form:
        out = tmp_path / f"kept.{form}"
        out.write_bytes(b"before")
        with pytest.raises(CheckError, match="items, line 2"):
            print_labels([Request("88.111.1/A"), Request("9506000134351", (), "items, line 2")], Job(Kind.QR), out, form)
        with pytest.raises(CarrierError, match="nothing to print"):
            print_labels([], Job(Kind.QR), out, form)
        assert out.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_long_job_streams(tmp_path):
    """Five times the labels need no more memory: pages are written as they come."""

    def most(count):
        asked = (Request(f"88.111.1/ITEM{number}") for number in range(count))
        tracemalloc.start()
        try:
            print_labels(asked, Job(Kind.DATA_MATRIX, sheet=Sheet(210, 297, 4, 5)), tmp_path / "long.pdf", Form.PDF)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(20)
    short, long = most(20), most(100)
    assert long < short * 1.3, f"{short} octets for one page, {long} for five"
    document = pypdfium2.PdfDocument(str(tmp_path / "long.pdf"))
    assert len(document) == 5
    document.close()


def test_chinese_in_each_form(tmp_path, make_font):
    """SVG leaves the font to the viewer, PDF names one that viewers have, PNG draws with what it is given or finds."""
    (page,) = lay_out([Label(encode(recognise("88.111.1/水泵"), Kind.QR), ("88.111.1/水泵",))], Style(dpi=300))
    assert "88.111.1/水泵" in draw_svg(page).decode()
    out = io.BytesIO()
    writer = PdfWriter(out)
    writer.add(page)
    writer.close()
    (tmp_path / "chinese.pdf").write_bytes(out.getvalue())
    assert pdf_text(tmp_path / "chinese.pdf")[0].strip() == "88.111.1/水泵"
    drawn = draw_png(page, 300, Fonts(make_font("8.1/水泵")))
    assert drawn != draw_png(page, 300, Fonts(make_font("8.1/泵水")))
    (found,) = read_image(drawn)
    assert found.text == "88.111.1/水泵"
    with pytest.raises(FontError) as raised:
        draw_png(page, 300, Fonts(make_font("8.1/水")))
    assert (raised.value.rule, raised.value.position) == ("label.font", 10)
    with pytest.raises(FontError, match="no font here draws '水'"):
        draw_png(page, 300, Fonts(system=()))
    with pytest.raises(FontError, match="no font that can be read"):
        draw_png(page, 300, Fonts(tmp_path / "chinese.pdf"))


def test_a_pdf_refuses_what_its_fonts_lack_and_writes_nothing_of_the_page():
    (page,) = lay_out([Label(encode(recognise("88.111.1/A"), Kind.QR), ("tag \N{WATERMELON}",))], Style())
    out = io.BytesIO()
    writer = PdfWriter(out)
    before = out.tell()
    with pytest.raises(FontError) as raised:
        writer.add(page)
    assert (raised.value.rule, raised.value.position) == ("pdf.font", 4)
    assert out.tell() == before


def test_control_characters_are_no_text_for_people():
    label = Label(encode(recognise("88.111.1/A"), Kind.QR), ("a\x00b",))
    with pytest.raises(FontError) as raised:
        list(lay_out([label], Style()))
    assert raised.value.position == 1


@given(st.text(max_size=80), st.floats(1, 30))
def test_lines_break_within_their_width_and_lose_nothing(text, width):
    lines = wrap(text, width)
    assert "".join(lines) == text
    assert all(width_of(line) <= width + 1e-9 or len(line) == 1 for line in lines)
    assert "".join(piece for _, piece in runs(text)) == text
