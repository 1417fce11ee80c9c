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
    """What is known of ``count`` inputs; ``back`` is in ns. One row of a table an input, its samples in ascending time."""

    def __init__(self, count: int, back: int) -> None:
        self._count = count
        self._back = back
        self._time = np.zeros((count, 16), np.int64)
        self._value = np.zeros((count, 16))
        self._status = np.zeros((count, 16), np.uint32)
        self._length = np.zeros(count, np.int64)
        self._newest = np.full(count, _NONE, np.int64)
        self._before = self._length
        """Samples of each input before the batch."""
        self._fresh = np.zeros(0, np.int64)
        """Input and arrival of the samples of the batch, as one ascending number."""
        self._begin = np.zeros(count, np.int64)
        self._span = 1

    def take(self, rows: Rows) -> Ints:
        """Takes a batch in; the places in it of the samples that are not late. `at` answers for these until the next batch."""
        order = np.argsort(rows.input, kind="stable")
        order = order[~self._late(rows, order)]
        owner = rows.input[order]
        self._begin = np.searchsorted(owner, np.arange(self._count))
        added = np.bincount(owner, minlength=self._count)
        if len(owner) and int((self._length + added).max()) > self._time.shape[1]:
            self._make_room(added)
        self._before = self._length
        place = self._length[owner] + np.arange(len(owner)) - self._begin[owner]
        self._time[owner, place] = rows.time[order]
        self._value[owner, place] = rows.value[order]
        self._status[owner, place] = rows.status[order]
        self._length = self._length + added
        self._newest[owner] = rows.time[order]  # ascending within an input: the last one stays
        self._span = len(rows.time) + 1
        self._fresh = owner * self._span + order
        return np.sort(order)

    def _late(self, rows: Rows, order: Ints) -> npt.NDArray[np.bool_]:
        owner, time = rows.input[order], rows.time[order]
        newest = self._newest
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

    def at(self, inputs: Ints, arrival: Ints, time: Ints) -> tuple[Floats, npt.NDArray[np.uint32], Ints]:
        """Value, status and time of each of ``inputs`` as known when sample ``arrival`` of the batch came, at ``time``."""
        fresh = np.searchsorted(self._fresh, inputs * self._span + arrival, "right") - self._begin[inputs]
        newest = self._before[inputs] + fresh - 1
        never = newest < 0
        newest = np.maximum(newest, 0)
        place = self._upto(inputs, newest, time)
        none = never | (place < 0)
        place = np.maximum(place, 0)
        gone = (newest - place >= DEPTH) | (time < self._time[inputs, newest] - self._back)
        status = np.where(none | gone, np.uint32(Quality.BAD_NO_DATA), self._status[inputs, place])
        status = np.where(never, np.uint32(Quality.BAD_WAITING_FOR_INITIAL_DATA), status).astype(np.uint32)
        return np.where(none | gone, np.nan, self._value[inputs, place]), status, self._time[inputs, place]

    def _upto(self, inputs: Ints, newest: Ints, time: Ints) -> Ints:
        """The last sample up to each time among those up to ``newest``; -1 where there is none. Bisects all at once."""
        place = newest.copy()
        (open_,) = np.nonzero(self._time[inputs, newest] > time)  # most often nothing: the newest is the one
        if not len(open_):
            return place
        low, high = np.zeros(len(open_), np.int64), newest[open_]
        rows, wanted = inputs[open_], time[open_]
        while (low < high).any():
            middle = (low + high) // 2
            after = self._time[rows, middle] <= wanted
            low, high = np.where(after & (low < high), middle + 1, low), np.where(after, high, np.minimum(high, middle))
        place[open_] = low - 1
        return place

    def _make_room(self, added: Ints) -> None:
        """Lets go of what can no longer be asked for; the table grows where that is not enough."""
        self._forget()
        wanted = int((self._length + added).max())
        if wanted > self._time.shape[1] // 2:
            more = max(0, 2 * wanted - self._time.shape[1])
            wider = ((0, 0), (0, more))
            self._time, self._value = np.pad(self._time, wider), np.pad(self._value, wider)
            self._status = np.pad(self._status, wider)

    def _forget(self) -> None:
        """Behind the horizon one sample stays, whose value holds there."""
        width = self._time.shape[1]
        there = np.arange(width) < self._length[:, None]
        # Where nothing is known yet the horizon is meaningless, and there is nothing to let go.
        horizon = np.where(self._length > 0, self._newest, 0) - self._back
        old = (there & (self._time <= horizon[:, None])).sum(axis=1)
        first = np.maximum(np.maximum(old - 1, self._length - DEPTH), 0)
        if not first.any():
            return
        places = np.minimum(np.arange(width) + first[:, None], width - 1)
        self._time, self._value = np.take_along_axis(self._time, places, 1), np.take_along_axis(self._value, places, 1)
        self._status = np.take_along_axis(self._status, places, 1)
        self._length = self._length - first

    def kept(self) -> Rows:
        """What would have to be taken in to know the same again."""
        self._forget()
        self._before = self._length
        inputs = np.repeat(np.arange(self._count), self._length)
        places = np.arange(len(inputs)) - np.repeat(np.cumsum(self._length) - self._length, self._length)
        return Rows(inputs, self._time[inputs, places], self._value[inputs, places], self._status[inputs, places])

    def restore(self, rows: Rows) -> None:
        """The inverse of `kept`."""
        self.take(rows)
