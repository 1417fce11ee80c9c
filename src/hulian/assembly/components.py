"""Each component as a process of its own: what it needs, in the order in which it is opened."""

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec

from hulian.assembly.configuration import AuditConfiguration, Configuration
from hulian.assembly.logging import configure_logging
from hulian.kernel.configuration import secrets_of
from hulian.kernel.lifecycle import Component
from hulian.platform.infrastructure.process import allow_many_files, tell_ready, without_pandas

if TYPE_CHECKING:
    from hulian.assembly.edge_node import EdgeNode
    from hulian.kernel.event import Event
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.registry import Registry
    from hulian.trust import Audit

__all__ = ["run_component"]

_RELOADED: Final = 0.3
"""Seconds that nats-server has read its accounts in after it was asked to; it does not say when."""


def run_component(name: str, configuration: Configuration, configuration_file: Path | None) -> int:
    """Runs one component in the foreground until SIGTERM or Ctrl-C; 0 for a clean end."""
    configure_logging(name)
    allow_many_files()
    without_pandas()
    if name == "spine":
        return _run_spine(configuration, configuration_file)
    makers: dict[str, Callable[[Configuration, AsyncExitStack], Awaitable[Component]]] = {
        "historian": _historian,
        "edge": _edge,
        "api": _api,
        "identifiers": _identifiers,
    }
    anyio.run(_serve, makers[name], configuration, backend_options={"use_uvloop": False})
    return 0


async def _serve(make: Callable[[Configuration, AsyncExitStack], Awaitable[Component]], configuration: Configuration) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_end_on_signal, group.cancel_scope)
        async with AsyncExitStack() as stack, anyio.create_task_group() as serving:
            component = await make(configuration, stack)
            await serving.start(component.run)
            tell_ready()


async def _end_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _run_spine(configuration: Configuration, configuration_file: Path | None) -> int:
    """The spine alone, under a supervisor of its own: nats-server is a program, not a coroutine."""
    from hulian.assembly.node import first_start, stages
    from hulian.platform.infrastructure.supervisor import Supervisor, lock_directory

    preparation = first_start(configuration, configuration_file)
    data = Path(configuration.node.data)
    lock_directory(data)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_end_on_signal, group.cancel_scope)
            only = stages(configuration, configuration_file, preparation)[:1]
            await Supervisor(data, only, lambda status: None).run(tell_ready)

    anyio.run(run)
    return 0


async def _historian(configuration: Configuration, stack: AsyncExitStack) -> Component:
    from hulian.assembly.preparation import connect_spine
    from hulian.data.ingest.service import HistorianService

    historian = await anyio.to_thread.run_sync(open_historian, configuration)
    stack.callback(historian.close)
    spine = await stack.enter_async_context(await connect_spine(configuration, "historian"))
    settings = msgspec.structs.replace(configuration.ingest, durability=configuration.node.durability.value)
    return HistorianService(spine, historian, Path(configuration.node.data), configuration.node.organisation, settings)


def open_historian(configuration: Configuration) -> Any:
    """The configured historian: the embedded store, or a server."""
    settings = msgspec.structs.replace(configuration.historian, durability=configuration.node.durability.value)
    if settings.server.url:
        from hulian.assembly.preparation import open_secrets
        from hulian.data.historian.server import ServerHistorian
        from hulian.kernel.configuration import resolve_secret

        reference = settings.server.password
        password = resolve_secret(reference, open_secrets(configuration).get) if reference else ""
        return ServerHistorian(settings, password=password)
    from hulian.data.historian.embedded import EmbeddedHistorian

    return EmbeddedHistorian(Path(configuration.node.data) / "historian", settings)


