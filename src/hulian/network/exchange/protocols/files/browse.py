"""What the files of a directory hold: files as branches, columns (or names of points) as leaves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from anyio import to_thread
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import DIRECTORIES, Confinement
from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.convert import guess_storage
from hulian.network.exchange.protocols.files.config import FilesConfiguration, Place
from hulian.network.exchange.protocols.files.delimited import shape_of
from hulian.network.exchange.protocols.files.errors import AbsentError, DirectoryError, FileError
from hulian.network.exchange.protocols.files.watching import Found, Watch
from hulian.network.exchange.protocols.tabular import split_unit, time_column

__all__ = ["browse_files"]

_LOOKED_AT: Final = 2**18
_MOST_FILES: Final = 200
_MOST_TAGS: Final = 5_000
_ROWS: Final = 10_000


async def browse_files(
    place: Place, configuration: FilesConfiguration, environment: Environment, *, under: Address | None, depth: int
) -> AsyncIterator[Browsed]:
    """Raises `AbsentError` where there is no file, `DirectoryError` where it may not be read. A file that cannot be read is
    shown as a branch that says so."""
    configuration.check()
    confinement = Confinement(
        environment.extras.get(DIRECTORIES, ()), absent=AbsentError, outside=DirectoryError, unusable=FileError
    )
    confinement.check(place.directory)
    watch = Watch(place, configuration, confinement)
    found = [one for one in await to_thread.run_sync(watch.look) if one.matches]
    if not found:
        raise AbsentError("no file matches", place=str(place), hint="put one there, or correct the pattern")
    for one in found[-_MOST_FILES:]:
        name = one.path.name
        if under and under != f"file={name}":
            continue
        nodes, trouble = await to_thread.run_sync(_columns, one, configuration, confinement)
        if not under:
            yield Browsed(address=f"file={name}", name=name, path=(name,), leaf=False, description=trouble)
        if under or depth != 1:
            for node in nodes:
                yield node


def _columns(one: Found, configuration: FilesConfiguration, confinement: Confinement) -> tuple[list[Browsed], str]:
    try:
        descriptor = confinement.open(one.path)
        try:
            table, units = _head(descriptor, one, configuration)
        finally:
            os.close(descriptor)
        return list(_nodes(one, table, units, configuration)), ""
    except (FileError, pa.ArrowException, ValueError, OSError) as error:
        return [], f"cannot be read: {str(error)[:200]}"


def _head(descriptor: int, one: Found, configuration: FilesConfiguration) -> tuple[pa.Table, dict[str, str]]:
    """The first rows, with types as they look, and units that the file names itself."""
    if configuration.is_parquet(one.path.name):
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            file = parquet.ParquetFile(
                stream, pre_buffer=False, thrift_string_size_limit=2**26, thrift_container_size_limit=2**20
            )
            first = next(file.iter_batches(1000, use_threads=False), None) if file.metadata.num_rows else None
            table = file.schema_arrow.empty_table() if first is None else pa.Table.from_batches([first])
            named = {
                field.name: (field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace") for field in file.schema_arrow
            }
            return table, named
    head = os.pread(descriptor, _LOOKED_AT, 0)
    complete = len(head) < _LOOKED_AT
    shape = shape_of(head, configuration, complete=complete)
    if shape is None:
        raise FileError("no whole header yet", place=str(one.path))
    data = head[shape.offset :] if complete else head[shape.offset : head.rfind(b"\n") + 1]
    units = dict(zip(shape.names, shape.units, strict=False))
    if not data.strip():
        return pa.table({name: pa.array([], pa.null()) for name in shape.names}), units
    if shape.delimiter == "whitespace":
        data = b"\n".join(b" ".join(line.split()) for line in data.split(b"\n"))
    table = arrow_csv.read_csv(
        pa.BufferReader(data.decode(configuration.encoding, "replace").encode()),
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=list(shape.names), block_size=_LOOKED_AT * 4),
        parse_options=arrow_csv.ParseOptions(
            delimiter=" " if shape.delimiter == "whitespace" else shape.delimiter,
            quote_char=configuration.quote or False,
            invalid_row_handler=lambda row: "skip",
        ),
        convert_options=arrow_csv.ConvertOptions(
            null_values=list(configuration.nulls), decimal_point=configuration.decimal, strings_can_be_null=True
        ),
    )
    return table, units


def _nodes(one: Found, table: pa.Table, units: dict[str, str], configuration: FilesConfiguration) -> Iterator[Browsed]:
    names = table.schema.names
    time = None if configuration.start else time_column(names, configuration.time)
    if configuration.layout == "long":
        yield from _tags(one, table, configuration)
        return
    for name in names:
        if name in (time, configuration.quality):
            continue
        column = table.column(name)
        storage = guess_storage(column.type, column.slice(0, 100).combine_chunks())
        plain, unit = split_unit(name)
        yield Browsed(
            address=f"column={name}",
            name=plain,
            path=(one.path.name, plain),
            leaf=True,
            storage=storage or StorageClass.DOUBLE,
            kind=_kind(storage),
            unit=units.get(name) or unit,
            value=_shown(column),
        )


def _tags(one: Found, table: pa.Table, configuration: FilesConfiguration) -> Iterator[Browsed]:
    if configuration.tag not in table.schema.names or configuration.value not in table.schema.names:
        raise FileError(
            f"no columns {configuration.tag!r} and {configuration.value!r}", place=str(one.path), hint="set 'tag' and 'value'"
        )
    tags = table.column(configuration.tag).cast(pa.string()).combine_chunks()
    values = table.column(configuration.value).combine_chunks()
    for tag in pc.unique(tags).to_pylist()[:_MOST_TAGS]:
        if tag is None:
            continue
        mine = values.filter(pc.equal(tags, tag))
        storage = _narrowest(mine)
        name, unit = split_unit(tag)
        yield Browsed(
            address=f"tag={tag}",
            name=name,
            path=(one.path.name, name),
            leaf=True,
            storage=storage,
            kind=_kind(storage),
            unit=unit,
            value=_shown(mine),
        )


def _narrowest(values: pa.Array) -> StorageClass:
    """What the values of one name look like, where those of another made the column one of texts."""
    if pa.types.is_string(values.type):
        for kind in (pa.int64(), pa.float64(), pa.bool_()):
            try:
                return guess_storage(values.cast(kind).type) or StorageClass.TEXT
            except pa.ArrowInvalid:
                continue
    return guess_storage(values.type, values.slice(0, 100)) or StorageClass.DOUBLE


def _kind(storage: StorageClass | None) -> Kind:
    return Kind.CONTINUOUS if storage in (None, StorageClass.DOUBLE) else Kind.STEP


def _shown(column: pa.Array | pa.ChunkedArray) -> str:
    value = column[len(column) - 1].as_py() if len(column) else None
    return "" if value is None else str(value)[:80]
