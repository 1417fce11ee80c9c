"""Messages of one edge node that came before an earlier one: kept until that comes, or was waited for long enough. No clock.

Sparkplug 3.0.0, section 5.7 (message ordering): the sequence number runs from 0 to 255 and begins anew.
"""

from __future__ import annotations

from typing import Any

from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic

__all__ = ["Early", "Window"]

Early = tuple[Topic, Any, int, int]
"""A message that came too early: its topic, payload, time of receipt, and size in bytes."""


class Window:
    """At most one message a sequence number. ``until``: when waiting ends (UTC ns), 0 while nothing waits."""

    __slots__ = ("_messages", "size", "until")

    def __init__(self) -> None:
        self._messages: dict[int, Early] = {}
        self.size = 0
        self.until = 0

    def __len__(self) -> int:
        return len(self._messages)

    def hold(self, sequence: int, message: Early, until: int) -> bool:
        """Keeps ``message``; False where one with its number is kept already. The first one starts the waiting."""
        if sequence in self._messages:
            return False
        self._messages[sequence] = message
        self.size += message[3]
        self.until = self.until or until
        return True

    def next(self, sequence: int) -> Early | None:
        """The message with this number, where it is here; when none is left, waiting is over."""
        message = self._messages.pop(sequence, None)
        if message is not None:
            self.size -= message[3]
        if not self._messages:
            self.until = 0
        return message

    def drain(self, expected: int) -> list[tuple[int, Early]]:
        """All of them with their numbers, in the order in which they follow ``expected``."""
        found = sorted(self._messages.items(), key=lambda one: (one[0] - expected) & 255)
        self._messages = {}
        self.size = self.until = 0
        return found
