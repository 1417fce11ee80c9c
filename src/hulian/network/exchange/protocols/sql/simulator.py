"""A plant's database in a file, into which somebody writes rows; the file can go away and come back."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import DIRECTORIES
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, TableSource

__all__ = ["DEFAULT_BINDINGS", "Simulator"]

_HEAD = "table=readings;column="
DEFAULT_BINDINGS = (
    Binding(series=1, address=f"{_HEAD}pressure", storage=StorageClass.DOUBLE),
    Binding(series=2, address=f"{_HEAD}count", storage=StorageClass.INTEGER, kind=Kind.STEP),
    Binding(series=3, address=f"{_HEAD}running", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=4, address=f"{_HEAD}mode", storage=StorageClass.TEXT, kind=Kind.STEP),
    Binding(series=5, address=f"{_HEAD}blob", storage=StorageClass.BYTES, kind=Kind.STEP),
    Binding(series=6, address=f"{_HEAD}profile", storage=StorageClass.STRUCTURE, kind=Kind.STEP),
)
"""One point of each storage class."""

_TYPES: dict[StorageClass, tuple[str, Any]] = {
    StorageClass.DOUBLE: ("REAL", 1.5),
    StorageClass.INTEGER: ("INTEGER", 1),
    StorageClass.BOOLEAN: ("BOOLEAN", False),
    StorageClass.TEXT: ("TEXT", "idle"),
    StorageClass.BYTES: ("BLOB", b"\x01"),
    StorageClass.STRUCTURE: ("JSON", [1.0, 2.0]),
}


class Simulator:
    """``async with Simulator() as sim:`` offers a table ``readings``; `set` inserts a row with one value."""

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = True
    tcp: ClassVar[bool] = False

    def __init__(self, bindings: Iterable[Binding] = DEFAULT_BINDINGS) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="hulian-sql-")).resolve()
        self.path = self.root / "plant.db"
        self.url = f"sqlite:///{self.path}"
        self.bindings: Sequence[Binding] = tuple(bindings)
        self.bad_binding = Binding(series=99, address=f"{_HEAD}nowhere", storage=StorageClass.DOUBLE)
        self.configuration = SqlConfiguration(
            tables=(TableSource(table="readings", by="id", time_format="ns"),),
            poll=0.05,
            bad_after=1.0,
            reconnect_first=0.1,
            reconnect_most=0.5,
        )
        self.credentials = Credentials()
        self.extras: Mapping[str, Any] = {DIRECTORIES: (self.root,)}
        self._columns = {binding.address.rpartition("=")[2]: _TYPES[binding.storage] for binding in self.bindings}
        self._values = {name: first for name, (_, first) in self._columns.items()}
        self._time = 0

    def insert(self, values: Mapping[str, Any]) -> None:
        """A row with some values, of a time later than that of every row before."""
        self._time = max(time.time_ns(), self._time + 1)
        names = ["time", *values]
        plain = [json.dumps(value) if isinstance(value, list | dict) else value for value in values.values()]
        listed = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" for _ in names)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"INSERT INTO readings ({listed}) VALUES ({marks})", [self._time, *plain])  # noqa: S608 - our own names

    async def set(self, address: str, value: Any) -> None:
        """One more row."""
        name = address.rpartition("=")[2]
        self._values[name] = value
        self.insert({name: value})

    async def start(self) -> None:
        """The database is there, and a row holds what it has."""
        away = self.root / "away"
        if away.exists():
            away.rename(self.path)
        elif not self.path.exists():
            columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in self._columns.items())
            with closing(sqlite3.connect(self.path)) as connection, connection:
                connection.execute(f"CREATE TABLE readings (id INTEGER PRIMARY KEY, time INTEGER, {columns})")
        self.insert(self._values)

    async def stop(self) -> None:
        """The database goes away."""
        if self.path.exists():
            self.path.rename(self.root / "away")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
