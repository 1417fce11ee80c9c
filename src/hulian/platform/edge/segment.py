"""One file of a journal. Bytes and places; what is kept and what goes is the journal's matter.

    segment  = header record*
    header   = "HLJ1" version:u32 epoch:u64 sequence:u64 offset:u64 position:i64 crc:u32       (44 bytes)
    record   = magic:u32 length:u32 crc:u32 sequence:u64 offset:u64 rows:u32 flags:u32 position:i64 payload

A segment of version 2 holds one record and nothing else: the declaration that a range of batches was dropped, written in one
call in place of what was there. Its payload is first:u64 end:u64 time:i64; sequence is the last batch that is gone, offset
where the samples that are gone begin.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from hulian.platform.edge.errors import JournalError

__all__ = ["HEADER", "MAXIMUM_PAYLOAD", "NO_POSITION", "Drop", "Record", "Segment", "pack_record"]

MAXIMUM_PAYLOAD: Final = 8 * 2**20
NO_POSITION: Final = -1

_HEADER: Final = struct.Struct("<4sIQQQqI")
_RECORD: Final = struct.Struct("<IIIQQIIq")
_DROP: Final = struct.Struct("<QQq")
_MAGIC: Final = 0x31524C48
_LAST_OF_GROUP, _DECLARED = 1, 2
_PLAIN, _DROPPED = 1, 2

HEADER: Final = _HEADER.size
"""Where the first record of a segment stands."""


class Drop(NamedTuple):
    """Batches ``first`` to ``last``, samples ``offset`` to ``end``, were dropped, the latest of them at ``time`` (UTC ns)."""

    first: int
    last: int
    offset: int
    end: int
    time: int


class Record(NamedTuple):
    """What goes to the spine under one number: a batch, or in the place of many that never go, that they were dropped."""

    sequence: int
    rows: int
    payload: bytes
    drop: Drop | None = None


def pack_record(payload: bytes, sequence: int, offset: int, rows: int, position: int, *, last: bool) -> tuple[bytes, bytes]:
    """Header and payload of a record; ``last`` ends a group."""
    return _pack(payload, sequence, offset, rows, _LAST_OF_GROUP if last else 0, position)


def _pack(payload: bytes, sequence: int, offset: int, rows: int, flags: int, position: int) -> tuple[bytes, bytes]:
    header = _RECORD.pack(_MAGIC, len(payload), 0, sequence, offset, rows, flags, position)
    crc = zlib.crc32(payload, zlib.crc32(header[12:]))
    return header[:8] + struct.pack("<I", crc) + header[12:], payload


def _pack_header(version: int, epoch: int, sequence: int, offset: int, position: int) -> bytes:
    header = _HEADER.pack(b"HLJ1", version, epoch, sequence, offset, position, 0)
    return header[:-4] + struct.pack("<I", zlib.crc32(header[:-4]))


class Segment:
    """One file. ``size`` is what a reader may see, ``first`` the batch after the one before it, also where that is gone;
    ``last`` the last batch in it (or the one before ``first``), ``end`` the offset behind that, ``rows`` the samples it
    holds, ``position`` that of the input at its end. ``drop`` is set where it only says that its batches are gone, ``handed``
    where a reader has been told so. Every method may raise OSError."""

    __slots__ = ("_base", "descriptor", "drop", "end", "epoch", "first", "handed", "last", "path", "position", "rows", "size")

    def __init__(self, path: Path, descriptor: int, epoch: int, sequence: int, offset: int, position: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.epoch = epoch
        self.first = sequence + 1
        self.last = sequence
        self.end = offset
        self.position = position
        self.rows = 0
        self.size = HEADER
        self.drop: Drop | None = None
        self.handed = False
        self._base = offset

    @classmethod
    def create(cls, directory: Path, epoch: int, sequence: int, offset: int, position: int, *, power: bool) -> Segment:
        """A new, empty one behind batch ``sequence``; with ``power`` it survives a power cut."""
        path = directory / f"{sequence + 1:020d}.journal"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.pwrite(descriptor, _pack_header(_PLAIN, epoch, sequence, offset, position), 0)
            if power:
                os.fsync(descriptor)
                folder = os.open(directory, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return cls(path, descriptor, epoch, sequence, offset, position)

    @classmethod
    def recover(cls, path: Path, *, newest: bool) -> Segment | None:
        """What an earlier life left, cut behind its last whole group; None where it is the newest and was hardly begun."""
        descriptor = os.open(path, os.O_RDWR)
        raw = os.pread(descriptor, HEADER, 0)
        if len(raw) < HEADER or zlib.crc32(raw[:-4]) != _HEADER.unpack(raw)[6]:
            os.close(descriptor)
            if not newest:
                raise JournalError("a segment in the middle of the journal is damaged", place=str(path))
            path.unlink()
            return None
        magic, version, epoch, sequence, offset, position, _ = _HEADER.unpack(raw)
        if magic != b"HLJ1" or version not in (_PLAIN, _DROPPED):
            os.close(descriptor)
            raise JournalError("the journal was written by another version", place=str(path))
        segment = cls(path, descriptor, epoch, sequence, offset, position)
        segment._scan(declared=version == _DROPPED)
        return segment

    def _scan(self, *, declared: bool) -> None:
        end = os.fstat(self.descriptor).st_size
        place = self.size
        samples = 0
        while place + _RECORD.size <= end:
            header = os.pread(self.descriptor, _RECORD.size, place)
            magic, length, crc, sequence, offset, rows, flags, position = _RECORD.unpack(header)
            if magic != _MAGIC or length > MAXIMUM_PAYLOAD or place + _RECORD.size + length > end:
                break
            payload = os.pread(self.descriptor, length, place + _RECORD.size)
            if zlib.crc32(payload, zlib.crc32(header[12:])) != crc:
                break
            place += _RECORD.size + length
            samples += rows
            if flags & _LAST_OF_GROUP:
                self.last, self.end, self.size = sequence, offset + rows, place
                self.rows = samples
                if position != NO_POSITION:
                    self.position = position
                if declared and flags & _DECLARED and length == _DROP.size:
                    first, self.end, time = _DROP.unpack(payload)
                    self.drop = Drop(first, sequence, offset, self.end, time)
            if declared:
                break  # what may stand behind it is the rest of what it replaced
        if self.size < end:
            os.ftruncate(self.descriptor, self.size)

    @property
    def begin(self) -> int:
        """The first batch that it holds or says to be gone."""
        return self.first if self.drop is None else self.drop.first

    def append(self, data: bytes, last: int, rows: int, position: int) -> bool:
        """Writes whole groups up to batch ``last``; False where not all of it could be written, and nothing is there then."""
        if os.pwrite(self.descriptor, data, self.size) != len(data):
            return False
        self.size += len(data)
        self.last = last
        self.rows += rows
        self.end += rows
        if position != NO_POSITION:
            self.position = position
        return True

    def declare(self, drop: Drop, position: int, *, power: bool) -> None:
        """Replaces whatever it holds by ``drop``, or one declaration by a longer one. After a kill -9 at any moment one of
        the two is there."""
        payload = _DROP.pack(drop.first, drop.end, drop.time)
        record = b"".join(_pack(payload, drop.last, drop.offset, 0, _LAST_OF_GROUP | _DECLARED, position))
        data = _pack_header(_DROPPED, self.epoch, self.first - 1, self._base, position) + record
        if os.pwrite(self.descriptor, data, 0) != len(data):
            raise OSError("short write")
        if power:
            os.fsync(self.descriptor)
        os.ftruncate(self.descriptor, len(data))
        self.drop, self.handed = drop, False
        self.last, self.end, self.rows, self.size = drop.last, drop.end, 0, len(data)
        self.position = position

    def records(self, place: int, end: int) -> tuple[list[Record], int]:
        """The batches from ``place`` to about ``end``, at least one, and the place behind them."""
        found: list[Record] = []
        data = os.pread(self.descriptor, end - place, place)
        at = 0
        while at + _RECORD.size <= len(data):
            _, length, _, sequence, _, rows, _, _ = _RECORD.unpack_from(data, at)
            body = at + _RECORD.size
            if body + length > len(data):
                if found:
                    break
                data = os.pread(self.descriptor, _RECORD.size + length, place + at)
                at, body, place = 0, _RECORD.size, place + at
            found.append(Record(sequence, rows, data[body : body + length]))
            at = body + length
        return found, place + at

    def place_after(self, sequence: int) -> int:
        """Where the first batch behind ``sequence`` stands."""
        place = HEADER
        while place < self.size:
            header = _RECORD.unpack(os.pread(self.descriptor, _RECORD.size, place))
            if header[3] > sequence:
                break
            place += _RECORD.size + header[1]
        return place

    def rows_after(self, sequence: int) -> int:
        """The samples of the batches behind ``sequence``."""
        rows, place = 0, self.place_after(sequence)
        while place < self.size:
            header = _RECORD.unpack(os.pread(self.descriptor, _RECORD.size, place))
            rows += header[5]
            place += _RECORD.size + header[1]
        return rows

    def remove(self) -> None:
        """Closes the file and removes it."""
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)
