"""The link of recursive nodes and clients: from the root down the tiers to whoever answers for a handle."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.chain.errors import (
    DeceivedError,
    FollowError,
    LoopError,
    NoServiceError,
    SecurityError,
    UnreachableError,
)
from hulian.network.identifiers.chain.latency import Latency
from hulian.network.identifiers.chain.questions import LIFE, Ask, Hop, Questions, Walk
from hulian.network.identifiers.chain.sites import sites_in, targets
from hulian.network.identifiers.wire.bodies import (
    Failure,
    Referral,
    ResolveRequest,
    Values,
    Verdict,
    VerifyRequest,
    check_digest,
    read_answer,
    read_body,
    request,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.names import key_of, zero_na
from hulian.network.identifiers.wire.typed.references import HandleText
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Ask", "Follow", "Hop", "Resolution"]

MOST_ALIASES: Final = 10
MOST_SERVICES: Final = 50_000
SERVICE_SECONDS: Final = 3600.0
"""The longest that the service of a prefix is believed without asking again."""

AGAIN_SECONDS: Final = 10.0
"""The shortest time after which it is asked again where a service is that does not answer."""

_SERVICE_TYPES: Final = ("HS_SITE", "HS_SERV")
_NOTHING: Final = frozenset((ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """Where a question ended: ``code``, the ``values`` where it succeeded, the path to there."""

    handle: str
    code: int
    values: tuple[Value, ...]
    message: str
    path: tuple[Hop, ...]


class Follow:
    """Finds the service of a handle's prefix, from the values ``root`` of the root service on, and asks it.

    Servers are taken by measured latency, the next one where one does not answer, or not soon. The services of prefixes are
    remembered for as long as their records say, an hour at most, and asked for again where none of their servers answers.
    Every answer must carry the digest of its question and name its handle; where only ``signed`` ones are believed, servers are
    asked over TCP, and their answers must carry the signature of the key that their site records name. A signature that does
    not hold makes it look once whether the key has changed.
    """

    def __init__(self, root: Sequence[Value], ask: Ask, *, signed: bool = False) -> None:
        self.signed = signed
        self._root = sites_in(root, "HS_SITE")
        if not self._root:
            raise NoServiceError("the root data name no site")
        self._ask = ask
        self._services: dict[bytes, tuple[float, list[Site], float]] = {}
        self._latency = Latency()
        self._questions = Questions(ask, self._latency, signed=signed)

    async def answer(self, asked: Message, asker: Asker) -> Message:
        """See `Link`: for plain resolutions; whatever is on the way of the answer is told in words."""
        question = read_body(asked)
        if not isinstance(question, ResolveRequest):
            return reply(asked, ResponseCode.NOT_SUPPORTED, f"opcode {asked.op_code} is not served here")
        try:
            found = await self.resolve(question, public=asked.has(OpFlag.PUBLIC_ONLY))
        except FollowError as error:
            return reply(asked, ResponseCode.ERROR, f"{error.code}: {error.message}")
        if found.code == ResponseCode.SUCCESS:
            return reply(asked, ResponseCode.SUCCESS, Values(question.handle, found.values))
        if found.code == ResponseCode.AUTHENTICATION_NEEDED:
            # Whoever may read it proves that to the responsible node: a proof is good for the question it was made for.
            at = found.path[-1].target if found.path else "the responsible node"
            return reply(asked, ResponseCode.NOT_PERMITTED, f"not all of it is public: ask {at} yourself")
        return reply(asked, ResponseCode(found.code), found.message)

    async def resolve(self, question: ResolveRequest, *, public: bool = True) -> Resolution:
        """Values of a handle: the public ones, or, where not ``public``, all or none (402).

        Raises `FollowError` and its kinds with the path so far; that there is no record is an answer, no error.
        """
        walk = Walk(public=public)
        try:
            return await self._walked(walk, question)
        except FollowError as error:
            error.path = tuple(walk.path)
            raise

    async def _walked(self, walk: Walk, question: ResolveRequest) -> Resolution:
        handle = question.handle if "/" in question.handle else f"0.NA/{question.handle}"
        while True:
            walk.wanted = key_of(handle)
            asked = ResolveRequest(handle, question.indexes, question.types)
            code, values, text = await self._resolved(walk, asked)
            alias = next((value for value in values if value.type == "HS_ALIAS"), None)
            if alias is None or "HS_ALIAS" in question.types or question.indexes:
                return Resolution(handle=handle, code=code, values=values, message=text, path=tuple(walk.path))
            walk.aliases.add(key_of(handle))
            handle = _text(alias)
            if key_of(handle) in walk.aliases or len(walk.aliases) > MOST_ALIASES:
                raise LoopError(f"the aliases of {question.handle} lead in a circle, or too far", place=handle)

    async def service_of(self, handle: str) -> list[Site]:
        """The sites that hold the record of ``handle``, or would hold it. Raises `FollowError`; none where nobody does.

        The record of a prefix stands where the walk down the tiers ends: at the node that may derive it.
        """
        walk, key = Walk(), key_of(handle if "/" in handle else f"0.NA/{handle}")
        if not key.startswith(b"0."):
            return await self._service(walk, zero_na(key))
        sites = self._root
        while True:
            _, body = await self._questions(walk, sites, ResolveRequest(key.decode(), types=_SERVICE_TYPES))
            if not isinstance(body, Referral):
                return sites
            sites = await self._referred(walk, body)

    async def sites_of(self, prefix: str) -> list[Site]:
        """The sites of the service of ``prefix``, mirrors among them; those of the root for ``0.NA``."""
        return self._root if key_of(prefix) == b"0.NA" else await self._service(Walk(), zero_na(prefix))

    async def referrers_at(self, prefix: str, handle: str, types: tuple[str, ...]) -> tuple[int, tuple[Value, ...]]:
        """What of the service of ``prefix`` refers to ``handle``, which is another one's: the response code, and public values
        of ``types``, all of them HULIAN.REFERRED_BY. Raises `FollowError`."""
        sites = await self.sites_of(prefix)
        if not sites:
            raise NoServiceError(f"nobody has registered {prefix}", place=prefix)
        walk = Walk(flags=OpFlag.DO_NOT_REFER.value)
        answer, body = await self._questions(walk, sites, ResolveRequest(handle, types=types))
        return answer.response_code, body.values if isinstance(body, Values) else ()

    async def values_of(self, handle: str, types: tuple[str, ...]) -> tuple[int, tuple[Value, ...]]:
        """An `hulian.network.identifiers.chain.lookup.Elsewhere`."""
        found = await self.resolve(ResolveRequest(handle, types=types))
        return found.code, found.values

    async def holds(self, proof: VerifyRequest) -> bool:
        """An `hulian.network.identifiers.chain.proofs.VerifyElsewhere`."""
        last: FollowError = NoServiceError(f"no server can be asked about {proof.handle}")
        for target in self._latency.order(targets(await self.service_of(proof.handle), proof.handle)):
            asked = request(
                OpCode.VERIFY_RESPONSE,
                proof,
                request_id=0,
                expiration=int(time.time()) + LIFE,
                flags=OpFlag.RETURN_DIGEST.value,
            )
            try:
                answer = await self._ask(target, asked)
                check_digest(asked, answer)
                body, _ = read_answer(answer)
            except WireError as error:
                last = DeceivedError(f"{error.message} ({error.code})", place=str(target))
            except FollowError as error:
                last = error
            else:
                return isinstance(body, Verdict) and answer.op_code == asked.op_code and body.valid
        raise last

    def forget(self, handle: str) -> None:
        """What is remembered of the service of ``handle`` is out of date."""
        self._services.pop(zero_na(key_of(handle)), None)

    # -- one handle ----------------------------------------------------------------------------------------------------

    async def _resolved(self, walk: Walk, question: ResolveRequest) -> tuple[int, tuple[Value, ...], str]:
        key = key_of(question.handle)
        sites = self._root
        if not key.startswith(b"0."):
            sites = await self._service(walk, zero_na(key))
            if not sites:
                return ResponseCode.HANDLE_NOT_FOUND, (), f"nobody has registered the prefix of {question.handle}"
        try:
            return await self._at(walk, sites, question)
        except SecurityError:
            if key.startswith(b"0."):
                raise
            self.forget(question.handle)
            walk.services.discard(zero_na(key))
            moved = await self._service(walk, zero_na(key))
        except UnreachableError:
            moved = await self._moved(walk, key, sites)
            if not moved:
                raise
        return await self._at(walk, moved, question)

    async def _moved(self, walk: Walk, key: bytes, sites: list[Site]) -> list[Site]:
        """Where the service of ``key`` is now, if that is elsewhere than at the ``sites`` that were remembered and do not
        answer: somebody may stand in for it."""
        prefix = zero_na(key)
        known = self._services.get(prefix)
        if key.startswith(b"0.") or known is None or time.monotonic() - known[2] < AGAIN_SECONDS:
            return []
        del self._services[prefix]
        found = await self._service(walk, prefix)
        return [] if found == sites else found

    async def _at(self, walk: Walk, sites: list[Site], question: ResolveRequest) -> tuple[int, tuple[Value, ...], str]:
        """What ``sites``, or those they refer to, answer: the code, the values, what they say."""
        while True:
            answer, body = await self._questions(walk, sites, question)
            if isinstance(body, Referral):
                sites = await self._referred(walk, body)
                continue
            values = body.values if isinstance(body, Values) and answer.response_code == ResponseCode.SUCCESS else ()
            return answer.response_code, values, (body.message or "") if isinstance(body, Failure) else ""

    async def _service(self, walk: Walk, prefix: bytes) -> list[Site]:
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
        now = time.monotonic()
        self._services[prefix] = (now + max(seconds, 0.0), sites, now)
        return sites

    async def _referred(self, walk: Walk, body: Referral) -> list[Site]:
        if body.values:
            return await self._sites(walk, body.values, "HS_SITE.PREFIX", "HS_SERV.PREFIX")
        if not body.handle:
            raise DeceivedError("a referral to nobody")
        return await self._named(walk, body.handle)

    async def _sites(self, walk: Walk, values: Iterable[Value], site: str, service: str) -> list[Site]:
        """The sites that ``values`` hold, or that the handle of a service among them names."""
        listed = tuple(values)
        if found := sites_in(listed, site) or sites_in(listed, "HS_SITE"):
            return found
        named = next((value for value in listed if value.type in (service, "HS_SERV")), None)
        if named is None:
            raise NoServiceError("a prefix without a service")
        return await self._named(walk, _text(named))

    async def _named(self, walk: Walk, handle: str) -> list[Site]:
        """The sites of the service that ``handle`` stands for."""
        key = key_of(handle)
        if key in walk.services:
            raise LoopError(f"the service {handle} is named by itself", place=handle)
        walk.services.add(key)
        _, values, _ = await self._resolved(walk, ResolveRequest(handle, types=("HS_SITE",)))
        if not (found := sites_in(values, "HS_SITE")):
            raise NoServiceError(f"{handle} is no service", place=handle)
        return found


def _text(value: Value) -> str:
    try:
        return HandleText.unpack(value.data).handle
    except WireError as error:
        raise NoServiceError(f"a {value.type} that names no handle: {error.message}") from error
