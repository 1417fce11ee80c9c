"""A directory that may be read, a sink that remembers, and a connector on both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mqtt_support import RecordingSink

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
from hulian.network.exchange.protocols.files import protocol
from hulian.network.exchange.protocols.files.config import FilesConfiguration

QUICK = {"poll": 0.02, "settle": 0.1, "reconnect_first": 0.05, "reconnect_most": 0.2}


class Bench:
    """Runs connectors over one directory, with what they remember."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "drop"
        self.directory.mkdir()
        self.memory = directory / "memory"

    def environment(self) -> Environment:
        return Environment(
            organisation="test",
            connector="files",
            credentials=Credentials(),
            trust=None,  # type: ignore[arg-type]
            extras={"files.directories": (self.directory,)},
            directory=self.memory,
        )

    @asynccontextmanager
    async def running(self, sink, name, bindings, **settings):
        connector = protocol.connector(
            f"file://{self.directory}/{name}", FilesConfiguration(**{**QUICK, **settings}), bindings, self.environment()
        )
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            try:
                yield connector
            finally:
                group.cancel_scope.cancel()


def column(series: int, name: str, storage: StorageClass = StorageClass.DOUBLE, **options) -> Binding:
    return Binding(series=series, address=f"column={name}", storage=storage, options=options)


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(name="column")
def _column():
    return column
