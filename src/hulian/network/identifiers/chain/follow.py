"""The link of recursive nodes and clients: from the root down the tiers to whoever answers for a handle."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.chain.errors import (
    DeceivedError,
    FollowError,
    LoopError,
    NoServiceError,
)
from hulian.network.identifiers.chain.sites import Target, sites_in, targets
from hulian.network.identifiers.store import key_of, zero_na
from hulian.network.identifiers.wire.bodies import (
    Failure,
    Referral,
    ResolveRequest,
    Values,
    check_digest,
    read_answer,
    read_body,
    request,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.references import HandleText
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Ask", "Follow", "Hop", "Resolution"]

MOST_STEPS: Final = 40
"""Questions for one answer, the bound of the Handle System's clients."""

MOST_ALIASES: Final = 10
MOST_SERVICES: Final = 50_000
SERVICE_SECONDS: Final = 3600.0
"""The longest that the service of a prefix is believed without asking again."""

_LIFE: Final = 60
_SERVICE_TYPES: Final = ("HS_SITE", "HS_SERV")
_NOTHING: Final = frozenset((ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))


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


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """Where a question ended: ``code``, the ``values`` where it succeeded, the path to there."""

    handle: str
    code: int
    values: tuple[Value, ...]
    message: str
    path: tuple[Hop, ...]


class _Walk:
    """One question under way: its bounds, and what it has passed."""

    def __init__(self) -> None:
        self.path: list[Hop] = []
        self.aliases: set[bytes] = set()
        self.services: set[bytes] = set()


