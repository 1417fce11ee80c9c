"""The packets of MQTT 3.1.1 and 5.0 as values, and the columns that runs of PUBLISH and of acknowledgements become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType, Version
from hulian.network.exchange.protocols.mqtt.codec.properties import NONE, Properties

__all__ = [
    "Ack",
    "Acks",
    "Auth",
    "Connack",
    "Connect",
    "Disconnect",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Publish",
    "Publishes",
    "Suback",
    "Subscribe",
    "Subscription",
    "Unsuback",
    "Unsubscribe",
    "Will",
]


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What the server publishes when the connection ends without DISCONNECT."""

    topic: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Properties = NONE


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.1. ``clean_start`` is Clean Session in 3.1.1."""

    version: Version
    client_id: str = ""
    clean_start: bool = True
    keep_alive: int = 0
    will: Will | None = None
    user: str | None = None
    password: bytes | None = None
    properties: Properties = NONE

    def __repr__(self) -> str:
        return f"Connect(version={self.version!r}, client_id={self.client_id!r}, user={self.user!r})"


class Connack(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.2. ``reason`` is as it stands on the wire: in 3.1.1 the return code."""

    session_present: bool = False
    reason: int = 0
    properties: Properties = NONE


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.3, one message; the decoder gives `Publishes` instead."""

    topic: str
    payload: bytes | memoryview = b""
    qos: int = 0
    identifier: int = 0
    retain: bool = False
    dup: bool = False
    properties: Properties = NONE


class Publishes(msgspec.Struct, kw_only=True):
    """PUBLISH packets that came one behind the other, as columns of equal length.

    ``payloads`` are views of the received buffer and keep it alive: copy what is kept long. ``flags`` are the low four bits
    of the first byte: 8 DUP, 6 QoS, 1 RETAIN. ``identifiers`` are 0 for QoS 0. ``properties`` holds only those that came with
    any, by position. Topic aliases are resolved already.
    """

    topics: list[str]
    payloads: list[memoryview]
    identifiers: list[int]
    flags: list[int]
    properties: dict[int, Properties]

    def __len__(self) -> int:
        return len(self.topics)

    def packets(self) -> Iterator[Publish]:
        """One by one, for where speed does not matter."""
        for place, topic in enumerate(self.topics):
            flags = self.flags[place]
            yield Publish(
                topic=topic,
                payload=self.payloads[place].tobytes(),
                qos=flags >> 1 & 3,
                identifier=self.identifiers[place],
                retain=bool(flags & 1),
                dup=bool(flags & 8),
                properties=self.properties.get(place, NONE),
            )


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7); the decoder gives `Acks` instead."""

    kind: PacketType
    identifier: int
    reason: int = 0
    properties: Properties = NONE


class Acks(msgspec.Struct, kw_only=True):
    """Acknowledgements of one kind that came one behind the other. ``reasons`` and ``properties`` hold, by position, only
    those that are not zero and not empty."""

    kind: PacketType
    identifiers: list[int]
    reasons: dict[int, int]
    properties: dict[int, Properties]

    def __len__(self) -> int:
        return len(self.identifiers)

    def packets(self) -> Iterator[Ack]:
        """One by one, for where speed does not matter."""
        for place, identifier in enumerate(self.identifiers):
            yield Ack(
                kind=self.kind,
                identifier=identifier,
                reason=self.reasons.get(place, 0),
                properties=self.properties.get(place, NONE),
            )


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One filter of a SUBSCRIBE (section 3.8.3.1). 3.1.1 knows only the QoS."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.8."""

    identifier: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = NONE


class Suback(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.9."""

    identifier: int
    reasons: tuple[int, ...]
    properties: Properties = NONE


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.10."""

    identifier: int
    topic_filters: tuple[str, ...]
    properties: Properties = NONE


class Unsuback(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.11; in 3.1.1 without reasons."""

    identifier: int
    reasons: tuple[int, ...] = ()
    properties: Properties = NONE


class Pingreq(msgspec.Struct, frozen=True):
    """Section 3.12."""


class Pingresp(msgspec.Struct, frozen=True):
    """Section 3.13."""


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Section 3.14; in 3.1.1 only clients send it, without a reason."""

    reason: int = 0
    properties: Properties = NONE


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """MQTT 5.0, section 3.15."""

    reason: int = 0
    properties: Properties = NONE


Packet: TypeAlias = (
    Connect | Connack | Publish | Ack | Subscribe | Suback | Unsubscribe | Unsuback | Pingreq | Pingresp | Disconnect | Auth
)
