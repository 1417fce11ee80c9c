"""A connector is removed while its journal still holds samples: they reach the spine, and then the journal goes."""

from __future__ import annotations

import json
import time

import anyio
import msgspec
import pytest
from edge_process import EdgeProcess
from spines import spine_server

from hulian.network.exchange.protocols.modbus.simulator import Simulator
from hulian.network.exchange.spine import codec
from hulian.network.exchange.spine.bundle import unpack
from hulian.network.exchange.spine.consumer import BatchConsumer
from hulian.network.exchange.spine.errors import SpineUnavailableError
from hulian.network.exchange.spine.streams import HISTORIAN, SAMPLES, Subjects
from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.journal import Journal

pytestmark = pytest.mark.anyio
SUBJECTS = Subjects("plant")
STREAM = 64 * 1024
"""A stream of samples that is full at once as long as nobody takes them."""


@pytest.fixture
async def spine(tmp_path, ports):
    async with spine_server(tmp_path, ports(), samples_bytes=STREAM) as server:
        yield server


@pytest.fixture
def edge(tmp_path, spine):
    one = EdgeProcess(tmp_path / "node", spine)
    yield one
    ended = one.process.poll() if one.process is not None else None
    one.kill()
    print(f"the edge {'was running' if ended is None else f'had ended with {ended}'}; it said:\n{one.log()}")


async def ask(server, **request):
    async with await server.connect("api") as spine:
        with anyio.fail_after(60):
            while True:
                try:
                    answer = await spine.request(SUBJECTS.control("edge"), msgspec.json.encode(request), timeout=15)
                    return json.loads(answer.payload)
                except SpineUnavailableError:
                    await anyio.sleep(0.05)


async def status(server, kind, name, condition):
    """What the edge says of a connector or an orphan, once it is so."""
    with anyio.fail_after(60):
        while True:
            for item in (await ask(server, do="status"))[kind]:
                if item["name"] == name and condition(item):
                    return item
            await anyio.sleep(0.05)


def refused(item):
    return item["journal"]["refusal"] and item["journal"]["sequence"] > item["journal"]["acknowledged"] + 50


class Taker:
    """Who takes the samples from the stream, as ingest does, and writes down what came."""

    def __init__(self, spine):
        self.spine = spine
        self.batches = []

    def of(self, source):
        return [batch.header for batch in self.batches if batch.header.source == source]

    async def run(self):
        async with BatchConsumer(self.spine, SAMPLES, HISTORIAN) as consumer:
            await consumer.reset(1)
            while True:
                block = await consumer.next(1000, 2**20, 0.02)
                for _, _, payload in block:
                    self.batches += [codec.decode(raw) for raw in unpack(payload)]
                consumer.ack_through(block[-1][0])


async def gone(path):
    with anyio.fail_after(60):
        while path.exists():
            await anyio.sleep(0.02)


async def whole(taker, source, sequence):
    """Everything that was numbered comes, in samples too, and nothing else."""
    with anyio.move_on_after(30):
        while len({header.sequence for header in taker.of(source)}) < sequence:
            await anyio.sleep(0.02)
    found = {header.sequence: header.offset for header in taker.of(source)}
    assert sorted(found) == list(range(1, sequence + 1))
    assert [found[number] for number in sorted(found)] == list(range(sequence))


async def test_what_a_removed_connector_had_read_reaches_the_spine_over_kill_9(spine, edge):
    async with Simulator() as device, await spine.connect("historian") as reader, anyio.create_task_group() as group:
        await device.set("holding@0:float32", 1.0)
        edge.configure(line=device.url)
        edge.start()
        await status(spine, "connectors", "line", refused)
        edge.configure()
        assert await ask(spine, do="reload") == {"ok": True}
        assert (await ask(spine, do="status"))["connectors"] == []
        left = await status(spine, "orphans", "line", lambda item: item["waiting"] and item["journal"]["epoch"])
        assert left["orphan"]
        numbered = left["journal"]["sequence"]
        edge.kill()
        edge.start()
        await status(spine, "orphans", "line", lambda item: item["journal"]["sequence"] == numbered)
        taker = Taker(reader)
        group.start_soon(taker.run)
        before = 0
        while edge.journal("line").exists():
            # Again and again in the middle of it.
            with anyio.move_on_after(0.3):
                await gone(edge.journal("line"))
            if before < 3 and edge.journal("line").exists():
                before += 1
                edge.kill()
                edge.start()
                await ask(spine, do="status")
        await whole(taker, "line", numbered)
        assert (await ask(spine, do="status"))["orphans"] == []
        group.cancel_scope.cancel()


async def test_a_renamed_connector_begins_its_own_account_and_the_old_one_is_finished(spine, edge):
    async with Simulator() as device, await spine.connect("historian") as reader, anyio.create_task_group() as group:
        await device.set("holding@0:float32", 1.0)
        edge.configure(line=device.url)
        edge.start()
        await status(spine, "connectors", "line", refused)
        edge.kill()
        edge.configure(mill=device.url)
        edge.start()
        left = await status(spine, "orphans", "line", lambda item: item["journal"]["epoch"])
        taker = Taker(reader)
        group.start_soon(taker.run)
        await gone(edge.journal("line"))
        await whole(taker, "line", left["journal"]["sequence"])
        with anyio.fail_after(30):
            while len(taker.of("mill")) < 5:
                await anyio.sleep(0.05)
        # A connector of the old name that comes back begins another epoch, so that nothing is taken for a repeat.
        edge.configure(mill=device.url, line=device.url)
        await ask(spine, do="reload", connector="line")
        again = await status(spine, "connectors", "line", lambda item: item["journal"]["sequence"])
        assert again["journal"]["epoch"] > left["journal"]["epoch"]
        group.cancel_scope.cancel()


async def test_a_connector_that_comes_back_in_time_goes_on_with_its_journal(spine, edge):
    async with Simulator() as device, await spine.connect("historian") as reader, anyio.create_task_group() as group:
        await device.set("holding@0:float32", 1.0)
        edge.configure(line=device.url)
        edge.start()
        await status(spine, "connectors", "line", refused)
        edge.configure()
        await ask(spine, do="reload")
        left = await status(spine, "orphans", "line", lambda item: item["journal"]["epoch"])
        edge.configure(line=device.url)
        await ask(spine, do="reload")
        on = await status(
            spine, "connectors", "line", lambda item: item["journal"]["sequence"] > left["journal"]["sequence"] + 20
        )
        assert on["journal"]["epoch"] == left["journal"]["epoch"]
        assert (await ask(spine, do="status"))["orphans"] == []
        edge.configure()
        await ask(spine, do="reload")
        left = await status(spine, "orphans", "line", lambda item: item["journal"]["epoch"])
        taker = Taker(reader)
        group.start_soon(taker.run)
        await gone(edge.journal("line"))
        await whole(taker, "line", left["journal"]["sequence"])
        group.cancel_scope.cancel()


async def test_a_journal_that_cannot_be_read_stays_and_harms_no_other(spine, edge):
    broken, good = edge.journal("broken"), edge.journal("good")
    for path in (broken, good):
        journal = Journal(path, bound=2**22, policy=BufferPolicy.DROP_OLDEST)
        journal.open()
        journal.epoch = int(time.time()) - 5
        journal.close()
    (broken / "00000000000000000000.journal").write_bytes(b"not a journal" * 100)
    edge.configure()
    edge.start()
    left = await status(spine, "orphans", "broken", lambda item: item["status"].get("error_code"))
    assert left["status"]["error_code"] == "HL-EDGE-0001"
    assert not left["waiting"]
    await gone(good)
    assert broken.exists()
