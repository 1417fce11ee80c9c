"""The codec against two that others wrote: gmqtt's packets, paho's properties. What they write we read as it was meant, and
what we write they read the same."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from gmqtt.client import Message
from gmqtt.mqtt import package as theirs
from gmqtt.mqtt.constants import MQTTCommands
from gmqtt.mqtt.handler import MqttPackageHandler
from gmqtt.mqtt.protocol import MQTTProtocol
from gmqtt.mqtt.utils import ConnectionState
from gmqtt.subscription import Subscription as TheirSubscription
from hypothesis import assume, given
from hypothesis import strategies as st
from mqtt_packets import IDENTIFIER, QOS, flat, properties
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from hulian.network.exchange.protocols.mqtt.codec import (
    NONE,
    Ack,
    Connect,
    Decoder,
    Disconnect,
    PacketType,
    Pingreq,
    Properties,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
    encode,
)
from hulian.network.exchange.protocols.mqtt.codec.properties import PROPERTIES, WILL, encode_properties, read_properties
from hulian.network.exchange.protocols.mqtt.codec.reader import Reader

VERSIONS = pytest.mark.parametrize("version", list(Version), ids=lambda version: version.label)
# gmqtt counts characters instead of bytes, so that only ASCII is written right by it.
ASCII = st.text("abcdefgh/ 0123", min_size=1, max_size=12)


def protocol(version: Version, identifier: int) -> SimpleNamespace:
    return SimpleNamespace(proto_ver=int(version), proto_name=b"MQTT", id_generator=SimpleNamespace(next_id=lambda: identifier))


@VERSIONS
@given(topic=ASCII, payload=st.binary(max_size=300), qos=QOS, retain=st.booleans(), identifier=IDENTIFIER, more=st.booleans())
def test_their_publish(version, topic, payload, qos, retain, identifier, more):
    given_properties = {"content_type": "x", "message_expiry_interval": 7} if more and version is Version.V5 else {}
    message = Message(topic, payload, qos=qos, retain=retain, **given_properties)
    _, raw = theirs.PublishPacket.build_package(message, protocol(version, identifier))
    (found,) = flat(Decoder(version).feed(bytes(raw)))
    assert found == Publish(
        topic=topic,
        payload=payload,
        qos=qos,
        retain=retain,
        identifier=identifier if qos else 0,
        properties=Properties(**given_properties) if given_properties else NONE,
    )
    if not given_properties:
        assert encode(found, version) == bytes(raw)


@VERSIONS
@given(
    client=ASCII,
    clean=st.booleans(),
    keep_alive=st.integers(0, 65535),
    user=st.none() | ASCII,
    password=st.none() | ASCII,
    will=st.none() | st.tuples(ASCII, st.binary(max_size=9), QOS, st.booleans()),
)
def test_their_connect(version, client, clean, keep_alive, user, password, will):
    last = Message(will[0], will[1], qos=will[2], retain=will[3], will_delay_interval=3) if will else None
    raw = theirs.LoginPackageFactor.build_package(
        client, user, password, clean, keep_alive, protocol(version, 1), will_message=last
    )
    delay = Properties(will_delay_interval=3) if version is Version.V5 else NONE
    assert Decoder(None).feed(bytes(raw)) == [
        Connect(
            version=version,
            client_id=client,
            clean_start=clean,
            keep_alive=keep_alive,
            user=user,
            password=password.encode() if password is not None and user is not None else None,
            will=Will(topic=will[0], payload=will[1], qos=will[2], retain=will[3], properties=delay) if will else None,
        )
    ]


@VERSIONS
def test_their_other_packets(version):
    five = version is Version.V5
    _, subscribe = theirs.SubscribePacket.build_package(
        [TheirSubscription("a/#", qos=1), TheirSubscription("+/b", qos=2)], protocol(version, 9)
    )
    _, unsubscribe = theirs.UnsubscribePacket.build_package(["a/#", "b"], protocol(version, 10))
    raw = bytes(subscribe + unsubscribe)
    raw += theirs.SimpleCommandPacket.build_package(MQTTCommands.PINGREQ)
    raw += theirs.CommandWithMidPacket.build_package(MQTTCommands.PUBREL | 2, 11, dup=False, proto_ver=int(version))
    raw += theirs.DisconnectPacket.build_package(protocol(version, 1), reason_code=4 if five else 0)
    assert flat(Decoder(version).feed(raw)) == [
        Subscribe(
            identifier=9,
            subscriptions=(Subscription(topic_filter="a/#", qos=1), Subscription(topic_filter="+/b", qos=2)),
        ),
        Unsubscribe(identifier=10, topic_filters=("a/#", "b")),
        Pingreq(),
        Ack(kind=PacketType.PUBREL, identifier=11),
        Disconnect(reason=4 if five else 0),
    ]


@VERSIONS
@given(topic=ASCII, payload=st.binary(max_size=300), qos=QOS, identifier=IDENTIFIER, retain=st.booleans(), data=st.data())
def test_our_publish_is_read_by_them(version, topic, payload, qos, identifier, retain, data):
    given_properties = NONE
    if version is Version.V5 and data.draw(st.booleans()):
        given_properties = Properties(content_type="x", message_expiry_interval=7, response_topic="r/s")
    raw = encode(
        Publish(
            topic=topic,
            payload=payload,
            qos=qos,
            identifier=identifier if qos else 0,
            retain=retain,
            properties=given_properties,
        ),
        version,
    )
    framed = []
    reader = MQTTProtocol.__new__(MQTTProtocol)
    reader._connection = SimpleNamespace(put_package=framed.append)
    assert reader._read_packet(raw) == len(raw)
    (packet,) = framed
    handler = MqttPackageHandler.__new__(MqttPackageHandler)
    handler._connection_state = ConnectionState(protocol_version=int(version))
    more, rest = handler._parse_properties(packet.data[2 + len(topic) + (2 if qos else 0) :])
    assert packet.cmd == raw[0]
    assert packet.data[2 : 2 + len(topic)].decode() == topic
    assert bytes(rest) == payload
    assert more == (
        {"content_type": ["x"], "message_expiry_interval": [7], "response_topic": ["r/s"]}
        if given_properties is not NONE
        else {}
    )


PAHO = {line.name: "".join(part.capitalize() for part in line.name.split("_")) for line in PROPERTIES}
PAHO["maximum_qos"] = "MaximumQoS"
PLACES = {
    **{getattr(PacketTypes, kind.name): kind for kind in PacketType if kind.name not in ("PINGREQ", "PINGRESP")},
    PacketTypes.WILLMESSAGE: WILL,
}


@given(data=st.data())
def test_properties_against_paho(data):
    place, ours = data.draw(st.sampled_from(sorted(PLACES.items())))
    meant = data.draw(properties(ours))
    # paho takes no larger one, though section 3.1.2.11.4 bounds it only by its four bytes.
    assume((meant.maximum_packet_size or 1) <= 268_435_455)
    raw = encode_properties(meant, ours)
    read = PahoProperties(place)
    read.unpack(raw)
    written = PahoProperties(place)
    for line in PROPERTIES:
        value, name = getattr(meant, line.name), PAHO[line.name]
        if value in (None, ()):
            assert not hasattr(read, name)
            continue
        found = getattr(read, name)
        if line.name == "user_property":
            assert [tuple(pair) for pair in found] == list(value)
        elif line.name == "subscription_identifier":
            assert (found if isinstance(found, list) else [found]) == list(value)
        else:
            assert found == value
        one = line.name == "subscription_identifier" and ours != PacketType.PUBLISH
        setattr(written, name, value[0] if one else list(value) if isinstance(value, tuple) else value)
    packed = written.pack()
    again = read_properties(Reader(packed, 0, len(packed), origin=0, kind=int(ours), version=5), int(ours), 64)
    assert again == meant
