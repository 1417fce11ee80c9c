"""What can go wrong between us and files.

HulianError
└── FilesError              HL-FILES-0000
    ├── AddressError        HL-FILES-0001   an address or URL that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError         HL-FILES-0002   a setting or option that does not fit (likewise)
    ├── DirectoryError      HL-FILES-0003   a place outside the directories that may be read (likewise)
    ├── AbsentError         HL-FILES-0010   the directory or file is not there
    ├── BookmarkError       HL-FILES-0011   the memory of what was read is lost or cannot be written
    ├── FileError           HL-FILES-0012   a file that cannot be read at all
    ├── RowError            HL-FILES-0013   rows that cannot be read
    ├── TypeFitError        HL-FILES-0014   values of another type than their point
    ├── ColumnError         HL-FILES-0015   a column that a file has not
    ├── TruncatedError      HL-FILES-0020   a followed file was cut or written anew
    └── TailError           HL-FILES-0021   a followed file went away before its end was read
"""

from __future__ import annotations

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "AbsentError",
    "AddressError",
    "BookmarkError",
    "ColumnError",
    "DirectoryError",
    "FileError",
    "FilesError",
    "OptionError",
    "RowError",
    "TailError",
    "TruncatedError",
    "TypeFitError",
]


class FilesError(HulianError):
    """The root of this protocol's errors."""

    code = "HL-FILES-0000"


class AddressError(FilesError, ConfigurationError):
    """An address or URL that the syntax does not know."""

    code = "HL-FILES-0001"
    default_hint = "write 'column=NAME' (wide layout) or 'tag=NAME' (long layout); see the README of files"


class OptionError(FilesError, ConfigurationError):
    """A setting or option that does not fit."""

    code = "HL-FILES-0002"
    default_hint = "the README of files lists settings and options"


class DirectoryError(FilesError, ConfigurationError):
    """A place outside the directories that may be read."""

    code = "HL-FILES-0003"
    default_hint = "name the directory under 'directories' in the section [edge] of hulian.toml of the edge's machine"


class AbsentError(FilesError):
    """The directory or file is not there."""

    code = "HL-FILES-0010"
    default_hint = "check the path, the mount and the permissions; reading begins by itself when it is there"


class BookmarkError(FilesError):
    """The memory of what was read is lost or cannot be written."""

    code = "HL-FILES-0011"
    default_hint = "free space in the data directory of the edge; where the memory is lost, files are read from their beginning"


class FileError(FilesError):
    """A file that cannot be read at all."""

    code = "HL-FILES-0012"
    default_hint = "open it with another program; a file that is still written needs a longer 'settle' or a 'marker'"


class RowError(FilesError):
    """Rows that cannot be read."""

    code = "HL-FILES-0013"
    default_hint = "look at the line; 'time_format', 'delimiter' and 'decimal' say how rows are read"


class TypeFitError(FilesError):
    """Values of another type than their point."""

    code = "HL-FILES-0014"
    default_hint = "give the point the type that the file holds, or set 'decimal' and 'nulls'"


class ColumnError(FilesError):
    """A column that a file has not."""

    code = "HL-FILES-0015"
    default_hint = "compare the name with the file's header: 'hulian browse' lists its columns"


class TruncatedError(FilesError):
    """A followed file was cut or written anew."""

    code = "HL-FILES-0020"
    default_hint = "it is read from its beginning; let the writer rename the old file and begin a new one"


class TailError(FilesError):
    """A followed file went away before its end was read."""

    code = "HL-FILES-0021"
    default_hint = "keep the old file beside the new one for as long as this connector may be stopped"
