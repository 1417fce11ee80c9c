"""One stream in files of a size that carriers and mail rooms can bear."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Final

from hulian.network.identifiers.escrow.errors import ExportError, VolumeError
from hulian.network.identifiers.escrow.manifest import Volume

__all__ = ["FIRST_VOLUME", "VolumeReader", "VolumeWriter", "check_volumes"]

FIRST_VOLUME: Final = "volume-0001.bin"
_PIECE: Final = 1 << 20
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class VolumeWriter:
    """Writes into ``directory`` files of ``size`` bytes, the last one shorter; each is on the disk when the next begins."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._left = 0
        self.volumes: list[Volume] = []

    def write(self, data: bytes, /) -> int:
        """All of ``data``. Raises `ExportError`."""
        rest = memoryview(data)
        try:
            while rest:
                if self._file is None:
                    descriptor = os.open(
                        self._directory / self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
                    )
                    self._file, self._digest, self._left = os.fdopen(descriptor, "wb"), hashlib.sha256(), self._size
                piece, rest = rest[: self._left], rest[self._left :]
                self._file.write(piece)
                self._digest.update(piece)
                self._left -= len(piece)
                if not self._left:
                    self.close()
        except OSError as error:
            raise ExportError(f"a volume cannot be written: {error.strerror}", place=str(self._directory)) from error
        return len(data)

    def close(self) -> None:
        """The volume that is open is whole, and on the disk."""
        file, self._file = self._file, None
        if file is None:
            return
        with file:
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        self.volumes.append(Volume(self._name, size, self._digest.hexdigest()))

    @property
    def _name(self) -> str:
        return f"volume-{len(self.volumes) + 1:04d}.bin"

    def abandon(self) -> None:
        """Nothing more comes: the file that is open is let go."""
        if self._file is not None:
            self._file.close()
            self._file = None


def check_volumes(directory: Path, volumes: Sequence[Volume], progress: Callable[[int], None] = lambda _: None) -> None:
    """Whether each file is the one that the manifest names, by size and digest. Raises `VolumeError`, which names the file."""
    for number, volume in enumerate(volumes, 1):
        place = str(directory / volume.name)
        told = f"volume {number} of {len(volumes)}"
        digest = hashlib.sha256()
        try:
            with (directory / volume.name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size != volume.bytes:
                    raise VolumeError(f"{told} has {size} bytes, and had {volume.bytes}", place=place)
                while piece := file.read(_PIECE):
                    digest.update(piece)
                    progress(len(piece))
        except OSError as error:
            raise VolumeError(f"{told} cannot be read: {error.strerror}", place=place) from error
        if digest.hexdigest() != volume.sha256:
            raise VolumeError(f"{told} is damaged, or belongs to another export", place=place)


class VolumeReader:
    """The files of ``directory`` as one run of bytes. One of them is open at a time."""

    def __init__(self, directory: Path, volumes: Sequence[Volume]) -> None:
        self._directory = directory
        self._volumes = volumes
        self._begins = list(accumulate([volume.bytes for volume in volumes], initial=0))
        self._open: tuple[int, BinaryIO] | None = None

    @property
    def size(self) -> int:
        """Bytes of all volumes."""
        return self._begins[-1]

    def read_at(self, at: int, size: int) -> bytes:
        """``size`` bytes from ``at`` on. Raises `VolumeError` where a file ends early."""
        parts: list[bytes] = []
        number = bisect_right(self._begins, at) - 1
        while size > 0 and number < len(self._volumes):
            piece = self._piece(number, at - self._begins[number], min(size, self._begins[number + 1] - at))
            parts.append(piece)
            at, size, number = at + len(piece), size - len(piece), number + 1
        return b"".join(parts)

    def _piece(self, number: int, at: int, size: int) -> bytes:
        path = self._directory / self._volumes[number].name
        try:
            if self._open is None or self._open[0] != number:
                self.close()
                self._open = (number, path.open("rb"))
            file = self._open[1]
            file.seek(at)
            piece = file.read(size)
        except OSError as error:
            raise VolumeError(f"it cannot be read: {error.strerror}", place=str(path)) from error
        if len(piece) != size:
            raise VolumeError("it ends early", place=str(path))
        return piece

    def close(self) -> None:
        """Lets go of the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
