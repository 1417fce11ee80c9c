"""The link: it comes back by itself, loses nothing that was acknowledged, and says what it dropped."""

from __future__ import annotations

import asyncio

import pytest
from nats_node import ORGANISATION

from hulian.network.exchange.spine.configuration import MAXIMUM_PAYLOAD
from hulian.network.exchange.spine.consumer import BatchConsumer
from hulian.network.exchange.spine.errors import (
    MessageTooLargeError,
    PublishError,
    SpineUnavailableError,
    StreamError,
    StreamFullError,
)
from hulian.network.exchange.spine.publisher import Published, Publisher
from hulian.network.exchange.spine.streams import (
    HISTORIAN,
    SAMPLES,
    Subjects,
    declare,
    drop_consumer,
    state,
)

pytestmark = pytest.mark.anyio
SUBJECTS = Subjects(ORGANISATION)
PUMP = SUBJECTS.samples("pump")


async def until(condition, seconds=15.0):
    async with asyncio.timeout(seconds):
        while not (result := condition()):
            await asyncio.sleep(0.02)
        return result


async def test_requests_end_where_nobody_answers(node):
    async with await node.connect("api") as api:
        with pytest.raises(SpineUnavailableError, match="nobody serves"):
            await api.request(SUBJECTS.query_ledger)
        async with await node.connect("historian") as historian:
            await historian.subscribe(SUBJECTS.query_ledger)
            await historian.request("$JS.API.INFO")
            with pytest.raises(SpineUnavailableError, match="no answer within"):
                await api.request(SUBJECTS.query_ledger, timeout=0.2)


async def test_a_subscription_outlives_the_server_and_counts_what_it_drops(node):
    async with await node.connect("api") as api, await node.connect("edge") as edge:
        heard = await api.subscribe(SUBJECTS.status("edge", "pump"), limit=3)
        node.kill()
        await until(lambda: not api.connected and not edge.connected)
        with pytest.raises(SpineUnavailableError):
            await edge.publish(SUBJECTS.status("edge", "pump"), b"lost")
        await node.start()
        await until(lambda: api.connected and edge.connected)
        for number in range(8):
            await edge.publish(SUBJECTS.status("edge", "pump"), b"%d" % number)
        await until(lambda: heard.dropped == 5)
        assert [(await anext(heard)).payload for _ in range(3)] == [b"0", b"1", b"2"]


async def test_a_full_stream_refuses_and_is_counted(make_node):
    node = make_node(samples_bytes=1 << 20, mqtt_port=0)
    await node.open()
    async with await node.connect("edge") as edge, Publisher(edge) as publisher:
        futures = [await publisher.send(PUMP, bytes(100_000), f"pump-1-{number}") for number in range(20)]
        results = await asyncio.gather(*futures, return_exceptions=True)
        full = [one for one in results if isinstance(one, StreamFullError)]
        stored = [one for one in results if isinstance(one, Published)]
        assert len(full) + len(stored) == 20
        assert 5 <= len(stored) <= 10
        assert publisher.refused_full == len(full)
        assert full[0].code == "HL-SPINE-0004"
        async with await node.connect("historian") as historian, BatchConsumer(historian, SAMPLES, HISTORIAN) as reader:
            await reader.reset(1)
            block = await reader.next(5)
            reader.ack_through(block[-1][0])
            for _ in range(100):
                if (await state(historian, SAMPLES)).messages < len(stored):
                    break
                await asyncio.sleep(0.05)
        assert isinstance(await (await publisher.send(PUMP, bytes(100_000), "pump-1-99")), Published), "room was made"


async def test_repeats_are_recognised_and_bad_messages_refused(node):
    async with await node.connect("edge") as edge, Publisher(edge) as publisher:
        assert not (await (await publisher.send(PUMP, b"x", "pump-1-1"))).duplicate
        assert (await (await publisher.send(PUMP, b"x", "pump-1-1"))).duplicate
        with pytest.raises(MessageTooLargeError):
            await (await publisher.send(PUMP, bytes(MAXIMUM_PAYLOAD + 1)))
        with pytest.raises(PublishError, match="printable"):
            await (await publisher.send(PUMP, b"x", "a\r\nb"))
        with pytest.raises(SpineUnavailableError, match="no stream"):
            await (await publisher.send(f"{PUMP}.deeper", b"x"))


async def test_kill_9_of_the_server_loses_nothing_acknowledged(node):
    acknowledged: set[bytes] = set()
    async with await node.connect("edge") as edge, Publisher(edge, timeout=30) as publisher:
        sent = 0

        async def send():
            nonlocal sent
            while sent < 6000:
                payload = b"%06d" % sent
                sent += 1
                future = await publisher.send(PUMP, payload, f"pump-1-{sent}")
                future.add_done_callback(
                    lambda done, payload=payload: acknowledged.add(payload) if not done.exception() else None
                )
                if sent % 100 == 0:
                    await asyncio.sleep(0.01)

        sending = asyncio.create_task(send())
        for threshold in (1000, 3000):
            await until(lambda threshold=threshold: len(acknowledged) > threshold)
            node.kill()
            await node.start()
        await sending
        async with asyncio.timeout(30):
            await publisher.settled()
    assert len(acknowledged) == 6000, "after the restarts every message was sent again and acknowledged"
    found: list[bytes] = []
    async with await node.connect("historian") as historian, BatchConsumer(historian, SAMPLES, HISTORIAN) as reader:
        await reader.reset(1)
        while len(set(found)) < len(acknowledged):
            found += [payload for _, _, payload in await reader.next(idle_wait=2) or pytest.fail("messages are missing")]
    assert acknowledged <= set(found)


