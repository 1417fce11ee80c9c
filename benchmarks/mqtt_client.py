"""Our MQTT codec and client against those that others use.

``mqtt.codec_messages_per_s``: PUBLISH packets encoded into one buffer and decoded from it, beside gmqtt's codec.
``mqtt.client_qos1_per_s``: one client, QoS 1, to one mosquitto, until the last message is acknowledged, beside paho-mqtt
with as many on the way; ``mqtt.client_receive_qos1_per_s``: the same in the other direction, every message
acknowledged. Ours and theirs take turns in the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

ROUNDS = 5
CODEC = 50_000
MESSAGES = 30_000
THEIRS = 3_000
WINDOW = 1_000
TOPIC = "plant/line-7/oven-3/temperature"


def payloads(count: int) -> list[bytes]:
    return [b'{"v": %d.25, "ts": 17000%08d}' % (number % 1000, number) for number in range(count)]


# -- the codec ---------------------------------------------------------------------------------------------------------


def codec_ours(given: list[bytes]) -> float:
    from hulian.network.exchange.protocols.mqtt.codec import Decoder, Version, encode_publishes
    from hulian.network.exchange.protocols.mqtt.codec.encode import topic_bytes

    began = time.process_time()
    head = topic_bytes(TOPIC)
    count = 0
    decoder = Decoder(Version.V5)
    for at in range(0, len(given), 1000):
        part = given[at : at + 1000]
        identifiers = [number % 65_535 + 1 for number in range(at, at + len(part))]
        raw = encode_publishes([head] * len(part), part, identifiers, 0x32, b"\0")
        for event in decoder.feed(raw):
            count += len(event)  # type: ignore[arg-type]
    taken = time.process_time() - began
    assert count == len(given)
    return len(given) / taken


def codec_gmqtt(given: list[bytes]) -> float:
    from gmqtt.client import Message
    from gmqtt.mqtt.constants import MQTTv50
    from gmqtt.mqtt.handler import MqttPackageHandler
    from gmqtt.mqtt.package import PublishPacket
    from gmqtt.mqtt.protocol import MQTTProtocol
    from gmqtt.mqtt.utils import ConnectionState

    logging.getLogger("gmqtt").setLevel(logging.CRITICAL)
    framed: list = []
    reader = MQTTProtocol.__new__(MQTTProtocol)
    reader._connection = SimpleNamespace(put_package=framed.append)
    handler = MqttPackageHandler.__new__(MqttPackageHandler)
    handler._connection_state = ConnectionState(protocol_version=MQTTv50)
    handler._logger = logging.getLogger("gmqtt")
    handler._server_topics_aliases = {}
    got: list = []
    handler._handle_qos_0_publish_packet = handler._handle_qos_1_publish_packet = lambda *given: got.append(given)
    identifiers = iter(range(1, 10**9))
    protocol = SimpleNamespace(proto_ver=MQTTv50, id_generator=SimpleNamespace(next_id=lambda: next(identifiers) % 65_535 + 1))
    began = time.process_time()
    for at in range(0, len(given), 1000):
        raw = b"".join(PublishPacket.build_package(Message(TOPIC, one, qos=1), protocol)[1] for one in given[at : at + 1000])
        reader._read_packet(raw)
        for package in framed:
            handler._handle_publish_packet(package.cmd, package.data)
        framed.clear()
    taken = time.process_time() - began
    assert len(got) == len(given), f"gmqtt read {len(got)} of {len(given)}"
    return len(given) / taken


# -- the client --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mosquitto() -> Iterator[int]:
    program = shutil.which("mosquitto")
    if program is None:
        raise RuntimeError("mosquitto is not installed: see tests/peers/install.sh")
    with tempfile.TemporaryDirectory() as text, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        config = Path(text) / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages {WINDOW}\nmax_queued_messages 0\n"
            "set_tcp_nodelay true\nlog_type none\n"
        )
        process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait()


def _client(port: int, name: str):
    from hulian.network.exchange.protocols.contract import Credentials
    from hulian.network.exchange.protocols.mqtt.client import Client, Place
    from hulian.network.exchange.protocols.mqtt.config import BrokerSettings

    settings = BrokerSettings(in_flight=WINDOW, receive_maximum=WINDOW, clean_start=True, session=0)
    return Client(Place("127.0.0.1", port, tls=False), settings, Credentials(), None, client_id=name)


def ours_publish(port: int, given: list[bytes]) -> float:
    async def main() -> float:
        client = _client(port, "ours-out")
        await client.connect()
        began = time.perf_counter()
        await client.publish([TOPIC] * len(given), given, qos=1)
        taken = time.perf_counter() - began
        await client.close()
        return len(given) / taken

    return _loop(main())


def _loop(main):
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def paho_publish(port: int, given: list[bytes]) -> float:
    import paho.mqtt.client as paho

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho-out", protocol=paho.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    client.max_queued_messages_set(0)
    ready, done = threading.Event(), threading.Event()
    left = len(given)

    def on_publish(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    client.on_connect = lambda *_: ready.set()
    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not ready.wait(10):
        raise RuntimeError("paho did not connect")
    began = time.perf_counter()
    for payload in given:
        client.publish(TOPIC, payload, qos=1)
    if not done.wait(300):
        raise RuntimeError(f"paho: {left} messages were not acknowledged")
    taken = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return len(given) / taken


def _flood(port: int, given: list[bytes]) -> None:
    """The messages from our own client, in a thread of its own loop, for whoever is measured as a receiver."""
    ours_publish(port, given)


def ours_receive(port: int, given: list[bytes]) -> float:
    async def main() -> float:
        client = _client(port, "ours-in")
        done = asyncio.Event()
        got = 0

        def deliver(run) -> None:
            nonlocal got
            got += len(run)
            client.acknowledge(run.identifiers, 0)
            if got >= len(given):
                done.set()

        client._deliver = deliver
        await client.connect()
        await client.subscribe([TOPIC])
        began = time.perf_counter()
        sender = asyncio.create_task(asyncio.to_thread(_flood, port, given))
        async with asyncio.timeout(300):
            await done.wait()
        taken = time.perf_counter() - began
        await sender
        await client.close()
        return len(given) / taken

    return _loop(main())


def paho_receive(port: int, given: list[bytes]) -> float:
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho-in", protocol=paho.MQTTv5)
    ready, done = threading.Event(), threading.Event()
    got = 0

    def on_message(*_: object) -> None:
        nonlocal got
        got += 1
        if got == len(given):
            done.set()

    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    window = Properties(PacketTypes.CONNECT)
    window.ReceiveMaximum = WINDOW
    client.connect("127.0.0.1", port, properties=window)
    client.loop_start()
    if not ready.wait(10):
        raise RuntimeError("paho did not subscribe")
    began = time.perf_counter()
    sender = threading.Thread(target=_flood, args=(port, given))
    sender.start()
    if not done.wait(300):
        raise RuntimeError(f"paho received {got} of {len(given)}")
    taken = time.perf_counter() - began
    sender.join()
    client.disconnect()
    client.loop_stop()
    return len(given) / taken


def _row(name: str, reference: str, ours: list[float], theirs: list[float], conditions: str) -> dict:
    value, other = statistics.median(ours), statistics.median(theirs)
    return {
        "name": name,
        "value": value,
        "unit": "messages/s",
        "reference": reference,
        "reference_value": other,
        "ratio": value / other,
        "conditions": f"{conditions}; median of {len(ours)} turns; ours {min(ours):.0f} to {max(ours):.0f}, "
        f"theirs {min(theirs):.0f} to {max(theirs):.0f}",
    }


def run() -> list[dict]:
    many, fewer, few = payloads(CODEC), payloads(MESSAGES), payloads(THEIRS)
    codec: tuple[list[float], list[float]] = ([], [])
    out: tuple[list[float], list[float]] = ([], [])
    into: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        codec[0].append(codec_ours(many))
        codec[1].append(codec_gmqtt(many[: CODEC // 5]))
    with mosquitto() as port:
        for _ in range(ROUNDS):
            out[0].append(ours_publish(port, fewer))
            out[1].append(paho_publish(port, few))
            into[0].append(ours_receive(port, fewer))
            into[1].append(paho_receive(port, few))
    size = len(many[0])
    wire = f"MQTT 5.0, QoS 1, payloads of {size} bytes, one topic"
    client = (
        f"{wire}, one mosquitto, one connection, at most {WINDOW} on the way; ours {MESSAGES}, theirs {THEIRS} messages a turn"
    )
    return [
        _row(
            "mqtt.codec_messages_per_s",
            "gmqtt's codec",
            *codec,
            f"encoded in batches of 1000 and decoded again, in CPU time; {wire}",
        ),
        _row("mqtt.client_qos1_per_s", "paho-mqtt", *out, f"published until the last PUBACK; {client}"),
        _row("mqtt.client_receive_qos1_per_s", "paho-mqtt", *into, f"received and acknowledged, sent by our client; {client}"),
    ]
