"""What a node does for its safety while it runs, beside a component: certificates in time, the trail within its bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import anyio
import anyio.to_thread
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from hulian.kernel.event import Event, Severity
from hulian.kernel.lifecycle import Component
from hulian.trust.events import TrustEvent

__all__ = ["Upkeep"]

_AGAIN: Final = 60.0
_log = structlog.get_logger("hulian.upkeep")


class Upkeep:
    """``service`` with regular tasks beside it. A task is a function for a worker thread that says when it wants to run next.
    ``tell`` takes events, from the event loop.

    A task that raises is tried again after a minute, with an event; it never ends the service. ``beside`` runs for as long as
    the service does.
    """

    def __init__(
        self,
        service: Component,
        tell: Callable[[Event], None],
        tasks: Mapping[str, Callable[[], float]],
        *,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        at_start: Sequence[Event] = (),
    ) -> None:
        self.name = service.name
        self._service = service
        self._tell = tell
        self._tasks = dict(tasks)
        self._beside = tuple(beside)
        self._at_start = tuple(at_start)
        self._failing: set[str] = set()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """See `hulian.kernel.lifecycle.Component`."""
        async with anyio.create_task_group() as group:
            await group.start(self._service.run)
            for one in self._beside:
                group.start_soon(one)
            for event in self._at_start:
                self._tell(event)
            for name, task in self._tasks.items():
                group.start_soon(self._repeat, name, task)
            task_status.started()

    async def _repeat(self, name: str, task: Callable[[], float]) -> None:
        while True:
            try:
                pause = await anyio.to_thread.run_sync(task, abandon_on_cancel=True)
                self._succeeded(name)
            except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on and a person hears of it
                _log.exception("a regular task failed", task=name)
                self._failed(name, error)
                pause = _AGAIN
            await anyio.sleep(pause)

    def _failed(self, name: str, error: Exception) -> None:
        if name not in self._failing:
            self._failing.add(name)
            self._tell(self._event(name, f"{name} failed: {error}", Severity.ERROR, active=True))

    def _succeeded(self, name: str) -> None:
        if name in self._failing:
            self._failing.discard(name)
            self._tell(self._event(name, f"{name} works again", Severity.INFO, active=False))

    def _event(self, name: str, message: str, severity: Severity, *, active: bool) -> Event:
        return Event(
            time=time.time_ns(),
            code=TrustEvent.UPKEEP_FAILED,
            severity=severity,
            component=self.name,
            subject=name,
            message=message,
            hint=f"it is tried again every minute; the log of the {self.name} has the cause" if active else "",
            active=active,
        )
