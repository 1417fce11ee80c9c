"""What a connector tells people: moments, and conditions that begin and end, each told once."""

from __future__ import annotations

import time
from typing import Any

from hulian.kernel.event import Event, Severity
from hulian.network.exchange.protocols.contract import Sink

__all__ = ["Conditions"]


class Conditions:
    """The events of one connector; a condition stays open until it is ended, whatever happens between."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._open: set[str] = set()

    def __contains__(self, code: str) -> bool:
        return str(code) in self._open

    @property
    def open(self) -> tuple[str, ...]:
        """The codes of the conditions that have begun and not ended."""
        return tuple(self._open)

    def tell(
        self,
        sink: Sink,
        code: str,
        severity: Severity,
        message: str,
        hint: str = "",
        *,
        active: bool | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """One event, whether or not a condition goes with it."""
        sink.event(
            Event(
                time=time.time_ns(),
                code=str(code),
                severity=severity,
                component="edge",
                subject=self._subject,
                message=message,
                hint=hint,
                active=active,
                details=details or {},
            )
        )

    def begin(
        self,
        sink: Sink,
        code: str,
        severity: Severity,
        message: str,
        hint: str,
        *,
        details: dict[str, Any] | None = None,
        again: bool = False,
    ) -> None:
        """A condition begins; one that is open already is told again only with ``again``."""
        if code in self and not again:
            return
        self._open.add(str(code))
        self.tell(sink, code, severity, message, hint, active=True, details=details)

    def end(self, sink: Sink, code: str, message: str) -> None:
        """A condition ends, if it is open."""
        if code in self:
            self._open.remove(str(code))
            self.tell(sink, code, Severity.INFO, message, active=False)
