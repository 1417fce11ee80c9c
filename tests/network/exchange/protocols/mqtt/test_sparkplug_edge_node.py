"""Our edge nodes by the specification's words: the simulator's payloads, and the demo plant's analysers at a broker."""

from __future__ import annotations

import asyncio
import time

import pytest
from mqtt_clients import until
from mqtt_peers import Connection, Scripted
from sparkplug_plant import tck

from hulian.demo.analysers import Analysers
from hulian.demo.configuration import MqttDevice
from hulian.demo.live import LivePlant
from hulian.demo.signals import ANALYSERS
from hulian.network.exchange.protocols.mqtt.codec import Connect, Disconnect, Publish, Publishes, Subscribe, Version, encode
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic, encode_rebirth_request, parse_topic, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import decode_value
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


def sent_by(*values: float) -> list[tuple[Topic, Payload, int]]:
    """Births, data of node and device, a device's death and birth, the node's death: topic, payload and the node's clock."""
    sent = []
    clock = [1_700_000_000_000]

    def now() -> int:
        clock[0] += 1
        return clock[0] * 1_000_000

    node = SparkplugNode(
        "Group ü", "Node 1", lambda where, raw: sent.append((parse_topic(where), Payload.FromString(raw), clock[0])), clock=now
    )
    node.declare("", "t", "Double", 20.0)
    node.declare("", "none", "Int32", None)
    node.declare("dev", "p", "Int64", -1)
    node.declare("other", "p", "Int64", 7)
    node.birth()
    for value in values:
        node.update("", {"t": value})
        node.update("dev", {"p": int(value)})
    node.device_death("other")
    node.device_birth("other")
    node.death()
    node.birth()
    return sent


@tck(
    "tck-id-intro-device-id-chars",
    "tck-id-intro-device-id-string",
    "tck-id-intro-edge-node-id-chars",
    "tck-id-intro-edge-node-id-string",
    "tck-id-intro-group-id-chars",
    "tck-id-intro-group-id-string",
    "tck-id-topic-structure",
    "tck-id-topic-structure-namespace-a",
    "tck-id-topic-structure-namespace-device-id-associated-message-types",
    "tck-id-topic-structure-namespace-device-id-non-associated-message-types",
    "tck-id-topic-structure-namespace-duplicate-device-id-across-edge-node",
    "tck-id-topic-structure-namespace-unique-device-id",
    "tck-id-topic-structure-namespace-valid-device-id",
    "tck-id-topic-structure-namespace-valid-edge-node-id",
    "tck-id-topic-structure-namespace-valid-group-id",
)
def test_topics_have_their_levels_and_nothing_else_is_one():
    for kind in ("NBIRTH", "NDATA", "NDEATH", "NCMD"):
        assert topic(kind, "Gü/N") == f"spBv1.0/Gü/{kind}/N"
        assert parse_topic(f"spBv1.0/Gü/{kind}/N") == Topic(kind, "Gü/N")
        assert parse_topic(f"spBv1.0/Gü/{kind}/N/D") is None
    for kind in ("DBIRTH", "DDATA", "DDEATH", "DCMD"):
        assert topic(kind, "G/N", "D") == f"spBv1.0/G/{kind}/N/D"
        assert parse_topic(f"spBv1.0/G/{kind}/N/D") == Topic(kind, "G/N", "D")
        assert parse_topic(f"spBv1.0/G/{kind}/N") is None
        assert parse_topic(f"spBv1.0/G/{kind}/N/D/x") is None
        assert parse_topic(f"spBv1.0/G/{kind}/M/D") != parse_topic(f"spBv1.0/G/{kind}/N/D")
    assert parse_topic("spBv1.0/STATE/host") == Topic("STATE", "host")
    for other in ("spAv1.0/G/NDATA/N", "spBv1.0/G/XDATA/N", "spBv1.0//NDATA/N", "spBv1.0/G/NDATA/", "spBv1.0/STATE/a/b"):
        assert parse_topic(other) is None
    for wrong in ("a/b", "a+", "#"):
        for names in ((wrong, "N"), ("G", wrong)):
            with pytest.raises(ValueError, match="cannot be a level"):
                SparkplugNode(*names, lambda where, raw: None)
        node = SparkplugNode("G", "N", lambda where, raw: None)
        with pytest.raises(ValueError, match="cannot be a level"):
            node.declare(wrong, "x", "Double", 1.0)


