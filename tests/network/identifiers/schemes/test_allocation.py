"""Suffixes are given out once: by number, by class and batch, by date, and at random; over restarts, to the last one."""

from __future__ import annotations

import tracemalloc
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.schemes import Handle, errors
from hulian.network.identifiers.schemes.allocation import Cursor, Policy, allocate, remaining
from hulian.network.identifiers.schemes.allocation.permutation import Permutation
from hulian.network.identifiers.schemes.checks import luhn_character

KEY = bytes(range(32))
DAY = date(2026, 3, 1)
POLICIES = {
    "serial": Policy.of("{serial:3}", first=5, last=250),
    "not filled up": Policy.of("P{serial}", first=95, last=340),
    "letters": Policy.of("{serial:2}", alphabet="0123456789ABCDEF", last=245),
    "class and batch": Policy.of(
        "{class}-{batch:2}{serial:4}{check}", values={"class": "PUMP", "batch": "B7"}, first=1, last=246
    ),
    "date": Policy.of("{date:YYMMDD}.{serial:3}{check}.X", first=0, last=245, restart="date"),
    "random": Policy.of("R-{random:2}", alphabet="0123456789ABCDEF"),
    "random with check": Policy.of("{random:3}{check}", alphabet="ABCDEF"),
}


def options(policy):
    return {"day": DAY if policy.has_date else None, "key": KEY if policy.is_random else b""}


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 60), max_size=12))
def test_all_are_given_once_over_any_number_of_restarts(name, cuts):
    policy = POLICIES[name]
    whole = list(allocate(policy, None, policy.capacity, **options(policy)))
    assert len(set(whole)) == policy.capacity == remaining(policy, None, day=options(policy)["day"])
    cursor, found = None, []
    for count in [*cuts, policy.capacity]:
        count = min(count, policy.capacity - len(found))
        again = Policy.from_dict(policy.as_dict())
        given_ = allocate(again, cursor, count, **options(policy))
        found += given_
        cursor = Cursor.parse(given_.after.text)
    assert found == whole
    with pytest.raises(errors.ExhaustedError) as caught:
        allocate(policy, cursor, 1, **options(policy))
    assert caught.value.left == 0
    assert caught.value.as_dict()["left"] == 0


@pytest.mark.parametrize("name", POLICIES)
def test_each_is_read_back_and_its_check_character_checks(name):
    policy = POLICIES[name]
    for suffix in allocate(policy, None, 200, **options(policy)):
        assert policy.read(suffix)
        assert len(suffix) <= policy.length
        assert Handle.of("99.118.8", suffix).suffix == suffix
    with pytest.raises(errors.StructureError):
        policy.read("no such suffix")


@given(
    text=st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=1, max_size=20),
    place=st.integers(0, 19),
    other=st.integers(1, 31),
)
def test_a_check_character_catches_every_single_wrong_one(text, place, other):
    alphabet, place = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", place % len(text)
    wrong = text[:place] + alphabet[(alphabet.index(text[place]) + other) % 32] + text[place + 1 :]
    assert luhn_character(wrong, alphabet) != luhn_character(text, alphabet)


@pytest.mark.parametrize("name", ["class and batch", "random with check", "date"])
def test_a_mistyped_suffix_is_refused(name):
    policy = POLICIES[name]
    for suffix in allocate(policy, None, 40, **options(policy)):
        place = suffix.index("-B7") + 3 if name == "class and batch" else (7 if name == "date" else 0)
        for character in policy.alphabet.replace(suffix[place], ""):
            with pytest.raises(errors.CheckError) as caught:
                policy.read(suffix[:place] + character + suffix[place + 1 :])
            assert caught.value.position == (len(suffix) - 3 if name == "date" else len(suffix) - 1)


