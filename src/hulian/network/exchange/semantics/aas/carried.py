"""What the metamodel has no field for, carried in an extension of the element, so that a node comes back as it was.

Extensions are the standard's own place for what only one system knows; other tools keep or ignore them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.semantics.contract import Constraints, Document, Kind, Node, Reference

__all__ = [
    "DOCUMENT",
    "EXTENSION",
    "ORDER",
    "REFERENCES",
    "carried_document",
    "carried_references",
    "carry",
    "carry_document",
    "carry_references",
    "restored",
]

EXTENSION: Final = "hulian.node"
REFERENCES: Final = "hulian.references"
DOCUMENT: Final = "hulian.document"
ORDER: Final = "order"
"""In `Reference.extra`: the place of a reference among those of its document."""


class _Carried(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The fields of `Node` that came back otherwise."""

    id: str | msgspec.UnsetType = msgspec.UNSET
    kind: Kind | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    parent: str | msgspec.UnsetType = msgspec.UNSET
    """Of another document; all others are told by the place in the tree."""
    relation: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    value: str | msgspec.UnsetType | None = msgspec.UNSET
    datatype: str | msgspec.UnsetType = msgspec.UNSET
    unit: str | msgspec.UnsetType = msgspec.UNSET
    meanings: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    descriptions: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    constraints: Constraints | msgspec.UnsetType | None = msgspec.UNSET
    writable: bool | msgspec.UnsetType | None = msgspec.UNSET
    point: str | msgspec.UnsetType = msgspec.UNSET
    identifier: str | msgspec.UnsetType = msgspec.UNSET
    extra: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    foreign: bool = False
    """Nothing in the node was of this language: what the element has beside was made from the node."""


def carry(node: Node, expected: Node) -> dict[str, Any] | None:
    """The extension that makes ``node`` of ``expected``, which the element alone would give; None where they are equal."""
    differs: dict[str, Any] = {}
    if "aas" not in node.extra and expected.extra.get("aas"):
        differs["foreign"] = True
    for name in Node.__struct_fields__:
        if name == "parent" and (not differs.get("foreign") or expected.parent):
            continue
        wanted = getattr(node, name)
        if name == "extra":
            wanted = {language: of for language, of in wanted.items() if language != "aas"}
            if not wanted:
                continue
        elif wanted == getattr(expected, name):
            continue
        differs[name] = wanted
    if not differs:
        return None
    return {"name": EXTENSION, "valueType": "xs:string", "value": msgspec.json.encode(_Carried(**differs)).decode()}


def restored(node: Node) -> Node:
    """The node as it was before `carry`; an extension that cannot be read stays where it is."""
    rest = node.extra.get("aas", {})
    extensions = rest.get("extensions")
    if not extensions:
        return node
    for extension in extensions:
        if extension.get("name") != EXTENSION:
            continue
        try:
            carried = msgspec.json.decode(extension.get("value", ""), type=_Carried)
        except UNREADABLE:
            return node
        left = [one for one in extensions if one is not extension]
        rest = {name: value for name, value in rest.items() if name != "extensions"}
        if left:
            rest["extensions"] = left
        if carried.foreign:
            rest = {name: value for name, value in rest.items() if name == "extensions" and _keeps(value)}
        node.extra = {"aas": rest} if rest else {}
        for name in Node.__struct_fields__:
            value = getattr(carried, name)
            if value is msgspec.UNSET:
                continue
            if name == "extra":
                node.extra = {**value, **node.extra}
            else:
                setattr(node, name, value)
        return node
    return node


def _keeps(extensions: list[dict[str, Any]]) -> bool:
    return any(one.get("name") == REFERENCES for one in extensions)


def carry_references(references: list[tuple[int, Reference]], *, ordered: bool) -> dict[str, Any]:
    """The extension that holds references of a node which no field of the metamodel says; with their places, if ``ordered``."""
    told = [(one.relation, one.target, {**one.extra, ORDER: place} if ordered else one.extra) for place, one in references]
    return {"name": REFERENCES, "valueType": "xs:string", "value": msgspec.json.encode(told).decode()}


def carried_references(node: Node) -> list[Reference]:
    """What `carry_references` holds; the extension is taken away."""
    rest = node.extra.get("aas", {})
    for extension in rest.get("extensions", ()):
        if extension.get("name") == REFERENCES:
            try:
                told = msgspec.json.decode(extension.get("value", ""), type=list[tuple[str, str, dict[str, Any]]])
            except UNREADABLE:
                return []
            left = [one for one in rest["extensions"] if one is not extension]
            rest = {name: value for name, value in rest.items() if name != "extensions" or left}
            if left:
                rest["extensions"] = left
            node.extra = {name: value for name, value in node.extra.items() if name != "aas"}
            if rest:
                node.extra["aas"] = rest
            return [Reference(node.id, relation, target, extra) for relation, target, extra in told]
    return []


def carry_document(document: Document) -> dict[str, Any]:
    """The extension, of the first of its parts, that says what document of another language this was."""
    return {"name": DOCUMENT, "valueType": "xs:string", "value": msgspec.json.encode(document).decode()}


def carried_document(fields: dict[str, Any]) -> tuple[dict[str, Any], Document | None]:
    """Fields without what `carry_document` put among them, and that."""
    extensions = fields.get("extensions", ())
    found = next((one for one in extensions if one.get("name") == DOCUMENT), None)
    if found is None:
        return fields, None
    try:
        document = msgspec.json.decode(found.get("value", ""), type=Document)
    except UNREADABLE:
        return fields, None
    left = [one for one in extensions if one is not found]
    rest = {name: value for name, value in fields.items() if name != "extensions"}
    return ({**rest, "extensions": left} if left else rest), document
