"""A Sparkplug B host's memory of every edge node: births, aliases, the order of messages, deaths. No I/O, no clock.

Sparkplug 3.0.0, sections 5 (operational behaviour) and 6 (payloads). What is to be sent is put into `Session.outbox`; what a
person should know is told to `Listener`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError

from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.mqtt.config import SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import DeathError, GapError, MetricError, PayloadError, UnbornError
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.sparkplug.batches import Batches
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic, encode_rebirth_request, topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import decode_definition, decode_value, properties_of
from hulian.network.exchange.protocols.mqtt.sparkplug.nodes import Born, Device, Node
from hulian.network.exchange.protocols.mqtt.sparkplug.order import Early
from hulian.network.exchange.protocols.mqtt.sparkplug.protobuf import Payload
from hulian.network.exchange.protocols.mqtt.sparkplug.slots import Slots
from hulian.network.exchange.protocols.mqtt.sparkplug.values import Listener, Values, nanoseconds, title

__all__ = ["Session"]

_MOST_NODES: Final = 10_000
_MOST_METRICS: Final = 250_000
_MOST_HELD: Final = 4096
_MOST_EARLY: Final = 16 * 2**20
_LONGEST_REBIRTH_WAIT: Final = 300.0
_DEVICE_GRACE: Final = 10_000_000_000
_DOUBT: Final = 10_000_000_000
_MILLISECOND: Final = 1_000_000


class Session:
    """Everything known of the edge nodes whose messages come in. `take` adds the samples of one message to ``rows``.

    `gather` and `flush` do the same for many data messages at once, by columns where they are plain. Who looks at a `Target`
    calls `settle` before; while ``attentive`` is not 0, every value is looked at singly, because somebody waits for one.
    """

    def __init__(
        self, targets: dict[tuple[str, str, str], list[Target]], settings: SparkplugSettings, listener: Listener
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.outbox: list[tuple[str, bytes]] = []
        self._settings = settings
        self._listener = listener
        self._targets: dict[tuple[str, str, str], Target] = {}
        self._also: dict[int, list[Target]] = {}
        self.attentive = 0
        self._slots = Slots()
        self._early_bytes = 0
        self._batches = Batches(self.nodes, self._slots, self._take)
        self._bound: dict[str, dict[str, dict[str, Target]]] = {}
        for (node, device, metric), several in targets.items():
            first = several[0]
            self._targets[node, device, metric] = first
            if len(several) > 1:
                self._also[first.series] = several[1:]
            self._bound.setdefault(node, {}).setdefault(device, {})[metric] = first
        self._values = Values(settings, listener, self._also)

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
        if self._batches:
            self.flush(rows)
        self._take(where, raw, received, rows)

    def gather(self, where: Topic, raw: bytes, received: int, rows: Rows) -> None:
        """As `take`, but data messages wait for `flush`, which has to follow before anything else is done with ``rows``."""
        if where.kind not in ("NDATA", "DDATA"):
            self.take(where, raw, received, rows)
        elif self._batches.add(where, raw, received):
            self.flush(rows)

    def flush(self, rows: Rows) -> None:
        """What was gathered since the last time, in its order."""
        self._batches.flush(rows, singly=self.attentive > 0)

    def settle(self) -> None:
        """Every `Target` says what it last heard."""
        self._slots.settle()

    def _take(self, where: Topic, raw: bytes, received: int, rows: Rows) -> None:
        if where.kind in ("NCMD", "DCMD", "STATE"):
            return
        self._slots.settle()
        try:
            payload = Payload.FromString(raw)
        except (DecodeError, ValueError) as error:
            self._listener.moment(PayloadError, title(where), f"{where.kind} is no Sparkplug payload: {error}")
            return
        if where.node not in self.nodes and len(self.nodes) >= _MOST_NODES and where.node not in self._bound:
            self._listener.moment(PayloadError, title(where), f"more than {_MOST_NODES} edge nodes: this one is left out")
            return
        node = self._node(where.node)
        if node.early.until and received >= node.early.until:
            self._give_up_waiting(where.node, node, received, rows)
        if where.kind == "NDEATH":
            self._guarded(self._node_death, where, node, payload, received, rows)
        elif where.kind == "NBIRTH":
            self._node_birth(where, node, payload, received, rows)
        else:
            self._in_order(where, node, payload, received, len(raw), rows)

    # -- order ---------------------------------------------------------------------------------------------------------

    def _guarded(self, act: Any, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        try:
            act(where, node, payload, received, rows)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            self._listener.moment(PayloadError, title(where), f"{where.kind}: {error}")

    def _in_order(self, where: Topic, node: Node, payload: Any, received: int, size: int, rows: Rows) -> None:
        """Acts on a message when it is its turn; one that overtook others waits for them (section 5.7)."""
        if not payload.HasField("seq") or node.sequence is None or not node.alive:
            node.sequence = payload.seq & 255 if payload.HasField("seq") else node.sequence
            self._guarded(self._act, where, node, payload, received, rows)
            return
        sequence, expected = payload.seq & 255, (node.sequence + 1) & 255
        if sequence == expected:
            node.sequence = sequence
            self._guarded(self._act, where, node, payload, received, rows)
            self._follow(node, rows)
            return
        until = received + int(self._settings.reorder * 1e9)
        if node.early.hold(sequence, (where, payload, received, size), until):
            self._early_bytes += size
        if not self._settings.reorder or self._early_bytes > _MOST_EARLY:
            self._give_up_waiting(where.node, node, received, rows)

    def _follow(self, node: Node, rows: Rows) -> None:
        """What waited for the message that came now."""
        while node.early and node.sequence is not None:
            following = node.early.next((node.sequence + 1) & 255)
            if following is None:
                return
            where, payload, came, size = following
            self._early_bytes -= size
            node.sequence = payload.seq & 255
            self._guarded(self._act, where, node, payload, came, rows)

    def _drain(self, node: Node) -> list[tuple[int, Early]]:
        self._early_bytes -= node.early.size
        return node.early.drain(((node.sequence or 0) + 1) & 255)

    def _give_up_waiting(self, name: str, node: Node, now: int, rows: Rows) -> None:
        """Messages are missing: a rebirth is requested, and what came is read as it is."""
        early = self._drain(node)
        if not early:
            return
        before, (first, message) = node.sequence or 0, early[0]
        missing = (first - before - 1) & 255
        self._listener.count("gaps")
        words = f"{message[0].kind} has seq {first} behind {before}: {missing} messages are missing"
        self._listener.begin(GapError, name, words)
        self._request_rebirth(name, node, now)
        for sequence, (where, payload, came, _) in early:
            node.sequence = sequence
            self._guarded(self._act, where, node, payload, came, rows)

    def _act(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        node.doubted_until = 0
        device = node.devices.get(where.device)
        if where.kind == "DDEATH":
            self._device_death(where, node, payload, received, rows)
        elif not node.alive or (where.kind != "DBIRTH" and (device is None or not device.alive)):
            self._unborn(where, node, payload, received)
        elif where.kind == "DBIRTH":
            self._device_birth(where, node, payload, received, rows)
        elif device is not None:
            self._data(where, node, device, payload, received, rows)

    def _node(self, name: str) -> Node:
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = Node()
        return node

    # -- births --------------------------------------------------------------------------------------------------------

    def _node_birth(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        """What overtook this birth is of the new session where its time says so; the rest ends the old one."""
        overtaken = []
        for sequence, early in self._drain(node):
            if early[1].timestamp >= payload.timestamp > 0:
                overtaken.append(early)
            else:
                node.sequence = sequence
                self._guarded(self._act, early[0], node, early[1], early[2], rows)
        self._guarded(self._begin_session, where, node, payload, received, rows)
        for held, message, came, size in overtaken:
            self._in_order(held, node, message, came, size, rows)

    def _begin_session(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        self._listener.count("births")
        node.birth_death, node.definitions = None, {}
        for metric in payload.metrics:
            if metric.name == "bdSeq":
                node.birth_death = int(decode_value(metric, metric.datatype or 4) or 0)
            elif metric.HasField("template_value") and metric.template_value.is_definition:
                node.definitions[metric.name] = decode_definition(metric.template_value)
        node.alive = node.fresh = True
        node.sequence = payload.seq & 255
        node.doubted_until = 0
        node.wants_rebirth, node.rebirth_wait = False, 0.0
        node.rebirth_at = min(node.rebirth_at, received + int(self._settings.rebirth_every * 1e9))
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
        self._listener.end(DeathError, title(where))
        self._born(where, node, device, payload, received, rows)

    def _born(self, where: Topic, node: Node, device: Device, payload: Any, received: int, rows: Rows) -> None:
        metrics: dict[str, Born] = {}
        values: list[tuple[Born, Any]] = []
        for metric in payload.metrics:
            name = metric.name
            if not name:
                self._listener.moment(PayloadError, title(where), f"{where.kind} holds a metric without a name")
                continue
            if len(metrics) >= _MOST_METRICS:
                raise ValueError(f"more than {_MOST_METRICS} metrics in one birth")
            if metric.HasField("template_value") and metric.template_value.is_definition:
                if where.device:
                    self._listener.moment(PayloadError, title(where), f"the definition of {name!r} belongs into the NBIRTH")
                continue
            born = metrics[name] = self._describe(where, node, metric)
            values.append((born, metric))
        device.metrics = metrics
        device.alive, device.missed_at = True, 0
        self._slots.describe(device, metrics.values(), set(self._also))
        for born, metric in values:
            self._values.put(where, node, born, metric, payload, received, rows)
        self._missing(where, metrics, received, rows)
        self._release(where, node, received, rows)

    def _describe(self, where: Topic, node: Node, metric: Any) -> Born:
        name = metric.name
        alias = metric.alias if metric.HasField("alias") else None
        born = Born(name, alias, metric.datatype, where.device, self._targets.get((where.node, where.device, name)))
        if metric.HasField("properties"):
            try:
                born.properties = properties_of(metric.properties)
            except ValueError as error:
                self._listener.moment(PayloadError, title(where), f"the properties of {name!r}: {error}")
        if metric.HasField("template_value"):
            born.template = metric.template_value.template_ref
            if born.template not in node.definitions:
                self._listener.moment(PayloadError, title(where), f"{name!r} is a {born.template!r}, which no NBIRTH defined")
        if alias is not None:
            other = node.aliases.get(alias)
            if other is not None and other.name != name:
                words = f"the alias {alias} names both {other.name!r} and {name!r}: neither is believed"
                self._listener.moment(PayloadError, title(where), words)
                other.alias = born.alias = None
            node.aliases[alias] = born
        return born

    def _missing(self, where: Topic, metrics: dict[str, Born], received: int, rows: Rows) -> None:
        for name, target in self._bound.get(where.node, {}).get(where.device, {}).items():
            subject = target.binding.address
            if name in metrics:
                self._listener.end(MetricError, subject)
            else:
                self._listener.begin(MetricError, subject, f"{where.kind} of {title(where)} has no metric {name!r}")
                for one in self._values.all(target):
                    one.mark(rows, received, int(Quality.BAD_NODE_ID_UNKNOWN))

    # -- data ----------------------------------------------------------------------------------------------------------

    def _data(self, where: Topic, node: Node, device: Device, payload: Any, received: int, rows: Rows) -> None:
        aliases, metrics = node.aliases, device.metrics
        for metric in payload.metrics:
            name = metric.name
            born = metrics.get(name) if name else aliases.get(metric.alias) if metric.HasField("alias") else None
            if born is None or (not name and (born.alias is None or born.device != where.device)):
                what = f"the metric {name!r}" if name else f"the alias {metric.alias}"
                self._listener.moment(UnbornError, title(where), f"{where.kind} holds {what}, which no birth named")
                self._request_rebirth(where.node, node, received)
            elif born.target is not None:
                self._values.put(where, node, born, metric, payload, received, rows)

    # -- what has no birth ---------------------------------------------------------------------------------------------

    def _unborn(self, where: Topic, node: Node, payload: Any, received: int) -> None:
        """Data without a birth wait for the one that is requested now: aliases mean nothing yet."""
        subject = title(where)
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
        """Asks now, or as soon as the last request is old enough; asked again, ever later, until a birth comes."""
        node.wants_rebirth = True
        if now < node.rebirth_at:
            return
        node.rebirth_wait = min(max(self._settings.rebirth_every, node.rebirth_wait * 2), _LONGEST_REBIRTH_WAIT)
        node.rebirth_at = now + int(node.rebirth_wait * 1e9)
        self._listener.count("rebirth_requests")
        request = encode_rebirth_request(now // _MILLISECOND, typed=self._settings.command_types)
        self.outbox.append((topic("NCMD", name), request))

    # -- deaths --------------------------------------------------------------------------------------------------------

    def _node_death(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        """Counts where its bdSeq is that of the last birth. An earlier one is an old will, delivered late; with a later one we
        may have missed a birth, so that the edge node is asked, and dead where it does not answer."""
        for metric in payload.metrics:
            if metric.name == "bdSeq" and node.birth_death is not None:
                said = int(decode_value(metric, metric.datatype or 4) or 0)
                if not node.alive or said != node.birth_death:
                    self._listener.count("stale_deaths")
                    if node.alive and 0 < (said - node.birth_death) & 255 < 128:
                        node.doubted_until = received + _DOUBT
                        self._request_rebirth(where.node, node, received)
                    return
        self._listener.count("deaths")
        self._die(where.node, node, received, rows)

    def _die(self, name: str, node: Node, received: int, rows: Rows) -> None:
        for sequence, (early, payload, came, _) in self._drain(node):
            node.sequence = sequence
            self._guarded(self._act, early, node, payload, came, rows)
        if name in self._bound or node.alive:
            self._listener.begin(DeathError, name, f"the edge node {name} has died")
        node.alive, node.sequence = False, None
        node.wants_rebirth, node.doubted_until = False, 0
        node.held.clear()
        node.held_since = 0
        for device_name, device in node.devices.items():
            device.alive, device.missed_at = False, 0
            if device_name:
                self._listener.end(DeathError, f"{name}/{device_name}")
        # The will was written when the node connected: its time of death is when the broker sent it.
        self._mark(self._bound.get(name, {}).values(), received, rows)

    def _device_death(self, where: Topic, node: Node, payload: Any, received: int, rows: Rows) -> None:
        self._listener.count("deaths")
        device = node.devices.get(where.device)
        if device is not None:
            device.alive, device.missed_at = False, 0
        time = nanoseconds(payload.timestamp, received)
        bound = self._bound.get(where.node, {}).get(where.device)
        if bound:
            self._listener.begin(DeathError, title(where), f"the device {title(where)} has died")
            self._mark([bound], time, rows)

    def _mark(self, bound: Iterable[dict[str, Target]], time: int, rows: Rows) -> None:
        for targets in bound:
            for target in targets.values():
                for one in self._values.all(target):
                    one.mark(rows, time, int(Quality.BAD_NO_COMMUNICATION))

    def tick(self, now: int, rows: Rows) -> None:
        """Devices that a rebirth left out are dead; data whose birth never came are given up, so are messages that others
        overtook; unanswered requests are repeated. Call it about once a second."""
        self._slots.settle()
        for name, node in self.nodes.items():
            if node.early.until and now >= node.early.until:
                self._give_up_waiting(name, node, now, rows)
            if node.doubted_until and now >= node.doubted_until:
                self._listener.count("deaths")
                self._die(name, node, now, rows)
            if node.wants_rebirth and now >= node.rebirth_at:
                self._request_rebirth(name, node, now)
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