def test_a_million_stream_in_little_memory():
    for policy, key in ((Policy.of("{serial:9}{check}"), b""), (Policy.of("{random:8}"), KEY)):
        given_ = allocate(policy, None, 1_000_000, key=key)
        tracemalloc.start()
        total, last = 0, ""
        for number, batch in enumerate(given_.batches()):
            total, last = total + len(batch), batch[-1]
            if number == 5:
                tracemalloc.reset_peak()
            if number == 12:
                break
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4_000_000
        assert total == 13 * 4096
        assert policy.read(last)
        assert remaining(policy, given_.after) == policy.capacity - 1_000_000


def test_a_million_random_ones_are_different():
    policy = Policy.of("{random:4}")
    capacity = 32**4
    assert policy.capacity == capacity == 1_048_576
    seen = bytearray(capacity)
    permutation = Permutation(KEY, capacity, "x")
    for begin in range(0, capacity, 65536):
        for number in permutation.apply(list(range(begin, begin + 65536))):
            seen[number] = 1
    assert seen.count(1) == capacity


@settings(max_examples=60)
@given(size=st.integers(1, 700), key=st.binary(min_size=16, max_size=40), label=st.text(max_size=5))
def test_the_permutation_is_one(size, key, label):
    permutation = Permutation(key, size, label)
    found = permutation.apply(list(range(size)))
    assert sorted(found) == list(range(size))
    assert permutation.invert(found) == list(range(size))


@given(size=st.integers(2, 2**127), numbers=st.lists(st.integers(0, 2**127), min_size=1, max_size=9))
def test_large_permutations_are_inverted(size, numbers):
    numbers = [number % size for number in numbers]
    permutation = Permutation(KEY, size, "large")
    found = permutation.apply(numbers)
    assert all(0 <= number < size for number in found)
    assert permutation.invert(found) == numbers


def test_another_key_or_policy_gives_another_order():
    one = list(allocate(Policy.of("{random:6}"), None, 50, key=KEY))
    assert one != list(allocate(Policy.of("{random:6}"), None, 50, key=KEY[::-1]))
    assert {text[1:] for text in allocate(Policy.of("A{random:6}"), None, 50, key=KEY)} != set(one)
    assert one == list(allocate(Policy.of("{random:6}"), None, 50, key=KEY))


def test_dates_begin_anew_and_never_go_back():
    policy = Policy.of("{date:YYYYMMDD}{serial:3}", restart="date")
    first = allocate(policy, None, 3, day=DAY)
    assert list(first)[-1] == "20260301002"
    following = allocate(policy, first.after, 2, day=DAY + timedelta(days=1))
    assert list(following) == ["20260302000", "20260302001"]
    with pytest.raises(errors.CursorError) as caught:
        allocate(policy, following.after, 1, day=DAY)
    assert caught.value.rule == "allocation.date"
    assert remaining(policy, following.after, day=DAY + timedelta(days=1)) == 998
    going_on = Policy.of("{date:YYYYMMDD}{serial:3}")
    cursor = allocate(going_on, None, 3, day=DAY).after
    assert list(allocate(going_on, cursor, 1, day=DAY + timedelta(days=1))) == ["20260302003"]


@given(
    form=st.sampled_from(["YYYYMMDD", "YY-MM", "YYYYDDD", "YYYY.WW", "YY", "YYYY"]),
    begin=st.integers(0, 30000),
    after=st.integers(1, 5000),
)
def test_texts_of_dates_are_as_old_as_their_scopes(form, begin, after):
    policy = Policy.of("{date:" + form + "}/{serial:2}", restart="date")
    one = date(2000, 1, 3) + timedelta(days=begin)
    other = one + timedelta(days=after)
    if other.year > 2098:
        return
    texts = [next(iter(allocate(policy, None, 1, day=day))) for day in (one, other)]
    assert policy.scope(one) <= policy.scope(other)
    assert (policy.scope(one) == policy.scope(other)) == (texts[0] == texts[1])


