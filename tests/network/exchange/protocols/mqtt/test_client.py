"""The client against real brokers: every QoS both ways, sessions, what was on the way, TLS, logins; paho against our codec."""

from __future__ import annotations

import asyncio
import subprocess
import threading

import anyio
import paho.mqtt.client as paho
import pytest
from cryptography.hazmat.primitives import serialization
from mqtt_clients import Approvals, certificate, connected, key_bytes, make, pem, secured, until
from mqtt_peers import Mosquitto, Scripted, Wire, free_port, publish, until_listens

from hulian.network.exchange.protocols.mqtt.client.inbox import Inbox
from hulian.network.exchange.protocols.mqtt.codec import (
    NONE,
    Acks,
    Connack,
    Disconnect,
    Properties,
    Publish,
    Publishes,
    Reason,
    Suback,
    Subscribe,
    Unsubscribe,
    Version,
    encode,
    encode_acks,
)
from hulian.network.exchange.protocols.mqtt.config import TlsSettings, WillSettings
from hulian.network.exchange.protocols.mqtt.errors import (
    BrokerError,
    EncodeError,
    EndedError,
    LoginError,
    MovedError,
    PublishError,
    RefusedError,
    SilentError,
    SubscribeError,
    TlsError,
    UnapprovedError,
    WireError,
)
from hulian.network.exchange.spine.server import executable

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as running:
        yield running


@VERSIONS
async def test_every_quality_both_ways(broker, version):
    async with connected(broker.url, "reader", version=version, qos=2) as (reader, heard):
        await reader.subscribe(["plant/#"])
        async with connected(broker.url, "writer", version=version) as (writer, _):
            assert writer.server.version.label == ("5.0" if version == "5" else "3.1.1")
            for qos in range(3):
                names = [f"plant/{number % 7}" for number in range(300)]
                await writer.publish(names, [b"%d" % number for number in range(300)], qos=qos)
            assert len(writer.outbox) == 0
            await until(lambda: len(heard.messages) == 900)
    for qos in range(3):
        of_qos = [(topic, payload) for topic, payload, quality in heard.messages if quality == qos]
        assert of_qos == [(f"plant/{number % 7}", b"%d" % number) for number in range(300)]


async def test_the_newest_version_that_the_broker_knows_is_found(broker):
    async with connected(broker.url) as (client, _):
        assert client.server.version is Version.V5
        # Topic aliases are used where the broker offers them (mosquitto: ten).
        assert client.server.topic_alias_maximum == 10


async def test_topic_aliases_of_ours_mean_the_right_topics(broker):
    async with connected(broker.url, "reader") as (reader, heard), connected(broker.url, "writer") as (writer, _):
        await reader.subscribe(["#"])
        names = [f"t/{number % 25}" for number in range(500)]
        await writer.publish(names, [name.encode() for name in names], qos=0)
        await until(lambda: len(heard.messages) == 500)
        assert len(writer._aliases) == 10
    assert all(topic.encode() == payload for topic, payload, _ in heard.messages)


@VERSIONS
async def test_a_session_keeps_what_comes_while_we_are_away(broker, version):
    async with connected(broker.url, version=version) as (client, _):
        assert not client.resumed
        await client.subscribe(["a/#"])
    publish(broker.port, "a/b", *map(str, range(50)))
    client, heard = make(broker.url, version=version)
    await client.connect()
    assert client.resumed
    await until(lambda: len(heard.messages) == 50)
    await client.close()
    assert [payload for _, payload, _ in heard.messages] == [b"%d" % number for number in range(50)]
    async with connected(broker.url, version=version, clean_start=True) as (client, heard):
        assert not client.resumed


