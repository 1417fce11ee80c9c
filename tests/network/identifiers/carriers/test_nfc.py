"""NDEF against ndeflib in both directions; images of tags against what makers ship, and noise."""

from __future__ import annotations

import contextlib

import ndef
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError, NdefError
from hulian.network.identifiers.carriers.nfc.identity import code_of, record_of
from hulian.network.identifiers.carriers.nfc.ndef import (
    PREFIXES,
    RawRecord,
    TextRecord,
    UriRecord,
    decode_message,
    encode_message,
)
from hulian.network.identifiers.carriers.nfc.type2 import NTAG213, NTAG216, ULTRALIGHT, decode_type2, encode_type2
from hulian.network.identifiers.carriers.nfc.type4 import decode_type4, encode_type4
from hulian.network.identifiers.schemes import recognise

VECTOR = "d1011e550469642e6578616d706c652e636f6d2f38382e3131312e312f4954454d37"
LINK = "https://id.example.com/88.111.1/ITEM7"


def theirs(octets):
    return list(ndef.message_decoder(octets, errors="strict"))


def test_the_vector():
    octets = bytes.fromhex(VECTOR)
    assert encode_message([UriRecord(LINK)]) == octets
    assert decode_message(octets) == (UriRecord(LINK),)


def test_there_are_36_beginnings_and_the_longest_is_taken():
    assert len(PREFIXES) == len(set(PREFIXES)) == 36
    assert (PREFIXES[0x1E], PREFIXES[0x1F], PREFIXES[0x21]) == ("urn:epc:id:", "urn:epc:tag:", "urn:epc:raw:")
    for code, prefix in enumerate(PREFIXES):
        octets = encode_message([UriRecord(f"{prefix}x")])
        assert octets[4] == code
        (record,) = theirs(octets)
        assert record.iri == f"{prefix}x"
        assert b"".join(ndef.message_encoder([ndef.UriRecord(f"{prefix}x")])) == octets


URIS = st.builds(
    lambda prefix, rest: prefix + rest, st.sampled_from(PREFIXES), st.text("abcXYZ019-._~/:?=&+", min_size=1, max_size=300)
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)
LANGUAGES = st.sampled_from(["en", "zh-CN", "de", "x" * 63])
IDS = st.binary(max_size=5)


@given(
    st.lists(
        st.one_of(st.builds(UriRecord, URIS, IDS), st.builds(TextRecord, TEXTS, LANGUAGES, st.booleans(), IDS)), max_size=5
    )
)
def test_another_maker_reads_what_is_written(records):
    octets = encode_message(records)
    assert decode_message(octets) == tuple(records) or (not records and octets == b"\xd0\0\0")
    read = theirs(octets)
    if not records:
        assert [record.type for record in read] == [""]
        return
    for ours, other in zip(records, read, strict=True):
        assert other.name.encode("latin-1") == ours.id
        if isinstance(ours, TextRecord):
            assert (other.text, other.language) == (ours.text, ours.language)
            assert other.encoding == ("UTF-16" if ours.utf16 else "UTF-8")
        else:
            assert other.iri == ours.uri


@given(st.lists(st.tuples(st.booleans(), st.text("abcXYZ019äöü水泵 ", min_size=1, max_size=300)), min_size=1, max_size=5))
def test_what_another_maker_writes_is_read(given_):
    records = [ndef.TextRecord(text, "zh-CN") if is_text else ndef.TextRecord(text, "en", "UTF-16") for is_text, text in given_]
    read = decode_message(b"".join(ndef.message_encoder(records)))
    assert [(record.text, record.language) for record in read] == [(other.text, other.language) for other in records]


def test_records_of_other_kinds_are_kept_as_they_are():
    made = [
        ndef.Record("text/plain", "n1", b"x" * 300),
        ndef.Record("urn:nfc:ext:example.com:t", "", b"\1"),
        ndef.Record("unknown", "", b"2"),
    ]
    octets = b"".join(ndef.message_encoder(made))
    records = decode_message(octets)
    assert records == (
        RawRecord(2, b"text/plain", b"x" * 300, b"n1"),
        RawRecord(4, b"example.com:t", b"\1"),
        RawRecord(5, b"", b"2"),
    )
    assert encode_message(records) == octets


