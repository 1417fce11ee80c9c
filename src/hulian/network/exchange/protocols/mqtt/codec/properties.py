"""The properties of MQTT 5.0 (section 2.2.2): their numbers, their types, where they belong, what they may be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from hulian.network.exchange.protocols.mqtt.codec.faults import Fault
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType as P
from hulian.network.exchange.protocols.mqtt.codec.reader import Reader
from hulian.network.exchange.protocols.mqtt.errors import EncodeError

__all__ = ["NONE", "PROPERTIES", "WILL", "Properties", "Property", "encode_properties", "read_properties", "text", "variable"]

Kind = Literal["byte", "two", "four", "variable", "text", "binary", "pair"]

WILL: Final = 0
"""The place of a will's properties, beside the packet types."""
_ACKS: Final = (P.PUBACK, P.PUBREC, P.PUBREL, P.PUBCOMP)
_MESSAGE: Final = frozenset((P.PUBLISH, WILL))


class Properties(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Those of one packet, by the names of the standard. None (or empty): absent.

    ``subscription_identifier`` may stand several times in a PUBLISH, ``user_property`` everywhere; their order is kept.
    """

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifier: tuple[int, ...] = ()
    session_expiry_interval: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay_interval: int | None = None
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user_property: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    wildcard_subscription_available: int | None = None
    subscription_identifier_available: int | None = None
    shared_subscription_available: int | None = None

    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={'…' if name == 'authentication_data' else repr(getattr(self, name))}"
            for name in self.__struct_fields__
            if getattr(self, name) not in (None, ())
        )
        return f"Properties({given})"


NONE: Final = Properties()
"""No properties at all."""


class Property(msgspec.Struct, frozen=True):
    """One line of table 2-4. ``least`` and ``most`` bound a number."""

    number: int
    name: str
    kind: Kind
    places: frozenset[int]
    least: int = 0
    most: int = 2**32 - 1


def _in(*places: int) -> frozenset[int]:
    return frozenset(places)


_REASONED: Final = _in(P.CONNACK, *_ACKS, P.SUBACK, P.UNSUBACK, P.DISCONNECT, P.AUTH)
_GREETING: Final = _in(P.CONNECT, P.CONNACK)
_ANSWER: Final = _in(P.CONNACK)

PROPERTIES: Final = (
    Property(0x01, "payload_format_indicator", "byte", _MESSAGE, most=1),
    Property(0x02, "message_expiry_interval", "four", _MESSAGE),
    Property(0x03, "content_type", "text", _MESSAGE),
    Property(0x08, "response_topic", "text", _MESSAGE),
    Property(0x09, "correlation_data", "binary", _MESSAGE),
    Property(0x0B, "subscription_identifier", "variable", _in(P.PUBLISH, P.SUBSCRIBE), 1, 268_435_455),
    Property(0x11, "session_expiry_interval", "four", _in(P.CONNECT, P.CONNACK, P.DISCONNECT)),
    Property(0x12, "assigned_client_identifier", "text", _ANSWER),
    Property(0x13, "server_keep_alive", "two", _ANSWER),
    Property(0x15, "authentication_method", "text", _in(P.CONNECT, P.CONNACK, P.AUTH)),
    Property(0x16, "authentication_data", "binary", _in(P.CONNECT, P.CONNACK, P.AUTH)),
    Property(0x17, "request_problem_information", "byte", _in(P.CONNECT), most=1),
    Property(0x18, "will_delay_interval", "four", _in(WILL)),
    Property(0x19, "request_response_information", "byte", _in(P.CONNECT), most=1),
    Property(0x1A, "response_information", "text", _ANSWER),
    Property(0x1C, "server_reference", "text", _in(P.CONNACK, P.DISCONNECT)),
    Property(0x1F, "reason_string", "text", _REASONED),
    Property(0x21, "receive_maximum", "two", _GREETING, 1),
    Property(0x22, "topic_alias_maximum", "two", _GREETING),
    Property(0x23, "topic_alias", "two", _in(P.PUBLISH), 1),
    Property(0x24, "maximum_qos", "byte", _ANSWER, most=1),
    Property(0x25, "retain_available", "byte", _ANSWER, most=1),
    Property(0x26, "user_property", "pair", _REASONED | _MESSAGE | _in(P.CONNECT, P.SUBSCRIBE, P.UNSUBSCRIBE)),
    Property(0x27, "maximum_packet_size", "four", _GREETING, 1),
    Property(0x28, "wildcard_subscription_available", "byte", _ANSWER, most=1),
    Property(0x29, "subscription_identifier_available", "byte", _ANSWER, most=1),
    Property(0x2A, "shared_subscription_available", "byte", _ANSWER, most=1),
)
"""MQTT 5.0, table 2-4."""

_BY_NUMBER: Final = {line.number: line for line in PROPERTIES}
_READ: Final[dict[str, Callable[[Reader], Any]]] = {
    "byte": Reader.byte,
    "two": Reader.two,
    "four": Reader.four,
    "variable": Reader.variable,
    "text": Reader.text,
    "binary": Reader.binary,
    "pair": lambda reader: (reader.text(), reader.text()),
}


def read_properties(reader: Reader, place: int, most: int) -> Properties:
    """The property section at the reader, as it belongs into ``place``; at most ``most`` properties."""
    size = reader.variable()
    if not size:
        return NONE
    end = reader.at + size
    if end > reader.end:
        reader.fail(Fault.SHORT)
    outer, reader.end = reader.end, end
    found: dict[str, Any] = {}
    count = 0
    while reader.at < end:
        began = reader.at
        number = reader.variable()
        line = _BY_NUMBER.get(number)
        if line is None:
            reader.fail(Fault.PROPERTY_UNKNOWN, f"0x{number:02X}", at=began)
        if place not in line.places:
            reader.fail(Fault.PROPERTY_PLACE, line.name, at=began)
        count += 1
        if count > most:
            reader.fail(Fault.PROPERTY_COUNT, f"{most} are", at=began)
        value = _READ[line.kind](reader)
        _keep(reader, found, line, value, place, began)
    if "authentication_data" in found and "authentication_method" not in found:
        reader.fail(Fault.PROPERTY_VALUE, "authentication_data without authentication_method")
    reader.end = outer
    for name in ("user_property", "subscription_identifier"):
        if name in found:
            found[name] = tuple(found[name])
    return Properties(**found)


def _keep(reader: Reader, found: dict[str, Any], line: Property, value: Any, place: int, began: int) -> None:
    if isinstance(value, int) and not line.least <= value <= line.most:
        if line.name == "topic_alias":
            reader.fail(Fault.ALIAS_RANGE, str(value), at=began)
        reader.fail(Fault.PROPERTY_VALUE, f"{line.name} = {value}", at=began)
    if line.name == "response_topic" and (not value or "+" in value or "#" in value):
        reader.fail(Fault.PROPERTY_VALUE, "response_topic is no topic name", at=began)
    if line.kind == "pair" or (line.name == "subscription_identifier" and place == P.PUBLISH):
        found.setdefault(line.name, []).append(value)
    elif line.name in found:
        reader.fail(Fault.PROPERTY_TWICE, line.name, at=began)
    else:
        found[line.name] = [value] if line.name == "subscription_identifier" else value


def encode_properties(properties: Properties, place: int) -> bytes:
    """The property section, its length included. Raises `EncodeError` for one that does not belong or does not fit."""
    if properties is NONE:
        return b"\0"
    parts: list[bytes] = []
    for line in PROPERTIES:
        value = getattr(properties, line.name)
        if value is None or value == ():
            continue
        if place not in line.places:
            raise EncodeError(f"{line.name} does not belong into this packet [2.2.2.2]")
        several = line.name in ("user_property", "subscription_identifier")
        if line.name == "subscription_identifier" and place == P.SUBSCRIBE and len(value) > 1:
            raise EncodeError("a SUBSCRIBE has one subscription_identifier [3.8.2.1.2]")
        for one in value if several else (value,):
            if isinstance(one, int) and not line.least <= one <= line.most:
                raise EncodeError(f"{line.name} = {one} is out of range [2.2.2.2]")
            parts.append(bytes((line.number,)) + _WRITE[line.kind](one))
    if properties.authentication_data is not None and properties.authentication_method is None:
        raise EncodeError("authentication_data without authentication_method [2.2.2.2]")
    body = b"".join(parts)
    return variable(len(body)) + body


def variable(value: int) -> bytes:
    """A variable byte integer (section 1.5.5). Raises `EncodeError` above 268,435,455."""
    if value < 128:
        return bytes((value,))
    if value > 268_435_455:
        raise EncodeError("a packet of more than 256 MiB [1.5.5]")
    out = bytearray()
    while value:
        value, low = value >> 7, value & 0x7F
        out.append(low | 0x80 if value else low)
    return bytes(out)


def text(value: str) -> bytes:
    """A UTF-8 string with its length (section 1.5.4). Raises `EncodeError`."""
    try:
        raw = value.encode()
    except UnicodeEncodeError as error:
        raise EncodeError("a text that has no UTF-8 form [1.5.4]") from error
    if b"\0" in raw:
        raise EncodeError("a text that holds U+0000 [MQTT-1.5.4-2]")
    return binary(raw)


def binary(raw: bytes) -> bytes:
    """Binary data with its length (section 1.5.6). Raises `EncodeError`."""
    if len(raw) > 65535:
        raise EncodeError("a text or binary field of more than 65535 bytes [1.5.4]")
    return len(raw).to_bytes(2, "big") + raw


def _number(form: str) -> Callable[[int], bytes]:
    pack = struct.Struct(form).pack

    def write(value: int) -> bytes:
        try:
            return pack(value)
        except struct.error as error:
            raise EncodeError(f"{value} is out of range [1.5]") from error

    return write


_WRITE: Final[dict[str, Callable[[Any], bytes]]] = {
    "byte": _number(">B"),
    "two": _number(">H"),
    "four": _number(">I"),
    "variable": variable,
    "text": text,
    "binary": binary,
    "pair": lambda pair: text(pair[0]) + text(pair[1]),
}
