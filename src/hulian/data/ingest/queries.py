"""The historian served over the spine: bounded at once, bounded in waiting, bounded each, in chunks that the asker grants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import anyio
import msgspec
import pyarrow as pa
import structlog
from anyio import from_thread, to_thread

from hulian.data.historian.contract import Cancellation, Correct, Historian, Limits
from hulian.data.historian.errors import QueryCancelledError
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.data.ingest.errors import AskError, BusyError, IngestError
from hulian.data.ingest.wire import (
    CANCEL,
    WINDOW,
    AskAnnotate,
    AskBackup,
    AskCorrect,
    AskInsert,
    AskQuery,
    AskSizes,
    kind_headers,
    pack_batch,
    pack_error,
    unpack_ask,
)
from hulian.kernel.errors import HulianError
from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.connection import Message, Spine, status_of
from hulian.network.exchange.spine.errors import SpineUnavailableError

__all__ = ["QueryServer"]

_log = structlog.get_logger("hulian.ingest.queries")
_CHUNK: Final = 1 * 2**20
_PATIENCE: Final = 30.0


class _Session:
    """One answer under way: what the asker granted, and whether it still wants it."""

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.slow = False
        self._granted = threading.Semaphore(WINDOW)

    def hear(self, payload: bytes, gone: bool) -> None:
        if gone or payload == CANCEL:
            self.cancellation.cancel()
        self._granted.release()

    def wait(self) -> bool:
        """Waits for a grant; False where the asker went away or takes nothing."""
        if not self._granted.acquire(timeout=_PATIENCE):
            self.slow = True
            self.cancellation.cancel()
        return not self.cancellation.cancelled


class QueryServer:
    """Answers questions on one subject. Inserts and corrections wait for the block under way, queries do not."""

    def __init__(
        self,
        spine: Spine,
        subject: str,
        historian: Historian,
        configuration: IngestConfiguration,
        writing: anyio.Lock,
        backup: Callable[[str], Any],
    ) -> None:
        self.served = 0
        self.refused = 0
        self.cancelled = 0
        self._spine = spine
        self._subject = subject
        self._historian = historian
        self._configuration = configuration
        self._writing = writing
        self._backup = backup
        self._threads = anyio.CapacityLimiter(configuration.queries_at_once)
        self._sessions: dict[bytes, _Session] = {}
        self._number = 0
        self._inbox = spine.new_inbox("q")

    @property
    def running(self) -> int:
        """Queries that run or wait now."""
        return len(self._sessions)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serves until cancelled."""
        most = self._configuration.queries_at_once + self._configuration.queries_waiting
        number = await self._spine.attach(f"{self._inbox}*", self._hear)
        try:
            ready()
            await self._spine.serve(self._subject, self._answer, at_once=most + 16)
        finally:
            for session in self._sessions.values():
                session.cancellation.cancel()
            await self._spine.detach(number)

    def _hear(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if session := self._sessions.get(subject[len(self._inbox) :]):
            session.hear(payload, gone=status_of(headers) == 503)

    async def _answer(self, message: Message) -> None:
        if not message.reply:
            return
        try:
            ask, columns = await to_thread.run_sync(unpack_ask, message.payload)
            if isinstance(ask, AskQuery):
                await self._query(ask, message.reply)
            else:
                answer = await self._do(ask, columns)
                await self._spine.publish(message.reply, msgspec.json.encode(answer), headers=kind_headers("end"))
            self.served += 1
        except QueryCancelledError:
            self.cancelled += 1
        except HulianError as error:
            self.refused += 1
            try:
                await self._spine.publish(message.reply, pack_error(error), headers=kind_headers("error"))
            except SpineUnavailableError:
                _log.info("an error found no asker", error=str(error))

    async def _do(self, ask: AskInsert | AskCorrect | AskAnnotate | AskSizes | AskBackup, columns: list[Columns]) -> Any:
        match ask:
            case AskSizes():
                return await to_thread.run_sync(self._historian.sizes)
            case AskAnnotate(annotation=annotation):
                async with self._writing:
                    await to_thread.run_sync(self._historian.annotate, annotation)
            case AskInsert(token=token):
                if not columns or not token:
                    raise AskError("history without columns, or without the token that makes a repeat harmless")
                async with self._writing:
                    await to_thread.run_sync(self._historian.insert, columns, f"history-{token}")
            case AskCorrect(author=author, reason=reason):
                for one in columns:
                    async with self._writing:
                        correction = Correct(columns=one, author=author, reason=reason)
                        await to_thread.run_sync(self._historian.correct, correction)
            case AskBackup(directory=directory):
                return await self._backup(directory)
        return {}

    def _bounded(self, limits: Limits) -> Limits:
        most = self._configuration
        return Limits(
            memory=min(limits.memory, most.query_memory_mb * 2**20),
            seconds=min(limits.seconds, most.query_seconds),
            threads=min(limits.threads, most.query_threads),
            rows=min(limits.rows, most.query_rows),
        )

    async def _query(self, ask: AskQuery, reply: str) -> None:
        settings = self._configuration
        if len(self._sessions) >= settings.queries_at_once + settings.queries_waiting:
            raise BusyError(f"{len(self._sessions)} queries run or wait already")
        self._number += 1
        token = b"%d" % self._number
        session = self._sessions[token] = _Session()
        back = self._inbox + token.decode()
        try:
            await self._spine.publish(reply, b"", reply=back, headers=kind_headers("begin"))
            await to_thread.run_sync(self._run, ask, session, reply, back, limiter=self._threads)
            await self._spine.publish(reply, b"", headers=kind_headers("end"))
        finally:
            del self._sessions[token]

    def _run(self, ask: AskQuery, session: _Session, reply: str, back: str) -> None:
        """The query, in a worker thread, chunk by chunk as the asker grants them."""
        if session.cancellation.cancelled:
            raise QueryCancelledError("the asker went away before the query began")
        begun = time.monotonic()
        headers = kind_headers("data")
        rows = self._historian.query(ask.request, self._bounded(ask.limits), session.cancellation)
        try:
            for chunk in _chunks(rows):
                if not session.wait():
                    break
                from_thread.run(self._send, reply, chunk, back, headers)
        except SpineUnavailableError as error:
            session.cancellation.cancel()
            raise QueryCancelledError("the link to the asker broke") from error
        finally:
            if close := getattr(rows, "close", None):
                close()
        if session.slow:
            raise IngestError(
                f"the asker took nothing for {_PATIENCE:g} s; its query was ended after {time.monotonic() - begun:.0f} s"
            )
        if session.cancellation.cancelled:
            raise QueryCancelledError("the asker went away")

    async def _send(self, reply: str, chunk: bytes, back: str, headers: bytes) -> None:
        await self._spine.publish(reply, chunk, reply=back, headers=headers)


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Arrow streams of about a mebibyte each; at least one, so that the asker learns the schema."""
    for batch in batches:
        size = batch.nbytes
        step = batch.num_rows if size <= _CHUNK else max(1, batch.num_rows * _CHUNK // size)
        for start in range(0, max(1, batch.num_rows), max(1, step)):
            part = batch.slice(start, step)
            yield pack_batch(part)
