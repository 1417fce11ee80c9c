"""One connection in the event loop: questions in the order they come, answers as they are ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.chain.session_table import SessionTable
from hulian.network.identifiers.statistics.tally import Tally
from hulian.network.identifiers.wire.authentication import SessionKey, encrypt_message
from hulian.network.identifiers.wire.codes import EnvelopeFlag
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.limits import MAX_MESSAGE
from hulian.network.identifiers.wire.stream import Splitter

__all__ = ["PER_CONNECTION", "Stream"]

PER_CONNECTION: Final = 64
"""Questions of one connection that are under way; the next ones wait in the socket."""

_CHUNK: Final = 65_536
_log = structlog.get_logger(__name__)


class _Plain(Protocol):
    def answer(self, data: bytes, room: int) -> bytes | bytearray | None: ...


class Stream:
    """A connection whose plain questions are answered by ``plain`` with one write for each read, the others by ``ask``.

    The request id says which answer is whose. Nothing more is read while `PER_CONNECTION` questions are under way, or while
    the asker does not read.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asker: Asker,
        ask: Callable[[Message, Asker], Awaitable[Message]],
        plain: _Plain | None,
        sessions: SessionTable | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally
        self._reader, self._writer = reader, writer
        self._asker, self._ask, self._plain, self._sessions = asker, ask, plain, sessions
        self._room, self._writing = anyio.Semaphore(PER_CONNECTION), anyio.Lock()
        self._splitter = Splitter()
        self._idle = 0.0
        self.plain_answers = 0

    async def serve(self, idle: float, first: bytes = b"") -> None:
        """Until the asker hangs up, or says or reads nothing for ``idle`` seconds. ``first`` was read by somebody else."""
        self._idle = idle
        try:
            async with anyio.create_task_group() as group:
                if first:
                    await self._chunk(first, group)
                while self._splitter.error is None:
                    chunk = b""
                    with anyio.move_on_after(idle):
                        chunk = await self._reader.read(_CHUNK)
                    if not chunk:
                        break
                    await self._chunk(chunk, group)
        except (WireError, OSError, TimeoutError) as error:
            self._log_end(error)
        except BaseExceptionGroup as errors:
            if errors.split((WireError, OSError, TimeoutError))[1] is not None:
                raise
            self._log_end(errors.exceptions[0])
        finally:
            self._writer.close()

    def _log_end(self, error: BaseException) -> None:
        _log.info("a connection is closed", asker=self._asker.address, reason=str(error))

    async def _chunk(self, chunk: bytes, group: TaskGroup) -> None:
        ready = bytearray()
        began, codes = time.monotonic(), []
        try:
            for message in self._splitter.feed(chunk):
                answer = self._plain.answer(message, 20 + MAX_MESSAGE) if self._plain is not None else None
                if answer is not None:
                    self.plain_answers += 1
                    codes.append(answer[27])
                    ready += answer
                    if len(ready) >= _CHUNK:
                        await self._write(ready)
                        ready = bytearray()
                    continue
                request, key = self._opened(message)
                if self._room.value == 0 and ready:
                    await self._write(ready)
                    ready = bytearray()
                await self._room.acquire()
                group.start_soon(self._answer, request, key)
        finally:
            if ready:
                await self._write(ready)
            if self._tally is not None and codes:
                self._tally.batch([self._asker.address] * len(codes), codes, time.monotonic() - began)

    def _opened(self, message: bytes) -> tuple[Message, SessionKey | None]:
        """The request, and the key that its answer is encrypted with because it came so itself."""
        if self._sessions is not None and message[2] & EnvelopeFlag.ENCRYPTED:
            return self._sessions.decrypted(message, self._asker.connection)
        return decode(message), None

    async def _answer(self, request: Message, key: SessionKey | None) -> None:
        async def send(answer: Message) -> None:
            await self._write(encode(answer) if key is None else encrypt_message(answer, key))

        try:
            await send(await self._ask(request, msgspec.structs.replace(self._asker, part=send, encrypted=key is not None)))
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        finally:
            self._room.release()

    async def _write(self, data: bytes | bytearray) -> None:
        async with self._writing:
            self._writer.write(data)
            with anyio.fail_after(self._idle):
                await self._writer.drain()
