"""A started enterprise node with its carriers' listeners, on loopback, and a factory of carriers beside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
from cryptography.hazmat.primitives import serialization
from free_ports import free_port
from identifier_nodes import _migrated, private_key

from hulian.kernel.configuration import resolve_secret
from hulian.network.identifiers.active.carriers import Carriers
from hulian.network.identifiers.active.certificates import CarrierAuthority
from hulian.network.identifiers.active.contents import NodeSigner
from hulian.network.identifiers.active.desk import Desk
from hulian.network.identifiers.active.device import Carrier, Store, TcpLink
from hulian.network.identifiers.active.errors import DeliveryError, RefusedReportError
from hulian.network.identifiers.active.provision import Factory, read_list
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.active import ActiveService, NodeRecords
from hulian.network.identifiers.nodes.beginning import admin_value, begin_root, node_key
from hulian.network.identifiers.nodes.configuration import ActiveConfiguration, IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.registry import Registry
from hulian.trust import CertificateAuthority
from hulian.trust.audit import Audit

PREFIX = "99.118.8"


class Sink:
    """Remembers what it took, by identity; refuses what it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.reports: dict[str, tuple] = {}
        self.down = False
        self.never: set[str] = set()

    async def deliver(self, identity, report, received) -> None:
        if self.down:
            raise DeliveryError("down")
        if identity in self.never:
            raise RefusedReportError("never")
        self.calls.append(identity)
        self.reports[identity] = tuple((item.name, item.value) for item in report.items)


class Works:
    """The node, and what tests need of it. Its registry and files are below ``directory``."""

    def __init__(self, directory: Path, **settings) -> None:
        self.directory = directory
        database = directory / "node.db"
        if not database.exists():
            database.write_bytes(_migrated())
        self.registry = Registry.open(database)
        self.store = RecordStore(self.registry)
        self.local = CertificateAuthority(directory / "ca", "Test")
        self.authority = CarrierAuthority(directory / "carriers.pem", "Test")
        self.key = _kept_key(directory / "node.pem")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.trust = [self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()]
        self.sink: Sink | None = Sink()
        settings.setdefault("port", free_port())
        self.settings = ActiveConfiguration(**settings)
        self.port = free_port()
        self.carriers = Carriers(self.registry, most_waiting=self.settings.waiting)
        self.root = begin_root(self.store, PREFIX, self.key, "127.0.0.1", self.port)
        self.audit = Audit(self.registry, b"k" * 32, directory / "audit.head")
        self.role = Role.PRIVATE
        self.service: ActiveService | None = None

    def _certificate(self):
        found = self.local.server_certificate([], "carriers")
        return found.certificate, found.key

    def _attend(self, inside):
        desk = Desk(
            self.carriers,
            NodeRecords(inside, node_key(PREFIX)),
            self.authority,
            NodeSigner(signer_for(self.key)),
            self.trust,
            admin_value(node_key(PREFIX)),
            lambda identifier: f"https://data.example/points?thing={identifier}",
            trail=self.audit,
        )
        follow = Follow(self.root, Client(tries=(1.0, 2.0), tcp_seconds=10))
        self.service = ActiveService(
            self.settings, desk, inside, follow, self._certificate, self.sink, password=self._password()
        )
        return self.service.run

    def _password(self) -> str:
        return resolve_secret(self.settings.mqtt_password) if self.settings.mqtt_password else ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Works]:
        configuration = IdentifiersConfiguration(port=self.port, rest_port=0, role=self.role)
        node = NodeService(configuration, self.store, self.root, [node_key(PREFIX)], signer_for(self.key), attend=self._attend)
        async with anyio.create_task_group() as group:
            await group.start(node.run)
            await self.until(lambda: self.service.ready)
            try:
                yield self
            finally:
                group.cancel_scope.cancel()

    @staticmethod
    async def until(condition, seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "it did not come about"
            await anyio.sleep(0.01)

    # -- carriers ------------------------------------------------------------------------------------------------------

    def factory(self) -> Factory:
        return Factory(self.carriers, self.authority, ca=self.local.root_pem().decode(), trust=self.trust)

    def provision(self, *serials: str, passphrase: bytes = b"", **about: str) -> list[Path]:
        head = ",".join(["serial", *about])
        lines = [",".join([serial, *about.values()]) for serial in serials]
        listed = read_list("\n".join([head, *lines]).encode(), f"{PREFIX}/ACT-")
        return self.factory().make(listed, self.directory / "made", passphrase)

    def link(self) -> TcpLink:
        return TcpLink("127.0.0.1", self.settings.port, self.local.root_pem().decode(), seconds=10)

    def carrier(self, serial: str, link=None, passphrase: bytes = b"") -> Carrier:
        return Carrier(Store(self.directory / "made" / serial, passphrase), link or self.link())

    async def resolve(self, identifier: str):
        from hulian.network.identifiers.wire.bodies import ResolveRequest

        return await Follow(self.root, Client(tries=(1.0, 2.0), tcp_seconds=10)).resolve(ResolveRequest(identifier))


def _kept_key(path: Path):
    """The node's key, the same one in every process that comes here."""
    if not path.exists():
        form = serialization.PrivateFormat.PKCS8
        path.write_bytes(private_key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return serialization.load_pem_private_key(path.read_bytes(), None)


async def blocking(call, *arguments):
    """A carrier's own code knows no event loop."""
    return await anyio.to_thread.run_sync(call, *arguments)
