"""Only files within the directories that the edge's configuration allows: no way up, no symbolic link out."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hulian.network.exchange.protocols.files.errors import AbsentError, DirectoryError, FileError

__all__ = ["DIRECTORIES", "Confinement"]

DIRECTORIES: Final = "files.directories"
"""The key in `Environment.extras` under which assembly hands the allowed directories in."""


class Confinement:
    """Opens files below ``allowed`` directories for reading, and nothing else."""

    def __init__(self, allowed: Sequence[Path]) -> None:
        self._allowed = tuple(Path(os.path.normpath(directory)) for directory in allowed)

    def check(self, path: Path) -> None:
        """Raises `DirectoryError` unless ``path`` is written as one below an allowed directory. Touches no disk."""
        plain = Path(os.path.normpath(path))
        if not any(plain.is_relative_to(directory) for directory in self._allowed):
            known = ", ".join(str(directory) for directory in self._allowed) or "none"
            raise DirectoryError(f"{plain} is in no directory that may be read; allowed: {known}", place=str(path))

    def resolved(self, path: Path) -> Path:
        """Where ``path`` really is; raises `DirectoryError` where that is outside, `AbsentError` where it is nowhere."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise AbsentError(_why(error), place=str(path)) from error
        self._inside(real, path)
        return real

    def _inside(self, real: Path, path: Path) -> None:
        if not any(real.is_relative_to(Path(os.path.realpath(directory))) for directory in self._allowed):
            raise DirectoryError("a symbolic link leads out of the directories that may be read", place=str(path))

    def open(self, path: Path) -> int:
        """A descriptor of a regular file. Raises `AbsentError`, `DirectoryError`, `FileError`."""
        real = self.resolved(path)
        try:
            # Not blocking: a named pipe would hold the thread until somebody writes.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            kind = AbsentError if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESTALE) else FileError
            raise kind(_why(error), place=str(path)) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileError("not a regular file", place=str(path))
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
