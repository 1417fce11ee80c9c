"""TCP with TLS for carriers: the frame of the protocol, as on every other connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.transport.connections import Stream
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.wire.frame import Message

__all__ = ["Ask", "TlsListener"]

CONNECTIONS: Final = 4_096
IDLE: Final = 300.0
"""Seconds that a carrier's connection may say nothing."""

_HANDSHAKE: Final = 10.0

Ask = Callable[[Message, Asker], Awaitable[Message]]
"""Asks the chain; it never raises."""


class TlsListener:
    """Serves ``ask`` at ``host`` and ``port`` (0: any free one) with the certificate and key that ``files`` gives.

    At most 4,096 connections; further ones are closed. The certificate is read when the listener starts.
    """

    def __init__(self, ask: Ask, host: str, port: int, files: Callable[[], tuple[Path, Path]]) -> None:
        self._ask = ask
        self._host = host
        self._files = files
        self.port = port
        self._open = 0
        self._numbered = 1 << 40  # numbers that no other listener of the node gives

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `ListenError`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            certificate, key = await anyio.to_thread.run_sync(self._files)
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ListenError(f"the certificate cannot be used: {error}", place="identifiers.active") from error
        async with anyio.create_task_group() as group:

            async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if self._open >= CONNECTIONS:
                    writer.close()
                    return
                self._open += 1
                group.start_soon(self._serve, reader, writer)

            try:
                server = await asyncio.start_server(
                    accepted, self._host, self.port, ssl=context, ssl_handshake_timeout=_HANDSHAKE
                )
            except OSError as error:
                place = f"{self._host}:{self.port}"
                raise ListenError(f"cannot listen: {error.strerror or error}", place=place) from error
            self.port = server.sockets[0].getsockname()[1]
            async with server:
                task_status.started()
                await anyio.sleep_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        self._numbered += 1
        asker = Asker(address=peer[0] if peer else "", verified=True, connection=self._numbered)
        try:
            await Stream(reader, writer, asker, self._ask, None).serve(IDLE)
        finally:
            self._open -= 1
