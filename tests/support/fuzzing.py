"""Property tests of decoders, repeated for minutes: a crash or a hang ends them, and so does memory that only grows."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any

import psutil

GROWTH = 200 * 2**20
"""Bytes that the process may gain between the first tenth of the time and its end."""


def again_and_again(test: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """``test`` until the time is over; Hypothesis chooses other examples in each round."""
    watch = _Watch(seconds)
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def repeated(*arguments: Any, **named: Any) -> None:
            watch.begin()
            while watch.goes_on():
                await test(*arguments, **named)

    else:

        @functools.wraps(test)
        def repeated(*arguments: Any, **named: Any) -> None:
            watch.begin()
            while watch.goes_on():
                test(*arguments, **named)

    return repeated


class _Watch:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self) -> None:
        self._began, self._first, self.rounds = time.monotonic(), 0, 0

    def goes_on(self) -> bool:
        self.rounds += 1
        spent, memory = time.monotonic() - self._began, psutil.Process().memory_info().rss
        if not self._first and spent > self._seconds / 10:
            self._first = memory
        if self._first:
            assert memory - self._first < GROWTH, f"memory grew by {(memory - self._first) >> 20} MiB in {spent:.0f} s"
        return spent < self._seconds
