"""Elements that only IML knows, as plain data and back: ``[name, attributes, text, children]``."""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.instrumentml.grammar import local

__all__ = ["LARGEST", "kept", "make", "plain_attributes"]

LARGEST: Final = 50_000
"""Elements of one adapter, state model or field: they are held whole."""
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"


def plain_attributes(element: Any) -> dict[str, str]:
    """The attributes without those that only speak about schemas."""
    found = dict(element.items())
    if "{" in "".join(found):
        for name in [name for name in found if name.startswith(_XSI)]:
            del found[name]
    return found


def kept(element: Any, place: str) -> list[Any]:
    """What is in ``element``, itself included. Raises `HostileDocumentError` beyond `LARGEST` elements, and `DocumentError`
    for text between elements, which IML has nowhere."""
    return _kept(element, place, [0])


def _kept(element: Any, place: str, count: list[int]) -> list[Any]:
    count[0] += 1
    if count[0] > LARGEST:
        raise HostileDocumentError(f"an element holds more than {LARGEST} others", place=place)
    if not len(element):
        text = element.text
        return [local(element.tag), plain_attributes(element), text.strip() if text else "", []]
    children = []
    for child in element:
        children.append(_kept(child, place, count))
        tail = child.tail
        if tail and not tail.isspace():
            raise DocumentError("text stands between elements", place=f"{place}, line {child.sourceline}")
    text = element.text
    return [local(element.tag), plain_attributes(element), text.strip() if text else "", children]


def make(content: list[Any], parent: Any = None) -> Any:
    """The element again, below ``parent`` where one is given. Raises `ValueError` for what no XML can hold."""
    name, attributes, text, children = content
    element = etree.Element(name) if parent is None else etree.SubElement(parent, name)
    for key, value in attributes.items():
        element.set(key, value)
    if text:
        element.text = text
    for child in children:
        make(child, element)
    return element
