"""One connection to the spine: nats-py's client with a parser and an outbox that do no work per message but the least.

nats-py keeps the connection: handshake, TLS, pings, servers learnt from a cluster, coming back. Messages of our
subscriptions do not pass through its queues and tasks: the parser hands them to a `Sink`, a plain function. That, and
writing once per turn of the event loop, is what makes small messages several times faster than its own calls.
The members of nats-py used here are not public; its version is pinned below the next minor release.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple, cast

import nats.errors
import structlog
from nats.aio.client import Client
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from hulian.kernel.identifier import escape
from hulian.network.exchange.spine.configuration import MAXIMUM_PAYLOAD
from hulian.network.exchange.spine.errors import (
    MessageTooLargeError,
    SpineConfigurationError,
    SpineDeniedError,
    SpineUnavailableError,
    SpineUntrustedError,
)
from hulian.network.exchange.spine.tls import SpineTrust

__all__ = ["Message", "Sink", "Spine", "Subscription", "status_of"]

Sink = Callable[[bytes, bytes, bytes, bytes], None]
"""Called with (subject, reply, headers, payload) from the parser: quick, never blocking, never raising."""

Handler = Callable[["Message"], Awaitable[None]]

_log = structlog.get_logger("hulian.spine")

_READ: Final = 256 * 1024


class Message(NamedTuple):
    """What a subscription yields. ``reply`` is empty where no answer is wanted."""

    subject: str
    reply: str
    payload: bytes
    headers: bytes = b""

    def header(self, name: str) -> str:
        """The value of one header, empty where it is absent."""
        mark = f"\r\n{name}: ".encode()
        start = self.headers.find(mark)
        if start < 0:
            return ""
        start += len(mark)
        return self.headers[start : self.headers.find(b"\r\n", start)].decode("utf-8", "replace")


def status_of(headers: bytes) -> int:
    """The number of a status message (404, 408, 409, 503, 100), 0 for an ordinary one."""
    return int(headers[9:12]) if headers[:9] == b"NATS/1.0 " and headers[9:12].isdigit() else 0


class _FastParser(Parser):  # type: ignore[misc, unused-ignore]
    """Reads MSG and HMSG for sinks in one loop; everything else goes to nats-py's own parser."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.sinks: dict[bytes, Sink] = {}
        self._rest = bytearray()
        self._wanted = 0

    def reset(self) -> None:
        super().reset()
        self._rest = bytearray()
        self._wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest = bytearray()
        self._wanted = 0
        place, size = 0, len(data)
        sinks = self.sinks
        while place < size:
            end = data.find(b"\r\n", place)
            if end < 0:
                break
            kind = data[place : place + 4]
            if kind == b"HMSG":
                words = data[place + 5 : end].split(b" ")
                skip, total = int(words[-2]), int(words[-1])
            elif kind == b"MSG ":
                words = data[place + 4 : end].split(b" ")
                skip, total = 0, int(words[-1])
            else:
                await super().parse(data[place : end + 2])
                if self.state != AWAITING_CONTROL_LINE:  # pragma: no cover - a control line has no payload
                    super().reset()
                place = end + 2
                continue
            after = end + 2 + total
            if after + 2 > size:
                self._wanted = after + 2 - place
                break
            sink = sinks.get(words[1])
            if sink is not None:
                reply = words[2] if len(words) - (kind == b"HMSG") == 4 else b""
                sink(words[0], reply, data[end + 2 : end + 2 + skip] if skip else b"", data[end + 2 + skip : after])
            place = after + 2
        if place < size:
            self._rest = bytearray(data[place:])


class _UntrustedError(nats.errors.Error):  # type: ignore[misc, unused-ignore]
    """The server cannot be believed."""


