"""What one request may cost, so that no client stops the others."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BODY",
    "BODY_SECONDS",
    "FILE",
    "LOOKED_THROUGH",
    "PAGE_BYTES",
    "PATH",
    "QUERY_FIELDS",
    "SERIALISED",
    "SUBMODEL_NODES",
    "TRIES",
    "WAIT_SECONDS",
    "WORKERS",
]

BODY: Final = 8 << 20
"""Bytes of a JSON body."""
BODY_SECONDS: Final = 60.0
"""How long a body may take to come."""
FILE: Final = 64 << 20
"""Bytes of a file that is put: what the model takes of one."""
PATH: Final = 8 << 10
"""Characters of path and query together."""
QUERY_FIELDS: Final = 100
PAGE_BYTES: Final = 8 << 20
"""JSON of one page; it ends before its limit where that is reached."""
LOOKED_THROUGH: Final = 20_000
"""Things that one page looks through with a filter."""
SUBMODEL_NODES: Final = 100_000
"""Elements of a submodel that is still given as a whole."""
SERIALISED: Final = 64 << 20
"""JSON that goes into one serialisation."""
WORKERS: Final = 4
"""Requests that are worked on at a time."""
WAIT_SECONDS: Final = 30.0
"""How long a request waits for its turn."""
TRIES: Final = 5
"""How often a change is tried anew where another process changed the document meanwhile."""
