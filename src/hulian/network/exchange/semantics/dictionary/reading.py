"""A document that holds a dictionary, in whichever format: ECLASS XML, IEC CDD, one's own; alone or in a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from hulian.network.exchange.semantics.contract import Loss, Source
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header
from hulian.network.exchange.semantics.dictionary.ontoml import read_ontoml
from hulian.network.exchange.semantics.dictionary.own import read_csv, read_own
from hulian.network.exchange.semantics.dictionary.parcel import read_parcel, read_workbook
from hulian.network.exchange.semantics.documents import Container
from hulian.network.exchange.semantics.errors import DocumentError, UnknownFormatError

__all__ = ["read_dictionary"]

_Reader = Callable[[Source, Header, list[Loss]], Iterator[Entry]]
_HEAD: Final = 8192
_XML: Final = (b"ontoml", b"eclass_dictionary", b"eclass_units", b"UnitsML")
_PARTS: Final = (".xml", ".csv", ".xlsx", ".json")


def read_dictionary(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of a document, as they are read, for `Dictionaries.take`. ``header`` is filled with what the document says.

    Of a container (.zip) all documents are read, in the order of their names. Raises `UnknownFormatError` where it is none of
    the formats, `DocumentError` with the place where it is broken, `HostileDocumentError` beyond a bound.
    """
    with source.open() as opened:
        head = opened.read(_HEAD)
    if head.startswith(b"PK"):
        yield from _contained(source, header, losses)
        return
    yield from _reader(source, head)(source, header, losses)


def _contained(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    with Container(source) as container:
        if "xl/workbook.xml" in container.members:
            yield from read_workbook(source, header, losses)
            return
        parts = [name for name in sorted(container.members) if name.lower().endswith(_PARTS)]
        read = 0
        for name in parts:
            part = container.source(name)
            with part.open() as opened:
                head = opened.read(_HEAD)
            try:
                reader = read_workbook if head.startswith(b"PK") else _reader(part, head)
            except UnknownFormatError:
                losses.append(Loss(f"{source.name}/{name}", "a document", "it is none of a dictionary"))
                continue
            read += 1
            yield from reader(part, header, losses)
        if not read:
            raise UnknownFormatError("it contains no document of a dictionary", place=source.name, hint=_HINT)


_HINT: Final = "ECLASS XML, a parcel of IEC CDD (.csv, .xlsx), or a dictionary of your own (.json, .csv)"


def _reader(source: Source, head: bytes) -> _Reader:
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"<"):
        plain = head.replace(b"\0", b"")
        if any(word in plain for word in _XML):
            return read_ontoml
    elif begin.startswith(b"{"):
        return read_own
    elif head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentError("it is a workbook of the old format", place=source.name, hint="save it as .xlsx or as CSV")
    elif b"#PROPERTY_ID" in head.replace(b"\0", b"").upper() or begin.lstrip(b'"').startswith(b"#"):
        return read_parcel
    elif source.name.lower().endswith(".csv"):
        return read_csv
    raise UnknownFormatError("it is no dictionary", place=source.name, hint=_HINT)
