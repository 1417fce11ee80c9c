"""Which servers of a service are asked for a handle, and in which order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from hulian.network.identifiers.wire.codes import InterfaceType, Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.site import HashOption, Server, Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Target", "server_of", "sites_in", "targets"]

_PREFERRED: Final = (Transport.UDP, Transport.TCP)
_LOWEST: Final = -(2**31)


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


def server_of(site: Site, key: bytes) -> Server | None:
    """The server of ``site`` that holds the handle ``key``: MD5 of its upper-case part, the last four bytes as a signed
    number without its sign, modulo the number of servers (RFC 3652, section 2.1.3)."""
    if not site.servers:
        return None
    prefix, _, suffix = key.partition(b"/")
    part = {HashOption.PREFIX: prefix, HashOption.SUFFIX: suffix}.get(HashOption(site.hash_option), key)
    number = int.from_bytes(hashlib.md5(part.upper(), usedforsecurity=False).digest()[-4:], "big", signed=True)
    # The one number whose sign cannot be taken away in 32 bits.
    return site.servers[0 if number == _LOWEST else abs(number) % len(site.servers)]


def targets(sites: Iterable[Site], key: bytes, latency: Mapping[str, float]) -> list[Target]:
    """Where to ask about ``key``, the quickest server first: ``latency`` in seconds by target; who is not known yet comes
    before all others, so that it becomes known."""
    found: list[Target] = []
    for site in sites:
        try:
            server = server_of(site, key)
        except ValueError:
            continue  # a way of spreading handles that nobody knows
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
