"""What was missed, from the server's own history (OPC 10000-11, section 6.5.3): raw values, in chunks, never in a hurry.

Live values go first: one request is under way at a time, and the samples that it may bring a second are bounded. A sample
that comes twice has the same source time both times, so that the historian keeps one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import numpy as np
import numpy.typing as npt
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import OpcuaError, RefusedError
from hulian.network.exchange.protocols.opcua.limits import Limits, batches
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.wire import decode_history

__all__ = ["Gaps", "History"]

_HISTORY_READ: Final = 0x04
"""The bit of AccessLevel that says that a variable's history may be read (OPC 10000-3, section 8.57)."""

_MOST: Final = 10_000_000
"""Samples of one point after which a gap is given up: a server whose continuation never ends."""

_PAUSE: Final = 0.02
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Gaps:
    """Which points miss samples, since when and until when (UTC ns), by place; knows neither the network nor the clock."""

    def __init__(self, count: int, configuration: OpcuaConfiguration) -> None:
        self._longest = int(configuration.history_longest * 1e9)
        self._lost = np.zeros(count, np.int64)
        self._since = np.zeros(count, np.int64)
        self._until = np.zeros(count, np.int64)
        self._changed = anyio.Event()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._since))

    def begin(self, last: npt.NDArray[np.int64]) -> None:
        """The link is lost; ``last`` is the time of each point's last sample, 0 where there was none."""
        self._lost = np.where(self._lost > 0, self._lost, last)

    def kept(self) -> None:
        """The link is back and the server has kept every message: nothing was lost with it."""
        self._lost[:] = 0

    def until(self, now: int) -> None:
        """The link is back, and what came between is with the server's history, if anywhere."""
        missing = (self._lost > 0) & (self._lost < now)
        since = np.where(self._since > 0, np.minimum(self._since, self._lost), self._lost)
        self._since = np.where(missing, np.maximum(since, now - self._longest), self._since)
        self._until = np.where(missing, now, self._until)
        self._lost[:] = 0
        self._wake()

    def add(self, found: Iterable[tuple[int, int]], now: int | None = None) -> None:
        """The points at these places miss samples since these times, although the link stands."""
        moment = int(datetime.now(UTC).timestamp() * 1e9) if now is None else now
        for place, since in found:
            if since > 0:
                since = max(since, moment - self._longest)
                self._since[place] = min(since, int(self._since[place]) or since)
                self._until[place] = moment
        self._wake()

    def _wake(self) -> None:
        if len(self):
            self._changed.set()
            self._changed = anyio.Event()

    async def some(self) -> list[int]:
        """The places with a gap, the oldest first, as soon as there is one."""
        while not len(self):
            await self._changed.wait()
        places = np.flatnonzero(self._since)
        return [int(place) for place in places[np.argsort(self._since[places], kind="stable")]]

    def bounds(self, place: int) -> tuple[int, int]:
        """(since, until) of one point, 0 where it has no gap."""
        return int(self._since[place]), int(self._until[place])

    def filled(self, place: int, until: int) -> None:
        """Everything up to the time ``until`` has come."""
        if until >= self._until[place]:
            self.close(place)
        else:
            self._since[place] = max(int(self._since[place]), until)

    def close(self, place: int) -> None:
        """This gap is filled, or never will be."""
        self._since[place] = self._until[place] = 0


