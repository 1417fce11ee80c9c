"""Live samples, status and events: one subscription a watched source, one decoding a message, however many watch.

A `Viewer` is one open stream of one person. The hub subscribes to a source's subject when the first viewer watches one of
its points and leaves it with the last. Each message is decoded once; each viewer takes its points out of the columns with
one numpy search. A viewer that reads too slowly keeps at most ``live_buffer`` samples: then, of each series, only the
newest stays, and how many went is told in a ``lagged`` message. Nothing here waits for a viewer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import anyio
import msgspec
import numpy as np
import numpy.typing as npt
import structlog
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskGroup, TaskStatus

from hulian.kernel.errors import HulianError
from hulian.kernel.event import Event
from hulian.kernel.identifier import escape
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.kernel.unreadable import UNREADABLE
from hulian.platform.api.contract import Decode, SpineLink
from hulian.platform.api.errors import TooManyError, UnavailableError
from hulian.platform.api.times import format_time

__all__ = ["LiveColumns", "LiveHub", "Viewer", "event_view", "live_columns", "sse"]

_log = structlog.get_logger("hulian.api.live")
_encode = msgspec.json.Encoder().encode

HEARTBEAT: Final = 10.0
"""Seconds without a message after which a comment keeps proxies from closing the stream."""
GATHER: Final = 0.003
"""Seconds a message waits for those that arrive together with it: one poll of a device is often several batches."""
BURST: Final = 4.0
"""Messages that may leave at once after a pause; the mean is held at ``live_events_per_second``."""
_NOTICES: Final = 500
_ESTABLISH: Final = 1.0


class LiveColumns(NamedTuple):
    """Samples on their way to a browser: times in ms, values in what JSON can carry."""

    series: npt.NDArray[np.uint64]
    time_ms: npt.NDArray[np.float64]
    value: npt.NDArray[Any]
    status: npt.NDArray[np.uint32]

    def take(self, chosen: npt.NDArray[Any]) -> LiveColumns:
        return LiveColumns(self.series[chosen], self.time_ms[chosen], self.value[chosen], self.status[chosen])


def live_columns(columns: Columns) -> LiveColumns:
    """``columns`` for a browser. Doubles without a value become NaN, which JSON shows as null."""
    value: npt.NDArray[Any]
    if columns.storage is StorageClass.DOUBLE or (
        columns.value.null_count == 0 and columns.storage in (StorageClass.INTEGER, StorageClass.BOOLEAN)
    ):
        value = columns.value.to_numpy(zero_copy_only=False)
    else:
        value = np.empty(len(columns), dtype=object)
        value[:] = columns.value.to_pylist()
    return LiveColumns(columns.series, columns.time // 1000 / 1000.0, value, columns.status)


def event_view(event: Event) -> dict[str, Any]:
    """An event as the API shows it: its time as RFC 3339 and in ms."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return {**fields, "time": format_time(event.time), "time_ms": event.time // 1000 / 1000}


def sse(event: str, data: bytes) -> bytes:
    """One Server-Sent Event (WHATWG HTML, section 9.2); ``data`` is JSON and so holds no line break."""
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def samples_json(parts: Sequence[LiveColumns]) -> bytes:
    """``{"series": {"<id>": {"time_ms": […], "value": […], "status": […]}}}`` of ``parts``, in arrival order a series."""
    series: dict[str, dict[str, list[Any]]] = {}
    for part in _by_kind(parts):
        order = np.argsort(part.series, kind="stable")
        ids, begins = np.unique(part.series[order], return_index=True)
        times, values, statuses = (column[order].tolist() for column in (part.time_ms, part.value, part.status))
        ends = [*begins.tolist()[1:], len(times)]
        for identity, begin, end in zip(ids.tolist(), begins.tolist(), ends, strict=True):
            series[str(identity)] = {"time_ms": times[begin:end], "value": values[begin:end], "status": statuses[begin:end]}
    return _encode({"series": series})


