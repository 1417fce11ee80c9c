"""Opens a node's records and stops in the middle of indexing them: python indexing_node.py REGISTRY PART STOP_AT.

Within the transaction of part STOP_AT, when its rows are written and not committed, it prints ``here`` and waits to be killed.
"""

from __future__ import annotations

import sys
import time

from hulian.network.identifiers.store import RecordStore, derived, indexing
from hulian.registry import Registry


def main(path: str, part: int, stop_at: int) -> None:
    taken, parts = derived.take_out, 0

    def take_out(connection, records) -> None:
        nonlocal parts
        parts += 1
        taken(connection, records)
        if parts == stop_at:
            print("here", flush=True)
            while True:
                time.sleep(60)

    derived.take_out = take_out
    indexing.PART = part
    RecordStore(Registry.open(path))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
