"""The journal: store and forward. What a connector read is on disk before anything else happens to it.

One directory a connector, append-only segments (`hulian.platform.edge.segment`), oldest first. A *group* of records is written
by one call and is whole or not there: a torn tail is cut at the next start. A record carries its sequence and offset, so that
what is sent again after a crash is recognised as the same; the last record of a group may carry the position of the
connector's input, so that a replayed input is recognised too. The newest segment is never removed: numbering goes on from it.

What a full journal drops keeps its place: a declaration stands in the sequence where the batches stood, on disk before they
are gone, and goes to the spine in their stead. Neighbouring declarations are one.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hulian.platform.edge.config import BufferPolicy
from hulian.platform.edge.errors import JournalError
from hulian.platform.edge.segment import HEADER, MAXIMUM_PAYLOAD, NO_POSITION, Drop, Record, Segment, pack_record

__all__ = ["Cursor", "Drop", "Journal", "Record"]

_MARK: Final = struct.Struct("<QQ")
_SEGMENTS_MORE: Final = 64
"""Files that a journal may have beyond those that its bound fills; declarations between batches have one each."""
_RESERVE: Final = 512
"""Bytes of the bound that are kept for a declaration."""

Encode = Callable[[int, int, int], bytes]
"""Makes the payload from (epoch, sequence, offset)."""


class Cursor(NamedTuple):
    """Where a reader stands: the segment's first sequence and the place in its file."""

    segment: int
    place: int


