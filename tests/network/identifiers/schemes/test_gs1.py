"""GS1 data against the tables of biip and its parser, and against itself."""

from __future__ import annotations

import calendar
import json
import re
from pathlib import Path

import biip
import pytest
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.schemes import GS1, DigitalLink, errors, recognise
from hulian.network.identifiers.schemes.checks import check_digit, check_pair
from hulian.network.identifiers.schemes.gs1.content import CHARACTER_SETS, check_value
from hulian.network.identifiers.schemes.gs1.elements import FNC1, parse_bracketed, parse_scanned
from hulian.network.identifiers.schemes.gs1.keys import KINDS, key_of, make_key, parse_key
from hulian.network.identifiers.schemes.gs1.link import parse_link
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS, LINK_KEYS, application_at

BIIP = {
    row["ai"]: row
    for row in json.loads(
        (Path(biip.__file__).parent / "gs1_application_identifiers" / "_application_identifiers.json").read_text()
    )
}


def digits(count):
    return st.text("0123456789", min_size=count, max_size=count)


def with_check(count):
    return digits(count - 1).map(lambda body: body + check_digit(body))


@st.composite
def days(draw, *, long=False, zero=False):
    year = draw(st.integers(1, 9999) if long else st.integers(0, 99))
    month = draw(st.integers(1, 12))
    day = draw(st.integers(0 if zero else 1, calendar.monthrange(year if long else 2000 + year, month)[1]))
    return f"{year:04d}{month:02d}{day:02d}" if long else f"{year:02d}{month:02d}{day:02d}"


TIMES = st.builds(lambda hour, minute: f"{hour:02d}{minute:02d}", st.integers(0, 23), st.integers(0, 59))
CHARACTERS = {kind: "".join(sorted(allowed)) for kind, (allowed, _) in CHARACTER_SETS.items()}
NO_PERCENT = CHARACTERS["X"].replace("%", "")
RULES = {
    "check": with_check,
    "check-pair": lambda _: st.tuples(digits(6), st.text(CHARACTERS["X"], max_size=17)).map(
        lambda found: "".join(found) + check_pair("".join(found))
    ),
    "day": lambda _: days(),
    "day-or-month": lambda _: days(zero=True),
    "long-day": lambda _: days(long=True),
    "day-and-hour": lambda _: st.builds(lambda day, hour: f"{day}{hour:02d}", days(), st.integers(0, 23)),
    "time": lambda _: TIMES,
    "time-or-none": lambda _: TIMES | st.just("9999"),
    "minutes": lambda _: st.sampled_from(["59", "0000", "5959"]),
    "triples": lambda _: st.integers(1, 4).flatmap(lambda count: digits(3 * count)),
    "hyphen": lambda _: st.just("-"),
    "iban": lambda _: st.sampled_from(["GB82WEST12345698765432", "DE89370400440532013000"]),
    "latitude": lambda _: st.integers(0, 1_800_000_000).map(lambda number: f"{number:010d}"),
    "longitude": lambda _: st.integers(0, 3_600_000_000).map(lambda number: f"{number:010d}"),
    "no-leading-zero": lambda _: st.integers(0, 10**12 - 1).map(str),
    "not-zero": lambda count: st.integers(1, 10**count - 1).map(lambda number: str(number).rjust(count, "0")),
    "percent": lambda count: st.text(NO_PERCENT, min_size=1, max_size=count) | st.just("%41"),
    "piece-of-total": lambda _: st.integers(1, 99).flatmap(
        lambda total: st.integers(1, total).map(lambda piece: f"{piece:02d}{total:02d}")
    ),
    "sex": lambda _: st.sampled_from("0129"),
    "slash": lambda _: st.just("/"),
    "two-capitals": lambda _: st.text("ABCXYZ", min_size=2, max_size=2),
    "winding": lambda _: st.sampled_from("019"),
    "yes-or-no": lambda _: st.sampled_from("01"),
    "zero": lambda _: st.just("0"),
}


