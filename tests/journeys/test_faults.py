"""One thing after another goes wrong around a running platform: each has an event with a code and a hint, its neighbours go
on, and when the cause is gone everything is as before, without anybody's help. Nothing acknowledged is lost on the way.

`make soak` does each of them ten times.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from free_ports import free_port
from garbage_device import garbage_device
from modbus_device import modbus_process
from opcua_device import secure_opcua_device
from plant import CountingDevice, check, connect_devices, until
from running import RunningPlatform

from hulian.platform.infrastructure.events import InfrastructureEvent
from hulian.sdk.errors import NotAvailableError

pytestmark = pytest.mark.timeout(3600)
GOOD, UNCERTAIN, BAD = 0, 1, 2
WIDE = 200
TIMES = [1, pytest.param(10, marks=pytest.mark.soak)]


class Plant:
    """A platform, a counting MQTT device that must never notice anything, and a Modbus tank."""

    def __init__(self, directory, ports, **options) -> None:
        self.ports, self.tank_port = ports, ports()
        self.platform = RunningPlatform(directory, ports, **options)
        self.tank = contextlib.ExitStack()

    def __enter__(self) -> Plant:
        self.start_tank()
        self.platform.start()
        self.credential = connect_devices(self.platform, f"modbus://127.0.0.1:{self.tank_port}/1")
        self.device = CountingDevice(self.platform.mqtt_port, self.credential.name, self.credential.password, rate=50)
        self.neighbours_go_on()
        until(lambda: self.state("tank") == "connected", 30, "the tank does not connect")
        return self

    def __exit__(self, *error) -> None:
        self.device.stop()
        self.platform.stop()
        self.tank.close()

    def start_tank(self) -> None:
        _, self.tank_process = self.tank.enter_context(modbus_process(self.tank_port))

    @contextlib.contextmanager
    def without_tank(self):
        self.tank.close()
        try:
            yield
        finally:
            self.start_tank()

    def status(self, name: str) -> dict:
        with self.platform.sdk() as sdk:
            found = {item.name: item for item in sdk.connectors()}[name].status
        return {"state": "", "error_code": "", "hint": "", **(found or {})}

    def refusal(self) -> str:
        """Why the spine does not take what the wide connector sends; empty where it does, or nothing is heard."""
        return (self.status("wide").get("journal") or {}).get("refusal", "")

    def state(self, name: str) -> str:
        return self.status(name)["state"]

    def severity(self, point: str) -> int:
        with self.platform.sdk() as sdk:
            return sdk.last(point)[0].status >> 30

    def events(self, code: str, subject: str, since: float) -> list:
        with self.platform.sdk() as sdk:
            found = sdk.events(subject=subject, limit=1000)
        return [event for event in found if event.code == code and event.time_ms >= since * 1000]

    def event(self, code: str, subject: str, since: float, *, active: bool | None):
        """The event, once it is there; what opens a condition says what to do."""

        def found():
            return [event for event in self.events(code, subject, since) if event.active is active]

        event = until(found, 60, f"no event {code} of {subject} with active={active}")[0]
        assert event.message
        assert event.hint or active is False, f"{code} has no hint"
        return event

    def neighbours_go_on(self) -> None:
        before = len(self.device.acknowledged)
        until(lambda: len(self.device.acknowledged) > before + 20, 60, "the counting device is stuck")

    def whole(self) -> None:
        """Everything acknowledged so far is there once; the device goes on afterwards."""
        check(self.platform, self.device)

    def publish(self, topic: str, *payloads: bytes) -> None:
        done = threading.Event()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="another-device")
        client.username_pw_set(self.credential.name, self.credential.password)
        client.on_connect = lambda *_: done.set()
        client.connect("127.0.0.1", self.platform.mqtt_port)
        client.loop_start()
        assert done.wait(20), "the listener lets nobody in"
        for payload in payloads:
            client.publish(topic, payload, qos=1).wait_for_publish(20)
        client.disconnect()
        client.loop_stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One platform for all faults of devices: each leaves it as it was."""
    with Plant(tmp_path_factory.mktemp("plant"), free_port) as plant:
        yield plant
        plant.device.stop()
        plant.whole()


