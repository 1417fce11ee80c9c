"""The hours of a series in which instants repeat: sent twice, or corrected.

Nearly every hour holds each instant once, and its roll-ups, which add up, are right. Where an instant repeats they are
not. The writer notes such an hour, durably, before the samples; from then on queries take it from the raw samples, of which
the highest version is valid. When the hour has been quiet for a while it is settled: its roll-up rows are written anew
with a higher ``revision`` and the earlier ones no longer count. Every state in between gives the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from hulian.kernel.storage import StorageClass

__all__ = ["Overlap", "Overlaps", "Pair"]

Pair = tuple[int, int]
"""A series and an hour, counted from 1970."""

_MANY: Final = 20_000


class Overlap(NamedTuple):
    """The state of one hour of one series."""

    storage: StorageClass
    settled: bool
    revision: int


class Overlaps:
    """All such hours, in memory. One writer; readers take a copy of what concerns them."""

    def __init__(self) -> None:
        self._hours: dict[int, dict[int, Overlap]] = {}

    def __len__(self) -> int:
        return sum(len(hours) for hours in self._hours.values())

    def __contains__(self, series: int) -> bool:
        return series in self._hours

    def put(self, found: Mapping[Pair, Overlap]) -> None:
        """Replaces the state of each hour in ``found``."""
        for (series, hour), overlap in found.items():
            self._hours[series] = {**self._hours.get(series, {}), hour: overlap}

    def get(self, pair: Pair) -> Overlap | None:
        """The state of one hour; None where no instant repeats."""
        return self._hours.get(pair[0], {}).get(pair[1])

    def within(self, names: Iterable[int], first: int, last: int) -> dict[Pair, Overlap]:
        """Those of ``names`` between two hours, both included."""
        if not self._hours:
            return {}
        return {
            (series, hour): overlap
            for series in names
            for hour, overlap in self._hours.get(series, {}).items()
            if first <= hour <= last
        }

    def pending(self) -> dict[Pair, Overlap]:
        """Those that are not settled yet."""
        return {
            (series, hour): overlap
            for series, hours in list(self._hours.items())
            for hour, overlap in hours.items()
            if not overlap.settled
        }
