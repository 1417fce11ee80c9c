"""The store of records: bytes on disk a record, and the memory of a process that holds all of them in its index.

The reference for memory is a dictionary of the same bytes, measured with a tenth of the records and multiplied.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._identifier_node import ROOT, name, packed

RECORDS = 10_000_000
ON_DISK = 200_000
_PART = 50_000


def _fill(kind: str, count: int) -> None:
    """Prints the bytes of keys and values, and by how much the process has grown."""
    import psutil

    from hulian.network.identifiers.store.index import PlainIndex, open_index

    index = PlainIndex() if kind == "plain" else open_index()
    before, held = psutil.Process().memory_info().rss, 0
    for begin in range(0, count, _PART):
        numbers = range(begin, min(count, begin + _PART))
        keys, values = [name(number).upper().encode() for number in numbers], [packed(number) for number in numbers]
        held += sum(map(len, keys)) + sum(map(len, values))
        index.put_many(keys, values)
    del keys, values
    if len(index) != count:
        raise RuntimeError("not every record is there")
    print(held, psutil.Process().memory_info().rss - before, psutil.Process().memory_info().rss)


def _measured(kind: str, count: int) -> tuple[int, int, int]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "benchmarks.identifier_store", kind, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    held, grown, whole = map(int, done.stdout.split())
    return held, grown, whole


def _on_disk() -> tuple[float, float]:
    """Bytes of the registry a record, and of those what keys and values take."""
    from hulian.network.identifiers.store import RecordStore
    from hulian.network.identifiers.wire.values import unpack_values
    from hulian.registry import Registry

    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        store = RecordStore(Registry.open(directory / "records.db"))
        before = sum(path.stat().st_size for path in directory.iterdir())
        for begin in range(0, ON_DISK, _PART):
            store.create_many((name(number), unpack_values(packed(number))) for number in range(begin, begin + _PART))
        with contextlib.closing(sqlite3.connect(directory / "records.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = sum(path.stat().st_size for path in directory.iterdir()) - before
    return size / ON_DISK, sum(len(name(number)) + len(packed(number)) for number in range(1_000)) / 1_000


def run() -> list[dict]:
    disk, plain = _on_disk()
    held, grown, whole = _measured("best", RECORDS)
    _, reference, _ = _measured("plain", RECORDS // 10)
    return [
        {
            "name": "store.bytes_per_record",
            "value": disk,
            "unit": "bytes",
            "reference": "key and packed values themselves",
            "reference_value": plain,
            "ratio": disk / plain,
            "conditions": f"{ON_DISK:,} records of two values in SQLite, the write-ahead log worked off",
        },
        {
            "name": "store.memory_mb",
            "value": whole / 1e6,
            "unit": "MB",
            "reference": "a dictionary of the same bytes",
            "reference_value": reference * 10 / 1e6,
            "ratio": grown / (reference * 10),
            "conditions": (
                f"the whole process with {RECORDS:,} records in the index, {held / RECORDS:.0f} bytes of key and values each, "
                f"{grown / RECORDS:.0f} bytes of memory each; the reference with a tenth, times ten"
            ),
        },
    ]


if __name__ == "__main__":
    _fill(sys.argv[1], int(sys.argv[2]))