class _Client(Client):  # type: ignore[misc, unused-ignore]
    """nats-py's client, which comes back after any error that the server names, instead of closing for good."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = _FastParser(self)
        self._ps = self.fast
        self.refusal: str = ""
        self.trust: SpineTrust | None = None

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Asked for at each connection, so that a renewed certificate is believed without a restart."""
        if self.trust is None:
            raise _UntrustedError("it wants TLS, and this component was given no certificate to believe")
        try:
            return self.trust.context()
        except SpineConfigurationError as error:
            raise _UntrustedError(str(error)) from error  # nats-py comes back only after errors of its own

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # nats-py goes on in plain text where a server does not ask for TLS: our password would travel to whoever answers.
        if initial_connection and self.trust is not None and not info.get("tls_required"):
            raise _UntrustedError("what answers there does not speak TLS")
        await super()._process_info(info, initial_connection)

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg:
            await super()._process_err(err_msg)
            return
        self.refusal = err_msg.strip("'")
        await self._process_op_err(nats.errors.Error(f"nats: {self.refusal}"))

    async def _connect_to_server(self, s: Any) -> None:
        await super()._connect_to_server(s)
        transport: Any = self._transport
        reader = getattr(transport, "_io_reader", None)
        if reader is not None:
            # Both are constants of nats-py, which reads 32 kB at a time; TLS, begun later, brings another reader.
            reader._limit = 4 * _READ  # noqa: SLF001
            transport.read = lambda size: transport._io_reader.read(_READ)  # noqa: SLF001

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except BaseException:
            # A TLS handshake that failed leaves a stream whose end nobody tells: nats-py would wait for it for ever.
            transport: Any = self._transport
            if transport is not None:
                transport.close()
                transport.wait_closed = _at_once
            raise


async def _at_once() -> None:
    """Instead of a wait that has no end."""


