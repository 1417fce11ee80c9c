"""Our part as a Sparkplug host application on foreign brokers: STATE, will, commands, deaths; and what the brokers saw."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import anyio
import msgspec
import paho.mqtt.client as paho
import pytest
from mqtt_clients import connected, until
from mqtt_peers import Mosquitto, Scripted, Wire
from mqtt_support import RecordingSink
from sparkplug_plant import tck

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.mqtt import protocol
from hulian.network.exchange.protocols.mqtt.codec import Acks, Connect, Disconnect, Publishes, Subscribe
from hulian.network.exchange.protocols.mqtt.config import (
    BrokerSettings,
    MqttConfiguration,
    SparkplugSettings,
    WillSettings,
)
from hulian.network.exchange.protocols.mqtt.errors import OptionError
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
HOST = "hulian-1"
STATE = f"spBv1.0/STATE/{HOST}"
POINT = Binding(series=1, address="sparkplug:G/N/dev:p", storage=S.DOUBLE, writable=True)
ON_NODE = Binding(series=2, address="sparkplug:G/N:t", storage=S.DOUBLE, writable=True)
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


@asynccontextmanager
async def running(url, sink, bindings=(POINT, ON_NODE), *, version="5", **sparkplug):
    """The connector as a host; leaving the block is a deliberate end."""
    configuration = MqttConfiguration(
        broker=BrokerSettings(keep_alive=2, timeout=5.0, version=version),
        topics=("spBv1.0/#",),
        bad_after=0.5,
        reconnect_first=0.05,
        reconnect_most=0.2,
        sparkplug=SparkplugSettings(host=HOST, **sparkplug),
    )
    environment = Environment(organisation="test", connector="devices", credentials=Credentials(), trust=None)
    connector = protocol.connector(url, configuration, bindings, environment)
    async with anyio.create_task_group() as scope:
        scope.start_soon(connector.run, sink)
        yield connector
        scope.cancel_scope.cancel()


def online(sink):
    return lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED


def published(connection) -> list:
    return [packet for event in connection.of(Publishes) for packet in event.packets()]


def state(payload) -> dict:
    return msgspec.json.decode(bytes(payload))


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


class Field:
    """An edge node of another maker's client (paho), as a plant runs it."""

    def __init__(self, port: int, **options) -> None:
        self.commands: list[tuple[str, bytes, int, bool]] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="edge-N", protocol=paho.MQTTv311)
        self.edge = SparkplugNode("G", "N", lambda topic, payload: self.client.publish(topic, payload, qos=0), **options)
        self.edge.declare("", "t", "Double", 20.0)
        self.edge.declare("dev", "p", "Double", 1.0, unit="bar")
        self.client.will_set(*self.edge.will, qos=1)
        self.client.on_message = self._hear
        self.client.on_connect = self._connected
        self.client.on_publish = self._published
        self._marks: set[int] = set()
        self._born = threading.Event()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._born.wait(20), "the broker has not got the births"

    def _connected(self, client, data, flags, reason, properties) -> None:
        for topic in self.edge.subscriptions:
            client.subscribe(topic, qos=1)
        self.edge.birth()
        # The broker acknowledges this when it has the births: who subscribes after it has missed them for sure.
        self._marks.add(client.publish("field/born", b"", qos=1).mid)

    def _published(self, client, data, mid, reason, properties) -> None:
        if mid in self._marks:
            self._born.set()

    def _hear(self, client, data, message) -> None:
        self.commands.append((message.topic, message.payload, message.qos, message.retain))
        self.edge.receive(message.topic, message.payload)

    def vanish(self) -> None:
        self.client._sock_close()
        self.client.loop_stop()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@tck(
    "tck-id-host-topic-phid-birth-message",
    "tck-id-host-topic-phid-birth-payload",
    "tck-id-host-topic-phid-birth-payload-timestamp",
    "tck-id-host-topic-phid-birth-qos",
    "tck-id-host-topic-phid-birth-required",
    "tck-id-host-topic-phid-birth-retain",
    "tck-id-host-topic-phid-birth-sub-required",
    "tck-id-host-topic-phid-birth-topic",
    "tck-id-host-topic-phid-death-payload",
    "tck-id-host-topic-phid-death-payload-timestamp-connect",
    "tck-id-host-topic-phid-death-qos",
    "tck-id-host-topic-phid-death-required",
    "tck-id-host-topic-phid-death-retain",
    "tck-id-host-topic-phid-death-topic",
    "tck-id-message-flow-phid-sparkplug-clean-session-311",
    "tck-id-message-flow-phid-sparkplug-clean-session-50",
    "tck-id-message-flow-phid-sparkplug-state-publish",
    "tck-id-message-flow-phid-sparkplug-state-publish-payload",
    "tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp",
    "tck-id-message-flow-phid-sparkplug-subscription",
    "tck-id-operational-behavior-host-application-connect-birth",
    "tck-id-operational-behavior-host-application-connect-birth-payload",
    "tck-id-operational-behavior-host-application-connect-birth-qos",
    "tck-id-operational-behavior-host-application-connect-birth-retained",
    "tck-id-operational-behavior-host-application-connect-birth-topic",
    "tck-id-operational-behavior-host-application-connect-will",
    "tck-id-operational-behavior-host-application-connect-will-payload",
    "tck-id-operational-behavior-host-application-connect-will-qos",
    "tck-id-operational-behavior-host-application-connect-will-retained",
    "tck-id-operational-behavior-host-application-connect-will-topic",
    "tck-id-operational-behavior-host-application-death-payload",
    "tck-id-operational-behavior-host-application-death-qos",
    "tck-id-operational-behavior-host-application-death-retained",
    "tck-id-operational-behavior-host-application-death-topic",
    "tck-id-payloads-state-birth",
    "tck-id-payloads-state-birth-payload",
    "tck-id-payloads-state-subscribe",
    "tck-id-payloads-state-will-message",
    "tck-id-payloads-state-will-message-payload",
    "tck-id-payloads-state-will-message-qos",
    "tck-id-payloads-state-will-message-retain",
    "tck-id-intro-sparkplug-host-state",
    "tck-id-components-ph-state",
    "tck-id-conformance-primary-host",
)
@VERSIONS
async def test_will_subscriptions_then_birth_with_the_time_of_the_will(sink, version):
    before = time.time_ns() // 1_000_000
    async with Scripted() as peer, running(peer.url, sink, version=version):
        await sink.until(online(sink))
        (connection,) = peer.connections
        connect = connection.connect
        assert connect.clean_start is True
        assert not connect.properties.session_expiry_interval
        assert (connect.will.topic, connect.will.qos, connect.will.retain) == (STATE, 1, True)
        will = state(connect.will.payload)
        assert will.keys() == {"online", "timestamp"}
        assert will["online"] is False
        assert before <= will["timestamp"] <= time.time_ns() // 1_000_000
        kinds = [type(event) for event in connection.heard if isinstance(event, Connect | Subscribe | Publishes)]
        assert kinds[:3] == [Connect, Subscribe, Publishes]
        filters = [one.topic_filter for event in connection.of(Subscribe) for one in event.subscriptions]
        assert set(filters) == {"spBv1.0/#", STATE}
        birth = published(connection)[0]
        assert (birth.topic, birth.qos, birth.retain) == (STATE, 1, True)
        assert state(birth.payload) == {"online": True, "timestamp": will["timestamp"]}


