"""What devices published lately, so that a person can browse it: bounded, and looked at once a second a topic.

One memory for each running connector of this process; browsing reads all of them, because they share one listener.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any, Final

import msgspec

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.mqtt.config import Mapping
from hulian.network.exchange.protocols.mqtt.document import flatten, mapping_of, read_payload
from hulian.network.exchange.protocols.mqtt.errors import PayloadError
from hulian.network.exchange.protocols.mqtt.session import Session

__all__ = ["Field", "Seen", "memories", "shown", "storage_of"]

_MOST_TOPICS: Final = 5_000
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

    def __init__(self, organisation: str, mappings: tuple[Mapping, ...], *, shared: bool = True) -> None:
        self.organisation = organisation
        self.session: Session | None = None
        self.topics: OrderedDict[str, dict[tuple[str, ...], Field]] = OrderedDict()
        self._mappings = mappings
        self._due: dict[str, int] = {}
        if shared:
            _MEMORIES.add(self)

    def forget(self) -> None:
        """Its connector has ended: browsing no longer reads it."""
        _MEMORIES.discard(self)

    def look(self, topic: str, payload: bytes, now: int) -> None:
        """Remembers what ``payload`` holds, unless the topic was looked at within the last second."""
        if now < self._due.get(topic, 0):
            return
        self._due[topic] = now + _AGAIN
        if topic in self.topics:
            self.topics.move_to_end(topic)
        elif len(self.topics) >= _MOST_TOPICS:
            oldest, _ = self.topics.popitem(last=False)
            self._due.pop(oldest, None)
        fields = self.topics.setdefault(topic, {})
        if len(payload) > _LARGEST:
            return
        try:
            document = read_payload(payload)
        except PayloadError:
            return
        for path, value in flatten(document, mapping_of(self._mappings, topic), _MOST_FIELDS):
            if path in fields or len(fields) < _MOST_FIELDS:
                known = fields.get(path)
                storage = storage_of(value)
                if known is not None and (value is None or (known.storage, storage) == _WIDENING):
                    storage = known.storage
                fields[path] = Field(storage, shown(value))


_WIDENING: Final = (StorageClass.DOUBLE, StorageClass.INTEGER)


def storage_of(value: Any) -> StorageClass:
    """The storage class for a JSON value. A number is a double even where it is whole: the next one may not be."""
    if isinstance(value, bool):
        return StorageClass.BOOLEAN
    if isinstance(value, int | float) or value is None:
        return StorageClass.DOUBLE
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


def memories(organisation: str) -> list[Seen]:
    """Those of the connectors that run in this process for ``organisation``."""
    return [memory for memory in _MEMORIES if memory.organisation == organisation]
