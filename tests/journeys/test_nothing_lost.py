"""A sample's journey under fire: kill -9 of each component in turn while data flow.

An MQTT device publishes numbered values with QoS 1 and remembers which ones the platform acknowledged. Afterwards every
acknowledged number is in the historian, none is there twice, and the ledger agrees. A Modbus device beside it shows that
neighbours go on.
"""

from __future__ import annotations

import json
import os
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from modbus_device import modbus_device
from running import RunningPlatform

POINT = "99.118.8/line-7#count"
COMPONENTS = ("historian", "spine", "edge", "api")


class CountingDevice:
    """Publishes 1, 2, 3 … as ``{"ts": ms, "value": n}``, each again until it is acknowledged, as MQTT wants it."""

    def __init__(self, port: int, user: str, password: str, rate: float = 200.0, first: int = 1) -> None:
        self.acknowledged: set[int] = set()
        self.published = first - 1
        self._first = first
        self._numbers: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._rate = rate
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="counting-device", clean_session=False)
        self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(0.2, 1.0)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = self._on_publish
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _on_publish(self, client, userdata, mid, reason, properties):
        with self._lock:
            self.acknowledged.add(self._numbers.pop(mid))

    def _run(self) -> None:
        began = time.time()
        while not self._stop.wait(1 / self._rate):
            number = self.published + 1
            # Distinct times, so that a row that is there twice cannot hide behind another.
            body = json.dumps({"ts": int(began * 1000) + (number - self._first) * 5, "value": number})
            with self._lock:
                info = self._client.publish("plant/line-7", body, qos=1)
                self._numbers[info.mid] = number
            self.published = number

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        deadline = time.monotonic() + 60
        while self._numbers and time.monotonic() < deadline:
            time.sleep(0.1)
        self._client.disconnect()
        self._client.loop_stop()
        assert not self._numbers, "the platform did not acknowledge what it was sent"


def connect_devices(platform: RunningPlatform, modbus_url: str):
    with platform.sdk() as sdk:
        device = sdk.create_device("counting-device", ["plant/#"])
        point = sdk.propose(
            "line-7",
            [{"address": "json:plant/line-7:value", "name": "count", "path": ["count"], "leaf": True, "storage": "integer"}],
            thing="99.118.8/line-7",
        )
        point[0]["name"] = POINT
        sdk.create_connector("line-7", "mqtt://", protocol="mqtt", settings={"topics": ["plant/#"]}, points=point)
        node = {"address": "holding@0:uint16", "name": "level", "path": ["level"], "leaf": True, "storage": "integer"}
        level = sdk.propose("tank", [node], thing="99.118.8/tank")
        sdk.create_connector("tank", modbus_url, protocol="modbus", settings={"interval": 0.2}, points=level)
    return device


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def good_values(platform: RunningPlatform) -> list[int]:
    with platform.sdk() as sdk:
        found = sdk.history(POINT, last="1d").to_arrow()
    pairs = zip(found["value"].to_pylist(), found["status"].to_pylist(), strict=True)
    return [value for value, status in pairs if status == 0]


def check(platform: RunningPlatform, device: CountingDevice) -> None:
    """Everything acknowledged arrives, once, and then the ledger agrees: a message that the broker keeps, and the edge has
    not read yet, is in no account."""
    deadline = time.monotonic() + 90
    while lost := device.acknowledged - set(good_values(platform)):
        assert time.monotonic() < deadline, f"lost: {sorted(lost)[:20]}"
        time.sleep(0.2)

    def rows():
        with platform.sdk() as sdk:
            found = {row.source: row for row in sdk.ledger().rows}
        return found if found["line-7"].pending == 0 and found["line-7"].missing == 0 else None

    accounts = until(rows, 90, "the ledger does not settle")
    good = good_values(platform)
    assert len(good) == len(set(good)), "values are there twice"
    with platform.sdk() as sdk:
        states = {item.name: item for item in sdk.connectors()}
    for name in ("line-7", "tank"):
        row = accounts[name]
        assert row.missing == 0
        assert row.stored + row.pending == row.sent
        assert states[name].status["state"] == "connected"


@pytest.mark.timeout(400)
def test_kill_9_of_each_component_in_turn_loses_and_doubles_nothing(tmp_path, ports):
    rounds = int(os.environ.get("HULIAN_KILL_ROUNDS", "1"))
    with modbus_device(ports()) as modbus_url, RunningPlatform(tmp_path, ports) as platform:
        credential = connect_devices(platform, modbus_url)
        device = CountingDevice(platform.mqtt_port, credential.name, credential.password)
        try:
            until(lambda: len(device.acknowledged) > 100, 60, "nothing was acknowledged")
            for _ in range(rounds):
                for component in COMPONENTS:
                    before = len(device.acknowledged)
                    pid = platform.kill(component)
                    platform.wait_running(component, pid)
                    stuck = f"stuck after {component} was killed"
                    until(lambda before=before: len(device.acknowledged) > before + 100, 60, stuck)
        finally:
            device.stop()
        assert len(device.acknowledged) > 400
        check(platform, device)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_kill_9_ten_times_over(tmp_path, ports, monkeypatch):
    monkeypatch.setenv("HULIAN_KILL_ROUNDS", "10")
    test_kill_9_of_each_component_in_turn_loses_and_doubles_nothing(tmp_path, ports)


@pytest.mark.timeout(300)
def test_a_backup_of_a_running_plant_comes_back_whole(tmp_path, ports):
    archive = tmp_path / "plant.hulian"
    with modbus_device(ports()) as modbus_url:
        with RunningPlatform(tmp_path / "one", ports) as platform:
            credential = connect_devices(platform, modbus_url)
            device = CountingDevice(platform.mqtt_port, credential.name, credential.password, rate=100)
            try:
                until(lambda: len(device.acknowledged) > 200, 60, "nothing was acknowledged")
                before = set(device.acknowledged)
                platform.cli("backup", str(archive))
            finally:
                device.stop()
            assert archive.stat().st_mode & 0o077 == 0
        other = RunningPlatform(tmp_path / "two", ports)
        other.cli("restore", str(archive))
        with other as restored:
            good = good_values(restored)
            assert before <= set(good)
            assert len(good) == len(set(good))
            with restored.sdk() as sdk:
                assert {item.name for item in sdk.connectors()} == {"line-7", "tank"}
                assert sdk.ledger().totals["missing"] == 0
            # The restored plant takes new values from the same device, with the same credential.
            device = CountingDevice(restored.mqtt_port, credential.name, credential.password, rate=100, first=100_001)
            until(lambda: len(device.acknowledged) > 100, 60, "the restored platform takes nothing")
            device.stop()
            check(restored, device)
