"""What links have in common: who asks, and a next one that can be asked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from hulian.network.identifiers.wire.bodies import Body, Challenge, Failure, answer, digest_of
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Reference

__all__ = ["LIFE", "Asker", "Link", "reply"]

LIFE = 12 * 3600
"""Seconds that an answer says it may be believed, the life of a message in the Handle System."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Where a question comes from, and who has proved to ask it.

    ``address`` is without the port; ``verified`` where a handshake has proved it. ``connection`` numbers the connections of a
    listener, 0 for datagrams; ``encrypted`` where its messages are hidden from everybody else. ``who`` is the key that was
    proved, by index and handle. ``part`` sends an answer that others follow; datagrams have none.
    """

    address: str
    verified: bool = False
    connection: int = 0
    encrypted: bool = False
    who: Reference | None = None
    part: Callable[[Message], Awaitable[None]] | None = None


class Link(Protocol):
    """A step on the way to an answer. It never raises for what an asker sent: that is answered with a response code."""

    async def answer(self, request: Message, asker: Asker) -> Message:
        """The answer to ``request``."""
        ...


def reply(to: Message, code: ResponseCode, body: Body | str = "", *, authoritative: bool = False) -> Message:
    """An answer with ``body``; a text is that of a failure. The digest is there where it was asked for.

    A 402 says only that somebody has to prove who they are: `Authenticate` in front makes a challenge of it.
    """
    challenge = code is ResponseCode.AUTHENTICATION_NEEDED
    if isinstance(body, str):
        body = Challenge(b"") if challenge else Failure(body)
    return answer(
        to,
        code,
        body,
        expiration=int(time.time()) + LIFE,
        flags=OpFlag.AUTHORITATIVE.value if authoritative else 0,
        digest=digest_of(to) if challenge or to.has(OpFlag.RETURN_DIGEST) else None,
    )
