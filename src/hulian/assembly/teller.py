"""What the supervisor has to tell, on its way into the events of the node."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import anyio
import msgspec

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.streams import Subjects
from hulian.network.exchange.spine.tls import SpineTrust

__all__ = ["Teller"]

_MOST: Final = 1000


class Teller:
    """Keeps events until the spine has taken them: what there is to tell is often that the spine ended.

    The newest 1,000 are kept, in memory only: when the supervisor ends, everything of the node has ended with it.
    """

    def __init__(self, url: str, user: str, password: str, organisation: str, *, tls: SpineTrust | None = None) -> None:
        self._url, self._user, self._password, self._tls = url, user, password, tls
        self._subjects = Subjects(organisation)
        self._events: deque[Event] = deque(maxlen=_MOST)
        self._there = anyio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"Teller({self._url!r}, {self._user!r})"

    def tell(self, event: Event) -> None:
        """Takes an event, from the event loop."""
        self._events.append(event)
        self._there.set()

    def tell_soon(self, event: Event) -> None:
        """`tell` from another thread, while `run` runs."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.tell, event)

    async def run(self) -> None:
        """Publishes until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            while not self._events:
                self._there = anyio.Event()
                await self._there.wait()
            try:
                name = f"{self._user} events"
                async with await Spine.connect(self._url, self._user, self._password, name, tls=self._tls) as spine:
                    await self._publish(spine)
            except HulianError:
                await anyio.sleep(0.5)

    async def _publish(self, spine: Spine) -> None:
        async with Publisher(spine) as publisher:
            while self._events:
                event = self._events[0]
                subject = self._subjects.events(event.severity, event.component)
                identity = f"{event.component}-{event.subject}-{event.time}"
                await (await publisher.send(subject, msgspec.json.encode(event), identity))
                if self._events and self._events[0] is event:
                    self._events.popleft()
