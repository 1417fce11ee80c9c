"""One plant, several servers: which of a redundant set serves us (OPC 10000-4, section 6.6.2).

We are connected to one server at a time, whatever the set's mode: in a cold, warm and hot set alike the others take over
when it is lost, or when it says that it serves worse than another (ServiceLevel). What the change-over misses is asked for
from the history of the server that took over.
"""

from __future__ import annotations

from typing import Final

import anyio
from asyncua.ua.object_ids import ObjectIds

from hulian.network.exchange.protocols.contract import Environment
from hulian.network.exchange.protocols.opcua import address, security
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import OpcuaError, SessionLostError
from hulian.network.exchange.protocols.opcua.session import Session

__all__ = ["HEALTHY", "ServerSet", "announced", "service_level"]

HEALTHY: Final = 200
"""ServiceLevels from here to 255 are full service; below it is degraded, 1 without data, 0 in maintenance (table 105)."""


async def service_level(session: Session) -> int:
    """How well the server says that it serves; 255 where it says nothing."""
    (answer,) = await session.read([address.standard(ObjectIds.Server_ServiceLevel)])
    value = answer.Value.Value if answer.Value is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255 else 255


_MODES: Final = ("none", "cold", "warm", "hot", "transparent", "hot and mirrored")
"""RedundancySupport by its number (OPC 10000-5, section 12.5)."""


async def announced(session: Session) -> tuple[str, list[str]]:
    """(mode, application URIs) of the redundant set that the server says it belongs to; ``none`` where it says nothing.

    A transparent set has one address: nothing is to be done about it.
    """
    nodes = (ObjectIds.Server_ServerRedundancy_RedundancySupport, ObjectIds.Server_ServerRedundancy_ServerUriArray)
    mode, uris = [
        answer.Value.Value if answer.Value is not None else None
        for answer in await session.read([address.standard(node) for node in nodes])
    ]
    number = int(mode) if isinstance(mode, int) and 0 <= mode < len(_MODES) else 0
    return _MODES[number], [str(uri)[:500] for uri in uris[:100]] if isinstance(uris, list) else []


class ServerSet:
    """The addresses of one redundant set; the first is the one that the connector is named for."""

    def __init__(self, url: str, configuration: OpcuaConfiguration) -> None:
        self.urls = tuple(dict.fromkeys((url, *configuration.servers)))
        for one in self.urls:
            security.authority(one)
        self._configuration = configuration
        self._present = 0

    @property
    def url(self) -> str:
        """The server to connect to now."""
        return self.urls[self._present]

    @property
    def several(self) -> bool:
        return len(self.urls) > 1

    def next(self) -> bool:
        """The present server is lost: the next one's turn. True once all have had theirs."""
        self._present = (self._present + 1) % len(self.urls)
        return self._present == 0

    async def watch_for_ever(self, session: Session, environment: Environment, login: security.Login) -> None:
        """Looks how well the present server serves; ends by a `SessionLostError` once another serves better."""
        while True:
            await anyio.sleep(self._configuration.keep_alive)
            level = await service_level(session)
            if level >= HEALTHY:
                continue
            others = [place for place in range(len(self.urls)) if place != self._present]
            levels = {place: await self._ask(self.urls[place], environment, login) for place in others}
            best = max(others, key=lambda place: levels[place])
            if levels[best] > level:
                self._present = best
                raise SessionLostError(
                    f"the server serves at level {level}, {self.url} at {levels[best]}",
                    place=session.place,
                    hint="the other server of the set takes over; see why this one's ServiceLevel fell",
                    subscription=True,
                )

    async def _ask(self, url: str, environment: Environment, login: security.Login) -> int:
        """The level of another server, -1 where it cannot be reached."""
        try:
            session = await Session.open(url, self._configuration, environment, login)
        except OpcuaError:
            return -1
        try:
            return await service_level(session)
        except OpcuaError:
            return -1
        finally:
            await session.close()
