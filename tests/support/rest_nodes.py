"""The HTTP face of a node of the test hierarchy, over loopback, with certificates of a CA of its own."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
from identifier_nodes import NODE_KEY, Hierarchy, admin, public_key, text

from hulian.network.identifiers.nodes.tiers import enterprise_inside
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.server import RestListener, Tls
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference
from hulian.trust.certificates import CertificateAuthority

USER = Reference("88.111.1/ADMIN", 301)
"""Who may do everything at the enterprise by the group of its prefix; 300 is a public key, 301 a secret one."""

SECRET = "Größe & ünß/77"
STRANGER = Reference("88.111.1/STRANGER", 301)


class Face:
    """Where the HTTP face of the enterprise listens."""

    def __init__(self, listener: RestListener, root: Path, node: Node) -> None:
        self.port = listener.port
        self.url = f"https://127.0.0.1:{self.port}"
        self.plain = f"http://127.0.0.1:{self.port}"
        self.root = root
        self.node = node

    def client(self, **more) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.root))
        if cert := more.pop("cert", None):
            context.load_cert_chain(*cert)
        return httpx.AsyncClient(base_url=self.url, verify=context, **more)


def basic(who: Reference = USER, secret: str = SECRET) -> httpx.BasicAuth:
    return httpx.BasicAuth(str(who).replace(":", "%3A"), secret)


def people(plant: Hierarchy) -> None:
    """An administrator with a public and a secret key, who may do everything, and somebody who may do nothing."""
    store = plant.stores["enterprise"]
    store.create(
        USER.handle,
        [
            text("DESC", "the administrator"),
            public_key(),
            text("HS_SECKEY", SECRET, 301, permissions=12),
            admin(USER, 0x1FFF, 100),
            admin(Reference(USER.handle, 300), 0x1FFF, 101),
        ],
    )
    store.create(STRANGER.handle, [text("DESC", "somebody"), text("HS_SECKEY", "known", 301, permissions=12)])
    second = plant.stores["second"]
    values = [*_values(second, "0.NA/88.111.1"), admin(USER, 0x1FFF, 102), admin(Reference(USER.handle, 300), 0x1FFF, 103)]
    second.create("0.NA/88.111.1", values, overwrite=True)


def _values(store, handle):
    from hulian.network.identifiers.store import key_of
    from hulian.network.identifiers.wire.values import unpack_values

    return unpack_values(store.packed(key_of(handle)))


@contextlib.asynccontextmanager
async def face(plant: Hierarchy, directory: Path, *, clients: str = "", gs1_prefix: str = "") -> AsyncIterator[Face]:
    """Serves the enterprise of ``plant`` over HTTP and HTTPS."""
    people(plant)
    authority = CertificateAuthority(directory / "ca", "Test")

    def files() -> tuple[Path, Path]:
        issued = authority.server_certificate(["127.0.0.1"])
        return issued.certificate, issued.key

    root = directory / "root.pem"
    await anyio.to_thread.run_sync(files)
    root.write_bytes(authority.root_pem())
    inside = enterprise_inside(plant.stores["enterprise"], [NODE_KEY], plant.follow())
    site = Site.unpack(_values(plant.stores["second"], "0.NA/88.111.1")[0].data)
    node = Node(
        answering=inside.answering,
        proofs=inside.proofs,
        authority=inside.authority,
        store=plant.stores["enterprise"],
        site=site,
        gs1_prefix=gs1_prefix,
    )
    listener = RestListener(Application(node), "127.0.0.1", 0, Tls(files=files, clients=clients))
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        yield Face(listener, root, node)
        group.cancel_scope.cancel()
