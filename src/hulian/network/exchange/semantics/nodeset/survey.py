"""The first way through a document: what must be known before the first node is given away.

Which nodes it has (a parent that is further down is waited for, one of another document is not), which of its reference
types are hierarchical, and what properties say of the variable above them. One string a node is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import xml_events
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.nodeset.headers import HEADERS, Header
from hulian.network.exchange.semantics.nodeset.meaning import TELLING, Facts
from hulian.network.exchange.semantics.nodeset.names import Names
from hulian.network.exchange.semantics.nodeset.schema import KINDS, NODESET, RELATIONS
from hulian.network.exchange.semantics.nodeset.standard import hierarchical
from hulian.network.exchange.semantics.nodeset.values import read_value

__all__ = ["CLASS_OF", "ENCODING", "MOST_NODES", "ROOT", "Survey", "node_events", "survey"]

PREFIX: Final = f"{{{NODESET}}}"
ROOT: Final = f"{PREFIX}UANodeSet"
CLASS_OF: Final = {f"{PREFIX}UA{name}": name for name in KINDS}
MOST_NODES: Final = 5_000_000
ENCODING: Final = "i=38"
"""HasEncoding is not hierarchical, but it is all that an encoding of a data type hangs on."""
_REFERENCE_TYPE: Final = f"{PREFIX}UAReferenceType"
_VARIABLE: Final = f"{PREFIX}UAVariable"
_TAGS: Final = (*HEADERS, *CLASS_OF, ROOT)
_CLEARED: Final = 512


class Survey(msgspec.Struct):
    """What the first way found."""

    header: Header
    names: Names
    attributes: dict[str, str]
    """Of the root element."""
    ids: set[str]
    twice: set[str]
    tree: set[str]
    """Relations (names or ids) that a node may stand under its parent by."""
    facts: dict[str, Facts]


def node_events(source: Source, header: Header | None) -> Iterator[Any]:
    """Elements of the nodes, each cleared when the next is taken; ``header`` takes what stands before them.

    The root element comes last. Raises `DocumentError` where the document is no NodeSet.
    """
    root = None
    count = 0
    for _, element in xml_events(source, tags=_TAGS):
        if root is None:
            root = element.getroottree().getroot()
            if root.tag != ROOT:
                raise DocumentError(f"its root is {root.tag[:200]}, not UANodeSet", place=f"{source.name}, line 1")
        if element.tag in CLASS_OF:
            if element.getparent() is not root:
                continue
            yield element
            element.clear()
            count += 1
            if count % _CLEARED == 0:
                # The parser is ahead: what follows this element was not given yet.
                del root[: root.index(element)]
        elif element is root:
            yield root
        elif element.getparent() is root:
            if count and header is not None:
                raise DocumentError(
                    f"{element.tag[len(PREFIX) :]} stands after the first node",
                    place=f"{source.name}, line {element.sourceline}",
                    hint="move it before the nodes: they cannot be understood without it",
                )
            if header is not None:
                header.take(element)
    if root is None:
        raise DocumentError("its root is not UANodeSet", place=f"{source.name}, line 1")


def survey(source: Source) -> Survey:
    """Goes through the document once. Raises `DocumentError`, `HostileDocumentError`."""
    header = Header(source.name)
    found: Survey | None = None
    subtypes: list[tuple[str, str]] = []
    for element in node_events(source, header):
        if found is None:
            root = element if element.tag == ROOT else element.getparent()
            found = Survey(header, header.names(), dict(root.attrib), set(), set(), set(), {})
        if element.tag == ROOT:
            break
        identity = found.names.node(element.get("NodeId"), element.sourceline)
        if identity in found.ids:
            found.twice.add(identity)
        found.ids.add(identity)
        if len(found.ids) > MOST_NODES:
            raise HostileDocumentError(f"it has more than {MOST_NODES} nodes", place=source.name)
        tag = element.tag
        if tag == _VARIABLE:
            browse = element.get("BrowseName")
            if browse is not None and browse.rpartition(":")[2] in TELLING:
                _tell(element, browse.rpartition(":")[2], found)
        elif tag == _REFERENCE_TYPE:
            subtypes.extend(_supertypes(element, identity, found.names))
    if found is None:
        raise DocumentError("it is empty", place=source.name)
    known = set(hierarchical())
    while more := {special for general, special in subtypes if general in known} - known:
        known |= more
    found.tree = {RELATIONS.get(identity, identity) for identity in known} | {ENCODING}
    return found


def _references(element: Any) -> Iterator[Any]:
    for child in element.iterchildren(f"{PREFIX}References"):
        yield from child


def _tell(element: Any, name: str, found: Survey) -> None:
    parent = element.get("ParentNodeId")
    if not parent:
        parent = next((each.text for each in _references(element) if each.get("IsForward") == "false"), None)
    if not parent:
        return
    for holder in element.iterchildren(f"{PREFIX}Value"):
        value = read_value(holder, found.names, "")[0]
        identity = found.names.node(parent, element.sourceline)
        facts = found.facts.get(identity) or Facts()
        facts.add(name, value)
        found.facts[identity] = facts


def _supertypes(element: Any, identity: str, names: Names) -> Iterator[tuple[str, str]]:
    for each in _references(element):
        if names.node(each.get("ReferenceType"), each.sourceline) == "i=45":
            other = names.node(each.text, each.sourceline)
            yield (identity, other) if each.get("IsForward", "true") in ("true", "1") else (other, identity)
