"""What is lost on the way through the model: every document that is here is read, written from the registry, and compared.

The bar is no difference that the list of losses does not explain, of the first writing and of the second.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path


def run() -> list[dict]:
    from round_trips import SAMPLES, Trip, documents, trip

    from hulian.network.exchange.semantics.together import Semantics
    from hulian.registry import Registry

    trips: list[Trip] = []
    with tempfile.TemporaryDirectory() as text:
        registry = Registry.open(Path(text) / "registry.db")
        semantics = Semantics(registry)
        try:
            for name, path in documents():
                trips.append(trip(semantics.model, name, path))
        finally:
            semantics.close()
            registry.close()
    for one in trips:
        for line in (*one.errors, *one.unexplained, *one.second):
            print(f"  {one.name}: {line}", flush=True)
    files = Counter(one.form for one in trips)
    if not any(one.name.startswith("samples/") for one in trips):
        raise RuntimeError(f"there are no samples under {SAMPLES}")
    unexplained = sum(len(one.unexplained) + len(one.second) + len(one.errors) for one in trips)
    conditions = (
        f"{len(trips)} documents ({', '.join(f'{count} {form}' for form, count in sorted(files.items()))}; "
        f"{sum(one.name.startswith('samples/') for one in trips)} samples), {sum(one.nodes for one in trips):,} nodes, through "
        f"the registry and back, twice: {sum(len(one.differences) for one in trips)} differences, "
        f"{sum(len(one.losses) for one in trips)} losses told"
    )
    row = {"name": "roundtrip.loss", "value": unexplained, "unit": "unexplained differences", "conditions": conditions}
    return [row | {"reference": "the goal", "reference_value": 0, "ratio": None}]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
    from round_trips import pairs

    print(pairs())
