"""How long a question may keep the database busy: what each database has for that."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import Connection

from hulian.network.identifiers.metadata.errors import QueryError

__all__ = ["bounded"]

_STEPS: Final = 2_000
"""Steps of SQLite's machine between two looks at the clock: some ten microseconds."""


@contextlib.contextmanager
def bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Reads of ``connection`` within the block end after ``seconds``. Raises `QueryError` then."""
    until = time.monotonic() + seconds
    try:
        if connection.dialect.name == "sqlite":
            with _sqlite(connection, until):
                yield
        else:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
            yield
    except Exception as error:
        if time.monotonic() < until or isinstance(error, QueryError):
            raise
        raise QueryError("it takes too long", hint="ask for something that fewer records have") from error


@contextlib.contextmanager
def _sqlite(connection: Connection, until: float) -> Iterator[None]:
    driver = connection.connection.driver_connection
    if driver is None:  # pragma: no cover - a connection that is read from has one
        yield
        return
    driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
