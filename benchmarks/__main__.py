"""``python -m benchmarks [NAME …]``: measure, print, and write ``benchmarks/results/latest.json``.

Rows of other benchmarks that stand in the file already are kept, so that one can be measured anew alone.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "latest.json"
sys.path.insert(0, str(HERE.parent / "tests" / "support"))


def modules() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def merge(old: list[dict], new: list[dict]) -> list[dict]:
    fresh = {row["name"] for row in new}
    return sorted([row for row in old if row["name"] not in fresh] + new, key=lambda row: row["name"])


def main() -> int:
    chosen = sys.argv[1:] or modules()
    unknown = set(chosen) - set(modules())
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(modules())}")
        return 2
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    failed = 0
    for name in chosen:
        print(f"· {name} …", flush=True)
        began = time.monotonic()
        try:
            module = importlib.import_module(f"benchmarks.{name}")
            if not hasattr(module, "run"):
                continue
            rows = module.run()
        except Exception as error:
            failed += 1
            print(f"  failed: {type(error).__name__}: {error}", flush=True)
            continue
        for row in rows:
            row["conditions"] = f"{row['conditions']}; {machine}; {time.strftime('%Y-%m-%d')}"
            ratio = f", {row['ratio']:.2f} of {row['reference']}" if row.get("ratio") is not None else ""
            print(f"  {row['name']} = {row['value']:,.4g} {row['unit']}{ratio}", flush=True)
        old = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(merge(old, rows), indent=1, ensure_ascii=False) + "\n")
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
