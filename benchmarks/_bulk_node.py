"""A node with its HTTP face in a process of its own: ``python -m benchmarks._bulk_node DIRECTORY DATABASE PORT``.

It prints its port when it listens.
Its administrator is `USER`, whose secret is `SECRET`; the certificate is made by an authority in DIRECTORY. It ends with its
standard input.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry
from hulian.trust import CertificateAuthority

PREFIX = "88.111.1"
USER = Reference(f"{PREFIX}/ADMIN", 301)
SECRET = b"known to this benchmark alone"


async def _serve(directory: Path, database: str, port: int) -> None:
    import anyio

    store = RecordStore(Registry.open(database))
    store.home(PREFIX)
    store.create(USER.handle, [Value(index=301, type="HS_SECKEY", data=SECRET, permissions=12)])
    authority = CertificateAuthority(directory / "ca", "Benchmark")

    def files() -> tuple[Path, Path]:
        found = authority.server_certificate([], "identifiers")
        return found.certificate, found.key

    settings = IdentifiersConfiguration(port=0, role=Role.ENTERPRISE, rest_port=port)
    node = NodeService(settings, store, administrators=[USER], certificate=files)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while not node.rest_port:
            await anyio.sleep(0.02)
        print(node.rest_port, flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        await anyio.sleep_forever()


if __name__ == "__main__":
    import logging

    import anyio
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    arguments = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    anyio.run(_serve, *arguments, backend_options={"use_uvloop": True})
