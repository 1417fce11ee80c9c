"""The ledger against a plain model: whatever order batches come in, however often."""

from __future__ import annotations

import itertools
import random
import sqlite3

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.data.ingest import life
from hulian.data.ingest.errors import LedgerError, LedgerVersionError
from hulian.data.ingest.ledger import Ledger
from hulian.data.ingest.store import IngestStore, Intent
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.network.exchange.spine.codec import Dropped, decode_many, encode, encode_dropped


def batch(sequence, offset, count, epoch=1, source="pump"):
    columns = Columns.doubles(np.arange(1, count + 1), np.arange(count) + offset, np.zeros(count))
    return encode(SampleBatch(BatchHeader("o", source, epoch, sequence, offset, sequence), columns))


def enter(ledger, messages):
    """How many samples of each message are kept."""
    groups, errors, dropped = decode_many(messages)
    assert not errors
    shown = ledger.rows()
    decision = ledger.decide(groups, 1000, dropped)
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


def declared(first, last, offsets, epoch=1, source="pump"):
    """Batches ``first`` to ``last`` (from 1) are gone."""
    return encode_dropped(Dropped("o", source, epoch, first, last, offsets[first - 1], offsets[last], 0))


class Model:
    """Sets of batch numbers, and nothing clever."""

    def __init__(self, counts):
        self.counts = counts
        self.offsets = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self.stored, self.declared, self.top = set(), set(), 0

    def samples(self, numbers):
        return sum(self.counts[number - 1] for number in numbers)

    def arrive(self, number):
        self.stored.add(number)
        self.top = max(self.top, number)

    def drop(self, first, last):
        self.declared |= set(range(first, last + 1))
        self.top = max(self.top, last)

    def check(self, row):
        seen = set(range(1, self.top + 1))
        missing = seen - self.stored - self.declared
        assert row.stored == self.samples(self.stored)
        assert row.dropped == self.samples(self.declared - self.stored)
        assert row.missing == self.samples(missing)
        assert row.sent == row.stored + row.pending + row.dropped + row.missing
        assert row.last_sequence == self.top
        assert row.gaps == sum(1 for number in missing if number - 1 not in missing)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=25), st.data())
def test_what_is_declared_as_dropped_is_never_missing_and_what_is_missing_never_dropped(counts, data):
    """Any order of batches, declarations, and repetitions of both, over restarts of the ledger."""
    model, ledger = Model(counts), Ledger()
    numbers = st.integers(1, len(counts))
    steps = data.draw(st.lists(st.tuples(numbers, st.none() | numbers), min_size=1, max_size=50))
    while steps:
        size = data.draw(st.integers(1, 6))
        block, steps = steps[:size], steps[size:]
        messages = []
        for number, other in block:
            if other is None:
                messages.append(batch(number, model.offsets[number - 1], counts[number - 1]))
                model.arrive(number)
            else:
                messages.append(declared(min(number, other), max(number, other), model.offsets))
                model.drop(min(number, other), max(number, other))
        known = set(model.stored)
        _, decision = enter(ledger, messages)
        assert not decision.miscounted
        assert model.stored == known
        (row,) = ledger.rows()
        model.check(row)
        if data.draw(st.booleans()):
            lives = [msgspec.structs.replace(life, holes=list(life.holes)) for life in ledger._lives["pump"].values()]
            ledger = Ledger(lives)
            assert ledger.rows() == [row]
    for hole, after in itertools.pairwise(ledger._lives["pump"][1].holes):
        assert hole.last < after.first
        assert not (hole.dropped and after.dropped and hole.last + 1 == after.first)


def test_a_gap_that_is_declared_later_is_closed_with_its_explanation():
    offsets = [0, 10, 20, 30, 40, 50]
    ledger = Ledger()
    enter(ledger, [batch(1, 0, 10), batch(5, 40, 10)])
    ((_, hole),) = ledger.overdue(before=2000)
    hole.announced = True
    assert ledger.announced_holes("pump") == 1
    _, decision = enter(ledger, [declared(3, 4, offsets)])
    assert not decision.closed, "batch 2 is missing still"
    assert (ledger.announced_holes("pump"), ledger.rows()[0].missing, ledger.rows()[0].dropped) == (1, 10, 20)
    _, decision = enter(ledger, [batch(2, 10, 10)])
    assert [source for source, _ in decision.closed] == ["pump"]
    assert ledger.announced_holes("pump") == 0
    assert ledger.explained("pump")[0] == 20
    assert ledger.explained("pump")[0] == 0, "an explanation is told once"
    assert (ledger.rows()[0].state, ledger.overdue(before=2000)) == ("dropped", [])


