"""Objects of a CAEX file that are read whole: interfaces, attributes, and what all objects have in common.

Names become ids here, paths the ids of classes, and what has no place in CAEX a finding with line and path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from hulian.network.exchange.semantics.automationml.headers import LOCAL, local_name, read_header
from hulian.network.exchange.semantics.automationml.identities import Identities, PendingLink
from hulian.network.exchange.semantics.automationml.names import (
    EXTRA,
    HEADER,
    LONGEST,
    MARKS,
    REFERENCES,
    escaped,
    is_identity,
    shortened,
    split_path,
)
from hulian.network.exchange.semantics.automationml.values import PARTS, constraints_of, read_part
from hulian.network.exchange.semantics.contract import Kind, Node, Relation

__all__ = ["ORDER", "ObjectReader"]

_KNOWN_NAMES: Final = 65_536
ORDER: Final = dict.fromkeys(HEADER, 0) | {
    "SuperiorStandardVersion": 1,
    "SourceDocumentInformation": 2,
    "ExternalReference": 3,
    "InstanceHierarchy": 4,
    "InterfaceClassLib": 5,
    "RoleClassLib": 6,
    "SystemUnitClassLib": 7,
    "AttributeTypeLib": 8,
    "DefaultValue": 1,
    "Value": 2,
    "RefSemantic": 3,
    "Constraint": 4,
    "Attribute": 5,
    "ExternalInterface": 6,
    "InternalElement": 7,
    "SupportedRoleClass": 8,
    "InternalLink": 9,
    "RoleRequirements": 10,
    "MappingObject": 11,
    "SystemUnitClass": 12,
    "RoleClass": 12,
    "InterfaceClass": 12,
    "AttributeType": 12,
}
"""Where an element stands among its siblings; elements of one number keep their order."""


class ObjectReader(ABC):
    """Makes nodes of elements that are complete; `reading.FileReader` knows where they stand."""

    def __init__(self, file: str, prefix: str, identities: Identities) -> None:
        self._file_name, self._prefix, self._known = file, prefix, identities
        self._nodes: list[Node] = []
        self._escaped: dict[str, str] = {}
        self._types: dict[tuple[str, str], tuple[str, bool]] = {}
        self._plain: dict[tuple[tuple[str, str], ...], tuple[str, str]] = {}
        self.aliases: dict[str, str] = {}
        """Prefix of the ids of each file that this one knows under a name; filled by who reads the files."""

    @abstractmethod
    def _enclosing(self, tag: str, name: str, identity: str) -> str:
        """The id of the class of this name around what is being read; empty where there is none."""

    def _node(
        self,
        element: Any,
        tag: str,
        identity: str,
        name: str,
        parent: str,
        kind: Kind,
        descriptions: dict[str, str],
        extra: dict[str, Any],
    ) -> None:
        """Makes a node of what is no attribute."""
        wanted = REFERENCES.get(tag)
        type_id = ""
        for key, text in element.items():
            if key == "Name":
                continue
            if key == "ID":
                extra["id"] = text
            elif key == wanted:
                type_id = self._type(tag, text, identity, element, extra)
            elif key == "ChangeMode":
                extra["change"] = text
            else:
                self._unknown_attribute(element, key, text)
        node = Node(id=identity, kind=kind, name=name, parent=parent, type=type_id, descriptions=descriptions)
        if kind != Kind.OBJECT:
            node.relation = Relation.ORGANIZES
        if extra:
            node.extra = {EXTRA: extra}
        self._nodes.append(node)

    def _interface(self, element: Any, parent: str, owner: str, names: dict[str, int]) -> None:
        name = element.get("Name", "")
        identity, own = self._identity(element, parent, names, name)
        if owner:
            self._known.interface(self._prefix, owner, name, identity)
        extra: dict[str, Any] = {"tag": "ExternalInterface"}
        if not len(element):
            self._node(element, "ExternalInterface", identity, name, parent, Kind.OBJECT, {}, extra)
            return
        header = [child for child in element if local_name(child) in HEADER]
        descriptions = self._header(header, extra) if header else {}
        self._node(element, "ExternalInterface", identity, name, parent, Kind.OBJECT, descriptions, extra)
        below: dict[str, int] = {}
        for child in element:
            tag = local_name(child)
            if tag == "Attribute":
                self._nested_attribute(child, identity, "@", below)
            elif tag == "ExternalInterface":
                self._interface(child, identity, own, below)
            elif tag not in HEADER:
                self._known.find(tag, self._place(child), f"CAEX has no {tag} in ExternalInterface", lost=True)

    def _nested_attribute(self, element: Any, parent: str, sign: str, names: dict[str, int]) -> None:
        name = element.get("Name", "")
        identity = f"{parent}{sign}{self._escaped.get(name) or self._escape(name)}"
        if len(identity) > LONGEST or identity in names or not name:
            identity = self._unique(names, identity, element)
        else:
            names[identity] = 1
        self._attribute(element, element, identity, parent, Kind.PROPERTY, "/")

    def _attribute(self, element: Any, children: Any, identity: str, parent: str, kind: Kind, sign: str) -> None:
        """The node of an attribute or attribute type, and those of the attributes in it. The hot path of most documents."""
        extra: dict[str, Any] = {}
        meanings: list[str] = []
        header: list[Any] = []
        nested: list[Any] = []
        value = self._parts(children, extra, meanings, header, nested)
        if (stray := element.text) and not stray.isspace():
            self._stray(element, stray)
        attributes = element.items()
        plain = self._plain.get(tuple(attributes[1:]))
        if plain is not None and attributes[0][0] == "Name":
            # what is said beside the name, and by most attributes of a document alike
            name, type_id = attributes[0][1], ""
            datatype, unit = plain
        else:
            name, datatype, unit, type_id = self._said(attributes, element, identity, extra)
        node = Node(id=identity, kind=kind, name=name, parent=parent, type=type_id, value=value, datatype=datatype, unit=unit)
        # Most have none of these: a field that is left out costs nothing.
        if meanings:
            node.meanings = tuple(meanings)
        if header:
            node.descriptions = self._header(header, extra)
        if extra:
            if "constraints" in extra:
                node.constraints = constraints_of(extra["constraints"])
            node.extra = {EXTRA: extra}
        self._nodes.append(node)
        if nested:
            names: dict[str, int] = {}
            for child in nested:
                self._nested_attribute(child, identity, sign, names)

    def _parts(
        self, children: Any, extra: dict[str, Any], meanings: list[str], header: list[Any], nested: list[Any]
    ) -> str | None:
        """Sorts what is in an attribute; returns its value."""
        value = None
        rank = 0
        for child in children:
            tag = LOCAL[child.tag]
            if (tail := child.tail) and not tail.isspace():
                self._stray(child, tail)
            now = ORDER.get(tag, 99)
            if now < rank:
                self._misplaced(child, tag)
            rank = now
            if tag == "Value" and not len(child) and not child.keys():
                value = child.text or ""
            elif tag == "Attribute":
                nested.append(child)
            elif not now:
                header.append(child)
            elif tag in PARTS:
                found = read_part(tag, child, extra, meanings)
                value = found if found is not None else value
            else:
                self._known.find(tag, self._place(child), "CAEX has none in an attribute", lost=True)
        return value

    def _said(
        self, attributes: list[tuple[str, str]], element: Any, identity: str, extra: dict[str, Any]
    ) -> tuple[str, str, str, str]:
        """Name, data type, unit and type of an attribute. What was only data type and unit is remembered."""
        name = datatype = unit = type_id = ""
        plain = True
        for key, text in attributes:
            if key == "Name":
                name = text
            elif key == "AttributeDataType":
                datatype = text
                if not text.startswith("xs:"):
                    plain = False
                    extra["datatype"] = text
                    datatype = f"xs:{text.removeprefix('xsd:')}" if ":" not in text or text.startswith("xsd:") else text
            elif key == "Unit":
                unit = text
                if not text:
                    plain = False
                    extra["unit"] = ""
            else:
                plain = False
                if key == "RefAttributeType":
                    type_id = self._type("Attribute", text, identity, element, extra)
                elif key == "ID":
                    extra["id"] = text
                elif key == "ChangeMode":
                    extra["change"] = text
                else:
                    self._unknown_attribute(element, key, text)
        if plain and attributes and attributes[0][0] == "Name" and len(self._plain) < _KNOWN_NAMES:
            self._plain[tuple(attributes[1:])] = datatype, unit
        return name, datatype, unit, type_id

    def _escape(self, name: str) -> str:
        found = self._escaped.get(name)
        if found is None:
            found = escaped(name)
            if len(self._escaped) < _KNOWN_NAMES:
                self._escaped[name] = found
        return found

    def _unique(self, names: dict[str, int], identity: str, element: Any) -> str:
        """An id that no sibling has."""
        identity = chosen = shortened(identity)
        number = names.get(identity, 0)
        while chosen in names:
            number += 1
            chosen = f"{identity}~{number}"
        if number == 2 and element is not None:
            self._known.find("siblings of one name", self._place(element), "the second is told apart by its number")
        names[identity] = max(number, 1)
        names.setdefault(chosen, 1)
        return chosen

    def _identity(self, element: Any, parent: str, names: dict[str, int], name: str) -> tuple[str, str]:
        """The id of an element or interface, and the ID that it has."""
        own = element.get("ID")
        if own and own.strip():
            identity, taken = self._known.named(self._prefix, own)
            if not taken:
                return identity, own
            self._known.find("an ID that another object has", self._place(element), f"{own!r} leads to the first of them")
        return self._unique(names, f"{parent}/{self._escape(name)}", element), own or ""

    def _type(self, tag: str, text: str, identity: str, element: Any, extra: dict[str, Any]) -> str:
        """The id of the class at a path; "" where the path names an object, of which this one is a mirror then."""
        mark = MARKS[tag]
        cached = self._types.get((mark, text))
        if cached is not None:
            if cached[1]:
                extra["ref"] = text
            return cached[0]
        if not text:
            extra["ref"] = text
            return ""
        alias, segments = split_path(text.replace("\\", "/") if "\\" in text else text)
        prefix = self.aliases.get(alias, "") if alias else self._prefix
        if not prefix:
            self._known.find("an alias that is not declared", self._place(element), f"{alias!r} in {text!r}")
            prefix = f"{self._prefix.rpartition('/')[0]}/{escaped(alias)}!"
        if self._mirrors(tag, segments):
            extra["ref"] = text
            path = "/".join(self._escape(segment) for segment in segments[1:])
            more = {"path": f"@{path}"} if path else {}
            self._known.later(
                PendingLink(Relation.SAME, identity, prefix, "", segments[0], {**more, "ref": text}, self._place(element))
            )
            return ""
        if len(segments) == 1 and tag.endswith("Class"):
            enclosing = self._enclosing(tag, segments[0], identity)
            if enclosing:
                extra["ref"] = text
                return enclosing
        found = shortened(f"{prefix}{mark}{'/'.join(self._escape(segment) for segment in segments)}")
        self._known.wanted(found, text, self._place(element))
        special = bool(alias) or "[" in text or "\\" in text or "%" in found or len(found) > LONGEST - 40
        if special:
            extra["ref"] = text
        if len(self._types) < _KNOWN_NAMES:
            self._types[mark, text] = (found, special)
        return found

    def _mirrors(self, tag: str, segments: list[str]) -> bool:
        """A path that begins with an ID names an object: this one mirrors it. A class never stands at the top of a path."""
        if tag == "InternalElement" and len(segments) == 1:
            return True
        if tag not in ("ExternalInterface", "Attribute", "InternalElement"):
            return False
        return is_identity(segments[0])

    def _header(self, elements: list[Any], extra: dict[str, Any]) -> dict[str, str]:
        if not elements:
            return {}
        first = elements[0]
        if len(elements) == 1 and LOCAL[first.tag] == "Description" and not len(first) and not first.keys():
            return {"": first.text or ""}
        order: list[str] = []
        descriptions = read_header(elements, extra, order)
        for tag in order:
            self._misplaced(elements[0], tag)
        return descriptions

    def _misplaced(self, element: Any, tag: str) -> None:
        self._known.find(
            f"the place of {tag}", self._place(element), "CAEX has another order; it is written in that", lost=True
        )

    def _stray(self, element: Any, text: str) -> None:
        self._known.find(
            f"the text {text.strip()[:60]!r}", self._place(element), "CAEX has no text between elements", lost=True
        )

    def _unknown_attribute(self, element: Any, key: str, text: str) -> None:
        self._known.find(
            f"attribute {key}={text!r}", self._place(element), f"CAEX has none in {local_name(element)}", lost=True
        )

    def _place(self, element: Any) -> str:
        """File, line and path by names."""
        names: list[str] = []
        above = element
        while above is not None and len(names) < 256:
            names.append(above.get("Name") or local_name(above))
            above = above.getparent()
        return f"{self._file_name}, line {element.sourceline}, {'/'.join(reversed(names[:-1] or names))}"
