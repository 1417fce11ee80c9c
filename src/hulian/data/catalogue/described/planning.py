"""What a proposal would change in the catalogue, on one view of it; and the records to write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.data.catalogue import tables
from hulian.data.catalogue.described.naming import names_of, path_of
from hulian.data.catalogue.described.records import (
    CheckConnector,
    CheckOptions,
    Choice,
    ConnectorChange,
    FieldChange,
    PointChange,
    Wish,
)
from hulian.data.catalogue.described.weighing import weigh
from hulian.data.catalogue.errors import UnknownChoiceError
from hulian.data.catalogue.points import rows_named
from hulian.data.catalogue.records import ConnectorRecord
from hulian.data.catalogue.rows import chunks, connector_of, point_of, values_of
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point
from hulian.network.exchange.semantics.proposals import Proposal, ProposedConnector, ProposedPoint

__all__ = ["Plan", "Planning"]

_PLACE: Final = ("connector", "address", "storage")
"""What says where values come from: never half of it."""
_LONGEST_NAME: Final = 64


class Plan(NamedTuple):
    """What would be written, and what a person is shown."""

    connectors: tuple[ConnectorChange, ...]
    points: tuple[PointChange, ...]
    added: list[ConnectorRecord]
    changed: list[ConnectorRecord]
    put: list[Point]
    bound: dict[str, str]
    """The point of each node that is one."""
    gone: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Stands for all that would happen."""
        content = msgspec.json.encode((self.connectors, self.points, sorted(self.bound.items())), enc_hook=str, order="sorted")
        return hashlib.blake2b(content, digest_size=16).hexdigest()


class _Target(NamedTuple):
    """The connector that reads the points of a proposed one; None where nobody can read them yet."""

    record: ConnectorRecord | None
    why: str = ""
    out: bool = False
    """A person wants nothing of it."""


