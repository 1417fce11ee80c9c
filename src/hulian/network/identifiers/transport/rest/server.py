"""The socket of the HTTP face: HTTP and HTTPS on one port, as in the Handle System, told apart by the first byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
import structlog
import uvicorn
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.transport.errors import ListenError

__all__ = ["RestListener", "Tls"]

CONNECTIONS: Final = 1_024
LONGEST_HEAD: Final = 32_768
"""Bytes of a request before its body."""

_PATIENCE: Final = 30.0
"""Seconds that the head of a request, or the next bytes of its body, may take."""

_HANDSHAKE: Final = 10.0
_PAUSE: Final = 0.5
_GRACE: Final = 2.0
_FRESH: Final = 3600.0
"""Seconds after which the files of the certificate are read again."""

_TLS_HANDSHAKE: Final = 0x16
_log = structlog.get_logger(__name__)
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """``files`` gives chain and key (PEM), made or renewed where need be; it may block. ``clients`` is a PEM file with the
    authorities of client certificates, or with such certificates themselves; empty where none are asked for."""

    files: Callable[[], tuple[Path, Path]]
    clients: str = ""

    def context(self) -> ssl.SSLContext:
        """For one listener. Raises `ListenError` where a file cannot be used. Blocking."""
        try:
            chain, key = self.files()
        except HulianError as error:
            raise ListenError(f"no certificate: {error.message}", place=error.place, hint=error.hint) from error
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        place = str(chain)
        try:
            made.load_cert_chain(chain, key)
            if self.clients:
                place = self.clients
                made.load_verify_locations(self.clients)
                made.verify_mode = ssl.CERT_OPTIONAL
                made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        except OSError as error:
            why = error.strerror or str(error)
            raise ListenError(f"the certificate cannot be used: {why}", place=place, hint="it takes PEM files") from error
        return made


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a bound on the head of a request, a time for every wait, and the client's certificate."""

    _timer: asyncio.TimerHandle | None = None
    _certificate: bytes | None = None
    _head: int = 0
    _in_head: bool = True
    _refused: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self._certificate = connection.getpeercert(binary_form=True)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._served()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.scope["state"]["certificate"] = self._certificate
        self._wait()

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LONGEST_HEAD:
            self._refused = True
            self.transport.close()
            return
        self._wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._wait()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head = True, 0
        self._served()
        if not self._refused:
            super().on_message_complete()

    def _wait(self) -> None:
        self._served()
        self._timer = self.loop.call_later(_PATIENCE, self._cut)

    def _served(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        # A body that we do not take in is our pause, not the sender's.
        if self.flow.read_paused:
            self._wait()
        elif not self.transport.is_closing():
            self.transport.close()


class RestListener:
    """Serves ``application`` at ``host`` and ``port`` (0: any free one); HTTPS as well where ``tls`` is given.

    At most 1,024 connections are open; further ones are closed. Certificates are read again every hour.
    """

    def __init__(self, application: Application, host: str, port: int, tls: Tls | None = None) -> None:
        self._application = application
        self._host = host
        self.port = port
        self._tls = tls
        self._context: tuple[float, ssl.SSLContext] | None = None
        self._connections = 0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled; requests under way get two seconds to finish. Raises `ListenError`."""
        loop = asyncio.get_running_loop()
        await self._current_context()
        config = uvicorn.Config(
            self._application,
            loop="none",
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
        )
        config.load()
        state = ServerState()
        with self._bound() as listener:
            try:
                async with anyio.create_task_group() as group:
                    task_status.started()
                    while True:
                        try:
                            accepted, _ = await loop.sock_accept(listener)
                        except OSError as error:  # no more files may be open, or the connection is gone already
                            _log.warning("a connection is not accepted", reason=error.strerror or str(error))
                            await anyio.sleep(_PAUSE)
                            continue
                        if self._connections + len(state.connections) >= CONNECTIONS:
                            accepted.close()
                            continue
                        self._connections += 1
                        group.start_soon(self._begin, accepted, config, state)
            finally:
                with CancelScope(shield=True):
                    await _ended(state)

    async def _begin(self, accepted: socket.socket, config: uvicorn.Config, state: ServerState) -> None:
        """Looks at the first byte, and hands the connection over."""
        handed = False
        try:
            accepted.setblocking(False)
            with suppress(OSError, TimeoutError, ListenError):
                with anyio.fail_after(_HANDSHAKE):
                    await anyio.wait_readable(accepted)
                    first = accepted.recv(1, socket.MSG_PEEK)
                    secure = bool(first) and first[0] == _TLS_HANDSHAKE
                    context = await self._current_context() if secure else None
                    if first and (context is not None or not secure):
                        handed = True
                        await asyncio.get_running_loop().connect_accepted_socket(
                            lambda: _Protocol(config, state, {}), accepted, ssl=context
                        )
        finally:
            self._connections -= 1
            if not handed:
                accepted.close()

    async def _current_context(self) -> ssl.SSLContext | None:
        if self._tls is None:
            return None
        now = time.monotonic()
        if self._context is None or self._context[0] <= now:
            try:
                self._context = (now + _FRESH, await anyio.to_thread.run_sync(self._tls.context))
            except ListenError as error:
                if self._context is None:
                    raise
                _log.warning("the certificate is not renewed; the old one is shown on", reason=str(error))
                self._context = (now + _FRESH, self._context[1])
        return self._context[1]

    def _bound(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            made = socket.socket(family, kind, protocol)
        except OSError as error:
            raise ListenError(f"cannot listen: {error.strerror or error}", place=f"{self._host}:{self.port}") from error
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setblocking(False)
            made.bind(address)
            made.listen(256)
        except OSError as error:
            made.close()
            raise ListenError(f"cannot listen: {error.strerror or error}", place=f"{self._host}:{self.port}") from error
        self.port = made.getsockname()[1]
        return made


async def _ended(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.shutdown()
    deadline = time.monotonic() + _GRACE
    while state.tasks and time.monotonic() < deadline:
        await asyncio.wait(list(state.tasks), timeout=_GRACE)
    for task in list(state.tasks):
        task.cancel()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=_GRACE)
    for connection in list(state.connections):
        connection.transport.abort()
