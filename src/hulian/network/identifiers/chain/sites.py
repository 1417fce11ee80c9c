"""Which servers of a service are asked for a handle, and in which order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import InterfaceType, Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.site import Server, Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Target", "sites_in", "targets"]

_PREFERRED: Final = (Transport.UDP, Transport.TCP)


class Target(msgspec.Struct, frozen=True):
    """One interface of one server: what a question is sent to."""

    address: str
    port: int
    transport: Transport

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.transport.name.lower()}://{host}:{self.port}"


def sites_in(values: Iterable[Value], kind: str) -> list[Site]:
    """The site records of type ``kind`` among ``values``; one that cannot be read is left out, for the others may serve."""
    found = []
    for value in values:
        if value.type == kind:
            try:
                found.append(Site.unpack(value.data))
            except WireError:
                continue
    return found


def targets(sites: Iterable[Site], handle: str, latency: Mapping[str, float]) -> list[Target]:
    """Where to ask about ``handle``, the quickest server first: ``latency`` in seconds by target; who is not known yet comes
    before all others, so that it becomes known."""
    found: list[Target] = []
    for site in sites:
        server = site.server_for(handle)
        if server is not None and (target := _target(server)):
            found.append(target)
    random.shuffle(found)
    return sorted(found, key=lambda target: latency.get(str(target), 0.0))


def _target(server: Server) -> Target | None:
    for transport in _PREFERRED:
        for interface in server.interfaces:
            if interface.serves(InterfaceType.QUERY, transport) and 0 < interface.port < 65536:
                return Target(str(server.address), interface.port, transport)
    return None
