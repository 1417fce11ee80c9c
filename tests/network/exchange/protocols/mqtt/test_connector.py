"""The MQTT input on a source of this process: positions, restarts, silence, browsing, set-points."""

from __future__ import annotations

import anyio
import pytest
from mqtt_support import environment, running

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.mqtt import protocol
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration, SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import (
    AddressError,
    ConfirmError,
    DeathError,
    SilentTopicError,
    SourceError,
    WriteError,
)
from hulian.network.exchange.protocols.mqtt.simulator import LocalSource, SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import parse_topic

pytestmark = pytest.mark.anyio

VALUE = Binding(series=1, address="json:a:v", storage=S.DOUBLE)


async def test_committed_before_acknowledged_and_read_once(source, sink):
    for number in range(10):
        source.feed("a", b'{"v": %d}' % number)
    async with running(source, [VALUE], sink):
        await sink.until(lambda: source.acknowledged == 10)
    assert sink.position == 10
    assert [value for _, value, _ in sink.of(1)] == list(range(10))
    source.feed("a", b'{"v": 10}')
    async with running(source, [VALUE], sink):
        await sink.until(lambda: source.acknowledged == 11)
    assert [value for _, value, _ in sink.of(1)] == list(range(11))


async def test_what_was_committed_but_not_acknowledged_is_not_read_twice(source, sink):
    for number in range(10):
        source.feed("a", b'{"v": %d}' % number)
    sink.position = 6
    async with running(source, [VALUE], sink):
        await sink.until(lambda: source.acknowledged == 10)
    assert [value for _, value, _ in sink.of(1)] == [6, 7, 8, 9]


async def test_a_redelivered_message_inside_a_batch_is_left_out(source, sink):
    class Careless(LocalSource):
        async def batches(self, position=None):
            async for batch in super().batches(None):
                yield batch

    careless = Careless()
    for number in range(10):
        careless.feed("a", b'{"v": %d}' % number)
    sink.position = 6
    async with running(careless, [VALUE], sink):
        await sink.until(lambda: careless.acknowledged == 10)
    assert [value for _, value, _ in sink.of(1)] == [6, 7, 8, 9]


async def test_a_bad_payload_is_told_once_a_topic(source, sink):
    for _ in range(50):
        source.feed("a", b"{")
        source.feed("a", b'{"v": 1}')
    async with running(source, [VALUE], sink):
        await sink.until(lambda: source.acknowledged == 100)
        await sink.until(lambda: sink.statuses[-1].counters.get("bad_payloads") == 50)
    assert len(sink.of(1)) == 50
    (event,) = sink.events
    assert event.code == "HL-MQTT-0011"
    assert event.subject == "devices/a"
    assert event.hint


async def test_wrong_bindings_are_named_and_harm_no_other(source, sink):
    wrong = [
        Binding(series=2, address="jsn:a:v", storage=S.DOUBLE),
        Binding(series=3, address="json:a:w", storage=S.TEXT, options={"scale": 2}),
        Binding(series=4, address="json:a:x", storage=S.DOUBLE, options={"skale": 2}),
    ]
    source.feed("a", b'{"v": 1}')
    async with running(source, [VALUE, *wrong], sink):
        await sink.until(lambda: sink.last(1) == (1.0, 0))
        await sink.until(lambda: sink.statuses[-1].bad_points == 3)
    assert [sink.last(series)[1] for series in (2, 3, 4)] == [Quality.BAD_CONFIGURATION_ERROR] * 3
    assert {event.subject for event in sink.events} == {f"devices/{binding.address}" for binding in wrong}


async def test_a_silent_topic_becomes_uncertain(source, sink):
    async with running(source, [VALUE], sink, stale_after=0.3, bad_after=0.2):
        source.feed("a", b'{"v": 1}')
        await sink.until(lambda: sink.last(1) == (1.0, Quality.UNCERTAIN_LAST_USABLE_VALUE))
        assert [event.code for event in sink.events] == [SilentTopicError.code]
        source.feed("a", b'{"v": 2}')
        await sink.until(lambda: (2.0, 0) in [(value, status) for _, value, status in sink.of(1)])
        await sink.until(lambda: [event.active for event in sink.events][:2] == [True, False])


