"""Work that outlasts its request: imports. Each has a progress that anyone may ask for, and an end that is kept a while."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import anyio
import msgspec
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.kernel.errors import HulianError
from hulian.platform.api.errors import ConflictError, JobCancelledError, NotFoundError, TooManyError, UnavailableError

__all__ = ["Job", "JobBoard"]

_log = structlog.get_logger("hulian.api.jobs")
_KEPT: Final = 200


class Job(msgspec.Struct, kw_only=True):
    """One piece of work on ``name``. ``done`` of ``total`` bytes are read; ``refused`` rows cannot be taken, ``problems`` says
    why of the first; the samples lie between ``first_ms`` and ``last_ms``; ``error`` is set where the state is ``failed``.

    ``phase`` is what it does now, where it does more than read; ``version`` the key of what it has made.
    """

    id: str
    kind: str
    owner: str
    name: str = ""
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    dry_run: bool = False
    done: int = 0
    total: int = 0
    samples: int = 0
    points: int = 0
    refused: int = 0
    problems: list[str] = []
    first_ms: float | None = None
    last_ms: float | None = None
    started_ms: float = 0
    ended_ms: float | None = None
    error: dict[str, str] | None = None
    phase: str = ""
    version: int | None = None


class JobBoard:
    """Runs jobs inside its own scope; they end with it."""

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._jobs: dict[str, Job] = {}
        self._ends: dict[str, Callable[[], None]] = {}
        self._over: dict[str, anyio.Event] = {}
        self._group: TaskGroup | None = None

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Holds the jobs until cancelled."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                task_status.started()
                try:
                    await anyio.sleep_forever()
                finally:
                    # A thread cannot be cancelled from outside: it is asked to end, so that nobody waits for all of its work.
                    for end in list(self._ends.values()):
                        end()
        finally:
            self._group = None

    def admit(self, kind: str) -> None:
        """Raises `TooManyError` where as many of a kind as allowed are running."""
        running = sum(1 for other in self._jobs.values() if other.kind == kind and other.state == "running")
        if running >= self._at_a_time:
            raise TooManyError(f"{running} {kind} runs already", seconds=10, hint="wait for it: GET /api/v1/jobs")

    def start(self, job: Job, work: Callable[[Job], Awaitable[None]], end: Callable[[], None] | None = None) -> Job:
        """Starts ``work``. Raises `TooManyError` where as many as allowed are running.

        ``end`` asks the work to end soon, by raising `JobCancelledError`; a job without it cannot be cancelled.
        """
        if self._group is None:
            raise UnavailableError("jobs are not running")
        self.admit(job.kind)
        self._jobs[job.id] = job
        self._over[job.id] = anyio.Event()
        if end is not None:
            self._ends[job.id] = end
        for old in [key for key, other in self._jobs.items() if other.state != "running"][: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[old]
        self._group.start_soon(self._work, job, work)
        return job

    @staticmethod
    def new(kind: str, owner: str) -> Job:
        return Job(id=secrets.token_urlsafe(9), kind=kind, owner=owner, started_ms=time.time_ns() // 1000 / 1000)

    def get(self, identity: str) -> Job:
        """Raises `NotFoundError`."""
        if identity not in self._jobs:
            raise NotFoundError(f"there is no job {identity[:40]!r}", hint="jobs are forgotten when the api restarts")
        return self._jobs[identity]

    async def ended(self, identity: str, seconds: float) -> Job:
        """The job when it has ended, or as it is after ``seconds``. Raises `NotFoundError`."""
        job = self.get(identity)
        if over := self._over.get(identity):
            with anyio.move_on_after(seconds):
                await over.wait()
        return job

    def cancel(self, identity: str) -> Job:
        """Asks a job to end; it is over when its state says so. Raises `NotFoundError`, `ConflictError`."""
        job = self.get(identity)
        if job.state != "running":
            raise ConflictError(f"the job has ended: it is {job.state}", place=identity[:40])
        if identity not in self._ends:
            raise ConflictError("this job cannot be cancelled", place=identity[:40], hint="wait for its end")
        self._ends[identity]()
        return job

    def all(self) -> list[Job]:
        """Newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.started_ms)

    async def _work(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await work(job)
            job.state = "done"
        except JobCancelledError:
            job.state = "cancelled"
        except HulianError as error:
            job.error, job.state = error.as_dict(), "failed"
        except Exception as error:  # noqa: BLE001 - a defect in one job must not end the others; it is logged and shown
            _log.error("defect in a job", job=job.id, kind=job.kind, exc_info=error)
            job.error = {"code": "HL-API-0015", "message": f"{type(error).__name__} in job {job.id}", "place": "", "hint": ""}
            job.state = "failed"
        finally:
            self._ends.pop(job.id, None)
            if job.state == "running":
                job.state = "failed"
                job.error = {"code": "HL-API-0010", "message": "the api stopped", "place": "", "hint": "import it again"}
            job.ended_ms = time.time_ns() // 1000 / 1000
            self._over.pop(job.id).set()
