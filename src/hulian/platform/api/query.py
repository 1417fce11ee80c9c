"""From what a caller asks to requests of the historian, and from Arrow to the answer.

A question names points; the historian knows series of one storage class. `plan` makes one request a storage class. JSON is
made column by column; CSV and Arrow leave as they come, one chunk at a time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hulian.data.historian.contract import (
    AGGREGATES,
    Aggregate,
    Aligned,
    Downsample,
    Instants,
    RawWindow,
    Request,
    TimeInState,
)
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.platform.api.errors import RequestError
from hulian.platform.api.points import Track
from hulian.platform.api.times import parse_span, parse_time

__all__ = ["Part", "Question", "json_answer", "merged", "plan", "time_ms", "window"]

Says = msgspec.Meta
_NUMBERS: Final = frozenset({StorageClass.DOUBLE, StorageClass.INTEGER, StorageClass.BOOLEAN})


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller wants to know of points over time. The window is ``start`` to ``end``, or ``last`` before now."""

    points: Annotated[
        list[str], Says(description="names, escaped names or series ids", examples=[["99.118.8/reactor#pressure"]])
    ]
    kind: Annotated[
        Literal["raw", "downsample", "aggregate", "aligned", "instants", "states"], Says(description="what is asked")
    ] = "raw"
    start: Annotated[str | int | None, Says(description="RFC 3339, ns since 1970, or now-1h", examples=["now-1h"])] = None
    end: Annotated[str | int | None, Says(description="not included; now where it is not given")] = None
    last: Annotated[str | None, Says(description="the window before end, in place of start", examples=["1h"])] = None
    points_wanted: Annotated[int, Says(description="downsample: samples a series", ge=10, le=100_000)] = 2_000
    step: Annotated[str | int | None, Says(description="aggregate, aligned: length of a step", examples=["1m"])] = None
    functions: Annotated[tuple[str, ...], Says(description="aggregate: " + ", ".join(AGGREGATES), min_length=1)] = ("mean",)
    instants: Annotated[list[str | int], Says(description="instants: the times", max_length=100_000)] = []
    linear: Annotated[bool | None, Says(description="instants: interpolate; by the point's kind where not given")] = None
    fill: Annotated[bool, Says(description="aligned: the last value holds over empty steps")] = False
    bounds: Annotated[bool, Says(description="raw: with the samples next to the window")] = False
    limit: Annotated[int, Says(description="raw: most samples", ge=1, le=50_000_000)] = 1_000_000
    format: Annotated[Literal["json", "csv", "arrow"] | None, Says(description="else by the Accept header")] = None


class Part(NamedTuple):
    """One request and the series it answers for."""

    request: Request
    tracks: list[Track]


def window(question: Question) -> tuple[int, int]:
    """Start and end in UTC ns. Raises `TimeError` or `RequestError`."""
    now = time.time_ns()
    end = now if question.end is None else parse_time(question.end, now=now, place="$.end")
    if question.last is not None:
        if question.start is not None:
            raise RequestError("give either start or last", place="$.last")
        start = end - parse_span(question.last, place="$.last")
    elif question.start is not None:
        start = parse_time(question.start, now=now, place="$.start")
    else:
        raise RequestError("the window has no beginning: give start or last", place="$.start")
    if start >= end:
        raise RequestError("the window ends before it begins", place="$.start")
    return start, end


def plan(question: Question, tracks: Sequence[Track]) -> list[Part]:
    """One request a storage class (and, for instants, a kind of interpolation)."""
    if question.kind == "instants":
        return _plan_instants(question, tracks)
    start, end = window(question)
    if question.kind == "aligned":
        wrong = next((track for track in tracks if track.storage not in _NUMBERS), None)
        if wrong:
            raise RequestError(f"{wrong.point.name} holds {wrong.storage}; aligned wants numbers", place="$.points")
        request = Aligned(
            series=[track.series for track in tracks], start=start, end=end, step=_step(question), fill=question.fill
        )
        return [Part(request, list(tracks))]
    groups: dict[StorageClass, list[Track]] = {}
    for track in tracks:
        groups.setdefault(track.storage, []).append(track)
    return [_plan_class(question, storage, same, start, end) for storage, same in groups.items()]


def _plan_class(question: Question, storage: StorageClass, tracks: list[Track], start: int, end: int) -> Part:
    series = [track.series for track in tracks]
    request: Request
    match question.kind:
        case "downsample" if storage in _NUMBERS:
            request = Downsample(series=series, start=start, end=end, points=question.points_wanted)
        case "raw" | "downsample":
            bounds = question.bounds or question.kind == "downsample"
            request = RawWindow(series=series, start=start, end=end, storage=storage, bounds=bounds, limit=question.limit)
        case "aggregate":
            functions = list(dict.fromkeys(question.functions))
            request = Aggregate(series=series, start=start, end=end, step=_step(question), functions=functions, storage=storage)
        case _:
            if storage is StorageClass.DOUBLE:
                raise RequestError(f"{tracks[0].point.name} is continuous and has no states", place="$.points")
            request = TimeInState(series=series, start=start, end=end, storage=storage)
    return Part(request, tracks)


