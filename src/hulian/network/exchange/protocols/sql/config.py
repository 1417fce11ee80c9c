"""What a person configures of a connection to a database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.sql.errors import AddressError, OptionError
from hulian.network.exchange.protocols.tabular import TableMapping, Target

__all__ = ["SCHEMES", "SqlConfiguration", "TableSource", "database_file", "escape", "parse_address", "parse_url", "targets_of"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}
SCHEMES: Final = (*_DRIVERS, *_DRIVERS.values())
_PARAMETERS: Final = frozenset(
    ("host", "port", "sslmode", "connect_timeout", "application_name", "charset", "driver", "encrypt")
)


class TableSource(TableMapping, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one table or view is read, besides the mapping of its columns."""

    table: Annotated[str, Meta(min_length=1, description="name of the table or view, or SCHEMA.NAME")]
    by: Annotated[str, Meta(description="column that only grows (a key or a time) and tells what is new; empty: the time")] = ""
    overlap: Annotated[
        float, Meta(ge=0, description="how far behind the newest row late ones may come: seconds, or numbers of a key")
    ] = 0.0
    begin: Annotated[Literal["beginning", "end"], Meta(description="where a table is read from when it is met first")] = (
        "beginning"
    )


class SqlConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one connection to a database."""

    tables: Annotated[tuple[TableSource, ...], Meta(description="the tables that are read")] = ()
    poll: Annotated[Seconds, Meta(description="seconds between looks at the tables")] = 5.0
    rows: Annotated[int, Meta(ge=10, le=1_000_000, description="rows of one statement")] = 20_000
    overlap_rows: Annotated[int, Meta(ge=0, le=10_000_000, description="most rows within an overlap")] = 200_000
    statement_seconds: Annotated[Seconds, Meta(description="seconds that a statement may take")] = 30.0
    connect_seconds: Annotated[Seconds, Meta(description="seconds to wait for a connection")] = 10.0
    bad_after: Annotated[float, Meta(ge=0, description="seconds without the database until uncertain values become bad")] = 10.0
    reconnect_first: Annotated[Seconds, Meta(description="seconds before the first new attempt")] = 0.5
    reconnect_most: Annotated[Seconds, Meta(description="longest wait between two attempts, in seconds")] = 30.0

    def check(self) -> None:
        """Raises `OptionError` for settings that can never work."""
        names = [source.table for source in self.tables]
        for source in self.tables:
            try:
                source.check()
            except ValueError as error:
                raise OptionError(str(error), place=f"settings.tables, {source.table}") from error
            if names.count(source.table) > 1:
                raise OptionError("a table is named twice", place=f"settings.tables, {source.table}")


def parse_url(url: str) -> URL:
    """The URL of a database without a password; raises `AddressError`.

    >>> parse_url("postgresql://reader@db/plant").drivername
    'postgresql+psycopg'
    """
    hint = "write postgresql://user@host/database or sqlite:////data/plant.db, and give the password as the connector's"
    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise AddressError("not the address of a database", place=url[:80], hint=hint) from error
    if found.drivername not in SCHEMES:
        raise AddressError(f"there is no reader of '{found.drivername}' databases", place=url[:80], hint=hint)
    if found.password is not None:
        raise AddressError("the address holds a password", place=found.render_as_string(hide_password=True), hint=hint)
    strange = set(found.query) - _PARAMETERS
    if strange:
        raise AddressError(f"the address may not say {sorted(strange)[0]!r}", place=url[:80], hint=hint)
    if not found.database:
        raise AddressError("no database is named", place=url[:80], hint=hint)
    return found.set(drivername=_DRIVERS.get(found.drivername, found.drivername))


def database_file(url: URL) -> Path | None:
    """The file of a database that is one; raises `AddressError` for a path that is none."""
    if not url.drivername.startswith("sqlite"):
        return None
    path = Path(url.database or "")
    if not path.is_absolute() or ".." in path.parts or url.query:
        hint = "write sqlite:////data/plant.db, with four slashes"
        raise AddressError("the path of a database file begins with '/'", place=str(url), hint=hint)
    return path


def escape(name: str) -> str:
    """A name in an address, in which ``%3B`` stands for a semicolon."""
    return name.replace("%", "%25").replace(";", "%3B")


def parse_address(text: str) -> tuple[str, str, str]:
    """Table, ``column`` or ``tag``, and its name. Raises `AddressError`.

    >>> parse_address("table=plant.readings;column=pressure")
    ('plant.readings', 'column', 'pressure')
    """
    head, _, tail = text.partition(";")
    kind, equals, name = tail.partition("=")
    if not head.startswith("table=") or head == "table=" or kind not in ("column", "tag") or not equals or not name:
        raise AddressError("not an address in a database", place=text)
    return unquote(head[6:]), kind, unquote(name)


def targets_of(
    bindings: Sequence[Binding], configuration: SqlConfiguration
) -> tuple[dict[str, list[Target]], list[tuple[Binding, HulianError]]]:
    """The points of each table, and the bindings that can never be read."""
    sources = {source.table: source for source in configuration.tables}
    targets: dict[str, list[Target]] = {table: [] for table in sources}
    wrong: list[tuple[Binding, HulianError]] = []
    for binding in bindings:
        try:
            table, kind, name = parse_address(binding.address)
            source = sources.get(table)
            if source is None:
                raise OptionError(f"'tables' does not name {table!r}", place=binding.address)
            if (kind == "tag") != (source.layout == "long"):
                raise AddressError(f"{table!r} is read in the {source.layout} layout", place=binding.address)
            targets[table].append(Target.of(binding, name))
        except (AddressError, OptionError) as error:
            wrong.append((binding, error))
        except ValueError as error:
            wrong.append((binding, OptionError(str(error), place=binding.address)))
    return targets, wrong
