"""A Sparkplug B host's memory of every edge node: births, aliases, the order of messages, deaths. No I/O, no clock.

Sparkplug 3.0.0, sections 5 (operational behaviour) and 6 (payloads). What is to be sent is put into `Session.outbox`; what a
person should know is told to `Listener`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final
from typing import Protocol as Interface

from google.protobuf.message import DecodeError

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.moments import LATEST
from hulian.network.exchange.protocols.mqtt.config import SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import (
    DeathError,
    GapError,
    MetricError,
    MqttError,
    PayloadError,
    TypeFitError,
    UnbornError,
)
from hulian.network.exchange.protocols.mqtt.metrics import decode_value, properties_of, quality_of
from hulian.network.exchange.protocols.mqtt.protobuf import Payload
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.sparkplug import Topic, encode_rebirth_request, topic

__all__ = ["Born", "Device", "Listener", "Node", "Session"]

_MOST_NODES: Final = 10_000
_MOST_METRICS: Final = 250_000
_MOST_HELD: Final = 4096
_LONGEST_REBIRTH_WAIT: Final = 300.0
_DEVICE_GRACE: Final = 10_000_000_000
_MILLISECOND: Final = 1_000_000


class Listener(Interface):
    """Who hears what a person should know. ``subject`` is an edge node, or a device behind it."""

    def moment(self, kind: type[MqttError], subject: str, message: str) -> None:
        """Something was wrong once; the listener limits how often it is told."""
        ...

    def begin(self, kind: type[MqttError], subject: str, message: str) -> None:
        """A condition has begun; repeated until `end`, it is told once."""
        ...

    def end(self, kind: type[MqttError], subject: str) -> None:
        """The condition is over, where it had begun."""
        ...

    def count(self, name: str) -> None:
        """One more of ``name``."""
        ...


class Born:
    """A metric as its birth described it."""

    __slots__ = ("alias", "datatype", "device", "name", "properties", "target", "value")

    def __init__(self, name: str, alias: int | None, datatype: int, device: str, target: Target | None) -> None:
        self.name = name
        self.alias = alias
        self.datatype = datatype
        self.device = device
        self.target = target
        self.properties: dict[str, Any] = {}
        self.value: Any = None


class Device:
    """A device behind an edge node, or (with an empty name) the node itself."""

    __slots__ = ("alive", "metrics", "missed_at")

    def __init__(self) -> None:
        self.alive = False
        self.metrics: dict[str, Born] = {}
        self.missed_at = 0


class Node:
    """One edge node. ``sequence`` is the last one seen, None where none is known; ``fresh``: born since we listen."""

    __slots__ = (
        "aliases",
        "alive",
        "birth_death",
        "devices",
        "fresh",
        "held",
        "held_since",
        "rebirth_at",
        "rebirth_wait",
        "sequence",
    )

    def __init__(self) -> None:
        self.alive = False
        self.fresh = False
        self.birth_death: int | None = None
        self.sequence: int | None = None
        self.devices: dict[str, Device] = {"": Device()}
        self.aliases: dict[int, Born] = {}
        self.held: deque[tuple[Topic, Any, int]] = deque()
        self.held_since = 0
        self.rebirth_at = 0
        self.rebirth_wait = 0.0


class Session:
    """Everything known of the edge nodes whose messages come in. `take` adds the samples of one message to ``rows``."""

    def __init__(
        self, targets: dict[tuple[str, str, str], list[Target]], settings: SparkplugSettings, listener: Listener
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.outbox: list[tuple[str, bytes]] = []
        self._settings = settings
        self._listener = listener
        self._targets: dict[tuple[str, str, str], Target] = {}
        self._also: dict[int, list[Target]] = {}
        self._bound: dict[str, dict[str, dict[str, Target]]] = {}
        for (node, device, metric), several in targets.items():
            first = several[0]
            self._targets[node, device, metric] = first
            if len(several) > 1:
                self._also[first.series] = several[1:]
            self._bound.setdefault(node, {}).setdefault(device, {})[metric] = first

    def start(self, now: int) -> None:
        """Asks every bound edge node for its births that gave none since we listen: aliases do not survive our restart,
        and values that were marked while we heard nothing are to be good again."""
        if self._settings.rebirth_on_start:
            for name in self._bound:
                node = self._node(name)
                if not node.fresh:
                    self._request_rebirth(name, node, now)

    def interrupted(self) -> None:
        """We hear nothing for a while: what was born before has to be born again."""
        for node in self.nodes.values():
            node.fresh = False

    def take(self, where: Topic, raw: bytes, received: int, rows: Rows) -> None:
        """One message, in the order of arrival; a malformed one is told and changes nothing."""
        if where.kind in ("NCMD", "DCMD", "STATE"):
            return
        try:
            payload = Payload.FromString(raw)
        except (DecodeError, ValueError) as error:
            self._listener.moment(PayloadError, _name(where), f"{where.kind} is no Sparkplug payload: {error}")
            return
        if where.node not in self.nodes and len(self.nodes) >= _MOST_NODES and where.node not in self._bound:
            self._listener.moment(PayloadError, _name(where), f"more than {_MOST_NODES} edge nodes: this one is left out")
            return
        node = self._node(where.node)
        try:
            self._dispatch(where, node, payload, received, rows)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            self._listener.moment(PayloadError, _name(where), f"{where.kind}: {error}")

    def _dispatch(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        match where.kind:
            case "NDEATH":
                self._node_death(where, node, payload, received, rows)
            case "NBIRTH":
                self._node_birth(where, node, payload, received, rows)
            case "DBIRTH":
                self._check_sequence(where, node, payload, received)
                if not node.alive:
                    self._unborn(where, node, payload, received)
                else:
                    self._device_birth(where, node, payload, received, rows)
            case "DDEATH":
                self._check_sequence(where, node, payload, received)
                self._device_death(where, node, payload, received, rows)
            case _:
                self._check_sequence(where, node, payload, received)
                device = node.devices.get(where.device)
                if not node.alive or device is None or not device.alive:
                    self._unborn(where, node, payload, received)
                else:
                    self._data(where, node, device, payload, received, rows)

    def _node(self, name: str) -> Node:
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = Node()
        return node

    # -- births --------------------------------------------------------------------------------------------------------

    def _node_birth(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        self._listener.count("births")
        for metric in payload.metrics:
            if metric.name == "bdSeq":
                node.birth_death = int(decode_value(metric, metric.datatype or 4) or 0)
        node.alive = node.fresh = True
        node.sequence = payload.seq & 255
        node.rebirth_wait, node.rebirth_at = 0.0, 0
        node.aliases.clear()
        for name, device in node.devices.items():
            if name and device.alive:
                device.alive, device.missed_at = False, received + _DEVICE_GRACE
        for kind in (GapError, UnbornError, DeathError):
            self._listener.end(kind, where.node)
        self._born(where, node, node.devices[""], payload, received, rows)

    def _device_birth(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        self._listener.count("births")
        device = node.devices.get(where.device)
        if device is None:
            if sum(len(one.metrics) for one in node.devices.values()) > _MOST_METRICS:
                raise ValueError(f"more than {_MOST_METRICS} metrics behind one edge node")
            device = node.devices[where.device] = Device()
        for born in device.metrics.values():
            if born.alias is not None and node.aliases.get(born.alias) is born:
                del node.aliases[born.alias]
        self._listener.end(DeathError, _name(where))
        self._born(where, node, device, payload, received, rows)

    def _born(self, where: Topic, node: Node, device: Device, payload: Any, received: int, rows: Rows) -> None:
        metrics: dict[str, Born] = {}
        values: list[tuple[Born, Any]] = []
        for metric in payload.metrics:
            name = metric.name
            if not name:
                self._listener.moment(PayloadError, _name(where), f"{where.kind} holds a metric without a name")
                continue
            if len(metrics) >= _MOST_METRICS:
                raise ValueError(f"more than {_MOST_METRICS} metrics in one birth")
            target = self._targets.get((where.node, where.device, name))
            alias = metric.alias if metric.HasField("alias") else None
            born = metrics[name] = Born(name, alias, metric.datatype, where.device, target)
            if metric.HasField("properties"):
                born.properties = properties_of(metric.properties)
            if alias is not None:
                other = node.aliases.get(alias)
                if other is not None and other.name != name:
                    self._listener.moment(
                        PayloadError,
                        _name(where),
                        f"the alias {alias} names both {other.name!r} and {name!r}: neither is believed",
                    )
                    other.alias = born.alias = None
                node.aliases[alias] = born
            values.append((born, metric))
        device.metrics = metrics
        device.alive, device.missed_at = True, 0
        for born, metric in values:
            self._value(where, born, metric, payload, received, rows)
        self._missing(where, metrics, received, rows)
        self._release(where, node, received, rows)

    def _missing(self, where: Topic, metrics: dict[str, Born], received: int, rows: Rows) -> None:
        for name, target in self._bound.get(where.node, {}).get(where.device, {}).items():
            subject = target.binding.address
            if name in metrics:
                self._listener.end(MetricError, subject)
            else:
                self._listener.begin(MetricError, subject, f"{where.kind} of {_name(where)} has no metric {name!r}")
                for one in self._all(target):
                    one.mark(rows, received, int(Quality.BAD_NODE_ID_UNKNOWN))

    def _all(self, target: Target) -> Iterator[Target]:
        yield target
        yield from self._also.get(target.series, ())

    # -- data ----------------------------------------------------------------------------------------------------------

    def _check_sequence(self, where: Topic, node: Node, payload: Any, received: int) -> None:
        if not payload.HasField("seq"):
            return
        sequence = payload.seq
        if node.sequence is not None and node.alive and sequence != (node.sequence + 1) & 255:
            self._listener.count("gaps")
            missing = (sequence - node.sequence - 1) & 255
            self._listener.begin(
                GapError, where.node, f"{where.kind} has seq {sequence} behind {node.sequence}: {missing} messages are missing"
            )
            self._request_rebirth(where.node, node, received)
        node.sequence = sequence & 255

    def _data(self, where: Topic, node: Node, device: Device, payload: Any, received: int, rows: Rows) -> None:
        aliases, metrics = node.aliases, device.metrics
        for metric in payload.metrics:
            name = metric.name
            born = metrics.get(name) if name else aliases.get(metric.alias) if metric.HasField("alias") else None
            if born is None or (not name and born.alias is None):
                what = f"the metric {name!r}" if name else f"the alias {metric.alias}"
                self._listener.moment(UnbornError, _name(where), f"{where.kind} holds {what}, which no birth named")
                self._request_rebirth(where.node, node, received)
            elif born.target is not None:
                self._value(where, born, metric, payload, received, rows)

    def _value(self, where: Topic, born: Born, metric: Any, payload: Any, received: int, rows: Rows) -> None:
        target = born.target
        datatype = born.datatype or metric.datatype
        if datatype == 13 and target is not None and target.storage in (StorageClass.INTEGER, StorageClass.DOUBLE):
            datatype = 8
        try:
            value: Any
            if metric.is_null:
                value = None
            elif datatype == 10 and metric.HasField("double_value"):
                value = metric.double_value
            else:
                value = decode_value(metric, datatype)
            status = quality_of(metric)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            self._listener.moment(PayloadError, _name(where), f"{born.name!r}: {error}")
            value, status = None, int(Quality.BAD_DECODING_ERROR)
        born.value = value
        if target is None:
            return
        milliseconds = metric.timestamp or payload.timestamp
        time = milliseconds * _MILLISECOND if 0 < milliseconds <= LATEST // _MILLISECOND else received
        for one in self._all(target) if self._also else (target,):
            if not one.put(rows, time, value, status, received):
                self._listener.moment(
                    TypeFitError,
                    one.binding.address,
                    f"{value!r:.60} does not fit {one.binding.address}, which is {one.storage}",
                )

    # -- what has no birth ---------------------------------------------------------------------------------------------

    def _unborn(self, where: Topic, node: Node, payload: Any, received: int) -> None:
        """Data without a birth wait for the one that is requested now: aliases mean nothing yet."""
        subject = _name(where)
        self._listener.count("unborn")
        if where.node in self._bound and self._settings.hold:
            if len(node.held) < _MOST_HELD:
                node.held_since = node.held_since or received
                node.held.append((where, payload, received))
            self._listener.begin(UnbornError, where.node, f"{where.kind} of {subject} came before its birth")
        self._request_rebirth(where.node, node, received)

    def _release(self, where: Topic, node: Node, received: int, rows: Rows) -> None:
        """What waited for this birth is read by it; what waits for another device's goes on waiting."""
        waiting, node.held = node.held, deque()
        for held, payload, came in waiting:
            device = node.devices.get(held.device)
            if held.kind == "DBIRTH":
                self._device_birth(held, node, payload, came, rows)
            elif device is not None and device.alive:
                self._data(held, node, device, payload, came, rows)
            else:
                node.held.append((held, payload, came))
        if not node.held:
            node.held_since = 0

    def _request_rebirth(self, name: str, node: Node, now: int) -> None:
        if now < node.rebirth_at:
            return
        node.rebirth_wait = min(max(self._settings.rebirth_every, node.rebirth_wait * 2), _LONGEST_REBIRTH_WAIT)
        node.rebirth_at = now + int(node.rebirth_wait * 1e9)
        self._listener.count("rebirth_requests")
        self.outbox.append((topic("NCMD", name), encode_rebirth_request(now // _MILLISECOND)))

    # -- deaths --------------------------------------------------------------------------------------------------------

    def _node_death(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        for metric in payload.metrics:
            if metric.name == "bdSeq" and node.birth_death is not None and node.alive:
                said = decode_value(metric, metric.datatype or 4)
                if said != node.birth_death:
                    self._listener.count("stale_deaths")
                    return
        self._listener.count("deaths")
        if where.node in self._bound or node.alive:
            self._listener.begin(DeathError, where.node, f"the edge node {where.node} has died")
        node.alive, node.sequence = False, None
        node.held.clear()
        node.held_since = 0
        for name, device in node.devices.items():
            device.alive, device.missed_at = False, 0
            if name:
                self._listener.end(DeathError, f"{where.node}/{name}")
        # The will was written when the node connected: its time of death is when the broker sent it.
        self._mark(self._bound.get(where.node, {}).values(), received, rows)

    def _device_death(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        self._listener.count("deaths")
        device = node.devices.get(where.device)
        if device is not None:
            device.alive, device.missed_at = False, 0
        milliseconds = payload.timestamp
        time = milliseconds * _MILLISECOND if 0 < milliseconds <= LATEST // _MILLISECOND else received
        bound = self._bound.get(where.node, {}).get(where.device)
        if bound:
            self._listener.begin(DeathError, _name(where), f"the device {_name(where)} has died")
            self._mark([bound], time, rows)

    def _mark(self, bound: Iterable[dict[str, Target]], time: int, rows: Rows) -> None:
        for targets in bound:
            for target in targets.values():
                for one in self._all(target):
                    one.mark(rows, time, int(Quality.BAD_NO_COMMUNICATION))

    def tick(self, now: int, rows: Rows) -> None:
        """Devices that a rebirth left out are dead; data whose birth never came are given up. Call it about once a second."""
        for name, node in self.nodes.items():
            for device_name, device in node.devices.items():
                if device.missed_at and now >= device.missed_at:
                    device.missed_at = 0
                    bound = self._bound.get(name, {}).get(device_name)
                    if bound:
                        subject = f"{name}/{device_name}"
                        self._listener.begin(DeathError, subject, f"{subject} was not born again with its edge node")
                        self._mark([bound], now, rows)
            if node.held_since and now - node.held_since > self._settings.hold * 1e9:
                count, node.held_since = len(node.held), 0
                node.held.clear()
                self._listener.moment(UnbornError, name, f"{count} messages were given up: no birth came")

    @property
    def alive(self) -> int:
        """Edge nodes that are alive."""
        return sum(node.alive for node in self.nodes.values())


def _name(where: Topic) -> str:
    return f"{where.node}/{where.device}" if where.device else where.node