async def _edge_node(configuration: Configuration, stack: AsyncExitStack, node: EdgeNode) -> Component:
    """The edge of a node whose orders come from a centre."""
    from hulian.assembly.edge_node import OrderedTrust, adopt, spine_of, store_of
    from hulian.assembly.inputs import ListenerInputs, LocalInputs
    from hulian.assembly.preparation import open_registry, open_trust
    from hulian.assembly.upkeep import Upkeep
    from hulian.assembly.uplink import SpineUplink
    from hulian.network.exchange.spine.connection import Spine
    from hulian.network.exchange.spine.publisher import Publisher
    from hulian.platform.edge.follower import Follower
    from hulian.platform.edge.service import EdgeService
    from hulian.trust import edge_account
    from hulian.trust.renewal import CertificateWatch

    data = Path(configuration.node.data)
    registry = await anyio.to_thread.run_sync(open_registry, configuration)
    stack.callback(registry.close)
    trust = await anyio.to_thread.run_sync(open_trust, configuration, registry)
    store = await anyio.to_thread.run_sync(store_of, configuration, node)
    own = spine_of(configuration, node)
    spine = await Spine.connect(own.plain.url, edge_account(node.name), own.accounts.password("edge"), "edge", timeout=30.0)
    await stack.enter_async_context(spine)
    publisher = await stack.enter_async_context(Publisher(spine))
    uplink = SpineUplink(spine, publisher, node.organisation, node.name)
    peers = OrderedTrust(lambda: store.order.trusted, trust.peers.own)
    follower = Follower(
        node.name,
        store,
        uplink.order,
        uplink.node_status,
        probation=configuration.edge.trial_s,
        pending=peers.pending,
        adopt=partial(adopt, configuration, node),
    )
    power = configuration.node.durability.value == "power"
    sessions, directories = data / "edge-mqtt", configuration.edge.directories
    listens = bool(own.plain.mqtt_port)
    inputs = ListenerInputs(spine, sessions, directories) if listens else LocalInputs(sessions, directories)
    service = EdgeService(
        node.organisation,
        data / "edge",
        configuration.edge,
        store,
        uplink,
        peers,
        power=power,
        inputs=inputs,
        follower=follower,
    )
    watched = own.watched_listeners()
    if not watched:
        return service

    def tell(event: Event) -> None:
        anyio.from_thread.run_sync(service.tell, event)

    watch = CertificateWatch(watched, tell, component="edge")
    return Upkeep(service, service.tell, {"certificates": watch.check})


async def _edge(configuration: Configuration, stack: AsyncExitStack) -> Component:
    from hulian.assembly.edge_node import node_of

    node = node_of(configuration)
    if node is not None:
        return await _edge_node(configuration, stack, node)
    from hulian.assembly.inputs import ListenerInputs
    from hulian.assembly.plant import CataloguePlant
    from hulian.assembly.preparation import connect_spine, open_registry, open_trust
    from hulian.assembly.uplink import SpineUplink
    from hulian.data.catalogue import Catalogue
    from hulian.network.exchange.spine.publisher import Publisher
    from hulian.platform.edge.service import EdgeService

    registry = await anyio.to_thread.run_sync(open_registry, configuration)
    stack.callback(registry.close)
    trust = await anyio.to_thread.run_sync(open_trust, configuration, registry)
    organisation = configuration.node.organisation
    spine = await stack.enter_async_context(await connect_spine(configuration, "edge"))
    publisher = await stack.enter_async_context(Publisher(spine))

    return EdgeService(
        organisation,
        Path(configuration.node.data) / "edge",
        configuration.edge,
        CataloguePlant(Catalogue(registry, organisation), trust),
        SpineUplink(spine, publisher, organisation),
        trust.peers,
        power=configuration.node.durability.value == "power",
        inputs=ListenerInputs(spine, Path(configuration.node.data) / "edge-mqtt", configuration.edge.directories),
    )


