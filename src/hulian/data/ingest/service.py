"""The historian's process: ingest, queries, retention and backup around one historian."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import structlog
from anyio import TASK_STATUS_IGNORED, to_thread
from anyio.abc import TaskStatus

from hulian.data.historian.contract import Historian
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.data.ingest.errors import AskError, LedgerError
from hulian.data.ingest.event_intake import EventIntake
from hulian.data.ingest.events import IngestEvent
from hulian.data.ingest.intake import event
from hulian.data.ingest.ledger import Hole, Ledger, Life
from hulian.data.ingest.queries import QueryServer
from hulian.data.ingest.sample_intake import SampleIntake
from hulian.data.ingest.store import IngestStore
from hulian.data.ingest.wire import pack_error
from hulian.kernel.errors import HulianError, IdentifierError
from hulian.kernel.event import Event, Severity
from hulian.kernel.identifier import unescape
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.spine.connection import Message, Spine
from hulian.network.exchange.spine.errors import SpineError, SpineUnavailableError
from hulian.network.exchange.spine.publisher import Publisher
from hulian.network.exchange.spine.streams import Subjects

__all__ = ["HistorianService", "IngestStatus"]

_log = structlog.get_logger("hulian.ingest")
_COMPONENT: Final = "ingest"


class IngestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What health and metrics show of ingest; counts since the start of the process unless said."""

    samples_per_s: float
    samples: int
    duplicates: int
    blocks: int
    waiting: int
    """Messages taken from the stream and not yet stored."""
    position: int
    refused: int
    dead_letters: int
    """Since ever."""
    expired: int
    """Messages that left a stream before they were stored, since ever."""
    queries_running: int
    queries: int
    queries_refused: int
    queries_cancelled: int
    trouble: str
    since: int


class _Journal(msgspec.Struct):
    epoch: int = 0
    sequence: int = 0
    offset: int = 0
    acknowledged: int | None = None


class _EdgeStatus(msgspec.Struct):
    journal: _Journal | None = None


