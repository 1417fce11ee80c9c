"""The decoder of the line protocol: what an independent writer writes comes back, garbage harms nothing, both ways agree."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.exchange.protocols.http import line
from hulian.network.exchange.protocols.http.address import line_name, parse_address, series_key
from hulian.network.exchange.protocols.http.line import decode

FUZZ = int(os.environ.get("HULIAN_FUZZ", "1"))

# A backslash at the end of a name, or before a special character, has no form of its own in the protocol.
names = st.text(
    st.characters(codec="utf-8", exclude_characters='\\\n\r\0#"', exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=("Cs",)), max_size=8)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    texts,
)
stamps = st.none() | st.integers(0, 2**63 - 1)
points = st.lists(
    st.tuples(names, st.dictionaries(names, names, max_size=3), st.dictionaries(names, values, min_size=1, max_size=4), stamps),
    max_size=8,
)


def escaped(text: str, special: str) -> str:
    return "".join(f"\\{mark}" if mark in special else mark for mark in text)


def written(point) -> str:
    """As the reference of the protocol says."""
    measurement, tags, fields, stamp = point
    head = ",".join([escaped(measurement, ", "), *(f"{escaped(k, ',= ')}={escaped(v, ',= ')}" for k, v in tags.items())])
    body = ",".join(f"{escaped(name, ',= ')}={_value(value)}" for name, value in fields.items())
    return f"{head} {body}" + ("" if stamp is None else f" {stamp}")


def _value(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def rows(found):
    out = []
    for kind, codes, times, column in found.parts:
        out += [
            (*found.names[code], int(time), kind, value)
            for code, time, value in zip(codes, times, column.to_pylist(), strict=True)
        ]
    return sorted(out, key=repr)


def wanted(several, received):
    out = []
    for measurement, tags, fields, stamp in several:
        key = series_key(
            ",".join([escaped(measurement, ", "), *(f"{escaped(k, ',= ')}={escaped(v, ',= ')}" for k, v in tags.items())])
        )
        for name, value in fields.items():
            kind = {bool: "boolean", int: "integer", float: "double", str: "text"}[type(value)]
            out.append((key, name, received if stamp is None else stamp, kind, value))
    return sorted(out, key=repr)


@settings(max_examples=100 * FUZZ)
@given(points)
def test_what_a_writer_writes_comes_back(several):
    found = decode("\n".join(map(written, several)).encode(), 42)
    assert found.bad == []
    assert rows(found) == wanted(several, 42)


plain = st.from_regex(r"[a-z][a-z0-9_.]{0,5}", fullmatch=True)
numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1), st.booleans())
simple = st.lists(
    st.tuples(
        plain,
        st.dictionaries(plain, plain, max_size=2),
        st.dictionaries(plain, numbers, min_size=1, max_size=3),
        st.integers(0, 2**62),
    ),
    min_size=1,
    max_size=8,
)


@given(simple)
def test_the_quick_way_and_the_thorough_one_agree(several):
    body = "\n".join(map(written, several)).encode()
    quick = line._quickly(body, 1)
    assert quick is not None, "this has to be simple enough"
    thorough = line._one_by_one(body.split(b"\n"), 0, 1, 0)
    assert rows(quick) == rows(thorough) == wanted(several, 0)


@pytest.mark.fuzz
@settings(max_examples=300 * FUZZ)
@given(st.binary(max_size=120) | st.text('abc,= \\"\n#01.ieutf-', max_size=60).map(str.encode))
def test_garbage_is_told_and_its_neighbours_stay(garbage):
    found = decode(garbage, 1)
    assert len(found.bad) == min(found.bad_lines, 20)
    for kind, _, times, column in found.parts:
        assert (times >= 0).all()
        assert kind != "double" or all(math.isfinite(value) for value in column.to_pylist())
    if b'"' not in garbage:
        both = decode(b"before a=1 5\n" + garbage + b"\nbehind a=2i 6\n", 1)
        assert ("before", "a", 5, "double", 1.0) in rows(both)
        assert ("behind", "a", 6, "integer", 2) in rows(both)
        assert both.bad_lines == found.bad_lines


@given(st.binary(max_size=60) | st.text('abc,= "\n01.ieutf-', max_size=60).map(str.encode))
def test_what_the_quick_way_takes_the_thorough_one_takes_too(garbage):
    body = (
        garbage.replace(b'"', b"")
        .replace(b"\\", b"")
        .replace(b"#", b"")
        .replace(b"\r", b"")
        .replace(b"\t", b"")
        .replace(b"\0", b"")
    )
    quick = line._quickly(body, 1)
    if quick is not None:
        thorough = line._one_by_one(body.split(b"\n"), 0, 1, 0)
        assert thorough.bad == []
        assert rows(quick) == rows(thorough)


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("m v=1 5 6", 1),
        ("m v=1i2", 1),
        ("m v=", 1),
        ("m =1", 1),
        ("m", 1),
        (",a=b v=1", 1),
        ("m,a v=1", 1),
        ("m v=NaN", 1),
        ("m v=1e999", 1),
        ("m v=9223372036854775808i", 1),
        ("m v=-1u", 1),
        ("m v=1 9223372036854775808", 1),
        ("m v=1 -5", 1),
        ('m v="open', 1),
        ("# m v=1", 0),
        ("m v=TRUE,w=F,x=1e3,y=.5,z=-2.", 0),
        ("m  v=1  5", 0),
        ("m v=1 5\r", 0),
    ],
)
def test_the_edges_of_the_syntax(text, bad):
    assert decode(text.encode(), 0).bad_lines == bad


@pytest.mark.parametrize(("precision", "factor"), [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9), ("h", 3600 * 10**9)])
def test_a_precision_counts_for_every_line(precision, factor):
    ((_, _, times, _),) = decode(b"m v=1 7\nm v=2 8", 0, precision).parts
    assert times.tolist() == [7 * factor, 8 * factor]
    assert decode(b"m v=1 9223372036854775807", 0, precision).bad_lines == (precision != "ns")


def test_quotes_may_hold_line_ends_and_lines_keep_their_numbers():
    found = decode(b'a t="x\ny" 1\nbroken\nb v=1 2\n', 0)
    assert rows(found) == [("a", "t", 1, "text", "x\ny"), ("b", "v", 2, "double", 1.0)]
    assert [number for number, _ in found.bad] == [3]


@given(names, names)
def test_addresses_lead_back_to_their_names(key, field):
    place = parse_address(line_name(series_key(escaped(key, ", ")), field))
    assert (place.group, place.name) == ((escaped(key, ", "),), field)
