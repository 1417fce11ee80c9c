"""The DNS face of a node: UDP and TCP on one port."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any, Final, cast

import anyio
import anyio.to_thread
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.network.identifiers.junction.dns.zone import Zones
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.errors import ListenError

__all__ = ["DnsListener"]

IDLE: Final = 10.0
"""Seconds that a TCP connection may say nothing (RFC 7766 leaves it to the server)."""

CONNECTIONS: Final = 128
UNDER_WAY: Final = 64
"""Questions by UDP that are worked on; beyond it they are dropped, and resolvers ask again."""

_log = structlog.get_logger(__name__)


class DnsListener:
    """Serves ``zones`` at ``host`` and ``port`` (0: any free one).

    What one source draws over UDP is bounded by ``budget``, as for every other protocol of the node; beyond it nothing is sent.
    """

    def __init__(self, zones: Zones, host: str, port: int, budget: Budget) -> None:
        self._zones = zones
        self._host = host
        self.port = port
        self._budget = budget
        self._under_way = 0
        self._connections = 0
        self._limiter = anyio.CapacityLimiter(2)
        self.dropped = 0
        """Datagrams without an answer: no questions, beyond the budget, too many under way, or not taken by the system."""
        self.answered = 0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `ListenError`."""
        loop = asyncio.get_running_loop()
        try:
            tcp, udp = await self._bound()
        except OSError as error:
            raise ListenError(f"cannot listen: {error.strerror or error}", place=f"{self._host}:{self.port}") from error
        async with anyio.create_task_group() as group:

            async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if self._connections >= CONNECTIONS:
                    writer.close()
                    return
                self._connections += 1
                group.start_soon(self._serve, reader, writer)

            server = await asyncio.start_server(accepted, sock=tcp)
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self, group), sock=udp)
            try:
                async with server:
                    task_status.started()
                    _log.info("OIDs are answered by DNS", port=self.port)
                    await anyio.sleep_forever()
            finally:
                transport.close()

    async def _bound(self) -> tuple[socket.socket, socket.socket]:
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        tcp, udp = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for one in (tcp, udp):
                one.setblocking(False)
            tcp.bind(address)
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            raise
        self.port = tcp.getsockname()[1]
        return tcp, udp

    async def _answer(self, data: bytes, *, tcp: bool) -> bytes | None:
        """In a thread: what is below a name is looked up in the registry."""
        try:
            return await anyio.to_thread.run_sync(lambda: self._zones.answer(data, tcp=tcp), limiter=self._limiter)
        except Exception:  # noqa: BLE001 - one question that cannot be answered ends no listener
            _log.exception("a question of DNS was not answered")
            return None

    def datagram(self, transport: asyncio.DatagramTransport, data: bytes, source: Any, group: TaskGroup) -> None:
        """One datagram from ``source``."""
        if self._under_way >= UNDER_WAY:
            self.dropped += 1
            return
        self._under_way += 1
        group.start_soon(self._answer_datagram, transport, data, source)

    async def _answer_datagram(self, transport: asyncio.DatagramTransport, data: bytes, source: Any) -> None:
        try:
            answer = await self._answer(data, tcp=False)
            if answer is None or not self._budget.allows(source[0], len(answer), time.monotonic()):
                self.dropped += 1
                return
            transport.sendto(answer, source)
            self.answered += 1
        finally:
            self._under_way -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                with anyio.fail_after(IDLE):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                answer = await self._answer(data, tcp=True)
                if answer is None:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                with anyio.fail_after(IDLE):
                    await writer.drain()
                self.answered += 1
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._connections -= 1
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, face: DnsListener, group: TaskGroup) -> None:
        self._face, self._group = face, group
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the loop's own is no subclass of it

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._transport is not None:
            self._face.datagram(self._transport, data, addr, self._group)
