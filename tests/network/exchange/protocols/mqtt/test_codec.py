"""The codec of MQTT 3.1.1 and 5.0: round trips, cuts at any byte, every fault by name and place, limits, garbage."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_packets import connects, flat, packets

from hulian.network.exchange.protocols.mqtt.codec import (
    Ack,
    Acks,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Fault,
    Limits,
    PacketType,
    Properties,
    Publish,
    Publishes,
    Subscribe,
    Subscription,
    Unsuback,
    Version,
    encode,
    encode_acks,
    encode_publishes,
)
from hulian.network.exchange.protocols.mqtt.codec.encode import topic_bytes
from hulian.network.exchange.protocols.mqtt.errors import EncodeError, LimitError, WireError

RECORDED = sorted((Path(__file__).parents[4] / "cases/mqtt/wire").glob("*.json"))
MORE = int(os.environ.get("HULIAN_FUZZ", "1"))
VERSIONS = pytest.mark.parametrize("version", list(Version), ids=lambda version: version.label)
V5, V311 = Version.V5, Version.V311


@VERSIONS
@given(data=st.data())
def test_what_is_encoded_is_decoded(version, data):
    sent = data.draw(st.lists(packets(version), min_size=1, max_size=8))
    raw = b"".join(encode(packet, version) for packet in sent)
    assert flat(Decoder(version).feed(raw)) == sent


@pytest.mark.fuzz
@VERSIONS
@given(data=st.data())
def test_cuts_change_nothing(version, data):
    sent = data.draw(st.lists(packets(version), min_size=1, max_size=8))
    raw = b"".join(encode(packet, version) for packet in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    decoder, found = Decoder(version), []
    for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += decoder.feed(raw[begin:end])
    assert flat(found) == sent


@VERSIONS
@given(data=st.data())
def test_a_connect_tells_the_version(version, data):
    sent = data.draw(connects(version))
    decoder = Decoder(None)
    raw = encode(sent, version)
    assert decoder.feed(raw[:5]) + decoder.feed(raw[5:]) == [sent]
    assert decoder.version is version
    (again,) = decoder.feed(raw)
    assert again.fault is Fault.UNEXPECTED


@VERSIONS
@given(
    messages=st.lists(st.tuples(st.sampled_from(["a", "a/b", "é" * 70]), st.binary(max_size=20_000)), max_size=12),
    qos=st.integers(0, 2),
    retain=st.booleans(),
)
def test_batches_are_the_same_bytes(version, messages, qos, retain):
    identifiers = [65535 - place for place in range(len(messages))] if qos else None
    raw = encode_publishes(
        [topic_bytes(topic) for topic, _ in messages],
        [payload for _, payload in messages],
        identifiers,
        0x30 | qos << 1 | retain,
        b"\0" if version is V5 else b"",
    )
    one_by_one = [
        Publish(topic=topic, payload=payload, qos=qos, retain=retain, identifier=identifiers[place] if identifiers else 0)
        for place, (topic, payload) in enumerate(messages)
    ]
    assert raw == b"".join(encode(packet, version) for packet in one_by_one)
    assert flat(Decoder(version).feed(raw)) == one_by_one


@given(
    kind=st.sampled_from([PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP]),
    identifiers=st.lists(st.integers(1, 65535), max_size=60),
    cut=st.integers(0, 240),
)
def test_acknowledgements_as_an_array(kind, identifiers, cut):
    raw = encode_acks(kind, identifiers)
    assert raw == b"".join(encode(Ack(kind=kind, identifier=one), V311) for one in identifiers)
    decoder = Decoder(V5)
    events = decoder.feed(raw[:cut]) + decoder.feed(raw[cut:])
    assert [packet.identifier for packet in flat(events)] == identifiers
    assert len(events) <= 2


@given(
    packets=st.lists(
        st.builds(
            lambda number, reason, empty: (number, reason, empty),
            st.integers(1, 65535),
            st.sampled_from([0, 0, 0, 0x10, 0x87]),
            st.booleans(),
        ),
        max_size=60,
    ),
    form=st.sampled_from(["as needed", "reason", "properties"]),
    cut=st.integers(0, 300),
)
def test_acknowledgements_with_reasons_as_an_array(packets, form, cut):
    """Brokers write them with four, five or six bytes; all mean the same."""
    raw = b""
    for number, reason, mixed in packets:
        body = number.to_bytes(2, "big")
        if form != "as needed" or reason:
            body += bytes((reason,))
        if form == "properties" and not mixed:
            body += b"\0"
        raw += bytes((0x40, len(body))) + body
    decoder = Decoder(V5)
    found = flat(decoder.feed(raw[:cut]) + decoder.feed(raw[cut:]))
    assert [(packet.identifier, packet.reason) for packet in found] == [(number, reason) for number, reason, _ in packets]


def test_a_wrong_acknowledgement_inside_a_run_is_found_at_its_place():
    good = b"".join(bytes((0x40, 3)) + number.to_bytes(2, "big") + b"\x10" for number in range(1, 100))
    for wrong, fault in ((b"\x40\x03\0\0\x10", Fault.IDENTIFIER), (b"\x40\x03\0\x01\x42", Fault.REASON)):
        acks, error = Decoder(V5).feed(good + wrong + good)
        assert len(acks) == 99
        assert set(acks.reasons.values()) == {0x10}
        assert error.fault is fault


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_conversations(path):
    """What mosquitto and its clients really said, byte by byte as they came."""
    case = json.loads(path.read_text())
    version = Version(case["version"])
    for side, start in (("client", None), ("server", version)):
        raw = bytes.fromhex(case[side])
        for step in (1, 7, len(raw)):
            decoder, events = Decoder(start), []
            for at in range(0, len(raw), step):
                events += decoder.feed(raw[at : at + step])
            assert [str(packet) for packet in flat(events)] == case[f"{side}_says"]
        again = b"".join(encode(packet, version) for packet in flat(events))
        assert flat(Decoder(start).feed(again)) == flat(events)


def test_runs_are_one_event_and_payloads_are_views():
    raw = b"".join(encode(Publish(topic="a", payload=b"%d" % number, qos=1, identifier=number + 1), V5) for number in range(50))
    raw += encode_acks(PacketType.PUBACK, range(1, 41))
    publishes, acks = Decoder(V5).feed(raw)
    assert isinstance(publishes, Publishes)
    assert isinstance(acks, Acks)
    assert len(publishes) == 50
    assert acks.identifiers == list(range(1, 41))
    assert all(payload.obj is raw for payload in publishes.payloads)
    assert publishes.topics[0] is publishes.topics[49]


def test_aliases_are_resolved_and_bounded():
    raw = encode(Publish(topic="plant/oven", properties=Properties(topic_alias=2)), V5)
    again = bytes.fromhex("3006 0000 03 230002")
    found = flat(Decoder(V5, Limits(aliases=2)).feed(raw + again + again))
    assert [packet.topic for packet in found] == ["plant/oven"] * 3
    (error,) = Decoder(V5, Limits(aliases=1)).feed(raw)
    assert error.fault is Fault.ALIAS_RANGE


# Version, bytes, fault, offset in the packet.
WRONG = [
    (V5, "0000", Fault.PACKET_TYPE, 0),
    (V311, "f000", Fault.PACKET_TYPE, 0),
    (V5, "c100", Fault.FLAGS, 0),
    (V5, "6002 0001", Fault.FLAGS, 0),
    (V5, "4202 0001", Fault.FLAGS, 0),
    (V311, "8006 0001 0001 61 00", Fault.FLAGS, 0),
    (V5, "d0ffffffff01", Fault.LENGTH, 1),
    (V311, "30ffffffff7f", Fault.LENGTH, 1),
    (V5, "d08000", Fault.LENGTH_PADDED, 1),
    (V5, "3085 00 0001 61 00 31", Fault.LENGTH_PADDED, 1),
    (V5, "a0 8180808001", Fault.LENGTH, 1),
    (V5, "30ffff7f", Fault.TOO_LARGE, 1),
    (V311, "d0ffff7f", Fault.TOO_LARGE, 1),
    (V311, "3000", Fault.SHORT, 2),
    (V311, "3001 00", Fault.SHORT, 2),
    (V311, "3003 0002 61", Fault.SHORT, 4),
    (V311, "3204 0001 61 00", Fault.SHORT, 5),
    (V5, "3003 0001 61", Fault.SHORT, 5),
    (V5, "3005 0001 61 05 01", Fault.SHORT, 6),
    (V311, "4001 00", Fault.SHORT, 2),
    (V5, "2001 00", Fault.SHORT, 3),
    (V311, "9002 0001", Fault.SHORT, 4),
    (V311, "4003 0001 00", Fault.LONG, 4),
    (V311, "d001 00", Fault.LONG, 2),
    (V311, "2003 0000 00", Fault.LONG, 4),
    (V311, "e001 00", Fault.LONG, 2),
    (V311, "b003 0001 00", Fault.LONG, 4),
    (V311, "3004 0002 c328", Fault.UTF8, 4),
    (V311, "3005 0003 eda080", Fault.UTF8, 4),
    (V311, "3004 0002 c080", Fault.UTF8, 4),
    (V5, "3005 0002 6100 00", Fault.NUL, 5),
    (V311, "3205 0001 61 0000", Fault.IDENTIFIER, 5),
    (V311, "4002 0000", Fault.IDENTIFIER, 2),
    (V5, "8207 0000 00 0001 61 00", Fault.IDENTIFIER, 2),
    (V5, "4003 0001 42", Fault.REASON, 4),
    (V5, "6203 0001 80", Fault.REASON, 4),
    (V311, "2002 0006", Fault.REASON, 3),
    (V5, "2003 0006 00", Fault.REASON, 3),
    (V311, "9003 0001 03", Fault.REASON, 4),
    (V5, "9004 0001 00 03", Fault.REASON, 5),
    (V5, "b004 0001 00 01", Fault.REASON, 5),
    (V5, "e001 01", Fault.REASON, 2),
    (V5, "f001 01", Fault.REASON, 2),
    (None, "100c 0004 4d515458 04 02 0000 0000", Fault.PROTOCOL_NAME, 2),
    (None, "100b 0006 4d5149736470 03 02 00", Fault.PROTOCOL_NAME, 2),
    (None, "100c 0004 4d515454 06 02 0000 0000", Fault.PROTOCOL_LEVEL, 8),
    (None, "100c 0004 4d515454 04 03 0000 0000", Fault.CONNECT_FLAGS, 9),
    (None, "100c 0004 4d515454 04 1e 0000 0000", Fault.WILL_QOS, 9),
    (None, "100c 0004 4d515454 04 0a 0000 0000", Fault.WILL_FLAGS, 9),
    (None, "100c 0004 4d515454 04 22 0000 0000", Fault.WILL_FLAGS, 9),
    (None, "100c 0004 4d515454 04 42 0000 0000", Fault.PASSWORD, 9),
    (V311, "2002 0200", Fault.CONNACK_FLAGS, 2),
    (V311, "2002 0105", Fault.SESSION_PRESENT, 2),
    (V5, "2003 0187 00", Fault.SESSION_PRESENT, 2),
    (V311, "3605 0001 61 0001", Fault.QOS, 0),
    (V311, "3803 0001 61", Fault.DUP, 0),
    (V311, "3002 0000", Fault.TOPIC_EMPTY, 2),
    (V5, "3003 0000 00", Fault.TOPIC_EMPTY, 4),
    (V311, "8205 0001 0000 00", Fault.TOPIC_EMPTY, 4),
    (V311, "3003 0001 23", Fault.TOPIC_WILDCARD, 2),
    (V311, "3005 0003 612f2b", Fault.TOPIC_WILDCARD, 2),
    (V311, "302a 0028" + "61" * 40, Fault.TOPIC_LENGTH, 2),
    (V311, "822d 0001 0028" + "61" * 40 + "00", Fault.TOPIC_LENGTH, 4),
    (V5, "3007 0001 61 03 230000", Fault.ALIAS_RANGE, 6),
    (V5, "3007 0001 61 03 230009", Fault.ALIAS_RANGE, 5),
    (V5, "3006 0000 03 230001", Fault.ALIAS_UNKNOWN, 4),
    (V311, "8202 0001", Fault.NO_FILTER, 4),
    (V311, "a202 0001", Fault.NO_FILTER, 4),
    (V311, "8207 0001 0002 6123 00", Fault.FILTER, 4),
    (V311, "8208 0001 0003 232f61 00", Fault.FILTER, 4),
    (V311, "a206 0001 0002 612b", Fault.FILTER, 4),
    (V5, "820f 0001 00 0009 2473686172652f2f61 00", Fault.SHARE, 5),
    (V5, "8210 0001 00 000a 2473686172652f672f2f 00".replace("2f2f", "2b2f"), Fault.SHARE, 5),
    (V311, "8206 0001 0001 61 03", Fault.OPTIONS, 7),
    (V311, "8206 0001 0001 61 04", Fault.OPTIONS, 7),
    (V5, "8207 0001 00 0001 61 40", Fault.OPTIONS, 8),
    (V5, "8207 0001 00 0001 61 30", Fault.OPTIONS, 8),
    (V5, "8210 0001 00 000a 2473686172652f672f61 04", Fault.NO_LOCAL, 17),
    (V311, "8212 0001 0001 61 00 0001 61 00 0001 61 00 0001 61 00", Fault.FILTER_COUNT, 16),
    (V311, "9006 0001 00 00 00 00", Fault.FILTER_COUNT, 4),
    (V5, "3005 0001 61 01 7f", Fault.PROPERTY_UNKNOWN, 6),
    (V5, "3006 0001 61 02 2401", Fault.PROPERTY_PLACE, 6),
    (V5, "2006 0000 03 230001", Fault.PROPERTY_PLACE, 5),
    (V5, "3008 0001 61 04 01010101", Fault.PROPERTY_TWICE, 8),
    (V5, "3006 0001 61 02 0102", Fault.PROPERTY_VALUE, 6),
    (V5, "2006 0000 03 210000", Fault.PROPERTY_VALUE, 5),
    (V5, "3006 0001 61 02 0b00", Fault.PROPERTY_VALUE, 6),
    (V5, "3008 0001 61 04 08000123", Fault.PROPERTY_VALUE, 6),
    (V5, "f006 18 04 16000131", Fault.PROPERTY_VALUE, 8),
    (V5, "3018 0001 61 14 " + "2600000000" * 4, Fault.PROPERTY_COUNT, 21),
]  # fmt: skip
LIMITS = Limits(packet=100_000, topic=32, properties=3, filters=3, aliases=8)


@pytest.mark.parametrize(("version", "raw", "fault", "offset"), WRONG, ids=[f"{row[2].name}-{row[1][:24]}" for row in WRONG])
def test_every_fault_has_a_name_a_place_and_a_clause(version, raw, fault, offset):
    before = encode(Publish(topic="a", payload=b"1"), version) if version else b""
    decoder = Decoder(version, LIMITS)
    *good, error = decoder.feed(before + bytes.fromhex(raw))
    assert isinstance(error, WireError)
    assert (error.fault, error.offset) == (fault, offset), str(error)
    assert isinstance(error, LimitError) is (fault.name in ("TOO_LARGE", "TOPIC_LENGTH", "PROPERTY_COUNT", "FILTER_COUNT"))
    assert error.clause in str(error)
    assert error.clause
    assert error.hint
    assert len(flat(good)) == (1 if version else 0), "what came before the fault is lost"
    assert decoder.ended
    assert decoder.feed(b"\xd0\0") == []


def test_no_fault_is_without_a_case():
    assert {row[2] for row in WRONG} | {Fault.UNEXPECTED} == set(Fault)


def test_a_huge_packet_is_refused_before_its_body_comes():
    decoder = Decoder(V5, Limits(packet=1000))
    (error,) = decoder.feed(b"\x32\xff\xff\x7f")
    assert error.fault is Fault.TOO_LARGE
    decoder = Decoder(V5, Limits(packet=1000))
    assert decoder.feed(b"\x32\xe5") == []
    assert decoder.feed(b"\x07" + bytes(100)) == []
    assert decoder._have == 103


def test_a_large_packet_in_small_pieces_is_joined_once():
    packet = Publish(topic="a", payload=bytes(500_000), qos=1, identifier=7)
    raw = encode(packet, V5)
    decoder, found = Decoder(V5), []
    for at in range(0, len(raw), 100):
        found += decoder.feed(raw[at : at + 100])
    assert flat(found) == [packet]
    assert decoder._parts == []


def test_a_refusal_of_a_server_that_knows_only_3_1_1():
    assert Decoder(V5).feed(bytes.fromhex("20020001")) == [Connack(reason=0x84)]


FORBIDDEN = [
    (Publish(topic="a/#"), V5),
    (Publish(topic=""), V5),
    (Publish(topic="a", qos=3, identifier=1), V5),
    (Publish(topic="a", qos=1), V5),
    (Publish(topic="a", identifier=1), V5),
    (Publish(topic="a", dup=True), V5),
    (Publish(topic="a\0"), V5),
    (Publish(topic="\ud800"), V5),
    (Publish(topic="a" * 65536), V5),
    (Publish(topic="a", properties=Properties(receive_maximum=1)), V5),
    (Publish(topic="a", properties=Properties(topic_alias=0)), V5),
    (Publish(topic="a", properties=Properties(content_type="x")), V311),
    (Connect(version=V311, password=b"x"), V311),
    (Connect(version=V5, keep_alive=65536), V5),
    (Connack(session_present=True, reason=0x87), V5),
    (Ack(kind=PacketType.PUBACK, identifier=1, reason=0x80), V311),
    (Ack(kind=PacketType.SUBACK, identifier=1), V5),
    (Subscribe(identifier=1, subscriptions=()), V5),
    (Subscribe(identifier=1, subscriptions=(Subscription(topic_filter="a", no_local=True),)), V311),
    (Subscribe(identifier=1, subscriptions=(Subscription(topic_filter="$share/a/b", no_local=True),)), V5),
    (Unsuback(identifier=1), V5),
    (Disconnect(reason=4), V311),
]


@pytest.mark.parametrize(("packet", "version"), FORBIDDEN, ids=str)
def test_what_the_standard_forbids_is_not_sent(packet, version):
    with pytest.raises(EncodeError) as caught:
        encode(packet, version)
    assert caught.value.hint


def stream(version: Version, generator: random.Random) -> bytes:
    """A few valid packets, without hypothesis, for the fuzz test."""
    parts = []
    for _ in range(generator.randrange(1, 6)):
        payload = generator.randbytes(generator.choice((0, 1, 20, 200)))
        qos = generator.randrange(3)
        properties = Properties(content_type="x", user_property=(("a", "b"),)) if version is V5 else Properties()
        parts.append(
            generator.choice(
                (
                    encode(Publish(topic="a/b", payload=payload, qos=qos, identifier=9 if qos else 0), version),
                    encode(Publish(topic="c", payload=payload, properties=properties), version),
                    encode_acks(PacketType.PUBACK, range(1, 30)),
                    encode(Subscribe(identifier=3, subscriptions=(Subscription(topic_filter="a/#", qos=1),)), version),
                    encode(Connack(properties=properties if version is V311 else Properties(receive_maximum=3)), version),
                    encode(Disconnect(), version),
                )
            )
        )
    return b"".join(parts)


def fuzz(rounds: int, seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(rounds):
        version = generator.choice(list(Version))
        raw = bytearray(stream(version, generator))
        for _ in range(generator.randrange(4)):
            place = generator.randrange(len(raw))
            match generator.randrange(3):
                case 0:
                    raw[place] = generator.randrange(256)
                case 1:
                    del raw[place : place + generator.randrange(1, 4)]
                case 2:
                    raw[place:place] = generator.randbytes(generator.randrange(1, 4))
            if not raw:
                raw = bytearray(b"\xc0\0")
        whole = Decoder(version, LIMITS)
        events = whole.feed(bytes(raw))
        assert not [event for event in events[:-1] if isinstance(event, WireError)]
        assert whole.ended == bool(events and isinstance(events[-1], WireError))
        pieces, found = Decoder(version, LIMITS), []
        at = 0
        while at < len(raw):
            step = generator.randrange(1, 60)
            found += pieces.feed(bytes(raw[at : at + step]))
            at += step
        assert [repr(one) for one in flat(found)] == [repr(one) for one in flat(events)]
        for packet in flat(events):
            if not isinstance(packet, WireError) and not isinstance(packet, Connect):
                assert flat(Decoder(version).feed(encode(packet, version))) == [packet]


def test_garbage_never_harms():
    fuzz(3_000 * MORE, seed=5)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(8))
def test_much_garbage_never_harms(seed):
    fuzz(50_000, seed=seed)


@pytest.mark.fuzz
@settings(max_examples=300 * MORE)
@given(raw=st.binary(max_size=200), version=st.sampled_from([None, *Version]))
def test_any_bytes_are_events(raw, version):
    for event in Decoder(version, LIMITS).feed(raw):
        assert event is not None
