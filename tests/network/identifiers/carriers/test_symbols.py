"""Symbols against other makers of symbols, module by module, and against a reader of images."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import barcode
import numpy as np
import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ppf.datamatrix.datamatrix import DataMatrix

from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError, ImageError, UncarriableError
from hulian.network.identifiers.carriers.symbols import read
from hulian.network.identifiers.carriers.symbols.content import link_to
from hulian.network.identifiers.carriers.symbols.encode import encode
from hulian.network.identifiers.carriers.symbols.read import read_image
from hulian.network.identifiers.carriers.symbols.symbology import SYMBOLOGIES, Kind
from hulian.network.identifiers.schemes import GS1, Epc, Handle, recognise
from hulian.network.identifiers.schemes.gs1.keys import make_key

SGTIN = "urn:epc:id:sgtin:0614141.812345.6789"
FULL = "(01)09506000134352(10)ABC(1)(21)XY)(Z(17)251231"


def picture(symbol, scale=4):
    """The symbol as PNG with the quiet zones of its table and nothing else around it."""
    kind = symbol.symbology
    rows = symbol.modules if not symbol.linear else np.repeat(symbol.modules, [40, 5][: symbol.rows], axis=0)
    above = kind.quiet_above or 1
    framed = np.pad(rows, ((above, above), (kind.quiet_left, kind.quiet_right)))
    image = Image.fromarray(np.where(np.kron(framed, np.ones((scale, scale), bool)), 0, 255).astype(np.uint8))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def text_of_modules(symbol):
    return "".join("1" if dark else "0" for dark in symbol.modules[0])


@pytest.mark.parametrize(
    ("text", "level"),
    [("88.111.1/ITEM7", level) for level in "LMQH"]
    # As many octets as version 2 holds of each level: where there is room left, the other maker writes an octet of zeros too
    # many before its padding, which readers pass over.
    + [(f"did:web:{'a' * (size - 12)}.org", level) for level, size in (("L", 32), ("M", 26), ("Q", 20), ("H", 14))],
)
def test_a_qr_code_is_that_of_another_maker_but_for_the_choice_of_mask(text, level):
    code = recognise(text)
    ours = encode(code, Kind.QR, error_correction=level).modules
    version = (ours.shape[0] - 17) // 4
    theirs = (segno.make(code.text, version=version, error=level, mask=mask, boost_error=False) for mask in range(8))
    assert sum(np.array_equal(ours, np.array(made.matrix, dtype=bool)) for made in theirs) == 1


@pytest.mark.parametrize("text", ["88.111.1/ITEM7", "88.111.1/item", "did:web:example.com", "88.111.1/0123456789012345"])
def test_code_128_is_that_of_another_maker(text):
    """Where the shortest way to change between its code sets is the only one."""
    assert text_of_modules(encode(recognise(text), Kind.CODE_128)) == barcode.get("code128", text).build()[0]


@pytest.mark.parametrize(
    "text",
    ["1.2.840", "1.2.840.113549.1.1.11", "99.118.8/pump-17", "VAA08810012345678/ABC123", "1.2.3." + "4.5.6." * 30 + "7"],
)
def test_a_data_matrix_is_that_of_another_maker(text):
    """From one region to four, where both choose the same way to write the characters."""
    assert np.array_equal(encode(recognise(text), Kind.DATA_MATRIX).modules, np.array(DataMatrix(text).matrix, dtype=bool))


def test_gs1_128_is_that_of_another_maker():
    ours = encode(recognise("(01)09506000134352"), Kind.GS1_128)
    assert text_of_modules(ours) == barcode.get("gs1_128", "0109506000134352").build()[0]


@pytest.mark.parametrize(
    ("digits", "kind", "name"),
    [("9506000134352", Kind.EAN_13, "ean13"), ("95050003", Kind.EAN_8, "ean8"), ("012345678905", Kind.UPC_A, "upca")],
)
def test_retail_symbols_are_those_of_another_maker(digits, kind, name):
    symbol = encode(recognise(digits), Kind.EAN)
    assert symbol.kind is kind
    assert text_of_modules(symbol) == barcode.get(name, digits).build()[0].replace("G", "1")
    # The bars that reach lower are the guards: two at each end and two in the middle (UPC-A: its outer digits as well).
    lower = np.diff(np.concatenate(([0], symbol.modules[1].astype(int), [0])))
    assert int((lower == 1).sum()) == (10 if kind is Kind.UPC_A else 6)
    assert not (symbol.modules[1] & ~symbol.modules[0]).any()
    assert symbol.shown.replace(" ", "") == digits


@pytest.mark.parametrize(
    ("text", "kind", "identifier", "data"),
    [
        ("88.111.1/ITEM7", Kind.QR, "]Q1", "88.111.1/ITEM7"),
        ("88.111.1/水泵-7", Kind.QR, "]Q1", "88.111.1/水泵-7"),
        ("88.111.1/水泵-7", Kind.DATA_MATRIX, "]d1", "88.111.1/水泵-7"),
        ("VAA08810012345678/abc123", Kind.DATA_MATRIX, "]d1", "VAA08810012345678/abc123"),
        ("did:cn:88.100.1", Kind.CODE_128, "]C0", "did:cn:88.100.1"),
        ("ecode:000016901234567892", Kind.CODE_128, "]C0", "ecode:000016901234567892"),
        (SGTIN, Kind.QR, "]Q1", SGTIN),
        (SGTIN, Kind.GS1_128, "]C1", "0180614141123458216789"),
        (FULL, Kind.GS1_128, "]C1", "010950600013435217251231" + "10ABC(1)\x1d21XY)(Z"),
        (FULL, Kind.DATA_MATRIX, "]d2", "010950600013435217251231" + "10ABC(1)\x1d21XY)(Z"),
        (FULL, Kind.QR, "]Q3", "010950600013435217251231" + "10ABC(1)\x1d21XY)(Z"),
        ("(01)09506000134352(10)ABC", Kind.DIGITAL_LINK, "]Q1", "https://id.gs1.org/01/09506000134352/10/ABC"),
        ("9506000134352", Kind.EAN, "]E0", "9506000134352"),
        ("95050003", Kind.EAN, "]E4", "95050003"),
    ],
)
def test_what_is_written_is_read_again(text, kind, identifier, data):
    (found,) = read_image(picture(encode(recognise(text), kind)))
    assert (found.symbology_identifier, found.text) == (identifier, data)
    expected = recognise(text)
    assert found.code == (expected.to_gs1() if isinstance(expected, Epc) and kind is Kind.GS1_128 else expected)
    assert found.error is None


def test_a_stem_makes_a_link_that_is_recognised():
    code = Handle.parse("88.111.1/水泵 7")
    (found,) = read_image(picture(encode(code, Kind.QR, stem="https://id.example.com/r/")))
    assert found.text == "https://id.example.com/r/88.111.1/%E6%B0%B4%E6%B3%B5%207"
    assert found.code == code
    (found,) = read_image(picture(encode(recognise("(01)09506000134352(21)7"), Kind.DIGITAL_LINK, stem="https://example.com")))
    assert found.text == "https://example.com/01/09506000134352/21/7"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("88.111.1/a/01/09506000134352", "https://id.example.com/88.111.1/a%2F01%2F09506000134352"),
        ("88.111.1//", "https://id.example.com/88.111.1/%2F"),
        ("1.2.840", "https://id.example.com/urn:oid:1.2.840"),
        ("did:web:example.com", "https://id.example.com/did:web:example.com"),
        (SGTIN, f"https://id.example.com/{SGTIN}"),
        ("(01)09506000134352(10)A/1", "https://id.example.com/01/09506000134352/10/A%2F1"),
    ],
)
def test_a_link_is_read_as_its_code_and_nothing_else(text, link):
    code = recognise(text)
    assert link_to(code, "https://id.example.com/") == link
    assert recognise(link) == code


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("VAA08810012345678/abc123", "https://id.example.com"),
        ("88.111.1/ITEM7", "https://id.example.com/99.1/x"),
        ("88.111.1/ITEM7", "https://id.example.com/did:web:example.com"),
    ],
)
def test_a_link_that_would_be_read_otherwise_is_refused(text, stem):
    with pytest.raises(UncarriableError) as raised:
        encode(recognise(text), Kind.QR, stem=stem)
    assert raised.value.rule == "label.stem"


SERIAL = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!\"%&'()*+,-./:;<=>?_", min_size=1, max_size=20)


@settings(max_examples=25)
@given(SERIAL, SERIAL, st.integers(10**5, 10**6 - 1), st.sampled_from([Kind.DATA_MATRIX, Kind.QR, Kind.DIGITAL_LINK]))
def test_any_gs1_data_come_back(lot, serial, reference, kind):
    code = GS1.of({"01": make_key("GTIN-14", "0614141", str(reference)).value, "10": lot, "21": serial})
    (found,) = read_image(picture(encode(code, kind)))
    assert found.code == code


@settings(max_examples=15)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30))
def test_any_suffix_comes_back_by_a_link(suffix):
    code = Handle.of("88.111.1", suffix)
    (found,) = read_image(picture(encode(code, Kind.QR, stem="https://id.example.com")))
    assert found.code == code


@pytest.mark.parametrize(
    ("text", "kind", "rule", "position"),
    [
        ("88.111.1/水", Kind.CODE_128, "code128.characters", 9),
        ("88.111.1/ITEM7", Kind.EAN, "ean.gs1-only", 0),
        ("88.111.1/ITEM7", Kind.GS1_128, "gs1-128.gs1-only", 0),
        ("88.111.1/ITEM7", Kind.DIGITAL_LINK, "digital-link.gs1-only", 0),
        ("(01)09506000134352", Kind.CODE_128, "code128.gs1", None),
        ("(01)09506000134352(10)A", Kind.EAN, "ean.gtin-only", 18),
        ("(00)106141412345678908", Kind.EAN_13, "ean.gtin-only", 0),
        ("(01)80614141123458", Kind.EAN, "ean.indicator", 4),
        ("9506000134352", Kind.EAN_8, "ean-8.digits", 5),
        ("9506000134352", Kind.UPC_A, "upc-a.digits", 5),
        ("(01)09506000134352(10)12345678901234567890(21)1234567890", Kind.GS1_128, "gs1-128.length", 48),
        ("88.111.1/" + "x" * 200, Kind.CODE_128, "code128.length", 0),
        ("88.111.1/" + "水" * 600, Kind.DATA_MATRIX, "datamatrix.length", 0),
    ],
)
def test_what_a_symbology_cannot_carry_is_refused_with_its_rule(text, kind, rule, position):
    with pytest.raises((UncarriableError, CapacityError)) as raised:
        encode(recognise(text), kind)
    assert (raised.value.rule, raised.value.position) == (rule, position)
    assert raised.value.hint


def test_what_a_reader_would_guess_wrong_is_not_printed():
    """These Latin-1 octets are Japanese to a reader; a link escapes them."""
    code = Handle.parse("88.111.1/éaßßa")
    with pytest.raises(UncarriableError) as raised:
        encode(code, Kind.DATA_MATRIX)
    assert (raised.value.rule, raised.value.position) == ("datamatrix.encoding", 9)
    (found,) = read_image(picture(encode(code, Kind.DATA_MATRIX, stem="https://id.example.com")))
    assert found.code == code


NAMES = st.text("水泵设备压缩机汽轮发电éèüöäßñабвгдежabcXYZ0189-._", min_size=1, max_size=20)


@settings(max_examples=40)
@given(NAMES, st.sampled_from([Kind.QR, Kind.DATA_MATRIX, Kind.CODE_128]))
def test_names_in_any_script_come_back_or_are_refused(name, kind):
    code = Handle.of("88.111.1", name)
    with contextlib.suppress(UncarriableError):
        (found,) = read_image(picture(encode(code, kind)))
        assert found.code == code


def test_a_long_link_is_refused():
    code = Handle.of("88.111.1", "水" * 600)
    encode(code, Kind.QR)
    with pytest.raises(CapacityError) as raised:
        encode(code, Kind.QR, stem="https://id.example.com")
    assert raised.value.rule == "qr.length"


def test_48_characters_are_the_most_of_gs1_128():
    longest = "(01)09506000134352(10)12345678901234567890(21)12345678901234567890"
    code = recognise(longest[: -(20 - 7)])
    assert len(code.to_element_string()) == 48
    encode(code, Kind.GS1_128)


def test_options_that_are_none_are_refused():
    code = recognise("88.111.1/ITEM7")
    with pytest.raises(CarrierError, match="no level"):
        encode(code, Kind.QR, error_correction="X")
    with pytest.raises(CarrierError, match="address of a resolver"):
        encode(code, Kind.QR, stem="id.example.com")
    with pytest.raises(UncarriableError, match="no link"):
        encode(code, Kind.CODE_128, stem="https://id.example.com")


def test_the_table_has_every_kind_but_the_choice():
    assert set(SYMBOLOGIES) == set(Kind) - {Kind.EAN}
    assert (SYMBOLOGIES[Kind.EAN_13].quiet_left, SYMBOLOGIES[Kind.EAN_13].quiet_right) == (11, 7)
    assert SYMBOLOGIES[Kind.QR].quiet_above == 4


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", read.FORMATS)
def test_every_image_format_is_read(form):
    made = Image.open(io.BytesIO(picture(encode(recognise("88.111.1/ITEM7"), Kind.QR)))).convert("L")
    (found,) = read_image(saved(made, form))
    assert str(found.code) == "88.111.1/ITEM7"


def test_symbols_of_another_maker_are_found_with_their_place_in_any_direction():
    page = Image.new("L", (700, 900), 255)
    for text, (x, y), angle in (("88.111.1/A", (60, 500), 180), ("88.111.1/B", (400, 40), 90)):
        made = io.BytesIO()
        segno.make(text, error="m").save(made, kind="png", scale=6)
        page.paste(Image.open(made).convert("L").rotate(angle, expand=True), (x, y))
    found = read_image(saved(page, "PNG"))
    assert [str(each.code) for each in found] == ["88.111.1/B", "88.111.1/A"]
    for each, (x, y) in zip(found, ((400, 40), (60, 500)), strict=True):
        assert all(x <= corner[0] <= x + 200 and y <= corner[1] <= y + 200 for corner in each.corners)
    assert read_image(saved(Image.new("L", (100, 100), 255), "PNG")) == ()


@pytest.mark.parametrize(
    ("kind", "content", "identifier", "code"),
    [
        ("UPCE", "01234565", "]E0", "(01)00012345000065"),
        ("ITF14", "09506000134352", "]I1", "(01)09506000134352"),
        ("DataBarExp", "[01]09506000134352[10]ABC", "]e0", "(01)09506000134352(10)ABC"),
        ("Aztec", "88.111.1/ITEM7", "]z0", "88.111.1/ITEM7"),
        ("PDF417", "88.111.1/ITEM7", "]L2", "88.111.1/ITEM7"),
    ],
)
def test_symbologies_that_are_not_written_are_read(kind, content, identifier, code):
    made = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind))
    pixels = np.pad(np.asarray(made.to_image(scale=4)), 40, constant_values=255)
    (found,) = read_image(saved(Image.fromarray(pixels), "PNG"))
    assert (found.symbology_identifier, str(found.code)) == (identifier, code)


def test_a_transparent_ground_is_white():
    made = Image.open(io.BytesIO(picture(encode(recognise("88.111.1/ITEM7"), Kind.QR)))).convert("L")
    clear = Image.new("RGBA", made.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=made.point(lambda value: 255 - value))
    (found,) = read_image(saved(clear, "PNG"))
    assert str(found.code) == "88.111.1/ITEM7"


def test_octets_are_read_as_what_they_are():
    """The object identifier 1.2.840 in DER, and text that is no code at all."""
    made = zxingcpp.create_barcode(recognise("1.2.840").to_binary(), zxingcpp.BarcodeFormat.QRCode)
    (found,) = read_image(saved(Image.fromarray(np.asarray(made.to_image(scale=4))), "PNG"))
    assert str(found.code) == "1.2.840"
    made = zxingcpp.create_barcode("hello there", zxingcpp.BarcodeFormat.QRCode)
    (found,) = read_image(saved(Image.fromarray(np.asarray(made.to_image(scale=4))), "PNG"))
    assert (found.text, found.code) == ("hello there", None)
    assert found.as_dict()["error"]["code"] == "HL-ID-0107"


def png_of(width, height):
    """The header of a PNG, and no pixels behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8_000, 8_000), (12_000, 12_000), (100_000, 100_000)])
def test_pixels_are_counted_before_anything_is_unpacked(size):
    with pytest.raises(ImageError) as raised:
        read_image(png_of(*size))
    assert raised.value.rule == "image.pixels"


def test_octets_are_counted_before_anything_is_looked_at():
    with pytest.raises(ImageError) as raised:
        read_image(png_of(10, 10) + b"\0" * 100, maximum_octets=100)
    assert raised.value.rule == "image.octets"


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore:.*")
@settings(max_examples=40)
@given(st.binary(max_size=64), st.integers(0, 600), st.sampled_from(["PNG", "GIF", "BMP", "TIFF", "WEBP", "JPEG"]))
def test_damaged_images_are_told_and_harm_nothing(noise, place, form):
    data = bytearray(saved(Image.open(io.BytesIO(picture(encode(recognise("1.2.3"), Kind.QR), 2))).convert("L"), form))
    place %= len(data)
    data[place : place + len(noise)] = noise
    for damaged in (bytes(data), bytes(data[:place]), noise):
        with contextlib.suppress(ImageError):
            read_image(damaged, maximum_pixels=1_000_000)
