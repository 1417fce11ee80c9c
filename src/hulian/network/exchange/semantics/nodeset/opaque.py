"""XML as JSON without loss, and back: bodies of structures, translations, whatever a schema of its own says.

An element is its text where it has neither children nor attributes, else an object: a child under its name, a list
where several of that name follow each other. ``@xmlns`` is the namespace where it differs from the parent's,
``@{uri}name`` an attribute, ``#`` the text beside them. What does not fit (mixed content, names that alternate) is
``{"@xml": text}``, as it stood.

Namespace indexes are translated where the Types schema says that there are some: ``Identifier`` of a node id becomes an
id of the model, ``NamespaceIndex`` of a qualified name its URI.
"""

from __future__ import annotations

import copy
import re
from functools import lru_cache
from typing import Any, Final, Protocol

from lxml import etree

from hulian.network.exchange.semantics.errors import DocumentError
from hulian.network.exchange.semantics.nodeset.names import Names
from hulian.network.exchange.semantics.nodeset.schema import TYPES, XSI

__all__ = ["Indexes", "attribute", "outer_xml", "text", "to_json", "to_xml"]

_NODE_ID: Final = re.compile(r"\s*(?:svr=\d+;)?(?:ns=\d+;|nsu=[^;]*;)?[isgb]=")
_MODEL_ID: Final = re.compile(r"(?:svu=[^;]*;)?(?:nsu=[^;]*;)?[isgb]=")
_TYPE: Final = f"{{{XSI}}}type"
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Indexes(Protocol):
    """Who knows the indexes of the document that is written."""

    def node(self, identity: str) -> str:
        """``ns=1;i=5`` of a model's id."""
        ...

    def namespace(self, uri: str) -> int:
        """The index of a namespace."""
        ...


def to_json(element: Any, names: Names, namespace: str = TYPES) -> Any:
    """An element as JSON; ``namespace`` is its parent's."""
    uri, local = _name(element.tag)
    found: dict[str, Any] = {}
    if uri != namespace:
        found["@xmlns"] = uri
    for key, value in element.items():
        if key == _TYPE:
            prefix, colon, rest = value.partition(":")
            value = f"{{{element.nsmap.get(prefix if colon else None) or ''}}}{rest if colon else value}"
        found[f"@{key}"] = value
    content = element.text
    children = list(element)
    if not children:
        content = _leaf(element, content, uri, local, names) if content else ""
        if not found:
            return content
        if content:
            found["#"] = content
        return found
    if content is not None and not content.isspace():
        return outer_xml(element)
    last = None
    for child in children:
        tail = child.tail
        if tail is not None and not tail.isspace():
            return outer_xml(element)
        name = _name(child.tag)[1]
        inside = to_json(child, names, uri)
        if name not in found:
            found[name] = inside
        elif name != last:
            return outer_xml(element)
        elif isinstance(found[name], list):
            found[name].append(inside)
        else:
            found[name] = [found[name], inside]
        last = name
    return found


def outer_xml(element: Any) -> dict[str, str]:
    """An element as it stands, with the namespaces that it uses."""
    whole = copy.deepcopy(element)
    whole.tail = None
    etree.cleanup_namespaces(whole)
    return {"@xml": etree.tostring(whole, encoding="unicode")}


@lru_cache(maxsize=4096)
def _name(tag: str) -> tuple[str, str]:
    if tag[0] == "{":
        uri, _, local = tag[1:].rpartition("}")
        return uri, local
    return "", tag


def _leaf(element: Any, content: str, uri: str, local: str, names: Names) -> str:
    if uri == TYPES:
        if local == "Identifier" and _NODE_ID.match(content):
            try:
                return names.node(content, element.sourceline)
            except DocumentError:
                # A default of a tool (``ns=65535;i=0``) is no name of anything: it stays as it is.
                return content
        if local == "NamespaceIndex" and content.strip().isdecimal():
            index = int(content)
            if index < len(names.uris) and names.uris[index]:
                return names.uris[index]
    return content


def to_xml(name: str, value: Any, indexes: Indexes, pieces: list[str], namespace: str = TYPES) -> None:
    """Appends the element that `to_json` read. Raises `ValueError` where ``value`` is of no shape that it makes."""
    if isinstance(value, list):
        for each in value:
            to_xml(name, each, indexes, pieces, namespace)
        return
    if not isinstance(value, dict):
        _write_leaf(name, value, indexes, pieces, namespace, "")
        return
    if "@xml" in value:
        etree.fromstring(value["@xml"], etree.XMLParser(resolve_entities=False, no_network=True))
        pieces.append(value["@xml"])
        return
    opening = ""
    if "@xmlns" in value:
        namespace = value["@xmlns"]
        opening += f" xmlns={attribute(namespace)}"
    content, children = "", []
    count = 0
    for key, each in value.items():
        if key == "#":
            content = each
        elif key == "@xmlns":
            continue
        elif key.startswith("@"):
            opening += _write_attribute(key[1:], each, count)
            count += 1
        else:
            children.append((key, each))
    if not children:
        _write_leaf(name, content, indexes, pieces, namespace, opening)
        return
    pieces.append(f"<{name}{opening}>")
    for key, each in children:
        to_xml(key, each, indexes, pieces, namespace)
    pieces.append(f"</{name}>")


def _write_attribute(name: str, value: str, count: int) -> str:
    uri, _, local = name.rpartition("}")
    if not uri:
        return f" {local}={attribute(value)}"
    prefix = "xsi" if uri[1:] == XSI else "xml" if uri[1:] == "http://www.w3.org/XML/1998/namespace" else f"a{count}"
    declared = "" if prefix in ("xsi", "xml") else f" xmlns:{prefix}={attribute(uri[1:])}"
    if name == _TYPE and value.startswith("{"):
        of, _, rest = value[1:].partition("}")
        declared += f" xmlns:t{count}={attribute(of)}" if of else ""
        value = f"t{count}:{rest}" if of else rest
    return f"{declared} {prefix}:{local}={attribute(value)}"


def _write_leaf(name: str, value: Any, indexes: Indexes, pieces: list[str], namespace: str, opening: str) -> None:
    content = value if isinstance(value, str) else "" if value is None else str(value)
    if namespace == TYPES and content:
        if name == "Identifier" and _MODEL_ID.match(content):
            content = indexes.node(content)
        elif name == "NamespaceIndex" and not content.isdecimal():
            content = str(indexes.namespace(content))
    pieces.append(f"<{name}{opening}>{text(content)}</{name}>" if content else f"<{name}{opening}/>")


def text(content: str) -> str:
    """Characters of an element. Raises `ValueError` for what no XML can hold."""
    if _ILLEGAL.search(content):
        raise ValueError("it has control characters, which no XML document can hold")
    if "&" in content or "<" in content or ">" in content:
        content = content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A reader makes of a bare carriage return a line feed.
    return content.replace("\r", "&#13;") if "\r" in content else content


def attribute(content: str) -> str:
    """An attribute's value with its quotes. Raises `ValueError` for what no XML can hold."""
    content = text(content)
    if '"' in content or "\n" in content or "\t" in content:
        content = content.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{content}"'
