"""How fast data flow, from counters that only grow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

__all__ = ["Rates"]


class Rates:
    """Samples a second from the counters that connectors report, over the time since the last look."""

    def __init__(self) -> None:
        self._before: tuple[float, dict[str, int]] | None = None
        self._rate = 0.0

    def samples_per_second(self, connectors: Mapping[str, Any]) -> float:
        """The rate; looks less than a second apart get the same answer."""
        now = time.monotonic()
        counts = {name: int(status.get("samples", 0)) for name, status in connectors.items() if isinstance(status, dict)}
        if self._before is None:
            self._before = (now, counts)
            return self._rate
        when, before = self._before
        if now - when >= 1.0:
            grown = sum(max(0, count - before[name]) for name, count in counts.items() if name in before)
            self._rate = grown / (now - when)
            self._before = (now, counts)
        return self._rate
