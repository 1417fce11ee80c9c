"""The other side of `Register`: changes somebody's records wherever they are kept, and proves who that somebody is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from hulian.network.identifiers.chain.errors import DeceivedError, FollowError, NoServiceError, RefusedError, SecurityError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.signed import check_signed
from hulian.network.identifiers.chain.sites import Target, administration
from hulian.network.identifiers.wire.authentication.respond import Identity, respond
from hulian.network.identifiers.wire.bodies import (
    Body,
    ChangeRequest,
    Created,
    Failure,
    HandleList,
    HandleOnly,
    NextTransaction,
    RemoveRequest,
    ResolveRequest,
    Values,
    check_digest,
    read_answer,
    request,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Value

__all__ = ["Administer", "Converse", "Exchange"]

_LIFE: Final = 120
_RETURN: Final = OpFlag.RETURN_DIGEST.value
_KEEP: Final = OpFlag.KEEP_CONNECTION.value
_B = TypeVar("_B")

_HINTS: Final = {
    ResponseCode.HANDLE_NOT_FOUND: "check the spelling; 'hulian resolve' shows what is there",
    ResponseCode.HANDLE_EXISTS: "choose another suffix, or overwrite the record",
    ResponseCode.NOT_RESPONSIBLE: "the node must home the prefix first",
    ResponseCode.INVALID_ADMIN: "an HS_ADMIN of the record or of its prefix must name this key",
    ResponseCode.NOT_PERMITTED: "the HS_ADMIN that names this key does not give the permission",
    ResponseCode.AUTHENTICATION_FAILED: "the private key is not the one of this handle and index",
}


class Exchange(Protocol):
    """One open connection: sends a message, waits for all parts of its answer. Raises `FollowError` and its kinds."""

    async def __call__(self, message: Message) -> list[Message]: ...


class Converse(Protocol):
    """Opens a connection, for as long as the block lasts. Raises `UnreachableError`."""

    def __call__(self, target: Target) -> AbstractAsyncContextManager[Exchange]: ...


class Administer:
    """Creates, changes, reads and deletes records as ``identity``, at the primary server that each belongs to.

    Where ``follow`` believes only signed answers, so does this. Use it in ``async with``: connections are kept until its end.
    Every method raises `RefusedError` with the server's response code where it says no, and the other kinds of `FollowError`
    where it cannot be asked. What returned is durable.
    """

    def __init__(self, follow: Follow, converse: Converse, identity: Identity) -> None:
        self._follow = follow
        self._converse = converse
        self._identity = identity
        self._stack = AsyncExitStack()
        self._open: dict[Target, Exchange] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        await self._stack.aclose()

    # -- records -------------------------------------------------------------------------------------------------------

    async def create(self, handle: str, values: Sequence[Value], *, overwrite: bool = False, mint: bool = False) -> str:
        """A new record; its handle, which the server completes where ``mint`` asks for it."""
        flags = (OpFlag.OVERWRITE if overwrite else 0) | (OpFlag.MINT_SUFFIX if mint else 0)
        answers = await self._done(handle, OpCode.CREATE, Values(handle, tuple(values)), int(flags))
        made = _body(answers[-1], Created).handle
        return made or handle

    async def add(self, handle: str, values: Sequence[Value], *, overwrite: bool = False) -> None:
        """More values of a record."""
        flags = OpFlag.OVERWRITE.value if overwrite else 0
        await self._done(handle, OpCode.ADD_VALUES, Values(handle, tuple(values)), flags)

    async def modify(self, handle: str, values: Sequence[Value]) -> None:
        """Other values in the place of those with the same indexes."""
        await self._done(handle, OpCode.MODIFY_VALUES, Values(handle, tuple(values)))

    async def remove(self, handle: str, indexes: Sequence[int]) -> None:
        """Fewer values."""
        await self._done(handle, OpCode.REMOVE_VALUES, RemoveRequest(handle, tuple(indexes)))

    async def change(self, handle: str, put: Sequence[Value], removed: Sequence[int] = ()) -> None:
        """Values put, added or in the place of those with the same indexes, and others removed: all of it, or nothing.

        One operation of our own (3100); a server of another make refuses it with response code 5.
        """
        await self._done(handle, OpCode.CHANGE_VALUES, ChangeRequest(handle, tuple(put), tuple(removed)))

    async def delete(self, handle: str) -> None:
        """The record is gone."""
        await self._done(handle, OpCode.DELETE, HandleOnly(handle))

    async def read(self, handle: str, indexes: Sequence[int] = (), types: Sequence[str] = ()) -> tuple[Value, ...]:
        """The values, private ones among them."""
        body = ResolveRequest(handle, tuple(indexes), tuple(types))
        return _body((await self._done(handle, OpCode.RESOLVE, body))[-1], Values).values

    async def referrers(self, prefix: str, handle: str, types: Sequence[str]) -> tuple[Value, ...]:
        """What of the service of ``prefix`` refers to ``handle``, which is another one's: as `Follow.referrers_at`, private
        references among them."""
        found = administration(await self._follow.sites_of(prefix), handle)
        body, flags = ResolveRequest(handle, (), tuple(types)), OpFlag.DO_NOT_REFER.value
        return _body((await self._at_one_of(found, prefix, OpCode.RESOLVE, body, flags))[-1], Values).values

    # -- prefixes ------------------------------------------------------------------------------------------------------

    async def handles(self, prefix: str) -> list[str]:
        """The handles below ``prefix``, such as ``88.111.1``."""
        answers = await self._done(f"{prefix}/", OpCode.LIST_HANDLES, HandleOnly(f"0.NA/{prefix}"))
        return [handle for answer in answers for handle in _body(answer, HandleList).handles]

    async def derived(self, prefix: str) -> list[str]:
        """The handles of the prefixes that were derived from ``prefix``."""
        answers = await self._done(f"0.NA/{prefix}.", OpCode.LIST_DERIVED_PREFIXES, HandleOnly(f"0.NA/{prefix}"))
        return [handle for answer in answers for handle in _body(answer, HandleList).handles]

    async def home(self, prefix: str, at: Target) -> None:
        """From now on the server ``at`` answers for ``prefix``."""
        await self._at(at, OpCode.HOME_PREFIX, HandleOnly(f"0.NA/{prefix}"))

    async def unhome(self, prefix: str, at: Target) -> None:
        """From now on it does not."""
        await self._at(at, OpCode.UNHOME_PREFIX, HandleOnly(f"0.NA/{prefix}"))

    async def homed(self, at: Target) -> list[str]:
        """The prefix handles that the server ``at`` answers for."""
        answers = await self._at(at, OpCode.LIST_HOMED_PREFIXES, HandleOnly(None))
        return [handle for answer in answers for handle in _body(answer, HandleList).handles]

    # -- sites ---------------------------------------------------------------------------------------------------------

    async def changes(self, at: Target) -> int:
        """How many changes the log of the server ``at`` holds: how far a mirror is behind its primary is the difference."""
        (answer,) = await self._at(at, OpCode.NEXT_TRANSACTION, HandleOnly(None))
        return _body(answer, NextTransaction).transaction - 1

    # -- one operation -------------------------------------------------------------------------------------------------

    async def _done(self, handle: str, code: OpCode, body: Body, flags: int = 0) -> list[Message]:
        try:
            return await self._at_one_of(await self._targets(handle), handle, code, body, flags)
        except SecurityError:
            # Its challenge is not signed by the key that we remember, which may have changed: nothing was done yet.
            self._follow.forget(handle)
            return await self._at_one_of(await self._targets(handle), handle, code, body, flags)

    async def _targets(self, handle: str) -> list[Target]:
        sites = await self._follow.service_of(handle)
        found = administration(sites, handle)
        if not found:
            why = "nobody has registered its prefix" if not sites else "its service takes no changes over TCP"
            hint = "register the prefix at the node above first" if not sites else ""
            raise NoServiceError(f"{handle} cannot be changed: {why}", hint=hint)
        return found

    async def _at_one_of(self, found: Sequence[Target], handle: str, code: OpCode, body: Body, flags: int) -> list[Message]:
        last: FollowError | None = None
        for target in found:
            try:
                return await self._at(target, code, body, flags)
            except (RefusedError, SecurityError):
                raise
            except FollowError as error:
                last = error
        raise last or NoServiceError(f"nobody can be asked about {handle}")

    async def _at(self, target: Target, code: OpCode, body: Body, flags: int = 0) -> list[Message]:
        """All parts of the answer of ``target``, whose challenge is answered where it makes one."""
        life, signed = int(time.time()) + _LIFE, self._follow.signed
        more = _RETURN | _KEEP | (OpFlag.CERTIFIED.value if signed else 0)
        serial = target.serial if signed else -1
        flags |= more | OpFlag.AUTHORITATIVE.value
        asked = request(code, body, request_id=0, expiration=life, flags=flags, site_serial=serial)
        try:
            answers = await self._exchanged(target, asked)
            if answers[-1].response_code == ResponseCode.AUTHENTICATION_NEEDED:
                challenge = answers[-1]
                if signed:
                    check_signed(challenge, target)
                proof = request(
                    OpCode.CHALLENGE_RESPONSE,
                    respond(self._identity, asked, challenge),
                    request_id=0,
                    expiration=life,
                    flags=more,
                    site_serial=serial,
                    session_id=challenge.session_id,
                    version=challenge.version,
                )
                answers = await self._exchanged(target, proof)
            for answer in answers:
                if signed:
                    _check_done(answer, target)
                _check(asked, answer, target)
        except WireError as error:
            raise DeceivedError(f"{error.message} ({error.code})", place=str(target)) from error
        return answers

    async def _exchanged(self, target: Target, message: Message) -> list[Message]:
        exchange = self._open.get(target)
        if exchange is not None:
            try:
                return await exchange(message)
            except FollowError:
                # The connection may have ended while nobody used it. A new one is opened; where the message had arrived
                # before, the server answers that the record exists already, or that its challenge is over.
                self._open.pop(target, None)
                if message.session_id:
                    raise
        exchange = await self._stack.enter_async_context(self._converse(target))
        self._open[target] = exchange
        return await exchange(message)


def _check_done(answer: Message, target: Target) -> None:
    """As `check_signed`, where the operation may have been done already: it is not to be tried again."""
    try:
        check_signed(answer, target)
    except SecurityError as error:
        raise DeceivedError(f"{error.message}; the change may have been made", place=error.place) from error


def _check(asked: Message, answer: Message, target: Target) -> None:
    """Raises unless ``answer`` says that ``asked`` was done."""
    if answer.op_code not in (asked.op_code, OpCode.CHALLENGE_RESPONSE) or answer.is_request:
        raise DeceivedError(f"an answer of opcode {answer.op_code}", place=str(target))
    if answer.response_code == ResponseCode.SUCCESS:
        check_digest(asked, answer)
        return
    body, _ = read_answer(answer)
    code = answer.response_code
    said = body.message if isinstance(body, Failure) and body.message else response_text(code)
    hint = _HINTS[ResponseCode(code)] if code in _HINTS else ""
    raise RefusedError(f"{said} (response code {code})", response_code=code, place=str(target), hint=hint)


def _body(answer: Message, kind: type[_B]) -> _B:
    try:
        body, _ = read_answer(answer)
    except WireError as error:
        raise DeceivedError(f"{error.message} ({error.code})") from error
    if not isinstance(body, kind):
        raise DeceivedError(f"a body that the answer to opcode {answer.op_code} does not have")
    return body
