"""How fast what had to wait is sent afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio

__all__ = ["Pace"]

_BURST: Final = 0.1
"""Seconds' worth that may go at once."""


class Pace:
    """``rate`` samples a second, shared by all who `take`; each waits for its share."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._free_at = 0.0

    async def take(self, samples: int) -> None:
        """Returns when ``samples`` more may go."""
        now = self._clock()
        begin = max(self._free_at, now - _BURST)
        self._free_at = begin + samples / self.rate
        if begin > now:
            await anyio.sleep(begin - now)