@tck(
    "tck-id-payloads-sequence-num-always-included",
    "tck-id-payloads-sequence-num-incrementing",
    "tck-id-payloads-sequence-num-req-nbirth",
    "tck-id-payloads-nbirth-seq",
    "tck-id-payloads-dbirth-seq",
    "tck-id-payloads-dbirth-seq-inc",
    "tck-id-payloads-ndata-seq",
    "tck-id-payloads-ndata-seq-inc",
    "tck-id-payloads-ddata-seq",
    "tck-id-payloads-ddata-seq-inc",
    "tck-id-payloads-ddeath-seq",
    "tck-id-payloads-ddeath-seq-inc",
    "tck-id-payloads-ddeath-seq-number",
    "tck-id-payloads-ndeath-seq",
    "tck-id-topics-nbirth-seq-num",
    "tck-id-topics-dbirth-seq",
    "tck-id-topics-ndata-seq-num",
    "tck-id-topics-ddata-seq-num",
    "tck-id-topics-ddeath-seq-num",
    "tck-id-topics-ndeath-seq",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-payload-seq",
    "tck-id-message-flow-device-birth-publish-dbirth-payload-seq",
)
def test_sequence_numbers_run_from_each_birth_on_over_255():
    expected = 0
    kinds = set()
    for where, payload, _ in sent_by(*map(float, range(300))):
        kinds.add(where.kind)
        if where.kind == "NDEATH":
            assert not payload.HasField("seq")
            continue
        expected = 0 if where.kind == "NBIRTH" else (expected + 1) % 256
        assert payload.HasField("seq")
        assert payload.seq == expected
    assert kinds == {"NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH", "NDEATH"}


@tck(
    "tck-id-payloads-timestamp-in-UTC",
    "tck-id-payloads-metric-timestamp-in-UTC",
    "tck-id-payloads-name-birth-data-requirement",
    "tck-id-payloads-nbirth-timestamp",
    "tck-id-payloads-dbirth-timestamp",
    "tck-id-payloads-ndata-timestamp",
    "tck-id-payloads-ddata-timestamp",
    "tck-id-payloads-ddeath-timestamp",
    "tck-id-topics-nbirth-timestamp",
    "tck-id-topics-dbirth-timestamp",
    "tck-id-topics-ndata-timestamp",
    "tck-id-topics-ddata-timestamp",
    "tck-id-operational-behavior-data-publish-nbirth-order",
    "tck-id-operational-behavior-data-publish-dbirth-order",
)
def test_messages_and_metrics_carry_the_time_of_the_node_in_order():
    for where, payload, clock in sent_by(1.0, 2.0):
        assert payload.timestamp == clock
        if where.kind != "NDEATH":
            times = [metric.timestamp for metric in payload.metrics]
            assert times == sorted(times)
            assert all(stamp == clock for stamp in times)


@tck(
    "tck-id-payloads-alias-birth-requirement",
    "tck-id-payloads-alias-data-cmd-requirement",
    "tck-id-payloads-name-requirement",
    "tck-id-payloads-nbirth-rebirth-req",
    "tck-id-payloads-nbirth-bdseq",
    "tck-id-payloads-ndata-order",
    "tck-id-payloads-ndeath-bdseq",
    "tck-id-topics-nbirth-bdseq-included",
    "tck-id-topics-nbirth-bdseq-increment",
    "tck-id-topics-nbirth-metric-reqs",
    "tck-id-topics-nbirth-metrics",
    "tck-id-topics-nbirth-rebirth-metric",
    "tck-id-topics-dbirth-metric-reqs",
    "tck-id-topics-dbirth-metrics",
    "tck-id-topics-ndata-payload",
    "tck-id-topics-ddata-payload",
    "tck-id-topics-ndeath-payload",
    "tck-id-operational-behavior-data-commands-rebirth-datatype",
    "tck-id-operational-behavior-data-commands-rebirth-name",
    "tck-id-operational-behavior-data-commands-rebirth-name-aliases",
    "tck-id-operational-behavior-data-commands-rebirth-value",
    "tck-id-operational-behavior-data-publish-nbirth",
    "tck-id-operational-behavior-data-publish-nbirth-values",
    "tck-id-operational-behavior-data-publish-dbirth",
    "tck-id-operational-behavior-data-publish-dbirth-values",
)
def test_births_name_everything_and_data_carry_aliases_of_what_changed():
    sent = sent_by(21.0)
    first, again = (payload for where, payload, _ in sent if where.kind == "NBIRTH")
    death = next(payload for where, payload, _ in sent if where.kind == "NDEATH")
    assert [one.name for one in death.metrics] == ["bdSeq"]
    assert [one.long_value for birth in (first, death, again) for one in birth.metrics if one.name == "bdSeq"] == [0, 0, 1]
    by_name = {one.name: one for one in first.metrics}
    assert set(by_name) == {"bdSeq", "Node Control/Rebirth", "t", "none"}
    rebirth = by_name["Node Control/Rebirth"]
    assert (rebirth.datatype, rebirth.boolean_value, rebirth.HasField("alias")) == (11, False, False)
    assert by_name["none"].is_null
    assert by_name["none"].WhichOneof("value") is None
    assert [where.kind for where, _, _ in sent[:3]] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    births = {where.device: payload for where, payload, _ in sent[:3]}
    assert set(births) == {"", "dev", "other"}
    aliases = [one.alias for payload in births.values() for one in payload.metrics if one.HasField("alias")]
    assert len(aliases) == len(set(aliases)) == 4
    for payload in births.values():
        assert all(one.name and one.datatype for one in payload.metrics)
    node_data, device_data = (payload for where, payload, _ in sent if where.kind.endswith("DATA"))
    for payload, name, value in ((node_data, by_name["t"], 21.0), (device_data, births["dev"].metrics[0], 21)):
        (one,) = payload.metrics
        assert (one.name, one.alias, one.HasField("datatype")) == ("", name.alias, False)
        assert decode_value(one, name.datatype) == value