class Journal:
    """The journal of one connector.

    ``append`` never waits for the spine. When ``bound`` bytes are reached it drops by ``policy``, counts the samples in
    ``dropped`` and declares the batches as gone. ``generation`` names the life of the input that positions count in: when it
    is another than before, the positions of the old one mean nothing and are forgotten. Not thread-safe: the edge's loop owns
    it. Raises `JournalError` where the directory cannot be used; a disk that is full makes `append` return False.
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
        """Samples dropped since the journal was opened."""
        self.bytes = 0
        self.readers: dict[str, int] = {}
        """Who else reads the journal, each with the last batch that it needs no more. What is sent is kept for them, as long as
        the journal holds less than a quarter of its bound."""
        self._segments: list[Segment] = []
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
            raw = os.pread(self._acked_descriptor, _MARK.size, 0)
            if not self._segments:
                self.epoch = int(time.time())
                self._add_segment()
        except OSError as error:
            raise JournalError(f"cannot open the journal: {error.strerror}", place=str(self.directory)) from error
        if len(raw) == _MARK.size:
            epoch, acknowledged = _MARK.unpack(raw)
            if epoch == self.epoch:
                self.acknowledged = min(acknowledged, self.sequence)
        self.acknowledged = max(self.acknowledged, self._segments[0].begin - 1)

    def _recover(self, path: Path, *, newest: bool) -> None:
        segment = Segment.recover(path, newest=newest)
        if segment is None:
            return
        before = self._segments[-1] if self._segments else None
        if before is not None and before.drop and segment.drop and segment.drop.first <= before.drop.first:
            # The end came between the longer declaration and the removal of the one that it holds.
            before.remove()
            self._segments.pop()
            self.bytes -= before.size
        self.epoch, self.sequence, self.offset = segment.epoch, segment.last, segment.end
        self.position = None if segment.position == NO_POSITION else segment.position
        self._segments.append(segment)
        self.bytes += segment.size

    def _add_segment(self) -> None:
        position = NO_POSITION if self.position is None else self.position
        self._segments.append(
            Segment.create(self.directory, self.epoch, self.sequence, self.offset, position, power=self.power)
        )
        self.bytes += HEADER

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
            mark = position if last and position is not None else NO_POSITION
            parts += pack_record(payload, sequence, offset, rows, mark, last=last)
            offset += rows
        data = b"".join(parts)
        try:
            if not self._make_room(len(data)):
                return self._drop_new(sequence, offset, position)
            segment = self._segments[-1]
            if segment.drop or (segment.size + len(data) > self.segment_bytes and segment.last >= segment.first):
                self._add_segment()
                segment = self._segments[-1]
            if not segment.append(data, sequence, offset - self.offset, NO_POSITION if position is None else position):
                return False
        except OSError:
            return False
        self.bytes += len(data)
        self.sequence, self.offset = sequence, offset
        if position is not None:
            self.position = position
        return True

    def sync(self) -> None:
        """Waits until what was appended would survive a power cut (blocks; called from a worker thread)."""
        os.fsync(self._segments[-1].descriptor)

    # ---------------------------------------------------------------- dropping

    def lose(self, rows: int) -> bool:
        """Declares ``rows`` samples as gone that never came here; False where the disk refused."""
        try:
            return self._drop_new(self.sequence + 1, self.offset + rows, None)
        except OSError:
            return False

    def _make_room(self, wanted: int) -> bool:
        self._remove_acknowledged()
        if self._segments[-1].drop and len(self._segments) > self.bound // self.segment_bytes + _SEGMENTS_MORE:
            return False
        while self.bytes + wanted > self.bound - _RESERVE:
            if self.policy is BufferPolicy.DROP_NEWEST or not self._drop_oldest():
                return False
        return True

    def _drop_new(self, sequence: int, offset: int, position: int | None) -> bool:
        """Declares what comes next, up to ``sequence`` and ``offset``, as gone: the newest segment says so."""
        now = time.time_ns()
        tail = self._segments[-1]
        if tail.drop is None and tail.size > HEADER:
            self._add_segment()
            tail = self._segments[-1]
        if tail.drop is not None and tail.last > self.acknowledged:
            drop = tail.drop._replace(last=sequence, end=offset, time=now)
        else:
            drop = Drop(self.sequence + 1, sequence, self.offset, offset, now)
        before = tail.size
        if position is None:
            position = NO_POSITION if self.position is None else self.position
        tail.declare(drop, position, power=self.power)
        self.bytes += tail.size - before
        self.dropped += offset - self.offset
        self.sequence, self.offset = sequence, offset
        self.position = None if position == NO_POSITION else position
        return True

    def _drop_oldest(self) -> bool:
        """Declares what the oldest segment of batches holds as gone, together with what was declared before it; False where
        there is none to drop."""
        index = next((index for index, segment in enumerate(self._segments) if segment.drop is None), -1)
        if index < 0:
            return False
        segment = self._segments[index]
        if segment is self._segments[-1]:
            if segment.size <= HEADER:
                return False
            self._add_segment()  # the newest stays: its successor goes on with the numbers
            self._remove_acknowledged()
            return True
        first = max(self.acknowledged + 1, segment.first)
        lost = segment.rows if first == segment.first else segment.rows_after(self.acknowledged)
        drop = Drop(first, segment.last, segment.end - lost, segment.end, time.time_ns())
        if index and (oldest := self._segments[0].drop) is not None:
            drop = drop._replace(first=oldest.first, offset=oldest.offset)
        before = segment.size
        segment.declare(drop, segment.position, power=self.power)
        self.bytes += segment.size - before
        self.dropped += lost
        for declared in self._segments[:index]:
            declared.remove()
            self.bytes -= declared.size
        del self._segments[:index]
        return True

    # ---------------------------------------------------------------- reading

    def cursor(self) -> Cursor:
        """The place of the first record that is not acknowledged; every declaration after it is told again."""
        for segment in self._segments:
            segment.handed = False
        for segment in self._segments:
            if segment.last > self.acknowledged:
                return Cursor(segment.first, HEADER if segment.drop else segment.place_after(self.acknowledged))
        return Cursor(self._segments[-1].first, self._segments[-1].size)

    def end(self) -> Cursor:
        """The place behind the newest record."""
        return Cursor(self._segments[-1].first, self._segments[-1].size)

    def read(self, cursor: Cursor, maximum: int = 2**20) -> tuple[list[Record], Cursor]:
        """Up to about ``maximum`` bytes of records from ``cursor``, and the place behind them; empty at the end. A declaration
        that was made or grew behind the reader's back comes first."""
        for index, segment in enumerate(self._segments):
            if (drop := segment.drop) is not None:
                if segment.handed or segment.last <= self.acknowledged:
                    continue
                segment.handed = True
                here = segment.first >= cursor.segment
                record = Record(drop.last, drop.end - drop.offset, b"", drop)
                return [record], Cursor(segment.first, segment.size) if here else cursor
            if segment.first < cursor.segment:
                continue
            place = cursor.place if segment.first == cursor.segment else HEADER
            if place >= segment.size and index < len(self._segments) - 1:
                continue
            records, place = segment.records(place, min(segment.size, place + maximum))
            return records, Cursor(segment.first, place)
        return [], cursor

    def follow(self, cursor: Cursor | None, after: int, maximum: int) -> tuple[list[Record], Cursor]:
        """The same for one of `readers`: up to about ``maximum`` bytes of records behind batch ``after``, sent or not. What was
        dropped is passed over."""
        for segment in self._segments:
            if segment.drop is not None or segment.last <= after:
                continue
            here = cursor is not None and cursor.segment == segment.first and HEADER <= cursor.place <= segment.size
            place = cursor.place if cursor is not None and here else segment.place_after(after)
            records, place = segment.records(place, min(segment.size, place + maximum))
            return [record for record in records if record.sequence > after], Cursor(segment.first, place)
        return [], cursor or Cursor(-1, HEADER)

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
            os.pwrite(self._acked_descriptor, _MARK.pack(self.epoch, self.acknowledged), 0)
        except OSError:
            return  # a full disk: the old mark only makes the next start send a little more again

    def _remove_acknowledged(self) -> None:
        while len(self._segments) > 1 and self._segments[0].last <= self._done:
            segment = self._segments.pop(0)
            segment.remove()
            self.bytes -= segment.size

    @property
    def _done(self) -> int:
        """The last batch that nobody needs any more."""
        if self.bytes > self.bound // 4:
            return self.acknowledged
        return min((self.acknowledged, *self.readers.values()))

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
