"""The three analysers: a Sparkplug B edge node with three devices, on any MQTT 3.1.1 server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hulian.demo.configuration import MqttDevice
from hulian.demo.live import LivePlant
from hulian.demo.signals import ANALYSERS, Signal
from hulian.demo.sparkplug import REBIRTH, DataType, Metric, Value, asks_rebirth, encode

__all__ = ["Analysers", "run_analysers"]

_log: Final = structlog.get_logger(__name__)
_ALIASES: Final = {signal.tag: alias for alias, signal in enumerate((s for group in ANALYSERS.values() for s in group), 1)}
_KEPT: Final = 2_000
_LONGEST_WAIT: Final = 15


class Analysers:
    """The edge node's session (Sparkplug 3.0.0, section 5): births, data, deaths and the answer to a rebirth command.

    paho's thread keeps the connection and only sets flags; everything is written from `publish`. Samples taken while the
    server is away are kept, two thousand at most and the newest ones, and follow the next birth marked as historical.
    """

    def __init__(self, settings: MqttDevice, plant: LivePlant, password: str) -> None:
        self._settings = settings
        self._plant = plant
        self._sequence = 0
        self._birth_death = int(time.time()) & 255
        self._birth_due = False
        self._online = False
        self._refused = ""
        self._taken = dict.fromkeys(ANALYSERS, -1)
        self._kept: deque[tuple[str, int, list[float]]] = deque(maxlen=_KEPT)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{settings.group}-{settings.node}", protocol=mqtt.MQTTv311)
        client.username_pw_set(settings.user, password)
        if settings.certificate_authority:
            client.tls_set(ca_certs=settings.certificate_authority)
        client.reconnect_delay_set(1, _LONGEST_WAIT)
        client.on_connect, client.on_disconnect, client.on_message = self._connected, self._disconnected, self._commanded
        self._client = client
        self._set_will()

    def start(self) -> None:
        """Begin to connect, in a thread of paho's, again and again until `stop`."""
        self._client.connect_async(self._settings.host, self._settings.port, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye as Sparkplug has it, and end the thread."""
        if self._online:
            self._client.publish(self._topic("NDEATH"), self._death(), qos=1).wait_for_publish(1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, now: int) -> None:
        """Births where they are due, then every new sample; ``now`` in milliseconds."""
        if self._birth_due and self._online:
            self._birth_due = False
            self._bear(now)
            while self._kept:
                device, taken, values = self._kept.popleft()
                self._send(device, taken, values, historical=True)
        for device, signals in ANALYSERS.items():
            if (samples := self._samples(device)) == self._taken[device]:
                continue
            self._taken[device] = samples
            values = [signal.value(self._plant.simulation) for signal in signals]
            if self._online and not self._birth_due:
                self._send(device, now, values)
            else:
                self._kept.append((device, now, values))

    # -- what is written -------------------------------------------------------------------------------------------------

    def _bear(self, now: int) -> None:
        self._sequence = -1
        node = [
            Metric(DataType.INT64, self._birth_death, "bdSeq", timestamp=now),
            Metric(DataType.BOOLEAN, False, REBIRTH, timestamp=now),
        ]
        self._write(self._topic("NBIRTH"), encode(node, timestamp=now, sequence=self._next()))
        for device, signals in ANALYSERS.items():
            metrics = [self._born(signal, now) for signal in signals]
            self._write(self._topic("DBIRTH", device), encode(metrics, timestamp=now, sequence=self._next()))

    def _born(self, signal: Signal, now: int) -> Metric:
        properties: dict[str, Value] = {
            "engUnit": signal.unit.ucum,
            "engLow": signal.low,
            "engHigh": signal.high,
            "documentation": f"{signal.tag} {signal.english} / {signal.chinese}",
        }
        value = signal.value(self._plant.simulation)
        return Metric(DataType.DOUBLE, value, signal.metric, _ALIASES[signal.tag], now, properties=properties)

    def _send(self, device: str, taken: int, values: list[float], *, historical: bool = False) -> None:
        metrics = [
            Metric(DataType.DOUBLE, value, alias=_ALIASES[signal.tag], timestamp=taken, historical=historical)
            for signal, value in zip(ANALYSERS[device], values, strict=True)
        ]
        self._write(self._topic("DDATA", device), encode(metrics, timestamp=taken, sequence=self._next()))

    def _write(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=self._settings.qos)

    def _death(self) -> bytes:
        return encode([Metric(DataType.INT64, self._birth_death, "bdSeq")], timestamp=time.time_ns() // 1_000_000)

    def _topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self._settings.group}/{kind}/{self._settings.node}" + (f"/{device}" if device else "")

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & 255
        return self._sequence

    def _samples(self, device: str) -> int:
        gas, product = self._plant.simulation.process.samples
        return product if device == "Product" else gas

    # -- paho's thread ---------------------------------------------------------------------------------------------------

    def _set_will(self) -> None:
        self._client.will_set(self._topic("NDEATH"), self._death(), qos=1)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            if self._refused != str(reason):
                self._refused = str(reason)
                _log.warning("the MQTT server refuses the analysers", code="HL-DEMO-0004", reason=self._refused)
            return
        self._refused = ""
        client.subscribe(self._topic("NCMD"), qos=1)
        self._birth_due = True
        self._online = True

    def _disconnected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._online = False
        self._birth_death = (self._birth_death + 1) & 255
        self._set_will()

    def _commanded(self, client: Any, userdata: Any, message: Any) -> None:
        if asks_rebirth(message.payload):
            self._birth_due = True


@asynccontextmanager
async def run_analysers(settings: MqttDevice, plant: LivePlant, password: str) -> AsyncIterator[Analysers | None]:
    """The analysers for the length of the block; none where no credential is configured."""
    if not settings.user:
        yield None
        return
    analysers = Analysers(settings, plant, password)
    analysers.start()
    try:
        yield analysers
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(analysers.stop)