@pytest.mark.parametrize(
    ("octets", "rule", "position"),
    [
        ("", "ndef.end", 0),
        (VECTOR[:-2], "ndef.length", 3),
        (VECTOR + "00", "ndef.end", 34),
        ("51" + VECTOR[2:], "ndef.begin", 0),
        ("91" + VECTOR[2:], "ndef.end", 34),
        ("f1" + VECTOR[2:], "ndef.chunk", 0),
        ("d6" + VECTOR[2:], "ndef.chunk", 0),
        ("d7" + VECTOR[2:], "ndef.name-format", 0),
        ("c101ffffffff55", "ndef.length", 6),
        ("d101015524", "ndef.uri", 4),
        ("d1010055", "ndef.payload", 4),
        ("d101025504ff", "ndef.text", 5),
        ("d101015405", "ndef.language", 4),
        ("d0010055", "ndef.empty", 0),
        ("d2000141", "ndef.type", 0),
    ],
)
def test_damage_is_told_with_its_place(octets, rule, position):
    with pytest.raises(NdefError) as raised:
        decode_message(bytes.fromhex(octets))
    assert (raised.value.rule, raised.value.position) == (rule, position)


def test_bounds():
    with pytest.raises(CapacityError):
        encode_message([UriRecord("x" * 70_000)])
    with pytest.raises(CapacityError):
        encode_message([UriRecord("x")] * 257)
    with pytest.raises(NdefError):
        decode_message(b"\x51\x01\x01U\x00" * 13_108)
    first, more = "91010155" + "00", "11010155" + "00"
    with pytest.raises(NdefError, match="more than 256"):
        decode_message(bytes.fromhex(first + more * 256))


@pytest.mark.parametrize(
    ("text", "stem", "record"),
    [
        ("88.111.1/ITEM7", "https://id.example.com", UriRecord(LINK)),
        ("88.111.1/ITEM7", "", TextRecord("88.111.1/ITEM7")),
        ("(01)09506000134352(21)7", "", UriRecord("https://id.gs1.org/01/09506000134352/21/7")),
        ("urn:epc:id:sgtin:0614141.812345.6789", "", UriRecord("urn:epc:id:sgtin:0614141.812345.6789")),
        ("1.2.840", "", UriRecord("urn:oid:1.2.840")),
        ("did:web:example.com", "", UriRecord("did:web:example.com")),
    ],
)
def test_a_code_is_a_record_and_comes_back(text, stem, record):
    code = recognise(text)
    assert record_of(code, stem) == record
    assert code_of(record) == code
    with pytest.raises(NdefError):
        code_of(RawRecord(5, b"", b"1"))


def test_the_image_of_a_type_2_tag():
    message = bytes.fromhex(VECTOR)
    image = encode_type2(message, NTAG213, serial=bytes.fromhex("04a1b2c3d4e5f6"))
    # Check octets over the serial number, capability container as the tag is shipped, message, terminator.
    assert image[:9].hex() == "04a1b2" + f"{0x88 ^ 0x04 ^ 0xA1 ^ 0xB2:02x}" + "c3d4e5f6" + f"{0xC3 ^ 0xD4 ^ 0xE5 ^ 0xF6:02x}"
    assert image[10:16].hex() == "0000e1101200"
    assert image[16:18].hex() == "0322"
    assert image[18 + len(message)] == 0xFE
    assert len(image) == 16 + 144 + 2
    found = decode_type2(image)
    assert (found.serial.hex(), found.message, found.locked, found.size) == ("04a1b2c3d4e5f6", message, False, 144)
    locked = encode_type2(message, NTAG213, locked=True)
    assert (locked[10:12], locked[15], locked[-2:]) == (b"\xff\xff", 0x0F, b"\xff\xff")
    assert decode_type2(locked).locked
    assert len(encode_type2(b"", ULTRALIGHT)) == 64


def test_the_memory_that_a_maker_ships_is_read():
    """NTAG213 leaves the works with a lock control block and an empty message behind its container."""
    image = bytes.fromhex("04a1b29fc3d4e5f60448")[:10] + bytes.fromhex("0000e1101200" + "0103a00c34" + "0300fe") + bytes(137)
    found = decode_type2(image)
    assert (found.message, found.locked) == (b"", False)


