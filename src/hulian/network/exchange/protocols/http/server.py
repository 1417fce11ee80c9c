"""The HTTP side of a listener: who may speak, how much, and what they hear. What a body holds is the connector's."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import socket
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import anyio
import msgspec
import uvicorn
from anyio import CancelScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hulian.kernel.version import VERSION
from hulian.network.exchange.protocols.contract import Credentials, PeerTrust
from hulian.network.exchange.protocols.http.bodies import decompressed
from hulian.network.exchange.protocols.http.config import HttpConfiguration, Listen
from hulian.network.exchange.protocols.http.errors import (
    AccessError,
    BodyError,
    CrowdError,
    FormatError,
    HttpError,
    ListenError,
    OptionError,
    RouteError,
    SizeError,
)
from hulian.network.exchange.protocols.http.intake import Body
from hulian.network.exchange.protocols.http.line import PRECISIONS

__all__ = ["Answer", "Application", "Push", "bind", "serve", "tls_context"]

_LONGEST_KEY: Final = 255
_LONGEST_STREAM: Final = 200
_LONGEST_LENGTH: Final = 18
_FORMS: Final = {
    "text/plain": "line",
    "application/vnd.influxdata.line-protocol": "line",
    "application/json": "json",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/cloudevents+json": "event",
    "application/cloudevents-batch+json": "event",
}

Push = Callable[[Body, str], Awaitable["Answer"]]
"""Stores a body (with its idempotency key, or an empty one) and says what the sender hears. Raises `HttpError`."""


class Answer(msgspec.Struct, frozen=True):
    """What the sender hears."""

    status: int
    body: bytes = b""
    replayed: bool = False


class Application:
    """The ASGI application of one listener."""

    def __init__(
        self, configuration: HttpConfiguration, credentials: Credentials, push: Push, decode: Callable[..., Any]
    ) -> None:
        """``decode`` runs a function in a worker thread."""
        self._configuration = configuration
        self._credentials = credentials
        self._push = push
        self._in_thread = decode
        self._under_way = 0
        self._held = 0
        self._unpacking = anyio.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """See the ASGI specification, HTTP."""
        headers: list[tuple[bytes, bytes]] = []
        try:
            answer = await self._answer(scope, receive)
        except HttpError as error:
            answer = Answer(error.status, _explained(error))
            if error.retry_after:
                headers.append((b"retry-after", str(error.retry_after).encode()))
            if error.status == 401:
                headers.append((b"www-authenticate", b'Bearer realm="hulian"'))
        if answer.body:
            headers.append((b"content-type", b"application/json"))
        if answer.replayed:
            headers.append((b"idempotency-replayed", b"true"))
        if answer.status != 204:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        headers.append((b"x-influxdb-version", f"hulian-{VERSION}".encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answer(self, scope: dict[str, Any], receive: Any) -> Answer:
        path, method = scope["path"].rstrip("/"), scope["method"]
        if method in ("GET", "HEAD") and path == "/ping":
            return Answer(204)
        if method in ("GET", "HEAD") and path == "/health":
            return Answer(200, b'{"name":"hulian","status":"pass"}')
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._admit(headers.get("authorization", ""))
        if method != "POST":
            raise RouteError(f"{method} {path or '/'} is nothing here")
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        if path == "/query":
            # Telegraf makes sure of its database before it writes; there is nothing to make here.
            await self._read(receive, 65_536)
            return Answer(200, b'{"results":[{"statement_id":0}]}')
        form, stream, content_type = _route(path, headers)
        key = headers.get("idempotency-key", "").strip()
        if len(key) > _LONGEST_KEY:
            raise BodyError(f"an idempotency key has {_LONGEST_KEY} characters at the most")
        precision = query.get("precision", "ns") if form == "line" else "ns"
        if precision not in PRECISIONS:
            raise BodyError(f"there is no precision {precision[:10]!r}", hint=f"one of {', '.join(filter(None, PRECISIONS))}")
        if self._under_way >= self._configuration.concurrent:
            raise CrowdError(f"more than {self._configuration.concurrent} requests at once")
        self._under_way += 1
        try:
            content = await self._content(headers, receive)
            if self._held + len(content) > 2 * self._configuration.decoded_mb * 2**20:
                raise CrowdError("the bodies of other requests fill the memory that there is for them")
            self._held += len(content)
            try:
                body = Body(form, stream, content, time.time_ns(), precision, content_type, headers if form == "event" else {})
                return await self._push(body, key)
            finally:
                self._held -= len(content)
        finally:
            self._under_way -= 1

    def _admit(self, given: str) -> None:
        """Bearer and Token with our token, Basic with user and token. Compared in constant time."""
        token, user = self._credentials.password, self._credentials.user
        if not token:
            return  # the configuration allows it on loopback only
        scheme, _, rest = given.partition(" ")
        match scheme.lower():
            case "bearer" | "token":
                good = _same(rest.strip(), token)
            case "basic":
                try:
                    name, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
                except (binascii.Error, UnicodeDecodeError):
                    name = password = ""
                good = _same(password, token) & (_same(name, user) if user else True)
            case _:
                good = False
        if not good:
            raise AccessError("no token" if not given else "not the token of this listener")

    async def _content(self, headers: Mapping[str, str], receive: Any) -> bytes:
        limit = self._configuration.body_mb * 2**20
        told = headers.get("content-length", "")
        if told.isdecimal() and (len(told) > _LONGEST_LENGTH or int(told) > limit):
            raise SizeError(f"the body is longer than {self._configuration.body_mb} MiB")
        body = await self._read(receive, limit)
        encoding = headers.get("content-encoding", "")
        if not encoding:
            return body
        async with self._unpacking:
            found: bytes = await self._in_thread(lambda: decompressed(body, encoding, self._configuration.decoded_mb * 2**20))
        return found

    async def _read(self, receive: Any, limit: int) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BodyError("the sender went away")
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise SizeError(f"the body is longer than {limit // 2**20} MiB")
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode(), ours.encode())


def _explained(error: HttpError) -> bytes:
    """``code`` and ``message`` as InfluxDB's clients read them, ``error`` as those of its first version do."""
    return msgspec.json.encode(
        {"code": error.code, "message": error.message, "hint": error.hint, "place": error.place, "error": error.message}
    )


