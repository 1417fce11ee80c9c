"""Numbers about the samples of each step."""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from hulian.data.historian import sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, NUMERIC
from hulian.data.historian.contract import Aggregate
from hulian.data.historian.errors import RequestError
from hulian.data.historian.sources import numbers, raw_source, rollup_source
from hulian.data.historian.weighting import weighted

__all__ = ["aggregate"]

_PERCENTILE: Final = re.compile(r"p(0[1-9]|[1-9][0-9])\Z")
_FROM_RAW: Final = {
    "mean": "avgIf(number, usable_)",
    "min": "minIf(number, usable_)",
    "max": "maxIf(number, usable_)",
    "sum": "sumIf(number, usable_)",
    "first": "argMinIf(number, at_, usable_)",
    "last": "argMaxIf(number, at_, usable_)",
}
_FROM_ROLLUP: Final = {
    "mean": "sum(total) / sum(usable)",
    "min": sql.lowest("min(lowest)"),
    "max": sql.highest("max(highest)"),
    "sum": "sum(total)",
    "first": sql.value_bits("argMinIf(lead, at + toInt64(bitShiftRight(lead, 64)), usable > 0)"),
    "last": sql.value_bits("argMaxIf(tail, at + toInt64(bitShiftRight(tail, 64)), usable > 0)"),
}
_TIME_WEIGHTED: Final = "time_weighted_mean"


def aggregate(asking: Asking, request: Aggregate) -> Iterator[pa.RecordBatch]:
    """One row a series and step that holds samples."""
    _check(request)
    found = next((found for storage, found in asking.by_class(request.series) if storage is request.storage), None)
    if found is None:
        return
    names: list[int] = found.tolist()
    level = _level(request)
    step, start, end = request.step, request.start, request.end
    if level is None:
        at = "at_"
        source = numbers(raw_source(asking, request.storage, names, start, end))
        usable, good, samples, chosen = "countIf(usable_)", "countIf(good_)", "count()", _FROM_RAW
    else:
        at = "at"
        source = rollup_source(asking, request.storage, level, names, start, end)
        usable, good, samples, chosen = "sum(usable)", "sum(good)", "sum(samples)", _FROM_ROLLUP
    columns, fields = [], []
    for name in request.functions:
        if name == "count":
            columns.append(f"{samples} AS f_count")
            fields.append(pa.field("count", pa.uint64()))
            continue
        expression = "NULL" if name == _TIME_WEIGHTED else chosen.get(name) or _other(name, level)
        columns.append(f"if({usable} = 0, NULL, {expression}) AS f_{name}")
        fields.append(pa.field(name, pa.float64()))
    selected = ", ".join(f"f_{name}" for name in request.functions)
    statement = (
        f"SELECT series, fromUnixTimestamp64Nano(bucket, 'UTC') AS begin, {selected}, share FROM"
        f" (SELECT series, {sql.floor(at, start, step)} AS bucket, {', '.join(columns)}, {good} / {samples} AS share"
        f" FROM {source} GROUP BY series, bucket) ORDER BY series, bucket"
    )
    wanted = pa.schema(
        [
            pa.field("series", pa.uint64(), nullable=False),
            pa.field("time", pa.timestamp("ns", "UTC"), nullable=False),
            *fields,
            pa.field("good", pa.float64()),
        ],
        metadata={"resolution": level or "raw"},
    )
    batches = asking.stream(statement, wanted)
    yield from weighted(asking, request, batches) if _TIME_WEIGHTED in request.functions else batches


def _check(request: Aggregate) -> None:
    if request.end < request.start:
        raise RequestError("the window ends before it begins", place="end")
    if request.step <= 0:
        raise RequestError("a step is a positive number of nanoseconds", place="step")
    if len(set(request.functions)) != len(request.functions):
        raise RequestError("a function is asked twice", place="functions")
    if request.storage not in NUMERIC:
        raise RequestError(
            f"series of the class {request.storage} have no aggregates", place="storage", hint="ask for raw or states"
        )


def _level(request: Aggregate) -> str | None:
    """The coarsest roll-up that gives the exact answer; what lies behind its last whole bucket comes from raw samples."""
    exact = {*_FROM_ROLLUP, "count"}
    for name, width in (("hour", HOUR), ("minute", MINUTE)):
        known = exact | {"stddev"} if name == "hour" else exact
        if set(request.functions) <= known and request.step % width == 0 and request.start % width == 0:
            return name
    return None


def _other(name: str, level: str | None) -> str:
    if name == "stddev":
        if level is None:
            return "if(countIf(usable_) > 1, stddevSampStableIf(number, usable_), NULL)"
        return "if(sum(usable) > 1, sqrt(varPopStableMerge(spread) * sum(usable) / (sum(usable) - 1)), NULL)"
    if found := _PERCENTILE.match(name):
        return f"quantileExactInclusiveIf(0.{found[1]})(number, usable_)"
    raise RequestError(
        f"'{name}' is not an aggregate",
        place="functions",
        hint="mean, min, max, count, sum, first, last, stddev, time_weighted_mean or a percentile p01 to p99",
    )
