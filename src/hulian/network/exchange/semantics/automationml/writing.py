"""CAEX files and containers, written from a model.

They are valid by the schema of their version, and the same again where CAEX was read.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, BinaryIO, Final
from xml.sax.saxutils import quoteattr

from hulian.network.exchange.semantics.automationml.arrangement import arranged
from hulian.network.exchange.semantics.automationml.elements import ElementWriter
from hulian.network.exchange.semantics.automationml.files import RELATIONS, ROOT_RELATION, TYPES
from hulian.network.exchange.semantics.automationml.heading import additional, file_attributes, write_heading
from hulian.network.exchange.semantics.automationml.names import EXTRA
from hulian.network.exchange.semantics.automationml.text import XmlText
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import Content, Loss, Reference, Relation
from hulian.network.exchange.semantics.errors import DocumentError

__all__ = ["VERSIONS", "write_document"]

VERSIONS: Final = ("2.15", "3.0")
_NEVER: Final = (1980, 1, 1, 0, 0, 0)
"""Time of the members of a container: the same content gives the same bytes."""
_NAME: Final = re.compile(r"[^\w.-]")


def write_document(content: Content, out: BinaryIO, version: str = "") -> list[Loss]:
    """Writes a document as ``version`` (2.15, 3.0; empty: its own, or 3.0), in a container where it came in one.

    Raises `DocumentError` for a version that is none.
    """
    own = content.document.version.removeprefix("CAEX ") if content.document.format == "aml" else ""
    version = version or (own if own in VERSIONS else "3.0")
    if version not in VERSIONS:
        raise DocumentError(f"no schema is of version {version!r}", place=content.document.name, hint="2.15 or 3.0")
    losses: list[Loss] = []
    packed = content.document.extra.get(EXTRA, {}).get("container")
    if packed:
        _write_container(content, out, version, packed, losses)
        return losses
    losses.extend(
        Loss(attachment.path, "a file beside the description", "a plain .aml file carries none")
        for attachment in content.attachments()
    )
    main = _Members(content, version, own, losses)
    for path, written in main.files(only_root=True):
        if not path:
            out.write(written)
    return losses


class _Members:
    """The files of a document, one after another."""

    def __init__(self, content: Content, version: str, own: str, losses: list[Loss]) -> None:
        self._content, self._version, self._own, self._losses = content, version, own, losses
        self._written = datetime.now(UTC).isoformat(timespec="seconds")
        self._references = _by_owner(content, losses)
        self._moved: dict[str, str] = {}
        self._carrier = Carrier(content) if content.document.format != "aml" else None

    def files(self, *, only_root: bool) -> Iterator[tuple[str, bytes]]:
        """Pieces of files: path ("" for the document's own) and bytes."""
        document = self._content.document
        file = document.extra.get(EXTRA, {})
        if self._carrier is not None:
            file = {**file, "header": [*file.get("header", ()), additional(self._carrier.document())]}
        begun: tuple[str, ElementWriter, io.BytesIO] = self._begin("", file, self._version, self._own)
        skipped = False
        for node, tag, depth in arranged(self._content, self._losses, self._moved):
            if tag == "ExternalFile":
                yield from self._end(begun)
                skipped = only_root
                extra = node.extra[EXTRA]
                was = str(extra.get("version", "")).removeprefix("CAEX ")
                version = self._version if self._version != self._own else was or self._version
                begun = self._begin(str(extra.get("path", "")), extra.get("file", {}), version, was)
                continue
            if skipped:
                continue
            path, writer, buffer = begun
            writer.write(node, tag, depth - 1 if path else depth)
            if buffer.tell() > 1 << 20:
                yield path, buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield from self._end(begun)

    def _begin(self, path: str, file: dict[str, Any], version: str, own: str) -> tuple[str, ElementWriter, io.BytesIO]:
        buffer = io.BytesIO()
        text = XmlText(buffer)
        name = file.get("name") or f"{_NAME.sub('_', self._content.document.name)}.aml"
        text.begin("CAEXFile", file_attributes(file, name, version, own))
        write_heading(text, file, version, own, self._written, self._losses)
        writer = ElementWriter(
            text, self._content, self._references, self._moved, file, version, own, self._losses, self._carrier
        )
        return path, writer, buffer

    def _end(self, begun: tuple[str, ElementWriter, io.BytesIO]) -> Iterator[tuple[str, bytes]]:
        path, writer, buffer = begun
        writer.finish()
        yield path, buffer.getvalue()


def _by_owner(content: Content, losses: list[Loss]) -> dict[str, list[Reference]]:
    """References by the node below which CAEX has them."""
    owners: dict[str, list[Reference]] = {}
    for reference in content.references():
        if reference.relation in (Relation.ROLE, Relation.SAME):
            owner: str = reference.source
        elif reference.relation == Relation.LINK:
            owner = str(reference.extra.get(EXTRA, {}).get("at", "")) or _holder(content, reference.source)
        else:
            what = f"the reference {reference.relation} to {reference.target}"
            losses.append(Loss(reference.source, what, "CAEX has roles, links and mirrors only"))
            continue
        owners.setdefault(owner, []).append(reference)
    return owners


def _holder(content: Content, interface: str) -> str:
    """The element in which a link of an interface is written: the one that has the interface."""
    node = content.node(interface)
    return node.parent if node is not None else interface


# ------------------------------------------------------------ containers


def _write_container(content: Content, out: BinaryIO, version: str, packed: dict[str, Any], losses: list[Loss]) -> None:
    root = str(packed.get("root") or f"{_NAME.sub('_', content.document.name)}.aml")
    own = content.document.version.removeprefix("CAEX ")
    relations = packed.get("relations") or [{"Type": ROOT_RELATION, "Target": f"/{root}", "Id": "root"}]
    types: dict[str, str] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        pieces = _Members(content, version, own, losses).files(only_root=False)
        for path, group in groupby(pieces, key=lambda piece: piece[0]):
            with archive.open(_info(path or root), "w") as member:
                for _, written in group:
                    member.write(written)
        for attachment in content.attachments():
            archive.writestr(_info(attachment.path), attachment.content)
            types[f"/{attachment.path}"] = attachment.media_type
        archive.writestr(_info(RELATIONS), _relations_xml(relations))
        archive.writestr(_info(TYPES), _types_xml(types))


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _NEVER)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _relations_xml(relations: list[dict[str, str]]) -> str:
    lines = [
        "  <Relationship " + " ".join(f"{key}={quoteattr(text)}" for key, text in each.items()) + "/>" for each in relations
    ]
    opening = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    return "\n".join(('<?xml version="1.0" encoding="utf-8"?>', opening, *lines, "</Relationships>\n"))


def _types_xml(types: dict[str, str]) -> str:
    lines = [
        '  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>',
        '  <Default Extension="aml" ContentType="model/vnd.automationml+xml"/>',
    ]
    lines += [f"  <Override PartName={quoteattr(part)} ContentType={quoteattr(media)}/>" for part, media in types.items()]
    opening = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    return "\n".join(('<?xml version="1.0" encoding="utf-8"?>', opening, *lines, "</Types>\n"))
