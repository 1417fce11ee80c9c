"""What a host says: its own STATE first, then what the session has to ask of edge nodes."""

from __future__ import annotations

import time

import anyio

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.mqtt.client import BrokerSource
from hulian.network.exchange.protocols.mqtt.errors import SourceError
from hulian.network.exchange.protocols.mqtt.source import MessageSource
from hulian.network.exchange.protocols.mqtt.sparkplug.host import Host
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session
from hulian.network.exchange.protocols.mqtt.sparkplug.values import Listener

__all__ = ["Speaker"]


class Speaker:
    """Of one connector; ``host`` is None where it is no host application by name."""

    def __init__(self, source: MessageSource, session: Session, listener: Listener, host: Host | None) -> None:
        self._source = source
        self._broker = source if isinstance(source, BrokerSource) else None
        self._session = session
        self._listener = listener
        self._host = host
        self._contradicted = False

    @property
    def due(self) -> bool:
        """Whether there is something to `send`."""
        return self._contradicted or bool(self._session.outbox)

    def hear(self, name: str, payload: bytes) -> None:
        """A STATE message of the host ``name``."""
        if self._host is not None and name == self._host.name and self._host.contradicts(payload):
            self._contradicted = True

    async def send(self) -> None:
        """What is due. On a foreign broker nothing goes out before our STATE; what cannot be sent is asked for again later."""
        if self._host is not None and self._broker is not None and not self._host.online:
            return
        if self._contradicted and self._host is not None:
            self._contradicted = False
            await self._say(self._host, self._host.birth())
        outbox, self._session.outbox = self._session.outbox, []
        for topic, payload in outbox:
            try:
                await self._source.publish(topic, payload)
            except HulianError as error:
                self._listener.moment(SourceError, topic, f"could not publish: {error}")

    async def repeat_state(self, seconds: float) -> None:
        """The platform's own listener retains nothing that we publish and knows no will of ours: we repeat what we are, until
        we are cancelled. A foreign broker keeps it: there this does nothing."""
        host = self._host
        if host is None or self._broker is not None:
            return
        host.will(time.time_ns())
        host.online = True
        try:
            while True:
                await self._say(host, host.birth())
                await anyio.sleep(seconds)
        finally:
            with anyio.move_on_after(0.5, shield=True):
                await self._say(host, host.death(time.time_ns()))

    async def _say(self, host: Host, payload: bytes) -> None:
        try:
            if self._broker is not None:
                await self._broker.announce()
            else:
                await self._source.publish(host.topic, payload)
        except HulianError as error:
            self._listener.moment(SourceError, host.topic, f"could not publish: {error}")
