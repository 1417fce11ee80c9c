"""Deadband and report by exception: a sample passes by how it differs from the last one of its series that passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.edge.processing.declaration import Described, Filters

__all__ = ["Gate", "runs"]

_NEVER: Final = np.iinfo(np.int64).max
_DEEP: Final = 8
"""Samples a series in one batch, on average, from which each series is walked alone instead of all of them in step."""

Places = npt.NDArray[np.intp]


def runs(places: Places) -> tuple[Places, Places, Places]:
    """The order that brings the samples of each series together (in their own order), and where each series begins and how
    many it has."""
    order = np.argsort(places, kind="stable")
    sorted_ = places[order]
    begins = np.flatnonzero(np.concatenate(([True], sorted_[1:] != sorted_[:-1])))
    return order, begins, np.diff(np.append(begins, len(places)))


class Gate:
    """One place a series: the band, the heartbeat, and what passed last (status, value, time)."""

    def __init__(self, declared: Sequence[tuple[Filters, Described]]) -> None:
        count = len(declared)
        self._band = np.full(count, -1.0)
        self._beat = np.full(count, _NEVER, np.int64)
        for place, (filters, described) in enumerate(declared):
            if filters.report is not None:
                self._band[place] = 0.0
                if filters.report.heartbeat_s is not None:
                    self._beat[place] = int(filters.report.heartbeat_s * 1e9)
            if (band := filters.deadband) is not None:
                range_ = (described.high or 0.0) - (described.low or 0.0)
                self._band[place] = band.absolute if band.absolute is not None else (band.percent or 0.0) / 100 * range_
        self._gated = self._band >= 0
        self._any = bool(self._gated.any())
        self._seen = np.zeros(count, np.bool_)
        self._value = np.zeros(count)
        self._key = np.zeros(count, np.uint64)
        self._present = np.zeros(count, np.bool_)
        self._status = np.zeros(count, np.uint32)
        self._time = np.zeros(count, np.int64)

    def passes(
        self, places: Places, columns: Columns, keys: npt.NDArray[np.uint64], present: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_] | None:
        """Which samples pass; None where no series of these has a gate."""
        if not self._any or not self._gated[places].any():
            return None
        passed = np.ones(len(places), np.bool_)
        chosen = np.flatnonzero(self._gated[places])
        order, begins, counts = runs(places[chosen])
        rows = chosen[order]
        numbers = (
            columns.value.to_numpy(zero_copy_only=False)
            if columns.storage is StorageClass.DOUBLE
            else np.zeros(len(places))  # of others only equality is asked, which the keys tell
        )
        if counts.mean() > _DEEP and len(counts) < 32 * _DEEP:
            for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
                self._walk(rows[begin : begin + count], places, columns, numbers, keys, present, passed)
        else:
            self._step(rows, begins, counts, places, columns, numbers, keys, present, passed)
        return passed

    def _step(
        self,
        rows: Places,
        begins: Places,
        counts: Places,
        places: Places,
        columns: Columns,
        numbers: npt.NDArray[np.float64],
        keys: npt.NDArray[np.uint64],
        present: npt.NDArray[np.bool_],
        passed: npt.NDArray[np.bool_],
    ) -> None:
        """The first sample of every series together, then the second of those that have one, and so on."""
        for rank in range(int(counts.max())):
            now = rows[begins[counts > rank] + rank]
            at = places[now]
            with np.errstate(invalid="ignore"):
                moved = np.abs(numbers[now] - self._value[at]) > self._band[at]
            # A difference that is no number (NaN, infinities) is decided by the bits, as for values that are no doubles.
            undecided = ~np.isfinite(numbers[now]) | ~np.isfinite(self._value[at])
            if columns.storage is not StorageClass.DOUBLE:
                undecided[:] = True
            moved = np.where(undecided, keys[now] != self._key[at], moved)
            through = (
                ~self._seen[at]
                | (columns.status[now] != self._status[at])
                | (present[now] != self._present[at])
                | (moved & present[now])
                | (columns.time[now] - self._time[at] >= self._beat[at])
            )
            passed[now] = through
            now, at = now[through], at[through]
            self._seen[at] = True
            self._value[at] = numbers[now]
            self._key[at] = keys[now]
            self._present[at] = present[now]
            self._status[at] = columns.status[now]
            self._time[at] = columns.time[now]

    def _walk(
        self,
        rows: Places,
        places: Places,
        columns: Columns,
        numbers: npt.NDArray[np.float64],
        keys: npt.NDArray[np.uint64],
        present: npt.NDArray[np.bool_],
        passed: npt.NDArray[np.bool_],
    ) -> None:
        """One long series: each sample hangs on the one before, so stepping in arrays of one would only be slow."""
        at = int(places[rows[0]])
        double = columns.storage is StorageClass.DOUBLE
        band, beat = float(self._band[at]), int(self._beat[at])
        seen, value, key = bool(self._seen[at]), float(self._value[at]), int(self._key[at])
        had, code, then = bool(self._present[at]), int(self._status[at]), int(self._time[at])
        kept: list[bool] = []
        for number, bits, there, status, time in zip(
            numbers[rows].tolist(),
            keys[rows].tolist(),
            present[rows].tolist(),
            columns.status[rows].tolist(),
            columns.time[rows].tolist(),
            strict=True,
        ):
            gap = abs(number - value)
            decided = double and gap - gap == 0.0
            through = (
                not seen
                or status != code
                or there != had
                or (there and (gap > band if decided else bits != key))
                or time - then >= beat
            )
            kept.append(through)
            if through:
                seen, value, key, had, code, then = True, number, bits, there, status, time
        passed[rows] = kept
        self._seen[at], self._value[at], self._key[at] = seen, value, key
        self._present[at], self._status[at], self._time[at] = had, code, then
