"""What other systems have said, kept for as long as they say, and asked for once where many want it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import msgspec

from hulian.network.identifiers.junction.errors import SilentError
from hulian.network.identifiers.junction.found import Found
from hulian.network.identifiers.wire.codes import ResponseCode

__all__ = ["Keep"]

ENTRIES: Final = 20_000
BYTES: Final = 32 << 20
LONGEST: Final = 86_400.0
NEGATIVE: Final = 300.0
UNDER_WAY: Final = 64
"""Questions to other systems at once; the next ones are refused."""

_OVERHEAD: Final = 512


class _Flight:
    """A question under way, and where it ended for those who wait; None where its asker went away."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.outcome: Found | Exception | None = None


class Keep:
    """Answers, by what was asked. An answer lives for its ``seconds``, a day at most, five minutes where there is nothing.

    At most 20,000 are kept, of 32 MiB; who was not asked for longest goes. Errors are not kept, but told to all who wait.
    """

    def __init__(self, *, entries: int = ENTRIES, most_bytes: int = BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._bytes = entries, most_bytes
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, int, Found]] = OrderedDict()
        self._held = 0
        self._flights: dict[str, _Flight] = {}
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str, ask: Callable[[], Awaitable[Found]]) -> Found:
        """The answer that is kept for ``key``, or what ``ask`` says. Raises what ``ask`` raises, and `SilentError`."""
        while True:
            if (found := self._found(key)) is not None:
                self.hits += 1
                return found
            flight = self._flights.get(key)
            if flight is None:
                return await self._fly(key, ask)
            await flight.landed.wait()
            if isinstance(flight.outcome, Exception):
                raise flight.outcome
            if flight.outcome is not None:
                self.hits += 1
                return msgspec.structs.replace(flight.outcome, cached=True)

    async def _fly(self, key: str, ask: Callable[[], Awaitable[Found]]) -> Found:
        if len(self._flights) >= UNDER_WAY:
            raise SilentError(f"{UNDER_WAY} questions to other systems are under way", hint="ask again in a moment")
        self.misses += 1
        flight = self._flights[key] = _Flight()
        try:
            found = flight.outcome = await ask()
            self._put(key, found)
            return found
        except Exception as error:
            flight.outcome = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()

    def _found(self, key: str) -> Found | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        left = kept[0] - self._clock()
        if left <= 0:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return msgspec.structs.replace(kept[2], cached=True, seconds=left)

    def _put(self, key: str, found: Found) -> None:
        longest = LONGEST if found.code == ResponseCode.SUCCESS else NEGATIVE
        seconds = min(found.seconds, longest)
        size = _OVERHEAD + len(key) + len(found.message)
        size += sum(_OVERHEAD + len(value.data) for value in found.values)
        size += sum(len(step.asked) + len(step.answer) for step in found.path)
        if seconds <= 0 or size > self._bytes:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = (self._clock() + seconds, size, found)
        self._held += size
        while len(self._kept) > self._most or self._held > self._bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        self._held -= self._kept.pop(key)[1]
