"""Values of variables: OPC 10000-6, 5.3 (XML) and the model's texts.

A scalar is its text in the lexical form of XSD, with ids of the model for node ids and ``{"uri", "name"}`` for
qualified names; an array is a JSON array (nested where it has several dimensions), a structure a JSON object as
`opaque` makes it. What the text alone does not tell (`Shape`) is kept beside it: nothing where the data type says it, a
type's name, or an object.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec
from lxml import etree

from hulian.network.exchange.semantics.errors import DocumentError
from hulian.network.exchange.semantics.nodeset.names import Names
from hulian.network.exchange.semantics.nodeset.opaque import Indexes, outer_xml, text, to_json, to_xml
from hulian.network.exchange.semantics.nodeset.schema import BASE, DATATYPES, TYPES

__all__ = ["Shape", "elements_of", "read_value", "type_of", "write_value"]

Shape = str | dict[str, Any] | None
"""What the text of a value does not tell: the name of its type (``Int32``, ``ListOfString``), or an object with more."""

INTEGERS: Final = frozenset({"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"})
FLOATS: Final = frozenset({"Float", "Double"})
_PLAIN: Final = INTEGERS | FLOATS | {"Boolean", "String", "DateTime", "ByteString"}
_WRAPPED: Final = {"Guid": "String", "NodeId": "Identifier", "ExpandedNodeId": "Identifier", "StatusCode": "Code"}
_XS: Final = {
    name: DATATYPES[f"i={number}"]
    for number, name in enumerate(
        (
            "Boolean",
            "SByte",
            "Byte",
            "Int16",
            "UInt16",
            "Int32",
            "UInt32",
            "Int64",
            "UInt64",
            "Float",
            "Double",
            "String",
            "DateTime",
        ),
        1,
    )
} | {"ByteString": "xs:base64Binary"}
_OWN_FORM: Final = _PLAIN | _WRAPPED.keys() | {"LocalizedText", "XmlElement", "Matrix"}
_ELEMENT: Final = {xs: name for name, xs in _XS.items()}
_LARGEST_KEPT: Final = 2048
_MOST_KEPT: Final = 4096
_FIRST: Final = re.compile(r"<[^\s/>]+")
_INTEGER_OF_JSON: Final = 2**63


def type_of(datatype: str) -> str:
    """The element of a data type: ``Double`` of ``xs:double``, ``ListOfDouble`` of ``xs:double[]``; empty for other types."""
    if datatype.endswith("[]"):
        name = _ELEMENT.get(datatype[:-2])
        return f"ListOf{name}" if name else ""
    return _ELEMENT.get(datatype, "")


def read_value(holder: Any, names: Names, datatype: str) -> tuple[str | None, Shape]:
    """Text and shape of what stands in a ``Value`` element; the text is None where there is nothing."""
    if not len(holder):
        return None, {"type": ""}
    element = holder[0]
    if len(element) and element.getnext() is None:
        # Units, ranges and arguments are the same ones again and again: their bytes tell.
        key = (etree.tostring(element, with_tail=False), datatype)
        known = names.values.get(key)
        if known is None:
            known = _read_element(element, names, datatype)
            if len(key[0]) <= _LARGEST_KEPT:
                if len(names.values) >= _MOST_KEPT:
                    names.values.clear()
                names.values[key] = known
        return known
    return _read_element(element, names, datatype)


def _read_element(element: Any, names: Names, datatype: str) -> tuple[str | None, Shape]:
    tag = element.tag
    if not tag.startswith(f"{{{TYPES}}}"):
        return _as_json(outer_xml(element)), {"type": tag.rpartition("}")[2], "lax": True}
    name = tag[len(TYPES) + 2 :]
    if not element.attrib:
        if name.startswith("ListOf"):
            items = _items(element, name[6:], names)
            if items is not None:
                return _as_json(items), None if type_of(datatype) == name else name
        elif name == "Matrix":
            matrix = _matrix(element, names)
            if matrix is not None:
                return matrix
        else:
            scalar = _scalar(element, name, names)
            if scalar is not None:
                value, more = scalar
                if more:
                    return value, {"type": name, **more}
                return value, None if type_of(datatype) == name else name
    inside = to_json(element, names)
    lax = name in _OWN_FORM or name.startswith("ListOf")
    return _as_json(inside), {"type": name, "lax": True} if lax else {"type": name}


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _scalar(element: Any, name: str, names: Names) -> tuple[str, dict[str, Any]] | None:
    """Text of a value of a simple type, and what the text does not tell; None where its elements are otherwise."""
    if name in _PLAIN:
        if len(element):
            return None
        content = element.text or ""
        return (content if name == "String" else "".join(content.split()) if name == "ByteString" else content.strip()), {}
    if name in _WRAPPED:
        if len(element) != 1 or element[0].tag != f"{{{TYPES}}}{_WRAPPED[name]}" or element[0].attrib:
            return None
        inside = (element[0].text or "").strip()
        if _WRAPPED[name] != "Identifier":
            return inside.lower() if name == "Guid" else inside, {}
        try:
            return (names.node(inside, element.sourceline) if inside else ""), {}
        except DocumentError:
            return None
    if name == "LocalizedText":
        parts = [(child.tag[len(TYPES) + 2 :], child.text or "") for child in element if not child.attrib and not len(child)]
        match [part[0] for part in parts], len(element):
            case ["Text"], 1:
                return parts[0][1], {}
            case ["Locale", "Text"], 2:
                return parts[1][1], {"locale": parts[0][1].strip()}
        return None
    if name == "XmlElement":
        if len(element) != 1 or (element.text or "").strip():
            return None
        return outer_xml(element[0])["@xml"], {}
    return None


def _items(element: Any, name: str, names: Names) -> list[Any] | None:
    """Members of an array, as JSON; None where they are not all plain elements of that type."""
    tag = f"{{{TYPES}}}{name}"
    items: list[Any] = []
    for child in element:
        if child.tag != tag or child.attrib:
            return None
        item = _item(child, name, names)
        if item is _UNUSUAL:
            return None
        items.append(item)
    return items


_UNUSUAL: Final = object()


def _item(child: Any, name: str, names: Names) -> Any:
    if name in _PLAIN or name in _WRAPPED:
        scalar = _scalar(child, name, names)
        if scalar is None:
            return _UNUSUAL
        number = _number(scalar[0], name)
        return _UNUSUAL if isinstance(number, str) and (name in INTEGERS or name == "Boolean") else number
    return to_json(child, names)


def _number(content: str, name: str) -> Any:
    """A member of an array as JSON: a number where JSON has one that says the same."""
    if name == "Boolean" and content in ("true", "false", "1", "0"):
        return content in ("true", "1")
    try:
        if name in INTEGERS and abs(integer := int(content)) < _INTEGER_OF_JSON:
            return integer
        if name in FLOATS and math.isfinite(number := float(content)):
            return number
    except ValueError:
        pass
    return content


def _matrix(element: Any, names: Names) -> tuple[str, Shape] | None:
    tags = [child.tag for child in element]
    if tags != [f"{{{TYPES}}}Dimensions", f"{{{TYPES}}}Elements"] or not len(element[1]):
        return None
    try:
        dimensions = [int(child.text or "") for child in element[0]]
    except ValueError:
        return None
    name = element[1][0].tag.rpartition("}")[2]
    items = _items(element[1], name, names)
    if items is None or len(dimensions) < 2 or min(dimensions) < 1 or math.prod(dimensions) != len(items):
        return None
    for size in reversed(dimensions[1:]):
        items = [items[at : at + size] for at in range(0, len(items), size)]
    return _as_json(items), {"type": name, "dimensions": len(dimensions)}


def elements_of(value: str | None) -> list[dict[str, Any]]:
    """The structures in a value: bodies of its extension objects, without the ids of their encodings."""
    if not value or value[0] not in "[{":
        return []
    found = msgspec.json.decode(value)
    bodies: list[dict[str, Any]] = []
    for item in found if isinstance(found, list) else [found]:
        body = item.get("Body") if isinstance(item, dict) else None
        if isinstance(body, dict):
            bodies.extend(inside for inside in body.values() if isinstance(inside, dict))
    return bodies


# ------------------------------------------------------------ writing


def write_value(value: str | None, shape: Shape, datatype: str, indexes: Indexes, pieces: list[str]) -> None:
    """Appends the ``Value`` element. Raises `ValueError` where the text is not of its type."""
    details = {"type": shape} if isinstance(shape, str) else shape or {"type": type_of(datatype)}
    name = details.get("type", "")
    if value is None:
        if shape is not None:
            pieces.append("<Value/>")
        return
    inside: list[str] = []
    raw = _write_inside(value, name, details, indexes, inside)
    if not raw:
        # The elements of values are in a namespace of their own, which the first of them declares.
        inside[0] = _FIRST.sub(lambda found: f'{found[0]} xmlns="{TYPES}"', inside[0], count=1)
    pieces.append("<Value>")
    pieces.extend(inside)
    pieces.append("</Value>")


def _write_inside(value: str, name: str, details: dict[str, Any], indexes: Indexes, pieces: list[str]) -> bool:
    """Appends the value's elements; whether they declare their namespace themselves."""
    if not name:
        raise ValueError("its data type does not tell how it is written")
    if details.get("lax"):
        return _write_generic(name, value, indexes, pieces)
    if "dimensions" in details:
        _write_matrix(name, msgspec.json.decode(value), details["dimensions"], indexes, pieces)
    elif name.startswith("ListOf"):
        members = msgspec.json.decode(value)
        if not isinstance(members, list):
            raise ValueError("an array is a JSON array")
        pieces.append(f"<{name}>")
        _write_items(name[6:], members, indexes, pieces)
        pieces.append(f"</{name}>")
    elif name in _PLAIN or name in _WRAPPED:
        _write_item(name, value, indexes, pieces)
    elif name == "LocalizedText":
        pieces.append("<LocalizedText>")
        if "locale" in details:
            pieces.append(f"<Locale>{text(details['locale'])}</Locale>")
        pieces.append(f"<Text>{text(value)}</Text></LocalizedText>")
    elif name == "XmlElement":
        etree.fromstring(value, etree.XMLParser(resolve_entities=False, no_network=True))
        pieces.append(f"<XmlElement>{value}</XmlElement>")
    else:
        return _write_generic(name, value, indexes, pieces)
    return False


