"""What happens to a node, kept in memory until it is written: neither who sees a fault nor who is hit by it waits."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

import msgspec
import structlog

from hulian.network.identifiers.statistics.events import CAUSES, Cause, FaultEvent

__all__ = ["Fault", "Faults"]

MOST_OPEN: Final = 100
"""Faults that last at the same time; further ones are not told of."""

MOST_WAITING: Final = 1_000
"""Faults that wait to be written; beyond it the oldest is lost, and was only logged."""

_log = structlog.get_logger(__name__)


class Fault(msgspec.Struct, kw_only=True):
    """One fault event. ``over`` is when it ended, UTC ns: the same as ``at`` for a moment, None while it lasts. ``number`` is 0
    until it is written."""

    number: int = 0
    at: int
    over: int | None
    cause: Cause
    code: FaultEvent
    subject: str
    message: str


class Faults:
    """The faults of one node. For the thread of the event loop."""

    def __init__(self) -> None:
        self._open: dict[tuple[FaultEvent, str], Fault] = {}
        self._waiting: deque[Fault] = deque(maxlen=MOST_WAITING)

    def happened(self, code: FaultEvent, subject: str, message: str) -> None:
        """A moment."""
        now = time.time_ns()
        self._waiting.append(Fault(at=now, over=now, cause=CAUSES[code], code=code, subject=subject, message=message))

    def began(self, code: FaultEvent, subject: str, message: str) -> None:
        """Something that lasts until `ended`; what lasts already changes nothing."""
        if (code, subject) in self._open or len(self._open) >= MOST_OPEN:
            return
        made = Fault(at=time.time_ns(), over=None, cause=CAUSES[code], code=code, subject=subject, message=message)
        self._open[code, subject] = made
        self._waiting.append(made)
        _log.warning(code.meaning, code=code.value, subject=subject, reason=message)

    def ended(self, code: FaultEvent, subject: str) -> None:
        """It is over; what did not last changes nothing."""
        found = self._open.pop((code, subject), None)
        if found is not None:
            found.over = time.time_ns()
            if all(one is not found for one in self._waiting):
                self._waiting.append(found)
            _log.info("a fault is over", code=code.value, subject=subject)

    def lasts(self, code: FaultEvent, subject: str) -> bool:
        """Whether it does."""
        return (code, subject) in self._open

    def waiting(self) -> list[Fault]:
        """Those that are new or over, and not written."""
        return list(self._waiting)

    def written(self, faults: list[Fault]) -> None:
        """These are, as they were when `waiting` gave them."""
        known = {id(one) for one in faults}
        self._waiting = deque((one for one in self._waiting if id(one) not in known), MOST_WAITING)
