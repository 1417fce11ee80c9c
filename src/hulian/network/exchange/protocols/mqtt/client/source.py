"""A foreign broker as the connector reads it: the same `MessageSource` as the platform's own listener."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from hulian.network.exchange.protocols.contract import Environment
from hulian.network.exchange.protocols.mqtt.client.client import Client
from hulian.network.exchange.protocols.mqtt.client.inbox import Inbox
from hulian.network.exchange.protocols.mqtt.client.place import Place
from hulian.network.exchange.protocols.mqtt.codec import Publishes, Will
from hulian.network.exchange.protocols.mqtt.config import BrokerSettings
from hulian.network.exchange.protocols.mqtt.errors import BrokerError, EncodeError, SubscribeError
from hulian.network.exchange.protocols.mqtt.sparkplug.host import Host

__all__ = ["STATE", "BrokerBatch", "BrokerSource"]

STATE: Final = "mqtt.state"
"""The key in `Environment.extras` of the directory in which a connector may keep its session."""
_MOST: Final = 8_192
_QUEUE_BYTES: Final = 16 * 2**20
_QUEUE_MESSAGES: Final = 65_536
_FAREWELL: Final = 2.0


class BrokerBatch(msgspec.Struct, frozen=True):
    """See `hulian.network.exchange.protocols.mqtt.source.MessageBatch`."""

    topics: list[str]
    payloads: list[bytes]
    received: int
    first: int
    last: int
    sequences: Sequence[int] = ()


class _Due(msgspec.Struct, frozen=True):
    """What is to be acknowledged when everything up to ``last`` is in the journal."""

    last: int
    received: list[int]
    exactly: list[int]


class BrokerSource:
    """One connector's session on a foreign broker.

    Every message has a position of our own counting. A message is acknowledged only by `acknowledge`, when its samples are in
    the edge's journal; until then the broker keeps it. What waits to be decoded is bounded: beyond it nothing is read, and the
    broker waits. A lost connection ends `batches` with its error, after everything that had come was given out.

    As a Sparkplug ``host`` it connects with a clean session and the host's will, subscribes the host's STATE topic with the
    others, publishes the birth before anything else, and the death before it disconnects (Sparkplug 3.0.0, section 5.2).
    """

    def __init__(
        self,
        place: Place,
        settings: BrokerSettings,
        environment: Environment,
        filters: Sequence[str],
        *,
        client_id: str = "",
        keep: bool = True,
        host: Host | None = None,
    ) -> None:
        self.place = place
        self.host = host
        self.filters = tuple(dict.fromkeys((*filters, *([host.topic] if host else []))))
        if host is not None:
            settings = msgspec.structs.replace(settings, clean_start=True, session=0)
        self.refused: dict[str, SubscribeError] = {}
        """Filters that the broker does not let us read."""
        name = client_id or f"hulian-{environment.organisation}-{environment.connector}"
        directory = environment.extras.get(STATE) if keep else None
        self._inbox = Inbox(f"{place} {settings.client_id or name}", Path(directory) if directory is not None else None)
        self.client = Client(
            place,
            settings,
            environment.credentials,
            environment.trust,
            client_id=name,
            inbox=self._inbox,
            deliver=self._take,
            application=f"urn:hulian:{environment.organisation}:mqtt:{environment.connector}",
        )
        if host is not None:
            self.client.will = lambda: Will(topic=host.topic, payload=host.will(time.time_ns()), qos=1, retain=True)
        self._settings = settings
        self._queue: deque[tuple[Publishes, list[int]]] = deque()
        self._queued_bytes = self._queued = 0
        self._due: deque[_Due] = deque()
        self._position = self._committed = 0
        self._came = asyncio.Event()
        self._ready = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self.client.connected

    async def ready(self) -> None:
        """Returns when the broker has accepted our subscriptions."""
        await self._ready.wait()

    @property
    def counters(self) -> dict[str, int]:
        """What a person may want to see of the session."""
        return {"duplicates": self._inbox.duplicates, "session_resumed": int(self.client.resumed)}

    async def batches(self, position: int | None = None) -> AsyncGenerator[BrokerBatch]:
        """Connects, subscribes, and gives batches until the connection is lost. Raises `BrokerError`, `WireError`."""
        self._committed = position or 0
        self._position = max(self._position, self._committed)
        self._inbox.void_after(self._committed)
        self._due.clear()
        self._queue.clear()
        self._queued = self._queued_bytes = 0
        client = self.client
        self._ready.clear()
        if self.host is not None:
            client.forget()
        await client.connect()
        # What a resumed session brings is taken while the subscriptions are still being asked for: the answer may stand behind
        # more messages than we read before the first ones are acknowledged.
        asking = asyncio.ensure_future(self._subscribe())
        try:
            while client.link is not None:
                link = client.link
                while self._queue:
                    yield self._batch()
                if asking.done() and not self._ready.is_set():
                    self.refused = asking.result()
                    self._ready.set()
                if link.lost.done():
                    raise link.lost.result()
                self._came.clear()
                waiting = asyncio.ensure_future(self._came.wait())
                awaited: set[asyncio.Future[Any]] = {waiting, link.lost}
                if not asking.done():
                    awaited.add(asking)
                try:
                    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
        finally:
            self._ready.clear()
            asking.cancel()
            if self.host is not None and self.host.online:
                await self._say_goodbye(self.host)
            await client.close()
            await asyncio.gather(asking, return_exceptions=True)

    async def _subscribe(self) -> dict[str, SubscribeError]:
        refused = await self.client.subscribe(self.filters, retained=self._settings.retained)
        if self.host is not None:
            await self._publish_state(self.host, self.host.birth())
            self.host.online = True
        return refused

    # -- our part as a Sparkplug host ----------------------------------------------------------------------------------

    async def announce(self) -> None:
        """Our birth as a host once more, on this connection. Raises `BrokerError` where the broker does not take it."""
        if self.host is not None and self.host.online and self.connected:
            await self._publish_state(self.host, self.host.birth())

    async def _publish_state(self, host: Host, payload: bytes) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self.client.publish([host.topic], [payload], qos=1, retain=True)
        except TimeoutError as error:
            raise BrokerError("the broker did not acknowledge our STATE", place=str(self.place)) from error
        except EncodeError as error:
            hint = "a Sparkplug host needs QoS 1 and retained messages; leave 'sparkplug.host' empty, or change the broker"
            raise BrokerError(f"the broker cannot keep our STATE: {error.message}", place=str(self.place), hint=hint) from error

    async def _say_goodbye(self, host: Host) -> None:
        """The death of a host that goes on purpose: its will is not sent then. Where the link is lost, the will is."""
        payload = host.death(time.time_ns())
        if self.connected:
            with anyio.move_on_after(_FAREWELL, shield=True), contextlib.suppress(BrokerError):
                await self._publish_state(host, payload)

    def _take(self, run: Publishes) -> None:
        """A run as it comes from the wire: repeated messages are left out, the others wait for `batches`."""
        taken = self._inbox.take(run, self._position, self._committed)
        if taken.acknowledged or taken.received:
            self.client.acknowledge(taken.acknowledged, self._committed, taken.received)
        if not taken.kept:
            return
        self._queue.append((run, taken.kept))
        self._queued += len(taken.kept)
        self._position += len(taken.kept)
        self._queued_bytes += sum(map(len, run.payloads))
        link = self.client.link
        if link is not None and (self._queued_bytes > _QUEUE_BYTES or self._queued > _QUEUE_MESSAGES):
            link.pause("queue")
        self._came.set()

    def _resume(self) -> None:
        if self.client.link is not None and self._queued_bytes <= _QUEUE_BYTES // 2 and self._queued <= _QUEUE_MESSAGES // 2:
            self.client.link.resume("queue")

    def _batch(self) -> BrokerBatch:
        """What has come, joined up to a size that is worth a commit."""
        first = self._position - self._queued + 1
        topics: list[str] = []
        payloads: list[bytes] = []
        received: list[int] = []
        exactly: list[int] = []
        wanted, taken = self._settings.retained, 0
        while self._queue and taken < _MOST:
            run, kept = self._queue.popleft()
            whole = len(kept) == len(run.flags)
            flags = run.flags
            if whole and max(flags) < 8 and min(flags) == 2 == max(flags):
                received += run.identifiers
            else:
                received += [run.identifiers[place] for place in kept if flags[place] & 6 == 2]
                exactly += [run.identifiers[place] for place in kept if flags[place] & 6 == 4]
            taken += len(kept)
            if not wanted and any(flag & 1 for flag in flags):
                # The flag tells what was retained from what is published now (MQTT-3.3.1-8; 5.0: MQTT-3.3.1-12).
                kept, whole = [place for place in kept if not flags[place] & 1], False
            topics += run.topics if whole else [run.topics[place] for place in kept]
            payloads += [bytes(run.payloads[place]) for place in kept]
            self._queued_bytes -= sum(map(len, run.payloads))
        self._queued -= taken
        last = first + taken - 1
        self._due.append(_Due(last, received, exactly))
        self._resume()
        return BrokerBatch(topics, payloads, time.time_ns(), first, last)

    async def acknowledge(self, last: int) -> None:
        """Everything up to ``last`` is in the journal: the broker may forget it."""
        self._committed = max(self._committed, last)
        received: list[int] = []
        exactly: list[int] = []
        while self._due and self._due[0].last <= last:
            due = self._due.popleft()
            received += due.received
            exactly += due.exactly
        self.client.acknowledge(received, last, exactly)

    async def publish(self, topic: str, payload: bytes) -> None:
        """QoS 0, once: a set-point that could not be sent must not be sent later. Raises `BrokerError`, `EncodeError`."""
        if not self.connected or (self.host is not None and not self.host.online):
            raise BrokerError("the broker is away", place=str(self.place), hint="try again when it is back")
        await self.client.publish([topic], [payload])

    async def listen(self) -> AsyncGenerator[BrokerBatch]:
        """What is published from now on, for browsing: acknowledged at once, kept by nobody."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                yield batch
                await self.acknowledge(batch.last)
