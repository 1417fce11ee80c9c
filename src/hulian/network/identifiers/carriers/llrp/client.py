"""An inventory that goes on: connected to one reader, over lost connections, until it is left.

async with open_reader(Settings("10.0.0.5")) as reader:
    async for report in reader:
        print(report.code(), report.antenna, report.rssi)
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import ByteStream

from hulian.network.identifiers.carriers.errors import LlrpError, LlrpFormatError, ReaderError, UnreachableError
from hulian.network.identifiers.carriers.llrp.codec import Frames, Message
from hulian.network.identifiers.carriers.llrp.messages import (
    Order,
    TagReport,
    attempt_of,
    check_status,
    encode_order,
    keepalive_spec,
    read_report,
)
from hulian.network.identifiers.carriers.llrp.numbers import PORT, MessageType, Status

__all__ = ["Reader", "Settings", "open_reader"]

_ANSWERS: Final = {
    MessageType.GET_SUPPORTED_VERSION: MessageType.GET_SUPPORTED_VERSION_RESPONSE,
    MessageType.SET_PROTOCOL_VERSION: MessageType.SET_PROTOCOL_VERSION_RESPONSE,
    MessageType.SET_READER_CONFIG: MessageType.SET_READER_CONFIG_RESPONSE,
    MessageType.DELETE_ROSPEC: MessageType.DELETE_ROSPEC_RESPONSE,
    MessageType.ADD_ROSPEC: MessageType.ADD_ROSPEC_RESPONSE,
    MessageType.ENABLE_ROSPEC: MessageType.ENABLE_ROSPEC_RESPONSE,
    MessageType.START_ROSPEC: MessageType.START_ROSPEC_RESPONSE,
    MessageType.CLOSE_CONNECTION: MessageType.CLOSE_CONNECTION_RESPONSE,
}
_Take = Callable[[bytes], None]

_NEWEST: Final = 2
_NO_VERSIONS: Final = (Status.UNSUPPORTED_MESSAGE, Status.UNSUPPORTED_VERSION, Status.UNEXPECTED_MESSAGE)
_PIECE: Final = 65_536
_MISSED: Final = 3
_ATTEMPTS: Final = {1: "it has begun a connection of its own", 2: "another client is connected"}


@dataclass(frozen=True, slots=True)
class Settings:
    """One reader, and how it is read. Times are seconds."""

    host: str
    port: int = PORT
    order: Order = field(default_factory=Order)
    tls: ssl.SSLContext | None = None
    version: int = 0
    """1 for LLRP 1.0.1, 2 for 1.1; 0 asks the reader, as 1.1 has it, and takes 1.0.1 where it does not know the question."""
    keepalive: float = 10
    """How often the reader says that it is there; after three times in silence the connection is given up."""
    timeout: float = 10
    """For a connection and for each answer."""
    shortest_wait: float = 0.5
    longest_wait: float = 30
    """Between attempts to connect again; doubled each time."""
    buffer: int = 10_000
    """Reports that wait for whoever reads them; when it is full, new ones are dropped and counted."""

    def __post_init__(self) -> None:
        if self.version not in (0, 1, _NEWEST):
            raise LlrpError(f"no version {self.version} of LLRP is spoken here", rule="llrp.settings", hint="take 0, 1 or 2")
        if not 0.01 <= self.keepalive <= 86_400 or not 0.01 <= self.timeout <= 3_600:
            raise LlrpError("a time that no reader can keep", rule="llrp.settings", hint="seconds: 0.01 to a day, or an hour")
        if not 0 < self.shortest_wait <= self.longest_wait or not 1 <= self.buffer <= 10_000_000:
            raise LlrpError("waits that fall, or a buffer without room", rule="llrp.settings", hint="the defaults will do")


class Reader:
    """Reports of one reader, in their order; made by `open_reader`.

    ``dropped`` counts reports for which there was no room, ``connections`` how often a connection was made, ``error`` is why
    the last one was lost, or None while it holds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._put, self._get = anyio.create_memory_object_stream[TagReport](settings.buffer)
        self.dropped = 0
        self.connections = 0
        self.error: LlrpError | None = None

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._put.close()
        self._get.close()

    def __aiter__(self) -> AsyncIterator[TagReport]:
        return self._get

    def offer(self, reports: list[TagReport]) -> None:
        """Puts reports where they are read; called by whoever serves the connection."""
        for report in reports:
            try:
                self._put.send_nowait(report)
            except anyio.WouldBlock:
                self.dropped += 1


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Reader]:
    """Connects, orders the inventory, and gives a `Reader`; leaving it ends the inventory and the connection.

    Raises `UnreachableError`, `ReaderError` or `LlrpFormatError` where the first connection fails. Later ones are made again
    by themselves for as long as it takes; `Reader.error` says what is wrong meanwhile.
    """
    reader = Reader(settings)
    keeper = _Keeper(settings, reader)
    session = await keeper.connect()
    async with reader, anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run, session)
        try:
            yield reader
        finally:
            tasks.cancel_scope.cancel()


