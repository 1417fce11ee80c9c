"""What a person configures of a connection to files."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.files.errors import AddressError, OptionError
from hulian.network.exchange.protocols.moments import parse_time
from hulian.network.exchange.protocols.tabular import TableMapping, Target

__all__ = ["FilesConfiguration", "Place", "parse_url", "targets_of"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_PARQUET = (".parquet", ".pq")


class FilesConfiguration(TableMapping, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one connection to files, besides those of the mapping of columns."""

    mode: Annotated[
        Literal["follow", "collect", "replay"],
        Meta(description="follow growing files, collect finished ones, or replay recorded ones at a pace"),
    ] = "follow"
    pattern: Annotated[str, Meta(min_length=1, description="names of files, where the address is a directory")] = "*"
    format: Annotated[Literal["auto", "csv", "parquet"], Meta(description="auto: .parquet and .pq are Parquet")] = "auto"
    delimiter: Annotated[
        str, Meta(min_length=1, description="one character, 'auto', or 'whitespace' for any number of blanks")
    ] = "auto"
    quote: Annotated[str, Meta(max_length=1, description="character around texts; empty: none")] = '"'
    encoding: Annotated[str, Meta(description="encoding of the text, one in which a line end is the byte 10")] = "utf-8"
    nulls: Annotated[tuple[str, ...], Meta(description="texts that mean: no value")] = (
        "", "NA", "N/A", "null", "NULL", "NaN", "nan",
    )  # fmt: skip
    skip: Annotated[int, Meta(ge=0, le=1000, description="lines before the header")] = 0
    header: Annotated[bool, Meta(description="whether a line names the columns")] = True
    units_line: Annotated[bool, Meta(description="whether the line behind the header holds units")] = False
    columns: Annotated[tuple[str, ...], Meta(description="names of columns where no line names them; else c1, c2, …")] = ()
    start: Annotated[str, Meta(description="time of the first row, where rows hold none (RFC 3339)")] = ""
    every: Annotated[float, Meta(ge=0, description="seconds from row to row, where rows hold no time")] = 0.0
    begin: Annotated[
        Literal["beginning", "end"], Meta(description="where a followed file is read from when it is met first")
    ] = "beginning"
    poll: Annotated[Seconds, Meta(description="seconds between looks at the files")] = 1.0
    settle: Annotated[float, Meta(ge=0, description="seconds without growth until a collected file is finished")] = 5.0
    marker: Annotated[str, Meta(description="suffix of a file beside it that says it is finished, e.g. '.done'")] = ""
    order: Annotated[Literal["name", "modified"], Meta(description="which file is collected or replayed first")] = "name"
    pace: Annotated[float, Meta(ge=0, description="replay: 1 as recorded, 60 a minute a second, 0 as fast as it goes")] = 1.0
    times: Annotated[Literal["recorded", "now"], Meta(description="replay: times as recorded, or as of the replay")] = "now"
    longest_gap: Annotated[Seconds, Meta(description="replay: a longer gap between rows, in played seconds, is left out")] = (
        60.0
    )
    longest_line: Annotated[int, Meta(ge=256, le=2**24, description="bytes of a row; a longer one is a bad row")] = 2**20
    bad_after: Annotated[float, Meta(ge=0, description="seconds without the files until uncertain values become bad")] = 10.0
    reconnect_first: Annotated[Seconds, Meta(description="seconds before the first new attempt")] = 0.5
    reconnect_most: Annotated[Seconds, Meta(description="longest wait between two attempts, in seconds")] = 30.0

    def check(self) -> None:
        """Raises `OptionError` for settings that can never work."""
        try:
            TableMapping.check(self)
            codecs.lookup(self.encoding)
            if "\n".encode(self.encoding) != b"\n":
                raise ValueError(f"in {self.encoding!r} a line does not end with the byte 10")
        except (ValueError, LookupError) as error:
            raise OptionError(str(error), place="settings") from error
        if self.delimiter not in ("auto", "whitespace") and (len(self.delimiter) != 1 or not self.delimiter.isascii()):
            raise OptionError(f"{self.delimiter!r} is no delimiter", place="settings", hint="one ASCII character")
        if self.start and (parse_time(self.start, "iso") is None or not self.every):
            raise OptionError("'start' is an RFC 3339 time and needs 'every'", place="settings")
        if "/" in self.pattern or "/" in self.marker:
            raise OptionError("'pattern' and 'marker' are names, not paths", place="settings")

    def is_parquet(self, name: str) -> bool:
        """Whether the file of that name is Parquet."""
        return self.format == "parquet" or (self.format == "auto" and name.lower().endswith(_PARQUET))


class Place(msgspec.Struct, frozen=True):
    """Which files: those in ``directory`` whose names match ``pattern``. ``single``: one file, which ought to be there."""

    directory: Path
    pattern: str
    single: bool = False

    def __str__(self) -> str:
        return str(self.directory / self.pattern)


def parse_url(url: str, configuration: FilesConfiguration) -> Place:
    """``file:///directory/``, ``file:///directory/*.csv`` or ``file:///directory/log.csv``; raises `AddressError`.

    >>> parse_url("file:///data/drop/*.csv", FilesConfiguration())
    Place(directory=PosixPath('/data/drop'), pattern='*.csv', single=False)
    """
    hint = "write file:///directory/, file:///directory/*.csv or file:///directory/log.csv"
    if not url.startswith("file:"):
        raise AddressError("not the address of files", place=url, hint=hint)
    rest = url[5:]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        if host not in ("", "localhost"):
            raise AddressError(f"the files of '{host}' are on another machine", place=url, hint="mount them, or " + hint)
    path = unquote(rest)
    if not path.startswith("/") or "\0" in path:
        raise AddressError("the path of files begins with '/'", place=url, hint=hint)
    parts = path.split("/")
    if ".." in parts:
        raise AddressError("a path of files does not go up with '..'", place=url, hint=hint)
    if any(mark in part for part in parts[:-1] for mark in "*?["):
        raise AddressError("only the last part of the path may be a pattern", place=url, hint=hint)
    directory, name = Path(*["/", *(part for part in parts[:-1] if part not in ("", "."))]), parts[-1]
    if not name:
        return Place(directory, configuration.pattern)
    return Place(directory, name, single=not any(mark in name for mark in "*?["))


def targets_of(
    bindings: tuple[Binding, ...], configuration: FilesConfiguration
) -> tuple[list[Target], list[tuple[Binding, HulianError]]]:
    """The points, and the bindings that can never be read."""
    targets: list[Target] = []
    wrong: list[tuple[Binding, HulianError]] = []
    wanted = "column" if configuration.layout == "wide" else "tag"
    for binding in bindings:
        kind, equals, name = binding.address.partition("=")
        if not equals or not name or kind != wanted:
            text = f"in the {configuration.layout} layout an address is '{wanted}=NAME'"
            wrong.append((binding, AddressError(text, place=binding.address)))
            continue
        try:
            targets.append(Target.of(binding, name))
        except ValueError as error:
            wrong.append((binding, OptionError(str(error), place=binding.address)))
    return targets, wrong
