"""A sink that remembers, and a connector on a source of this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import asynccontextmanager

import anyio

from hulian.kernel.event import Event
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.contract import ConnectorStatus, Credentials, Environment
from hulian.network.exchange.protocols.mqtt import protocol
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration


class RecordingSink:
    """What a connector said."""

    fill = 0.0

    def __init__(self, position: int | None = None) -> None:
        self.position = position
        self.columns: list[Columns] = []
        self.events: list[Event] = []
        self.statuses: list[ConnectorStatus] = []

    def samples(self, columns: Columns) -> None:
        assert len(columns)
        self.columns.append(columns)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def status(self, status: ConnectorStatus) -> None:
        self.statuses.append(status)

    async def commit(self, position: int | None = None) -> None:
        self.position = position if position is not None else self.position

    def of(self, series: int) -> list[tuple[int, object, int]]:
        """Every sample of a series: time, value, status."""
        return [
            (int(time), value, int(status))
            for columns in self.columns
            for identity, time, value, status in zip(
                columns.series, columns.time, columns.value.to_pylist(), columns.status, strict=True
            )
            if int(identity) == series
        ]

    def last(self, series: int) -> tuple[object, int] | None:
        found = self.of(series)
        return (found[-1][1], found[-1][2]) if found else None

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Waits for a condition with a deadline."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s: {self.statuses[-1:]}, {self.events[-3:]}"
            await anyio.sleep(0.005)


def environment(source: object) -> Environment:
    return Environment(
        organisation="test",
        connector="devices",
        credentials=Credentials(),
        trust=None,  # type: ignore[arg-type]
        extras={"mqtt.source": source} if source is not None else {},
    )


@asynccontextmanager
async def running(source, bindings, sink, **settings):
    connector = protocol.connector("mqtt://", MqttConfiguration(**settings), bindings, environment(source))
    async with anyio.create_task_group() as scope:
        scope.start_soon(connector.run, sink)
        yield connector
        scope.cancel_scope.cancel()
