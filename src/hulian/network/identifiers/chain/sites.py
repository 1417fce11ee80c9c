"""Which servers of a service are asked for a handle, and in which order."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import InterfaceType, Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.site import Server, Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["PREFERRED", "Target", "administration", "conversation", "sites_in", "targets"]

PREFERRED: Final = (Transport.UDP, Transport.TCP)


class Target(msgspec.Struct, frozen=True):
    """One interface of one server: what a question is sent to; with the serial number of the site record that named it (-1:
    none did), and the key that the record names for the server, packed as in HS_PUBKEY."""

    address: str
    port: int
    transport: Transport
    serial: int = -1
    key: bytes = b""

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


def targets(sites: Iterable[Site], handle: str, transports: Iterable[Transport] = PREFERRED) -> list[Target]:
    """Where ``handle`` is asked about, in any order: the responsible server of each site, by the first of ``transports`` that
    it has."""
    return _shuffled(sites, handle, transports)


def conversation(sites: Iterable[Site], handle: str) -> list[Target]:
    """The same over TCP alone: whoever is challenged answers on the same connection."""
    return _shuffled(sites, handle, (Transport.TCP,))


def administration(sites: Iterable[Site], handle: str) -> list[Target]:
    """Where ``handle`` is changed: the responsible server of each primary site that takes changes over TCP."""
    found = []
    for site in sites:
        server = site.server_for(handle) if site.primary or site.multi_primary else None
        if server is not None and (target := _interface(site, server, InterfaceType.ADMIN, (Transport.TCP,))):
            found.append(target)
    return found


def _shuffled(sites: Iterable[Site], handle: str, transports: Iterable[Transport]) -> list[Target]:
    found: list[Target] = []
    for site in sites:
        server = site.server_for(handle)
        if server is not None and (target := _interface(site, server, InterfaceType.QUERY, transports)):
            found.append(target)
    random.shuffle(found)
    return found


def _interface(site: Site, server: Server, kind: InterfaceType, transports: Iterable[Transport]) -> Target | None:
    for transport in transports:
        for interface in server.interfaces:
            if interface.serves(kind, transport) and 0 < interface.port < 65536:
                return Target(str(server.address), interface.port, transport, site.serial, server.public_key)
    return None
