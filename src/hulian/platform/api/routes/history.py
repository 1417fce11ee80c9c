"""History: one question, answered as JSON, CSV or Arrow."""

from __future__ import annotations

import gzip
from typing import Any

from anyio import CapacityLimiter, to_thread
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from hulian.kernel.point import Point
from hulian.platform.api.access import needs
from hulian.platform.api.context import Context
from hulian.platform.api.query import Part, Question, json_answer, plan
from hulian.platform.api.streaming import Streaming
from hulian.platform.api.tabular import ARROW, CSV, ArrowEncoder, CsvEncoder, chunks, encoded
from hulian.trust import Action

__all__ = ["ROUTES"]

_SMALL = 2048
_QUICK = 20_000
_encoders = CapacityLimiter(2)


@post(
    "/query",
    opt=needs(Action.HISTORY_READ),
    status_code=200,
    summary="Ask for history",
    tags=["history"],
    responses={200: ResponseSpec(dict[str, Any], description="columns a series, CSV or Arrow", generate_examples=False)},
)
async def query(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[Question]
) -> Response[bytes]:
    """Raw samples, a drawing of them, aggregates, a common time axis, values at instants or times in states."""
    points = await context.points.resolve(data.points, most=context.configuration.query_points, place="$.points")
    parts = plan(data, await context.points.tracks(points))
    match data.format or wanted_format(request):
        case "csv":
            stream = encoded(chunks(context.queries, parts, context.limits()), CsvEncoder())
            return await Streaming(stream, CSV).prepare()
        case "arrow":
            stream = encoded(chunks(context.queries, parts, context.limits()), ArrowEncoder())
            return await Streaming(stream, ARROW).prepare()
        case _:
            return await _json(request, context, data, parts, points)


async def _json(
    request: Request[Any, Any, Any], context: Context, data: Question, parts: list[Part], points: list[Point]
) -> Response[bytes]:
    limits = context.limits(context.configuration.json_rows)
    answers = [(part, await context.table(part.request, limits)) for part in parts]
    zipped = "gzip" in request.headers.get("accept-encoding", "")

    def make() -> tuple[bytes, bool]:
        body = json_answer(data.kind, answers, points)
        if zipped and len(body) > _SMALL:
            return gzip.compress(body, 1, mtime=0), True
        return body, False

    rows = sum(table.num_rows for _, table in answers)
    body, packed = make() if rows < _QUICK else await to_thread.run_sync(make, limiter=_encoders)
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


def wanted_format(request: Request[Any, Any, Any]) -> str:
    """The format that the Accept header names; JSON where it names none of ours."""
    accepted = request.headers.get("accept", "")
    if "arrow" in accepted:
        return "arrow"
    return "csv" if "text/csv" in accepted else "json"


ROUTES = [query]
