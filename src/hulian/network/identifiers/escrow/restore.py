"""Puts exports back into an empty node. What is wrong with them is found before the first record is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.identifiers.escrow.errors import NotEmptyError, UnfinishedRestoreError
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.escrow.reading import KeptPrefix
from hulian.network.identifiers.escrow.verify import Custodian, Export, Progress, contents, positions, verify
from hulian.network.identifiers.store import Job, Jobs, Kept, RecordStore, What, key_of, zero_na

__all__ = ["Restored", "check_finished", "restore"]

_JOB: Final = "escrow restore"
_MOST_RECORDS: Final = 2_000
_MOST_BYTES: Final = 8 << 20


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What is there now: as ``node`` had it ``at`` that place of its log. ``written`` records were put in by this run."""

    node: str
    taken: str
    at: Position
    records: int
    prefixes: int
    written: int


def restore(
    store: RecordStore, directories: Sequence[Path], custodian: Custodian, progress: Progress = lambda *_: None
) -> Restored:
    """Makes ``store``, of a node that has nothing, hold what the node of the exports had: a full one and its differentials.

    All is judged first, as `verify` does with the custodian's private keys. A restore that was killed goes on when it is run
    again with the same exports; until it is finished, the node answers for no prefix. Its log begins anew: each row is by
    ``escrow NUMBER SEAL``, the place of the old log. Raises the errors of `verify`, and `NotEmptyError`. Blocking.
    """
    exports = verify(directories, custodian, progress)
    last = exports[-1].manifest
    by = f"escrow {last.at.number} {last.at.seal}"
    job = _begun(store, exports, by)
    known = {position.number: position.seal for position in positions(exports)}
    prefixes: dict[bytes, str] = {}
    total, done, written = sum(export.manifest.content.items for export in exports), 0, 0
    for export in exports:
        for count, batch in _batches(export, custodian, known, prefixes):
            written += store.settle(batch, by=by)
            done += count
            progress("writing records", done, total)
    if not job.done:
        for prefix in prefixes.values():
            store.home(prefix, by=by)
        finished = msgspec.structs.replace(job, done=True)
        store.settle([], by=by, beside=lambda connection: Jobs.advance(connection, finished))
    return Restored(
        node=last.node, taken=last.taken, at=last.at, records=len(store), prefixes=len(store.prefixes()), written=written
    )


def check_finished(store: RecordStore) -> None:
    """Raises `UnfinishedRestoreError` where a restore of this node was begun, and not finished."""
    job = store.jobs.find(_JOB)
    if job is not None and not job.done:
        raise UnfinishedRestoreError("this node was restored half: it would deny records that it should have")


def _begun(store: RecordStore, exports: Sequence[Export], by: str) -> Job:
    """The job of this restore: a new one where the node has nothing, or the one that was begun before."""
    digest = hashlib.sha256("".join([export.manifest.id for export in exports]).encode()).digest()
    job = store.jobs.find(_JOB)
    if job is None:
        if store.log.last or len(store):
            raise NotEmptyError(f"this node has {len(store)} records and {store.log.last} changes")
        job = Job(name=_JOB, owner=by[:200], digest=digest)
        store.jobs.begin(job)
        return job
    if job.digest != digest:
        raise NotEmptyError("other exports were restored here, or another choice of them")
    if (other := store.log.other_than(by)) is not None:
        raise NotEmptyError(f"{other.by} has changed records since: {other.handle}")
    return job


def _batches(
    export: Export, custodian: Custodian, known: dict[int, str], prefixes: dict[bytes, str]
) -> Iterator[tuple[int, list[tuple[str, bytes | None]]]]:
    """What is to be written, in order, with the number of items that it was made of; ``prefixes`` follow what is read."""
    batch: list[tuple[str, bytes | None]] = []
    count = size = 0
    for item in contents(export, custodian.keys, known):
        if isinstance(item, KeptPrefix):
            prefixes[zero_na(item.name)] = item.name
            continue
        count += 1
        if isinstance(item, Kept):
            batch.append((item.handle, item.packed))
            size += len(item.packed)
        elif isinstance(item, tuple):
            change, values = item
            if change.what is What.HOME:
                prefixes[key_of(change.handle)] = change.handle.removeprefix("0.NA/")
            elif change.what is What.UNHOME:
                prefixes.pop(key_of(change.handle), None)
            elif change.what is What.DELETE or values is not None:
                batch.append((change.handle, values))
                size += len(values or b"")
        if len(batch) >= _MOST_RECORDS or size >= _MOST_BYTES:
            yield count, batch
            batch, count, size = [], 0, 0
    yield count, batch
