"""Figures over windows of source time, tumbling or sliding.

Windows end at whole multiples of their slide since 1970 and are made of panes of that length. A pane is closed when a sample
``lateness`` behind its end has come, or the clock is as far; what comes for it afterwards is late and does not count. The
result stands at the end of the window. A window without a usable sample is told once, without a value, until there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import numpy as np

from hulian.kernel.quality import Quality
from hulian.platform.edge.processing.alignment import Rows
from hulian.platform.edge.processing.computed import Results

__all__ = ["FUNCTIONS", "Window", "Windows"]

_NONE: Final = np.iinfo(np.int64).min
_BAD: Final = 0x8000_0000


class Window(NamedTuple):
    """One point made of one input; times in ns, ``length`` a multiple of ``slide``."""

    owner: int
    input: int
    function: str
    length: int
    slide: int
    lateness: int


class Pane(NamedTuple):
    """What is left of the samples of a pane. The sum is kept as it is, so that whole numbers add up exactly however they came;
    the sum of squared deviations merges without cancellation (Chan)."""

    samples: int
    total: float
    squares: float
    least: float
    most: float
    first: tuple[int, float]
    last: tuple[int, float]
    worst: int

    @property
    def mean(self) -> float:
        return self.total / self.samples

    def merged(self, other: Pane) -> Pane:
        count = self.samples + other.samples
        apart = other.mean - self.mean
        return Pane(
            count,
            self.total + other.total,
            self.squares + other.squares + apart * apart * self.samples * other.samples / count,
            min(self.least, other.least),
            max(self.most, other.most),
            self.first if self.first[0] <= other.first[0] else other.first,
            other.last if other.last[0] >= self.last[0] else self.last,
            max(self.worst, other.worst),
        )


FUNCTIONS: Final[dict[str, Callable[[Pane], float]]] = {
    "mean": lambda pane: pane.mean,
    "min": lambda pane: pane.least,
    "max": lambda pane: pane.most,
    "sum": lambda pane: pane.total,
    "count": lambda pane: float(pane.samples),
    "stddev": lambda pane: math.sqrt(max(pane.squares, 0.0) / (pane.samples - 1)) if pane.samples > 1 else 0.0,
    "first": lambda pane: pane.first[1],
    "last": lambda pane: pane.last[1],
}
"""What a window is worth; ``stddev`` is that of a sample (n - 1)."""


class _Open:
    """One window definition at work."""

    __slots__ = ("closed", "panes", "silent", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.closed = _NONE
        """The newest pane that is closed."""
        self.panes: dict[int, Pane] = {}
        self.silent = True
        """Whether the last window had nothing: the next empty one is not told again."""


class Windows:
    """All windows of one processing; see the module for what they promise."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._open = [_Open(window) for window in windows]
        self._by_input: dict[int, list[_Open]] = {}
        for one in self._open:
            self._by_input.setdefault(one.window.input, []).append(one)
        self._inputs = np.array(sorted(self._by_input), np.int64)

    def feed(self, rows: Rows) -> list[Results]:
        """The windows that a batch closes."""
        if not len(self._inputs):
            return []
        chosen = np.flatnonzero(np.isin(rows.input, self._inputs))
        if not len(chosen):
            return []
        order = chosen[np.argsort(rows.input[chosen], kind="stable")]
        owner = rows.input[order]
        begins = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
        found: list[Results] = []
        for begin, end in zip(begins.tolist(), [*begins.tolist()[1:], len(order)], strict=True):
            part = rows.take(order[begin:end])
            for one in self._by_input[int(owner[begin])]:
                found += self._take(one, part)
        return found

    def advance(self, now: int) -> list[Results]:
        """The windows that the clock closes."""
        return [result for one in self._open if one.closed != _NONE for result in self._close(one, now)]

    def closed(self) -> dict[str, int]:
        """Up to where each has told, by its owner: what must not be told again."""
        return {str(one.window.owner): one.closed for one in self._open if one.closed != _NONE}

    def restore_closed(self, closed: dict[str, int]) -> None:
        """Nothing up to there is told again."""
        for one in self._open:
            one.closed = max(one.closed, closed.get(str(one.window.owner), _NONE))

    def kept(self) -> list[Any]:
        """All that is open, as plain values."""
        return [[str(one.window.owner), one.closed, one.silent, list(one.panes.items())] for one in self._open]

    def restore(self, kept: Sequence[Any]) -> None:
        """The inverse of `kept`; what it knows nothing of begins anew."""
        by_owner = {entry[0]: entry for entry in kept}
        for one in self._open:
            if (entry := by_owner.get(str(one.window.owner))) is not None:
                one.closed, one.silent = entry[1], entry[2]
                one.panes = {int(at): Pane(*values) for at, values in entry[3]}

    def _take(self, one: _Open, rows: Rows) -> list[Results]:
        window = one.window
        slide = window.slide
        pane = rows.time // slide
        if one.closed == _NONE:
            one.closed = int(pane[0]) - window.length // slide
        # The newest pane that is closed when each sample comes.
        ended = (np.maximum.accumulate(rows.time) - window.lateness) // slide - 1
        before = np.concatenate(([one.closed], np.maximum(ended[:-1], one.closed)))
        usable = (pane > before) & np.isfinite(rows.value) & ((rows.status & _BAD) == 0)
        if usable.any():
            self._collect(one, pane[usable], rows.take(usable))
        return self._close(one, int(rows.time.max()))

    @staticmethod
    def _collect(one: _Open, pane: Any, rows: Rows) -> None:
        order = np.argsort(pane, kind="stable")
        pane, rows = pane[order], rows.take(order)
        starts = np.flatnonzero(np.concatenate(([True], pane[1:] != pane[:-1])))
        for start, end in zip(starts.tolist(), [*starts.tolist()[1:], len(pane)], strict=True):
            value, time = rows.value[start:end], rows.time[start:end]
            total = float(value.sum())
            mean = total / (end - start)
            first, last = int(time.argmin()), len(time) - 1 - int(time[::-1].argmax())
            made = Pane(
                end - start,
                total,
                float(((value - mean) ** 2).sum()),
                float(value.min()),
                float(value.max()),
                (int(time[first]), float(value[first])),
                (int(time[last]), float(value[last])),
                int(rows.status[start:end].max()),
            )
            at = int(pane[start])
            one.panes[at] = one.panes[at].merged(made) if at in one.panes else made

    def _close(self, one: _Open, now: int) -> list[Results]:
        """Tells every window whose last pane is closed at ``now``."""
        window = one.window
        through = (now - window.lateness) // window.slide - 1
        if through <= one.closed:
            return []
        wide = window.length // window.slide
        told: list[tuple[int, float, int]] = []
        at = one.closed + 1
        while at <= through:
            parts = [one.panes[pane] for pane in range(at - wide + 1, at + 1) if pane in one.panes]
            if not parts and one.silent:
                if (
                    not one.panes
                    or (following := min((pane for pane in one.panes if pane > at), default=through + 1)) > through
                ):
                    break  # a long silence is one gap, not a million windows
                at = following
                continue
            whole = reduce(Pane.merged, parts) if parts else None
            told.append(((at + 1) * window.slide, *self._worth(window.function, whole)))
            one.silent = whole is None
            at += 1
        one.closed = through
        one.panes = {pane: content for pane, content in one.panes.items() if pane > through - wide + 1}
        if not told:
            return []
        times, values, status = zip(*told, strict=True)
        owner = np.full(len(told), window.owner, np.uint64)
        return [Results(owner, np.array(times, np.int64), np.array(values), np.array(status, np.uint32))]

    @staticmethod
    def _worth(function: str, pane: Pane | None) -> tuple[float, int]:
        if pane is None:
            return (0.0, Quality.GOOD) if function == "count" else (math.nan, Quality.BAD_NO_DATA)
        worth = FUNCTIONS[function](pane)
        return (worth, pane.worst) if math.isfinite(worth) else (math.nan, Quality.BAD_OUT_OF_RANGE)
