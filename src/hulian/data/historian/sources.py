"""What the aggregates of a window are computed from: raw samples or roll-ups, each instant once.

Where no instant repeats this is the bare table. Elsewhere the hours that `hulian.data.historian.overlaps` names are taken
from the raw samples, or, once settled, from their last revision.
"""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hulian.data.historian import schema, sql
from hulian.data.historian.asking import Asking
from hulian.data.historian.block import BAD, HOUR, MINUTE, UNCERTAIN
from hulian.data.historian.overlaps import Overlap, Pair
from hulian.kernel.storage import StorageClass

__all__ = ["WIDTHS", "numbers", "raw_source", "rollup_source"]

WIDTHS: Final = {"minute": MINUTE, "hour": HOUR}

_HOUR_OF_RAW: Final = f"intDiv({sql.floor(sql.NANOSECONDS, 0, HOUR)}, {HOUR})"
_HOUR_OF_ROLLUP: Final = f"intDiv({sql.floor(sql.SECONDS, 0, 3600)}, 3600)"
_COLUMNS: Final = "series, at, samples, good, usable, total, lead, tail, lowest, highest"


def raw_source(asking: Asking, storage: StorageClass, names: Sequence[int], start: int, end: int) -> str:
    """A table expression of the valid samples of ``names`` in ``[start, end)``: series, time, value, status."""
    where = _where(names, start, end)
    table = f"{asking.database}.{schema.raw(storage)}"
    if not asking.overlaps.within(names, start // HOUR, (end - 1) // HOUR):
        return f"(SELECT series, time, value, status FROM {table} WHERE {where})"
    return (
        "(SELECT series, time, tupleElement(best, 1) AS value, tupleElement(best, 2) AS status FROM"
        f" (SELECT series, time, argMax(tuple(value, status), version) AS best FROM {table} WHERE {where}"
        " GROUP BY series, time))"
    )


def rollup_source(asking: Asking, storage: StorageClass, level: str, names: Sequence[int], start: int, end: int) -> str:
    """A table expression of the roll-up rows of ``[start, end)``, not yet merged: series, at (ns), samples … spread.

    ``start`` stands on the grid of ``level``. What lies behind the last whole bucket is taken from the raw samples.
    """
    width = WIDTHS[level]
    whole = end - end % width
    columns = _COLUMNS + (", spread" if level == "hour" else "")
    where = _where(names, start, whole)
    overlaps = asking.overlaps.within(names, start // HOUR, (whole - 1) // HOUR)
    pending = [pair for pair, overlap in overlaps.items() if not overlap.settled]
    settled = {pair: overlap for pair, overlap in overlaps.items() if overlap.settled}
    if pending:
        where += f" AND NOT (series, {_HOUR_OF_ROLLUP}) IN ({_pairs(pending)})"
    if settled:
        where += (
            f" AND if((series, {_HOUR_OF_ROLLUP}) IN ({_pairs(settled)}),"
            f" (series, {_HOUR_OF_ROLLUP}, revision) IN ({_revisions(settled)}), 1)"
        )
    parts = [
        f"SELECT {columns.replace(' at,', f' {sql.SECONDS} * 1000000000 AS at,')} FROM {asking.database}.{level} WHERE {where}"
    ]
    if pending:
        hours = sorted({hour for _, hour in pending})
        series = sorted({name for name, _ in pending})
        lowest, highest = max(start, hours[0] * HOUR), min(whole, (hours[-1] + 1) * HOUR)
        chosen = raw_source(asking, storage, series, lowest, highest)
        parts.append(_partials(f"{chosen} WHERE (series, {_HOUR_OF_RAW}) IN ({_pairs(pending)})", level))
    if whole < end:
        parts.append(_partials(raw_source(asking, storage, names, max(start, whole), end), level))
    return "(" + " UNION ALL ".join(parts) + ")"


def _partials(source: str, level: str) -> str:
    """Roll-up rows made from the samples of ``source``."""
    width = WIDTHS[level]
    largest = f"toUInt128('{(1 << 128) - 1}')"
    spread = ", arrayReduce('varPopStableState', groupArrayIf(number, usable_)) AS spread" if level == "hour" else ""
    single = (
        f"SELECT series, {sql.floor('at_', 0, width)} AS at, positiveModulo(at_, {width}) AS offset, number, usable_, good_,"
        f" reinterpretAsUInt64(number) AS bits FROM {numbers(source)}"
    )
    keys = (
        "SELECT series, at, number, usable_, good_, toUInt64(offset) AS low, toUInt128(low) AS wide, toUInt128(bits) AS plain,"
        f" toUInt128(if(bitTest(bits, 63), bitNot(bits), bitOr(bits, {1 << 63}))) AS ordered FROM ({single})"
    )
    return (
        "SELECT series, at, count() AS samples, countIf(good_) AS good, countIf(usable_) AS usable,"
        " sumIf(number, usable_) AS total,"
        f" min(if(usable_, bitOr(bitShiftLeft(wide, 64), plain), {largest})) AS lead,"
        " max(if(usable_, bitOr(bitShiftLeft(wide, 64), plain), toUInt128(0))) AS tail,"
        f" min(if(usable_, bitOr(bitShiftLeft(ordered, 64), wide), {largest})) AS lowest,"
        " max(if(usable_, bitOr(bitShiftLeft(ordered, 64), toUInt128(bitNot(low))), toUInt128(0))) AS highest"
        f"{spread} FROM ({keys}) GROUP BY series, at"
    )


def numbers(source: str) -> str:
    """A table expression of the samples of ``source`` as numbers: series, at_ (ns), number, usable_, good_."""
    return (
        f"(SELECT series, at_, number, some AND status < {BAD} AS usable_, some AND status < {UNCERTAIN} AS good_ FROM"
        f" (SELECT series, {sql.NANOSECONDS} AS at_, toFloat64(assumeNotNull(value)) AS number, status,"
        f" value IS NOT NULL AND NOT isNaN(number) AS some FROM {source}))"
    )


def _where(names: Iterable[int], start: int, end: int) -> str:
    return f"series IN {sql.listed(names)} AND time >= {sql.instant(start)} AND time < {sql.instant(end)}"


def _pairs(pairs: Iterable[Pair]) -> str:
    return ", ".join(f"({series}, {hour})" for series, hour in pairs)


def _revisions(settled: dict[Pair, Overlap]) -> str:
    return ", ".join(f"({series}, {hour}, {overlap.revision})" for (series, hour), overlap in settled.items())