def test_reserved_octets_are_stepped_over():
    """Two octets at address 24 are reserved by a memory control block, in the middle of the message."""
    control = bytes([0xC << 4, 2, 0x01])  # page 12 of two octets each: address 24
    data = b"\x02\x03" + control + b"\x03\x05" + b"\xd0" + b"\xee\xee" + b"\x00\x00\x01\x02" + b"\xfe"
    image = encode_type2(b"", ULTRALIGHT)[:16] + data.ljust(48, b"\0")
    assert decode_type2(image).message == b"\xd0\x00\x00\x01\x02"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda image: image[:12], "type2.container"),
        (lambda image: image[:12] + b"\0" + image[13:], "type2.container"),
        (lambda image: image[:13] + b"\x30" + image[14:], "type2.version"),
        (lambda image: image[:40], "type2.size"),
        (lambda image: image[:16] + b"\x03\xff\xff\xff" + image[20:], "type2.tlv"),
        (lambda image: image[:16] + b"\x01\x02\x00\x00" + image[20:], "type2.control"),
    ],
)
def test_damaged_images_are_told(change, rule):
    with pytest.raises(NdefError) as raised:
        decode_type2(change(encode_type2(b"\xd0\0\0", ULTRALIGHT)))
    assert raised.value.rule == rule


@given(st.binary(max_size=860), st.booleans())
def test_any_message_comes_back_from_a_type_2_tag(message, locked):
    found = decode_type2(encode_type2(message, NTAG216, locked=locked))
    assert (found.message, found.locked) == (message, locked)


def test_what_a_tag_cannot_hold_is_refused():
    encode_type2(bytes(142), NTAG213)
    with pytest.raises(CapacityError) as raised:
        encode_type2(bytes(143), NTAG213)
    assert raised.value.rule == "type2.length"
    with pytest.raises(CapacityError):
        encode_type4(bytes(2047))
    with pytest.raises(CarrierError):
        encode_type2(b"", 7)
    with pytest.raises(CarrierError):
        encode_type4(b"", file_id=0xE103)


def test_the_files_of_a_type_4_tag():
    message = bytes.fromhex(VECTOR)
    tag = encode_type4(message)
    assert tag.container.hex() == "000f2000ff00ff" + "0406" + "e104" + "0800" + "0000"
    assert tag.file == len(message).to_bytes(2, "big") + message
    assert decode_type4(tag.container, tag.file + b"\0" * 9).message == message
    locked = encode_type4(message, locked=True)
    assert locked.container[-1] == 0xFF
    assert decode_type4(locked.container, locked.file).locked


@pytest.mark.parametrize(
    ("container", "file", "position"),
    [
        ("000f20", "0000", 3),
        ("000e2000ff00ff0406e10408000000", "0000", 15),
        ("000f5000ff00ff0406e10408000000", "0000", 2),
        ("000f2000ff00ff0506e10408000000", "0000", 7),
        ("000f2000ff00ff0406e10308000000", "0000", 9),
        ("000f2000ff00ff0406e10408000000", "00", 1),
        ("000f2000ff00ff0406e10408000000", "0001", 0),
        ("000f2000ff00ff0406e10400050000", "0004d0000000", 0),
    ],
)
def test_damaged_files_are_told(container, file, position):
    with pytest.raises(NdefError) as raised:
        decode_type4(bytes.fromhex(container), bytes.fromhex(file))
    assert raised.value.position == position


@pytest.mark.fuzz
@given(st.binary(max_size=200), st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_noise_is_refused_by_name(noise, place, change):
    good = encode_type2(bytes.fromhex(VECTOR), ULTRALIGHT)
    place %= len(good)
    for image in (noise, good[:place] + change + good[place + len(change) :]):
        with contextlib.suppress(NdefError):
            decode_message(decode_type2(image).message or b"")
        with contextlib.suppress(NdefError):
            records = decode_message(image)
            assert decode_message(encode_message(records)) == records
        with contextlib.suppress(NdefError):
            decode_type4(image[:15], image[15:])
