"""Which series the store holds, of which class, and how new their newest samples are; kept in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NEVER", "Newest"]

NEVER = np.iinfo(np.int64).min


class Newest:
    """Series ids in order and their newest times. One writer; a reader sees one state or the next, never a mixture."""

    def __init__(self) -> None:
        self._state: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] = (np.empty(0, np.uint64), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self._state[0])

    @property
    def names(self) -> npt.NDArray[np.uint64]:
        """All series, in order."""
        return self._state[0]

    def of(self, names: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The newest time of each of ``names``; `NEVER` where there is no sample."""
        known, times = self._state
        if not len(known):
            return np.full(len(names), NEVER)
        at = np.minimum(np.searchsorted(known, names), len(known) - 1)
        found: npt.NDArray[np.int64] = np.where(known[at] == names, times[at], NEVER)
        return found

    def update(self, names: npt.NDArray[np.uint64], times: npt.NDArray[np.int64]) -> None:
        """Takes the newer of what is known and ``times``; ``names`` are in order and unique."""
        known, before = self._state
        present = self.of(names)
        new = present == NEVER
        if bool(new.any()):
            at = np.searchsorted(known, names[new])
            known, before = np.insert(known, at, names[new]), np.insert(before, at, times[new])
        else:
            before = before.copy()
        at = np.searchsorted(known, names)
        before[at] = np.maximum(before[at], times)
        self._state = (known, before)
