"""Values from one unit to another.

A conversion is y = factor·x + offset with exact rational coefficients. A single number is converted exactly and rounded once.
Arrays are converted in pairs of doubles (Dekker's product, Knuth's sum), so that the error of a result is that one rounding,
too, wherever neither overflow nor underflow is near.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec

from hulian.network.exchange.semantics.errors import DimensionError
from hulian.network.exchange.semantics.units.errors import NoFactorError, ReferencePointError
from hulian.network.exchange.semantics.units.finding import find
from hulian.network.exchange.semantics.units.unit import Unit

__all__ = ["Conversion", "conversion", "convert"]

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SPLIT: Final = 134217729.0  # 2**27 + 1: cuts a double into halves whose products are exact
_UNSPECIFIED: Final = {frozenset(("", "gauge")), frozenset(("", "absolute"))}


class Conversion(msgspec.Struct, frozen=True):
    """y = ``factor``·x + ``offset``."""

    factor: Fraction
    offset: Fraction

    def one(self, value: float) -> float:
        """One value, rounded once; what is not finite stays as it is, what is too large becomes infinite."""
        if not math.isfinite(value):
            return math.nan if math.isnan(value) else math.copysign(value, value * float(self.factor))
        exact = Fraction(value) * self.factor + self.offset
        try:
            return float(exact)
        except OverflowError:
            return math.inf if exact > 0 else -math.inf

    def many(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """An array of any shape, as doubles. Nothing is changed in place."""
        import numpy as np  # not before somebody has arrays: looking up a unit needs none

        x = np.asarray(values, dtype=np.float64)
        if self.factor == 1 and self.offset == 0:
            return x.copy()
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            total, rest = self._affine(x) if self.offset else _times(x, *_pair(self.factor))
            return np.where(np.isfinite(rest), total + rest, np.where(np.isfinite(total), total, x * float(self.factor)))

    def _affine(self, x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(x·p + c) / q in pairs: 5/9·x - 160/9 as (5·x - 160) / 9, so that 32 °F are 0 °C and not nearly so."""
        below = self.factor.denominator * self.offset.denominator // math.gcd(self.factor.denominator, self.offset.denominator)
        product, rest = _times(x, *_pair(self.factor * below))
        plus, plus_low = _pair(self.offset * below)
        total = product + plus
        part = total - product
        rest = rest + (product - (total - part)) + (plus - part) + plus_low
        quotient = (total + rest) / below
        back, back_rest = _times(quotient, *_pair(Fraction(below)))
        return quotient, (((total - back) + rest) - back_rest) / below


def _pair(exact: Fraction) -> tuple[float, float]:
    high = float(exact)
    return high, float(exact - Fraction(high))


def _times(x: npt.NDArray[np.float64], y: float, y_rest: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """x·y, rounded, and what the rounding left out together with x·``y_rest``."""
    product = x * y
    cut = _SPLIT * x
    x_high = cut - (cut - x)
    x_low = x - x_high
    cut_y = _SPLIT * y
    y_high = cut_y - (cut_y - y)
    y_low = y - y_high
    rest = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    return product, rest + x * y_rest


@functools.lru_cache(1024)
def conversion(source: str | Unit, target: str | Unit, *, difference: bool = False) -> Conversion:
    """From ``source`` to ``target``; ``difference`` converts differences of values: without the zeros of °C and °F.

    Raises `UnitError` and `AmbiguousUnitError` for spellings, `DimensionError` where the dimensions differ, `NoFactorError`
    for what no factor leads from, `ReferencePointError` between gauge and absolute, normal and actual.
    """
    a = find(source) if isinstance(source, str) else source
    b = find(target) if isinstance(target, str) else target
    place = f"{a.title} to {b.title}"
    if a.id == b.id and a.reference == b.reference and a.difference == b.difference:
        return Conversion(Fraction(1), Fraction(0))
    for unit in (a, b):
        if unit.dimension is None or (unit.factor is None and a.dimension == b.dimension):
            raise NoFactorError(f"no factor leads from or to {unit.title} ({unit.name or unit.unece[0]})", place=place)
    if a.dimension != b.dimension:
        raise DimensionError(
            f"{a.title} measures {_shown(a)}, {b.title} measures {_shown(b)}",
            place=place,
            hint="look whether the right point is asked for, or whether its unit is wrong in the catalogue",
        )
    _same_reference(a, b, place)
    factor = (a.factor or Fraction(1)) / (b.factor or Fraction(1))  # both are there: seen above
    if difference or (a.difference and b.difference):
        return Conversion(factor, Fraction(0))
    if a.difference != b.difference and (a.offset or b.offset):
        raise ReferencePointError("a difference is no value", place=place, hint="convert differences to differences")
    return Conversion(factor, a.offset * factor - b.offset)


def _same_reference(a: Unit, b: Unit, place: str) -> None:
    """A pressure that does not say from where it counts is taken as either; volumes of gas are not."""
    if a.reference == b.reference or frozenset((a.reference, b.reference)) in _UNSPECIFIED:
        return
    pressure = {"gauge", "absolute"} & {a.reference, b.reference}
    raise ReferencePointError(
        f"{a.title} is {a.reference or 'actual'}, {b.title} is {b.reference or 'actual'}",
        place=place,
        hint="add the ambient pressure first" if pressure else "both need the same temperature and pressure first",
    )


@overload
def convert(values: float, source: str | Unit, target: str | Unit, *, difference: bool = ...) -> float: ...
@overload
def convert(
    values: npt.NDArray[Any], source: str | Unit, target: str | Unit, *, difference: bool = ...
) -> npt.NDArray[Any]: ...
def convert(values: Any, source: str | Unit, target: str | Unit, *, difference: bool = False) -> Any:
    """One value or an array of them, from ``source`` to ``target``; errors as of `conversion`.

    >>> convert(212.0, "°F", "°C")
    100.0
    """
    way = conversion(source, target, difference=difference)
    return way.one(values) if isinstance(values, (int, float)) else way.many(values)


def _shown(unit: Unit) -> str:
    return f"dimension {unit.dimension}" if unit.dimension else "a plain number"
