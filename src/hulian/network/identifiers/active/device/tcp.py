"""TCP with TLS: the plain frame on a connection that stays open."""

from __future__ import annotations

import socket
import ssl

from .frame import length_of
from .link import SocketLink

__all__ = ["TcpLink"]


class TcpLink(SocketLink):
    """To ``host`` and ``port`` over TLS, verified by the authority in ``ca`` (PEM): what the carrier was given at the factory.

    ``ca`` of None is TCP without TLS: then what is said can be read by others, and only what is signed can be believed.
    """

    _stale = (OSError,)

    def __init__(self, host: str, port: int, ca: str | None, *, seconds: float = 20.0) -> None:
        super().__init__(host, port)
        self._seconds = seconds
        self._context = None
        if ca is not None:
            self._context = ssl.create_default_context(cadata=ca)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def _opened(self) -> socket.socket:
        made = socket.create_connection((self._host, self._port), timeout=self._seconds)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                made = self._context.wrap_socket(made, server_hostname=self._host)
        except BaseException:
            made.close()
            raise
        self._socket = made
        return made

    def _exchanged(self, made: socket.socket, message: bytes) -> bytes:
        made.sendall(message)
        data = b""
        wanted = 20
        while len(data) < wanted:
            chunk = made.recv(wanted - len(data))
            if not chunk:
                raise ConnectionResetError("the node closed the connection")
            data += chunk
            if wanted == 20 and len(data) == 20:
                wanted = length_of(data)
        return data
