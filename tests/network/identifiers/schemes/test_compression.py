"""Compressed GS1 Digital Links: what others write is what we write, and any text is read or refused."""

from __future__ import annotations

import base64
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.schemes import DigitalLink, errors
from hulian.network.identifiers.schemes.gs1.compression import GROUPS, compress, decompress
from hulian.network.identifiers.schemes.gs1.elements import parse_bracketed
from hulian.network.identifiers.schemes.gs1.link import parse_link
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS

TABLE = tomllib.loads((Path(__file__).parents[3] / "cases" / "identifiers" / "compressed.toml").read_text())


@pytest.mark.parametrize("case", TABLE["case"], ids=lambda case: case["elements"])
def test_others_write_the_same(case):
    if case.get("unchecked"):
        values = dict(re.findall(r"\((\d+)\)([^(]+)", case["elements"]))
        assert compress(values) == case["fully"]
        del values["8006"]
        assert not values or compress(values) == case["partly"]
        return
    code = parse_bracketed(case["elements"])
    link = DigitalLink(code)
    assert link.to_url("fully") == "https://id.gs1.org/" + case["fully"]
    assert parse_link("https://id.gs1.org/" + case["fully"]).code == code
    if "partly" in case:
        key = code.primary
        url = link.to_url("partly")
        assert url.endswith("/" + case["partly"])
        assert url.startswith(f"https://id.gs1.org/{key}/")
        assert parse_link(url).code == code
        assert decompress(case["partly"])[0] == {ai: text for ai, text in code.elements if ai != key}


def test_other_pairs_are_compressed_too():
    case = TABLE["other"]
    values = dict(parse_bracketed(case["elements"]).elements)
    pairs = [tuple(pair) for pair in case["pairs"]]
    assert compress(values, tuple(pairs)) == case["fully"]
    assert decompress(case["fully"]) == (values, pairs)
    gtin = values.pop("01")
    assert compress(values, tuple(pairs)) == case["partly"]
    link = parse_link(f"https://id.gs1.org/01/{gtin}/{case['partly']}")
    assert (dict(link.code.elements), list(link.other)) == (values | {"01": gtin}, pairs)


def test_every_group_is_made_of_identifiers():
    assert len(GROUPS) == 12 + 6 + 6 + 4 + 10 + 14
    for code, group in GROUPS.items():
        assert code >> 4 > 9 or code & 15 > 9, "digits alone are the beginning of an identifier"
        assert all(ai in APPLICATIONS for ai in group)


def test_groups_are_shorter_and_the_longest_is_chosen():
    values = {"01": "09506000134352", "10": "A", "17": "251231", "21": "B"}
    plain, short = compress(values), compress(values, optimise=True)
    assert len(short) < len(plain)
    assert int.from_bytes(base64.urlsafe_b64decode(short[:4])[:1]) == 0x1A
    assert decompress(short) == decompress(plain) == (values, [])


def test_pairs_that_cannot_be_compressed():
    for pair in (("a b", "c"), ("", "c"), ("a", "é"), ("a" * 128, "c"), ("a", "c" * 128)):
        with pytest.raises(errors.ConversionError):
            compress({"01": "09506000134352"}, (pair,))


@pytest.mark.parametrize("text", ["", "A", "AQ", "AQnYUc1g", "AQnYUc1gm!", "_____", "BQnYUc1gmg", "q" * 5000])
def test_broken_texts_are_refused(text):
    with pytest.raises(errors.SchemeError) as caught:
        decompress(text)
    assert caught.value.position is not None


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        values, other = decompress(text)
    except errors.SchemeError:
        return
    again = compress(values, tuple(other))
    assert decompress(again) == (values, other)