async def test_a_changed_list_of_filters_ends_the_old_ones(broker, tmp_path):
    inbox = Inbox("peer", tmp_path / "session")
    async with connected(broker.url, inbox=inbox) as (client, _):
        await client.subscribe(["a", "b"])
    again = Inbox("peer", tmp_path / "session")
    assert again.filters == ["a", "b"]
    async with connected(broker.url, inbox=again) as (client, heard):
        await client.subscribe(["b", "c"])
        for topic in ("a", "b", "c"):
            publish(broker.port, topic, topic)
        await until(lambda: len(heard.messages) == 2)
    assert {topic for topic, _, _ in heard.messages} == {"b", "c"}


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
async def test_what_is_on_the_way_survives_a_broken_link(broker, version, qos):
    async with connected(broker.url, "reader", qos=2, in_flight=20) as (reader, heard), Wire(broker.port) as wire:
        await reader.subscribe(["a"])
        writer, _ = make(wire.url, "writer", version=version)
        await writer.connect()
        done = asyncio.ensure_future(writer.publish(["a"] * 1500, [b"%d" % number for number in range(1500)], qos=qos))
        for count in (300, 900):
            await until(lambda count=count: len(heard.messages) > count)
            wire.cut()
            assert isinstance(await writer.lost(), BrokerError)
            await writer.connect()
            assert writer.resumed
        await asyncio.wait_for(done, 60)
        await until(lambda: len({payload for _, payload, _ in heard.messages}) == 1500)
        await writer.close()
    got = [int(payload) for _, payload, _ in heard.messages]
    if qos == 2:
        assert got == list(range(1500)), "exactly once, in order"
    else:
        assert sorted(set(got)) == list(range(1500))


async def test_shared_subscriptions_divide_the_messages(broker):
    async with connected(broker.url, "one") as (one, first), connected(broker.url, "two") as (two, second):
        await one.subscribe(["$share/pair/work/#"])
        await two.subscribe(["$share/pair/work/#"])
        publish(broker.port, "work/a", *map(str, range(100)))
        await until(lambda: len(first.messages) + len(second.messages) == 100)
        assert first.messages
        assert second.messages
    numbers = [int(payload) for _, payload, _ in first.messages + second.messages]
    assert sorted(numbers) == list(range(100))


@VERSIONS
async def test_no_more_wait_for_us_than_we_said(tmp_path, version):
    with Mosquitto(tmp_path / "m", "max_inflight_messages 0") as broker:
        async with connected(broker.url, version=version, receive_maximum=30) as (client, heard):
            await client.subscribe(["a"])
            heard.hold = True
            publish(broker.port, "a", *map(str, range(500)))
            # 3.1.1 has no word for it, and we stop reading; a broker of 5.0 stops by itself.
            await until((lambda: client.link.paused) if version == "3.1.1" else (lambda: client.crowded))
            assert len(heard.messages) == 30 or version == "3.1.1"
            heard.hold = False
            for run in heard.runs[:]:
                heard.acknowledge(run)
            await until(lambda: len(heard.messages) == 500)
            assert client.connected
    assert [int(payload) for _, payload, _ in heard.messages] == list(range(500))


async def test_a_will_is_published_when_we_are_cut_off_but_not_when_we_leave(broker):
    will = WillSettings(topic="status/us", payload="gone", qos=1)
    async with connected(broker.url, "reader") as (reader, heard), Wire(broker.port) as wire:
        await reader.subscribe(["status/#"])
        async with connected(wire.url, "mortal", will=will):
            pass
        async with connected(wire.url, "mortal", will=will):
            wire.cut()
            await until(lambda: heard.messages)
    assert heard.messages == [("status/us", b"gone", 1)]


async def test_a_login_is_checked(tmp_path):
    broker = Mosquitto(tmp_path / "m", f"password_file {tmp_path / 'm' / 'passwords'}", anonymous=False)
    broker.users(engineer="right")
    with broker:
        for version in ("5", "3.1.1"):
            async with connected(broker.url, user="engineer", password="right", version=version) as (client, _):
                assert client.connected
            for user, password in (("engineer", "wrong"), ("", "")):
                client, _ = make(broker.url, user=user, password=password, version=version)
                with pytest.raises(LoginError) as caught:
                    await client.connect()
                assert caught.value.hint
                assert "wrong" not in str(caught.value)


# -- TLS ---------------------------------------------------------------------------------------------------------------


