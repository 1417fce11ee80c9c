"""A node that counts, in a process of its own, to be killed: python counting_node.py DIRECTORY. Prints its ports."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import structlog
from free_ports import free_port

from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

ADMINISTRATOR = Reference("88.111.1/ADMIN", 300)
SOMEBODY = Reference("88.111.1/SOMEBODY", 300)


def service(directory: Path, **settings) -> NodeService:
    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111.1")
    for who, secret in ((ADMINISTRATOR, b"secret"), (SOMEBODY, b"known")):
        if store.packed(key_of(who.handle)) is None:
            store.create(who.handle, [Value(index=300, type="HS_SECKEY", data=secret, permissions=12)])
    configuration = IdentifiersConfiguration(
        port=0, role=Role.ENTERPRISE, rest_port=free_port(), rest_tls=False, exempt=("127.0.0.0/8",), **settings
    )
    return NodeService(configuration, store, administrators=[ADMINISTRATOR])


async def main(directory: Path) -> None:
    node = service(directory)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while not node.rest_port:
            await anyio.sleep(0.02)
        print(node.listener.port, node.rest_port, flush=True)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    anyio.run(main, Path(sys.argv[1]))
