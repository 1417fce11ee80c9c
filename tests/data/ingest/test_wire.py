"""Questions and errors survive the way; damaged ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.data.historian.contract import Annotate, LastValues, Limits, RawWindow
from hulian.data.historian.errors import QueryLimitError
from hulian.data.ingest.errors import AnswerError, AskError
from hulian.data.ingest.wire import (
    AskAnnotate,
    AskInsert,
    AskQuery,
    AskSizes,
    pack_ask,
    pack_error,
    unpack_ask,
    unpack_error,
)
from hulian.kernel.errors import HulianError
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass


@pytest.mark.parametrize(
    "ask",
    [
        AskQuery(request=LastValues(series=[2**64 - 1])),
        AskQuery(request=RawWindow(series=[1], start=0, end=5), limits=Limits(rows=7)),
        AskAnnotate(annotation=Annotate(id="1", series=2**64 - 1, start=0, end=1, author="x", text="互", created=3)),
        AskSizes(),
    ],
)
def test_questions_come_back(ask):
    assert unpack_ask(pack_ask(ask)) == (ask, [])


def test_columns_keep_their_storage_class():
    sent = [
        Columns.of(StorageClass.TEXT, [1, 2], [3, 4], ["a", None]),
        Columns.of(StorageClass.STRUCTURE, [1], [3], ["{}"]),
        Columns.doubles([5], [6], [7.0]),
    ]
    ask, found = unpack_ask(pack_ask(AskInsert(token="t"), sent))
    assert ask == AskInsert(token="t")
    assert [one.storage for one in found] == [one.storage for one in sent]
    assert [one.value.to_pylist() for one in found] == [["a", None], ["{}"], [7.0]]


@given(st.binary(max_size=80), st.booleans())
def test_random_bytes_are_refused(raw, marked):
    with pytest.raises(AskError):
        unpack_ask(b"HQ" + raw if marked else raw)


@pytest.mark.fuzz
@given(st.data())
def test_damaged_questions_are_refused_or_read(data):
    raw = bytearray(pack_ask(AskInsert(token="t"), [Columns.doubles([1, 2], [3, 4], [5.0, 6.0])]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(raw), bytes(raw[: data.draw(st.integers(0, len(raw)))])):
        try:
            unpack_ask(damaged)
        except AskError:
            continue


def test_errors_keep_class_and_fields():
    found = unpack_error(pack_error(QueryLimitError("too much", bound="rows")))
    assert type(found) is QueryLimitError
    assert (found.bound, found.message, found.code) == ("rows", "too much", "HL-HISTORIAN-0004")
    assert unpack_error(pack_error(HulianError("plain", place="here", hint="do"))).as_dict()["hint"] == "do"
    assert isinstance(unpack_error(b'{"code":"HL-FUTURE-1","message":"m"}'), AnswerError)
    assert isinstance(unpack_error(b"\xff"), AnswerError)
