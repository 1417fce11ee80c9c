"""The first link: what no node serves is refused before anything is looked up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.wire.bodies import read_body
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Guard"]

_DEEPEST = 10
"""How often a question may have been passed on, the bound of the Handle System's servers."""


class Guard:
    """Lets through whole requests of the operations ``serves``, that were not passed on too often."""

    def __init__(self, next_: Link, *, serves: Collection[OpCode] = (OpCode.RESOLVE,)) -> None:
        self._next = next_
        self._serves = frozenset(code.value for code in serves)

    @property
    def plain(self) -> Plain | None:
        """What this link asks of a plain question is part of its being plain."""
        return plain_of(self._next) if OpCode.RESOLVE.value in self._serves else None

    @property
    def upkeep(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What the next link does beside answering."""
        return getattr(self._next, "upkeep", None)

    @property
    def sessions(self) -> SessionTable | None:
        """The keys that messages to this node may be encrypted with."""
        return getattr(self._next, "sessions", None)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if not request.is_request:
            return reply(request, ResponseCode.PROTOCOL_ERROR, "this is an answer, not a question")
        if request.op_code not in self._serves:
            return reply(request, ResponseCode.NOT_SUPPORTED, f"opcode {request.op_code} is not served here")
        if request.recursion > _DEEPEST:
            return reply(request, ResponseCode.RECURSION_TOO_DEEP, f"passed on {request.recursion} times")
        try:
            read_body(request)
        except WireError as error:
            return reply(request, ResponseCode.PROTOCOL_ERROR, f"{error.code}: {error.message}")
        return await self._next.answer(request, asker)
