"""The rate limit: at most one sample (or the two extremes) an interval of source time, per series.

An interval ends with the first sample of a later one, or when the clock is `GRACE` past its end. A sample of an interval that
is over is late and does not pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.edge.processing.declaration import Keep, Rate
from hulian.platform.edge.processing.gate import Places, runs

__all__ = ["GRACE", "RateLimit"]

GRACE: Final = 1_000_000_000
"""Time after its end, in ns, that an interval waits for samples that are still under way."""
_BAD: Final = 0x8000_0000
_NONE: Final = np.iinfo(np.int64).min
_MODES: Final = (Keep.FIRST, Keep.LAST, Keep.MEAN, Keep.EXTREMES)
_FIRST, _LAST, _MEAN, _EXTREMES = range(4)


class RateLimit:
    """One place a series: the interval that is open and what it holds.

    ``mean`` and ``extremes`` count the usable samples (a value, not bad) and stand at the time of the last of them, the
    extremes at their own; the status is the worst of those. An interval without one leaves its last sample.
    """

    def __init__(self, declared: Sequence[Rate | None]) -> None:
        count = len(declared)
        self.storages = [StorageClass.DOUBLE] * count
        """What each series holds; `FilterBank.storages` says it."""
        self._interval = np.array([0 if rate is None else int(rate.interval_s * 1e9) for rate in declared], np.int64)
        self._mode = np.array([-1 if rate is None else _MODES.index(rate.keep) for rate in declared], np.int8)
        self._any = bool((self._mode >= 0).any())
        self._bucket = np.full(count, _NONE, np.int64)
        self._full = np.zeros(count, np.bool_)
        self._time = np.zeros(count, np.int64)
        self._status = np.zeros(count, np.uint32)
        self._number = np.zeros(count)
        self._value: list[pa.Scalar | None] = [None] * count
        """The last value of a series that holds no doubles."""
        self._double = np.ones(count, np.bool_)
        self._present = np.zeros(count, np.bool_)
        self._sum = np.zeros(count)
        self._count = np.zeros(count, np.int64)
        self._worst = np.zeros(count, np.uint32)
        self._until = np.zeros(count, np.int64)
        self._least, self._least_time = np.zeros(count), np.zeros(count, np.int64)
        self._most, self._most_time = np.zeros(count), np.zeros(count, np.int64)

    def apply(self, places: Places, columns: Columns, present: npt.NDArray[np.bool_]) -> list[Columns]:
        """What passes at once: of series without a limit everything, of the others the intervals that ended."""
        if not self._any:
            return [columns]
        limited = self._mode[places] >= 0
        if not limited.any():
            return [columns]
        found = [] if limited.all() else [columns.take(~limited)]
        rows = np.flatnonzero(limited)
        order, begins, counts = runs(places[rows])
        rows = rows[order]
        at = places[rows]
        bucket = columns.time[rows] // self._interval[at]
        newest = self._newest(bucket, at, begins, counts)
        late = bucket < newest
        if late.any():
            rows, at, bucket = rows[~late], at[~late], bucket[~late]
        if not len(rows):
            return found
        starts = np.flatnonzero(np.concatenate(([True], (at[1:] != at[:-1]) | (bucket[1:] != bucket[:-1]))))
        return [*found, *self._intervals(rows, at, bucket, starts, columns, present)]

    def _newest(self, bucket: npt.NDArray[np.int64], at: Places, begins: Places, counts: Places) -> npt.NDArray[np.int64]:
        """The newest interval of each series up to each of its samples."""
        newest = np.empty_like(bucket)
        if counts.max() == 1:
            return np.maximum(bucket, self._bucket[at])
        if (rising := np.diff(bucket) >= 0).size == 0 or (rising | (at[1:] != at[:-1])).all():
            return np.maximum(bucket, self._bucket[at])
        for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
            part = slice(begin, begin + count)
            newest[part] = np.maximum(np.maximum.accumulate(bucket[part]), self._bucket[at[begin]])
        return newest

    def _intervals(
        self,
        rows: Places,
        at: Places,
        bucket: npt.NDArray[np.int64],
        starts: Places,
        columns: Columns,
        present: npt.NDArray[np.bool_],
    ) -> list[Columns]:
        """Runs of samples of one interval: joined with what is open, the last of each series stays open."""
        owner, numbered = at[starts], bucket[starts]
        ends = np.append(starts[1:], len(rows)) - 1
        first_of_series = np.concatenate(([True], owner[1:] != owner[:-1]))
        goes_on = first_of_series & self._full[owner] & (self._bucket[owner] == numbered)
        out: list[Columns] = []
        ended = owner[first_of_series & self._full[owner] & ~goes_on]
        if len(ended):
            out += self._emit(ended, self._series_of(ended, at, rows, columns), columns.storage)
        position = 0
        # Runs of one series follow each other: the n-th runs of all series are taken in step.
        ranks = np.arange(len(owner)) - np.maximum.accumulate(np.where(first_of_series, np.arange(len(owner)), 0))
        last_of_series = np.append(first_of_series[1:], True)
        sums, counts, worst, until, least, least_time, most, most_time = self._figures(rows, starts, ends, columns, present)
        for position in range(int(ranks.max()) + 1):
            chosen = np.flatnonzero(ranks == position)
            who, tail = owner[chosen], rows[ends[chosen]]
            fresh = ~goes_on[chosen]
            self._open(who[fresh], numbered[chosen[fresh]])
            begun = chosen[fresh & (self._mode[who] == _FIRST)]
            if len(begun):
                out.append(columns.take(rows[starts[begun]]))
            self._time[who], self._status[who] = columns.time[tail], columns.status[tail]
            self._present[who] = present[tail]
            self._keep_values(who, tail, columns)
            have = counts[chosen] > 0
            mine, theirs = who[have], chosen[have]
            self._merge(mine, theirs, sums, counts, worst, until, least, least_time, most, most_time)
            done = ~last_of_series[chosen]
            if done.any():
                out += self._emit(who[done], columns.series[tail[done]], columns.storage)
        return out

    @staticmethod
    def _series_of(ended: Places, at: Places, rows: Places, columns: Columns) -> npt.NDArray[np.uint64]:
        return columns.series[rows[np.searchsorted(at, ended)]]

    def _figures(
        self, rows: Places, starts: Places, ends: Places, columns: Columns, present: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[Any], ...]:
        """Of each run: sum, count, worst status, last time, least and its time, most and its time, of what is usable."""
        status, time = columns.status[rows], columns.time[rows]
        usable = present[rows] & ((status & _BAD) == 0)
        if columns.storage is not StorageClass.DOUBLE:
            nothing = np.zeros(len(starts))
            whole = np.zeros(len(starts), np.int64)
            return nothing, whole, whole.astype(np.uint32), whole, nothing, whole, nothing, whole
        number = columns.value.to_numpy(zero_copy_only=False)[rows]
        usable &= np.isfinite(number)
        sums = np.add.reduceat(np.where(usable, number, 0.0), starts)
        counts = np.add.reduceat(usable.astype(np.int64), starts)
        worst = np.maximum.reduceat(np.where(usable, status, 0), starts)
        until = np.maximum.reduceat(np.where(usable, time, _NONE), starts)
        low, high = np.where(usable, number, np.inf), np.where(usable, number, -np.inf)
        least, most = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
        lengths = ends - starts + 1
        places = np.arange(len(rows))
        none = len(rows) - 1
        least_at = np.minimum.reduceat(np.where(usable & (low == np.repeat(least, lengths)), places, none), starts)
        most_at = np.minimum.reduceat(np.where(usable & (high == np.repeat(most, lengths)), places, none), starts)
        return sums, counts, worst.astype(np.uint32), until, least, time[least_at], most, time[most_at]

    def _open(self, who: Places, bucket: npt.NDArray[np.int64]) -> None:
        self._bucket[who], self._full[who] = bucket, True
        self._sum[who], self._count[who], self._worst[who] = 0.0, 0, 0
        self._least[who], self._most[who] = np.inf, -np.inf
        self._until[who] = _NONE

    def _keep_values(self, who: Places, tail: Places, columns: Columns) -> None:
        double = columns.storage is StorageClass.DOUBLE
        self._double[who] = double
        if double:
            self._number[who] = columns.value.to_numpy(zero_copy_only=False)[tail]
            return
        for place, row in zip(who.tolist(), tail.tolist(), strict=True):
            self._value[place] = columns.value[row]

    def _merge(self, who: Places, runs_: Places, *figures: npt.NDArray[Any]) -> None:
        sums, counts, worst, until, least, least_time, most, most_time = (figure[runs_] for figure in figures)
        self._sum[who] += sums
        self._count[who] += counts
        self._worst[who] = np.maximum(self._worst[who], worst)
        self._until[who] = np.maximum(self._until[who], until)
        lower, higher = least < self._least[who], most > self._most[who]
        self._least[who[lower]], self._least_time[who[lower]] = least[lower], least_time[lower]
        self._most[who[higher]], self._most_time[who[higher]] = most[higher], most_time[higher]

    def tick(self, now: int, series: npt.NDArray[np.uint64]) -> list[Columns]:
        """The intervals that are over by the clock."""
        if not self._any:
            return []
        over = np.flatnonzero(self._full & (self._bucket < (now - GRACE) // np.maximum(self._interval, 1)))
        found: list[Columns] = []
        if len(over):
            found += self._emit(over[self._double[over]], series[over[self._double[over]]], StorageClass.DOUBLE)
            others = over[~self._double[over]]
            kinds = [self.storages[place] for place in others.tolist()]
            for storage in dict.fromkeys(kinds):
                same = others[np.array([kind is storage for kind in kinds])]
                found += self._emit(same, series[same], storage)
            self._full[over] = False
        return found

    def _emit(self, who: Places, series: npt.NDArray[np.uint64], storage: StorageClass) -> list[Columns]:
        """What the open intervals of ``who`` leave."""
        kept = self._mode[who] != _FIRST
        who, series = who[kept], series[kept]
        if not len(who):
            return []
        if storage is not StorageClass.DOUBLE:
            values = [self._value[place] for place in who.tolist()]
            kind = next(value for value in values if value is not None).type
            value = pa.array([None if one is None else one.as_py() for one in values], kind)
            return [Columns(storage, series, self._time[who], value, self._status[who])]
        mode, counted = self._mode[who], self._count[who] > 0
        extremes = (mode == _EXTREMES) & counted
        mean = (mode == _MEAN) & counted
        with np.errstate(invalid="ignore", divide="ignore"):
            average = self._sum[who] / self._count[who]
        number = np.where(mean, average, self._number[who])
        time = np.where(mean, self._until[who], self._time[who])
        status = np.where(mean, self._worst[who], self._status[who]).astype(np.uint32)
        missing = ~mean & ~self._present[who]
        plain = ~extremes
        parts = []
        if plain.any():
            parts.append(
                Columns.doubles(series[plain], time[plain], number[plain], status[plain], missing=_mask(missing[plain]))
            )
        if extremes.any():
            parts.append(self._extremes(who[extremes], series[extremes]))
        return parts

    def _extremes(self, who: Places, series: npt.NDArray[np.uint64]) -> Columns:
        """The lowest and the highest of each, in the order of their times; one sample where they are the same."""
        later = self._most_time[who] >= self._least_time[who]
        low = (self._least[who], self._least_time[who])
        high = (self._most[who], self._most_time[who])
        first = tuple(np.where(later, one, other) for one, other in zip(low, high, strict=True))
        second = tuple(np.where(later, other, one) for one, other in zip(low, high, strict=True))
        single = (low[0] == high[0]) | (low[1] == high[1])
        value = np.stack([first[0], second[0]], axis=1).ravel()
        time = np.stack([first[1], second[1]], axis=1).ravel()
        both = np.stack([np.ones(len(who), np.bool_), ~single], axis=1).ravel()
        return Columns.doubles(np.repeat(series, 2)[both], time[both], value[both], np.repeat(self._worst[who], 2)[both])


def _mask(missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    return missing if missing.any() else None
