"""The historian's process as others see it: gaps and their closing, dead letters, events, queries, backup."""

from __future__ import annotations

import asyncio
import time

import msgspec
import numpy as np
import pytest
from nats_node import ORGANISATION

from hulian.data.historian.contract import Annotate, Annotations, Correct, Events, LastValues, Limits, RawWindow
from hulian.data.historian.errors import QueryLimitError, RequestError
from hulian.data.ingest.client import QueryClient
from hulian.data.ingest.errors import AskError, BusyError
from hulian.data.ingest.store import IngestStore
from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.bundle import pack
from hulian.network.exchange.spine.codec import Dropped, encode, encode_dropped
from hulian.network.exchange.spine.errors import SpineUnavailableError
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.streams import Subjects

pytestmark = pytest.mark.anyio
SUBJECTS = Subjects(ORGANISATION)
SECOND = 10**9


class Plant:
    """Everything around one historian."""

    def __init__(self, node, historian, edge, api, publisher):
        self.node, self.historian, self.edge, self.api, self.publisher = node, historian, edge, api, publisher
        self.client = QueryClient(api, ORGANISATION)

    async def send(self, sequence, columns, offset, source="pump", epoch=1, subject=None):
        header = BatchHeader(ORGANISATION, source, epoch, sequence, offset, time.time_ns())
        raw = encode(SampleBatch(header, columns))
        await (await self.publisher.send(subject or SUBJECTS.samples(source), raw))

    async def doubles(self, sequence, offset, count=10, source="pump", epoch=1):
        numbers = np.arange(offset, offset + count)
        await self.send(sequence, Columns.doubles(np.full(count, 7), numbers * SECOND, numbers), offset, source, epoch)

    async def row(self, condition, source="pump", seconds=30.0):
        async with asyncio.timeout(seconds):
            while True:
                for row in await self.client.ledger():
                    if row.source == source and condition(row):
                        return row
                await asyncio.sleep(0.05)

    async def answers(self):
        end = time.monotonic() + 60
        while True:
            try:
                await self.client.ledger()
                break
            except SpineUnavailableError:
                assert self.historian.process.poll() is None, self.historian.log
                assert time.monotonic() < end, self.historian.log
                await asyncio.sleep(0.1)

    async def events(self, count, code, seconds=30.0):
        async with asyncio.timeout(seconds):
            while True:
                table = await self.client.table(Events())
                rows = [row for row in table.to_pylist() if row["code"] == code] if table.num_rows else []
                if len(rows) >= count:
                    return rows
                await asyncio.sleep(0.1)


@pytest.fixture
async def plant(make_node, make_historian, anyio_backend):
    node = make_node()
    await node.open({})
    historian = make_historian(node, block_ms=20, gap_seconds=0.3, queries_at_once=1, queries_waiting=1)
    historian.start()
    async with await node.connect("edge") as edge, await node.connect("api") as api, Publisher(edge) as publisher:
        one = Plant(node, historian, edge, api, publisher)
        await one.answers()
        yield one


async def test_a_gap_is_reported_and_closed_when_the_samples_come(plant):
    await plant.doubles(1, 0)
    await plant.doubles(4, 30)
    row = await plant.row(lambda row: row.missing)
    assert (row.stored, row.missing, row.gaps, row.state) == (20, 20, 1, "gap")
    (opened,) = await plant.events(1, "HL-INGEST-0101")
    assert opened["active"] is True or opened["active"] == 1
    assert opened["subject"] == "pump"
    assert opened["hint"]
    await plant.doubles(3, 20)
    await plant.doubles(2, 10)
    row = await plant.row(lambda row: row.state == "complete")
    assert (row.stored, row.missing, row.duplicated) == (40, 0, 0)
    assert len(await plant.events(2, "HL-INGEST-0101")) == 2
    table = await plant.client.table(RawWindow(series=[7], start=0, end=100 * SECOND))
    assert sorted(table["value"].to_pylist()) == [float(number) for number in range(40)]


