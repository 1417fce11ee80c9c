"""Few points that draw the same line as many: MinMaxLTTB, with the extremes kept for certain.

MinMax first keeps the lowest and highest sample of many small spans of time, then Largest-Triangle-Three-Buckets picks of
each span the sample that bends the line most (S. Steinarsson 2013; J. Van Der Donckt et al. 2023). LTTB alone may leave a
peak out; so the lowest and highest sample of every sixteenth point's span join the choice.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["extremes", "minmaxlttb"]

Indices = npt.NDArray[np.int64]

_CANDIDATES: Final = 3
_SPAN: Final = 16


def minmaxlttb(time: npt.NDArray[np.int64], value: npt.NDArray[np.float64], points: int) -> Indices:
    """Which of the samples to draw, in order; about ``points`` of them, all where there are not more.

    ``time`` is strictly increasing, ``value`` finite. First, last, lowest and highest are always among them.

    >>> minmaxlttb(np.arange(6), np.array([0.0, 1.0, 9.0, 1.0, 0.0, 0.0]), 6)
    array([0, 1, 2, 3, 4, 5])
    """
    count = len(time)
    if count <= max(points, 4):
        return np.arange(count)
    spans = max(points // _SPAN, 1)
    kept = extremes(time, value, spans)
    room = max(points - len(kept), 3)
    some = extremes(time, value, room * _CANDIDATES // 2) if count > room * _CANDIDATES else np.arange(count)
    some = _union(count, some, np.array([0, count - 1]))
    chosen = some[_lttb(time[some], value[some], room)]
    return _union(count, chosen, kept)


def extremes(time: npt.NDArray[np.int64], value: npt.NDArray[np.float64], spans: int) -> Indices:
    """The lowest and the highest sample of each of ``spans`` equal spans of time that hold samples."""
    starts = _spans(time, spans)
    counts = np.diff(np.append(starts, len(time)))
    found = []
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(value == np.repeat(extreme.reduceat(value, starts), counts))
        found.append(hits[np.searchsorted(hits, starts)])
    return _union(len(time), *found)


def _union(count: int, *indices: Indices) -> Indices:
    """The indices in order, each once."""
    marked = np.zeros(count, np.bool_)
    for some in indices:
        marked[some] = True
    return np.flatnonzero(marked)


def _spans(time: npt.NDArray[np.int64], spans: int) -> Indices:
    """Where each of ``spans`` equal spans of time begins; spans without samples are left out."""
    offset = (time - time[0]).astype(np.float64)
    number = np.minimum((offset * (spans / (offset[-1] + 1.0))).astype(np.int64), spans - 1)
    return np.flatnonzero(np.append(True, number[1:] != number[:-1]))


def _lttb(time: npt.NDArray[np.int64], value: npt.NDArray[np.float64], points: int) -> Indices:
    """One sample of each span: the one with the largest triangle to the sample chosen before and the mean of the next."""
    count = len(time)
    if count <= points:
        return np.arange(count)
    starts = np.append(_spans(time[1:-1], max(points - 2, 1)) + 1, count - 1)
    sizes = np.diff(starts)
    x = (time - time[0]).astype(np.float64)
    mean_x = (np.add.reduceat(x, starts[:-1]) - np.append(np.zeros(len(sizes) - 1), x[-1])) / sizes
    mean_y = (np.add.reduceat(value, starts[:-1]) - np.append(np.zeros(len(sizes) - 1), value[-1])) / sizes
    next_x = np.append(mean_x[1:], x[-1]).tolist()
    next_y = np.append(mean_y[1:], value[-1]).tolist()
    xs, ys, bounds = x.tolist(), value.tolist(), starts.tolist()
    chosen = [0]
    at_x, at_y = xs[0], ys[0]
    for span in range(len(sizes)):
        to_x, to_y = next_x[span] - at_x, next_y[span] - at_y
        best, largest = bounds[span], -1.0
        for position in range(best, bounds[span + 1]):
            area = to_x * (ys[position] - at_y) - (xs[position] - at_x) * to_y
            if area < 0:
                area = -area
            if area > largest:
                best, largest = position, area
        chosen.append(best)
        at_x, at_y = xs[best], ys[best]
    chosen.append(count - 1)
    return np.array(chosen)
