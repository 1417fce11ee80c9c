"""AutomationML to OPC UA, as OPC 30040 has it: nodes of a CAEX document become nodes of an OPC UA namespace.

The result is a document of the format ``nodeset``: its nodes carry under ``extra["nodeset"]`` what only OPC UA knows
(``browse``, the namespace of the browse name; ``class``; ``attributes``). Node ids are strings made of the ids in the model.
Where OPC 30040's text and its golden example differ, the text counts (a library organizes its classes), but for the base of
classes: without a base in the document they are subtypes of CAEXObjectType, as in the example.

What the mapping leaves open is settled so: an attribute type is a variable type below AMLBaseVariableType, in a folder
AttributeTypeLibs of the file; a unit is the property EngineeringUnits; a meaning is a dictionary entry (OPC 10000-19); an XSD
type that the data type does not give back stands in the property AttributeDataType.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.automationml.arrangement import element_of
from hulian.network.exchange.semantics.automationml.names import EXTRA
from hulian.network.exchange.semantics.automationml.uatypes import AML, BASE, UA_TYPES, aml_id, dictionary_entry, ua_value
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import BATCH, Batch, Content, Document, Kind, Loss, Node, Reference, Relation

__all__ = ["to_opcua"]

_FOLDER_TYPE: Final = "i=61"
_VARIABLE_TYPE: Final = "i=63"
_PROPERTY_TYPE: Final = "i=68"
_UNITS: Final = "i=887"
_UNITS_ENCODING: Final = "i=888"
_WRITTEN: Final = {"i=14": "Guid", "i=23751": "String", "i=290": "Double", "i=295": "String"}
"""The built-in type in which values of these data types are written."""
_CEFACT: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
_OBJECT: Final = aml_id(1001)
_BASES: Final = {
    "InternalElement": aml_id(1004),
    "RoleRequirements": aml_id(1003),
    "ExternalInterface": aml_id(1002),
    "Attribute": _VARIABLE_TYPE,
    "AttributeType": aml_id(3001),
}
_ROLE: Final = aml_id(4001)
_LINK: Final = aml_id(4002)
_HIERARCHIES: Final = "InstanceHierarchies"
_TOPS: Final = {
    "InstanceHierarchy": (_HIERARCHIES, aml_id(5005)),
    "InterfaceClassLib": ("InterfaceClassLibs", aml_id(5008)),
    "RoleClassLib": ("RoleClassLibs", aml_id(5009)),
    "SystemUnitClassLib": ("SystemUnitClassLibs", aml_id(5010)),
    "AttributeTypeLib": ("AttributeTypeLibs", ""),
}
"""The folder of a file for each kind of library, and the server's folder that organizes all of them."""
_FOLDERS: Final = (_HIERARCHIES, "SystemUnitClassLibs", "RoleClassLibs", "InterfaceClassLibs")
_TYPES: Final = (Kind.OBJECT_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE, Kind.PROPERTY_TYPE)


def to_opcua(
    content: Content, namespace: str, losses: list[Loss], carrier: Carrier | None = None
) -> tuple[Document, Iterator[Batch]]:
    """The document as a namespace of an OPC UA server. Losses are appended while the batches are taken.

    ``carrier`` packs each node beside what it becomes, for the way back.

    ``content`` must have been read as CAEX. Parents come before what stands under them, as they do there.
    """
    document = Document(
        name=content.document.name,
        format="nodeset",
        title=content.document.title,
        namespaces=(namespace,),
        requires=(AML,),
        extra={"nodeset": {"extensions": [carrier.document()]}} if carrier is not None else {},
    )
    return document, _Mapping(content, namespace, losses, carrier).batches()


