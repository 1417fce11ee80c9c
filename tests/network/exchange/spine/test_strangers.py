"""CONNECT packets of strangers at the MQTT listener: none is let in, and the devices that are let in notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import paho.mqtt.client as paho
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nats_node import DEVICE_PASSWORD

pytestmark = pytest.mark.anyio

ANY = st.binary(max_size=60) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
COMPONENTS = ("supervisor", "historian", "edge", "api", "cli", "monitor")


def field(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def packet(kind: int, body: bytes) -> bytes:
    """A control packet with its remaining length (MQTT 3.1.1, 2.2.3)."""
    length, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | (0x80 if left else 0)])
        if not left:
            return bytes([kind]) + length + body


def connect(user: bytes | None, password: bytes | None, *, client: bytes = b"x", name=b"MQTT", level=4, flags=0) -> bytes:
    flags |= 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = field(name) + bytes([level, flags & 0xFF]) + struct.pack(">H", 30) + field(client)
    return packet(0x10, body + b"".join(field(part) for part in (user, password) if part is not None))


def answer(port: int, sent: bytes) -> bytes:
    """What the listener says to these bytes, until it closes or has said its CONNACK."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), 10) as link, contextlib.suppress(ConnectionError):
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        while len(got) < 4 and (chunk := link.recv(64)):
            got += chunk
    return got


def welcomed(said: bytes) -> bool:
    """A CONNACK with return code 0 (MQTT 3.1.1, 3.2.2.3)."""
    return len(said) >= 4 and said[0] == 0x20 and said[3] == 0


async def test_no_connect_of_a_stranger_is_welcome_and_a_device_notices_nothing(node):
    """Without TLS, as on a loopback listener: what is refused is refused by the credential alone."""
    port = node.configuration.mqtt_port
    happened: list[str] = []
    device = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="good", protocol=paho.MQTTv311)
    device.username_pw_set("device", DEVICE_PASSWORD)
    device.on_connect = lambda *given: happened.append("refused" if given[3].is_failure else "up")
    device.on_disconnect = lambda *given: happened.append("down")
    device.reconnect_delay_set(0.05, 0.1)
    device.connect_async("127.0.0.1", port)
    device.loop_start()
    try:
        async with asyncio.timeout(20):
            while "up" not in happened:
                await asyncio.sleep(0.02)
        before = list(happened)
        assert welcomed(await asyncio.to_thread(answer, port, connect(b"device", DEVICE_PASSWORD.encode()))), "a control"
        await asyncio.to_thread(_attempts, node, port)
        assert happened == before, "the device was cut off"
        sent = device.publish("plant/a", b"1", qos=1)
        await asyncio.to_thread(sent.wait_for_publish, 20)
        assert sent.is_published()
    finally:
        device.disconnect()
        device.loop_stop()


def _attempts(node, port: int) -> None:
    fuzz = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

    for component in COMPONENTS:
        # The right password of a component, at the wrong door.
        assert not welcomed(answer(port, connect(component.encode(), node.password(component).encode()))), component

    @fuzz
    @given(
        user=st.none() | ANY | st.sampled_from([b"device", b"edge", b"supervisor", b"$SYS"]),
        password=st.none() | ANY,
        client=ANY,
        name=st.sampled_from([b"MQTT", b"MQIsdp", b"", b"NATS"]),
        level=st.integers(0, 255),
        flags=st.integers(0, 255),
    )
    @example(user=None, password=None, client=b"", name=b"MQTT", level=4, flags=0)
    @example(user=b"device", password=b"", client=b"x", name=b"MQTT", level=4, flags=0)
    @example(user=b"device", password=None, client=b"x", name=b"MQTT", level=4, flags=0)
    @example(user=b"", password=b"", client=b"x", name=b"MQTT", level=4, flags=0)
    @example(user=b"device", password=DEVICE_PASSWORD.encode() + b"\0", client=b"x", name=b"MQTT", level=4, flags=0)
    @example(user=b"device\0", password=DEVICE_PASSWORD.encode(), client=b"x", name=b"MQTT", level=4, flags=0)
    @example(user=b"device", password=DEVICE_PASSWORD.encode()[:-1], client=b"x", name=b"MQTT", level=4, flags=0)
    def any_connect(user, password, client, name, level, flags):
        assert not welcomed(answer(port, connect(user, password, client=client, name=name, level=level, flags=flags)))

    @fuzz
    @given(st.binary(max_size=400))
    @example(b"\x10\xff\xff\xff\xff\x7f")
    @example(b"\x10\xff\xff\xff\x7f" + bytes(300))
    @example(b"\x30\x05\x00\x01a\x00\x00")
    @example(b"CONNECT {}\r\nPING\r\n")
    @example(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
    def any_bytes(raw):
        assert not welcomed(answer(port, raw))

    any_connect()
    any_bytes()
