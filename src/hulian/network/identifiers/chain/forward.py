"""The link of recursive nodes that carries a user's proof to the responsible node (op-flag 0x00000004, the Chinese dialect).

A proof is good for one question as it was asked, and for the node that challenged. So the question goes on byte for byte, the
challenge comes back, and the answer to it goes to the same node over the same connection. This node learns what the user may
read and keeps none of it: the link stands in front of the cache.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final

import anyio
import msgspec

from hulian.network.identifiers.chain.administer import Converse, Exchange
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.errors import DeceivedError, FollowError, NoServiceError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.sites import Target, conversation
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.bodies import (
    ChallengeResponse,
    ResolveRequest,
    Values,
    check_digest,
    read_answer,
    read_body,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Forward"]

SECONDS: Final = 60.0
"""How long a challenge waits for its answer, as long as at the node that made it."""

MOST: Final = 1_024
MOST_OF_ONE: Final = 16
UNDER_WAY: Final = 256
_TARGETS: Final = 4
_REFERRALS: Final = frozenset((ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL, ResponseCode.NOT_RESPONSIBLE))


class _Waiting:
    """A challenge that was handed on: who may answer it, and the connection that its answer must take."""

    __slots__ = ("asker", "exchange", "question", "session", "stack", "target", "until")

    def __init__(
        self,
        question: Message,
        asker: Asker,
        target: Target,
        exchange: Exchange,
        stack: AsyncExitStack,
        session: int,
        until: float,
    ) -> None:
        self.question, self.asker, self.target = question, asker, target
        self.exchange, self.stack, self.session, self.until = exchange, stack, session, until


class Forward:
    """Passes questions with that flag to the responsible node, and the proof of whoever asks; all others go to ``next_``.

    A challenge is answered by the address and the connection that it was handed to, once, within a minute. At most 1,024
    wait, 16 of one address; beyond it the oldest go. At most 256 questions are under way; the next are told to come again.
    """

    def __init__(self, follow: Follow, converse: Converse, next_: Link, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._follow = follow
        self._converse = converse
        self._next = next_
        self._clock = clock
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._under_way = 0

    @property
    def plain(self) -> Plain | None:
        """A plain question wants public values, and proves nothing."""
        return plain_of(self._next)

    @property
    def upkeep(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What the next link does beside answering."""
        return getattr(self._next, "upkeep", None)

    @property
    def waiting(self) -> int:
        """Challenges that nobody has answered yet."""
        return len(self._waiting)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        body = read_body(request)
        if isinstance(body, ChallengeResponse):
            return await self._bounded(request, self._proved(request, asker))
        private = request.has(OpFlag.FORWARD_AUTHENTICATION) and not request.has(OpFlag.PUBLIC_ONLY)
        if request.op_code == OpCode.RESOLVE and private and isinstance(body, ResolveRequest):
            return await self._bounded(request, self._passed_on(request, body, asker))
        return await self._next.answer(request, asker)

    async def _bounded(self, request: Message, work: Awaitable[Message]) -> Message:
        if self._under_way >= UNDER_WAY:
            if isinstance(work, Coroutine):
                work.close()
            return reply(request, ResponseCode.SERVER_BUSY, "too many proofs are being carried: ask again")
        self._under_way += 1
        try:
            return await work
        except FollowError as error:
            return reply(request, ResponseCode.ERROR, f"{error.code}: {error.message}")
        finally:
            self._under_way -= 1

    # -- the question --------------------------------------------------------------------------------------------------

    async def _passed_on(self, request: Message, body: ResolveRequest, asker: Asker) -> Message:
        last: FollowError = NoServiceError(f"nobody can be asked over TCP about {body.handle}")
        found = conversation(await self._follow.service_of(body.handle), body.handle)
        for target in found[:_TARGETS]:
            stack = AsyncExitStack()
            try:
                exchange = await stack.enter_async_context(self._converse(target))
                answer = await self._exchanged(exchange, target, request, session=0)
                _check(request, body, answer, target)
            except FollowError as error:
                await stack.aclose()
                last = error
                continue
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await stack.aclose()
                raise
            if answer.response_code != ResponseCode.AUTHENTICATION_NEEDED:
                await stack.aclose()
                return _relayed(request, answer, session=request.session_id)
            number = await self._wait(request, asker, target, exchange, stack, answer.session_id)
            return _relayed(request, answer, session=number)
        raise last

    async def _wait(
        self, request: Message, asker: Asker, target: Target, exchange: Exchange, stack: AsyncExitStack, session: int
    ) -> int:
        """Keeps the connection until the challenge is answered; the number by which it will be."""
        now = self._clock()
        while self._waiting and next(iter(self._waiting.values())).until <= now:
            await self._drop(next(iter(self._waiting)))
        own = [number for number, one in self._waiting.items() if one.asker.address == asker.address]
        if len(own) >= MOST_OF_ONE:
            await self._drop(own[0])
        while len(self._waiting) >= MOST:
            await self._drop(next(iter(self._waiting)))
        number = 0
        while not number or number in self._waiting:
            number = secrets.randbelow(0x7FFFFFFE) + 1
        self._waiting[number] = _Waiting(request, asker, target, exchange, stack, session, now + SECONDS)
        return number

    async def _drop(self, number: int) -> None:
        if (gone := self._waiting.pop(number, None)) is not None:
            await gone.stack.aclose()

    # -- the proof -----------------------------------------------------------------------------------------------------

    async def _proved(self, request: Message, asker: Asker) -> Message:
        kept = self._waiting.get(request.session_id)
        mine = kept is not None and (kept.asker.address, kept.asker.connection) == (asker.address, asker.connection)
        if kept is None or not mine:
            return reply(request, ResponseCode.AUTHENTICATION_TIMEOUT, "no such challenge is waiting: ask again")
        del self._waiting[request.session_id]
        try:
            if kept.until <= self._clock():
                return reply(request, ResponseCode.AUTHENTICATION_TIMEOUT, "the challenge was answered too late: ask again")
            answer = await self._exchanged(kept.exchange, kept.target, request, session=kept.session)
            question = read_body(kept.question)
            if isinstance(question, ResolveRequest):
                _check(kept.question, question, answer, kept.target)
            return _relayed(request, answer, session=request.session_id)
        finally:
            with anyio.CancelScope(shield=True):
                await kept.stack.aclose()

    async def _exchanged(self, exchange: Exchange, target: Target, request: Message, *, session: int) -> Message:
        """The one answer to ``request``, whose header and body are not touched: the proof covers them."""
        parts = await exchange(msgspec.structs.replace(request, session_id=session))
        if len(parts) != 1:
            raise DeceivedError(f"an answer of {len(parts)} parts", place=str(target))
        return parts[0]


