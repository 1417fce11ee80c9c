"""Writes an export: what a snapshot sees, as a document, zipped, sealed, in volumes, with a signed manifest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.identifiers.escrow.document import change_xml, head_xml, joined, prefix_xml, record_xml, tail_xml
from hulian.network.identifiers.escrow.errors import EscrowError, ExportError, HistoryError
from hulian.network.identifiers.escrow.manifest import (
    MANIFEST,
    SIGNATURE,
    Content,
    Encryption,
    Manifest,
    Position,
    SigningKey,
)
from hulian.network.identifiers.escrow.recipients import RecipientKey, cipher_for, seal_key
from hulian.network.identifiers.escrow.sealed import CHUNK, KEY_BYTES, StreamWriter
from hulian.network.identifiers.escrow.volumes import VolumeWriter
from hulian.network.identifiers.store import Snapshot, snapshot
from hulian.registry import Registry

__all__ = ["DOCUMENT", "Order", "export"]

DOCUMENT: Final = "escrow.xml"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_TOLD: Final = 1_000


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported: everything, or what came ``after`` a place in the log. ``node`` is what the node calls itself.

    ``volume_bytes`` is the size of a volume; ``recipients`` are the public keys that open it.
    """

    node: str
    recipients: Sequence[RecipientKey]
    after: Position | None = None
    volume_bytes: int = 1 << 30


def export(
    registry: Registry,
    directory: Path,
    order: Order,
    key: SigningKey,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[Path, Manifest]:
    """Writes the export into a new folder of ``directory``: the folder, and its manifest.

    The records are those of one moment, whatever changes meanwhile. The folder has its name when it is whole and on the disk;
    one that was killed begins with a dot. ``progress`` is told how many records, or changes, of how many are done. Blocking.
    Raises `HistoryError` where ``order.after`` is no place in this node's log, `RecipientError`, and `ExportError`.
    """
    with snapshot(registry) as seen:
        at = Position(seen.number, seen.seal.hex())
        if order.after is not None:
            _check_history(seen, order.after)
        taken = time.time_ns()
        kind = "full" if order.after is None else "differential"
        stamp = datetime.fromtimestamp(taken // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        # The number in the log, and a random one, keep apart what is made within one second.
        name = f"{_UNSAFE.sub('_', order.node)[:100]}-{stamp}-{at.number:012d}-{kind}-{secrets.token_hex(4)}"
        partial = directory / f".{name}"
        writer = None
        try:
            partial.mkdir(mode=0o700, parents=True)
            writer = VolumeWriter(partial, order.volume_bytes)
            manifest = _written(seen, writer, order, key, at, taken, progress)
            content = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
            _put(partial / MANIFEST, content)
            _put(partial / SIGNATURE, key.sign(content))
            _sync(partial)
            partial.rename(directory / name)
            _sync(directory)
        except OSError as error:
            raise ExportError(f"it cannot be written: {error.strerror}", place=str(directory)) from error
        finally:
            if writer is not None:
                writer.abandon()
            with contextlib.suppress(OSError):
                shutil.rmtree(partial)
    return directory / name, manifest


def _check_history(seen: Snapshot, after: Position) -> None:
    seal = seen.seal_of(after.number)
    if seal is None or seal.hex() != after.seal:
        reason = "this log has not come so far" if seal is None else "its seal there is another one"
        raise HistoryError(
            f"the export that is named ends with change {after.number} of another history: {reason}",
            place=f"change {after.number}",
            hint="make a full export",
        )


def _written(
    seen: Snapshot,
    writer: VolumeWriter,
    order: Order,
    key: SigningKey,
    at: Position,
    taken: int,
    progress: Callable[[int, int], None],
) -> Manifest:
    cipher = cipher_for(order.recipients)
    content_key, identification = secrets.token_bytes(KEY_BYTES[cipher]), secrets.token_bytes(16)
    recipients = seal_key(content_key, order.recipients)
    counted = _Counted(progress, at.number - order.after.number if order.after else seen.count())
    sealed = StreamWriter(writer, cipher, content_key, identification)
    digest, size = hashlib.sha256(), 0
    stamp = datetime.fromtimestamp(taken // 1_000_000_000, UTC)
    entry = zipfile.ZipInfo(DOCUMENT, stamp.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    with (
        zipfile.ZipFile(sealed, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open(entry, "w", force_zip64=True) as file,
    ):
        for piece in joined(_parts(seen, order, at, counted)):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    sealed.finish()
    writer.close()
    return Manifest(
        id=identification.hex(),
        kind="full" if order.after is None else "differential",
        node=order.node,
        taken=datetime.fromtimestamp(taken / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        at=at,
        after=order.after,
        content=Content(DOCUMENT, size, digest.hexdigest(), counted.done),
        encryption=Encryption(cipher, CHUNK, recipients),
        volumes=tuple(writer.volumes),
        signature=key.named,
    )


class _Counted:
    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress = progress
        self._total = total
        self.done = 0
        progress(0, total)

    def one(self) -> None:
        self.done += 1
        if self.done % _TOLD == 0 or self.done == self._total:
            self._progress(self.done, self._total)


def _parts(seen: Snapshot, order: Order, at: Position, counted: _Counted) -> Iterator[str]:
    yield head_xml("full" if order.after is None else "differential", order.node, at, order.after)
    if order.after is None:
        for prefix, since in seen.prefixes():
            yield prefix_xml(prefix, since)
        for one in seen.records():
            yield record_xml(one)
            counted.one()
    else:
        for change, values in seen.changes(order.after.number):
            yield change_xml(change, values)
            counted.one()
    yield tail_xml()


def _put(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise EscrowError(f"the directory cannot be written: {error.strerror}", place=str(directory)) from error
    finally:
        os.close(descriptor)