def _by_kind(parts: Sequence[LiveColumns]) -> list[LiveColumns]:
    """The parts joined, one a numpy type, so that a text never turns the doubles beside it into objects."""
    kinds: dict[str, list[LiveColumns]] = {}
    for part in parts:
        kinds.setdefault(part.value.dtype.str, []).append(part)
    return [
        same[0] if len(same) == 1 else LiveColumns(*(np.concatenate(columns) for columns in zip(*same, strict=True)))
        for same in kinds.values()
    ]


class Viewer:
    """One open stream: what waits to be sent, and when it may be."""

    def __init__(self, series: Sequence[int], topics: frozenset[str], *, buffer: int, rate: float) -> None:
        self.topics = topics
        self.lagged = 0
        self._watched = np.unique(np.asarray(series, dtype=np.uint64))
        self._parts: list[LiveColumns] = []
        self._waiting = 0
        self._buffer = buffer
        self._rate = rate
        self._notices: dict[tuple[str, Any], bytes] = {}
        self._serial = 0
        self._dropped = 0
        self._wake = anyio.Event()
        self._closed = False

    def offer(self, columns: LiveColumns) -> None:
        """Takes the watched samples out of ``columns``; drops the older ones of a buffer that is full."""
        watched = self._watched
        if not len(watched):
            return
        place = np.searchsorted(watched, columns.series)
        place[place == len(watched)] = 0
        hit = watched[place] == columns.series
        if not hit.any():
            return
        part = columns if hit.all() else columns.take(hit)
        self._parts.append(part)
        self._waiting += len(part.series)
        if self._waiting > self._buffer:
            self._coalesce()
        self._wake.set()

    def tell(self, event: str, data: bytes, *, subject: str = "") -> None:
        """A message that is not samples; with a ``subject`` a newer one replaces it while it waits."""
        self._serial += 1
        key = (event, subject or self._serial)
        self._notices[key] = data
        if len(self._notices) > _NOTICES:
            self._notices.pop(next(iter(self._notices)))
            self._dropped += 1
        self._wake.set()

    def close(self) -> None:
        """Ends the stream after what waits was sent."""
        self._closed = True
        self._wake.set()

    def _rest(self) -> None:
        """What comes from now on wakes the stream again; the end of the stream always does."""
        self._wake = anyio.Event()
        if self._closed:
            self._wake.set()

    def _coalesce(self) -> None:
        kept = []
        for part in _by_kind(self._parts):
            _, newest = np.unique(part.series[::-1], return_index=True)
            kept.append(part.take(np.sort(len(part.series) - 1 - newest)))
        count = sum(len(part.series) for part in kept)
        self._dropped += self._waiting - count
        self._parts, self._waiting = kept, count

    def _drain(self) -> bytes:
        out = []
        if self._dropped:
            self.lagged += self._dropped
            out.append(sse("lagged", _encode({"dropped": self._dropped, "total": self.lagged})))
            self._dropped = 0
        if self._notices:
            out += [sse(event, data) for (event, _), data in self._notices.items()]
            self._notices.clear()
        if self._parts:
            out.append(sse("samples", samples_json(self._parts)))
            self._parts, self._waiting = [], 0
        return b"".join(out)

    async def messages(self) -> AsyncIterator[bytes]:
        """What to send, for ever: the first after a pause at once, then at most ``rate`` a second; a comment when quiet."""
        allowance, before = BURST, time.monotonic()
        while not self._closed:
            with anyio.move_on_after(HEARTBEAT):
                await self._wake.wait()
            if not self._wake.is_set():
                yield b": alive\n\n"
                continue
            await anyio.sleep(GATHER)
            now = time.monotonic()
            allowance, before = min(BURST, allowance + (now - before) * self._rate), now
            if allowance < 1:
                await anyio.sleep((1 - allowance) / self._rate)
            allowance -= 1
            self._rest()
            if chunk := self._drain():
                yield chunk


