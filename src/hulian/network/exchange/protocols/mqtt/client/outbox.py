"""What we publish with QoS 1 or 2, from the moment it is given to us until the broker has acknowledged it. No I/O.

It outlives a connection: what was not acknowledged is sent again on the next one, in its order (MQTT 5.0, section 4.4).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from hulian.network.exchange.protocols.mqtt.client.reasons import said
from hulian.network.exchange.protocols.mqtt.codec import NONE, Ack, Acks, PacketType, Reason, Version, encode, encode_acks
from hulian.network.exchange.protocols.mqtt.codec.encode import encode_publishes
from hulian.network.exchange.protocols.mqtt.errors import PublishError

__all__ = ["Flight", "Outbox"]

_MOST: Final = 65_535
_CAREFUL: Final = 20


class Flight:
    """Messages that were given together: ``done`` is set when every one of them is acknowledged."""

    __slots__ = ("done", "error", "left")

    def __init__(self, count: int) -> None:
        self.left = count
        self.error: PublishError | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def land(self, count: int = 1) -> None:
        """``count`` of them are settled."""
        self.left -= count
        if not self.left and not self.done.done():
            if self.error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(self.error)


class _Message:
    """One message on its way."""

    __slots__ = ("first", "flight", "head", "payload", "released")

    def __init__(self, head: bytes, payload: bytes, first: int, flight: Flight) -> None:
        self.head = head
        self.payload = payload
        self.first = first
        self.flight = flight
        self.released = False


class Outbox:
    """Bytes out of messages, and acknowledgements in. ``window`` is how many may be on the way at once."""

    def __init__(self) -> None:
        self.window = 0
        self._window_2 = 0
        self._properties = b""
        self._messages: dict[int, _Message] = {}
        self._again: deque[int] = deque()
        self._flying = 0
        self._last = 0
        self._repeated = 0

    def __len__(self) -> int:
        return len(self._messages)

    def room(self, qos: int) -> int:
        """How many more messages of ``qos`` may be sent now."""
        if self._again:
            return 0
        return (self.window if qos == 1 else self._window_2) - self._flying

    def identifier(self) -> int:
        """A packet identifier that is free."""
        while True:
            self._last = self._last % _MOST + 1
            if self._last not in self._messages:
                return self._last

    def send(self, heads: Sequence[bytes], payloads: Sequence[bytes], first: int, flight: Flight) -> bytes:
        """The packets of new messages, at most `room` of them."""
        count = len(heads)
        if not self._messages and self._last + count <= _MOST:
            identifiers: Sequence[int] = range(self._last + 1, self._last + 1 + count)
            self._last += count
        else:
            identifiers = []
            for _ in range(count):
                identifiers.append(self.identifier())
                self._messages[self._last] = _PLACEHOLDER
        self._flying += count
        messages = self._messages
        for identifier, head, payload in zip(identifiers, heads, payloads, strict=True):
            messages[identifier] = _Message(head, payload, first, flight)
        return encode_publishes(heads, payloads, identifiers, first, self._properties)

    def connected(self, window: int, version: Version, *, resumed: bool) -> None:
        """A new connection: everything unacknowledged is to be sent again; call `resend` until it gives nothing."""
        self.window = window
        # 3.1.1 has no receive maximum, and brokers end connections that have more QoS 2 messages on the way than they like.
        self._window_2 = window if version is Version.V5 else min(window, _CAREFUL)
        self._properties = b"\0" if version is Version.V5 else b""
        self._flying = 0
        if not resumed:
            # The broker that released them had them; it has forgotten the handshake only.
            for identifier in [one for one, message in self._messages.items() if message.released]:
                self._messages.pop(identifier).flight.land()
        self._again = deque(self._messages)
        self._repeated = 8 if resumed else 0

    def resend(self) -> bytes:
        """What fits into the window of what has to be sent again."""
        parts = []
        while self._again and self._flying < self.window:
            identifier = self._again.popleft()
            message = self._messages.get(identifier)
            if message is None:
                continue
            self._flying += 1
            if message.released:
                parts.append(encode_acks(PacketType.PUBREL, [identifier]))
            else:
                first = message.first | self._repeated
                parts.append(encode_publishes([message.head], [message.payload], [identifier], first, self._properties))
        return b"".join(parts)

    def acknowledge(self, acks: Acks, version: Version) -> tuple[bytes, int]:
        """Settles what PUBACK, PUBREC and PUBCOMP say: the bytes to answer, and an identifier that is not ours (or 0)."""
        messages, kind = self._messages, acks.kind
        if kind is PacketType.PUBREC:
            return self._received(acks, version)
        wanted = kind is PacketType.PUBCOMP
        for place, identifier in enumerate(acks.identifiers):
            message = messages.get(identifier)
            if message is None or message.released is not wanted or message.first & 6 != (4 if wanted else 2):
                return b"", identifier
            del messages[identifier]
            self._flying -= 1
            reason = acks.reasons.get(place, 0)
            if reason >= 0x80 and not wanted:
                self._refuse(message, acks, place, reason)
            message.flight.land()
        return b"", 0

    def _received(self, acks: Acks, version: Version) -> tuple[bytes, int]:
        released: list[int] = []
        parts: list[bytes] = []
        for place, identifier in enumerate(acks.identifiers):
            message = self._messages.get(identifier)
            reason = acks.reasons.get(place, 0)
            if message is None:
                if version is Version.V311:
                    return b"", identifier
                missing = Ack(kind=PacketType.PUBREL, identifier=identifier, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
                parts.append(encode(missing, version))
                continue
            if message.first & 6 != 4:
                return b"", identifier
            if reason >= 0x80:
                del self._messages[identifier]
                self._flying -= 1
                self._refuse(message, acks, place, reason)
                message.flight.land()
                continue
            message.released = True
            message.payload = b""
            released.append(identifier)
        if released:
            parts.append(encode_acks(PacketType.PUBREL, released))
        return b"".join(parts), 0

    @staticmethod
    def _refuse(message: _Message, acks: Acks, place: int, reason: int) -> None:
        topic = message.head[2:].decode()
        words = said(reason, acks.properties.get(place, NONE))
        message.flight.error = PublishError(f"the broker refuses a message: {words}", place=topic)


_PLACEHOLDER: Final = _Message.__new__(_Message)
