"""Three enterprises on three nodes, each with an HTTP face, below the nodes of `identifier_nodes`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from functools import cache
from pathlib import Path

import anyio
import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from identifier_nodes import NODE_KEY, Hierarchy, admin, hierarchy, identity, public_key, site, text
from rest_nodes import SECRET, basic

from hulian.network.identifiers.nodes.tiers import Inside, enterprise_inside, outside
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.server import RestListener
from hulian.network.identifiers.wire.values import Reference, Value

PREFIXES = ("88.111.1", "88.111.2", "88.111.3")


@cache
def key() -> ec.EllipticCurvePrivateKey:
    """The key of everybody: to sign with it takes a hundredth of what RSA takes."""
    return ec.generate_private_key(ec.SECP256R1())


def owner(prefix: str) -> Reference:
    """Who may do everything in the records of an enterprise, over the protocol."""
    return Reference(f"{prefix}/owner", 300)


def secret(who: Reference) -> httpx.BasicAuth:
    return basic(Reference(who.handle, 301), SECRET)


class Enterprises:
    """The hierarchy, a store and a face for each prefix."""

    def __init__(self, plant: Hierarchy) -> None:
        self.plant = plant
        self.stores: dict[str, RecordStore] = {}
        self.inside: dict[str, Inside] = {}
        self.urls: dict[str, str] = {}

    def administer(self, who: Reference):
        return self.plant.administer(identity(who, key()))

    def http(self, prefix: str, **more) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.urls[prefix], timeout=30, verify=False, **more)

    def people(self, prefix: str, *names: str) -> None:
        for name in names:
            keys = [public_key(key()), text("HS_SECKEY", SECRET, 301, permissions=12)]
            self.stores[prefix].create(f"{prefix}/{name}", keys)


@contextlib.asynccontextmanager
async def enterprises(directory: Path) -> AsyncIterator[Enterprises]:
    async with hierarchy(directory) as plant, anyio.create_task_group() as group:
        made = Enterprises(plant)
        for prefix in PREFIXES:
            first = prefix == "88.111.1"
            name = "enterprise" if first else prefix
            if first:
                # The hierarchy's own node of this prefix is another one: what it keeps is moved to ours.
                await plant.stop(name)
            store = made.stores[prefix] = plant.stores[name] if first else plant.store(name)
            store.home(prefix)
            inside = made.inside[prefix] = enterprise_inside(store, [NODE_KEY], plant.follow())
            port = await plant.serve(group, name, outside(inside))
            values = [site(port), admin(Reference(owner(prefix).handle), 0x1FFF), public_key()]
            plant.stores["second"].create(f"0.NA/{prefix}", values, overwrite=True)
            made.people(prefix, "owner")
            node = Node(
                answering=inside.answering, proofs=inside.proofs, authority=inside.authority, store=store, search=inside.search
            )
            listener = RestListener(Application(node), "127.0.0.1", 0)
            await group.start(listener.run)
            made.urls[prefix] = f"http://127.0.0.1:{listener.port}"
        yield made
        group.cancel_scope.cancel()


def template(*attributes: dict, index: int = 1, **more) -> Value:
    return text("HULIAN.TEMPLATE", json.dumps({"attributes": attributes, **more}), index)


def follows(handle: str, version: int = 1, index: int = 50) -> Value:
    return text("HULIAN.RECORD", f"{version}:{handle}", index)


def grant(to: Sequence[Reference], index: int = 60, **rights: Sequence[str | int]) -> Value:
    return text("HULIAN.GRANT", json.dumps({"to": [str(one) for one in to], **rights}), index)
