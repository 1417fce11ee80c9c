"""A block on its way into the store: sorted, without repeated instants, and its roll-ups.

Roll-ups are computed here and not by views in the database: the block is sorted anyway, so they cost a few vector operations
instead of a hash aggregation, and the store and every roll-up get their part of the same block under the same token.
No I/O, no clock; the same columns always give the same block.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

__all__ = [
    "BAD",
    "HOUR",
    "MINUTE",
    "NUMERIC",
    "UNCERTAIN",
    "Partials",
    "SortedBlock",
    "coarser",
    "double_of",
    "ordered_bits",
    "rollup",
    "sort_block",
]

MINUTE: Final = 60_000_000_000
HOUR: Final = 60 * MINUTE
BAD: Final = 0x8000_0000
UNCERTAIN: Final = 0x4000_0000

NUMERIC: Final = frozenset({StorageClass.DOUBLE, StorageClass.INTEGER, StorageClass.BOOLEAN})
"""The storage classes that have roll-ups, as doubles."""

_SIGN: Final = np.uint64(1 << 63)
_COUNTED: Final = 1 << 20
"""Up to this id a block's series are counted in a table of 8 MB."""


class SortedBlock(NamedTuple):
    """Samples in (series, time) order, one an instant: where the block held several, the last of them.

    ``starts`` is where each series begins, ``names`` its id.
    """

    storage: StorageClass
    series: npt.NDArray[np.uint64]
    time: npt.NDArray[np.int64]
    value: pa.Array
    status: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    names: npt.NDArray[np.uint64]

    @property
    def first(self) -> npt.NDArray[np.int64]:
        """The oldest time of each series."""
        return self.time[self.starts]

    @property
    def newest(self) -> npt.NDArray[np.int64]:
        """Where the newest sample of each series stands."""
        return np.append(self.starts[1:], len(self.series)) - 1


class Partials(NamedTuple):
    """One row a series and bucket that holds samples. They merge: two rows of one bucket add up to the row of both.

    ``lead``, ``tail``, ``lowest`` and ``highest`` are pairs (low, high) of uint64, 128-bit keys of which the smallest (of
    ``tail`` and ``highest`` the largest) wins: when and what was the first, last, lowest and highest usable value.
    """

    series: npt.NDArray[np.uint64]
    time: npt.NDArray[np.int64]
    samples: npt.NDArray[np.uint64]
    good: npt.NDArray[np.uint64]
    usable: npt.NDArray[np.uint64]
    total: npt.NDArray[np.float64]
    lead: npt.NDArray[np.uint64]
    tail: npt.NDArray[np.uint64]
    lowest: npt.NDArray[np.uint64]
    highest: npt.NDArray[np.uint64]
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]


def sort_block(columns: Columns) -> SortedBlock:
    """``columns`` in (series, time) order; of several samples of one series at one instant the last one stays."""
    codes, names = _codes(columns.series)
    time = columns.time
    order = None
    if len(names) > 1 and not bool((codes[1:] >= codes[:-1]).all()):
        order = np.argsort(codes, kind="stable")
        codes, time = codes[order], time[order]
    same = codes[1:] == codes[:-1]
    if bool((same & (time[1:] <= time[:-1])).any()):
        again = np.lexsort((time, codes))
        codes, time = codes[again], time[again]
        single = np.append((codes[1:] != codes[:-1]) | (time[1:] != time[:-1]), True)
        codes, time, again = codes[single], time[single], again[single]
        order = again if order is None else order[again]
        same = codes[1:] == codes[:-1]
    starts = np.concatenate(([0], np.flatnonzero(~same) + 1)) if len(codes) else np.empty(0, np.int64)
    if order is not None:
        columns = columns.take(order)
    return SortedBlock(columns.storage, columns.series, time, columns.value, columns.status, starts, names)


def _codes(series: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.uint64]]:
    """Numbers from 0 that sort as the ids do, narrow ones: numpy sorts 16 bits by radix, in linear time; and the ids."""
    largest = int(series.max(initial=0))
    if largest <= _COUNTED:  # ids are given from 1 on: a table is much quicker than a hash
        present = np.bincount(series.view(np.int64)) > 0
        names = np.flatnonzero(present).astype(np.uint64)
        narrow: type[np.unsignedinteger[Any]] = np.uint16 if len(names) <= 1 << 16 else np.uint32
        if largest < 1 << 16:
            return series.astype(np.uint16), names
        return (np.cumsum(present) - 1).astype(narrow)[series.view(np.int64)], names
    encoded = pc.dictionary_encode(pa.array(series))
    found = encoded.dictionary.to_numpy()
    ranks = np.empty(len(found), np.uint16 if len(found) <= 1 << 16 else np.uint32)
    ranks[np.argsort(found)] = np.arange(len(found))
    return ranks[encoded.indices.to_numpy()], np.sort(found)


def double_of(value: pa.Array, storage: StorageClass) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_] | None]:
    """The numbers of a numeric column and where there are none (None: nowhere); NaN counts as none."""
    if storage is StorageClass.DOUBLE and not value.null_count:
        numbers = value.to_numpy()
    else:
        filled = value.fill_null(0) if storage is not StorageClass.BOOLEAN else value.fill_null(False)
        numbers = filled.to_numpy(zero_copy_only=False).astype(np.float64)
    missing = np.isnan(numbers)
    if value.null_count:
        missing |= value.is_null().to_numpy(zero_copy_only=False)
    return numbers, missing if bool(missing.any()) else None


