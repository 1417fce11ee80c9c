"""The listener of a node: UDP and TCP on one port, each message handed to the chain, each answer back to whoever asked."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

import anyio
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.datagrams import Reassembler, split
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.stream import Splitter

__all__ = ["Listener"]

IDLE: Final = 60.0
"""Seconds that a TCP connection may say nothing."""

CONNECTIONS: Final = 1_024
PER_CONNECTION: Final = 64
"""Questions of one connection that are under way; the next ones wait in the socket."""

UNDER_WAY: Final = 4_096
"""Datagram questions under way; beyond it they are dropped, and askers ask again."""

_CHUNK: Final = 65_536
_log = structlog.get_logger(__name__)


class Listener:
    """Serves ``link`` at ``host`` and ``port`` (0: any free one). What strangers draw over UDP is bounded by ``budget``.

    A datagram that cannot be read is dropped; a connection that cannot be read is closed. Neither disturbs another asker.
    """

    def __init__(self, link: Link, host: str, port: int, *, budget: Budget | None = None) -> None:
        self._link = link
        self._host = host
        self.port = port
        self._budget = budget or Budget()
        self._reassembler = Reassembler()
        self._under_way = 0
        self._connections = 0
        self.dropped = 0
        """Datagrams without an answer: broken, beyond the budget, or too many under way."""

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `ListenError`."""
        loop = asyncio.get_running_loop()
        tcp = await self._bound()
        async with anyio.create_task_group() as group:
            udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self, group), local_addr=(self._host, self.port))
            try:
                server = await asyncio.start_server(lambda r, w: self._connection(group, r, w), sock=tcp)
                async with server:
                    task_status.started()
                    await anyio.sleep_forever()
            finally:
                udp.close()

    async def _bound(self) -> socket.socket:
        """The TCP socket; its port is the one for UDP too."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[0]
            made = socket.socket(family, kind, protocol)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setblocking(False)
            made.bind(address)
            made.listen(256)
        except OSError as error:
            raise ListenError(f"cannot listen: {error.strerror or error}", place=f"{self._host}:{self.port}") from error
        self.port = made.getsockname()[1]
        return made

    # -- datagrams -----------------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, source: tuple[str, int], send: Callable[[bytes], None], group: TaskGroup) -> None:
        """One datagram from ``source``; the answer goes to ``send``."""
        try:
            whole = self._reassembler.add(source, data, time.monotonic())
            request = None if whole is None else decode(whole)
        except WireError:
            self.dropped += 1
            return
        if request is None:
            return
        if not request.is_request or self._under_way >= UNDER_WAY:
            self.dropped += 1
            return
        self._under_way += 1
        group.start_soon(self._answer_datagram, request, source[0], send)

    async def _answer_datagram(self, request: Message, address: str, send: Callable[[bytes], None]) -> None:
        try:
            answer = await self._answered(request, Asker(address=address))
            pieces = split(encode(answer))
            if self._budget.allows(address, sum(map(len, pieces)), time.monotonic()):
                for piece in pieces:
                    send(piece)
            else:
                self.dropped += 1
        finally:
            self._under_way -= 1

    async def _answered(self, request: Message, asker: Asker) -> Message:
        try:
            return await self._link.answer(request, asker)
        except Exception:  # noqa: BLE001 - one question that cannot be answered ends no listener
            _log.exception("a question was not answered", opcode=request.op_code, asker=asker.address)
            return reply(request, ResponseCode.ERROR, "the server failed; its log has the cause")

    # -- connections ---------------------------------------------------------------------------------------------------

    async def _connection(self, group: TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        group.start_soon(self._serve, reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Questions in the order they come, answers as they are ready: the request id says which is which."""
        asker = Asker(address=str(writer.get_extra_info("peername")[0]), verified=True)
        splitter, room = Splitter(), anyio.Semaphore(PER_CONNECTION)
        writing = anyio.Lock()

        async def answer(request: Message) -> None:
            try:
                answered = encode(await self._answered(request, asker))
                async with writing:
                    writer.write(answered)
                    with anyio.fail_after(IDLE):
                        await writer.drain()
            except (OSError, TimeoutError):
                writer.transport.abort()
            finally:
                room.release()

        try:
            async with anyio.create_task_group() as group:
                while True:
                    with anyio.move_on_after(IDLE):
                        chunk = await reader.read(_CHUNK)
                        for message in _messages(splitter, chunk):
                            await room.acquire()
                            group.start_soon(answer, message)
                        if chunk and splitter.error is None:
                            continue
                    break
        except (WireError, OSError) as error:
            _log.info("a connection is closed", asker=asker.address, reason=str(error))
        except BaseExceptionGroup as errors:
            if errors.split((WireError, OSError))[1] is not None:
                raise
            _log.info("a connection is closed", asker=asker.address, reason=str(errors.exceptions[0]))
        finally:
            self._connections -= 1
            writer.close()


def _messages(splitter: Splitter, chunk: bytes) -> Sequence[Message]:
    return [decode(message) for message in splitter.feed(chunk)] if chunk else []


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, listener: Listener, group: TaskGroup) -> None:
        self._listener = listener
        self._group = group
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own promise, not its own class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        transport = self._transport
        if transport is not None:
            self._listener.datagram(data, addr, lambda piece: transport.sendto(piece, addr), self._group)
