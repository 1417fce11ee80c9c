"""The accounts of every source: what was sent, stored, repeated, is missing, and since when.

A source numbers its batches within an epoch from 1 without a hole, and says in each how many samples came before it
(`BatchHeader`). So a repeated batch is recognised however late it comes, and a hole is counted in samples without having
seen them. The ledger guesses nothing: ``sent = stored + missing + pending``, always.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from hulian.network.exchange.spine.codec import Group

__all__ = ["Decision", "Hole", "Ledger", "LedgerRow", "Life"]

Numbers = npt.NDArray[np.int64]


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one source, in samples. Times are UTC ns.

    ``sent`` what the source says it took from its device; ``stored`` what the historian holds of it; ``duplicated`` what
    came again and was recognised; ``missing`` what was numbered and has not come (``gaps`` holes); ``pending`` what is
    on its way: journalled at the edge, not stored yet. ``since`` the account's first entry, ``last_time`` when the edge
    took the newest batch stored, ``last_sequence`` its number within ``epoch``. ``undecodable`` messages came under the
    source's name and were no batch. ``state``: ``complete``, ``pending`` or ``gap``.
    """

    source: str
    epoch: int
    sent: int
    stored: int
    duplicated: int
    missing: int
    pending: int
    since: int
    last_time: int
    last_sequence: int
    state: str
    gaps: int = 0
    undecodable: int = 0


class Hole(msgspec.Struct):
    """Batches ``first`` to ``last`` that have not come, samples ``offset`` to ``end`` of the epoch."""

    first: int
    last: int
    offset: int
    end: int
    opened: int
    announced: bool = False


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

    @property
    def missing(self) -> int:
        return sum(hole.end - hole.offset for hole in self.holes)


class Decision(NamedTuple):
    """What a block changed: which messages of each group are new, the lives touched, and what is worth telling."""

    keep: list[npt.NDArray[np.bool_]]
    touched: list[Life]
    began: list[Life]
    """Lives of a higher epoch than any before of a source that was known."""
    closed: list[tuple[str, Hole]]
    """Announced holes that are filled now."""
    miscounted: list[str]
    samples: int
    duplicates: int


class _Account(NamedTuple):
    """What is stored of a source: the sums over its lives, and where the newest stands."""

    epoch: int = 0
    next_sequence: int = 1
    next_offset: int = 0
    stored: int = 0
    duplicated: int = 0
    missing: int = 0
    gaps: int = 0
    since: int = 0
    last_time: int = 0


