"""The words of CAEX, its paths, and the ids that its objects have in the model.

What has an ID is ``document/ID``; a class is its path behind the mark of its library's kind (``document/unit:Lib/Class``), so
that a reference by path needs no table; an attribute stands behind ``@`` (``document/{ID}@Frame/x``); what has neither is its
parent's id and its name. Objects of another file of the same document have that file's path before them, with ``!`` behind it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from hulian.network.exchange.semantics.contract import Kind

__all__ = [
    "CONTAINERS",
    "EXTRA",
    "HEADER",
    "KINDS",
    "LIBRARIES",
    "LONGEST",
    "MARKS",
    "NAMESPACE",
    "REFERENCES",
    "bracketed",
    "class_path",
    "escaped",
    "is_identity",
    "normalised",
    "shortened",
    "split_path",
    "unescaped",
]

NAMESPACE: Final = "http://www.dke.de/CAEX"
"""Of CAEX 3.0; 2.15 has none."""
EXTRA: Final = "aml"
"""Key of `Node.extra` for what only CAEX knows."""
LONGEST: Final = 1000
"""Characters of an id; the contract allows 1,024."""

KINDS: Final = {
    "InstanceHierarchy": Kind.FOLDER,
    "InterfaceClassLib": Kind.FOLDER,
    "RoleClassLib": Kind.FOLDER,
    "SystemUnitClassLib": Kind.FOLDER,
    "AttributeTypeLib": Kind.FOLDER,
    "InternalElement": Kind.OBJECT,
    "ExternalInterface": Kind.OBJECT,
    "RoleRequirements": Kind.OBJECT,
    "SystemUnitClass": Kind.OBJECT_TYPE,
    "RoleClass": Kind.ROLE,
    "InterfaceClass": Kind.INTERFACE_TYPE,
    "AttributeType": Kind.PROPERTY_TYPE,
    "Attribute": Kind.PROPERTY,
}
LIBRARIES: Final = {
    "InstanceHierarchy": "hierarchy:",
    "InterfaceClassLib": "interface:",
    "RoleClassLib": "role:",
    "SystemUnitClassLib": "unit:",
    "AttributeTypeLib": "attribute:",
}
"""What stands at the top of a file, and the mark that its id begins with."""
MARKS: Final = {
    "InternalElement": "unit:",
    "SystemUnitClass": "unit:",
    "ExternalInterface": "interface:",
    "InterfaceClass": "interface:",
    "RoleClass": "role:",
    "RoleRequirements": "role:",
    "Attribute": "attribute:",
    "AttributeType": "attribute:",
}
"""The mark of the libraries in which the type of an element is looked for."""
REFERENCES: Final = {
    "InternalElement": "RefBaseSystemUnitPath",
    "SystemUnitClass": "RefBaseClassPath",
    "ExternalInterface": "RefBaseClassPath",
    "InterfaceClass": "RefBaseClassPath",
    "RoleClass": "RefBaseClassPath",
    "RoleRequirements": "RefBaseRoleClassPath",
    "Attribute": "RefAttributeType",
    "AttributeType": "RefAttributeType",
}
"""The XML attribute with which an element names its type."""
CONTAINERS: Final = (
    "CAEXFile",
    *LIBRARIES,
    "InternalElement",
    "SystemUnitClass",
    "RoleClass",
    "InterfaceClass",
    "AttributeType",
)
"""What may hold much, and is therefore read as a stream; all else is read whole."""
HEADER: Final = (
    "Description",
    "Version",
    "Revision",
    "Copyright",
    "AdditionalInformation",
    "SourceObjectInformation",
)
"""The header group, in the schema's order."""

_SPECIAL: Final = {ord(sign): f"%{ord(sign):02X}" for sign in "%/@~!:#"}
_ESCAPED: Final = re.compile("%(25|2F|40|7E|21|3A|23)")
_ANY_SPECIAL: Final = re.compile(r"[%/@~!:#]").search
_IDENTITY: Final = re.compile(r"\{?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?")


def escaped(name: str) -> str:
    """A name as a segment of an id."""
    return name.translate(_SPECIAL) if _ANY_SPECIAL(name) else name


def unescaped(segment: str) -> str:
    """The name of a segment of an id."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), segment) if "%" in segment else segment


def shortened(identity: str) -> str:
    """An id that is short enough: what is beyond the bound becomes its digest."""
    if len(identity) <= LONGEST:
        return identity
    return f"{identity[: LONGEST - 40]}#{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"


def is_identity(text: str) -> bool:
    """Whether a text has the form of a GUID, with braces or without."""
    return _IDENTITY.fullmatch(text) is not None


def normalised(identity: str) -> str:
    """An ID without what writers spell differently: braces and the case of digits."""
    return identity.strip().strip("{}").lower()


def split_path(text: str) -> tuple[str, list[str]]:
    """Alias (or "") and segments of a CAEX path; names in brackets may hold any separator.

    >>> split_path("Base@Lib/Group/Tool")
    ('Base', ['Lib', 'Group', 'Tool'])
    >>> split_path("[SUC_http://example.org/]/[Pump]")
    ('', ['SUC_http://example.org/', 'Pump'])
    """
    alias = ""
    head = text.split("[", 1)[0]
    if "@" in head:
        alias, _, text = text.partition("@")
    if "[" not in text:
        return alias.strip(), text.split("/")
    segments: list[str] = []
    position = 0
    while position <= len(text):
        if text[position : position + 1] == "[":
            end = text.find("]/", position)
            end = len(text) - 1 if end < 0 else end
            segments.append(text[position + 1 : end] if text[end : end + 1] == "]" else text[position:])
            position = end + 2
        else:
            end = text.find("/", position)
            end = len(text) if end < 0 else end
            segments.append(text[position:end])
            position = end + 1
    return alias.strip(), segments


def bracketed(name: str) -> str:
    """A name as a segment of a CAEX path."""
    return f"[{name}]" if any(sign in name for sign in "/@[]") else name


def class_path(identity: str, prefix: str) -> str | None:
    """The CAEX path of a class whose id this is, in a file whose ids begin with ``prefix``; None where it is no class of it."""
    rest = identity.removeprefix(prefix)
    mark, colon, path = rest.partition(":")
    if rest == identity or not colon or f"{mark}:" not in LIBRARIES.values() or "!" in path:
        return None
    path, at, attribute = path.partition("@")
    segments = path.split("/") + (attribute.split("/") if at else [])
    return "/".join(bracketed(unescaped(segment)) for segment in segments)
