"""Journals whose connector is gone: what they hold still reaches the spine, then they go too."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog
from anyio.abc import TaskGroup

from hulian.kernel.errors import HulianError, IdentifierError
from hulian.kernel.event import Event, Severity
from hulian.kernel.identifier import escape, unescape
from hulian.network.exchange.protocols.contract import ConnectorState, ConnectorStatus
from hulian.platform.edge.config import EdgeConfiguration
from hulian.platform.edge.contract import Uplink
from hulian.platform.edge.events import EdgeEvent
from hulian.platform.edge.journal import Journal
from hulian.platform.edge.pace import Pace
from hulian.platform.edge.sender import Sender

__all__ = ["Orphans"]

_log = structlog.get_logger(__name__)
AT_ONCE: Final = 4
"""Orphaned journals that are open at the same time; the others wait for a place."""
_INPUT: Final = "input"
"""Where a connector keeps what is its own, beside its journal."""
QUIET: Final = 2.0
"""Seconds that an orphan may take before it is told."""


class _Orphan(msgspec.Struct):
    name: str
    found: bool
    """An earlier life of the edge left it; else its connector was removed just now."""
    scope: anyio.CancelScope
    ended: anyio.Event
    journal: Journal
    sender: Sender | None = None
    error: HulianError | None = None


class Orphans:
    """Drains the journals of connectors that were removed or renamed, also by somebody else while the edge was down.

    Each keeps its name, epoch and numbers, so that the ledger counts on in the same account. When the spine has everything the
    journal's directory is removed. A connector that comes back under the name takes its journal over with `release`.
    """

    def __init__(
        self,
        directory: Path,
        settings: EdgeConfiguration,
        uplink: Uplink,
        emit: Callable[[Event], None],
        *,
        pace: Pace,
        power: bool = False,
    ) -> None:
        self._directory = directory
        self._pace = pace
        self._settings = settings
        self._uplink = uplink
        self._emit = emit
        self._power = power
        self._orphans: dict[str, _Orphan] = {}
        self._places = anyio.CapacityLimiter(AT_ONCE)

    def on_disk(self) -> list[str]:
        """The names of all journals that are there, whoever they belong to. Blocks."""
        names: list[str] = []
        for directory in sorted(self._directory.iterdir()) if self._directory.is_dir() else ():
            if directory.name.startswith("."):
                continue
            try:
                if directory.is_dir() and all(_is_ours(path) for path in directory.iterdir()):
                    names.append(unescape(directory.name))
            except (IdentifierError, OSError) as error:
                _log.warning("a directory beside the journals is none", directory=directory.name, reason=str(error))
        return names

    def adopt(self, group: TaskGroup, names: Iterable[str], *, found: bool) -> None:
        """Begins to drain the journals of ``names``; those that are being drained go on."""
        for name in names:
            if name not in self._orphans:
                path = self._directory / escape(name)
                settings = self._settings
                journal = Journal(path, bound=settings.buffer_mb * 2**20, policy=settings.buffer_policy, power=self._power)
                orphan = _Orphan(name, found, anyio.CancelScope(), anyio.Event(), journal)
                self._orphans[name] = orphan
                group.start_soon(self._keep, orphan)

    async def release(self, name: str) -> None:
        """Nobody uses the journal of ``name`` on return: a connector may take it over."""
        orphan = self._orphans.pop(name, None)
        if orphan is not None:
            orphan.scope.cancel()
            await orphan.ended.wait()

    def names(self) -> list[str]:
        """Those that are being drained or wait for their turn."""
        return list(self._orphans)

    def status_message(self, name: str) -> bytes:
        """As `ConnectorRunner.status_message`, with ``orphan`` set; ``waiting`` where the journal is not known yet or holds
        batches."""
        orphan = self._orphans[name]
        journal, error = orphan.journal, orphan.error
        status = ConnectorStatus(state=ConnectorState.STOPPED, hint="the connector is gone; what it had read is being sent")
        if error is not None:
            status.error_code, status.error, status.hint = error.code, str(error), error.hint
        return msgspec.json.encode(
            {
                "name": name,
                "orphan": True,
                "enabled": False,
                "waiting": error is None and (orphan.sender is None or journal.pending > 0),
                "status": status,
                "restarts": 0,
                "journal": _figures(journal, orphan.sender),
            }
        )

    async def _keep(self, orphan: _Orphan) -> None:
        try:
            with orphan.scope:
                async with self._places:
                    await self._drain(orphan)
        except Exception as error:  # noqa: BLE001 - one journal must not end the others
            _log.error("an orphaned journal failed", connector=orphan.name, exc_info=error)
        finally:
            orphan.ended.set()
            if orphan.error is None and self._orphans.get(orphan.name) is orphan:
                del self._orphans[orphan.name]

    async def _drain(self, orphan: _Orphan) -> None:
        journal = orphan.journal
        try:
            await anyio.to_thread.run_sync(journal.open)
            orphan.sender = Sender(orphan.name, journal, self._uplink, self._settings.window, self._emit, self._pace)
            told = orphan.found and journal.pending > 0
            if told:
                self._tell(orphan, active=True)
            async with anyio.create_task_group() as group:
                group.start_soon(orphan.sender.run)
                with anyio.move_on_after(QUIET):
                    await orphan.sender.emptied()
                if journal.pending and not told:
                    told = True
                    self._tell(orphan, active=True)
                await orphan.sender.emptied()
                group.cancel_scope.cancel()
            if told or orphan.found:
                self._tell(orphan, active=False)
            # An epoch is a second: a connector of this name that comes back begins a later one.
            await anyio.sleep(max(0.0, journal.epoch + 1 - time.time()))
        except HulianError as error:
            orphan.error = error
            self._tell(orphan, active=True)
            return
        finally:
            journal.close()
        await anyio.to_thread.run_sync(_remove, journal.directory)

    def _tell(self, orphan: _Orphan, *, active: bool) -> None:
        error, pending = orphan.error, orphan.journal.pending
        if error is not None:
            message, hint = f"the journal of {orphan.name}, which is gone, cannot be read: {error.message}", error.hint
        elif active:
            message = f"{orphan.name} is gone; its journal still holds {pending} batches, which are being sent"
            hint = "nothing to do: the journal is removed when the spine has them"
        else:
            message, hint = f"what {orphan.name}, which is gone, had still to send is with the spine", ""
        severity = Severity.ERROR if error is not None else Severity.INFO
        self._emit(
            Event(
                time=time.time_ns(),
                code=EdgeEvent.JOURNAL_ORPHANED,
                severity=severity,
                component="edge",
                subject=orphan.name,
                message=message,
                hint=hint,
                active=active,
                details={"pending": pending, "directory": str(orphan.journal.directory)},
            )
        )


def _figures(journal: Journal, sender: Sender | None) -> dict[str, Any]:
    return {
        "epoch": journal.epoch,
        "sequence": journal.sequence,
        "offset": journal.offset,
        "acknowledged": journal.acknowledged,
        "bytes": journal.bytes,
        "bound": journal.bound,
        "policy": journal.policy,
        "dropped": journal.dropped,
        "refusal": sender.refusal if sender is not None else "",
    }


def _is_ours(path: Path) -> bool:
    return path.suffix == ".journal" or path.name in ("acknowledged", _INPUT)


def _remove(directory: Path) -> None:
    """Oldest first: a kill -9 in between leaves what the next start takes for a journal that is done."""
    for path in sorted(directory.glob("*.journal")):
        path.unlink()
    shutil.rmtree(directory / _INPUT, ignore_errors=True)
    (directory / "acknowledged").unlink(missing_ok=True)
    directory.rmdir()
