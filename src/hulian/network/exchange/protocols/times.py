"""Whole columns of times and qualities, as files, tables and programs write them, to UTC ns and status codes.

What `hulian.network.exchange.protocols.moments` does for one value, for an Arrow column at once. No clock is read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hulian.network.exchange.protocols.moments import LATEST, parse_quality, parse_time

__all__ = ["check_format", "qualities_of", "times_of", "zone_of"]

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FACTORS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_WORDS: Final = frozenset(("auto", "iso", *_FACTORS))
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)\Z", re.ASCII)
_ZONED = re.compile(r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)\s*\Z", re.ASCII)
_NUMBER = re.compile(r"\s*-?\d{1,40}(?:\.\d{1,40})?\s*\Z", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = 2_114_380_800 * 10**9  # the year 2037, where the tables of time zones end
_NANOSECONDS: Final = pa.timestamp("ns")


def check_format(form: str) -> None:
    """Raises `ValueError` unless ``form`` is a word (auto, iso, s, ms, us, ns) or a pattern of ``strptime``.

    >>> check_format("%d.%m.%Y %H:%M:%S"); check_format("ms")
    """
    if form in _WORDS:
        return
    if "%" not in form:
        raise ValueError(f"{form!r} is no form of a time: auto, iso, s, ms, us, ns, or a pattern such as %d.%m.%Y %H:%M:%S")
    datetime(2020, 1, 2, tzinfo=UTC).strftime(form)


def zone_of(name: str) -> tzinfo:
    """``UTC``, ``Europe/Berlin`` or ``+08:00``; raises `ValueError`."""
    found = _OFFSET.match(name)
    if found:
        sign, hours, minutes = found.groups()
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        if shift >= timedelta(days=1):
            raise ValueError(f"{name!r} is more than a day from UTC")
        return datetime.strptime(f"{sign}{hours}{minutes}", "%z").tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def times_of(column: pa.Array, form: str = "auto", zone: str = "UTC") -> tuple[Times, Mask]:
    """Times in UTC ns, and which of them are times at all (between 1970 and 2262).

    A time that names no zone is one of ``zone``: the earlier of two where the clock was put back, and one close behind the
    gap where it was put forward. Numbers are taken by their size with ``auto`` and ``iso``.

    >>> times_of(pa.array(["2024-01-01T08:00:00", "soon", None]), zone="+08:00")[0].tolist()
    [1704067200000000000, 0, 0]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _of_timestamps(column, zone)
    if pa.types.is_date(kind):
        return _of_timestamps(column.cast(pa.timestamp("s")), zone)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _of_numbers(column, form)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_texts(column, form, zone)
    return np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)


def _checked(column: pa.Array) -> tuple[Times, Mask]:
    """Of timestamps in UTC ns."""
    numbers = column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column
    valid = np.asarray(numbers.is_valid()) if numbers.null_count else np.ones(len(numbers), np.bool_)
    found = np.asarray(numbers.fill_null(0), np.int64)
    valid &= found >= 0
    if not valid.all():
        found = np.where(valid, found, 0)
    return found, valid


def _of_timestamps(column: pa.Array, zone: str) -> tuple[Times, Mask]:
    factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.type.unit]
    if factor > 1:
        # Beyond what 64 bits of ns hold there is no time of ours.
        numbers = column.view(pa.int64())
        most = LATEST // factor
        fits = pc.and_(pc.greater_equal(numbers, -most), pc.less_equal(numbers, most))
        if not pc.all(fits, min_count=0).as_py():
            column = pc.if_else(fits, column, pa.scalar(None, column.type))
    zoned = column.type.tz
    column = column.cast(pa.timestamp("ns", zoned))
    if zoned is None and zone != "UTC":
        if pc.any(pc.greater(column.view(pa.int64()), _FAR), min_count=0).as_py():
            return _local(column.view(pa.int64()), zone_of(zone))
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    return _checked(column)


def _local(column: pa.Array, zone: tzinfo) -> tuple[Times, Mask]:
    """Local times beyond the tables of zones, whose rules Arrow does not continue."""
    found = np.zeros(len(column), np.int64)
    valid = np.zeros(len(column), np.bool_)
    for row, local in enumerate(column.to_pylist()):
        if local is not None:
            seconds, rest = divmod(local, 10**9)
            moment = _nanoseconds((_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=zone), rest)
            found[row], valid[row] = moment or 0, moment is not None
    return found, valid


