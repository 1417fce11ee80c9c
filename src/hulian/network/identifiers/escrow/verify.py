"""Judges exports without writing anything: signatures, volumes, and, with a private key, every record and every seal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from hulian.network.identifiers.escrow.errors import DocumentError, HistoryError, SealError
from hulian.network.identifiers.escrow.manifest import Manifest, Position, read_manifest
from hulian.network.identifiers.escrow.reading import Head, Item, KeptPrefix, items
from hulian.network.identifiers.escrow.recipients import OpeningKey, open_key
from hulian.network.identifiers.escrow.sealed import opened
from hulian.network.identifiers.escrow.unpacking import inflated
from hulian.network.identifiers.escrow.volumes import VolumeReader, check_volumes
from hulian.network.identifiers.store import Change
from hulian.network.identifiers.store.changes import seal_after
from hulian.network.identifiers.wire.typed.keys import UsableKey

__all__ = ["Custodian", "Export", "Progress", "contents", "in_order", "verify"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being done, how much of it, of how much."""

_TOLD: Final = 1_000


class Custodian(msgspec.Struct, frozen=True):
    """Whose signature is believed, and the private keys that exports are sealed to; without any, only what is outside of the
    seal is judged."""

    signer: UsableKey
    keys: Sequence[OpeningKey] = ()


class Export(msgspec.Struct, frozen=True):
    """One export: its folder, and its manifest, whose signature holds."""

    directory: Path
    manifest: Manifest


def verify(directories: Sequence[Path], custodian: Custodian, progress: Progress = lambda *_: None) -> list[Export]:
    """The exports in ``directories``, in their order: one full, and differentials that follow on it.

    Raises the errors of `read_manifest` and `check_volumes`, `HistoryError`, and where the custodian has private keys
    `RecipientError`, `SealError` and `DocumentError`. Blocking. Nothing is written.
    """
    exports = in_order([Export(directory, read_manifest(directory, custodian.signer)) for directory in directories])
    total = sum(volume.bytes for export in exports for volume in export.manifest.volumes)
    done = 0

    def read(size: int) -> None:
        nonlocal done
        done += size
        progress("reading volumes", done, total)

    for export in exports:
        check_volumes(export.directory, export.manifest.volumes, read)
    if custodian.keys:
        known = {position.number: position.seal for position in positions(exports)}
        total, done = sum(export.manifest.content.items for export in exports), 0
        for export in exports:
            for _ in contents(export, custodian.keys, known):
                done += 1
                if done % _TOLD == 0 or done == total:
                    progress("reading records", done, total)
    return exports


def positions(exports: Sequence[Export]) -> list[Position]:
    """Where each export ends."""
    return [export.manifest.at for export in exports]


def in_order(exports: Sequence[Export]) -> list[Export]:
    """One full export, and the differentials behind it, each beginning where another of them ends. Raises `HistoryError`."""
    full = [export for export in exports if export.manifest.kind == "full"]
    if len(full) != 1:
        raise HistoryError(f"{len(full)} full exports, where one is needed")
    found, known = full, {full[0].manifest.at.number: full[0].manifest.at.seal}
    rest = [export for export in exports if export.manifest.kind == "differential"]
    for export in sorted(rest, key=_place):
        manifest, place = export.manifest, str(export.directory)
        after = manifest.after
        if manifest.node != full[0].manifest.node:
            raise HistoryError(f"it is of the node {manifest.node}, the full one of {full[0].manifest.node}", place=place)
        if after is None or after.number not in known:
            begins = 0 if after is None else after.number
            raise HistoryError(f"it begins after change {begins}, where none of the others ends: one is missing", place=place)
        if known[after.number] != after.seal or known.get(manifest.at.number, manifest.at.seal) != manifest.at.seal:
            raise HistoryError("it is of another history: the seals differ", place=place)
        known[manifest.at.number] = manifest.at.seal
        found = [*found, export]
    return found


def _place(export: Export) -> tuple[int, int]:
    after = export.manifest.after
    return export.manifest.at.number, after.number if after else 0


def contents(export: Export, keys: Sequence[OpeningKey], known: dict[int, str]) -> Iterator[Item]:
    """What the export holds, without the head: each piece is proved genuine before it is given; that all is there, and that it
    is what the manifest says, is known at the end. ``known`` are seals of changes, by their numbers."""
    manifest, place = export.manifest, str(export.directory)
    encryption = manifest.encryption
    content_key = open_key(encryption, keys, place)
    source = VolumeReader(export.directory, manifest.volumes)
    digest = hashlib.sha256()

    def digested(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    try:
        chunks = opened(source, encryption.cipher, content_key, bytes.fromhex(manifest.id), encryption.chunk_bytes)
        found = items(digested(inflated(chunks, manifest.content.name, manifest.content.bytes)))
        yield from _as_promised(found, manifest, known, place)
    except (DocumentError, SealError) as error:
        if place not in error.place:
            error.place = f"{place}, {error.place}" if error.place else place
        raise
    finally:
        source.close()
    if digest.hexdigest() != manifest.content.sha256:
        raise DocumentError("it is not the document that the manifest names", place=place)


def _as_promised(found: Iterator[Item], manifest: Manifest, known: dict[int, str], place: str) -> Iterator[Item]:
    head = next(found, None)
    if head != Head(manifest.kind, manifest.node, manifest.at, manifest.after):
        raise DocumentError("its head is not what the manifest says", place=place)
    count = 0
    number, seal = (manifest.after.number, bytes.fromhex(manifest.after.seal)) if manifest.after else (0, b"")
    for item in found:
        if isinstance(item, tuple):
            number, seal = _followed(item[0], number, seal, known, place)
        if isinstance(item, Head) or isinstance(item, tuple) is (manifest.kind == "full"):
            raise DocumentError(f"something that a {manifest.kind} export does not hold", place=place)
        count += not isinstance(item, KeptPrefix)
        yield item
    if count != manifest.content.items:
        raise DocumentError(f"{count} records or changes, where {manifest.content.items} were announced", place=place)
    if manifest.after is not None and (number, seal.hex()) != (manifest.at.number, manifest.at.seal):
        raise HistoryError(f"its changes end with {number}, and not as the manifest says", place=place)


def _followed(change: Change, number: int, seal: bytes, known: dict[int, str], place: str) -> tuple[int, bytes]:
    """The next change of the log, whose seal is computed again."""
    if change.number != number + 1 or change.seal != seal_after(seal, change):
        raise HistoryError(f"change {change.number} does not follow on change {number}", place=place)
    if known.get(change.number, change.seal.hex()) != change.seal.hex():
        raise HistoryError(f"change {change.number} has another seal than in another of these exports", place=place)
    return change.number, change.seal
