"""Foreign bytes: whatever comes, a document is read or refused with a place; what was read is written validly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from nodeset_documents import PUMP, read, whole, written

from hulian.network.exchange.semantics.errors import DocumentError

DOCUMENT = whole(PUMP)
PIECES = re.findall(rb"<[^>]*>|[^<]+", DOCUMENT)
WORDS = st.sampled_from(
    [b"ns=1;i=1", b"ns=2;", b"i=", b"", b"true", b"-1", b"i=45", b"HasSubtype", b"&lt;", b"\x00", b"9999999999999"]
)


def try_it(document: bytes) -> None:
    try:
        content = read(document)
    except DocumentError:
        return
    again = written(content)
    etree.fromstring(again)
    assert [node.id for node in read(again).nodes()] == [node.id for node in content.nodes()]


@pytest.mark.fuzz
@given(st.data())
def test_changed_pieces(data):
    """Elements doubled, left out, exchanged; texts and attributes changed."""
    pieces = list(PIECES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pieces) - 1))
        match data.draw(st.integers(0, 4)):
            case 0:
                pieces[at] = b""
            case 1:
                pieces[at] *= 2
            case 2:
                other = data.draw(st.integers(0, len(pieces) - 1))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                pieces[at] = re.sub(rb'"[^"]*"', lambda _: b'"' + data.draw(WORDS) + b'"', pieces[at], count=1)
            case 4:
                if not pieces[at].startswith(b"<"):
                    pieces[at] = data.draw(WORDS)
    try_it(b"".join(pieces))


@pytest.mark.fuzz
@given(st.integers(0, len(DOCUMENT) - 1), st.binary(max_size=8), st.integers(0, 40))
def test_changed_bytes(at, put, cut):
    try_it(DOCUMENT[:at] + put + DOCUMENT[at + cut :])


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_any_bytes(document):
    try_it(document)
