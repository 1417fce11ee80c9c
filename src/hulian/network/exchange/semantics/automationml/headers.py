"""What every CAEX object may say of itself: description, version, revisions, copyright, and more that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from hulian.network.exchange.semantics.automationml.names import HEADER, NAMESPACE

__all__ = ["LOCAL", "kept_xml", "local_name", "read_header", "revived", "text_of"]

_TAGS: Final = 4096
_XSI: Final = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_REVISION: Final = ("RevisionDate", "OldVersion", "NewVersion", "AuthorName", "Comment")
_PARSER: Final = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, remove_pis=True, huge_tree=False)


class _LocalNames(dict[str, str]):
    """Tags without their namespaces: a document has few, and asks for them millions of times."""

    def __missing__(self, tag: str) -> str:
        local = tag.rpartition("}")[2]
        if len(self) < _TAGS:
            self[tag] = local
        return local


LOCAL: Final = _LocalNames()
"""By tag: the same without its namespace."""


def local_name(element: Any) -> str:
    """The tag of an element without its namespace."""
    return LOCAL[element.tag]


def kept_xml(element: Any) -> str:
    """An element as text, to be written again as it was; CAEX's own namespace is left out, for it is of a version."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    text = text.replace(f' xmlns="{NAMESPACE}"', "", 1)
    if "xsi:" not in text.replace(_XSI, "", 1):
        text = text.replace(_XSI, "", 1)
    return text


def revived(text: str, namespace: str) -> Any:
    """The element that `kept_xml` kept, in CAEX's namespace where its version has one; None where it is no XML.

    It comes from the model, where others may have written: nothing of it is resolved, and a document type is refused.
    """
    begin, found, rest = text.partition(">")
    if "<!" in begin or not found:
        return None
    if namespace and " xmlns=" not in begin:
        slash = "/" if begin.endswith("/") else ""
        begin = begin.removesuffix("/") + f' xmlns="{namespace}"{slash}'
    try:
        return etree.fromstring(f"{begin}>{rest}", _PARSER)
    except etree.XMLSyntaxError:
        return None


def text_of(element: Any) -> str:
    """The text of an element, of what is nested in it as well (CAEX 2.15 allows any content in values)."""
    return (element.text or "") if not len(element) else "".join(element.itertext())


def _plain(element: Any) -> bool:
    """Whether an element is nothing but a text."""
    return not len(element) and not element.attrib


def read_header(elements: list[Any], extra: dict[str, Any], order: list[str]) -> dict[str, str]:
    """Takes header elements: descriptions are returned, the rest is put into ``extra``.

    ``order`` gets the tags that stand out of the schema's order.
    """
    descriptions: dict[str, str] = {}
    rank = 0
    for element in elements:
        tag = local_name(element)
        now = HEADER.index(tag)
        if now < rank:
            order.append(tag)
        rank = max(rank, now)
        if tag == "Description" and _plain(element) and not descriptions:
            descriptions[""] = element.text or ""
        elif tag in ("Version", "Copyright") and _plain(element) and tag.lower() not in extra:
            extra[tag.lower()] = element.text or ""
        elif tag == "Revision":
            known = dict(_revision(element)) if not element.attrib else {}
            extra.setdefault("revisions", []).append(known or {"xml": kept_xml(element)})
        else:
            extra.setdefault("header", []).append(kept_xml(element))
            if tag == "Description" and not descriptions:
                descriptions[""] = text_of(element)
    return descriptions


def _revision(element: Any) -> Iterator[tuple[str, str]]:
    """The parts of a revision, or nothing where it has more than the schema's plain five in their order."""
    parts = [(local_name(part), part.text or "") for part in element]
    names = [name for name, _ in parts]
    if all(_plain(part) for part in element) and names == [name for name in _REVISION if name in names]:
        yield from parts
