"""The analysers' payloads against an independent decoder, and the edge node against a real MQTT server."""

from __future__ import annotations

import socket
import subprocess
import sysconfig
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from free_ports import free_port
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt import client as mqtt

from hulian.demo.analysers import Analysers
from hulian.demo.configuration import MqttDevice
from hulian.demo.live import LivePlant
from hulian.demo.signals import ANALYSERS
from hulian.demo.sparkplug import REBIRTH, DataType, Metric, asks_rebirth, encode
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
USER, PASSWORD = "analysers", "measure-well"


values = st.one_of(
    st.tuples(st.just(DataType.INT64), st.integers(0, 2**63 - 1)),
    st.tuples(st.just(DataType.DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(DataType.BOOLEAN), st.booleans()),
    st.tuples(st.just(DataType.STRING), st.text()),
)
metrics = st.builds(
    lambda value, name, alias, historical, properties: Metric(
        value[0], value[1], name, alias, 1_700_000_000_000, historical, properties
    ),
    values,
    st.text(min_size=1),
    st.integers(0, 2**32),
    st.booleans(),
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.booleans(), st.integers(0, 2**40), st.floats(allow_nan=False), st.text())
    ),
)


@patient
@given(st.lists(metrics, max_size=4), st.integers(0, 255))
def test_protocol_buffers_read_what_is_written(written, sequence):
    payload = Payload.FromString(encode(written, timestamp=1_700_000_000_123, sequence=sequence))
    assert (payload.timestamp, payload.seq, len(payload.metrics)) == (1_700_000_000_123, sequence, len(written))
    for metric, read in zip(written, payload.metrics, strict=True):
        assert (read.name, read.alias, read.datatype) == (metric.name, metric.alias, metric.type)
        assert read.is_historical == metric.historical
        assert getattr(read, read.WhichOneof("value")) == metric.value
        properties = {
            key: getattr(value, value.WhichOneof("value"))
            for key, value in zip(read.properties.keys, read.properties.values, strict=True)
        }
        assert properties == metric.properties
        assert all(type(properties[key]) is type(value) for key, value in metric.properties.items())


def rebirth_command(value):
    payload = Payload(timestamp=1, seq=7)
    payload.metrics.add(name="other", datatype=9, float_value=1.5)
    payload.metrics.add(name=REBIRTH, datatype=11, boolean_value=value)
    return payload.SerializeToString()


def test_only_a_true_rebirth_command_asks_for_a_birth():
    assert asks_rebirth(rebirth_command(True))
    assert not asks_rebirth(rebirth_command(False))
    assert not asks_rebirth(encode([Metric(DataType.BOOLEAN, True, "Node Control/Reboot")], timestamp=1))


@patient
@given(st.binary(max_size=200))
def test_garbage_asks_for_nothing(raw):
    assert asks_rebirth(raw) in (True, False)


@pytest.mark.fuzz
@patient
@given(st.integers(0, 60), st.binary(min_size=1, max_size=4))
def test_damaged_command_does_no_harm(position, damage):
    whole = rebirth_command(True)
    asks_rebirth(whole[:position] + damage + whole[position + len(damage) :])
    asks_rebirth(whole[:position])


