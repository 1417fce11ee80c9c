"""One question of a walk: to which servers of a service it goes, who answers first, and whether the answer is sound."""

from __future__ import annotations

import time
from typing import Final, Protocol

import anyio
import msgspec

from hulian.network.identifiers.chain.errors import DeceivedError, FollowError, LoopError, NoServiceError
from hulian.network.identifiers.chain.latency import Latency
from hulian.network.identifiers.chain.signed import check_signed
from hulian.network.identifiers.chain.sites import PREFERRED, Target, targets
from hulian.network.identifiers.wire.bodies import Failure, Referral, ResolveRequest, Values, check_digest, read_answer, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.names import key_of
from hulian.network.identifiers.wire.typed.site import Site

__all__ = ["LIFE", "MOST_STEPS", "PATIENCE", "Ask", "Hop", "Questions", "Walk"]

MOST_STEPS: Final = 40
"""Questions for one answer, the bound of the Handle System's clients."""

PATIENCE: Final = 0.5
"""Seconds after which another server of the same service is asked as well, the first try of the Handle System's clients."""

LIFE: Final = 60
"""Seconds after which a question may not be answered any more."""


class Ask(Protocol):
    """Sends one question and waits for its answer; the request id is the sender's. Raises `UnreachableError`."""

    async def __call__(self, target: Target, message: Message) -> Message: ...


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One question on the path: what was asked, of whom, what was answered, and how long that took in seconds."""

    handle: str
    target: str
    code: int
    seconds: float
    error: str = ""


class Walk:
    """One question under way: its bounds, and what it has passed."""

    def __init__(self, *, public: bool = True, flags: int = 0) -> None:
        self.public = public
        self.flags = flags
        self.wanted = b""
        self.path: list[Hop] = []
        self.aliases: set[bytes] = set()
        self.services: set[bytes] = set()


class Questions:
    """Asks servers by ``ask``, in the order of their measured ``latency``; only ``signed`` answers count where that is wanted.

    A server that gives no sound answer within `PATIENCE` is not waited for alone: the next one is asked as well.
    """

    def __init__(self, ask: Ask, latency: Latency, *, signed: bool) -> None:
        self._ask = ask
        self._latency = latency
        self._signed = signed

    async def __call__(
        self, walk: Walk, sites: list[Site], question: ResolveRequest
    ) -> tuple[Message, Referral | Values | Failure | None]:
        """The first sound answer. A server that gives none within `PATIENCE` is not waited for alone: the next is asked too."""
        public = walk.public or key_of(question.handle) != walk.wanted
        flags = (OpFlag.RETURN_DIGEST | OpFlag(walk.flags) | (OpFlag.PUBLIC_ONLY if public else OpFlag(0))).value
        if self._signed:
            flags |= OpFlag.CERTIFIED.value
        race = _Race(question, flags)
        transports = (Transport.TCP,) if self._signed else PREFERRED
        waiting = self._latency.order(targets(sites, question.handle, transports))
        if len(waiting) == 1 and len(walk.path) < MOST_STEPS:
            race.under_way = 1
            await self._ask_one(walk, race, waiting.pop())
            if race.found is not None:
                return race.found
        async with anyio.create_task_group() as group:
            while race.found is None and (waiting or race.under_way):
                if waiting:
                    if len(walk.path) + race.under_way >= MOST_STEPS:
                        race.last = LoopError(f"{question.handle}: more than {MOST_STEPS} questions")
                        break
                    race.under_way += 1
                    group.start_soon(self._ask_one, walk, race, waiting.pop(0))
                await race.changed(PATIENCE if waiting else None)
            group.cancel_scope.cancel()
        if race.found is None and race.refused is not None:
            return race.refused
        if race.found is None:
            raise race.last or NoServiceError(f"no server can be asked about {question.handle}")
        return race.found

    async def _ask_one(self, walk: Walk, race: _Race, target: Target) -> None:
        began = time.perf_counter()
        try:
            asked = request(
                OpCode.RESOLVE,
                race.question,
                request_id=0,
                expiration=int(time.time()) + LIFE,
                flags=race.flags,
                site_serial=target.serial if self._signed else -1,
            )
            answer = await self._ask(target, asked)
            if self._signed:
                check_signed(answer, target)
            found = answer, _checked(asked, answer, race.question, target)
        except FollowError as error:
            race.last = error
            self._passed(walk, race, target, 0, began, str(error))
        except anyio.get_cancelled_exc_class():
            if race.found is not None:  # otherwise it is the asker who went away, which is nobody's fault
                self._passed(walk, race, target, 0, began, "another server was quicker")
            raise
        else:
            refused = answer.response_code == ResponseCode.NOT_RESPONSIBLE
            if not refused:
                race.found = race.found or found
            self._passed(walk, race, target, answer.response_code, began)
            if refused:
                # What is remembered of this one is out of date; another server of the service may know better.
                race.refused = found
                self._latency.failed(target)
        finally:
            race.under_way -= 1
            race.moved.set()

    def _passed(self, walk: Walk, race: _Race, target: Target, code: int, began: float, error: str = "") -> None:
        took = time.perf_counter() - began
        hop = Hop(handle=race.question.handle, target=str(target), code=code, seconds=took, error=error)
        # Who was overtaken stands before whoever answered: the path goes on from there.
        walk.path.insert(len(walk.path) - (race.found is not None and bool(error)), hop)
        if error:
            self._latency.failed(target)
        else:
            self._latency.answered(target, took)


class _Race:
    """One question to the servers of a service, one after the other until somebody answers."""

    def __init__(self, question: ResolveRequest, flags: int) -> None:
        self.question, self.flags = question, flags
        self.under_way = 0
        self.found: tuple[Message, Referral | Values | Failure | None] | None = None
        self.refused: tuple[Message, Referral | Values | Failure | None] | None = None
        self.last: FollowError | None = None
        self.moved = anyio.Event()

    async def changed(self, seconds: float | None) -> None:
        """Waits until one of them has answered or failed, for ``seconds`` at most."""
        with anyio.move_on_after(seconds):
            await self.moved.wait()
        self.moved = anyio.Event()


def _checked(asked: Message, answer: Message, question: ResolveRequest, target: Target) -> Referral | Values | Failure | None:
    """The body of ``answer``, which must belong to what was asked. Raises `DeceivedError`."""
    try:
        if answer.op_code != asked.op_code or answer.is_request:
            raise DeceivedError(f"an answer of opcode {answer.op_code}", place=str(target))
        check_digest(asked, answer)
        body, _ = read_answer(answer)
    except WireError as error:
        raise DeceivedError(f"{error.message} ({error.code})", place=str(target)) from error
    if isinstance(body, Values) and key_of(body.handle) != key_of(question.handle):
        raise DeceivedError(f"{body.handle} came for {question.handle}", place=str(target))
    return body if isinstance(body, Referral | Values | Failure) else None
