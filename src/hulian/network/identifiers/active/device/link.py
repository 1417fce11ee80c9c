"""What a way to the node is."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from .errors import LinkError

__all__ = ["Link", "SocketLink"]


class Link(Protocol):
    """Carries one message to the node and its answer back. `Carrier` calls it, one message at a time."""

    def exchange(self, message: bytes) -> bytes:
        """The bytes of the answer to ``message``. Raises `LinkError` where none comes, `FormatError` for one that is none."""
        ...

    def address(self) -> str:
        """The address by which this carrier reaches the node; empty where that is not known."""
        ...

    def close(self) -> None:
        """Ends what is open; the next exchange opens it again."""
        ...


class SocketLink:
    """A `Link` over one socket, which is opened when it is needed and closed by whatever goes wrong on it.

    Who makes one says how it is opened and how a message and its answer go over it. ``_stale`` are the errors by which a
    socket shows that it ended while nobody used it: then it is opened again, once.
    """

    _stale: tuple[type[BaseException], ...] = ()

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._socket: socket.socket | None = None

    def exchange(self, message: bytes) -> bytes:
        """See `Link`."""
        done = False
        try:
            answer = self._tried(message)
            done = True
            return answer
        except OSError as error:
            raise LinkError(f"{self._host}:{self._port}: {error}") from error
        finally:
            if not done:
                self.close()

    def address(self) -> str:
        """See `Link`."""
        try:
            return str((self._socket or self._opened()).getsockname()[0])
        except (OSError, LinkError):
            return ""

    def close(self) -> None:
        """See `Link`."""
        made, self._socket = self._socket, None
        if made is not None:
            with contextlib.suppress(OSError):
                self._part(made)
            with contextlib.suppress(OSError):
                made.close()

    def _tried(self, message: bytes) -> bytes:
        if self._socket is not None and self._stale:
            try:
                return self._exchanged(self._socket, message)
            except self._stale:
                self.close()
        return self._exchanged(self._socket or self._opened(), message)

    def _opened(self) -> socket.socket:
        """Opens the socket and keeps it. Raises `OSError` or `LinkError`."""
        raise NotImplementedError

    def _exchanged(self, made: socket.socket, message: bytes) -> bytes:
        """The answer to ``message``. Raises `OSError`, `LinkError` and `FormatError`."""
        raise NotImplementedError

    def _part(self, made: socket.socket) -> None:
        """What is said before a socket is closed."""
