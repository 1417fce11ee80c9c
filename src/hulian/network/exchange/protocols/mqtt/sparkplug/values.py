"""One metric of a message to the points that it belongs to: its value, time and status. No I/O, no clock.

Sparkplug 3.0.0, section 6.4: history, null, transience, quality, and instances of templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from typing import Protocol as Interface

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.moments import LATEST
from hulian.network.exchange.protocols.mqtt.config import SparkplugSettings
from hulian.network.exchange.protocols.mqtt.errors import MqttError, PayloadError, TransientError, TypeFitError
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import merged
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic
from hulian.network.exchange.protocols.mqtt.sparkplug.metrics import decode_value, quality_of
from hulian.network.exchange.protocols.mqtt.sparkplug.nodes import Born, Node

__all__ = ["Listener", "Values", "nanoseconds", "title"]

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


def title(where: Topic) -> str:
    """The edge node or device that a message is of."""
    return f"{where.node}/{where.device}" if where.device else where.node


def nanoseconds(milliseconds: int, received: int) -> int:
    """UTC ns of a time of the standard; that of receipt where it is none, or beyond what ns can say."""
    return milliseconds * _MILLISECOND if 0 < milliseconds <= LATEST // _MILLISECOND else received


class Values:
    """``also`` holds the further points of a metric by the series of its first one."""

    def __init__(self, settings: SparkplugSettings, listener: Listener, also: Mapping[int, list[Target]]) -> None:
        self._settings = settings
        self._listener = listener
        self._also = also

    def all(self, target: Target) -> Iterator[Target]:
        """The points of a metric."""
        yield target
        yield from self._also.get(target.series, ())

    def put(self, where: Topic, node: Node, born: Born, metric: Any, payload: Any, received: int, rows: Rows) -> None:
        """One value; a malformed one is told and bad."""
        target = born.target
        datatype = born.datatype or metric.datatype
        if datatype == 13 and target is not None and target.storage in (StorageClass.INTEGER, StorageClass.DOUBLE):
            datatype = 8
        live = not metric.is_historical
        try:
            value: Any
            if metric.is_null:
                value = None
            elif datatype == 10 and metric.HasField("double_value"):
                value = metric.double_value
            else:
                value = decode_value(metric, datatype, node.definitions, born.template)
            status = quality_of(metric)
            if born.template and value is not None:
                value = self._instance(where, node, born, value, live=live)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            self._listener.moment(PayloadError, title(where), f"{born.name!r}: {error}")
            value, status = None, int(Quality.BAD_DECODING_ERROR)
        if live:
            born.value = value
        if target is None:
            return
        if metric.is_transient and self._settings.transient == "drop":
            self._pass_by(target, value)
            return
        time = nanoseconds(metric.timestamp or payload.timestamp, received)
        for one in self.all(target) if self._also else (target,):
            if not one.put(rows, time, value, status, received, live=live):
                words = f"{value!r:.60} does not fit {one.binding.address}, which is {one.storage}"
                self._listener.moment(TypeFitError, one.binding.address, words)

    def _instance(self, where: Topic, node: Node, born: Born, value: Any, *, live: bool) -> Any:
        """A template's instance as a whole: data tell the members that changed, and births may leave out the defaults."""
        definition = node.definitions.get(born.template)
        if definition is not None:
            unknown = definition.strangers(value)
            if unknown:
                words = f"{born.name!r} has {unknown[0]!r}, which {born.template!r} does not define"
                self._listener.moment(PayloadError, title(where), words)
            if where.kind.endswith("BIRTH"):
                value = definition.completed(value)
        return merged(born.value, value) if live else value

    def _pass_by(self, target: Target, value: Any) -> None:
        """A transient value: whoever waits for it hears it, and it is not stored."""
        words = "its edge node calls the value transient: it is not stored"
        self._listener.moment(TransientError, target.binding.address, words)
        for one in self.all(target):
            one.tell(value)
