"""A real nats-server for each test, on ports that the system chooses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from nats_node import NatsNode

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Callable[..., NatsNode]]:
    made: list[NatsNode] = []

    def make(**settings: Any) -> NatsNode:
        made.append(NatsNode(tmp_path / f"node-{len(made)}", **settings))
        return made[-1]

    yield make
    for node in made:
        node.stop()


@pytest.fixture
async def node(make_node: Callable[..., NatsNode], anyio_backend: str) -> AsyncIterator[NatsNode]:
    one = make_node()
    await one.open()
    yield one
    one.stop()
