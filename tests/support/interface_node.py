"""An enterprise node with the interfaces of the national system, as a component on free ports of loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio
import httpx
from applicants import free_port
from identifier_nodes import NODE_KEY, URL, admin, private_key, public_key, text
from rest_nodes import SECRET, STRANGER, USER

from hulian.network.identifiers.nodes.beginning import site_value
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Interface, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference

OWNER = Reference(USER.handle, 300)
"""The administrator by the public key; `USER` is the same one by the secret key."""


def furnish(store: RecordStore) -> None:
    """The records of an enterprise: its prefix, who may do everything and who nothing, and a few to try things on."""
    store.home("88.111.1")
    store.create_many(
        [
            ("0.NA/88.111.1", [admin(USER, 0x1FFF), admin(OWNER, 0x1FFF, 101)]),
            (USER.handle, [public_key(), text("HS_SECKEY", SECRET, 301, permissions=12)]),
            (STRANGER.handle, [text("HS_SECKEY", "known", 301, permissions=12)]),
            ("88.111.1/ITEM7", [text("URL", URL)]),
            ("88.111.1/alias", [text("HS_ALIAS", "88.111.1/item7")]),
        ]
    )


@contextlib.asynccontextmanager
async def served(store: RecordStore, *interfaces: Interface) -> AsyncIterator[httpx.AsyncClient]:
    """The enterprise whose records are in ``store``, over HTTP."""
    port = free_port()
    settings = IdentifiersConfiguration(role=Role.ENTERPRISE, port=0, rest_port=port, rest_interfaces=interfaces)
    site = Site.unpack(site_value("127.0.0.1", 2641, private_key()).data)
    service = NodeService(settings, store, (), [NODE_KEY], signer_for(private_key()), site)
    async with anyio.create_task_group() as group:
        await group.start(service.run)
        with anyio.fail_after(10):
            while not service.rest_port:
                await anyio.sleep(0.01)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            yield http
        group.cancel_scope.cancel()