class Follow:
    """Finds the service of a handle's prefix, from the values ``root`` of the root service on, and asks it.

    Servers are taken by measured latency, the next one where one does not answer. The services of prefixes are remembered for
    as long as their records say, an hour at most. Every answer must carry the digest of its question and name its handle.
    """

    def __init__(self, root: Sequence[Value], ask: Ask) -> None:
        self._root = sites_in(root, "HS_SITE")
        if not self._root:
            raise NoServiceError("the root data name no site")
        self._ask = ask
        self._services: dict[bytes, tuple[float, list[Site]]] = {}
        self._latency: dict[str, float] = {}

    async def answer(self, asked: Message, asker: Asker) -> Message:
        """See `Link`: for plain resolutions; whatever is on the way of the answer is told in words."""
        question = read_body(asked)
        if not isinstance(question, ResolveRequest):
            return reply(asked, ResponseCode.NOT_SUPPORTED, f"opcode {asked.op_code} is not served here")
        try:
            found = await self.resolve(question)
        except FollowError as error:
            return reply(asked, ResponseCode.ERROR, f"{error.code}: {error.message}")
        if found.code == ResponseCode.SUCCESS:
            return reply(asked, ResponseCode.SUCCESS, Values(question.handle, found.values))
        return reply(asked, ResponseCode(found.code), found.message)

    async def resolve(self, question: ResolveRequest) -> Resolution:
        """Public values of a handle. Raises `FollowError` and its kinds; that there is no record is an answer, no error."""
        walk = _Walk()
        handle = question.handle if "/" in question.handle else f"0.NA/{question.handle}"
        while True:
            asked = ResolveRequest(handle, question.indexes, question.types)
            code, values, text = await self._resolved(walk, asked)
            alias = next((value for value in values if value.type == "HS_ALIAS"), None)
            if alias is None or "HS_ALIAS" in question.types or question.indexes:
                return Resolution(handle=handle, code=code, values=values, message=text, path=tuple(walk.path))
            walk.aliases.add(key_of(handle))
            handle = _text(alias)
            if key_of(handle) in walk.aliases or len(walk.aliases) > MOST_ALIASES:
                raise LoopError(f"the aliases of {question.handle} lead in a circle, or too far", place=handle)

    # -- one handle ----------------------------------------------------------------------------------------------------

    async def _resolved(self, walk: _Walk, question: ResolveRequest) -> tuple[int, tuple[Value, ...], str]:
        key = key_of(question.handle)
        sites = self._root
        if not key.startswith(b"0."):
            sites = await self._service(walk, zero_na(key))
            if not sites:
                return ResponseCode.HANDLE_NOT_FOUND, (), f"nobody has registered the prefix of {question.handle}"
        return await self._at(walk, sites, question)

    async def _at(self, walk: _Walk, sites: list[Site], question: ResolveRequest) -> tuple[int, tuple[Value, ...], str]:
        """What ``sites``, or those they refer to, answer: the code, the values, what they say."""
        while True:
            answer, body = await self._asked(walk, sites, question)
            if isinstance(body, Referral):
                sites = await self._referred(walk, body)
                continue
            values = body.values if isinstance(body, Values) and answer.response_code == ResponseCode.SUCCESS else ()
            return answer.response_code, values, (body.message or "") if isinstance(body, Failure) else ""

    async def _service(self, walk: _Walk, prefix: bytes) -> list[Site]:
        """The sites that answer for ``prefix``, a handle such as ``0.NA/88.111``; none where it is not registered."""
        known = self._services.get(prefix)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        if prefix in walk.services:
            raise LoopError(f"the service of {prefix.decode()} is named by itself", place=prefix.decode())
        walk.services.add(prefix)
        code, values, _ = await self._at(walk, self._root, ResolveRequest(prefix.decode(), types=_SERVICE_TYPES))
        if code in _NOTHING:
            return []
        if code != ResponseCode.SUCCESS:
            raise NoServiceError(f"the service of {prefix.decode()} is not told: response code {code}", place=prefix.decode())
        sites = await self._sites(walk, values, "HS_SITE", "HS_SERV")
        if len(self._services) >= MOST_SERVICES:
            self._services.clear()
        seconds = min([SERVICE_SECONDS, *(float(value.ttl) for value in values if not value.ttl_type)])
        self._services[prefix] = (time.monotonic() + max(seconds, 0.0), sites)
        return sites

    async def _referred(self, walk: _Walk, body: Referral) -> list[Site]:
        if body.values:
            return await self._sites(walk, body.values, "HS_SITE.PREFIX", "HS_SERV.PREFIX")
        if not body.handle:
            raise DeceivedError("a referral to nobody")
        return await self._named(walk, body.handle)

    async def _sites(self, walk: _Walk, values: Iterable[Value], site: str, service: str) -> list[Site]:
        """The sites that ``values`` hold, or that the handle of a service among them names."""
        listed = tuple(values)
        if found := sites_in(listed, site) or sites_in(listed, "HS_SITE"):
            return found
        named = next((value for value in listed if value.type in (service, "HS_SERV")), None)
        if named is None:
            raise NoServiceError("a prefix without a service")
        return await self._named(walk, _text(named))

    async def _named(self, walk: _Walk, handle: str) -> list[Site]:
        """The sites of the service that ``handle`` stands for."""
        key = key_of(handle)
        if key in walk.services:
            raise LoopError(f"the service {handle} is named by itself", place=handle)
        walk.services.add(key)
        _, values, _ = await self._resolved(walk, ResolveRequest(handle, types=("HS_SITE",)))
        if not (found := sites_in(values, "HS_SITE")):
            raise NoServiceError(f"{handle} is no service", place=handle)
        return found

    # -- one question --------------------------------------------------------------------------------------------------

    async def _asked(
        self, walk: _Walk, sites: list[Site], question: ResolveRequest
    ) -> tuple[Message, Referral | Values | Failure | None]:
        """The answer of the first server that gives a sound one."""
        last: FollowError | None = None
        flags = (OpFlag.PUBLIC_ONLY | OpFlag.RETURN_DIGEST).value
        for target in targets(sites, question.handle, self._latency):
            if len(walk.path) >= MOST_STEPS:
                raise LoopError(f"{question.handle}: more than {MOST_STEPS} questions")
            asked = request(OpCode.RESOLVE, question, request_id=0, expiration=int(time.time()) + _LIFE, flags=flags)
            began = time.perf_counter()
            try:
                answer = await self._ask(target, asked)
                body = _checked(asked, answer, question, target)
            except FollowError as error:
                self._passed(walk, question, target, 0, began, str(error))
                last = error
                continue
            self._passed(walk, question, target, answer.response_code, began)
            return answer, body
        raise last or NoServiceError(f"no server can be asked about {question.handle}")

    def _passed(self, walk: _Walk, question: ResolveRequest, target: Target, code: int, began: float, error: str = "") -> None:
        took = time.perf_counter() - began
        walk.path.append(Hop(handle=question.handle, target=str(target), code=code, seconds=took, error=error))
        before = self._latency.get(str(target), took)
        if len(self._latency) >= MOST_SERVICES:
            self._latency.clear()
        self._latency[str(target)] = before + (took - before) / 4


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


def _text(value: Value) -> str:
    try:
        return HandleText.unpack(value.data).handle
    except WireError as error:
        raise NoServiceError(f"a {value.type} that names no handle: {error.message}") from error
