"""Questions to other nodes: over UDP with retries, over TCP where that does not get through."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Sequence
from typing import Final

import anyio
import msgspec

from hulian.network.identifiers.chain.errors import UnreachableError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.wire.codes import Transport
from hulian.network.identifiers.wire.datagrams import Reassembler, split
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.stream import Splitter

__all__ = ["Client"]

TRIES: Final = (0.5, 1.0, 1.5)
"""Seconds that each try over UDP waits, as the Handle System's clients do."""

TCP_SECONDS: Final = 10.0
_CHUNK: Final = 65_536
_DATAGRAM: Final = 65_536


class Client:
    """An `hulian.network.identifiers.chain.follow.Ask`.

    Every question has a socket and a random request id of its own: who wants to forge an answer must guess both. A server that
    does not answer over UDP is asked over TCP at the same port: it may be holding strangers to a rate.
    """

    def __init__(self, *, tries: Sequence[float] = TRIES, tcp_seconds: float = TCP_SECONDS, fall_back: bool = True) -> None:
        self._tries = tuple(tries)
        self._tcp_seconds = tcp_seconds
        self._fall_back = fall_back

    async def __call__(self, target: Target, message: Message) -> Message:
        asked = msgspec.structs.replace(message, request_id=secrets.randbits(32))
        if target.transport is Transport.UDP and (answer := await self._over_udp(target, asked)) is not None:
            return answer
        if target.transport is Transport.UDP and not self._fall_back:
            raise UnreachableError("no answer in time", place=str(target))
        return await self._over_tcp(target, asked)

    async def _over_udp(self, target: Target, asked: Message) -> Message | None:
        """The answer, or None after the last try."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6 if ":" in target.address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            try:
                asking.connect((target.address, target.port))
            except OSError as error:
                raise UnreachableError(f"no way there: {error.strerror or error}", place=str(target)) from error
            waiting = _Waiting(asking, asked)
            loop.add_reader(asking, waiting.readable)
            try:
                pieces = split(encode(asked))
                for seconds in self._tries:
                    if await waiting.tried(loop, pieces, seconds):
                        break
                return waiting.answer
            finally:
                loop.remove_reader(asking)

    async def _over_tcp(self, target: Target, asked: Message) -> Message:
        try:
            with anyio.fail_after(self._tcp_seconds):
                reader, writer = await asyncio.open_connection(target.address, target.port)
                try:
                    writer.write(encode(asked))
                    await writer.drain()
                    splitter = Splitter()
                    while chunk := await reader.read(_CHUNK):
                        for data in splitter.feed(chunk):
                            answer = decode(data)
                            if answer.request_id == asked.request_id:
                                return answer
                finally:
                    writer.close()
        except TimeoutError:
            raise UnreachableError("no answer in time", place=str(target)) from None
        except OSError as error:
            raise UnreachableError(f"no connection: {error.strerror or error}", place=str(target)) from error
        except WireError as error:
            raise UnreachableError(f"it does not speak the protocol: {error.message}", place=str(target)) from error
        raise UnreachableError("it hung up without an answer", place=str(target))


class _Waiting:
    """Waits for the one answer; everything else that comes to its port is nothing to it."""

    def __init__(self, asking: socket.socket, asked: Message) -> None:
        self._asking = asking
        self._asked = asked
        self._reassembler = Reassembler()
        self._came: asyncio.Future[None] | None = None
        self._refused = False
        self.answer: Message | None = None

    async def tried(self, loop: asyncio.AbstractEventLoop, pieces: Sequence[bytes], seconds: float) -> bool:
        """Sends the question and waits so long; whether waiting any longer has no sense."""
        self._came = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            for piece in pieces:
                self._asking.send(piece)
            await self._came
        except OSError:  # nobody listens at the port, or the buffer is full
            self._refused = True
        finally:
            timer.cancel()
        return self.answer is not None or self._refused

    def readable(self) -> None:
        """Takes what has come."""
        while self.answer is None:
            try:
                data = self._asking.recv(_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._refused = True
                break
            try:
                whole = self._reassembler.add(None, data, time.monotonic())
                answer = None if whole is None else decode(whole)
            except WireError:
                continue
            if answer is not None and answer.request_id == self._asked.request_id and not answer.is_request:
                self.answer = answer
        self._wake()

    def _wake(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)
