"""The AAS interface: how fast pages of submodels come from a repository of ten thousand, and what that takes in memory.

The reference is reading the same submodels as one JSON file: what a client does that has the file instead of the server.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._identifier_node import ROOT

SUBMODELS = 10_000
PAGE = 100


def _submodels() -> list[dict]:
    names = ("Pressure", "Temperature", "Level", "Speed", "Power", "Hours", "State", "Maker")
    return [
        {
            "modelType": "Submodel",
            "id": f"https://bench.example/sm/{number:05d}",
            "idShort": f"Pump{number}",
            "submodelElements": [
                {"modelType": "Property", "idShort": name, "valueType": "xs:string", "value": f"{name} {number}"}
                for name in names
            ],
        }
        for number in range(SUBMODELS)
    ]


def _resident() -> float:
    """Memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _serve(directory: Path) -> None:
    """In a process of its own: seconds of each page, and the memory that all of them added."""
    from hulian.network.exchange.semantics.documents import file_source
    from hulian.network.exchange.semantics.formats import format_named
    from hulian.network.exchange.semantics.model.excerpts import Excerpts
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.platform.northbound.aas.directory import Directory
    from hulian.platform.northbound.aas.store import ModelStore
    from hulian.registry import Registry

    registry = Registry.open(directory / "registry.db")
    model = Semantics(registry).model
    model.apply(model.read(format_named("aas"), file_source(directory / "many.json"), "many", "bench").version.key)
    excerpts = Excerpts(registry)
    store = ModelStore(model, excerpts, Directory(excerpts), lambda points: {}, who="bench", root="http://bench")
    before = most = _resident()
    seconds, after, seen = [], "", 0
    while True:
        began = time.perf_counter()
        page = store.page("submodels", after, PAGE, None)
        seconds.append(time.perf_counter() - began)
        most = max(most, _resident())
        seen, after = seen + len(page.ones), page.after
        if not after:
            break
    assert seen == SUBMODELS
    print(json.dumps([statistics.median(seconds), most - before]))


def run() -> list[dict]:
    with tempfile.TemporaryDirectory() as text:
        path = Path(text) / "many.json"
        path.write_text(json.dumps({"submodels": _submodels()}))
        began = time.perf_counter()
        json.loads(path.read_bytes())
        reference = SUBMODELS / PAGE / (time.perf_counter() - began)
        command = [sys.executable, "-m", "benchmarks.aas", text]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        median, memory = json.loads(done.stdout)
    return [
        {
            "name": "aas.pages_per_s", "value": round(1 / median, 1), "unit": "/s",
            "reference": "json reading the same file", "reference_value": round(reference, 1),
            "ratio": round(1 / median / reference, 3),
            "conditions": f"pages of {PAGE} of {SUBMODELS:,} submodels with 8 properties each, SQLite; median",
        },
        {
            "name": "aas.pages_memory_mb", "value": round(memory, 1), "unit": "MiB",
            "conditions": f"added by all {SUBMODELS // PAGE} pages",
        },
    ]  # fmt: skip


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