class _Feed:
    """One subject and who listens to it."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.scope = CancelScope()
        self.ready = anyio.Event()


class LiveHub:
    """Owns the subscriptions. `run` holds them; `watch` opens and closes a viewer inside it."""

    def __init__(self, spine: SpineLink, decode: Decode, organisation: str, *, clients: int, buffer: int, rate: float) -> None:
        self._spine = spine
        self._decode = decode
        self._root = f"hl.{escape(organisation)}"
        self._clients = clients
        self._buffer = buffer
        self._rate = rate
        self._feeds: dict[str, _Feed] = {}
        self._group: TaskGroup | None = None
        self.viewers: set[Viewer] = set()
        self.messages = 0
        self.samples = 0
        self.undecodable = 0
        self.lagged = 0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Holds the subscriptions until cancelled; then every open stream ends."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                task_status.started()
                await anyio.sleep_forever()
        finally:
            self._group = None
            for viewer in self.viewers:
                viewer.close()

    @asynccontextmanager
    async def watch(self, sources: Mapping[str, Sequence[int]], topics: frozenset[str]) -> AsyncIterator[Viewer]:
        """A viewer of the series of each source, and of the topics ``status`` and ``events``; what comes after is seen.

        Raises `TooManyError` where as many streams as allowed are open, `UnavailableError` while the API stops.
        """
        if self._group is None:
            raise UnavailableError("the live stream is not running")
        if len(self.viewers) >= self._clients:
            raise TooManyError(f"{self._clients} live streams are open already", seconds=5, hint="raise live_clients of [api]")
        viewer = Viewer(
            [identity for ids in sources.values() for identity in ids], topics, buffer=self._buffer, rate=self._rate
        )
        subjects = [f"{self._root}.samples.{escape(source)}" for source in sources]
        if "events" in topics:
            subjects.append(f"{self._root}.events.>")
        self.viewers.add(viewer)
        feeds = [self._join(subject, viewer) for subject in subjects]
        try:
            with anyio.move_on_after(_ESTABLISH):
                for feed in feeds:
                    await feed.ready.wait()
            yield viewer
        finally:
            self.viewers.discard(viewer)
            self.lagged += viewer.lagged
            for subject in subjects:
                self._leave(subject, viewer)

    def tell_status(self, name: str, data: bytes) -> None:
        """Shows ``data`` to every viewer of the topic ``status``; the newest of a ``name`` counts."""
        for viewer in self.viewers:
            if "status" in viewer.topics:
                viewer.tell("status", data, subject=name)

    def _join(self, subject: str, viewer: Viewer) -> _Feed:
        feed = self._feeds.get(subject)
        if feed is None:
            feed = self._feeds[subject] = _Feed()
            assert self._group is not None  # noqa: S101 - watch has refused already
            self._group.start_soon(self._listen, subject, feed)
        feed.viewers.add(viewer)
        return feed

    def _leave(self, subject: str, viewer: Viewer) -> None:
        feed = self._feeds[subject]
        feed.viewers.discard(viewer)
        if not feed.viewers:
            feed.scope.cancel()
            del self._feeds[subject]

    async def _listen(self, subject: str, feed: _Feed) -> None:
        deliver = self._deliver_event if ".events." in subject else self._deliver_samples
        with feed.scope:
            while True:
                try:
                    async with await self._spine.subscribe(subject) as messages:
                        feed.ready.set()
                        async for message in messages:
                            deliver(message.payload, feed)
                except HulianError as error:
                    _log.warning("live subscription interrupted", subject=subject, error=str(error))
                await anyio.sleep(1)

    def _deliver_samples(self, payload: bytes, feed: _Feed) -> None:
        try:
            parts = self._decode(payload)
        except HulianError:
            # Ingest reports the bad batch with its place; the console only counts that it could not show it.
            self.undecodable += 1
            return
        self.messages += 1
        for part in parts:
            columns = live_columns(part)
            self.samples += len(columns.series)
            for viewer in feed.viewers:
                viewer.offer(columns)

    def _deliver_event(self, payload: bytes, feed: _Feed) -> None:
        try:
            shown = _encode(event_view(msgspec.json.decode(payload, type=Event)))
        except UNREADABLE:
            self.undecodable += 1
            return
        for viewer in feed.viewers:
            viewer.tell("event", shown)
