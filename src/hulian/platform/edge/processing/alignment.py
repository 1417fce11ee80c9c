"""The last known value of each input at the time of another's sample, over whole batches.

Samples are taken in the order in which they come. One that is older than the newest of its own series is late and is passed
over. What an input was worth at time t, as known when the n-th sample came, is its last sample up to t among the first n; one
looks back `back` ns behind its newest sample, and no further than `DEPTH` samples. So the answer hangs on the order of samples
and on their times, never on batches.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hulian.kernel.quality import Quality

__all__ = ["DEPTH", "Known", "Rows"]

DEPTH: Final = 1024
"""Samples of one input that are kept to look back."""
_NONE: Final = np.iinfo(np.int64).min

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Rows(NamedTuple):
    """Samples of inputs in the order in which they came: ``input`` numbers it, ``value`` is NaN where there is none."""

    input: Ints
    time: Ints
    value: Floats
    status: npt.NDArray[np.uint32]

    def take(self, chosen: npt.NDArray[np.generic]) -> Rows:
        return Rows(*(column[chosen] for column in self))


class Known:
    """What is known of ``count`` inputs; ``back`` is in ns."""

    def __init__(self, count: int, back: int) -> None:
        self._count = count
        self._back = back
        empty = np.zeros(0, np.int64)
        self._table = Rows(empty, empty, np.zeros(0), np.zeros(0, np.uint32))
        self._arrival = empty
        self._first = np.zeros(count + 1, np.int64)
        self._by_time: tuple[Ints, Ints] = (empty, empty)
        self._by_arrival = empty
        self._span = 1

    def take(self, rows: Rows) -> Ints:
        """Takes a batch in; the places in it of the samples that are not late. `at` answers for these until the next batch."""
        self._forget()
        order = np.argsort(rows.input, kind="stable")
        order = order[~self._late(rows, order)]
        fresh = rows.take(order)
        old = self._table
        joined = Rows(*(np.concatenate([one, other]) for one, other in zip(old, fresh, strict=True)))
        arrival = np.concatenate([np.full(len(old.time), -1, np.int64), order])
        together = np.argsort(joined.input, kind="stable")
        self._table, self._arrival = joined.take(together), arrival[together]
        self._index(len(rows.time))
        return np.sort(order)

    def _late(self, rows: Rows, order: Ints) -> npt.NDArray[np.bool_]:
        owner, time = rows.input[order], rows.time[order]
        newest = np.full(self._count, _NONE, np.int64)
        newest[self._table.input] = self._table.time  # ascending within an input: the last one stays
        same = owner[1:] == owner[:-1]
        if not (same & (time[1:] < time[:-1])).any():
            # Ascending: only what is older than what was known before can be late.
            return time < newest[owner]
        late = np.zeros(len(time), np.bool_)
        begins = np.flatnonzero(np.concatenate(([True], ~same)))
        for begin, end in zip(begins.tolist(), [*begins.tolist()[1:], len(time)], strict=True):
            part = time[begin:end]
            before = np.concatenate(([newest[owner[begin]]], np.maximum.accumulate(part)[:-1]))
            late[begin:end] = part < np.maximum(before, newest[owner[begin]])
        return late

    def _index(self, batch: int) -> None:
        table = self._table
        self._first = np.searchsorted(table.input, np.arange(self._count + 1))
        times, ranks = np.unique(table.time, return_inverse=True)
        self._span = max(batch, len(times)) + 2
        self._by_time = (times, table.input * self._span + ranks + 1)
        self._by_arrival = table.input * self._span + self._arrival + 1

    def at(self, inputs: Ints, arrival: Ints, time: Ints) -> tuple[Floats, npt.NDArray[np.uint32], Ints]:
        """Value, status and time of each of ``inputs`` as known when sample ``arrival`` of the batch came, at ``time``."""
        times, by_time = self._by_time
        upto = inputs * self._span + np.searchsorted(times, time, "right")
        place = np.searchsorted(by_time, upto, "right") - 1
        newest = np.searchsorted(self._by_arrival, inputs * self._span + arrival + 1, "right") - 1
        place = np.minimum(place, newest)
        none = place < self._first[inputs]
        place, newest = np.maximum(place, 0), np.maximum(newest, 0)
        table = self._table
        if not len(table.time):
            return np.full(len(inputs), np.nan), np.full(len(inputs), Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32), time
        gone = ~none & ((newest - place >= DEPTH) | (time < table.time[newest] - self._back))
        never = newest < self._first[inputs]
        status = np.where(none | gone, np.uint32(Quality.BAD_NO_DATA), table.status[place])
        status = np.where(never, np.uint32(Quality.BAD_WAITING_FOR_INITIAL_DATA), status).astype(np.uint32)
        return np.where(none | gone, np.nan, table.value[place]), status, table.time[place]

    def _forget(self) -> None:
        """Only what may still be asked for stays."""
        table = self._table
        if not len(table.time):
            return
        last = np.searchsorted(table.input, table.input, "right") - 1
        horizon = table.time[last] - self._back
        following = np.append(table.time[1:], _NONE)
        wanted = (table.time > horizon) | (following > horizon)
        wanted[last] = True
        wanted &= last - np.arange(len(last)) < DEPTH
        self._table = table.take(wanted)

    def kept(self) -> Rows:
        """What would have to be taken in to know the same again."""
        self._forget()
        self._arrival = np.full(len(self._table.time), -1, np.int64)
        return self._table

    def restore(self, rows: Rows) -> None:
        """The inverse of `kept`."""
        self._table = rows
        self._arrival = np.full(len(rows.time), -1, np.int64)
        self._index(0)