def values_of(application):
    """Values that keep every rule of one identifier."""
    parts = []
    for part in application.components:
        if part.rule == "company-prefix":
            text = st.tuples(digits(6), st.text(CHARACTERS[part.kind], max_size=part.maximum - 6)).map("".join)
        elif part.rule:
            text = RULES[part.rule](part.maximum)
        else:
            text = st.text(CHARACTERS[part.kind], min_size=part.minimum, max_size=part.maximum)
        parts.append(text | st.just("") if part.optional else text)
    return st.tuples(*parts).map("".join)


@st.composite
def elements(draw, first=None):
    chosen = draw(st.lists(st.sampled_from(sorted(APPLICATIONS)), max_size=5, unique=True))
    key = draw(first) if first is not None else None
    if key and key not in chosen:
        chosen.append(key)
    if not chosen:
        chosen = ["01"]
    return {ai: draw(values_of(APPLICATIONS[ai])) for ai in chosen}


def test_table_is_that_of_biip():
    assert APPLICATIONS.keys() == BIIP.keys()
    for ai, row in BIIP.items():
        ours = APPLICATIONS[ai]
        assert ours.predefined != row["separator_required"], ai
        assert ours.title == (row["data_title"] or "COUPON"), ai
        lengths = re.findall(r"[XYZN](?:\.\.)?(\d+)|\[-\]", re.sub(r"N\d\.\.N", "N..", row["format"]).split("+", 1)[1])
        assert ours.longest == sum(int(length or 1) for length in lengths), ai
        assert application_at("99" + ai + "0" * 20, 2) is ours


@pytest.mark.parametrize("ai", sorted({row.components: ai for ai, row in APPLICATIONS.items()}.values()))
@settings(max_examples=15)
@given(data=st.data())
def test_every_identifier_takes_what_biip_takes(ai, data):
    value = data.draw(values_of(APPLICATIONS[ai]))
    check_value(APPLICATIONS[ai], value)
    assert re.match(BIIP[ai]["pattern"], ai + value), "biip's pattern does not take what our rules make"
    (again,) = parse_scanned(ai + value).elements
    assert again == (ai, value)


@given(found=elements())
def test_element_strings_round_trip(found):
    code = GS1.of(found)
    assert dict(code.elements) == found
    assert parse_bracketed(code.text) == code
    assert parse_scanned(code.to_element_string()) == code
    assert parse_scanned(FNC1 + code.to_binary().decode()) == code
    assert recognise("]d2" + code.to_element_string()) == code
    assert GS1.of(reversed(list(found.items()))) == code


@given(
    found=elements(first=st.sampled_from(sorted(LINK_KEYS))),
    compress=st.sampled_from(["", "partly", "fully"]),
    optimise=st.booleans(),
)
def test_links_round_trip(found, compress, optimise):
    if "415" in found:
        found["8020"] = "R"
    link = DigitalLink(GS1.of(found), "https://example.com/some/path", (("lang", "zh"),), "part")
    url = link.to_url(compress, optimise=optimise)
    assert parse_link(url) == link
    assert recognise(url) == link.code


@given(
    gtin=with_check(14), lot=st.text("ABCabc123-/", min_size=1, max_size=20), serial=st.text("XYZ789.", min_size=1, max_size=20)
)
def test_biip_reads_ours_and_we_read_its(gtin, lot, serial):
    code = GS1.of({"01": gtin, "10": lot, "21": serial, "17": "290331"})
    theirs = GS1Message.parse(code.to_element_string())
    assert {element.ai.ai: element.value for element in theirs.element_strings} == dict(code.elements)
    link = GS1DigitalLinkURI.parse(code.to_url())
    assert {element.ai.ai: element.value for element in link.element_strings} == dict(code.elements)
    assert parse_link(link.as_uri()).code == code
    assert parse_link(link.as_canonical_uri()).code == code
    assert parse_bracketed(theirs.as_hri()) == code


