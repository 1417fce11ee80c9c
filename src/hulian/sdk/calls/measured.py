"""What was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.calls.asking import ARROW, SLOW, Moment, Span, given, items, listed, moment, span, table, window
from hulian.sdk.flow import Flow, Request, read
from hulian.sdk.history import History

__all__ = [
    "aligned",
    "at",
    "correct",
    "downsampled",
    "history",
    "last",
    "states",
]


def last(points: str | Iterable[str]) -> Flow[list[records.Last]]:
    """The newest sample of each point, in the order asked for."""
    names = ",".join(escape(name) for name in listed(points))
    return items((yield Request("GET", "/last", query={"points": names})), records.Last)


def history(
    points: str | Iterable[str],
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    every: Span | None = None,
    agg: str | Sequence[str] | None = None,
    limit: int | None = None,
) -> Flow[History]:
    """What was, as an Arrow table: raw samples, or with ``every`` one row a step with the aggregates ``agg`` (mean).

    The window is ``start`` to ``end`` (now), or ``last`` before it. Aggregates: mean, min, max, count, sum, first, last,
    stddev, time_weighted_mean, p01 to p99.
    """
    body: dict[str, Any] = {
        "points": listed(points),
        "kind": "raw" if every is None else "aggregate",
        "format": "arrow",
        **window(last, start, end),
        **given(limit=limit, step=span(every)),
    }
    if agg is not None:
        body["functions"] = listed(agg)
        if every is None:
            raise ValueError('aggregates want a step: every="1m"')
    return table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=SLOW)))


def downsampled(
    points: str | Iterable[str],
    wanted: int = 2000,
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[History]:
    """About ``wanted`` samples a point that draw the same line, extremes kept."""
    body = {
        "points": listed(points),
        "kind": "downsample",
        "points_wanted": wanted,
        "format": "arrow",
        **window(last, start, end),
    }
    return table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=SLOW)))


def aligned(
    points: str | Iterable[str],
    every: Span,
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    fill: bool = False,
) -> Flow[History]:
    """Several points on one time axis: a column each, means of every step; with ``fill`` the last value holds."""
    body = {
        "points": listed(points),
        "kind": "aligned",
        "step": span(every),
        "fill": fill,
        "format": "arrow",
        **window(last, start, end),
    }
    return table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=SLOW)))


def at(points: str | Iterable[str], instants: Iterable[Moment], *, linear: bool | None = None) -> Flow[History]:
    """The values at given instants; interpolated where the point is continuous, unless ``linear`` says otherwise."""
    times = [moment(instant) for instant in instants]
    body = {"points": listed(points), "kind": "instants", "instants": times, "format": "arrow", **given(linear=linear)}
    return table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=SLOW)))


def states(
    points: str | Iterable[str],
    *,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[History]:
    """How long each value of a step point held."""
    body = {"points": listed(points), "kind": "states", "format": "arrow", **window(last, start, end)}
    return table((yield Request("POST", "/query", body=body, accept=ARROW, seconds=SLOW)))


def correct(point: str, samples: Iterable[tuple[Moment, Any]], reason: str) -> Flow[int]:
    """Replaces values, (time, value) each; the old ones stay readable as history. How many."""
    listed = [{"time": moment(when), "value": value} for when, value in samples]
    body = {"point": point, "samples": listed, "reason": reason}
    return int(read((yield Request("POST", "/corrections", body=body)), dict[str, Any])["samples"])
