"""Nothing acknowledged is lost and nothing doubled, whatever is killed and whenever; the ledger and the roll-ups agree."""

from __future__ import annotations

import asyncio
import random
import time

import numpy as np
import pytest
from historian_process import STEPS
from nats_node import ORGANISATION

from hulian.data.historian.contract import Aggregate, RawWindow
from hulian.data.ingest.client import QueryClient
from hulian.kernel.errors import HulianError
from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.network.exchange.spine.codec import encode
from hulian.network.exchange.spine.errors import StreamFullError
from hulian.network.exchange.spine.publisher import Published, Publisher
from hulian.network.exchange.spine.streams import Subjects

pytestmark = pytest.mark.anyio
SUBJECTS = Subjects(ORGANISATION)
POINTS = 50
SECOND = 10**9
SERIES = (11, 12)


def message(sequence, source="pump", epoch=1):
    """Batch ``sequence``: one sample a second of two series, numbered values, so that every sample is known."""
    first = (sequence - 1) * POINTS
    numbers = np.arange(first, first + POINTS)
    columns = Columns.doubles(np.where(numbers % 2, 12, 11), numbers * SECOND, numbers.astype(float))
    return encode(SampleBatch(BatchHeader(ORGANISATION, source, epoch, sequence, first, time.time_ns()), columns))


class Sender:
    """An edge: sends its journal in order, again and again until everything is acknowledged."""

    def __init__(self, publisher, source="pump"):
        self.publisher = publisher
        self.source = source
        self.acknowledged: set[int] = set()
        self.refused = 0

    async def send(self, sequences, pause=0.0, identity="first"):
        waiting = list(sequences)
        while waiting:
            futures = {}
            for sequence in waiting:
                payload = message(sequence, self.source)
                futures[sequence] = await self.publisher.send(
                    SUBJECTS.samples(self.source), payload, f"{identity}-{self.source}-1-{sequence}"
                )
                if pause:
                    await asyncio.sleep(pause)
            results = await asyncio.gather(*futures.values(), return_exceptions=True)
            waiting = []
            for sequence, result in zip(futures, results, strict=True):
                if isinstance(result, Published):
                    self.acknowledged.add(sequence)
                else:
                    assert isinstance(result, HulianError), result
                    self.refused += isinstance(result, StreamFullError)
                    waiting.append(sequence)
            if waiting:
                await asyncio.sleep(0.2)


async def stored(client, samples, seconds=60.0, source="pump"):
    """The ledger's row once it counts ``samples`` as stored."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                rows = [row for row in await client.ledger() if row.source == source]
                if rows and rows[0].stored >= samples:
                    return rows[0]
            except HulianError:
                pass
            await asyncio.sleep(0.05)


async def check(client, batches):
    """Every sample of batches 1 to ``batches`` once: raw, and in minutes."""
    samples = batches * POINTS
    row = await stored(client, samples)
    assert (row.stored, row.missing, row.sent) == (samples, 0, samples), row
    table = await client.table(RawWindow(series=SERIES, start=0, end=samples * SECOND, limit=10_000_000))
    values = np.sort(table["value"].to_numpy())
    assert np.array_equal(values, np.arange(samples, dtype=float)), f"{len(values)} rows of {samples}"
    minutes = await client.table(
        Aggregate(series=SERIES, start=0, end=(samples + 3600) * SECOND, step=3600 * SECOND, functions=["count", "sum"])
    )
    assert sum(minutes["count"].to_pylist()) == samples, "a roll-up counts otherwise than the raw table"
    assert sum(minutes["sum"].to_pylist()) == pytest.approx(samples * (samples - 1) / 2)
    return row


@pytest.mark.parametrize("step", STEPS)
async def test_kill_9_at_every_step_of_a_block(make_node, make_historian, step):
    node = make_node()
    await node.open({})
    historian = make_historian(node, block_ms=20)
    async with await node.connect("edge") as edge, await node.connect("api") as api, Publisher(edge) as publisher:
        sender, client = Sender(publisher), QueryClient(api, ORGANISATION)
        historian.start(crash=step, after=1)
        await sender.send([1])
        await stored(client, POINTS)
        sending = asyncio.create_task(sender.send(range(2, 121), pause=0.005))
        await historian.died()
        historian.start()
        await sending
        row = await check(client, 120)
        assert row.duplicated == 0
        # Much later than the server remembers ids, an edge that lost its place sends everything again.
        await sender.send(range(1, 121), identity="again")
        async with asyncio.timeout(30):
            while (await stored(client, 1)).duplicated < 120 * POINTS:
                await asyncio.sleep(0.05)
        await check(client, 120)


async def test_kill_9_of_server_and_historian_at_random_moments(make_node, make_historian):
    await _storm(make_node, make_historian, kills=6, batches=1500, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(10))
async def test_kill_9_again_and_again(make_node, make_historian, seed):
    await _storm(make_node, make_historian, kills=25, batches=10_000, seed=seed)


async def _storm(make_node, make_historian, kills, batches, seed):
    chooser = random.Random(seed)
    node = make_node()
    await node.open({})
    historian = make_historian(node, block_ms=10)
    historian.start()
    async with await node.connect("edge") as edge, await node.connect("api") as api, Publisher(edge, timeout=30) as publisher:
        sender, client = Sender(publisher), QueryClient(api, ORGANISATION)
        sending = asyncio.create_task(sender.send(range(1, batches + 1), pause=0.002))
        for number in range(kills):
            await asyncio.sleep(chooser.uniform(0.05, 0.6))
            if number % 3 == 2:
                node.kill()
                await node.start()
            else:
                if number % 3 == 1:
                    # The one before is starting: let it come far enough to have something under way.
                    await stored(client, 1)
                historian.kill()
                historian.start()
        await sending
        await check(client, batches)


async def test_a_full_stream_stops_the_sender_and_loses_nothing(make_node, make_historian):
    node = make_node(samples_bytes=1 << 20)
    await node.open({})
    async with await node.connect("edge") as edge, await node.connect("api") as api, Publisher(edge) as publisher:
        sender, client = Sender(publisher), QueryClient(api, ORGANISATION)
        sending = asyncio.create_task(sender.send(range(1, 1501)))
        async with asyncio.timeout(30):
            while not sender.refused:
                await asyncio.sleep(0.05)
        assert publisher.refused_full >= sender.refused
        historian = make_historian(node, block_ms=20)
        historian.start()
        await sending
        await check(client, 1500)
