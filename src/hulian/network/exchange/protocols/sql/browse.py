"""What a database holds: tables and views as branches, columns (or names of points) as leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import sqlalchemy as sa
from anyio import to_thread

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import DIRECTORIES, Confinement
from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.sql.config import SqlConfiguration, TableSource, escape
from hulian.network.exchange.protocols.sql.database import Database, storage_of
from hulian.network.exchange.protocols.sql.errors import DirectoryError, ReachError, SqlError
from hulian.network.exchange.protocols.tabular import split_unit, time_column

__all__ = ["browse_database"]

_MOST_TAGS: Final = 5_000


async def browse_database(
    url: sa.URL, configuration: SqlConfiguration, environment: Environment, *, under: Address | None, depth: int
) -> AsyncIterator[Browsed]:
    """Raises `DriverError`, `ReachError`, `AccessError` where the database cannot be asked."""
    configuration.check()
    confinement = Confinement(
        environment.extras.get(DIRECTORIES, ()), absent=ReachError, outside=DirectoryError, unusable=ReachError
    )
    database = Database(url, configuration, environment.credentials, confinement)
    sources = {source.table: source for source in configuration.tables}
    try:
        for name in await to_thread.run_sync(database.tables):
            address = f"table={escape(name)}"
            if under and under != address:
                continue
            if not under:
                yield Browsed(address=address, name=name, path=(name,), leaf=False)
            if under or depth != 1:
                try:
                    nodes = await to_thread.run_sync(_leaves, database, name, sources.get(name))
                except SqlError as error:
                    yield Browsed(address=address, name=name, path=(name,), leaf=False, description=str(error))
                    continue
                for node in nodes:
                    yield node
    finally:
        await to_thread.run_sync(database.close)


def _leaves(database: Database, name: str, source: TableSource | None) -> list[Browsed]:
    columns = {column["name"]: column for column in database.columns(name)}
    head = f"table={escape(name)}"
    if source is not None and source.layout == "long" and source.tag in columns:
        storage = storage_of(columns[source.value]["type"]) if source.value in columns else StorageClass.DOUBLE
        found = []
        for tag in database.distinct(name, source.tag, _MOST_TAGS):
            if tag is not None:
                plain, unit = split_unit(str(tag))
                found.append(_leaf(f"{head};tag={escape(str(tag))}", (name, plain), storage, unit, ""))
        return found
    time = time_column(list(columns), source.time if source is not None else "auto")
    skipped = {time} | ({source.quality} if source is not None else set())
    leaves = []
    for column, told in columns.items():
        if column not in skipped:
            plain, unit = split_unit(column)
            comment = str(told.get("comment") or "")
            leaves.append(
                _leaf(
                    f"{head};column={escape(column)}",
                    (name, plain),
                    storage_of(told["type"]),
                    unit or split_unit(comment)[1],
                    comment,
                )
            )
    return leaves


def _leaf(address: str, path: tuple[str, ...], storage: StorageClass, unit: str, description: str) -> Browsed:
    kind = Kind.CONTINUOUS if storage is StorageClass.DOUBLE else Kind.STEP
    return Browsed(
        address=address, name=path[-1], path=path, leaf=True, storage=storage, kind=kind, unit=unit, description=description
    )
