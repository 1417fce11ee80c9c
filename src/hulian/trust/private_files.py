"""Files that only their owner may read, and that are either there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from hulian.trust.errors import KeyStoreError

__all__ = ["create_once", "locked", "private_directory", "read", "replace"]


def private_directory(path: Path) -> Path:
    """``path`` as a directory of mode 0700, made where it is missing."""
    with _errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    return path


def read(path: Path) -> bytes | None:
    """The content, None where there is no such file."""
    with _errors(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Puts ``content`` there at once: a reader, and a crash, see the old file or the new one."""
    with _errors(path):
        temporary = _written(path, content, mode)
        temporary.replace(path)
        _sync(path.parent)


def create_once(path: Path, content: bytes) -> bytes:
    """What the file holds: ``content`` where this call made it, another process's content where that one was first."""
    with _errors(path):
        temporary = _written(path, content, 0o600)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return path.read_bytes()
        finally:
            temporary.unlink()
        _sync(path.parent)
        return content


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process, and one thread of it, at a time inside; released by the system even after ``kill -9``."""
    with _errors(directory):
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _written(path: Path, content: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreError(f"cannot use the file: {error.strerror}", place=str(path)) from error
