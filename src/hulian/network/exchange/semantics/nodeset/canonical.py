"""When two NodeSets are the same: a canonical form, made from the XML itself and not from what the reader makes of it.

What does not matter: the order of nodes and of a node's references, aliases, the order of the namespace table and the
indexes that follow from it, the order of child elements of a node and of texts of several languages, attributes that
say what the schema says without them, an empty ParentNodeId, letters of GUIDs, white space between elements and around
node ids and numbers, prefixes, how a number is written (``1.50`` and ``1.5``). Everything else does: every node,
attribute, text, reference with its direction and the node that states it, doubled references, every value with the
order of its members.

Both documents are held whole: this is for comparing, not for reading.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hulian.network.exchange.semantics.contract import Source
from hulian.network.exchange.semantics.documents import parse_xml
from hulian.network.exchange.semantics.nodeset.names import Names
from hulian.network.exchange.semantics.nodeset.schema import BASE, DEFAULTS, NODESET, TYPES, XSI

__all__ = ["Canonical", "canonical", "differences"]

Canonical = dict[str, Any]
"""By node id, and under names of their own what stands before the nodes."""

_NODE_IDS: Final = frozenset({"NodeId", "ParentNodeId", "DataType", "MethodDeclarationId", "ReferenceType"})
_WITHOUT_TEXT: Final = frozenset({"Model", "RequiredModel", "Definition", "Field"})
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z")
_NUMBERS: Final = frozenset(
    {"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "Boolean", "DateTime", "Guid"}
)


def canonical(source: Source, largest: int = 256 << 20) -> Canonical:
    """The canonical form of a NodeSet. Raises as `parse_xml`, and `DocumentError` for names that mean nothing."""
    root = parse_xml(source, largest=largest)
    tables = {
        kind: [child.text.strip() for child in root.iterfind(f"{{{NODESET}}}{kind}/*")]
        for kind in ("NamespaceUris", "ServerUris")
    }
    names = Names(tables["NamespaceUris"], tables["ServerUris"], source.name)
    for alias in root.iterfind(f"{{{NODESET}}}Aliases/*"):
        names.add_aliases({alias.get("Alias"): alias.text}, alias.sourceline)
    form: Canonical = {
        "": {key: value for key, value in root.attrib.items() if not key.startswith("{")},
        "namespaces": sorted(set(tables["NamespaceUris"]) - {BASE}),
        "servers": sorted(tables["ServerUris"]),
        "models": [_plain(model, names) for model in root.iterfind(f"{{{NODESET}}}Models/*")],
        "extensions": [_plain(each, names) for each in root.iterfind(f"{{{NODESET}}}Extensions/*/*")],
    }
    for element in root:
        if element.get("NodeId") is not None:
            form.setdefault(names.node(element.get("NodeId"), element.sourceline), []).append(_node(element, names))
    return form


def differences(first: Canonical, second: Canonical) -> list[str]:
    """What the second says otherwise than the first, a line each."""
    found = [f"{key}: is missing" for key in first if key not in second] + [
        f"{key}: is more" for key in second if key not in first
    ]
    both = (key for key in first if key in second and first[key] != second[key])
    return [*found, *(f"{key}: {_first_difference(first[key], second[key])}" for key in both)]


def _first_difference(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if one.get(key) != other.get(key):
                return _first_difference(one.get(key), other.get(key), f"{path}/{key}")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for position, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                return _first_difference(left, right, f"{path}/{position}")
    return f"{path}: {str(one)[:300]} became {str(other)[:300]}"


def _attributes(element: Any, names: Names) -> dict[str, str]:
    found = {}
    for key, value in element.attrib.items():
        if key in _NODE_IDS and value.strip():
            value = names.node(value, element.sourceline)
        elif key == "BrowseName" or (key == "Name" and element.tag == f"{{{NODESET}}}Definition"):
            value = "|".join(names.qualified(value, element.sourceline))
        if key == "ParentNodeId" and not value.strip():
            continue
        if DEFAULTS.get(key) != value:
            found[key] = value
    return found


def _node(element: Any, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {"class": element.tag, "attributes": _attributes(element, names)}
    for child in element:
        kind = child.tag.rpartition("}")[2]
        if kind == "References":
            found[kind] = sorted(
                (
                    names.node(each.get("ReferenceType"), each.sourceline),
                    each.get("IsForward", "true") in ("true", "1"),
                    names.node(each.text, each.sourceline),
                )
                for each in child
            )
        elif kind == "Value":
            found[kind] = [_plain(inside, names) for inside in child]
        elif kind == "RolePermissions":
            found[kind] = sorted((names.node(each.text, each.sourceline), each.get("Permissions", "0")) for each in child)
        elif kind in ("DisplayName", "Description", "InverseName"):
            texts = found.setdefault(kind, {})
            texts.setdefault(child.get("Locale", ""), child.text or "")
        elif kind == "Extensions":
            found[kind] = [_plain(inside, names) for extension in child for inside in extension]
        elif kind == "Documentation":
            found[kind] = child.text or ""
        else:
            found.setdefault(kind, []).append(_plain(child, names))
    if not found.get("References"):
        found.pop("References", None)
    return found


def _plain(element: Any, names: Names) -> tuple[Any, ...]:
    """An element as its name, attributes, and text or children."""
    attributes = {
        key: value if key != f"{{{XSI}}}type" else value.rpartition(":")[2]
        for key, value in _attributes(element, names).items()
    }
    children = [_plain(child, names) for child in element]
    if children:
        return element.tag, attributes, children, (element.text or "").strip()
    return element.tag, attributes, _content(element, names), ""


def _content(element: Any, names: Names) -> str:
    content = element.text or ""
    uri, _, local = element.tag.rpartition("}")
    if uri[1:] == NODESET and local in _WITHOUT_TEXT:
        return content.strip()
    if uri[1:] != TYPES:
        return content
    if local == "Identifier" and "=" in content:
        try:
            return names.node(content, element.sourceline)
        except Exception:  # noqa: BLE001 - what is no node id of this document stays as it is
            return content
    if local == "NamespaceIndex" and content.strip().isdecimal() and int(content) < len(names.uris):
        return names.uris[int(content)]
    if local == "ByteString":
        return "".join(content.split())
    if local == "Locale":
        return content.strip()
    if local == "String" and element.getparent().tag == f"{{{TYPES}}}Guid":
        return content.strip().lower()
    if local in _NUMBERS:
        content = content.strip().lower()
        return repr(float(content)) if local in ("Float", "Double") and _NUMBER.match(content) else content
    if local == "RolePermission":
        return names.node(content, element.sourceline)
    return content
