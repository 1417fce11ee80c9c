"""Live values of nodes: the newest sample of the point that a property is, in the unit that somebody asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point
from hulian.network.exchange.semantics.units import Conversion, conversion, find
from hulian.platform.api.context import Context
from hulian.platform.api.meaning.views import LiveView, NodeItem
from hulian.platform.api.routes.points import LastView, last_values

__all__ = ["live_values"]


async def live_values(context: Context, nodes: Sequence[NodeItem], unit: str = "") -> list[LiveView | None]:
    """For each node its newest value in ``unit``, or in its own; None where it is no live point.

    Raises what the historian raises where it does not answer.
    """
    names = {node.point for node in nodes if node.point}
    points = await context.points.named(names)
    newest = await last_values(context, [point.series for point in points.values()])
    return [_live(node, points.get(node.point), newest, unit) if node.point else None for node in nodes]


def _live(node: NodeItem, point: Point | None, newest: dict[int, LastView], wanted: str) -> LiveView:
    if point is None:
        refused = "there is no point of this name in the catalogue"
        return LiveView(point=node.point, series="", unit=node.unit, point_unit="", refused=refused)
    own = point.unit or node.unit
    shown = wanted or node.unit or own
    way, refused = _way(own, shown)
    if refused:
        shown = own
    last = newest.get(point.series)
    series = str(point.series)
    factor, offset = (float(way.factor), float(way.offset)) if way is not None else (1.0, 0.0)
    if last is None:
        return LiveView(
            point=point.name, series=series, unit=shown, point_unit=own, factor=factor, offset=offset, refused=refused
        )
    value, number = last.value, last.number
    if way is not None and number is not None and math.isfinite(number) and (way.factor != 1 or way.offset != 0):
        number = way.one(number)
        value = repr(number)
    return LiveView(
        point=point.name,
        series=series,
        unit=shown,
        point_unit=own,
        factor=factor,
        offset=offset,
        refused=refused,
        time_ms=last.time_ms,
        value=value,
        number=number,
        status=last.status,
        quality=last.quality,
        quality_name=last.quality_name,
    )


@lru_cache(4_096)
def _way(own: str, wanted: str) -> tuple[Conversion | None, str]:
    """How to convert, or why it cannot be: other dimensions, or a unit that nobody knows."""
    if own == wanted or not wanted:
        return None, ""
    if not own:
        return None, f"the point has no unit that could be converted into {wanted}"
    try:
        return conversion(find(own), find(wanted)), ""
    except HulianError as error:
        return None, f"{own} cannot be converted into {wanted}: {error.message}"
