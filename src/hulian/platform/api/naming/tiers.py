"""The nodes that answer for the prefixes of this installation: from the root down, each site asked how it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import anyio

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.errors import FollowError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.sites import Target, administration
from hulian.network.identifiers.store import Listing
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.bodies import HandleOnly, SiteAnswer, read_answer, request
from hulian.network.identifiers.wire.codes import OpCode, Transport, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.site import Server, Site
from hulian.platform.api.access import in_thread
from hulian.platform.api.contract import Refusal
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.resolving import Resolving
from hulian.platform.api.naming.views import (
    NodesView,
    OwnNodeView,
    PrefixView,
    ServerView,
    SiteView,
    TierView,
)

__all__ = ["Tiers"]

PROBE_SECONDS: Final = 2.0
"""How long a server may take to say how it is."""

MOST_SERVERS: Final = 64
"""Servers that are asked for one answer; those behind them are named only."""

MOST_COUNTED: Final = 100_000
MOST_BELOW: Final = 200
_LIFE: Final = 60


class _Probe:
    """Asks servers how they are, each once, `MOST_SERVERS` in all; who does not answer in time is said to be away."""

    def __init__(self) -> None:
        self._answers: dict[Target, ServerView] = {}
        self._targets: dict[tuple[str, Server], Target] = {}

    async def ask(self, sites: Sequence[Site]) -> None:
        """Asks all servers of ``sites`` at the same time."""
        async with anyio.create_task_group() as group:
            for site in sites:
                for server in site.servers:
                    target = _target(server)
                    if target is not None and target not in self._answers and len(self._answers) < MOST_SERVERS:
                        self._answers[target] = _silent(server, target)
                        group.start_soon(self._one, server, target)

    async def _one(self, server: Server, target: Target) -> None:
        self._answers[target] = await asked(server, target)

    def view(self, server: Server) -> ServerView:
        target = _target(server)
        if target is None:
            return ServerView(address=str(server.address), interfaces=_interfaces(server), ok=False, ms=None, error="")
        return self._answers.get(target) or _silent(server, target)


async def asked(server: Server, target: Target) -> ServerView:
    """What the server says when it is asked for its site record (opcode 2), or why it does not."""
    message = request(OpCode.GET_SITE, HandleOnly(None), request_id=0, expiration=int(time.time()) + _LIFE)
    client = Client(tries=(0.5, PROBE_SECONDS - 0.5), tcp_seconds=PROBE_SECONDS, fall_back=False)
    began = time.perf_counter()
    error, serial, answered = "", None, False
    try:
        with anyio.fail_after(PROBE_SECONDS):
            answer = await client(target, message)
        body, _ = read_answer(answer)
        answered = True
        serial = body.site.serial if isinstance(body, SiteAnswer) else None
        error = "" if isinstance(body, SiteAnswer) else response_text(answer.response_code)
    except TimeoutError:
        error = "no answer in time"
    except (FollowError, WireError) as refused:
        error = refused.message
    took = round((time.perf_counter() - began) * 1000, 2)
    return ServerView(
        address=str(target),
        interfaces=_interfaces(server),
        ok=answered,
        ms=took if answered else None,
        error=error,
        serial=serial,
    )


class Tiers:
    """The node of this installation, and the services above and below it."""

    def __init__(self, node: IdentifierNode, resolving: Resolving) -> None:
        self._node = node
        self._resolving = resolving

    async def overview(self) -> NodesView:
        """This node and the tiers from the root down. A tier that cannot be found has its error; the others are shown."""
        way = await self._resolving.way()
        probe = _Probe()
        prefixes = ["0.NA", *_above(self._node.prefixes)]
        found: dict[str, list[Site] | HulianError] = {}

        async def find(prefix: str) -> None:
            found[prefix] = await _sites(way.follow, prefix)

        async with anyio.create_task_group() as group:
            for prefix in prefixes:
                group.start_soon(find, prefix)
        own: list[OwnNodeView] = []

        async def look() -> None:
            own.append(await self._own())

        async with anyio.create_task_group() as group:
            group.start_soon(look)
            group.start_soon(probe.ask, [site for sites in found.values() if isinstance(sites, list) for site in sites])
        tiers = [await self._tier(prefix, found[prefix], probe, way.follow) for prefix in prefixes if found[prefix]]
        return NodesView(own=own[0], tiers=tiers)

    async def tier(self, prefix: str) -> TierView:
        """One prefix: its sites with their health, and the prefixes that this node registered below it."""
        way = await self._resolving.way()
        probe = _Probe()
        sites = await _sites(way.follow, prefix)
        if isinstance(sites, list):
            await probe.ask(sites)
        return await self._tier(prefix, sites, probe, way.follow)

    async def _own(self) -> OwnNodeView:
        node = self._node
        server = Server(1, Server.address_to_bytes(_reachable(node.host)))
        target = Target(_reachable(node.host), node.port, Transport.UDP)
        said = await asked(server, target) if node.port else None
        return OwnNodeView(
            role=node.role,
            address=f"{node.host}:{node.port}" if node.port else "",
            ok=bool(said and said.ok),
            ms=said.ms if said else None,
            error=said.error if said else "",
            prefixes=await in_thread(self._prefixes),
        )

    def _prefixes(self) -> list[PrefixView]:
        if self._node.listing is None:
            return []
        listing: Listing = self._node.listing()
        found = []
        for prefix in listing.homed():
            begins = f"{prefix}/".upper().encode()
            count = listing.count(begins, MOST_COUNTED + 1)
            found.append(PrefixView(prefix=prefix, records=min(count, MOST_COUNTED), more=count > MOST_COUNTED))
        return found

    async def _tier(self, prefix: str, sites: list[Site] | HulianError, probe: _Probe, follow: Follow) -> TierView:
        own = prefix in self._node.prefixes
        below = await in_thread(lambda: self._below(prefix))
        if isinstance(sites, HulianError):
            told = Refusal(code=sites.code, message=sites.message, place=str(sites.place), hint=str(sites.hint))
            return TierView(prefix=prefix, own=own, sites=[], below=below, error=told)
        changes = await self._changes(sites, prefix, follow) if own and len(sites) > 1 else {}
        newest = max((changes[place] for place, site in enumerate(sites) if site.primary and place in changes), default=None)
        port = self._node.port
        views = []
        for place, site in enumerate(sites):
            known = changes.get(place)
            behind = max(0, newest - known) if newest is not None and known is not None and not site.primary else None
            views.append(
                SiteView(
                    primary=site.primary,
                    serial=site.serial,
                    version=".".join(map(str, site.version)),
                    description=next((_text(one.value) for one in site.attributes if one.name == b"desc"), ""),
                    servers=[probe.view(server) for server in site.servers],
                    own=any(_is_own(server, self._node.host, port) for server in site.servers),
                    changes=known,
                    behind=behind,
                )
            )
        return TierView(prefix=prefix, own=own, sites=views, below=below)

    async def _changes(self, sites: Sequence[Site], prefix: str, follow: Follow) -> dict[int, int]:
        """How many changes the log of each site holds, where it tells this node's key so."""
        try:
            identity = await in_thread(self._node.identity)
        except HulianError:
            return {}
        found: dict[int, int] = {}

        async def ask(place: int, target: Target) -> None:
            try:
                with anyio.fail_after(PROBE_SECONDS):
                    async with Administer(follow, connection, identity) as by:
                        found[place] = await by.changes(target)
            except (HulianError, TimeoutError):
                return

        async with anyio.create_task_group() as group:
            for place, site in enumerate(sites[:MOST_SERVERS]):
                flagged = Site(servers=site.servers, hash_option=site.hash_option)
                for target in administration([flagged], prefix)[:1]:
                    group.start_soon(ask, place, target)
        return found

    def _below(self, prefix: str) -> list[str]:
        """The prefixes directly or further below ``prefix`` that this node has records of."""
        if self._node.listing is None:
            return []
        listing: Listing = self._node.listing()
        begins = b"0.NA/" if prefix == "0.NA" else f"0.NA/{prefix}.".upper().encode()
        own = {f"0.NA/{one}" for one in ("0.NA", *self._node.prefixes)}
        return [one.handle[5:] for one in listing.page(begins, most=MOST_BELOW) if one.handle not in own]


