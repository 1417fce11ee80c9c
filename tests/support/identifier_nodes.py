"""Root, top level, second level, enterprise and recursive nodes on loopback, each with a store and a socket of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import anyio
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.tiers import delegating, enterprise, recursive
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.authentication.respond import Identity
from hulian.network.identifiers.wire.bodies import ResolveRequest, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, Transport
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.root_info import pack_root_info, unpack_root_info
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

QUICK = (1.0, 2.0)
"""Seconds for who answers, on however busy a machine. A port where nobody listens is told of at once."""

URL = "https://example.com/item/7"


def site(
    *ports: int, kind: str = "HS_SITE", index: int = 1, flags: int = 0x80, key: bytes = b"", address: str = "127.0.0.1"
) -> Value:
    servers = tuple(
        Server(
            number,
            Server.address_to_bytes(address),
            key,
            (Interface(2, Transport.UDP, port), Interface(3, Transport.TCP, port)),
        )
        for number, port in enumerate(ports, 1)
    )
    return Value(index=index, type=kind, data=Site(servers=servers, flags=flags).pack(), timestamp=1)


def text(kind: str, data: str | bytes, index: int = 1, **more: int) -> Value:
    return Value(index=index, type=kind, data=data.encode() if isinstance(data, str) else data, timestamp=1, **more)


class Hierarchy:
    """Five nodes. Every store is a registry of its own; `stop` takes one node's sockets away."""

    def __init__(self, directory: Path, host: str = "127.0.0.1") -> None:
        self._directory = directory
        self.host = host
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._ended: dict[str, anyio.Event] = {}
        self.ports: dict[str, int] = {}
        self.stores: dict[str, RecordStore] = {}
        self.listeners: dict[str, Listener] = {}
        self.links: dict[str, Link] = {}
        self.registries: list[Registry] = []
        self.root: tuple[Value, ...] = ()

    def store(self, name: str) -> RecordStore:
        path = self._directory / f"{name}.db"
        path.write_bytes(_migrated())
        registry = Registry.open(path)
        self.registries.append(registry)
        self.stores[name] = RecordStore(registry)
        return self.stores[name]

    async def serve(self, group: anyio.abc.TaskGroup, name: str, link, **more) -> int:
        self.links[name] = link
        await self.listen(group, name, Listener(link, self.host, 0, **more))
        return self.ports[name]

    async def listen(self, group: anyio.abc.TaskGroup, name: str, listener: Listener) -> None:
        """Runs ``listener`` as the node ``name`` until `stop`."""
        scope, ended = anyio.CancelScope(), anyio.Event()
        self._scopes[name], self._ended[name] = scope, ended
        self.listeners[name] = listener

        async def run(*, task_status=anyio.TASK_STATUS_IGNORED) -> None:
            try:
                with scope:
                    await listener.run(task_status=task_status)
            finally:
                ended.set()

        await group.start(run)
        self.ports[name] = listener.port

    async def stop(self, name: str) -> None:
        """Its sockets are closed when this returns."""
        self._scopes[name].cancel()
        await self._ended[name].wait()

    def client(self) -> Follow:
        return Follow(self.root, Client(tries=QUICK, tcp_seconds=5))

    def delegate(self, above: str, prefix: str, below: str, *more: Value) -> None:
        """Node ``above`` names ``below`` as the service of ``prefix``, and of what is derived from it."""
        port = self.ports[below]
        own = {"address": self.host}
        values = [site(port, **own), site(port, kind="HS_SITE.PREFIX", index=2, **own), *more]
        self.stores[above].create(f"0.NA/{prefix}", values)

    def follow(self) -> Follow:
        """How nodes find what others keep: the root data are known only once the root listens."""
        return _Later(self)

    def forget(self) -> None:
        """As if the minute were over for which a node believes what others say of keys and administrators."""
        for name in ("root", "top", "second", "enterprise"):
            self.links[name]._next._next._lookup._kept.clear()

    def administer(self, identity: Identity) -> Administer:
        return Administer(self.client(), connection, identity)


