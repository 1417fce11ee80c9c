"""The live stream: Server-Sent Events of samples, status and events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.platform.api.access import Visitor, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.live import sse
from hulian.platform.api.points import split_points
from hulian.platform.api.routes.points import POINTS_TEXT, LastView, last_values
from hulian.platform.api.streaming import Streaming
from hulian.trust import Action

__all__ = ["EVENT_STREAM", "ROUTES"]

EVENT_STREAM = "text/event-stream; charset=utf-8"
_TOPICS = frozenset({"samples", "status", "events"})
_CHECK_EVERY = 15.0


@get(
    "/live",
    opt=needs(Action.LIVE_READ),
    summary="Watch live",
    tags=["live"],
    responses={200: ResponseSpec(str, media_type="text/event-stream", description="Server-Sent Events")},
)
async def live(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    points: Annotated[list[str] | None, QueryParameter(description=POINTS_TEXT)] = None,
    topics: Annotated[str, QueryParameter(description="of samples, status and events; commas between")] = "samples",
) -> Response[bytes]:
    """Events: ``samples`` (the last values first), ``status``, ``event``, ``lagged``; a comment each 10 s when quiet."""
    wanted = frozenset(split_points([topics]))
    if unknown := wanted - _TOPICS:
        raise RequestError(f"there is no topic {min(unknown)!r}", place="query topics", hint="samples, status, events")
    names = split_points(points or [])
    if "samples" in wanted and not names and wanted == {"samples"}:
        raise RequestError("no point is named", place="query points")
    found = await context.points.resolve(names, most=context.configuration.live_points) if names else []
    stream = _stream(context, visitor(request), found, wanted)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return await Streaming(stream, EVENT_STREAM, headers=headers).prepare()


async def _stream(context: Context, who: Visitor, points: list[Point], topics: frozenset[str]) -> AsyncGenerator[bytes, None]:
    sources: dict[str, list[int]] = {}
    if "samples" in topics:
        for point in points:
            sources.setdefault(point.connector or "unknown", []).append(point.series)
    async with context.hub.watch(sources, topics) as viewer:
        yield b"retry: 2000\n\n"
        if "status" in topics:
            for status in context.board.snapshot():
                yield sse("status", msgspec.json.encode(status))
        if sources:
            yield await _last(context, points)
        checked = time.monotonic()
        async for chunk in viewer.messages():
            if time.monotonic() - checked > _CHECK_EVERY:
                checked = time.monotonic()
                if not await context.gate.still_valid(who, Action.LIVE_READ):
                    yield sse("ended", b'{"reason":"the login has ended"}')
                    return
            yield chunk


async def _last(context: Context, points: list[Point]) -> bytes:
    """The last values as a first ``samples`` event; without the historian an empty one, for live goes on without it."""
    try:
        newest = await last_values(context, [point.series for point in points])
    except HulianError as error:
        return sse("samples", b'{"series":{},"last":true}') + sse("problem", msgspec.json.encode(error.as_dict()))
    series = {
        str(point.series): {"time_ms": [last.time_ms], "value": [_value(point, last)], "status": [last.status]}
        for point in points
        if (last := newest.get(point.series))
    }
    return sse("samples", msgspec.json.encode({"series": series, "last": True}))


def _value(point: Point, last: LastView) -> Any:
    """The value in the type that live samples of the point have."""
    if last.value is None:
        return None
    match point.storage:
        case StorageClass.BOOLEAN:
            return last.number != 0
        case StorageClass.INTEGER:
            return int(last.value)
        case StorageClass.DOUBLE:
            return last.number
        case _:
            return last.value


ROUTES = [live]