@pytest.mark.parametrize("form", ["MM", "DDMM", "WW", "YYDD", "YYYYMMWW"])
def test_dates_that_come_back_cannot_restart(form):
    with pytest.raises(errors.PolicyError) as caught:
        Policy.of("{date:" + form + "}{serial:3}", restart="date")
    assert caught.value.rule == "allocation.restart"
    Policy.of("{date:" + form + "}{serial:3}")


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("", {}),
        ("x", {}),
        ("{serial:3}{serial:3}", {}),
        ("{serial:3}{random:3}", {}),
        ("{check}{serial:3}", {}),
        ("{serial:3}{check}{check}", {}),
        ("{serial:3", {}),
        ("a b{serial:3}", {}),
        ("{serial:0}", {}),
        ("{serial:x}", {}),
        ("{random}", {}),
        ("{date:hh}{serial:3}", {}),
        ("{batch}{serial:3}", {"values": {"batch": "A"}}),
        ("{batch}-{serial:3}", {"values": {"batch": "A-B"}}),
        ("{batch:2}{serial:3}", {"values": {"batch": "A"}}),
        ("{batch}-{serial:3}", {}),
        ("{serial:3}", {"values": {"batch": "A"}}),
        ("{serial:3}", {"first": 1000}),
        ("{serial:3}", {"first": 9, "last": 3}),
        ("{serial:3}", {"first": -1}),
        ("{random:3}", {"first": 1}),
        ("{serial:3}{check}", {"alphabet": "ABC"}),
        ("{serial:3}", {"alphabet": "AAB"}),
        ("{serial:3}", {"alphabet": "A-B"}),
        ("{serial}", {"alphabet": "ABCD"}),
        ("{serial:3}", {"restart": "date"}),
        ("x" * 300 + "{serial:3}", {}),
    ],
)
def test_policies_that_contradict_themselves(template, arguments):
    with pytest.raises(errors.PolicyError) as caught:
        Policy.of(template, **arguments)
    assert caught.value.code == "HL-ID-0111"


def test_what_a_call_needs():
    serial, random, dated = Policy.of("{serial:3}"), Policy.of("{random:9}"), Policy.of("{date}{serial:3}")
    for attempt in (
        lambda: allocate(serial, None, 1, key=KEY),
        lambda: allocate(serial, None, -1),
        lambda: allocate(random, None, 1),
        lambda: allocate(random, None, 1, key=b"short"),
        lambda: allocate(dated, None, 1),
        lambda: allocate(Policy.of("{random:40}"), None, 1, key=KEY),
        lambda: Policy.from_dict({"template": "{serial:3}", "colour": "red"}),
        lambda: Policy.from_dict({"template": "{serial:3}", "first": "1"}),
        lambda: Policy.from_dict({"template": "{batch:1}{serial:3}", "values": {"batch": 1}}),
        lambda: Policy.from_dict({}),
    ):
        with pytest.raises(errors.PolicyError):
            attempt()
    with pytest.raises(errors.ExhaustedError) as caught:
        allocate(serial, allocate(serial, None, 990).after, 11)
    assert caught.value.left == 10


def test_cursors_are_bound_to_policy_and_key_and_not_editable():
    serial, random = Policy.of("{serial:3}"), Policy.of("{random:9}")
    cursor = allocate(random, None, 5, key=KEY).after
    for attempt in (
        lambda: allocate(serial, cursor, 1),
        lambda: allocate(random, cursor, 1, key=KEY[::-1]),
        lambda: Cursor.parse(cursor.text.replace(".5.", ".4.")),
        lambda: Cursor.parse(cursor.text[:-1]),
        lambda: Cursor.parse(""),
        lambda: Cursor.parse("1" * 200),
        lambda: allocate(serial, Cursor(serial.digest, "", "", 2000), 1),
    ):
        with pytest.raises(errors.CursorError):
            attempt()
    assert KEY.hex() not in cursor.text
    assert repr(KEY) not in repr(allocate(random, None, 5, key=KEY))
