"""The pace of a replay: which rows are due, and which time they get. No clock is read here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Pace"]


class Pace:
    """Recorded times against a running clock: ``pace`` recorded seconds pass in one second, 0 means without waiting.

    ``now``: rows get the time at which they are played; otherwise, and without waiting, their recorded one. A gap of more
    than ``longest_gap`` played seconds is left out, and so is a step back in time.

    >>> pace = Pace(10.0, 60.0, now=True)
    >>> times = np.array([0, 10, 20], np.int64) * 10**9
    >>> pace.due(times, 1000 * 10**9), pace.due(times[1:], 1000 * 10**9 + 10**9)
    ((1, 0.0), (1, 0.0))
    >>> pace.played(times[1:2]).tolist()
    [1001000000000]
    """

    def __init__(self, pace: float, longest_gap: float, *, now: bool) -> None:
        self._pace = pace
        self._longest = int(longest_gap * 1e9)
        self._now = now
        self._recorded: int | None = None
        self._started = 0

    def due(self, times: npt.NDArray[np.int64], clock: int) -> tuple[int, float]:
        """How many of the first rows are due at ``clock`` (UTC ns), and else the seconds until one is."""
        if not len(times):
            return 0, 0.0
        if self._pace == 0:
            return len(times), 0.0
        first = int(times[0])
        if self._recorded is None or first < self._recorded or self._moment(first) > clock + self._longest:
            self._recorded, self._started = first, clock
        played = self._recorded + int((clock - self._started) * self._pace)
        # Rows need not be in order: one that lies behind a later one comes with it.
        highest = np.maximum.accumulate(times)
        count = int(np.searchsorted(highest, played, side="right"))
        gaps = np.diff(highest[: count + 1]) > self._longest * self._pace
        if gaps.any():
            count = min(count, int(np.argmax(gaps)) + 1)
        return (count, 0.0) if count else (0, max(0.0, (self._moment(first) - clock) / 1e9))

    def _moment(self, recorded: int) -> int:
        """When a row of that time is played."""
        return self._started + int((recorded - (self._recorded or 0)) / self._pace)

    def played(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The times that rows of those recorded times get."""
        if not self._now or self._recorded is None:
            return times
        passed = times - self._recorded
        if self._pace != 1.0:
            passed = np.rint(passed / self._pace).astype(np.int64)
        return passed + self._started
