"""Something happened: a gap in the ledger, a lost device, a login."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Event", "Severity"]


class Severity(StrEnum):
    """How soon a person should look; ordered from quiet to loud."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


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
