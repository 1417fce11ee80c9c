"""How quickly servers answer: who is asked first, and who is left aside for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from hulian.network.identifiers.chain.sites import Target

__all__ = ["Latency"]

ASIDE: Final = 30.0
"""Seconds for which a server that did not answer is asked after all others."""

_MOST: Final = 50_000
_WEIGHT: Final = 4


class Latency:
    """Measured seconds by server, as a moving average that follows a change within a few answers.

    Who is not known yet comes before all others, so that it becomes known. Who did not answer, or was overtaken, comes after
    all others for `ASIDE`; then nothing is known of it any more. At most 50,000 servers are remembered.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._aside: dict[str, float] = {}

    def order(self, targets: Iterable[Target]) -> list[Target]:
        """``targets``, the quickest first; those that are equal stay in their order."""
        now = self._clock()
        return sorted(targets, key=lambda target: self._rank(str(target), now))

    def answered(self, target: Target, seconds: float) -> None:
        """``target`` has answered within ``seconds``."""
        key = str(target)
        self._aside.pop(key, None)
        before = self._seconds.get(key, seconds)
        self._bound(self._seconds)
        self._seconds[key] = before + (seconds - before) / _WEIGHT

    def failed(self, target: Target) -> None:
        """``target`` has not answered, or not soundly, or later than another."""
        key = str(target)
        self._seconds.pop(key, None)
        self._bound(self._aside)
        self._aside[key] = self._clock() + ASIDE

    def _rank(self, key: str, now: float) -> tuple[bool, float]:
        until = self._aside.get(key)
        if until is not None and until <= now:
            del self._aside[key]
            until = None
        return until is not None, self._seconds.get(key, 0.0)

    @staticmethod
    def _bound(kept: dict[str, float]) -> None:
        if len(kept) >= _MOST:
            kept.clear()
