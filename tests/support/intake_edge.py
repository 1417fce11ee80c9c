"""A connector on a real journal, in a process of its own that a test may kill; and what such a journal holds."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hulian.kernel.configuration import convert
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
from hulian.network.exchange.spine import codec
from hulian.platform.edge.config import BufferPolicy, EdgeConfiguration
from hulian.platform.edge.journal import Journal
from hulian.platform.edge.sink import JournalSink


def start(directory: Path, protocol: str, url: str, settings: dict, bindings: list[tuple[int, str, str]], **more: Any):
    """The process; it prints a line a status. ``more``: ``directories`` that may be read, ``user``, ``password``."""
    plan = {"directory": str(directory), "protocol": protocol, "url": url, "settings": settings, "bindings": bindings, **more}
    return subprocess.Popen([sys.executable, __file__, json.dumps(plan)], stdout=subprocess.PIPE, text=True)


def journal_of(directory: Path) -> Journal:
    journal = Journal(directory, bound=2**30, policy=BufferPolicy.DROP_OLDEST)
    journal.open()
    return journal


def rows_of(directory: Path) -> Counter:
    """Every good sample in the journal: how often (series, time, value) is there. A journal that is being written is read
    from a copy, because opening one cuts its torn tail."""
    found: Counter = Counter()
    with tempfile.TemporaryDirectory() as copy:
        for file in directory.glob("*.journal"):
            shutil.copy(file, copy)
        if any(Path(copy).iterdir()):
            _read(Path(copy), found)
    return found


def _read(directory: Path, found: Counter) -> None:
    journal = journal_of(directory)
    cursor = journal.cursor()
    while True:
        records, cursor = journal.read(cursor)
        if not records:
            break
        for record in records:
            columns = codec.decode(record.payload).columns
            found.update(
                (int(series), int(time), value)
                for series, time, value, status in zip(
                    columns.series, columns.time, columns.value.to_pylist(), columns.status, strict=True
                )
                if not status & 0xC000_0000
            )
    journal.close()


async def _run(plan: dict) -> None:
    directory = Path(plan["directory"])
    protocol = importlib.import_module(f"hulian.network.exchange.protocols.{plan['protocol']}").protocol
    settings = convert(plan["settings"], protocol.configuration, place="settings")
    bindings = [
        Binding(series=series, address=address, storage=StorageClass(storage)) for series, address, storage in plan["bindings"]
    ]
    environment = Environment(
        organisation="test",
        connector="peer",
        credentials=Credentials(user=plan.get("user", ""), password=plan.get("password", "")),
        trust=None,  # type: ignore[arg-type]
        extras={"files.directories": tuple(Path(one) for one in plan.get("directories", ()))},
        directory=directory / "input",
    )
    journal = journal_of(directory)

    def emit(event: Any) -> None:
        print(json.dumps({"event": event.code, "message": event.message}), flush=True)

    sink = JournalSink("test", "peer", journal, EdgeConfiguration(), codec.encode, emit, lambda: None)
    tell = sink.status

    def status(now: Any) -> None:
        tell(now)
        print(
            json.dumps({"state": now.state, "samples": now.samples, "error": now.error, "counters": now.counters}), flush=True
        )

    sink.status = status  # type: ignore[method-assign]
    await protocol.connector(plan["url"], settings, bindings, environment).run(sink)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
