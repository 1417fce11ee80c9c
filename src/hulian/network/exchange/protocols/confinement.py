"""Only files within the directories that the edge's configuration allows: no way up, no symbolic link out."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hulian.kernel.errors import HulianError

__all__ = ["DIRECTORIES", "Confinement"]

DIRECTORIES: Final = "files.directories"
"""The key in `Environment.extras` under which assembly hands the allowed directories in."""


class Confinement:
    """Opens files below ``allowed`` directories for reading, and nothing else. What it raises is the protocol's own: ``absent``
    for a file that is not there, ``outside`` for one that may not be read, ``unusable`` for what is no regular file."""

    def __init__(
        self, allowed: Sequence[Path], *, absent: type[HulianError], outside: type[HulianError], unusable: type[HulianError]
    ) -> None:
        self._absent, self._outside, self._unusable = absent, outside, unusable
        self._allowed = tuple(Path(os.path.normpath(directory)) for directory in allowed)

    def check(self, path: Path) -> None:
        """Raises ``outside`` unless ``path`` is written as one below an allowed directory. Touches no disk."""
        plain = Path(os.path.normpath(path))
        if not any(plain.is_relative_to(directory) for directory in self._allowed):
            known = ", ".join(str(directory) for directory in self._allowed) or "none"
            raise self._outside(f"{plain} is in no directory that may be read; allowed: {known}", place=str(path))

    def resolved(self, path: Path) -> Path:
        """Where ``path`` really is; raises ``outside`` where that is outside, ``absent`` where it is nowhere."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise self._absent(_why(error), place=str(path)) from error
        self._inside(real, path)
        return real

    def _inside(self, real: Path, path: Path) -> None:
        if not any(real.is_relative_to(Path(os.path.realpath(directory))) for directory in self._allowed):
            raise self._outside("a symbolic link leads out of the directories that may be read", place=str(path))

    def open(self, path: Path) -> int:
        """A descriptor of a regular file. Raises ``absent``, ``outside``, ``unusable``."""
        real = self.resolved(path)
        try:
            # Not blocking: a named pipe would hold the thread until somebody writes.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            kind = self._absent if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESTALE) else self._unusable
            raise kind(_why(error), place=str(path)) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise self._unusable("not a regular file", place=str(path))
            # What was opened, not what its name said a moment before: a directory on the way may have become a link.
            link = Path(f"/proc/self/fd/{descriptor}")
            if link.exists():
                self._inside(Path(os.path.realpath(link)), path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _why(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