async def test_a_source_that_waits_by_itself_is_seen_through_its_link(source, sink):
    source.connected = True
    async with running(source, [VALUE], sink, bad_after=0.2):
        source.feed("a", b'{"v": 1}')
        await sink.until(lambda: sink.last(1) == (1.0, 0))
        source.connected = False
        await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
        assert sink.statuses[-1].state is ConnectorState.WAITING
        source.connected = True
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
    assert (1.0, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE) in [(value, status) for _, value, status in sink.of(1)]


def edge_node(source, **options) -> SparkplugNode:
    node = SparkplugNode("G", "N", source.feed, **options)
    node.declare("dev", "level", "Float", 1.5, unit="m", properties={"engHigh": 10.0, "documentation": "tank level"})
    node.declare("dev", "Motor/on", "Boolean", False)
    node.declare("", "count", "UInt32", 3)
    source.subscribers.append(node.receive)
    return node


LEVEL = Binding(series=1, address="sparkplug:G/N/dev:level", storage=S.DOUBLE, writable=True)


async def test_a_restart_of_ours_asks_for_births(source, sink):
    node = edge_node(source)
    node.birth()
    await source.acknowledge(99)
    async with running(source, [LEVEL], sink):
        await sink.until(lambda: sink.last(1) == (1.5, 0))
        assert node.births == 2
        node.update("dev", {"level": 2.5})
        await sink.until(lambda: sink.last(1) == (2.5, 0))
    assert sink.events == []


async def test_set_points_by_sparkplug(source, sink):
    asked = []
    node = edge_node(source, written=lambda device, name, value: asked.append((device, name, value)) or value)
    async with running(source, [LEVEL], sink, write_timeout=0.5) as connector:
        with pytest.raises(SourceError):
            await connector.write(LEVEL, 3.0)
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await sink.until(lambda: sink.last(1) == (1.5, 0))
        await connector.write(LEVEL, 3.25)
        await sink.until(lambda: sink.last(1) == (3.25, 0))
        with pytest.raises(WriteError):
            await connector.write(LEVEL, "high")
        node._written = lambda device, name, value: None
        with pytest.raises(ConfirmError):
            await connector.write(LEVEL, 4.0)
        node.death()
        await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
        with pytest.raises(DeathError):
            await connector.write(LEVEL, 4.0)
    assert asked == [("dev", "level", 3.25)]


async def test_set_points_by_json(source, sink):
    sent = []
    source.subscribers.append(lambda topic, payload: sent.append((topic, payload)))
    options = {"write_topic": "a/set", "write_path": "target.v", "confirm": False}
    bindings = [
        Binding(series=1, address="json:a:v", storage=S.DOUBLE, writable=True, options=options),
        Binding(series=2, address="json:a:on", storage=S.BOOLEAN, writable=True, options={"write_topic": "a/on"}),
        Binding(series=3, address="json:a:x", storage=S.DOUBLE, writable=True),
    ]
    async with running(source, bindings, sink, write_timeout=0.3) as connector:
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await connector.write(bindings[0], 7.5)
        with pytest.raises(ConfirmError):
            await connector.write(bindings[1], value=True)
        with pytest.raises(WriteError):
            await connector.write(bindings[2], 1.0)
    assert sent == [("a/set", b'{"target":{"v":7.5}}'), ("a/on", b"true")]


