"""Which files there are: a look into the directory, and which of them are finished. Blocking."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from pathlib import Path
from typing import Final, NamedTuple

from hulian.network.exchange.protocols.confinement import Confinement
from hulian.network.exchange.protocols.files.config import FilesConfiguration, Place
from hulian.network.exchange.protocols.files.errors import AbsentError, FileError

__all__ = ["Found", "Watch"]

_MOST_FILES: Final = 100_000


class Found(NamedTuple):
    """A regular file of the directory. ``matches``: it is one of ours; ``ready``: it may be read now."""

    path: Path
    inode: int
    size: int
    modified: int
    matches: bool
    ready: bool


class Watch:
    """Looks into one directory; remembers since when a file has not grown."""

    def __init__(self, place: Place, configuration: FilesConfiguration, confinement: Confinement) -> None:
        self.place = place
        self._configuration = configuration
        self._confinement = confinement
        self._quiet: dict[int, tuple[int, int, float]] = {}

    def look(self) -> list[Found]:
        """Every regular file of the directory, those that match in their order. Raises `AbsentError`, `DirectoryError`."""
        directory = self._confinement.resolved(self.place.directory)
        found: list[Found] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    one = self._one(entry)
                    if one is not None:
                        found.append(one)
                    if len(found) > _MOST_FILES:
                        raise FileError(f"more than {_MOST_FILES} files", place=str(directory), hint="move finished files away")
        except OSError as error:
            raise AbsentError((error.strerror or str(error)).lower(), place=str(directory)) from error
        if self._configuration.marker:
            names = {one.path.name for one in found}
            found = [one._replace(ready=one.path.name + self._configuration.marker in names) for one in found]
        known = {one.inode for one in found}
        self._quiet = {inode: kept for inode, kept in self._quiet.items() if inode in known}
        if self.place.single and not any(one.matches for one in found):
            raise AbsentError("there is no such file", place=str(self.place))
        by_time = self._configuration.mode == "follow" or self._configuration.order == "modified"
        found.sort(key=lambda one: (one.modified, one.path.name) if by_time else (0, one.path.name))
        return found

    def _one(self, entry: os.DirEntry[str]) -> Found | None:
        try:
            status = entry.stat()
        except OSError:
            return None  # it went away, or its link leads nowhere
        if not stat.S_ISREG(status.st_mode):
            return None
        configuration, name = self._configuration, entry.name
        matches = fnmatch.fnmatchcase(name, self.place.pattern) or (self.place.single and name == self.place.pattern)
        if configuration.marker and name.endswith(configuration.marker):
            matches = False
        ready = matches and (configuration.mode != "collect" or self._settled(status))
        return Found(self.place.directory / name, status.st_ino, status.st_size, status.st_mtime_ns, matches, ready)

    def _settled(self, status: os.stat_result) -> bool:
        """Whether size and time of change are what they were ``settle`` seconds ago, by our own clock: that of a file
        server may be another."""
        now = time.monotonic()
        size, modified, since = self._quiet.get(status.st_ino, (-1, -1, now))
        if (size, modified) != (status.st_size, status.st_mtime_ns):
            since = now
        self._quiet[status.st_ino] = (status.st_size, status.st_mtime_ns, since)
        return now - since >= self._configuration.settle
