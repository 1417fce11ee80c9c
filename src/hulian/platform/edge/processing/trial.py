"""A dry run: what filters, computed points, windows and rules would have made of samples that are recorded already.

The same code runs as at the edge. Time goes on in steps, so that what the clock does (holds, windows, staleness, the ends of
intervals) happens within a step of when it would have.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.edge.processing.bank import FilterBank, Staleness
from hulian.platform.edge.processing.engine import Engine
from hulian.platform.edge.processing.rules import Change

__all__ = ["Trial", "of_engine", "of_filters"]

_STEPS: Final = 2000
MOST_HAPPENINGS: Final = 10_000


class Trial(NamedTuple):
    """What came of ``taken`` samples; ``step`` is how exact the clock was, in ns. ``truncated``: there are more."""

    taken: int
    columns: list[Columns]
    changes: list[Change]
    staleness: list[Staleness]
    step: int
    truncated: bool


def of_engine(engine: Engine, recorded: Sequence[Columns], start: int, end: int) -> Trial:
    """``recorded`` in any order; ``engine`` has seen nothing yet."""
    columns: list[Columns] = []
    changes: list[Change] = []
    step, edges, cut = _cut(recorded, start, end)
    for slot, now in enumerate(edges):
        for parts in cut:
            if len(parts[slot]):
                made = engine.feed(parts[slot])
                columns += made.columns
                changes += made.changes
        made = engine.advance(now)
        columns += made.columns
        changes += made.changes
        if len(changes) > MOST_HAPPENINGS:
            changes = changes[: MOST_HAPPENINGS + 1]
    return Trial(_rows(recorded), _joined(columns), changes[:MOST_HAPPENINGS], [], step, len(changes) > MOST_HAPPENINGS)


def of_filters(bank: FilterBank, recorded: Sequence[Columns], start: int, end: int) -> Trial:
    """The same for filters."""
    columns: list[Columns] = []
    staleness: list[Staleness] = []
    step, edges, cut = _cut(recorded, start, end)
    bank.tick(start)
    for slot, now in enumerate(edges):
        for parts in cut:
            if len(part := parts[slot]):
                passed, fresh = bank.apply(part, int(part.time.max()))
                columns += passed
                staleness += fresh
        passed, late = bank.tick(now)
        columns += passed
        staleness += late
    columns += bank.close()
    truncated = len(staleness) > MOST_HAPPENINGS
    return Trial(_rows(recorded), _joined(columns), [], staleness[:MOST_HAPPENINGS], step, truncated)


def _rows(recorded: Sequence[Columns]) -> int:
    return sum(map(len, recorded))


def _cut(recorded: Sequence[Columns], start: int, end: int) -> tuple[int, list[int], list[list[Columns]]]:
    """The ends of the steps, and for each storage class the samples of each step in the order of their times."""
    step = max(1, -(-(end - start) // _STEPS))
    edges = np.arange(start + step, end + step, step, dtype=np.int64)
    cut: list[list[Columns]] = []
    for storage in StorageClass:
        parts = [part for part in recorded if part.storage is storage and len(part)]
        if not parts:
            continue
        whole = Columns.concatenate(parts)
        whole = whole.take(np.argsort(whole.time, kind="stable"))
        places = [0, *np.searchsorted(whole.time, edges[:-1]).tolist(), len(whole)]
        cut.append([_slice(whole, begin, until) for begin, until in itertools.pairwise(places)])
    return step, edges.tolist(), cut


def _slice(columns: Columns, begin: int, until: int) -> Columns:
    part = slice(begin, until)
    return Columns(columns.storage, columns.series[part], columns.time[part], columns.value[part], columns.status[part])


def _joined(columns: Sequence[Columns]) -> list[Columns]:
    parts = [[part for part in columns if part.storage is storage] for storage in StorageClass]
    return [Columns.concatenate(part) for part in parts if part]
