"""Names: what is one, and one escaping rule with one inverse."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hulian.kernel.errors import IdentifierError
from hulian.kernel.identifier import MAXIMUM_LENGTH, Identifier, PointName, escape, series_id, unescape

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)
LEGAL = st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp", "Zs"), exclude_characters="#/.")
PREFIX = st.lists(st.text(LEGAL, min_size=1, max_size=5), min_size=1, max_size=3).map(".".join)
SUFFIX = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"), exclude_characters="#"), min_size=1, max_size=20
)


@given(TEXT)
@example("~2E")
@example("..")
@example("con")
def test_every_text_has_one_escaped_form_and_comes_back(text):
    token = escape(text)
    assert unescape(token) == text
    assert re.fullmatch(r"[A-Za-z0-9_~-]+", token), "one subject token, one path segment, one file name"


@given(TEXT, TEXT)
def test_two_texts_never_share_a_form(one, other):
    assume(one != other)
    assert escape(one) != escape(other)


@given(st.text(st.sampled_from("abAB019_-~.%/ é"), max_size=12))
def test_whatever_is_accepted_is_what_escape_writes(token):
    try:
        text = unescape(token)
    except IdentifierError:
        return
    assert escape(text) == token


@pytest.mark.parametrize(
    "token", ["", "~", "~2", "~2e", "~41", "~FF", "~C3", "~C3~28", "a.b", "a b", "a/b", "é", "a\n", "~ED~A0~80"]
)
def test_what_escape_cannot_have_written(token):
    with pytest.raises(IdentifierError):
        unescape(token)


@pytest.mark.parametrize("text", ["", "\ud800", "a\udfff"])
def test_what_cannot_be_escaped(text):
    with pytest.raises(IdentifierError):
        escape(text)


@given(PREFIX, SUFFIX)
def test_an_identifier_reads_back(prefix, suffix):
    assume(suffix == suffix.strip())
    found = Identifier.parse(f"{prefix}/{suffix}")
    assert found.suffix == suffix
    assert found.prefix == prefix.lower()
    assert Identifier.parse(str(found)) == found
    assert Identifier.parse(f"{prefix.upper()}/{suffix}").prefix == prefix.upper().lower()


@given(PREFIX, SUFFIX, st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp")), min_size=1, max_size=20))
def test_a_point_reads_back(prefix, suffix, path):
    assume(suffix == suffix.strip() and path == path.strip())
    found = PointName.parse(f"{prefix}/{suffix}#{path}")
    assert (str(found.thing), found.path) == (f"{prefix.lower()}/{suffix}", path)
    assert PointName.parse(str(found)) == found
    assert unescape(escape(str(found))) == str(found)


@pytest.mark.parametrize(
    "text",
    ["", "/", "a", "a/", "/b", "a b/c", "a..b/c", ".a/c", "a./c", "a#b/c", "a/b#c", "a/ b", "a/b ", "a/b\n", "a/\x00",
     "a/\u2028x", "a/\ud800", "a/" + "x" * MAXIMUM_LENGTH, "a/" + "压" * 400],
)  # fmt: skip
def test_what_is_no_identifier(text):
    with pytest.raises(IdentifierError) as refused:
        Identifier.parse(text)
    assert refused.value.hint


@pytest.mark.parametrize(
    "text", ["", "a/b", "a/b#", "#c", "a#c", "a/b# c", "a/b#c\n", "a/b#\x00", "a/b#" + "x" * MAXIMUM_LENGTH]
)
def test_what_is_no_point(text):
    with pytest.raises(IdentifierError):
        PointName.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_identifier_or_one_clear_error(text):
    found = None
    with contextlib.suppress(IdentifierError):
        found = Identifier.parse(text)
    if found is not None:
        assert not any(unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp") for character in text)
        assert str(found).partition("/")[2] == text.partition("/")[2]


def test_the_longest_name_is_legal():
    text = "99.1/" + "x" * (MAXIMUM_LENGTH - 5)
    assert str(Identifier.parse(text)) == text


@given(st.lists(TEXT, min_size=4, max_size=4), st.lists(TEXT, min_size=4, max_size=4))
def test_a_series_is_64_bits_and_never_none(one, other):
    found = series_id(*one)
    assert 0 < found < 2**64
    assert found == series_id(*one)
    assert (found == series_id(*other)) is (one == other)


def test_the_parts_of_a_series_do_not_run_together():
    assert series_id("ab", "c", "", "double") != series_id("a", "bc", "", "double") != series_id("a", "b", "c", "double")


def test_a_series_is_the_same_in_every_process_and_version():
    assert series_id("acme", "plc", "ns=2;s=Reactor.Pressure", "double") == 13726347602751697659
    code = (
        "from hulian.kernel.identifier import series_id; print(series_id('acme', 'plc', 'ns=2;s=Reactor.Pressure', 'double'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert int(answer.stdout) == 13726347602751697659


def test_half_a_character_makes_no_series():
    with pytest.raises(IdentifierError):
        series_id("acme", "plc", "\ud800", "double")
