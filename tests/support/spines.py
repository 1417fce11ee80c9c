"""A real spine for tests: nats-server with the accounts that trust makes, streams declared."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

from hulian.assembly.accounts import convert
from hulian.network.exchange.spine import server
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.streams import declare
from hulian.trust.spine_accounts import SpineAccounts


class SpineServer:
    """nats-server below ``directory``; can be killed and started again on the same port."""

    def __init__(self, directory: Path, port: int, *, organisation: str = "plant", **settings) -> None:
        self.directory = directory
        self.organisation = organisation
        self.settings = SpineConfiguration(port=port, mqtt_port=0, **settings)
        self.accounts = SpineAccounts(directory / "secrets", organisation)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        users = [convert(user) for user in self.accounts.users()]
        command = server.prepare(self.settings, users, self.directory / "spine", devices=False)
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=(log := (self.directory / "nats.log").open("ab")), stderr=log
        )
        await server.wait_ready(self.settings.url, "supervisor", self.accounts.password("supervisor"))
        async with await self.connect("supervisor") as spine:
            await declare(spine, self.settings, self.organisation)

    async def connect(self, component: str) -> Spine:
        return await Spine.connect(self.settings.url, component, self.accounts.password(component), component)

    async def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()


@contextlib.asynccontextmanager
async def spine_server(directory: Path, port: int, **settings):
    running = SpineServer(directory, port, **settings)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
