"""One database, read and never written: connections, what tables there are, and pages of rows. Blocking.

No text of a person becomes SQL: tables and columns are looked up among those that there are and quoted by SQLAlchemy, values
are bound.
"""

from __future__ import annotations

import datetime
import decimal
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from msgspec import json as msgspec_json
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import NullType

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import Confinement
from hulian.network.exchange.protocols.contract import Credentials
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, database_file
from hulian.network.exchange.protocols.sql.errors import AccessError, DriverError, ReachError, SlowError, SqlError, TableError
from hulian.network.exchange.protocols.sql.patience import Patience

__all__ = ["Database", "storage_of", "table_of"]

_EXTRAS: Final = {
    "postgresql": "pip install 'hulian[postgresql]'",
    "mysql": "pip install pymysql",
    "mariadb": "pip install pymysql",
    "mssql": "pip install pyodbc",
    "oracle": "pip install oracledb",
}
_REFUSED: Final = ("28000", "28P01", "42501")
_CANCELLED: Final = ("57014",)
_REFUSED_NUMBERS: Final = (1044, 1045, 1142, 18456, 1017)
_LOGIN: Final = re.compile(r"authentication failed|no password supplied|not permitted to log in|role .* does not exist|pg_hba")
_MOST_TABLES: Final = 2_000
_MOST_DESCRIBED: Final = 500
"""As many statements as SQLAlchemy keeps compiled."""
_SILENT: Final = "check the network between; a slow database needs longer 'connect_seconds' or 'statement_seconds'"


