"""Numbers that are done, kept as ranges: they come nearly in order, so there are few."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

__all__ = ["Ranges"]


class Ranges:
    """A set of whole numbers. ``len`` is how many ranges it takes."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __len__(self) -> int:
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        return self.through(number - 1) >= number

    def add(self, first: int, last: int) -> None:
        """``first`` to ``last``, both included; what overlaps or touches becomes one range."""
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if begin < end:
            first, last = min(first, self._firsts[begin]), max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    def through(self, number: int) -> int:
        """The last number up to which all behind ``number`` are in the set; ``number`` itself where the next is not."""
        place = bisect_right(self._firsts, number + 1) - 1
        return max(number, self._lasts[place]) if place >= 0 else number

    def forget(self, number: int) -> None:
        """Takes out everything up to ``number``."""
        keep = bisect_right(self._lasts, number)
        del self._firsts[:keep], self._lasts[:keep]
        if self._firsts:
            self._firsts[0] = max(self._firsts[0], number + 1)

    def clear(self) -> None:
        """Takes out everything."""
        self._firsts.clear()
        self._lasts.clear()
