"""What every call needs: times and spans as a question takes them, and answers as records or tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from hulian.sdk.errors import BrokenAnswerError
from hulian.sdk.flow import Reply, read
from hulian.sdk.history import History

T = TypeVar("T")

Moment = str | int | datetime
"""A time: RFC 3339, ``now-1h``, ns since 1970, or a `datetime` with a zone."""
Span = str | int | timedelta
"""A length of time: ``90s``, ``1h``, ns, or a `timedelta`."""

ARROW = "application/vnd.apache.arrow.stream"
SLOW = 90.0


class Items(msgspec.Struct, frozen=True):
    """A page: its items as they came, and where the next begins."""

    items: list[msgspec.Raw]
    next: str | int | None = None


def moment(value: Moment | None) -> str | int | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: write datetime(..., tzinfo=UTC)")
        return value.isoformat()
    return value


def span(value: Span | None) -> str | int | None:
    return round(value.total_seconds() * 1e6) * 1000 if isinstance(value, timedelta) else value


def window(last: Span | None, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """The fields of a question that say when."""
    length = span(last)
    return given(last=None if length is None else str(length), start=moment(start), end=moment(end))


def listed(points: str | Iterable[str]) -> list[str]:
    return [points] if isinstance(points, str) else list(points)


def given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def items(reply: Reply, kind: type[T]) -> list[T]:
    return [msgspec.json.decode(item, type=kind) for item in read(reply, Items).items]


def table(reply: Reply) -> History:
    import pyarrow as pa  # half a second, which only a call that returns a table should take

    try:
        return History(pa.ipc.open_stream(reply.body).read_all())
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenAnswerError(f"the table broke off: {error}") from error