class Planning:
    """One plan, on the view of the catalogue that ``connection`` has."""

    def __init__(
        self,
        connection: Connection,
        proposal: Proposal,
        before: Proposal | None,
        wish: Wish,
        *,
        prefix: str,
        check_connector: CheckConnector,
        check_options: CheckOptions,
    ) -> None:
        self._connection, self._proposal, self._wish, self._prefix = connection, proposal, wish, prefix
        self._check_connector, self._check_options = check_connector, check_options
        self._before = {one.name: one for one in before.connectors} if before else {}
        self._before_points = {one.node: one for one in before.points} if before else {}
        rows = connection.execute(sa.select(tables.connector).order_by(tables.connector.c.name))
        self._present = {row.name: connector_of(row) for row in rows}
        self._targets: dict[str, _Target] = {}
        self._added: list[ConnectorRecord] = []
        self._changed: list[ConnectorRecord] = []
        self._put: list[Point] = []
        self._bound: dict[str, str] = {}

    def plan(self) -> Plan:
        """What would happen; nothing is written."""
        wanted: dict[str, int] = {}
        chosen = self._proposal.points
        for point in chosen:
            wanted[point.connector] = wanted.get(point.connector, 0) + 1
        described = [one.name for one in self._proposal.connectors]
        if unknown := sorted(self._wish.connectors.keys() - set(described)):
            told = f"it describes: {', '.join(described[:20])}" if described else ""
            raise UnknownChoiceError(f"it describes no connector {unknown[0][:100]!r}", place="connectors", hint=told)
        connectors = [self._connector(one, wanted.get(one.name, 0)) for one in self._proposal.connectors]
        points = self._points(chosen)
        if self._wish.points is not None:
            needed = {point.connector for point in self._put}
            self._added = [one for one in self._added if one.name in needed]
            made = {one.name for one in self._added}
            connectors = [
                msgspec.structs.replace(one, change="left") if one.change == "added" and one.name not in made else one
                for one in connectors
            ]
        nodes = {point.node for point in chosen}
        gone = [point for node, point in self._before_points.items() if node not in nodes]
        return Plan(
            connectors=tuple(connectors),
            points=tuple(points),
            added=self._added,
            changed=self._changed,
            put=self._put,
            bound=self._bound,
            gone=tuple(sorted(filter(None, (self._fed(point) for point in gone)))),
        )

    # -- connectors ----------------------------------------------------------------------------------------------------

    def _connector(self, proposed: ProposedConnector, points: int) -> ConnectorChange:
        choice = self._wish.connectors.get(proposed.name, Choice())
        protocol, url = choice.protocol or proposed.protocol, choice.url or proposed.url
        found = self._existing(proposed, choice, protocol, url)
        make: dict[str, Any] = {"described": proposed.name, "protocol": protocol, "url": url, "points": points}
        make["settings"] = dict(proposed.settings)
        if choice.leave:
            self._targets[proposed.name] = _Target(None, "its connector is left out", out=True)
            name = found.name if found is not None else choice.name or proposed.name
            return ConnectorChange(name=name, change="left", missing=proposed.missing, **make)
        if found is not None:
            return self._again(proposed, choice, found, make)
        missing = list(proposed.missing)
        if not protocol:
            missing.append("which connector reads them: the description names addresses only")
        elif not url:
            missing.append("the address of the device (URL)")
        name = self._free(choice.name or proposed.name)
        if not protocol or not url:
            self._targets[proposed.name] = _Target(None, missing[-1])
            return ConnectorChange(name=name, change="left", missing=tuple(missing), **make)
        settings = {**proposed.settings, **choice.settings}
        try:
            self._check_connector(protocol, url, settings)
        except HulianError as error:
            missing.append(f"{error.message}{f' ({error.place})' if error.place else ''}")
            self._targets[proposed.name] = _Target(None, missing[-1])
            return ConnectorChange(name=name, change="left", missing=tuple(missing), **make)
        record = ConnectorRecord(
            name=name, protocol=protocol, url=url, settings=settings, credentials=choice.credentials,
            enabled=choice.enabled, edge=choice.edge,
        )  # fmt: skip
        self._targets[proposed.name] = _Target(record)
        self._present[name] = record
        self._added.append(record)
        said = tuple(FieldChange(field=f"settings.{key}", old=None, new=value) for key, value in settings.items())
        return ConnectorChange(name=name, change="added", fields=said, missing=tuple(missing), **make)

    def _existing(self, proposed: ProposedConnector, choice: Choice, protocol: str, url: str) -> ConnectorRecord | None:
        """The connector that is this one: chosen by name, of the same name, or at the same address."""
        if choice.name:
            found = self._present.get(choice.name)
            return found if found is not None and (not protocol or found.protocol == protocol) else None
        found = self._present.get(proposed.name)
        if found is not None and found.protocol == protocol:
            return found
        there = [one for one in self._present.values() if one.protocol == protocol and url and _same_url(one.url, url)]
        return there[0] if len(there) == 1 and there[0] not in self._added else None

    def _free(self, name: str) -> str:
        wanted = name.encode()[: _LONGEST_NAME - 4].decode("utf-8", "ignore").strip()
        found, count = wanted, 1
        while found in self._present:
            count += 1
            found = f"{wanted}-{count}"
        return found

    def _again(
        self, proposed: ProposedConnector, choice: Choice, found: ConnectorRecord, make: dict[str, Any]
    ) -> ConnectorChange:
        """A connector that is there: what the description says anew, and what a person chose just now."""
        self._targets[proposed.name] = _Target(found)
        before = self._before.get(proposed.name)
        said = _connector_fields(proposed)
        if before is None and not choice.url and _same_url(found.url, proposed.url):
            said.pop("url", None)
        taken, kept = weigh(
            _connector_fields(found), said, _connector_fields(before) if before is not None else {},
            overwrite=found.name in self._wish.overwrite or "*" in self._wish.overwrite,
        )  # fmt: skip
        chosen = {"url": choice.url} if choice.url else {}
        chosen |= {f"settings.{key}": value for key, value in choice.settings.items()}
        now = _connector_fields(found)
        taken = [one for one in taken if one.field not in chosen]
        kept = [one for one in kept if one.field not in chosen]
        taken += [FieldChange(field=key, old=now.get(key), new=value) for key, value in chosen.items() if now.get(key) != value]
        record = _with_fields(found, taken)
        if choice.credentials and choice.credentials != found.credentials:
            record = msgspec.structs.replace(record, credentials=choice.credentials)
            taken.append(FieldChange(field="credentials", old="kept", new="given"))
        missing = list(proposed.missing)
        if taken:
            try:
                self._check_connector(record.protocol, record.url, record.settings)
                self._changed.append(record)
                self._targets[proposed.name] = _Target(record)
            except HulianError as error:
                missing.append(error.message)
                taken, kept = [], [*kept, *taken]
        make["url"] = record.url if taken else found.url
        return ConnectorChange(
            name=found.name,
            change="changed" if taken else "same",
            fields=tuple(taken),
            kept=tuple(kept),
            missing=tuple(missing),
            **{**make, "protocol": found.protocol},
        )

    # -- points --------------------------------------------------------------------------------------------------------

    def _points(self, chosen: Iterable[ProposedPoint]) -> list[PointChange]:
        listed = list(chosen)
        places = {
            point.node: (target.record.name, point.address)
            for point in listed
            if (target := self._targets.get(point.connector, _Target(None))).record is not None
        }
        feeding = self._feeding({name for name, _ in places.values()})
        known = {node: feeding[place] for node, place in places.items() if place in feeding}
        names = names_of(listed, prefix=self._prefix, known=known, taken=self._taken)
        self._check_choices({*names.values(), *names})
        present = {name: point_of(row) for name, row in rows_named(self._connection, list(names.values())).items()}
        used: dict[tuple[str, str], str] = {}
        changes = []
        for point in listed:
            name = names[point.node]
            if self._wish.points is not None and not {name, point.node} & self._wish.points:
                continue
            place = places.get(point.node)
            if place is not None and place in used:
                self._bind(point, used[place])
                changes.append(self._left(point, used[place], place[0], "another property of the document has its address"))
                continue
            if place is not None:
                used[place] = name
            changes.append(self._point(point, name, present.get(name)))
        return changes

    def _check_choices(self, points: set[str]) -> None:
        connectors = {target.record.name for target in self._targets.values() if target.record is not None}
        for place, chosen, known in (
            ("points", self._wish.points or frozenset(), points),
            ("overwrite", self._wish.overwrite, points | connectors | {"*"}),
        ):
            if unknown := sorted(chosen - known):
                raise UnknownChoiceError(f"it describes no point {unknown[0][:200]!r}", place=place)

    def _feeding(self, connectors: set[str]) -> dict[tuple[str, str], str]:
        """The point that each address of these connectors feeds today."""
        row = tables.point.c
        return {
            (found.connector, found.address): found.name
            for part in chunks(sorted(connectors))
            for found in self._connection.execute(
                sa.select(row.connector, row.address, row.name).where(row.connector.in_(part))
            )
        }

    def _taken(self, names: Iterable[str]) -> set[str]:
        return set(rows_named(self._connection, list(dict.fromkeys(names))))

    def _fed(self, point: ProposedPoint) -> str:
        """The name of the point of a property that is no longer described; empty where there is none."""
        before = self._targets.get(point.connector)
        if before is None or before.record is None:
            return point.name
        return self._feeding({before.record.name}).get((before.record.name, point.address), "")

    def _point(self, point: ProposedPoint, name: str, current: Point | None) -> PointChange:
        target = self._targets.get(point.connector, _Target(None, "its connector is not described"))
        if target.out or (target.record is None and current is None):
            return self._left(point, name, "", target.why)
        connector = target.record.name if target.record is not None else ""
        wanted = _point_fields(point, connector)
        if current is None:
            if self._removed(point, name, connector):
                why = "a person removed it; overwriting it brings it back"
                return self._left(point, name, connector, why, removed=True)
            return self._new(point, name, wanted, target)
        if target.record is None:
            for field in _PLACE:
                wanted.pop(field)
        earlier = self._before_points.get(point.node)
        taken, kept = weigh(
            _fields_of(current), wanted, _point_fields(earlier, connector) if earlier is not None else {},
            together=_PLACE, overwrite=name in self._wish.overwrite or "*" in self._wish.overwrite,
        )  # fmt: skip
        fitting = _with_point_fields(current, taken)
        problem = self._problem(fitting, target) if taken else ""
        if problem:
            taken, kept = [], [*kept, *taken]
        elif taken:
            self._put.append(fitting)
        self._bind(point, name)
        return PointChange(
            name=name,
            node=point.node,
            connector=(fitting if taken else current).connector,
            address=(fitting if taken else current).address,
            change="changed" if taken else "same",
            fields=tuple(taken),
            kept=tuple(kept),
            missing=(problem,) if problem else (),
        )

    def _removed(self, point: ProposedPoint, name: str, connector: str) -> bool:
        """Whether it was taken over before, to a connector that is still there, and is gone since."""
        if name in self._wish.overwrite or "*" in self._wish.overwrite or any(one.name == connector for one in self._added):
            return False
        return point.node in self._before_points and point.name == name

    def _new(self, point: ProposedPoint, name: str, wanted: dict[str, Any], target: _Target) -> PointChange:
        fields = [FieldChange(field=field, old=None, new=value) for field, value in wanted.items()]
        made = _with_point_fields(Point(name=name, series=0), fields)
        missing = []
        problem = self._problem(made, target)
        if problem and made.enumeration:
            missing.append(f"the meanings of its values do not fit: {problem}")
            fields = [one for one in fields if one.field != "enumeration"]
            made = msgspec.structs.replace(made, enumeration={})
            problem = self._problem(made, target)
        if problem:
            return self._left(point, name, made.connector, problem)
        self._put.append(made)
        self._bind(point, name)
        return PointChange(
            name=name, node=point.node, connector=made.connector, address=made.address, change="added",
            fields=tuple(fields), missing=tuple(missing),
        )  # fmt: skip

    def _problem(self, point: Point, target: _Target) -> str:
        """Why the catalogue or the protocol would not take a point; empty where both do."""
        try:
            values_of(point)
            if target.record is not None and point.connector == target.record.name:
                self._check_options(target.record.protocol, point.options)
        except HulianError as error:
            return error.message
        return ""

    @staticmethod
    def _left(point: ProposedPoint, name: str, connector: str, why: str, *, removed: bool = False) -> PointChange:
        return PointChange(
            name=name, node=point.node, connector=connector, address=point.address, change="left", missing=(why,),
            removed=removed,
        )  # fmt: skip

    def _bind(self, point: ProposedPoint, name: str) -> None:
        for node in (point.node, *point.also):
            self._bound[node] = name


