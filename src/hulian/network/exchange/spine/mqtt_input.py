"""What MQTT devices publish, read from the broker's own store.

nats-server keeps QoS 1 and 2 messages in its stream ``$MQTT_msgs`` under ``$MQTT.msgs.<subject>`` and sends PUBACK (or
PUBCOMP) when they are on file; a durable consumer, declared before any device is let in, gives them to us in order. QoS 0
messages are nowhere stored: they come over a plain subscription, at most once, and carry no position.

A topic becomes a subject as nats-server has it: ``/`` separates tokens and becomes ``.``; a ``.`` of the topic becomes
``//``; an empty level becomes ``/``. Topics with white space are refused by the server.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
import structlog

from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.consumer import BatchConsumer, Delivery
from hulian.network.exchange.spine.errors import SpineUnavailableError, StreamError, TopicError
from hulian.network.exchange.spine.streams import (
    MQTT,
    StreamState,
    declare_consumer,
    drop_consumer,
    mqtt_consumer,
    state,
    taken,
)

__all__ = ["MessageBatch", "MqttSource", "stored_subjects", "subject_topic", "topic_filter_subjects", "topic_subject"]

_log = structlog.get_logger("hulian.spine.mqtt")

_PREFIX: Final = "$MQTT.msgs."
_MINUTE_ZERO: Final = 1_704_067_200 // 60
"""2024-01-01, in minutes since 1970."""
_REFUSED = frozenset(" \t\n\r\f\x00\x7f")


def topic_subject(topic: str) -> str:
    """The subject under which nats-server carries ``topic``. Raises `TopicError`.

    >>> topic_subject("plant/line.1/temp"), topic_subject("/a//b/")
    ('plant.line//1.temp', '/.a./.b./')
    """
    if "+" in topic or "#" in topic:
        raise TopicError("a topic to publish to holds no wildcard", place=topic)
    return _convert(topic, wildcards=False)


def topic_filter_subjects(topic: str) -> tuple[str, ...]:
    """The subjects that an MQTT topic filter stands for: two where ``#`` also means the level above it.

    >>> topic_filter_subjects("plant/+/temp"), topic_filter_subjects("plant/#")
    (('plant.*.temp',), ('plant', 'plant.>'))
    """
    levels = topic.split("/")
    for place, level in enumerate(levels):
        if ("#" in level and (level != "#" or place != len(levels) - 1)) or ("+" in level and level != "+"):
            raise TopicError("a wildcard must stand for a whole level, '#' for the last", place=topic)
    subject = _convert(topic, wildcards=True)
    return (subject[:-2], subject) if subject.endswith(".>") else (subject,)


def _convert(topic: str, *, wildcards: bool) -> str:
    if not topic or len(topic.encode("utf-8", "replace")) > 65535 or _REFUSED & set(topic):
        raise TopicError("a topic is 1 to 65535 bytes without white space", place=topic[:80])
    out: list[str] = []
    end = len(topic) - 1
    for place, character in enumerate(topic):
        if character == "/":
            if not out or out[-1][-1] == ".":
                out.append("/.")
            elif place == end or topic[place + 1] == "/":
                out.append("./")
            else:
                out.append(".")
        elif character == ".":
            out.append("//")
        elif wildcards and character in "+#":
            out.append("*" if character == "+" else ">")
        else:
            out.append(character)
    subject = "".join(out)
    return subject + "/" if subject.endswith(".") else subject


def subject_topic(subject: str) -> str:
    """The inverse of `topic_subject`."""
    if "/" not in subject:
        return subject.replace(".", "/")
    out: list[str] = []
    place, end = 0, len(subject) - 1
    while place <= end:
        character = subject[place]
        if character == "/":
            following = subject[place + 1] if place < end else ""
            if following in (".", "/") and following:
                out.append("/" if following == "." else ".")
                place += 1
        elif character == ".":
            out.append("/")
        else:
            out.append(character)
        place += 1
    return "".join(out)


@lru_cache(maxsize=65536)
def _topic_of(subject: bytes) -> str:
    return subject_topic(subject.decode("utf-8", "replace"))


_STRIP: Final = len(_PREFIX)


@lru_cache(maxsize=65536)
def _stored_topic_of(subject: bytes) -> str:
    return subject_topic(subject[_STRIP:].decode("utf-8", "replace"))


class MessageBatch(msgspec.Struct, frozen=True):
    """Messages in the order of their arrival. ``received`` is when they were taken (UTC ns).

    ``first`` and ``last`` are positions, growing for ever, also over a stream made anew: commit what was made of the batch
    with ``position=last``, then `MqttSource.acknowledge` it; after a restart hand the committed position to
    `MqttSource.batches`. Both are 0 for QoS 0 messages, which have no position, need no acknowledgement and never come
    again. ``sequences`` is the position of each message (empty for QoS 0).
    """

    topics: list[str]
    payloads: list[bytes]
    received: int
    first: int
    last: int
    sequences: list[int] = []


def stored_subjects(filters: Sequence[str]) -> list[str]:
    """The subjects of ``$MQTT_msgs`` that the topic filters match, none covered by another. Raises `TopicError`."""
    subjects = sorted({subject for topic in filters for subject in topic_filter_subjects(topic)})
    return [_PREFIX + subject for subject in _narrowed(subjects)]


def _narrowed(subjects: Sequence[str]) -> list[str]:
    return [">"] if ">" in subjects else _without_covered(subjects)


class MqttSource:
    """The platform's own listener as one connector sees it: the topics that ``filters`` match.

    One instance is read by one task. Nothing is lost between `acknowledge` and a ``kill -9`` of anything: what was not
    acknowledged comes again.
    """

    def __init__(
        self,
        spine: Spine,
        connector: str,
        filters: Sequence[str] = ("#",),
        *,
        best_effort: bool = True,
        most: int = 8192,
        patience: float = 0.02,
    ) -> None:
        self.dropped = 0
        """QoS 0 messages that came faster than they were taken."""
        subjects = sorted({subject for topic in filters for subject in topic_filter_subjects(topic)})
        self._subjects = _narrowed(subjects)
        self._spine = spine
        self._consumer = mqtt_consumer(connector)
        self._best_effort = best_effort
        self._most = most
        self._patience = patience
        self._reader: BatchConsumer | None = None
        self._base = 0
        self._loose: list[tuple[bytes, bytes]] = []

    @property
    def filters(self) -> list[str]:
        """The subjects that this source reads below ``$MQTT.msgs.``; `streams.declare` takes them."""
        return [_PREFIX + subject for subject in self._subjects]

    async def batches(self, position: int | None = None) -> AsyncIterator[MessageBatch]:
        """Batches until the caller stops. ``position`` is the last committed one: reading goes on behind it.

        A lost link or a removed consumer is waited out: reading goes on by itself.
        """
        subjects = self._subjects if self._best_effort else ()
        attached = [await self._spine.attach(subject, self._on_loose) for subject in subjects]
        position = position or 0
        try:
            async with BatchConsumer(self._spine, MQTT, self._consumer, ahead_bytes=16 * 2**20) as reader:
                while True:
                    try:
                        await self._open(reader, position)
                        while True:
                            block = await reader.next(self._most, 8 * 2**20, self._patience)
                            if block:
                                batch = _batch(block, self._base)
                                position = batch.last
                                yield batch
                            if self._loose:
                                yield self._collect()
                    except (SpineUnavailableError, StreamError) as error:
                        _log.info("what MQTT devices publish cannot be read", consumer=self._consumer, error=str(error))
                        await asyncio.sleep(0.5)
        finally:
            for number in attached:
                await self._spine.detach(number)

    async def _open(self, reader: BatchConsumer, position: int) -> None:
        self._reader = reader
        await self._spine.wait_connected()
        await declare_consumer(self._spine, MQTT, self._consumer, self.filters)
        self._base = _base(await state(self._spine, MQTT))
        await reader.reset(max(0, position - self._base) + 1)

    def _on_loose(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        # The server gives QoS 1 and 2 messages to plain subscribers as well; those come through the store.
        if b"Nmqtt-Pub:0" not in headers:
            return
        if len(self._loose) >= 65536:
            self.dropped += 1
            return
        self._loose.append((subject, payload))
        if len(self._loose) == 1 and self._reader is not None:
            self._reader.interrupt()

    def _collect(self) -> MessageBatch:
        taken, self._loose = self._loose, []
        topics = [_topic_of(subject) for subject, _ in taken]
        return MessageBatch(topics, [payload for _, payload in taken], time.time_ns(), 0, 0)

    @property
    def connected(self) -> bool:
        """Whether the link to the spine, and so to its listener, is up now."""
        return self._spine.connected

    async def listen(self) -> AsyncIterator[MessageBatch]:
        """What devices publish from now on, of every QoS, without position: for looking, taken from nobody."""
        heard: deque[tuple[bytes, bytes]] = deque(maxlen=65536)

        def hear(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            if b"Nmqtt-Pub:" in headers:
                heard.append((subject, payload))

        attached = [await self._spine.attach(subject, hear) for subject in self._subjects]
        try:
            while True:
                await asyncio.sleep(self._patience)
                taken = [heard.popleft() for _ in range(len(heard))]
                if taken:
                    topics = [_topic_of(subject) for subject, _ in taken]
                    yield MessageBatch(topics, [payload for _, payload in taken], time.time_ns(), 0, 0)
        finally:
            for number in attached:
                await self._spine.detach(number)

    async def declare(self) -> None:
        """Makes the consumer through which this source reads; from then on no matching QoS 1 message passes it by."""
        await declare_consumer(self._spine, MQTT, self._consumer, self.filters)

    async def taken(self, patience: float) -> bool:
        """Whether the reader has acknowledged, within ``patience`` seconds, all that the broker keeps for it at the call."""
        last = (await state(self._spine, MQTT)).last
        end = time.monotonic() + patience
        while not await taken(self._spine, MQTT, self._consumer, last):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def forget(self) -> None:
        """Removes the consumer of a connector that is gone: nobody else would ever take what waits for it."""
        await drop_consumer(self._spine, MQTT, self._consumer)

    async def acknowledge(self, last: int) -> None:
        """The batch that ends with ``last`` is safe in the edge's journal: the broker may forget it."""
        if self._reader is not None and last:
            self._reader.ack_through(last - self._base)

    async def publish(self, topic: str, payload: bytes) -> None:
        """To every MQTT subscriber of ``topic``, QoS 0. Raises `TopicError` or `SpineUnavailableError`."""
        await self._spine.publish(topic_subject(topic), payload)


def _without_covered(subjects: Sequence[str]) -> list[str]:
    """``subjects`` without those that another one covers: a consumer's filters must not overlap."""
    return [one for one in subjects if not any(one != other and _covers(other, one) for other in subjects)]


def _covers(wide: str, narrow: str) -> bool:
    left, right = wide.split("."), narrow.split(".")
    for place, wanted in enumerate(left):
        if wanted == ">":
            return len(right) > place
        if place >= len(right) or right[place] == ">" or wanted not in ("*", right[place]):
            return False
    return len(left) == len(right)


def _base(stream: StreamState) -> int:
    """What is added to the sequences of a stream, so that a stream made anew counts on above the old one: the minute of
    its creation, 40 bits up."""
    minutes = int(datetime.fromisoformat(stream.created[:19] + "+00:00").timestamp()) // 60 - _MINUTE_ZERO
    return max(0, minutes) << 40


def _batch(block: Sequence[Delivery], base: int) -> MessageBatch:
    return MessageBatch(
        [_stored_topic_of(subject) for _, subject, _ in block],
        [payload for _, _, payload in block],
        time.time_ns(),
        base + block[0][0],
        base + block[-1][0],
        [base + sequence for sequence, _, _ in block],
    )
