"""When two documents of IML say the same.

The canonical form leaves out comments, instructions, white space, namespaces and what speaks of schemas; it writes ``Device``
for ``Instrument``; it sorts attributes by name, and children of different elements by the grammar, in which their order says
nothing. Children of one element keep their order. Every attribute is there as it was written: a default that is
written and one that is not are two things.
"""

from __future__ import annotations

from lxml import etree

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import parse_xml
from hulian.network.exchange.semantics.instrumentml.grammar import ELEMENTS
from hulian.network.exchange.semantics.instrumentml.opaque import kept, make

__all__ = ["canonical"]


def canonical(source: Source) -> bytes:
    """The canonical form of a document of at most 64 MiB; raises `DocumentError`."""
    root = make(_ordered(kept(parse_xml(source), source.name)))
    etree.indent(root)
    return etree.tostring(root, method="c14n") + b"\n"


def _ordered(content: list) -> list:  # type: ignore[type-arg]
    name, attributes, text, children = content
    rule = ELEMENTS.get(name)
    if rule is not None and rule.children:
        ranks = {child: rank for rank, child in enumerate(rule.children)}
        children = sorted(children, key=lambda child: ranks.get(child[0], len(ranks)))
    return [name, attributes, text, [_ordered(child) for child in children]]
