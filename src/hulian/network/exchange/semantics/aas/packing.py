"""Writes an AASX package: environments, files as they are, relationships and content types."""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO, Final
from xml.sax.saxutils import quoteattr

from hulian.network.exchange.semantics.aas.package import (
    AAS_SPEC,
    AAS_SUPPLEMENT,
    CONTENT_TYPES,
    ORIGIN,
    Package,
    Relationship,
    relationships_part,
)
from hulian.network.exchange.semantics.aas.writing import Environments
from hulian.network.exchange.semantics.contract import Content, Loss

__all__ = ["pack"]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MEDIA: Final = {"xml": "text/xml", "json": "application/json"}
_RELS: Final = "application/vnd.openxmlformats-package.relationships+xml"
_ORIGIN_TEXT: Final = b"Intentionally empty."
_ILLEGAL: Final = re.compile(r"[\\:*?\"<>|\x00-\x1f]")


def _member(name: str) -> zipfile.ZipInfo:
    # The same content gives the same bytes, whenever it is written.
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def pack(
    content: Content,
    package: Package | None,
    environments: Environments,
    specs: list[tuple[str, str]],
    out: BinaryIO,
    losses: list[Loss],
) -> None:
    """The whole package; the environments are collected already."""
    package = package or Package(
        specs=[f"aasx/data.aas.{form}" for form, _ in specs], relationships=[], origin="aasx/aasx-origin"
    )
    origin = package.origin or "aasx/aasx-origin"
    relationships = [one for one in package.relationships if one.type not in (ORIGIN, AAS_SPEC)]
    types: dict[str, str] = {}
    extensions = {"rels": _RELS, **_MEDIA, **{key: kind for key, kind in package.extensions.items() if kind}}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_member(origin), _ORIGIN_TEXT)
        types[origin] = "text/plain"
        for number, part in enumerate(package.specs):
            with archive.open(_member(part), "w", force_zip64=True) as opened:
                environments.write(number, opened)  # type: ignore[arg-type]
            wanted = package.content_types.get(part) or _MEDIA[specs[number][0]]
            if extensions.get(_extension(part)) != wanted:
                types[part] = wanted
        written = {CONTENT_TYPES, origin, *package.specs}
        for attachment in content.attachments():
            path = _ILLEGAL.sub("_", attachment.path.lstrip("/"))
            if path in written or ".." in path.split("/"):
                losses.append(Loss(attachment.path, attachment.path, "the package has a part of this name already"))
                continue
            written.add(path)
            archive.writestr(_member(path), attachment.content)
            extension = _extension(path)
            if extension and extension not in extensions:
                extensions[extension] = attachment.media_type or "application/octet-stream"
            elif not extension or extensions[extension] != attachment.media_type:
                types[path] = attachment.media_type or "application/octet-stream"
            if not any(one.target == path for one in relationships):
                relationships.append(Relationship(package.specs[0], AAS_SUPPLEMENT, path, ""))
        _relate(archive, relationships, package.specs, origin, written)
        archive.writestr(_member(CONTENT_TYPES), _content_types(types, extensions))


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def _relate(
    archive: zipfile.ZipFile, relationships: list[Relationship], specs: list[str], origin: str, written: set[str]
) -> None:
    all_of: dict[str, list[Relationship]] = {"": [Relationship("", ORIGIN, origin, "")]}
    all_of[origin] = [Relationship(origin, AAS_SPEC, spec, "") for spec in specs]
    for one in relationships:
        if one.external or one.target in written:
            all_of.setdefault(one.source, []).append(one)
    for source, ones in all_of.items():
        lines = ['<?xml version="1.0" encoding="utf-8"?>\n']
        lines.append('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">')
        taken = {one.id for one in ones if one.id}
        number = 0
        for one in ones:
            identity = one.id
            while not identity:
                number += 1
                identity = "" if f"R{number}" in taken else f"R{number}"
            target = quoteattr(one.target if one.external else f"/{one.target}")
            mode = ' TargetMode="External"' if one.external else ""
            lines.append(f"<Relationship Type={quoteattr(one.type)} Target={target} Id={quoteattr(identity)}{mode}/>")
        lines.append("</Relationships>")
        archive.writestr(_member(relationships_part(source)), "".join(lines).encode())


def _content_types(types: dict[str, str], extensions: dict[str, str]) -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>\n']
    lines.append('<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">')
    lines.extend(
        f"<Default Extension={quoteattr(extension)} ContentType={quoteattr(kind)}/>"
        for extension, kind in sorted(extensions.items())
    )
    lines.extend(
        f"<Override PartName={quoteattr('/' + part)} ContentType={quoteattr(kind)}/>" for part, kind in sorted(types.items())
    )
    lines.append("</Types>")
    return "".join(lines).encode()
