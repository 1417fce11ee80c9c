"""MQTT devices in this process: a Sparkplug edge node, a source that stands for the listener, and both as one peer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

import anyio
import msgspec
from google.protobuf.message import DecodeError

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.mqtt.address import JsonPlace, parse_address
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration, SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import SourceError
from hulian.network.exchange.protocols.mqtt.source import SOURCE
from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import Definition, merged
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import (
    REBIRTH,
    Metric,
    encode_birth,
    encode_data,
    encode_death,
    level,
    parse_topic,
    topic,
)
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import NAMES, decode_value
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload

__all__ = ["DEFAULT_BINDINGS", "LocalSource", "Message", "Simulator", "SparkplugNode"]

Publish = Callable[[str, bytes], None]


class SparkplugNode:
    """An edge node's side of Sparkplug B: births, data by alias, sequence numbers, deaths, rebirth. It does no I/O itself.

    ``publish(topic, payload)`` sends a message; feed what arrives on `subscriptions` to `receive`. Declare the metrics first
    (``device`` empty: the node's own), connect with `will` as the client's last will, then call `birth`.

    >>> sent = []
    >>> node = SparkplugNode("TE", "Analysers", lambda topic, payload: sent.append(topic))
    >>> node.declare("Feed", "A", "Double", 0.32, unit="mol/mol"); node.birth(); node.update("Feed", {"A": 0.33})
    >>> sent
    ['spBv1.0/TE/NBIRTH/Analysers', 'spBv1.0/TE/DBIRTH/Analysers/Feed', 'spBv1.0/TE/DDATA/Analysers/Feed']
    """

    def __init__(
        self,
        group: str,
        node: str,
        publish: Publish,
        *,
        clock: Callable[[], int] = time.time_ns,
        written: Callable[[str, str, Any], Any] | None = None,
    ) -> None:
        """``written(device, metric, value)`` is asked about a command and returns the value that it leads to; None refuses."""
        self.name = f"{level(group)}/{level(node)}"
        self.birth_death = 0
        self.births = 0
        self._publish = publish
        self._clock = clock
        self._written = written
        self._sequence = 0
        self._devices: dict[str, dict[str, Metric]] = {"": {}}
        self._definitions: dict[str, Definition] = {}
        self._alias = 0
        self._dead: set[str] = set()

    @property
    def subscriptions(self) -> tuple[str, str]:
        """The topic filters on which commands come."""
        return topic("NCMD", self.name), topic("DCMD", self.name, "+")

    @property
    def will(self) -> tuple[str, bytes]:
        """Topic and payload of the last will of the next connection (QoS 1, not retained)."""
        return topic("NDEATH", self.name), encode_death(birth_death=self.birth_death, timestamp=self._milliseconds())

    def define(self, name: str, definition: Definition) -> None:
        """One more template; it is told with the next birth of the node."""
        self._definitions[name] = definition

    def declare(
        self,
        device: str,
        name: str,
        datatype: str,
        value: Any,
        *,
        unit: str = "",
        properties: Mapping[str, Any] | None = None,
        template: str = "",
    ) -> None:
        """One more metric; it is told with the next birth. ``template`` is what a Template's value is an instance of. Raises
        `ValueError` for a device whose name cannot be a level of a topic."""
        if device:
            level(device)
        self._alias += 1
        more = dict(properties or {}) | ({"engUnit": unit} if unit else {})
        metric = Metric(name=name, alias=self._alias, datatype=datatype, value=value, properties=more, template=template)
        self._devices.setdefault(device, {})[name] = metric

    def birth(self) -> None:
        """NBIRTH and the DBIRTH of every device, with the values of now."""
        self.births += 1
        self._sequence = 0
        now = self._milliseconds()
        payload = encode_birth(
            self._devices[""].values(),
            sequence=0,
            timestamp=now,
            birth_death=self.birth_death,
            definitions=self._definitions,
        )
        self._publish(topic("NBIRTH", self.name), payload)
        for device in self._devices:
            if device:
                self.device_birth(device)

    def device_birth(self, device: str) -> None:
        """DBIRTH of one device."""
        self._dead.discard(device)
        metrics, now = self._devices[device].values(), self._milliseconds()
        payload = encode_birth(metrics, sequence=self._next(), timestamp=now, definitions=self._definitions)
        self._publish(topic("DBIRTH", self.name, device), payload)

    def update(
        self,
        device: str,
        values: Mapping[str, Any],
        *,
        timestamp: int | None = None,
        historical: bool = False,
        transient: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """NDATA or DDATA with new values of some metrics; ``timestamp`` in ms, now where it is None. Of a template's instance
        the members that are given are told."""
        metrics = self._devices[device]
        now = self._milliseconds() if timestamp is None else timestamp
        changed = []
        for name, value in values.items():
            one = msgspec.structs.replace(
                metrics[name], value=value, historical=historical, transient=transient, properties=properties or {}
            )
            changed.append(one)
            if not historical:
                metrics[name] = msgspec.structs.replace(metrics[name], value=merged(metrics[name].value, value))
        kind = "DDATA" if device else "NDATA"
        payload = encode_data(changed, sequence=self._next(), timestamp=now, definitions=self._definitions)
        self._publish(topic(kind, self.name, device), payload)

    def device_death(self, device: str) -> None:
        """DDEATH of one device."""
        self._dead.add(device)
        payload = encode_death(sequence=self._next(), timestamp=self._milliseconds())
        self._publish(topic("DDEATH", self.name, device), payload)

    def death(self) -> None:
        """NDEATH, as the broker would send it; the next connection counts one further."""
        self._publish(*self.will)
        self.birth_death = (self.birth_death + 1) & 255

    def receive(self, where: str, raw: bytes) -> None:
        """A command. A rebirth is answered by births; a written value by data, where ``written`` allows it."""
        found = parse_topic(where)
        if found is None or found.node != self.name or found.kind not in ("NCMD", "DCMD"):
            return
        try:
            payload = Payload.FromString(raw)
        except (DecodeError, ValueError):
            return
        metrics = self._devices.get(found.device, {})
        by_alias = {metric.alias: name for name, metric in metrics.items()}
        for message in payload.metrics:
            name = message.name or (by_alias.get(message.alias, "") if message.HasField("alias") else "")
            if name == REBIRTH:
                if message.boolean_value:
                    self.birth()
                continue
            if name in metrics:
                metric = metrics[name]
                value = decode_value(message, NAMES.index(metric.datatype), self._definitions, metric.template)
                if self._written is not None:
                    value = self._written(found.device, name, value)
                if value is not None:
                    self.update(found.device, {name: value})

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & 255
        return self._sequence

    def _milliseconds(self) -> int:
        return self._clock() // 1_000_000


class Message(msgspec.Struct, frozen=True):
    """A batch of messages, as the listener gives it."""

    topics: list[str]
    payloads: list[bytes]
    received: int
    first: int
    last: int
    sequences: list[int] = []


class LocalSource:
    """Stands for the listener where there is none: keeps what is published until it is acknowledged, in this process only."""

    def __init__(self) -> None:
        self.available = True
        self.acknowledged = 0
        self.subscribers: list[Publish] = []
        self.listeners: list[Publish] = []
        self._kept: deque[tuple[int, str, bytes]] = deque()
        self._sequence = 0
        self._changed = anyio.Event()

    def feed(self, where: str, payload: bytes) -> None:
        """A device publishes with QoS 1."""
        self._sequence += 1
        self._kept.append((self._sequence, where, payload))
        for listener in self.listeners:
            listener(where, payload)
        self._wake()

    def fail(self) -> None:
        """The listener goes away; `restore` brings it back."""
        self.available = False
        self._wake()

    def restore(self) -> None:
        """The listener is back."""
        self.available = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def batches(self, position: int | None = None) -> AsyncIterator[Message]:
        """See `hulian.network.exchange.protocols.mqtt.source.MessageSource`."""
        given = position or 0
        while True:
            if not self.available:
                raise SourceError("the listener is away")
            waiting = [entry for entry in self._kept if entry[0] > given]
            if waiting:
                given = waiting[-1][0]
                sequences, topics, payloads = ([entry[column] for entry in waiting] for column in range(3))
                yield Message(topics, payloads, time.time_ns(), sequences[0], given, sequences)  # type: ignore[arg-type]
            else:
                await self._changed.wait()

    async def listen(self) -> AsyncIterator[Message]:
        """What is published from now on."""
        heard: list[tuple[str, bytes]] = []
        self.listeners.append(lambda where, payload: heard.append((where, payload)))
        while True:
            if heard:
                taken, heard[:] = list(heard), []
                yield Message([where for where, _ in taken], [payload for _, payload in taken], time.time_ns(), 0, 0)
            else:
                await self._changed.wait()

    async def acknowledge(self, last: int) -> None:
        """Forgets what is safe elsewhere."""
        self.acknowledged = max(self.acknowledged, last)
        while self._kept and self._kept[0][0] <= last:
            self._kept.popleft()

    async def publish(self, where: str, payload: bytes) -> None:
        """To everyone in this process who subscribed."""
        if not self.available:
            raise SourceError("the listener is away")
        for subscriber in self.subscribers:
            subscriber(where, payload)


_NODE = "sparkplug:sim/edge/device"

DEFAULT_BINDINGS = (
    Binding(series=1, address=f"{_NODE}:pressure", storage=StorageClass.DOUBLE, writable=True),
    Binding(series=2, address=f"{_NODE}:count", storage=StorageClass.INTEGER, kind=Kind.STEP, writable=True),
    Binding(series=3, address=f"{_NODE}:running", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=4, address=f"{_NODE}:mode", storage=StorageClass.TEXT, kind=Kind.STEP),
    Binding(series=5, address=f"{_NODE}:blob", storage=StorageClass.BYTES, kind=Kind.STEP),
    Binding(series=6, address=f"{_NODE}:profile", storage=StorageClass.STRUCTURE, kind=Kind.STEP),
    Binding(series=7, address="json:sim/oven:temperature", storage=StorageClass.DOUBLE),
    Binding(series=8, address="json:sim/door:open", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
)
"""One point of each storage class by Sparkplug, and two by JSON."""

_TYPES: dict[StorageClass, tuple[str, Any]] = {
    StorageClass.DOUBLE: ("Double", 1.0),
    StorageClass.INTEGER: ("Int32", 0),
    StorageClass.BOOLEAN: ("Boolean", False),
    StorageClass.TEXT: ("String", "idle"),
    StorageClass.BYTES: ("Bytes", b"\0"),
    StorageClass.STRUCTURE: ("DoubleArray", [1.0, 2.0]),
}


class Simulator:
    """``async with Simulator() as sim:`` offers ``sim.extras`` with a listener on which devices publish their ``bindings``.

    `stop` takes the listener away, `start` brings it back and every edge node gives birth again.
    """

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = False
    tcp: ClassVar[bool] = False
    url = "mqtt://"

    def __init__(self, bindings: Iterable[Binding] = DEFAULT_BINDINGS) -> None:
        self.bindings: Sequence[Binding] = tuple(bindings)
        self.bad_binding = Binding(series=99, address=f"{_NODE}:nowhere", storage=StorageClass.DOUBLE)
        self.configuration = MqttConfiguration(
            bad_after=1.0, reconnect_first=0.1, reconnect_most=0.5, sparkplug=SparkplugSettings(rebirth_every=0.5)
        )
        self.credentials = Credentials()
        self.source = LocalSource()
        self.extras: Mapping[str, Any] = {SOURCE: self.source}
        self.nodes: dict[str, SparkplugNode] = {}
        self._time = 0
        self._documents: dict[str, dict[str, Any]] = {}
        for binding in self.bindings:
            place = parse_address(binding.address)
            datatype, value = _TYPES[binding.storage]
            if isinstance(place, JsonPlace):
                self._documents.setdefault(place.topic, {})[place.path[0]] = value
            else:
                node = self.nodes.get(place.node)
                if node is None:
                    group, _, name = place.node.partition("/")
                    node = self.nodes[place.node] = SparkplugNode(group, name, self.source.feed, clock=self._clock)
                    self.source.subscribers.append(node.receive)
                node.declare(place.device, place.metric, datatype, value)

    async def start(self) -> None:
        """The listener is there and every device publishes what it has."""
        self.source.restore()
        for node in self.nodes.values():
            node.birth()
        for where in self._documents:
            self._publish(where)

    async def stop(self) -> None:
        """The listener goes away."""
        self.source.fail()

    async def set(self, address: str, value: Any) -> None:
        """The device publishes a new value."""
        place = parse_address(address)
        if isinstance(place, JsonPlace):
            self._documents[place.topic][place.path[0]] = value
            self._publish(place.topic)
        else:
            self.nodes[place.node].update(place.device, {place.metric: value})

    def _clock(self) -> int:
        """Times of different milliseconds, which is all that Sparkplug can tell apart."""
        self._time = max(time.time_ns(), self._time + 1_000_000)
        return self._time

    def _publish(self, where: str) -> None:
        self.source.feed(where, msgspec.json.encode(self._documents[where]))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
