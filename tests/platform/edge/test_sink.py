"""What an input that commits positions may rely on: one group, whatever its size; and a journal that says how full it is."""

from __future__ import annotations

import anyio
import numpy as np
import pytest

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine import codec
from hulian.platform.edge.config import BufferPolicy, EdgeConfiguration
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import MAXIMUM_PAYLOAD, Journal
from hulian.platform.edge.processing.bank import FilterBank
from hulian.platform.edge.processing.declaration import filters_of
from hulian.platform.edge.sink import JournalSink

pytestmark = pytest.mark.anyio


def opened(directory, bound=2**26):
    journal = Journal(directory, bound=bound, policy=BufferPolicy.DROP_NEWEST)
    journal.open()
    return journal, JournalSink("plant", "in", journal, EdgeConfiguration(batch_rows=100), codec.encode, print, lambda: None)


def doubles(count):
    return Columns.doubles(np.ones(count), np.arange(count) + 1, np.arange(count, dtype=float))


async def test_samples_and_their_position_are_one_group_however_many_there_are(tmp_path, monkeypatch):
    journal, sink = opened(tmp_path)
    groups = []
    append = journal.append
    monkeypatch.setattr(journal, "append", lambda batches, position=None: groups.append(position) or append(batches, position))
    for position in (7, 8):
        for _ in range(3):
            sink.samples(doubles(500))  # far more than what is flushed without waiting
        await sink.commit(position)
    assert groups == [7, 8]
    journal.close()
    again, _ = opened(tmp_path)
    assert again.position == 8
    again.close()


async def test_a_position_that_the_disk_refused_goes_with_the_next_attempt(tmp_path, monkeypatch):
    journal, sink = opened(tmp_path)
    append, refused, groups = journal.append, [True], []

    def sometimes(batches, position=None):
        groups.append(position)
        return False if refused and refused.pop() else append(batches, position)

    monkeypatch.setattr(journal, "append", sometimes)
    sink.samples(doubles(10))
    sink._flush(5)  # the disk is full
    sink._flush()  # the timer tries again before `commit` does
    assert groups == [5, 5]
    assert journal.position == 5
    journal.close()


async def test_long_texts_are_cut_into_batches_that_a_record_holds(tmp_path):
    journal, sink = opened(tmp_path)
    texts = ["x" * 1_000_000] * 30
    sink.samples(Columns.of(StorageClass.TEXT, [1] * 30, range(1, 31), texts))
    await sink.commit(1)
    records, _ = journal.read(journal.cursor(), 2**26)
    assert sum(record.rows for record in records) == 30
    assert len(records) > 3
    assert max(len(record.payload) for record in records) < MAXIMUM_PAYLOAD
    journal.close()


async def test_the_journal_says_how_full_it_is_with_what_nobody_has_taken(tmp_path):
    journal, sink = opened(tmp_path, bound=2**20)
    assert sink.fill == 0.0
    sink.samples(doubles(20_000))
    await sink.commit(1)
    assert 0.3 < sink.fill < 1.0
    journal.acknowledge(journal.sequence)
    assert sink.fill == 0.0
    journal.close()


async def test_filters_stand_before_the_journal_and_an_open_interval_is_not_lost_at_a_clean_end(tmp_path):
    journal, _ = opened(tmp_path)
    options = {"filters": {"report": {}, "rate": {"interval_s": 1000}}}
    bank = FilterBank({1: filters_of(options, StorageClass.DOUBLE, place="point")})
    sink = JournalSink("plant", "in", journal, EdgeConfiguration(), codec.encode, print, lambda: None, bank)
    sink.samples(Columns.doubles([1, 1, 1, 2], [1, 2, 3, 4], [5.0, 5.0, 6.0, 7.0]))
    await sink.commit()
    assert journal.offset == 1  # the series without filters
    sink.close()
    records, _ = journal.read(journal.cursor())
    written = [codec.decode(record.payload).columns for record in records]
    assert [columns.value.to_pylist() for columns in written] == [[7.0], [6.0]]
    assert sink.filtered == 2
    journal.close()


async def test_what_is_silent_is_told_and_journalled(tmp_path):
    journal, _ = opened(tmp_path)
    bank = FilterBank({1: filters_of({"filters": {"stale": {"after_s": 0.1}}}, StorageClass.DOUBLE, place="point")})
    told = []
    sink = JournalSink("plant", "in", journal, EdgeConfiguration(), codec.encode, told.append, lambda: None, bank)
    async with anyio.create_task_group() as group:
        group.start_soon(sink.watch)
        with anyio.fail_after(10):
            while not told or not journal.sequence:
                await anyio.sleep(0.01)
            sink.samples(Columns.doubles([1], [1], [1.0]))
            while len(told) < 2:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert [(event.code, event.subject, event.active) for event in told[:2]] == [
        (EdgeEvent.POINT_STALE, "1", True),
        (EdgeEvent.POINT_STALE, "1", False),
    ]
    records, _ = journal.read(journal.cursor())
    assert codec.decode(records[0].payload).columns.status.tolist() == [Quality.BAD_NO_COMMUNICATION]
    journal.close()
