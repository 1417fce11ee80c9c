"""A TCP line between a connector and its peer, at which everything happens that happens to lines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable


class Line:
    """``async with Line(port) as line:`` carries what comes to ``line.port`` to ``port`` on this machine, and back.

    Each method says how the line is from then on, for connections that stand and for new ones, until `mend`. What a connector
    could not send or hear in time is its own affair: the line keeps no more than a socket does.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections = 0
        """How often somebody connected."""
        self.flooded = 0
        """Bytes of `flood` that were taken."""
        self._whole = True
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay = 0.0
        self._spoil: Callable[[bytes], bytes] | None = None
        self._flood = b""
        self._flooding = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what happens to lines -----------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Every connection that stands is reset; new ones are carried."""
        for writer in list(self._open):
            _reset(writer)
        self._open.clear()

    def cut(self) -> None:
        """Every connection is reset, and new ones as soon as they are made."""
        self._whole = False
        self.drop()

    def silence(self) -> None:
        """Nothing passes and nobody is told, as with a cable that is out: TCP itself would send again what was lost."""
        self._flows.clear()

    def slow(self, seconds: float) -> None:
        """Whatever is sent arrives so much later, both ways."""
        self._delay = seconds

    def lie(self, spoil: Callable[[bytes], bytes]) -> None:
        """What the peer says arrives as ``spoil`` makes of it."""
        self._spoil = spoil

    def flood(self, data: bytes) -> None:
        """Instead of the peer, ``data`` speaks, again and again without end, as fast as it is taken."""
        self._flood = data
        self._flooding.set()

    def mend(self) -> None:
        """All is well again. A connection on which a lie was told does not get well: it is for its user to end."""
        self._whole = True
        self._delay = 0.0
        self._spoil = None
        self._flood = b""
        self._flooding.clear()
        self._flows.set()

    # -- carrying ------------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self._whole:
            _reset(writer)
            return
        self._open.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            self._open.discard(writer)
            return
        self._open.add(back)
        for work in (self._there(reader, back), self._back(there, writer), self._pour(writer)):
            task = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._pass(reader, writer, lambda data: data)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def said(data: bytes) -> bytes:
            if self._flood:
                return b""
            return self._spoil(data) if self._spoil is not None else data

        await self._pass(reader, writer, said)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Callable[[bytes], bytes]) -> None:
        try:
            while data := await reader.read(65_536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flows.wait()
                writer.write(said(data))
                await writer.drain()
        except OSError:
            _reset(writer)
        else:
            await self._flows.wait()
        self._open.discard(writer)
        writer.close()

    async def _pour(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                await self._flooding.wait()
                data = self._flood
                writer.write(data)
                await writer.drain()
                self.flooded += len(data)
                await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as one ends whose other side has forgotten it: RST, no FIN."""
    taken = writer.get_extra_info("socket")
    if taken is not None:
        with contextlib.suppress(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Names:
    """A name service for this process: `known` names lead to 127.0.0.1, `forgotten` ones nowhere; others are asked for truly.

    ``socket.getaddrinfo`` is what asyncio and the drivers ask; put it in place with `pytest.MonkeyPatch`.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.forgotten: set[str] = set()
        self.asked = 0
        self._truly = socket.getaddrinfo

    def getaddrinfo(self, host: object, port: object, *arguments: int, **named: int) -> list:  # type: ignore[type-arg]
        """In the place of `socket.getaddrinfo`."""
        name = host.decode() if isinstance(host, bytes) else host
        if name in self.forgotten:
            self.asked += 1
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name in self.known:
            self.asked += 1
            host = "127.0.0.1"
        return self._truly(host, port, *arguments, **named)  # type: ignore[arg-type]
