"""A connector once more: the same settings and points for another device of the same kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from hulian.data.catalogue import tables
from hulian.data.catalogue.errors import TakenNameError
from hulian.data.catalogue.naming import word
from hulian.data.catalogue.points import rows_named
from hulian.data.catalogue.records import ConnectorRecord
from hulian.data.catalogue.rows import point_of
from hulian.data.catalogue.store import Catalogue
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Point

__all__ = ["copied_points"]


def copied_points(
    catalogue: Catalogue, source: ConnectorRecord, name: str, replace: Sequence[tuple[str, str]] = ()
) -> list[Point]:
    """The points that a copy of ``source`` under ``name`` has: same addresses, names of their own; nothing is written.

    Each pair of ``replace`` is put literally into the thing's identifier, the tag and the place, in order; what a property is
    called stays. A point whose thing would keep its identifier gets the new connector's name before it. Raises
    `TakenNameError` where a name exists or would be there twice, and `IdentifierError` for one that cannot be.
    """
    query = sa.select(tables.point).where(tables.point.c.connector == source.name).order_by(tables.point.c.name)
    with catalogue.reading() as connection:
        found = [_copied(point_of(row), name, replace) for row in connection.execute(query)]
        names = [point.name for point in found]
        taken = sorted(rows_named(connection, names)) or sorted(name for name, count in Counter(names).items() if count > 1)
    if taken:
        raise TakenNameError(f"the copy would have a second point '{taken[0]}'", hint="replace a part of the identifiers")
    return found


def _copied(point: Point, name: str, replace: Sequence[tuple[str, str]]) -> Point:
    def put(text: str) -> str:
        for find, with_ in replace:
            text = text.replace(find, with_)
        return text

    thing, _, property_ = point.name.partition("#")
    identifier = put(thing)
    if identifier == thing:
        prefix, _, suffix = thing.partition("/")
        identifier = f"{prefix}/{word(name)}.{suffix}"
    return msgspec.structs.replace(
        point,
        name=str(PointName.parse(f"{identifier}#{property_}")),
        series=0,
        connector=name,
        tag=put(point.tag),
        path=put(point.path),
    )
