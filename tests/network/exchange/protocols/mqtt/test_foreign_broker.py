"""The connector on a foreign broker: nothing lost, nothing doubled over kills and cuts, and values that say what they are."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import pytest
from mqtt_clients import connected, secured
from mqtt_peers import Mosquitto, Scripted, Wire, publish
from mqtt_support import RecordingSink

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.mqtt import protocol
from hulian.network.exchange.protocols.mqtt.codec import Publish, Suback, Subscribe, encode
from hulian.network.exchange.protocols.mqtt.config import BrokerSettings, MqttConfiguration
from hulian.network.exchange.protocols.mqtt.errors import (
    AddressError,
    BrokerError,
    ConfirmError,
    LoginError,
    SilentError,
    SourceError,
    SubscribeError,
    UnapprovedError,
    WireError,
)
from hulian.network.exchange.protocols.mqtt.simulator import SparkplugNode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]
VALUE = Binding(series=1, address="json:a:v", storage=S.DOUBLE)
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


class Stranger:
    """Nobody has approved anything."""

    def check(self, certificate: bytes, *, peer: str) -> bool:
        return False

    def own(self, application_uri: str) -> tuple[bytes, bytes]:
        raise AssertionError


def environment(directory=None, user: str = "", password: str = "") -> Environment:
    return Environment(
        organisation="test",
        connector="devices",
        credentials=Credentials(user=user, password=password),
        trust=Stranger(),
        extras={"mqtt.state": directory} if directory is not None else {},
    )


@asynccontextmanager
async def running(url, sink, bindings=(VALUE,), directory=None, user="", password="", broker=None, **settings):
    given = {"bad_after": 0.5, "reconnect_first": 0.05, "reconnect_most": 0.2, "topics": ("a", "b/#")} | settings
    configuration = MqttConfiguration(broker=BrokerSettings(**({"keep_alive": 2, "timeout": 5.0} | (broker or {}))), **given)
    connector = protocol.connector(url, configuration, bindings, environment(directory, user, password))
    async with anyio.create_task_group() as scope:
        scope.start_soon(connector.run, sink)
        yield connector
        scope.cancel_scope.cancel()


def state(sink, wanted: ConnectorState):
    return lambda: sink.statuses and sink.statuses[-1].state is wanted


def values(sink) -> list:
    return [value for _, value, status in sink.of(1) if status == 0]


def statuses(sink) -> list[int]:
    return [status for _, _, status in sink.of(1)]


async def give(broker: Mosquitto, numbers, qos: int = 1) -> None:
    await asyncio.to_thread(publish, broker.port, "a", *[f'{{"v": {number}}}' for number in numbers], qos=qos)


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
async def test_a_killed_and_restarted_broker(broker, sink, tmp_path, version, qos):
    async with running(broker.url, sink, broker={"version": version, "qos": 2}) as connector:
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await give(broker, range(20), qos)
        await sink.until(lambda: len(values(sink)) == 20)
        await sink.until(lambda: connector.source.client._unacknowledged == 0)
        await asyncio.to_thread(broker.save)
        await asyncio.to_thread(broker.kill)
        await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
        assert Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE in statuses(sink)[20:-1]
        status = sink.statuses[-1]
        assert status.state is ConnectorState.WAITING
        assert status.error_code == BrokerError.code
        assert status.hint
        assert status.retry_at
        (event,) = [event for event in sink.events if event.active]
        assert (event.code, bool(event.hint)) == (BrokerError.code, True)
        await asyncio.to_thread(broker.start)
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await give(broker, range(20, 40), qos)
        await sink.until(lambda: len(values(sink)) >= 40)
        await sink.until(lambda: any(event.active is False and event.code == BrokerError.code for event in sink.events))
    assert values(sink) == list(range(40))


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
async def test_what_comes_while_we_are_stopped_is_fetched_once(broker, tmp_path, version, qos):
    settings = {"directory": tmp_path / "state", "broker": {"version": version, "qos": 2}}
    first = RecordingSink()
    async with running(broker.url, first, **settings):
        await first.until(state(first, ConnectorState.CONNECTED))
        await give(broker, range(10), qos)
        await first.until(lambda: len(values(first)) == 10)
    await give(broker, range(10, 500), qos)
    second = RecordingSink(first.position)
    async with running(broker.url, second, **settings):
        await second.until(lambda: len(values(second)) >= 490)
        await give(broker, [500], qos)
        await second.until(lambda: values(second)[-1] == 500)
    assert values(first) + values(second) == list(range(501))


class Doomed(RecordingSink):
    """A journal whose process is killed right behind the commit of position ``at``: nothing is acknowledged any more."""

    def __init__(self, at: int, position=None, *, committed: bool = True) -> None:
        super().__init__(position)
        self.at, self.committed = at, committed
        self.dead = anyio.Event()
        self.kept: list = []

    async def commit(self, position=None) -> None:
        if position is not None and position >= self.at:
            if self.committed:
                self.position = position
                self.kept = list(self.columns)
            self.dead.set()
            await anyio.sleep_forever()
        self.position = position if position is not None else self.position
        self.kept = list(self.columns)

    def journal(self) -> list:
        self.columns = self.kept
        return values(self)


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not-committed"])
async def test_killed_between_journal_and_acknowledgement(broker, tmp_path, version, qos, committed):
    """Ours dies before PUBACK, behind the commit or before it: the broker sends again, the journal has each once.

    A resumed session may bring more than the receive maximum at once (mosquitto 2.0 counts none of what it repeats), up to
    everything that waits: each life therefore gets messages of its own to die on.
    """
    settings = {"directory": tmp_path / "state", "broker": {"version": version, "qos": 2, "receive_maximum": 20}}
    done: list = []
    position = None
    for kill in range(3):
        doomed = Doomed((position or 0) + 10, position, committed=committed)
        async with running(broker.url, doomed, **settings):
            await doomed.until(state(doomed, ConnectorState.CONNECTED))
            await give(broker, range(150 * kill, 150 * (kill + 1)), qos)
            with anyio.fail_after(30):
                await doomed.dead.wait()
        done += doomed.journal()
        position = doomed.position
    last = RecordingSink(position)
    async with running(broker.url, last, **settings) as connector:
        await give(broker, [450], qos)
        await last.until(lambda: values(last) and values(last)[-1] == 450)
        if committed:
            assert connector.source.counters["duplicates"]
    assert done + values(last) == list(range(451))


@VERSIONS
async def test_the_same_value_again_and_again_is_not_taken_for_a_repetition(broker, tmp_path, sink, version):
    async with running(broker.url, sink, directory=tmp_path / "state", broker={"version": version}):
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await give(broker, [7] * 300)
        await sink.until(lambda: len(values(sink)) >= 300)
    again = RecordingSink(sink.position)
    await give(broker, [7] * 300)
    async with running(broker.url, again, directory=tmp_path / "state", broker={"version": version}):
        await again.until(lambda: len(values(again)) >= 300)
        await give(broker, [8])
        await again.until(lambda: values(again)[-1] == 8)
    assert (values(sink), values(again)) == ([7] * 300, [7] * 300 + [8])


@VERSIONS
async def test_a_cut_link_in_the_middle_of_a_stream(broker, tmp_path, sink, version):
    async with Wire(broker.port) as wire, running(wire.url, sink, broker={"version": version, "receive_maximum": 50}):
        await sink.until(state(sink, ConnectorState.CONNECTED))
        writing = asyncio.ensure_future(give(broker, range(3000)))
        for count in (200, 900, 2000):
            await sink.until(lambda count=count: len(values(sink)) > count)
            wire.cut()
        await writing
        await sink.until(lambda: len(values(sink)) >= 3000)
        await give(broker, [3000])
        await sink.until(lambda: values(sink)[-1] == 3000)
    got = values(sink)
    assert got == list(range(3001)), f"{len(got)} values, {len(set(got))} different"


async def test_an_unplugged_cable_is_noticed_and_waited_for(broker, sink):
    async with Wire(broker.port) as wire, running(wire.url, sink):
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await give(broker, [1])
        await sink.until(lambda: values(sink) == [1])
        wire.hold()
        await give(broker, [2, 3])
        await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
        assert {event.code for event in sink.events} <= {SilentError.code, BrokerError.code}
        assert SilentError.code in {event.code for event in sink.events}
        wire.release()
        await sink.until(lambda: values(sink)[-1:] == [3])
        await sink.until(state(sink, ConnectorState.CONNECTED))
    assert values(sink) == [1, 2, 3]
    assert Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE in statuses(sink)


async def test_a_slow_broker_is_not_a_lost_one(broker, sink):
    async with running(broker.url, sink, broker={"keep_alive": 20}) as connector:
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await give(broker, [1])
        await sink.until(lambda: values(sink) == [1])
        broker.freeze()
        waiting = asyncio.ensure_future(give(broker, [2]))
        beats = len(sink.statuses)
        await sink.until(lambda: len(sink.statuses) > beats + 5)
        broker.thaw()
        await waiting
        await sink.until(lambda: values(sink) == [1, 2])
        assert connector.reports.counters.get("reconnects", 0) == 0
    assert sink.events == []


async def test_revoked_credentials(tmp_path, sink):
    broker = Mosquitto(tmp_path / "m", f"password_file {tmp_path / 'm' / 'passwords'}", anonymous=False)
    broker.users(edge="first", other="x")
    with broker:
        async with Wire(broker.port) as wire, running(wire.url, sink, user="edge", password="first"):
            await sink.until(state(sink, ConnectorState.CONNECTED))
            options = ("-u", "other", "-P", "x")
            await asyncio.to_thread(publish, broker.port, "a", '{"v": 1}', options=options)
            await sink.until(lambda: values(sink) == [1])
            await asyncio.to_thread(broker.users, other="x")
            refused = asyncio.ensure_future(asyncio.to_thread(_until_refused, broker))
            await refused
            wire.cut()
            await sink.until(state(sink, ConnectorState.REFUSED))
            status = sink.statuses[-1]
            assert status.error_code == LoginError.code
            assert status.hint
            assert "first" not in str(sink.statuses) + str(sink.events)
            await sink.until(lambda: sink.last(1) == (None, Quality.BAD_USER_ACCESS_DENIED))
            await asyncio.to_thread(publish, broker.port, "a", '{"v": 2}', options=options)
            await asyncio.to_thread(broker.users, edge="first", other="x")
            await sink.until(lambda: values(sink) == [1, 2])
            assert [event.code for event in sink.events if event.active is False][-1] == LoginError.code


def _until_refused(broker: Mosquitto) -> None:
    """Until the broker has read its passwords anew."""
    import subprocess
    import time

    end = time.monotonic() + 20
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "x", "-n", "-u", "edge", "-P", "first"]
    while subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
        assert time.monotonic() < end


LIES = {
    "malformed": b"\x36\x07\x00\x01a\x00\x01\x00x",
    "oversized": b"\x30\xff\xff\xff\x7f",
    "wrong-identifier": b"\x40\x02\x00\x07",
    "packet-identifier-zero": b"\x32\x06\x00\x01a\x00\x00\x00",
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_broker_that_lies(sink, lie):
    lies = [LIES[lie]] * 3

    def answer(event, connection):
        if isinstance(event, Subscribe):
            reasons = tuple(one.qos for one in event.subscriptions)
            good = Publish(topic="a", payload=b'{"v": %d}' % len(broker.connections), qos=1, identifier=1)
            usual = encode(Suback(identifier=event.identifier, reasons=reasons), connection.version)
            return usual + encode(good, connection.version) + (lies.pop() if lies else b"")
        return None

    async with Scripted(answer) as broker, running(broker.url, sink, bad_after=0.02, reconnect_first=0.3):
        await sink.until(lambda: len(broker.connections) == 4)
        await sink.until(state(sink, ConnectorState.CONNECTED))
        await sink.until(lambda: values(sink) == [1, 2, 3, 4])
    assert {event.code for event in sink.events} <= {WireError.code, "HL-MQTT-0041"}
    assert all(event.hint for event in sink.events if event.active)
    assert Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE in statuses(sink)
    assert Quality.BAD_NO_COMMUNICATION in statuses(sink)


async def test_a_filter_that_we_may_not_read_is_told(sink):
    def answer(event, connection):
        if isinstance(event, Subscribe):
            reasons = tuple(0x87 if one.topic_filter == "b/#" else 1 for one in event.subscriptions)
            return encode(Suback(identifier=event.identifier, reasons=reasons), connection.version)
        return None

    async with Scripted(answer) as broker, running(broker.url, sink):
        await sink.until(lambda: sink.events)
        await sink.until(state(sink, ConnectorState.DEGRADED))
    (event,) = sink.events
    assert (event.code, "b/#" in event.message, bool(event.hint)) == (SubscribeError.code, True, True)


async def test_a_strange_certificate_waits_for_a_person(tmp_path, sink):
    broker, _, _ = secured(tmp_path)
    with broker:
        async with running(broker.url, sink):
            await sink.until(state(sink, ConnectorState.NEEDS_APPROVAL))
            assert sink.statuses[-1].error_code == UnapprovedError.code
            assert sink.statuses[-1].hint


async def test_retained_values_are_read_or_not(broker):
    await asyncio.to_thread(publish, broker.port, "a", '{"v": 5}', options=("-r",))
    for version in ("5", "3.1.1"):
        for wanted in (True, False):
            sink = RecordingSink()
            given = {"version": version, "retained": wanted, "client_id": f"r{version}{wanted}"}
            async with running(broker.url, sink, broker=given):
                await sink.until(state(sink, ConnectorState.CONNECTED))
                await give(broker, [6])
                await sink.until(lambda sink=sink: values(sink)[-1:] == [6])
            assert values(sink) == ([5, 6] if wanted else [6])


async def test_set_points_and_sparkplug_over_a_foreign_broker(broker, sink):
    level = Binding(series=1, address="sparkplug:G/N/dev:level", storage=S.DOUBLE, writable=True)
    async with connected(broker.url, "node", qos=1) as (client, heard):
        out: list = []
        node = SparkplugNode("G", "N", lambda topic, payload: out.append((topic, payload)))
        node.declare("dev", "level", "Float", 1.5)
        await client.subscribe(list(node.subscriptions))

        async def edge_node() -> None:
            node.birth()
            seen = 0
            while True:
                for topic, payload, _ in heard.messages[seen:]:
                    seen += 1
                    node.receive(topic, payload)
                sent, out[:] = list(out), []
                if sent:
                    await client.publish([topic for topic, _ in sent], [payload for _, payload in sent])
                await anyio.sleep(0.01)

        task = asyncio.ensure_future(edge_node())
        try:
            async with running(broker.url, sink, [level], topics=("spBv1.0/#",)) as connector:
                await sink.until(lambda: sink.last(1) == (1.5, 0))
                await connector.write(level, 3.25)
                await sink.until(lambda: sink.last(1) == (3.25, 0))
        finally:
            task.cancel()


async def test_a_set_point_is_not_sent_later(broker, sink):
    target = Binding(series=1, address="json:a:v", storage=S.DOUBLE, writable=True, options={"write_topic": "set/a"})
    async with (
        connected(broker.url, "device") as (client, heard),
        running(broker.url, sink, [target], write_timeout=0.3) as ours,
    ):
        await client.subscribe(["set/#"])
        await sink.until(state(sink, ConnectorState.CONNECTED))
        with pytest.raises(ConfirmError):
            await ours.write(target, 2.5)
        await sink.until(lambda: heard.messages == [("set/a", b"2.5", 0)])
        await asyncio.to_thread(broker.kill)
        await sink.until(state(sink, ConnectorState.WAITING))
        with pytest.raises(SourceError):
            await ours.write(target, 9.5)


async def browse(url, **options):
    given = {"topics": ("#",), "browse_seconds": 1.0} | options
    return [node async for node in protocol.browse(url, MqttConfiguration(**given), environment(), depth=0)]


async def test_browsing_shows_what_is_published(broker):
    await asyncio.to_thread(publish, broker.port, "plant/oven", '{"temp": 21.5, "zones": [{"on": true}]}', options=("-r",))
    await asyncio.to_thread(publish, broker.port, "plant/raw", "17.25", options=("-r",))
    found = {node.address: node for node in await browse(broker.url) if node.leaf}
    assert found["json:plant/oven:temp"].value == "21.5"
    assert found["json:plant/oven:temp"].storage is S.DOUBLE
    assert found["json:plant/raw:$"].value == "17.25"
    for number in range(40):
        await asyncio.to_thread(publish, broker.port, f"many/{number}", "1", options=("-r",)) if number < 12 else None
    few = await browse(broker.url, topics=("many/#",), browse_topics=5, browse_seconds=20.0)
    assert len([node for node in few if node.leaf]) == 5, "bounded in number, and so in time"
    with pytest.raises(SourceError) as caught:
        await browse(broker.url, topics=("nothing/#",), browse_seconds=0.2)
    assert caught.value.hint
    with pytest.raises(BrokerError):
        await browse("mqtt://127.0.0.1:1")


@pytest.mark.parametrize(
    "url",
    ["mqtt://user:secret@broker", "mqtts://", "mqtt://broker/path", "ws://broker", "wss://broker", "amqp://", "mqtt://b:x"],
)
def test_wrong_addresses_are_refused_with_a_way_out(url):
    with pytest.raises(AddressError) as caught:
        protocol.connector(url, MqttConfiguration(), [], environment())
    assert caught.value.hint
    assert "secret" not in str(caught.value)
