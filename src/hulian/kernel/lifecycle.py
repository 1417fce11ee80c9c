"""A component starts, says that it is ready, and stops, inside one scope.

Who runs it decides when it ends: cancelling the scope is the only way, and `Component.run` leaves nothing behind.
"""

from __future__ import annotations

from typing import Protocol

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

__all__ = ["Component"]


class Component(Protocol):
    """What the supervisor runs.

    The caller is `anyio.abc.TaskGroup.start`. ``run`` calls ``task_status.started()`` exactly once, when the component
    serves; it returns or raises only when it can serve no longer. A `HulianError` is shown to a person and not retried
    where it is a `ConfigurationError`; anything else makes the supervisor start the component again, later each time.
    """

    @property
    def name(self) -> str: ...

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None: ...