class HistorianService:
    """The component ``historian``: a `hulian.kernel.lifecycle.Component`.

    It owns ``historian`` and ``directory/ingest.db`` for as long as it runs. It answers on ``query.historian``,
    ``query.ledger`` and ``control.historian``, and says how it is each second.
    """

    def __init__(
        self,
        spine: Spine,
        historian: Historian,
        directory: Path,
        organisation: str,
        configuration: IngestConfiguration | None = None,
    ) -> None:
        self._spine = spine
        self._historian = historian
        self._directory = directory
        self._organisation = organisation
        self._subjects = Subjects(organisation)
        self._configuration = configuration or IngestConfiguration()
        self._since = time.time_ns()

    @property
    def name(self) -> str:
        return "historian"

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `LedgerError` where ``ingest.db`` cannot be used."""
        settings = self._configuration
        store = await to_thread.run_sync(
            lambda: IngestStore(self._directory / "ingest.db", settings.durability, dead_letters=settings.dead_letters)
        )
        try:
            ledger = Ledger(await to_thread.run_sync(store.lives))
            writing = anyio.Lock()
            samples = SampleIntake(
                self._spine, self._historian, store, settings, writing, organisation=self._organisation, ledger=ledger
            )
            events = EventIntake(self._spine, self._historian, store, settings, writing)

            async def backup(directory: str) -> Any:
                return await self._backup(directory, store, writing)

            queries = QueryServer(self._spine, self._subjects.query_historian, self._historian, settings, writing, backup)
            async with anyio.create_task_group() as tasks:
                await _started(tasks, queries.run)
                tasks.start_soon(self._serve_ledger, ledger)
                tasks.start_soon(self._serve_control, backup)
                tasks.start_soon(self._listen_edges, ledger)
                tasks.start_soon(self._tell, store)
                tasks.start_soon(self._watch, ledger, store, writing)
                tasks.start_soon(self._retain, store, writing)
                tasks.start_soon(self._report, ledger, store, samples, events, queries)
                await _started(tasks, samples.run)
                await _started(tasks, events.run)
                task_status.started()
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(store.close)

    # -- what others ask ---------------------------------------------------------------------------------------------

    async def _serve_ledger(self, ledger: Ledger) -> None:
        async def answer(message: Message) -> None:
            if message.reply:
                await self._spine.publish(message.reply, msgspec.json.encode(ledger.rows()))

        await self._spine.serve(self._subjects.query_ledger, answer)

    async def _serve_control(self, backup: Callable[[str], Any]) -> None:
        async def answer(message: Message) -> None:
            try:
                try:
                    ask = msgspec.json.decode(message.payload, type=dict[str, Any])
                except UNREADABLE as error:
                    raise AskError(f"a control request that cannot be read: {error}") from error
                if ask.get("do") != "backup" or not isinstance(ask.get("directory"), str):
                    raise AskError("the historian knows one control request: {'do': 'backup', 'directory': PATH}")
                reply = msgspec.json.encode({"ok": True, "backup": await backup(ask["directory"])})
            except HulianError as error:
                reply = msgspec.json.encode({"ok": False, "error": msgspec.json.decode(pack_error(error))})
            if message.reply:
                await self._spine.publish(message.reply, reply)

        await self._spine.serve(self._subjects.control("historian"), answer, at_once=1)

    async def _backup(self, directory: str, store: IngestStore, writing: anyio.Lock) -> Any:
        """Historian and ledger of the same moment: between two blocks."""
        target = Path(directory)
        if not target.is_absolute():
            raise AskError("a backup's directory is given as an absolute path", place=directory)

        def copy() -> Any:
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LedgerError(f"the backup's directory cannot be made: {error.strerror}", place=directory) from error
            store.backup(target / "ingest.db")
            return self._historian.backup(str(target / "historian"))

        async with writing:
            answer = await to_thread.run_sync(copy)
        return {"historian": answer, "ledger": str(target / "ingest.db"), "free": shutil.disk_usage(target).free}

    async def _listen_edges(self, ledger: Ledger) -> None:
        """How far each edge's journals have come, for ``pending``."""
        async with await self._spine.subscribe(f"{self._subjects.root}.status.edge.*") as messages:
            async for message in messages:
                try:
                    source = unescape(message.subject.rsplit(".", 1)[-1])
                    said = msgspec.json.decode(message.payload, type=_EdgeStatus)
                except (IdentifierError, *UNREADABLE):
                    continue
                journal = said.journal
                if journal is not None and journal.epoch:
                    ledger.announce(
                        source, journal.epoch, journal.sequence, journal.offset, journal.acknowledged, time.time_ns()
                    )

    # -- what it does by itself --------------------------------------------------------------------------------------

    async def _watch(self, ledger: Ledger, store: IngestStore, writing: anyio.Lock) -> None:
        """Reports holes that did not close within the configured time."""
        patience = self._configuration.gap_seconds
        while True:
            await anyio.sleep(min(1.0, max(0.05, patience / 4)))
            if not ledger.overdue(time.time_ns() - int(patience * 1e9)):
                continue
            # Between two blocks: within one the accounts are ahead of what is stored, and must not reach the disk.
            async with writing:
                overdue = ledger.overdue(time.time_ns() - int(patience * 1e9))
                for _, hole in overdue:
                    hole.announced = True
                lives = {id(life): life for life, _ in overdue}
                try:
                    notes = [_missing(life, hole) for life, hole in overdue]
                    await to_thread.run_sync(store.keep, list(lives.values()), notes)
                except HulianError as error:
                    _log.error("gaps cannot be recorded", error=str(error))
                    for _, hole in overdue:
                        hole.announced = False

    async def _tell(self, store: IngestStore) -> None:
        """Publishes the events of this room, each once, in order, also after a restart."""
        identity = await to_thread.run_sync(store.identity)
        seen = -1
        async with Publisher(self._spine) as publisher:
            while True:
                if seen != store.told_of:
                    seen, left = store.told_of, await to_thread.run_sync(store.outbox)
                    for number, raw in left:
                        try:
                            note = msgspec.json.decode(raw, type=Event)
                            subject = self._subjects.events(note.severity.value, _COMPONENT)
                            await (await publisher.send(subject, raw, f"ingest-{identity}-{number}"))
                        except SpineError as error:
                            _log.info("an event waits for the spine", error=str(error))
                            break
                        await to_thread.run_sync(store.told, number)
                    if left:
                        seen = -1  # more than one look takes, or one that waits
                await anyio.sleep(0.2)

    async def _retain(self, store: IngestStore, writing: anyio.Lock) -> None:
        while True:
            await anyio.sleep(self._configuration.retention_minutes * 60)
            try:
                async with writing:
                    notes = list(await to_thread.run_sync(lambda: list(self._historian.enforce_retention())))
                if notes:
                    await to_thread.run_sync(store.keep, (), notes)
            except HulianError as error:
                _log.error("retention was not enforced", error=str(error))

    async def _report(
        self, ledger: Ledger, store: IngestStore, samples: SampleIntake, events: EventIntake, queries: QueryServer
    ) -> None:
        before, at = samples.samples, time.monotonic()
        kept = await to_thread.run_sync(store.counters)
        while True:
            await anyio.sleep(1)
            now = time.monotonic()
            rate, before, at = (samples.samples - before) / (now - at), samples.samples, now
            status = IngestStatus(
                samples_per_s=round(rate, 1),
                samples=samples.samples,
                duplicates=samples.duplicates,
                blocks=samples.blocks,
                waiting=samples.waiting,
                position=samples.position,
                refused=samples.refused + events.refused,
                dead_letters=kept.get("dead", 0) + samples.dead + events.dead,
                expired=kept.get("expired", 0) + samples.expired + events.expired,
                queries_running=queries.running,
                queries=queries.served,
                queries_refused=queries.refused,
                queries_cancelled=queries.cancelled,
                trouble=samples.trouble or events.trouble,
                since=self._since,
            )
            try:
                await self._spine.publish(self._subjects.status(_COMPONENT, "figures"), msgspec.json.encode(status))
                await self._spine.publish(self._subjects.status(_COMPONENT, "ledger"), msgspec.json.encode(ledger.rows()))
            except SpineUnavailableError:
                continue


def _missing(life: Life, hole: Hole) -> Event:
    samples = hole.end - hole.offset
    return event(
        IngestEvent.GAP,
        Severity.ERROR,
        life.source,
        f"{samples} samples of {life.source} are missing (batches {hole.first} to {hole.last})",
        hint="what the edge still has comes by itself; what its full journal dropped it declares, and then it is not missing",
        active=True,
        details={"epoch": life.epoch, "first": hole.first, "last": hole.last, "samples": samples},
    )


async def _started(tasks: anyio.abc.TaskGroup, run: Callable[[Callable[[], None]], Any]) -> None:
    """Starts ``run`` and returns when it says that it is ready."""
    ready = anyio.Event()
    tasks.start_soon(run, ready.set)
    await ready.wait()
