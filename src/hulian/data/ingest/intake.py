"""From block to block: pull, decode, decide, intend, insert, commit, acknowledge.

Two streams are read in the same way: samples and events. While one block is inserted the next one is already pulled and
decoded. Nothing here gives up: where the historian takes no samples, the block waits and is offered again under the same
token, the stream fills, and in the end the senders keep their data.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import anyio
import structlog
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hulian.data.historian.contract import Historian
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.data.ingest.events import IngestEvent
from hulian.data.ingest.ledger import Life
from hulian.data.ingest.store import DeadLetter, IngestStore, Intent, Position
from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event, Severity
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.consumer import BatchConsumer, Delivery
from hulian.network.exchange.spine.errors import SpineUnavailableError, StreamError
from hulian.network.exchange.spine.streams import HISTORIAN, declare_consumer, state

__all__ = ["Block", "Entry", "Intake", "event"]

_log = structlog.get_logger("hulian.ingest")
_COMPONENT: Final = "ingest"
_FILLING: Final = 0.03
"""Seconds that the first block after a pause has to fill."""
_REST: Final = 40
"""Blocks that are not full are so far apart that storing them takes one part in so many of the time,"""
_LONGEST: Final = 3
"""but never further than so many times the configured pause."""
_PARTS: Final = 4
"""A block is full at the latest with so many parts of what the stream may hold: a full stream empties at once."""
_RETRY: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


Entry = tuple[Sequence[Life], Sequence[DeadLetter], Sequence[Event], Sequence[tuple[str, int]]]
"""What `IngestStore.commit` keeps beside the position."""


class Block(NamedTuple):
    """Messages of one stream, in order, and what was read from them."""

    first: int
    last: int
    messages: Sequence[Delivery]
    content: Any


def event(code: str, severity: Severity, subject: str, message: str, **more: Any) -> Event:
    """An event of this room, of now."""
    return Event(
        time=time.time_ns(), code=code, severity=severity, component=_COMPONENT, subject=subject, message=message, **more
    )


class Intake(ABC):
    """The loop over one stream. A subclass says how messages are read and how a block is stored."""

    stream: str

    def __init__(
        self, spine: Spine, historian: Historian, store: IngestStore, configuration: IngestConfiguration, writing: anyio.Lock
    ) -> None:
        self.blocks = 0
        self.refused = 0
        """Inserts that the historian refused; each was offered again."""
        self.expired = 0
        """Messages that left the stream by age or size before they were stored."""
        self.dead = 0
        """Messages that could not be read."""
        self.waiting = 0
        """Messages taken from the stream and not yet stored."""
        self.trouble = ""
        self._full = configuration.block_mb * 2**20
        """Bytes that make a full block."""
        self._spent = 0.0
        """Seconds that storing the last block took."""
        self._spine = spine
        self._historian = historian
        self._store = store
        self._configuration = configuration
        self._writing = writing
        self._position = Position(0, "", 0, None)

    @property
    def position(self) -> int:
        """Everything up to this sequence of the stream is stored."""
        return self._position.position

    async def run(self, ready: Callable[[], None]) -> None:
        """Reads until cancelled; ``ready`` is called when the first pull is on its way."""
        async with BatchConsumer(self._spine, self.stream, HISTORIAN) as consumer:
            while True:
                try:
                    await self._spine.wait_connected()
                    await self._read(consumer, ready)
                except StreamError as error:
                    self.trouble = str(error)
                    _log.warning("the stream cannot be read", stream=self.stream, error=str(error))
                    await anyio.sleep(1)
                    await self._declare()
                except SpineUnavailableError as error:
                    _log.info("the spine is away", stream=self.stream, error=str(error))
                    await anyio.sleep(0.2)

    async def _declare(self) -> None:
        try:
            await declare_consumer(self._spine, self.stream, HISTORIAN)
        except (StreamError, SpineUnavailableError) as error:
            _log.warning("the consumer cannot be declared", stream=self.stream, error=str(error))

    async def _read(self, consumer: BatchConsumer, ready: Callable[[], None]) -> None:
        await self._locate()
        await consumer.reset(self.position + 1)
        if intent := self._position.intent:
            _log.info("a block is taken up again", stream=self.stream, first=intent.first, last=intent.last)
            await consumer.reset(intent.first)
            messages = await self._exactly(consumer, intent)
            if messages:
                await self._take(consumer, await self._decode(messages), intent.token)
            if self.position < intent.last:
                await to_thread.run_sync(self._store.commit, self.stream, intent.last)
                self._position = self._position._replace(position=intent.last)
            self._position = self._position._replace(intent=None)
        ready()
        self.trouble = ""
        send, receive = anyio.create_memory_object_stream[Block](0)
        broken: list[HulianError] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pull, consumer, send, broken)
            # A block that is being stored is finished also where the link breaks meanwhile: the ledger has counted it.
            await self._drain(consumer, receive)
        raise broken[0]

    async def _locate(self) -> None:
        """Compares what is on disk with the stream: a stream made anew, or thrown back, begins another generation."""
        found = await state(self._spine, self.stream)
        known = await to_thread.run_sync(self._store.position, self.stream)
        if known is None:
            known = Position(1, found.created, 0, None)
            await to_thread.run_sync(self._store.begin, self.stream, 1, found.created, 0)
        elif known.created != found.created or found.last < known.position:
            what = "was made anew" if known.created != found.created else "lost its end"
            start = 0 if known.created != found.created else found.last
            known = Position(known.generation + 1, found.created, start, None)
            await to_thread.run_sync(self._store.begin, self.stream, known.generation, found.created, start)
            note = event(
                IngestEvent.STREAM_REPLACED,
                Severity.WARNING,
                self.stream,
                f"the stream {self.stream} {what}; it is read again from message {start + 1}",
                hint="the ledger recognises what was stored before; look there for gaps",
            )
            await to_thread.run_sync(self._store.keep, (), [note])
        self._position = known
        if found.max_bytes > 0:
            self._full = min(self._full, max(1, found.max_bytes // _PARTS))

    async def _exactly(self, consumer: BatchConsumer, intent: Intent) -> list[Delivery]:
        """The messages of ``intent`` that the stream still holds."""
        messages: list[Delivery] = []
        while not messages or messages[-1][0] < intent.last:
            part = await consumer.next(2**31, 2**40, 0.05, through=intent.last, idle_wait=2.0)
            if not part:
                found = await state(self._spine, self.stream)
                wanted = (messages[-1][0] if messages else intent.first - 1) + 1
                if found.first > intent.last or found.last < wanted or consumer.ahead:
                    break
                continue
            messages += part
        return messages

    async def _pull(self, consumer: BatchConsumer, send: MemoryObjectSendStream[Block], broken: list[HulianError]) -> None:
        settings = self._configuration
        most, pause = settings.block_messages, settings.block_ms / 1000
        taken = -pause
        async with send:
            try:
                while True:
                    # What comes after a pause is stored at once, what comes in a stream block by block: small blocks cost most.
                    rest = min(max(pause, _REST * self._spent), _LONGEST * pause)
                    messages = await consumer.next(most, self._full, min(_FILLING, pause), not_before=taken + rest)
                    taken = anyio.current_time()
                    self.waiting = consumer.ahead + len(messages)
                    await send.send(await self._decode(messages))
                    self.waiting = consumer.ahead
            except (StreamError, SpineUnavailableError) as error:
                broken.append(error)

    async def _decode(self, messages: Sequence[Delivery]) -> Block:
        content = await to_thread.run_sync(self.read, messages)
        return Block(messages[0][0], messages[-1][0], messages, content)

    async def _drain(self, consumer: BatchConsumer, receive: MemoryObjectReceiveStream[Block]) -> None:
        async with receive:
            async for block in receive:
                token = f"{self.stream}-{self._position.generation}-{block.first}-{block.last}"
                await self._take(consumer, block, token)

    async def _take(self, consumer: BatchConsumer, block: Block, token: str) -> None:
        """Stores one block, however long it takes, and acknowledges it."""
        if block.last > self.position:
            began = anyio.current_time()
            async with self._writing:
                await self._persist(self._store.intend, self.stream, Intent(block.first, block.last, token))
                plan = await to_thread.run_sync(self.plan, block)
                await self._persist(self.insert, plan, token)
                entry = self.entry(plan, self._gone(block))
                await self._persist(self._store.commit, self.stream, block.last, *entry)
                self._position = self._position._replace(position=block.last)
                self.settle(plan)
            self.blocks += 1
            self._spent = anyio.current_time() - began
        consumer.ack_through(block.last)

    async def _persist(self, call: Callable[..., None], *arguments: Any) -> None:
        """``call`` in a worker thread, again and again until it succeeds: there is nothing else to do with a block."""
        tries = 0
        while True:
            try:
                await to_thread.run_sync(call, *arguments)
                break
            except HulianError as error:
                self.refused += 1
                self.trouble = str(error)
                wait = _RETRY[min(tries, len(_RETRY) - 1)]
                tries += 1
                _log.error("a block cannot be stored", stream=self.stream, error=str(error), retry_in=wait)
                if tries == 1:
                    await to_thread.run_sync(self._tell_trouble, error)
                await anyio.sleep(wait)
        if tries:
            self.trouble = ""
            note = event(
                IngestEvent.HISTORIAN_REFUSES, Severity.INFO, self.stream, "the historian takes samples again", active=False
            )
            await to_thread.run_sync(self._store.keep, (), [note])

    def _tell_trouble(self, error: HulianError) -> None:
        note = event(
            IngestEvent.HISTORIAN_REFUSES,
            Severity.ERROR,
            self.stream,
            f"the historian takes no samples: {error}",
            hint=error.hint or "nothing is lost: the spine and then the edges keep the data until it goes on",
            active=True,
        )
        try:
            self._store.keep((), [note])
        except HulianError as second:
            # A full disk refuses both; the loop goes on trying, and the log has said it.
            _log.error("the event cannot be kept", error=str(second))

    def _gone(self, block: Block) -> int:
        """How many messages between the last block and this one left the stream unread."""
        gone = max(0, block.first - self.position - 1)
        self.expired += gone
        return gone

    @abstractmethod
    def read(self, messages: Sequence[Delivery]) -> Any:
        """What the messages hold; runs in a worker thread, ahead of the block's turn."""

    @abstractmethod
    def plan(self, block: Block) -> Any:
        """What is to be inserted; runs in a worker thread, when the block before is stored."""

    @abstractmethod
    def insert(self, plan: Any, token: str) -> None:
        """Inserts under ``token``; may be called again."""

    @abstractmethod
    def entry(self, plan: Any, gone: int) -> Entry:
        """What is committed with the block; ``gone`` messages before it left the stream unread. Called once a block."""

    def settle(self, plan: Any) -> None:  # noqa: B027 - nothing to do unless a subclass has accounts to show
        """The block is stored."""
