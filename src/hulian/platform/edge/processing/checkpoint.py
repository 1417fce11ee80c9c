"""How far a processing has read, kept so that what it computes is in its journal exactly once.

Two slots are written in turn, each whole or not there. A slot with number n stands for "everything up to these places was
read, and what came of it is the group of the journal with position n". It is written before that group: after a kill -9 in
between, the journal has no position n, and the other slot, which is older, counts. A ``bare`` slot has no group, for no
sample came of what was read. Beside them a snapshot of the whole state, now and then: what came after it is read again from
the inputs' journals, without an effect, up to the slot that counts.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any, Final

import msgspec

from hulian.platform.edge.errors import JournalError

__all__ = ["Checkpoint", "Mark"]

_HEAD: Final = struct.Struct("<4sII")
_MAGIC: Final = b"HLP1"
_MOST: Final = 64 * 2**20


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """``read`` gives for each source the epoch of its journal and the last batch that was read."""

    number: int
    bare: bool
    read: dict[str, tuple[int, int]]
    marks: dict[str, Any] = {}


class Checkpoint:
    """The two slots and the snapshot below ``directory``; with ``power`` they survive a power cut. Raises `JournalError` where
    the disk does not take or give them."""

    def __init__(self, directory: Path, *, power: bool = False) -> None:
        self._directory = directory
        self._power = power
        self._next = 0

    def load(self, position: int | None) -> Mark | None:
        """The mark that counts, where the journal's last group has ``position``."""
        found = sorted(
            ((mark, slot) for slot in (0, 1) if (mark := self._slot(slot)) is not None), key=lambda item: item[0].number
        )
        if not found:
            return None
        newest, slot = found[-1]
        # A journal without the position lost the group, or never had it; what is older was there before it.
        if newest.bare or (position is not None and position >= newest.number):
            self._next = 1 - slot
            return newest
        self._next = slot
        return found[0][0] if len(found) > 1 else None

    def keep(self, mark: Mark) -> None:
        """Writes ``mark`` over the older slot."""
        self._write(f"mark-{self._next}", msgspec.msgpack.encode(mark))
        self._next = 1 - self._next

    def snapshot(self) -> tuple[Mark, bytes] | None:
        """The newest snapshot and how far had been read."""
        content = self._read("snapshot")
        if content is None:
            return None
        mark, state = msgspec.msgpack.decode(content, type=tuple[Mark, bytes])
        return mark, state

    def keep_snapshot(self, mark: Mark, state: bytes) -> None:
        """Replaces the snapshot, whole or not at all."""
        self._write("snapshot", msgspec.msgpack.encode((mark, state)))

    def _slot(self, slot: int) -> Mark | None:
        content = self._read(f"mark-{slot}")
        try:
            return None if content is None else msgspec.msgpack.decode(content, type=Mark)
        except msgspec.MsgspecError:
            return None

    def _read(self, name: str) -> bytes | None:
        try:
            with (self._directory / name).open("rb") as file:
                content = file.read(_MOST)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalError(f"cannot read the checkpoint: {error.strerror}", place=str(self._directory / name)) from error
        if len(content) < _HEAD.size:
            return None
        magic, length, crc = _HEAD.unpack_from(content)
        body = content[_HEAD.size :]
        return body if magic == _MAGIC and len(body) == length and zlib.crc32(body) == crc else None

    def _write(self, name: str, body: bytes) -> None:
        """Over a new file: what was there before is whole until the new one is."""
        path = self._directory / name
        fresh = path.with_name(f".{name}.new")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                file.write(_HEAD.pack(_MAGIC, len(body), zlib.crc32(body)) + body)
                if self._power:
                    file.flush()
                    os.fsync(file.fileno())
            fresh.replace(path)
            if self._power:
                _sync(self._directory)
        except OSError as error:
            raise JournalError(f"cannot keep the checkpoint: {error.strerror}", place=str(path)) from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