@tck(
    "tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean",
    "tck-id-host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet",
    "tck-id-operational-behavior-host-application-termination",
    "tck-id-operational-behavior-host-application-disconnect-intentional",
)
@VERSIONS
async def test_a_deliberate_end_is_a_death_before_the_disconnect(sink, version):
    async with Scripted() as peer:
        async with running(peer.url, sink, version=version):
            await sink.until(online(sink))
            leaving = time.time_ns() // 1_000_000
        (connection,) = peer.connections
        await until(lambda: connection.of(Disconnect))
        events = [event for event in connection.heard if isinstance(event, Publishes | Disconnect)]
        assert isinstance(events[-1], Disconnect)
        death = published(connection)[-1]
        assert (death.topic, death.qos, death.retain) == (STATE, 1, True)
        said = state(death.payload)
        assert said["online"] is False
        assert leaving <= said["timestamp"] <= time.time_ns() // 1_000_000


@tck("tck-id-message-flow-hid-sparkplug-state-message-delivered")
async def test_whoever_calls_us_offline_is_contradicted_with_the_same_time(broker, sink):
    async with connected(broker.url, "watcher") as (watcher, heard):
        await watcher.subscribe([STATE])
        async with running(broker.url, sink):
            await until(lambda: len(heard.messages) == 1)
            birth = heard.messages[0][1]
            await sink.until(online(sink))
            await watcher.publish([STATE], [b'{"online":false,"timestamp":1}'], qos=1, retain=True)
            await until(lambda: len(heard.messages) >= 3)
            assert heard.messages[2][1] == birth
            await watcher.publish([STATE], [b"no JSON"], qos=1)
            await watcher.publish([STATE], [b'{"online":true,"timestamp":1}'], qos=1)
            await until(lambda: len(heard.messages) >= 5)
            await watcher.publish(["spBv1.0/STATE/other"], [b'{"online":false,"timestamp":1}'], qos=1)
        await until(lambda: state(heard.messages[-1][1])["online"] is False)
        assert [state(one)["online"] for _, one, _ in heard.messages if one != b"no JSON"] == [True, False, True, True, False]
    async with connected(broker.url, "later") as (later, heard):
        await later.subscribe([STATE])
        await until(lambda: heard.messages)
        assert state(heard.messages[0][1])["online"] is False


