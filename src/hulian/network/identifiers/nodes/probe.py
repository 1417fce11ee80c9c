"""A probe: asks a node again and again as its clients do, and tells the node above what it saw."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.errors import FollowError, NoServiceError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.sites import Target, administration, targets
from hulian.network.identifiers.statistics.sealed import seal
from hulian.network.identifiers.statistics.votes import Vote
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.authentication.respond import KeyIdentity
from hulian.network.identifiers.wire.bodies import Body, ResolveRequest, Values, check_digest, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Probe"]

_PATIENCE: Final = (1.0, 2.0)
_TCP_SECONDS: Final = 5.0
_NAME: Final = "HULIAN-PROBE"
_FINE: Final = frozenset((ResponseCode.SUCCESS, ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))
_log = structlog.get_logger(__name__)


class Probe:
    """Looks at the primary site of the prefix of ``handle``, which ``follow`` finds, past every cache and every stand-in.

    It resolves where it gives a sound answer about ``handle``, and registers where it asks who we are when we want to create
    something without saying so. ``send`` takes each signed vote of ``identity``; what cannot be sent is not sent later, for the
    next vote says more.
    """

    def __init__(
        self,
        follow: Follow,
        handle: str,
        identity: KeyIdentity,
        send: Callable[[bytes], Awaitable[object]],
        *,
        seconds: float = 10.0,
        client: Client | None = None,
    ) -> None:
        self._follow = follow
        self._handle, self._prefix = handle, handle.partition("/")[0]
        self._identity = identity
        self._send = send
        self._seconds = seconds
        self._client = client or Client(tries=_PATIENCE, tcp_seconds=_TCP_SECONDS)
        self._known: tuple[Target, Target | None] | None = None
        self.trouble = ""
        """Why the last vote was not taken; empty where it was."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await anyio.sleep(self._seconds)

    async def once(self) -> Vote | None:
        """Looks, and tells; what was seen, or None where nobody says where to look."""
        vote = None
        try:
            vote = await self.look()
            await self._send(seal("vote", msgspec.json.encode(vote), self._identity))
            self.trouble = ""
        except HulianError as error:
            if self.trouble != str(error):
                _log.warning("a vote is not taken", prefix=self._prefix, reason=str(error))
            self.trouble = str(error)
        return vote

    async def look(self) -> Vote:
        """What the node does now. Raises `FollowError` where nobody has ever said where it is."""
        query, administered = await self._targets()
        began = time.perf_counter()
        resolves, why = await self._put(query, OpCode.RESOLVE, ResolveRequest(self._handle), _FINE)
        took = (time.perf_counter() - began) * 1000
        registers, reason = False, "no site takes changes"
        if administered is not None:
            body = Values(f"{self._prefix}/{_NAME}", ())
            registers, reason = await self._put(administered, OpCode.CREATE, body, _ASKED)
        reasons = [text for text in (why, reason) if text]
        latency = round(took, 3) if resolves else None
        said = "; ".join(reasons)[:200]
        return Vote(prefix=self._prefix, resolves=resolves, registers=registers, latency_ms=latency, reason=said)

    async def _targets(self) -> tuple[Target, Target | None]:
        """Of the primary site; where they were last told, if nobody tells it now."""
        try:
            sites = [site for site in await self._follow.sites_of(self._prefix) if site.primary]
            found = targets(sites, self._handle)
            if not found:
                raise NoServiceError(f"{self._prefix} has no primary site")
        except FollowError:
            if self._known is None:
                raise
            return self._known
        self._known = found[0], next(iter(administration(sites, self._handle)), None)
        return self._known

    async def _put(self, target: Target, code: OpCode, body: Body, fine: frozenset[ResponseCode]) -> tuple[bool, str]:
        """Whether ``target`` gives one of the answers that are ``fine``, and else why not."""
        flags = OpFlag.RETURN_DIGEST | (OpFlag.PUBLIC_ONLY if code is OpCode.RESOLVE else OpFlag(0))
        asked = request(code, body, request_id=0, expiration=int(time.time()) + 60, flags=flags.value)
        try:
            answer: Message = await self._client(target, asked)
            check_digest(asked, answer)
        except (FollowError, WireError) as error:
            return False, f"{code.name.lower()}: {error.message}"
        if answer.response_code in fine:
            return True, ""
        return False, f"{code.name.lower()}: {response_text(answer.response_code)}"


_ASKED: Final = frozenset((ResponseCode.AUTHENTICATION_NEEDED,))