async def _sites(follow: Follow, prefix: str) -> list[Site] | HulianError:
    """The sites of the service of ``prefix``; none where nobody has registered it, or what went wrong."""
    try:
        with anyio.fail_after(2 * PROBE_SECONDS):
            return await follow.sites_of(prefix)
    except HulianError as error:
        return error
    except TimeoutError:
        return FollowError("no answer in time", place=prefix)


def _above(prefixes: Sequence[str]) -> list[str]:
    """Each prefix behind those that it may have been derived from: 88, 88.111, 88.111.1."""
    found: dict[str, None] = {}
    for prefix in prefixes:
        parts = prefix.split(".")
        for count in range(1, len(parts) + 1):
            found[".".join(parts[:count])] = None
    return [one for one in found if one not in ("0", "0.NA")]


def _target(server: Server) -> Target | None:
    """UDP where the server speaks it, for that is what is asked first; else TCP."""
    for transport in (Transport.UDP, Transport.TCP):
        for interface in server.interfaces:
            if interface.transport == transport and 0 < interface.port < 65536:
                return Target(str(server.address), interface.port, transport)
    return None


def _silent(server: Server, target: Target) -> ServerView:
    return ServerView(address=str(target), interfaces=_interfaces(server), ok=False, ms=None, error="not asked")


def _interfaces(server: Server) -> list[str]:
    names = {one.value: one.name.lower() for one in Transport}
    return [f"{names.get(one.transport, str(one.transport))}:{one.port}" for one in server.interfaces]


def _is_own(server: Server, host: str, port: int) -> bool:
    ports = {one.port for one in server.interfaces}
    return port in ports and (str(server.address) == _reachable(host) or host in ("0.0.0.0", "::"))  # noqa: S104


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")[:200]
