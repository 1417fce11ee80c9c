"""Our own state as a Sparkplug host application: will, birth and death on its STATE topic. No I/O, no clock.

Sparkplug 3.0.0, sections 4.3.1, 5.2 and 6.4.25.
"""

from __future__ import annotations

import msgspec

from hulian.network.exchange.protocols.mqtt.errors import OptionError
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import NAMESPACE, encode_state, level

__all__ = ["Host"]

_MILLISECOND = 1_000_000


class Host:
    """One host application on one server. ``online``: its birth is published on the present connection.

    Every message of a connection carries the time that its will was made with, so that an edge node can tell an old death
    from a new birth; only a deliberate death carries its own.
    """

    def __init__(self, name: str) -> None:
        """Raises `OptionError` where ``name`` cannot be a level of a topic."""
        try:
            self.name = level(name)
        except ValueError as error:
            raise OptionError(f"the host's name: {error}", place="sparkplug.host", hint="use no +, / or #") from error
        self.topic = f"{NAMESPACE}/STATE/{name}"
        self.online = False
        self.timestamp = 0
        self._answered = b""

    def will(self, now: int) -> bytes:
        """The last will of a connection that begins ``now`` (UTC ns)."""
        self.online = False
        self.timestamp = now // _MILLISECOND
        self._answered = b""
        return encode_state(online=False, timestamp=self.timestamp)

    def birth(self) -> bytes:
        """What is published first, behind the subscriptions, and again whenever somebody says that we are offline."""
        return encode_state(online=True, timestamp=self.timestamp)

    def death(self, now: int) -> bytes:
        """What is published before we go on purpose, at ``now`` (UTC ns)."""
        self.online = False
        return encode_state(online=False, timestamp=now // _MILLISECOND)

    def contradicts(self, payload: bytes) -> bool:
        """Whether a STATE message with our name is to be answered by our birth: it says that we are offline, and we are not.

        Where two of our subscriptions match, a server delivers a message twice; it is answered once.
        """
        try:
            said = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if not isinstance(said, dict) or said.get("online") is not False:
            self._answered = b""
            return False
        if not self.online or payload == self._answered:
            return False
        self._answered = bytes(payload)
        return True