async def test_blocks_are_in_order_and_acknowledged_ones_leave_the_stream(node):
    async with await node.connect("edge") as edge, await node.connect("historian") as historian:
        async with Publisher(edge) as publisher:
            for number in range(3000):
                publisher.post(
                    PUMP, b"%d" % number, "", lambda result: None
                ) if publisher.has_room() else await publisher.room()
            await publisher.settled()
        count = (await state(historian, SAMPLES)).last
        async with BatchConsumer(historian, SAMPLES, HISTORIAN) as reader:
            await reader.reset(1)
            sequences: list[int] = []
            while len(sequences) < count // 2:
                block = await reader.next(400)
                assert len(block) <= 400
                sequences += [sequence for sequence, _, _ in block]
            reader.ack_through(sequences[-1])
            node.kill()
            await node.start()
            await until(lambda: historian.connected)
            with pytest.raises(SpineUnavailableError):
                await reader.next()
            await reader.reset(sequences[-1] + 1)
            while len(sequences) < count:
                sequences += [sequence for sequence, _, _ in await reader.next()]
            assert sequences == list(range(1, count + 1))
            reader.ack_through(sequences[-1])
            for _ in range(200):
                if (found := await state(historian, SAMPLES)).messages == 0:
                    break
                await asyncio.sleep(0.05)
            assert (found.messages, found.last) == (0, count)


async def test_a_block_ends_where_it_is_told(node):
    async with await node.connect("edge") as edge, await node.connect("historian") as historian:
        async with Publisher(edge) as publisher:
            for number in range(50):
                await publisher.send(PUMP, bytes(number))
            await publisher.settled()
        async with BatchConsumer(historian, SAMPLES, HISTORIAN) as reader:
            await reader.reset(11)
            block = await reader.next(through=20)
            assert [sequence for sequence, _, _ in block] == list(range(11, 21))
            assert [len(payload) for _, _, payload in block] == list(range(10, 20))
            assert await reader.next(max_bytes=1)
            await reader.reset(51)
            assert await reader.next(idle_wait=0.1) == []


async def test_a_removed_consumer_is_an_error_and_comes_back(node):
    async with (
        await node.connect("supervisor") as supervisor,
        await node.connect("historian") as historian,
        BatchConsumer(historian, SAMPLES, HISTORIAN) as reader,
    ):
        await reader.reset(1)
        await drop_consumer(supervisor, SAMPLES, HISTORIAN)
        with pytest.raises(StreamError, match="gone"):
            await reader.next(idle_wait=5)
        with pytest.raises(StreamError):
            await reader.reset(1)
        await declare(supervisor, node.configuration, ORGANISATION)
        await reader.reset(1)


async def test_streams_follow_the_configuration(make_node):
    import msgspec

    node = make_node()
    await node.open()
    async with await node.connect("supervisor") as spine:
        wider = msgspec.structs.replace(node.configuration, samples_bytes=5 << 20, samples_hours=1.0)
        await declare(spine, wider, ORGANISATION)
        await declare(spine, wider, ORGANISATION)
        found = msgspec.json.decode((await spine.request("$JS.API.STREAM.INFO.HL_SAMPLES")).payload)["config"]
        assert (found["max_bytes"], found["max_age"]) == (5 << 20, 3600 * 10**9)
        await spine.request("$JS.API.STREAM.DELETE.HL_EVENTS")
        other = {"name": "HL_EVENTS", "subjects": ["x"], "storage": "memory", "retention": "interest"}
        await spine.request("$JS.API.STREAM.CREATE.HL_EVENTS", msgspec.json.encode(other))
        with pytest.raises(StreamError, match="HL_EVENTS") as caught:
            await declare(spine, wider, ORGANISATION)
        assert "JetStream error" in caught.value.place


async def test_the_samples_stream_is_closed_until_its_consumer_is_there(make_node, monkeypatch):
    """Killed between the stream and its consumer, nobody is acknowledged for a message that is dropped."""
    from hulian.network.exchange.spine import streams

    node = make_node(mqtt_port=0)
    await node.start()

    async def killed(*arguments):
        raise asyncio.CancelledError

    async with await node.connect("supervisor") as spine, await node.connect("edge") as edge, Publisher(edge) as publisher:
        with monkeypatch.context() as patch:
            patch.setattr(streams, "declare_consumer", killed)
            with pytest.raises(asyncio.CancelledError):
                await declare(spine, node.configuration, ORGANISATION)
        assert (await state(spine, SAMPLES)).messages == 0
        with pytest.raises(SpineUnavailableError, match="no stream"):
            await (await publisher.send(PUMP, b"x"))
        await declare(spine, node.configuration, ORGANISATION)
        await (await publisher.send(PUMP, b"x"))
        assert (await state(spine, SAMPLES)).messages == 1
