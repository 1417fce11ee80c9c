"""The process that answers SPARQL: it holds the triples in memory and can be killed at any time.

On its standard input come frames: ``T`` is N-Triples to load, ``Q`` a question as JSON; each question is answered by one frame
of JSON on the standard output. It ends with its input.
"""

from __future__ import annotations

import resource
import sys
from itertools import islice
from typing import Any, Final

import msgspec
import pyoxigraph

from hulian.network.exchange.semantics.apart.frames import read_frame, write_frame
from hulian.network.exchange.semantics.model.asking import Reply, Task

__all__ = ["work"]

_LONGEST_VALUE: Final = 10_000


def _value(term: Any) -> str | None:
    if term is None:
        return None
    text = term.value if isinstance(term, (pyoxigraph.Literal, pyoxigraph.NamedNode)) else str(term)
    return str(text)[:_LONGEST_VALUE]


def _answer(store: pyoxigraph.Store, task: Task) -> Reply:
    try:
        found = store.query(task.text, prefixes=task.prefixes)
        if isinstance(found, pyoxigraph.QueryBoolean):
            return Reply(["answer"], [["true" if found else "false"]])
        if isinstance(found, pyoxigraph.QueryTriples):
            names = ["subject", "predicate", "object"]
            rows = [[_value(part) for part in (one.subject, one.predicate, one.object)] for one in islice(found, task.rows + 1)]
        else:
            names = [variable.value for variable in found.variables]
            rows = [[_value(one[name]) for name in names] for one in islice(found, task.rows + 1)]
        return Reply(names, rows[: task.rows], len(rows) > task.rows)
    except (SyntaxError, ValueError, OSError, RuntimeError) as error:
        return Reply(error=str(error))


def work(memory: int) -> None:
    """All of the process; it takes at most ``memory`` bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    store = pyoxigraph.Store()
    given, out = sys.stdin.buffer, sys.stdout.buffer
    while (frame := read_frame(given)) is not None:
        kind, content = frame
        if kind == b"T":
            store.bulk_load(content, format=pyoxigraph.RdfFormat.N_TRIPLES)
        else:
            write_frame(out, b"A", msgspec.json.encode(_answer(store, msgspec.json.decode(content, type=Task))))
