"""What a CAEX file says of itself and of each object, written by the schema of its version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version as installed
from typing import Any, Final
from xml.sax.saxutils import escape

from hulian.network.exchange.semantics.automationml.headers import local_name, revived
from hulian.network.exchange.semantics.automationml.names import HEADER, NAMESPACE
from hulian.network.exchange.semantics.automationml.text import XmlText
from hulian.network.exchange.semantics.contract import Loss

__all__ = ["additional", "file_attributes", "namespace_of", "write_header", "write_heading", "write_kept"]

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_STANDARD: Final = "AutomationML 2.10"
"""The superior standard whose files are CAEX 3.0."""
_WRITER: Final = {
    "WriterName": "OriginName",
    "WriterID": "OriginID",
    "WriterVendor": "OriginVendor",
    "WriterVendorURL": "OriginVendorURL",
    "WriterVersion": "OriginVersion",
    "WriterRelease": "OriginRelease",
    "LastWritingDateTime": "LastWritingDateTime",
    "WriterProjectTitle": "OriginProjectTitle",
    "WriterProjectID": "OriginProjectID",
}
_REQUIRED: Final = ("OriginName", "OriginID", "OriginVersion", "LastWritingDateTime")
_DATE_TIME: Final = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_FIRST_TAG: Final = re.compile(r"<(?:[\w.-]+:)?([A-Za-z]+)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


def additional(xml: str) -> str:
    """Anything as an element of a header."""
    return f"<AdditionalInformation>{xml}</AdditionalInformation>"


def namespace_of(version: str) -> str:
    """The namespace of a version's elements, or "" where they have none."""
    return NAMESPACE if version == "3.0" else ""


def file_attributes(file: dict[str, Any], name: str, version: str, own: str) -> Iterator[tuple[str, str | None]]:
    """The attributes of CAEXFile."""
    if version == "3.0":
        yield "xmlns", NAMESPACE
    others: dict[str, str] = file.get("attributes", {})
    if any(key.startswith(f"{{{_XSI}}}") for key in others):
        yield "xmlns:xsi", _XSI
    yield "SchemaVersion", version
    yield "FileName", name
    yield "ChangeMode", file.get("change")
    for key, text in others.items():
        if key.startswith(f"{{{_XSI}}}") and version == own:
            yield f"xsi:{key.partition('}')[2]}", text


def write_heading(text: XmlText, file: dict[str, Any], version: str, own: str, now: str, losses: list[Loss]) -> None:
    """What stands before the hierarchies and libraries of a file."""
    kept = list(file.get("header", ()))
    standards, sources = list(file.get("standards", ())), [dict(source) for source in file.get("sources", ())]
    place = str(file.get("name", ""))
    if version == "3.0" and own != "3.0":
        kept, more = _sources_of(kept)
        sources += more
        standards = standards or [_STANDARD]
    elif version == "2.15" and own == "3.0":
        kept = ['<AdditionalInformation AutomationMLVersion="2.0"/>', *map(_writer_header, sources), *kept]
        losses.extend(Loss(place, f"the superior standard {each!r}", "CAEX 2.15 names none") for each in standards)
    write_header(
        text, {**file, "header": kept}, {"": file["description"]} if "description" in file else {}, version, losses, place
    )
    if version == "3.0":
        for standard in standards:
            text.leaf("SuperiorStandardVersion", (), standard)
        if not sources:
            number = installed("hulian")
            sources = [{"OriginName": "Hulian", "OriginID": "hulian", "OriginVersion": number, "LastWritingDateTime": now}]
        for source in sources:
            text.leaf("SourceDocumentInformation", _source(source, now, losses, place), None)
    for each in file.get("references", ()):
        if "xml" not in each or not write_kept(text, each["xml"], version, losses, place):
            text.leaf("ExternalReference", (("Path", each["path"]), ("Alias", each["alias"])), None)


def _source(source: dict[str, str], now: str, losses: list[Loss], place: str) -> list[tuple[str, str]]:
    """The attributes of a source, with those that the schema asks for; a time that is none is mended and told."""
    for key in _REQUIRED:
        if key not in source:
            losses.append(Loss(place, f"{key} of its source", "the schema asks for it; it is written as unknown", lost=False))
            source[key] = now if key == "LastWritingDateTime" else "unknown"
    written = source["LastWritingDateTime"]
    if not _DATE_TIME.fullmatch(written):
        date = _DATE.match(written.strip())
        source["LastWritingDateTime"] = f"{date[0]}T00:00:00" if date else now
        losses.append(
            Loss(place, f"the time of writing {written.strip()!r}", f"it is written as {source['LastWritingDateTime']}")
        )
    return list(source.items())


def _sources_of(kept: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    """Header elements of 2.15 without the writers' headers, and these as the sources of 3.0."""
    rest, sources = [], []
    for each in kept:
        element = revived(each, "") if "WriterHeader" in each else None
        writer = element[0] if element is not None and len(element) == 1 else None
        if writer is None or local_name(writer) != "WriterHeader":
            if "AutomationMLVersion=" not in each:
                rest.append(each)
            continue
        known = {local_name(part): (part.text or "").strip() for part in writer}
        sources.append({_WRITER[key]: value for key, value in known.items() if key in _WRITER})
    return rest, sources


def _writer_header(source: dict[str, str]) -> str:
    """A source of 3.0 as the writer's header of 2.15."""
    parts = "".join(f"<{key}>{escape(source[origin])}</{key}>" for key, origin in _WRITER.items() if origin in source)
    return f"<AdditionalInformation><WriterHeader>{parts}</WriterHeader></AdditionalInformation>"


def write_header(
    text: XmlText, extra: dict[str, Any], descriptions: dict[str, str], version: str, losses: list[Loss], place: str
) -> None:
    """The header of an object, in the schema's order."""
    parts: list[tuple[str, str | dict[str, str]]] = []
    for each in extra.get("header", ()):
        found = _FIRST_TAG.match(each)
        tag = found[1] if found else ""
        if tag not in HEADER:
            losses.append(Loss(place, f"what it keeps of its document: {each[:60]!r}", "it is no element of a header"))
        elif tag == "SourceObjectInformation" and version == "2.15":
            losses.append(Loss(place, tag, "CAEX 2.15 has none"))
        else:
            parts.append((tag, {"xml": each}))
    if descriptions and not any(tag == "Description" for tag, _ in parts):
        main = descriptions.get("", next(iter(descriptions.values())))
        parts.append(("Description", main))
        losses.extend(
            Loss(place, f"the description in {language!r}", "CAEX has one description")
            for language, each in descriptions.items()
            if each != main
        )
    parts.extend((tag, extra[tag.lower()]) for tag in ("Version", "Copyright") if tag.lower() in extra)
    parts.extend(("Revision", revision) for revision in extra.get("revisions", ()))
    for tag, said in sorted(parts, key=lambda part: HEADER.index(part[0])):
        if isinstance(said, str):
            text.leaf(tag, (), said)
        elif "xml" in said:
            write_kept(text, said["xml"], version, losses, place)
        else:
            text.begin(tag, ())
            for key, value in said.items():
                text.leaf(key, (), value)
            text.end()


def write_kept(text: XmlText, kept: str, version: str, losses: list[Loss], place: str) -> bool:
    """XML that was kept as it was; where it is none any more it is a loss, and False is returned."""
    element = revived(kept, namespace_of(version))
    if element is None:
        losses.append(Loss(place, f"what it keeps of its document: {kept[:60]!r}", "it is no XML that can be written"))
        return False
    text.element(element)
    return True