class Database:
    """Raises `DriverError` where the driver is missing, `ReachError`, `AccessError` and `SlowError` as the database says."""

    def __init__(
        self, url: sa.URL, configuration: SqlConfiguration, credentials: Credentials, confinement: Confinement
    ) -> None:
        self.url = url
        self._configuration = configuration
        self._confinement = confinement
        self._file = database_file(url)
        if self._file is not None:
            confinement.check(self._file)
        self._credentials = credentials
        self._engine: sa.Engine | None = None
        self._columns: dict[str, list[dict[str, Any]]] = {}
        self._described: dict[tuple[str, ...], sa.Table] = {}
        self._patience = Patience()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> sa.Engine:
        """Made at the first use: it imports the driver."""
        if self._engine is None:
            self._engine = self._made()
        return self._engine

    def _made(self) -> sa.Engine:
        backend = self.url.get_backend_name()
        url = self.url
        if self._credentials.user:
            url = url.set(username=self._credentials.user)
        if self._credentials.password:
            url = url.set(password=self._credentials.password)
        seconds = self._configuration.connect_seconds
        options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True, "pool_recycle": 600}
        if backend == "sqlite":
            options = {"poolclass": NullPool, "creator": self._open_file}
        elif backend == "postgresql":
            limit = int(self._configuration.statement_seconds * 1000)
            settings = f"-c default_transaction_read_only=on -c statement_timeout={limit} -c timezone=UTC"
            options["connect_args"] = {"options": settings, "connect_timeout": max(2, int(seconds))}
        elif backend in ("mysql", "mariadb"):
            options["connect_args"] = {
                "connect_timeout": int(seconds) or 1,
                "read_timeout": int(self._configuration.statement_seconds),
            }
        try:
            engine = sa.create_engine(url, **options)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            hint = _EXTRAS.get(backend, "install its Python driver")
            raise DriverError(f"the driver of {backend} is not installed: {error}", place=str(self), hint=hint) from error
        if backend in ("mysql", "mariadb"):
            sa.event.listen(engine, "connect", _only_read)
        if self._file is None:
            sa.event.listen(engine, "connect", self._patience.opened)
            sa.event.listen(engine, "before_cursor_execute", self._patience.again)
        return engine

    def _open_file(self) -> Any:
        real = self._confinement.resolved(self._file or Path())
        # Not by its descriptor: SQLite keeps its journal beside the file's name.
        connection = sqlite3.connect(f"{real.as_uri()}?mode=ro", uri=True, timeout=5.0, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        end = time.monotonic() + self._configuration.statement_seconds
        connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        return connection

    def hang_up(self) -> None:
        """Whoever waits for the database hears an error."""
        self._patience.hang_up()

    def close(self) -> None:
        """Closes every connection; whoever waits for one hears an error."""
        self._patience.hang_up()
        if self._engine is not None:
            self._engine.dispose()

    @contextmanager
    def _asked(self) -> Iterator[sa.Connection]:
        settings = self._configuration
        try:
            # A pooled connection is asked whether it still stands before it is given out.
            with self._patience.within(settings.connect_seconds):
                connection = self.engine.connect()
            with connection, self._patience.within(settings.statement_seconds + settings.connect_seconds):
                yield connection
        except NoSuchTableError as error:
            raise TableError(f"there is no table {error}", place=str(self)) from error
        except DBAPIError as error:
            if self._patience.expired:
                raise ReachError("the database has not answered in time", place=str(self), hint=_SILENT) from error
            raise self._meant(error) from error
        except SQLAlchemyError as error:
            raise ReachError(_first_line(error), place=str(self)) from error

    def _meant(self, error: DBAPIError) -> SqlError:
        original = error.orig
        state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
        number = original.args[0] if original is not None and original.args and isinstance(original.args[0], int) else 0
        text = _first_line(original if original is not None else error)
        if state in _CANCELLED or text == "interrupted":
            return SlowError("a statement took longer than its time", place=str(self))
        # A connection that PostgreSQL refuses has a text only.
        if state in _REFUSED or number in _REFUSED_NUMBERS or _LOGIN.search(text):
            return AccessError(text, place=str(self))
        return ReachError(text, place=str(self))

    # -- what there is -------------------------------------------------------------------------------------------------

    def tables(self) -> list[str]:
        """Tables and views; those outside the default schema as SCHEMA.NAME."""
        with self._asked() as connection:
            inspector = sa.inspect(connection)
            default = inspector.default_schema_name
            found: list[str] = []
            for schema in inspector.get_schema_names():
                if schema in ("information_schema", "pg_catalog", "sys", "mysql", "performance_schema", "pg_toast"):
                    continue
                names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
                plain = schema == default or self.url.get_backend_name() == "sqlite"
                found += [name if plain else f"{schema}.{name}" for name in names]
                if len(found) >= _MOST_TABLES:
                    break
            return sorted(found)[:_MOST_TABLES]

    def columns(self, table: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """Name, type and comment of each column, as SQLAlchemy reflects them. Raises `TableError`."""
        if fresh:
            self._described.clear()
        if fresh or table not in self._columns:
            with self._asked() as connection:
                inspector = sa.inspect(connection)
                schema, _, name = table.rpartition(".")
                if not inspector.has_table(table):
                    if not schema or not inspector.has_table(name, schema=schema):
                        raise TableError(f"there is no table or view {table!r}", place=str(self))
                    self._columns[table] = [dict(one) for one in inspector.get_columns(name, schema=schema)]
                else:
                    self._columns[table] = [dict(one) for one in inspector.get_columns(table)]
        return self._columns[table]

    def _selectable(self, table: str, names: Sequence[str], connection: sa.Connection) -> sa.Table:
        """The table with these columns: one object for as long as the database stands, because SQLAlchemy keeps a compiled
        statement for each object that it sees."""
        key = (table, *names)
        if key not in self._described:
            schema, _, plain = table.rpartition(".")
            if sa.inspect(connection).has_table(table):
                schema, plain = "", table
            if len(self._described) >= _MOST_DESCRIBED:
                self._described.clear()
            self._described[key] = sa.Table(
                quoted_name(plain, quote=True),
                sa.MetaData(),
                *[sa.Column(quoted_name(name, quote=True), NullType()) for name in names],
                schema=quoted_name(schema, quote=True) if schema else None,
            )
        return self._described[key]

    # -- rows ----------------------------------------------------------------------------------------------------------

    def newest(self, table: str, by: str) -> Any:
        """The largest value of a column; None in an empty table."""
        with self._asked() as connection:
            source = self._selectable(table, [by], connection)
            return connection.execute(sa.select(sa.func.max(source.c[by], type_=NullType()))).scalar()

    def page(self, table: str, names: Sequence[str], by: str, low: Any, limit: int) -> list[Sequence[Any]]:
        """At most ``limit`` rows of ``names`` from ``low`` on (None: all) in the order of ``by``, by a cursor on the server."""
        with self._asked() as connection:
            source = self._selectable(table, names, connection)
            order = source.c[by]
            query = sa.select(*[source.c[name] for name in names]).where(order.is_not(None)).order_by(order).limit(limit)
            if low is not None:
                query = query.where(order >= sa.bindparam("low", low, NullType()))
            rows: list[Sequence[Any]] = []
            streamed = connection.execution_options(stream_results=True, yield_per=5_000)
            for part in streamed.execute(query).partitions():
                self._patience.again()
                rows.extend(tuple(row) for row in part)
            return rows

    def distinct(self, table: str, column: str, most: int) -> list[Any]:
        """The different values of a column, at most ``most``."""
        with self._asked() as connection:
            source = self._selectable(table, [column], connection)
            return [row[0] for row in connection.execute(sa.select(source.c[column]).distinct().limit(most))]


def _only_read(connection: Any, _: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def table_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as columns. A column of values of several types becomes one of texts."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table([_array(column) for column in columns], names=list(names))


def _array(values: Sequence[Any]) -> pa.Array:
    if any(isinstance(value, dict | list) for value in values):
        return pa.array([None if value is None else msgspec_json.encode(value).decode() for value in values], pa.string())
    if any(isinstance(value, memoryview | bytearray) for value in values):
        values = [bytes(value) if isinstance(value, memoryview | bytearray) else value for value in values]
    try:
        if any(isinstance(value, uuid.UUID) for value in values):
            raise TypeError("Arrow has a type of its own for them")
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeEncodeError):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode()


def storage_of(kind: Any) -> StorageClass:
    """The storage class that loses nothing of a column of a database's type."""
    match kind:
        case sa.Boolean():
            return StorageClass.BOOLEAN
        case sa.Integer():
            return StorageClass.INTEGER
        case sa.Numeric() | sa.Float():
            return StorageClass.DOUBLE
        case sa.LargeBinary():
            return StorageClass.BYTES
        case sa.JSON() | sa.ARRAY():
            return StorageClass.STRUCTURE
        case _:
            return StorageClass.TEXT
