"""The edge's side and the approvals of a person, as the contract suite has them, and the foreign peer."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

TESTS = Path(__file__).parents[4]


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_contracts = _load("hulian_contracts_conftest", TESTS / "contracts" / "conftest.py")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sink() -> Any:
    return _contracts.RecordingSink()


@pytest.fixture
def trust() -> Any:
    return _contracts.MemoryTrust()


@pytest.fixture
def environment() -> Any:
    return _contracts.environment_of


@pytest.fixture
def running() -> Any:
    @asynccontextmanager
    async def run(connector: Any, sink: Any) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            try:
                yield
            finally:
                group.cancel_scope.cancel()

    return run


@pytest.fixture(scope="session")
def node_opcua() -> Any:
    module = _load("hulian_peer_node_opcua", TESTS / "peers" / "node-opcua" / "peer.py")
    if reason := module.missing():
        pytest.skip(reason)
    return module.NodeOpcua


@pytest.fixture(scope="session")
def replayer() -> Any:
    return _load("hulian_opcua_replayer", TESTS / "support" / "opcua_replayer.py")
