"""An edge in a process of its own, so that it can be killed. Its connectors are in a JSON file that the test changes."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import anyio


class EdgeProcess:
    """The edge of ``server`` below ``directory``; ``connectors`` is what it reads at each reload: names to URLs."""

    def __init__(self, directory: Path, server) -> None:
        self.directory = directory
        self.server = server
        self.plans = directory / "plans.json"
        self.process: subprocess.Popen | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def configure(self, **connectors: str) -> None:
        self.plans.write_text(json.dumps(connectors))

    def start(self) -> None:
        with (self.directory / "edge.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    __file__,
                    self.server.settings.url,
                    self.server.accounts.password("edge"),
                    str(self.directory),
                ],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """kill -9, where it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def log(self) -> str:
        """What it said so far, the last of it: a failed test shows it."""
        path = self.directory / "edge.log"
        return path.read_text(errors="replace")[-10_000:] if path.exists() else ""

    def journal(self, name: str) -> Path:
        return self.directory / "edge" / name


async def _serve(url: str, password: str, directory: Path) -> None:
    from hulian.assembly.uplink import SpineUplink
    from hulian.kernel.identifier import series_id
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding, Credentials
    from hulian.network.exchange.spine.connection import Spine
    from hulian.network.exchange.spine.publisher import Publisher
    from hulian.platform.edge.config import EdgeConfiguration
    from hulian.platform.edge.contract import ConnectorPlan
    from hulian.platform.edge.service import EdgeService
    from hulian.trust.peers import Peers

    class Plant:
        def plans(self) -> list[ConnectorPlan]:
            address, storage = "holding@0:float32", StorageClass.DOUBLE
            return [
                ConnectorPlan(
                    name=name,
                    protocol="modbus",
                    url=target,
                    settings={"interval": 0.01},
                    credentials=Credentials(),
                    enabled=True,
                    bindings=(Binding(series=series_id("plant", name, address, storage), address=address, storage=storage),),
                )
                for name, target in json.loads((directory / "plans.json").read_text()).items()
            ]

    # Nobody starts this process again, as a supervisor would: it waits for its spine as long as a busy machine may need.
    connecting = Spine.connect(url, "edge", password, "edge", timeout=60.0)
    async with await connecting as spine, Publisher(spine, timeout=3.0) as publisher:
        uplink = SpineUplink(spine, publisher, "plant")
        settings = EdgeConfiguration(flush_ms=1, status_ms=100)
        service = EdgeService("plant", directory / "edge", settings, Plant(), uplink, Peers(directory / "peers"))
        async with anyio.create_task_group() as group:
            await group.start(service.run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("password")
    parser.add_argument("directory", type=Path)
    given = parser.parse_args()
    asyncio.run(_serve(given.url, given.password, given.directory))
