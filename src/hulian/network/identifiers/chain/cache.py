"""The link that remembers: public answers for as long as their values say, and one question where a thousand ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import anyio

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.wire.bodies import Empty, ResolveRequest, Values, read_answer, read_body
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode, TtlType
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Value

__all__ = ["Cache"]

_NEGATIVE: Final = frozenset((ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))
_DAY: Final = 86_400.0


class _Flight:
    """A question under way; ``outcome`` is None where nobody asked it to its end."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.outcome: tuple[int, bytes] | None = None


class Cache:
    """Keeps answers to questions for public values, at most ``entries`` and ``bytes_`` of them, the oldest use goes first.

    A record is kept as long as the shortest TTL of its values, ``longest`` seconds at most; that there is none, for
    ``negative`` seconds. Who wants an authoritative answer, or private values, passes by. What fails is not remembered.
    """

    def __init__(
        self,
        next_: Link,
        *,
        entries: int = 100_000,
        bytes_: int = 256 << 20,
        longest: float = _DAY,
        negative: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._next = next_
        self._most, self._bytes = entries, bytes_
        self._longest, self._negative = longest, negative
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, int, bytes]] = OrderedDict()
        self._held = 0
        self._flights: dict[bytes, _Flight] = {}
        self.hits = 0
        self.misses = 0

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
            flight.outcome = self._keep(key, question, answer)
            return answer
        finally:
            del self._flights[key]
            flight.landed.set()

    def _found(self, key: bytes) -> tuple[int, bytes] | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept[0] <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept[1], kept[2]

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
            self._kept[key] = (ends, code, rest)
            self._held += len(key) + len(rest)
            while len(self._kept) > self._most or self._held > self._bytes:
                self._drop(next(iter(self._kept)))
        return code, rest

    def _ends(self, values: tuple[Value, ...]) -> float:
        """When the first of ``values`` ends, in Unix seconds; a TTL of 0 ends now."""
        now = self._clock()
        ends = [float(value.ttl) if value.ttl_type == TtlType.ABSOLUTE else now + value.ttl for value in values]
        return min([now + self._longest, *ends])

    def _drop(self, key: bytes) -> None:
        _, _, rest = self._kept.pop(key)
        self._held -= len(key) + len(rest)


def _key(question: ResolveRequest) -> bytes:
    """Prefix and suffix without regard to case, and what is wanted of the record."""
    packed = question.pack()
    size = 4 + len(question.handle.encode())
    return packed[:size].upper() + packed[size:]


def _again(request: Message, question: ResolveRequest, code: int, rest: bytes) -> Message:
    """A kept answer for another asker: in his request's version, with his spelling of the handle."""
    spelt = question.pack()[: 4 + len(question.handle.encode())] if code == ResponseCode.SUCCESS else b""
    return reply(request, ResponseCode(code), Empty(spelt + rest))