async def test_what_is_no_batch_is_kept_aside_and_stops_nothing(plant):
    await (await plant.publisher.send(SUBJECTS.samples("pump"), b"garbage"))
    await plant.send(1, Columns.doubles([0], [1], [1.0]), 0)
    forged = Columns.doubles([7], [1], [666.0])
    await plant.send(1, forged, 0, source="boiler", subject=SUBJECTS.samples("pump"))
    await plant.doubles(1, 0)
    row = await plant.row(lambda row: row.stored == 10 and row.undecodable == 3)
    assert row.missing == 0
    events = await plant.events(1, "HL-INGEST-0102")
    assert events[0]["hint"]
    assert not [row for row in await plant.client.ledger() if row.source == "boiler"]
    plant.historian.stop()
    store = IngestStore(plant.historian.directory / "ingest.db")
    letters = store.dead_letters()
    store.close()
    assert [letter.head for letter in letters][-1] == b"garbage"
    assert len(letters) == 3


async def test_a_bad_batch_of_a_bundle_harms_no_other(plant):
    header = BatchHeader(ORGANISATION, "pump", 1, 1, 0, 5)
    good = encode(SampleBatch(header, Columns.doubles([7], [1], [1.0])))
    await (await plant.publisher.send(SUBJECTS.samples("pump"), pack([b"HL-rubbish", good, b"HL"])))
    await (await plant.publisher.send(SUBJECTS.samples("pump"), pack([good, good])[:-1]))
    row = await plant.row(lambda row: row.undecodable == 3)
    assert (row.stored, row.missing, row.duplicated) == (1, 0, 0)


async def test_every_storage_class_arrives(plant):
    kinds = {
        StorageClass.DOUBLE: [1.5, None],
        StorageClass.INTEGER: [2**62, None],
        StorageClass.BOOLEAN: [True, None],
        StorageClass.TEXT: ["互", None],
        StorageClass.BYTES: [b"\x00\xff", None],
        StorageClass.STRUCTURE: ['{"a":1}', None],
    }
    for number, (storage, values) in enumerate(kinds.items()):
        await plant.send(number + 1, Columns.of(storage, [number + 1] * 2, [1, 2], values, [0, 0x80000000]), number * 2)
    await plant.row(lambda row: row.stored == 12)
    for number, (storage, values) in enumerate(kinds.items()):
        table = await plant.client.table(RawWindow(series=[number + 1], start=0, end=10, storage=storage))
        assert table["value"].to_pylist() == values, storage
        assert table["status"].to_pylist() == [0, 0x80000000]


async def test_events_of_every_component_reach_the_historian(plant):
    note = Event(
        time=time.time_ns(), code="HL-TEST-0001", severity=Severity.WARNING, component="edge", subject="pump", message="hot"
    )
    await (await plant.publisher.send(SUBJECTS.events("warning", "edge"), msgspec.json.encode(note), "test-1"))
    await (await plant.publisher.send(SUBJECTS.events("warning", "edge"), b"{", "test-2"))
    (row,) = await plant.events(1, "HL-TEST-0001")
    assert (row["severity"], row["subject"], row["message"]) == ("warning", "pump", "hot")


async def test_a_new_epoch_is_told_and_pending_is_what_the_edge_says(plant):
    await plant.doubles(1, 0)
    await plant.row(lambda row: row.stored == 10)
    await plant.doubles(1, 0, epoch=2)
    await plant.events(1, "HL-INGEST-0103")
    status = {"name": "pump", "journal": {"epoch": 2, "sequence": 3, "offset": 30}}
    await plant.edge.publish(SUBJECTS.status("edge", "pump"), msgspec.json.encode(status))
    row = await plant.row(lambda row: row.pending)
    assert (row.sent, row.stored, row.pending, row.state) == (40, 20, 20, "pending")


async def test_large_answers_come_in_chunks_and_errors_with_their_class(plant):
    count = 200_000
    columns = Columns.doubles(np.full(count, 9), np.arange(count) * SECOND, np.random.default_rng(1).random(count))
    await plant.client.insert_history([columns], "import-1")
    await plant.client.insert_history([columns], "import-1")
    batches = [batch async for batch in plant.client.query(RawWindow(series=[9], start=0, end=count * SECOND, limit=10**7))]
    assert len(batches) > 2
    assert sum(batch.num_rows for batch in batches) == count
    assert max(batch.nbytes for batch in batches) < 2 << 20
    with pytest.raises(RequestError):
        await plant.client.table(RawWindow(series=[9], start=5, end=1))
    with pytest.raises(QueryLimitError):
        await plant.client.table(RawWindow(series=[9], start=0, end=count * SECOND, limit=10**7), Limits(rows=1000))


