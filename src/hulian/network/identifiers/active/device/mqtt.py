"""MQTT 3.1.1, as much as a carrier needs: QoS 1 both ways on two topics of its own (OASIS mqtt-v3.1.1-os)."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from urllib.parse import quote

from .errors import FormatError, LinkError
from .frame import MOST
from .link import SocketLink

__all__ = ["MqttLink", "packet", "read_packet", "topics"]

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK = 1, 2, 3, 4, 8, 9
_LARGEST = MOST + 1024
_REFUSED = {1: "another version", 2: "the client's name", 3: "not available", 4: "user or password", 5: "not allowed"}


def topics(serial: str) -> tuple[str, str]:
    """Where the carrier asks, and where it is answered."""
    name = quote(serial, safe="").replace(".", "%2E")
    return f"hulian/active/{name}/ask", f"hulian/active/{name}/answer"


def _text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(kind: int, flags: int, body: bytes) -> bytes:
    """A control packet (section 2)."""
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | (0x80 if size else 0),))
        if not size:
            return bytes((kind << 4 | flags,)) + length + body


def read_packet(data: bytes) -> tuple[int, int, bytes, int] | None:
    """Kind, flags and body of the packet that ``data`` begins with, and its length; None where it is not whole yet.

    Raises `FormatError` for a length that is none, or is more than a carrier reads.
    """
    size, at = 0, 1
    while True:
        if at >= len(data):
            return None
        if at > 4:
            raise FormatError("an MQTT packet with a length that is none")
        size |= (data[at] & 0x7F) << 7 * (at - 1)
        at += 1
        if not data[at - 1] & 0x80:
            break
    if size > _LARGEST:
        raise FormatError(f"an MQTT packet of {size} bytes")
    return (data[0] >> 4, data[0] & 15, data[at : at + size], at + size) if len(data) >= at + size else None


def read_publish(flags: int, body: bytes) -> tuple[str, int, bytes]:
    """Topic, packet id (0 of QoS 0) and payload. Raises `FormatError`."""
    size = int.from_bytes(body[:2], "big")
    at = 2 + size
    qos = flags >> 1 & 3
    if len(body) < at + (2 if qos else 0) or qos > 1:
        raise FormatError("an MQTT message that is cut short, or of a QoS that was not asked for")
    number = int.from_bytes(body[at : at + 2], "big") if qos else 0
    try:
        return body[2:at].decode(), number, body[at + 2 if qos else at :]
    except UnicodeDecodeError as error:
        raise FormatError("an MQTT topic that is no UTF-8") from error


class MqttLink(SocketLink):
    """Over the broker at ``host`` and ``port``, as the carrier ``serial``. ``ca`` (PEM) verifies the broker; None: no TLS.

    An answer is awaited for ``seconds``; the connection is kept between messages for as long as the broker keeps it.
    """

    _stale = (ConnectionError, ssl.SSLError)

    def __init__(
        self,
        host: str,
        port: int,
        serial: str,
        *,
        user: str = "",
        password: str = "",
        ca: str | None = None,
        seconds: float = 20.0,
    ) -> None:
        super().__init__(host, port)
        self._seconds = seconds
        # 23 letters and digits are what every broker takes (section 3.1.3.1).
        self._name = "hl" + hashlib.sha256(serial.encode()).hexdigest()[:20]
        self._user, self._password = user, password
        self._asks, self._answers = topics(serial)
        self._context = ssl.create_default_context(cadata=ca) if ca is not None else None
        self._data = b""
        self._number = 0

    def __repr__(self) -> str:
        return f"MqttLink({self._host!r}, {self._port})"

    def close(self) -> None:
        """See `Link`."""
        self._data = b""
        super().close()

    def _part(self, made: socket.socket) -> None:
        made.sendall(packet(14, 0, b""))

    def _opened(self) -> socket.socket:
        made = socket.create_connection((self._host, self._port), timeout=self._seconds)
        try:
            if self._context is not None:
                made = self._context.wrap_socket(made, server_hostname=self._host)
            flags = 2 | (0x80 if self._user else 0) | (0x40 if self._password else 0)
            body = _text("MQTT") + bytes((4, flags)) + (0).to_bytes(2, "big") + _text(self._name)
            body += (_text(self._user) if self._user else b"") + (_text(self._password) if self._password else b"")
            made.sendall(packet(_CONNECT, 0, body))
            ends = time.monotonic() + self._seconds
            answer = self._awaited(made, _CONNACK, ends)
            if len(answer) != 2 or answer[1]:
                raise LinkError(f"the broker refused: {_REFUSED.get(answer[-1] if answer else 0, 'no reason')}")
            made.sendall(packet(_SUBSCRIBE, 2, self._next() + _text(self._answers) + b"\1"))
            if self._awaited(made, _SUBACK, ends)[2:] not in (b"\0", b"\1"):
                raise LinkError(f"the broker does not let this carrier hear {self._answers}")
        except BaseException:
            made.close()
            self._data = b""
            raise
        self._socket = made
        return made

    def _next(self) -> bytes:
        self._number = self._number % 65535 + 1
        return self._number.to_bytes(2, "big")

    def _exchanged(self, made: socket.socket, message: bytes) -> bytes:
        made.sendall(packet(_PUBLISH, 2, _text(self._asks) + self._next() + message))
        ends = time.monotonic() + self._seconds
        while True:
            kind, flags, body = self._packet(made, ends)
            if kind != _PUBLISH:
                continue
            topic, number, payload = read_publish(flags, body)
            if number:
                made.sendall(packet(_PUBACK, 0, number.to_bytes(2, "big")))
            # An answer that came too late for an earlier question is passed over: the request id tells.
            if topic == self._answers and payload[8:12] == message[8:12]:
                return payload

    def _awaited(self, made: socket.socket, wanted: int, ends: float) -> bytes:
        while True:
            kind, _, body = self._packet(made, ends)
            if kind == wanted:
                return body

    def _packet(self, made: socket.socket, ends: float) -> tuple[int, int, bytes]:
        while True:
            found = read_packet(self._data)
            if found is not None:
                self._data = self._data[found[3] :]
                return found[:3]
            left = ends - time.monotonic()
            if left <= 0:
                raise LinkError(f"{self._host}:{self._port}: no answer")
            made.settimeout(left)
            chunk = made.recv(65536)
            if not chunk:
                raise ConnectionResetError("the broker closed the connection")
            self._data += chunk
