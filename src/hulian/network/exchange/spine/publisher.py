"""Acknowledged publishing: one reply inbox, a window of messages on the way, each sent again when the link comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from hulian.network.exchange.spine.configuration import MAXIMUM_PAYLOAD
from hulian.network.exchange.spine.connection import Spine, status_of
from hulian.network.exchange.spine.errors import (
    MessageTooLargeError,
    PublishError,
    SpineError,
    SpineUnavailableError,
    StreamFullError,
)

__all__ = ["Published", "Publisher"]


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_FULL: Final = ("maximum bytes exceeded", "maximum messages exceeded", "resource limits exceeded", "insufficient storage")


class Published(msgspec.Struct, frozen=True):
    """A stream keeps the message. ``duplicate``: it already did, under this message id."""

    stream: str
    sequence: int
    duplicate: bool


class _Waiting:
    __slots__ = ("command", "deadline", "done", "size", "subject")

    def __init__(self, command: bytes, done: Callable[[Published | SpineError], None], deadline: float, subject: str) -> None:
        self.command = command
        self.done = done
        self.deadline = deadline
        self.subject = subject
        self.size = len(command)


class Publisher:
    """Publishes into streams; every message ends in exactly one `Published` or one `SpineError`.

    At most ``window`` messages and ``window_bytes`` are on the way; beyond, `send` waits. While the link is down messages
    stay in the window; when it comes back they are sent again in order, and their ids let the server recognise them. What
    is not acknowledged within ``timeout`` ends in `SpineUnavailableError`: the sender still has it and sends it again.
    """

    def __init__(self, spine: Spine, *, window: int = 4000, window_bytes: int = 32 * 2**20, timeout: float = 10.0) -> None:
        self.acknowledged = 0
        self.refused_full = 0
        """Messages that a full stream refused."""
        self.failed = 0
        """Messages that ended in any other error."""
        self._spine = spine
        self._window, self._window_bytes, self._timeout = window, window_bytes, timeout
        self._waiting: dict[int, _Waiting] = {}
        self._bytes = 0
        self._number = 0
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._inbox = ""
        self._skip = 0
        self._attached = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unlisten: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Publisher:
        self._inbox = self._spine.new_inbox("p")
        self._skip = len(self._inbox)
        self._attached = await self._spine.attach(f"{self._inbox}*", self._on_answer)
        self._unlisten = self._spine.listen(self._on_link)
        self._timer = self._loop.call_later(0.5, self._sweep)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._unlisten()
        if self._timer:
            self._timer.cancel()
        for number in tuple(self._waiting):
            self._end(number, SpineUnavailableError("the publisher was closed before the acknowledgement came"))
        await self._spine.detach(self._attached)

    @property
    def on_the_way(self) -> int:
        """Messages sent and not yet ended."""
        return len(self._waiting)

    def has_room(self) -> bool:
        """Whether `post` would take another message now."""
        return len(self._waiting) < self._window and self._bytes < self._window_bytes

    def post(self, subject: str, payload: bytes, message_id: str, done: Callable[[Published | SpineError], None]) -> None:
        """Sends without waiting for room (see `has_room`); ``done`` is called once, from the event loop."""
        if len(payload) > MAXIMUM_PAYLOAD:
            done(MessageTooLargeError(f"{len(payload)} bytes are more than one message may hold", place=subject))
            return
        if not message_id.isprintable():
            done(PublishError("a message id holds printable characters only", place=subject))
            return
        self._number += 1
        number = self._number
        if message_id:
            headers = f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n"
            size = len(headers)
            head = f"HPUB {subject} {self._inbox}{number} {size} {size + len(payload)}\r\n{headers}"
        else:
            head = f"PUB {subject} {self._inbox}{number} {len(payload)}\r\n"
        waiting = _Waiting(b"".join((head.encode(), payload, b"\r\n")), done, self._loop.time() + self._timeout, subject)
        self._waiting[number] = waiting
        self._bytes += waiting.size
        self._idle.clear()
        if self._spine.connected:
            self._spine.write(waiting.command)

    async def send(self, subject: str, payload: bytes, message_id: str = "") -> asyncio.Future[Published]:
        """Waits for room, sends, and gives the future of the acknowledgement."""
        while not self.has_room():
            self._room.clear()
            await self._room.wait()
        future: asyncio.Future[Published] = self._loop.create_future()

        def done(result: Published | SpineError) -> None:
            if not future.done():
                if isinstance(result, Published):
                    future.set_result(result)
                else:
                    future.set_exception(result)

        self.post(subject, payload, message_id, done)
        return future

    async def room(self) -> None:
        """Waits until `has_room`."""
        while not self.has_room():
            self._room.clear()
            await self._room.wait()

    async def settled(self) -> None:
        """Waits until nothing is on the way."""
        await self._idle.wait()

    def _on_answer(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        try:
            number = int(subject[self._skip :])
            answer = _decode(payload) if payload else _Answer()
        except (ValueError, msgspec.MsgspecError):
            return
        if number not in self._waiting:
            return
        place = self._waiting[number].subject
        if answer.error is None and answer.stream:
            self._end(number, Published(answer.stream, answer.seq, answer.duplicate))
        elif answer.error is not None:
            text = answer.error.description
            if any(mark in text for mark in _FULL):
                self._end(number, StreamFullError(f"the stream is full: {text}", place=place))
            else:
                self._end(number, PublishError(f"the stream refused the message: {text}", place=place))
        elif status_of(headers) == 503:
            self._end(number, SpineUnavailableError("no stream takes this subject", place=place))
        else:
            self._end(number, PublishError("an answer that is no acknowledgement", place=place))

    def _end(self, number: int, result: Published | SpineError) -> None:
        waiting = self._waiting.pop(number)
        self._bytes -= waiting.size
        if isinstance(result, Published):
            self.acknowledged += 1
        elif isinstance(result, StreamFullError):
            self.refused_full += 1
        else:
            self.failed += 1
        if not self._room.is_set() and self.has_room():
            self._room.set()
        if not self._waiting:
            self._idle.set()
        waiting.done(result)

    def _on_link(self, up: bool) -> None:
        if up:
            for waiting in tuple(self._waiting.values()):
                self._spine.write(waiting.command)

    def _sweep(self) -> None:
        now = self._loop.time()
        late = []
        for number, waiting in self._waiting.items():
            if waiting.deadline > now:
                break
            late.append(number)
        for number in late:
            place = self._waiting[number].subject
            self._end(number, SpineUnavailableError(f"not acknowledged within {self._timeout:g} s", place=place))
        self._timer = self._loop.call_later(0.5, self._sweep)
