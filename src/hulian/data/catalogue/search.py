"""Finding points: by words, by place, by thing."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.data.catalogue import tables, words
from hulian.data.catalogue.errors import CursorError
from hulian.data.catalogue.naming import plant_path
from hulian.data.catalogue.records import Branch, Page, ThingSummary, Tree
from hulian.data.catalogue.rows import record_of
from hulian.kernel.errors import IdentifierError
from hulian.kernel.identifier import Identifier, escape, unescape

__all__ = ["find", "things", "tree"]

_MOST = 1000


def find(
    connection: Connection,
    text: str,
    *,
    connector: str | None,
    thing: str | None,
    path: str | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """One page of the points in which every word of ``text`` occurs, in the order of their names."""
    limit = max(1, min(limit, _MOST))
    conditions = _conditions(connection, text, connector, thing, path)
    total = connection.execute(sa.select(sa.func.count()).select_from(tables.point).where(*conditions)).scalar_one()
    after = [tables.point.c.name > _name(cursor)] if cursor else []
    names = sa.select(tables.point.c.identity).where(*conditions, *after).order_by(tables.point.c.name).limit(limit + 1)
    found = connection.execute(names).scalars().all()
    query = sa.select(tables.point).where(tables.point.c.identity.in_(found[:limit])).order_by(tables.point.c.name)
    items = [record_of(row) for row in connection.execute(query)]
    more = len(found) > limit
    return Page(items=items, next=escape(items[-1].point.name) if more else None, total=total)


def tree(connection: Connection, under: str) -> Tree:
    """What is directly under the place ``under``; the empty text is the top."""
    base = plant_path(under)
    query = sa.select(tables.point.c.path, tables.point.c.thing, sa.func.count()).group_by(
        tables.point.c.path, tables.point.c.thing
    )
    if base:
        query = query.where(_at_or_below(base))
    branches: dict[str, tuple[set[str], int]] = {}
    here: dict[str, int] = {}
    for path, thing, count in connection.execute(query):
        if path == base:
            here[thing] = here.get(thing, 0) + count
            continue
        name = path[len(base) + 1 if base else 0 :].partition("/")[0]
        members, points = branches.get(name, (set(), 0))
        members.add(thing)
        branches[name] = (members, points + count)
    return Tree(
        branches=[
            Branch(name=name, path=f"{base}/{name}" if base else name, things=len(members), points=points)
            for name, (members, points) in sorted(branches.items())
        ],
        things=[_summary(thing, count) for thing, count in sorted(here.items())],
    )


def things(connection: Connection, text: str, limit: int) -> list[ThingSummary]:
    """The things that have a point in which every word of ``text`` occurs."""
    query = (
        sa.select(tables.point.c.thing, sa.func.count())
        .where(*_conditions(connection, text, None, None, None))
        .group_by(tables.point.c.thing)
        .order_by(tables.point.c.thing)
        .limit(limit)
    )
    return [_summary(thing, count) for thing, count in connection.execute(query)]


def _conditions(
    connection: Connection, text: str, connector: str | None, thing: str | None, path: str | None
) -> list[sa.ColumnElement[bool]]:
    conditions = words.conditions(connection, text)
    if connector is not None:
        conditions.append(tables.point.c.connector == connector)
    if thing is not None:
        conditions.append(tables.point.c.thing == _identifier(thing))
    if path:
        conditions.append(_at_or_below(plant_path(path)))
    return conditions


def _at_or_below(path: str) -> sa.ColumnElement[bool]:
    below = sa.and_(tables.point.c.path > f"{path}/", tables.point.c.path < f"{path}0")  # '0' follows '/' in every collation C
    return sa.or_(tables.point.c.path == path, below)


def _identifier(thing: str) -> str:
    try:
        return str(Identifier.parse(thing))
    except IdentifierError:
        return thing


def _name(cursor: str) -> str:
    try:
        return unescape(cursor)
    except IdentifierError as error:
        raise CursorError("this is not a cursor of the catalogue") from error


def _summary(thing: str, count: int) -> ThingSummary:
    return ThingSummary(identifier=thing, label=thing.partition("/")[2], points=count)
