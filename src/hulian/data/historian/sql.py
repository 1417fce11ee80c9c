"""Pieces of SQL that several queries share. Names of columns are those of `hulian.data.historian.schema`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hulian.data.historian.block import BAD

__all__ = [
    "NANOSECONDS",
    "NUMBER",
    "SECONDS",
    "USABLE",
    "floor",
    "highest",
    "instant",
    "listed",
    "lowest",
    "quote",
    "value_bits",
]

NANOSECONDS: Final = "toUnixTimestamp64Nano(time)"
SECONDS: Final = "toUnixTimestamp64Second(time)"
NUMBER: Final = "toFloat64(assumeNotNull(value))"
USABLE: Final = f"(value IS NOT NULL AND status < {BAD} AND NOT isNaN({NUMBER}))"
_SIGN: Final = 1 << 63
_FIRST: Final = -(1 << 63) + 1
_LAST: Final = (1 << 63) - 1


def instant(nanoseconds: int) -> str:
    """A time as the tables compare it; one beyond 64 bits is the last that there is."""
    nanoseconds = min(max(nanoseconds, _FIRST), _LAST)
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}), 'UTC')"


def listed(series: Iterable[int]) -> str:
    """A list of series ids in brackets, of plain digits whatever was asked."""
    return "(" + ", ".join(f"{int(one)}" for one in series) + ")"


def quote(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "") + "'"


def floor(expression: str, start: int, step: int) -> str:
    """Nanoseconds rounded down to the grid of ``step`` that begins at ``start``; right on both sides of 1970."""
    return f"({expression} - positiveModulo({expression} - {start}, {step}))"


def value_bits(key: str) -> str:
    """The double in the low half of a ``lead`` or ``tail`` key."""
    return f"reinterpretAsFloat64(toUInt64({key}))"


def lowest(key: str) -> str:
    """The double in the high half of a ``lowest`` key."""
    high = f"toUInt64(bitShiftRight({key}, 64))"
    return f"reinterpretAsFloat64(if(bitTest({high}, 63), bitXor({high}, {_SIGN}), bitNot({high})))"


def highest(key: str) -> str:
    """The double in the high half of a ``highest`` key."""
    return lowest(key)
