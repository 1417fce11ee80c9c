"""Times of records: RFC 3339 to UTC nanoseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["moment"]

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = 1678, 2261


def moment(text: str) -> int | None:
    """UTC nanoseconds of an RFC 3339 time between the years 1678 and 2261, what 64 bits hold; None for anything else.

    >>> moment("2026-03-01T08:00:00.5+08:00"), moment("1970-01-01T00:00:00Z"), moment("2026-02-30T00:00:00Z"), moment("today")
    (1772323200500000000, 0, None, None)
    """
    found = _TIME.fullmatch(text)
    if found is None or not _FIRST <= int(text[:4]) <= _LAST:
        return None
    try:
        at = datetime.fromisoformat(found[1].upper() + found[3].upper()) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (at.days * 86_400 + at.seconds) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))
