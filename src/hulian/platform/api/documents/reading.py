"""One document on its way into a version of its own: read in a thread, cancelled between two pieces, gone where it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from anyio import to_thread

from hulian.network.exchange.semantics.contract import Batch, Content, Document, Format, Loss, Source
from hulian.network.exchange.semantics.model import Model
from hulian.platform.api.documents.waiting import Mark, Waiting
from hulian.platform.api.errors import JobCancelledError
from hulian.platform.api.jobs import Job
from hulian.platform.api.receiving import discard

__all__ = ["Reading"]


class Reading:
    """``run`` is the work of a job, ``end`` cancels it. ``paths`` are files of `receive`; they are removed at the end."""

    def __init__(
        self,
        model: Model,
        waiting: Waiting,
        running: set[str],
        *,
        paths: Sequence[Path],
        source: Source,
        form: Format,
        name: str,
        who: str,
        siblings: Mapping[str, Source],
    ) -> None:
        self.name = name
        self._model, self._waiting, self._running = model, waiting, running
        self._paths, self._source, self._form, self._who = paths, source, form, who
        self._siblings = siblings
        self.size = source.size
        self._ended = threading.Event()

    def end(self) -> None:
        """Asks it to end; any thread may."""
        self._ended.set()

    async def run(self, job: Job) -> None:
        """Reads; ``job.version`` is the key of the version that waits then. Raises `DocumentError`, `JobCancelledError`."""
        try:
            await to_thread.run_sync(self._read, job)
        finally:
            await self.discard()

    async def discard(self) -> None:
        """Removes its files."""
        for path in self._paths:
            await discard(path)

    def _read(self, job: Job) -> None:
        before = max((version.key for version in self._model.history(self.name)), default=0)
        mark = Mark(name=self.name, size=self._source.size, who=self._who, begun=time.time_ns(), before=before)
        name = self._waiting.begin(mark)
        self._running.add(name)

        def tell(read: int) -> None:
            self._go_on()
            job.done = max(job.done, min(job.total, read))

        def took(batch: Batch) -> None:
            self._go_on()
            job.nodes += len(batch.nodes)
            if job.done >= job.total:
                job.phase = "keeping"

        source = msgspec.structs.replace(self._source, progress=tell, siblings=self._siblings)
        try:
            self._go_on()
            job.phase = "reading"
            found = self._model.read(_Watched(self._form, took), source, self.name, self._who)
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
            raise JobCancelledError(f"the import of {self.name!r} was cancelled")


class _Watched:
    """A format that tells of each batch, so that also one that has read all of its file before the first can be ended."""

    def __init__(self, form: Format, took: Callable[[Batch], None]) -> None:
        self.name, self.suffixes, self._form, self._took = form.name, form.suffixes, form, took

    def recognises(self, name: str, head: bytes) -> bool:
        return self._form.recognises(name, head)

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        document, batches = self._form.read(source, name, losses)
        return document, self._told(batches)

    def _told(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self._took(batch)
            yield batch

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        return self._form.write(content, out)
