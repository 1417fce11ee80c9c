"""The catalogue: what connections and points there are, what they are called, and which series feeds each."""

from __future__ import annotations

import contextlib
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from hulian.data.catalogue import naming, points, search, tables
from hulian.data.catalogue.errors import (
    DescriptionError,
    OpenSecretError,
    TakenNameError,
    UnknownConnectorError,
    UnknownPointError,
    VersionError,
)
from hulian.data.catalogue.points import Written
from hulian.data.catalogue.records import Change, ConnectorRecord, Page, PointRecord, SeriesSpan, ThingSummary, Tree, Upserted
from hulian.data.catalogue.rows import chunks, connector_of, effective_options, point_of, record_of
from hulian.kernel.configuration import resolve_secret
from hulian.kernel.identifier import series_id
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Browsed, Credentials
from hulian.registry import Registry

__all__ = ["Catalogue"]

_REFERENCES: Final = ("env:", "file:", "secret:")
_LONGEST_CONNECTOR: Final = 64


class Catalogue:
    """The names of one organisation. Thread-safe; any number of processes may read, and write, the same registry.

    Every change is one transaction: it is made whole or not at all, raises the revision by one, and is then told to those
    who asked with `on_change`, in the thread that made it. Other processes compare `revision`.
    """

    def __init__(self, registry: Registry, organisation: str) -> None:
        self._registry = registry
        self._organisation = organisation
        self._listeners: list[Callable[[Change], None]] = []
        self._lock = threading.Lock()

    # -- changes -----------------------------------------------------------------------------------------------------

    def revision(self) -> int:
        """A number that grows with each change."""
        with self._registry.read() as connection:
            return int(connection.execute(sa.select(tables.state.c.revision)).scalar_one())

    def on_change(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """``callback`` is called after each committed change of this object, in the writer's thread; the result ends that."""
        with self._lock:
            self._listeners.append(callback)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners.remove(callback)

        return stop

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """One consistent view of the tables of this room."""
        return self._registry.read()

    @contextlib.contextmanager
    def writing(self) -> Iterator[tuple[Connection, Written]]:
        """One change: commits, raises the revision where anything was touched, and then tells."""
        written = Written()
        revision = None
        with self._registry.write() as connection:
            yield connection, written
            if written.points or written.connectors:
                connection.execute(tables.state.update().values(revision=tables.state.c.revision + 1))
                revision = int(connection.execute(sa.select(tables.state.c.revision)).scalar_one())
        if revision is None:
            return
        change = Change(revision=revision, connectors=frozenset(written.connectors - {""}), points=frozenset(written.points))
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(change)

    # -- connectors --------------------------------------------------------------------------------------------------

    def connectors(self) -> list[ConnectorRecord]:
        """Every connector, by name."""
        with self._registry.read() as connection:
            return [
                connector_of(row) for row in connection.execute(sa.select(tables.connector).order_by(tables.connector.c.name))
            ]

    def connector(self, name: str) -> ConnectorRecord:
        """Raises `UnknownConnectorError`."""
        with self._registry.read() as connection:
            return _connector(connection, name)

    def counts(self) -> dict[str, int]:
        """How many points each connector has; those that have none are missing."""
        query = sa.select(tables.point.c.connector, sa.func.count().label("points")).group_by(tables.point.c.connector)
        with self._registry.read() as connection:
            return {row.connector: row.points for row in connection.execute(query)}

    def add_connector(self, record: ConnectorRecord, points_: Iterable[Point] = ()) -> ConnectorRecord:
        """Adds the connector together with its points, or neither.

        Raises `TakenNameError`, `DescriptionError`, `OpenSecretError` for a password or key that is no reference, and what
        `upsert_points` raises.
        """
        with self.writing() as (connection, written):
            self.put_connector(connection, record)
            written.connectors.add(record.name)
            points.upsert(connection, self._organisation, map(self._with_series, points_), written)
            return _connector(connection, record.name)

    def put_connector(self, connection: Connection, record: ConnectorRecord) -> None:
        """Inserts the connector in the transaction of ``connection``."""
        _check_connector(record)
        now = time.time_ns()
        values = msgspec.structs.asdict(record) | {"version": 1, "created": now, "changed": now}
        try:
            connection.execute(tables.connector.insert().values(**values))
        except IntegrityError as error:
            raise TakenNameError(f"there is already a connector '{record.name}'") from error

    def change_connector(
        self,
        name: str,
        *,
        version: int | None = None,
        url: str | None = None,
        settings: dict[str, Any] | None = None,
        credentials: dict[str, str] | None = None,
        enabled: bool | None = None,
        edge: str | None = None,
    ) -> ConnectorRecord:
        """Changes what is given. Raises `UnknownConnectorError`; `VersionError` where it is no longer at ``version``."""
        given = {"url": url, "settings": settings, "credentials": credentials, "enabled": enabled, "edge": edge}
        changes = {key: value for key, value in given.items() if value is not None}
        with self.writing() as (connection, written):
            record = _connector(connection, name)
            _expect(version, record.version, f"the connector '{name}'")
            wanted = msgspec.structs.replace(record, **changes)
            if wanted == record:
                return record
            self.replace_connector(connection, wanted)
            written.connectors.add(name)
            return _connector(connection, name)

    def replace_connector(self, connection: Connection, record: ConnectorRecord) -> None:
        """Writes all of ``record`` but its times in the transaction of ``connection``; the version grows."""
        _check_connector(record)
        values = {key: getattr(record, key) for key in ("protocol", "url", "settings", "credentials", "enabled", "edge")}
        connection.execute(
            tables.connector.update()
            .where(tables.connector.c.name == record.name)
            .values(**values, version=tables.connector.c.version + 1, changed=time.time_ns())
        )

    def remove_connector(self, name: str, *, points: bool = True) -> None:
        """Forgets the connector and, with ``points``, its points; without, they stay, disabled, and so does their history."""
        with self.writing() as (connection, written):
            _connector(connection, name)
            names = connection.execute(sa.select(tables.point.c.name).where(tables.point.c.connector == name)).scalars().all()
            if points:
                self.delete_points(connection, names, written)
            else:
                connection.execute(
                    tables.point.update()
                    .where(tables.point.c.connector == name, tables.point.c.enabled)
                    .values(enabled=False, version=tables.point.c.version + 1, changed=time.time_ns())
                )
                written.points.update(names)
            connection.execute(tables.connector.delete().where(tables.connector.c.name == name))
            written.connectors.add(name)

    def plan_version(self, edge: str, digest: bytes) -> int:
        """The version of what the edge node ``edge`` is to run: one more whenever its ``digest`` is another."""
        plan = tables.plan
        with self._registry.write() as connection:
            found = connection.execute(sa.select(plan).where(plan.c.edge == edge)).first()
            values = {"digest": digest, "made": time.time_ns(), "version": found.version + 1 if found else 1}
            if found is None:
                connection.execute(plan.insert().values(edge=edge, **values))
            elif found.digest != digest:
                connection.execute(plan.update().where(plan.c.edge == edge).values(**values))
            else:
                return int(found.version)
            return int(values["version"])

    def plan_versions(self) -> dict[str, int]:
        """The newest version of what each edge node is to run, as `plan_version` gave it last."""
        with self._registry.read() as connection:
            return {row.edge: int(row.version) for row in connection.execute(sa.select(tables.plan))}

    def credentials(self, name: str, stored: Callable[[str], str | None] | None = None) -> Credentials:
        """The connector's user, password and key, read from where their references lead. Raises `SecretError`."""
        given = self.connector(name).credentials
        user, password, key = (given.get(name, "") for name in ("user", "password", "key"))
        return Credentials(
            user=resolve_secret(user, stored) if user.startswith(_REFERENCES) else user,
            password=resolve_secret(password, stored) if password else "",
            key=resolve_secret(key, stored) if key else "",
        )

    def bindings(self, connector: str) -> list[Binding]:
        """What the edge reads for this connector: its enabled points, in the order of their names."""
        query = (
            sa.select(tables.point)
            .where(tables.point.c.connector == connector, tables.point.c.enabled)
            .order_by(tables.point.c.name)
        )
        with self._registry.read() as connection:
            return [
                Binding(
                    series=row.series,
                    address=row.address,
                    storage=StorageClass(row.storage),
                    kind=Kind(row.kind),
                    writable=row.writable,
                    options=effective_options(row.options, (row.raw_low, row.raw_high, row.low, row.high)),
                )
                for row in connection.execute(query)
            ]

    # -- points ------------------------------------------------------------------------------------------------------

    def series(self, connector: str, address: str, storage: StorageClass) -> int:
        """The id of the series of this place."""
        return series_id(self._organisation, connector, address, storage.value)

    def upsert_points(self, points_: Iterable[Point]) -> Upserted:
        """Adds new points and changes those that exist; all of them or, where one is wrong, none.

        A point whose place or storage class changed goes on under its name with another series; `history` tells both. The
        series is worked out here: a point may come with ``series=0``. Raises `SeriesCollisionError`, `SharedAddressError`,
        `UnknownConnectorError`, `DescriptionError`, `TakenNameError` for a name given twice.
        """
        with self.writing() as (connection, written):
            self.put_points(connection, points_, written)
            return written.counts

    def put_points(self, connection: Connection, points_: Iterable[Point], written: Written) -> None:
        """The same in the transaction of ``connection``."""
        points.upsert(connection, self._organisation, map(self._with_series, points_), written)

    def placed(self, point: Point) -> Point:
        """``point`` with the series of its place; without an address its name is one."""
        return self._with_series(point)

    @staticmethod
    def delete_points(connection: Connection, names: Sequence[str], written: Written) -> None:
        """Forgets the points in the transaction of ``connection``."""
        points.remove(connection, names, written)

    def point(self, name: str) -> PointRecord:
        """Raises `UnknownPointError`."""
        with self._registry.read() as connection:
            return _point(connection, name)

    def points_named(self, names: Iterable[str]) -> dict[str, Point]:
        """The points of these names, by the name that was asked; unknown and illegal names are missing."""
        asked = {name: _canonical(name) for name in names}
        with self._registry.read() as connection:
            rows = points.rows_named(connection, list(dict.fromkeys(asked.values())))
        return {name: point_of(rows[known]) for name, known in asked.items() if known in rows}

    def points_of_series(self, ids: Iterable[int]) -> dict[int, Point]:
        """The points that these series feed today, by series; a series that feeds none is missing."""
        with self._registry.read() as connection:
            return {
                row.series: point_of(row)
                for part in chunks(list(ids))
                for row in connection.execute(sa.select(tables.point).where(tables.point.c.series.in_(part)))
            }

    def change_point(self, name: str, *, version: int | None = None, **changes: Any) -> PointRecord:
        """Changes what is given of tag, path, unit, kind, ranges, texts, enumeration, enabled, writable, options.

        Raises `UnknownPointError`, `DescriptionError`, `VersionError` where it is no longer at ``version``.
        """
        points.refuse_contradiction(changes)
        with self.writing() as (connection, written):
            record = _point(connection, name)
            _expect(version, record.version, f"the point '{record.point.name}'")
            try:
                wanted = msgspec.convert(msgspec.to_builtins(record.point) | msgspec.to_builtins(changes), Point)
            except msgspec.ValidationError as error:
                raise DescriptionError(str(error), place=record.point.name) from error
            points.upsert(connection, self._organisation, [wanted], written)
            return _point(connection, name)

    def rename_point(self, old: str, new: str) -> None:
        """Another name for the same point; its history stays with it. Raises `UnknownPointError`, `TakenNameError`."""
        self.rename_points({old: new})

    def rename_points(self, names: dict[str, str]) -> None:
        """Old names to new ones, all at once, so that two may swap theirs."""
        with self.writing() as (connection, written):
            points.rename(connection, names, written)

    def rename_thing(self, old: str, new: str) -> int:
        """Another identifier for a thing, and so another name for each of its points; how many there are."""
        with self.writing() as (connection, written):
            names = points.renamed_thing(connection, old, new)
            points.rename(connection, names, written)
            return len(names)

    def remove_points(self, names: Iterable[str]) -> None:
        """Forgets points; what the historian holds of their series stays there. Raises `UnknownPointError`."""
        with self.writing() as (connection, written):
            points.remove(connection, list(dict.fromkeys(names)), written)

    def history(self, name: str) -> list[SeriesSpan]:
        """The series behind the name, oldest first. Raises `UnknownPointError`."""
        with self._registry.read() as connection:
            known = _point(connection, name).point.name
            return _spans(connection, [known])[known]

    def spans(self, names: Iterable[str], start: int, end: int) -> dict[str, list[SeriesSpan]]:
        """For each known name the series that fed it within ``[start, end)``, oldest first: what a query over time asks."""
        asked = {name: _canonical(name) for name in names}
        with self._registry.read() as connection:
            found = _spans(connection, list(dict.fromkeys(asked.values())))
        return {
            name: [span for span in found[known] if span.since < end and (span.until is None or span.until > start)]
            for name, known in asked.items()
            if known in found
        }

    # -- finding -----------------------------------------------------------------------------------------------------

    def search(
        self,
        text: str = "",
        *,
        connector: str | None = None,
        thing: str | None = None,
        path: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Points whose identifier, tag, place, texts or address hold every word of ``text``, in any case; by name.

        ``path`` finds the place and all below it. A page begins after ``cursor``, so that points that come or go meanwhile
        neither repeat nor hide others. Raises `CursorError`.
        """
        with self._registry.read() as connection:
            return search.find(connection, text, connector=connector, thing=thing, path=path, limit=limit, cursor=cursor)

    def things(self, text: str = "", *, limit: int = 1000) -> list[ThingSummary]:
        """Things that have a matching point, by identifier, with the number of those points."""
        with self._registry.read() as connection:
            return search.things(connection, text, limit)

    def tree(self, under: str = "") -> Tree:
        """The branches and things directly under a place in the plant, with counts of all below."""
        with self._registry.read() as connection:
            return search.tree(connection, under)

    def propose(
        self, nodes: Iterable[Browsed], *, connector: str, prefix: str, thing: str | None = None, path: str = ""
    ) -> list[Point]:
        """Points for what a device shows, with legal, unique names ``prefix/thing#property``; nothing is written.

        An address that already feeds a point of the connector comes back as that point, so that browsing twice renames
        nothing. ``thing`` puts all of them under one thing, ``path`` under one place.
        """

        def taken(names: Iterable[str]) -> set[str]:
            return self._present(tables.point.c.name, names)

        def foreign(identifiers: Iterable[str]) -> set[str]:
            return self._present(tables.point.c.thing, identifiers, tables.point.c.connector != connector)

        query = sa.select(tables.point).where(tables.point.c.connector == connector)
        with self._registry.read() as connection:
            known = {row.address: point_of(row) for row in connection.execute(query)}
        return naming.propose(
            nodes,
            connector=connector,
            prefix=prefix,
            thing=thing,
            path=path,
            series=lambda address, storage: self.series(connector, address, storage),
            known=known,
            taken=taken,
            foreign=foreign,
        )

    def _present(self, column: sa.Column[Any], values: Iterable[str], *where: sa.ColumnElement[bool]) -> set[str]:
        with self._registry.read() as connection:
            return {
                value
                for part in chunks(list(dict.fromkeys(values)))
                for value in connection.execute(sa.select(column).where(column.in_(part), *where).distinct()).scalars()
            }

    def _with_series(self, point: Point) -> Point:
        address = point.address or point.name
        right = self.series(point.connector, address, point.storage)
        if point.series not in (0, right):
            raise DescriptionError(f"the series {point.series} does not belong to this address", place=point.name)
        return msgspec.structs.replace(point, series=right, address=address)


def _connector(connection: Connection, name: str) -> ConnectorRecord:
    row = connection.execute(sa.select(tables.connector).where(tables.connector.c.name == name)).first()
    if row is None:
        raise UnknownConnectorError(f"there is no connector '{name[:80]}'")
    return connector_of(row)


def _point(connection: Connection, name: str) -> PointRecord:
    row = points.rows_named(connection, [_canonical(name)]).get(_canonical(name))
    if row is None:
        raise UnknownPointError(f"there is no point '{name[:200]}'")
    return record_of(row)


def _spans(connection: Connection, names: Sequence[str]) -> dict[str, list[SeriesSpan]]:
    found: dict[str, list[SeriesSpan]] = {}
    for part in chunks(names):
        query = (
            sa.select(tables.point.c.name, tables.span.c.since, tables.span.c.until, tables.series)
            .join(tables.span, tables.span.c.point == tables.point.c.identity)
            .join(tables.series, tables.series.c.series == tables.span.c.series)
            .where(tables.point.c.name.in_(part))
            .order_by(tables.point.c.name, tables.span.c.since)
        )
        for row in connection.execute(query):
            span = SeriesSpan(
                series=row.series,
                storage=StorageClass(row.storage),
                connector=row.source,
                address=row.address,
                since=row.since,
                until=row.until,
            )
            found.setdefault(row.name, []).append(span)
    return found


def _canonical(name: str) -> str:
    prefix, slash, rest = name.partition("/")
    return f"{prefix.lower()}{slash}{rest}"


def _expect(version: int | None, found: int, what: str) -> None:
    if version is not None and version != found:
        raise VersionError(f"{what} is at version {found}, not {version}: somebody changed it meanwhile")


def _check_connector(record: ConnectorRecord) -> None:
    name = record.name
    if not name or name != name.strip() or len(name.encode()) > _LONGEST_CONNECTOR:
        raise DescriptionError(f"{name[:80]!r} cannot be a connector's name", hint="1 to 64 bytes, no white space at its ends")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        raise DescriptionError(f"{name!r} holds a control character")
    if unknown := sorted(record.credentials.keys() - {"user", "password", "key"}):
        raise DescriptionError(f"'{unknown[0]}' is no part of credentials", place=name, hint="what is: user, password, key")
    for part in ("password", "key"):
        secret = record.credentials.get(part, "")
        if secret and not secret.startswith(_REFERENCES):
            raise OpenSecretError(f"the {part} stands in the open", place=name)
    authority = record.url.partition("://")[2].partition("/")[0]
    if "@" in authority and ":" in authority.rpartition("@")[0]:
        raise OpenSecretError("the address holds a password", place=name)
