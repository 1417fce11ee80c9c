"""Where processings find what connectors on the same edge have journalled, and how they write to their devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import anyio

from hulian.kernel.sample import Columns, SampleBatch
from hulian.platform.edge.journal import Cursor, Journal

__all__ = ["HUB", "Batch", "Hub"]

HUB: Final = "edge.hub"
"""The key in `Environment.extras`."""
_PART: Final = 2**18
"""Bytes of records that are read at a time."""


class Batch(NamedTuple):
    """What one record of a source's journal holds."""

    sequence: int
    columns: Columns


class Hub:
    """The open journals of an edge by the names of their connectors. ``write`` is the edge's own way to a device."""

    def __init__(
        self,
        decode: Callable[[bytes], SampleBatch],
        write: Callable[[str, str, Any], Awaitable[None]],
        processings: Callable[[], set[str]],
    ) -> None:
        self.write = write
        self._decode = decode
        self._processings = processings
        self._journals: dict[str, Journal] = {}
        self._woken: dict[str, anyio.Event] = {}
        self._places: dict[tuple[str, str], Cursor] = {}

    def opened(self, source: str, journal: Journal) -> None:
        """A connector's journal is open. Until each processing has said how far it read, nothing of it goes."""
        journal.readers = dict.fromkeys(self._processings() - {source}, 0)
        self._journals[source] = journal
        self._wake()

    def closed(self, source: str) -> None:
        """The journal is closed, until it is opened again."""
        self._journals.pop(source, None)
        for key in [key for key in self._places if key[1] == source]:
            del self._places[key]

    def written(self, source: str) -> None:
        """The journal has grown."""
        if source in self._journals:
            self._wake()

    def _wake(self) -> None:
        for woken in self._woken.values():
            woken.set()

    def end(self, reader: str) -> None:
        """A processing reads no more: it keeps nothing back."""
        self._woken.pop(reader, None)
        for source, journal in self._journals.items():
            journal.readers.pop(reader, None)
            self._places.pop((reader, source), None)

    def ends(self) -> Mapping[str, tuple[int, int]]:
        """Epoch and last batch of every journal that is open."""
        return {source: (journal.epoch, journal.sequence) for source, journal in self._journals.items()}

    def read(self, reader: str, source: str, after: int) -> list[Batch]:
        """Some batches of a source behind ``after``; none where it is not open or has no more. What was dropped is left out."""
        journal = self._journals.get(source)
        if journal is None or journal.sequence <= after:
            return []
        key = (reader, source)
        records, self._places[key] = journal.follow(self._places.get(key), after, _PART)
        return [Batch(record.sequence, self._decode(record.payload).columns) for record in records]

    def keep(self, reader: str, kept: Mapping[str, tuple[int, int]]) -> None:
        """``reader`` may have to read again what is behind these places, and nothing else."""
        for source, journal in self._journals.items():
            epoch, sequence = kept.get(source, (-1, 0))
            if source not in kept:
                journal.readers.pop(reader, None)
            else:
                journal.readers[reader] = sequence if epoch == journal.epoch else 0

    async def wait(self, reader: str, seconds: float) -> None:
        """Returns when a journal has grown since the last call, or after so long."""
        woken = self._woken.setdefault(reader, anyio.Event())
        with anyio.move_on_after(seconds):
            await woken.wait()
        self._woken[reader] = anyio.Event()