async def _api(configuration: Configuration, stack: AsyncExitStack) -> Component:
    from hulian.assembly.accounts import spine_users
    from hulian.assembly.edge_orders import EdgeOrders
    from hulian.assembly.exposure import plain_events
    from hulian.assembly.naming import node_for_people
    from hulian.assembly.northbound import mounts
    from hulian.assembly.preparation import connect_spine, open_registry, open_trust, spine_settings
    from hulian.assembly.teller import Teller
    from hulian.assembly.tls import spine_trust, watched_listeners
    from hulian.assembly.upkeep import Upkeep
    from hulian.data.catalogue import Catalogue
    from hulian.data.ingest.client import QueryClient
    from hulian.network.exchange.spine import bundle, server, streams
    from hulian.platform import api
    from hulian.platform.api.contract import Dependencies
    from hulian.platform.api.service import ApiService
    from hulian.platform.infrastructure.supervisor import read_components
    from hulian.trust.renewal import CertificateWatch

    registry = await anyio.to_thread.run_sync(open_registry, configuration)
    stack.callback(registry.close)
    trust = await anyio.to_thread.run_sync(open_trust, configuration, registry)
    organisation, data = configuration.node.organisation, Path(configuration.node.data)
    spine = await stack.enter_async_context(await connect_spine(configuration, "api"))

    async def accounts_changed() -> None:
        await anyio.to_thread.run_sync(
            lambda: server.admit(spine_settings(configuration, trust.ca), spine_users(trust), data / "spine")
        )

    async def readmit(cut: bool) -> None:
        await accounts_changed()
        if cut:
            password = trust.spine.password("monitor")
            await anyio.sleep(_RELOADED)
            await server.cut_leaves(configuration.spine.url, "monitor", password, tls=spine_trust(configuration))

    catalogue = Catalogue(registry, organisation)
    edges = EdgeOrders(spine, trust, catalogue, organisation, readmit)
    static = Path(api.__file__).parent / "static"

    queries = QueryClient(spine, organisation)
    semantics = _once(partial(_semantics, registry, stack))

    async def stream_figures() -> list[streams.StreamFigures]:
        return await streams.figures(spine)

    service = ApiService(
        Dependencies(
            organisation=organisation,
            prefix=configuration.node.prefix,
            scratch=data / "tmp",
            trust=trust,
            catalogue=catalogue,
            edges=edges,
            leaf_port=configuration.spine.leaf_port,
            own_secrets=frozenset(secrets_of(configuration)),
            identifiers=node_for_people(configuration, registry),
            semantics=semantics,
            mounts=mounts(registry, trust, catalogue, queries, semantics),
            spine=spine,
            queries=queries,
            decode=bundle.columns_of,
            configuration=configuration.api,
            accounts_changed=accounts_changed,
            components=lambda: cast(Any, read_components(data)),
            streams=stream_figures,
            console=static if (static / "index.html").exists() else None,
        )
    )
    watched = watched_listeners(configuration, trust.ca, service)
    url, password, tls = configuration.spine.url, trust.spine.password("api"), spine_trust(configuration)
    teller = Teller(url, "api", password, organisation, tls=tls)
    watch = CertificateWatch(watched, teller.tell_soon, component="api")
    tasks: dict[str, Callable[[], float]] = {"retention of the audit trail": partial(_prune, trust.audit, configuration.audit)}
    if watched:
        tasks["certificates"] = watch.check
    return Upkeep(service, teller.tell, tasks, beside=[teller.run, edges.serve], at_start=plain_events(configuration, "api"))


def _once(make: Callable[[], Semantics]) -> Callable[[], Semantics]:
    """Opens it when somebody first asks, and gives everybody that one. Thread-safe."""
    lock = threading.Lock()
    made: list[Semantics] = []

    def get() -> Semantics:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def _semantics(registry: Registry, stack: AsyncExitStack) -> Semantics:
    from hulian.network.exchange.semantics.together import Semantics

    found = Semantics(registry)
    stack.callback(found.close)
    return found


async def _identifiers(configuration: Configuration, stack: AsyncExitStack) -> Component:
    from hulian.assembly.identifiers import identifier_node
    from hulian.assembly.preparation import open_registry

    # A node of identifiers can stand alone: nobody has made its directory before.
    await anyio.Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = await anyio.to_thread.run_sync(open_registry, configuration)
    stack.callback(registry.close)
    return await anyio.to_thread.run_sync(identifier_node, configuration, registry)


def _prune(audit: Audit, settings: AuditConfiguration) -> float:
    """Once a day is often enough for a trail that is kept for years."""
    audit.prune(days=settings.days, records=settings.records)
    return 86_400.0