class History:
    """Fills `Gaps` from the history of one session's server."""

    def __init__(self, session: Session, limits: Limits, configuration: OpcuaConfiguration, gaps: Gaps) -> None:
        self._session = session
        self._limits = limits
        self._configuration = configuration
        self._gaps = gaps
        self._without: set[int] = set()
        """Places whose nodes keep no history, or not for us."""

    async def fill_for_ever(
        self,
        resolve: Callable[[Sequence[int]], dict[int, ua.NodeId]],
        deliver: Callable[[list[Block]], None],
        tell: Callable[[int, int, list[tuple[int, int]]], None],
    ) -> None:
        """Waits for gaps and fills them; ends only by an error of the link.

        ``resolve`` gives the nodes of places; ``deliver`` gets samples whose handles are places; ``tell`` how many points
        were filled with how many samples, and (place, status) of those that could not be.
        """
        filled, samples, failed = 0, 0, list[tuple[int, int]]()
        while True:
            places = await self._gaps.some()
            nodes = resolve(places)
            keep = await self._keepers({place: nodes[place] for place in places if place in nodes})
            for group in batches([place for place in places if place in keep], self._limits.histories_per_call):
                count, wrong = await self._fill({place: nodes[place] for place in group}, deliver)
                filled += sum(not self._gaps.bounds(place)[0] for place in group) - len(wrong)
                samples, failed = samples + count, failed + wrong
            for place in places:
                if place not in keep:
                    self._gaps.close(place)
            if not len(self._gaps) and (filled or failed):
                tell(filled, samples, failed)
                filled, samples, failed = 0, 0, []
            await anyio.sleep(_PAUSE if len(self._gaps) else 1.0)

    async def _keepers(self, nodes: dict[int, ua.NodeId]) -> set[int]:
        """The places whose history we may read."""
        asked = [place for place in nodes if place not in self._without]
        for group in batches(asked, self._limits.reads_per_call):
            for attribute in (AttributeIds.AccessLevel, AttributeIds.UserAccessLevel):
                answers = await self._session.read([nodes[place] for place in group], attribute)
                for place, answer in zip(group, answers, strict=True):
                    level = answer.Value.Value if answer.Value is not None else None
                    if isinstance(level, int) and not level & _HISTORY_READ:
                        self._without.add(place)
            await anyio.sleep(_PAUSE)
        return {place for place in asked if place not in self._without}

    async def _fill(
        self, nodes: dict[int, ua.NodeId], deliver: Callable[[list[Block]], None]
    ) -> tuple[int, list[tuple[int, int]]]:
        """(samples, (place, status) of what could not be read) of the gaps of ``nodes``, chunk by chunk."""
        bounds = {place: self._gaps.bounds(place) for place in nodes}
        start, end = min(since for since, _ in bounds.values()), max(until for _, until in bounds.values())
        points: dict[int, bytes | None] = dict.fromkeys(nodes)
        samples, failed = 0, list[tuple[int, int]]()
        counts = dict.fromkeys(nodes, 0)
        try:
            while points:
                places = list(points)
                results = decode_history(await self._session.raw(self._request(start, end, nodes, points)), len(places))
                came = 0
                for place, result in zip(places, results, strict=True):
                    points[place] = result.continuation
                    since, until = bounds[place]
                    blocks = [_of(block, place, since, until) for block in result.blocks]
                    blocks = [block for block in blocks if len(block)]
                    deliver(blocks)
                    came += sum(map(len, result.blocks))
                    samples += sum(map(len, blocks))
                    counts[place] += sum(map(len, result.blocks))
                    if result.status & 0x8000_0000:
                        failed.append((place, result.status))
                        self._gaps.close(place)
                        del points[place]
                    elif not result.continuation:
                        # Some servers cut at the number asked for and forget to say that there is more: a full answer
                        # is never believed to be the last.
                        full = sum(map(len, result.blocks)) >= self._configuration.history_chunk
                        newest = max((int(block.time.max()) for block in blocks), default=0)
                        self._gaps.filled(place, newest if full and newest else until)
                        del points[place]
                    elif counts[place] > _MOST or not result.blocks:
                        failed.append((place, StatusCodes.BadTooManyOperations))
                        await self._release(nodes, {place: points.pop(place)})
                        self._gaps.close(place)
                    elif blocks:
                        self._gaps.filled(place, max(int(block.time.max()) for block in blocks))
                await anyio.sleep(max(_PAUSE, came / self._configuration.history_rate))
        except RefusedError as error:
            for place in points:
                self._gaps.close(place)
            failed += [(place, error.status) for place in points]
            points.clear()
        finally:
            await self._release(nodes, points)
        return samples, failed

    def _request(
        self, start: int, end: int, nodes: Mapping[int, ua.NodeId], points: Mapping[int, bytes | None], *, release: bool = False
    ) -> ua.HistoryReadRequest:
        request = ua.HistoryReadRequest()
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False,
            StartTime=_moment(start),
            EndTime=_moment(end + 1_000),
            NumValuesPerNode=self._configuration.history_chunk,
            ReturnBounds=False,
        )
        request.Parameters = ua.HistoryReadParameters(
            HistoryReadDetails=details,
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ReleaseContinuationPoints=release,
            NodesToRead=[
                ua.HistoryReadValueId(NodeId=nodes[place], ContinuationPoint=point) for place, point in points.items()
            ],
        )
        return request

    async def _release(self, nodes: dict[int, ua.NodeId], points: dict[int, bytes | None]) -> None:
        """Gives back continuation points, of which a server has few; a lost link has released them already."""
        held = {place: point for place, point in points.items() if point}
        if not held or not self._session.alive:
            return
        with anyio.move_on_after(2, shield=True):
            try:
                await self._session.raw(self._request(0, 1, nodes, held, release=True))
            except OpcuaError:
                return


def _of(block: Block, place: int, since: int, until: int) -> Block:
    """The samples after ``since`` and up to ``until``, all of the binding at ``place``."""
    block = replace(block, handle=np.full(len(block), place, np.uint32))
    return block.select((block.time > since) & (block.time <= until))


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
