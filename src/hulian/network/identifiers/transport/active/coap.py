"""CoAP for carriers (RFC 7252, RFC 7959): one resource, ``/hdl``, that takes a message of the protocol and gives its answer.

Bodies longer than a block come and go in blocks. A repeated message is answered as before, not asked again. Everything that is
kept for strangers is bounded: beyond the bounds the oldest goes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final, TypeAlias

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.network.identifiers.active.device import coap_message as coap
from hulian.network.identifiers.active.device.coap_message import Block, CoapMessage, code
from hulian.network.identifiers.active.device.errors import FormatError
from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.transport.active.tls import Ask
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import decode, encode

__all__ = ["CoapListener"]

PATH: Final = b"hdl"
LIFETIME: Final = 247.0
"""Seconds in which a message id names one message: EXCHANGE_LIFETIME of RFC 7252, section 4.8.2."""

MOST_BODY: Final = 65_536
UNDER_WAY: Final = 256
_ASSEMBLIES: Final = 64
_ASSEMBLY: Final = 60.0
_ANSWERS: Final = 256
_REMEMBERED: Final = 4_096
_LARGEST_BLOCK: Final = 1_024
_REQUEST_TAG: Final = 292
_KNOWN: Final = frozenset((3, 7, coap.URI_PATH, 17, coap.BLOCK1, coap.BLOCK2))
"""Critical options that are understood: host, port, path, accept, blocks."""

_CREATED, _CONTINUE = code(2, 4), code(2, 31)
_BAD, _BAD_OPTION, _NOT_FOUND, _METHOD = code(4, 0), code(4, 2), code(4, 4), code(4, 5)
_INCOMPLETE, _TOO_LARGE, _BUSY = code(4, 8), code(4, 13), code(5, 3)

_Source: TypeAlias = tuple[str, int]
_Body: TypeAlias = tuple[_Source, bytes]
"""Whose body in blocks: the source, and its Request-Tag (RFC 9175) where it has one."""


class _Kept:
    """Bodies on their way in or out: the oldest go beyond ``most``, and after `_ASSEMBLY` seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bodies: OrderedDict[_Body, tuple[float, bytes]] = OrderedDict()

    def get(self, key: _Body, now: float) -> bytes | None:
        found = self._bodies.get(key)
        return found[1] if found is not None and found[0] > now else None

    def put(self, key: _Body, body: bytes, now: float) -> None:
        self._bodies.pop(key, None)
        while len(self._bodies) >= self._most:
            self._bodies.popitem(last=False)
        self._bodies[key] = now + _ASSEMBLY, body

    def drop(self, key: _Body) -> None:
        self._bodies.pop(key, None)


