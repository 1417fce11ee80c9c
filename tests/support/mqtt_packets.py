"""Every MQTT packet as a hypothesis strategy, and events flattened to packets so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from hulian.network.exchange.protocols.mqtt.codec import (
    NONE,
    Ack,
    Acks,
    Auth,
    Connack,
    Connect,
    Disconnect,
    PacketType,
    Pingreq,
    Pingresp,
    Properties,
    Publish,
    Publishes,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
)
from hulian.network.exchange.protocols.mqtt.codec.properties import PROPERTIES, WILL
from hulian.network.exchange.protocols.mqtt.codec.reasons import ALLOWED_5, ALLOWED_311

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
TOPIC = st.text(st.characters(exclude_characters="\0+#", exclude_categories=("Cs",)), min_size=1, max_size=12)
LEVEL = st.one_of(st.just("+"), st.text("ab$ é", max_size=3))
FILTER = st.builds(
    lambda levels, rest: "/".join([*levels, *(["#"] if rest else [])]), st.lists(LEVEL, min_size=1, max_size=4), st.booleans()
).filter(lambda text: bool(text) and not text.startswith("$share/"))
SHARED = st.builds(lambda name, rest: f"$share/{name}/{rest}", st.text("abc", min_size=1, max_size=3), FILTER)
IDENTIFIER = st.integers(1, 65535)
QOS = st.integers(0, 2)


def _value(line):
    match line.kind:
        case "text":
            return TOPIC if line.name == "response_topic" else TEXT
        case "binary":
            return st.binary(max_size=8)
        case "pair":
            return st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3).map(tuple)
        case kind:
            most = {"byte": 255, "two": 65535}.get(kind, 2**32 - 1)
            return st.integers(line.least, min(line.most, most))


@st.composite
def properties(draw, place):
    """Any set of properties that may stand at ``place``."""
    given = {}
    for line in PROPERTIES:
        if place in line.places and line.name != "topic_alias" and draw(st.booleans()):
            if line.name == "subscription_identifier":
                most = 1 if place == PacketType.SUBSCRIBE else 3
                given[line.name] = tuple(draw(st.lists(st.integers(1, 268_435_455), min_size=1, max_size=most)))
            else:
                given[line.name] = draw(_value(line))
    if "authentication_data" in given:
        given.setdefault("authentication_method", "GS2")
    return Properties(**given) if given else NONE


def _properties(version, place):
    return properties(place) if version is Version.V5 else st.just(NONE)


def packets(version: Version) -> st.SearchStrategy:
    """Any packet of ``version`` but CONNECT."""

    def given(place):
        return _properties(version, place)

    def reason(kind, least=0):
        if version is Version.V311 and kind not in ALLOWED_311:
            return st.just(0)
        return st.sampled_from(sorted((ALLOWED_5 if version is Version.V5 else ALLOWED_311)[kind])).filter(
            lambda code: code >= least
        )

    def connack(code, present, more):
        return Connack(session_present=present and not code, reason=code, properties=more)

    def publish(topic, payload, qos, identifier, retain, dup, more):
        return Publish(
            topic=topic,
            payload=payload,
            qos=qos,
            identifier=identifier if qos else 0,
            retain=retain,
            dup=dup and qos > 0,
            properties=more,
        )

    five = version is Version.V5
    subscription = st.builds(
        lambda text, qos, no_local, published, handling: Subscription(
            topic_filter=text,
            qos=qos,
            no_local=five and no_local and not text.startswith("$share/"),
            retain_as_published=five and published,
            retain_handling=handling if five else 0,
        ),
        st.one_of(FILTER, SHARED),
        QOS,
        st.booleans(),
        st.booleans(),
        st.integers(0, 2),
    )
    found = [
        st.builds(connack, reason(PacketType.CONNACK), st.booleans(), given(PacketType.CONNACK)),
        st.builds(
            publish, TOPIC, st.binary(max_size=300), QOS, IDENTIFIER, st.booleans(), st.booleans(), given(PacketType.PUBLISH)
        ),
        st.builds(
            Subscribe,
            identifier=IDENTIFIER,
            subscriptions=st.lists(subscription, min_size=1, max_size=4).map(tuple),
            properties=given(PacketType.SUBSCRIBE),
        ),
        st.builds(
            Suback,
            identifier=IDENTIFIER,
            reasons=st.lists(reason(PacketType.SUBACK), min_size=1, max_size=4).map(tuple),
            properties=given(PacketType.SUBACK),
        ),
        st.builds(
            Unsubscribe,
            identifier=IDENTIFIER,
            topic_filters=st.lists(FILTER, min_size=1, max_size=4).map(tuple),
            properties=given(PacketType.UNSUBSCRIBE),
        ),
        st.builds(
            Unsuback,
            identifier=IDENTIFIER,
            reasons=st.lists(reason(PacketType.UNSUBACK), min_size=1, max_size=4).map(tuple) if five else st.just(()),
            properties=given(PacketType.UNSUBACK),
        ),
        st.just(Pingreq()),
        st.just(Pingresp()),
        st.builds(Disconnect, reason=reason(PacketType.DISCONNECT), properties=given(PacketType.DISCONNECT)),
    ]
    for kind in (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP):
        code = reason(kind) if five else st.just(0)
        found.append(st.builds(Ack, kind=st.just(kind), identifier=IDENTIFIER, reason=code, properties=given(kind)))
    if five:
        found.append(st.builds(Auth, reason=reason(PacketType.AUTH), properties=given(PacketType.AUTH)))
    return st.one_of(found)


@st.composite
def connects(draw, version: Version) -> Connect:
    """Any CONNECT of ``version``."""
    will = None
    if draw(st.booleans()):
        will = Will(
            topic=draw(TOPIC),
            payload=draw(st.binary(max_size=20)),
            qos=draw(QOS),
            retain=draw(st.booleans()),
            properties=draw(_properties(version, WILL)),
        )
    user = draw(st.none() | TEXT)
    password = draw(st.none() | st.binary(max_size=10))
    return Connect(
        version=version,
        client_id=draw(TEXT),
        clean_start=draw(st.booleans()),
        keep_alive=draw(st.integers(0, 65535)),
        will=will,
        user=user,
        password=None if user is None and version is Version.V311 else password,
        properties=draw(_properties(version, PacketType.CONNECT)),
    )


def flat(events: Iterable) -> list:
    """Columns as packets."""
    found: list = []
    for event in events:
        if isinstance(event, Publishes | Acks):
            found.extend(event.packets())
        else:
            found.append(event)
    return found
