"""Devices around a running platform, and what has to be true of their values in the end."""

from __future__ import annotations

import json
import queue
import threading
import time

import paho.mqtt.client as mqtt
from running import RunningPlatform

from hulian.sdk import NotAvailableError

POINT = "99.118.8/line-7#count"


class CountingDevice:
    """Publishes 1, 2, 3 … as ``{"ts": ms, "value": n}``, each again until it is acknowledged, as MQTT wants it."""

    def __init__(self, port: int, user: str, password: str, rate: float = 200.0, first: int = 1, authority=None) -> None:
        self.acknowledged: set[int] = set()
        self.published = first - 1
        self._numbers: dict[int, int] = {}
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._rate = rate
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="counting-device", clean_session=False)
        self._client.username_pw_set(user, password)
        if authority is not None:
            self._client.tls_set(str(authority))
        self._client.reconnect_delay_set(0.2, 1.0)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = self._on_publish
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _on_publish(self, client, userdata, mid, reason, properties):
        # The client calls this under a lock of its own that publish() takes too: nothing here may wait.
        self._answers.put(mid)

    def _run(self) -> None:
        stamp = 0
        while not self._stop.wait(1 / self._rate):
            number = self.published + 1
            # Distinct times, so that a row that is there twice cannot hide behind another.
            stamp = max(stamp + 1, int(time.time() * 1000))
            info = self._client.publish("plant/line-7", json.dumps({"ts": stamp, "value": number}), qos=1)
            self._numbers[info.mid] = number
            self.published = number
            self._take_answers()

    def _take_answers(self) -> None:
        while not self._answers.empty():
            self.acknowledged.add(self._numbers.pop(self._answers.get()))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        deadline = time.monotonic() + 60
        while self._numbers and time.monotonic() < deadline:
            time.sleep(0.1)
            self._take_answers()
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


def _values_so_far(platform: RunningPlatform) -> list[int]:
    try:
        return good_values(platform)
    except NotAvailableError:
        return []  # the spine is being started anew, as it is after a full disk


def check(platform: RunningPlatform, device: CountingDevice) -> None:
    """Everything acknowledged arrives, once, and then the ledger agrees: a message that the broker keeps, and the edge has
    not read yet, is in no account."""
    deadline = time.monotonic() + 90
    while lost := device.acknowledged - set(_values_so_far(platform)):
        assert time.monotonic() < deadline, f"lost: {sorted(lost)[:20]}"
        time.sleep(0.2)

    def rows():
        try:
            with platform.sdk() as sdk:
                found = {row.source: row for row in sdk.ledger().rows}
        except NotAvailableError:
            return None
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