def _write_generic(name: str, value: str, indexes: Indexes, pieces: list[str]) -> bool:
    inside = msgspec.json.decode(value)
    to_xml(name, inside, indexes, pieces)
    return isinstance(inside, dict) and ("@xml" in inside or "@xmlns" in inside)


def _write_matrix(name: str, members: Any, depth: int, indexes: Indexes, pieces: list[str]) -> None:
    dimensions: list[int] = []
    flat = members
    for level in range(depth):
        if not isinstance(flat, list) or not flat:
            raise ValueError("an array of several dimensions is a nested JSON array")
        dimensions.append(len(flat) if level == 0 else len(flat) // math.prod(dimensions))
        if level < depth - 1:
            if len({len(row) if isinstance(row, list) else -1 for row in flat}) != 1:
                raise ValueError("the rows of an array are of one length")
            flat = [member for row in flat for member in row]
    pieces.append("<Matrix><Dimensions>")
    pieces.extend(f"<Int32>{size}</Int32>" for size in dimensions)
    pieces.append("</Dimensions><Elements>")
    _write_items(name, flat, indexes, pieces)
    pieces.append("</Elements></Matrix>")


def _write_items(name: str, members: list[Any], indexes: Indexes, pieces: list[str]) -> None:
    for member in members:
        _write_item(name, member, indexes, pieces)


def _write_item(name: str, member: Any, indexes: Indexes, pieces: list[str]) -> None:
    if name not in _PLAIN and name not in _WRAPPED:
        to_xml(name, member, indexes, pieces)
        return
    content = _lexical(member, name)
    if name in _PLAIN:
        pieces.append(f"<{name}>{text(content)}</{name}>")
    else:
        inside = _WRAPPED[name]
        if inside == "Identifier" and content:
            content = indexes.node(content)
        pieces.append(f"<{name}><{inside}>{text(content)}</{inside}></{name}>")


def _lexical(member: Any, name: str) -> str:
    """Text of a member, of the type that it has to have. Raises `ValueError`."""
    content = ("true" if member else "false") if isinstance(member, bool) else str(member)
    if name in INTEGERS:
        return str(int(content))
    if name in FLOATS:
        if content not in ("INF", "-INF", "NaN"):
            float(content)
        return content
    if name == "Boolean" and content not in ("true", "false", "0", "1"):
        raise ValueError("it is neither true nor false")
    return content


def qualified(uri: str, name: str) -> dict[str, str]:
    """A qualified name as `read_value` has it."""
    return {"NamespaceIndex": uri or BASE, "Name": name}
