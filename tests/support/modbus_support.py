"""A sink that remembers, a connector in its scope, and a real pymodbus server in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from hulian.kernel.event import Event
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.contract import ConnectorStatus
from hulian.network.exchange.protocols.modbus import protocol
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration

FAST = {"interval": 0.05, "timeout": 0.5, "reconnect_first": 0.05, "reconnect_most": 0.2, "bad_after": 0.5}


@asynccontextmanager
async def running(url, bindings, environment, sink, **settings):
    connector = protocol.connector(url, ModbusConfiguration(**(FAST | settings)), bindings, environment)
    async with anyio.create_task_group() as scope:
        scope.start_soon(connector.run, sink)
        yield connector
        scope.cancel_scope.cancel()


class RecordingSink:
    """What a connector said."""

    position: int | None = None

    def __init__(self) -> None:
        self.columns: list[Columns] = []
        self.events: list[Event] = []
        self.statuses: list[ConnectorStatus] = []

    def samples(self, columns: Columns) -> None:
        self.columns.append(columns)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def status(self, status: ConnectorStatus) -> None:
        self.statuses.append(status)

    async def commit(self, position: int | None = None) -> None:
        self.position = position

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


class Pymodbus:
    """``tables`` in a pymodbus server: {"h": {address: [registers]}, "i": …, "c": {address: [bools]}, "d": …}."""

    def __init__(self, tables: dict, units: tuple[int, ...]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._argument = json.dumps({"port": self.port, "tables": tables, "units": units})
        self.process: subprocess.Popen | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"modbus://127.0.0.1:{self.port}"

    def start(self) -> None:
        script = Path(__file__).with_name("pymodbus_server.py")
        self.process = subprocess.Popen([sys.executable, str(script), self._argument], stdout=subprocess.PIPE)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return
            except OSError:
                assert self.process.poll() is None, "the pymodbus server did not start"
                time.sleep(0.05)
        raise AssertionError("the pymodbus server did not open its port")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