class CoapListener(asyncio.DatagramProtocol):
    """Serves ``ask`` at ``host`` and ``port`` (0: any free one). What one source draws is bounded by ``budget``."""

    def __init__(self, ask: Ask, host: str, port: int, budget: Budget) -> None:
        self._ask = ask
        self._host = host
        self.port = port
        self._budget = budget
        self._transport: asyncio.DatagramTransport | None = None
        self._group: TaskGroup | None = None
        self._under_way = 0
        self._done: OrderedDict[tuple[_Source, int], tuple[float, bytes]] = OrderedDict()
        self._coming, self._going = _Kept(_ASSEMBLIES), _Kept(_ANSWERS)
        self.dropped = 0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `ListenError`."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as self._group:
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, self.port))
            except OSError as error:
                place = f"{self._host}:{self.port}/udp"
                raise ListenError(f"cannot listen: {error.strerror or error}", place=place) from error
            self._transport = transport
            self.port = transport.get_extra_info("sockname")[1]
            try:
                task_status.started()
                await anyio.sleep_forever()
            finally:
                transport.close()

    def error_received(self, exc: Exception) -> None:
        """A source that cannot be reached is its own affair."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram: answered from what was answered before, or by a task of its own."""
        source = (addr[0], addr[1])
        try:
            message = coap.decode(data)
        except FormatError:
            self.dropped += 1
            return
        if not message.code:
            if message.type == coap.CONFIRMABLE:  # a ping (RFC 7252, section 4.3)
                self._send(CoapMessage(coap.RESET, 0, message.id), addr)
            return
        if message.code >> 5 or message.type not in (coap.CONFIRMABLE, coap.NON_CONFIRMABLE) or self._group is None:
            self.dropped += 1
            return
        known = self._done.get((source, message.id))
        if known is not None and known[0] > time.monotonic():
            self._write(known[1], addr)  # empty where the answer is still being made: the asker comes again
            return
        if self._under_way >= UNDER_WAY:
            self._send(self._answer(message, _BUSY), addr)
            return
        self._remember(source, message.id, b"")
        self._under_way += 1
        self._group.start_soon(self._serve, message, addr)

    async def _serve(self, message: CoapMessage, addr: tuple[str, int]) -> None:
        source = (addr[0], addr[1])
        try:
            try:
                answer = await self._served(message, source)
            except FormatError as error:
                answer = self._answer(message, _BAD, payload=str(error).encode())
            data = coap.encode(answer)
            self._remember(source, message.id, data)
            self._write(data, addr)
        finally:
            self._under_way -= 1

    async def _served(self, message: CoapMessage, source: _Source) -> CoapMessage:
        """The answer to one datagram: a block of a body is taken, a block of an answer is given, or the chain is asked."""
        unknown = [number for number, _ in message.options if number & 1 and number not in _KNOWN]
        if unknown:
            return self._answer(message, _BAD_OPTION, payload=f"option {unknown[0]}".encode())
        if [value for number, value in message.options if number == coap.URI_PATH] != [PATH]:
            return self._answer(message, _NOT_FOUND)
        if message.code != coap.POST:
            return self._answer(message, _METHOD)
        now, key = time.monotonic(), (source, message.option(_REQUEST_TAG) or b"")
        first, second = message.option(coap.BLOCK1), message.option(coap.BLOCK2)
        wanted = Block.unpack(second) if second is not None else Block(0, False, _LARGEST_BLOCK)
        if wanted.number:
            going = self._going.get(key, now)
            return self._answer(message, _INCOMPLETE) if going is None else self._part(message, going, wanted, first)
        body = message.payload
        if first is not None:
            block = Block.unpack(first)
            before = b"" if not block.number else self._coming.get(key, now)
            if before is None or block.number * block.size != len(before) or (block.more and len(body) != block.size):
                self._coming.drop(key)
                return self._answer(message, _INCOMPLETE)
            body = before + body
            if len(body) > MOST_BODY:
                self._coming.drop(key)
                return self._answer(message, _TOO_LARGE)
            if block.more:
                self._coming.put(key, body, now)
                return self._answer(message, _CONTINUE, (coap.BLOCK1, first))
            self._coming.drop(key)
        try:
            asked = decode(body)
        except WireError as error:
            return self._answer(message, _BAD, payload=f"{error.code}: {error.message}".encode())
        answer = encode(await self._ask(asked, Asker(address=source[0])))
        if len(answer) > min(wanted.size, _LARGEST_BLOCK):
            self._going.put(key, answer, now)
        return self._part(message, answer, wanted, first)

    def _part(self, message: CoapMessage, body: bytes, wanted: Block, first: bytes | None) -> CoapMessage:
        size = min(wanted.size, _LARGEST_BLOCK)
        begin = wanted.number * size
        if begin >= len(body):
            return self._answer(message, _BAD_OPTION)
        options = [(coap.CONTENT_FORMAT, coap.number(coap.OCTETS))]
        if first is not None:
            options.append((coap.BLOCK1, first))
        more = begin + size < len(body)
        if more or begin:
            options.append((coap.BLOCK2, Block(wanted.number, more, size).pack()))
        return self._answer(message, _CREATED, *options, payload=body[begin : begin + size])

    @staticmethod
    def _answer(message: CoapMessage, found: int, *options: tuple[int, bytes], payload: bytes = b"") -> CoapMessage:
        """On an acknowledgement, or by itself where the question needs none."""
        kind = coap.ACKNOWLEDGEMENT if message.type == coap.CONFIRMABLE else coap.NON_CONFIRMABLE
        return CoapMessage(kind, found, message.id, message.token, sorted(options), payload)

    def _remember(self, source: _Source, number: int, data: bytes) -> None:
        now = time.monotonic()
        self._done.pop((source, number), None)
        while self._done and (len(self._done) >= _REMEMBERED or next(iter(self._done.values()))[0] <= now):
            self._done.popitem(last=False)
        self._done[(source, number)] = now + LIFETIME, data

    def _send(self, message: CoapMessage, addr: tuple[str, int]) -> None:
        self._write(coap.encode(message), addr)

    def _write(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data or self._transport is None:
            return
        if self._budget.allows(addr[0], len(data), time.monotonic()):
            self._transport.sendto(data, addr)
        else:
            self.dropped += 1