async def test_an_asker_that_goes_away_frees_its_place(plant):
    count = 900_000
    columns = Columns.doubles(np.full(count, 9), np.arange(count) * SECOND, np.random.default_rng(1).random(count))
    await plant.client.insert_history([columns], "import-1")
    whole = RawWindow(series=[9], start=0, end=count * SECOND, limit=10**7)
    held = [plant.client.query(whole) for _ in range(2)]
    waiting = [asyncio.create_task(anext(one)) for one in held]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(BusyError):
        await plant.client.table(LastValues(series=[9]))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for one in held:
        await one.aclose()
    async with asyncio.timeout(20):
        while True:
            try:
                assert (await plant.client.table(LastValues(series=[9]))).num_rows == 1
                break
            except BusyError:
                await asyncio.sleep(0.05)


async def test_notes_and_corrections_travel(plant):
    await plant.doubles(1, 0)
    await plant.row(lambda row: row.stored == 10)
    note = Annotate(id="n1", series=7, start=0, end=5 * SECOND, author="ada", text="cleaned", created=1)
    await plant.client.annotate(note)
    assert (await plant.client.table(Annotations(series=[7])))["text"].to_pylist() == ["cleaned"]
    corrected = Columns.doubles([7], [3 * SECOND], [33.0])
    await plant.client.correct(Correct(columns=corrected, author="ada", reason="sensor"))
    table = await plant.client.table(RawWindow(series=[7], start=0, end=100 * SECOND))
    assert table["value"].to_pylist() == [0.0, 1.0, 2.0, 33.0, *map(float, range(4, 10))]


async def test_backup_is_of_one_moment_while_samples_flow(plant, tmp_path):
    sending = asyncio.create_task(_flow(plant))
    await plant.row(lambda row: row.stored > 300)
    target = tmp_path / "backup"
    answer = await plant.client.backup(str(target))
    assert answer
    sending.cancel()
    store = IngestStore(target / "ingest.db")
    (life,) = store.lives()
    assert life.stored > 300
    assert store.position("HL_SAMPLES").intent is None
    store.close()
    with pytest.raises(AskError):
        await plant.client.backup("relative/path")
    reply = await plant.api.request(SUBJECTS.control("historian"), b'{"do":"dance"}')
    assert msgspec.json.decode(reply.payload)["error"]["code"] == "HL-INGEST-0004"


async def _flow(plant):
    for number in range(100_000):
        await plant.doubles(number + 1, number * 10)


async def test_nobody_answers_is_an_error_at_once(make_node):
    node = make_node()
    await node.open({})
    async with await node.connect("api") as api:
        client = QueryClient(api, ORGANISATION)
        for question in (client.ledger(), client.sizes(), client.table(LastValues())):
            with pytest.raises(HulianError) as caught:
                await question
            assert caught.value.code == "HL-SPINE-0001"


async def test_a_gap_that_the_edge_declares_as_dropped_is_closed_with_that_explanation(plant):
    await plant.doubles(1, 0)
    await plant.doubles(4, 30)
    await plant.row(lambda row: row.missing == 20)
    await plant.events(1, "HL-INGEST-0101")
    declared = encode_dropped(Dropped(ORGANISATION, "pump", 1, 2, 3, 10, 30, time.time_ns()))
    forged = encode_dropped(Dropped(ORGANISATION, "boiler", 1, 1, 9, 0, 90, time.time_ns()))
    await (await plant.publisher.send(SUBJECTS.samples("pump"), forged))
    await (await plant.publisher.send(SUBJECTS.samples("pump"), declared))
    await plant.doubles(5, 40)
    row = await plant.row(lambda row: row.stored == 30 and row.dropped)
    assert (row.missing, row.dropped, row.gaps, row.sent, row.state) == (0, 20, 0, 50, "dropped")
    assert row.undecodable == 1, "another source's declaration was believed"
    assert not [row for row in await plant.client.ledger() if row.source == "boiler"]
    _, closed = sorted(await plant.events(2, "HL-INGEST-0101"), key=lambda found: found["time"])
    assert not closed["active"]
    assert "20 were dropped" in closed["message"]
    plant.historian.kill()
    plant.historian.start()
    await plant.answers()
    await plant.doubles(2, 10)
    row = await plant.row(lambda row: row.stored == 40)
    assert (row.dropped, row.missing, row.sent) == (10, 0, 50), "a batch that came all the same is stored"
