"""How much one stranger can draw over UDP, whose address nobody has proved: a bucket of bytes for each source."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

__all__ = ["Budget"]

_SOURCES: Final = 65_536


class Budget:
    """At most ``rate`` bytes in any second for each source; the networks ``exempt`` are not counted.

    Half of it may be drawn at once, and the other half flows in over a second, again and again: so no second, wherever it
    begins, sees more.

    Sources are /32 and /64 networks: an IPv6 host has a whole /64 to ask from. At most 65,536 are remembered; who was not
    heard of for longest goes, and begins with a full bucket. The compiled loops have the same in C (`CompiledBudget`).
    """

    def __init__(self, rate: int = 64 << 10, exempt: Sequence[str] = ()) -> None:
        self._rate = rate / 2
        self.rate, self.exempt = rate, tuple(exempt)
        self._exempt = tuple(ipaddress.ip_network(network) for network in exempt)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._known: dict[str, bool] = {}

    def allows(self, address: str, size: int, now: float) -> bool:
        """Whether an answer of ``size`` bytes goes to ``address`` at ``now`` (monotonic seconds); what goes is counted."""
        if ":" in address:
            address = _as_v4(address)
        if self._exempt and self._is_exempt(address):
            return True
        source = _network(address)
        left, before = self._left.pop(source, (self._rate, now))
        left = min(self._rate, left + max(now - before, 0.0) * self._rate)
        allowed = size <= left
        self._left[source] = (left - size if allowed else left, now)
        if len(self._left) > _SOURCES:
            self._left.popitem(last=False)
        return allowed

    def _is_exempt(self, address: str) -> bool:
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= _SOURCES:
                self._known.clear()
            host = ipaddress.ip_address(address.partition("%")[0])
            found = self._known[address] = any(host in network for network in self._exempt)
        return found


def _as_v4(address: str) -> str:
    """What an IPv6 socket calls an IPv4 source is one: all of them would share one /64 otherwise."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return address if mapped is None else str(mapped)


def _network(address: str) -> str:
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