# -- records as fields -------------------------------------------------------------------------------------------------


def _connector_fields(one: ProposedConnector | ConnectorRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {"url": one.url} if one.url else {}
    return fields | {f"settings.{key}": value for key, value in one.settings.items()}


def _with_fields(record: ConnectorRecord, changes: Iterable[FieldChange]) -> ConnectorRecord:
    url, settings = record.url, dict(record.settings)
    for change in changes:
        if change.field == "url":
            url = change.new
        else:
            settings[change.field.removeprefix("settings.")] = change.new
    return msgspec.structs.replace(record, url=url, settings=settings)


def _point_fields(point: ProposedPoint, connector: str) -> dict[str, Any]:
    """What a description says of a point, field by field; silence is no field."""
    fields: dict[str, Any] = {
        "connector": connector,
        "address": point.address,
        "storage": point.storage,
        "kind": point.kind,
        "writable": point.writable,
    }
    said = {"tag": point.tag, "path": path_of(point), "unit": point.unit}
    fields |= {field: value for field, value in said.items() if value}
    ends = {"low": point.low, "high": point.high}
    fields |= {field: end for field, end in ends.items() if end is not None}
    fields |= {f"texts.{language}": text for language, text in point.texts.items()}
    fields |= {f"options.{key}": value for key, value in point.options.items()}
    return fields | ({"enumeration": point.enumeration} if point.enumeration else {})


def _fields_of(point: Point) -> Mapping[str, Any]:
    fields = {name: getattr(point, name) for name in ("connector", "address", "storage", "kind", "writable", "tag", "path")}
    fields |= {"unit": point.unit, "low": point.low, "high": point.high}
    fields |= {"enumeration": point.enumeration} if point.enumeration else {}
    fields |= {f"texts.{language}": text for language, text in point.texts.items()}
    return fields | {f"options.{key}": value for key, value in point.options.items()}


def _with_point_fields(point: Point, changes: Iterable[FieldChange]) -> Point:
    values: dict[str, Any] = {"texts": dict(point.texts), "options": dict(point.options)}
    moved = False
    for change in changes:
        whole, dot, part = change.field.partition(".")
        if dot:
            values[whole][part] = change.new
        else:
            values[whole] = change.new
        moved = moved or change.field in _PLACE
    return msgspec.structs.replace(point, **values, **({"series": 0} if moved else {}))


def _same_url(one: str, other: str) -> bool:
    try:
        a, b = urlsplit(one.strip()), urlsplit(other.strip())
        return (a.scheme.lower(), a.hostname, a.port, a.path.rstrip("/"), a.query) == (
            b.scheme.lower(), b.hostname, b.port, b.path.rstrip("/"), b.query,
        )  # fmt: skip
    except ValueError:
        return one == other
