"""The ledger against a plain model: whatever order batches come in, however often."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.data.ingest.errors import LedgerError, LedgerVersionError
from hulian.data.ingest.ledger import Ledger
from hulian.data.ingest.store import IngestStore, Intent
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.network.exchange.spine.codec import decode_many, encode


def batch(sequence, offset, count, epoch=1, source="pump"):
    columns = Columns.doubles(np.arange(1, count + 1), np.arange(count) + offset, np.zeros(count))
    return encode(SampleBatch(BatchHeader("o", source, epoch, sequence, offset, sequence), columns))


def enter(ledger, messages):
    """How many samples of each message are kept."""
    groups = decode_many(messages).groups
    shown = ledger.rows()
    decision = ledger.decide(groups, now=1000)
    assert ledger.rows() == shown, "samples were counted as stored before they were"
    ledger.settle(decision.touched)
    kept = [0] * len(messages)
    for group, keep in zip(groups, decision.keep, strict=True):
        for place, stays in zip(group.places.tolist(), keep.tolist(), strict=True):
            kept[place] = group.samples if stays else 0
    return kept, decision


@given(st.lists(st.integers(0, 5), min_size=1, max_size=25), st.data())
def test_every_order_and_repetition_is_counted_exactly(counts, data):
    offsets = np.concatenate([[0], np.cumsum(counts)]).tolist()
    numbers = st.integers(0, len(counts) - 1)
    arrivals = data.draw(st.lists(numbers, min_size=1, max_size=60))
    ledger, seen, duplicated = Ledger(), set(), 0
    while arrivals:
        size = data.draw(st.integers(1, 8))
        block, arrivals = arrivals[:size], arrivals[size:]
        kept, _ = enter(ledger, [batch(number + 1, offsets[number], counts[number]) for number in block])
        for number, samples in zip(block, kept, strict=True):
            if number in seen:
                assert samples == 0, "a repeated batch was kept"
                duplicated += counts[number]
            seen.add(number)
        (row,) = ledger.rows()
        top = max(seen)
        assert row.stored == sum(counts[number] for number in seen)
        assert row.duplicated == duplicated
        assert row.missing == offsets[top] - sum(counts[number] for number in seen if number < top)
        assert row.sent == row.stored + row.missing + row.pending
        assert row.last_sequence == top + 1
        holes = [number for number in range(top) if number not in seen]
        assert row.gaps == sum(1 for number in holes if number - 1 not in holes)
        assert row.state == ("gap" if holes else "complete")


def test_what_is_on_disk_decides_as_what_is_in_memory(tmp_path):
    chooser = random.Random(3)
    counts = [chooser.randrange(1, 4) for _ in range(200)]
    offsets = np.concatenate([[0], np.cumsum(counts)]).tolist()
    order = [chooser.randrange(200) for _ in range(600)]
    memory = Ledger()
    store = IngestStore(tmp_path / "ingest.db")
    store.begin("S", 1, "then", 0)
    for start in range(0, 600, 20):
        block = [batch(number + 1, offsets[number], counts[number]) for number in order[start : start + 20]]
        disk = Ledger(store.lives())
        left, _ = enter(memory, block)
        right, decision = enter(disk, block)
        assert left == right
        assert memory.rows() == disk.rows()
        store.commit("S", start, decision.touched)
    store.close()


def test_a_new_epoch_is_a_new_account_and_a_late_batch_of_the_old_one_counts():
    ledger = Ledger()
    _, decision = enter(ledger, [batch(1, 0, 2), batch(3, 4, 2)])
    assert not decision.began
    _, decision = enter(ledger, [batch(1, 0, 5, epoch=2)])
    assert [life.epoch for life in decision.began] == [2]
    assert enter(ledger, [batch(2, 2, 2), batch(1, 0, 5, epoch=2)])[0] == [2, 0]
    (row,) = ledger.rows()
    assert (row.epoch, row.stored, row.duplicated, row.missing) == (2, 11, 5, 0)


def test_what_the_edge_announces_is_pending():
    ledger = Ledger()
    ledger.announce("pump", 1, 5, 50)
    assert [(row.sent, row.pending, row.state) for row in ledger.rows()] == [(50, 50, "pending")]
    enter(ledger, [batch(1, 0, 10)])
    assert [(row.sent, row.stored, row.pending) for row in ledger.rows()] == [(50, 10, 40)]
    ledger.announce("pump", 2, 1, 7)
    assert [(row.sent, row.pending) for row in ledger.rows()] == [(17, 7)]


def test_a_source_that_counts_wrongly_is_named_and_stored():
    ledger = Ledger()
    kept, decision = enter(ledger, [batch(1, 0, 10), batch(2, 3, 10)])
    assert kept == [10, 10]
    assert decision.miscounted == ["pump"]
    kept, decision = enter(ledger, [batch(4, 30, 10), batch(3, 500, 10)])
    assert kept == [10, 10]
    assert ledger.rows()[0].missing == 0


def test_sources_do_not_touch_each_other():
    ledger = Ledger()
    enter(ledger, [batch(1, 0, 3, source="a"), batch(2, 5, 3, source="b"), batch(2, 3, 3, source="a")])
    assert [(row.source, row.stored, row.missing) for row in ledger.rows()] == [("a", 6, 0), ("b", 3, 5)]


def test_the_database_keeps_intents_and_refuses_what_it_does_not_know(tmp_path):
    path = tmp_path / "ingest.db"
    store = IngestStore(path, "power")
    store.begin("S", 1, "then", 0)
    store.intend("S", Intent(1, 7, "token"))
    store.close()
    store = IngestStore(path)
    assert store.position("S").intent == Intent(1, 7, "token")
    store.commit("S", 7)
    assert (store.position("S").position, store.position("S").intent) == (7, None)
    store._connection.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(LedgerVersionError):
        IngestStore(path)
    (tmp_path / "no.db").write_text("this is no database, and long enough to be read as a header of one ........")
    with pytest.raises(LedgerError):
        IngestStore(tmp_path / "no.db")
