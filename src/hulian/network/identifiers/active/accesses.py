"""What carriers were let do, and what they were refused, in the trail where every other access stands.

A carrier reports every second and a stranger asks as often as it likes: what is the same hour after hour is one record an hour,
and of refusals there are `REFUSALS` a minute at most; how many were left out stands in the next record.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

__all__ = ["Accesses", "Trail"]

EVERY: Final = 3_600.0
"""Seconds between two records of a carrier that does the same again and again."""

REFUSALS: Final = 60
_MINUTE: Final = 60.0
_MOST: Final = 100_000


class Trail(Protocol):
    """Where accesses are recorded, durably when it returns. It is called in worker threads. May raise `RegistryError`."""

    def record(
        self,
        principal: str,
        action: str,
        resource: str = "",
        outcome: str = "done",
        *,
        source: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None: ...


class Accesses:
    """Records accesses in ``trail``; nowhere where there is none. Thread-safe."""

    def __init__(self, trail: Trail | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._trail = trail
        self._clock = clock
        self._lock = threading.Lock()
        self._again: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._refused: tuple[float, int] = (0.0, 0)

    def done(self, who: str, action: str, source: str, **details: Any) -> None:
        """``who`` did something that is seldom done."""
        if self._trail is not None:
            self._trail.record(who, action, f"identifier:{who}", source=source, details=details)

    def done_again(self, who: str, action: str, source: str, **details: Any) -> None:
        """``who`` did what it does all the time: the first time, and then hourly with how often that was meanwhile."""
        if self._trail is None:
            return
        with self._lock:
            now = self._clock()
            until, count = self._again.get((who, action), (0.0, 0))
            due = until <= now
            self._again[who, action] = (now + EVERY, 0) if due else (until, count + 1)
            self._again.move_to_end((who, action))
            while len(self._again) > _MOST:
                self._again.popitem(last=False)
        if due:
            self._trail.record(who, action, f"identifier:{who}", source=source, details=details | {"before": count})

    def refused(self, who: str, action: str, source: str, code: str) -> None:
        """Somebody, who says to be ``who`` or has proved it, was refused."""
        if self._trail is None:
            return
        with self._lock:
            now = self._clock()
            until, count = self._refused
            left_out = 0
            if until <= now:
                left_out, until, count = max(0, count - REFUSALS), now + _MINUTE, 0
            self._refused = (until, count + 1)
            if count >= REFUSALS:
                return
        details = {"code": code, **({"left_out": left_out} if left_out else {})}
        self._trail.record(who, action, f"identifier:{who}" if who else "", "denied", source=source, details=details)
