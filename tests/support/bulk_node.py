"""A node with the HTTP face in a process of its own, to be killed: python bulk_node.py DIRECTORY. Its port is printed."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from hulian.network.identifiers.nodes.tiers import enterprise_inside
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.server import RestListener
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

USER = Reference("88.111.1/ADMIN", 300)


async def main(directory: Path) -> None:
    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111.1")
    if store.packed(key_of(USER.handle)) is None:
        store.create(USER.handle, [Value(index=300, type="HS_SECKEY", data=b"secret", permissions=12)])
    inside = enterprise_inside(store, [USER])
    node = Node(
        answering=inside.answering, proofs=inside.proofs, authority=inside.authority, store=store, gs1_prefix="88.111.1"
    )
    listener = RestListener(Application(node), "127.0.0.1", 0)
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        print(listener.port, flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
