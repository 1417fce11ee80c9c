"""What can go wrong between us and a database.

HulianError
└── SqlError                HL-SQL-0000
    ├── AddressError        HL-SQL-0001   an address or URL that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError         HL-SQL-0002   a setting or option that does not fit (likewise)
    ├── DriverError         HL-SQL-0003   the driver of this database is not installed (likewise)
    ├── DirectoryError      HL-SQL-0004   a database file outside the directories that may be read (likewise)
    ├── ReachError          HL-SQL-0010   no connection, or it ended
    ├── AccessError         HL-SQL-0011   the database refuses us
    ├── BookmarkError       HL-SQL-0012   the memory of what was read is lost or cannot be written
    ├── SlowError           HL-SQL-0013   a statement took longer than its time
    ├── TableError          HL-SQL-0014   a table that is not there, or lacks a column it needs
    ├── ColumnError         HL-SQL-0015   a column of a point that a table has not
    ├── RowError            HL-SQL-0016   rows without a time or a name
    └── TypeFitError        HL-SQL-0017   values of another type than their point
"""

from __future__ import annotations

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "AccessError",
    "AddressError",
    "BookmarkError",
    "ColumnError",
    "DirectoryError",
    "DriverError",
    "OptionError",
    "ReachError",
    "RowError",
    "SlowError",
    "SqlError",
    "TableError",
    "TypeFitError",
]


class SqlError(HulianError):
    """The root of this protocol's errors."""

    code = "HL-SQL-0000"


class AddressError(SqlError, ConfigurationError):
    """An address or URL that the syntax does not know."""

    code = "HL-SQL-0001"
    default_hint = "write 'table=NAME;column=NAME' (wide layout) or 'table=NAME;tag=NAME' (long layout); see the README of sql"


class OptionError(SqlError, ConfigurationError):
    """A setting or option that does not fit."""

    code = "HL-SQL-0002"
    default_hint = "the README of sql lists settings and options"


class DriverError(SqlError, ConfigurationError):
    """The driver of this database is not installed."""

    code = "HL-SQL-0003"


class DirectoryError(SqlError, ConfigurationError):
    """A database file outside the directories that may be read."""

    code = "HL-SQL-0004"
    default_hint = "name the directory under 'directories' in the section [edge] of hulian.toml of the edge's machine"


class ReachError(SqlError):
    """No connection, or it ended."""

    code = "HL-SQL-0010"
    default_hint = "check address, port, network and that the database runs; it is tried again by itself"


class AccessError(SqlError):
    """The database refuses us."""

    code = "HL-SQL-0011"
    default_hint = "check user and password of the connector, and grant it SELECT on the tables"


class BookmarkError(SqlError):
    """The memory of what was read is lost or cannot be written."""

    code = "HL-SQL-0012"
    default_hint = (
        "free space in the data directory of the edge; where the memory is lost, tables are read from their beginning"
    )


class SlowError(SqlError):
    """A statement took longer than its time."""

    code = "HL-SQL-0013"
    default_hint = "make an index on the column in 'by', or raise 'statement_seconds'"


class TableError(SqlError):
    """A table that is not there, or lacks a column it needs."""

    code = "HL-SQL-0014"
    default_hint = "'hulian browse' lists tables and columns; the user needs SELECT on the table"


class ColumnError(SqlError):
    """A column of a point that a table has not."""

    code = "HL-SQL-0015"
    default_hint = "compare the name with the table: 'hulian browse' lists its columns"


class RowError(SqlError):
    """Rows without a time or a name."""

    code = "HL-SQL-0016"
    default_hint = "'time', 'time_format' and 'zone' say how times are read"


class TypeFitError(SqlError):
    """Values of another type than their point."""

    code = "HL-SQL-0017"
    default_hint = "give the point the type of the column"
