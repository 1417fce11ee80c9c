"""Questions in SPARQL, answered by a process of their own: one that takes too long, or too much memory, is ended with it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from hulian.network.exchange.semantics.apart.frames import read_frame, write_frame
from hulian.network.exchange.semantics.contract import Content
from hulian.network.exchange.semantics.errors import QueryError
from hulian.network.exchange.semantics.model.asking import Reply, Task
from hulian.network.exchange.semantics.model.triples import PREFIXES, triples

__all__ = ["MOST_NODES", "MOST_ROWS", "Sparql"]

MOST_NODES: Final = 500_000
"""Nodes of the documents that are asked; a node takes some four kilobytes of the process."""
MOST_ROWS: Final = 10_000
_LONGEST: Final = 20_000
_MEMORY: Final = 4 << 30
_WORKER: Final = "import sys; from hulian.network.exchange.semantics.model.sparql_worker import work; work(int(sys.argv[1]))"
# The library would fetch from any address that a question names. Escapes are read before words, so they are refused too.
_FETCHES: Final = re.compile(r"\bservice\b|\\u00", re.IGNORECASE)


class Sparql:
    """Thread-safe: one question at a time. The process is kept for the next one until the model changes."""

    def __init__(self, normal: Callable[[str], str | None]) -> None:
        """``normal`` normalises semantic identifiers."""
        self._normal = normal
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._holds: object = None

    def ask(self, text: str, contents: Sequence[Content], state: object, *, rows: int = 1_000, seconds: float = 10.0) -> Reply:
        """An answer of at most ``rows`` rows over ``contents``, which are loaded anew where ``state`` is not what it was.

        Loading takes its own time, about a second for ten thousand nodes. Raises `QueryError` for what cannot be read, what
        would leave this machine, and what takes longer than ``seconds``.
        """
        if not 1 <= rows <= MOST_ROWS:
            raise QueryError(f"rows are 1 to {MOST_ROWS}", place="rows")
        if len(text) > _LONGEST:
            raise QueryError(f"the question is longer than {_LONGEST} characters", place="sparql")
        if found := _FETCHES.search(text):
            raise QueryError(
                f"'{found[0]}' is not taken",
                place=f"sparql, character {found.start() + 1}",
                hint="questions stay on this machine: no SERVICE and no escaped characters, not even inside a text",
            )
        with self._lock:
            process = self._ready(contents, state)
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                write_frame(process.stdin, b"Q", msgspec.json.encode(Task(text, PREFIXES, rows)))  # type: ignore[arg-type]
                frame = read_frame(process.stdout)  # type: ignore[arg-type]
            except BrokenPipeError:
                frame = None
            finally:
                timer.cancel()
            if frame is None:
                self._end()
                raise QueryError(
                    f"the question took more than {seconds:g} s or its memory",
                    place="sparql",
                    hint="ask for less: more triples that bind, fewer that are free, a LIMIT",
                )
        reply = msgspec.json.decode(frame[1], type=Reply)
        if reply.error:
            raise QueryError(f"the question cannot be read: {reply.error}", place="sparql")
        return reply

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _ready(self, contents: Sequence[Content], state: object) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None and self._holds == state:
            return self._process
        self._end()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(_MEMORY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        try:
            for content in contents:
                for part in triples(content, self._normal):
                    write_frame(self._process.stdin, b"T", part)  # type: ignore[arg-type]
        except BrokenPipeError:
            self._end()
            raise QueryError(
                "the model is too large to be asked so", place="sparql", hint="name some of its documents"
            ) from None
        except BaseException:
            self._end()
            raise
        self._holds = state
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
