"""What links have in common: who asks, and a next one that can be asked."""

from __future__ import annotations

import time
from typing import Protocol

import msgspec

from hulian.network.identifiers.wire.bodies import Body, Failure, answer, digest_of
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message

__all__ = ["LIFE", "Asker", "Link", "reply"]

LIFE = 12 * 3600
"""Seconds that an answer says it may be believed, the life of a message in the Handle System."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Where a question comes from: ``address`` without the port; ``verified`` where a handshake has proved the address."""

    address: str
    verified: bool = False


class Link(Protocol):
    """A step on the way to an answer. It never raises for what an asker sent: that is answered with a response code."""

    async def answer(self, request: Message, asker: Asker) -> Message:
        """The answer to ``request``."""
        ...


def reply(to: Message, code: ResponseCode, body: Body | str = "", *, authoritative: bool = False) -> Message:
    """An answer with ``body``; a text is that of a failure. The digest is there where it was asked for."""
    return answer(
        to,
        code,
        Failure(body) if isinstance(body, str) else body,
        expiration=int(time.time()) + LIFE,
        flags=OpFlag.AUTHORITATIVE.value if authoritative else 0,
        digest=digest_of(to) if to.has(OpFlag.RETURN_DIGEST) else None,
    )
