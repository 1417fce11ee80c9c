"""A sink that remembers, and a real pymodbus server in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from modbus_support import Pymodbus, RecordingSink

from hulian.network.exchange.protocols.contract import Credentials, Environment

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def environment() -> Environment:
    return Environment(organisation="test", connector="plc", credentials=Credentials(), trust=None)  # type: ignore[arg-type]


@pytest.fixture
def pymodbus_server() -> Iterator[Callable[..., Pymodbus]]:
    running: list[Pymodbus] = []

    def make(tables: dict, units: tuple[int, ...] = (1,)) -> Pymodbus:
        running.append(Pymodbus(tables, units))
        return running[-1]

    yield make
    for server in running:
        server.stop()
