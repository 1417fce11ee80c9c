"""The daily export beside a running node: made when it is due, carried away by a command, the old ones cleared."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.escrow.configuration import EscrowConfiguration
from hulian.network.identifiers.escrow.errors import HistoryError, ManifestError, UploadError
from hulian.network.identifiers.escrow.export import Order, export
from hulian.network.identifiers.escrow.manifest import MANIFEST, Manifest, Position, SigningKey, peek_manifest
from hulian.network.identifiers.escrow.recipients import RecipientKey
from hulian.network.identifiers.escrow.volumes import FIRST_VOLUME
from hulian.registry import Registry

__all__ = ["Daily", "due", "exports_in"]

UPLOADED: Final = "uploaded"
"""The empty file that says that the command has carried an export away."""

_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 3_600.0
_LONGEST_SLEEP: Final = 900.0
"""The clock of the machine may be set meanwhile: it is looked at again."""

_KILLED: Final = 86_400.0
"""Seconds after which a folder that has no name yet is nobody's any more."""

_TOLD: Final = 400
_log = structlog.get_logger(__name__)


def due(last: datetime | None, at: str, now: datetime) -> datetime:
    """When the next export is due: at the first ``at`` (HH:MM, UTC) behind the last one; at once where there is none.

    >>> due(datetime(2026, 11, 23, 0, 10, tzinfo=UTC), "00:10", datetime(2026, 11, 23, 7, tzinfo=UTC)).isoformat()
    '2026-11-24T00:10:00+00:00'
    """
    if last is None or last > now:  # one of the future was made while the clock was wrong
        return now
    hour, minute = map(int, at.split(":"))
    next_ = last.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return next_ if next_ > last else next_ + timedelta(days=1)


def exports_in(directory: Path) -> list[tuple[Path, Manifest]]:
    """The exports in ``directory``, oldest first. What has no manifest that can be read is none."""
    found = []
    for path in directory.glob(f"*/{MANIFEST}"):
        if path.parent.name.startswith("."):
            continue
        with contextlib.suppress(ManifestError):
            found.append((path.parent, peek_manifest(path)))
    return sorted(found, key=lambda one: (one[1].taken, one[1].at.number))


class Daily:
    """Makes the exports that ``settings`` ask for, of the records in ``registry``, signed by ``key``.

    What fails is said in the log and tried again, later each time, for ever; an export that is whole is never made twice for a
    command that fails. One process at a time.
    """

    def __init__(
        self,
        registry: Registry,
        node: str,
        settings: EscrowConfiguration,
        recipients: Sequence[RecipientKey],
        key: SigningKey,
    ) -> None:
        self._registry = registry
        self._node = node
        self._settings = settings
        self._recipients = recipients
        self._key = key
        self._directory = Path(settings.directory).absolute()
        self.trouble = ""
        """Why the last try failed; empty where it did not."""

    async def run(self) -> None:
        """Until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            try:
                sleep = await self.once()
                self.trouble, pause = "", _FIRST_PAUSE
            except HulianError as error:
                self.trouble, sleep, pause = str(error), pause, min(pause * 2, _LONGEST_PAUSE)
                _log.warning("no escrow", reason=self.trouble, hint=error.hint, again_in=sleep)
            await anyio.sleep(min(sleep, _LONGEST_SLEEP))

    async def once(self) -> float:
        """Does what is due now; seconds until there is something again. Raises the errors of `export`, and `UploadError`."""
        there = await anyio.to_thread.run_sync(exports_in, self._directory)
        now = datetime.fromtimestamp(time.time(), UTC)
        last = datetime.fromisoformat(there[-1][1].taken) if there else None
        if due(last, self._settings.at, now) <= now:
            made = await anyio.to_thread.run_sync(self._export, there, now)
            there = [*there, made]
            _log.info("escrow is exported", folder=made[0].name, kind=made[1].kind, items=made[1].content.items)
        if self._settings.upload:
            for folder, _ in there:
                if not (folder / UPLOADED).exists():
                    await self._upload(folder)
        await anyio.to_thread.run_sync(self._clear, there)
        last = datetime.fromisoformat(there[-1][1].taken)
        return max((due(last, self._settings.at, now) - now).total_seconds(), 1.0)

    def _export(self, there: Sequence[tuple[Path, Manifest]], now: datetime) -> tuple[Path, Manifest]:
        full = next((manifest for _, manifest in reversed(there) if manifest.kind == "full"), None)
        after: Position | None = None
        if full is not None and now - datetime.fromisoformat(full.taken) < timedelta(days=self._settings.full_days, hours=-12):
            after = full.at
        make = partial(Order, node=self._node, recipients=self._recipients, volume_bytes=self._settings.volume_bytes)
        try:
            return export(self._registry, self._directory, make(after=after), self._key)
        except HistoryError as error:
            _log.warning("the last full export is of another history: a full one is made", reason=str(error))
            return export(self._registry, self._directory, make(), self._key)

    async def _upload(self, folder: Path) -> None:
        """Runs the command until it succeeds, or has failed as often as it may."""
        pause = 1.0
        for left in range(self._settings.upload_tries - 1, -1, -1):
            failed = await self._uploaded(folder)
            if not failed:
                await anyio.to_thread.run_sync((folder / UPLOADED).touch)
                return
            if left:
                _log.warning("an export is not carried away", folder=folder.name, reason=failed, again_in=pause)
                await anyio.sleep(pause)
                pause = min(pause * 4, 300.0)
        raise UploadError(
            f"the command after the export failed {self._settings.upload_tries} times: {failed}", place=str(folder)
        )

    async def _uploaded(self, folder: Path) -> str:
        """Why the command failed; empty where it did not."""
        fill = {"{directory}": str(folder), "{name}": folder.name}
        command = []
        for part in self._settings.upload:
            for mark, text in fill.items():
                part = part.replace(mark, text)
            command.append(part)
        with tempfile.TemporaryFile() as told:
            try:
                with anyio.fail_after(self._settings.upload_s):
                    done = await anyio.run_process(
                        command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told
                    )
            except TimeoutError:
                return f"it took more than {self._settings.upload_s:g} s"
            except OSError as error:
                return f"'{command[0]}' cannot be started: {error.strerror}"
            if not done.returncode:
                return ""
            told.seek(max(told.seek(0, 2) - _TOLD, 0))
            return f"exit status {done.returncode}: {told.read().decode(errors='replace').strip()}"

    def _clear(self, there: Sequence[tuple[Path, Manifest]]) -> None:
        """Takes away what is older than the full exports that are kept, once it was carried away; and what was killed."""
        for path in self._directory.glob(f".*-*/{FIRST_VOLUME}"):
            if time.time() - path.stat().st_mtime > _KILLED:
                shutil.rmtree(path.parent, ignore_errors=True)
        full = [place for place, (_, manifest) in enumerate(there) if manifest.kind == "full"]
        if len(full) <= self._settings.keep:
            return
        for folder, _ in there[: full[-self._settings.keep]]:
            if self._settings.upload and not (folder / UPLOADED).exists():
                continue
            gone = folder.with_name(f".{folder.name}.old")
            folder.rename(gone)  # a folder that is half cleared does not look like an export
            shutil.rmtree(gone)
