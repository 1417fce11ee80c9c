"""A backup on disk: one tar file, its manifest first, every file with its digest.

The manifest says what wrote it, when, and what each file must be; a backup that is cut, changed or of a newer version is
refused before anything is touched. Nothing but plain files below the target is ever written.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

from hulian.platform.infrastructure.errors import BackupError

__all__ = ["Manifest", "read_manifest", "unpack", "write_archive"]

FORMAT: Final = 1
_NAME: Final = "hulian-backup.json"
_CHUNK: Final = 2**20
_MANIFEST_BOUND: Final = 64 * 2**20

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes done and the bytes in all."""


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. ``created`` is UTC ns."""

    format: int
    version: str
    organisation: str
    created: int
    entries: list[Entry]


def write_archive(directory: Path, target: Path, *, version: str, organisation: str, progress: Progress) -> Manifest:
    """Packs every file below ``directory`` into ``target`` (mode 0600), which appears only when it is whole.

    Raises `BackupError` where the disk refuses.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    partial = target.with_name(target.name + ".partial")
    try:
        entries = [Entry(path.relative_to(directory).as_posix(), path.stat().st_size, _digest(path)) for path in files]
        manifest = Manifest(format=FORMAT, version=version, organisation=organisation, created=time.time_ns(), entries=entries)
        total, done = sum(entry.size for entry in entries), 0
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            head = msgspec.json.encode(manifest)
            information = tarfile.TarInfo(_NAME)
            information.size = len(head)
            archive.addfile(information, io.BytesIO(head))
            for entry, path in zip(entries, files, strict=True):
                progress(entry.path, done, total)
                information = tarfile.TarInfo(entry.path)
                information.size = entry.size
                information.mode = 0o600
                with path.open("rb") as source:
                    archive.addfile(information, source)
                done += entry.size
            progress("", total, total)
        with partial.open("rb") as whole:
            os.fsync(whole.fileno())
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BackupError(
            f"cannot write the backup: {error.strerror or error}", place=str(target), hint="check the free space and the path"
        ) from error
    return manifest


def read_manifest(source: Path) -> Manifest:
    """The manifest of a backup; raises `BackupError` where the file is none."""
    with _opened(source) as archive:
        return _manifest(archive, source)


def unpack(source: Path, target: Path, *, progress: Progress) -> Manifest:
    """Writes every file of the backup below ``target``, which must not exist, each checked against its digest.

    On any fault `BackupError` is raised and ``target`` is not there.
    """
    partial = target.with_name(target.name + ".restoring")
    if target.exists():
        raise BackupError("the place to restore to is not empty", place=str(target), hint="move it away, or name another one")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _opened(source) as archive:
            manifest = _manifest(archive, source)
            wanted = {entry.path: entry for entry in manifest.entries}
            total, done = sum(entry.size for entry in manifest.entries), 0
            partial.mkdir(parents=True, mode=0o700)
            for member in archive:
                if member.name == _NAME:
                    continue
                entry = wanted.pop(member.name, None)
                if entry is None or not member.isfile() or not _inside(member.name) or member.size != entry.size:
                    raise BackupError(
                        f"the backup holds something that its manifest does not: {member.name!r}", place=str(source)
                    )
                progress(entry.path, done, total)
                stream = archive.extractfile(member)
                assert stream is not None  # noqa: S101 - isfile() above
                _write(stream, partial / entry.path, entry, source)
                done += entry.size
            if wanted:
                raise BackupError(f"the backup is cut: {len(wanted)} files are missing", place=str(source))
        progress("", total, total)
        partial.replace(target)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"cannot restore: {error}", place=str(source)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _opened(source: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(source, mode="r:")
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"this is not a backup: {error}", place=str(source)) from error


def _manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    try:
        first = archive.next()
        if first is None or first.name != _NAME or not first.isfile() or first.size > _MANIFEST_BOUND:
            raise BackupError("this is not a backup of Hulian", place=str(source))
        stream = archive.extractfile(first)
        assert stream is not None  # noqa: S101 - isfile() above
        manifest = msgspec.json.decode(stream.read(), type=Manifest)
    except (OSError, tarfile.TarError, msgspec.DecodeError) as error:
        raise BackupError(f"the backup's manifest cannot be read: {error}", place=str(source)) from error
    if manifest.format > FORMAT:
        raise BackupError(
            f"the backup was written by Hulian {manifest.version}, which is newer",
            place=str(source),
            hint="update Hulian first",
        )
    return manifest


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _write(stream: IO[bytes], path: Path, entry: Entry, source: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in _chunks(stream):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != entry.sha256:
        raise BackupError(f"the backup is damaged: {entry.path} is not what was saved", place=str(source))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
