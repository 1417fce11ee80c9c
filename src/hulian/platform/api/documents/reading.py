"""One document on its way into a version of its own: read in a thread, cancelled between two pieces, gone where it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from anyio import to_thread

from hulian.network.exchange.semantics.contract import Format, Source
from hulian.network.exchange.semantics.model import Model
from hulian.platform.api.documents.receiving import discard
from hulian.platform.api.documents.waiting import Mark, Waiting
from hulian.platform.api.errors import JobCancelledError
from hulian.platform.api.jobs import Job

__all__ = ["Reading"]


class Reading:
    """``run`` is the work of a job and ``end`` what cancels it. ``path`` is a file of `receive`; it is removed at the end."""

    def __init__(
        self,
        model: Model,
        waiting: Waiting,
        running: set[str],
        *,
        path: Path,
        source: Source,
        form: Format,
        name: str,
        who: str,
        siblings: Mapping[str, Source] | None = None,
    ) -> None:
        self._model, self._waiting, self._running = model, waiting, running
        self._path, self._source, self._form, self._name, self._who = path, source, form, name, who
        self._siblings = dict(siblings or {})
        self._ended = threading.Event()

    def end(self) -> None:
        """Asks it to end; any thread may."""
        self._ended.set()

    async def run(self, job: Job) -> None:
        """Reads; ``job.version`` is the key of the version that waits then. Raises `DocumentError`, `JobCancelledError`."""
        try:
            await to_thread.run_sync(self._read, job)
        finally:
            await discard(self._path)

    def _read(self, job: Job) -> None:
        before = max((version.key for version in self._model.history(self._name)), default=0)
        mark = Mark(name=self._name, size=self._source.size, who=self._who, begun=time.time_ns(), before=before)
        name = self._waiting.begin(mark)
        self._running.add(name)

        def tell(read: int) -> None:
            self._go_on()
            job.done = max(job.done, min(job.total, read))
            job.phase = "reading" if job.done < job.total else "checking"

        source = msgspec.structs.replace(self._source, progress=tell, siblings=self._siblings)
        try:
            self._go_on()
            job.phase = "reading"
            found = self._model.read(self._form, source, self._name, self._who)
            self._go_on()
            self._waiting.read(name, found.version.key)
        except BaseException:
            self._waiting.drop(self._model, name)
            raise
        finally:
            self._running.discard(name)
        job.done, job.phase, job.version = job.total, "", found.version.key

    def _go_on(self) -> None:
        if self._ended.is_set():
            raise JobCancelledError(f"the import of {self._name!r} was cancelled")
