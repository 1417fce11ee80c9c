"""The canonical form of CAEX: two documents that say the same have the same.

Kept: every element with its local name and all its attributes, every text of an element without children as it is, and the
order of all elements. Left out: white space where the schema has elements only, comments and processing instructions,
prefixes, the order of attributes (XML gives it no meaning). A namespace that is not CAEX's stays.
"""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.semantics.automationml.names import KINDS, NAMESPACE
from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import parse_xml

__all__ = ["canonical", "canonical_element"]

_ELEMENTS_ONLY: Final = frozenset(KINDS) | {
    "CAEXFile",
    "Constraint",
    "ExternalReference",
    "InternalLink",
    "MappingObject",
    "NominalScaledType",
    "OrdinalScaledType",
    "RefSemantic",
    "Revision",
    "SourceDocumentInformation",
    "SupportedRoleClass",
    "UnknownType",
}
"""Elements that hold no text; white space in them means nothing even where no element is in them."""


def canonical(source: Source) -> str:
    """The canonical form of a CAEX file, one line an element. Raises `DocumentError` where it is no XML."""
    lines: list[str] = []
    canonical_element(parse_xml(source, largest=256 << 20), 0, lines)
    return "\n".join(lines)


def canonical_element(element: Any, depth: int, lines: list[str]) -> None:
    """Appends the lines of an element."""
    tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    attributes = " ".join(f"{key}={value!r}" for key, value in sorted(element.attrib.items()))
    text = element.text or ""
    if len(element) or tag in _ELEMENTS_ONLY:
        text = text.strip()
    tails = "".join((child.tail or "").strip() for child in element)
    lines.append(f"{' ' * depth}{tag} {attributes} {text + tails!r}")
    for child in element:
        if isinstance(child.tag, str):
            canonical_element(child, depth + 1, lines)
