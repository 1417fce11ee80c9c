"""Root, top level, second level, enterprise and recursive nodes on loopback, each with a store and a socket of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes import delegating, enterprise, recursive
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.bodies import ResolveRequest, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, Transport
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.root_info import pack_root_info, unpack_root_info
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site
from hulian.network.identifiers.wire.values import Value
from hulian.registry import Registry

QUICK = (0.2, 0.3)
URL = "https://example.com/item/7"


def site(*ports: int, kind: str = "HS_SITE", index: int = 1) -> Value:
    servers = tuple(
        Server(
            number,
            Server.address_to_bytes("127.0.0.1"),
            b"",
            (Interface(2, Transport.UDP, port), Interface(2, Transport.TCP, port)),
        )
        for number, port in enumerate(ports, 1)
    )
    return Value(index=index, type=kind, data=Site(servers=servers).pack(), timestamp=1)


def text(kind: str, data: str | bytes, index: int = 1, **more: int) -> Value:
    return Value(index=index, type=kind, data=data.encode() if isinstance(data, str) else data, timestamp=1, **more)


class Hierarchy:
    """Five nodes. Every store is a registry of its own; `stop` takes one node's sockets away."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._scopes: dict[str, anyio.CancelScope] = {}
        self.ports: dict[str, int] = {}
        self.stores: dict[str, RecordStore] = {}
        self.listeners: dict[str, Listener] = {}
        self.root: tuple[Value, ...] = ()

    def store(self, name: str) -> RecordStore:
        registry = Registry.open(self._directory / f"{name}.db")
        self.stores[name] = RecordStore(registry)
        return self.stores[name]

    async def serve(self, group: anyio.abc.TaskGroup, name: str, link, **more) -> int:
        listener = self.listeners[name] = Listener(link, "127.0.0.1", 0, **more)
        scope = self._scopes[name] = anyio.CancelScope()

        async def run(*, task_status=anyio.TASK_STATUS_IGNORED) -> None:
            with scope:
                await listener.run(task_status=task_status)

        await group.start(run)
        self.ports[name] = listener.port
        return listener.port

    async def stop(self, name: str) -> None:
        self._scopes[name].cancel()
        await anyio.sleep(0.05)

    def client(self) -> Follow:
        return Follow(self.root, Client(tries=QUICK, tcp_seconds=1))

    def delegate(self, above: str, prefix: str, below: str) -> None:
        """Node ``above`` names ``below`` as the service of ``prefix``, and of what is derived from it."""
        port = self.ports[below]
        values = [site(port), site(port, kind="HS_SITE.PREFIX", index=2)]
        self.stores[above].create(f"0.NA/{prefix}", values)


@contextlib.asynccontextmanager
async def hierarchy(directory: Path) -> AsyncIterator[Hierarchy]:
    """88 at the top, 88.111 at the second level, 88.111.1 at an enterprise with a few records."""
    made = Hierarchy(directory)
    async with anyio.create_task_group() as group:
        for name, homed in (("root", "0.NA"), ("top", "88"), ("second", "88.111")):
            made.store(name).home(homed)
            await made.serve(group, name, delegating(made.stores[name]))
        made.store("enterprise").home("88.111.1")
        await made.serve(group, "enterprise", enterprise(made.stores["enterprise"]))
        made.root = unpack_root_info(pack_root_info([site(made.ports["root"])]))
        made.delegate("root", "88", "top")
        made.delegate("top", "88.111", "second")
        made.stores["second"].create("0.NA/88.111.1", [site(made.ports["enterprise"])])
        made.stores["enterprise"].create_many(
            [
                ("88.111.1/ITEM7", [text("URL", URL), text("HS_ADMIN", b"secret", 100, permissions=12)]),
                ("88.111.1/alias", [text("HS_ALIAS", "88.111.1/item7")]),
                ("88.111.1/round", [text("HS_ALIAS", "88.111.1/about")]),
                ("88.111.1/about", [text("HS_ALIAS", "88.111.1/round")]),
                ("88.111.1/large", [text("URL", bytes([65 + number % 26]) * 900, number) for number in range(1, 60)]),
            ]
        )
        await made.serve(group, "recursive", recursive(made.root, Client(tries=QUICK, tcp_seconds=1)))
        yield made
        group.cancel_scope.cancel()


def question(handle: str, flags: int = OpFlag.PUBLIC_ONLY.value, **more) -> Message:
    return request(OpCode.RESOLVE, ResolveRequest(handle, **more), request_id=7, expiration=2_000_000_000, flags=flags)


async def asked(plant: Hierarchy, node: str, message: Message, transport: Transport = Transport.UDP) -> Message:
    return await Client(tries=QUICK, tcp_seconds=1)(Target("127.0.0.1", plant.ports[node], transport), message)