def _of_numbers(column: pa.Array, form: str) -> tuple[Times, Mask]:
    valid = np.asarray(column.is_valid()) if column.null_count else np.ones(len(column), np.bool_)
    if pa.types.is_integer(column.type):
        if column.type == pa.uint64():
            fits = pc.less_equal(column, pa.scalar(LATEST, pa.uint64()))
            valid &= np.asarray(fits.fill_null(False))
            column = pc.if_else(fits, column, pa.scalar(0, pa.uint64()))
        whole = np.asarray(column.fill_null(0).cast(pa.int64()), np.int64)
        rest = None
        size = np.abs(whole)
    else:
        numbers = np.nan_to_num(np.asarray(column.fill_null(0).cast(pa.float64())), nan=-1.0, posinf=-1.0, neginf=-1.0)
        valid &= (numbers >= 0) & (numbers < 2.0**63)
        numbers = np.where(valid, numbers, 0.0)
        whole = numbers.astype(np.int64)
        rest = numbers - whole
        size = whole
    if form in _FACTORS:
        factor: Any = np.int64(_FACTORS[form])
    else:
        factor = np.select([size < 10**11, size < 10**14, size < 10**17], [10**9, 10**6, 10**3], 1).astype(np.int64)
    valid &= (whole >= 0) & (whole <= LATEST // factor)
    whole = np.where(valid, whole, 0)
    found = whole * factor
    if rest is not None:
        found = found + np.rint(np.where(valid, rest, 0.0) * factor).astype(np.int64)
        valid &= found >= 0
    return np.where(valid, found, 0), valid


def _of_texts(column: pa.Array, form: str, zone: str) -> tuple[Times, Mask]:
    first = next((value.as_py() for value in column if value.is_valid and value.as_py().strip()), None)
    if first is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)
    try:
        if "%" in form:
            found = _of_pattern(column, form, zone)
            if found is not None:
                return found
        elif form in _FACTORS or (form == "auto" and _NUMBER.match(first)):
            return _of_numbers(column.cast(pa.int64() if "." not in first else pa.float64()), form)
        else:
            zoned = _ZONED.search(first[10:]) is not None
            return _of_timestamps(column.cast(pa.timestamp("ns", "UTC") if zoned else _NANOSECONDS), zone)
    except pa.ArrowInvalid:
        pass  # one of them is not like the first: each by itself
    return _one_by_one(column, form, zone)


def _of_pattern(column: pa.Array, form: str, zone: str) -> tuple[Times, Mask] | None:
    """The quick way of Arrow's strptime, which knows no fractions and no zones; None where the pattern asks for them."""
    fraction = None
    whole = form
    if form.endswith(("%S.%f", "%S,%f")):
        parts = pc.split_pattern(column, form[-3], max_splits=1, reverse=True)
        if not pc.all(pc.equal(pc.list_value_length(parts), 2), min_count=0).as_py():
            return None
        whole = form[:-3]
        digits = pc.utf8_rpad(pc.list_element(parts, 1), 9, "0")
        fraction = np.asarray(digits.cast(pa.int64()).fill_null(0))
        column = pc.list_element(parts, 0)
    if any(mark in whole for mark in ("%f", "%z", "%Z", "%p", "%-")):
        return None
    times, valid = _of_timestamps(pc.strptime(column, format=whole, unit="s", error_is_null=True), zone)
    return (times, valid) if fraction is None else (np.where(valid, times + fraction, 0), valid)


def _one_by_one(column: pa.Array, form: str, zone: str) -> tuple[Times, Mask]:
    place = zone_of(zone)
    found = np.zeros(len(column), np.int64)
    valid = np.zeros(len(column), np.bool_)
    for row, text in enumerate(column.to_pylist()):
        if text is not None and (moment := _one(text.strip(), form, place)) is not None:
            found[row], valid[row] = moment, True
    return found, valid


def _one(text: str, form: str, zone: tzinfo) -> int | None:
    if "%" not in form:
        if not _NUMBER.match(text) and form in ("auto", "iso") and not _ZONED.search(text[10:]):
            moment = parse_time(text, form)
            if moment is None:
                return None
            local = (_EPOCH + timedelta(seconds=moment // 10**9)).replace(tzinfo=zone)
            return _nanoseconds(local, moment % 10**9)
        return parse_time(text, form)
    try:
        moment_ = datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes next
    except ValueError:
        return None
    local = moment_ if moment_.tzinfo is not None else moment_.replace(tzinfo=zone)
    return _nanoseconds(local.replace(microsecond=0), local.microsecond * 1000)


def _nanoseconds(local: datetime, rest: int) -> int | None:
    try:
        delta = local - _EPOCH
    except OverflowError:
        return None
    found = (delta.days * 86_400 + delta.seconds) * 10**9 + rest
    return found if 0 <= found <= LATEST else None


def qualities_of(column: pa.Array, form: str = "auto") -> npt.NDArray[np.uint32]:
    """Status codes of a column of qualities, each different one read once; a quality that is missing is good.

    >>> [hex(code) for code in qualities_of(pa.array([192, 64, 0, None]))]
    ['0x0', '0x40000000', '0x80000000', '0x0']
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    table = [0 if value is None else parse_quality(value, form) for value in coded.dictionary.to_pylist()]
    codes = np.asarray(coded.indices.fill_null(len(table)).cast(pa.int64()))
    found: npt.NDArray[np.uint32] = np.array([*table, 0], np.uint32)[codes]
    return found
