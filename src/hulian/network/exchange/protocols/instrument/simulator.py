"""A gas analyser in this process that speaks as SCPI instruments do: for tests, and to try descriptions."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.instrument.config import InstrumentConfiguration

__all__ = ["DEFAULT_BINDINGS", "DESCRIPTION", "Analyser", "Simulator"]

DESCRIPTION: Final = Path(__file__).with_name("analyser.iml")
DEFAULT_BINDINGS = (
    Binding(series=1, address="MEAS:PRES?/pressure", storage=StorageClass.DOUBLE),
    Binding(series=2, address="STAT:COUN?/count", storage=StorageClass.INTEGER),
    Binding(series=3, address="STAT:RUN?/running", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=4, address="STAT:MODE?/mode", storage=StorageClass.TEXT, kind=Kind.STEP, writable=True),
    Binding(series=5, address="MEM?/memory", storage=StorageClass.BYTES, kind=Kind.STEP),
    Binding(series=6, address="TRAC?/trace", storage=StorageClass.STRUCTURE, kind=Kind.STEP),
)
"""One point of each storage class."""
_LONGEST: Final = 1024


class Analyser:
    """What the instrument knows, and what it answers to a line. Bytes in, bytes out."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {
            "pressure": 1.5, "count": 1, "running": False, "mode": "idle", "memory": b"\x01", "trace": [1.0, 2.0],
            "limit": 100.0,
        }  # fmt: skip
        self.spectra: list[tuple[float, float, float]] = [(0.0, 91.0, 0.5), (0.25, 91.5, 0.25)]
        self.history: list[float] = [1.0, 2.0, 3.0]
        self.heard: list[str] = []
        self.deaf: set[str] = set()
        """Commands that it neither obeys nor answers."""
        self.stubborn = False
        """It takes settings and keeps its own."""

    def answer(self, line: bytes) -> bytes:
        """The bytes that answer one line; none for a command that has no answer."""
        text = line.decode("ascii", "replace").strip()
        self.heard.append(text)
        del self.heard[:-1000]
        command, _, argument = text.partition(" ")
        if not command or command in self.deaf:
            return b""
        asked = self._questions().get(command)
        if asked is not None:
            return asked()
        return self._obey(command, argument)

    def _questions(self) -> Mapping[str, Callable[[], bytes]]:
        values = self.values
        return {
            "*IDN?": lambda: b"HULIAN,GA-200,SN-0042,1.0\n",
            "MEAS:PRES?": lambda: _line("PRES", "9.91E37" if values["pressure"] is None else repr(float(values["pressure"]))),
            "STAT:COUN?": lambda: _line("COUN", str(values["count"])),
            "STAT:RUN?": lambda: _line("RUN", "ON" if values["running"] else "OFF"),
            "STAT:MODE?": lambda: _line("MODE", '"' + values["mode"].replace('"', '""') + '"'),
            "MEM?": lambda: _line("MEM", values["memory"].hex().upper()),
            "TRAC?": lambda: _line("TRAC", ",".join(repr(float(one)) for one in values["trace"])),
            "HIST?": lambda: _line("HIST", ";".join(repr(float(one)) for one in self.history)),
            "LIM?": lambda: _line("LIM", repr(float(values["limit"]))),
            "SPEC?": self._block,
        }

    def _block(self) -> bytes:
        """A block of IEEE 488.2 with definite length."""
        data = b"".join(struct.pack("<3f", *row) for row in self.spectra)
        size = str(len(data)).encode()
        return b"#" + str(len(size)).encode() + size + data + b"\n"

    def _obey(self, command: str, argument: str) -> bytes:
        if command == "LIM":
            with contextlib.suppress(ValueError):
                self.values["limit"] = self.values["limit"] if self.stubborn else float(argument)
            return b""
        if command == "MODE":
            self.values["mode"] = self.values["mode"] if self.stubborn else argument.strip('"')
            return b"OK\n"
        if command == "CAL":
            if argument.startswith("AR"):
                return b'ERR 12,"no argon, ""bottle"" empty"\n'
            return b"BUSY 50\nBUSY 90\nOK\n"
        return b'ERR -113,"Undefined header"\n'


def _line(head: str, value: str) -> bytes:
    return f"{head} {value}\n".encode("ascii", "replace")


class Simulator:
    """``async with Simulator() as sim:`` listens on loopback at ``sim.url`` until the block ends; ``sim.analyser`` is what it
    knows. `stop` ends the listener and every connection, `start` opens the same port again, `set` changes a value."""

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = True
    tcp: ClassVar[bool] = True
    keeps: ClassVar[str] = ""

    def __init__(self, bindings: Iterable[Binding] = DEFAULT_BINDINGS, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.bindings = tuple(bindings)
        self.bad_binding = Binding(series=99, address="NOWHERE?/value", storage=StorageClass.DOUBLE)
        self.credentials = Credentials()
        self.extras: Mapping[str, Any] = {}
        self.configuration = InstrumentConfiguration(
            description=DESCRIPTION.read_text(encoding="utf-8"),
            interval=0.05,
            changes_only=True,
            timeout=1.0,
            reconnect_first=0.1,
            reconnect_most=0.5,
            bad_after=1.0,
        )
        self.analyser = Analyser()
        self.connections = 0
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens, or will."""
        return f"instrument://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens, at the port where it did before."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_LONGEST)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a power cut: nobody is told."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if server is not None:
            await server.wait_closed()

    async def set(self, address: str, value: Any) -> None:
        """Changes what the field of ``address`` shows."""
        self.analyser.values[address.rpartition("/")[2]] = value

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while line := await reader.readuntil(b"\n"):
                writer.write(self.analyser.answer(line))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # it went, or it said what no client says
        finally:
            writer.close()
            self._writers.discard(writer)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
