"""How far a table is read: the newest value of its growing column, and which rows near it are known. No I/O."""

from __future__ import annotations

import datetime
import decimal
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hulian.network.exchange.protocols.moments import parse_time

__all__ = ["Progress", "Step", "back", "pack", "unpack"]

_EPOCHS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def pack(value: Any) -> Any:
    """A value of a database in types that msgpack has; `unpack` is the inverse.

    >>> unpack(pack(decimal.Decimal("1.5"))), unpack(pack(datetime.datetime(2024, 1, 2, 3)))
    (Decimal('1.5'), datetime.datetime(2024, 1, 2, 3, 0))
    """
    match value:
        case datetime.datetime():
            return ["datetime", value.isoformat()]
        case datetime.date():
            return ["date", value.isoformat()]
        case decimal.Decimal():
            return ["decimal", str(value)]
        case bool() | int() | float() | str() | bytes() | None:
            return ["plain", value]
        case _:
            return ["plain", str(value)]


def unpack(packed: Any) -> Any:
    """The inverse of `pack`."""
    kind, value = packed
    match kind:
        case "datetime":
            return datetime.datetime.fromisoformat(value)
        case "date":
            return datetime.date.fromisoformat(value)
        case "decimal":
            return decimal.Decimal(value)
        case _:
            return value


def back(value: Any, overlap: float, *, time_format: str | None) -> Any:
    """``overlap`` before ``value``: seconds of a time, numbers of a key (``time_format`` None). What cannot be counted stays.

    >>> back("2024-01-01T00:00:10.500Z", 4, time_format="auto"), back(1700000000000, 2, time_format="auto")
    ('2024-01-01T00:00:06.500Z', 1699999998000)
    >>> back(7, 5, time_format=None)
    2
    """
    if not overlap or value is None:
        return value
    if isinstance(value, datetime.datetime):
        return value - datetime.timedelta(seconds=overlap)
    if isinstance(value, datetime.date):
        return value - datetime.timedelta(days=-(-overlap // 86_400))
    if isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        step = overlap * (1 if time_format is None else _EPOCHS[_unit(float(value), time_format)])
        if isinstance(value, int):
            return value - int(step)
        return value - step if isinstance(value, float) else value - decimal.Decimal(step)
    if isinstance(value, str) and time_format is not None:
        return _earlier(value, overlap)
    return value


def _unit(value: float, time_format: str) -> str:
    if time_format in _EPOCHS:
        return time_format
    size = abs(value)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def _earlier(text: str, overlap: float) -> str:
    """A text of an earlier time in the same form: databases compare texts by their characters."""
    if parse_time(text, "iso") is None:
        return text
    zone = "Z" if text.endswith(("Z", "z")) else ""
    try:
        moment = datetime.datetime.fromisoformat(text) - datetime.timedelta(seconds=overlap)
    except (ValueError, OverflowError):
        return text
    digits = len(text.partition(".")[2].rstrip("Zz").partition("+")[0]) if "." in text else 0
    found = moment.isoformat(sep=text[10:11] or "T", timespec="microseconds" if digits else "seconds")
    head, dot, rest = found.partition(".")
    if dot:
        found = head + "." + rest[:6].ljust(digits, "0")[:digits] + rest[6:]
    return found.replace("+00:00", "Z") if zone else found


class Step(msgspec.Struct):
    """What a page brought: the new rows, and what is to be kept of it."""

    rows: list[Sequence[Any]]
    changes: dict[str, bytes | None]


class _Kept(msgspec.Struct, array_like=True):
    """The known rows of one step: their value in the growing column, and a digest of each."""

    high: Any
    digests: list[bytes]


class Progress:
    """One table. ``high`` is the largest value that was read; rows from ``low`` on are known by their digests."""

    def __init__(self, table: str, *, overlap: float, time_format: str | None, most: int) -> None:
        self.high: Any = None
        self._prefix = f"{table}:"
        self._overlap = overlap
        self._format = time_format
        self._most = most
        self._steps: dict[str, _Kept] = {}
        self._next = 0

    @property
    def low(self) -> Any:
        """From where the next look reads."""
        return back(self.high, self._overlap, time_format=self._format)

    @property
    def known(self) -> int:
        """Rows near the newest that are known."""
        return sum(len(kept.digests) for kept in self._steps.values())

    def load(self, stored: Mapping[str, bytes]) -> None:
        """What an earlier life kept."""
        self._steps = {name: msgspec.msgpack.decode(value, type=_Kept) for name, value in stored.items()}
        highs = [unpack(kept.high) for kept in self._steps.values()]
        self.high = max(highs) if highs else None
        self._next = 1 + max((int(name.rpartition(":")[2]) for name in self._steps), default=-1)

    def begin_at(self, high: Any) -> dict[str, bytes | None]:
        """Everything up to ``high`` counts as read."""
        return self._add(high, [])

    def step(self, rows: Sequence[Sequence[Any]], place: int) -> Step:
        """Of a page in the order of the growing column (at ``place``) the rows that are new. Rows that are alike are told
        apart by how many there are. Raises `OverflowError` where more are known than may be."""
        known: Counter[bytes] = Counter(digest for kept in self._steps.values() for digest in kept.digests)
        new: list[Sequence[Any]] = []
        digests: list[bytes] = []
        for row in rows:
            digest = hashlib.blake2b(repr(row).encode("utf-8", "replace"), digest_size=12).digest()
            if known[digest]:
                known[digest] -= 1
            else:
                new.append(row)
                digests.append(digest)
        if not new:
            return Step([], {})
        top = max(row[place] for row in new)
        high = top if self.high is None else max(top, self.high)
        low = back(high, self._overlap, time_format=self._format)
        near = [digest for row, digest in zip(new, digests, strict=True) if row[place] >= low]
        changes: dict[str, bytes | None] = {}
        for name in [name for name, kept in self._steps.items() if unpack(kept.high) < low]:
            del self._steps[name]
            changes[name] = None
        if self.known + len(near) > self._most:
            raise OverflowError(f"more than {self._most} rows within the overlap")
        return Step(new, changes | self._add(high, near))

    def _add(self, high: Any, digests: list[bytes]) -> dict[str, bytes | None]:
        self.high = high
        name = f"{self._prefix}{self._next}"
        self._next += 1
        kept = self._steps[name] = _Kept(pack(high), digests)
        return {name: msgspec.msgpack.encode(kept)}