class Ledger:
    """All accounts, in memory; `store` keeps them.

    One writer enters block after block with `decide` and, when a block is stored, shows it with `settle`: `rows`, which
    any thread may call, never counts what is not yet in the historian.
    """

    def __init__(self, lives: Iterable[Life] = ()) -> None:
        self._lives: dict[str, dict[int, Life]] = {}
        self._accounts: dict[str, _Account] = {}
        self._announced: dict[str, tuple[int, int, int]] = {}
        self.undecodable: dict[str, int] = {}
        self._lock = threading.Lock()
        known = list(lives)
        for life in known:
            self._lives.setdefault(life.source, {})[life.epoch] = life
        self.settle(known)

    def settle(self, lives: Iterable[Life]) -> None:
        """What was entered for the sources of ``lives`` is stored now: `rows` shows it."""
        with self._lock:
            for source in {life.source for life in lives}:
                found = self._lives[source]
                newest = found[max(found)]
                self._accounts[source] = _Account(
                    newest.epoch,
                    newest.next_sequence,
                    newest.next_offset,
                    sum(life.stored for life in found.values()),
                    sum(life.duplicated for life in found.values()),
                    sum(life.missing for life in found.values()),
                    sum(len(life.holes) for life in found.values()),
                    min(life.since for life in found.values()),
                    max(life.last_time for life in found.values()),
                )

    def decide(self, groups: Sequence[Group], now: int) -> Decision:
        """Enters a block: decides for each message whether it is new, and counts. The same block on the same accounts gives
        the same decision."""
        with self._lock:
            return self._decide(groups, now)

    def _decide(self, groups: Sequence[Group], now: int) -> Decision:
        decision = Decision([np.zeros(len(group.places), np.bool_) for group in groups], [], [], [], [], 0, 0)
        by_source: dict[str, list[int]] = {}
        for number, group in enumerate(groups):
            by_source.setdefault(group.source, []).append(number)
        samples = duplicates = 0
        for source, numbers in by_source.items():
            parts = [groups[number] for number in numbers]
            epoch = np.concatenate([part.epoch for part in parts]).astype(np.int64)
            sequence = np.concatenate([part.sequence for part in parts]).astype(np.int64)
            offset = np.concatenate([part.offset for part in parts]).astype(np.int64)
            received = np.concatenate([part.received for part in parts])
            count = np.concatenate([np.full(len(part.places), part.samples, np.int64) for part in parts])
            keep = np.zeros(len(sequence), np.bool_)
            order = np.lexsort((sequence, epoch))
            for one in np.split(order, np.flatnonzero(np.diff(epoch[order])) + 1):
                life = self._life(source, int(epoch[one[0]]), now, decision)
                before = life.stored, life.duplicated
                keep[one] = _enter(life, sequence[one], offset[one], count[one], now, decision)
                samples += life.stored - before[0]
                duplicates += life.duplicated - before[1]
                life.last_time = max(life.last_time, int(received[one].max()))
                decision.touched.append(life)
            place = 0
            for number, part in zip(numbers, parts, strict=True):
                decision.keep[number][:] = keep[place : place + len(part.places)]
                place += len(part.places)
        return decision._replace(samples=samples, duplicates=duplicates)

    def _life(self, source: str, epoch: int, now: int, decision: Decision) -> Life:
        lives = self._lives.setdefault(source, {})
        life = lives.get(epoch)
        if life is None:
            life = Life(source, epoch, since=now, holes=[])
            if lives and epoch > max(lives):
                decision.began.append(life)
            lives[epoch] = life
        return life

    def announce(self, source: str, epoch: int, sequence: int, offset: int) -> None:
        """The edge says how far its journal of ``source`` has come: batches and samples of ``epoch``."""
        with self._lock:
            self._announced[source] = (epoch, sequence, offset)

    def overdue(self, before: int) -> list[tuple[Life, Hole]]:
        """Holes that are open since ``before`` or longer and were not announced yet."""
        with self._lock:
            return [
                (life, hole)
                for lives in self._lives.values()
                for life in lives.values()
                for hole in life.holes
                if not hole.announced and hole.opened <= before
            ]

    def announced_holes(self, source: str) -> int:
        """How many reported holes of ``source`` are still open."""
        with self._lock:
            return sum(hole.announced for life in self._lives.get(source, {}).values() for hole in life.holes)

    def rows(self) -> list[LedgerRow]:
        """One row a source, by name, of what is stored."""
        with self._lock:
            names = self._accounts.keys() | self._announced.keys() | self.undecodable.keys()
            return [self._row(source, self._accounts.get(source, _Account())) for source in sorted(names)]

    def _row(self, source: str, account: _Account) -> LedgerRow:
        epoch, _, offset = self._announced.get(source, (0, 0, 0))
        if epoch == account.epoch:
            pending = max(0, offset - account.next_offset)
        else:
            pending = offset if epoch > account.epoch else 0
        return LedgerRow(
            source=source,
            epoch=account.epoch,
            sent=account.stored + account.missing + pending,
            stored=account.stored,
            duplicated=account.duplicated,
            missing=account.missing,
            pending=pending,
            since=account.since,
            last_time=account.last_time,
            last_sequence=account.next_sequence - 1,
            state="gap" if account.gaps else "pending" if pending else "complete",
            gaps=account.gaps,
            undecodable=self.undecodable.get(source, 0),
        )


def _enter(
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
    place = bisect_right(life.holes, sequence, key=lambda hole: hole.first) - 1
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
        parts.append(Hole(hole.first, sequence - 1, hole.offset, left_end, hole.opened, hole.announced))
    if sequence < hole.last:
        parts.append(Hole(sequence + 1, hole.last, right_offset, hole.end, hole.opened, hole.announced))
    if not parts and hole.announced:
        decision.closed.append((life.source, hole))
    life.holes[place : place + 1] = parts
    return True
