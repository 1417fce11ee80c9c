"""MQTT devices against a real nats-server: stored before PUBACK, read once, topics as they were."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats_node import DEVICE_PASSWORD

from hulian.network.exchange.spine.errors import TopicError
from hulian.network.exchange.spine.mqtt_input import (
    MqttSource,
    stored_subjects,
    subject_topic,
    topic_filter_subjects,
    topic_subject,
)
from hulian.network.exchange.spine.streams import MQTT, state


@given(st.text("ab./$-~互", min_size=1, max_size=12))
def test_topics_come_back_as_they_were(topic):
    subject = topic_subject(topic)
    assert subject_topic(subject) == topic
    assert all(subject.split(".")), "an empty token is no subject"


@pytest.mark.parametrize("topic", ["", "a b", "a\tb", "a/+/b", "a/#", "x" * 70_000])
def test_what_is_no_topic_is_refused(topic):
    with pytest.raises(TopicError):
        topic_subject(topic)


@pytest.mark.parametrize("topic", ["a+/b", "#/a", "a/#/b", "a/b#"])
def test_what_is_no_filter_is_refused(topic):
    with pytest.raises(TopicError):
        topic_filter_subjects(topic)


def test_filters():
    assert topic_filter_subjects("#") == (">",)
    assert topic_filter_subjects("spBv1.0/+/DDATA/#") == ("spBv1//0.*.DDATA", "spBv1//0.*.DDATA.>")


class Device:
    """A paho client in threads of its own."""

    def __init__(self, node, name="device-1"):
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv311)
        self._client.username_pw_set("device", DEVICE_PASSWORD)
        self._client.reconnect_delay_set(0.1, 0.5)
        self.heard: list[tuple[str, bytes]] = []
        self._client.on_message = lambda client, data, message: self.heard.append((message.topic, message.payload))
        self._client.connect("127.0.0.1", node.configuration.mqtt_port)
        self._client.loop_start()

    def publish(self, topic, payload, qos):
        return self._client.publish(topic, payload, qos=qos)

    def subscribe(self, topic):
        self._client.subscribe(topic, qos=1)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
async def device(node):
    one = await asyncio.to_thread(Device, node)
    yield one
    await asyncio.to_thread(one.close)


async def collect(source, wanted, position=None, seconds=20.0):
    """Messages until there are ``wanted`` different payloads; each batch is acknowledged."""
    found = []
    batches = source.batches(position)
    try:
        async with asyncio.timeout(seconds):
            async for batch in batches:
                found += list(zip(batch.topics, batch.payloads, batch.sequences or [0] * len(batch.topics), strict=True))
                await source.acknowledge(batch.last)
                if len({payload for _, payload, _ in found}) >= wanted:
                    return found
    finally:
        await batches.aclose()
    return found


@pytest.mark.anyio
async def test_every_quality_of_service_arrives_once(node, device):
    async with await node.connect("edge") as edge:
        source = MqttSource(edge, "mqtt")
        reading = asyncio.create_task(collect(source, 60))
        await asyncio.sleep(0.3)
        for number in range(60):
            done = device.publish(f"plant/line.{number % 2}//x", b"%d" % number, qos=number % 3)
            await asyncio.to_thread(done.wait_for_publish, 10)
        found = await reading
        assert sorted(payload for _, payload, _ in found) == sorted(b"%d" % number for number in range(60))
        assert {topic for topic, _, _ in found} == {"plant/line.0//x", "plant/line.1//x"}
        positions = [position for _, _, position in found if position]
        assert len(positions) == 40
        assert positions == sorted(positions)


@pytest.mark.anyio
async def test_a_source_knows_when_its_reader_has_all_that_devices_were_told_is_safe(node, device):
    for number in range(20):
        await asyncio.to_thread(device.publish("plant/a", b"%d" % number, qos=1).wait_for_publish, 10)
    async with await node.connect("edge") as edge, await node.connect("edge") as other:
        assert not await MqttSource(other, "mqtt").taken(0.2)
        waiting = asyncio.create_task(MqttSource(other, "mqtt").taken(20))
        await collect(MqttSource(edge, "mqtt"), 20)
        assert await waiting


@pytest.mark.anyio
async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(node, device):
    for number in range(20):
        await asyncio.to_thread(device.publish("plant/a", b"%d" % number, qos=1).wait_for_publish, 10)
    async with await node.connect("edge") as edge:
        batches = MqttSource(edge, "mqtt").batches()
        first = await anext(batches)
        assert first.payloads[0] == b"0"
        await batches.aclose()
        node.kill()
        await node.start()
        while not edge.connected:
            await asyncio.sleep(0.05)
        source = MqttSource(edge, "mqtt")
        again = await collect(source, 20)
        assert [payload for _, payload, _ in again] == [b"%d" % number for number in range(20)]
        sent = device.publish("plant/a", b"last", qos=1)
        await asyncio.to_thread(sent.wait_for_publish, 15)
        assert sent.is_published(), "the device did not find the restarted server"
        last = await collect(MqttSource(edge, "mqtt"), 1, position=again[-1][2])
        assert [payload for _, payload, _ in last] == [b"last"]


@pytest.mark.anyio
@pytest.mark.parametrize("when", ["before the reader ends", "after it", "when its connection is lost"])
async def test_what_the_pulls_of_a_former_reader_take_reaches_the_next_reader(node, device, when):
    """Pulls outlive their reader at the server; what they take must not wait for the two minutes of an acknowledgement."""
    rounds = 30

    async def publish(number):
        await asyncio.to_thread(device.publish("plant/a", b"%d" % number, qos=1).wait_for_publish, 10)

    edge = await node.connect("edge")
    position, found = None, []
    await publish(0)
    for number in range(1, rounds + 1):
        source = MqttSource(edge, "mqtt")
        async with asyncio.timeout(20), aclosing(source.batches(position)) as batches:
            batch = await anext(batches)
            found += batch.payloads
            position = batch.last
            await source.acknowledge(position)
            if when == "before the reader ends":
                await publish(number)
            elif when == "when its connection is lost":
                await edge.close()
                await publish(number)
                edge = await node.connect("edge")
        if when == "after it":
            await publish(number)
    await edge.close()
    assert found == [b"%d" % number for number in range(rounds)]


@pytest.mark.anyio
async def test_a_full_store_gives_no_puback_and_goes_on_when_there_is_room(make_node):
    node = make_node(mqtt_bytes=1 << 20)
    await node.open()
    device = await asyncio.to_thread(Device, node)
    try:
        sent = [device.publish("plant/a", bytes([number]) * 60_000, qos=1) for number in range(40)]
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and sum(one.is_published() for one in sent) < 40:
            await asyncio.sleep(0.1)
        confirmed = sum(one.is_published() for one in sent)
        async with await node.connect("edge") as edge:
            stored = (await state(edge, MQTT)).messages
            assert confirmed <= stored < 40, "a device was told that its message is kept, and it is not"
            found = await collect(MqttSource(edge, "mqtt"), 40, seconds=60)
        assert {payload[0] for _, payload, _ in found} == set(range(40))
    finally:
        await asyncio.to_thread(device.close)


@pytest.mark.anyio
async def test_a_filter_takes_only_its_topics_and_messages_go_out(make_node):
    node = make_node()
    async with await _opened(node) as edge:
        device = await asyncio.to_thread(Device, node)
        try:
            device.subscribe("orders/pump")
            source = MqttSource(edge, "mqtt", ("plant/+/temperature", "plant/b/#", "plant/b/c"))
            reading = asyncio.create_task(collect(source, 3))
            await asyncio.sleep(0.3)
            for topic in ("plant/a/temperature", "plant/a/noise", "plant/b", "plant/b/c/d"):
                await asyncio.to_thread(device.publish(topic, topic.encode(), qos=1).wait_for_publish, 10)
            assert [topic for topic, _, _ in await reading] == ["plant/a/temperature", "plant/b", "plant/b/c/d"]
            await source.publish("orders/pump", b"on")
            async with asyncio.timeout(10):
                while not device.heard:
                    await asyncio.sleep(0.02)
            assert device.heard == [("orders/pump", b"on")]
        finally:
            await asyncio.to_thread(device.close)


async def _opened(node):
    await node.open({"mqtt": stored_subjects(("plant/+/temperature", "plant/b/#", "plant/b/c"))})
    return await node.connect("edge")
