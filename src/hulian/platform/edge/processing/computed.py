"""Computed points: an expression over the last known values of several points, evaluated at the samples of its triggers.

Points with the same expression are evaluated together: one walk over the tree for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hulian.kernel.quality import Quality
from hulian.platform.edge.processing.alignment import Floats, Ints, Known, Rows
from hulian.platform.edge.processing.evaluation import evaluate
from hulian.platform.edge.processing.grammar import Node

__all__ = ["Formula", "FormulaGroup", "Results", "grouped"]

_SEVERITY: Final = 30


class Formula(NamedTuple):
    """``inputs`` are the numbers of the points in the order of the tree, ``triggers`` which of them ask for a value; an input
    older than ``stale`` ns (0: never) at that time counts as uncertain. ``owner`` is whatever the caller calls it."""

    owner: int
    tree: Node
    inputs: tuple[int, ...]
    triggers: tuple[int, ...]
    stale: int = 0


class Results(NamedTuple):
    """One row a value, in the order in which its trigger came; ``value`` NaN where ``status`` is bad."""

    owner: npt.NDArray[np.uint64]
    time: Ints
    value: Floats
    status: npt.NDArray[np.uint32]


class FormulaGroup:
    """Formulas of one tree, number of inputs and staleness."""

    def __init__(self, formulas: Sequence[Formula], count: int) -> None:
        self._tree, self._stale = formulas[0].tree, formulas[0].stale
        self._owner = np.array([formula.owner for formula in formulas], np.uint64)
        self._inputs = np.array([formula.inputs for formula in formulas], np.int64).reshape(len(formulas), -1)
        pairs = sorted({(trigger, at) for at, formula in enumerate(formulas) for trigger in formula.triggers})
        self._asked = np.array([at for _, at in pairs], np.int64)
        self._begin = np.searchsorted(np.array([trigger for trigger, _ in pairs], np.int64), np.arange(count + 1))

    def evaluate(self, known: Known, rows: Rows, chosen: Ints) -> Results | None:
        """What the samples ``chosen`` of a batch ask for; None where nothing."""
        owner = rows.input[chosen]
        asked = self._begin[owner + 1] - self._begin[owner]
        total = int(asked.sum())
        if not total:
            return None
        arrival = np.repeat(chosen, asked)
        within = np.arange(total) - np.repeat(np.cumsum(asked) - asked, asked)
        which = self._asked[np.repeat(self._begin[owner], asked) + within]
        time = rows.time[arrival]
        values: list[Floats] = []
        status = np.zeros(total, np.uint32)
        for column in range(self._inputs.shape[1]):
            value, quality, when = known.at(self._inputs[which, column], arrival, time)
            if self._stale:
                old = (time - when > self._stale) & (quality >> _SEVERITY == 0)
                quality = np.where(old, np.uint32(Quality.UNCERTAIN_LAST_USABLE_VALUE), quality).astype(np.uint32)
            worse = quality >> _SEVERITY > status >> _SEVERITY
            status = np.where(worse, quality, status).astype(np.uint32)
            values.append(value)
        result = evaluate(self._tree, values, total)
        bad = status >> _SEVERITY >= 2
        undefined = ~bad & np.isnan(result)
        status = np.where(undefined, np.uint32(Quality.BAD_OUT_OF_RANGE), status).astype(np.uint32)
        return Results(self._owner[which], time, np.where(bad, np.nan, result), status)


def grouped(formulas: Sequence[Formula], count: int) -> list[FormulaGroup]:
    """The groups of ``formulas`` over ``count`` inputs."""
    together: dict[tuple[Node, int, int], list[Formula]] = {}
    for formula in formulas:
        together.setdefault((formula.tree, len(formula.inputs), formula.stale), []).append(formula)
    return [FormulaGroup(same, count) for same in together.values()]