def _check(asked: Message, question: ResolveRequest, answer: Message, target: Target) -> None:
    """Raises `DeceivedError` unless ``answer`` belongs to ``asked``, or says where the user is to go instead."""
    if answer.is_request or answer.op_code not in (asked.op_code, OpCode.CHALLENGE_RESPONSE):
        raise DeceivedError(f"an answer of opcode {answer.op_code}", place=str(target))
    if answer.response_code in _REFERRALS:
        raise NoServiceError(f"{target} does not answer for {question.handle}", place=str(target))
    try:
        if answer.response_code in (ResponseCode.SUCCESS, ResponseCode.AUTHENTICATION_NEEDED) and asked.has(
            OpFlag.RETURN_DIGEST
        ):
            check_digest(asked, answer)
        body, _ = read_answer(answer)
    except WireError as error:
        raise DeceivedError(f"{error.message} ({error.code})", place=str(target)) from error
    if isinstance(body, Values) and key_of(body.handle) != key_of(question.handle):
        raise DeceivedError(f"{body.handle} came for {question.handle}", place=str(target))


def _relayed(request: Message, answer: Message, *, session: int) -> Message:
    """``answer`` as the asker's own connection needs it. A signature covers the numbers that are changed here: none goes."""
    flags = answer.flags & ~(OpFlag.CERTIFIED | OpFlag.AUTHORITATIVE).value
    return msgspec.structs.replace(
        answer,
        request_id=request.request_id,
        session_id=session,
        version=request.version,
        suggested=request.suggested,
        credential=b"",
        flags=flags,
    )
