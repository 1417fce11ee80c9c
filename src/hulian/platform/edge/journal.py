"""The journal: store and forward. What a connector read is on disk before anything else happens to it.

One directory a connector, append-only segments, oldest first. A *group* of records is written by one call and is whole
or not there: a torn tail is cut at the next start. A record carries its sequence and offset, so that what is sent again
after a crash is recognised as the same; the last record of a group may carry the position of the connector's input, so
that a replayed input is recognised too. The newest segment is never removed: numbering goes on from it.

    segment  = header record*
    header   = "HLJ1" version:u32 epoch:u64 sequence:u64 offset:u64 position:i64 crc:u32       (44 bytes)
    record   = magic:u32 length:u32 crc:u32 sequence:u64 offset:u64 rows:u32 flags:u32 position:i64 payload
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.errors import JournalError

__all__ = ["Cursor", "Journal", "Record"]

_SEGMENT: Final = struct.Struct("<4sIQQQqI")
_RECORD: Final = struct.Struct("<IIIQQIIq")
_MAGIC: Final = 0x31524C48
_LAST_OF_GROUP: Final = 1
_NO_POSITION: Final = -1
_VERSION: Final = 1
MAXIMUM_PAYLOAD: Final = 8 * 2**20

Encode = Callable[[int, int, int], bytes]
"""Makes the payload from (epoch, sequence, offset)."""


class Record(NamedTuple):
    """One numbered batch as it goes to the spine."""

    sequence: int
    rows: int
    payload: bytes


class Cursor(NamedTuple):
    """Where a reader stands: the segment's first sequence and the place in its file."""

    segment: int
    place: int