@contextmanager
def broker(port, folder):
    """A real nats-server with its MQTT listener and one device credential."""
    configuration = folder / "nats.conf"
    configuration.write_text(
        f"""
        server_name: test
        listen: 127.0.0.1:{free_port()}
        jetstream {{ store_dir: "{folder / "js"}" }}
        mqtt {{ listen: "127.0.0.1:{port}" }}
        authorization {{ users: [ {{ user: {USER}, password: "{PASSWORD}" }} ] }}
        """
    )
    with subprocess.Popen(
        [str(Path(sysconfig.get_path("scripts")) / "nats-server"), "-c", str(configuration)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield process
        finally:
            process.kill()


class Host:
    """What a Sparkplug host sees: every message in order, decoded by protocol buffers."""

    def __init__(self, port):
        self.messages = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="host")
        self.client.username_pw_set(USER, PASSWORD)
        self.client.on_connect = lambda client, *_: client.subscribe("spBv1.0/#", qos=1)
        self.client.on_message = lambda client, userdata, message: self.messages.append(
            (message.topic, Payload.FromString(message.payload))
        )
        listening = threading.Event()
        self.client.on_subscribe = lambda *_: listening.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert listening.wait(10)

    def wait_for(self, kind, count=1, drive=lambda: None):
        deadline = time.monotonic() + 20
        while True:
            found = [(topic, payload) for topic, payload in list(self.messages) if f"/{kind}/" in topic]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, [topic for topic, _ in self.messages]
            drive()
            time.sleep(0.02)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def session(tmp_path):
    """Broker, host and analysers over a plant that the test drives by hand."""
    port = free_port()
    with broker(port, tmp_path):
        host = Host(port)
        plant = LivePlant(speed=60, seed=1, restart_after=10)
        analysers = Analysers(MqttDevice(port=port, user=USER, password="env:IGNORED"), plant, PASSWORD)
        analysers.start()
        host.wait_for("NBIRTH", drive=lambda: analysers.publish(now()))
        host.wait_for("DBIRTH", 3)
        yield host, plant, analysers, port
        analysers.stop()
        host.close()


def now():
    return time.time_ns() // 1_000_000


def test_births_name_every_metric_with_unit_range_and_alias(session):
    host, _plant, _analysers, _port = session
    (topic, node), *_ = host.wait_for("NBIRTH")
    assert topic == "spBv1.0/TennesseeEastman/NBIRTH/Analysers"
    assert node.seq == 0
    assert {metric.name for metric in node.metrics} == {"bdSeq", REBIRTH}
    births = host.wait_for("DBIRTH", 3)
    assert [payload.seq for _, payload in births] == [1, 2, 3]
    aliases = []
    for (topic, payload), (stream, signals) in zip(births, ANALYSERS.items(), strict=True):
        assert topic == f"spBv1.0/TennesseeEastman/DBIRTH/Analysers/{stream.capitalize()}"
        for metric, signal in zip(payload.metrics, signals, strict=True):
            aliases.append(metric.alias)
            properties = dict(zip(metric.properties.keys, metric.properties.values, strict=True))
            assert metric.name == signal.name[-1].upper()
            assert properties["engUnit"].string_value == "%"
            assert (properties["engLow"].double_value, properties["engHigh"].double_value) == (0.0, 100.0)
            assert signal.chinese in properties["documentation"].string_value
            assert 0 <= metric.double_value <= 100
    assert len(set(aliases)) == 19


def test_data_follows_each_sample_with_aliases_and_running_numbers(session):
    host, plant, analysers, _port = session
    born = [payload for _, payload in host.wait_for("DBIRTH", 3)]
    names = {metric.alias: metric.name for payload in born for metric in payload.metrics}
    before = len(host.wait_for("DDATA", 3, drive=lambda: analysers.publish(now())))
    plant.advance(910)
    analysers.publish(now())
    new = host.wait_for("DDATA", before + 3)[before:]
    assert [topic.rpartition("/")[2] for topic, _ in new] == ["Feed", "Purge", "Product"]
    numbers = [payload.seq for topic, payload in host.messages if "/D" in topic]
    assert numbers == [(n + 1) % 256 for n in range(len(numbers))]
    feed = {names[metric.alias]: metric.double_value for metric in new[0][1].metrics}
    assert feed["A"] == pytest.approx(plant.simulation.measured[22], abs=1.5)
    assert all(not metric.name for metric in new[0][1].metrics)
    analysers.publish(now())
    plant.advance(30)
    analysers.publish(now())
    time.sleep(0.2)
    assert len([topic for topic, _ in host.messages if "/DDATA/" in topic]) == before + 3


def test_rebirth_command_is_answered_by_births(session):
    host, _plant, analysers, _port = session
    host.client.publish("spBv1.0/TennesseeEastman/NCMD/Analysers", rebirth_command(True), qos=1)
    births = host.wait_for("NBIRTH", 2, drive=lambda: analysers.publish(now()))
    assert births[1][1].seq == 0
    assert births[0][1].metrics[0].long_value == births[1][1].metrics[0].long_value


def test_stop_says_goodbye_with_the_number_of_the_birth(session):
    host, _plant, analysers, _port = session
    analysers.stop()
    (topic, death), *_ = host.wait_for("NDEATH")
    birth = host.wait_for("NBIRTH")[0][1]
    assert topic == "spBv1.0/TennesseeEastman/NDEATH/Analysers"
    assert death.metrics[0].name == "bdSeq"
    assert death.metrics[0].long_value == birth.metrics[0].long_value


def test_lost_connection_is_a_death_by_will_and_samples_kept_meanwhile_follow_the_next_birth(session):
    host, plant, analysers, _port = session
    birth = host.wait_for("NBIRTH")[0][1]
    analysers._client.socket().shutdown(socket.SHUT_RDWR)
    (_, death), *_ = host.wait_for("NDEATH")
    assert death.metrics[0].long_value == birth.metrics[0].long_value
    deadline = time.monotonic() + 5
    while analysers._online:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    plant.advance(370)
    analysers.publish(now())
    again = host.wait_for("NBIRTH", 2, drive=lambda: analysers.publish(now()))[1][1]
    assert again.metrics[0].long_value == (birth.metrics[0].long_value + 1) % 256
    data = host.wait_for("DDATA")
    kept = [payload for _, payload in data if payload.metrics and payload.metrics[0].is_historical]
    assert len(kept) >= 2


def test_wrong_credential_warns_once_and_never_publishes(tmp_path, capsys):
    port = free_port()
    with broker(port, tmp_path):
        host = Host(port)
        plant = LivePlant(speed=60, seed=1, restart_after=10)
        analysers = Analysers(MqttDevice(port=port, user=USER, password="env:IGNORED"), plant, "wrong")
        analysers.start()
        deadline = time.monotonic() + 10
        while not analysers._refused:
            assert time.monotonic() < deadline
            analysers.publish(now())
            time.sleep(0.02)
        analysers.stop()
        host.close()
    assert host.messages == []
    shown = capsys.readouterr().out
    assert "HL-DEMO-0004" in shown
    assert "wrong" not in shown
