"""Writing points: inside a transaction that the catalogue began."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hulian.data.catalogue import tables, words
from hulian.data.catalogue.errors import (
    DescriptionError,
    SeriesCollisionError,
    SharedAddressError,
    TakenNameError,
    UnknownConnectorError,
    UnknownPointError,
)
from hulian.data.catalogue.records import Upserted
from hulian.data.catalogue.rows import chunks, effective_options, same, values_of
from hulian.kernel.identifier import Identifier, PointName
from hulian.kernel.point import Point
from hulian.registry import bulk

__all__ = ["Written", "remove", "rename", "rows_named", "upsert"]


class Written:
    """What a transaction has touched so far: the names, and the connectors whose bindings are no longer the same."""

    def __init__(self) -> None:
        self.points: set[str] = set()
        self.connectors: set[str] = set()
        self.counts = Upserted()


def rows_named(connection: Connection, names: Sequence[str]) -> dict[str, Row[Any]]:
    """The rows of the points of these names, by name."""
    return {
        row.name: row
        for part in chunks(names)
        for row in connection.execute(sa.select(tables.point).where(tables.point.c.name.in_(part)))
    }


def upsert(connection: Connection, organisation: str, points: Iterable[Point], written: Written) -> None:
    """Adds or changes ``points``; each already names its series. All or nothing, as the caller's transaction."""
    wanted: dict[str, dict[str, Any]] = {}
    for point in points:
        values = values_of(point)
        if values["name"] in wanted:
            raise TakenNameError(f"the point '{values['name']}' is given twice")
        wanted[values["name"]] = values
    present = rows_named(connection, list(wanted))
    added = [values for name, values in wanted.items() if name not in present]
    changed = [
        (present[name], values) for name, values in wanted.items() if name in present and not same(present[name], values)
    ]
    moved = [(row, values) for row, values in changed if row.series != values["series"]]
    fed = [*added, *(values for _, values in moved)]
    now = time.time_ns()
    _require_connectors(connection, {values["connector"] for values in fed})
    _record_series(connection, organisation, fed, now)
    _insert(connection, added, now)
    _update(connection, changed, now)
    _reopen(connection, moved, now)
    _refuse_shared(connection, [values["series"] for values in fed])
    written.points.update(values["name"] for values in added)
    for row, values in changed:
        written.points.add(row.name)
        if _bound(partial(getattr, row)) != _bound(values.__getitem__):
            written.connectors.update((row.connector, values["connector"]))
    written.connectors.update(values["connector"] for values in added)
    written.counts = Upserted(
        added=len(added), changed=len(changed), unchanged=len(wanted) - len(added) - len(changed), reopened=len(moved)
    )


def _bound(value: Callable[[str], Any]) -> tuple[Any, ...]:
    """What a connector reads a point by: where this changed, it has to take its bindings anew."""
    ends = [value(key) for key in ("raw_low", "raw_high", "low", "high")]
    return effective_options(value("options"), ends), *map(value, _BINDING)


_BINDING = ("series", "kind", "connector", "address", "writable", "enabled")


def rename(connection: Connection, names: Mapping[str, str], written: Written) -> None:
    """Gives points other names; series, spans and so the whole history stay with them."""
    wanted = {str(PointName.parse(old)): str(PointName.parse(new)) for old, new in names.items()}
    present = rows_named(connection, list(wanted))
    if missing := sorted(wanted.keys() - present.keys()):
        raise UnknownPointError(f"there is no point '{missing[0]}'")
    if len(set(wanted.values())) < len(wanted):
        raise TakenNameError("two points would have one name")
    taken = rows_named(connection, list(wanted.values())).keys() - wanted.keys()
    if taken:
        raise TakenNameError(f"there is already a point '{min(taken)}'")
    now = time.time_ns()
    moving = [(row, wanted[name]) for name, row in present.items() if wanted[name] != name]
    words.forget(connection, [row.identity for row, _ in moving])
    for row, _ in moving:  # a swap of two names must not pass through a moment in which they are equal
        connection.execute(
            tables.point.update().where(tables.point.c.identity == row.identity).values(name=f"~/{row.identity}#{now}")
        )
    for row, new in moving:
        _, _, rest = row.search.partition("\n")
        connection.execute(
            tables.point.update()
            .where(tables.point.c.identity == row.identity)
            .values(
                name=new,
                thing=new.partition("#")[0],
                search=f"{new.casefold()}\n{rest}",
                version=row.version + 1,
                changed=now,
            )
        )
        written.points.update((row.name, new))
    words.learn(connection, [row.identity for row, _ in moving])


def remove(connection: Connection, names: Sequence[str], written: Written) -> None:
    """Forgets points. The record of each series stays, so that its id is never given to another place."""
    present = rows_named(connection, names)
    if missing := sorted(set(names) - present.keys()):
        raise UnknownPointError(f"there is no point '{missing[0]}'")
    words.forget(connection, [row.identity for row in present.values()])
    for part in chunks([row.identity for row in present.values()]):
        connection.execute(tables.span.delete().where(tables.span.c.point.in_(part)))
        connection.execute(tables.point.delete().where(tables.point.c.identity.in_(part)))
    written.points.update(present)
    written.connectors.update(row.connector for row in present.values())


