"""The listener of a node: UDP and TCP on one port; plain questions are answered in one step, others by the chain."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final, Literal, Protocol, TypeAlias

import anyio
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from hulian.network.identifiers import compiled
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.statistics.tally import Meter
from hulian.network.identifiers.store.index import CompiledIndex
from hulian.network.identifiers.transport.batch import Batch, Source
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.transport.connections import Stream
from hulian.network.identifiers.transport.crew import Crew
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.transport.fast import CompiledAnswers, CompiledBudget, CompiledLoops, Counters
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.datagrams import MAX_DATAGRAM, Reassembler, split
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.registry.errors import RegistryError

__all__ = ["FastPath", "Listener"]

FastPath: TypeAlias = Literal["auto", "compiled", "python", "off"]
"""How plain questions are answered: compiled where that can be, in Python, or like all others by the chain."""

IDLE: Final = 60.0
"""Seconds that a TCP connection may say nothing."""

CONNECTIONS: Final = 1_024
UNDER_WAY: Final = 4_096
"""Datagram questions under way in the chain; beyond it they are dropped, and askers ask again."""

_BATCH: Final = 64
_LONGEST: Final = 65_536
_RECEIVE: Final = 4 << 20
"""Bytes of datagrams that the system may keep while a batch is answered; it grants what it allows."""

_log = structlog.get_logger(__name__)


_Question: TypeAlias = tuple[Message, Source]
"""A question for the chain, and where it came from."""


class _Allows(Protocol):
    def allows(self, address: str, size: int, now: float) -> bool: ...


class Listener:
    """Serves ``link`` at ``host`` and ``port`` (0: any free one). What strangers draw over UDP is bounded by ``budget``.

    A datagram that cannot be read is dropped; a connection that cannot be read is closed. Neither disturbs another asker.
    ``fast`` is a wish: ``path`` and the log say what became of it. A link that offers no `Plain` sees every question.
    ``meter`` counts what is answered, on every way.
    """

    def __init__(
        self,
        link: Link,
        host: str,
        port: int,
        *,
        budget: Budget | None = None,
        fast: FastPath = "auto",
        meter: Meter | None = None,
    ) -> None:
        self._link = link
        self._meter = meter
        self._tally = meter.tally if meter is not None else None
        self._host = host
        self.port = port
        self._budget: _Allows = budget or Budget()
        self._plain: Plain | None = None if fast == "off" else plain_of(link)
        self.path, self._why = _chosen(self._plain, fast)
        self._loops: CompiledLoops | None = None
        self._datagrams: socket.socket | None = None
        self._buffer = bytearray(_LONGEST)
        self._reassembler = Reassembler()
        self._under_way = 0
        self._connections = 0
        self._numbered = 0
        self._sessions: SessionTable | None = getattr(link, "sessions", None)
        self._dropped = 0
        self._over_budget = 0
        self._unsent = 0
        self._answered = 0

    @property
    def over_budget(self) -> int:
        """Of the dropped ones those whose source had drawn its share."""
        return self._over_budget + (self.counters.over_budget if self.counters else 0)

    @property
    def unsent(self) -> int:
        """Of the dropped ones those that were answered, where the system did not take the answer."""
        return self._unsent + (self.counters.unsent if self.counters else 0)

    @property
    def dropped(self) -> int:
        """Datagrams without an answer: broken, beyond the budget, too many under way, or not taken by the system."""
        counters = self.counters
        if counters is None:
            return self._dropped
        return self._dropped + counters.broken + counters.queue_full + counters.over_budget + counters.unsent

    @property
    def answered(self) -> int:
        """Plain questions that were answered without the chain."""
        return self._answered + (self.counters.answered if self.counters else 0)

    @property
    def under_way(self) -> int:
        """Datagram questions that the chain works on."""
        return self._under_way

    @property
    def counters(self) -> Counters | None:
        """What the compiled loops have done; None where there are none."""
        return self._loops.counters if self._loops else None

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled. Raises `ListenError`."""
        tcp = await self._bound()
        with tcp, self._udp(tcp) as udp:
            self._datagrams = udp
            _log.info(f"fast path: {self._why}", port=self.port)
            async with anyio.create_task_group() as group:
                if self.path == "compiled":
                    await self._run_compiled(group, udp, tcp, task_status)
                else:
                    await self._run_python(group, udp, tcp, task_status)

    async def _run_compiled(
        self, group: TaskGroup, udp: socket.socket, tcp: socket.socket, task_status: TaskStatus[None]
    ) -> None:
        library, plain = compiled.library, self._plain
        if library is None or plain is None or not isinstance(self._budget, Budget):
            raise ListenError("there is nothing to serve with compiled loops")  # `_chosen` has looked before
        self._budget = budget = CompiledBudget(library, self._budget)
        crew = Crew(group, self._answer_datagram)
        answers = CompiledAnswers(library, plain)

        def connection(taken: socket.socket, rest: bytes, address: str) -> None:
            group.start_soon(self._adopt, answers, taken, rest, address)

        self._loops = CompiledLoops(
            library,
            plain,
            budget,
            udp,
            tcp,
            connections=CONNECTIONS,
            idle=IDLE,
            datagram=lambda data, source: self.datagram(data, source, crew),
            connection=connection,
            meter=self._meter,
        )
        task_status.started()
        await self._loops.run()

    async def _run_python(
        self, group: TaskGroup, udp: socket.socket, tcp: socket.socket, task_status: TaskStatus[None]
    ) -> None:
        loop = asyncio.get_running_loop()

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._connections >= CONNECTIONS:
                writer.close()
                return
            self._connections += 1
            group.start_soon(self._serve, reader, writer)

        server = await asyncio.start_server(accepted, sock=tcp)
        crew = Crew(group, self._answer_datagram)
        batch = None if self._plain is None else Batch.make()
        if batch is None:
            loop.add_reader(udp, self._readable, udp, crew)
        else:
            loop.add_reader(udp, self._batch_readable, udp, crew, batch)
        try:
            async with server:
                task_status.started()
                await anyio.sleep_forever()
        finally:
            loop.remove_reader(udp)

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

    def _udp(self, tcp: socket.socket) -> socket.socket:
        made = socket.socket(tcp.family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE)
            made.bind(tcp.getsockname())
        except OSError as error:
            made.close()
            raise ListenError(f"cannot listen: {error.strerror or error}", place=f"{self._host}:{self.port}") from error
        return made

    # -- datagrams -----------------------------------------------------------------------------------------------------

    def _batch_readable(self, udp: socket.socket, crew: Crew[_Question], batch: Batch) -> None:
        """A batch of datagrams without a compiled loop; what is left after it waits for the next round of the event loop."""
        if self._plain is not None:
            sent, refused, unsent = batch.exchange(
                udp.fileno(),
                self._plain.answer,
                self._budget.allows,
                lambda data, source: self.datagram(data, source, crew),
                self._tally,
            )
            self._answered += sent
            self._over_budget += refused
            self._unsent += unsent
            self._dropped += refused + unsent

    def _readable(self, udp: socket.socket, crew: Crew[_Question]) -> None:
        """The same one by one: where the system knows no batches, and where there is nothing that could be answered here."""
        for _ in range(_BATCH):
            try:
                size, source = udp.recvfrom_into(self._buffer)
            except OSError:  # nothing is left, or the system speaks of another datagram
                return
            data, began = bytes(self._buffer[:size]), time.monotonic()
            answer = None if self._plain is None else self._plain.answer(data, MAX_DATAGRAM)
            if answer is None:
                self.datagram(data, source, crew)
            elif self._budget.allows(source[0], len(answer), began):
                self._answered += 1
                self._send(udp, answer, source)
                if self._tally is not None:
                    self._tally.batch((source[0],), (answer[27],), time.monotonic() - began)
            else:
                self._over_budget += 1
                self._dropped += 1

    def _send(self, udp: socket.socket, data: bytes | bytearray, source: Source) -> None:
        try:
            udp.sendto(data, source)
        except OSError:  # its buffer is full, or nothing can be sent there
            self._unsent += 1
            self._dropped += 1

    def datagram(self, data: bytes, source: Source, crew: Crew[_Question]) -> None:
        """One datagram from ``source`` for the chain."""
        try:
            whole = self._reassembler.add(source, data, time.monotonic())
            request = None if whole is None else decode(whole)
        except WireError:
            self._dropped += 1
            return
        if request is None:
            return
        if not request.is_request or self._under_way >= UNDER_WAY:
            self._dropped += 1
            return
        self._under_way += 1
        crew.give((request, source))

    async def _answer_datagram(self, question: _Question) -> None:
        request, source = question
        began = time.monotonic()
        try:
            asker = Asker(address=source[0])
            answer = await self._put(request, asker)
            pieces = split(encode(answer))
            if self._datagrams is None or not self._budget.allows(source[0], sum(map(len, pieces)), time.monotonic()):
                self._over_budget += self._datagrams is not None
                self._dropped += 1
                return
            self._count(answer, asker, began)
            for piece in pieces:
                self._send(self._datagrams, piece, source)
        finally:
            self._under_way -= 1

    async def _asked(self, request: Message, asker: Asker) -> Message:
        """The answer to what came over a connection."""
        began = time.monotonic()
        answer = await self._put(request, asker)
        self._count(answer, asker, began)
        return answer

    async def _put(self, request: Message, asker: Asker) -> Message:
        try:
            return await self._link.answer(request, asker)
        except Exception as error:  # noqa: BLE001 - one question that cannot be answered ends no listener
            _log.exception("a question was not answered", opcode=request.op_code, asker=asker.address)
            if self._meter is not None and isinstance(error, RegistryError):
                self._meter.failed = str(error)
            return reply(request, ResponseCode.ERROR, "the server failed; its log has the cause")

    def _count(self, answer: Message, asker: Asker, began: float) -> None:
        if self._tally is not None:
            # Whoever proves who he is gets the answer to what he has asked before, under the opcode of that.
            self._tally.one(asker.address, answer.op_code, answer.response_code, time.monotonic() - began)

    # -- connections ---------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        try:
            stream = Stream(
                reader, writer, self._asker(peer[0] if peer else ""), self._asked, self._plain, self._sessions, self._tally
            )
            await stream.serve(IDLE)
            self._answered += stream.plain_answers
        finally:
            self._connections -= 1

    def _asker(self, address: str) -> Asker:
        """Whoever asks over a new connection."""
        self._numbered += 1
        return Asker(address=address, verified=True, connection=self._numbered)

    async def _adopt(self, answers: CompiledAnswers, taken: socket.socket, rest: bytes, address: str) -> None:
        """A connection that the compiled loops have handed over."""
        try:
            try:
                taken.setblocking(False)
                reader, writer = await asyncio.open_connection(sock=taken)
            except BaseException as error:
                taken.close()
                if isinstance(error, OSError):
                    return
                raise
            stream = Stream(reader, writer, self._asker(address), self._asked, answers, self._sessions, self._tally)
            await stream.serve(IDLE, rest)
            self._answered += stream.plain_answers
        finally:
            if self._loops is not None:
                self._loops.closed()


def _chosen(plain: Plain | None, fast: FastPath) -> tuple[FastPath, str]:
    """The path that is taken, and how the log names it."""
    if plain is None:
        return "off", "none: " + ("switched off" if fast == "off" else "the chain sees every question")
    if fast == "python":
        return "python", "pure Python: as configured"
    if compiled.library is None:
        if fast == "compiled":
            raise ListenError(
                f"no compiled loops: {compiled.reason}", hint="build the library, or leave the choice to the node"
            )
        return "python", f"pure Python: {compiled.reason}"
    indexes = [plain.records, *([plain.homes] if plain.homes is not None else [])]
    if not all(isinstance(index, CompiledIndex) for index in indexes):
        return "python", "pure Python: its records are in a dictionary"
    return "compiled", "compiled"
