"""The catalogue as a text that people read, keep under version control and carry to another installation (TOML)."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
import sqlalchemy as sa

from hulian.data.catalogue import tables
from hulian.data.catalogue.errors import DescriptionError, UnknownConnectorError
from hulian.data.catalogue.points import Written
from hulian.data.catalogue.records import Applied, ConnectorRecord
from hulian.data.catalogue.rows import connector_of, point_of
from hulian.data.catalogue.store import Catalogue
from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass

__all__ = ["CatalogueDocument", "ConnectorEntry", "PointEntry", "apply", "dump"]

_VERSION: Final = 1
_HEAD: Final = "# The catalogue of Hulian: connectors and points. 'hulian catalogue apply' reads it back.\n"


class ConnectorEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A connector as it is written in a document."""

    name: str
    protocol: str
    url: str
    settings: dict[str, Any] = {}
    credentials: dict[str, str] = {}
    enabled: bool = True
    edge: str = ""


class PointEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A point as it is written in a document: its series follows from connector, address and storage class."""

    name: str
    connector: str = ""
    address: str = ""
    storage: StorageClass = StorageClass.DOUBLE
    kind: Kind = Kind.CONTINUOUS
    tag: str = ""
    path: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    raw_low: float | None = None
    raw_high: float | None = None
    texts: dict[str, str] = {}
    enumeration: dict[str, dict[str, str]] = {}
    writable: bool = False
    options: dict[str, Any] = {}
    enabled: bool = True


class CatalogueDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a document."""

    version: Annotated[int, msgspec.Meta(ge=1, le=_VERSION)] = _VERSION
    connector: list[ConnectorEntry] = []
    point: list[PointEntry] = []


def dump(catalogue: Catalogue) -> str:
    """Every connector and point. Passwords are not in it: only the references that lead to them."""
    with catalogue.reading() as connection:
        connectors = [
            connector_of(row) for row in connection.execute(sa.select(tables.connector).order_by(tables.connector.c.name))
        ]
        points = [point_of(row) for row in connection.execute(sa.select(tables.point).order_by(tables.point.c.name))]
    blocks = [f"version = {_VERSION}\n"]
    blocks += [_block("connector", _entry(record, ConnectorEntry)) for record in connectors]
    blocks += [_block("point", _entry(point, PointEntry)) for point in points]
    return _HEAD + "\n".join(blocks)


def apply(
    catalogue: Catalogue,
    text: str,
    *,
    place: str = "catalogue.toml",
    remove: bool = False,
    dry_run: bool = False,
    check: Callable[[CatalogueDocument], None] = lambda document: None,
) -> Applied:
    """Makes the catalogue say what ``text`` says; with ``remove`` nothing else, and with ``dry_run`` only the answer.

    One transaction: where one entry is wrong, nothing changes. ``check`` looks at the document first, for what a room above
    knows of it. Raises `ConfigurationError` with the line of a mistake, and
    what `Catalogue` raises.
    """
    document = _parsed(text, place)
    check(document)
    wanted = {str(PointName.parse(entry.name)) for entry in document.point}
    try:
        with catalogue.writing() as (connection, written):
            added, changed = _connectors(catalogue, connection, document.connector, written)
            removed_points: list[str] = []
            removed_connectors: list[str] = []
            if remove:
                present = connection.execute(sa.select(tables.point.c.name)).scalars()
                removed_points = sorted(name for name in present if name not in wanted)
                catalogue.delete_points(connection, removed_points, written)
                removed_connectors = _remove_connectors(connection, document, written)
            catalogue.put_points(connection, (_point(entry) for entry in document.point), written)
            applied = Applied(
                connectors_added=added,
                connectors_changed=changed,
                connectors_removed=removed_connectors,
                points=written.counts,
                points_removed=removed_points,
            )
            if dry_run:
                raise _NotForReal(applied)
    except _NotForReal as end:
        return end.applied
    return applied


class _NotForReal(Exception):  # noqa: N818 - not an error: it rolls a dry run back
    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied


def _parsed(text: str, place: str) -> CatalogueDocument:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}", place=place, hint="compare with 'hulian catalogue dump'") from error
    return convert(content, CatalogueDocument, place=place, text=text)


def _connectors(
    catalogue: Catalogue, connection: sa.Connection, entries: Iterable[ConnectorEntry], written: Written
) -> tuple[list[str], list[str]]:
    present = {row.name: connector_of(row) for row in connection.execute(sa.select(tables.connector))}
    added: list[str] = []
    changed: list[str] = []
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            raise DescriptionError(f"the connector '{entry.name}' is given twice")
        seen.add(entry.name)
        record = ConnectorRecord(**msgspec.structs.asdict(entry))
        known = present.get(entry.name)
        if known is None:
            catalogue.put_connector(connection, record)
            added.append(entry.name)
        elif _entry(known, ConnectorEntry) != _entry(record, ConnectorEntry):
            catalogue.replace_connector(connection, record)
            changed.append(entry.name)
        else:
            continue
        written.connectors.add(entry.name)
    return sorted(added), sorted(changed)


def _remove_connectors(connection: sa.Connection, document: CatalogueDocument, written: Written) -> list[str]:
    kept = {entry.name for entry in document.connector}
    for entry in document.point:
        if entry.connector and entry.connector not in kept:
            raise UnknownConnectorError(
                f"the point '{entry.name}' needs the connector '{entry.connector}', which would be removed"
            )
    known = connection.execute(sa.select(tables.connector.c.name)).scalars()
    removed = sorted(name for name in known if name not in kept)
    connection.execute(tables.connector.delete().where(tables.connector.c.name.in_(removed)))
    written.connectors.update(removed)
    return removed


def _point(entry: PointEntry) -> Point:
    return Point(series=0, **msgspec.structs.asdict(entry))


def _entry(record: ConnectorRecord | Point, kind: type[msgspec.Struct]) -> dict[str, Any]:
    entry = kind(**{name: getattr(record, name) for name in kind.__struct_fields__})
    content: dict[str, Any] = msgspec.to_builtins(entry)
    return content


def _block(table: str, content: Mapping[str, Any]) -> str:
    return f"[[{table}]]\n" + "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in content.items() if value is not None)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case int():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in _given(value)) + "}"
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
    raise DescriptionError(f"a {type(value).__name__} cannot be written as TOML")


def _given(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in content.items() if value is not None)


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if plain else _toml(key)
