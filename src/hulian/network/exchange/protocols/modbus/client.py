"""One TCP connection to a device: requests out, answers matched by transaction id, as many in flight as allowed."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from hulian.network.exchange.protocols.modbus.errors import GarbageError, LostError, ModbusError, ReachError, SilenceError
from hulian.network.exchange.protocols.modbus.wire import FrameReader, encode_frame

__all__ = ["Client"]

_REMEMBERED: Final = 256


class _Window:
    """At most ``depth`` holders at once, served in the order they came; ``depth`` may change at any time."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if self._held < self.depth and not self._waiting:
            self._held += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise

    def release(self) -> None:
        self._held -= 1
        while self._waiting and self._held < self.depth:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._held += 1
                waiter.set_result(None)


class Client(asyncio.Protocol):
    """A connection that lives until it is closed, lost, or sends garbage; then every request raises the reason.

    Answers may come in any order. An answer that comes after its request has expired is dropped and counted in ``late``;
    one that answers nothing we asked ends the connection, because then nothing on it can be trusted.
    """

    def __init__(self, peer: str, depth: int = 1) -> None:
        self.peer = peer
        self.window = _Window(depth)
        self.late = 0
        self.requests = 0
        self.error: ModbusError | None = None
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._pending: dict[int, tuple[int, int, asyncio.Future[bytes], asyncio.TimerHandle]] = {}
        self._expired: deque[int] = deque(maxlen=_REMEMBERED)
        self._transaction = 0
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def connect(cls, host: str, port: int, *, timeout: float, depth: int = 1) -> Client:
        """Raises `ReachError` where nobody answers in ``timeout`` seconds."""
        peer = f"{host}:{port}"
        client = cls(peer, depth)
        try:
            async with asyncio.timeout(timeout):
                await client._loop.create_connection(lambda: client, host, port)
        except TimeoutError as error:
            raise ReachError(f"no connection within {timeout:g} s", place=peer) from error
        except (OSError, UnicodeError, OverflowError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ReachError(f"no connection: {what}", place=peer) from error
        return client

    async def request(self, unit: int, pdu: bytes, timeout: float) -> bytes:
        """The answer's data unit. Raises `SilenceError` after ``timeout`` seconds, or the reason the connection ended."""
        await self.window.acquire()
        try:
            if self.error is not None or self._transport is None:
                raise self.error or LostError("the connection is closed", place=self.peer)
            transaction = self._next_transaction()
            future: asyncio.Future[bytes] = self._loop.create_future()
            timer = self._loop.call_later(timeout, self._expire, transaction, timeout)
            self._pending[transaction] = (unit, pdu[0], future, timer)
            self.requests += 1
            self._transport.write(encode_frame(transaction, unit, pdu))
            try:
                return await future
            finally:
                if self._pending.pop(transaction, None) is not None:
                    timer.cancel()
                    self._expired.append(transaction)
        finally:
            self.window.release()

    def _next_transaction(self) -> int:
        """The next number that is neither awaited nor recently given up."""
        while True:
            self._transaction = (self._transaction + 1) & 0xFFFF
            if self._transaction not in self._pending and self._transaction not in self._expired:
                return self._transaction

    def close(self) -> None:
        """Ends the connection; whoever waits gets a `LostError`."""
        self._end(LostError("the connection was closed by us", place=self.peer))

    def abandon(self, error: ModbusError) -> None:
        """Ends the connection for a reason that its user has found."""
        self._end(error)

    def _expire(self, transaction: int, timeout: float) -> None:
        unit, function, future, _ = self._pending.pop(transaction)
        self._expired.append(transaction)
        if not future.done():
            where = f"{self.peer}, unit {unit}"
            future.set_exception(SilenceError(f"function {function} was not answered within {timeout:g} s", place=where))

    def _end(self, error: ModbusError) -> None:
        if self.error is not None:
            return
        self.error = error
        if self._transport is not None:
            self._transport.abort()
        for *_, future, timer in self._pending.values():
            timer.cancel()
            if not future.done():
                future.set_exception(error)
        self._pending.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        what = f"the connection broke: {exc}" if exc else "the device closed the connection"
        self._end(LostError(what, place=self.peer))

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self.error is not None:
            return
        try:
            for frame in self._reader.feed(data):
                self._take(frame.transaction, frame.unit, frame.pdu)
        except GarbageError as error:
            self._end(GarbageError(error.message, place=self.peer, hint=error.hint))

    def _take(self, transaction: int, unit: int, pdu: bytes) -> None:
        entry = self._pending.get(transaction)
        if entry is None:
            if transaction not in self._expired:
                raise GarbageError(f"an answer to transaction {transaction}, which nobody asked")
            self._expired.remove(transaction)
            self.late += 1
            return
        asked_unit, function, future, timer = entry
        if unit != asked_unit:
            raise GarbageError(f"unit {asked_unit} was asked and unit {unit} answered")
        if not pdu or pdu[0] & 0x7F != function:
            raise GarbageError(f"function {function} was asked and {pdu[0] & 0x7F if pdu else 'nothing'} answered")
        del self._pending[transaction]
        timer.cancel()
        if not future.done():
            future.set_result(pdu)
