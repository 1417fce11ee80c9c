"""A dictionary on its way in: received to the disk, read as a stream, seen when all of it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
import msgspec
from anyio import from_thread, to_thread

from hulian.network.exchange.semantics.contract import Loss
from hulian.network.exchange.semantics.dictionary import Dictionaries, Header, Taken
from hulian.network.exchange.semantics.dictionary.reading import read_dictionary
from hulian.network.exchange.semantics.documents import file_source
from hulian.platform.api.dictionary.errors import ImportStoppedError
from hulian.platform.api.jobs import Job
from hulian.platform.api.receiving import discard

__all__ = ["Importing"]

_SHOWN: Final = 100


class Importing:
    """The imports of this process. A file is received, then read by a job, which anyone with the right may end."""

    def __init__(self, dictionaries: Dictionaries) -> None:
        self._dictionaries = dictionaries
        self._running: dict[str, anyio.CancelScope] = {}

    @staticmethod
    def named(name: str, file: str) -> str:
        """The name of the dictionary: what is given, or that of its file up to the first dot."""
        made = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in file.split(".")[0].lower())
        return name or made.strip("-")

    def stop(self, job: str) -> bool:
        """Ends a job; whether it ran."""
        scope = self._running.get(job)
        if scope is None:
            return False
        scope.cancel()
        return True

    def work(self, path: Path, file: str, label: str) -> Callable[[Job], Awaitable[None]]:
        """What the job does: it reads the file at ``path``, which is removed with its folder whatever happens.

        The job raises `DocumentError` with the place, or `ImportStoppedError`.
        """

        async def run(job: Job) -> None:
            taken: Taken | None = None
            losses: list[Loss] = []
            try:
                with anyio.CancelScope() as scope:
                    self._running[job.id] = scope
                    taken = await to_thread.run_sync(self._take, job, path, file, label, losses)
            finally:
                self._running.pop(job.id, None)
                await discard(path)
            if taken is None:
                raise ImportStoppedError("the import was ended", place=job.name)
            _tell(job, taken, losses)

        return run

    def _take(self, job: Job, path: Path, file: str, label: str, losses: list[Loss]) -> Taken:
        def tell(read: int) -> None:
            from_thread.check_cancelled()
            job.done = min(read, job.total)

        header = Header(name=job.name, label=label)
        source = msgspec.structs.replace(file_source(path, tell), name=file)
        return self._dictionaries.take(header, read_dictionary(source, header, losses), by=job.owner)


def _tell(job: Job, taken: Taken, losses: list[Loss]) -> None:
    job.done = job.total
    job.samples, job.points, job.refused = taken.added + taken.changed + taken.unchanged, taken.added, len(losses)
    told = f"release {taken.release}: {taken.added} new, {taken.changed} changed, {taken.removed} gone"
    job.problems = [f"{told}, {taken.unchanged} as before"]
    job.problems += [f"more than once, the first counts: {identifier}" for identifier in taken.repeated[:_SHOWN]]
    job.problems += [f"{loss.place}: {loss.what}: {loss.why}" for loss in losses[:_SHOWN]]
