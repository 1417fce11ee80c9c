"""The promises of an index of packed values, over every implementation."""

from __future__ import annotations

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hulian.network.identifiers import compiled
from hulian.network.identifiers.store.index import CompiledIndex, PlainIndex, open_index


def make(kind: str):
    if kind == "plain":
        return PlainIndex()
    if compiled.library is None:
        pytest.skip(f"no compiled index: {compiled.reason}")
    return CompiledIndex(compiled.library)


@pytest.fixture(params=["plain", "compiled"])
def index(request):
    return make(request.param)


def test_what_is_put_is_found_until_it_is_deleted(index):
    assert index.get(b"a") is None
    assert b"a" not in index
    assert not index.delete(b"a")
    index.put(b"a", b"1")
    index.put(b"", b"nothing")
    index.put(b"empty", b"")
    assert (index.get(b"a"), index.get(b""), index.get(b"empty")) == (b"1", b"nothing", b"")
    index.put(b"a", b"another")
    assert index.get(b"a") == b"another"
    assert len(index) == 3
    assert index.delete(b"a")
    assert index.get(b"a") is None
    assert dict(index.items()) == {b"": b"nothing", b"empty": b""}
    assert "a" not in index


def test_many_at_once(index):
    keys = [b"k%d" % number for number in range(20_000)]
    values = [b"v" * (number % 300) for number in range(20_000)]
    index.put_many(keys, values)
    index.put_many([b"k1", b"k1"], [b"first", b"last"])
    assert index.get(b"k1") == b"last"
    expected = dict(zip(keys, values, strict=True)) | {b"k1": b"last"}
    assert len(index) == 20_000
    assert dict(index.items()) == expected
    assert all(index.get(key) == value for key, value in expected.items())
    with pytest.raises(ValueError, match="1 keys for 2"):
        index.put_many([b"x"], [b"", b""])
    index.put_many([], [])


def test_values_of_every_length(index):
    for size in (0, 1, 7, 8, 4_095, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 5_000_000):
        index.put(b"long", bytes(size))
        assert index.get(b"long") == bytes(size)
    index.put(b"k" * 70_000, b"v")
    assert index.get(b"k" * 70_000) == b"v"
    assert sorted(map(len, dict(index.items()).values())) == [1, 5_000_000]


def test_room_is_used_again(index):
    for turn in range(40):
        index.put_many([b"%d" % number for number in range(2_000)], [bytes([turn]) * 1_000] * 2_000)
    assert index.get(b"1999") == bytes([39]) * 1_000
    assert 2_000_000 < index.size < 6_500_000
    for number in range(2_000):
        assert index.delete(b"%d" % number)
    assert len(index) == 0
    assert index.size < 3_500_000


def test_one_byte_is_changed_in_place(index):
    index.put(b"k", b"abc")
    assert index.exchange(b"k", 1, ord("x")) == ord("b")
    assert index.get(b"k") == b"axc"
    assert index.exchange(b"k", 3, 0) == index.exchange(b"other", 0, 0) == -1


@pytest.mark.parametrize("change", [lambda index: index.put(b"new", b""), lambda index: index.delete(b"7")])
def test_an_iteration_does_not_outlive_a_change(index, change):
    index.put_many([b"%d" % number for number in range(20_000)], [b"v" * 20] * 20_000)
    walk = index.items()
    next(walk)
    change(index)
    with pytest.raises(RuntimeError):
        list(walk)


def test_readers_find_the_old_or_the_new_and_never_a_part(index):
    """Writers move entries about while others read: every value that is found is whole."""
    keys = [b"key-%d" % number for number in range(500)]
    index.put_many(keys, [b"0" * 200] * 500)
    stop, wrong, reads = threading.Event(), [], [0]

    def read() -> None:
        while not stop.is_set():
            for key in keys:
                value = index.get(key)
                reads[0] += 1
                if value is None or len(set(value)) != 1 or len(value) != 200 + value[0] - 48:
                    wrong.append(value)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(40):
        index.put_many(keys, [bytes([48 + turn]) * (200 + turn)] * 500)
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert reads[0]


class Books(RuleBasedStateMachine):
    """Any changes in any order leave what a dictionary would hold."""

    keys = st.one_of(st.sampled_from([b"", b"a", b"b", b"c" * 40]), st.binary(max_size=3))

    def __init__(self) -> None:
        super().__init__()
        self.index = open_index()
        self.held: dict[bytes, bytes] = {}

    @rule(key=keys, value=st.binary(max_size=40), times=st.sampled_from([1, 1, 1, 70_000]))
    def put(self, key, value, times):
        self.index.put(key, value * times)
        self.held[key] = value * times

    @rule(key=keys)
    def delete(self, key):
        assert self.index.delete(key) == (self.held.pop(key, None) is not None)

    @rule(many=st.lists(st.tuples(keys, st.binary(max_size=9)), max_size=5))
    def put_many(self, many):
        self.index.put_many([key for key, _ in many], [value for _, value in many])
        self.held |= dict(many)

    @rule(key=keys)
    def get(self, key):
        assert self.index.get(key) == self.held.get(key)

    @invariant()
    def holds(self):
        assert len(self.index) == len(self.held)
        assert dict(self.index.items()) == self.held


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
