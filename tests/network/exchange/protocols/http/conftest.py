"""A listener on a free port, a sink that remembers, and a client."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mqtt_support import RecordingSink

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.http import protocol
from hulian.network.exchange.protocols.http.config import HttpConfiguration


class Bench:
    """Runs listeners at one place, with what they remember."""

    def __init__(self, memory: Path, port: int) -> None:
        self.memory = memory
        self.port = port
        self.token = "s3cret"
        self.user = ""
        self.trust = None

    def environment(self) -> Environment:
        return Environment(
            organisation="test",
            connector="push",
            credentials=Credentials(user=self.user, password=self.token),
            trust=self.trust,
            directory=self.memory,
        )

    @asynccontextmanager
    async def running(self, sink, bindings, *, scheme="http", **settings):
        connector = protocol.connector(
            f"{scheme}-push://127.0.0.1:{self.port}", HttpConfiguration(**settings), bindings, self.environment()
        )
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            try:
                await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
                async with self.client(scheme) as client:
                    yield client
            finally:
                group.cancel_scope.cancel()

    def client(self, scheme="http"):
        insecure = ssl.create_default_context()
        insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        return httpx.AsyncClient(
            base_url=f"{scheme}://127.0.0.1:{self.port}", headers=headers, verify=insecure, timeout=30, trust_env=False
        )


def point(series: int, address: str, storage: StorageClass = StorageClass.DOUBLE, **options) -> Binding:
    return Binding(series=series, address=address, storage=storage, options=options)


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def bench(tmp_path, ports) -> Bench:
    return Bench(tmp_path / "memory", ports())


@pytest.fixture(name="point")
def _point():
    return point
