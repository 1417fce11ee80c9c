"""The line to an instrument, TCP or serial: one question at a time, what comes held in a bounded buffer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import serial

from hulian.network.exchange.protocols.instrument.errors import (
    GarbageError,
    InstrumentError,
    LostError,
    ReachError,
    SilenceError,
)
from hulian.network.exchange.protocols.instrument.target import Target

__all__ = ["Line", "open_line"]

_PIECE: Final = 4096
T = TypeVar("T")


class _Wire(Protocol):
    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Line:
    """Holds at most ``most`` bytes that nobody has taken; then the peer waits, and who asks is told."""

    def __init__(self, target: Target, most: int) -> None:
        self.peer = str(target)
        self.stray = 0
        """Bytes that came although nobody had asked."""
        self._most = most
        self._character = target.character
        self._buffer = bytearray()
        self._came = asyncio.Event()
        self._error: InstrumentError | None = None
        self._paused = False
        self.closed = asyncio.Event()
        self.wire: _Wire | None = None

    # -- from the wire -------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data
        if len(self._buffer) > self._most and not self._paused and self.wire is not None:
            self._paused = True
            self.wire.pause()
        self._came.set()

    def lost(self, error: Exception | None) -> None:
        """The other end has gone, or the wire broke."""
        what = f"the connection broke: {error}" if error else "the instrument closed the connection"
        self._end(LostError(what, place=self.peer))

    def _end(self, error: InstrumentError) -> None:
        self._error = self._error or error
        self.closed.set()
        self._came.set()

    def close(self, error: InstrumentError | None = None) -> None:
        """We go, for ``error`` where there is one."""
        self._end(error or LostError("the connection was closed by us", place=self.peer))
        if self.wire is not None:
            self.wire.close()
            self.wire = None

    def check(self) -> None:
        """Raises `LostError` where the connection has ended."""
        if self._error is not None:
            raise self._error

    # -- questions -----------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Sends, without what came before and nobody wanted. Raises `LostError`."""
        self.check()
        self.stray += len(self._buffer)
        self._drop(len(self._buffer))
        if self.wire is not None:
            self.wire.write(data)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        if self._paused and len(self._buffer) <= self._most and self.wire is not None:
            self._paused = False
            self.wire.resume()

    async def take(self, parse: Callable[[bytes], tuple[T, int] | None], timeout: float, sent: int = 0) -> T:
        """The next answer, as ``parse`` finds it at the front of what came (None: more has to come).

        ``timeout`` seconds count from when ``sent`` bytes have left a serial line. Raises `SilenceError`, `LostError`, and what
        ``parse`` raises.
        """
        try:
            async with asyncio.timeout(timeout + sent * self._character):
                while True:
                    if self._buffer and (found := parse(bytes(self._buffer))) is not None:
                        self._drop(found[1])
                        return found[0]
                    if len(self._buffer) > self._most:
                        raise GarbageError(f"more than {self._most} bytes came and no answer ended", place=self.peer)
                    self.check()
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError as error:
            had = f"; {len(self._buffer)} bytes came: {bytes(self._buffer[:40])!r}" if self._buffer else ""
            raise SilenceError(f"no answer within {timeout:g} s{had}", place=self.peer) from error


class _Tcp(asyncio.Protocol):
    def __init__(self, line: Line) -> None:
        self._line = line
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._line.wire = self

    def data_received(self, data: bytes) -> None:
        self._line.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.lost(exc)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.abort()

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


class _Serial:
    """A serial device of this machine; nobody else may open it meanwhile."""

    def __init__(self, line: Line, target: Target) -> None:
        try:
            self._port = serial.Serial(
                target.device, target.baud, bytesize=target.bits, parity=target.parity, stopbits=target.stop, timeout=0,
                exclusive=True,
            )  # fmt: skip
            self._port.reset_input_buffer()
        except (OSError, ValueError) as error:
            hint = (
                "check the path, that the adapter is plugged in, that our user is in the group 'dialout' and nobody else has it"
            )
            raise ReachError(f"the serial line cannot be opened: {error}", place=target.device, hint=hint) from error
        self._line = line
        self._descriptor = self._port.fileno()
        os.set_blocking(self._descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._loop.add_reader(self._descriptor, self._readable)
        line.wire = self

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        if data:
            self._line.received(data)
        else:
            self._broken(None)

    def _broken(self, error: Exception | None) -> None:
        self.close()
        self._line.lost(error)

    def write(self, data: bytes) -> None:
        if not self._unsent:
            self._loop.add_writer(self._descriptor, self._writable)
        self._unsent += data

    def _writable(self) -> None:
        try:
            del self._unsent[: os.write(self._descriptor, self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        if not self._unsent:
            self._loop.remove_writer(self._descriptor)

    def pause(self) -> None:
        self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        self._loop.add_reader(self._descriptor, self._readable)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1
            self._port.close()


async def open_line(target: Target, *, timeout: float, most: int) -> Line:
    """A line to ``target``. Raises `ReachError`."""
    line = Line(target, most)
    if target.device:
        _Serial(line, target)
        return line
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().create_connection(lambda: _Tcp(line), target.host, target.port)
    except TimeoutError as error:
        raise ReachError(f"no connection within {timeout:g} s", place=line.peer) from error
    except (OSError, UnicodeError, OverflowError) as error:
        raise ReachError(f"no connection: {getattr(error, 'strerror', None) or error}", place=line.peer) from error
    return line
