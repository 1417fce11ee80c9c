"""Which series the store holds and the newest sample of each, in memory: a live screen asks for them all the time."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["NEVER", "Newest", "NewestSamples"]

NEVER: Final = np.iinfo(np.int64).min


class NewestSamples(NamedTuple):
    """One row a series, in the order of ``names``; ``value`` holds nothing for classes that are not numbers."""

    names: npt.NDArray[np.uint64]
    time: npt.NDArray[np.int64]
    value: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_]
    status: npt.NDArray[np.uint32]

    def rows(self, at: Any) -> NewestSamples:
        """Some of the rows."""
        return NewestSamples._make(column[at] for column in self)


class Newest:
    """The newest sample of each series of one storage class.

    One writer; a reader sees one state or the next, never a mixture.
    """

    def __init__(self, kind: npt.DTypeLike) -> None:
        self.samples = NewestSamples(
            np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, kind), np.empty(0, np.bool_), np.empty(0, np.uint32)
        )

    def __len__(self) -> int:
        return len(self.samples.names)

    def of(self, names: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The newest time of each of ``names``; `NEVER` where there is no sample."""
        known, times = self.samples.names, self.samples.time
        if not len(known):
            return np.full(len(names), NEVER)
        at = np.minimum(np.searchsorted(known, names), len(known) - 1)
        found: npt.NDArray[np.int64] = np.where(known[at] == names, times[at], NEVER)
        return found

    def update(self, new: NewestSamples) -> None:
        """Takes those of ``new`` that are not older than what is known; their names are in order and unique."""
        old = self.samples
        unknown = self.of(new.names) == NEVER
        if bool(unknown.any()):
            at = np.searchsorted(old.names, new.names[unknown])
            columns = {name: np.insert(getattr(old, name), at, getattr(new, name)[unknown]) for name in NewestSamples._fields}
            old = NewestSamples(**columns)
        else:
            old = NewestSamples._make(column.copy() for column in old)
        at = np.searchsorted(old.names, new.names)
        newer = new.time >= old.time[at]
        at = at[newer]
        old.time[at], old.value[at] = new.time[newer], new.value[newer]
        old.missing[at], old.status[at] = new.missing[newer], new.status[newer]
        self.samples = old
