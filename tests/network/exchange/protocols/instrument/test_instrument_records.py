"""Records on the line: what is written is read again, a part of it is never taken for the whole, a description runs nothing."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.protocols.instrument.compiling import Defaults, compile_record, unescape
from hulian.network.exchange.protocols.instrument.description import read_description
from hulian.network.exchange.protocols.instrument.errors import DescriptionError
from hulian.network.exchange.protocols.instrument.pieces import CHECKSUMS, Incomplete, Mismatch, checked_pattern
from hulian.network.exchange.protocols.instrument.simulator import DESCRIPTION

KINDS = {"n": "number", "i": "integer", "b": "boolean", "t": "text", "x": "bytes"}


def piece(element, *children, **attributes):
    return [element, attributes, "", list(children)]


def record(*pieces, **defaults):
    return compile_record(pieces, "r", KINDS, Defaults(**defaults), "test")


WHOLE = record(
    piece("Text", hex="02"),
    piece("Length", type="uint16"),
    piece("Field", name="i", type="int32", byteOrder="little"),
    piece("Field", name="n", pattern="%+12.5e", width="14"),
    piece("Text", value=";"),
    piece("Field", name="b", true="ON", false="OFF"),
    piece("Text", value=";"),
    piece("Field", name="t", quote='"'),
    piece("Text", value=";"),
    piece("Field", name="x", **{"as": "hex"}),
    piece("Text", value=";"),
    piece("Checksum", type="crc32"),
    terminator=r"\r\n",
    encoding="utf-8",
)
VALUES = st.fixed_dictionaries(
    {
        "i": st.integers(-(2**31), 2**31 - 1),
        "n": st.floats(allow_nan=False, allow_infinity=False, min_value=-1e99, max_value=1e99).map(
            lambda one: float(f"{one:.5e}")
        ),
        "b": st.booleans(),
        "t": st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30),
        "x": st.binary(max_size=30),
    }
)


@given(VALUES)
def test_what_is_written_is_read_again(values):
    data = WHOLE.encode(values)
    assert WHOLE.decode(data + b"next") == (values, len(data))


@given(VALUES, st.data())
def test_a_part_is_never_taken_for_the_whole(values, data):
    whole = WHOLE.encode(values)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Incomplete):
        WHOLE.decode(whole[:cut])


@given(VALUES, st.data())
def test_a_changed_byte_is_noticed(values, data):
    whole = bytearray(WHOLE.encode(values))
    place = data.draw(st.integers(0, len(whole) - 3))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        found, _ = WHOLE.decode(bytes(whole))
    except (Mismatch, Incomplete):
        return
    assert found == values, "the digits of a check sum may change their case"


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("crc16-modbus", 0x4B37), ("crc16-ccitt", 0x29B1), ("crc32", 0xCBF43926), ("sum8", 0xDD), ("sum16", 0x1DD),
        ("lrc8", 0x23), ("xor8", 0x31),
    ],
)  # fmt: skip
def test_check_sums_are_the_published_ones(kind, wanted):
    """The check values of the catalogues of such codes, over "123456789"."""
    assert CHECKSUMS[kind][1](b"123456789") == wanted
    assert zlib.crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("form", ["int8", "uint16", "int32", "uint64", "float32", "float64"])
@pytest.mark.parametrize("order", ["big", "little"])
def test_binary_numbers_are_those_of_struct(form, order):
    sign = {"big": ">", "little": "<"}[order]
    code = {"int8": "b", "uint16": "H", "int32": "i", "uint64": "Q", "float32": "f", "float64": "d"}[form]
    name = "n" if form.startswith("float") else "i"
    one = record(piece("Field", name=name, type=form, byteOrder=order))
    assert one.encode({name: 77}) == struct.pack(sign + code, 77)
    assert one.decode(struct.pack(sign + code, 77))[0] == {name: 77}
    with pytest.raises(ValueError, match="does not fit"):
        one.encode({name: 10**400 if name == "i" else "x"})


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([piece("Field", name="n")], "cannot be found"),
        ([piece("Field", name="zz"), piece("Text", value=";")], "no field"),
        ([piece("Execute", value="rm")], "no element Execute"),
        ([piece("Text", value="a", onload="x")], "no attribute 'onload'"),
        ([piece("Text", value=r"\q")], "no escape"),
        ([piece("Text", value="a", hex="00")], "either"),
        ([piece("Field", name="n", pattern="%s"), piece("Text", value=";")], "none for a number"),
        ([piece("Field", name="n", pattern="%(a)d"), piece("Text", value=";")], "one conversion"),
        ([piece("Field", name="n", pattern="%999999999f"), piece("Text", value=";")], "one conversion"),
        ([piece("Field", name="n", pattern="%*d"), piece("Text", value=";")], "one conversion"),
        ([piece("Field", name="t", type="int8")], "cannot be int8"),
        ([piece("Checksum", type="md5")], "no check sum"),
        ([piece("Length", type="uint16"), piece("Length")], "two Lengths"),
        ([piece("Values", fields="n", **{"as": "fixed"}, type="int8")], "needs a count"),
        ([piece("Values", fields="n n")], "each once"),
        ([piece("Terminator", value="x"), piece("Text", value="a")], "behind the terminator"),
        ([piece("Field", name="n", width="99999999")], "a width of"),
        ([piece("Text", value="x")] * 1001, "more than 1000"),
        ([piece("Field", piece("Script", src="x"), name="n")], "only <Value"),
    ],
)  # fmt: skip
def test_what_the_grammar_does_not_have_is_refused(pieces, said):
    with pytest.raises(DescriptionError, match=said) as told:
        record(*pieces)
    assert told.value.hint


def test_a_pattern_is_one_conversion():
    assert checked_pattern("%05.1f", "number") % 2.25 == "002.2"
    assert checked_pattern("P%%%d", "integer") % 2 == "P%2"
    for wrong in ("%d%d", "%c", "%r", "", "plain", "%100d"):
        with pytest.raises(ValueError, match="conversion"):
            checked_pattern(wrong, "integer")
    assert unescape(r"\x02\r\n\\\t\0\s") == "\x02\r\n\\\t\0 "


def test_numbers_are_those_of_instruments_not_of_python():
    one = record(piece("Field", name="n"), piece("Text", value=";"))
    for good, value in (("1", 1.0), (" +1.5E-03 ", 0.0015), ("-.5", -0.5), ("2.", 2.0)):
        assert one.decode(f"{good};".encode())[0] == {"n": value}
    for wrong in ("1_0", "nan", "inf", "0x10", "١", "", "1 2", "1e99999"):
        with pytest.raises(Mismatch):
            one.decode(f"{wrong};".encode())


def test_a_list_and_a_block_are_columns():
    text = record(piece("Values", fields="n i", separator=","), terminator=r"\n")
    values, size = text.decode(b"1,2,3,4\nrest")
    assert ({name: one.tolist() for name, one in values.items()}, size) == ({"n": [1.0, 3.0], "i": [2.0, 4.0]}, 8)
    assert text.decode(b"\n")[0]["n"].tolist() == []
    with pytest.raises(Mismatch, match="whole rows"):
        text.decode(b"1,2,3\n")
    with pytest.raises(Mismatch, match="no number"):
        text.decode(b"1,two\n")
    block = record(piece("Values", fields="n", type="float32", **{"as": "ieee488"}))
    with pytest.raises(Mismatch, match="claims a block"):
        block.decode(b"#9999999999")
    with pytest.raises(Incomplete):
        block.decode(b"#18\0\0\0\0")
    fixed = record(piece("Values", fields="n i", type="uint8", count="2", **{"as": "fixed"}))
    assert fixed.decode(b"\1\2\3\4")[0]["i"].tolist() == [2.0, 4.0]


def test_a_length_that_nobody_can_mean_is_refused():
    one = record(piece("Length", type="uint32"), piece("Field", name="x", **{"as": "bytes"}))
    with pytest.raises(Mismatch, match="claims"):
        one.decode(b"\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="longer than uint8"):
        record(piece("Length", type="uint8"), piece("Field", name="x", **{"as": "bytes"})).encode({"x": bytes(300)})


def test_a_text_without_an_end_is_not_waited_for():
    one = record(piece("Field", name="t"), terminator=r"\n")
    with pytest.raises(Incomplete):
        one.decode(b"a" * 60_000)
    with pytest.raises(Mismatch, match="without an end"):
        one.decode(b"a" * 70_000)


SAMPLE = DESCRIPTION.read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('answer="pressure"', 'answer="heat"', "no Parse record"),
        ('message="LIM?"', 'message="LIMIT?"', "not there"),
        ("<OutputAdapter", "<OutputAdapter_", "0 ports"),
        ('value="0.5"', 'value="soon"', "interval"),
        ('encoding="ascii"', 'encoding="klingon"', "no text encoding"),
        ('byteOrder="little"', 'byteOrder="middle"', "no byte order"),
        ('<Device name="analyser"', '<maiml name="analyser"', "cannot be read"),
        ("<Parse terminator", "<Parse run='x' terminator", "no attribute 'run'"),
    ],
)
def test_a_description_that_cannot_be_driven_says_why(old, new, said):
    assert old in SAMPLE
    changed = SAMPLE.replace(old, new)
    if new.startswith("<OutputAdapter_"):
        changed = changed.replace("</OutputAdapter>", "</OutputAdapter_>")
    if new.startswith("<maiml"):
        changed = changed.replace("</Device>", "</maiml>")
    with pytest.raises(DescriptionError, match=said) as told:
        read_description(changed.encode())
    assert told.value.place
    assert told.value.hint


def test_a_description_is_bounded_and_has_one_port():
    with pytest.raises(DescriptionError, match="larger"):
        read_description(b" " * (2 << 20))
    with pytest.raises(DescriptionError, match="no port is 'usb'"):
        read_description(SAMPLE.encode(), "usb")
    assert read_description(SAMPLE.encode(), "scpi").endpoint == "tcp://analyser.plant.example:5025"


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_foreign_bytes_are_read_or_refused(data):
    instrument = read_description(SAMPLE.encode())
    for one in (*instrument.responses.values(), *instrument.bundles.values()):
        try:
            _, size = one.record.decode(data)
        except (Incomplete, Mismatch):
            continue
        assert 0 < size <= len(data)
