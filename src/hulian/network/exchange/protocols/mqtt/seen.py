"""What devices published lately, so that a person can browse it: bounded, and looked at once a second a topic.

One memory for each running connector of this process; browsing reads those that share the listener or the foreign broker.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any, Final

import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.mqtt.config import Mapping
from hulian.network.exchange.protocols.mqtt.document import flatten, get, mapping_of
from hulian.network.exchange.protocols.mqtt.errors import PayloadError
from hulian.network.exchange.protocols.mqtt.payloads import decoder_of
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session

__all__ = ["Field", "Seen", "memories", "shown", "storage_of"]

_MOST_FIELDS: Final = 256
_LARGEST: Final = 262_144
_AGAIN: Final = 1_000_000_000

_MEMORIES: weakref.WeakSet[Seen] = weakref.WeakSet()


class Field(msgspec.Struct, frozen=True):
    """One value of a topic: the storage class that suits it, and what it was."""

    storage: StorageClass
    value: str


class Seen:
    """Topics with their fields and last values, the least recent dropped first; and the Sparkplug session beside them."""

    def __init__(
        self, organisation: str, mappings: tuple[Mapping, ...], *, shared: bool = True, most: int = 5_000, place: str = ""
    ) -> None:
        """``most`` topics are remembered; ``place`` is the foreign broker, empty for the platform's own listener."""
        self.organisation = organisation
        self.place = place
        self.most = most
        self.session: Session | None = None
        self.topics: OrderedDict[str, dict[tuple[str, ...], Field]] = OrderedDict()
        self.units: dict[str, str] = {}
        self._mappings = mappings
        self._due: dict[str, int] = {}
        if shared:
            _MEMORIES.add(self)

    def forget(self) -> None:
        """Its connector has ended: browsing no longer reads it."""
        _MEMORIES.discard(self)

    def called(self, levels: tuple[str, ...], path: tuple[str, ...]) -> str:
        """What the mapping of a topic calls the point at ``path``; empty where it says nothing."""
        return mapping_of(self._mappings, "/".join(levels)).named(levels, path)

    def look(self, topic: str, payload: bytes, now: int) -> None:
        """Remembers what ``payload`` holds, unless the topic was looked at within the last second."""
        if now < self._due.get(topic, 0):
            return
        self._due[topic] = now + _AGAIN
        if topic in self.topics:
            self.topics.move_to_end(topic)
        elif len(self.topics) >= self.most:
            oldest, _ = self.topics.popitem(last=False)
            self._due.pop(oldest, None)
            self.units.pop(oldest, None)
        fields = self.topics.setdefault(topic, {})
        mapping = mapping_of(self._mappings, topic)
        if len(payload) > _LARGEST:
            return
        try:
            document = decoder_of(mapping.format)(payload)
        except PayloadError:
            return
        unit = get(document, tuple(mapping.unit.split("."))) if mapping.unit else ""
        if isinstance(unit, str):
            self.units[topic] = unit[:32]
        for path, value in flatten(document, mapping, _MOST_FIELDS):
            if path in fields or len(fields) < _MOST_FIELDS:
                known = fields.get(path)
                storage = storage_of(value)
                if known is not None and (value is None or (known.storage, storage) == _WIDENING):
                    storage = known.storage
                fields[path] = Field(storage, shown(value))


_WIDENING: Final = (StorageClass.DOUBLE, StorageClass.INTEGER)


def storage_of(value: Any) -> StorageClass:
    """The storage class for a value of a payload. A number is a double even where it is whole: the next one may not be."""
    if isinstance(value, bool):
        return StorageClass.BOOLEAN
    if isinstance(value, int | float) or value is None:
        return StorageClass.DOUBLE
    if isinstance(value, bytes):
        return StorageClass.BYTES
    return StorageClass.TEXT if isinstance(value, str) else StorageClass.STRUCTURE


def shown(value: Any) -> str:
    """A value as browsing shows it, cut where it is long."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        text = value[:32].hex(" ")
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else text[:117] + "..."


def memories(organisation: str, place: str = "") -> list[Seen]:
    """Those of the connectors that run in this process for ``organisation`` and read ``place``."""
    return [memory for memory in _MEMORIES if memory.organisation == organisation and memory.place == place]
