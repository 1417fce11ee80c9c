"""The bodies of the packets that come seldom, each read in one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from hulian.network.exchange.protocols.mqtt.codec.faults import Fault
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType as P
from hulian.network.exchange.protocols.mqtt.codec.kinds import Version
from hulian.network.exchange.protocols.mqtt.codec.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from hulian.network.exchange.protocols.mqtt.codec.properties import NONE, WILL, Properties, read_properties
from hulian.network.exchange.protocols.mqtt.codec.reader import Reader
from hulian.network.exchange.protocols.mqtt.codec.reasons import ALLOWED_5, ALLOWED_311

__all__ = ["READ", "broken_filter"]


class Bounds(Protocol):
    """The part of `Limits` that bodies need."""

    @property
    def properties(self) -> int: ...
    @property
    def filters(self) -> int: ...
    @property
    def topic(self) -> int: ...


def _flags(reader: Reader, flags: int, wanted: int = 0) -> None:
    if flags != wanted:
        reader.fail(Fault.FLAGS, f"0x{flags:X}", at=reader.origin)


def _properties(reader: Reader, version: Version | None, limits: Bounds, place: int | None = None) -> Properties:
    if version is not Version.V5:
        return NONE
    return read_properties(reader, reader.kind if place is None else place, limits.properties)


def _reason(reader: Reader, version: Version | None) -> int:
    """A reason code that this packet may carry."""
    found = reader.byte()
    allowed = (ALLOWED_5 if version is Version.V5 else ALLOWED_311).get(P(reader.kind))
    if allowed is not None and found not in allowed:
        reader.fail(Fault.REASON, f"0x{found:02X}", at=reader.at - 1)
    return found


def _connect(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    if version is not None:
        reader.fail(Fault.UNEXPECTED, "a CONNECT on a connection that has one", at=reader.origin)
    if reader.text() != "MQTT":
        reader.fail(Fault.PROTOCOL_NAME, at=reader.origin + 2)
    level = reader.byte()
    if level not in (4, 5):
        reader.fail(Fault.PROTOCOL_LEVEL, str(level), at=reader.at - 1)
    version = Version(level)
    reader.version = level
    where = reader.at
    bits = reader.byte()
    qos = bits >> 3 & 3
    if bits & 1:
        reader.fail(Fault.CONNECT_FLAGS, at=where)
    if qos == 3:
        reader.fail(Fault.WILL_QOS, at=where)
    if bits & 0x38 and not bits & 4:
        reader.fail(Fault.WILL_FLAGS, at=where)
    if bits & 0xC0 == 0x40 and version is Version.V311:
        reader.fail(Fault.PASSWORD, at=where)
    keep_alive = reader.two()
    properties = _properties(reader, version, limits)
    client_id = reader.text()
    will = None
    if bits & 4:
        given = _properties(reader, version, limits, WILL)
        will = Will(topic=_topic(reader, limits), payload=reader.binary(), qos=qos, retain=bool(bits & 0x20), properties=given)
    user = reader.text() if bits & 0x80 else None
    password = reader.binary() if bits & 0x40 else None
    reader.done()
    return Connect(
        version=version,
        client_id=client_id,
        clean_start=bool(bits & 2),
        keep_alive=keep_alive,
        will=will,
        user=user,
        password=password,
        properties=properties,
    )


def _topic(reader: Reader, limits: Bounds) -> str:
    began = reader.at
    topic = reader.text()
    if reader.at - began - 2 > limits.topic:
        reader.fail(Fault.TOPIC_LENGTH, at=began)
    if not topic:
        reader.fail(Fault.TOPIC_EMPTY, at=began)
    if "+" in topic or "#" in topic:
        reader.fail(Fault.TOPIC_WILDCARD, topic[:80], at=began)
    return topic


def _connack(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    bits = reader.byte()
    if bits & 0xFE:
        reader.fail(Fault.CONNACK_FLAGS, at=reader.at - 1)
    if version is Version.V5 and reader.end - reader.at == 1 and reader.data[reader.at] == 1:
        # How a server that knows only 3.1.1 refuses a CONNECT of 5.0 (3.1.1, section 3.1.2.2).
        reader.byte()
        return Connack(reason=0x84)
    reason = _reason(reader, version)
    if reason and bits:
        reader.fail(Fault.SESSION_PRESENT, at=reader.at - 2)
    properties = _properties(reader, version, limits)
    reader.done()
    return Connack(session_present=bool(bits), reason=reason, properties=properties)


def broken_filter(text: str) -> tuple[Fault, str] | None:
    """What is wrong with a topic filter (sections 4.7 and 4.8.2), or None.

    >>> broken_filter("a/+/#"), broken_filter("a/b#")[0].name, broken_filter("$share//a")[0].name
    (None, 'FILTER', 'SHARE')
    """
    if text.startswith("$share/"):
        _, _, rest = text.partition("/")
        share, slash, text = rest.partition("/")
        if not share or not slash or not text or "+" in share or "#" in share:
            return Fault.SHARE, "it is $share/NAME/FILTER"
    if not text:
        return Fault.TOPIC_EMPTY, "of a filter"
    hash_at = text.find("#")
    if hash_at >= 0 and (hash_at != len(text) - 1 or (hash_at and text[hash_at - 1] != "/")):
        return Fault.FILTER, text[:80]
    if "+" in text and any("+" in level and level != "+" for level in text.split("/")):
        return Fault.FILTER, text[:80]
    return None


def _filter(reader: Reader, limits: Bounds) -> str:
    began = reader.at
    found = reader.text()
    if reader.at - began - 2 > limits.topic:
        reader.fail(Fault.TOPIC_LENGTH, at=began)
    wrong = broken_filter(found)
    if wrong:
        reader.fail(*wrong, at=began)
    return found


def _subscribe(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags, 2)
    identifier = reader.identifier()
    properties = _properties(reader, version, limits)
    found: list[Subscription] = []
    while reader.at < reader.end:
        began = reader.at
        topic_filter = _filter(reader, limits)
        bits = reader.byte()
        if bits & (0xC0 if version is Version.V5 else 0xFC) or bits & 3 == 3 or bits & 0x30 == 0x30:
            reader.fail(Fault.OPTIONS, f"0x{bits:02X}", at=reader.at - 1)
        if bits & 4 and topic_filter.startswith("$share/"):
            reader.fail(Fault.NO_LOCAL, at=reader.at - 1)
        if len(found) >= limits.filters:
            reader.fail(Fault.FILTER_COUNT, f"{limits.filters} are", at=began)
        found.append(
            Subscription(
                topic_filter=topic_filter,
                qos=bits & 3,
                no_local=bool(bits & 4),
                retain_as_published=bool(bits & 8),
                retain_handling=bits >> 4 & 3,
            )
        )
    if not found:
        reader.fail(Fault.NO_FILTER)
    return Subscribe(identifier=identifier, subscriptions=tuple(found), properties=properties)


def _reasons(reader: Reader, version: Version | None, limits: Bounds) -> tuple[int, ...]:
    if reader.end - reader.at > limits.filters:
        reader.fail(Fault.FILTER_COUNT, f"{limits.filters} are")
    found = []
    while reader.at < reader.end:
        found.append(_reason(reader, version))
    if not found:
        reader.fail(Fault.SHORT)
    return tuple(found)


def _suback(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    identifier = reader.identifier()
    properties = _properties(reader, version, limits)
    return Suback(identifier=identifier, reasons=_reasons(reader, version, limits), properties=properties)


def _unsubscribe(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags, 2)
    identifier = reader.identifier()
    properties = _properties(reader, version, limits)
    found: list[str] = []
    while reader.at < reader.end:
        if len(found) >= limits.filters:
            reader.fail(Fault.FILTER_COUNT, f"{limits.filters} are")
        found.append(_filter(reader, limits))
    if not found:
        reader.fail(Fault.NO_FILTER)
    return Unsubscribe(identifier=identifier, topic_filters=tuple(found), properties=properties)


def _unsuback(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    identifier = reader.identifier()
    if version is not Version.V5:
        reader.done()
        return Unsuback(identifier=identifier)
    properties = _properties(reader, version, limits)
    return Unsuback(identifier=identifier, reasons=_reasons(reader, version, limits), properties=properties)


def _pingreq(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    reader.done()
    return Pingreq()


def _pingresp(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    reader.done()
    return Pingresp()


def _disconnect(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    _flags(reader, flags)
    reason, properties = _ending(reader, version, limits)
    return Disconnect(reason=reason, properties=properties)


def _auth(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    if version is not Version.V5:
        reader.fail(Fault.PACKET_TYPE, "AUTH is one of 5.0", at=reader.origin)
    _flags(reader, flags)
    reason, properties = _ending(reader, version, limits)
    return Auth(reason=reason, properties=properties)


def _ending(reader: Reader, version: Version | None, limits: Bounds) -> tuple[int, Properties]:
    """Reason and properties, both of which may be left out (sections 3.14.2 and 3.15.2)."""
    reason, properties = 0, NONE
    if version is Version.V5 and reader.at < reader.end:
        reason = _reason(reader, version)
        if reader.at < reader.end:
            properties = _properties(reader, version, limits)
    reader.done()
    return reason, properties


def _reserved(reader: Reader, flags: int, version: Version | None, limits: Bounds) -> Packet:
    reader.fail(Fault.PACKET_TYPE, at=reader.origin)


READ: Final[dict[int, Callable[[Reader, int, Version | None, Bounds], Packet]]] = {
    0: _reserved,
    P.CONNECT: _connect,
    P.CONNACK: _connack,
    P.SUBSCRIBE: _subscribe,
    P.SUBACK: _suback,
    P.UNSUBSCRIBE: _unsubscribe,
    P.UNSUBACK: _unsuback,
    P.PINGREQ: _pingreq,
    P.PINGRESP: _pingresp,
    P.DISCONNECT: _disconnect,
    P.AUTH: _auth,
}