class _Later(Follow):
    """Follows from the root of a hierarchy that is still being started."""

    def __init__(self, plant: Hierarchy) -> None:
        self._plant = plant

    def __getattr__(self, name: str):
        if name in ("_root", "_ask", "_services", "_latency", "_questions"):
            self.__dict__.update(self._plant.client().__dict__)
            return self.__dict__[name]
        raise AttributeError(name)


ADMINISTRATOR = Reference("0.NA/88.111.1", 300)
"""Whose key the second level keeps in the record of the enterprise's prefix."""

NODE_KEY = Reference("0.NA/88.111", 300)
"""Who runs the second-level and the enterprise node."""


@cache
def _migrated() -> bytes:
    """A registry that is migrated already: a copy of it costs nothing."""
    with tempfile.TemporaryDirectory() as directory:
        registry = Registry.open(Path(directory) / "registry.db")
        registry.backup(Path(directory) / "copy.db")
        registry.close()
        return (Path(directory) / "copy.db").read_bytes()


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_key(key=None, index: int = 300) -> Value:
    public = key.public if isinstance(key, sm2.PrivateKey) else (key or private_key()).public_key()
    return text("HS_PUBKEY", PublicKey.of(public).pack(), index)


def admin(who: Reference, permissions: int = 0xFFF, index: int = 100) -> Value:
    return text("HS_ADMIN", Admin(who.handle, who.index, permissions).pack(), index)


def identity(who: Reference = ADMINISTRATOR, key=None) -> KeyIdentity:
    return KeyIdentity(who.handle, who.index, signer_for(key or private_key()))


@contextlib.asynccontextmanager
async def hierarchy(directory: Path, host: str = "127.0.0.1") -> AsyncIterator[Hierarchy]:
    """88 at the top, 88.111 at the second level, 88.111.1 at an enterprise with a few records; all of them at ``host``."""
    made = Hierarchy(directory, host)
    async with anyio.create_task_group() as group:
        for name, homed in (("root", "0.NA"), ("top", "88"), ("second", "88.111")):
            made.store(name).home(homed)
            await made.serve(group, name, delegating(made.stores[name], [NODE_KEY], made.follow(), signer_for(private_key())))
        made.store("enterprise").home("88.111.1")
        own = enterprise(made.stores["enterprise"], [NODE_KEY], made.follow(), signer_for(private_key()))
        await made.serve(group, "enterprise", own)
        made.root = unpack_root_info(pack_root_info([site(made.ports["root"], address=host)]))
        made.delegate("root", "88", "top")
        made.delegate("top", "88.111", "second", admin(NODE_KEY, 0x1FFF), public_key())
        own = [site(made.ports["enterprise"], address=host), admin(ADMINISTRATOR, 0x1FFF), public_key()]
        made.stores["second"].create("0.NA/88.111.1", own)
        made.stores["enterprise"].create_many(
            [
                ("88.111.1/ITEM7", [text("URL", URL), text("HS_ADMIN", b"secret", 100, permissions=12)]),
                ("88.111.1/alias", [text("HS_ALIAS", "88.111.1/item7")]),
                ("88.111.1/round", [text("HS_ALIAS", "88.111.1/about")]),
                ("88.111.1/about", [text("HS_ALIAS", "88.111.1/round")]),
                ("88.111.1/large", [text("URL", bytes([65 + number % 26]) * 900, number) for number in range(1, 30)]),
            ]
        )
        await made.serve(group, "recursive", recursive(made.root, Client(tries=QUICK, tcp_seconds=5)))
        try:
            yield made
        finally:
            group.cancel_scope.cancel()
    for registry in made.registries:
        registry.close()


def question(handle: str, flags: int = OpFlag.PUBLIC_ONLY.value, **more) -> Message:
    return request(OpCode.RESOLVE, ResolveRequest(handle, **more), request_id=7, expiration=2_000_000_000, flags=flags)


async def asked(plant: Hierarchy, node: str, message: Message, transport: Transport = Transport.UDP) -> Message:
    return await Client(tries=QUICK, tcp_seconds=5)(Target("127.0.0.1", plant.ports[node], transport), message)