class Watched:
    """The demo plant's analysers at a broker that writes everything down."""

    def __init__(self, peer: Scripted) -> None:
        self.peer = peer
        device = MqttDevice(host="127.0.0.1", port=peer.port, user="u", password="env:IGNORED", group="G", node="A", qos=0)
        self.analysers = Analysers(device, LivePlant(speed=60, seed=1, restart_after=10), "secret")

    @property
    def connection(self) -> Connection:
        return self.peer.connections[-1]

    def packets(self) -> list:
        return [packet for event in self.connection.of(Publishes) for packet in event.packets()]

    def payloads(self, kind: str) -> list[Payload]:
        return [Payload.FromString(bytes(one.payload)) for one in self.packets() if parse_topic(one.topic).kind == kind]

    async def until_births(self, count: int) -> None:
        def born() -> bool:
            self.analysers.publish(time.time_ns() // 1_000_000)
            return bool(self.peer.connections) and len(self.payloads("DBIRTH")) >= count * len(ANALYSERS)

        await until(born)


@tck(
    "tck-id-message-flow-device-birth-publish-dbirth-match-edge-node-topic",
    "tck-id-message-flow-device-birth-publish-dbirth-payload",
    "tck-id-message-flow-device-birth-publish-dbirth-qos",
    "tck-id-message-flow-device-birth-publish-dbirth-retained",
    "tck-id-message-flow-device-birth-publish-dbirth-topic",
    "tck-id-message-flow-device-birth-publish-nbirth-wait",
    "tck-id-message-flow-edge-node-birth-publish-connect",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-payload",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-qos",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-retained",
    "tck-id-message-flow-edge-node-birth-publish-nbirth-topic",
    "tck-id-message-flow-edge-node-birth-publish-will-message",
    "tck-id-message-flow-edge-node-birth-publish-will-message-payload",
    "tck-id-message-flow-edge-node-birth-publish-will-message-qos",
    "tck-id-message-flow-edge-node-birth-publish-will-message-topic",
    "tck-id-message-flow-edge-node-birth-publish-will-message-will-retained",
    "tck-id-message-flow-edge-node-ncmd-subscribe",
    "tck-id-operational-behavior-data-commands-rebirth-action-1",
    "tck-id-operational-behavior-data-commands-rebirth-action-2",
    "tck-id-operational-behavior-data-commands-rebirth-action-3",
    "tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath",
    "tck-id-operational-behavior-edge-node-intentional-disconnect-packet",
    "tck-id-payloads-dbirth-order",
    "tck-id-payloads-dbirth-qos",
    "tck-id-payloads-dbirth-retain",
    "tck-id-payloads-ddata-order",
    "tck-id-payloads-ddata-qos",
    "tck-id-payloads-ddata-retain",
    "tck-id-payloads-nbirth-bdseq-repeat",
    "tck-id-payloads-nbirth-qos",
    "tck-id-payloads-nbirth-retain",
    "tck-id-payloads-ndeath-will-message",
    "tck-id-payloads-ndeath-will-message-publisher",
    "tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt311",
    "tck-id-payloads-ndeath-will-message-qos",
    "tck-id-payloads-ndeath-will-message-retain",
    "tck-id-principles-birth-certificates-order",
    "tck-id-principles-persistence-clean-session-311",
    "tck-id-topics-dbirth-mqtt",
    "tck-id-topics-dbirth-topic",
    "tck-id-topics-ddata-mqtt",
    "tck-id-topics-ddata-topic",
    "tck-id-topics-nbirth-bdseq-matching",
    "tck-id-topics-nbirth-mqtt",
    "tck-id-topics-nbirth-topic",
    "tck-id-topics-ndeath-topic",
)
async def test_the_analysers_connect_give_birth_answer_and_leave_as_the_standard_has_it():
    async with Scripted() as peer:
        watched = Watched(peer)
        await asyncio.to_thread(watched.analysers.start)
        try:
            await watched.until_births(1)
            connect = watched.connection.connect
            assert isinstance(connect, Connect)
            assert (connect.version, connect.clean_start) == (Version.V311, True)
            assert (connect.will.topic, connect.will.qos, connect.will.retain) == ("spBv1.0/G/NDEATH/A", 1, False)
            (number,) = Payload.FromString(connect.will.payload).metrics
            assert (number.name, number.datatype) == ("bdSeq", 4)
            (subscribe,) = watched.connection.of(Subscribe)
            assert [(one.topic_filter, one.qos) for one in subscribe.subscriptions] == [("spBv1.0/G/NCMD/A", 1)]
            devices = len(ANALYSERS)
            topics = [one.topic for one in watched.packets()]
            assert topics[0] == "spBv1.0/G/NBIRTH/A"
            assert sorted(topics[1 : devices + 1]) == sorted(f"spBv1.0/G/DBIRTH/A/{name}" for name in ANALYSERS)
            await until(lambda: watched.analysers.publish(time.time_ns() // 10**6) or watched.payloads("DDATA"))
            assert all((one.qos, one.retain) == (0, False) for one in watched.packets())
            assert {one.topic for one in watched.packets()[devices + 1 :]} <= {
                f"spBv1.0/G/DDATA/A/{name}" for name in ANALYSERS
            }
            before = len(watched.packets())
            request = Publish(topic="spBv1.0/G/NCMD/A", payload=encode_rebirth_request(1))
            watched.connection.writer.write(encode(request, Version.V311))
            await until(lambda: watched.analysers._birth_due)
            await watched.until_births(2)
            after = [parse_topic(one.topic).kind for one in watched.packets()[before : before + devices + 1]]
            assert after == ["NBIRTH", *["DBIRTH"] * devices]
            for birth in watched.payloads("NBIRTH"):
                assert [one.long_value for one in birth.metrics if one.name == "bdSeq"] == [number.long_value]
        finally:
            await asyncio.to_thread(watched.analysers.stop)
        await until(lambda: watched.connection.of(Disconnect))
        assert watched.packets()[-1].topic == "spBv1.0/G/NDEATH/A"
        (death,) = watched.payloads("NDEATH")
        assert [one.long_value for one in death.metrics] == [number.long_value]
        assert isinstance(watched.connection.heard[-1], Disconnect)


@tck("tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
async def test_each_connection_of_the_analysers_has_the_next_number():
    async with Scripted() as peer:
        watched = Watched(peer)
        await asyncio.to_thread(watched.analysers.start)
        try:
            numbers = []
            for count in (1, 2):
                await until(lambda count=count: len(peer.connections) == count and watched.connection.of(Subscribe))
                await watched.until_births(1)
                will = Payload.FromString(watched.connection.connect.will.payload)
                (birth,) = watched.payloads("NBIRTH")
                numbers.append(will.metrics[0].long_value)
                assert [one.long_value for one in birth.metrics if one.name == "bdSeq"] == numbers[-1:]
                watched.connection.writer.transport.abort()
            assert numbers[1] == (numbers[0] + 1) % 256
        finally:
            await asyncio.to_thread(watched.analysers.stop)


@tck("tck-id-operational-behavior-device-ddeath", "tck-id-topics-ddeath-topic", "tck-id-topics-ndata-topic")
def test_a_device_that_is_lost_is_told_by_its_node():
    sent = []
    node = SparkplugNode("G", "N", lambda where, raw: sent.append(where))
    node.declare("dev", "p", "Double", 1.0)
    node.declare("", "t", "Double", 1.0)
    node.birth()
    node.device_death("dev")
    node.update("", {"t": 2.0})
    assert sent[-2:] == ["spBv1.0/G/DDEATH/N/dev", "spBv1.0/G/NDATA/N"]
