"""MQTT: JSON messages with one value, QoS 1, from 20 connections of mosquitto's own C client, to durable in the historian.

The same client against a bare nats-server (its MQTT listener, JetStream on disk, no accounts) is the reference, measured
before and after ours in the same run. `load` is the load generator for other measurements.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from free_ports import free_port

CONNECTIONS = 20
MESSAGES = 2_500


def load(
    directory: Path, port: int, *, user: str = "", password: str = "", connections: int = CONNECTIONS, messages: int = MESSAGES,
    topic: str = "bench",
) -> float:  # fmt: skip
    """Seconds until every message of every connection is acknowledged (PUBACK). Messages are ``{"v": number}``."""
    program = shutil.which("mosquitto_pub")
    if program is None:
        raise RuntimeError("mosquitto_pub is not installed: see tests/peers/install.sh")
    lines = directory / f"messages-{messages}.txt"
    lines.write_text("".join(json.dumps({"v": number}) + "\n" for number in range(messages)))
    login = ["-u", user, "-P", password] if user else []
    began = time.monotonic()
    running = []
    for number in range(connections):
        command = [
            program, "-h", "127.0.0.1", "-p", str(port), "-V", "mqttv311", "-q", "1", "-l", "-i", f"bench-{number}",
            "-t", f"{topic}/{number}", *login,
        ]  # fmt: skip
        with lines.open("rb") as given:
            running.append(subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    for process in running:
        _, complaint = process.communicate(timeout=600)
        if process.returncode:
            raise RuntimeError(f"mosquitto_pub: {complaint.decode(errors='replace').strip()}")
    return time.monotonic() - began


@contextlib.contextmanager
def bare_server(directory: Path) -> Iterator[int]:
    """The port of the MQTT listener of a nats-server without accounts."""
    from hulian.network.exchange.spine.server import executable

    port, mqtt_port = free_port(), free_port()
    config = directory / "bare.conf"
    config.write_text(
        f'server_name: bare\nlisten: "127.0.0.1:{port}"\njetstream: {{ store_dir: "{directory / "bare"}" }}\n'
        f'mqtt: {{ listen: "127.0.0.1:{mqtt_port}" }}\n'
    )
    process = subprocess.Popen([executable(), "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", mqtt_port), 1).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield mqtt_port
    finally:
        process.terminate()
        process.wait()


def bare(messages: int = MESSAGES) -> float:
    """Messages a second into a bare nats-server."""
    with tempfile.TemporaryDirectory() as text, bare_server(Path(text)) as port:
        load(Path(text), port, messages=100)
        return CONNECTIONS * messages / load(Path(text), port, messages=messages)


def ours(messages: int = MESSAGES) -> tuple[float, float, dict]:
    """Messages a second until the last one is in the historian, the same until the last PUBACK, and the ledger's totals."""
    from running import RunningPlatform

    with tempfile.TemporaryDirectory() as text, RunningPlatform(Path(text), free_port) as platform:
        directory = Path(text)
        with platform.sdk() as sdk:
            device = sdk.create_device("bench", ["bench/#"])
            nodes = [
                {"address": f"json:bench/{n}:v", "name": f"v{n}", "path": ["bench", f"v{n}"], "leaf": True, "storage": "double"}
                for n in range(CONNECTIONS)
            ]
            points = sdk.propose("bench", nodes, thing="99.118.8/bench")
            sdk.create_connector(
                "bench", "mqtt://", protocol="mqtt", settings={"topics": ["bench/+"], "qos_0": False}, points=points
            )

            def stored() -> int:
                return int(sdk.ledger().totals.get("stored", 0))

            def wait(wanted: int) -> None:
                until = time.monotonic() + 300
                while stored() < wanted:
                    if time.monotonic() > until:
                        raise RuntimeError(f"only {stored()} of {wanted} samples were stored within 300 s")
                    time.sleep(0.02)

            # The broker keeps messages from the moment on when a connector reads them: ask until the first are stored.
            until = time.monotonic() + 60
            while not stored():
                if time.monotonic() > until:
                    raise RuntimeError("the connector stored nothing within 60 s")
                load(directory, platform.mqtt_port, user=device.name, password=device.password, messages=20)
                time.sleep(1)
            time.sleep(2)
            before = stored()
            began = time.monotonic()
            acknowledged = load(directory, platform.mqtt_port, user=device.name, password=device.password, messages=messages)
            wait(before + CONNECTIONS * messages)
            total = time.monotonic() - began
            return CONNECTIONS * messages / total, CONNECTIONS * messages / acknowledged, sdk.ledger().totals


def run() -> list[dict]:
    first = bare()
    rate, acknowledged, totals = ours()
    second = bare()
    reference = (first + second) / 2
    return [
        {
            "name": "mqtt.messages_per_s",
            "value": rate,
            "unit": "messages/s",
            "reference": "the same client, bare nats-server",
            "reference_value": reference,
            "ratio": rate / reference,
            "conditions": (
                f"JSON, 1 value, QoS 1, {CONNECTIONS} connections of mosquitto_pub, {CONNECTIONS * MESSAGES} messages to "
                f"durable in the historian; the connector reads QoS 1 and 2 of bench/+; acknowledged at {acknowledged:.0f}/s; "
                f"bare before {first:.0f}/s, after {second:.0f}/s; "
                f"ledger missing {totals.get('missing', 0)}"
            ),
        }
    ]
