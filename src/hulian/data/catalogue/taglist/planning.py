"""What a list, a bulk edit or a template would change, cell by cell; and doing just that.

Every one of them ends here: as rows that each name a point and say something of it. A plan is made on one view of the
catalogue and changes nothing; its digest stands for all that it would do. `apply` makes the plan again inside the transaction
that writes, and refuses where the digest is another: nothing happens that a person has not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hulian.data.catalogue import tables
from hulian.data.catalogue.errors import (
    CatalogueError,
    CellError,
    DescriptionError,
    FaultyListError,
    ListChangedError,
    SharedAddressError,
    TakenNameError,
    UnknownConnectorError,
)
from hulian.data.catalogue.points import rows_named
from hulian.data.catalogue.records import Upserted
from hulian.data.catalogue.rows import chunks, effective_options, point_of, same, values_of
from hulian.data.catalogue.store import Catalogue
from hulian.data.catalogue.taglist.columns import Draft, known, parsed_titles, read_row
from hulian.data.catalogue.taglist.grid import Fault, Faults, Grid
from hulian.kernel.errors import HulianError
from hulian.kernel.point import Point

__all__ = ["Applied", "CellChange", "CheckOptions", "Preview", "RowChange", "Wanted", "apply", "preview", "wanted_rows"]

CheckOptions = Callable[[str, Mapping[str, Any]], None]
"""Given the protocol's name, raises a `HulianError` where a point's options do not fit it."""

MOST_SHOWN: Final = 2000
"""How many rows a preview shows; the others are counted."""


class CellChange(msgspec.Struct, frozen=True, kw_only=True):
    """One cell that would change."""

    column: str
    old: str
    new: str


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """One point that would be added, changed or removed; ``row`` is 0 for one that no row names."""

    row: int
    name: str
    change: Literal["added", "changed", "removed"]
    cells: list[CellChange] = []


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen. ``digest`` is what `apply` asks for; ``faults`` are the first of ``faulty`` mistakes."""

    digest: str
    columns: list[str]
    rows: list[RowChange]
    faults: list[Fault]
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    faulty: int = 0


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; ``connectors`` read something else from now on."""

    points: Upserted
    removed: int
    connectors: list[str]


class Wanted(NamedTuple):
    """A row that names a point and says something of it."""

    row: int
    name: str
    draft: Draft


class _Placed(NamedTuple):
    row: int
    before: Row[Any] | None
    point: Point
    values: dict[str, Any]


class _Plan(NamedTuple):
    digest: str
    put: list[_Placed]
    unchanged: int
    removed: list[Row[Any]]
    faults: Faults


def wanted_rows(grid: Grid) -> tuple[list[Wanted], list[str], Faults]:
    """The rows of a list, its columns, and the mistakes in its cells. Raises `ListFormatError`."""
    keys = parsed_titles(grid.titles)
    faults = Faults()
    found: list[Wanted] = []
    for row in grid.rows:

        def fault(column: str, error: HulianError, number: int = row.number) -> None:
            faults.add(number, column, error)

        if extra := [cell for cell in row.cells[len(keys) :] if cell.strip()]:
            fault("", CellError(f"{extra[0][:60]!r} stands beyond the last column"))
        draft = read_row(row, keys, grid, fault)
        name = draft.pop("identifier", None)
        if name:
            found.append(Wanted(row.number, name, draft))
        elif name is None and row.number not in faults.rows:
            faults.add(row.number, "identifier", "the identifier is missing", "write prefix/thing#property")
    return found, [key for key in keys if key], faults


def preview(
    catalogue: Catalogue,
    rows: Sequence[Wanted],
    columns: Sequence[str],
    faults: Faults,
    *,
    remove: bool = False,
    check: CheckOptions | None = None,
    only_known: bool = False,
) -> Preview:
    """What ``rows`` would change. ``remove`` takes away the other points of the connectors that the list names; with
    ``only_known`` a row must name a point that is there."""
    with catalogue.reading() as connection:
        plan = _plan(catalogue, connection, rows, faults, remove=remove, check=check, only_known=only_known)
    shown = [_row_change(item) for item in plan.put[:MOST_SHOWN]]
    shown += [RowChange(row=0, name=row.name, change="removed") for row in plan.removed[: MOST_SHOWN - len(shown)]]
    added = sum(1 for item in plan.put if item.before is None)
    return Preview(
        digest=plan.digest,
        columns=list(columns),
        rows=shown,
        faults=sorted(plan.faults.told, key=lambda fault: fault.row),
        added=added,
        changed=len(plan.put) - added,
        removed=len(plan.removed),
        unchanged=plan.unchanged,
        faulty=plan.faults.count,
    )


def apply(
    catalogue: Catalogue,
    rows: Sequence[Wanted],
    faults: Faults,
    digest: str,
    *,
    remove: bool = False,
    check: CheckOptions | None = None,
    only_known: bool = False,
) -> Applied:
    """Does what the preview of this ``digest`` showed: all of it, in one transaction, or nothing.

    Raises `FaultyListError` where there is a mistake, `ListChangedError` where something else would happen now, and what
    `Catalogue.upsert_points` raises.
    """
    with catalogue.writing() as (connection, written):
        plan = _plan(catalogue, connection, rows, faults, remove=remove, check=check, only_known=only_known)
        if plan.faults.count:
            first = plan.faults.told[0]
            where = f"row {first.row}" + (f", {first.column}" if first.column else "")
            raise FaultyListError(f"there are {plan.faults.count} mistakes, the first: {first.message}", place=where)
        if plan.digest != digest:
            raise ListChangedError("what would change now is not what was previewed")
        catalogue.delete_points(connection, [row.name for row in plan.removed], written)
        catalogue.put_points(connection, [item.point for item in plan.put], written)
    counts = msgspec.structs.replace(written.counts, unchanged=plan.unchanged)
    return Applied(points=counts, removed=len(plan.removed), connectors=sorted(written.connectors - {""}))


def _plan(
    catalogue: Catalogue,
    connection: Connection,
    rows: Sequence[Wanted],
    faults: Faults,
    *,
    remove: bool,
    check: CheckOptions | None,
    only_known: bool,
) -> _Plan:
    first: dict[str, int] = {}
    for row in rows:
        if row.name in first:
            faults.add(row.row, "identifier", TakenNameError(f"the point '{row.name}' stands in row {first[row.name]}, too"))
        first.setdefault(row.name, row.row)
    present = rows_named(connection, list(first))
    protocols = {
        found.name: found.protocol
        for found in connection.execute(sa.select(tables.connector.c.name, tables.connector.c.protocol))
    }
    put: list[_Placed] = []
    unchanged = 0
    for row in rows:
        if first[row.name] != row.row:
            continue
        before = present.get(row.name)
        if before is None and only_known:
            faults.add(row.row, "identifier", f"there is no point '{row.name}'")
            continue
        placed = _placed(catalogue, row, before, protocols, check, faults)
        if placed is None:
            continue
        if before is not None and same(before, placed.values):
            unchanged += 1
        else:
            put.append(placed)
    removed = _others(connection, rows, present, put) if remove else []
    _refuse_shared(connection, put, {row.name for row in removed}, faults)
    return _Plan(_digest(put, removed), put, unchanged, removed, faults)


def _placed(
    catalogue: Catalogue,
    row: Wanted,
    before: Row[Any] | None,
    protocols: Mapping[str, str],
    check: CheckOptions | None,
    faults: Faults,
) -> _Placed | None:
    """The point of a row as it would be; None where it cannot be, which ``faults`` then say."""
    try:
        point = catalogue.placed(_merged(point_of(before) if before is not None else Point(name=row.name, series=0), row.draft))
        values = values_of(point)
    except (DescriptionError, CellError) as error:
        faults.add(row.row, _blamed(error, row.draft), error)
        return None
    moved = before is None or before.series != values["series"]
    if moved and point.connector and point.connector not in protocols:
        faults.add(row.row, "connector", UnknownConnectorError(f"there is no connector '{point.connector}'"))
        return None
    if check is not None and (protocol := protocols.get(point.connector)) and _reads_otherwise(before, values):
        ends = (point.raw_low, point.raw_high, point.low, point.high)
        try:
            check(protocol, effective_options(point.options, ends))
        except HulianError as error:
            column = "raw_low" if point.scaling else "scale" if {"scale", "offset"} & row.draft.keys() else "options"
            faults.add(row.row, column, error)
            return None
    return _Placed(row.row, before, point, values)


def _reads_otherwise(before: Row[Any] | None, values: Mapping[str, Any]) -> bool:
    keys = ("connector", "options", "raw_low", "raw_high", "low", "high")
    return before is None or any(getattr(before, key) != values[key] for key in keys)


def _merged(point: Point, draft: Draft) -> Point:
    """``point`` with what a row says of it; None clears."""
    changes: dict[str, Any] = {}
    options = {key: value for key, value in point.options.items() if key in ("scale", "offset")}
    rest = {key: value for key, value in point.options.items() if key not in options}
    texts, enumeration = dict(point.texts), {value: dict(words) for value, words in point.enumeration.items()}
    for key, value in draft.items():
        kind, _, language = key.partition(".")
        if kind == "text":
            texts = {name: text for name, text in texts.items() if name != language} | ({language: value} if value else {})
        elif kind == "enumeration":
            for words in enumeration.values():
                words.pop(language, None)
            for number, text in (value or {}).items():
                enumeration.setdefault(number, {})[language] = text
        elif key in ("scale", "offset"):
            options.pop(key, None)
            if value is not None:
                options[key] = value
        elif key == "options":
            rest = value or {}
        else:
            changes[key] = "" if value is None and key in ("tag", "path", "unit") else value
    if draft.get("raw_low") is not None:
        # a raw range says it all: the numbers of before give way, those of this row are a contradiction that is told
        options = {key: value for key, value in options.items() if draft.get(key) is not None}
    kept = {value: words for value, words in enumeration.items() if words}
    return msgspec.structs.replace(point, series=0, texts=texts, enumeration=kept, options=rest | options, **changes)


_BLAME: Final = (
    ("raw range", "raw_low"), ("double is scaled", "raw_low"), ("range ends", "high"), ("limit of the range", "low"),
    ("text is given for", "enumeration"), ("values have a text", "enumeration"), ("text of a value", "enumeration"),
    ("the path", "path"), ("the tag", "tag"), ("the unit", "unit"), ("the address", "address"), ("the connector", "connector"),
)  # fmt: skip


def _blamed(error: CatalogueError, draft: Draft) -> str:
    """The column that ``error`` is about: the one that the row says something in."""
    column = next((column for words, column in _BLAME if words in error.message), "")
    return next((key for key in draft if key == column or key.startswith(f"{column}.")), column)


def _others(
    connection: Connection, rows: Sequence[Wanted], present: Mapping[str, Row[Any]], put: Sequence[_Placed]
) -> list[Row[Any]]:
    """The points that no row names, of the connectors that the list names."""
    names = {row.name for row in rows}
    connectors = {row.connector for row in present.values()} | {item.point.connector for item in put}
    query = sa.select(tables.point).where(tables.point.c.connector.in_(connectors - {""})).order_by(tables.point.c.name)
    return [row for row in connection.execute(query) if row.name not in names]


def _refuse_shared(connection: Connection, put: Sequence[_Placed], removed: set[str], faults: Faults) -> None:
    """No address may feed two points: neither two rows, nor a row and a point that stays where it is."""
    fed: dict[int, _Placed] = {}
    moving = {item.point.name for item in put}
    for item in put:
        other = fed.setdefault(item.values["series"], item)
        if other is not item:
            message = f"'{other.point.name}' in row {other.row} and '{item.point.name}' would be fed by the same address"
            faults.add(item.row, "address", SharedAddressError(message))
    for part in chunks(list(fed)):
        for row in connection.execute(
            sa.select(tables.point.c.name, tables.point.c.series).where(tables.point.c.series.in_(part))
        ):
            item = fed[row.series]
            if row.name not in removed and row.name not in moving:
                message = f"'{row.name}' is fed by the same address already"
                faults.add(item.row, "address", SharedAddressError(message))


def _digest(put: Iterable[_Placed], removed: Iterable[Row[Any]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    encoder = msgspec.json.Encoder(order="deterministic")
    for item in put:
        digest.update(encoder.encode([item.values["name"], item.before.version if item.before else 0, item.values]) + b"\n")
    for row in removed:
        digest.update(encoder.encode([row.name, row.version, None]) + b"\n")
    return digest.hexdigest()


def _row_change(item: _Placed) -> RowChange:
    before = point_of(item.before) if item.before is not None else None
    after = point_of_values(item.values)
    cells = []
    languages = {language for point in (before, after) if point for texts in _languages(point) for language in texts}
    keys = [*_KEYS, *(f"{kind}.{language}" for kind in ("text", "enumeration") for language in sorted(languages))]
    for key in keys:
        column = known(key)
        if column is None:
            continue
        old, new = column.show(before) if before else "", column.show(after)
        if old != new:
            cells.append(CellChange(column=key, old=old, new=new))
    return RowChange(row=item.row, name=item.point.name, change="changed" if before else "added", cells=cells)


_KEYS: Final = (
    "tag", "path", "connector", "address", "storage", "kind", "unit", "low", "high", "raw_low", "raw_high",
    "scale", "offset", "writable", "enabled", "options",
)  # fmt: skip


def _languages(point: Point) -> list[Mapping[str, Any]]:
    return [point.texts, *point.enumeration.values()]


def point_of_values(values: Mapping[str, Any]) -> Point:
    """The point that a row with these values would be."""
    return msgspec.convert({key: value for key, value in values.items() if key in Point.__struct_fields__}, Point)
