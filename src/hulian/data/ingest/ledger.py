"""The accounts of every source: what was sent, stored, repeated, is missing, and since when.

A source numbers its batches within an epoch from 1 without a hole, and says in each how many samples came before it
(`BatchHeader`). So a repeated batch is recognised however late it comes, and a hole is counted in samples without having
seen them. What a full journal dropped by its policy the edge declares (`Dropped`), and only that is called dropped; a batch
of it that comes all the same is stored. The ledger guesses nothing: ``sent = stored + pending + dropped + missing``, always.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from hulian.data.ingest.life import Decision, Hole, Life, declare, enter
from hulian.network.exchange.spine.codec import Dropped, Group
from hulian.network.exchange.spine.header import BEYOND

__all__ = ["Decision", "Hole", "Ledger", "LedgerRow", "Life"]


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one source, in samples. Times are UTC ns.

    ``sent`` what the source says it took from its device; ``stored`` what the historian holds of it; ``duplicated`` what
    came again and was recognised; ``dropped`` what the edge declares that its full journal dropped; ``missing`` what was
    numbered, has not come and is not declared (``gaps`` holes); ``pending`` what is on its way: journalled at the edge, not
    stored yet, be it newer than what is stored or older (after a time without a link, what is new comes first). ``since`` the
    account's first entry, ``last_time`` when the edge took the newest batch stored, ``last_sequence`` the newest number within
    ``epoch`` that is accounted for. ``undecodable`` messages came under the source's name and were no batch. ``state``: ``gap``
    where samples are missing, else ``pending``, else ``dropped`` where any ever were, else ``complete``.
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
    dropped: int = 0


class _Account(NamedTuple):
    """What is stored of a source: the sums over its lives, and where the newest stands."""

    epoch: int = 0
    next_sequence: int = 1
    next_offset: int = 0
    stored: int = 0
    duplicated: int = 0
    missing: int = 0
    dropped: int = 0
    gaps: int = 0
    since: int = 0
    last_time: int = 0
    holes: tuple[tuple[int, int], ...] = ()
    """First batch and samples of each gap of the newest life."""


class _Announced(NamedTuple):
    """What the edge said of its journal at the time ``heard`` (UTC ns): from the batch ``held`` on it has everything."""

    epoch: int = 0
    sequence: int = 0
    offset: int = 0
    held: int = BEYOND
    heard: int = 0

    def holds(self, epoch: int, first: int) -> bool:
        return epoch == self.epoch and first >= self.held


class Ledger:
    """All accounts, in memory; `store` keeps them.

    One writer enters block after block with `decide` and, when a block is stored, shows it with `settle`: `rows`, which
    any thread may call, never counts what is not yet in the historian.
    """

    def __init__(self, lives: Iterable[Life] = ()) -> None:
        self._lives: dict[str, dict[int, Life]] = {}
        self._accounts: dict[str, _Account] = {}
        self._announced: dict[str, _Announced] = {}
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
                    sum(life.dropped for life in found.values()),
                    sum(life.gaps for life in found.values()),
                    min(life.since for life in found.values()),
                    max(life.last_time for life in found.values()),
                    tuple((hole.first, hole.end - hole.offset) for hole in newest.holes if not hole.dropped),
                )

    def decide(self, groups: Sequence[Group], now: int, dropped: Sequence[Dropped] = ()) -> Decision:
        """Enters a block: decides for each message whether it is new, and counts. The same block on the same accounts gives
        the same decision."""
        with self._lock:
            decision = self._decide(groups, now)
            touched = {id(life): life for life in decision.touched}
            for one in dropped:
                life = self._life(one.source, one.epoch, now, decision)
                declare(life, one, now, decision)
                touched[id(life)] = life
            return decision._replace(touched=list(touched.values()))

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
                keep[one] = enter(life, sequence[one], offset[one], count[one], now, decision)
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

    def announce(
        self, source: str, epoch: int, sequence: int, offset: int, acknowledged: int | None = None, heard: int = 0
    ) -> None:
        """The edge says how far its journal of ``source`` has come: batches and samples of ``epoch``; and up to which batch
        it knows them stored: everything behind that it still has, and will send."""
        with self._lock:
            held = BEYOND if acknowledged is None else acknowledged + 1
            self._announced[source] = _Announced(epoch, sequence, offset, held, heard)

    def overdue(self, before: int) -> list[tuple[Life, Hole]]:
        """Holes that are open since ``before`` or longer and were not announced yet; without those that the edge has said,
        since then, that it still holds."""
        with self._lock:
            return [
                (life, hole)
                for source, lives in self._lives.items()
                for said in (self._announced.get(source, _Announced()),)
                for life in lives.values()
                for hole in life.holes
                if not (hole.announced or hole.dropped)
                and hole.opened <= before
                and not (said.heard > before and said.holds(life.epoch, hole.first))
            ]

    def announced_holes(self, source: str) -> int:
        """How many reported holes of ``source`` are still open."""
        with self._lock:
            return sum(hole.announced and not hole.dropped for hole in self._holes(source))

    def explained(self, source: str) -> tuple[int, list[Life]]:
        """Samples of ``source`` that were reported as missing and turned out to be dropped, each told once; and the lives in
        which this is noted now."""
        with self._lock:
            samples, lives = 0, []
            for life in self._lives.get(source, {}).values():
                told = [hole for hole in life.holes if hole.dropped and hole.announced]
                for hole in told:
                    samples += hole.end - hole.offset
                    hole.announced = False
                if told:
                    lives.append(life)
            return samples, lives

    def _holes(self, source: str) -> Iterable[Hole]:
        return (hole for life in self._lives.get(source, {}).values() for hole in life.holes)

    def rows(self) -> list[LedgerRow]:
        """One row a source, by name, of what is stored."""
        with self._lock:
            names = self._accounts.keys() | self._announced.keys() | self.undecodable.keys()
            return [self._row(source, self._accounts.get(source, _Account())) for source in sorted(names)]

    def _row(self, source: str, account: _Account) -> LedgerRow:
        said = self._announced.get(source, _Announced())
        if said.epoch == account.epoch:
            pending = max(0, said.offset - account.next_offset)
        else:
            pending = said.offset if said.epoch > account.epoch else 0
        held = [samples for first, samples in account.holes if said.holds(account.epoch, first)]
        pending, missing, gaps = pending + sum(held), account.missing - sum(held), account.gaps - len(held)
        return LedgerRow(
            source=source,
            epoch=account.epoch,
            sent=account.stored + missing + account.dropped + pending,
            stored=account.stored,
            duplicated=account.duplicated,
            missing=missing,
            pending=pending,
            since=account.since,
            last_time=account.last_time,
            last_sequence=account.next_sequence - 1,
            state="gap" if gaps else "pending" if pending else "dropped" if account.dropped else "complete",
            gaps=gaps,
            undecodable=self.undecodable.get(source, 0),
            dropped=account.dropped,
        )
