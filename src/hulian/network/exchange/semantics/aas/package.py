"""AASX: an Open Packaging Conventions container whose relationships lead to environments and the files that go with them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.contract import Attachment
from hulian.network.exchange.semantics.documents import Container, parse_xml
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

__all__ = [
    "AAS_SPEC",
    "AAS_SUPPLEMENT",
    "CONTENT_TYPES",
    "ORIGIN",
    "THUMBNAIL",
    "Package",
    "Relationship",
    "files_of",
    "package_of",
    "read_package",
    "relationships_part",
]

ORIGIN: Final = "http://admin-shell.io/aasx/relationships/aasx-origin"
AAS_SPEC: Final = "http://admin-shell.io/aasx/relationships/aas-spec"
AAS_SUPPLEMENT: Final = "http://admin-shell.io/aasx/relationships/aas-suppl"
THUMBNAIL: Final = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/thumbnail"
CONTENT_TYPES: Final = "[Content_Types].xml"
_LARGEST_PART: Final = 16 << 20
_RELATIONSHIPS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_TYPES: Final = "{http://schemas.openxmlformats.org/package/2006/content-types}"
_OLD_TYPE: Final = re.compile(
    r"^https?://(?:www\.)?admin-shell\.io/aasx/relationships/(aasx-origin|aas-spec(?:-split)?|aas-suppl)/?$"
)
_DEFAULTS: Final = {
    "xml": "text/xml",
    "json": "application/json",
    "rels": "application/vnd.openxmlformats-package.relationships+xml",
}


class Relationship(msgspec.Struct, omit_defaults=True):
    """One relationship, of the package or of a part."""

    source: str
    """Part; empty for the package."""
    type: str
    target: str
    """Part, as a path in the container; or a URI where it is external."""
    id: str
    external: bool = False


class Package(msgspec.Struct, omit_defaults=True):
    """What a package is made of, beside the content of its parts."""

    specs: list[str]
    """Parts with environments."""
    relationships: list[Relationship]
    origin: str = ""
    content_types: dict[str, str] = {}
    """By part; only where the extension does not tell."""
    extensions: dict[str, str] = {}
    """Media type by extension."""

    def media_type(self, part: str) -> str:
        """Of a part."""
        return self.content_types.get(part) or self.extensions.get(part.rpartition(".")[2].lower(), "application/octet-stream")

    def is_part_of_packing(self, part: str) -> bool:
        """Whether a member belongs to the packing and is no file of its own."""
        return part == CONTENT_TYPES or part.endswith(".rels") or part in self.specs or part == self.origin


def relationships_part(part: str) -> str:
    """Where the relationships of a part stand; of the package for an empty one."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _relationships(container: Container, part: str, bends: Bends) -> Iterator[Relationship]:
    where = relationships_part(part)
    if where not in container.members:
        return
    root = parse_xml(container.source(where), largest=_LARGEST_PART)
    for one in root.iter(_RELATIONSHIPS):
        kind = one.get("Type", "")
        known = _OLD_TYPE.match(kind)
        if known:
            right = {"aasx-origin": ORIGIN, "aas-suppl": AAS_SUPPLEMENT}.get(known[1], AAS_SPEC)
            if right != kind:
                bends.took("relationship", f"{container.name}, {where}, line {one.sourceline}", kind)
                kind = right
        external = one.get("TargetMode") == "External"
        target = one.get("Target", "")
        if not external:
            target = _resolved(target, part, f"{container.name}, {where}, line {one.sourceline}")
        yield Relationship(part, kind, target, one.get("Id", ""), external)


def _resolved(target: str, part: str, place: str) -> str:
    """The part that a target names. Raises `HostileDocumentError` where it leads outside."""
    plain = unquote(target).replace("\\", "/").removeprefix("file://")
    base = "/" if plain.startswith("/") else "/" + posixpath.dirname(part)
    path = posixpath.normpath(posixpath.join(base, plain)).lstrip("/")
    steps = 0
    for step in plain.split("/"):
        steps += -1 if step == ".." else 1 if step not in ("", ".") else 0
        if steps + len([one for one in base.split("/") if one]) < 0:
            raise HostileDocumentError("a relationship leads out of the package", place=place)
    return path


def read_package(container: Container, bends: Bends) -> Package:
    """What a package is made of.

    Raises `DocumentError` where no environment is in it, with a hint for packages of version 2.
    """
    members = container.members
    types, extensions = _content_types(container)
    found = list(_relationships(container, "", bends))
    origin = next((one.target for one in found if one.type == ORIGIN), "")
    specs: list[str] = []
    if origin:
        of_origin = list(_relationships(container, origin, bends))
        found += of_origin
        for one in of_origin:
            if one.type == AAS_SPEC and one.target in members and one.target not in specs:
                specs.append(one.target)
                found += _relationships(container, one.target, bends)
    if not specs:
        specs = sorted(name for name in members if re.search(r"\.aas\.(xml|json)$", name.lower()))
        if specs:
            bends.took("no-relationship", container.name, f"no relationship leads to {', '.join(specs[:5])}")
            found += [one for spec in specs for one in _relationships(container, spec, bends)]
    if not specs:
        raise DocumentError(
            "no environment is in the package: no relationship of type aas-spec leads to one",
            place=container.name,
            hint="open it in AASX Package Explorer and save it anew",
        )
    kept = []
    for one in found:
        if not one.external and one.target not in members:
            bends.took("missing-member", container.name, f"{one.target} is not in the package")
        else:
            kept.append(one)
    return Package(specs, kept, origin if origin in members else "", types, extensions)


def _content_types(container: Container) -> tuple[dict[str, str], dict[str, str]]:
    types: dict[str, str] = {}
    extensions = dict(_DEFAULTS)
    if CONTENT_TYPES in container.members:
        root = parse_xml(container.source(CONTENT_TYPES), largest=_LARGEST_PART)
        for one in root.iter(f"{_TYPES}Default", f"{_TYPES}Override"):
            if one.tag == f"{_TYPES}Default":
                extensions[one.get("Extension", "").lower()] = one.get("ContentType", "")
            else:
                types[one.get("PartName", "").lstrip("/")] = one.get("ContentType", "")
    return types, extensions


def files_of(container: Container, package: Package) -> Iterator[Attachment]:
    """The files that are neither environments nor packing, byte for byte."""
    for part in container.members:
        if not package.is_part_of_packing(part):
            yield Attachment(part, package.media_type(part), container.read(part))


def package_of(extra: dict[str, Any]) -> Package | None:
    """The package that a document came from."""
    kept = extra.get("package")
    return msgspec.convert(kept, Package) if kept else None
