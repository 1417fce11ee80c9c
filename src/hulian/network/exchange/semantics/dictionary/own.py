"""Dictionaries of one's own, as JSON or CSV, and any dictionary written in that way."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.concepts import recognise
from hulian.network.exchange.semantics.contract import Loss, Source
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header, Kind
from hulian.network.exchange.semantics.dictionary.lines import text_lines
from hulian.network.exchange.semantics.documents import read_json
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["read_csv", "read_own", "write_own"]

_LARGEST: Final = 128 << 20
_MOST_ROWS: Final = 1_000_000
_KINDS: Final = {kind.name.lower().replace("_", "-"): kind for kind in Kind}
_TEXTS: Final = {"name": "names", "short-name": "short_names", "definition": "definitions", "note": "notes"}
_PLAIN: Final = ("parent", "datatype", "format", "unit", "quantity", "symbol", "value", "source", "value-list", "replaced-by")
_LISTS: Final = ("cases", "properties", "values", "units")


def _row_type() -> type[msgspec.Struct]:
    """An entry as a document spells it: ``id`` for its identifier, its kind in words, ``value-list`` for ``value_list``."""
    fields: list[Any] = [("id", str), ("kind", str)]
    for field in msgspec.structs.fields(Entry):
        if field.name not in ("identifier", "kind"):
            made = field.default_factory is not msgspec.NODEFAULT
            default = msgspec.field(default_factory=field.default_factory) if made else msgspec.field(default=field.default)
            fields.append((field.name, field.type, default))
    return msgspec.defstruct("Row", fields, kw_only=True, forbid_unknown_fields=True, rename="kebab")


_Row: Final = _row_type()


class _About(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str = ""
    title: str = ""
    version: str = ""
    publisher: str = ""
    licence: str = ""


class _Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    dictionary: _About
    entries: list[msgspec.Raw]


def read_own(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of a JSON document. A key that is not known, or a kind, is refused with the path of its entry."""
    document = read_json(source, _Document, largest=_LARGEST)
    about = document.dictionary
    header.format = header.format or "own"
    header.name = header.name or about.name
    header.title = header.title or about.title
    header.label = header.label or about.version
    header.publisher = header.publisher or about.publisher
    header.licence = header.licence or about.licence
    for number, raw in enumerate(document.entries):
        place = f"{source.name}, $.entries[{number}]"
        try:
            row = msgspec.json.decode(raw, type=_Row)
        except UNREADABLE as error:
            raise DocumentError(f"it is no entry: {error}", place=place) from error
        facts = msgspec.structs.asdict(row)
        yield _entry(facts.pop("id"), facts.pop("kind"), facts, place)


def _entry(identifier: str, kind: str, facts: dict[str, Any], place: str) -> Entry:
    if kind not in _KINDS:
        raise DocumentError(f"there is no kind '{kind[:50]}'", place=place, hint=f"one of {', '.join(_KINDS)}")
    if recognise(identifier) is None:
        raise DocumentError(
            f"'{identifier[:100]}' identifies no concept",
            place=place,
            hint="write an IRDI, or a URI such as plant:outlet-pressure",
        )
    return Entry(identifier=identifier, kind=_KINDS[kind], **facts)


def read_csv(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of a CSV document: columns ``id``, ``kind``, ``name.en``, ``definition.de``, ``synonyms.en`` and so on.

    Lists are parted by ``|``. A column that is not known is a loss; a row that is no entry is refused with its number.
    """
    header.format = header.format or "own"
    try:
        reader = csv.reader(text_lines(source, "utf-8-sig", _LARGEST))
        columns = [cell.strip() for cell in next(reader, [])]
        if "id" not in columns or "kind" not in columns:
            raise DocumentError("it has no columns 'id' and 'kind'", place=f"{source.name}, row 1")
        unknown = [name for name in columns if not _known(name)]
        losses += [Loss(f"{source.name}, row 1", f"column {name}", "no such column is known") for name in unknown]
        for number, row in enumerate(reader, 2):
            if number > _MOST_ROWS:
                raise HostileDocumentError(f"it has more than {_MOST_ROWS} rows", place=source.name)
            cells = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if cell.strip()}
            if cells:
                yield _entry(cells.get("id", ""), cells.get("kind", ""), _facts(cells), f"{source.name}, row {number}")
    except (csv.Error, UnicodeError) as error:
        raise DocumentError(f"it is no CSV: {error}", place=source.name) from error


def _known(name: str) -> bool:
    base = name.partition(".")[0]
    return name in (*_PLAIN, *_LISTS, "id", "kind", "deprecated") or base in (*_TEXTS, "synonyms")


def _facts(cells: dict[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for column, cell in cells.items():
        name, _, language = column.partition(".")
        if name in _TEXTS:
            facts.setdefault(_TEXTS[name], {})[language or "en"] = cell
        elif name == "synonyms":
            facts.setdefault(name, {})[language or "en"] = _parts(cell)
        elif column in _LISTS:
            facts[column] = _parts(cell)
        elif column in _PLAIN:
            facts[column.replace("-", "_")] = cell
        elif column == "deprecated":
            facts[column] = cell.lower() in ("true", "yes", "1", "x")
    return facts


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def write_own(header: Header, entries: Iterable[Entry], out: BinaryIO) -> None:
    """Writes a dictionary as `read_own` reads it: nothing of an entry is lost."""
    about = _About(
        name=header.name, title=header.title, version=header.label, publisher=header.publisher, licence=header.licence
    )
    out.write(b'{"dictionary": ' + msgspec.json.encode(about) + b',\n"entries": [')
    separator = b"\n"
    for entry in entries:
        facts = {
            name.replace("_", "-"): value
            for name in Entry.__struct_fields__
            if name not in ("identifier", "kind") and (value := getattr(entry, name))
        }
        kind = entry.kind.name.lower().replace("_", "-")
        out.write(separator + msgspec.json.encode({"id": entry.identifier, "kind": kind, **facts}))
        separator = b",\n"
    out.write(b"\n]}\n")