async def test_browsing_shows_topics_metrics_types_and_values(source, sink):
    node = edge_node(source)
    async with running(source, [], sink):
        source.feed("plant/oven", b'{"ts": 1700000000, "temp": 21.5, "zone": {"1": {"on": true}}, "state": "idle"}')
        source.feed("plant/raw", b"17.25")
        node.birth()
        await sink.until(lambda: source.acknowledged == 4)
        found = [
            leaf async for leaf in protocol.browse("mqtt://", MqttConfiguration(browse_seconds=0), environment(source), depth=0)
        ]
        level = [leaf async for leaf in protocol.browse("mqtt://", MqttConfiguration(browse_seconds=0), environment(source))]
        under = [
            leaf
            async for leaf in protocol.browse(
                "mqtt://", MqttConfiguration(browse_seconds=0), environment(source), under="plant/oven"
            )
        ]
    leaves = {leaf.address: leaf for leaf in found if leaf.leaf}
    assert {address: (leaf.storage, leaf.value) for address, leaf in leaves.items()} == {
        "json:plant/oven:temp": (S.DOUBLE, "21.5"),
        "json:plant/oven:zone.1.on": (S.BOOLEAN, "true"),
        "json:plant/oven:state": (S.TEXT, "idle"),
        "json:plant/raw:$": (S.DOUBLE, "17.25"),
        "sparkplug:G/N/dev:level": (S.DOUBLE, "1.5"),
        "sparkplug:G/N/dev:Motor/on": (S.BOOLEAN, "false"),
        "sparkplug:G/N:count": (S.INTEGER, "3"),
    }
    shown = leaves["sparkplug:G/N/dev:level"]
    assert (shown.unit, shown.high, shown.description, shown.name) == ("m", 10.0, "tank level", "level")
    assert [branch.path for branch in level] == [("plant",), ("spBv1.0",)]
    assert not any(branch.leaf for branch in level)
    assert {leaf.name for leaf in under} == {"temp", "state"}


async def test_browsing_without_a_connector_listens(source):
    node = edge_node(source)
    node.birth()
    found = []

    async def browse() -> None:
        found.extend(
            [
                leaf.address
                async for leaf in protocol.browse(
                    "mqtt://", MqttConfiguration(browse_seconds=0.6), environment(source), depth=0
                )
                if leaf.leaf
            ]
        )

    async with anyio.create_task_group() as scope:
        scope.start_soon(browse)
        await anyio.sleep(0.2)
        source.feed("x/y", b"1")
        node.update("dev", {"level": 2.0})
    assert found == ["sparkplug:G/N:count", "sparkplug:G/N/dev:Motor/on", "sparkplug:G/N/dev:level", "json:x/y:$"] or set(
        found
    ) == {"sparkplug:G/N:count", "sparkplug:G/N/dev:Motor/on", "sparkplug:G/N/dev:level", "json:x/y:$"}
    with pytest.raises(SourceError) as caught:
        async for _ in protocol.browse("mqtt://", MqttConfiguration(browse_seconds=0.05), environment(LocalSource())):
            pass
    assert caught.value.hint


async def test_a_flood_of_topics_is_bounded(source, sink):
    async with running(source, [VALUE], sink) as connector:
        for number in range(6000):
            source.feed(f"t/{number}", b"1")
        source.feed("a", b'{"v": 1}')
        await sink.until(lambda: sink.last(1) == (1.0, 0))
        assert len(connector.seen.topics) == 5000


async def test_we_say_that_we_are_online_and_contradict_an_old_will(source, sink):
    said = []
    source.subscribers.append(lambda topic, payload: said.append((topic, b'"online":true' in payload)))
    async with running(source, [], sink, sparkplug=SparkplugSettings(host="hulian", state_every=30)):
        await sink.until(lambda: said == [("spBv1.0/STATE/hulian", True)])
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
        source.feed("spBv1.0/STATE/hulian", b'{"online":false,"timestamp":1}')
        source.feed("spBv1.0/STATE/other", b'{"online":false,"timestamp":1}')
        await sink.until(lambda: len(said) == 2)
    assert said[1:] == [("spBv1.0/STATE/hulian", True), ("spBv1.0/STATE/hulian", False)]
    assert parse_topic(said[0][0]).kind == "STATE"


@pytest.mark.parametrize("url", ["mqtt://local/x", "amqp://", "mqtt://user@local"])
def test_wrong_addresses_are_refused_with_a_way_out(url, source):
    with pytest.raises(AddressError) as caught:
        protocol.connector(url, MqttConfiguration(), [], environment(source))
    assert caught.value.hint


def test_a_process_without_a_listener_is_refused():
    with pytest.raises(SourceError):
        protocol.connector("mqtt://", MqttConfiguration(), [], environment(None))


def test_a_wrong_filter_is_refused(source):
    with pytest.raises(AddressError):
        protocol.connector("mqtt://", MqttConfiguration(topics=("a/#/b",)), [], environment(source))
