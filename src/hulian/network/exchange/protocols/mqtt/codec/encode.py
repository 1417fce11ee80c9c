"""Packets to bytes: any one of them, or many PUBLISH or acknowledgements into one buffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from hulian.network.exchange.protocols.mqtt.codec.bodies import broken_filter
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType as P
from hulian.network.exchange.protocols.mqtt.codec.kinds import Version
from hulian.network.exchange.protocols.mqtt.codec.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from hulian.network.exchange.protocols.mqtt.codec.properties import (
    NONE,
    WILL,
    Properties,
    binary,
    encode_properties,
    text,
    variable,
)
from hulian.network.exchange.protocols.mqtt.errors import EncodeError

__all__ = ["encode", "encode_acks", "encode_publishes"]

_ONE: Final = [variable(length) for length in range(16_384)]
_TWO: Final = np.dtype(">u2")


def encode(packet: Packet, version: Version) -> bytes:
    """The bytes of one packet. Raises `EncodeError` for what the standard forbids.

    >>> encode(Pingreq(), Version.V5).hex(), encode(Publish(topic="a", payload=b"1"), Version.V5).hex()
    ('c000', '30050001610031')
    """
    return _WRITE[type(packet)](packet, version)


def _framed(first: int, body: bytes) -> bytes:
    return bytes((first,)) + variable(len(body)) + body


def _properties(properties: Properties, place: int, version: Version) -> bytes:
    if version is Version.V5:
        return encode_properties(properties, place)
    if properties is not NONE and properties != NONE:
        raise EncodeError("3.1.1 has no properties [2.2.2]")
    return b""


def _identifier(value: int) -> bytes:
    if not 0 < value < 65536:
        raise EncodeError(f"{value} is no packet identifier [MQTT-2.2.1-3]")
    return value.to_bytes(2, "big")


def topic_bytes(topic: str) -> bytes:
    """A topic name with its length. Raises `EncodeError`."""
    if "+" in topic or "#" in topic:
        raise EncodeError(f"the topic {topic[:80]!r} holds a wildcard [MQTT-3.3.2-2]")
    return text(topic)


def _named(topic: str) -> bytes:
    if not topic:
        raise EncodeError("an empty topic [MQTT-4.7.3-1]")
    return topic_bytes(topic)


def _filter_bytes(topic_filter: str) -> bytes:
    wrong = broken_filter(topic_filter)
    if wrong:
        raise EncodeError(f"{wrong[0].text}: {topic_filter[:80]!r} [{wrong[0].clause(5)}]")
    return text(topic_filter)


def _connect(packet: Connect, version: Version) -> bytes:
    version = packet.version
    bits = 2 * packet.clean_start
    will = packet.will
    body = [_properties(packet.properties, P.CONNECT, version), text(packet.client_id)]
    if will is not None:
        if not 0 <= will.qos <= 2:
            raise EncodeError("a will has QoS 0, 1 or 2 [MQTT-3.1.2-12]")
        bits |= 4 | will.qos << 3 | will.retain << 5
        body += [_properties(will.properties, WILL, version), _named(will.topic), binary(will.payload)]
    if packet.user is not None:
        bits |= 0x80
        body.append(text(packet.user))
    if packet.password is not None:
        if packet.user is None and version is Version.V311:
            raise EncodeError("a password needs a user name in 3.1.1 [MQTT-3.1.2-22]")
        bits |= 0x40
        body.append(binary(packet.password))
    if not 0 <= packet.keep_alive < 65536:
        raise EncodeError("a keep-alive of 0 to 65535 s [3.1.2.10]")
    head = text("MQTT") + bytes((version, bits)) + packet.keep_alive.to_bytes(2, "big")
    return _framed(0x10, head + b"".join(body))


def _connack(packet: Connack, version: Version) -> bytes:
    if packet.session_present and packet.reason:
        raise EncodeError("a refusal has no session [MQTT-3.2.2-6]")
    head = bytes((packet.session_present, packet.reason))
    return _framed(0x20, head + _properties(packet.properties, P.CONNACK, version))


def _publish(packet: Publish, version: Version) -> bytes:
    if not 0 <= packet.qos <= 2 or (packet.dup and not packet.qos):
        raise EncodeError("QoS is 0, 1 or 2, and QoS 0 is never repeated [MQTT-3.3.1-2]")
    if not packet.topic and packet.properties.topic_alias is None:
        raise EncodeError("an empty topic [MQTT-4.7.3-1]")
    head = topic_bytes(packet.topic)
    if packet.qos:
        head += _identifier(packet.identifier)
    elif packet.identifier:
        raise EncodeError("QoS 0 has no packet identifier [MQTT-2.2.1-2]")
    body = head + _properties(packet.properties, P.PUBLISH, version) + bytes(packet.payload)
    return _framed(0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain, body)


def _ack(packet: Ack, version: Version) -> bytes:
    if packet.kind not in (P.PUBACK, P.PUBREC, P.PUBREL, P.PUBCOMP):
        raise EncodeError(f"{packet.kind!r} is no acknowledgement")
    body = _identifier(packet.identifier)
    if version is Version.V5:
        properties = encode_properties(packet.properties, packet.kind)
        if properties != b"\0":
            body += bytes((packet.reason,)) + properties
        elif packet.reason:
            body += bytes((packet.reason,))
    elif packet.reason or packet.properties != NONE:
        raise EncodeError("3.1.1 acknowledges without a reason [3.4]")
    return _framed(packet.kind << 4 | (2 if packet.kind is P.PUBREL else 0), body)


def _subscribe(packet: Subscribe, version: Version) -> bytes:
    if not packet.subscriptions:
        raise EncodeError("no topic filter [MQTT-3.8.3-2]")
    parts = [_identifier(packet.identifier), _properties(packet.properties, P.SUBSCRIBE, version)]
    for one in packet.subscriptions:
        bits = one.qos | one.no_local << 2 | one.retain_as_published << 3 | one.retain_handling << 4
        if not 0 <= one.qos <= 2 or not 0 <= one.retain_handling <= 2 or (version is Version.V311 and bits > 2):
            raise EncodeError("subscription options out of range [MQTT-3.8.3-5]")
        if one.no_local and one.topic_filter.startswith("$share/"):
            raise EncodeError("a shared subscription with No Local [MQTT-3.8.3-4]")
        parts += [_filter_bytes(one.topic_filter), bytes((bits,))]
    return _framed(0x82, b"".join(parts))


def _suback(packet: Suback, version: Version) -> bytes:
    if not packet.reasons:
        raise EncodeError("a SUBACK answers at least one filter [3.9.3]")
    head = _identifier(packet.identifier) + _properties(packet.properties, P.SUBACK, version)
    return _framed(0x90, head + bytes(packet.reasons))


def _unsubscribe(packet: Unsubscribe, version: Version) -> bytes:
    if not packet.topic_filters:
        raise EncodeError("no topic filter [MQTT-3.10.3-2]")
    head = _identifier(packet.identifier) + _properties(packet.properties, P.UNSUBSCRIBE, version)
    return _framed(0xA2, head + b"".join(_filter_bytes(one) for one in packet.topic_filters))


def _unsuback(packet: Unsuback, version: Version) -> bytes:
    if bool(packet.reasons) is (version is Version.V311):
        raise EncodeError("an UNSUBACK has reasons in 5.0, and none in 3.1.1 [3.11.3]")
    head = _identifier(packet.identifier) + _properties(packet.properties, P.UNSUBACK, version)
    return _framed(0xB0, head + bytes(packet.reasons))


def _ending(first: int, kind: P) -> Callable[[Any, Version], bytes]:
    def write(packet: Disconnect | Auth, version: Version) -> bytes:
        if version is Version.V311:
            if kind is P.AUTH or packet.reason or packet.properties != NONE:
                raise EncodeError("3.1.1 has neither AUTH nor reasons [3.14]")
            return _framed(first, b"")
        properties = encode_properties(packet.properties, kind)
        if properties == b"\0":
            return _framed(first, bytes((packet.reason,)) if packet.reason else b"")
        return _framed(first, bytes((packet.reason,)) + properties)

    return write


_WRITE: Final[dict[type, Callable[[Any, Version], bytes]]] = {
    Connect: _connect,
    Connack: _connack,
    Publish: _publish,
    Ack: _ack,
    Subscribe: _subscribe,
    Suback: _suback,
    Unsubscribe: _unsubscribe,
    Unsuback: _unsuback,
    Pingreq: lambda packet, version: b"\xc0\0",
    Pingresp: lambda packet, version: b"\xd0\0",
    Disconnect: _ending(0xE0, P.DISCONNECT),
    Auth: _ending(0xF0, P.AUTH),
}


def encode_publishes(
    heads: Sequence[bytes],
    payloads: Sequence[bytes],
    identifiers: Sequence[int] | None,
    first: int,
    properties: bytes,
) -> bytes:
    """Many PUBLISH packets in one buffer.

    ``heads`` are topics with their lengths (`encode.topic_bytes`, made once a topic), ``identifiers`` is None for QoS 0,
    ``first`` the first byte of each, ``properties`` the property section of each (empty in 3.1.1).

    >>> encode_publishes([topic_bytes("a")] * 2, [b"1", b"2"], [5, 6], 0x32, b"").hex()
    '32060001610005313206000161000632'
    """
    parts: list[bytes] = []
    extend = parts.extend
    one, most = _ONE, len(_ONE)
    lead = bytes((first,))
    extra = len(properties)
    if identifiers is None:
        for head, payload in zip(heads, payloads, strict=True):
            length = len(head) + len(payload) + extra
            extend((lead, one[length] if length < most else variable(length), head, properties, payload))
    else:
        marks = np.asarray(identifiers, _TWO).tobytes()
        extra += 2
        at = 0
        for head, payload in zip(heads, payloads, strict=True):
            length = len(head) + len(payload) + extra
            mark = marks[at : at + 2]
            extend((lead, one[length] if length < most else variable(length), head, mark, properties, payload))
            at += 2
    return b"".join(parts)


def encode_acks(kind: P, identifiers: Sequence[int]) -> bytes:
    """Acknowledgements of success in one buffer; the same in 3.1.1 and 5.0.

    >>> encode_acks(P.PUBACK, [1, 300]).hex(" ", 4)
    '40020001 4002012c'
    """
    found = np.empty((len(identifiers), 2), _TWO)
    found[:, 0] = kind << 12 | (0x202 if kind == P.PUBREL else 2)
    found[:, 1] = identifiers
    return found.tobytes()
