"""CoAP over UDP: confirmable messages (RFC 7252) and bodies in blocks (RFC 7959).

What is said can be read by others; that of the node which is signed (contents, receipts) can be believed all the same.
"""

from __future__ import annotations

import secrets
import socket
import time

from . import coap_message as coap
from .coap_message import Block, CoapMessage, code
from .errors import FormatError, LinkError
from .frame import MOST
from .link import SocketLink

__all__ = ["CoapLink"]

PATH = "hdl"
_BLOCK = 512
_TIMEOUT = 2.0
_RETRIES = 4
_PATIENCE = 45.0
_FORMAT = (coap.CONTENT_FORMAT, coap.number(coap.OCTETS))
_CONTINUE, _CHANGED = code(2, 31), code(2, 4)


class CoapLink(SocketLink):
    """To ``host`` and ``port`` (5683). ``timeout`` is how long the first try waits for its answer, ACK_TIMEOUT of RFC 7252."""

    def __init__(self, host: str, port: int = 5683, *, timeout: float = _TIMEOUT) -> None:
        super().__init__(host, port)
        self._timeout = timeout
        self._id = secrets.randbelow(65536)

    def _opened(self) -> socket.socket:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(found[0], found[1], found[2])
        try:
            made.connect(found[4])
        except BaseException:
            made.close()
            raise
        self._socket = made
        return made

    def _exchanged(self, made: socket.socket, message: bytes) -> bytes:
        size, at = _BLOCK, 0
        while True:
            part, more = message[at : at + size], at + size < len(message)
            options = [_FORMAT]
            if more or at:
                options.append((coap.BLOCK1, Block(at // size, more, size).pack()))
            if more and not at:
                options.append((coap.SIZE1, coap.number(len(message))))
            answer = self._asked(made, options, part)
            if not more:
                return self._whole(made, answer)
            if answer.code != _CONTINUE:
                raise _refused(answer)
            at += len(part)
            told = answer.option(coap.BLOCK1)
            if told is not None and Block.unpack(told).size < size and at % Block.unpack(told).size == 0:
                size = Block.unpack(told).size

    def _whole(self, made: socket.socket, answer: CoapMessage) -> bytes:
        """The body of an answer, whose further blocks are asked for."""
        body = b""
        while True:
            if answer.code != _CHANGED:
                raise _refused(answer)
            told = answer.option(coap.BLOCK2)
            block = Block.unpack(told) if told is not None else Block(0, False, _BLOCK)
            if block.number * block.size != len(body) or len(body) + len(answer.payload) > MOST:
                raise FormatError("blocks that do not follow on each other, or too many")
            if block.more and len(answer.payload) != block.size:
                raise FormatError("a block of another size than it says")
            body += answer.payload
            if not block.more:
                return body
            following = Block(block.number + 1, False, block.size)
            # Everything but the blocks is as in the question before: that is how a server knows which answer is meant.
            answer = self._asked(made, [_FORMAT, (coap.BLOCK2, following.pack())], b"")

    def _asked(self, made: socket.socket, options: list[tuple[int, bytes]], payload: bytes) -> CoapMessage:
        """One confirmable request and its answer, which may come by itself after an empty acknowledgement."""
        self._id = (self._id + 1) & 0xFFFF
        token = secrets.token_bytes(4)
        path = [(coap.URI_PATH, PATH.encode())]
        asked = coap.encode(CoapMessage(coap.CONFIRMABLE, coap.POST, self._id, token, [*path, *options], payload))
        wait = self._timeout * (1 + secrets.randbelow(500) / 1000)
        acknowledged = False
        for _ in range(_RETRIES + 1):
            made.send(asked)
            ends = time.monotonic() + wait
            while (left := ends - time.monotonic()) > 0:
                made.settimeout(left)
                try:
                    answer = coap.decode(made.recv(2048))
                except socket.timeout:  # noqa: UP041 - Python 3.9
                    break
                except FormatError:
                    continue
                if answer.type == coap.RESET and answer.id == self._id:
                    raise LinkError(f"{self._host}:{self._port}: the message was refused")
                if answer.type == coap.ACKNOWLEDGEMENT and answer.id == self._id and not answer.code:
                    acknowledged, ends = True, time.monotonic() + _PATIENCE
                elif answer.token == token and answer.code:
                    if answer.type == coap.CONFIRMABLE:
                        made.send(coap.encode(CoapMessage(coap.ACKNOWLEDGEMENT, 0, answer.id)))
                    if answer.type != coap.ACKNOWLEDGEMENT or answer.id == self._id:
                        return answer
            if acknowledged:
                break
            wait *= 2
        raise LinkError(f"{self._host}:{self._port}: no answer")


def _refused(answer: CoapMessage) -> LinkError:
    words = answer.payload[:200].decode("utf-8", "replace")
    return LinkError(f"CoAP {answer.code >> 5}.{answer.code & 31:02d} {words}".rstrip())
