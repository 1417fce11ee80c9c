"""Which versions wait for a decision: read, shown to somebody, neither applied nor discarded.

The model keeps a version like any other whether it once counted or not. What waits is known from a mark of its own, a small
file beside the uploads, written before the first node is read, so that also what a killed process has read is found again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.model import Model

__all__ = ["DAY", "Mark", "Waiting"]

DAY: Final = 86_400 * 10**9
"""Nanoseconds after which what nobody decided on is cleared."""
_FOLDER: Final = "model-waiting"


class Mark(msgspec.Struct, kw_only=True):
    """One version, or one that is being read; ``before`` is the newest that the document had, ``begun`` ns since 1970."""

    name: str
    size: int
    who: str
    begun: int
    before: int = 0
    key: int = 0


class Waiting:
    """Thread-safe; blocking. ``scratch`` is the folder of uploads; without one, marks live as long as the process."""

    def __init__(self, scratch: Path | None) -> None:
        self._folder = scratch / _FOLDER if scratch is not None else None
        self._lock = threading.Lock()
        self._marks: dict[str, Mark] = {}
        if self._folder is not None:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            for path in self._folder.glob("*.json"):
                try:
                    self._marks[path.stem] = msgspec.json.decode(path.read_bytes(), type=Mark)
                except (OSError, *UNREADABLE):
                    path.unlink(missing_ok=True)

    def begin(self, mark: Mark) -> str:
        """Remembers that a version is being read; the name of the mark."""
        name = secrets.token_hex(8)
        self._keep(name, mark)
        return name

    def read(self, name: str, key: int) -> None:
        """The version is there, and waits."""
        self._keep(name, msgspec.structs.replace(self._marks[name], key=key))

    def _keep(self, name: str, mark: Mark) -> None:
        with self._lock:
            if self._folder is not None:
                partial = self._folder / f"{name}.part"
                partial.write_bytes(msgspec.json.encode(mark))
                partial.replace(self._folder / f"{name}.json")
            self._marks[name] = mark

    def forget(self, name: str) -> None:
        """The mark is taken away."""
        with self._lock:
            self._marks.pop(name, None)
            if self._folder is not None:
                (self._folder / f"{name}.json").unlink(missing_ok=True)

    def decided(self, key: int) -> None:
        """A version was applied or discarded."""
        for name in [name for name, mark in self._marks.items() if mark.key == key]:
            self.forget(name)

    def keys(self) -> list[int]:
        """Versions that wait, the newest first."""
        return sorted((mark.key for mark in self._marks.values() if mark.key), reverse=True)

    def names(self) -> set[str]:
        """Documents of which something waits."""
        return {mark.name for mark in self._marks.values() if mark.key}

    def drop(self, model: Model, name: str) -> int:
        """Discards what was read under a mark, whole or not marked as such yet, and the mark; how many versions."""
        mark = self._marks.get(name)
        dropped = 0
        for version in model.history(mark.name) if mark else ():
            assert mark is not None  # noqa: S101 - nothing is looked through without one
            mine = version.key == mark.key if mark.key else version.key > mark.before and version.size == mark.size
            if mine and not version.current and version.who == mark.who:
                model.discard(version.key)
                dropped += 1
        self.forget(name)
        return dropped

    def clear(self, model: Model, *, running: Collection[str], now: int | None = None) -> int:
        """Discards what is older than a day, and what processes that were killed have read; how many versions.

        ``running`` are the marks of what is being read now.
        """
        now = time.time_ns() if now is None else now
        model.clear(older_than=now - DAY)
        cleared = 0
        for name, mark in list(self._marks.items()):
            killed = not mark.key
            if name not in running and (killed or now - mark.begun >= DAY):
                cleared += self.drop(model, name)
        return cleared
