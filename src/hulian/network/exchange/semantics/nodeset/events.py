"""The elements of a NodeSet as they are parsed: what stands before the nodes, then node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import xml_events
from hulian.network.exchange.semantics.errors import DocumentError
from hulian.network.exchange.semantics.nodeset.headers import HEADERS, Header
from hulian.network.exchange.semantics.nodeset.schema import KINDS, NODESET

__all__ = ["CLASS_OF", "PREFIX", "ROOT", "node_events"]

PREFIX: Final = f"{{{NODESET}}}"
ROOT: Final = f"{PREFIX}UANodeSet"
CLASS_OF: Final = {f"{PREFIX}UA{name}": name for name in KINDS}
_TAGS: Final = (*HEADERS, *CLASS_OF, ROOT)
_CLEARED: Final = 512


def node_events(source: Source, header: Header) -> Iterator[Any]:
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
            if count:
                raise DocumentError(
                    f"{element.tag[len(PREFIX) :]} stands after the first node",
                    place=f"{source.name}, line {element.sourceline}",
                    hint="move it before the nodes: they cannot be understood without it",
                )
            header.take(element)
    if root is None:
        raise DocumentError("its root is not UANodeSet", place=f"{source.name}, line 1")
