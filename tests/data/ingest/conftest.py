"""A real spine, and the historian's process as a node runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        made.append(NatsNode(tmp_path / f"node-{len(made)}", mqtt_port=0, **settings))
        return made[-1]

    yield make
    for node in made:
        node.stop()


@pytest.fixture
def make_historian() -> Iterator[Callable[..., Any]]:
    from historian_process import HistorianProcess

    made: list[HistorianProcess] = []

    def make(node: NatsNode, **settings: Any) -> HistorianProcess:
        made.append(HistorianProcess(node, **settings))
        return made[-1]

    yield make
    for process in made:
        process.stop()
