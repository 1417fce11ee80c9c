"""The disk under the data directory: when it is full, and who has to start anew once it is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

__all__ = ["DiskWatch", "Refusals"]

_LOW: Final = 16 * 2**20
"""Bytes left that count as none: databases reserve more than they write."""
_MOST_READ: Final = 2**20
_WORDS: Final = b"no space left on device"


class DiskWatch:
    """Whether the disk of ``data`` is full; once full it counts as such until twice the reserve is free."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.full = False

    def look(self) -> int:
        """Looks anew; gives the bytes that are free."""
        free = shutil.disk_usage(self._data).free
        self.full = free < (2 * _LOW if self.full else _LOW)
        return free


class Refusals:
    """Whether a process said in its log that the disk took nothing.

    nats-server keeps the first such error of a stream and refuses every later message with it, also when there is room
    again: only another start helps.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = log.stat().st_size if log.exists() else 0

    def heard(self) -> bool:
        """Whether it said so since the last call."""
        try:
            size = self._log.stat().st_size
            if size < self._place:  # cut meanwhile
                self._place = 0
            with self._log.open("rb") as file:
                file.seek(max(self._place, size - _MOST_READ))
                found = _WORDS in file.read(_MOST_READ)
        except OSError:
            return False
        self._place = size
        return found