def test_only_so_many_dropped_runs_are_kept_one_by_one(monkeypatch):
    monkeypatch.setattr(life, "HOLES_KEPT", 5)
    ledger, offsets = Ledger(), list(range(0, 1000, 10))
    for number in range(1, 41, 2):
        enter(ledger, [declared(number, number, offsets), batch(number + 1, offsets[number], 10)])
    (row,) = ledger.rows()
    assert (row.stored, row.dropped, row.missing, row.sent) == (200, 200, 0, 400)
    assert len(ledger._lives["pump"][1].holes) == 5


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
        first = chooser.randrange(1, 190)
        block.append(declared(first, first + chooser.randrange(10), offsets))
        if chooser.random() < 0.3:
            store.close()
            store = IngestStore(tmp_path / "ingest.db")
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


def test_what_the_edge_still_holds_is_pending_and_no_gap():
    """After a time without a link what is new comes first: what is between is on its way, as long as the edge says so."""
    ledger = Ledger()
    enter(ledger, [batch(1, 0, 10), batch(5, 40, 10)])
    (row,) = ledger.rows()
    assert (row.state, row.missing, row.gaps, row.pending) == ("gap", 30, 1, 0)
    ledger.announce("pump", 1, 7, 70, acknowledged=1, heard=5000)
    (row,) = ledger.rows()
    assert (row.state, row.missing, row.gaps, row.pending, row.sent) == ("pending", 0, 0, 30 + 20, 70)
    assert ledger.overdue(4000) == []
    assert [(hole.first, hole.last) for _, hole in ledger.overdue(6000)] == [(2, 4)], "an edge that is silent holds nothing"
    enter(ledger, [batch(2, 10, 10)])
    ledger.announce("pump", 1, 7, 70, acknowledged=3, heard=7000)
    (row,) = ledger.rows()
    assert (row.state, row.missing, row.gaps, row.pending) == ("gap", 20, 1, 20), "what it believes stored is missing: 3"
    assert [(hole.first, hole.last) for _, hole in ledger.overdue(6000)] == [(3, 4)]
    ledger.announce("pump", 2, 7, 70, acknowledged=0, heard=9000)
    assert ledger.overdue(8000), "another life's journal says nothing of this one"


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


def test_a_file_of_the_first_version_is_taken_over(tmp_path):
    path = tmp_path / "ingest.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE position (stream TEXT PRIMARY KEY, generation INTEGER NOT NULL, created TEXT NOT NULL,
          position INTEGER NOT NULL, intent_first INTEGER, intent_last INTEGER, intent_token TEXT) STRICT;
        CREATE TABLE life (source TEXT NOT NULL, epoch INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
          next_offset INTEGER NOT NULL, stored INTEGER NOT NULL, duplicated INTEGER NOT NULL, since INTEGER NOT NULL,
          last_time INTEGER NOT NULL, miscounts INTEGER NOT NULL, PRIMARY KEY (source, epoch)) STRICT, WITHOUT ROWID;
        CREATE TABLE hole (source TEXT NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
          "offset" INTEGER NOT NULL, "end" INTEGER NOT NULL, opened INTEGER NOT NULL, announced INTEGER NOT NULL,
          PRIMARY KEY (source, epoch, first)) STRICT, WITHOUT ROWID;
        CREATE TABLE dead (id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, sequence INTEGER NOT NULL,
          subject TEXT NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL, head BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL) STRICT;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO position VALUES ('S', 1, 'then', 5, NULL, NULL, NULL);
        INSERT INTO life VALUES ('pump', 1, 6, 50, 20, 3, 7, 8, 0);
        INSERT INTO hole VALUES ('pump', 1, 2, 4, 10, 40, 1, 1);
        PRAGMA user_version=1;
        """
    )
    connection.close()
    store = IngestStore(path)
    ledger = Ledger(store.lives())
    (row,) = ledger.rows()
    assert (row.stored, row.missing, row.dropped, row.duplicated, row.state) == (20, 30, 0, 3, "gap")
    _, decision = enter(ledger, [declared(2, 4, [0, 10, 20, 30, 40])])
    store.commit("S", 6, decision.touched)
    store.close()
    store = IngestStore(path)
    (row,) = Ledger(store.lives()).rows()
    assert (row.stored, row.missing, row.dropped, row.sent, row.state) == (20, 0, 30, 50, "dropped")
    store.close()
