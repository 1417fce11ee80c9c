"""The API as a component: a socket, uvicorn inside our own scope, and the live hub beside it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import structlog
import uvicorn
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hulian.platform.api.access import in_thread
from hulian.platform.api.application import build_application, context_of
from hulian.platform.api.context import Context
from hulian.platform.api.contract import Dependencies
from hulian.platform.api.errors import CertificateError, PortError, UnavailableError
from hulian.platform.api.receiving import sweep
from hulian.platform.api.tls import ServerTls
from hulian.trust import machine_names

__all__ = ["ApiService"]

_log = structlog.get_logger("hulian.api")
_GRACE = 3
_PATIENCE: Final = 30.0
"""Seconds that the next bytes of a request may take."""


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which does not wait for ever: whoever sends nothing for ``_PATIENCE`` within a request is cut off.

    uvicorn itself bounds only the pause between requests, so that a few bytes a minute would hold a connection.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._served()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._wait()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._served()
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


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, that says when it serves."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say_started()


class ApiService:
    """Serves the API and the console until cancelled; then open streams end and requests get three seconds to finish.

    Raises `PortError` or `CertificateError` before it serves, where the configuration can never work.
    """

    name = "api"

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._configuration = dependencies.configuration
        self.port = 0
        """The port that is served, once `run` has started."""
        self.context: Context | None = None
        """What its routes share, once `run` has started."""
        self.tls: ServerTls | None = None
        """The certificate that is shown, once `run` has started; None where HTTP is served without TLS."""

    @property
    def url(self) -> str:
        """The address a person on this machine opens."""
        host = self._configuration.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host  # noqa: S104
        return f"{'https' if self._configuration.secure else 'http'}://{shown}:{self.port}"

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """See `hulian.kernel.lifecycle.Component`."""
        await in_thread(lambda: sweep(self._dependencies.scratch))
        app = build_application(self._dependencies)
        self.context = context = context_of(app)
        listener = self._bind()
        with listener:
            self.tls = tls = await in_thread(self._tls)
            started = anyio.Event()
            server = _Server(self._uvicorn(app, tls), started.set)
            async with anyio.create_task_group() as group:
                for part in (context.hub, context.board, context.jobs, context.upkeep):
                    await group.start(part.run)
                group.start_soon(self._serve, server, listener)
                try:
                    await started.wait()
                    self.port = listener.getsockname()[1]
                    task_status.started()
                    await anyio.sleep_forever()
                finally:
                    server.should_exit = True

    @staticmethod
    async def _serve(server: _Server, listener: socket.socket) -> None:
        with CancelScope(shield=True):
            await server.serve(sockets=[listener])
        if not server.should_exit:
            raise UnavailableError("the HTTP server ended by itself")

    def _bind(self) -> socket.socket:
        host, port = self._configuration.host, self._configuration.port
        try:
            family, kind, number, _, address = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, number)
        except OSError as error:
            raise PortError(f"cannot listen on {host!r}: {error.strerror or error}", place="api.host") from error
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            raise PortError(f"cannot listen on {host}:{port}: {error.strerror or error}", place="api.port") from error
        return listener

    def _tls(self) -> ServerTls | None:
        configuration = self._configuration
        if bool(configuration.certificate) != bool(configuration.key):
            raise CertificateError("certificate and key belong together; one is missing", place="api.certificate")
        if configuration.certificate:
            given = Path(configuration.certificate), Path(configuration.key)
            return ServerTls(lambda: given)
        if not configuration.tls:
            return None
        names = self._own_names()  # once: a certificate is not made anew because an address of this machine changed

        def made() -> tuple[Path, Path]:
            found = self._dependencies.trust.ca.server_certificate(names)
            return found.certificate, found.key

        return ServerTls(made)

    def _own_names(self) -> list[str]:
        return machine_names(self._configuration.host, also=self._configuration.allowed_hosts)

    def _uvicorn(self, app: Any, tls: ServerTls | None) -> uvicorn.Config:
        configuration = self._configuration
        return uvicorn.Config(
            app,
            loop="none",
            http=_Protocol,
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(configuration.trusted_proxies),
            forwarded_allow_ips=list(configuration.trusted_proxies),
            limit_concurrency=configuration.connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE,
            ssl_context_factory=(lambda config, usual: tls.context()) if tls else None,
        )
