"""Exports of IEC CDD: parcels (IEC 62656-1), one sheet for each kind of thing, as CSV or in a workbook.

A sheet begins with instructions, lines whose first cell begins with ``#``: ``#CLASS_ID:=MDC_C003`` says what its rows are,
``#PROPERTY_ID`` names the columns by the identifiers of the meta-dictionary, with a language behind where there are several
(``MDC_P004_1.en``). All other lines are rows; their first cell is empty.

Bends that are accepted, each because exports have it:

* an instruction and its value in one cell (``#CLASS_ID:=…``) or in two;
* columns by their full IRDI, in small letters, or languages in capitals (``MDC_P004_1.EN``);
* codes without supplier (``AAA001``), where the sheet names one (``#DEFAULT_SUPPLIER``, ``#DEFAULT_DATA_SUPPLIER``);
* sets in ``()``, in ``{}`` or bare, parted by commas or spaces;
* commas, semicolons or tabs between cells; UTF-8 with and without mark, UTF-16, Windows-1252;
* no ``#CLASS_ID``: the column of codes tells what the rows are.
"""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

from hulian.network.exchange.semantics.concepts import recognise
from hulian.network.exchange.semantics.contract import Loss, Source
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header, Kind
from hulian.network.exchange.semantics.dictionary.lines import text_lines
from hulian.network.exchange.semantics.documents import Container
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = ["read_parcel", "read_workbook", "sheet_of"]

_KINDS: Final = {
    "MDC_C002": Kind.CLASS,
    "MDC_C003": Kind.PROPERTY,
    "MDC_C005": Kind.VALUE_LIST,
    "MDC_C009": Kind.UNIT,
    "MDC_C010": Kind.VALUE,
}
_OTHERS: Final = ("MDC_C004", "MDC_C006", "MDC_C011", "EXT_C001")
"""Sheets of other things (suppliers, documents, relations, views): passed over."""
_CODES: Final = {
    "MDC_P001_5": Kind.CLASS,
    "MDC_P001_6": Kind.PROPERTY,
    "MDC_P001_10": Kind.UNIT,
    "MDC_P001_11": Kind.VALUE,
    "MDC_P001_12": Kind.VALUE_LIST,
}
_SUPPLIERS: Final = ("DEFAULT_SUPPLIER", "DEFAULT_DATA_SUPPLIER")
_LARGEST: Final = 512 << 20
_MOST_ROWS: Final = 1_000_000
_MOST_COLUMNS: Final = 500
_ENUMERATION: Final = re.compile(r"ENUM_\w+\s*\(\s*([^()\s]+)\s*\)", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"CLASS_(?:REFERENCE|INSTANCE)\w*\s*\(\s*([^()\s]+)\s*\)", re.IGNORECASE)
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
)


