"""Keeps the document of live points what the catalogue says, while the platform runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from hulian.kernel.errors import HulianError
from hulian.platform.api.access import in_thread

if TYPE_CHECKING:
    from hulian.platform.api.context import Context

__all__ = ["Upkeep"]

_log = structlog.get_logger("hulian.api.dictionary")
_EVERY: Final = 3.0
"""Seconds between two looks; one look is a few small questions to the registry."""


class Upkeep:
    """Looks now and then, as soon as somebody has asked for anything about meaning."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Looks until cancelled."""
        task_status.started()
        while True:
            await anyio.sleep(_EVERY)
            if not self._context.knows_meaning:
                continue
            try:
                living = (await self._context.dictionary()).matching.living
                await in_thread(living.refresh)
            except HulianError as error:
                _log.warning("the live points of the model were not brought up to date", error=str(error))
