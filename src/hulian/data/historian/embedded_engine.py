"""The embedded engine: chdb, a ClickHouse inside this process.

The directory belongs to one process at a time. Inserts go through one session; queries each take a session of their own
from a bounded pool, so that they run side by side and beside the inserts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import Cancellation, Limits
from hulian.data.historian.engine import Deadline, Waiter, clause, error_of, insert_settings, query_settings
from hulian.data.historian.errors import ClosedError, QueryCancelledError, StoreError, StoreLockedError
from hulian.data.historian.native import NativeBlock
from hulian.data.historian.sql import quote

__all__ = ["DATABASE", "EmbeddedEngine", "OwnerLock"]

DATABASE: Final = "hulian"


class OwnerLock:
    """The right to a directory, held until `release` or the end of the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = (directory / "owner.lock").open("a+", encoding="ascii")
        except OSError as error:
            raise StoreError(
                f"the directory of the historian cannot be used: {error.strerror}",
                place=str(directory),
                hint="check that it exists, that this user may write there, and that the disk has room",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read(20).strip()
            self._file.close()
            who = f"process {owner}" if owner else "another process"
            raise StoreLockedError(f"the historian is owned by {who}", place=str(directory)) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Gives the directory up."""
        self._file.close()


class EmbeddedEngine:
    """chdb over ``directory``; an `hulian.data.historian.engine.Engine`."""

    def __init__(self, directory: Path, configuration: HistorianConfiguration) -> None:
        if set("?&#%") & set(str(directory)):
            raise StoreError("the path of the historian may not hold any of ? & # %", place=str(directory))
        self.directory = directory
        self._lock = OwnerLock(directory)
        self._waiter = Waiter(configuration.threads)
        self._idle: list[Any] = []
        self._idle_lock = threading.Lock()
        self._closed = False
        settings = {
            "max_server_memory_usage": configuration.memory_mb * 1_000_000,
            "mark_cache_size": 64 << 20,
            "uncompressed_cache_size": 0,
            "background_pool_size": configuration.merge_threads,
            "background_schedule_pool_size": 2,
            "background_move_pool_size": 1,
            "background_fetches_pool_size": 1,
            "background_common_pool_size": 2,
            "background_buffer_flush_schedule_pool_size": 1,
            "background_message_broker_schedule_pool_size": 1,
            "background_distributed_schedule_pool_size": 1,
        }
        self._address = f"{directory / 'store'}?" + "&".join(f"{key}={value}" for key, value in settings.items())
        try:
            self._writer = self._open()
            self._control = self._open()
        except BaseException:
            self._lock.release()
            raise
        self._control_lock = threading.Lock()

    @property
    def database(self) -> str:
        return DATABASE

    def _open(self) -> Any:
        from chdb.session import Session  # costs 0.3 s and 300 MB: only the process that owns a store pays

        try:
            return Session(self._address)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise StoreError(
                f"the store cannot be opened: {error_of(str(error)).message}", place=str(self.directory)
            ) from error

    def execute(self, sql: str) -> None:
        self.check_open()
        try:
            self._writer.query(sql)
        except RuntimeError as error:
            self._renew()
            raise error_of(str(error)) from error

    def insert(self, table: str, block: NativeBlock, token: str) -> None:
        """Reads the block from memory as if from a file: chdb's own streaming insert hides errors, a full disk among them."""
        self.check_open()
        settings = insert_settings(token) | {"max_threads": "1", "storage_file_read_method": "pread"}
        with os.fdopen(os.memfd_create("block"), "wb") as file:
            file.writelines(block.parts())
            file.flush()
            source = f"file('/proc/self/fd/{file.fileno()}', 'Native', {quote(block.structure)})"
            try:
                self._writer.query(
                    f"INSERT INTO {DATABASE}.{table} ({block.names}) SELECT {block.names} FROM {source}{clause(settings)}"  # noqa: S608
                )
            except RuntimeError as error:
                self._renew()
                raise error_of(str(error)) from error

    def stream(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]:
        with self._session(limits, deadline, cancellation) as (session, statement):
            result = None
            try:
                result = session.send_query(sql + statement, "ArrowStream")
                while (chunk := result.fetch()) is not None:
                    yield from pa.ipc.open_stream(chunk.bytes())
                    if deadline is not None:
                        _ = deadline.left
                result = None
            except RuntimeError as error:
                result = None
                raise error_of(str(error), limits) from error
            finally:
                if result is not None:
                    with contextlib.suppress(RuntimeError):  # the stream ended by itself in between
                        result.cancel()

    def table(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> pa.Table:
        with self._session(limits, deadline, cancellation) as (session, statement):
            try:
                data = session.query(sql + statement, "ArrowStream").bytes()
            except RuntimeError as error:
                raise error_of(str(error), limits) from error
        return pa.ipc.open_stream(data).read_all() if data else pa.table({})

    @contextlib.contextmanager
    def _session(
        self, limits: Limits, deadline: Deadline | None, cancellation: Cancellation | None
    ) -> Iterator[tuple[Any, str]]:
        self.check_open()
        seconds = deadline.left if deadline is not None else limits.seconds
        leave = self._waiter.enter(seconds)
        try:
            if cancellation is not None and cancellation.cancelled:
                raise QueryCancelledError("the query was cancelled")
            with self._idle_lock:
                session = self._idle.pop() if self._idle else None
            session = session or self._open()
            identity = uuid.uuid4().hex
            forget = cancellation.register(lambda: self._kill(identity)) if cancellation is not None else None
            sound = False
            try:
                yield session, clause(query_settings(limits, seconds, identity))
                sound = True
            finally:
                if forget is not None:
                    forget()
                self._give_back(session, sound=sound)
        finally:
            leave()

    def _give_back(self, session: Any, *, sound: bool) -> None:
        """After an error chdb may swallow the first rows of the session's next stream: such a session is not used again."""
        with self._idle_lock:
            if sound and not self._closed:
                self._idle.append(session)
                return
        session.close()

    def _renew(self) -> None:
        """Another session for the writer after an error, for the same reason."""
        failed, self._writer = self._writer, self._open()
        failed.close()

    def _kill(self, identity: str) -> None:
        with self._control_lock, contextlib.suppress(RuntimeError):  # it may have ended in between
            if not self._closed:
                self._control.query(f"KILL QUERY WHERE query LIKE '%{identity}%' AND query NOT LIKE 'KILL%' ASYNC")

    def check_open(self) -> None:
        if self._closed:
            raise ClosedError("the historian is closed")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with self._idle_lock:
            sessions, self._idle = [*self._idle, self._writer, self._control], []
        for session in sessions:
            session.close()
        self._lock.release()
