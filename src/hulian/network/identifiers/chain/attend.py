"""The link that attends to active carriers: their own operations, and their questions about names of other nodes."""

from __future__ import annotations

import anyio.to_thread
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.active.desk import OPERATIONS, Desk
from hulian.network.identifiers.active.errors import ActiveError
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.errors import FollowError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.wire.bodies import Carried, Failure, ResolveRequest, Values, read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Attend"]

_log = structlog.get_logger(__name__)


class Attend:
    """Asks ``desk`` about what carriers want. Where this node is not responsible, a question of an enrolled carrier with the
    flag REC is followed from the root; of everybody else it is not."""

    def __init__(self, desk: Desk, next_: Link, follow: Follow | None) -> None:
        self._desk = desk
        self._next = next_
        self._follow = follow

    @property
    def plain(self) -> Plain | None:
        """A plain question is about a record of this node."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code in OPERATIONS:
            return await self._attended(request, asker)
        answer = await self._next.answer(request, asker)
        wanted = request.op_code == OpCode.RESOLVE and request.has(OpFlag.RECURSIVE) and self._follow is not None
        if not wanted or answer.response_code != ResponseCode.NOT_RESPONSIBLE:
            return answer
        if asker.who is None:
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        if not await anyio.to_thread.run_sync(self._desk.is_carrier, asker.who, asker.address):
            return answer
        return await self._followed(request)

    async def _attended(self, request: Message, asker: Asker) -> Message:
        body = read_body(request)
        data = body.data if isinstance(body, Carried) else b""
        try:
            found = await self._desk.answer(request.op_code, data, asker.who, asker.address)
        except ActiveError as error:
            words = f"{error.code}: {error.message}" + (f" ({error.hint})" if error.hint else "")
            return reply(request, error.response_code, Failure(words), authoritative=True)
        except HulianError as error:  # the registry is busy, or cannot be reached: how far it came, the same question finds out
            _log.warning("a carrier has to come again", reason=str(error), opcode=request.op_code)
            return reply(request, ResponseCode.SERVER_BUSY, f"{error.code}: the node cannot do it now")
        if found is None:
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        return reply(request, ResponseCode.SUCCESS, Carried(found), authoritative=True)

    async def _followed(self, request: Message) -> Message:
        body = read_body(request)
        if not isinstance(body, ResolveRequest) or self._follow is None:
            return reply(request, ResponseCode.PROTOCOL_ERROR, "no question")
        try:
            found = await self._follow.resolve(ResolveRequest(body.handle, body.indexes, body.types))
        except FollowError as error:
            return reply(request, ResponseCode.ERROR, f"{error.code}: {error.message}")
        if found.code != ResponseCode.SUCCESS:
            known = found.code in ResponseCode.__members__.values()
            return reply(request, ResponseCode(found.code) if known else ResponseCode.ERROR, Failure(found.message))
        return reply(request, ResponseCode.SUCCESS, Values(body.handle, found.values))