@pytest.mark.parametrize("times", TIMES)
def test_a_stopped_device(shared, times):
    for _ in range(times):
        since = time.time()
        os.kill(shared.tank_process, signal.SIGSTOP)
        try:
            until(lambda: shared.state("tank") == "waiting", 60, "nobody notices that the tank stands still")
            status = shared.status("tank")
            assert status["error_code"].startswith("HL-MODBUS-")
            assert status["hint"]
            until(lambda: shared.severity("99.118.8/tank#level") == BAD, 60, "old values still look good")
            shared.event(status["error_code"], "tank", since, active=True)
            shared.neighbours_go_on()
        finally:
            os.kill(shared.tank_process, signal.SIGCONT)
        until(lambda: shared.state("tank") == "connected", 60, "the tank does not come back")
        until(lambda: shared.severity("99.118.8/tank#level") == GOOD, 30, "its values do not become good")
        shared.event(status["error_code"], "tank", since, active=False)


@pytest.mark.parametrize("times", TIMES)
def test_a_device_that_sends_garbage(shared, times):
    began = time.time()
    for _ in range(times):
        since = time.time()
        with shared.without_tank(), garbage_device(shared.tank_port):
            until(lambda: shared.state("tank") == "waiting", 60, "garbage passes for a device")
            status = shared.status("tank")
            assert status["error_code"].startswith("HL-MODBUS-")
            assert status["hint"]
            shared.event(status["error_code"], "tank", since, active=True)
            shared.publish("plant/line-7", b"\xff{{{", b"", b"[" * 4000, os.urandom(500))
            shared.event("HL-MQTT-0011", "line-7/plant/line-7", began, active=None)  # at most one a minute
            shared.neighbours_go_on()
        until(lambda: shared.state("tank") == "connected", 60, "the tank does not come back")
        shared.neighbours_go_on()


@pytest.mark.parametrize("times", TIMES)
def test_a_clock_that_jumps(shared, times):
    """A device whose clock is a day ahead, and then years behind, hides no later value of its own."""
    for _ in range(times):
        since = time.time()
        ahead = json.dumps({"ts": int((since + 86_400) * 1000), "value": -1}).encode()
        behind = json.dumps({"ts": 1_100_000_000_000, "value": -2}).encode()
        shared.publish("plant/line-7", ahead, behind)
        event = shared.event("HL-EDGE-0104", "line-7", since, active=True)
        assert "ahead" in event.message
        shared.event("HL-EDGE-0104", "line-7", since, active=False)
        before = len(shared.device.acknowledged)
        until(lambda before=before: len(shared.device.acknowledged) > before + 10, 30, "the device is stuck")
        until(lambda: shared.severity("99.118.8/line-7#count") == GOOD, 30, "the newest value is that of the wrong clock")


@pytest.mark.parametrize("times", TIMES)
def test_an_expired_certificate(shared, times):
    for number in range(times):
        since, port, name = time.time(), shared.ports(), f"press-{number}-{times}"
        with secure_opcua_device(port, -1) as url:
            node = {"address": "ns=2;s=Double", "name": "force", "path": ["force"], "leaf": True, "storage": "double"}
            with shared.platform.sdk() as sdk:
                points = sdk.propose(name, [node], thing=f"99.118.8/{name}")
                settings = {"security": "best", "plain_password": False}
                sdk.create_connector(name, url, protocol="opcua", settings=settings, points=points)
            until(lambda name=name: shared.status(name)["error_code"] == "HL-OPCUA-0033", 60, "an expired certificate passes")
            assert "renew" in shared.event("HL-OPCUA-0033", name, since, active=True).hint
            shared.neighbours_go_on()
        with secure_opcua_device(port, 365):
            until(lambda name=name: shared.status(name)["error_code"] == "HL-OPCUA-0032", 90, "the renewed one is not seen")
            with shared.platform.sdk() as sdk:
                (asked,) = [found for found in sdk.certificates() if found.state == "pending" and not found.warning]
                sdk.decide_certificate(asked.thumbprint, "approve")
            until(lambda name=name: shared.state(name) == "connected", 90, "the renewed certificate does not help")
            shared.event("HL-OPCUA-0033", name, since, active=False)
            with shared.platform.sdk() as sdk:
                sdk.remove_connector(name)


