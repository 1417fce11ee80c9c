"""A person replaces values: the new ones stand beside the old ones, which stay readable, with author and reason."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hulian.data.catalogue import SeriesSpan
from hulian.data.historian.contract import Correct
from hulian.kernel.errors import BatchError
from hulian.kernel.sample import Columns
from hulian.platform.api.access import in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.times import parse_time
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta


class CorrectedSample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The value that should have been; null is no value. ``status`` is an OPC UA StatusCode."""

    time: Annotated[str | int, Says(examples=["2026-03-01T08:00:00Z"])]
    value: Any
    status: Annotated[int, Says(ge=0, le=2**32 - 1)] = 0


class CorrectionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples of one point, and why they are corrected."""

    point: str
    samples: Annotated[list[CorrectedSample], Says(min_length=1, max_length=100_000)]
    reason: Annotated[str, Says(min_length=1, max_length=1000, examples=["sensor was being calibrated"])]


class CorrectionView(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples now stand corrected."""

    point: str
    samples: int


@post("/corrections", opt=needs(Action.HISTORY_WRITE), status_code=201, summary="Correct samples", tags=["history"])
async def correct(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[CorrectionBody]
) -> CorrectionView:
    """Aggregates follow. The samples go to the series that fed the point at their time."""
    who, now = visitor(request), time.time_ns()
    (point,) = await context.points.resolve([data.point], most=1, place="$.point")
    spans: list[SeriesSpan] = await in_thread(lambda: context.catalogue.history(point.name))
    chosen: dict[int, list[tuple[int, CorrectedSample]]] = {}
    for number, sample in enumerate(data.samples):
        when = parse_time(sample.time, now=now, place=f"$.samples[{number}].time")
        chosen.setdefault(_span_at(spans, when), []).append((when, sample))
    corrections = [_columns(spans[index], samples) for index, samples in chosen.items()]
    for columns in corrections:
        await context.queries.correct(Correct(columns=columns, author=who.name, reason=data.reason))
    details = {"did": "corrected", "samples": len(data.samples), "reason": data.reason}
    await context.audit(who, Action.HISTORY_WRITE, f"point:{point.name}", details=details)
    return CorrectionView(point=point.name, samples=len(data.samples))


def _span_at(spans: list[SeriesSpan], when: int) -> int:
    """The span of ``when``; what is before the first or behind the last belongs to the nearest."""
    for index, span in enumerate(spans):
        if span.until is None or when < span.until:
            return index
    return len(spans) - 1


def _columns(span: SeriesSpan, samples: list[tuple[int, CorrectedSample]]) -> Columns:
    samples.sort(key=lambda item: item[0])
    try:
        return Columns.of(
            span.storage,
            np.full(len(samples), span.series, np.uint64),
            np.array([when for when, _ in samples], np.int64),
            [sample.value for _, sample in samples],
            np.array([sample.status for _, sample in samples], np.uint32),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, BatchError, TypeError, OverflowError) as error:
        raise RequestError(f"a value is no {span.storage}: {str(error)[:200]}", place="$.samples") from error


ROUTES = [correct]