class _Keeper:
    """Keeps a session going for a `Reader`."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._settings = settings
        self._reader = reader

    async def run(self, session: _Session) -> None:
        """Serves ``session``, and those after it, until it is cancelled."""
        while True:
            try:
                async with session:
                    await session.follow()
            except LlrpError as error:
                self._reader.error = error
            session = await self._again()

    async def _again(self) -> _Session:
        wait = self._settings.shortest_wait
        while True:
            await anyio.sleep(wait)
            wait = min(2 * wait, self._settings.longest_wait)
            try:
                return await self.connect()
            except LlrpError as error:
                self._reader.error = error

    async def connect(self) -> _Session:
        """A session whose inventory is running."""
        session = await _connected(self._settings, lambda body: self._reader.offer(read_report(body)))
        try:
            await session.begin()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await session.close()
            raise
        self._reader.connections += 1
        self._reader.error = None
        return session


class _Session:
    """One connection, from the reader's greeting to its end."""

    def __init__(self, stream: ByteStream, settings: Settings, take: _Take) -> None:
        self._stream = stream
        self._settings = settings
        self._take = take
        self._frames = Frames()
        self._arrived: list[Message] = []
        self._next_id = 1
        self._version = settings.version or 1

    async def __aenter__(self) -> _Session:
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, LlrpError):
            # Left on purpose: the reader is told, so that it need not find out.
            with anyio.CancelScope(shield=True), anyio.move_on_after(min(2, self._settings.timeout)), suppress(LlrpError):
                await self._ask(MessageType.DELETE_ROSPEC, self._settings.order.id.to_bytes(4, "big"))
                await self._ask(MessageType.CLOSE_CONNECTION)
        with anyio.CancelScope(shield=True):
            await self.close()

    async def close(self) -> None:
        """Ends the connection without a word."""
        with anyio.move_on_after(2), suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._stream.aclose()

    async def begin(self) -> None:
        """Waits for the greeting, agrees on a version, and starts the inventory."""
        await self._greeting()
        if not self._settings.version:
            await self._agree()
        await self._ask(MessageType.SET_READER_CONFIG, b"\0" + keepalive_spec(round(self._settings.keepalive * 1000)))
        order = self._settings.order
        number = order.id.to_bytes(4, "big")
        # One may be left over from a connection that was lost; where there is none, the reader says so.
        with suppress(ReaderError):
            await self._ask(MessageType.DELETE_ROSPEC, number)
        await self._ask(MessageType.ADD_ROSPEC, encode_order(order))
        await self._ask(MessageType.ENABLE_ROSPEC, number)
        await self._ask(MessageType.START_ROSPEC, number)

    async def follow(self) -> None:
        """Takes reports and answers the reader's questions. Ends with an error only."""
        while True:
            await self._handle(await self._message(_MISSED * self._settings.keepalive))

    async def _greeting(self) -> None:
        message = await self._message(self._settings.timeout)
        attempt, _ = attempt_of(message.body) if message.type == MessageType.READER_EVENT_NOTIFICATION else (None, False)
        if attempt is None:
            raise LlrpFormatError("the reader did not say whether it is connected", rule="llrp.greeting")
        if attempt:
            raise ReaderError(
                f"the reader refuses the connection: {_ATTEMPTS.get(attempt, 'it does not say why')} ({attempt})",
                rule="llrp.greeting",
                status=attempt,
            )

    async def _agree(self) -> None:
        """GET_SUPPORTED_VERSION goes out as version 1.1; a reader of 1.0.1 refuses it, and that is an answer too."""
        self._version = _NEWEST
        try:
            body = await self._ask(MessageType.GET_SUPPORTED_VERSION)
        except ReaderError as error:
            if error.status not in _NO_VERSIONS:
                raise
            self._version = 1
            return
        if len(body) < 2:
            raise LlrpFormatError("an answer without versions", rule="llrp.version")
        current, supported = body[0], body[1]
        chosen = min(_NEWEST, supported)
        if chosen != current:
            await self._ask(MessageType.SET_PROTOCOL_VERSION, bytes([chosen]))
        self._version = max(1, chosen)

    async def _ask(self, type_: MessageType, body: bytes = b"") -> bytes:
        """Sends a question and gives the answer's body; what else arrives meanwhile is handled as ever."""
        id_ = self._next_id
        self._next_id += 1
        await self._send(Message(type_, id_, body, self._version))
        deadline = anyio.current_time() + self._settings.timeout
        while True:
            message = await self._message(deadline - anyio.current_time())
            if message.type == MessageType.ERROR_MESSAGE:
                check_status(message.body, type_.name)
                raise LlrpFormatError(f"an error without one, in answer to {type_.name}", rule="llrp.status")
            if message.type == _ANSWERS[type_] and message.id == id_:
                begin = 2 if type_ is MessageType.GET_SUPPORTED_VERSION else 0
                check_status(message.body, type_.name, begin)
                return message.body
            await self._handle(message)

    async def _handle(self, message: Message) -> None:
        if message.type == MessageType.RO_ACCESS_REPORT:
            self._take(message.body)
        elif message.type == MessageType.KEEPALIVE:
            await self._send(Message(MessageType.KEEPALIVE_ACK, message.id, b"", self._version))
        elif message.type == MessageType.READER_EVENT_NOTIFICATION and attempt_of(message.body)[1]:
            raise UnreachableError("the reader closed the connection", rule="llrp.closed")

    async def _message(self, within: float) -> Message:
        if self._arrived:
            return self._arrived.pop(0)
        try:
            with anyio.fail_after(max(within, 0)):
                while not self._arrived:
                    self._arrived = self._frames.feed(await self._stream.receive(_PIECE))
        except TimeoutError:
            raise UnreachableError(f"the reader was silent for {within:.1f} s", rule="llrp.silence") from None
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise UnreachableError("the connection to the reader was lost", rule="llrp.closed") from error
        return self._arrived.pop(0)

    async def _send(self, message: Message) -> None:
        try:
            with anyio.fail_after(self._settings.timeout):
                await self._stream.send(message.encode())
        except (TimeoutError, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise UnreachableError("the connection to the reader was lost", rule="llrp.closed") from error


async def _connected(settings: Settings, take: _Take) -> _Session:
    place = f"{settings.host}:{settings.port}"
    try:
        with anyio.fail_after(settings.timeout):
            if settings.tls is None:
                stream: ByteStream = await anyio.connect_tcp(settings.host, settings.port)
            else:
                stream = await anyio.connect_tcp(settings.host, settings.port, ssl_context=settings.tls)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(f"no reader answers at {place}: {error or 'no answer in time'}", rule="llrp.connect") from error
    return _Session(stream, settings, take)
