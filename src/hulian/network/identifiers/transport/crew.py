"""Tasks that answer one question after another: starting a task for each would cost as much as many an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from anyio.abc import TaskGroup

__all__ = ["Crew"]

Job = TypeVar("Job")


class Crew(Generic[Job]):
    """Does jobs by ``work``, each in a task of ``group`` that is waiting for one, or in a new one where all are busy.

    At most ``idle`` tasks wait; the others end with their job. How many may be under way is the caller's to bound.
    ``work`` must not raise: what it raises ends the group.
    """

    def __init__(self, group: TaskGroup, work: Callable[[Job], Awaitable[None]], *, idle: int = 64) -> None:
        self._group = group
        self._work = work
        self._most = idle
        self._waiting: list[asyncio.Future[Job]] = []

    def give(self, job: Job) -> None:
        """Has ``job`` done; returns at once."""
        while self._waiting:
            waiting = self._waiting.pop()  # the last one: what it needs is still warm
            if not waiting.done():
                waiting.set_result(job)
                return
        self._group.start_soon(self._member, job)

    async def _member(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._work(job)
            if len(self._waiting) >= self._most:
                return
            waiting: asyncio.Future[Job] = loop.create_future()
            self._waiting.append(waiting)
            job = await waiting
