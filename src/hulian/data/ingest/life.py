"""One epoch of one source: which batches have come, which have not, and which never will."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from hulian.network.exchange.spine.codec import Dropped

__all__ = ["HOLES_KEPT", "Decision", "Hole", "Life", "declare", "enter"]

Numbers = npt.NDArray[np.int64]

HOLES_KEPT: Final = 4096
"""Runs of dropped batches that are kept one by one for each life of a source. Of older ones only the samples are counted: a
batch of them that came all the same, that late, would be taken for a repeat."""


class Hole(msgspec.Struct):
    """Batches ``first`` to ``last`` that have not come, samples ``offset`` to ``end`` of the epoch. ``announced``: an event has
    said that they are missing. ``dropped``: the edge has declared that they never come."""

    first: int
    last: int
    offset: int
    end: int
    opened: int
    announced: bool = False
    dropped: bool = False


class Life(msgspec.Struct):
    """One epoch of one source."""

    source: str
    epoch: int
    next_sequence: int = 1
    next_offset: int = 0
    stored: int = 0
    duplicated: int = 0
    since: int = 0
    last_time: int = 0
    miscounts: int = 0
    holes: list[Hole] = []
    forgotten: int = 0
    """Dropped samples whose holes are not kept one by one any more; see `HOLES_KEPT`."""

    @property
    def missing(self) -> int:
        return sum(hole.end - hole.offset for hole in self.holes if not hole.dropped)

    @property
    def dropped(self) -> int:
        return self.forgotten + sum(hole.end - hole.offset for hole in self.holes if hole.dropped)

    @property
    def gaps(self) -> int:
        return sum(not hole.dropped for hole in self.holes)


class Decision(NamedTuple):
    """What a block changed: which messages of each group are new, the lives touched, and what is worth telling."""

    keep: list[npt.NDArray[np.bool_]]
    touched: list[Life]
    began: list[Life]
    """Lives of a higher epoch than any before of a source that was known."""
    closed: list[tuple[str, Hole]]
    """Announced holes that are filled, or declared as dropped, now."""
    miscounted: list[str]
    samples: int
    duplicates: int


def enter(
    life: Life, sequence: Numbers, offset: Numbers, count: Numbers, now: int, decision: Decision
) -> npt.NDArray[np.bool_]:
    """Enters batches of one life, sorted by sequence; gives which of them are new."""
    keep = np.ones(len(sequence), np.bool_)
    keep[1:] = sequence[1:] != sequence[:-1]
    if not keep.all():
        life.duplicated += int(count[~keep].sum())
        sequence, offset, count = sequence[keep], offset[keep], count[keep]
    ends = offset + count
    new = len(sequence)
    if (
        sequence[0] == life.next_sequence
        and offset[0] == life.next_offset
        and sequence[-1] - sequence[0] + 1 == new
        and bool((offset[1:] == ends[:-1]).all())
    ):
        life.next_sequence = int(sequence[-1]) + 1
        life.next_offset = int(ends[-1])
        life.stored += int(count.sum())
        return keep
    fresh = np.zeros(new, np.bool_)
    for place, (number, start, samples) in enumerate(zip(sequence.tolist(), offset.tolist(), count.tolist(), strict=True)):
        fresh[place] = _enter_one(life, number, start, samples, now, decision)
    keep[np.flatnonzero(keep)] = fresh
    return keep


def _enter_one(life: Life, sequence: int, offset: int, count: int, now: int, decision: Decision) -> bool:
    if sequence < life.next_sequence:
        if not _fill(life, sequence, offset, count, decision):
            life.duplicated += count
            return False
        life.stored += count
        return True
    if sequence > life.next_sequence:
        end = max(offset, life.next_offset)
        life.holes.append(Hole(life.next_sequence, sequence - 1, life.next_offset, end, now))
    if offset < life.next_offset or (sequence == life.next_sequence and offset != life.next_offset):
        life.miscounts += 1
        decision.miscounted.append(life.source)
    life.next_sequence = sequence + 1
    life.next_offset = max(offset, life.next_offset) + count
    life.stored += count
    return True


def _fill(life: Life, sequence: int, offset: int, count: int, decision: Decision) -> bool:
    """Takes ``sequence`` out of the hole that holds it; False where none does: it was stored before."""
    place = _before(life, sequence)
    if place < 0 or life.holes[place].last < sequence:
        return False
    hole = life.holes[place]
    left_end = min(max(offset, hole.offset), hole.end)
    right_offset = min(max(offset + count, left_end), hole.end)
    if not hole.offset <= offset <= offset + count <= hole.end:
        life.miscounts += 1
        decision.miscounted.append(life.source)
    parts = []
    if hole.first < sequence:
        parts.append(_part(hole, hole.first, sequence - 1, hole.offset, left_end))
    if sequence < hole.last:
        parts.append(_part(hole, sequence + 1, hole.last, right_offset, hole.end))
    if not parts and hole.announced and not hole.dropped:
        decision.closed.append((life.source, hole))
    life.holes[place : place + 1] = parts
    return True


def _before(life: Life, sequence: int) -> int:
    """The place of the last hole that begins at ``sequence`` or before it, -1 where none does."""
    return bisect_right(life.holes, sequence, key=lambda hole: hole.first) - 1


def _part(hole: Hole, first: int, last: int, offset: int, end: int, *, dropped: bool = False) -> Hole:
    return Hole(first, last, offset, end, hole.opened, hole.announced, hole.dropped or dropped)


def declare(life: Life, gone: Dropped, now: int, decision: Decision) -> None:
    """Enters that the edge dropped a range: what of it is missing is dropped from now on, and so is what was not seen yet."""
    begin = max(0, _before(life, gone.first))
    end = _before(life, gone.last) + 1
    parts: list[Hole] = []
    for hole in life.holes[begin:end]:
        if hole.dropped or hole.last < gone.first:
            parts.append(hole)
            continue
        first, last = max(hole.first, gone.first), min(hole.last, gone.last)
        start = hole.offset if first == hole.first else min(max(gone.offset, hole.offset), hole.end)
        stop = hole.end if last == hole.last else min(max(gone.end, start), hole.end)
        if first > hole.first:
            parts.append(_part(hole, hole.first, first - 1, hole.offset, start))
        parts.append(_part(hole, first, last, start, stop, dropped=True))
        if last < hole.last:
            parts.append(_part(hole, last + 1, hole.last, stop, hole.end))
        if hole.announced and first == hole.first and last == hole.last:
            decision.closed.append((life.source, hole))
    if gone.last >= life.next_sequence:
        start = life.next_offset
        if gone.first > life.next_sequence:
            start = max(start, gone.offset)
            parts.append(Hole(life.next_sequence, gone.first - 1, life.next_offset, start, now))
        if gone.end < start or (gone.first == life.next_sequence and gone.offset != start):
            life.miscounts += 1
            decision.miscounted.append(life.source)
        life.next_offset = max(gone.end, start)
        parts.append(Hole(max(gone.first, life.next_sequence), gone.last, start, life.next_offset, now, dropped=True))
        life.next_sequence = gone.last + 1
    life.holes[begin:end] = parts
    _merge(life, max(0, begin - 1), begin + len(parts) + 1)
    _forget(life)


def _merge(life: Life, begin: int, end: int) -> None:
    """Makes one of neighbouring dropped holes: what a journal drops piece by piece."""
    merged: list[Hole] = []
    for hole in life.holes[begin:end]:
        before = merged[-1] if merged else None
        if (
            before is not None
            and before.dropped
            and hole.dropped
            and before.last + 1 == hole.first
            and before.end == hole.offset
        ):
            announced = before.announced or hole.announced
            merged[-1] = Hole(before.first, hole.last, before.offset, hole.end, before.opened, announced, dropped=True)
        else:
            merged.append(hole)
    life.holes[begin:end] = merged


def _forget(life: Life) -> None:
    """Keeps the newest `HOLES_KEPT` dropped holes one by one."""
    many = sum(hole.dropped for hole in life.holes) - HOLES_KEPT if len(life.holes) > HOLES_KEPT else 0
    if many <= 0:
        return
    kept: list[Hole] = []
    for hole in life.holes:
        if hole.dropped and many > 0:
            life.forgotten += hole.end - hole.offset
            many -= 1
        else:
            kept.append(hole)
    life.holes = kept
