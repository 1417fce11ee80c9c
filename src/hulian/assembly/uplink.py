"""The spine in the edge's words."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event
from hulian.kernel.sample import SampleBatch
from hulian.network.exchange.spine import codec
from hulian.network.exchange.spine.bundle import Bundler
from hulian.network.exchange.spine.connection import Message, Spine
from hulian.network.exchange.spine.publisher import Published, Publisher
from hulian.network.exchange.spine.streams import Subjects
from hulian.platform.edge.segment import Drop

__all__ = ["SpineUplink"]


class SpineUplink:
    """`hulian.platform.edge.contract.Uplink` over one spine connection and one publisher; ``edge`` names an edge node."""

    def __init__(self, spine: Spine, publisher: Publisher, organisation: str, edge: str = "") -> None:
        self._edge = edge
        self._spine = spine
        self._publisher = publisher
        self._bundler = Bundler(publisher)
        self._organisation = organisation
        self._subjects = Subjects(organisation)

    @property
    def connected(self) -> bool:
        return self._spine.connected

    def send(self, source: str, payload: bytes, identity: str, done: Callable[[Exception | None], None]) -> None:
        def ended(result: Published | HulianError) -> None:
            done(None if isinstance(result, Published) else result)

        self._bundler.post(self._subjects.samples(source), payload, identity, ended)

    def encode(self, batch: SampleBatch) -> bytes:
        return codec.encode(batch)

    def decode(self, payload: bytes) -> SampleBatch:
        return codec.decode(payload)

    def declare(self, source: str, epoch: int, drop: Drop) -> bytes:
        return codec.encode_dropped(
            codec.Dropped(self._organisation, source, epoch, drop.first, drop.last, drop.offset, drop.end, drop.time)
        )

    async def event(self, event: Event) -> None:
        payload = msgspec.json.encode(event)
        identity = hashlib.blake2b(payload, digest_size=12).hexdigest()
        # An edge node may speak as the edge only; who it is about stands in the event.
        subject = self._subjects.events(event.severity, "edge" if self._edge else event.component)
        await (await self._publisher.send(subject, payload, identity))

    async def status(self, name: str, payload: bytes) -> None:
        await self._spine.publish(self._subjects.status("edge", name), payload)

    async def node_status(self, payload: bytes) -> None:
        """What the edge node says of itself."""
        await self._spine.publish(self._subjects.status("edges", self._edge), payload)

    async def order(self, payload: bytes) -> bytes:
        """Asks the centre for newer orders; empty where there are none. Raises `SpineError`."""
        return (await self._spine.request(self._subjects.plans(self._edge), payload, timeout=10)).payload

    async def requests(self, component: str) -> AsyncIterator[tuple[bytes, Callable[[bytes], Awaitable[None]]]]:
        control = self._subjects.edge_control(self._edge) if self._edge else self._subjects.control(component)
        async for message in self._spine.messages(control):
            yield message.payload, self._answer(message)

    def _answer(self, message: Message) -> Callable[[bytes], Awaitable[None]]:
        async def reply(payload: bytes) -> None:
            if message.reply:
                await self._spine.publish(message.reply, payload)

        return reply
