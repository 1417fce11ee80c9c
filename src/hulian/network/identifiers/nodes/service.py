"""A node as a component: its chain behind a listener."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.follow import Ask, Follow
from hulian.network.identifiers.chain.onward import OtherRegistry
from hulian.network.identifiers.chain.operators import Operators
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.chain.stand_in import StandIn
from hulian.network.identifiers.junction.handles import foreign_root
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.observing import Watched, meter_of, statistics_of
from hulian.network.identifiers.nodes.reporting import Reporter
from hulian.network.identifiers.nodes.takeover import TakeOver
from hulian.network.identifiers.nodes.tiers import Inside, delegating_inside, enterprise_inside, outside, recursive
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import Kept
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.transport.rest.contract import Elsewhere
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

if TYPE_CHECKING:
    from hulian.network.identifiers.transport.rest.server import RestListener

__all__ = ["NodeService"]

_REST: Final = "hulian.network.identifiers.nodes.rest"
_DNS: Final = "hulian.network.identifiers.nodes.dns"
_JUNCTION: Final = "hulian.network.identifiers.junction.junction"
"""Loaded when the node is ready, and only where they are open: their libraries take a while."""

_log = structlog.get_logger(__name__)


class NodeService:
    """A `hulian.kernel.lifecycle.Component`: the node that ``configuration`` describes.

    ``root`` are the values that walks begin with; without them a node knows only what it keeps itself, and a recursive node
    cannot be. ``signer`` signs for this server, ``site`` is what it says of itself. ``beside`` run as long as the node does.
    ``takeover`` answers for nodes below while they are down, what ``reporter``
    makes reports to the node above. What ``attend`` makes of the node behind its authentication runs
    as long as the node. A node without a ``store`` keeps its statistics in ``registry``, and knows its ``own`` keys by handle.
    """

    name = "identifiers"

    def __init__(
        self,
        configuration: IdentifiersConfiguration,
        store: RecordStore | None,
        root: Sequence[Value] = (),
        administrators: Sequence[Reference] = (),
        signer: Signer | ServerKeys | None = None,
        site: Site | ServerKeys | None = None,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        certificate: Callable[[], tuple[Path, Path]] | None = None,
        takeover: TakeOver | None = None,
        reporter: Callable[[Kept], Reporter] | None = None,
        attend: Callable[[Inside], Callable[[], Coroutine[Any, Any, None]]] | None = None,
        registry: Registry | None = None,
        own: Mapping[str, Sequence[Value]] | None = None,
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._certificate = certificate
        self._signer, self._site = signer, site
        budget = Budget(configuration.stranger_bytes, configuration.exempt)
        self._takeover, self._reporter = takeover, reporter
        faults = Faults()
        ask = Watched(Client(), faults)
        link, self._inside = _chain(configuration, store, root, administrators, signer, site, ask, takeover)
        self._link = link
        self._root = tuple(root)
        self._operators = None if store is not None else Operators(administrators, Follow(root, ask), own or {})
        self._budget = budget
        self.dns_port = 0
        """Where OIDs are answered by DNS, once they are."""
        upkeep = getattr(link, "upkeep", None)
        self.rest_port = 0
        """Where HTTP is served, once it is."""
        self.rest_failed = ""
        """Why it is not, where it cannot be."""
        meter = meter_of(configuration)
        self.listener = Listener(link, configuration.host, configuration.port, budget=budget, meter=meter)
        self.statistics = statistics_of(configuration, meter, self.listener, store, faults, registry)
        """What the node counts."""
        self._beside = (*beside, *([upkeep] if upkeep is not None else []), self.statistics.run)
        if attend is not None and self._inside is not None:
            self._beside = (*self._beside, attend(self._inside))

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """See `hulian.kernel.lifecycle.Component`. Raises `ListenError`."""
        async with anyio.create_task_group() as group:
            await group.start(self.listener.run)
            for task in self._beside:
                group.start_soon(task)
            if self._takeover is not None:
                group.start_soon(self._takeover.run, self.statistics.faults)
            if self._reporter is not None and self.statistics.kept is not None:
                group.start_soon(self._reporter(self.statistics.kept).run, self.statistics.faults)
            if self._configuration.rest_port:
                group.start_soon(self._rest)
            if self._configuration.dns.port and self._store is not None:
                await self._dns(group, self._store)
            task_status.started()
            _log.info("identifiers are resolved", port=self.listener.port)

    async def _rest(self) -> None:
        """The HTTP face, beside the node: what it needs is loaded now, and where it cannot listen the node serves on."""
        await anyio.to_thread.run_sync(importlib.import_module, _REST)
        elsewhere = await self._elsewhere()
        pause = 5.0
        while True:
            try:
                listener = self._rest_listener(elsewhere)
                async with anyio.create_task_group() as group:
                    await group.start(listener.run)
                    self.rest_port, self.rest_failed = listener.port, ""
                    _log.info("identifiers are served over HTTP", port=listener.port)
            except* (HulianError, OSError) as errors:
                self.rest_failed = str(errors.exceptions[0])
                _log.warning("identifiers are not served over HTTP", reason=self.rest_failed, again_in=pause)
            except* Exception as errors:  # noqa: BLE001 - a defect of the HTTP face does not end the resolver
                self.rest_failed = str(errors.exceptions[0])
                _log.exception("the HTTP face has failed", again_in=pause)
            await anyio.sleep(pause)
            pause = min(pause * 2, 300.0)

    def _rest_listener(self, elsewhere: Elsewhere | None) -> RestListener:
        from hulian.network.identifiers.nodes.rest import rest_listener  # loaded by then

        signer, site = _newest(self._signer, self._site)
        return rest_listener(
            self._configuration,
            self._link,
            self._inside,
            self._store,
            self.listener.port,
            self._certificate,
            signer,
            site,
            self.statistics,
            self._takeover.poll if self._takeover is not None else None,
            elsewhere,
            self._operators,
        )

    async def _elsewhere(self) -> Elsewhere | None:
        """The junction to other systems, where the HTTP face may ask them for strangers."""
        if not self._configuration.junction.over_http:
            return None
        module = await anyio.to_thread.run_sync(importlib.import_module, _JUNCTION)
        own = (lambda: Follow(self._root, Client())) if self._root else None
        made: Elsewhere = module.Junction(self._configuration.junction, own, Client())
        return made

    async def _dns(self, group: TaskGroup, store: RecordStore) -> None:
        """The DNS face. Raises `ListenError`, `ConfigurationError`."""
        module = await anyio.to_thread.run_sync(importlib.import_module, _DNS)
        listener = module.dns_listener(self._configuration, store, self._budget)
        await group.start(listener.run)
        self.dns_port = listener.port


def _newest(signer: Signer | ServerKeys | None, site: Site | ServerKeys | None) -> tuple[Signer | None, Site | None]:
    """The key and the site record that are newest now."""
    return (
        signer.signer(-1) if isinstance(signer, ServerKeys) else signer,
        site.site if isinstance(site, ServerKeys) else site,
    )


def _chain(
    configuration: IdentifiersConfiguration,
    store: RecordStore | None,
    root: Sequence[Value],
    administrators: Sequence[Reference],
    signer: Signer | ServerKeys | None,
    site: Site | ServerKeys | None,
    ask: Ask,
    takeover: TakeOver | None,
) -> tuple[Link, Inside | None]:
    """What listeners ask, and what stands behind its authentication; a recursive node has nothing there."""
    if store is None:
        return recursive(root, ask, connection), None
    follow = Follow(root, ask) if root else None
    mirrors = None if configuration.mirror_as else [Reference.parse(text) for text in configuration.mirrors]
    if configuration.role is Role.ENTERPRISE:
        inside = enterprise_inside(store, administrators, follow, mirrors, site)
    else:
        inside = delegating_inside(store, administrators, follow, mirrors, site, _other(configuration))
    if takeover is not None:
        inside = msgspec.structs.replace(inside, answering=StandIn(takeover.copy_of, inside.answering))
    return outside(inside, signer), inside


def _other(configuration: IdentifiersConfiguration) -> OtherRegistry | None:
    """The registry that a root refers to for the prefixes that are not of this hierarchy."""
    settings = configuration.junction
    if configuration.role not in (Role.ROOT, Role.PRIVATE) or not settings.global_root:
        return None
    return OtherRegistry(settings.global_prefixes, foreign_root(Path(settings.global_root)))