def _plan_instants(question: Question, tracks: Sequence[Track]) -> list[Part]:
    if not question.instants:
        raise RequestError("no instant is given", place="$.instants")
    now = time.time_ns()
    instants = sorted({parse_time(text, now=now, place="$.instants") for text in question.instants})
    groups: dict[tuple[StorageClass, bool], list[Track]] = {}
    for track in tracks:
        linear = track.point.kind == "continuous" if question.linear is None else question.linear
        groups.setdefault((track.storage, linear and track.storage is StorageClass.DOUBLE), []).append(track)
    return [
        Part(Instants(series=[track.series for track in same], instants=instants, linear=linear, storage=storage), same)
        for (storage, linear), same in groups.items()
    ]


def _step(question: Question) -> int:
    if question.step is None:
        raise RequestError(f"{question.kind} wants a step", place="$.step", hint='for example "step": "1m"')
    return parse_span(question.step, place="$.step")


def json_answer(kind: str, answers: Sequence[tuple[Part, pa.Table]], wanted: Sequence[Point]) -> bytes:
    """The JSON of whole tables, in the order the points were asked for; the series of one point joined, oldest first."""
    document: dict[str, Any] = {"resolution": "raw", "truncated": False}
    shown: dict[str, dict[str, list[Any]]] = {point.name: _empty(kind) for point in wanted}
    for part, table in answers:
        if not table.num_columns:
            continue
        metadata = table.schema.metadata or {}
        if resolution := metadata.get(b"resolution"):
            document["resolution"] = resolution.decode()
        document["truncated"] |= metadata.get(b"truncated", b"").lower() in (b"true", b"1")
        if kind == "aligned":
            document["time_ms"] = time_ms(table.column("time")).tolist()
            for name, column in merged(part.tracks, table).items():
                shown[name] = {"value": plain(column)}
            continue
        columns = _states(table) if kind == "states" else _columns(table)
        for track in part.tracks:
            for key, values in columns.get(track.series, {}).items():
                mine = shown[track.point.name]
                mine[key] = mine[key] + values if mine.get(key) else values
    document["series"] = [{**_head(point), **shown[point.name]} for point in wanted]
    return msgspec.json.encode(document)


def _empty(kind: str) -> dict[str, list[Any]]:
    match kind:
        case "states":
            return {"states": []}
        case "aligned":
            return {"value": []}
        case "aggregate":
            return {"time_ms": []}
        case _:
            return {"time_ms": [], "value": [], "status": []}


def merged(tracks: Sequence[Track], table: pa.Table | pa.RecordBatch) -> dict[str, Any]:
    """The columns of an aligned answer by point; where several series fed it, each row has the one that has a value."""
    columns: dict[str, Any] = {}
    for track in tracks:
        if str(track.series) in table.schema.names:
            column = table.column(str(track.series))
            name = track.point.name
            columns[name] = pc.coalesce(columns[name], column) if name in columns else column
    return columns


def _head(point: Point) -> dict[str, Any]:
    return {"name": point.name, "series": str(point.series), "unit": point.unit, "kind": point.kind, "storage": point.storage}


def _columns(table: pa.Table) -> dict[int, dict[str, Any]]:
    ids, begins, ends = _runs(table)
    shown: dict[int, dict[str, Any]] = {identity: {} for identity in ids}
    for name in table.column_names:
        if name == "series":
            continue
        column = time_ms(table.column(name)).tolist() if name == "time" else plain(table.column(name))
        key = "time_ms" if name == "time" else name
        for identity, begin, end in zip(ids, begins, ends, strict=True):
            shown[identity][key] = column[begin:end]
    return shown


def _states(table: pa.Table) -> dict[int, dict[str, Any]]:
    ids, begins, ends = _runs(table)
    rows = table.select(["value", "seconds", "changes"]).to_pylist()
    return {identity: {"states": rows[begin:end]} for identity, begin, end in zip(ids, begins, ends, strict=True)}


def _runs(table: pa.Table) -> tuple[list[int], list[int], list[int]]:
    """Where each series begins and ends in a table ordered by series."""
    series = table.column("series").to_numpy()
    if not len(series):
        return [], [], []
    begins = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))
    return series[begins].tolist(), begins.tolist(), [*begins.tolist()[1:], len(series)]


def time_ms(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float64]:
    """A time column in ms since 1970, exact to the microsecond."""
    nanoseconds: npt.NDArray[np.int64] = pc.cast(column, pa.int64()).to_numpy()
    return nanoseconds // 1000 / 1000.0


def plain(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """A column as a list that JSON can carry: no value, NaN and infinities become null, bytes base64."""
    kind = column.type
    if pa.types.is_floating(kind) or (column.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_boolean(kind))):
        values: list[Any] = (
            column.to_numpy().tolist()
            if isinstance(column, pa.ChunkedArray)
            else column.to_numpy(zero_copy_only=False).tolist()
        )
        return values
    if pa.types.is_timestamp(kind):
        milliseconds: list[Any] = time_ms(column).tolist()
        return milliseconds
    listed: list[Any] = column.to_pylist()
    return listed
