"""One entry for whatever is scanned or typed: which reading wins, and that nothing breaks it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.schemes import Code, Epc, Handle, Scheme, candidates, errors, recognise
from hulian.network.identifiers.schemes.allocation import Cursor, Policy
from hulian.network.identifiers.schemes.gs1.compression import decompress
from hulian.network.identifiers.schemes.gs1.keys import KINDS, parse_key
from hulian.network.identifiers.schemes.handle import NationalPrefix
from hulian.network.identifiers.schemes.oid import Oid

CODES = [
    case["given"]
    for case in tomllib.loads((Path(__file__).parents[3] / "cases" / "identifiers" / "codes.toml").read_text())["case"]
    if not case["given"].startswith("hex:")
]
MORE = 10


@pytest.mark.parametrize(
    ("given_", "readings"),
    [
        ("6901234567892", ["(01)06901234567892", "(414)6901234567892"]),
        ("106141412345678908", ["(00)106141412345678908", "(8018)106141412345678908", "ecode:106141412345678908"]),
        ("1.2.840", ["1.2.840", "0.NA/1.2.840"]),
        ("88.111.1", ["0.NA/88.111.1"]),
        ("3074257BF7194E4000001A85", ["urn:epc:tag:sgtin-96:3.0614141.812345.6789", "ecode:3074257BF7194E4000001A85"]),
        ("VAA08810012345678/abc", ["VAA08810012345678/abc", "vaa08810012345678/abc"]),
        ("0109506000134352", ["(01)09506000134352", "ecode:0109506000134352"]),
        ("000016901234567892", ["ecode:000016901234567892"]),
        # a link that breaks the rules of qualifiers leaves the Handle in its path
        ("https://id.gs1.org/01/09506000134352/88.111.1/x", ["88.111.1/x"]),
        (b"012345678905", ["(01)00012345678905", "ecode:012345678905", "urn:epc:tag:sgtin-96:1.40134248.54488.237166473269"]),
        ('{"id": 7}', []),
        ("nothing at all", []),
        ("", []),
        (b"", []),
    ],
)
def test_preference_is_as_documented(given_, readings):
    assert [code.text for code in candidates(given_)] == readings


def test_one_wrong_digit_never_makes_another_code():
    for digits in ("000016901234567892", "0012345678906", "012345678901", "106141412345678909"):
        with pytest.raises(errors.CheckError):
            recognise(digits)


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ("]C0" + "88.111.1/ITEM7", "88.111.1/ITEM7"),
        ("]Q1https://id.gs1.org/01/09506000134352", "(01)09506000134352"),
        ("]Q3https://id.gs1.org/01/09506000134352", "(01)09506000134352"),
        ("]E495060002", "(01)00000095060002"),
        ("]I109506000134352", "(01)09506000134352"),
        ("]E0614141123452", "(01)00614141123452"),
        ("\x1d0109506000134352\x1d", "(01)09506000134352"),
        (b"88.111.1/ITEM7\r\n", "88.111.1/ITEM7"),
        (b"012345678905", "(01)00012345678905"),  # the octets of an SGTIN-96 too
        ("https://resolver.example/did:web:example.com%3A3000", "did:web:example.com%3A3000"),
        ("https://resolver.example/api/urn:oid:1.3.6", "1.3.6"),
        ("https://resolver.example/88.111.1/a%2Fb%20c", "88.111.1/a/b c"),
        ("https://resolver.example/2.0/0.NA/88", "0.NA/88"),
        ("https://hdl.handle.net/api/handles/10.1000/182?type=URL", "10.1000/182"),
        ("HTTPS://DOI.ORG/10.1000/ABC", "10.1000/ABC"),
    ],
)
def test_scanners_and_addresses(given_, text):
    assert recognise(given_).text == text


def test_an_error_tells_the_place_in_what_was_given():
    with pytest.raises(errors.CheckError) as caught:
        recognise("  ]d2010950600013435310ABC ")
    assert caught.value.position == 2 + 3 + 15
    with pytest.raises(errors.CharacterError) as caught:
        recognise("https://resolver.example/x/88.111.1/a%07")
    assert caught.value.position is not None


def test_too_much_is_refused():
    for much in ("8" * 9000, b"8" * 9000):
        with pytest.raises(errors.LengthError):
            recognise(much)
        with pytest.raises(errors.LengthError):
            candidates(much)


@pytest.mark.parametrize(
    "piece",
    [
        "]C0",
        "]C1",
        "(01)",
        "{",
        "{1 ",
        "1.",
        "88.1/",
        "https://x/",
        "/01",
        "did:web:",
        "%",
        "\\(",
        "\x1d",
        "9",
        "A",
        "hdl:",
        "(",
        "urn:oid:",
    ],
)
@pytest.mark.parametrize(
    "head", ["", "https://x/", "https://id.gs1.org/01/09506000134352/", "hdl:1/", "{", "did:web:", "(10)", "1."]
)
def test_long_hostile_texts_are_read_or_refused(head, piece):
    text = (head + piece * 8192)[:8192]
    check(text)
    assert len(candidates(text)) < 32


def test_codes_are_values():
    one, other = recognise("(01)09506000134352(10)A"), recognise("https://example.com/01/09506000134352/10/A")
    assert one == other
    assert len({one, other, recognise("urn:oid:1.3")}) == 2
    with pytest.raises(AttributeError):
        one.elements = ()
    with pytest.raises(TypeError):
        one.parts["01"] = "x"
    assert {code.scheme for code in map(recognise, CODES)} == set(Scheme)
    assert all(isinstance(code, Code) for code in map(recognise, CODES))


def tells_what_is_wrong(error):
    assert error.rule
    assert error.message
    assert error.hint
    assert error.code.startswith("HL-ID-01")


def check(given_):
    """Either a code that is read back to itself, or one of our errors.

    A Handle whose prefix could begin another code needs ``hdl:`` before it to be preferred; it is among the readings.
    """
    try:
        code = recognise(given_)
    except errors.SchemeError as error:
        tells_what_is_wrong(error)
        return
    if isinstance(code, Handle):
        assert code in candidates(code.text)
        assert recognise(f"hdl:{code.text}") == Handle.parse(code.text) == code
    else:
        assert recognise(code.text) == code
    assert code in candidates(given_)
    assert dict(code.parts)
    if isinstance(code, Epc) and code.layout:
        assert Epc.from_binary(code.to_binary()) == code
    try:
        url = code.to_url()
    except errors.ConversionError:
        return
    assert url.isascii()


@st.composite
def mutated(draw):
    """A good code with a few characters cut, changed, doubled or put in."""
    text = draw(st.sampled_from(CODES))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        piece = draw(
            st.sampled_from(["", "(", ")", "(21)", "%", "%2F", "/", ".", ":", "\x1d", "0", "9", "é", "]C1", "\\", "?17=", "#"])
        )
        text = text[:place] + piece + text[place + draw(st.integers(0, 2)) :]
    return text


@pytest.mark.fuzz
@settings(max_examples=60 * MORE)
@given(mutated())
def test_any_damaged_code_is_read_or_refused(text):
    check(text)


@pytest.mark.fuzz
@settings(max_examples=30 * MORE)
@given(st.text(max_size=120) | st.text("0123456789ABCDEFabcdef().:/-{}%]\x1d", max_size=80))
def test_any_text_is_read_or_refused(text):
    check(text)


@pytest.mark.fuzz
@settings(max_examples=30 * MORE)
@given(
    st.binary(max_size=80)
    | st.builds(
        lambda head, rest: bytes([head]) + rest, st.sampled_from([6, 0x30, 0x31, 0x36, 0x38, 0x3E]), st.binary(max_size=40)
    )
)
def test_any_octets_are_read_or_refused(octets):
    check(octets)


@pytest.mark.fuzz
@settings(max_examples=20 * MORE)
@given(text=st.text(max_size=60), kind=st.sampled_from(sorted(KINDS)), length=st.integers(0, 14))
def test_every_other_entry_is_total(text, kind, length):
    for entry in (
        lambda: parse_key(kind, text, length),
        lambda: decompress(text),
        lambda: NationalPrefix.parse(text),
        lambda: Oid.from_domain(text + ".oid-res.org"),
        lambda: Policy.of(text),
        lambda: Policy.of(text + "{serial:4}").read(text),
        lambda: Cursor.parse(text),
        lambda: Epc.from_hex(text),
    ):
        try:
            entry()
        except errors.SchemeError as error:
            tells_what_is_wrong(error)
