"""Counters that were seen before: a sliding window, for messages of a session that may overtake each other."""

from __future__ import annotations

from hulian.network.identifiers.wire.errors import ReplayError

__all__ = ["ReplayWindow"]


class ReplayWindow:
    """Remembers the last ``size`` counters of one session. Each counter is good once; what is older than the window never.

    >>> window = ReplayWindow(size=64)
    >>> window.accept(1); window.accept(3); window.accept(2)
    >>> window.accept(2)
    Traceback (most recent call last):
    ...
    hulian.network.identifiers.wire.errors.ReplayError: HL-ID-0245: counter 2 was seen before, or is too old (a session)
    """

    __slots__ = ("_highest", "_seen", "size")

    def __init__(self, size: int = 256) -> None:
        self.size = size
        self._highest = 0
        self._seen = 0

    def accept(self, counter: int) -> None:
        """Takes ``counter`` (1 to 2**32 - 1), or raises `ReplayError`. Call it only for messages that are proved genuine."""
        if not 0 < counter < 2**32:
            raise ReplayError("a message of a session without a counter", place="a session")
        ahead = counter - self._highest
        if ahead > 0:
            # A jump past the window forgets it all; the shift is bounded so that no counter costs memory.
            self._seen = (self._seen << ahead if ahead < self.size else 0) & (1 << self.size) - 1 | 1
            self._highest = counter
            return
        bit = 1 << -ahead
        if -ahead >= self.size or self._seen & bit:
            raise ReplayError(f"counter {counter} was seen before, or is too old", place="a session")
        self._seen |= bit
