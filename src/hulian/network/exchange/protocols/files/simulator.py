"""A data logger that writes a CSV file, as a plant has one: it appends, rotates, cuts, and its disk can go away."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import DIRECTORIES
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.files.config import FilesConfiguration

__all__ = ["DEFAULT_BINDINGS", "Simulator"]

DEFAULT_BINDINGS = (
    Binding(series=1, address="column=pressure", storage=StorageClass.DOUBLE),
    Binding(series=2, address="column=count", storage=StorageClass.INTEGER, kind=Kind.STEP),
    Binding(series=3, address="column=running", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=4, address="column=mode", storage=StorageClass.TEXT, kind=Kind.STEP),
    Binding(series=5, address="column=profile", storage=StorageClass.STRUCTURE, kind=Kind.STEP),
)
"""One point of each storage class that text can tell apart."""

_FIRST: dict[StorageClass, Any] = {
    StorageClass.DOUBLE: 1.5,
    StorageClass.INTEGER: 1,
    StorageClass.BOOLEAN: False,
    StorageClass.TEXT: "idle",
    StorageClass.STRUCTURE: [1.0, 2.0],
}


class Simulator:
    """``async with Simulator() as sim:`` writes ``sim.path``; `set` appends a row with one value, `stop` takes the directory
    away, `start` brings it back."""

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = True
    tcp: ClassVar[bool] = False

    def __init__(self, bindings: Iterable[Binding] = DEFAULT_BINDINGS, *, directory: Path | None = None) -> None:
        self._own = directory is None
        root = Path(tempfile.mkdtemp(prefix="hulian-files-")) if directory is None else directory
        self.root = root.resolve()
        self.directory = self.root / "logger"
        self.path = self.directory / "log.csv"
        self.url = f"file://{self.directory}/*.csv"
        self.bindings: Sequence[Binding] = tuple(bindings)
        self.bad_binding = Binding(series=99, address="column=nowhere", storage=StorageClass.DOUBLE)
        self.configuration = FilesConfiguration(poll=0.05, bad_after=1.0, reconnect_first=0.1, reconnect_most=0.5, settle=0.2)
        self.credentials = Credentials()
        self.extras: Mapping[str, Any] = {DIRECTORIES: (self.root,)}
        self._names = [binding.address.partition("=")[2] for binding in self.bindings]
        self._values = {name: _FIRST[binding.storage] for name, binding in zip(self._names, self.bindings, strict=True)}
        self._time = 0

    def row(self, values: Mapping[str, Any]) -> str:
        """A row with some values, of a time later than that of every row before."""
        self._time = max(time.time_ns(), self._time + 1)
        seconds, rest = divmod(self._time, 10**9)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"
        cells = [moment, *(_cell(values[name]) if name in values else "" for name in self._names)]
        return _line(cells)

    def append(self, text: str) -> None:
        """Text at the end of the file, whole rows or not."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def begin(self) -> None:
        """A new file with a header, in the place of what was there."""
        self.path.write_text(_line(["time", *self._names]), encoding="utf-8")

    def rotate(self, name: str = "log.csv.1") -> None:
        """Renames the file, as logrotate does, and begins a new one."""
        self.path.rename(self.directory / name)
        self.begin()

    async def set(self, address: str, value: Any) -> None:
        """One more row."""
        name = address.partition("=")[2]
        self._values[name] = value
        self.append(self.row({name: value}))

    async def start(self) -> None:
        """The directory is there, and the logger writes what it has."""
        away = self.root / "away"
        if away.exists():
            away.rename(self.directory)
        elif not self.directory.exists():
            self.directory.mkdir(parents=True)
            self.begin()
        self.append(self.row(self._values))

    async def stop(self) -> None:
        """The directory goes away."""
        if self.directory.exists():
            self.directory.rename(self.root / "away")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            shutil.rmtree(self.root, ignore_errors=True)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