@tck(
    "tck-id-operational-behavior-primary-application-state-with-multiple-servers-state",
    "tck-id-operational-behavior-host-application-multi-server-timestamp",
)
async def test_each_connection_to_each_server_has_its_own_time(broker, tmp_path, sink):
    """A cut link: the broker tells our will; the next connection is a new birth with a new time, and nothing old follows it."""
    async with Wire(broker.port) as wire, connected(broker.url, "watcher") as (watcher, heard):
        await watcher.subscribe([STATE])
        async with running(wire.url, sink):
            await until(lambda: len(heard.messages) == 1)
            await sink.until(online(sink))
            await anyio.sleep(0.002)  # the times count in milliseconds
            wire.cut()
            await until(lambda: len(heard.messages) >= 3)
            first, will, second = (state(payload) for _, payload, _ in heard.messages[:3])
            assert (first["online"], will["online"], second["online"]) == (True, False, True)
            assert first["timestamp"] == will["timestamp"] < second["timestamp"]
            with Mosquitto(tmp_path / "second") as other:
                elsewhere = RecordingSink()
                async with connected(other.url, "watcher") as (also, heard_there):
                    await also.subscribe([STATE])
                    async with running(other.url, elsewhere):
                        await until(lambda: heard_there.messages)
                        assert state(heard_there.messages[0][1])["timestamp"] > second["timestamp"]


@tck(
    "tck-id-operational-behavior-data-commands-ncmd-rebirth-name",
    "tck-id-operational-behavior-data-commands-ncmd-rebirth-value",
    "tck-id-operational-behavior-data-commands-ncmd-rebirth-verb",
    "tck-id-operational-behavior-data-commands-ncmd-verb",
    "tck-id-operational-behavior-data-commands-ncmd-metric-name",
    "tck-id-operational-behavior-data-commands-ncmd-metric-value",
    "tck-id-operational-behavior-data-commands-dcmd-verb",
    "tck-id-operational-behavior-data-commands-dcmd-metric-name",
    "tck-id-operational-behavior-data-commands-dcmd-metric-value",
    "tck-id-payloads-ncmd-qos",
    "tck-id-payloads-ncmd-retain",
    "tck-id-payloads-ncmd-seq",
    "tck-id-payloads-ncmd-timestamp",
    "tck-id-payloads-dcmd-qos",
    "tck-id-payloads-dcmd-retain",
    "tck-id-payloads-dcmd-seq",
    "tck-id-payloads-dcmd-timestamp",
    "tck-id-payloads-name-cmd-requirement",
    "tck-id-topics-ncmd-mqtt",
    "tck-id-topics-ncmd-payload",
    "tck-id-topics-ncmd-timestamp",
    "tck-id-topics-ncmd-topic",
    "tck-id-topics-dcmd-mqtt",
    "tck-id-topics-dcmd-payload",
    "tck-id-topics-dcmd-timestamp",
    "tck-id-topics-dcmd-topic",
    "tck-id-payloads-metric-datatype-not-req",
)
@pytest.mark.parametrize("typed", [True, False])
async def test_commands_as_an_edge_node_gets_them(broker, sink, typed):
    field = await asyncio.to_thread(Field, broker.port)
    try:
        async with running(broker.url, sink, command_types=typed) as connector:
            await sink.until(lambda: sink.last(1) == (1.0, 0))
            await connector.write(POINT, 2.5)
            await connector.write(ON_NODE, 21.5)
            await sink.until(lambda: sink.last(1) == (2.5, 0) and sink.last(2) == (21.5, 0))
    finally:
        await asyncio.to_thread(field.close)
    seen = [(topic, Payload.FromString(payload), qos, retain) for topic, payload, qos, retain in field.commands]
    assert [topic for topic, *_ in seen] == ["spBv1.0/G/NCMD/N", "spBv1.0/G/DCMD/N/dev", "spBv1.0/G/NCMD/N"]
    now = time.time_ns() // 1_000_000
    for _, payload, qos, retain in seen:
        assert (qos, retain) == (0, False)
        assert not payload.HasField("seq")
        assert now - 60_000 < payload.timestamp <= now
        assert len(payload.metrics) == 1
        assert payload.metrics[0].HasField("datatype") is typed
    rebirth, device, node = (payload.metrics[0] for _, payload, _, _ in seen)
    assert (rebirth.name, rebirth.boolean_value) == ("Node Control/Rebirth", True)
    births = field.edge._devices
    assert (device.alias, device.double_value) == (births["dev"]["p"].alias, 2.5)
    assert (node.alias, node.double_value) == (births[""]["t"].alias, 21.5)
    assert not device.name


