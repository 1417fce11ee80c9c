"""The link that remembers: public answers for as long as their values say, and one question where a thousand ask."""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import anyio
import msgspec

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import HEAD, FromMemory, Plain, ended, forgotten, remembered, remembered_key
from hulian.network.identifiers.store.index import open_index
from hulian.network.identifiers.wire.bodies import Empty, ResolveRequest, Values, read_answer, read_body
from hulian.network.identifiers.wire.bodies import request as request_of
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, TtlType
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.values import Value

__all__ = ["RETRY_SECONDS", "STALE_SECONDS", "Cache"]

_NEGATIVE: Final = frozenset((ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))
_DAY: Final = 86_400.0
_USED: Final = 10
STALE_SECONDS: Final = 30
"""How long an answer may be believed that was given though it had ended (as RFC 8767 has it for names of the DNS)."""

RETRY_SECONDS: Final = 5.0
"""How long nobody is asked again who did not answer."""

_FAILED: Final = frozenset((ResponseCode.ERROR, ResponseCode.SERVER_BUSY))
_AHEAD: Final = 30.0
_LOOK: Final = 0.5
_LIFE: Final = 60
_REFRESHED_AT_ONCE: Final = 16
_CHANCES: Final = 64
"""How many answers that were used may stay for one that goes; the next one goes whatever was made of it."""


