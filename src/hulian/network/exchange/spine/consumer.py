"""Reading a stream in blocks: pulls kept ahead, one acknowledgement a block, and a way back to any sequence."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from hulian.network.exchange.spine.connection import Spine, status_of
from hulian.network.exchange.spine.errors import SpineUnavailableError, StreamError

__all__ = ["BatchConsumer", "Delivery"]

Delivery = tuple[int, bytes, bytes]
"""(stream sequence, subject, payload)"""

_PULL_MESSAGES: Final = 4096
_EXPIRES: Final = 20.0
_SLACK: Final = 5.0
_STRANGE: Final = 1.0
"""Seconds behind a reset in which deliveries of the time before it may still come in."""


class _Pull:
    __slots__ = ("deadline", "left")

    def __init__(self, left: int, deadline: float) -> None:
        self.left = left
        self.deadline = deadline


class BatchConsumer:
    """Messages of one durable consumer, in stream order, none twice.

    The caller calls `reset` first, takes blocks with `next` and, when a block is safe, calls `ack_through` with the last
    sequence of a block. `next` raises `SpineUnavailableError` once the link broke, also where it is back already: the
    server may not be what it was, so the caller looks where the stream stands and calls `reset` again. It raises
    `StreamError` where the consumer or its stream is gone; the caller declares it again. Between the server and `next`
    wait at most about ``ahead_bytes`` (but one pull's worth more).
    """

    def __init__(self, spine: Spine, stream: str, consumer: str, *, ahead_bytes: int = 48 * 2**20) -> None:
        self.received = 0
        self.repeated = 0
        """Messages that the server delivered again and that were dropped here."""
        self._spine = spine
        self._stream, self._consumer = stream, consumer
        self._ahead_bytes = ahead_bytes
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = ""
        self._turn = 0
        self._last_start = 0
        self._reset_at = 0.0
        self._attached = 0
        self._ready: deque[tuple[int, bytes, bytes, bytes]] = deque()
        self._ready_bytes = 0
        self._pulls: dict[int, _Pull] = {}
        self._pull_number = time.time_ns() // 1000  # what the server says of a former reader's pull is not about one of ours
        self._last_taken = 0
        self._last_seen = 0
        self._next_delivery = 1
        self._replies: dict[int, bytes] = {}
        self._wake = asyncio.Event()
        self._gone = ""
        self._stale = True
        self._interrupted = False
        self._unlisten: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._place = 0

    async def __aenter__(self) -> BatchConsumer:
        self._unlisten = self._spine.listen(self._on_link)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._unlisten()
        await self._spine.detach(self._attached)

    @property
    def ahead(self) -> int:
        """Messages that wait for `next`."""
        return len(self._ready)

    async def reset(self, sequence: int) -> None:
        """The next message is the first of the stream at or behind ``sequence``; all before it count as acknowledged.

        Raises `StreamError` where there is no such consumer, `SpineUnavailableError` without a link.
        """
        # Pulls of a reader before us, also of a killed process, may wait at the server, which sends their messages into the
        # void as long as anybody listens to '>'. So all readers of a consumer share one inbox: what those pulls bring is ours.
        # A step back takes another inbox, so that nothing of the turn before is taken for it.
        self._turn += sequence < self._last_start
        self._last_start = sequence
        await self._spine.detach(self._attached)
        self._ready.clear()
        self._ready_bytes = 0
        self._pulls.clear()
        self._replies.clear()
        self._gone = ""
        self._last_taken = self._last_seen = sequence - 1
        self._next_delivery = 1
        self._reset_at = self._loop.time()
        self._inbox = f"{self._spine.mailbox}.c{self._turn}.{self._stream}.{self._consumer}."
        # Asked first, because the server leaves a reset of a consumer that is not there unanswered.
        await self._ask("INFO", b"")
        self._attached = await self._spine.attach(f"{self._inbox}*", self._on_message)
        await self._ask("RESET", msgspec.json.encode({"seq": sequence}))
        self._stale = False
        self._pull()

    async def _ask(self, call: str, body: bytes) -> None:
        answer = await self._spine.request(f"$JS.API.CONSUMER.{call}.{self._stream}.{self._consumer}", body)
        if error := msgspec.json.decode(answer.payload).get("error"):
            raise StreamError(f"the consumer {self._consumer} of {self._stream}: {error.get('description')}")

    def _on_link(self, up: bool) -> None:
        self._stale = True
        self._wake.set()

    def _on_message(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if headers and headers[8:9] == b" ":
            self._on_status(subject, headers)
            return
        if not self._place:
            # $JS.ACK.<stream>.<consumer>.<tries>.<sequence>.… or, with domain and account, two tokens later
            self._place = 5 if reply.count(b".") == 8 else 7
        words = reply.split(b".", self._place + 2)
        delivery = int(words[self._place + 1])
        if delivery not in (self._next_delivery, 1):
            self._on_strange()
            return
        self._next_delivery = delivery + 1
        sequence = int(words[self._place])
        pull = next(iter(self._pulls.values()), None)
        if pull is not None:
            pull.left -= 1
        if sequence <= self._last_seen:
            self.repeated += 1
            return
        self._last_seen = sequence
        self._ready.append((sequence, subject, payload, reply))
        self._ready_bytes += len(payload)
        self.received += 1
        if pull is not None and pull.left <= 0:
            del self._pulls[next(iter(self._pulls))]
            self._pull()
        if not self._wake.is_set():
            self._wake.set()

    def _on_strange(self) -> None:
        """A delivery out of the count, which begins with 1 behind a reset and has no hole: the server sends in order, so it
        was sent before ours. Later than that a delivery went to somebody else, and only another reset brings it to us."""
        if not self._stale and self._loop.time() - self._reset_at > _STRANGE:
            self._stale = True
            self._wake.set()

    def _on_status(self, subject: bytes, headers: bytes) -> None:
        status = status_of(headers)
        if status == 100:
            return
        text = headers[13 : headers.find(b"\r\n")].decode("utf-8", "replace")
        number = int(subject[len(self._inbox) :] or 0)
        self._pulls.pop(number, None)
        if status == 409 and ("deleted" in text.lower() or "not found" in text.lower()):
            self._gone = text
        elif status == 503:
            self._gone = "nobody serves it"
        elif status != 409:  # a refusal is not answered with the same at once: `next` pulls again
            self._pull()
        self._wake.set()

    def _pull(self) -> None:
        """Keeps two pulls on the way while there is room."""
        if self._stale or self._gone or not self._spine.connected:
            return
        now = self._loop.time()
        for number in [number for number, pull in self._pulls.items() if pull.deadline < now]:
            del self._pulls[number]
        while len(self._pulls) < 2 and self._ready_bytes < self._ahead_bytes and len(self._ready) < 200_000:
            self._pull_number += 1
            body = b'{"batch":%d,"max_bytes":%d,"expires":%d}' % (
                _PULL_MESSAGES,
                max(self._ahead_bytes // 2, 9 * 2**20),
                int(_EXPIRES * 1e9),
            )
            self._pulls[self._pull_number] = _Pull(_PULL_MESSAGES, now + _EXPIRES + _SLACK)
            self._spine.publish_soon(self._subject, body, f"{self._inbox}{self._pull_number}")

    async def next(
        self,
        max_messages: int = 10_000,
        max_bytes: int = 32 * 2**20,
        max_wait: float = 0.1,
        *,
        not_before: float = 0.0,
        through: int | None = None,
        idle_wait: float | None = None,
    ) -> list[Delivery]:
        """A block: waits for a first message, then at most ``max_wait`` for it to fill, and gives at least one message.

        A block that is not full is not given before the time ``not_before`` of the event loop's clock, however old it is.
        ``through`` ends the block behind that sequence. ``idle_wait`` bounds the waiting for the first message; then the
        list is empty.
        """
        started: float | None = None
        begun = self._loop.time()
        while True:
            if self._gone:
                raise StreamError(f"the consumer {self._consumer} of {self._stream} is gone: {self._gone}")
            if self._stale:
                raise SpineUnavailableError("the link to the spine broke", place=self._stream)
            now = self._loop.time()
            if self._ready:
                started = started or now
                full = len(self._ready) >= max_messages or self._ready_bytes >= max_bytes
                full = full or (through is not None and self._ready[-1][0] >= through)
                left = max(started + max_wait, not_before) - now
                if full or left <= 0:
                    return self._take(max_messages, max_bytes, through)
            elif self._interrupted or (idle_wait is not None and now - begun >= idle_wait):
                self._interrupted = False
                return []
            else:
                left = min(1.0, idle_wait if idle_wait is not None else 1.0)
                self._pull()
            if started is not None:
                # Enough to fill a block is a matter of bytes or time: looking at every message would cost more than it gains.
                await asyncio.sleep(min(left, 0.01))
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def interrupt(self) -> None:
        """Makes a `next` that waits for its first message give an empty list."""
        self._interrupted = True
        self._wake.set()

    def _take(self, max_messages: int, max_bytes: int, through: int | None) -> list[Delivery]:
        block: list[Delivery] = []
        size, reply = 0, b""
        while self._ready and len(block) < max_messages and size < max_bytes:
            if through is not None and self._ready[0][0] > through:
                break
            sequence, subject, payload, reply = self._ready.popleft()
            size += len(payload)
            block.append((sequence, subject, payload))
        self._ready_bytes -= size
        if block:
            self._last_taken = block[-1][0]
            self._replies[self._last_taken] = reply
        self._pull()
        return block

    def ack_through(self, sequence: int) -> None:
        """Everything up to ``sequence``, the last of a block that `next` gave, is safe. A lost link makes it no difference."""
        reply = self._replies.pop(sequence, None)
        for older in [key for key in self._replies if key < sequence]:
            del self._replies[older]
        if reply is not None and self._spine.connected:
            self._spine.publish_soon(reply.decode(), b"+ACK")
