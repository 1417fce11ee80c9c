"""Registration: over the protocol, each record signed with an RSA-2048 key on one connection; and in bulk, over HTTPS."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.beginning import begin_root, node_key
from hulian.network.identifiers.nodes.tiers import delegating
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.values import Value
from hulian.registry import Registry

PREFIX = "88.111.1"
SECONDS = 10.0
BULK = 300_000


def run() -> list[dict]:
    with tempfile.TemporaryDirectory() as directory:
        done, seconds = anyio.run(_measured, Path(directory))
    signs, verifies = _openssl()
    return [
        {
            "name": "register.signed_per_s",
            "value": done / seconds,
            "unit": "1/s",
            "reference": "openssl speed rsa2048: signatures/s of one core",
            "reference_value": signs,
            "ratio": done / seconds / signs,
            "conditions": f"{done} records, each with its own challenge and signature, client and server in one process, "
            f"SQLite, durable over kill -9; openssl verifies {verifies:.0f}/s",
        },
        *_in_bulk(),
    ]


async def _measured(directory: Path) -> tuple[int, float]:
    key = rsa.generate_private_key(65537, 2048)
    registry = Registry.open(directory / "registry.db")
    store = RecordStore(registry)
    link = delegating(store, [node_key(PREFIX)])
    listener = Listener(link, "127.0.0.1", 0)
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        root = begin_root(store, PREFIX, key, "127.0.0.1", listener.port)
        who = node_key(PREFIX)
        identity = KeyIdentity(who.handle, who.index, signer_for(key))
        value = [Value(index=1, type="URL", data=b"https://example.com/item/7")]
        async with Administer(Follow(root, Client()), connection, identity) as by:
            await by.create(f"{PREFIX}/first", value)
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < SECONDS:
                await by.create(f"{PREFIX}/item{done}", value)
                done += 1
            seconds = time.perf_counter() - began
        group.cancel_scope.cancel()
    registry.close()
    return done, seconds


def _openssl() -> tuple[float, float]:
    """Signatures and verifications a second of one core."""
    said = subprocess.run(["openssl", "speed", "-seconds", "2", "rsa2048"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"rsa 2048 bits.*?([\d.]+)\s+([\d.]+)\s*(?:[\d.]+\s+[\d.]+\s*)?$", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"openssl says something else:\n{said}")
    return float(found[1]), float(found[2])


def _in_bulk() -> list[dict]:
    """CSV over HTTPS until the last row is acknowledged as durable, client and node in a process each."""
    import postgresql

    found = []
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        rows = directory / "rows.csv"
        with rows.open("w") as file:
            file.write("handle,index,type,data\n")
            file.writelines(f"{PREFIX}/ITEM-{number:08d},1,URL,https://example.com/item/{number}\n" for number in range(BULK))
        reference = _inserted(directory / "plain.db")
        best = max(_loaded(directory, rows, f"sqlite:///{directory}/{turn}.db") for turn in range(3))
        found.append(("register.bulk_per_s", best, "SQLite, write-ahead log"))
        if postgresql.programs() is not None:
            with postgresql.running() as url:
                found.append(("register.bulk_postgresql_per_s", _loaded(directory, rows, url), "PostgreSQL without fsync"))
    return [
        {
            "name": name,
            "value": value,
            "unit": "1/s",
            "reference": "the same rows into a bare SQLite table, a statement a row, commits of 10,000",
            "reference_value": reference,
            "ratio": value / reference,
            "conditions": f"{BULK:,} records of one value in CSV over HTTPS, {database}; log of changes with a seal for each, "
            "durable over kill -9, client and node in a process each",
        }
        for name, value, database in found
    ]


def _loaded(directory: Path, rows: Path, database: str) -> float:
    """Records a second, from the first byte sent to the last acknowledgement."""
    from free_ports import free_port

    from benchmarks._bulk_node import SECRET, USER
    from hulian.network.identifiers.transport.rest.bulk.sending import send
    from hulian.network.identifiers.wire.authentication.respond import SecretIdentity
    from hulian.network.identifiers.wire.typed.secret import SecretKey

    command = [sys.executable, "-m", "benchmarks._bulk_node", str(directory), database, str(free_port())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        context = ssl.create_default_context(cafile=str(directory / "ca" / "root.pem"))
        identity = SecretIdentity(USER.handle, USER.index, SecretKey(SECRET))
        small = directory / "first.csv"
        small.write_text(f"handle,index,type,data\n{PREFIX}/first,1,URL,x\n")
        anyio.run(send, f"https://127.0.0.1:{port}", context, identity, small, "first")
        began = time.perf_counter()
        lines = anyio.run(send, f"https://127.0.0.1:{port}", context, identity, rows, "rows")
        seconds = time.perf_counter() - began
        process.kill()
    if lines[-1] != {"done": True, "acknowledged": BULK, "records": BULK, "refused": 0}:
        raise RuntimeError(f"not every row is registered: {lines[-1]}")
    return BULK / seconds


def _inserted(path: Path) -> float:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE plain (key BLOB PRIMARY KEY, handle TEXT, packed BLOB, changed INTEGER)")
        rows = [(b"%s/ITEM-%08d" % (PREFIX.encode(), number), f"{PREFIX}/{number}", bytes(70), 1) for number in range(BULK)]
        began = time.perf_counter()
        for begin in range(0, BULK, 10_000):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO plain VALUES (?, ?, ?, ?)", rows[begin : begin + 10_000])
            connection.execute("COMMIT")
        return BULK / (time.perf_counter() - began)
