"""Ports for the servers of a test."""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 20_000
PARTS: Final = 4
EACH: Final = 3_000
"""Below the range that outgoing connections take theirs from, and a part for each worker of the tests: what is free now is not
taken by anybody else before the server of the test listens."""


def _ports() -> Iterator[int]:
    worker = re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", ""))
    begin = FIRST + EACH * (int(worker[0]) % PARTS if worker else 0)
    start = os.getpid() * 97 % EACH
    return itertools.cycle(begin + (start + step) % EACH for step in range(EACH))


_next: Iterator[int] = _ports()


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    for port in itertools.islice(_next, EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                continue
            return port
    raise RuntimeError("no port is free")