class _Flight:
    """A question under way; ``outcome`` is None where nobody asked it to its end."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.outcome: tuple[int, bytes] | None = None


class Cache:
    """Keeps answers to questions for public values, at most ``entries`` and ``bytes_`` of them.

    Where there is no room, what was not asked for longest goes. Plain questions are answered without passing here, and leave
    only a mark that an answer was used: its turn to go begins anew then.

    A record is kept as long as the shortest TTL of its values, ``longest`` seconds at most; that there is none, for
    ``negative`` seconds. Who wants an authoritative answer, or private values, passes by. What fails is not remembered.
    ``hits`` and ``misses`` count the questions that came here; the listener counts those that were answered before.

    Where nobody answers, a record that has ended is given all the same, for ``stale`` seconds at most; its values and the
    message say that they may be believed for `STALE_SECONDS` only, and whoever is responsible is asked again after
    `RETRY_SECONDS`. What is asked for is asked anew by `upkeep` before it ends, so that nobody waits for it.
    """

    def __init__(
        self,
        next_: Link,
        *,
        entries: int = 100_000,
        bytes_: int = 256 << 20,
        longest: float = _DAY,
        negative: float = 60.0,
        stale: float = _DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._next = next_
        self._most, self._bytes = entries, bytes_
        self._longest, self._negative, self._stale = longest, negative, stale
        self._clock = clock
        self._kept: OrderedDict[bytes, int] = OrderedDict()
        self._index = open_index()
        # The compiled loops know one clock.
        self.plain: Plain | None = FromMemory(self._index) if clock is time.time else None
        self._held = 0
        self._flights: dict[bytes, _Flight] = {}
        self._ended: dict[bytes, float] = {}
        self._due: list[tuple[float, bytes]] = []
        self.hits = 0
        self.misses = 0
        self.stale = 0
        """Failures that were answered with what had ended."""
        self.refreshed = 0
        """Answers that were asked for anew before they ended."""

    async def upkeep(self) -> None:
        """Keeps what is asked for fresh, until cancelled."""
        room = anyio.CapacityLimiter(_REFRESHED_AT_ONCE)
        async with anyio.create_task_group() as group:
            while True:
                for key in self._about_to_end():
                    await room.acquire_on_behalf_of(key)
                    group.start_soon(self._refresh, key, room)
                await anyio.sleep(_LOOK)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        question = read_body(request)
        plain = request.has(OpFlag.PUBLIC_ONLY) and not request.has(OpFlag.AUTHORITATIVE)
        if not plain or not isinstance(question, ResolveRequest):
            return await self._next.answer(request, asker)
        key = _key(question)
        while True:
            if (found := self._found(key)) is not None:
                self.hits += 1
                return _again(request, question, *found)
            flight = self._flights.get(key)
            if flight is None:
                return await self._fly(key, request, question, asker)
            await flight.landed.wait()
            if flight.outcome is not None:
                self.hits += 1
                return _again(request, question, *flight.outcome)

    async def _fly(self, key: bytes, request: Message, question: ResolveRequest, asker: Asker) -> Message:
        """Asks, for all who want the same meanwhile. An asker who goes away takes his question with him: the next one asks."""
        self.misses += 1
        flight = self._flights[key] = _Flight()
        try:
            answer = await self._next.answer(request, asker)
            if answer.response_code in _FAILED and (old := self._stale_one(key, question)) is not None:
                flight.outcome = old
                return _briefly(_again(request, question, *old), self._clock())
            flight.outcome = self._keep(key, question, answer)
            return answer
        finally:
            del self._flights[key]
            flight.landed.set()

    def _found(self, key: bytes) -> tuple[int, bytes] | None:
        kept = self._index.get(key)
        if kept is None:
            return None
        found = forgotten(kept, self._clock())
        if found is None:
            if not self._may_be_stale(key, kept):
                self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found

    def _keep(self, key: bytes, question: ResolveRequest, answer: Message) -> tuple[int, bytes]:
        """What `_again` makes answers of; kept where it may be."""
        code = answer.response_code
        body, _ = read_answer(answer)
        rest, ends = body.pack(), 0.0
        if code == ResponseCode.SUCCESS and isinstance(body, Values):
            rest, ends = rest[4 + len(question.handle.encode()) :], self._ends(body.values)
        elif code in _NEGATIVE:
            ends = self._clock() + self._negative
        if ends > self._clock() and len(rest) <= self._bytes:
            self._ended.pop(key, None)
            self._put(key, ends, code, rest)
            if code == ResponseCode.SUCCESS:
                ahead = min(max((ends - self._clock()) / 10, 1.0), _AHEAD)
                heapq.heappush(self._due, (ends - ahead, key))
                if len(self._due) > 4 * self._most:
                    self._due = [(due, one) for due, one in self._due if one in self._kept]
                    heapq.heapify(self._due)
        return code, rest

    def _put(self, key: bytes, ends: float, code: int, rest: bytes) -> None:
        self._held -= self._kept.pop(key, 0)
        kept = remembered(ends, code, rest)
        self._index.put(key, kept)
        self._kept[key] = len(key) + len(kept)
        self._held += len(key) + len(kept)
        self._make_room()

    # -- what has ended, and what is about to --------------------------------------------------------------------------

    def _may_be_stale(self, key: bytes, kept: bytes) -> bool:
        """Whether what has ended may still be of use where nobody answers. That there is none is not."""
        code, ends = ended(kept)
        return code == ResponseCode.SUCCESS and self._ended.get(key, ends) + self._stale > self._clock()

    def _stale_one(self, key: bytes, question: ResolveRequest) -> tuple[int, bytes] | None:
        """What is given in the place of a failure; it is given to others too until it is time to ask again."""
        kept = self._index.get(key)
        if kept is None or not self._may_be_stale(key, kept):
            return None
        code, ends = ended(kept)
        spelt = question.pack()[: 4 + len(question.handle.encode())]
        body = Values.read(Reader(spelt + kept[HEAD:], "a kept answer"))
        values = tuple(msgspec.structs.replace(value, ttl_type=0, ttl=STALE_SECONDS) for value in body.values)
        rest = Values(question.handle, values).pack()[len(spelt) :]
        self._ended.setdefault(key, ends)
        self._put(key, self._clock() + RETRY_SECONDS, code, rest)
        self.stale += 1
        return code, rest

    def _about_to_end(self) -> list[bytes]:
        """The keys of what was used since it was kept, and will end soon."""
        now, found = self._clock(), []
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            kept = self._index.get(key)
            used = kept is not None and kept[_USED] and forgotten(kept, now) is not None
            if used and key not in self._flights and key not in self._ended:
                found.append(key)
        return found

    async def _refresh(self, key: bytes, room: anyio.CapacityLimiter) -> None:
        try:
            question = ResolveRequest.read(Reader(key, "a kept question"))
            flags = OpFlag.PUBLIC_ONLY.value
            asked = request_of(OpCode.RESOLVE, question, request_id=0, expiration=int(self._clock()) + _LIFE, flags=flags)
            flight = self._flights[key] = _Flight()
            try:
                answer = await self._next.answer(asked, Asker(address="", verified=True))
                if answer.response_code not in _FAILED:
                    flight.outcome = self._keep(key, question, answer)
                    self.refreshed += 1
            finally:
                del self._flights[key]
                flight.landed.set()
        finally:
            room.release_on_behalf_of(key)

    # -- room ----------------------------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        chances = _CHANCES
        while len(self._kept) > self._most or self._held > self._bytes:
            oldest = next(iter(self._kept))
            if chances and self._index.exchange(oldest, _USED, 0) == 1:
                chances -= 1
                self._kept.move_to_end(oldest)
            else:
                self._drop(oldest)

    def _ends(self, values: tuple[Value, ...]) -> float:
        """When the first of ``values`` ends, in Unix seconds; a TTL of 0 ends now."""
        now = self._clock()
        ends = [float(value.ttl) if value.ttl_type == TtlType.ABSOLUTE else now + value.ttl for value in values]
        return min([now + self._longest, *ends])

    def _drop(self, key: bytes) -> None:
        self._held -= self._kept.pop(key)
        self._ended.pop(key, None)
        self._index.delete(key)


def _key(question: ResolveRequest) -> bytes:
    """The prefix without regard to case, the suffix as it is written, and what is wanted of the record."""
    return remembered_key(question.pack(), len(question.handle.encode()))


def _briefly(answer: Message, now: float) -> Message:
    """An answer that says of itself that it is believed for a moment only."""
    return msgspec.structs.replace(answer, expiration=int(now) + STALE_SECONDS)


def _again(request: Message, question: ResolveRequest, code: int, rest: bytes) -> Message:
    """A kept answer for another asker: in his request's version, with his spelling of the handle."""
    spelt = question.pack()[: 4 + len(question.handle.encode())] if code == ResponseCode.SUCCESS else b""
    return reply(request, ResponseCode(code), Empty(spelt + rest))
