"""The rows of our tables as Native blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.data.historian import schema
from hulian.data.historian.block import NUMERIC, Partials, SortedBlock
from hulian.data.historian.native import NativeBlock, NativeColumn, fixed, nullable, strings
from hulian.kernel.event import Event
from hulian.kernel.storage import StorageClass

__all__ = ["event_fields", "event_rows", "rollup_rows", "sample_rows"]

_TIME: Final = "DateTime64(9, 'UTC')"


def sample_rows(block: SortedBlock, version: int, *, newest: bool = False) -> NativeBlock:
    """All samples of ``block``, or only the newest of each series."""
    series, when, value, status = block.series, block.time, block.value, block.status
    if newest:
        rows = block.newest
        series, when, value, status = series[rows], when[rows], value.take(pa.array(rows)), status[rows]
    count = len(series)
    return NativeBlock(
        [
            fixed("series", "UInt64", series),
            fixed("time", _TIME, when),
            _value(value, block.storage),
            fixed("status", "UInt32", status),
            fixed("version", "UInt64", np.full(count, version, np.uint64)),
        ],
        count,
    )


def _value(value: pa.Array, storage: StorageClass) -> NativeColumn:
    if storage not in NUMERIC:
        return strings("value", value, with_nulls=True)
    missing = value.is_null().to_numpy(zero_copy_only=False) if value.null_count else None
    filled = value if missing is None else value.fill_null(False if storage is StorageClass.BOOLEAN else 0)
    return nullable("value", schema.VALUE_KINDS[storage], filled.to_numpy(zero_copy_only=False), missing)


def rollup_rows(rows: Partials, revision: int, *, spread: bool) -> NativeBlock:
    """Roll-up rows; ``spread`` belongs to the hours only."""
    count = len(rows.series)
    columns = [
        fixed("series", "UInt64", rows.series),
        fixed("time", "DateTime64(0, 'UTC')", rows.time // 1_000_000_000),
        fixed("revision", "UInt64", np.full(count, revision, np.uint64)),
        fixed("samples", "UInt64", rows.samples),
        fixed("good", "UInt64", rows.good),
        fixed("usable", "UInt64", rows.usable),
        fixed("total", "Float64", rows.total),
        fixed("lead", "UInt128", rows.lead),
        fixed("tail", "UInt128", rows.tail),
        fixed("lowest", "UInt128", rows.lowest),
        fixed("highest", "UInt128", rows.highest),
    ]
    if spread:
        columns.append(NativeColumn("spread", schema.SPREAD_KIND, (_spread(rows),)))
    return NativeBlock(columns, count)


def _spread(rows: Partials) -> bytes:
    """The states of varPopStable: a varint count, the mean, the sum of squared deviations."""
    widths = np.ones(len(rows.series), np.int64)
    for power in range(7, 63, 7):
        widths += rows.usable >= 1 << power
    starts = np.concatenate(([0], np.cumsum(widths + 16)[:-1]))
    out = np.empty(int((widths + 16).sum()), np.uint8)
    for place in range(int(widths.max(initial=0))):
        chosen = widths > place
        more = (widths[chosen] > place + 1).astype(np.uint8) << 7
        out[starts[chosen] + place] = ((rows.usable[chosen] >> np.uint64(7 * place)) & np.uint64(0x7F)).astype(np.uint8) | more
    floats: npt.NDArray[Any] = np.stack((rows.mean, rows.squares), axis=1).view(np.uint8).reshape(-1, 16)
    out[(starts + widths)[:, None] + np.arange(16)] = floats
    return out.tobytes()


def event_fields(event: Event) -> tuple[object, ...]:
    """One event, in the order of the columns of its table."""
    details = json.dumps(event.details, ensure_ascii=False, default=str)
    said = (event.code, event.severity.value, event.component, event.subject, event.message, event.hint)
    return (event.time, *said, event.active, details)


def event_rows(events: Sequence[Event]) -> NativeBlock:
    """Events as they are kept."""
    times, codes, severities, components, subjects, messages, hints, active, details = zip(
        *(event_fields(event) for event in events), strict=True
    )
    return NativeBlock(
        [
            fixed("time", _TIME, np.array(times, np.int64)),
            strings("code", codes),
            strings("severity", severities),
            strings("component", components),
            strings("subject", subjects),
            strings("message", messages),
            strings("hint", hints),
            nullable("active", "Bool", np.array([bool(one) for one in active]), np.array([one is None for one in active])),
            strings("details", details),
        ],
        len(events),
    )
