"""The first start after a migration: what a million records say is indexed, and then the node answers.

The reference does the same in one transaction, as it was done before: nothing of it can be kept where it is interrupted.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._identifier_node import ROOT

RECORDS = 1_000_000
_FILLED = 50_000


def _fill(path: Path, count: int) -> None:
    """Records that name a template, with two attributes and a reference each; nothing is taken out of them."""
    import sqlalchemy as sa

    from hulian.network.identifiers.store import RecordStore, derived, key_of
    from hulian.network.identifiers.store.tables import derived as state
    from hulian.network.identifiers.wire.values import Value, pack_values
    from hulian.registry import Registry

    registry = Registry.open(path)
    store = RecordStore(registry)
    derived.take_out = lambda _connection, _records: None  # type: ignore[assignment]
    for begin in range(0, count, _FILLED):
        handles = [f"88.111.1/PUMP-{number:08}" for number in range(begin, min(count, begin + _FILLED))]
        packed = [
            pack_values(
                [
                    Value(index=1, type="HULIAN.RECORD", data=b"1:88.111.1/types/pump", timestamp=1),
                    Value(index=2000, type="maker", data=b"ACME %d" % (number % 97), timestamp=1),
                    Value(index=2001, type="power", data=b"%d.5" % (number % 1_000), timestamp=1),
                    Value(index=3000, type="HULIAN.MADE_OF", data=b"88.111.3/STEEL-%d" % (number // 50), timestamp=1),
                ]
            )
            for number in range(begin, begin + len(handles))
        ]
        store.create_packed(handles, [key_of(one) for one in handles], packed)
    with registry.write() as connection:
        connection.execute(sa.delete(state))
    registry.close()


def _open(path: Path, kind: str) -> None:
    """Prints the seconds of the start, of them those of indexing, its seconds of processor time, and the most memory of the
    process in MB."""
    from hulian.network.identifiers.store import RecordStore, indexing, records
    from hulian.registry import Registry

    if kind == "whole":
        indexing.PART, indexing.PART_BYTES = 1 << 40, 1 << 60
    took, used, bring = 0.0, 0.0, indexing.bring_up_to_date

    def timed(registry: Registry) -> int:
        nonlocal took, used
        began, busy = time.perf_counter(), time.process_time()
        done = bring(registry)
        took, used = time.perf_counter() - began, time.process_time() - busy
        return done

    records.bring_up_to_date = timed
    began = time.perf_counter()
    RecordStore(Registry.open(path))
    print(time.perf_counter() - began, took, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def _run(*arguments: str) -> list[float]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "benchmarks.identifier_indexing", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    return [float(one) for one in done.stdout.splitlines()[-1].split()] if done.stdout else []


def run() -> list[dict]:
    with tempfile.TemporaryDirectory() as text:
        whole, parts = Path(text) / "whole.db", Path(text) / "parts.db"
        _run("fill", str(parts), str(RECORDS))
        shutil.copyfile(parts, whole)
        _, seconds, busy, memory = _run("open", str(parts), "parts")
        _, before, busy_before, most = _run("open", str(whole), "whole")
        plain, _, _, held = _run("open", str(parts), "again")
    told = f"{RECORDS:,} records with a template, two attributes and a reference each, in SQLite; one run of each"
    return [
        {
            "name": "identifier_indexing.seconds",
            "value": seconds,
            "unit": "s",
            "reference": "all in one transaction",
            "reference_value": before,
            "ratio": seconds / before,
            "conditions": f"{told}; a start without indexing takes {plain:.1f} s; "
            f"processor time {busy:.1f} s, in one transaction {busy_before:.1f} s",
        },
        {
            "name": "identifier_indexing.memory_mb",
            "value": memory,
            "unit": "MB",
            "reference": "all in one transaction",
            "reference_value": most,
            "ratio": memory / most,
            "conditions": f"{told}; most memory of the process, {held:.0f} MB without indexing",
        },
    ]


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        _fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        _open(Path(sys.argv[2]), sys.argv[3])