@pytest.mark.parametrize(
    "kind", ["GTIN-8", "GTIN-12", "GTIN-13", "GTIN-14", "SSCC", "GLN", "GRAI", "GSRN", "GDTI", "GCN", "GSIN"]
)
@settings(max_examples=30)
@given(data=st.data())
def test_keys_are_made_and_parsed(kind, data):
    layout = KINDS[kind]
    length = data.draw(st.integers(6, 12))
    prefix = data.draw(digits(length))
    reference = data.draw(digits(layout.digits - 1 - length))
    if kind in ("GTIN-8", "GTIN-12", "GTIN-13"):
        surplus = {"GTIN-8": 6, "GTIN-12": 2, "GTIN-13": 1}[kind]
        body = "0" * surplus + data.draw(digits(13 - surplus))
        prefix, reference = body[1 : 1 + length], body[0] + body[1 + length :]
    serial = data.draw(st.text("123", max_size=5)) if kind in ("GRAI", "GDTI", "GCN") else ""
    key = make_key(kind, prefix, reference, serial)
    assert (key.company_prefix, key.reference, key.serial) == (prefix, reference, serial)
    assert parse_key(kind, key.value, length) == key
    assert parse_key(kind, key.value).company_prefix == ""
    again = key_of(key.code, length)
    assert (again.company_prefix, again.reference, again.serial, again.code) == (prefix, reference, serial, key.code)
    wrong = str((int(key.value[layout.digits - 1 - (14 - len(key.value) if kind.startswith("GTIN") else 0)]) + 1) % 10)
    place = len(key.value) - len(serial) - 1
    with pytest.raises(errors.CheckError) as caught:
        parse_key(kind, key.value[:place] + wrong + key.value[place + 1 :])
    assert caught.value.position == place


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("GIAI", "0614141ABC-12/34"),
        ("CPID", "0614141A-1#2"),
        ("GINC", "0614141xyz47"),
        ("GMN", "1987654Ad4X4bL5ttr2310c2K"),
        ("ITIP", "950600013435210203"[:18]),
        ("GLN-PARTY", "0614141123452"),
        ("GSRN-P", "061414112345678902"),
    ],
)
def test_other_keys(kind, value):
    if kind == "ITIP":
        value = "09506000134352" + "0203"
    key = parse_key(kind, value, 7)
    assert key.company_prefix in value
    assert key.code.primary == KINDS[kind].ai
    assert key_of(key.code, 7) == key


def test_keys_with_letters_are_made():
    assert make_key("GMN", "1987654", "Ad4X4bL5ttr2310c").value == "1987654Ad4X4bL5ttr2310c2K"
    assert make_key("GIAI", "0614141", "A/1").value == "0614141A/1"
    with pytest.raises(errors.LengthError):
        make_key("SSCC", "0614141", "123")
    with pytest.raises(errors.UnknownError):
        parse_key("ISBN", "123")
    with pytest.raises(errors.LengthError):
        make_key("GTIN-13", "0614141", "912345")


def test_what_begins_no_link_says_so():
    with pytest.raises(errors.ConversionError):
        GS1.of({"10": "A"}).to_url()
    with pytest.raises(errors.ConversionError):
        GS1.of({"415": "5060917510004"}).to_url()
    with pytest.raises(errors.StructureError):
        parse_link("https://id.gs1.org/415/5060917510004")
    assert GS1.of({"415": "5060917510004", "8020": "A"}).to_url() == "https://id.gs1.org/415/5060917510004/8020/A"


def test_a_value_that_looks_like_a_key_stays_a_value():
    code = GS1.of({"01": "09506000134352", "10": "414", "21": "5"})
    assert parse_link(code.to_url()).code == code
    assert parse_link("https://id.gs1.org/01/09506000134352/22/00/10/414/21/01").code.parts["21"] == "01"


def test_limits():
    with pytest.raises(errors.LengthError):
        parse_scanned("9" * 9000)
    with pytest.raises(errors.LengthError):
        parse_bracketed("(90)1" * 2000)
    with pytest.raises(errors.LengthError):
        parse_link("https://id.gs1.org/01/" + "9" * 9000)
    with pytest.raises(errors.StructureError):
        GS1.of({})
    measures = [ai for ai in APPLICATIONS if ai[0] == "3" and APPLICATIONS[ai].predefined][:140]
    with pytest.raises(errors.LengthError):
        parse_link("https://id.gs1.org/01/09506000134352?" + "&".join(f"{ai}=000001" for ai in measures))
    with pytest.raises(errors.LengthError):
        parse_scanned("".join(f"{ai}000001" for ai in measures))
    with pytest.raises(errors.LengthError):
        GS1.of(dict.fromkeys(measures, "000001"))
    with pytest.raises(errors.UnknownError):
        GS1.of({"05": "1"})