class Subscription:
    """Messages of one subject, in order, as an async iterator; at most ``limit`` wait, further ones are dropped and counted."""

    def __init__(self, spine: Spine, subject: str, limit: int) -> None:
        self.subject = subject
        self.dropped = 0
        self._spine = spine
        self._limit = limit
        self._waiting: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._number = 0
        self._closed = False

    def _sink(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if len(self._waiting) >= self._limit:
            self.dropped += 1
            return
        self._waiting.append(Message(subject.decode(), reply.decode(), payload, headers))
        self._wake.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    async def close(self) -> None:
        """Ends the interest; what waits is still yielded."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            await self._spine.detach(self._number)

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


class Spine:
    """One client of the spine. Once connected it comes back by itself, for ever, and renews its subscriptions.

    What is published while the link is down is refused with `SpineUnavailableError`, never kept in secret; `Publisher`
    keeps and repeats, with acknowledgement. All members belong to the event loop that called `connect`.
    """

    def __init__(self, client: _Client, name: str, mailbox: str, token: str) -> None:
        self.name = name
        self.mailbox = mailbox
        """Prefix of all reply subjects that the credential may subscribe to, also of earlier clients with it."""
        self.inbox = f"{mailbox}.{token}"
        """Prefix of this client's own reply subjects."""
        self.denied = 0
        """Publications and subscriptions that the server refused for want of permission."""
        self._client = client
        self._parser = client.fast
        self._connected = False
        self._listeners: list[Callable[[bool], None]] = []
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._flush_planned = False
        self._draining = asyncio.Lock()
        self._requests: dict[bytes, asyncio.Future[Message]] = {}
        self._request_number = 0
        self._request_inbox: bytes = b""
        self._inboxes = 0
        self._loop = asyncio.get_running_loop()
        self._last_error = ""

    @classmethod
    async def connect(
        cls,
        url: str,
        user: str,
        password: str,
        name: str,
        *,
        tls: SpineTrust | None = None,
        timeout: float = 5.0,
    ) -> Spine:
        """Tries for ``timeout`` seconds. Raises `SpineDeniedError` for refused credentials, `SpineUnavailableError` where
        no server answers, `SpineUntrustedError` where one answers that cannot be believed. With ``tls`` nothing is said in
        plain text; the certificate to believe is read anew whenever the connection comes back."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            client = _Client()
            client.trust = tls
            spine = cls(client, name, f"_INBOX.{escape(user or 'nobody')}", client._nuid.next().decode())  # noqa: SLF001
            try:
                async with asyncio.timeout(max(0.5, deadline - loop.time())):
                    await client.connect(
                        url,
                        user=user,
                        password=password,
                        name=name,
                        connect_timeout=max(1, int(timeout)),
                        allow_reconnect=False,
                        reconnect_time_wait=cast("int", 0.25),
                        max_reconnect_attempts=1,
                        ping_interval=20,
                        error_cb=spine._on_error,
                        disconnected_cb=spine._on_down,
                        reconnected_cb=spine._on_up,
                        closed_cb=spine._on_closed,
                    )
                break
            except (nats.errors.Error, OSError, TimeoutError) as error:
                with contextlib.suppress(nats.errors.Error, OSError):
                    await client.close()
                text = client.refusal or spine._last_error or str(error) or type(error).__name__
                if "authorization" in text.lower() or "authentication" in text.lower():
                    raise SpineDeniedError("the spine refuses the credentials", place=f"{user} at {url}") from error
                if loop.time() >= deadline and isinstance(error, _UntrustedError | ssl.SSLError):
                    raise SpineUntrustedError(f"the spine cannot be believed: {error}", place=url) from error
                if loop.time() >= deadline:
                    raise SpineUnavailableError(f"no connection to the spine: {text}", place=url) from error
            await asyncio.sleep(0.1)
        # The first connection says clearly why it fails; from now on the client comes back for ever.
        client.options["allow_reconnect"] = True
        client.options["max_reconnect_attempts"] = -1
        spine._connected = True
        spine._request_inbox = f"{spine.inbox}.r.".encode()
        await spine.attach(f"{spine.inbox}.r.*", spine._answer)
        return spine

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the link is up now."""
        return self._connected

    def listen(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """``listener`` is called with each change of `connected`; the result ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def wait_connected(self) -> None:
        """Returns when the link is up."""
        while not self._connected:
            event = asyncio.Event()
            stop = self.listen(lambda up, event=event: event.set() if up else None)  # type: ignore[misc]
            try:
                await event.wait()
            finally:
                stop()

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        if "permissions violation" in text.lower():
            self.denied += 1
            _log.warning("the spine denied a subject", client=self.name, error=text)
        elif text and text != self._last_error and not self._connected:
            self._last_error = text
            _log.debug("the spine is away", client=self.name, error=text)

    def _change(self, up: bool) -> None:
        if up == self._connected:
            return
        self._connected = up
        if not up:
            self._outbox.clear()
            self._outbox_bytes = 0
            for future in self._requests.values():
                if not future.done():
                    future.set_exception(SpineUnavailableError("the link to the spine broke before the answer came"))
        for listener in tuple(self._listeners):
            listener(up)

    async def _on_down(self) -> None:
        self._change(False)

    async def _on_up(self) -> None:
        self._last_error = ""
        self._change(True)

    async def _on_closed(self) -> None:
        self._change(False)

    async def close(self) -> None:
        """Sends what is written and ends the connection."""
        self._flush()
        self._listeners.clear()
        with contextlib.suppress(nats.errors.Error, OSError, RuntimeError):
            await self._client.close()
        self._change(False)

    async def __aenter__(self) -> Spine:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, command: bytes) -> None:
        """Puts a complete protocol command on the way with all others of this turn of the loop."""
        if not self._connected:
            raise SpineUnavailableError("the link to the spine is down", place=self.name)
        self._outbox.append(command)
        self._outbox_bytes += len(command)
        if not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        client = self._client
        transport = client._transport  # noqa: SLF001
        if not self._connected or not transport:
            return
        # nats-py's own commands first: a subscription has to reach the server before the request that it hears.
        if client._pending:  # noqa: SLF001
            waiting, client._pending, client._pending_data_size = client._pending, [], 0  # noqa: SLF001
            transport.write(b"".join(waiting))
        if self._outbox:
            out, self._outbox, self._outbox_bytes = self._outbox, [], 0
            transport.write(out[0] if len(out) == 1 else b"".join(out))

    async def drain(self) -> None:
        """Waits until the socket has taken what was written: call it now and then when sending much."""
        self._flush()
        async with self._draining:
            transport = self._client._transport  # noqa: SLF001
            if transport:
                with contextlib.suppress(OSError):
                    await cast("Any", transport).drain()

    def publish_soon(self, subject: str, payload: bytes, reply: str = "", headers: bytes = b"") -> None:
        """`publish` without waiting for the socket; for callers that bound themselves."""
        if len(payload) + len(headers) > MAXIMUM_PAYLOAD:
            raise MessageTooLargeError(f"{len(payload)} bytes are more than one message may hold", place=subject)
        if headers:
            head = f"HPUB {subject} {reply + ' ' if reply else ''}{len(headers)} {len(headers) + len(payload)}\r\n"
            self.write(b"".join((head.encode(), headers, payload, b"\r\n")))
        else:
            head = f"PUB {subject} {reply + ' ' if reply else ''}{len(payload)}\r\n"
            self.write(b"".join((head.encode(), payload, b"\r\n")))

    async def publish(self, subject: str, payload: bytes, *, reply: str = "", headers: bytes = b"") -> None:
        """To every subscriber of now, at most once, without acknowledgement."""
        self.publish_soon(subject, payload, reply, headers)
        if self._outbox_bytes > 2**20:
            await self.drain()

    def new_inbox(self, kind: str) -> str:
        """A prefix for reply subjects that nobody of this connection used before; it ends with a dot."""
        self._inboxes += 1
        return f"{self.inbox}.{kind}{self._inboxes}."

    # -- reading -----------------------------------------------------------------------------------------------------

    async def attach(self, subject: str, sink: Sink, *, queue: str = "") -> int:
        """The parser hands every message of ``subject`` to ``sink``; the number is for `detach`."""
        number = self._client._sid + 1  # noqa: SLF001
        self._parser.sinks[b"%d" % number] = sink
        try:
            await self._client.subscribe(subject, queue=queue)
        except nats.errors.Error as error:
            self._parser.sinks.pop(b"%d" % number, None)
            raise SpineUnavailableError(f"cannot subscribe: {error or type(error).__name__}", place=subject) from error
        return number

    async def detach(self, number: int) -> None:
        """Ends an `attach`."""
        self._parser.sinks.pop(b"%d" % number, None)
        subscription = self._client._subs.get(number)  # noqa: SLF001
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def subscribe(self, subject: str, *, queue: str = "", limit: int = 65536) -> Subscription:
        """The messages of ``subject`` from now on, as an async iterator that drops, and counts, when nobody reads."""
        subscription = Subscription(self, subject, limit)
        subscription._number = await self.attach(subject, subscription._sink, queue=queue)  # noqa: SLF001
        return subscription

    async def serve(self, subject: str, handler: Handler, *, queue: str = "", at_once: int = 16) -> None:
        """Answers requests on ``subject`` until cancelled, ``at_once`` of them at the same time."""
        gate = asyncio.Semaphore(at_once)

        async def one(message: Message) -> None:
            try:
                await handler(message)
            except SpineUnavailableError:
                _log.info("an answer found no link", subject=subject)
            finally:
                gate.release()

        async with await self.subscribe(subject, queue=queue) as messages, asyncio.TaskGroup() as tasks:
            async for message in messages:
                await gate.acquire()
                tasks.create_task(one(message))

    async def request(self, subject: str, payload: bytes = b"", timeout: float = 5.0, *, headers: bytes = b"") -> Message:
        """One question, one answer. Raises `SpineUnavailableError` where nobody serves the subject, or not in time."""
        self._request_number += 1
        token = b"%d" % self._request_number
        future: asyncio.Future[Message] = self._loop.create_future()
        self._requests[token] = future
        try:
            self.publish_soon(subject, payload, (self._request_inbox + token).decode(), headers)
            async with asyncio.timeout(timeout):
                answer = await future
        except TimeoutError as error:
            raise SpineUnavailableError(f"no answer within {timeout:g} s", place=subject) from error
        finally:
            del self._requests[token]
        if status_of(answer.headers) == 503:
            raise SpineUnavailableError("nobody serves this subject", place=subject)
        return answer

    def _answer(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        future = self._requests.get(subject[len(self._request_inbox) :])
        if future is not None and not future.done():
            future.set_result(Message(subject.decode(), reply.decode(), payload, headers))

    async def messages(self, subject: str) -> AsyncIterator[Message]:
        """`subscribe` as a plain generator that ends its interest when it is closed."""
        async with await self.subscribe(subject) as subscription:
            async for message in subscription:
                yield message
