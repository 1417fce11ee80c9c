"""Numbers about the samples of each step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import HOUR, MINUTE, NUMERIC
from hulian.data.historian.contract import Aggregate
from hulian.data.historian.errors import RequestError

__all__ = ["aggregate"]

_PERCENTILE: Final = re.compile(r"p(0[1-9]|[1-9][0-9])\Z")
_FROM_RAW: Final = {
    "mean": f"avgIf({sql.NUMBER}, {sql.USABLE})",
    "min": f"minIf({sql.NUMBER}, {sql.USABLE})",
    "max": f"maxIf({sql.NUMBER}, {sql.USABLE})",
    "sum": f"sumIf({sql.NUMBER}, {sql.USABLE})",
    "first": f"argMinIf({sql.NUMBER}, time, {sql.USABLE})",
    "last": f"argMaxIf({sql.NUMBER}, time, {sql.USABLE})",
}
_WHEN: Final = "toInt64(toUnixTimestamp(time)) * 1000000000"
_FROM_ROLLUP: Final = {
    "mean": "sum(total) / sum(usable)",
    "min": sql.lowest("min(lowest)"),
    "max": sql.highest("max(highest)"),
    "sum": "sum(total)",
    "first": sql.value_bits(f"argMinIf(lead, {_WHEN} + toInt64(bitShiftRight(lead, 64)), usable > 0)"),
    "last": sql.value_bits(f"argMaxIf(tail, {_WHEN} + toInt64(bitShiftRight(tail, 64)), usable > 0)"),
}


def aggregate(asking: Asking, request: Aggregate) -> Iterator[pa.RecordBatch]:
    """One row a series and step that holds samples."""
    _check(request)
    names = next((found for storage, found in asking.by_class(request.series) if storage is request.storage), None)
    if names is None:
        return
    level = _level(request)
    step, start = request.step, request.start
    if level is None:
        bucket = sql.floor(sql.NANOSECONDS, start, step)
        source, window = schema.raw(request.storage), f"time >= {sql.instant(start)} AND time < {sql.instant(request.end)}"
        usable, good, samples, chosen = f"countIf({sql.USABLE})", f"countIf({sql.GOOD})", "count()", _FROM_RAW
    else:
        bucket = sql.floor(_WHEN, start, step)
        source = level
        window = f"time >= {sql.instant(start)} AND time < {sql.instant(request.end)}"
        usable, good, samples, chosen = "sum(usable)", "sum(good)", "sum(samples)", _FROM_ROLLUP
    columns, fields = [], []
    for name in request.functions:
        if name == "count":
            columns.append(f"{samples} AS f_count")
            fields.append(pa.field("count", pa.uint64()))
            continue
        expression = chosen.get(name) or _other(name, level)
        columns.append(f"if({usable} = 0, NULL, {expression}) AS f_{name}")
        fields.append(pa.field(name, pa.float64()))
    statement = (
        f"SELECT series, fromUnixTimestamp64Nano(bucket, 'UTC') AS t, {', '.join(column.split(' AS ')[-1] for column in columns)},"
        f" good FROM (SELECT series, {bucket} AS bucket, {', '.join(columns)}, {good} / {samples} AS good"
        f" FROM {asking.database}.{source} WHERE series IN {sql.listed(names.tolist())} AND {window}"
        " GROUP BY series, bucket) ORDER BY series, bucket"
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
    yield from asking.stream(statement, wanted)


def _check(request: Aggregate) -> None:
    if request.end < request.start:
        raise RequestError("the window ends before it begins", place="end")
    if request.step <= 0:
        raise RequestError("a step is a positive number of nanoseconds", place="step")
    if request.storage not in NUMERIC:
        raise RequestError(f"{request.storage} series have no aggregates", place="storage", hint="ask for raw or states")


def _level(request: Aggregate) -> str | None:
    """The coarsest roll-up that gives the exact answer."""
    if not set(request.functions) <= {*_FROM_ROLLUP, "count", "stddev"}:
        return None
    for name, width in (("hour", HOUR), ("minute", MINUTE)):
        if request.step % width == 0 and request.start % width == 0 and request.end % width == 0:
            return name
    return None


def _other(name: str, level: str | None) -> str:
    if name == "stddev":
        if level is None:
            return f"stddevSampStableIf({sql.NUMBER}, {sql.USABLE})"
        return "sqrt(varPopStableMerge(spread) * sum(usable) / (sum(usable) - 1))"
    if found := _PERCENTILE.match(name):
        return f"quantileExactInclusiveIf(0.{found[1]})({sql.NUMBER}, {sql.USABLE})"
    raise RequestError(
        f"'{name}' is not an aggregate",
        place="functions",
        hint="mean, min, max, count, sum, first, last, stddev, time_weighted_mean or a percentile p01 to p99",
    )
