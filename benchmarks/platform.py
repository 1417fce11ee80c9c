"""The whole platform, as a person runs it: time to the first stored point, memory with the demo plant, device to console."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import psutil
from free_ports import free_port
from modbus_device import modbus_device
from running import RunningPlatform

from hulian.kernel.errors import HulianError
from hulian.sdk.stream import EventReader

VALUES = 100
MESSAGES_PER_S = 100


def row(name: str, value: float, unit: str, conditions: str) -> dict:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": None,
        "reference_value": None,
        "ratio": None,
        "conditions": conditions,
    }


def run() -> list[dict]:
    return [*start(), *latency(), *memory()]


def start(runs: int = 3) -> list[dict]:
    """From ``hulian up`` to the first point of this start in the historian, asked through the API."""
    seconds = []
    with tempfile.TemporaryDirectory() as directory, modbus_device(free_port()) as url:
        platform = RunningPlatform(Path(directory), free_port, identifiers=True)
        with platform, platform.sdk() as sdk:
            node = {"address": "holding@0:uint16", "name": "level", "path": ["level"], "leaf": True, "storage": "integer"}
            (point,) = sdk.propose("tank", [node], thing="99.118.8/tank")
            sdk.create_connector("tank", url, protocol="modbus", settings={"interval": 0.2}, points=[point])
        for _ in range(runs):
            began = time.time()
            # The first sample of this life of the platform: the client asks from the very beginning.
            found = threading.Event()

            def ask(began: float = began, found: threading.Event = found) -> None:
                while not found.is_set():
                    try:
                        with platform.sdk() as sdk:
                            (last,) = sdk.last([point["name"]])
                        if last.time_ms and last.time_ms / 1000 > began and last.status == 0:
                            seconds.append(time.time() - began)
                            found.set()
                    except HulianError:
                        pass  # not up yet: that is what is being timed
                    time.sleep(0.02)

            asker = threading.Thread(target=ask)
            asker.start()
            platform.start()
            found.wait(60)
            found.set()
            asker.join()
            platform.stop()
    return [row("start_s", statistics.median(seconds), "s", f"one Modbus connector, warm disk, median of {len(seconds)}")]


def latency(seconds: float = 30.0) -> list[dict]:
    """An MQTT device writes the time into its values; a console's live stream says when it sees them."""
    with tempfile.TemporaryDirectory() as directory, RunningPlatform(Path(directory), free_port) as platform:
        with platform.sdk() as sdk:
            device = sdk.create_device("clock", ["clock/#"])
            nodes = [
                {"address": f"json:clock/all:v{n}", "name": f"v{n}", "path": [f"v{n}"], "leaf": True, "storage": "double"}
                for n in range(VALUES)
            ]
            points = sdk.propose("clock", nodes, thing="99.118.8/clock")
            sdk.create_connector("clock", "mqtt://", protocol="mqtt", settings={"topics": ["clock/#"]}, points=points)
        seen: list[float] = []
        stop = threading.Event()
        listener = threading.Thread(target=_listen, args=(platform, [point["name"] for point in points], seen, stop))
        listener.start()
        _publish(platform.mqtt_port, device.name, device.password, seconds)
        stop.set()
        listener.join(30)
        with platform.sdk() as sdk:
            totals = sdk.ledger().totals
    milliseconds = sorted(value * 1000 for value in seen[len(seen) // 10 :])
    conditions = (
        f"MQTT JSON QoS 1, {MESSAGES_PER_S} messages/s of {VALUES} values, one live stream of {VALUES} points over HTTP, "
        f"{seconds:.0f} s, {len(seen)} values seen, ledger missing {totals.get('missing', 0)}"
    )
    return [
        row("latency.device_to_console_ms", statistics.median(milliseconds), "ms", conditions),
        row("latency.device_to_console_ms.p99", milliseconds[int(len(milliseconds) * 0.99)], "ms", conditions),
    ]


def _publish(port: int, user: str, password: str, seconds: float) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="clock")
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    number = 0
    while (now := time.monotonic()) - began < seconds:
        due = began + number / MESSAGES_PER_S
        if due > now:
            time.sleep(due - now)
        stamp = time.time()
        client.publish("clock/all", json.dumps({f"v{n}": stamp for n in range(VALUES)}), qos=1)
        number += 1
    time.sleep(1)
    client.disconnect()
    client.loop_stop()


def _listen(platform: RunningPlatform, names: list[str], seen: list[float], stop: threading.Event) -> None:
    reader = EventReader()
    headers = {"authorization": f"Bearer {platform.token()}"}
    with (
        httpx.Client(timeout=30) as client,
        client.stream("GET", f"{platform.url}/api/v1/live", params={"points": ",".join(names)}, headers=headers) as response,
    ):
        response.raise_for_status()
        for chunk in response.iter_raw():
            now = time.time()
            for event, data in reader.feed(chunk):
                if event == "samples":
                    for series in json.loads(data)["series"].values():
                        seen.extend(now - value for value in series["value"] if value)
            if stop.is_set():
                return


def memory(minutes: float | None = None) -> list[dict]:
    """Resident memory of every process of the platform, the demo plant and the supervisor included."""
    minutes = float(os.environ.get("HULIAN_BENCH_MINUTES", "10")) if minutes is None else minutes
    with tempfile.TemporaryDirectory() as directory:
        plant = Path(directory) / "plant.toml"
        plant.write_text(f"[opcua]\nport = {free_port()}\n[modbus]\nport = {free_port()}\n[service]\nport = {free_port()}\n")
        platform = RunningPlatform(Path(directory), free_port, arguments=("--demo", "--plant", str(plant)), identifiers=True)
        with platform:
            time.sleep(minutes * 60)
            parts = {
                name: psutil.Process(item["pid"]).memory_info().rss / 2**20 for name, item in platform.components().items()
            }
            parts["supervisor"] = psutil.Process(platform.process.pid).memory_info().rss / 2**20
            with platform.sdk() as sdk:
                ledger = sdk.ledger().totals
    told = ", ".join(f"{name} {size:.0f}" for name, size in sorted(parts.items()))
    conditions = f"with the demo plant after {minutes:g} minutes; {told}; {ledger.get('stored', 0)} samples stored"
    return [row("memory_mb", sum(parts.values()), "MiB", conditions)]
