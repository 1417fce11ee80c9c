"""What a point's document may ask of the edge: the filters of one point, checked with the place of each mistake.

They stand under ``filters`` in the point's options and always run in the order in which `Filters` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import convert
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.errors import ProcessingError
from hulian.platform.edge.processing.units import Linear, conversion

__all__ = [
    "DESCRIBED",
    "FILTERS",
    "Clamp",
    "Deadband",
    "Described",
    "Filters",
    "Keep",
    "Rate",
    "Report",
    "Scale",
    "Stale",
    "Units",
    "filters_of",
    "plain",
]

FILTERS: Final = "filters"
"""The key in a point's options."""
DESCRIBED: Final = "described"
"""The key under which assembly adds what the catalogue knows of the point; no person writes it."""

Seconds = Annotated[float, Meta(gt=0, le=86_400 * 366)]


class Units(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The unit the device gives and the point's own, as UCUM codes; ``target`` is the point's unit where it is not given."""

    source: str
    target: str = ""


class Scale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value * factor + offset``."""

    factor: float = 1.0
    offset: float = 0.0


class Clamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A good value outside is set to the limit with the status GoodClamped (OPC 10000-8, table 7: 0x00300000)."""

    low: float | None = None
    high: float | None = None


class Deadband(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sample passes that differs from the last one that passed by more than this: absolute, or in percent of the range
    (OPC 10000-8, section 7.2)."""

    absolute: Annotated[float, Meta(ge=0)] | None = None
    percent: Annotated[float, Meta(ge=0, le=100)] | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Report by exception: a sample passes whose value or status differs from the last that passed; an equal one passes too
    once ``heartbeat_s`` of source time are over since."""

    heartbeat_s: Seconds | None = None


class Keep(StrEnum):
    """What is left of an interval: its first sample (at once), its last, their mean, or its lowest and highest."""

    FIRST = "first"
    LAST = "last"
    MEAN = "mean"
    EXTREMES = "extremes"


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most one sample (two of ``extremes``) an interval of source time; intervals begin at whole multiples since 1970."""

    interval_s: Annotated[float, Meta(ge=0.001, le=86_400)]
    keep: Keep = Keep.LAST


class Stale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After so long without a sample the point is stale: a sample with the last value and status Uncertain (no value: Bad, no
    communication), and an event that ends with the next sample."""

    after_s: Annotated[float, Meta(ge=0.1, le=86_400 * 366)]


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The filters of one point, in the order in which they run."""

    unit: Units | None = None
    scale: Scale | None = None
    clamp: Clamp | None = None
    deadband: Deadband | None = None
    report: Report | None = None
    rate: Rate | None = None
    stale: Stale | None = None

    def linear(self, described: Described, place: str) -> Linear:
        """Unit conversion and scale as one step. Raises `ProcessingError`."""
        factor, offset = 1.0, 0.0
        if self.unit is not None:
            target = self.unit.target or described.unit
            if not target:
                raise ProcessingError(
                    "the point has no unit to convert to", place=f"{place}.unit", hint="give the point a unit"
                )
            if described.unit and target != described.unit:
                hint = "leave 'target' out: it is the point's unit"
                raise ProcessingError(
                    f"the point's unit is '{described.unit}', not '{target}'", place=f"{place}.unit.target", hint=hint
                )
            factor, offset = conversion(self.unit.source, target, place=f"{place}.unit")
        if self.scale is not None:
            factor, offset = factor * self.scale.factor, offset * self.scale.factor + self.scale.offset
        return Linear(factor, offset)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue knows of a point that is processed."""

    name: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None


def plain(binding: Binding) -> Binding:
    """``binding`` as its protocol may see it: without what is the edge's own."""
    if FILTERS not in binding.options and DESCRIBED not in binding.options:
        return binding
    options = {key: value for key, value in binding.options.items() if key not in (FILTERS, DESCRIBED)}
    return msgspec.structs.replace(binding, options=options)


_NUMBERS_ONLY: Final = ("unit", "scale", "clamp", "deadband")


def filters_of(options: Mapping[str, Any], storage: StorageClass, *, place: str) -> tuple[Filters, Described] | None:
    """The filters in a point's options; None where there are none.

    Raises `ConfigurationError` for what is no filter (with the nearest key), `ProcessingError` for what contradicts itself.
    """
    if FILTERS not in options:
        return None
    place = f"{place}.{FILTERS}"
    filters = convert(options[FILTERS], Filters, place=place)
    described = msgspec.convert(options.get(DESCRIBED, {}), Described)
    if storage is not StorageClass.DOUBLE:
        wrong = [name for name in _NUMBERS_ONLY if getattr(filters, name) is not None]
        if filters.rate is not None and filters.rate.keep in (Keep.MEAN, Keep.EXTREMES):
            wrong.append(f"rate.keep = {filters.rate.keep}")
        if wrong:
            hint = "what every class has: report, rate (first, last), stale"
            raise ProcessingError(f"'{wrong[0]}' wants a point of doubles, this holds {storage}", place=place, hint=hint)
    _check_numbers(filters, described, place)
    return filters, described


def _check_numbers(filters: Filters, described: Described, place: str) -> None:
    linear = filters.linear(described, place)
    if not all(map(math.isfinite, linear)) or linear.factor == 0:
        raise ProcessingError("the scale is not a finite number other than 0", place=f"{place}.scale")
    if (clamp := filters.clamp) is not None:
        given = [limit for limit in (clamp.low, clamp.high) if limit is not None]
        if not given or not all(map(math.isfinite, given)) or given != sorted(given):
            raise ProcessingError("clamp wants a low or a high, low first", place=f"{place}.clamp")
    if (band := filters.deadband) is not None:
        if (band.absolute is None) == (band.percent is None):
            raise ProcessingError("deadband wants either absolute or percent", place=f"{place}.deadband")
        if band.percent is not None and (described.low is None or described.high is None):
            hint = "give the point 'low' and 'high', or use deadband.absolute"
            raise ProcessingError(
                "percent of a range that the point does not have", place=f"{place}.deadband.percent", hint=hint
            )
