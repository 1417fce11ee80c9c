"""What the historian asks of a database: run a statement, insert a block under a token, stream a query within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import pyarrow as pa

from hulian.data.historian.contract import Cancellation, Limits
from hulian.data.historian.errors import (
    HistorianError,
    QueryCancelledError,
    QueryLimitError,
    RequestError,
    StoreError,
    StoreFullError,
)
from hulian.data.historian.native import NativeBlock
from hulian.data.historian.sql import quote

__all__ = ["Deadline", "Engine", "Waiter", "clause", "error_of", "insert_settings", "query_settings"]


class Engine(Protocol):
    """A ClickHouse, embedded or a server. Every call blocks; `execute` and `insert` come from one thread at a time.

    Each raises `StoreError` where the engine fails, `ClosedError` after `close`.
    """

    @property
    def database(self) -> str:
        """The database that holds our tables."""
        ...

    def execute(self, sql: str) -> None:
        """Runs a statement that has no result."""
        ...

    def insert(self, table: str, block: NativeBlock, token: str) -> None:
        """Inserts a block, all or nothing; the same token again changes nothing. An empty token: no deduplication."""
        ...

    def stream(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The result in chunks; closing the iterator ends the query. Raises `QueryLimitError`, `QueryCancelledError`."""
        ...

    def table(
        self, sql: str, limits: Limits, deadline: Deadline | None = None, cancellation: Cancellation | None = None
    ) -> pa.Table:
        """A small result at once."""
        ...

    def check_open(self) -> None:
        """Raises `ClosedError` after `close`."""
        ...

    def close(self) -> None:
        """Lets go of everything. A second call does nothing."""
        ...


class Deadline:
    """The time and the rows that one request may still take, whatever number of queries it is made of."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ends = time.monotonic() + limits.seconds
        self._rows = 0

    @property
    def left(self) -> float:
        """Seconds left; raises `QueryLimitError` where there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise QueryLimitError(f"the query took longer than {self.limits.seconds:g} s", bound="seconds")
        return left

    def count(self, rows: int) -> None:
        """Counts rows that are on their way out."""
        self._rows += rows
        if self._rows > self.limits.rows:
            raise QueryLimitError(f"the query gives more than {self.limits.rows} rows", bound="rows")


def query_settings(limits: Limits, seconds: float, identity: str) -> dict[str, str]:
    """The settings that bound one query; ``identity`` finds it again among those that run."""
    return {
        "max_memory_usage": f"{limits.memory}",
        "max_execution_time": f"{max(seconds, 0.001):.3f}",
        "timeout_before_checking_execution_speed": "0",
        "max_threads": f"{limits.threads}",
        "log_comment": identity,
        "max_query_size": "16777216",
        "max_ast_elements": "4000000",
        "max_expanded_ast_elements": "4000000",
        "output_format_arrow_string_as_string": "1",
    }


def insert_settings(token: str) -> dict[str, str]:
    """One block an insert, whatever its size, under ``token``; without one nothing is deduplicated."""
    unbounded = f"{1 << 40}"
    settings = {
        "max_insert_threads": "1",
        "max_insert_block_size": unbounded,
        "min_insert_block_size_rows": unbounded,
        "min_insert_block_size_bytes": unbounded,
        "max_partitions_per_insert_block": "0",
        "async_insert": "0",
        "insert_deduplicate": str(int(bool(token))),
    }
    return settings | {"insert_deduplication_token": token} if token else settings


def clause(settings: Mapping[str, str]) -> str:
    """``settings`` as SQL has them."""
    return " SETTINGS " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items())


_BOUNDS: dict[int, str] = {241: "memory", 159: "seconds", 160: "seconds", 396: "rows", 158: "rows", 307: "memory"}


def error_of(message: str, limits: Limits | None = None) -> HistorianError:
    """The error of this room behind the engine's words, which begin with ``Code: nnn.``"""
    text = message.partition("Code: ")[2]
    number = int(text[: text.find(".")]) if text[: text.find(".")].isdigit() else 0
    words = text.partition("DB::Exception: ")[2].strip() or message.strip()
    words = words[:500]
    if limits is not None and number in _BOUNDS:
        bound = _BOUNDS[number]
        allowed = {"memory": f"{limits.memory} bytes", "seconds": f"{limits.seconds:g} s", "rows": f"{limits.rows} rows"}[bound]
        return QueryLimitError(f"the query needs more than {allowed}", bound=bound)
    if number == 394:
        return QueryCancelledError("the query was cancelled")
    if number == 243 or "No space left" in message or "ENOSPC" in message:
        return StoreFullError("no room on the disk of the historian", place=words[:120])
    if number in (6, 43, 53):
        return RequestError(words)
    return StoreError(words)


class Waiter:
    """At most ``count`` at a time; who waits longer than its bound is refused."""

    def __init__(self, count: int) -> None:
        self._slots = threading.BoundedSemaphore(count)

    def enter(self, seconds: float) -> Callable[[], None]:
        """Returns what ends the stay."""
        if not self._slots.acquire(timeout=max(seconds, 0.0)):
            raise QueryLimitError(
                "the query waited too long for its turn: the historian is busy with others",
                bound="waiting",
                hint="ask again, or raise historian.threads",
            )
        return self._slots.release
