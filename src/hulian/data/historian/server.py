"""The second engine: a ClickHouse server over HTTP, with the same tables, the same SQL and the same blocks."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import Cancellation, Limits
from hulian.data.historian.engine import Deadline, Waiter, error_of, insert_settings, query_settings
from hulian.data.historian.errors import ClosedError, HistorianError, QueryCancelledError, ServerError, StoreError
from hulian.data.historian.native import NativeBlock
from hulian.data.historian.store import Store

__all__ = ["ServerEngine", "ServerHistorian"]

_WAIT = 30.0


class ServerEngine:
    """A ClickHouse server; an `hulian.data.historian.engine.Engine`.

    Raises `ServerError` where it cannot be reached or refuses us; what it says about a statement is told as the embedded
    engine tells it.
    """

    def __init__(self, configuration: HistorianConfiguration, password: str) -> None:
        try:
            import clickhouse_connect
            from clickhouse_connect.driver.exceptions import ClickHouseError
        except ImportError as error:
            raise ServerError("clickhouse-connect is not installed", hint="pip install 'hulian[clickhouse]'") from error
        server = configuration.server
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServerError(f"'{server.url}' is not the address of a server", place="historian.server.url")
        self._errors: tuple[type[Exception], ...] = (ClickHouseError, OSError)
        self._place = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}"
        self._database = server.database
        self._waiter = Waiter(configuration.threads)
        self._closed = False
        self._lock = threading.Lock()
        try:
            self._client: Any = clickhouse_connect.get_client(
                host=parts.hostname,
                port=parts.port or (8443 if parts.scheme == "https" else 8123),
                secure=parts.scheme == "https",
                username=server.user,
                password=password,
                autogenerate_session_id=False,
                compress=False,
                connect_timeout=_WAIT,
            )
        except self._errors as error:
            raise ServerError(f"the server cannot be used: {_words(error)}", place=self._place) from error

    @property
    def database(self) -> str:
        return self._database

    def execute(self, sql: str) -> None:
        self.check_open()
        try:
            self._client.command(sql, use_database=False)
        except self._errors as error:
            raise self._error(error) from error

    def insert(self, table: str, block: NativeBlock, token: str) -> None:
        self.check_open()
        try:
            self._client.raw_insert(
                f"{self._database}.{table}",
                column_names=[column.name for column in block.columns],
                insert_block=b"".join(block.parts()),
                settings=insert_settings(token),
                fmt="Native",
            )
        except self._errors as error:
            raise self._error(error) from error

    def stream(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]:
        with self._asking(limits, deadline, cancellation) as settings:
            try:
                with self._client.raw_stream(sql, settings=settings, fmt="ArrowStream", use_database=False) as body:
                    peeked = body.read(4)
                    if not peeked:
                        return
                    with pa.ipc.open_stream(_Rest(peeked, body)) as reader:
                        for batch in reader:
                            if batch.num_rows:
                                yield batch
                            if deadline is not None:
                                _ = deadline.left
            except pa.ArrowInvalid as error:
                raise StoreError("the server broke off in the middle of a result", place=self._place) from error
            except self._errors as error:
                raise self._error(error, limits) from error

    def table(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> pa.Table:
        batches = list(self.stream(sql, limits, deadline, cancellation))
        return pa.Table.from_batches(batches) if batches else pa.table({})

    @contextlib.contextmanager
    def _asking(self, limits: Limits, deadline: Deadline | None, cancellation: Cancellation | None) -> Iterator[dict[str, str]]:
        self.check_open()
        seconds = deadline.left if deadline is not None else limits.seconds
        leave = self._waiter.enter(seconds)
        try:
            if cancellation is not None and cancellation.cancelled:
                raise QueryCancelledError("the query was cancelled")
            identity = uuid.uuid4().hex
            forget = cancellation.register(lambda: self._kill(identity)) if cancellation is not None else None
            try:
                # the server answers when it has the whole result, so that an error is an error and not half a stream
                yield query_settings(limits, seconds, identity) | {
                    "wait_end_of_query": "1",
                    "cancel_http_readonly_queries_on_client_close": "1",
                }
            finally:
                if forget is not None:
                    forget()
        finally:
            leave()

    def _kill(self, identity: str) -> None:
        with contextlib.suppress(*self._errors):  # it may have ended in between
            self._client.command(f"KILL QUERY WHERE Settings['log_comment'] = '{identity}' ASYNC", use_database=False)

    def _error(self, error: Exception, limits: Limits | None = None) -> HistorianError:
        text = str(error)
        if "Code: " in text:
            return error_of(text, limits)
        return ServerError(f"the server cannot be reached: {_words(error)}", place=self._place)

    def check_open(self) -> None:
        if self._closed:
            raise ClosedError("the historian is closed")

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._client.close()


class _Rest:
    """A body of which the first bytes were read already, as pyarrow reads files."""

    closed = False

    def __init__(self, first: bytes, body: Any) -> None:
        self._first = first
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, the ones read already first."""
        if size is None or size < 0:
            first, self._first = self._first, b""
            return bytes(first + self._body.read())
        parts = [self._first[:size]]
        self._first = self._first[size:]
        left = size - len(parts[0])
        while left > 0 and (part := self._body.read(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def close(self) -> None:
        """The body belongs to the caller."""


class ServerHistorian(Store):
    """The historian over a ClickHouse server that others may share, in a database of its own.

    One process inserts. ``password`` is the resolved secret. Raises `ServerError` where the server cannot be used.
    """

    def __init__(self, configuration: HistorianConfiguration, password: str = "") -> None:
        engine = ServerEngine(configuration, password)
        try:
            super().__init__(engine, configuration)
        except BaseException:
            engine.close()
            raise


def _words(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
