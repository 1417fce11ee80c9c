"""What the connector needs of the platform's MQTT listener; assembly hands it in as ``Environment.extras["mqtt.source"]``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol as Interface

__all__ = ["SOURCE", "MessageBatch", "MessageSource"]

SOURCE = "mqtt.source"
"""The key in `Environment.extras`."""


class MessageBatch(Interface):
    """Messages in the order of their arrival, taken at ``received`` (UTC ns).

    ``first`` and ``last`` are places in the listener's store, ``sequences`` that of each message; 0 and empty for messages
    that were never stored (QoS 0) and never come again.
    """

    @property
    def topics(self) -> Sequence[str]: ...

    @property
    def payloads(self) -> Sequence[bytes]: ...

    @property
    def received(self) -> int: ...

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...

    @property
    def sequences(self) -> Sequence[int]: ...


class MessageSource(Interface):
    """The listener's messages, as the connector reads them.

    ``batches`` begins behind ``position``, the last one committed; it raises a `HulianError` where the listener is away and
    is then called again, later each time. ``acknowledge`` is called when everything up to ``last`` is in the edge's
    journal. ``publish`` sends to every subscriber of a topic. ``listen``, for browsing, gives what is published from now on
    and takes it from nobody; a source may lack it. A source that waits a lost link out by itself says so in ``connected``.
    """

    def batches(self, position: int | None = None) -> AsyncIterator[MessageBatch]: ...

    async def acknowledge(self, last: int) -> None: ...

    async def publish(self, topic: str, payload: bytes) -> None: ...
