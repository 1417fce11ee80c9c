"""The filters of all points of one connector, over whole batches: parameters and state are arrays, one place a series.

Results depend only on the order of samples, never on how they came in batches: any split of the input gives the same output.
State lives in memory. After a restart every filter begins anew: the first sample of each series passes, an interval that
was open is not reported, staleness counts from the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.platform.edge.processing.declaration import Described, Filters
from hulian.platform.edge.processing.gate import Gate
from hulian.platform.edge.processing.rate import RateLimit

__all__ = ["FilterBank", "Staleness"]

_BAD: Final = 0x8000_0000
_NEVER: Final = np.iinfo(np.int64).max


class Staleness(NamedTuple):
    """A point that became stale, or gave a sample again."""

    series: int
    name: str
    time: int
    stale: bool


class FilterBank:
    """``apply`` is called with what a connector read, ``tick`` a few times a second where `timed`. Series without filters
    pass untouched. Not thread-safe.

    ``refused`` are series whose filters cannot work: their samples lose their value and become bad (BadConfigurationError),
    for a value that was not scaled would be a wrong one.
    """

    def __init__(self, declared: Mapping[int, tuple[Filters, Described]], refused: Sequence[int] = ()) -> None:
        self.timed = any(filters.rate or filters.stale for filters, _ in declared.values())
        self.filtered = 0
        """Samples that did not pass, since the start; those of an interval that is open count until it ends."""
        every = np.array(sorted({*declared, *refused}), np.uint64)
        self._series = every
        count = len(every)
        kept = [declared.get(int(series)) or (Filters(), Described()) for series in every]
        linear = [filters.linear(described, "") for filters, described in kept]
        self._factor = np.array([one.factor for one in linear], np.float64)
        self._offset = np.array([one.offset for one in linear], np.float64)
        self._scaled = bool(((self._factor != 1) | (self._offset != 0)).any())
        self._low = np.array([_or(filters.clamp.low if filters.clamp else None, -np.inf) for filters, _ in kept], np.float64)
        self._high = np.array([_or(filters.clamp.high if filters.clamp else None, np.inf) for filters, _ in kept], np.float64)
        self._clamped = bool((np.isfinite(self._low) | np.isfinite(self._high)).any())
        self._refused = np.isin(every, np.array(sorted(refused), np.uint64)) if refused else None
        self._gate = Gate([(filters, described) for filters, described in kept])
        self._rate = RateLimit([filters.rate for filters, _ in kept])
        self._names = [described.name for _, described in kept]
        after = [filters.stale.after_s if filters.stale else None for filters, _ in kept]
        self._after = np.array([_NEVER if one is None else int(one * 1e9) for one in after], np.int64)
        self._heard = np.full(count, -1, np.int64)
        self._stale = np.zeros(count, np.bool_)
        self._number = np.full(count, np.nan)
        self._doubles = np.zeros(count, np.bool_)
        self._storage = [StorageClass.DOUBLE] * count

    def apply(self, columns: Columns, now: int) -> tuple[list[Columns], list[Staleness]]:
        """What passes of ``columns``, in order within each series, and which stale points are so no longer; ``now`` UTC ns."""
        places = np.searchsorted(self._series, columns.series)
        places[places == len(self._series)] = 0
        mine = self._series[places] == columns.series if len(self._series) else np.zeros(len(columns), np.bool_)
        if not mine.any():
            return [columns], []
        untouched: list[Columns] = []
        if not mine.all():
            untouched = [columns.take(~mine)]
            columns, places = columns.take(mine), places[mine]
        before = len(columns)
        fresh = self._note(places, columns, now)
        columns = self._shaped(places, columns)
        keys, present = _keys(columns)
        passed = self._gate.passes(places, columns, keys, present)
        if passed is not None:
            columns, places, present = columns.take(passed), places[passed], present[passed]
        kept = self._rate.apply(places, columns, present) if len(columns) else []
        self.filtered += before - sum(map(len, kept))
        return [*untouched, *(part for part in kept if len(part))], fresh

    def tick(self, now: int) -> tuple[list[Columns], list[Staleness]]:
        """What time alone brings: the ends of intervals, and points that are stale."""
        found = self._rate.tick(now, self._series)
        self.filtered -= sum(map(len, found))
        self._heard[self._heard < 0] = now
        late = np.flatnonzero(~self._stale & (now - self._heard > self._after))
        if not len(late):
            return found, []
        self._stale[late] = True
        usable = self._doubles[late] & np.isfinite(self._number[late])
        status = np.where(usable, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Quality.BAD_NO_COMMUNICATION).astype(
            np.uint32
        )
        times = np.full(len(late), now, np.int64)
        value = self._number[late]
        for storage, chosen in self._by_storage(late):
            values = (
                pa.array(value[chosen], mask=~usable[chosen])
                if storage is StorageClass.DOUBLE
                else pa.nulls(int(chosen.sum()), value_type(storage))
            )
            found.append(Columns(storage, self._series[late[chosen]], times[chosen], values, status[chosen]))
        return found, [Staleness(int(self._series[place]), self._names[place], now, stale=True) for place in late]

    def close(self) -> list[Columns]:
        """The intervals that are open, at a clean end."""
        found = self._rate.tick(_NEVER, self._series)
        self.filtered -= sum(map(len, found))
        return found

    # ------------------------------------------------------------ parts

    def storages(self, of: Mapping[int, StorageClass]) -> None:
        """Which storage class each series has, for the samples that nobody sent: those of staleness."""
        self._storage = [of.get(int(series), StorageClass.DOUBLE) for series in self._series]
        self._rate.storages = self._storage

    def _by_storage(self, places: npt.NDArray[np.intp]) -> list[tuple[StorageClass, npt.NDArray[np.bool_]]]:
        classes = [self._storage[place] for place in places]
        return [(storage, np.array([one is storage for one in classes])) for storage in dict.fromkeys(classes)]

    def _note(self, places: npt.NDArray[np.intp], columns: Columns, now: int) -> list[Staleness]:
        self._heard[places] = now
        if not self._stale.any():
            return []
        again = np.unique(places[self._stale[places]])
        self._stale[again] = False
        return [Staleness(int(self._series[place]), self._names[place], now, stale=False) for place in again]

    def _shaped(self, places: npt.NDArray[np.intp], columns: Columns) -> Columns:
        """Scaled, clamped, and without the values of what is refused."""
        value, status = columns.value, columns.status
        if self._refused is not None and (wrong := self._refused[places]).any():
            value = pa.array(value.to_pylist(), value.type, mask=wrong)
            status = np.where(wrong, np.uint32(Quality.BAD_CONFIGURATION_ERROR), status).astype(np.uint32)
        if columns.storage is StorageClass.DOUBLE:
            missing = None if not value.null_count else value.is_null().to_numpy(zero_copy_only=False)
            numbers = value.to_numpy(zero_copy_only=False)
            if self._scaled:
                numbers = numbers * self._factor[places] + self._offset[places]
            if self._clamped:
                numbers, status = self._clamp(places, numbers, status)
            self._doubles[places] = True
            self._number[places] = np.where((status & _BAD) != 0, np.nan, numbers)
            if self._scaled or self._clamped:
                value = pa.array(numbers, mask=missing)
        return Columns(columns.storage, columns.series, columns.time, value, status)

    def _clamp(
        self, places: npt.NDArray[np.intp], numbers: npt.NDArray[np.float64], status: npt.NDArray[np.uint32]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint32]]:
        low, high = self._low[places], self._high[places]
        outside = (numbers < low) | (numbers > high)
        if not outside.any():
            return numbers, status
        good = outside & ((status & 0xC000_0000) == 0)
        # np.clip would carry NaN limits; both limits are numbers here and a NaN value stays one.
        return np.clip(numbers, low, high), np.where(good, np.uint32(Quality.GOOD_CLAMPED), status).astype(np.uint32)


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _keys(columns: Columns) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """64 bits a value that are equal for equal values, and which samples have a value."""
    value = columns.value
    present = np.ones(len(value), np.bool_) if not value.null_count else value.is_valid().to_numpy(zero_copy_only=False)
    match columns.storage:
        case StorageClass.DOUBLE:
            numbers = value.to_numpy(zero_copy_only=False) + 0.0  # -0.0 and 0.0 are one value
            keys = np.ascontiguousarray(numbers).view(np.uint64)
        case StorageClass.INTEGER:
            keys = np.ascontiguousarray(value.fill_null(0).to_numpy(zero_copy_only=False)).view(np.uint64)
        case StorageClass.BOOLEAN:
            keys = value.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint64)
        case _:
            coded = value.dictionary_encode()
            words = [_digest(word) for word in coded.dictionary.to_pylist()] or [0]
            keys = np.array(words, np.uint64)[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    return np.where(present, keys, np.uint64(0)), present


def _digest(word: str | bytes) -> int:
    content = word if isinstance(word, bytes) else word.encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