class _Mapping:
    """One document on its way."""

    def __init__(self, content: Content, namespace: str, losses: list[Loss], carrier: Carrier | None) -> None:
        self._content, self._uri, self._losses, self._carrier = content, namespace, losses, carrier
        self._prefix = f"{content.document.name}/"
        self._nodes: list[Node] = []
        self._references: list[Reference] = []
        self._file = ""
        self._attribute_libraries: set[str] = set()
        self._present: dict[str, bool] = {}
        self._named: dict[str, str] = {}

    def batches(self) -> Iterator[Batch]:
        """All nodes, then roles and links."""
        document = self._content.document
        said = document.extra.get(EXTRA, {})
        self._begin_file("", str(said.get("name") or document.title), document.version.removeprefix("CAEX "))
        for node in self._content.nodes():
            self._map(node, element_of(node))
            if len(self._nodes) > BATCH - 64:
                yield from self._taken()
        yield from self._taken()
        for reference in self._content.references():
            self._refer(reference)
            if len(self._references) >= BATCH:
                yield from self._taken()
        yield from self._taken()

    def _taken(self) -> Iterator[Batch]:
        for start in range(0, max(len(self._nodes), len(self._references)), BATCH):
            yield Batch(self._nodes[start : start + BATCH], self._references[start : start + BATCH])
        self._nodes.clear()
        self._references.clear()

    # ------------------------------------------------------------ files and libraries

    def _begin_file(self, path: str, name: str, version: str, source: Node | None = None) -> None:
        self._file = self._new(f"{path or ''}CAEXFile")
        self._add(self._file, Kind.OBJECT, name, "", Relation.COMPONENT, aml_id(1005), source)
        self._references.append(Reference(aml_id(5006), Relation.ORGANIZES, self._file))
        self._property(self._file, "FileName", name)
        self._property(self._file, "CAEXSchemaVersion", version)
        for folder in _FOLDERS:
            self._add(f"{self._file}/{folder}", Kind.FOLDER, folder, self._file, Relation.COMPONENT, _FOLDER_TYPE)

    def _top(self, node: Node, tag: str) -> None:
        """A hierarchy or library: a folder, both below its file and in the server's folder of its kind."""
        folder, organizer = _TOPS[tag]
        parent = f"{self._file}/{folder}"
        if not organizer and parent not in self._attribute_libraries:
            self._attribute_libraries.add(parent)
            self._add(parent, Kind.FOLDER, folder, self._file, Relation.COMPONENT, _FOLDER_TYPE)
        identity = self._id(node.id)
        self._add(identity, Kind.FOLDER, node.name, parent, Relation.COMPONENT, _FOLDER_TYPE, node)
        if organizer:
            self._references.append(Reference(organizer, Relation.ORGANIZES, identity))

    # ------------------------------------------------------------ nodes

    def _map(self, node: Node, tag: str) -> None:
        extra: dict[str, Any] = node.extra.get(EXTRA, {})
        if tag == "ExternalFile":
            file = extra.get("file", {})
            self._begin_file(
                f"{extra.get('path')}!", str(file.get("name") or node.name), str(extra.get("version", ""))[5:], node
            )
            return
        identity = self._id(node.id)
        if tag in _TOPS:
            self._top(node, tag)
        elif node.kind in _TYPES:
            base = self._id(node.type) if node.type and self._is_here(node.type) else ""
            if node.type and not base:
                self._lose(node, f"its base {extra.get('ref') or node.type}", "no class of this document is there")
            base = base or (_BASES["AttributeType"] if tag == "AttributeType" else _OBJECT)
            self._add(identity, node.kind, node.name, self._id(node.parent), Relation.ORGANIZES, base, node)
            if tag == "AttributeType":
                self._value(node, identity, extra)
        else:
            type_id = self._id(node.type) if node.type and self._is_here(node.type) else ""
            if node.type and not type_id:
                self._lose(node, f"its type {extra.get('ref') or node.type}", "no class of this document is there")
            type_id = type_id or _BASES[tag]
            self._add(identity, node.kind, node.name, self._id(node.parent), Relation.COMPONENT, type_id, node)
            if tag == "Attribute":
                self._value(node, identity, extra)
        if extra.get("id"):
            self._property(identity, "ID", str(extra["id"]))
        self._header(node, identity, extra)

    def _header(self, node: Node, identity: str, extra: dict[str, Any]) -> None:
        if "version" in extra:
            self._property(identity, "Version", extra["version"])
        number = 0
        for each in extra.get("header", ()):
            if each.startswith("<AdditionalInformation"):
                number += 1
                name = "AdditionalInformation" if number == 1 else f"AdditionalInformation{number}"
                self._property(identity, name, each, relation=Relation.COMPONENT, type_id=_VARIABLE_TYPE)
            else:
                self._lose(node, each.split(">")[0] + ">", "OPC 30040 has no place for it")
        for key in ("copyright", "revisions"):
            if key in extra:
                self._lose(node, key, "OPC 30040 has no place for it")

    def _value(self, node: Node, identity: str, extra: dict[str, Any]) -> None:
        """What the variable of an attribute has: data type, value, unit, meanings."""
        made = self._nodes[-1]
        datatype = UA_TYPES.get(node.datatype)
        if datatype is None:
            self._lose(node, f"its data type {node.datatype}", "OPC 30040 has no such type; it is a String")
            datatype = "xs:string"
        value = node.value if node.value is not None else "" if datatype == "xs:string" and node.kind == Kind.PROPERTY else None
        if value is not None:
            found = ua_value(value, datatype)
            if found is None and value.strip():
                self._lose(node, f"its value {value!r}", f"it is no value of {node.datatype}")
            value = found
        made.datatype, made.value, made.unit, made.meanings = datatype, value, node.unit, node.meanings
        made.constraints = node.constraints
        if datatype in _WRITTEN and value is not None:
            made.extra["nodeset"]["value"] = _WRITTEN[datatype]
        if node.kind == Kind.PROPERTY:
            made.writable = True
            made.extra["nodeset"]["attributes"] = {"AccessLevel": "15", "UserAccessLevel": "15"}
        written = str(extra.get("datatype", node.datatype))
        if written and written != datatype:
            self._property(identity, "AttributeDataType", written)
        if node.unit:
            unit = {
                "NamespaceUri": _CEFACT,
                "UnitId": "-1",
                "DisplayName": {"Text": node.unit},
                "Description": {"Text": node.unit},
            }
            body = {"TypeId": {"Identifier": _UNITS_ENCODING}, "Body": {"EUInformation": unit}}
            self._property(identity, "EngineeringUnits", json.dumps(body, ensure_ascii=False), datatype=_UNITS)
            self._nodes[-1].extra["nodeset"]["value"] = {"type": "ExtensionObject"}
        for meaning in node.meanings:
            if (entry := dictionary_entry(meaning)) is not None:
                self._references.append(Reference(identity, Relation.DESCRIBED, entry))
            else:
                self._lose(node, f"its meaning {meaning!r}", "it is neither IRDI nor URI, and no dictionary has it")
        for key, what in (
            ("default", "its default value"),
            ("constraints", "its constraints"),
            ("value", "the XML in its value"),
        ):
            if key in extra:
                self._lose(node, what, "OPC 30040 has no place for it")

    # ------------------------------------------------------------ references

    def _refer(self, reference: Reference) -> None:
        if reference.relation == Relation.ROLE:
            if not self._is_here(reference.target):
                said = reference.extra.get(EXTRA, {}).get("ref") or reference.target
                self._losses.append(Loss(reference.source, f"its role {said}", "no role of this document is there"))
                return
            relation = _ROLE
        elif reference.relation == Relation.LINK:
            if not (self._is_here(reference.source) and self._is_here(reference.target)):
                self._losses.append(Loss(reference.source, f"a link to {reference.target}", "one of its sides is not here"))
                return
            relation = _LINK
        else:
            relation = reference.relation
        made = Reference(self._id(reference.source), relation, self._id(reference.target))
        # a role that is supported and required is one reference: OPC UA has no two of one type between two nodes
        if not (self._references and self._same(self._references[-1], made)):
            self._references.append(made)

    def _same(self, first: Reference, second: Reference) -> bool:
        return (first.source, first.relation, first.target) == (second.source, second.relation, second.target)

    # ------------------------------------------------------------ making

    def _new(self, rest: str) -> str:
        return f"nsu={self._uri};s={rest}"

    def _id(self, identity: str) -> str:
        """The node id of a node of the model."""
        return self._new(identity.removeprefix(self._prefix))

    def _is_here(self, identity: str) -> bool:
        found = self._present.get(identity)
        if found is None:
            found = self._content.node(identity) is not None
            if len(self._present) < 65_536:
                self._present[identity] = found
        return found

    def _add(
        self, identity: str, kind: Kind, name: str, parent: str, relation: str, type_id: str, source: Node | None = None
    ) -> None:
        node_class = {
            Kind.PROPERTY: "Variable",
            Kind.PROPERTY_TYPE: "VariableType",
            Kind.OBJECT_TYPE: "ObjectType",
            Kind.ROLE: "ObjectType",
            Kind.INTERFACE_TYPE: "ObjectType",
        }.get(kind, "Object")
        made = Node(
            id=identity,
            kind=kind,
            name=self._distinct(name, identity, source) if kind in _TYPES else name,
            parent=parent,
            relation=relation,
            type=type_id,
            labels={"": name},
            extra={"nodeset": {"browse": self._uri, "class": node_class}},
        )
        if source is not None:
            made.descriptions, made.point, made.identifier = source.descriptions, source.point, source.identifier
            if self._carrier is not None and (carried := self._carrier.of(source)):
                made.extra["nodeset"]["extensions"] = [carried]
        self._nodes.append(made)

    def _distinct(self, name: str, identity: str, source: Node | None) -> str:
        """The browse name of a type: servers want one of each in a namespace, and every library of CAEX names its own."""
        if self._named.setdefault(name, identity) == identity:
            return name
        path = identity.rpartition(":")[2]
        place = source.id if source is not None else identity
        self._losses.append(
            Loss(place, f"the name {name!r}", f"a type has it already; its browse name is {path!r}", lost=False)
        )
        return path

    def _property(
        self,
        parent: str,
        name: str,
        value: str,
        *,
        datatype: str = "xs:string",
        relation: str = Relation.PROPERTY,
        type_id: str = _PROPERTY_TYPE,
    ) -> None:
        browse = BASE if name == "EngineeringUnits" else self._uri
        self._nodes.append(
            Node(
                id=f"{parent}|{name}",
                kind=Kind.PROPERTY,
                name=name,
                parent=parent,
                relation=relation,
                type=type_id,
                value=value,
                datatype=datatype,
                labels={"": name},
                extra={"nodeset": {"browse": browse, "class": "Variable"}},
            )
        )

    def _lose(self, node: Node, what: str, why: str) -> None:
        self._losses.append(Loss(node.id, what, why))
