"""Handle sessions: a nonce of the server, signed together with one of the client, names who asks from then on."""

from __future__ import annotations

import base64
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hulian.network.identifiers.transport.rest.errors import BusyError
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Session", "Sessions"]

IDLE: Final = 1800.0
"""Seconds that a session lives without being used."""

UNPROVED: Final = 60.0
"""Seconds that a new session waits for its proof."""

_MOST: Final = 10_000
_MOST_UNPROVED: Final = 64
"""Sessions of one source that wait for a proof."""


class Session:
    """``key`` is the secret that names it; ``nonce`` what its user signs; ``who`` is None until somebody has."""

    __slots__ = ("key", "nonce", "source", "until", "who")

    def __init__(self, source: str, until: float) -> None:
        self.key = secrets.token_urlsafe(24)
        self.nonce = secrets.token_bytes(16)
        self.who: Reference | None = None
        self.source = source
        self.until = until

    @property
    def nonce_text(self) -> str:
        return base64.b64encode(self.nonce).decode()


class Sessions:
    """At most 10,000 sessions, 64 of one source without a proof; beyond it new ones are refused, and none is thrown out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._waiting: dict[str, int] = {}

    def begin(self, source: str) -> Session:
        """A new session. Raises `BusyError`."""
        self._tidy()
        if len(self._open) >= _MOST or self._waiting.get(source, 0) >= _MOST_UNPROVED:
            raise BusyError("too many sessions are open", hint="end those that are not used; the others end by themselves")
        made = Session(source, self._clock() + UNPROVED)
        self._open[made.key] = made
        self._waiting[source] = self._waiting.get(source, 0) + 1
        return made

    def find(self, key: str) -> Session | None:
        """The session that ``key`` names; its time begins anew where it is proved."""
        found = self._open.get(key)
        if found is None:
            return None
        if found.until <= self._clock():
            self.end(found)
            return None
        if found.who is not None:
            found.until = self._clock() + IDLE
            self._open.move_to_end(key)
        return found

    def prove(self, session: Session, who: Reference) -> None:
        """From now on the session is that of ``who``.

        Its nonce stays: clients send their proof again and again, and who knows the key needs none any more.
        """
        if session.who is None:
            self._waited(session)
        session.who = who
        session.until = self._clock() + IDLE
        self._open.move_to_end(session.key)

    def end(self, session: Session) -> None:
        """It is over."""
        if self._open.pop(session.key, None) is not None and session.who is None:
            self._waited(session)

    def _waited(self, session: Session) -> None:
        self._waiting[session.source] -= 1
        if not self._waiting[session.source]:
            del self._waiting[session.source]

    def _tidy(self) -> None:
        """Ends what is over. Those without a proof are few of each source, the others stand in the order of their use."""
        if len(self._open) >= _MOST // 2 or self._waiting:
            now = self._clock()
            for session in [one for one in self._open.values() if one.until <= now]:
                self.end(session)