def _route(path: str, headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Form, stream and content type of a request. Raises `RouteError`, `FormatError`."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if path in ("/write", "/api/v2/write"):
        return "line", "", content_type
    if path != "/push" and not path.startswith("/push/"):
        raise RouteError(f"there is nothing at {path[:100]!r}")
    stream = unquote(path[6:])
    if len(stream) > _LONGEST_STREAM:
        raise RouteError(f"the name of a stream has {_LONGEST_STREAM} characters at the most")
    if "ce-specversion" in headers:
        return "event", stream, content_type
    form = _FORMS.get(content_type)
    if form is None:
        raise FormatError(f"the content type {content_type[:60]!r} is not read here" if content_type else "no content type")
    return form, stream, content_type


# -- the socket and the server -----------------------------------------------------------------------------------------


def bind(listen: Listen) -> socket.socket:
    """A socket that listens; raises `ListenError`."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise ListenError(f"cannot listen on {listen.host!r}: {error.strerror or error}", place=str(listen)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ListenError((error.strerror or str(error)).lower(), place=str(listen)) from error
    return listener


def tls_context(listen: Listen, configuration: HttpConfiguration, trust: PeerTrust, connector: str) -> ssl.SSLContext | None:
    """The certificate of the configuration, or one of our own; None without TLS. Raises `OptionError`. Blocking."""
    if not listen.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if configuration.certificate:
            context.load_cert_chain(configuration.certificate, configuration.key)
        else:
            certificate, key = trust.own(f"urn:hulian:http:{connector}")
            # The ssl module reads files only: for a moment, in a folder that nobody else can open.
            with tempfile.TemporaryDirectory() as folder:
                chain, private = Path(folder, "chain.pem"), Path(folder, "key.pem")
                chain.write_text(ssl.DER_cert_to_PEM_cert(certificate))
                private.touch(mode=0o600)
                private.write_bytes(key)
                context.load_cert_chain(chain, private)
    except (OSError, ssl.SSLError) as error:
        place = configuration.certificate or str(listen)
        raise OptionError(
            f"the certificate cannot be used: {getattr(error, 'strerror', None) or error}", place=place
        ) from error
    return context


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a time for each request to come in: a few bytes a minute do not hold a connection."""

    seconds: float = 60.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._begin()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def _begin(self) -> None:
        self._end()
        self._timer = self.loop.call_later(self.seconds, self.transport.close)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    """uvicorn without signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    application: Application, listener: socket.socket, context: ssl.SSLContext | None, configuration: HttpConfiguration
) -> None:
    """Serves until cancelled; requests under way get a second to finish. Raises `ListenError` where it ends by itself."""
    protocol = type("_Timed", (_Protocol,), {"seconds": configuration.request_seconds})
    config = uvicorn.Config(
        application,
        loop="none",
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=configuration.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = context
    server = _Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        with CancelScope(shield=True):
            await asyncio.wait([running])
    raise ListenError("the HTTP server ended by itself", place=f"{listener.fileno()}")
