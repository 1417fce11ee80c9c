"""Live points in what is served: a property that is one has its newest value, where its document has a fixed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from hulian.network.exchange.semantics.aas.strict import NUMBERS, fits
from hulian.network.exchange.semantics.contract import Node
from hulian.network.exchange.semantics.errors import DimensionError, UnitError
from hulian.network.exchange.semantics.units import conversion, find

__all__ = ["QUALITY", "SAMPLED", "LivePoints", "Newest", "enliven", "stripped"]

SAMPLED: Final = "hulian.sampled"
"""Name of the extension that says when the value was sampled (xs:dateTime, UTC)."""
QUALITY: Final = "hulian.quality"
"""Name of the extension that says why there is no value, or that it is not a good one."""


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sample of a point. ``time`` is nanoseconds since 1970, UTC."""

    value: str | None
    """As text; None where the sample has none."""
    time: int
    status: int = 0
    """OPC UA StatusCode."""
    unit: str = ""
    """Of the point."""


class LivePoints(Protocol):
    """Gives the newest samples of points; whoever assembles the platform hands it in.

    Called from a worker thread for each request that shows live properties; it blocks. It raises a `HulianError` where the
    historian does not answer: the request then shows no values and says why. Points that nobody knows, or that have no sample,
    are left out.
    """

    def __call__(self, points: Sequence[str]) -> Mapping[str, Newest]: ...


def _time(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanoseconds // 1_000_000 % 1000:03d}Z"


def _extension(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"name": name, "valueType": kind, "value": value}


def enliven(node: Node, newest: Newest | None, why: str = "") -> None:
    """Puts the newest sample into the node of a property; ``why`` says why there is none."""
    told = []
    value: str | None = None
    if newest is None:
        told.append(_extension(QUALITY, "xs:string", why or "there is no sample"))
    else:
        value, problem = _converted(newest, node.unit)
        told.append(_extension(SAMPLED, "xs:dateTime", _time(newest.time)))
        severity = newest.status >> 30
        if severity >= 2:
            value, problem = None, f"bad (0x{newest.status:08X})"
        elif severity == 1:
            problem = f"uncertain (0x{newest.status:08X})"
        if problem:
            told.append(_extension(QUALITY, "xs:string", problem))
    node.value = value
    if value is not None and not fits(value, node.datatype or "xs:string"):
        node.value, node.datatype = _fitting(value, node.datatype)
    own = dict(node.extra.get("aas", {}))
    own["extensions"] = [*own.get("extensions", ()), *told]
    node.extra = {**node.extra, "aas": own}


def _converted(newest: Newest, unit: str) -> tuple[str | None, str]:
    """The value in the unit of the property, and what is wrong with that."""
    value = newest.value
    if value is None or not unit or not newest.unit or unit == newest.unit:
        return value, ""
    try:
        found = conversion(find(newest.unit), find(unit))
    except DimensionError as error:
        return None, f"the point's unit is {newest.unit}, the property's {unit}: {error.message}"
    except UnitError as error:
        return value, f"in {newest.unit}, the property's unit is {unit}: {error.message}"
    try:
        number = float(value)
    except ValueError:
        return value, ""
    if found.factor == 1 and found.offset == 0:
        return value, ""
    return repr(number * float(found.factor) + float(found.offset)), ""


def _fitting(value: str, datatype: str) -> tuple[str, str]:
    """A value that is not of the property's type: as that type where nothing is lost, else with the type that it has."""
    if datatype == "xs:boolean" and value in ("True", "False"):
        return value.lower(), datatype
    try:
        number = float(value)
    except ValueError:
        return value, "xs:string"
    if datatype in NUMBERS and number.is_integer() and fits(str(int(number)), datatype):
        return str(int(number)), datatype
    return value, "xs:double" if fits(value, "xs:double") else "xs:string"


def stripped(value: Any) -> Any:
    """What a client sends back, without what was told of live values; changed in place."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            told = one.get("extensions")
            if isinstance(told, list):
                kept = [each for each in told if not (isinstance(each, dict) and each.get("name") in (SAMPLED, QUALITY))]
                if len(kept) != len(told):
                    one["extensions"] = kept
                    if not kept:
                        del one["extensions"]
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return value