def renamed_thing(connection: Connection, old: str, new: str) -> dict[str, str]:
    """The new name of each point of the thing ``old`` once it is called ``new``."""
    before, after = str(Identifier.parse(old)), str(Identifier.parse(new))
    names = connection.execute(sa.select(tables.point.c.name).where(tables.point.c.thing == before)).scalars().all()
    if not names:
        raise UnknownPointError(f"no point belongs to '{before}'")
    return {name: f"{after}#{name.partition('#')[2]}" for name in names}


def _require_connectors(connection: Connection, names: set[str]) -> None:
    wanted = names - {""}
    known = set(connection.execute(sa.select(tables.connector.c.name).where(tables.connector.c.name.in_(wanted))).scalars())
    if missing := sorted(wanted - known):
        raise UnknownConnectorError(f"there is no connector '{missing[0]}'")


def _record_series(connection: Connection, organisation: str, fed: Sequence[dict[str, Any]], now: int) -> None:
    """Records each series once, and refuses an id that already stands for another place."""
    wanted: dict[int, tuple[str, str, str, str]] = {}
    for values in fed:
        place = (organisation, values["connector"], values["address"], values["storage"])
        if wanted.setdefault(values["series"], place) != place:
            raise _collision(values["series"], wanted[values["series"]], place)
    recorded: set[int] = set()
    for part in chunks(list(wanted)):
        for row in connection.execute(sa.select(tables.series).where(tables.series.c.series.in_(part))):
            place = (row.organisation, row.source, row.address, row.storage)
            if wanted[row.series] != place:
                raise _collision(row.series, place, wanted[row.series])
            recorded.add(row.series)
    fresh = [
        {
            "series": series,
            "organisation": place[0],
            "source": place[1],
            "address": place[2],
            "storage": place[3],
            "created": now,
        }
        for series, place in wanted.items()
        if series not in recorded
    ]
    bulk.insert(connection, tables.series, fresh)


def _collision(series: int, first: tuple[str, ...], second: tuple[str, ...]) -> SeriesCollisionError:
    one, other = (f"{place[1]} {place[2]} ({place[3]})" for place in (first, second))
    return SeriesCollisionError(f"the series {series} would stand for two places: {one}, and {other}")


def _insert(connection: Connection, added: Sequence[dict[str, Any]], now: int) -> None:
    if not added:
        return
    last = connection.execute(sa.select(sa.func.max(tables.point.c.identity))).scalar() or 0
    rows = [{**values, "identity": identity, "version": 1, "changed": now} for identity, values in enumerate(added, last + 1)]
    spans = [{"point": row["identity"], "since": 0, "until": None, "series": row["series"]} for row in rows]
    bulk.insert(connection, tables.point, rows)
    bulk.insert(connection, tables.span, spans)
    words.learn_after(connection, last)


def _update(connection: Connection, changed: Sequence[tuple[Row[Any], dict[str, Any]]], now: int) -> None:
    if not changed:
        return
    reworded = [row.identity for row, values in changed if row.search != values["search"]]
    words.forget(connection, reworded)
    columns = {
        key: sa.bindparam(f"new_{key}", type_=tables.point.c[key].type) for key in [*changed[0][1], "version", "changed"]
    }
    connection.execute(
        tables.point.update().where(tables.point.c.identity == sa.bindparam("old_identity")).values(**columns),
        [
            {
                "old_identity": row.identity,
                "new_version": row.version + 1,
                "new_changed": now,
                **{f"new_{key}": value for key, value in values.items()},
            }
            for row, values in changed
        ],
    )
    words.learn(connection, reworded)


def _reopen(connection: Connection, moved: Sequence[tuple[Row[Any], dict[str, Any]]], now: int) -> None:
    """From now on another series feeds the name; the span of the old one ends where the new one begins."""
    for row, values in moved:
        last = connection.execute(
            sa.select(sa.func.max(tables.span.c.since)).where(tables.span.c.point == row.identity)
        ).scalar_one()
        since = max(now, last + 1)
        connection.execute(
            tables.span.update().where(tables.span.c.point == row.identity, tables.span.c.until.is_(None)).values(until=since)
        )
        connection.execute(tables.span.insert().values(point=row.identity, since=since, until=None, series=values["series"]))


def _refuse_shared(connection: Connection, series: Sequence[int]) -> None:
    for part in chunks(series):
        found = connection.execute(
            sa.select(tables.point.c.series)
            .where(tables.point.c.series.in_(part))
            .group_by(tables.point.c.series)
            .having(sa.func.count() > 1)
            .limit(1)
        ).scalar()
        if found is not None:
            query = sa.select(tables.point.c.name).where(tables.point.c.series == found).order_by(tables.point.c.name)
            first, second, *_ = connection.execute(query).scalars().all()
            raise SharedAddressError(f"'{first}' and '{second}' would be fed by the same address")


def refuse_contradiction(changes: Mapping[str, Any]) -> None:
    """Raises `DescriptionError` for a change of what only a new address can change."""
    allowed = {"tag", "path", "unit", "kind", "low", "high", "raw_low", "raw_high", "texts", "enumeration"}
    allowed |= {"enabled", "writable", "options"}
    if wrong := sorted(changes.keys() - allowed):
        raise DescriptionError(f"'{wrong[0]}' cannot be changed here", hint=f"what can: {', '.join(sorted(allowed))}")
