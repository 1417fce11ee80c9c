"""Real devices on the real listener: paho and mosquitto clients, nats-server, the spine's source, the connector."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import bcrypt
import paho.mqtt.client as paho
import pytest
from mqtt_support import RecordingSink, running
from nats_node import DEVICE_PASSWORD, ORGANISATION, NatsNode

from hulian.assembly.accounts import convert
from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.spine.mqtt_input import MqttSource, topic_filter_subjects
from hulian.trust.spine_accounts import SpineAccounts, SpineUser

pytestmark = pytest.mark.anyio

BINDINGS = [
    Binding(series=1, address="json:plant/oven.1/zone:temp", storage=S.DOUBLE),
    Binding(series=2, address="sparkplug:TE/Analysers/Feed:A", storage=S.DOUBLE, writable=True),
    Binding(series=3, address="sparkplug:TE/Analysers:uptime", storage=S.INTEGER),
]


def subjects(*filters: str) -> tuple[str, ...]:
    return tuple(subject for one in filters for subject in topic_filter_subjects(one))


@pytest.fixture
async def node(tmp_path, anyio_backend):
    one = NatsNode(tmp_path / "node")
    device = SpineUser(
        name="device",
        password_hash=bcrypt.hashpw(DEVICE_PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
        publish=subjects("plant/#", "spBv1.0/#"),
        subscribe=(*subjects("spBv1.0/+/NCMD/#", "spBv1.0/+/DCMD/#"), "$MQTT.sub.>", "$MQTT.deliver.>"),
        device=True,
    )
    one.accounts = SpineAccounts(tmp_path / "node" / "secrets", ORGANISATION, devices=lambda: [device])
    one.users = [convert(user) for user in one.accounts.users()]
    await one.open()
    yield one
    one.stop()


class PahoNode:
    """Our edge node over paho, as the demo plant runs it."""

    def __init__(self, node: NatsNode) -> None:
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="analysers", protocol=paho.MQTTv311)
        self._client.username_pw_set("device", DEVICE_PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self.edge = SparkplugNode("TE", "Analysers", self._publish)
        self.edge.declare("", "uptime", "UInt32", 5)
        self.edge.declare("Feed", "A", "Double", 0.32, unit="mol/mol")
        self._client.will_set(*self.edge.will, qos=1)
        self._client.on_message = lambda client, data, message: self.edge.receive(message.topic, message.payload)
        self._client.on_connect = self._connected
        self._client.connect("127.0.0.1", node.configuration.mqtt_port)
        self._client.loop_start()

    def _connected(self, client, data, flags, reason, properties) -> None:
        for topic in self.edge.subscriptions:
            client.subscribe(topic, qos=1)
        self.edge.birth()

    def _publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=0)

    def vanish(self) -> None:
        """As a power cut: the broker sends the will."""
        self._client._sock_close()
        self._client.loop_stop()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def test_json_and_sparkplug_from_real_clients(node):
    sink = RecordingSink()
    async with await node.connect("edge") as spine:
        source = MqttSource(spine, "mqtt")
        async with running(source, BINDINGS, sink, write_timeout=10) as connector:
            analysers = await asyncio.to_thread(PahoNode, node)
            await sink.until(lambda: sink.last(2) == (0.32, 0), 20)
            assert sink.last(3) == (5, 0)
            analysers.edge.update("Feed", {"A": 0.33})
            await sink.until(lambda: sink.last(2) == (0.33, 0))
            await connector.write(BINDINGS[1], 0.25)
            await sink.until(lambda: sink.last(2) == (0.25, 0))
            port = str(node.configuration.mqtt_port)
            if program := shutil.which("mosquitto_pub"):
                arguments = ["-h", "127.0.0.1", "-p", port, "-u", "device", "-P", DEVICE_PASSWORD, "-V", "mqttv311"]
                topic = ["-q", "1", "-t", "plant/oven.1/zone", "-l"]
                lines = "".join(f'{{"temp": {number}}}\n' for number in range(200)).encode()
                await asyncio.to_thread(subprocess.run, [program, *arguments, *topic], input=lines, check=True, timeout=30)
                await sink.until(lambda: len(sink.of(1)) == 200)
                assert [value for _, value, _ in sink.of(1)] == list(range(200))
            await asyncio.to_thread(analysers.vanish)
            await sink.until(lambda: sink.last(2) == (None, Quality.BAD_NO_COMMUNICATION), 20)
            assert sink.last(3) == (None, Quality.BAD_NO_COMMUNICATION)


async def test_a_connector_that_starts_later_asks_for_births(node):
    analysers = await asyncio.to_thread(PahoNode, node)
    try:
        for _ in range(2):
            sink = RecordingSink()
            async with await node.connect("edge") as spine, running(MqttSource(spine, "mqtt"), BINDINGS, sink):
                await sink.until(lambda sink=sink: sink.last(2) == (0.32, 0), 20)
        assert analysers.edge.births >= 2, "the second start of the connector found no birth of its own"
    finally:
        await asyncio.to_thread(analysers.close)


async def test_acknowledged_messages_survive_a_killed_server_and_come_once(node):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="oven", protocol=paho.MQTTv311)
    client.username_pw_set("device", DEVICE_PASSWORD)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", node.configuration.mqtt_port)
    client.loop_start()
    sink = RecordingSink()
    async with await node.connect("edge") as spine:
        async with running(MqttSource(spine, "mqtt"), BINDINGS, sink):
            for number in range(100):
                await asyncio.to_thread(
                    client.publish("plant/oven.1/zone", f'{{"temp": {number}}}', qos=1).wait_for_publish, 10
                )
            await sink.until(lambda: len(sink.of(1)) == 100)
        for number in range(100, 150):
            await asyncio.to_thread(client.publish("plant/oven.1/zone", f'{{"temp": {number}}}', qos=1).wait_for_publish, 10)
        await asyncio.to_thread(node.kill)
        await node.start()
        async with running(MqttSource(spine, "mqtt"), BINDINGS, sink):
            await sink.until(lambda: len(sink.of(1)) >= 150, 30)
    await asyncio.to_thread(client.disconnect)
    client.loop_stop()
    assert [value for _, value, _ in sink.of(1)] == list(range(150))
