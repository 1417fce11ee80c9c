"""The link of an emergency: answers for a prefix whose own node is down, out of the copy that is held of its records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from hulian.network.identifiers.chain.contract import Asker, Link
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.bodies import read_body
from hulian.network.identifiers.wire.codes import OpFlag
from hulian.network.identifiers.wire.frame import Message

__all__ = ["StandIn"]

SECONDS: Final = 60
"""How long an answer may be believed that is not given by who is responsible."""

_ZERO_NA: Final = b"0.NA/"


class StandIn:
    """Hands questions about handles below a prefix to ``copy_of`` it, a link, while there is one; all others to the next link.

    The answers are marked: they are not authoritative, and are believed for a minute at most.
    """

    def __init__(self, copy_of: Callable[[bytes], Link | None], next_: Link) -> None:
        self._copy_of = copy_of
        self._next = next_

    @property
    def plain(self) -> Plain | None:
        """Prefixes that are copied are not homed here, and their handles no records: plain questions for them pass to us."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        key = key_of(getattr(read_body(request), "handle", None) or "")
        prefix, slash, _ = key.partition(b"/")
        copy = self._copy_of(prefix) if slash and not key.startswith(_ZERO_NA) else None
        if copy is None:
            return await self._next.answer(request, asker)
        answer = await copy.answer(request, asker)
        until = min(answer.expiration, int(time.time()) + SECONDS)
        return msgspec.structs.replace(answer, flags=answer.flags & ~OpFlag.AUTHORITATIVE.value, expiration=until)
