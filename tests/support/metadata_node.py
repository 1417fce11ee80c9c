"""A node of a plant of its own, root and enterprise in one, in a process of its own: python metadata_node.py DIRECTORY.

It writes its root data to DIRECTORY/root_info, and prints the port of its HTTP face.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
from cryptography.hazmat.primitives.asymmetric import rsa
from free_ports import free_port

from hulian.network.identifiers.nodes.beginning import begin_root
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.root_info import pack_root_info
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

PEOPLE = {"ADMIN": b"secret", "buyer": b"bought", "stranger": b"known"}


async def main(directory: Path) -> None:
    registry = Registry.open(directory / "node.db")
    store = RecordStore(registry)
    key = await anyio.to_thread.run_sync(rsa.generate_private_key, 65537, 2048)
    port = free_port()
    root = begin_root(store, "88.111.1", key, "127.0.0.1", port)
    (directory / "root_info").write_bytes(pack_root_info(root))
    for name, secret in PEOPLE.items():
        store.create(f"88.111.1/{name}", [Value(index=300, type="HS_SECKEY", data=secret, permissions=12)])
    configuration = IdentifiersConfiguration(port=port, rest_port=free_port(), rest_tls=False)
    node = NodeService(configuration, store, root, [Reference("88.111.1/ADMIN", 300)], signer_for(key))
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while not node.rest_port:
            await anyio.sleep(0.01)
        print(node.rest_port, flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
