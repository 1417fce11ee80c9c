"""JSON payloads: the cases kept as data, times and qualities, and payloads that nobody expects."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
from hulian.network.exchange.protocols.moments import parse_quality, parse_time, rfc3339
from hulian.network.exchange.protocols.mqtt.address import (
    JsonPlace,
    MetricPlace,
    json_address,
    matches,
    metric_address,
    parse_address,
)
from hulian.network.exchange.protocols.mqtt.config import Mapping, MqttConfiguration
from hulian.network.exchange.protocols.mqtt.connector import MqttConnector
from hulian.network.exchange.protocols.mqtt.document import flatten
from hulian.network.exchange.protocols.mqtt.errors import AddressError, OptionError, PayloadError
from hulian.network.exchange.protocols.mqtt.payloads import decoder_of
from hulian.network.exchange.protocols.mqtt.simulator import LocalSource, Message

CASES = sorted((Path(__file__).parents[4] / "cases/mqtt/json").iterdir())
RECEIVED = 1_800_000_000_000_000_000


def connector_of(settings_, points) -> tuple[MqttConnector, dict[int, str]]:
    bindings = [
        Binding(
            series=series, address=point["address"], storage=StorageClass(point["storage"]), options=point.get("options", {})
        )
        for series, point in enumerate(points, 1)
    ]
    environment = Environment(
        organisation="test", connector="json", credentials=Credentials(), trust=None, extras={"mqtt.source": LocalSource()}
    )  # type: ignore[arg-type]
    connector = MqttConnector(msgspec.convert(settings_, MqttConfiguration), bindings, environment)
    return connector, {binding.series: binding.address for binding in bindings}


def rows(connector, names):
    return [
        [
            names[int(series)],
            # Those of one batch are a nanosecond apart, so that the order in which they came is kept.
            "received" if 0 <= time - RECEIVED < 1000 else int(time),
            value.hex() if isinstance(value, bytes) else value,
            int(status),
        ]
        for columns in connector._rows.take()
        for series, time, value, status in zip(
            columns.series, columns.time, columns.value.to_pylist(), columns.status, strict=True
        )
    ]


def payload_of(message) -> bytes:
    if "hex" in message:
        return bytes.fromhex(message["hex"])
    return message["raw"].encode() if "raw" in message else json.dumps(message["payload"]).encode()


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder):
    given_ = json.loads((folder / "configuration.json").read_text())
    messages = [json.loads(line) for line in (folder / "messages.jsonl").read_text().splitlines()]
    payloads = [payload_of(message) for message in messages]
    connector, names = connector_of(given_["settings"], given_["points"])
    connector.decode(Message([m["topic"] for m in messages], payloads, RECEIVED, 0, 0))
    expected = json.loads((folder / "expected.json").read_text())
    found = rows(connector, names)
    for address in names.values():
        assert [row for row in found if row[0] == address] == [row for row in expected if row[0] == address]


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (1_700_000_000, "auto", 1_700_000_000_000_000_000),
        (1_700_000_000_123, "auto", 1_700_000_000_123_000_000),
        (1_700_000_000_123_456, "auto", 1_700_000_000_123_456_000),
        (1_700_000_000_123_456_789, "auto", 1_700_000_000_123_456_789),
        ("1700000000123", "auto", 1_700_000_000_123_000_000),
        (1_700_000_000.5, "s", 1_700_000_000_500_000_000),
        ("2023-11-14T22:13:20,123456789+00:00", "iso", 1_700_000_000_123_456_789),
        ("2023-11-15 06:13:20+0800", "auto", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20", "auto", 1_700_000_000_000_000_000),
        ("2023-13-14T22:13:20", "auto", None),
        (True, "auto", None),
        (-1, "auto", None),
        (1e300, "s", None),
        (10**30, "ns", None),
        ([], "auto", None),
        ("x", "ms", None),
    ],
)
def test_times(value, form, expected):
    assert parse_time(value, form) == expected


@given(st.integers(0, 9_000_000_000_000))
def test_a_datetime_comes_back(milliseconds):
    assert parse_time(rfc3339(milliseconds), "iso") == milliseconds * 1_000_000


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (192, "auto", 0), (216, "opcda", 0), (0, "auto", 0x8000_0000), (64, "auto", 0x4000_0000), (0, "opcua", 0),
        ("GOOD", "auto", 0), ("Bad", "auto", 0x8000_0000), ("odd", "auto", 0x4000_0000), (True, "auto", 0),
        (0x8005_0000, "auto", 0x8005_0000), (500, "auto", 0x4090_0000), ([], "auto", 0x4000_0000), (-3, "auto", 0x4000_0000),
    ],
)  # fmt: skip
def test_qualities(value, form, expected):
    assert parse_quality(value, form) == expected


@pytest.mark.parametrize("odd", ["²", "1\x1c", "\x1f1", "①", "9" * 5000, "1." + "9" * 5000])
def test_what_only_looks_like_a_number_is_none(odd):
    """Digits and spaces of Unicode that `int` refuses, and more digits than it takes."""
    assert parse_time(odd) is None
    assert parse_quality(odd) != Quality.GOOD
    connector, names = connector_of({}, [{"address": f"json:{topic}:v", "storage": "double"} for topic in ("a", "b")])
    connector.configuration = msgspec.structs.replace(
        connector.configuration, mappings=(Mapping(topics="a", time="t", quality="x", value="v"),)
    )
    payload = json.dumps({"v": 1, "t": odd, "x": odd}).encode()
    connector.decode(Message(["a", "b"], [payload, b'{"v": 5}'], RECEIVED, 0, 0))
    assert ["json:b:v", "received", 5.0, 0] in rows(connector, names)


@given(st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1), st.lists(st.text(min_size=1)))
def test_json_addresses_come_back(topic, path):
    assert parse_address(json_address(topic, tuple(path))) == JsonPlace(topic, tuple(path)) or path == ["$"]


@given(st.text(st.characters(exclude_characters="+#/", exclude_categories=["Cs"]), min_size=1), st.text(min_size=1))
def test_metric_addresses_come_back(name, metric):
    assert parse_address(metric_address(f"g/{name}", name, metric)) == MetricPlace(f"g/{name}", name, metric)


@pytest.mark.parametrize(
    "text", ["json:a", "json::b", "json:a:", "json:a/+:b", "sparkplug:a:b", "sparkplug:a/b/c/d:e", "x:y", ""]
)
def test_wrong_addresses(text):
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "topic", "expected"),
    [
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("+", "/", False),
        ("+/+", "/", True),
        ("#", "$SYS", False),
    ],
)
def test_filters(wanted, topic, expected):
    assert matches(wanted, topic) is expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["v", "t", "n", "x"]), inner, max_size=4),
    max_leaves=12,
)
MAPPINGS = st.builds(
    Mapping,
    topics=st.just("#"),
    samples=st.sampled_from(["", "v"]),
    time=st.sampled_from(["", "auto", "t"]),
    quality=st.sampled_from(["", "x"]),
    name=st.sampled_from(["", "n"]),
    value=st.just("v"),
)


@pytest.mark.fuzz
@example(b'"\x80"', Mapping(topics="#", value="v"), StorageClass.DOUBLE)  # msgspec has an error of its own for it
@given(JSON | st.binary(max_size=40), MAPPINGS, st.sampled_from(list(StorageClass)))
@settings(max_examples=500)
def test_no_payload_harms_its_neighbour(payload, mapping, storage):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8", "surrogatepass")
    connector, names = connector_of(
        {}, [{"address": "json:a:v", "storage": storage}, {"address": "json:b:v", "storage": "double"}]
    )
    connector.configuration = msgspec.structs.replace(
        connector.configuration, mappings=(msgspec.structs.replace(mapping, topics="a"),)
    )
    connector.decode(Message(["a", "b", "a"], [raw, b'{"v": 5}', raw], RECEIVED, 0, 0))
    assert ["json:b:v", "received", 5.0, 0] in rows(connector, names)
    list(flatten(payload, mapping))


def test_flattening_leaves_the_time_out():
    assert list(flatten({"ts": 1, "a": {"b": 1}, "c": [1, 2]}, Mapping(topics="#"))) == [(("a", "b"), 1), (("c",), [1, 2])]


@pytest.mark.parametrize(
    ("form", "raw", "words"),
    [
        ("cbor", b"", "CBOR"),
        ("cbor", b"\x01\x02", "behind"),
        ("cbor", b"\x9b\0\0\xff\xff\xff\xff\xff\xff", "CBOR"),
        ("cbor", b"\x81" * 33 + b"\x01", "depth"),
        ("cbor", b"\xd8\x1c\x81\xd8\x1d\0", "tag 29"),
        ("cbor", b"\xd8\x23\x63a+$", "tag 35"),
        ("cbor", b"\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", "tag 5"),
        ("cbor", b"\xc2\x51" + b"\xff" * 17, "big number"),
        ("cbor", b"\xd9\x03\xe8\x01", "tag 1000"),
        ("cbor", b"\xa1\xf5\x01", "key"),
        ("msgpack", b"", "MessagePack"),
        ("msgpack", b"\x01\x02", "MessagePack"),
        ("msgpack", b"\xdd\xff\xff\xff\xff", "MessagePack"),
        ("msgpack", b"\x91" * 40 + b"\x01", "levels"),
        ("msgpack", b"\x91" * 100_000 + b"\x01", "MessagePack"),
        ("msgpack", b"\xd4\x05\x00", "Ext"),
        ("msgpack", b"\xdd\x00\x03\x0d\x40" + b"\xc0" * 200_000, "more than"),
        ("json", b'"\x80"', "JSON"),
        ("number", b"", "number"),
        ("number", b"1e999", "number"),
        ("number", b"1" * 65, "number"),
        ("text", b"\xff", "text"),
    ],
)
def test_hostile_payloads_are_named(form, raw, words):
    with pytest.raises(PayloadError) as caught:
        decoder_of(form)(raw)
    assert words in caught.value.message
    assert len(caught.value.message) < 300


@settings(max_examples=300)
@given(
    form=st.sampled_from(["cbor", "msgpack", "number", "text", "bytes", "json"]),
    raw=st.one_of(st.binary(max_size=60), st.binary(max_size=6).map(lambda raw: b"\xa1\x61v" + raw)),
)
def test_any_payload_is_a_document_or_named(form, raw):
    try:
        found = decoder_of(form)(raw)
    except PayloadError:
        return
    assert found is None or isinstance(found, dict | list | str | bytes | int | float)
    connector, _ = connector_of(
        {"mappings": [{"topics": "t", "format": form}]}, [{"address": "json:t:$", "storage": name} for name in STORAGES]
    )
    connector.decode(Message(["t"], [raw], RECEIVED, 0, 0))
    assert sum(len(columns) for columns in connector._rows.take()) <= len(STORAGES)


STORAGES = [storage.value for storage in StorageClass]


@pytest.mark.parametrize(
    "mapping",
    [
        {"topics": "a", "time_zone": "Mars/Olympus"},
        {"topics": "a", "arrays": "steps"},
        {"topics": "a", "point": "{nothing}"},
        {"topics": "a", "point": "{"},
    ],
)
def test_a_mapping_that_cannot_work_is_refused(mapping):
    with pytest.raises(OptionError) as caught:
        connector_of({"mappings": [mapping]}, [])
    assert caught.value.hint


def test_a_mapping_names_what_browsing_proposes():
    settings_ = {"mappings": [{"topics": "site/+/oven/+", "point": "{2}.oven{4}.{field}", "unit": "u"}]}
    connector, _ = connector_of(settings_, [])
    connector.seen.look("site/north/oven/7", b'{"temp": {"top": 2.5}, "u": "Cel"}', RECEIVED)
    assert connector.seen.units == {"site/north/oven/7": "Cel"}
    assert list(connector.seen.topics["site/north/oven/7"]) == [("temp", "top")]
    assert connector.seen.called(("site", "north", "oven", "7"), ("temp", "top")) == "north.oven7.temp.top"


def test_messages_of_one_batch_keep_their_order():
    connector, _ = connector_of({}, [{"address": "json:a:v", "storage": "double"}])
    bodies = [b'{"v": 1}', b'{"v": 3}', b'{"v": 2}']
    connector.decode(Message(["a"] * 3, bodies, RECEIVED, 0, 0))
    connector.decode(Message(["a"], [b'{"v": 4}'], RECEIVED, 0, 0))
    (columns,) = connector._rows.take()
    assert columns.value.to_pylist() == [1.0, 3.0, 2.0, 4.0]
    assert columns.time.tolist() == [RECEIVED, RECEIVED + 1, RECEIVED + 2, RECEIVED + 3]
