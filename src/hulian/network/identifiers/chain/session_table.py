"""Sessions: what a connection has agreed on, a key or a login, for the messages that follow on it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hulian.network.identifiers.wire.authentication import ReplayWindow, SessionKey, decrypt_message
from hulian.network.identifiers.wire.errors import SessionKeyError
from hulian.network.identifiers.wire.frame import Message, read_envelope
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Session", "SessionTable"]

LONGEST: Final = 86_400.0
SHORTEST: Final = 60.0

_MOST: Final = 10_000
_MOST_OF_ONE: Final = 16


class Session:
    """``key`` makes and checks its messages, None for a login; ``who`` has proved to hold it, None where nobody has."""

    __slots__ = ("connection", "key", "until", "who", "window")

    def __init__(self, connection: int, key: SessionKey | None, who: Reference | None, until: float) -> None:
        self.connection, self.key, self.who, self.until = connection, key, who, until
        self.window = ReplayWindow()


class SessionTable:
    """The sessions of a node, by number. A session is good on the connection that it was made on, and nowhere else: its
    number is no secret.

    At most 10,000 are kept, 16 of one connection; beyond that the one that was used longest ago ends.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[int, Session] = OrderedDict()
        self._of: dict[int, dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, number: object) -> bool:
        return number in self._sessions

    def begin(
        self, connection: int, *, key: SessionKey | None, who: Reference | None, seconds: float = LONGEST, number: int = 0
    ) -> int:
        """A new session for ``connection``, good for ``seconds``; its number, which is ``number`` where that is given."""
        while len(own := self._of.get(connection, {})) >= _MOST_OF_ONE:
            self._drop(next(iter(own)))
        while len(self._sessions) >= _MOST:
            self._drop(next(iter(self._sessions)))
        while not number or number in self._sessions:
            number = secrets.randbelow(0x7FFFFFFE) + 1
        until = self._clock() + min(max(seconds, SHORTEST), LONGEST)
        self._sessions[number] = Session(connection, key, who, until)
        self._of.setdefault(connection, {})[number] = None
        return number

    def find(self, number: int, connection: int) -> Session | None:
        """The session of that number, where it is one of ``connection`` and has not ended."""
        session = self._sessions.get(number) if connection else None
        if session is None or session.connection != connection:
            return None
        if session.until <= self._clock():
            self._drop(number)
            return None
        self._sessions.move_to_end(number)
        return session

    def end(self, number: int, connection: int) -> bool:
        """Ends a session of ``connection``; whether there was one."""
        if self.find(number, connection) is None:
            return False
        self._drop(number)
        return True

    def _drop(self, number: int) -> None:
        connection = self._sessions.pop(number).connection
        own = self._of[connection]
        del own[number]
        if not own:
            del self._of[connection]

    def decrypted(self, data: bytes, connection: int) -> tuple[Message, SessionKey]:
        """The message that its session's key opens, and that key. Raises `SessionKeyError`, and the errors of the frame."""
        session = self.find(read_envelope(data).session_id, connection)
        if session is None or session.key is None:
            raise SessionKeyError("an encrypted message of no session", place="an envelope")
        return decrypt_message(data, session.key), session.key
