"""A second-level node for 88.111 with every interface, in a process of its own: python office_node.py DIRECTORY.

Its HTTP port is printed. Its administrator is 300:88.111/ADMIN, a secret key.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.nodes.tiers import delegating_inside
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Node, Signing
from hulian.network.identifiers.transport.rest.server import RestListener
from hulian.network.identifiers.wire.authentication import signer_for
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

USER = Reference("88.111/ADMIN", 300)


async def main(directory: Path) -> None:
    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111")
    store.create(USER.handle, [Value(index=300, type="HS_SECKEY", data=b"secret", permissions=12)])
    inside = delegating_inside(store, [USER])
    key = rsa.generate_private_key(65537, 2048)
    packed = PublicKey.of(key.public_key()).pack()
    node = Node(
        answering=inside.answering,
        proofs=inside.proofs,
        authority=inside.authority,
        store=store,
        applications=10,
        interfaces=frozenset(("second-level", "enterprise")),
        signing=Signing(signer=signer_for(key), public=key.public_key(), packed=packed),
    )
    listener = RestListener(Application(node), "127.0.0.1", 0)
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        print(listener.port, flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
