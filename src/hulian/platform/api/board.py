"""The last word of every component: what each said of itself on the spine, and how long ago."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

import anyio
import msgspec
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from hulian.kernel.errors import HulianError, IdentifierError
from hulian.kernel.identifier import escape, unescape
from hulian.kernel.unreadable import UNREADABLE
from hulian.platform.api.contract import SpineLink
from hulian.platform.api.live import LiveHub

__all__ = ["StatusBoard", "connector_status"]

_log = structlog.get_logger("hulian.api.board")
_SILENT: Final = 15.0
"""Seconds after which a component that says nothing is shown as silent."""
_MOST: Final = 10_000


class Said(NamedTuple):
    """What a component said last, and when we heard it (monotonic seconds)."""

    component: str
    name: str
    document: Any
    heard: float


def connector_status(document: Any) -> Any:
    """What the edge says of a connector, flat: its status with restarts and journal beside, times also in ms."""
    if not isinstance(document, dict) or not isinstance(status := document.get("status"), dict):
        return document
    times = {
        f"{key}_ms": value // 1000 / 1000
        for key in ("since", "retry_at", "last_sample")
        if isinstance(value := status.get(key, 0), int)
    }
    return {
        **status,
        **times,
        "restarts": document.get("restarts", 0),
        "journal": document.get("journal"),
        "orphan": document.get("orphan") is True,
    }


class StatusBoard:
    """Listens to ``hl.<org>.status.<component>.<name>`` and keeps the newest of each name."""

    def __init__(self, spine: SpineLink, organisation: str, hub: LiveHub) -> None:
        self._spine = spine
        self._subject = f"hl.{escape(organisation)}.status.>"
        self._hub = hub
        self._said: dict[tuple[str, str], Said] = {}

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Listens until cancelled."""
        task_status.started()
        while True:
            try:
                async with await self._spine.subscribe(self._subject) as messages:
                    async for message in messages:
                        self._hear(message.subject, message.payload)
            except HulianError as error:
                _log.warning("status subscription interrupted", error=str(error))
            await anyio.sleep(1)

    def _hear(self, subject: str, payload: bytes) -> None:
        tokens = subject.split(".")
        if len(tokens) != 5 or len(self._said) >= _MOST:
            return
        try:
            component, name = unescape(tokens[3]), unescape(tokens[4])
            document = msgspec.json.decode(payload)
        except (IdentifierError, *UNREADABLE):
            return
        if component == "edge":
            document = connector_status(document)
        self._said[component, name] = Said(component, name, document, time.monotonic())
        shown = {"component": component, "name": name, "status": document}
        self._hub.tell_status(f"{component}/{name}", msgspec.json.encode(shown))

    def of(self, component: str, name: str) -> Any | None:
        """The last status, or None where there is none or it is too old to be true."""
        said = self._said.get((component, name))
        return said.document if said and time.monotonic() - said.heard < _SILENT else None

    def heard(self, component: str, name: str) -> float | None:
        """When ``name`` said something last, in ms since 1970; None where it has said nothing since this process started."""
        said = self._said.get((component, name))
        return None if said is None else (time.time() - (time.monotonic() - said.heard)) * 1000

    def all_of(self, component: str) -> dict[str, Any]:
        """The last status of each name of ``component``, without those that fell silent."""
        return {
            said.name: said.document
            for said in list(self._said.values())
            if said.component == component and time.monotonic() - said.heard < _SILENT
        }

    def snapshot(self) -> list[dict[str, Any]]:
        """Everything known, for a viewer that has just come."""
        now = time.monotonic()
        return [
            {"component": said.component, "name": said.name, "status": said.document}
            for said in list(self._said.values())
            if now - said.heard < _SILENT
        ]