async def test_a_certificate_waits_for_a_person(tmp_path):
    broker, _, _ = secured(tmp_path)
    trust = Approvals()
    with broker:
        client, _ = make(broker.url, trust=trust, user="engineer", password="secret")
        with pytest.raises(UnapprovedError) as caught:
            await client.connect()
        assert caught.value.hint
        (seen,) = trust.seen
        assert seen[1] == broker.url
        assert "New client connected" not in (tmp_path / "m" / "log").read_text(), "we greeted a stranger"
        trust.approved.add(seen[0])
        await client.connect()
        assert client.connected
        await client.close()


async def test_an_authority_of_ours_and_a_certificate_of_ours(tmp_path):
    broker, authority, file = secured(tmp_path, "require_certificate true", "use_identity_as_username true")
    trust = Approvals()
    mine, key = certificate("hulian", authority)
    trust.identity = mine.public_bytes(serialization.Encoding.DER), key_bytes(key)
    with broker:
        tls = TlsSettings(trust="file", authority=file, certificate="own")
        client, _ = make(broker.url, trust=trust, tls=tls)
        await client.connect()
        await client.close()
        assert trust.seen == [], "a signed certificate needs nobody's approval"
        crt, keyfile = pem(tmp_path, "mine", (mine, key))
        async with connected(
            broker.url, trust=trust, tls=TlsSettings(trust="file", authority=file, certificate=crt, key=keyfile)
        ):
            pass
        client, _ = make(broker.url, trust=trust, tls=TlsSettings(trust="file", authority=file))
        with pytest.raises(BrokerError):
            await client.connect()
        for wrong in (TlsSettings(trust="system"), TlsSettings(trust="file", authority=file, server_name="other.example")):
            client, _ = make(broker.url, trust=trust, tls=wrong)
            with pytest.raises(TlsError) as caught:
                await client.connect()
            assert caught.value.hint


async def test_an_expired_certificate_is_refused_even_if_approved(tmp_path):
    broker, _, _ = secured(tmp_path, days=-1)
    trust = Approvals()
    trust.check = lambda certificate, *, peer: True
    with broker:
        client, _ = make(broker.url, trust=trust)
        with pytest.raises(TlsError) as caught:
            await client.connect()
    assert "not now" in str(caught.value)


async def test_tls_to_a_plain_port_is_named(broker):
    client, _ = make(broker.url.replace("mqtt:", "mqtts:"), trust=Approvals(), timeout=2.0)
    with pytest.raises((TlsError, SilentError, BrokerError)) as caught:
        await client.connect()
    assert caught.value.hint


# -- another broker ----------------------------------------------------------------------------------------------------


