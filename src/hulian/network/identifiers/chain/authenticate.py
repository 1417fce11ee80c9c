"""The link that finds out who asks: challenge and response (opcodes 200 and 201), the login of the Chinese dialect (2001).

Links behind it say 402 where somebody has to prove who they are. This one makes a challenge of it, keeps the request, and
hands it on again with the name of whoever answers the challenge (Handle protocol, section 2.4 of RFC 3652; DO-IRP 3.0, 6.4).
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.proofs import Proofs
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.wire.authentication import verify_secret_response
from hulian.network.identifiers.wire.bodies import (
    Challenge,
    ChallengeResponse,
    Empty,
    Login,
    RequestDigest,
    Verdict,
    VerifyRequest,
    digest_of,
    read_body,
)
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Authenticate"]

SECONDS: Final = 60.0
"""How long a challenge may be answered."""

_NONCE: Final = 16
_MOST: Final = 10_000
_MOST_OF_ONE: Final = 256
_MOST_BYTES: Final = 32 << 20
_MOST_KEYS: Final = 32
"""Keys of one handle that a proof without an index is compared with."""


class _Pending(msgspec.Struct, frozen=True):
    """A request that waits for somebody to prove who they are."""

    request: Message
    nonce: bytes
    digest: RequestDigest
    asker: Asker
    until: float
    size: int


class Authenticate:
    """Makes challenges, and knows who answered them.

    A challenge is good once, for a minute, for the address that it was sent to. At most 10,000 of 32 MiB wait, 256 of one
    address; beyond it the oldest go, of the same address first. A login is good for the connection it was made on.
    """

    def __init__(
        self,
        next_: Link,
        lookup: Lookup,
        sessions: SessionTable,
        proofs: Proofs,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._next = next_
        self._lookup = lookup
        self._sessions = sessions
        self._proofs = proofs
        self._clock = clock
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._held = 0
        self._of: dict[str, dict[int, None]] = {}

    @property
    def plain(self) -> Plain | None:
        """What it asks of a plain question is nothing: who wants public values proves nothing."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        body = read_body(request)
        if isinstance(body, ChallengeResponse):
            return await self._answered(request, body, asker)
        if isinstance(body, VerifyRequest):
            return await self._judged(request, body)
        if isinstance(body, Login):
            return self._challenge(request, asker)
        answer = await self._next.answer(request, asker)
        if answer.response_code == ResponseCode.AUTHENTICATION_NEEDED:
            return self._challenge(request, asker)
        return answer

    # -- challenges ----------------------------------------------------------------------------------------------------

    def _challenge(self, request: Message, asker: Asker) -> Message:
        nonce, digest, now = secrets.token_bytes(_NONCE), digest_of(request), self._clock()
        number = secrets.randbelow(0x7FFFFFFE) + 1
        while number in self._pending or number in self._sessions:
            number = secrets.randbelow(0x7FFFFFFE) + 1
        size = len(request.body) + len(request.credential or b"") + 512
        self._room(asker.address, size, now)
        self._pending[number] = _Pending(request, nonce, digest, asker, now + SECONDS, size)
        self._held += size
        self._of.setdefault(asker.address, {})[number] = None
        answer = reply(request, ResponseCode.AUTHENTICATION_NEEDED, Challenge(nonce))
        return msgspec.structs.replace(answer, session_id=number)

    def _room(self, address: str, size: int, now: float) -> None:
        """Lets go of what is over, and of the oldest where there is too much."""
        while self._pending and (oldest := next(iter(self._pending.items())))[1].until <= now:
            self._take(oldest[0])
        while len(own := self._of.get(address, {})) >= _MOST_OF_ONE:
            self._take(next(iter(own)))
        while self._pending and (len(self._pending) >= _MOST or self._held + size > _MOST_BYTES):
            self._take(next(iter(self._pending)))

    def _take(self, number: int) -> _Pending:
        kept = self._pending.pop(number)
        self._held -= kept.size
        own = self._of[kept.asker.address]
        del own[number]
        if not own:
            del self._of[kept.asker.address]
        return kept

    async def _answered(self, request: Message, response: ChallengeResponse, asker: Asker) -> Message:
        """Opcode 200: whoever proves a key gets the answer to what he was challenged for, under that request's opcode."""
        kept = self._pending.get(request.session_id)
        if kept is None or kept.asker.address != asker.address or kept.asker.connection != asker.connection:
            return reply(request, ResponseCode.AUTHENTICATION_TIMEOUT, "no such challenge is waiting: ask again")
        self._take(request.session_id)
        if kept.until <= self._clock():
            return reply(request, ResponseCode.AUTHENTICATION_TIMEOUT, "the challenge was answered too late: ask again")
        outcome = await self._proofs.of_response(response, kept.nonce, kept.digest)
        asked = msgspec.structs.replace(
            kept.request,
            request_id=request.request_id,
            session_id=request.session_id,
            version=request.version,
            suggested=request.suggested,
        )
        if isinstance(outcome, ResponseCode):
            return reply(asked, outcome, _WORDS[outcome])
        known = msgspec.structs.replace(asker, who=outcome)
        if asked.op_code == OpCode.LOGIN:
            return self._log_in(asked, outcome, known)
        answer = await self._next.answer(asked, known)
        if answer.response_code == ResponseCode.AUTHENTICATION_NEEDED:
            return reply(asked, ResponseCode.NOT_PERMITTED, f"{outcome} may not do this")
        return answer

    # -- proofs --------------------------------------------------------------------------------------------------------

    async def _judged(self, request: Message, body: VerifyRequest) -> Message:
        """Opcode 201: another server asks about a secret key that is kept here."""
        if not self._lookup.here(body.handle):
            return reply(request, ResponseCode.HANDLE_NOT_FOUND, f"{body.handle} is not kept here")
        keys: tuple[Value, ...] = await self._lookup.values(body.handle, ("HS_SECKEY",))
        digest = body.digest[1:]  # one byte that names the algorithm stands in front of it
        valid = False
        try:
            for value in keys[:_MOST_KEYS]:
                if body.index in (0, value.index):
                    valid = valid or verify_secret_response(body.response, SecretKey(value.data), body.nonce, digest)
        except WireError:
            valid = False
        return reply(request, ResponseCode.SUCCESS, Verdict(valid), authoritative=True)

    # -- logins --------------------------------------------------------------------------------------------------------

    def _log_in(self, request: Message, who: Reference, asker: Asker) -> Message:
        """The id of the login is that of its challenge. It is no secret, and so it is worth nothing on another connection."""
        if not asker.connection:
            return reply(request, ResponseCode.SESSION_FAILED, "log in over TCP: a datagram proves nothing about the next")
        self._sessions.begin(asker.connection, key=None, who=who, number=request.session_id)
        return reply(request, ResponseCode.SUCCESS, Empty())


_WORDS: Final = {
    ResponseCode.INVALID_CREDENTIAL: "the proof cannot be read, or uses what is not accepted",
    ResponseCode.AUTHENTICATION_FAILED: "the proof does not hold",
    ResponseCode.INVALID_ADMIN: "there is no such key, or it cannot be found",
}