def read_parcel(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of one sheet as CSV. Raises `DocumentError` where it is no parcel, `HostileDocumentError` beyond a bound."""
    with source.open() as opened:
        head = opened.read(4096)
    encoding = _encoding(head)
    delimiter = _delimiter(head.decode(encoding, "replace"))
    try:
        yield from sheet_of(
            csv.reader(text_lines(source, encoding, _LARGEST), delimiter=delimiter), source.name, header, losses
        )
    except (csv.Error, UnicodeError) as error:
        raise DocumentError(f"it is no CSV: {error}", place=source.name) from error


def read_workbook(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of all sheets of a workbook (.xlsx); errors as of `read_parcel`."""
    with Container(source) as container:  # its members are counted and measured before any is unpacked
        for name in container.members:
            if name.lower().endswith((".xml", ".rels", ".vml")):
                _no_declaration(container.open(name), f"{source.name}, {name}")
    import openpyxl

    with source.open() as opened:
        try:
            book = openpyxl.load_workbook(opened, read_only=True, data_only=True, keep_links=False)
        except _UNREADABLE as error:
            raise DocumentError(f"it is no workbook: {error}", place=source.name) from error
        try:
            for sheet in book.worksheets:
                rows = (["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True))
                yield from sheet_of(
                    _damaged(rows, source.name), f"{source.name}, sheet {sheet.title}", header, losses, optional=True
                )
        finally:
            book.close()


def _no_declaration(member: IO[bytes], place: str) -> None:
    """Refuses a part with a document type declaration, wherever it stands: the library that reads workbooks would take it."""
    with member:
        rest = b""
        while piece := member.read(1 << 20):
            plain = (rest + piece).replace(b"\0", b"")
            if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
                raise HostileDocumentError("it declares a document type, which this reader never takes", place=place)
            rest = piece[-32:]


def _damaged(rows: Iterator[list[str]], place: str) -> Iterator[list[str]]:
    try:
        yield from rows
    except _UNREADABLE as error:
        raise DocumentError(f"the workbook is damaged: {type(error).__name__}", place=place) from error


def sheet_of(
    rows: Iterable[Sequence[str]], place: str, header: Header, losses: list[Loss], *, optional: bool = False
) -> Iterator[Entry]:
    """The entries of the rows of one sheet; one that is no parcel is an error, or nothing where it is ``optional``."""
    header.format = header.format or "IEC CDD"
    said: dict[str, str] = {}
    columns: list[str] = []
    for number, row in enumerate(rows, 1):
        if number > _MOST_ROWS or len(row) > _MOST_COLUMNS:
            raise HostileDocumentError(f"it has more than {_MOST_ROWS} rows or {_MOST_COLUMNS} columns", place=place)
        first = row[0].strip() if row else ""
        if first.startswith("#"):
            name, _, value = first[1:].partition(":=")
            name = name.strip().upper()
            if name == "PROPERTY_ID":
                columns = [_column(cell) for cell in row]
            else:
                said[name] = value.strip() or (row[1].strip() if len(row) > 1 else "")
            continue
        if not columns:
            if any(cell.strip() for cell in row) and not optional:
                raise DocumentError(
                    "a row stands before '#PROPERTY_ID'",
                    place=f"{place}, row {number}",
                    hint="export the sheet with its instructions, the lines that begin with #",
                )
            continue
        facts = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name and cell.strip()}
        if facts:
            entry = _entry(facts, said, f"{place}, row {number}", losses)
            if entry is not None:
                yield entry
    if not columns and not optional:
        raise DocumentError("it has no line '#PROPERTY_ID'", place=place, hint="export it in the parcel format")
    _describe(header, said)


def _describe(header: Header, said: dict[str, str]) -> None:
    header.label = header.label or said.get("DICTIONARY_VERSION", "") or said.get("VERSION", "")
    header.title = header.title or said.get("DICTIONARY_NAME.EN", "") or said.get("PROJECT_NAME", "")


def _column(cell: str) -> str:
    """``0112/2///62656_1#MDC_P004_1.EN`` as ``MDC_P004_1.en``."""
    name, dot, language = cell.strip().rpartition("#")[2].partition(".")
    return name.upper() + dot + language.lower()


def _entry(facts: dict[str, str], said: dict[str, str], place: str, losses: list[Loss]) -> Entry | None:
    meta = said.get("CLASS_ID", "").rpartition("#")[2].upper()
    kind = _KINDS.get(meta) or next((kind for code, kind in _CODES.items() if code in facts), None)
    if kind is None:
        if meta not in _OTHERS:
            losses.append(Loss(place, f"a row of {meta or 'no class'}", "it is no class, property, value or unit"))
        return None
    code = next((facts[name] for name, of in _CODES.items() if of is kind and name in facts), facts.get("MDC_P001", ""))
    supplier = next((said[name] for name in _SUPPLIERS if said.get(name)), "")

    def whole(text: str) -> str:
        return f"{supplier}#{text}" if supplier and "#" not in text and ":" not in text and text else text

    identifier = whole(code)
    found = recognise(identifier)
    if found is None:
        losses.append(Loss(place, f"{kind.name.lower()} {code[:100]}", "its code is neither an IRDI nor a URI"))
        return None
    if not found.version and facts.get("MDC_P002_1", "").isdigit() and found.scheme == "irdi":
        identifier = f"{identifier}#{facts['MDC_P002_1'].zfill(3)}"
    datatype = facts.get("MDC_P022", "") or facts.get("MDC_P020", "")
    enumeration, reference = _ENUMERATION.search(datatype), _REFERENCE.search(datatype)
    extra: dict[str, Any] = {"class": whole(reference[1])} if reference else {}
    if "MDC_P028" in facts:
        extra["condition"] = facts["MDC_P028"]
    return Entry(
        identifier=identifier,
        kind=kind,
        names=_texts(facts, "MDC_P004_1") or _texts(facts, "MDC_P004"),
        short_names=_texts(facts, "MDC_P004_3"),
        synonyms={
            tag: tuple(part for part in re.split(r"[;,]\s*", text) if part) for tag, text in _texts(facts, "MDC_P004_2").items()
        },
        definitions=_texts(facts, "MDC_P005") or _texts(facts, "MDC_P006"),
        notes=_texts(facts, "MDC_P007_1") or _texts(facts, "MDC_P008"),
        parent=whole(facts.get("MDC_P010", "")) if kind is Kind.CLASS else "",
        cases=tuple(map(whole, _list(facts.get("MDC_P013", "")))),
        properties=tuple(dict.fromkeys(map(whole, [*_list(facts.get("MDC_P014", "")), *_list(facts.get("MDC_P090", ""))])))
        if kind is Kind.CLASS
        else (),
        datatype=_datatype(datatype),
        format=facts.get("MDC_P024", ""),
        unit=whole(facts.get("MDC_P041", "")) or (facts.get("MDC_P023", "") if kind is Kind.PROPERTY else ""),
        units=tuple(map(whole, _list(facts.get("MDC_P042", "")))),
        quantity=whole(facts.get("MDC_P114", "")),
        symbol=facts.get("MDC_P025_1", "")
        or (facts.get("MDC_P023_1", "") or facts.get("MDC_P023", "") if kind is Kind.UNIT else ""),
        value_list=whole(enumeration[1]) if enumeration else "",
        values=tuple(map(whole, _list(facts.get("MDC_P043", "")))) if kind is Kind.VALUE_LIST else (),
        value=facts.get("MDC_P044", "") if kind is Kind.VALUE else "",
        source=facts.get("MDC_P006_1", ""),
        extra={"parcel": extra} if extra else {},
    )


def _texts(facts: dict[str, str], name: str) -> dict[str, str]:
    found = {column.partition(".")[2]: text for column, text in facts.items() if column.partition(".")[0] == name}
    if "" in found and len(found) == 1:
        return {"en": found[""]}
    return {tag: text for tag, text in found.items() if tag}


def _list(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text.strip().strip("(){}")) if part]


def _datatype(text: str) -> str:
    """``LEVEL(MIN,MAX) OF REAL_MEASURE_TYPE`` as ``REAL_MEASURE``."""
    name = re.split(r"\s+OF\s+", text.upper())[-1].partition("(")[0].strip()
    return name.removesuffix("_TYPE")


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(head: str) -> str:
    for line in head.splitlines():
        if line.lstrip('"').upper().startswith("#PROPERTY_ID"):
            return max(",;\t", key=line.count)
    return max(",;\t", key=head.count)
