"""Something happened: a gap in the ledger, a lost device, a login."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

import msgspec

__all__ = ["Event", "EventCode", "Severity"]


class Severity(StrEnum):
    """How soon a person should look; ordered from quiet to loud."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class EventCode(StrEnum):
    """The permanent codes of a room's events, each with its meaning: a room's ``events.py`` holds one subclass.

    >>> class MillEvent(EventCode):
    ...     STALLED = "HL-MILL-0101", "The mill does not turn."
    >>> MillEvent.STALLED, MillEvent.STALLED.meaning
    (<MillEvent.STALLED: 'HL-MILL-0101'>, 'The mill does not turn.')
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened, with a permanent ``code``, what it concerns, and what to do next.

    ``time`` is UTC ns; ``subject`` names the connector, source, user or point concerned; ``component`` who says so.
    ``active`` is True where a condition begins, False where it ends, None where it is a moment: a pair of events with
    the same code and subject opens and closes the condition.
    """

    time: int
    code: str
    severity: Severity
    component: str
    subject: str
    message: str
    hint: str = ""
    active: bool | None = None
    details: dict[str, Any] = {}
