"""Events of the MQTT input: each kind and subject once, repeated at most once a minute, with what was left out counted."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hulian.kernel.event import Event, Severity
from hulian.network.exchange.protocols.mqtt.errors import BrokerError, DeathError, MqttError, SourceError, WireError

__all__ = ["Reports"]

_AGAIN: Final = 60.0
_MOST: Final = 2_000
_SERIOUS: Final = (BrokerError, DeathError, SourceError, WireError)


class Reports:
    """Turns what goes wrong into events for ``emit``. A flood of bad payloads on many topics is bounded too."""

    def __init__(self, connector: str, emit: Callable[[Event], None]) -> None:
        self.open: dict[tuple[str, str], Event] = {}
        self.counters: dict[str, int] = {}
        self._connector = connector
        self._emit = emit
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def count(self, name: str) -> None:
        """One more of ``name``."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def moment(self, kind: type[MqttError], subject: str, message: str, hint: str = "") -> None:
        """Something was wrong once."""
        self.count("bad_payloads" if kind is not SourceError else "source_errors")
        now = time.monotonic()
        key = (kind.code, subject)
        due, left_out = self._told.get(key, (0.0, 0))
        if now < due:
            self._told[key] = (due, left_out + 1)
            return
        if key not in self._told and len(self._told) >= _MOST:
            self._told.popitem(last=False)
        self._told[key] = (now + _AGAIN, 0)
        if left_out:
            message += f" ({left_out} more in the last minute)"
        self._emit(self._event(kind, subject, message, None, hint))

    def begin(self, kind: type[MqttError], subject: str, message: str, hint: str = "") -> None:
        """A condition has begun; told once until `end`."""
        key = (kind.code, subject)
        if key not in self.open and len(self.open) < _MOST:
            self.open[key] = event = self._event(kind, subject, message, True, hint)
            self._emit(event)

    def end(self, kind: type[MqttError], subject: str) -> None:
        """The condition is over, where it had begun."""
        event = self.open.pop((kind.code, subject), None)
        if event is not None:
            self._emit(self._event(kind, subject, f"over: {event.message}", False, ""))

    def _event(self, kind: type[MqttError], subject: str, message: str, active: bool | None, hint: str) -> Event:
        severity = Severity.ERROR if issubclass(kind, _SERIOUS) else Severity.WARNING
        return Event(
            time=time.time_ns(),
            code=kind.code,
            severity=Severity.INFO if active is False else severity,
            component="mqtt",
            subject=f"{self._connector}/{subject}" if subject else self._connector,
            message=message,
            hint="" if active is False else hint or kind.default_hint,
            active=active,
            details={"connector": self._connector, "subject": subject},
        )
