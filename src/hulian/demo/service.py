"""The chromatograph's service port: lines of text on TCP, answered from the simulation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hulian.demo.chromatograph import answer
from hulian.demo.configuration import DemoConfiguration
from hulian.demo.live import LivePlant
from hulian.demo.ports import check_port

__all__ = ["serve_chromatograph"]

_HOST: Final = "127.0.0.1"
"""It has no login, so that nobody but this machine reaches it."""
_LONGEST: Final = 256
_MOST: Final = 16


class _ServicePort:
    def __init__(self, plant: LivePlant) -> None:
        self._plant = plant
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it goes or says what no client says; one more than `_MOST` is turned away."""
        if len(self.writers) >= _MOST:
            writer.close()
            return
        self.writers.add(writer)
        try:
            while True:
                writer.write(answer(await reader.readuntil(b"\n"), self._plant))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()


@asynccontextmanager
async def serve_chromatograph(configuration: DemoConfiguration, plant: LivePlant) -> AsyncIterator[None]:
    """The port, listening for the length of the block. Raises `PortInUseError` and the like before it begins."""
    port = configuration.service.port
    check_port(_HOST, port, "the chromatograph's service port")
    service = _ServicePort(plant)
    server = await asyncio.start_server(service.serve, _HOST, port, limit=_LONGEST)
    try:
        yield
    finally:
        server.close()
        for writer in list(service.writers):
            with contextlib.suppress(OSError):
                writer.transport.abort()
        await server.wait_closed()
