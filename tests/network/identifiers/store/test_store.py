"""Many records at once, with every database: the rows, the log, and what a new start finds."""

from __future__ import annotations

import pytest

from hulian.network.identifiers.store import RecordStore, key_of, snapshot
from hulian.network.identifiers.store.changes import What, digest_of_values
from hulian.network.identifiers.store.errors import BrokenLogError, RecordExistsError, StoreError
from hulian.network.identifiers.store.segments import LARGEST, pack_segment, unpack_segment
from hulian.network.identifiers.store.tables import change, record
from hulian.network.identifiers.wire.values import Value, pack_values


def values(number: int) -> list[Value]:
    return [Value(index=1, type="URL", data=b"https://example.com/%d" % number, timestamp=1)]


def handle(number: int) -> str:
    return f"88.111.1/泵-Item{number}ß"


def created(store: RecordStore, begin: int, end: int) -> list[int]:
    handles = [handle(number) for number in range(begin, end)]
    packed = [pack_values(values(number)) for number in range(begin, end)]
    return store.create_packed(handles, [key_of(one) for one in handles], packed, by="300:me")


def test_columns_become_the_same_rows_as_single_records(registry):
    store = RecordStore(registry)
    store.create(handle(3), values(3))
    assert created(store, 0, 2_000) == [3]
    assert store.create_many((handle(number), values(number)) for number in range(2_000, 2_010)) == 10
    with registry.read() as connection:
        rows = {bytes(row.key): (row.handle, bytes(row.packed)) for row in connection.execute(record.select())}
    wanted = {key_of(handle(number)): (handle(number), pack_values(values(number))) for number in range(2_010)}
    assert rows == wanted
    again = RecordStore(registry)
    assert dict(again.index.items()) == {key: packed for key, (_, packed) in wanted.items()} == dict(store.index.items())
    assert again.below(b"88.111.1/", most=3_000) == [handle for _, (handle, _) in sorted(wanted.items())]


def test_the_log_tells_each_change_however_it_was_written(registry):
    store = RecordStore(registry)
    store.home("88.111.1")
    created(store, 0, 2 * LARGEST + 1)
    store.replace(handle(5), values(6))
    created(store, 2 * LARGEST + 1, 2 * LARGEST + 4)
    with registry.read() as connection:
        counts = [row.changes for row in connection.execute(change.select().order_by(change.c.number))]
    assert counts == [1, LARGEST, LARGEST, 1, 1, 3]
    log = store.log
    whole = log.read(0, 10_000)
    assert [one.number for one in whole] == list(range(1, 2 * LARGEST + 7))
    assert whole[0].what is What.HOME
    assert [one.handle for one in whole[1 : 2 * LARGEST + 2]] == [handle(number) for number in range(2 * LARGEST + 1)]
    assert whole[6].content == digest_of_values(pack_values(values(5)))
    assert {one.by for one in whole[1 : 2 * LARGEST + 2]} == {"300:me"}
    for after in (0, 1, 2, LARGEST, LARGEST + 1, LARGEST + 2, 2 * LARGEST + 2, 2 * LARGEST + 4, 2 * LARGEST + 6):
        for most in (1, 2, LARGEST, LARGEST + 1, 5_000):
            assert log.read(after, most) == whole[after : after + most], (after, most)
        assert log.seal_of(after) == (whole[after - 1].seal if after else bytes(32))
    assert log.seal_of(len(whole) + 1) is None
    assert log.verify() == len(whole) == log.last
    assert RecordStore(registry).log.seal == log.seal == whole[-1].seal


def test_a_copy_of_the_log_has_the_same_seals_in_as_few_rows(registry, tmp_path):
    from hulian.registry import Registry

    store = RecordStore(registry)
    created(store, 0, 700)
    store.delete(handle(1))
    other = Registry.open(tmp_path / "copy.db")
    copy = RecordStore(other)
    after = 0
    while part := store.log.read(after, 300):
        copy.copy([(one, store.packed(key_of(one.handle)) or b"") for one in part])
        after = part[-1].number
    assert copy.log.read(0, 1_000) == store.log.read(0, 1_000)
    assert (copy.log.verify(), copy.log.seal) == (701, store.log.seal)
    with other.read() as connection:
        assert [row.changes for row in connection.execute(change.select().order_by(change.c.number))] == [300, 300, 100, 1]
    assert dict(copy.index.items()) == dict(store.index.items())
    changed = store.log.read(0, 2)
    with pytest.raises(BrokenLogError):
        copy.copy([(changed[0], store.packed(key_of(changed[0].handle)))])
    other.close()


def test_what_is_counted_and_looked_for_in_the_log_is_also_in_rows_of_many(registry):
    store = RecordStore(registry)
    created(store, 0, 700)
    store.delete(handle(1))
    store.replace(handle(2), values(3))
    assert store.log.since(0) == (702, 700, 1, 1)
    assert store.log.since(700) == (702, 0, 1, 1)
    assert not store.log.touches(0, "0.NA/")
    store.create_many((f"0.NA/88.111.{number}", values(number)) for number in range(3))
    assert store.log.touches(702, "0.NA/")
    assert not store.log.touches(705, "0.NA/")
    other = store.log.other_than("300:me")
    assert other is not None
    assert (other.number, other.handle) == (701, handle(1))
    assert store.log.other_than("node").handle == handle(0)
    with snapshot(registry) as seen:
        assert (seen.number, seen.seal_of(100)) == (705, store.log.seal_of(100))
        told = list(seen.changes(0))
    assert [one for one, _ in told] == store.log.read(0, 1_000)
    assert [one.handle for one, packed in told if packed is None] == [handle(1), handle(2), handle(1)]


def test_large_values_go_in_several_statements(registry):
    store = RecordStore(registry)
    data = bytes(200_000)
    handles = [handle(number) for number in range(90)]
    packed = [pack_values([Value(index=1, type="BLOB", data=data, timestamp=number)]) for number in range(90)]
    assert store.create_packed(handles, [key_of(one) for one in handles], packed) == []
    assert RecordStore(registry).packed(key_of(handle(89))) == packed[89]


def test_what_cannot_be_kept_leaves_nothing(registry):
    store = RecordStore(registry)
    created(store, 0, 2)
    with pytest.raises(RecordExistsError, match="Item1ß exists"):
        store.create_many([(handle(7), values(7)), (handle(1), values(1))])
    with pytest.raises(RecordExistsError, match="twice"):
        store.create_many([(handle(7), values(7)), (handle(7).swapcase().replace("SS", "ß"), values(7))])
    if registry.dialect == "sqlite":
        large = pack_values([Value(index=index, type="BLOB", data=bytes(250_000)) for index in range(1, 6)])
        with pytest.raises(StoreError, match="larger than a message"):
            store.create_packed([handle(7)], [key_of(handle(7))], [large])
    assert store.packed(key_of(handle(7))) is None
    assert (len(RecordStore(registry)), store.log.verify()) == (2, 2)


@pytest.mark.parametrize(
    ("content", "count"),
    [(b"", 1), (bytes(34), 2), (b"\0\1" + bytes(32), 1), (bytes(34), 0), (bytes(34) + b"x", 1), (b"", 10**9)],
)
def test_a_segment_that_is_no_segment_is_told(content, count):
    with pytest.raises(BrokenLogError):
        unpack_segment(content, count)


def test_a_segment_is_what_was_packed():
    changes = [(b"99.118.8/a", bytes(32)), (b"", b"x" * 32), ("泵".encode(), b"y" * 32)]
    assert unpack_segment(pack_segment(*map(list, zip(*changes, strict=True))), 3) == changes
