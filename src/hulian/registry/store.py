"""The registry's database: SQLite in one file by default, PostgreSQL by its URL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from hulian.registry import migration
from hulian.registry.errors import (
    ForeignRegistryError,
    RegistryBackupError,
    RegistryBusyError,
    RegistryError,
)

__all__ = ["Durability", "Registry"]

Durability = Literal["process", "power"]

_BUSY_SECONDS: Final = 15.0
_JSON: Final[dict[str, Any]] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": msgspec.json.decode,
}


class Registry:
    """One open registry; thread-safe, and any number of processes may hold the same one.

    `read` and `write` are the only ways in: each is one transaction on a connection of its own, committed where the block
    ends, rolled back where it raises. Writers wait for each other, readers for nobody. What `write` committed survives
    ``kill -9``; with ``durability="power"`` also a power cut.
    """

    def __init__(self, engine: Engine, place: str, path: Path | None) -> None:
        self._engine = engine
        self._place = place
        self._path = path

    @classmethod
    def open(cls, target: str | Path, *, durability: Durability = "process") -> Registry:
        """Opens, or makes, the registry at ``target`` (a file, ``sqlite:///file`` or ``postgresql://…``) and migrates it.

        Raises `RegistryError` where it cannot be reached, `NewerRegistryError` where a newer Hulian wrote it,
        `ForeignRegistryError` where it is something else, `RegistryBusyError` where another process keeps it locked.
        """
        url = _url(target)
        if url.get_backend_name() == "sqlite":
            path = Path(url.database or "").absolute()
            registry = cls(_sqlite(path, durability), str(path), path)
        else:
            registry = cls(_postgresql(url, durability), url.render_as_string(hide_password=True), None)
        try:
            with registry._errors():
                if registry._path is not None:
                    _write_ahead(registry._path)
                with registry.write() as connection:
                    migration.upgrade(connection, registry._place)
        except BaseException:
            registry.close()
            raise
        return registry

    @property
    def place(self) -> str:
        """Where it is, as a person may see it: a path, or a URL without its password."""
        return self._place

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view: what others commit meanwhile is not seen."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the writer's place from its beginning, so that it never fails half-way for a lock."""
        with (
            self._errors(),
            self._engine.connect().execution_options(hulian_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def version(self) -> str:
        """The revision of the schema."""
        with self.read() as connection:
            return migration.current(connection) or ""

    def backup(self, target: Path) -> None:
        """A whole and consistent copy of an SQLite registry in the new file ``target``, taken while others write.

        Raises `RegistryBackupError` where it cannot be written, or the registry is PostgreSQL's, which has its own tools.
        """
        if self._path is None:
            raise RegistryBackupError(
                "a PostgreSQL registry is not copied by Hulian", place=self._place, hint="back it up with pg_dump"
            )
        _copy(self._path, target)

    @staticmethod
    def restore(backup: Path, target: Path) -> None:
        """Puts the copy ``backup`` in the place of the registry ``target``.

        The copy is proved whole before anything of ``target`` is touched; whenever this is killed, either the old registry
        is there or the new one. Raises `RegistryBackupError`, and `RegistryBusyError` where somebody still holds ``target``.
        """
        if not backup.is_file():
            raise RegistryBackupError("there is no backup of the registry", place=str(backup))
        incoming = target.with_name(target.name + ".restoring")
        incoming.unlink(missing_ok=True)
        _copy(backup, incoming)
        try:
            _fold(target)
        except RegistryBusyError:
            incoming.unlink(missing_ok=True)
            raise
        for rest in ("-wal", "-shm"):
            target.with_name(target.name + rest).unlink(missing_ok=True)
        incoming.replace(target)
        _sync_directory(target.parent)

    def close(self) -> None:
        """Gives every connection back; blocks that are open keep theirs until they end."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise _translated(error, self._place) from error


def _url(target: str | Path) -> URL:
    if isinstance(target, Path) or "://" not in target:
        return URL.create("sqlite", database=str(target))
    try:
        url = make_url(target)
    except ArgumentError as error:
        raise RegistryError("the registry's address is not a URL", hint="a file, or postgresql://user@host/database") from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
        case name:
            raise RegistryError(f"no registry can be kept in '{name}'", hint="use a file, or postgresql://user@host/database")


def _sqlite(path: Path, durability: Durability) -> Engine:
    _create_private(path)
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
        pool_size=4,
        max_overflow=16,
        **_JSON,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -8000")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("hulian_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: URL, durability: Durability) -> Engine:
    try:
        engine = sa.create_engine(
            url, pool_size=4, max_overflow=16, pool_pre_ping=True, connect_args={"connect_timeout": 10}, **_JSON
        )
    except ModuleNotFoundError as error:
        raise RegistryError("the PostgreSQL driver is not installed", hint="pip install 'hulian[postgresql]'") from error

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("hulian_write", False)
        connection.exec_driver_sql(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED" if write else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
        )
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(_BUSY_SECONDS * 1000)}")
        if write:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migration.LOCK})")
            if durability == "power":
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")

    return engine


def _create_private(path: Path) -> None:
    """The file, readable by its owner alone before the first byte is written; SQLite gives ``-wal`` the same rights."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise RegistryError(f"cannot open the registry: {error.strerror}", place=str(path)) from error


def _write_ahead(path: Path) -> None:
    """Turns the write-ahead log on. SQLite does not wait for a lock here by itself, so we do."""
    deadline = time.monotonic() + _BUSY_SECONDS
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _copy(source: Path, target: Path) -> None:
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise RegistryBackupError(f"cannot write the copy: {error.strerror}", place=str(target)) from error
    try:
        with (
            contextlib.closing(sqlite3.connect(_read_only(source), uri=True, timeout=_BUSY_SECONDS)) as origin,
            contextlib.closing(sqlite3.connect(target, timeout=_BUSY_SECONDS)) as copy,
        ):
            origin.backup(copy)  # in one step: writers go on in the log, and none makes it begin again
            (found,) = copy.execute("PRAGMA integrity_check").fetchone()
            copy.execute("PRAGMA journal_mode = DELETE")
            tables = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damage shows in SQLite's own messages, too
        target.unlink(missing_ok=True)
        raise RegistryBackupError(f"the registry cannot be copied: {error}", place=str(target)) from error
    if found != "ok" or not tables:
        target.unlink(missing_ok=True)
        reason = f"its check says: {found}" if tables else "it holds no registry"
        raise RegistryBackupError(f"the copy is not whole: {reason}", place=str(source))
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    _sync_directory(target.parent)


def _fold(path: Path) -> None:
    """Takes the write-ahead log back into the file, which only works while nobody else has it open."""
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        translated = _translated(error, str(path))
        if isinstance(translated, RegistryBusyError):
            raise RegistryBusyError("the registry is in use", place=str(path), hint="stop the platform first") from error
        return  # damaged, or not a database at all: that is why a copy comes back


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translated(error: DBAPIError | sqlite3.Error, place: str) -> RegistryError:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or getattr(cause, "sqlstate", None) == "55P03":
        return RegistryBusyError(f"locked by another process for more than {_BUSY_SECONDS:.0f} s", place=place)
    if code == sqlite3.SQLITE_NOTADB:
        return ForeignRegistryError("the file is not a database", place=place)
    if code == sqlite3.SQLITE_CORRUPT:
        return RegistryError("the file is damaged", place=place, hint="restore the last backup with 'hulian restore'")
    if code == sqlite3.SQLITE_FULL:
        return RegistryError("the disk is full", place=place, hint="free some space; nothing was half-written")
    if isinstance(error, OperationalError) and code is None:
        return RegistryError("the database server cannot be reached", place=place, hint="check its address, user and password")
    return RegistryError(
        f"the database refused: {str(cause).splitlines()[0] if str(cause) else type(cause).__name__}", place=place
    )
