"""nats-server as a node runs it, with the accounts that trust makes, for the tests of spine and ingest."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import bcrypt
import msgspec
from free_ports import free_port

from hulian.assembly.accounts import convert
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.mqtt_input import topic_filter_subjects
from hulian.network.exchange.spine.server import admit, prepare, wait_ready
from hulian.network.exchange.spine.streams import declare
from hulian.network.exchange.spine.tls import SpineTrust
from hulian.trust import spine_accounts

ORGANISATION = "Werk 1"
DEVICE_PASSWORD = "a device's password"


class NatsNode:
    """The spine below ``directory``. `kill` is kill -9, `start` brings it back on the same ports."""

    def __init__(self, directory: Path, *, trust: SpineTrust | None = None, **settings: Any) -> None:
        self.directory = directory / "spine"
        self.trust = trust
        self.configuration = msgspec.structs.replace(SpineConfiguration(port=free_port(), mqtt_port=free_port()), **settings)
        publish = tuple(subject for topic in ("plant/#",) for subject in topic_filter_subjects(topic))
        subscribe = (*topic_filter_subjects("orders/#"), "$MQTT.sub.>", "$MQTT.deliver.>")
        hashed = bcrypt.hashpw(DEVICE_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        device = spine_accounts.SpineUser(
            name="device", password_hash=hashed, publish=publish, subscribe=subscribe, device=True
        )
        self.accounts = spine_accounts.SpineAccounts(directory / "secrets", ORGANISATION, lambda: [device])
        self.users = [convert(user) for user in self.accounts.users()]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.configuration.url

    def password(self, component: str) -> str:
        return self.accounts.password(component)

    async def start(self) -> None:
        """Runs the server; devices are let in where the store on disk keeps their messages."""
        argv = prepare(self.configuration, self.users, self.directory)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        await wait_ready(self.url, "supervisor", self.password("supervisor"), tls=self.trust)

    async def open(self, mqtt: dict[str, list[str]] | None = None) -> None:
        """Runs the server, declares the streams, lets devices in."""
        await self.start()
        async with await self.connect("supervisor") as spine:
            await declare(spine, self.configuration, ORGANISATION, mqtt={"mqtt": []} if mqtt is None else mqtt)
        if self.configuration.mqtt_port:
            admit(self.configuration, self.users, self.directory)
            await asyncio.sleep(0.1)

    async def connect(self, component: str) -> Spine:
        return await Spine.connect(self.url, component, self.password(component), component, tls=self.trust)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