def ordered_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Doubles as integers that sort alike."""
    bits = values.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def rollup(block: SortedBlock, width: int) -> Partials:
    """The roll-up rows of a numeric block, buckets of ``width`` ns counted from 1970."""
    numbers, missing = double_of(block.value, block.storage)
    bucket = block.time // width
    new = np.empty(len(bucket), np.bool_)
    new[0] = True
    np.not_equal(bucket[1:], bucket[:-1], out=new[1:])
    new[block.starts] = True
    starts = np.flatnonzero(new)
    samples = np.diff(np.append(starts, len(bucket)))
    good = block.status < UNCERTAIN
    unusable = block.status >= BAD
    if missing is not None:
        good, unusable = good & ~missing, unusable | missing
    rows = _empty(block.series[starts], bucket[starts] * width)
    rows.samples[:] = samples
    rows.good[:] = np.add.reduceat(good, starts, dtype=np.uint64)
    offset = (block.time - bucket * width).astype(np.uint64)
    if not bool(unusable.any()):
        rows.usable[:] = samples
        _fill(rows, slice(None), starts, samples, numbers, offset)
        return rows
    usable = ~unusable
    counts = np.add.reduceat(usable, starts, dtype=np.int64)
    rows.usable[:] = counts
    filled = counts > 0
    if bool(filled.any()):
        kept = counts[filled]
        _fill(rows, filled, np.concatenate(([0], np.cumsum(kept)[:-1])), kept, numbers[usable], offset[usable])
    return rows


def coarser(fine: Partials, width: int) -> Partials:
    """The same in buckets of ``width`` ns, a multiple of those of ``fine``."""
    bucket = fine.time // width
    new = np.append(True, (bucket[1:] != bucket[:-1]) | (fine.series[1:] != fine.series[:-1]))
    starts = np.flatnonzero(new)
    rows = _empty(fine.series[starts], bucket[starts] * width)
    for name in ("samples", "good", "usable"):
        getattr(rows, name)[:] = np.add.reduceat(getattr(fine, name), starts)
    used = fine.usable > 0
    group = (np.cumsum(new) - 1)[used]
    if not len(group):
        return rows
    begins = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    at = group[begins]
    counts = np.diff(np.append(begins, len(group)))
    number = fine.usable[used].astype(np.float64)
    shift = (fine.time - bucket * width)[used].astype(np.uint64)
    with np.errstate(invalid="ignore", over="ignore"):
        rows.total[at] = np.add.reduceat(fine.total[used], begins)
        rows.mean[at] = rows.total[at] / rows.usable[at]
        between = number * np.square(fine.mean[used] - np.repeat(rows.mean[at], counts))
        rows.squares[at] = np.add.reduceat(fine.squares[used] + between, begins)
    for name, place in (("lead", begins), ("tail", begins + counts - 1)):
        keys = getattr(fine, name)[used][place]
        getattr(rows, name)[at] = np.stack((keys[:, 0], keys[:, 1] + shift[place]), axis=1)
    for name, extreme in (("lowest", np.minimum), ("highest", np.maximum)):
        keys = getattr(fine, name)[used]
        found = extreme.reduceat(keys[:, 1], begins)
        place = _first_hits(keys[:, 1] == np.repeat(found, counts), begins)
        moved = keys[place, 0] + shift[place] if name == "lowest" else keys[place, 0] - shift[place]
        getattr(rows, name)[at] = np.stack((moved, found), axis=1)
    return rows


def _empty(series: npt.NDArray[np.uint64], time: npt.NDArray[np.int64]) -> Partials:
    """Rows without a usable sample: whatever merges with them stays what it is."""
    count = len(series)
    return Partials(
        series=series,
        time=time,
        samples=np.zeros(count, np.uint64),
        good=np.zeros(count, np.uint64),
        usable=np.zeros(count, np.uint64),
        total=np.zeros(count),
        lead=np.full((count, 2), ~np.uint64(0)),
        tail=np.zeros((count, 2), np.uint64),
        lowest=np.full((count, 2), ~np.uint64(0)),
        highest=np.zeros((count, 2), np.uint64),
        mean=np.zeros(count),
        squares=np.zeros(count),
    )


def _fill(
    rows: Partials,
    at: Any,
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.float64],
    offset: npt.NDArray[np.uint64],
) -> None:
    """Writes what usable samples add to the rows ``at``; their groups begin at ``starts``."""
    ends = starts + counts - 1
    bits = numbers.view(np.uint64)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduceat(numbers, starts)
        mean = total / counts
        rows.total[at] = total
        rows.mean[at] = mean
        rows.squares[at] = np.add.reduceat(np.square(numbers - np.repeat(mean, counts)), starts)
    rows.lead[at] = np.stack((bits[starts], offset[starts]), axis=1)
    rows.tail[at] = np.stack((bits[ends], offset[ends]), axis=1)
    for target, extreme in ((rows.lowest, np.minimum), (rows.highest, np.maximum)):
        found = extreme.reduceat(numbers, starts)
        first = _first_hits(numbers == np.repeat(found, counts), starts)
        when = offset[first] if target is rows.lowest else ~offset[first]
        target[at] = np.stack((when, ordered_bits(found)), axis=1)


def _first_hits(hit: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Of each group, which begin at ``starts`` and hold a hit each, the first hit."""
    hits = np.flatnonzero(hit)
    return hits[np.searchsorted(hits, starts)]
