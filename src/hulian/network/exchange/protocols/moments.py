"""Times as devices write them, to UTC ns, and qualities as they write them, to status codes. No clock is read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, Literal

from hulian.kernel.quality import Quality

__all__ = ["LATEST", "QualityFormat", "TimeFormat", "parse_quality", "parse_time", "rfc3339"]

TimeFormat = Literal["auto", "iso", "s", "ms", "us", "ns"]
QualityFormat = Literal["auto", "opcda", "opcua", "text", "good_is_true"]

LATEST: Final = 2**63 - 1
_FACTORS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?\s*\Z",
    re.ASCII,
)
_NUMBER = re.compile(r"\s*-?\d{1,40}(?:\.\d{1,40})?\s*\Z", re.ASCII)
"""ASCII, and not endless: `int` refuses some of the characters that Unicode calls digits or spaces, and thousands of digits."""
_LONGEST_CODE: Final = 10
"""Digits of the largest status code."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(value: Any, form: str = "auto", zone: tzinfo = UTC) -> int | None:
    """UTC ns, or None where ``value`` is no time of this form between 1970 and 2262. A time without a zone is one of ``zone``.

    ``auto`` takes numbers by their size: seconds below 1e11, milliseconds below 1e14, microseconds below 1e17.

    >>> parse_time(1_700_000_000), parse_time("2023-11-14T22:13:20.5Z"), parse_time("tomorrow")
    (1700000000000000000, 1700000000500000000, None)
    """
    if isinstance(value, str):
        if form != "iso" and _NUMBER.match(value):
            return parse_time(float(value) if "." in value else int(value), form)
        return _iso(value, zone) if form in ("auto", "iso") else None
    if isinstance(value, bool) or not isinstance(value, int | float) or form == "iso":
        return None
    if form == "auto":
        size = abs(value)
        form = "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"
    factor = _FACTORS[form]
    if isinstance(value, float):
        if not -1e19 < value < 1e19:
            return None
        whole = int(value)
        found = whole * factor + round((value - whole) * factor)
    else:
        found = value * factor
    return found if 0 <= found <= LATEST else None


def _iso(text: str, default: tzinfo) -> int | None:
    found = _ISO.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, zone_hours, zone_minutes = found.groups()
    try:
        zone: tzinfo = UTC if utc else default
        if sign:
            shift = timedelta(hours=int(zone_hours), minutes=int(zone_minutes or 0))
            zone = timezone(-shift if sign == "-" else shift)
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone)
    except ValueError:
        return None
    delta = moment - _EPOCH
    nanoseconds = (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    return nanoseconds if 0 <= nanoseconds <= LATEST else None


def rfc3339(milliseconds: int) -> str:
    """Milliseconds since 1970 as text; a time beyond year 9999 as its number.

    >>> rfc3339(1_700_000_000_500)
    '2023-11-14T22:13:20.500Z'
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return str(milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_WORDS: Final = {
    "good": Quality.GOOD,
    "ok": Quality.GOOD,
    "valid": Quality.GOOD,
    "true": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN,
    "questionable": Quality.UNCERTAIN,
    "suspect": Quality.UNCERTAIN,
    "stale": Quality.UNCERTAIN_LAST_USABLE_VALUE,
    "bad": Quality.BAD,
    "invalid": Quality.BAD,
    "error": Quality.BAD,
    "false": Quality.BAD,
}


def parse_quality(value: Any, form: str = "auto") -> int:
    """A status code; what cannot be understood is uncertain, because a value whose quality is unknown is not good.

    ``opcda``: 192 to 255 good, 64 to 127 uncertain, below bad. ``opcua``: the code itself. ``auto``: words and truth values
    for what they say, numbers from 65536 on as OPC UA, 500 as stale (Sparkplug), smaller ones as OPC DA.

    >>> parse_quality(192), hex(parse_quality("bad")), hex(parse_quality(0x80050000))
    (0, '0x80000000', '0x80050000')
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return int(_WORDS[word])
        if not (word.isascii() and word.isdigit() and len(word) <= _LONGEST_CODE):
            return int(Quality.UNCERTAIN)
        value = int(word)
    if isinstance(value, bool):
        return int(Quality.GOOD if value else Quality.BAD)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not 0 <= value <= 0xFFFF_FFFF or form == "text":
        return int(Quality.UNCERTAIN)
    if form == "good_is_true":
        return int(Quality.GOOD if value else Quality.BAD)
    if form == "opcua" or (form == "auto" and value > 0xFFFF):
        return value if value & 0xC000_0000 != 0xC000_0000 else int(Quality.BAD)
    if value == 500 and form == "auto":
        return int(Quality.UNCERTAIN_LAST_USABLE_VALUE)
    return int({0xC0: Quality.GOOD, 0x40: Quality.UNCERTAIN}.get(value & 0xC0, Quality.BAD))
