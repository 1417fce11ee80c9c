"""How often one person may ask what makes other machines work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from hulian.platform.api.errors import TooManyError

__all__ = ["Pace"]

_KEPT: Final = 1_000


class Pace:
    """``burst`` questions at once, then ``rate`` a second, for each name. Of the names, the last thousand are remembered."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, cost: float = 1.0) -> None:
        """Raises `TooManyError` with the seconds to wait where ``name`` has asked too often."""
        now = self._clock()
        before, left = self._left.pop(name, (now, self._burst))
        left = min(self._burst, left + (now - before) * self._rate)
        enough = left >= cost
        self._left[name] = (now, left - cost if enough else left)
        while len(self._left) > _KEPT:
            self._left.popitem(last=False)
        if not enough:
            wait = max(1, round((cost - left) / self._rate))
            raise TooManyError(
                f"more than {self._rate:g} questions a second", seconds=wait, place="identifiers", hint="wait a moment"
            )