@pytest.mark.parametrize("times", TIMES)
def test_a_restarted_broker(shared, times):
    for _ in range(times):
        since = time.time()
        pid = shared.platform.kill("spine")
        shared.platform.wait_running("spine", pid)
        shared.neighbours_go_on()
        event = shared.event("HL-INFRA-0101", "spine", since, active=True)
        assert "signal 9" in event.message
        shared.event("HL-INFRA-0101", "spine", since, active=False)
        for name in ("line-7", "tank"):
            until(lambda name=name: shared.state(name) == "connected", 60, f"{name} does not come back")


def connect_wide(plant: Plant) -> None:
    nodes = [
        {"address": f"json:plant/wide:v{n}", "name": f"v{n}", "path": [f"v{n}"], "leaf": True, "storage": "double"}
        for n in range(WIDE)
    ]
    with plant.platform.sdk() as sdk:
        points = sdk.propose("wide", nodes, thing="99.118.8/wide")
        sdk.create_connector("wide", "mqtt://", protocol="mqtt", settings={"topics": ["plant/wide"]}, points=points)


class Wide(threading.Thread):
    """A device that sends 200 values fifty times a second, for as long as the block lasts."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.ended = plant, threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            body = json.dumps({f"v{n}": number + n / 7 for n in range(WIDE)}).encode()
            self.plant.publish("plant/wide", *[body] * 50)

    def __enter__(self) -> Wide:
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.ended.set()
        self.join()


@pytest.mark.parametrize("times", TIMES)
def test_a_full_stream(tmp_path, ports, times):
    """The historian stands still, the stream fills, the samples stay in the edge's journal and come later, in order."""
    with Plant(tmp_path, ports, settings="samples_bytes = 1048576\n") as plant:
        connect_wide(plant)
        historian = plant.platform.components()["historian"]["pid"]
        for _ in range(times):
            since = time.time()
            os.kill(historian, signal.SIGSTOP)
            try:
                with Wide(plant):
                    shown = until(plant.refusal, 90, "nobody says that the stream is full")
                    time.sleep(5)  # a refusal of a moment is no event
                assert "full" in shown
                plant.neighbours_go_on()
                # A loaded machine may make one poll late, which is told and over with the next.
                until(lambda: plant.state("tank") == "connected", 30, "the neighbour is touched")
            finally:
                os.kill(historian, signal.SIGCONT)
            plant.event("HL-EDGE-0106", "wide", since, active=True)
            plant.event("HL-EDGE-0106", "wide", since, active=False)
        plant.device.stop()
        plant.whole()


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("times", TIMES)
def test_a_full_disk(small_disk, ports, times):
    with Plant(small_disk, ports) as plant:
        for _ in range(times):
            since = time.time()
            filler = small_disk / "filler"
            _fill_disk(filler)
            time.sleep(10)
            filler.unlink()
            plant.neighbours_go_on()
            until(lambda since=since: _told_of_disk(plant, since), 90, "nobody says that the disk was full")
            for name in ("line-7", "tank"):
                until(lambda name=name: plant.state(name) == "connected", 60, f"{name} does not come back")
        plant.device.stop()
        plant.whole()


def _told_of_disk(plant: Plant, since: float) -> list:
    try:
        with plant.platform.sdk() as sdk:
            found = [event for event in sdk.events(limit=1000) if event.time_ms >= since * 1000]
    except NotAvailableError:
        return []  # the spine is being started anew
    return [event for event in found if event.code == InfrastructureEvent.DISK_FULL and event.active and event.hint]


def _fill_disk(filler) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