class _Segment:
    """One file; ``size`` is what a reader may see, ``last`` the last sequence in it (or the one before its first)."""

    __slots__ = ("descriptor", "first", "last", "path", "rows", "size")

    def __init__(self, path: Path, descriptor: int, first: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.first = first
        self.last = first - 1
        self.rows = 0
        self.size = _SEGMENT.size


class Journal:
    """The journal of one connector.

    ``append`` never waits for the spine. When ``bound`` bytes are reached it drops by ``policy``, counts the samples in
    ``dropped`` and leaves a hole in the sequence that the ledger will see. ``generation`` names the life of the input that
    positions count in: when it is another than before, the positions of the old one mean nothing and are forgotten. Not
    thread-safe: the edge's loop owns it. Raises `JournalError` where the directory cannot be used; a disk that is full makes
    `append` return False.
    """

    def __init__(self, directory: Path, *, bound: int, policy: BufferPolicy, power: bool = False) -> None:
        self.directory = directory
        self.policy = policy
        self.power = power
        self.bound = bound
        self.segment_bytes = max(64 * 1024, min(16 * 2**20, bound // 8))
        self.epoch = 0
        self.sequence = 0
        self.offset = 0
        self.position: int | None = None
        self.acknowledged = 0
        self.dropped = 0
        self.bytes = 0
        self._segments: list[_Segment] = []
        self._acked_written = 0.0
        self._acked_descriptor = -1

    # ---------------------------------------------------------------- opening

    def open(self) -> None:
        """Recovers what an earlier life left, cutting a torn tail, or begins a new epoch."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            paths = sorted(self.directory.glob("*.journal"))
            for path in paths:
                self._recover(path, newest=path == paths[-1])
            self._acked_descriptor = os.open(self.directory / "acknowledged", os.O_RDWR | os.O_CREAT, 0o600)
            raw = os.pread(self._acked_descriptor, 16, 0)
        except OSError as error:
            raise JournalError(f"cannot open the journal: {error.strerror}", place=str(self.directory)) from error
        if not self._segments:
            self.epoch = int(time.time())
            self._add_segment()
        if len(raw) == 16:
            epoch, acknowledged = struct.unpack("<QQ", raw)
            if epoch == self.epoch:
                self.acknowledged = min(acknowledged, self.sequence)
        self.acknowledged = max(self.acknowledged, self._segments[0].first - 1)

    def _recover(self, path: Path, *, newest: bool) -> None:
        descriptor = os.open(path, os.O_RDWR)
        raw = os.pread(descriptor, _SEGMENT.size, 0)
        if len(raw) < _SEGMENT.size or zlib.crc32(raw[:-4]) != _SEGMENT.unpack(raw)[6]:
            os.close(descriptor)
            if not newest:
                raise JournalError("a segment in the middle of the journal is damaged", place=str(path))
            path.unlink()
            return
        magic, version, epoch, sequence, offset, position, _ = _SEGMENT.unpack(raw)
        if magic != b"HLJ1" or version != _VERSION:
            raise JournalError("the journal was written by another version", place=str(path))
        segment = _Segment(path, descriptor, sequence + 1)
        self.epoch, self.sequence, self.offset = epoch, sequence, offset
        self.position = None if position == _NO_POSITION else position
        self._scan(segment)
        self._segments.append(segment)
        self.bytes += segment.size

    def _scan(self, segment: _Segment) -> None:
        """Walks the records of a segment and cuts it behind the last whole group."""
        end = os.fstat(segment.descriptor).st_size
        place = segment.size
        group: list[tuple[int, int, int, int]] = []
        while place + _RECORD.size <= end:
            header = os.pread(segment.descriptor, _RECORD.size, place)
            magic, length, crc, sequence, offset, rows, flags, position = _RECORD.unpack(header)
            if magic != _MAGIC or length > MAXIMUM_PAYLOAD or place + _RECORD.size + length > end:
                break
            payload = os.pread(segment.descriptor, length, place + _RECORD.size)
            if zlib.crc32(payload, zlib.crc32(header[12:])) != crc:
                break
            place += _RECORD.size + length
            group.append((sequence, offset, rows, position))
            if flags & _LAST_OF_GROUP:
                for number, before, count, _ in group:
                    self.sequence, self.offset = number, before + count
                    segment.rows += count
                if position != _NO_POSITION:
                    self.position = position
                segment.last, segment.size = self.sequence, place
                group.clear()
        if segment.size < end:
            os.ftruncate(segment.descriptor, segment.size)

    def _add_segment(self) -> None:
        path = self.directory / f"{self.sequence + 1:020d}.journal"
        position = _NO_POSITION if self.position is None else self.position
        header = _SEGMENT.pack(b"HLJ1", _VERSION, self.epoch, self.sequence, self.offset, position, 0)
        header = header[:-4] + struct.pack("<I", zlib.crc32(header[:-4]))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, header)
            if self.power:
                os.fsync(descriptor)
                directory = os.open(self.directory, os.O_RDONLY)
                os.fsync(directory)
                os.close(directory)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._segments.append(_Segment(path, descriptor, self.sequence + 1))
        self.bytes += _SEGMENT.size

    # ---------------------------------------------------------------- writing

    def append(self, batches: Sequence[tuple[int, Encode]], position: int | None = None) -> bool:
        """Writes a group of (rows, encoder) as the next records; False where the disk refused and nothing was written."""
        parts: list[bytes] = []
        sequence, offset = self.sequence, self.offset
        for index, (rows, encode) in enumerate(batches):
            sequence += 1
            payload = encode(self.epoch, sequence, offset)
            if len(payload) > MAXIMUM_PAYLOAD:
                raise JournalError(
                    f"a batch of {len(payload)} bytes is longer than {MAXIMUM_PAYLOAD}", place=str(self.directory)
                )
            last = index == len(batches) - 1
            mark = position if last and position is not None else _NO_POSITION
            header = _RECORD.pack(_MAGIC, len(payload), 0, sequence, offset, rows, _LAST_OF_GROUP if last else 0, mark)
            crc = zlib.crc32(payload, zlib.crc32(header[12:]))
            parts += (header[:8], struct.pack("<I", crc), header[12:], payload)
            offset += rows
        data = b"".join(parts)
        if not self._make_room(len(data)):
            self.dropped += offset - self.offset
            self.sequence, self.offset = sequence, offset
            if position is not None:
                self.position = position
            return True
        try:
            segment = self._segments[-1]
            if segment.size + len(data) > self.segment_bytes and segment.last >= segment.first:
                self._add_segment()
                segment = self._segments[-1]
            written = os.pwrite(segment.descriptor, data, segment.size)
            if written != len(data):
                return False
        except OSError:
            return False
        segment.size += len(data)
        segment.rows += offset - self.offset
        segment.last = sequence
        self.bytes += len(data)
        self.sequence, self.offset = sequence, offset
        if position is not None:
            self.position = position
        return True

    def _make_room(self, wanted: int) -> bool:
        self._remove_acknowledged()
        while self.bytes + wanted > self.bound:
            if self.policy is BufferPolicy.DROP_NEWEST:
                return False
            if len(self._segments) == 1:
                if self._segments[0].size <= _SEGMENT.size:
                    return False
                try:
                    self._add_segment()
                except OSError:
                    return False
            oldest = self._segments[0]
            lost = oldest.rows if oldest.first > self.acknowledged else self._rows_after(oldest, self.acknowledged)
            self.dropped += lost
            self.acknowledged = max(self.acknowledged, oldest.last)
            self._remove_acknowledged()
        return True

    def _rows_after(self, segment: _Segment, sequence: int) -> int:
        return sum(
            record.rows for record in self._records(segment, _SEGMENT.size, segment.size)[0] if record.sequence > sequence
        )

    def sync(self) -> None:
        """Waits until what was appended would survive a power cut (blocks; called from a worker thread)."""
        os.fsync(self._segments[-1].descriptor)

    # ---------------------------------------------------------------- reading

    def cursor(self) -> Cursor:
        """The place of the first record that is not acknowledged."""
        for segment in self._segments:
            if segment.last > self.acknowledged:
                place = _SEGMENT.size
                while place < segment.size:
                    header = _RECORD.unpack(os.pread(segment.descriptor, _RECORD.size, place))
                    if header[3] > self.acknowledged:
                        break
                    place += _RECORD.size + header[1]
                return Cursor(segment.first, place)
        return Cursor(self._segments[-1].first, self._segments[-1].size)

    def read(self, cursor: Cursor, maximum: int = 2**20) -> tuple[list[Record], Cursor]:
        """Up to about ``maximum`` bytes of records from ``cursor``, and the place behind them; empty at the end."""
        for index, segment in enumerate(self._segments):
            if segment.first < cursor.segment:
                continue
            place = cursor.place if segment.first == cursor.segment else _SEGMENT.size
            if place >= segment.size and index < len(self._segments) - 1:
                continue
            records, place = self._records(segment, place, min(segment.size, place + maximum))
            return records, Cursor(segment.first, place)
        return [], self.cursor()

    @staticmethod
    def _records(segment: _Segment, place: int, end: int) -> tuple[list[Record], int]:
        found: list[Record] = []
        data = os.pread(segment.descriptor, end - place, place)
        at = 0
        while at + _RECORD.size <= len(data):
            _, length, _, sequence, _, rows, _, _ = _RECORD.unpack_from(data, at)
            body = at + _RECORD.size
            if body + length > len(data):
                if found:
                    break
                data = os.pread(segment.descriptor, _RECORD.size + length, place + at)
                at, body, place = 0, _RECORD.size, place + at
            found.append(Record(sequence, rows, data[body : body + length]))
            at = body + length
        return found, place + at

    # ---------------------------------------------------------------- acknowledging

    def acknowledge(self, sequence: int) -> None:
        """Everything up to ``sequence`` is stored by the spine; segments behind it are removed."""
        if sequence <= self.acknowledged:
            return
        self.acknowledged = sequence
        now = time.monotonic()
        if now - self._acked_written > 0.25:
            self._acked_written = now
            self._write_acknowledged()
            self._remove_acknowledged()

    def _write_acknowledged(self) -> None:
        try:
            os.pwrite(self._acked_descriptor, struct.pack("<QQ", self.epoch, self.acknowledged), 0)
        except OSError:
            return  # a full disk: the old mark only makes the next start send a little more again

    def _remove_acknowledged(self) -> None:
        while len(self._segments) > 1 and self._segments[0].last <= self.acknowledged:
            segment = self._segments.pop(0)
            os.close(segment.descriptor)
            segment.path.unlink(missing_ok=True)
            self.bytes -= segment.size

    @property
    def pending(self) -> int:
        """Batches that the spine has not acknowledged."""
        return self.sequence - self.acknowledged

    def close(self) -> None:
        """Keeps the mark of what is acknowledged and closes the files."""
        if self._acked_descriptor >= 0:
            self._write_acknowledged()
            os.close(self._acked_descriptor)
            self._acked_descriptor = -1
        for segment in self._segments:
            os.close(segment.descriptor)
        self._segments.clear()
