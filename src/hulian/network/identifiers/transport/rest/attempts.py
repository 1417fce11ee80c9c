"""How often one source may fail to prove who it is."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hulian.network.identifiers.transport.rest.errors import AttemptsError

__all__ = ["Attempts"]

MOST: Final = 10
SECONDS: Final = 60.0
_SOURCES: Final = 65_536


class Attempts:
    """Ten failures of one source are allowed at once, and one more every six seconds.

    Sources are /32 and /64 networks. 65,536 are remembered; beyond it the one that failed longest ago is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, source: str) -> None:
        """Raises `AttemptsError` where ``source`` has to wait."""
        left = self._level(_network(source))
        if left > MOST - 1:
            error = AttemptsError("too many proofs that did not hold came from here")
            error.retry_after = max(1, round((left - MOST + 1) * SECONDS / MOST))
            raise error

    def failed(self, source: str) -> None:
        """Counts a failure."""
        network = _network(source)
        self._failed[network] = (self._level(network) + 1, self._clock())
        self._failed.move_to_end(network)
        if len(self._failed) > _SOURCES:
            self._failed.popitem(last=False)

    def _level(self, network: str) -> float:
        count, at = self._failed.get(network, (0.0, 0.0))
        return max(0.0, count - (self._clock() - at) * MOST / SECONDS)


def _network(source: str) -> str:
    if ":" not in source:
        return source
    try:
        return str(ipaddress.ip_network((source.partition("%")[0], 64), strict=False))
    except ValueError:
        return source
