"""A set of numbers as ranges is a set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hulian.platform.edge.ranges import Ranges

STEP = st.tuples(st.sampled_from(["add", "add", "add", "forget"]), st.integers(0, 40), st.integers(0, 6))


@given(st.lists(STEP, max_size=30))
def test_it_holds_what_a_set_would_hold(steps):
    ranges, plain = Ranges(), set()
    for what, number, more in steps:
        if what == "add":
            ranges.add(number, number + more)
            plain |= set(range(number, number + more + 1))
        else:
            ranges.forget(number)
            plain = {one for one in plain if one > number}
        assert {one for one in range(60) if one in ranges} == plain
        runs = sum(one - 1 not in plain for one in plain)
        assert len(ranges) == runs, "neighbours are one range"
        for one in range(-1, 50):
            end = one
            while end + 1 in plain:
                end += 1
            assert ranges.through(one) == end
    ranges.clear()
    assert len(ranges) == 0
