"""Everything of a node in one file, taken while it runs, and back.

What moves is waited for in the direction of its journey: the MQTT store until the journals have it, the journals until the
historian has it, then historian and ledger are copied as of one moment. So every sample acknowledged before the backup began
is in it, and no journal: a restored node numbers anew, in a new epoch, and nothing that it sends can be taken for a repeat.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from hulian.assembly.configuration import Configuration
from hulian.assembly.preparation import connect_spine, open_registry
from hulian.data.historian.backup import restore as restore_historian
from hulian.kernel.version import VERSION
from hulian.network.exchange.spine import streams
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import StreamError
from hulian.platform.infrastructure.archive import Manifest, read_manifest, unpack, write_archive
from hulian.platform.infrastructure.errors import BackupError
from hulian.platform.infrastructure.supervisor import lock_directory

__all__ = ["backup", "restore"]

PATIENCE: Final = 60.0
"""Seconds that a backup waits for what is under way."""

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]


async def backup(
    configuration: Configuration, configuration_file: Path | None, target: Path, *, say: Say, progress: Progress
) -> Manifest:
    """Writes the whole node into ``target`` while it runs. Raises `BackupError`, or that the spine cannot be reached."""
    data, work = await anyio.to_thread.run_sync(_work_directory, configuration)
    try:
        async with await connect_spine(configuration, "cli") as spine:
            await _drained(spine, streams.MQTT, say)
            await _journals_stored(spine, configuration, say)
            for stream in (streams.SAMPLES, streams.EVENTS):
                await _drained(spine, stream, say)
            say("copying the historian")
            await _historian(spine, configuration, work)
        say("copying the registry, keys and secrets")
        await anyio.to_thread.run_sync(_copy_rest, configuration, configuration_file, data, work)
        say("packing")
        return await anyio.to_thread.run_sync(
            lambda: write_archive(
                work,
                target,
                version=VERSION,
                organisation=configuration.node.organisation,
                progress=progress,
            )
        )
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(work, ignore_errors=True))


def _work_directory(configuration: Configuration) -> tuple[Path, Path]:
    data = Path(configuration.node.data).absolute()
    work = data / "run" / "backup"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise BackupError(f"cannot make the work directory: {error.strerror}", place=str(work)) from error
    return data, work


async def _drained(spine: Spine, stream: str, say: Say) -> None:
    """Waits until every consumer of ``stream`` has acknowledged what the stream holds now."""
    try:
        wanted = (await streams.state(spine, stream)).last
    except StreamError:
        return
    told = False
    with anyio.move_on_after(PATIENCE):
        while True:
            behind = await streams.behind(spine, stream, wanted)
            if not behind:
                return
            if not told:
                say(f"waiting for {behind} messages of {stream}")
                told = True
            await anyio.sleep(0.2)
    raise BackupError(
        f"{stream} holds messages that nobody has stored within {PATIENCE:g} s",
        hint="look at the historian ('hulian status', 'hulian events') and try again when it has caught up",
    )


async def _without_orphans(spine: Spine, subjects: streams.Subjects) -> dict[str, Any]:
    """What the edge says of its connectors once the journals of those that are gone are empty, or cannot be read."""
    with anyio.move_on_after(PATIENCE):
        while True:
            reply = await spine.request(subjects.control("edge"), b'{"do":"status"}', timeout=10)
            answer: dict[str, Any] = msgspec.json.decode(reply.payload)
            left = [item["name"] for item in answer.get("orphans", ()) if item["waiting"]]
            if not left:
                return answer
            await anyio.sleep(0.2)
    raise BackupError(
        f"the journals of {', '.join(left)}, which are gone, are not with the spine within {PATIENCE:g} s",
        hint="look at the spine and the historian ('hulian status') and try again",
    )


async def _journals_stored(spine: Spine, configuration: Configuration, say: Say) -> None:
    """Waits until what the connectors' journals hold now is in the historian."""
    subjects = streams.Subjects(configuration.node.organisation)
    answer = await _without_orphans(spine, subjects)
    wanted = {item["name"]: item["journal"] for item in answer.get("connectors", ()) if item["journal"]["sequence"]}
    told, missing = False, list(wanted)
    with anyio.move_on_after(PATIENCE):
        while True:
            rows = msgspec.json.decode((await spine.request(subjects.query_ledger, timeout=10)).payload)
            stored = {(row["source"], row["epoch"]): row["last_sequence"] for row in rows}
            missing = [
                name for name, journal in wanted.items() if stored.get((name, journal["epoch"]), 0) < journal["sequence"]
            ]
            if not missing:
                return
            if not told:
                say(f"waiting for the journals of {', '.join(missing)}")
                told = True
            await anyio.sleep(0.2)
    raise BackupError(
        f"what {', '.join(missing)} have read is not in the historian within {PATIENCE:g} s",
        hint="look at the connectors and the historian ('hulian connectors', 'hulian status') and try again",
    )


async def _historian(spine: Spine, configuration: Configuration, work: Path) -> None:
    subject = streams.Subjects(configuration.node.organisation).control("historian")
    request = msgspec.json.encode({"do": "backup", "directory": str(work)})
    answer: dict[str, Any] = msgspec.json.decode((await spine.request(subject, request, timeout=3600)).payload)
    if not answer.get("ok"):
        error = answer.get("error", {})
        raise BackupError(
            f"the historian cannot be copied: {error.get('code', '')} {error.get('message', '')}", hint=error.get("hint", "")
        )


def _copy_tree(source: Path, target: Path, *, without: str = "") -> None:
    """A copy of all files, readable by their owner only, but for those in the folder ``without``."""
    if not source.is_dir():
        return
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if inside.parts[0] == without:
            continue
        place = target / inside
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            continue
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, place)


def _copy_rest(configuration: Configuration, configuration_file: Path | None, data: Path, work: Path) -> None:
    head = data / "secrets" / "audit.head"
    end_of_trail = head.read_bytes() if head.exists() else None
    registry = open_registry(configuration)
    try:
        if not configuration.node.database:
            registry.backup(work / "registry.db")
    finally:
        registry.close()
    for name in ("secrets", "pki"):
        _copy_tree(data / name, work / name)
    # The node's own key, and which identifiers were given out. Copies of other nodes' records are copied again from them.
    _copy_tree(data / "identifiers", work / "identifiers", without="copies")
    if end_of_trail is not None:  # of a moment before the registry's: a later one would speak of records that are not copied
        (work / "secrets" / head.name).write_bytes(end_of_trail)
    if configuration_file is not None and configuration_file.exists():
        shutil.copyfile(configuration_file, work / "hulian.toml")


def restore(configuration: Configuration, source: Path, *, progress: Progress) -> Manifest:
    """Makes the node's data directory from a backup. Refuses a directory that exists. Raises `BackupError`."""
    data = Path(configuration.node.data).absolute()
    manifest = read_manifest(source)
    if manifest.organisation != configuration.node.organisation:
        raise BackupError(
            f"the backup is of the organisation '{manifest.organisation}', this node's is '{configuration.node.organisation}'",
            place=str(source),
            hint="set node.organisation to the backup's, or use the hulian.toml that is inside the backup",
        )
    unpack(source, data, progress=progress)
    lock_directory(data)
    copied = data / "historian"
    if copied.is_dir():
        waiting = data / "historian.backup"
        copied.rename(waiting)
        restore_historian(waiting, copied, configuration.historian)
        shutil.rmtree(waiting)
    return manifest