async def test_nats_server_speaks_only_3_1_1(tmp_path):
    port, inner = free_port(), free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f'server_name: other\nlisten: "127.0.0.1:{inner}"\njetstream: {{ store_dir: "{tmp_path / "js"}" }}\n'
        f'mqtt: {{ listen: "127.0.0.1:{port}" }}\n'
    )
    process = subprocess.Popen([executable(), "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_listens(port, process)
        url = f"mqtt://127.0.0.1:{port}"
        async with connected(url, "reader", qos=2) as (reader, heard):
            assert reader.server.version is Version.V311
            await reader.subscribe(["a/#"])
            async with connected(url, "writer") as (writer, _):
                for qos in range(3):
                    await writer.publish(["a/b"] * 50, [b"%d" % number for number in range(50)], qos=qos)
            await until(lambda: len(heard.messages) == 150)
        publish(port, "a/c", "away", options=("-V", "mqttv311"))
        async with connected(url, "reader", qos=2) as (reader, heard):
            assert reader.resumed
            await until(lambda: [topic for topic, _, _ in heard.messages] == ["a/c"])
    finally:
        process.terminate()
        process.wait()


# -- a client that others wrote, against our codec -----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
async def test_paho_against_our_codec(protocol):
    async with Scripted() as broker:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho", protocol=protocol)
        client.username_pw_set("engineer", "s3cret")
        client.will_set("will", b"gone", qos=2, retain=True)
        ready, got, sent = threading.Event(), [], []
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _client, _data, message: got.append((message.topic, message.payload, message.qos))
        client.on_publish = lambda *arguments: sent.append(arguments[2])
        client.on_connect = lambda *_: client.subscribe([("a/#", 2), ("b/+", 1)])
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        try:
            await until(ready.is_set)
            (connection,) = broker.connections
            connect = connection.connect
            assert (connect.user, connect.password, connect.client_id) == ("engineer", b"s3cret", "paho")
            assert (connect.will.topic, connect.will.payload, connect.will.qos, connect.will.retain) == (
                "will",
                b"gone",
                2,
                True,
            )
            (subscribe,) = connection.of(Subscribe)
            assert [(one.topic_filter, one.qos) for one in subscribe.subscriptions] == [("a/#", 2), ("b/+", 1)]
            for qos in range(3):
                client.publish(f"out/{qos}", b"x" * 300, qos=qos)
            await until(lambda: len(sent) == 3)
            published = [packet for run in connection.of(Publishes) for packet in run.packets()]
            assert [(one.topic, len(one.payload), one.qos) for one in published] == [
                (f"out/{qos}", 300, qos) for qos in range(3)
            ]
            for qos in range(3):
                packet = Publish(topic="a/b", payload=b"%d" % qos, qos=qos, identifier=qos and 40 + qos)
                connection.writer.write(encode(packet, connection.version))
            await until(lambda: connection.acknowledged(4) == [41] and connection.acknowledged(5) == [42])
            connection.writer.write(encode_acks(6, [42]))
            await until(lambda: connection.acknowledged(7) == [42])
            await until(lambda: len(got) == 3)
            assert got == [("a/b", b"%d" % qos, qos) for qos in range(3)]
            client.unsubscribe("a/#")
            await until(lambda: connection.of(Unsubscribe))
        finally:
            client.disconnect()
            client.loop_stop()
        await until(lambda: connection.of(Disconnect))
        assert connection.complaint() is None


# -- brokers that refuse, redirect, and lie --------------------------------------------------------------------------------


def on_connect(code: int, properties: Properties = NONE):
    def answer(event, connection):
        if type(event).__name__ != "Connect":
            return None
        if connection.version is Version.V5:
            return encode(Connack(reason=code, properties=properties), Version.V5)
        return encode(Connack(reason={0x86: 4, 0x87: 5, 0x85: 2, 0x88: 3}.get(code, 1)), Version.V311)

    return answer


REFUSALS = [
    (Reason.BAD_USER_NAME_OR_PASSWORD, LoginError, Properties()),
    (Reason.NOT_AUTHORIZED, LoginError, Properties()),
    (Reason.CLIENT_IDENTIFIER_NOT_VALID, LoginError, Properties()),
    (Reason.SERVER_UNAVAILABLE, RefusedError, Properties()),
    (Reason.SERVER_BUSY, RefusedError, Properties(reason_string="come back later")),
    (Reason.UNSUPPORTED_PROTOCOL_VERSION, RefusedError, Properties()),
    (Reason.USE_ANOTHER_SERVER, MovedError, Properties(server_reference="other:1883")),
    (Reason.SERVER_MOVED, MovedError, Properties(server_reference="other:1883")),
]


@pytest.mark.parametrize(("code", "kind", "properties"), REFUSALS, ids=lambda value: getattr(value, "name", ""))
async def test_a_refusal_says_why_and_what_to_do(code, kind, properties):
    async with Scripted(on_connect(code, properties)) as broker:
        client, _ = make(broker.url)
        with pytest.raises(RefusedError) as caught:
            await client.connect()
    assert type(caught.value) is kind
    assert caught.value.hint
    for words in (properties.reason_string, properties.server_reference):
        assert (words or "") in str(caught.value)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_that_says_nothing(version):
    async with Scripted(lambda event, connection: b"") as broker:
        client, _ = make(broker.url, version=version, timeout=0.3)
        with pytest.raises(SilentError):
            await client.connect()


async def test_nobody_there():
    client, _ = make(f"mqtt://127.0.0.1:{free_port()}")
    with pytest.raises(BrokerError) as caught:
        await client.connect()
    assert caught.value.hint


async def test_a_broker_that_falls_silent_is_noticed(broker):
    async with connected(broker.url, keep_alive=1) as (client, _):
        broker.freeze()
        error = await asyncio.wait_for(client.lost(), 10)
        broker.thaw()
    assert isinstance(error, SilentError)


async def test_a_quiet_link_is_kept_alive(broker):
    async with connected(broker.url, keep_alive=1) as (client, _):
        heard = client.link._pongs
        await until(lambda: client.link._pongs >= heard + 3)
        assert client.connected


async def test_a_disconnect_says_why():
    def answer(event, connection):
        if isinstance(event, Subscribe):
            reason = Properties(reason_string="two of you")
            return encode(Disconnect(reason=Reason.SESSION_TAKEN_OVER, properties=reason), Version.V5)
        return None

    async with Scripted(answer) as broker:
        client, _ = make(broker.url)
        await client.connect()
        with pytest.raises(EndedError) as caught:
            await client.subscribe(["a"])
        assert "two of you" in str(caught.value)
        assert "client_id" in caught.value.hint


async def test_a_refused_filter_is_named_and_harms_no_other():
    def answer(event, connection):
        if isinstance(event, Subscribe):
            reasons = tuple(0x87 if one.topic_filter == "secret/#" else 1 for one in event.subscriptions)
            return encode(Suback(identifier=event.identifier, reasons=reasons), connection.version)
        return None

    async with Scripted(answer) as broker:
        client, _ = make(broker.url)
        await client.connect()
        refused = await client.subscribe(["a", "secret/#"])
        assert list(refused) == ["secret/#"]
        assert refused["secret/#"].hint
        with pytest.raises(SubscribeError):
            await client.subscribe(["secret/#"])
        await client.close()


async def test_a_refused_message_is_an_error_of_its_batch():
    def answer(event, connection):
        if isinstance(event, Publishes):
            packets = list(event.packets())
            refused = [one for one in packets if one.payload == b"no"]
            raw = encode_acks(4, [one.identifier for one in packets if one.payload != b"no"])
            return raw + b"".join(bytes((0x40, 3)) + one.identifier.to_bytes(2, "big") + b"\x87" for one in refused)
        return None

    async with Scripted(answer) as broker:
        client, _ = make(broker.url)
        await client.connect()
        with pytest.raises(PublishError) as caught:
            await client.publish(["a", "b", "c"], [b"yes", b"no", b"yes"], qos=1)
        assert caught.value.place == "b"
        await client.publish(["a"], [b"yes"], qos=1)
        assert len(client.outbox) == 0
        await client.close()


async def test_what_the_broker_does_not_take_is_not_sent():
    limits = Properties(maximum_qos=1, retain_available=0, maximum_packet_size=200, receive_maximum=5)
    async with Scripted(on_connect(0, limits)) as broker:
        client, _ = make(broker.url)
        server = await client.connect()
        assert server.receive_maximum == 5
        for topic, payload, options in (
            ("a", b"", {"qos": 2}),
            ("a", b"", {"retain": True}),
            ("a", bytes(300), {"qos": 1}),
            ("", b"", {"qos": 1}),
            ("a/#", b"", {"qos": 1}),
        ):
            with pytest.raises(EncodeError):
                await client.publish([topic], [payload], **options)
        await client.publish(["a"] * 50, [b"x"] * 50, qos=1)
        await client.close()


async def test_our_window_is_the_broker_s_receive_maximum():
    held: list[int] = []

    def answer(event, connection):
        if type(event).__name__ == "Connect":
            return encode(Connack(properties=Properties(receive_maximum=3)), Version.V5)
        if isinstance(event, Publishes):
            held.extend(event.identifiers)
            return b""
        return None

    async with Scripted(answer) as broker:
        client, _ = make(broker.url)
        await client.connect()
        done = asyncio.ensure_future(client.publish(["a"] * 10, [b"x"] * 10, qos=1))
        (connection,) = broker.connections
        for count in range(1, 11):
            await until(lambda count=count: len(held) == min(10, count + 2))
            assert len(held) <= count + 2
            connection.writer.write(encode_acks(4, [held[count - 1]]))
        await asyncio.wait_for(done, 10)
        await client.close()


LIES = {
    "a packet type that is reserved": b"\x00\x00",
    "a PUBLISH of QoS 3": bytes.fromhex("3605000161000100"),
    "an oversized packet": b"\x30\xff\xff\xff\x7f",
    "a topic that is no UTF-8": bytes.fromhex("30050002c3280031"),
    "a second CONNACK": bytes.fromhex("2003000000"),
    "a PUBACK of nothing": encode_acks(4, [77]),
    "a PUBCOMP of nothing": encode_acks(7, [77]),
    "a SUBACK of nothing": bytes.fromhex("900400770001"),
    "a SUBSCRIBE": bytes.fromhex("82070001000001610 0".replace(" ", "")),
    "a PINGREQ": b"\xc0\x00",
    "an AUTH that nobody asked for": b"\xf0\x00",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda text: text.replace(" ", "-"))
async def test_a_broker_that_lies_is_left_and_told_why(lie):
    async with Scripted() as broker:
        client, heard = make(broker.url, receive_maximum=10)
        heard.hold = True
        await client.connect()
        (connection,) = broker.connections
        connection.writer.write(LIES[lie])
        error = await asyncio.wait_for(client.lost(), 10)
        assert isinstance(error, WireError)
        assert error.clause in str(error)
        await until(lambda: connection.of(Disconnect))
        assert connection.of(Disconnect)[0].reason == error.fault.reason
        await client.connect()
        assert client.connected, "a lie ends a connection, not the client"
        await client.close()


async def test_more_than_our_receive_maximum_waits_in_the_wire():
    async with Scripted() as broker:
        client, heard = make(broker.url, receive_maximum=10)
        heard.hold = True
        await client.connect()
        (connection,) = broker.connections
        big = b"x" * 100_000
        for number in range(1, 101):
            connection.writer.write(encode(Publish(topic="a", payload=big, qos=1, identifier=number), Version.V5))
        await until(lambda: client.link.paused)
        assert client.crowds == 1
        assert 10 < len(heard.messages) < 20, "one buffer at most"
        heard.hold = False
        while len(heard.messages) < 100:
            runs, heard.runs = heard.runs, []
            for run in runs:
                if client.link.paused:
                    heard.acknowledge(run)
            await anyio.sleep(0.005)
        assert client.connected
        await client.close()


@pytest.mark.parametrize("raw", [bytes.fromhex("30030001610031"), encode_acks(4, [1])], ids=["publish", "puback"])
async def test_nothing_comes_before_connack(raw):
    async with Scripted(lambda event, connection: raw) as broker:
        client, _ = make(broker.url, version="5")
        with pytest.raises(WireError):
            await client.connect()


async def test_messages_in_one_buffer_with_connack_are_not_lost():
    def answer(event, connection):
        if type(event).__name__ == "Connect":
            packets = [Publish(topic="a", payload=b"%d" % one, qos=1, identifier=one) for one in (1, 2, 3)]
            return encode(Connack(session_present=True), Version.V5) + b"".join(encode(one, Version.V5) for one in packets)
        return None

    async with Scripted(answer) as broker:
        client, heard = make(broker.url)
        await client.connect()
        assert [payload for _, payload, _ in heard.messages] == [b"1", b"2", b"3"]
        await until(lambda: broker.connections[0].acknowledged() == [1, 2, 3])
        await client.close()


async def test_a_release_of_nothing_is_answered_as_the_standard_says():
    async with Scripted() as broker:
        client, _ = make(broker.url)
        await client.connect()
        (connection,) = broker.connections
        connection.writer.write(encode_acks(6, [9]))
        await until(lambda: connection.of(Acks))
        (acks,) = connection.of(Acks)
        assert (acks.kind, acks.identifiers, acks.reasons) == (7, [9], {0: Reason.PACKET_IDENTIFIER_NOT_FOUND})
        await client.close()
