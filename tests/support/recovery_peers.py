"""The peers of the recovery law: every protocol that dials over TCP, and what it dials.

A protocol's own ``Simulator`` takes part where it says ``tcp``; where that one lives in this process or in a file, a real
server of the kind that plants have stands here in its place, in the same form. Besides what every simulator offers
(``tests/contracts/conftest.py``):

* ``keeps``: what the peer keeps while nobody is connected, for who comes back: ``""`` nothing, ``"session"`` as long as it
  runs and has not ended our session, ``"disk"`` whatever happens to it;
* with ``logins``: ``await revoke()`` makes the login of ``credentials`` worthless, ``await restore()`` good again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
import postgresql
import psycopg
import pytest
from mqtt_peers import Mosquitto, free_port

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, TableSource

QUICK = {"bad_after": 0.4, "reconnect_first": 0.05, "reconnect_most": 0.3, "retry_first": 0.05, "retry_longest": 0.3}
"""Every protocol's waits under whatever name it has them: what takes ten seconds takes a third of one."""
PATIENCE = {"keep_alive": 0.6, "timeout": 0.8, "connect_seconds": 0.5, "statement_seconds": 0.5}
"""How soon a silent peer is noticed, where the protocol says so at its top level; never longer than its simulator has it."""
BROKER = {"keep_alive": 1, "timeout": 0.8}
"""The same of MQTT, which says so of its broker."""


def quick(configuration: Any) -> Any:
    """The settings of a simulator, quicker yet."""
    fields = configuration.__struct_fields__
    wanted = {name: value for name, value in QUICK.items() if name in fields}
    wanted |= {name: min(value, getattr(configuration, name)) for name, value in PATIENCE.items() if name in fields}
    if "broker" in fields:
        wanted["broker"] = msgspec.structs.replace(configuration.broker, **BROKER)
    return msgspec.structs.replace(configuration, **wanted)


def port_of(peer: Any) -> int:
    """Where a peer listens."""
    return urlsplit(peer.url).port or 0


def through(peer: Any, host: str, port: int) -> str:
    """The peer's URL by another way."""
    return str(peer.url).replace(f"127.0.0.1:{port_of(peer)}", f"{host}:{port}")


class Broker:
    """A mosquitto that asks for a login and keeps sessions and their messages on disk."""

    logins = True
    tcp = True
    keeps = "disk"
    bindings = (Binding(series=1, address="json:plant/pump:pressure", storage=StorageClass.DOUBLE),)
    configuration = MqttConfiguration(topics=("plant/#",))

    def __init__(self, **_: object) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-broker-")
        place = Path(self._directory.name) / "mosquitto"
        self._broker = Mosquitto(place, f"password_file {place / 'passwords'}", anonymous=False)
        self.credentials = Credentials(user="edge", password="first")
        self.extras: dict[str, Any] = {}
        self._own = ("-u", "plant", "-P", "own")

    @property
    def url(self) -> str:
        return self._broker.url

    async def __aenter__(self) -> Broker:
        await asyncio.to_thread(self._broker.users, edge="first", plant="own")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._directory.cleanup()

    async def start(self) -> None:
        await asyncio.to_thread(self._broker.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._broker.kill)

    async def set(self, address: str, value: float) -> None:
        topic, _, path = address.removeprefix("json:").partition(":")
        message = ["-t", topic, "-q", "1", "-m", f'{{"{path}": {value}}}']
        # A process ends when its task is cancelled; a thread would wait for a broker that is gone.
        await anyio.run_process(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self._broker.port), *message, *self._own])

    async def revoke(self) -> None:
        await asyncio.to_thread(self._broker.users, plant="own")
        await asyncio.to_thread(self._until, admitted=False)

    async def restore(self) -> None:
        await asyncio.to_thread(self._broker.users, edge="first", plant="own")
        await asyncio.to_thread(self._until, admitted=True)

    def _until(self, *, admitted: bool) -> None:
        """Until the broker has read its passwords anew."""
        end = time.monotonic() + 20
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self._broker.port), "-t", "x", "-n", "-u", "edge"]
        while (subprocess.run([*command, "-P", "first"], stderr=subprocess.DEVNULL).returncode == 0) is not admitted:
            assert time.monotonic() < end, "the broker does not read its passwords anew"


class Database:
    """A PostgreSQL server on TCP with one table, and a role that may only read it."""

    logins = True
    tcp = True
    keeps = "disk"
    bindings = (Binding(series=1, address="table=readings;column=pressure", storage=StorageClass.DOUBLE),)
    configuration = SqlConfiguration(
        tables=(TableSource(table="readings", by="id", time_format="ns"),),
        poll=0.05,
    )  # fmt: skip

    def __init__(self, **_: object) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._directory = tempfile.TemporaryDirectory(prefix="hulian-pg-", dir=memory)
        self._place = Path(self._directory.name)
        self._port = free_port()
        self._programs = postgresql.programs()
        self._as = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
        self.credentials = Credentials(user="reader")
        self.extras: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"postgresql://127.0.0.1:{self._port}/postgres"

    def _run(self, program: str, *command: object) -> None:
        assert self._programs is not None
        words = [str(part) for part in (self._programs / program, "-D", self._place / "data", *command)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=self._place, **self._as)  # type: ignore[call-overload]

    def _do(self, *statements: str) -> None:
        where = f"host=127.0.0.1 port={self._port} user=hulian dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def _make(self) -> None:
        if self._as:
            shutil.chown(self._place, **self._as)
        self._run("initdb", "-U", "hulian", "--auth=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
        self._start()
        self._do(
            "CREATE TABLE readings (id BIGSERIAL PRIMARY KEY, time BIGINT, pressure DOUBLE PRECISION)",
            "CREATE ROLE reader LOGIN",
            "GRANT SELECT ON readings TO reader",
        )

    def _start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self._port} -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-w", "-o", options, "-l", self._place / "log", "start")

    async def __aenter__(self) -> Database:
        if self._programs is None:
            pytest.skip("PostgreSQL is not installed")
        await asyncio.to_thread(self._make)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it may be down already
            await self.stop()
        self._directory.cleanup()

    async def start(self) -> None:
        await asyncio.to_thread(self._start)

    async def stop(self) -> None:
        """As a crash would: no goodbye, recovery at the next start."""
        await asyncio.to_thread(self._run, "pg_ctl", "-m", "immediate", "stop")

    async def set(self, address: str, value: float) -> None:
        column = address.rpartition("=")[2]
        now = time.time_ns()
        await asyncio.to_thread(self._do, f"INSERT INTO readings (time, {column}) VALUES ({now}, {value})")

    async def revoke(self) -> None:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'"
        await asyncio.to_thread(self._do, "ALTER ROLE reader NOLOGIN", ended)

    async def restore(self) -> None:
        await asyncio.to_thread(self._do, "ALTER ROLE reader LOGIN")


SERVERS: dict[str, Any] = {"mqtt": Broker, "sql": Database}
"""Real servers, for protocols whose own simulator needs no line."""