@tck(
    "tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline",
    "tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale",
    "tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-offline",
    "tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale",
)
async def test_the_will_of_an_edge_node_marks_everything_at_our_time(broker, sink):
    field = await asyncio.to_thread(Field, broker.port)
    async with running(broker.url, sink) as connector:
        await sink.until(lambda: sink.last(1) == (1.0, 0))
        before = time.time_ns()
        await asyncio.to_thread(field.vanish)
        gone = (None, Quality.BAD_NO_COMMUNICATION)
        await sink.until(lambda: sink.last(1) == gone and sink.last(2) == gone)
        for series in (1, 2):
            assert before <= sink.of(series)[-1][0] <= time.time_ns()
        node = connector.session.nodes["G/N"]
        assert not node.alive
        assert not any(device.alive for device in node.devices.values())


async def test_a_stream_of_data_comes_whole_and_in_order_and_history_with_it(broker, sink):
    """Thousands of plain messages with births, history and commands among them, through a real broker."""
    field = await asyncio.to_thread(Field, broker.port)
    try:
        async with running(broker.url, sink) as connector:
            await sink.until(lambda: sink.last(1) == (1.0, 0) and sink.last(2) == (20.0, 0))
            for number in range(3000):
                field.edge.update("dev", {"p": float(number)})
                field.edge.update("", {"t": -float(number)})
                if number == 1500:
                    field.edge.birth()
                if number % 500 == 0:
                    field.edge.update("dev", {"p": 0.5}, historical=True, timestamp=1_600_000_000_000 + number)
            await sink.until(lambda: sink.last(2) == (-2999.0, 0))
            connector.session.settle()
            assert connector.targets[1].last_value == 2999.0
            counters = connector.reports.counters
            assert "gaps" not in counters
            assert counters["births"] >= 4
    finally:
        await asyncio.to_thread(field.close)
    wanted = [float(number) for number in range(3000)]
    live = [value for moment, value, _ in sink.of(1) if value != 0.5]
    # A birth repeats the value of now.
    kept = [value for place, value in enumerate(live) if not place or value != live[place - 1]]
    assert kept[-3000:] == wanted
    assert [-value for _, value, _ in sink.of(2) if value <= 0][-1] == 2999.0
    history = [moment for moment, value, _ in sink.of(1) if value == 0.5]
    assert history == [(1_600_000_000_000 + number) * 1_000_000 for number in range(0, 3000, 500)]


async def test_commands_wait_for_our_birth(sink):
    """A broker that does not acknowledge our STATE: no rebirth request goes out before it."""

    def answer(event, connection):
        return b"" if isinstance(event, Publishes) and connection is not None else None

    async with Scripted(answer) as peer, running(peer.url, sink) as connector:
        await until(lambda: peer.connections and published(peer.connections[0]))
        connector.session.start(time.time_ns())
        await connector._speaker.send()
        assert [packet.topic for packet in published(peer.connections[0])] == [STATE]
        assert connector.session.outbox
        assert not [event for event in peer.connections[0].of(Acks) if event.kind == 4]


def test_a_host_that_cannot_be_is_refused():
    environment = Environment(organisation="test", connector="devices", credentials=Credentials(), trust=None)
    for settings in (
        MqttConfiguration(sparkplug=SparkplugSettings(host="a/b")),
        MqttConfiguration(sparkplug=SparkplugSettings(host="a"), broker=BrokerSettings(will=WillSettings(topic="x"))),
    ):
        with pytest.raises(OptionError) as caught:
            protocol.connector("mqtt://127.0.0.1:1", settings, [], environment)
        assert caught.value.hint
