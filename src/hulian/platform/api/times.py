"""Times and spans as people and programs write them, to UTC nanoseconds and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from hulian.platform.api.errors import TimeError

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "format_time", "parse_span", "parse_time"]

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d|w)")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?\Z"
)
_LIMIT: Final = 2**63 - 1


def parse_time(text: str | int, *, now: int = 0, place: str = "") -> int:
    """UTC ns of an RFC 3339 time (nine digits of the second are kept), of integer nanoseconds, or of ``now`` and ``now-1h``.

    A time without an offset is UTC. Raises `TimeError`.

    >>> parse_time("2026-03-01T08:00:00.000000001+08:00")
    1772323200000000001
    >>> parse_time("now-1m", now=1772323200000000000)
    1772323140000000000
    """
    if isinstance(text, int):
        return _bounded(text, str(text), place)
    stripped = text.strip()
    if re.fullmatch(r"-?\d{1,20}", stripped):
        return _bounded(int(stripped), text, place)
    if stripped.startswith("now"):
        rest = stripped[3:]
        if not rest:
            return now
        if rest[0] in "+-":
            span = parse_span(rest[1:], place=place)
            return _bounded(now + span if rest[0] == "+" else now - span, text, place)
    found = _TIME.match(stripped)
    if not found:
        raise TimeError(f"{text[:80]!r} is not a time", place=place)
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError as error:
        raise TimeError(f"{text!r} is not a time: {error}", place=place) from error
    total = int(moment.timestamp()) * SECOND + int((fraction or "0").ljust(9, "0"))
    if sign:
        offset = int(offset_hours) * HOUR + int(offset_minutes) * MINUTE
        total += -offset if sign == "+" else offset
    return _bounded(total, text, place)


def parse_span(text: str | int, *, place: str = "") -> int:
    """Nanoseconds of ``90s``, ``1h30m``, ``250ms``; a bare integer is nanoseconds. More than zero. Raises `TimeError`.

    >>> parse_span("1h30m") // SECOND
    5400
    """
    if isinstance(text, int) or re.fullmatch(r"\d{1,19}", text.strip()):
        total = int(text)
    else:
        stripped, total, position = text.strip(), 0, 0
        for part in _SPAN.finditer(stripped):
            if part.start() != position:
                break
            whole, _, fraction = part[1].partition(".")
            unit = _UNITS[part[2]]
            total += int(whole) * unit + int(fraction or "0") * unit // 10 ** len(fraction)
            position = part.end()
        if position != len(stripped) or not stripped:
            raise TimeError(f"{text[:80]!r} is not a span of time", place=place)
    if total <= 0:
        raise TimeError(f"a span of {text!r} has no length", place=place)
    return _bounded(total, str(text), place)


def _bounded(value: int, text: str, place: str) -> int:
    if not -_LIMIT <= value <= _LIMIT:
        raise TimeError(f"{text[:80]!r} is outside the years 1678 to 2262", place=place)
    return value


def format_time(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with as many digits of the second as there are.

    >>> format_time(1772323200000000001)
    '2026-03-01T00:00:00.000000001Z'
    """
    seconds, fraction = divmod(nanoseconds, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"
