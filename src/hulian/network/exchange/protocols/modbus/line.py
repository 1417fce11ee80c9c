"""Where the bytes of a bus go: a serial line of this machine, or a TCP connection to a device server."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, Final, Protocol

import serial
import serial.rs485

from hulian.network.exchange.protocols.modbus.errors import LineBusyError, ReachError
from hulian.network.exchange.protocols.modbus.target import Line

__all__ = ["SerialLine", "TcpLine", "Wire"]

_PIECE: Final = 512
_MOST_UNSENT: Final = 4096


class Wire(Protocol):
    """What a bus asks of its line."""

    def write(self, data: bytes) -> None:
        """Sends without waiting."""
        ...

    def close(self) -> None:
        """Ends the line; nothing more is received."""
        ...


class SerialLine:
    """A serial device of this machine, set by `pyserial`, read and written by the event loop. Nobody else may open it."""

    def __init__(
        self, path: str, line: Line, received: Callable[[bytes], None], lost: Callable[[Exception | None], None]
    ) -> None:
        """Raises `ReachError` where the device cannot be opened, `LineBusyError` where another process has it."""
        try:
            self._port = serial.Serial(
                path, line.baud, bytesize=line.bits, parity=line.parity, stopbits=line.stop, timeout=0, exclusive=True
            )
            if line.rs485:
                self._port.rs485_mode = serial.rs485.RS485Settings()
            self._port.reset_input_buffer()
        except (OSError, ValueError, serial.SerialException) as error:
            if "exclusively lock" in str(error):
                raise LineBusyError("another process has the serial line", place=path) from error
            what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            hint = "check the path, that the adapter is plugged in, and that our user is in the group 'dialout'"
            raise ReachError(f"the serial line cannot be opened: {what}", place=path, hint=hint) from error
        self._descriptor = self._port.fileno()
        os.set_blocking(self._descriptor, False)
        self._received = received
        self._lost = lost
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._readable)

    def write(self, data: bytes) -> None:
        """Sends without waiting; a line that takes nothing for sixteen frames is lost."""
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > _MOST_UNSENT:
                self._end(OSError("the line takes no bytes"))
            return
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._loop.call_soon(self._end, error)
            return
        if sent < len(data):
            self._unsent += data[sent:]
            self._loop.add_writer(self._descriptor, self._writable)

    def _writable(self) -> None:
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if data:
            self._received(data)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._descriptor >= 0:
            self.close()
            self._lost(error)

    def close(self) -> None:
        """Gives the device back."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1
            # A device that was unplugged may refuse to be closed; it is gone all the same.
            with contextlib.suppress(OSError):
                self._port.close()


class TcpLine(asyncio.Protocol):
    """A TCP connection whose other end puts the bytes on a serial line."""

    def __init__(self) -> None:
        self.received: Callable[[bytes], None] = lambda data: None
        self.lost: Callable[[Exception | None], None] = lambda error: None
        self.ended = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.ended = True
        self.lost(exc)

    def write(self, data: bytes) -> None:
        """Sends without waiting."""
        self._transport.write(data)

    def close(self) -> None:
        """Ends the connection."""
        self.received = lambda data: None
        self.lost = lambda error: None
        self._transport.abort()
