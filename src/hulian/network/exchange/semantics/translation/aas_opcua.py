"""Asset Administration Shells as OPC UA (OPC 30270, I4AAS): every shell, submodel and element is an object of its own type.

The standard is of the metamodel's version 2. What version 3 has more is said so: the asset's ids are properties of the asset, a
list is an ordered collection, an identifier's type follows from its form, and the languages of a text beyond the first are in a
property ``Texts``. A semantic id is a dictionary entry (OPC 10000-19), which is described where the document describes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hulian.network.exchange.semantics.aas.elements import fields_of
from hulian.network.exchange.semantics.automationml.uatypes import DICTIONARIES, UA_TYPES, dictionary_entry, ua_value
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import BATCH, Batch, Content, Document, Kind, Loss, Node, Reference, Relation

__all__ = ["I4AAS", "to_opcua"]

I4AAS: Final = "http://opcfoundation.org/UA/I4AAS/"
_TYPES_XSD: Final = f"{I4AAS}Types.xsd"
_CLASSES: Final = {
    "AssetAdministrationShell": 1002,
    "AssetInformation": 1005,
    "Submodel": 1006,
    "SubmodelElementCollection": 1010,
    "SubmodelElementList": 1011,
    "MultiLanguageProperty": 1012,
    "Property": 1013,
    "Capability": 1014,
    "Operation": 1015,
    "Blob": 1016,
    "File": 1017,
    "RelationshipElement": 1018,
    "AnnotatedRelationshipElement": 1019,
    "ReferenceElement": 1020,
    "BasicEventElement": 1021,
    "Entity": 1022,
    "Range": 1023,
}
_REFERENCE: Final = 1004
_KEY_ENCODING: Final = 5039
_KEYS: Final = (
    *("AccessPermissionRule", "AnnotatedRelationshipElement", "Asset", "AssetAdministrationShell", "Blob", "Capability"),
    *("ConceptDescription", "ConceptDictionary", "DataElement", "Entity", "Event", "File", "FragmentReference"),
    *("GlobalReference", "MultiLanguageProperty", "Operation", "Property", "Range", "ReferenceElement"),
    *("RelationshipElement", "Submodel", "SubmodelElement", "SubmodelElementCollection", "View"),
)
"""Elements that a key may lead to, in the order of their numbers."""
_NEAREST: Final = {
    "SubmodelElementList": "SubmodelElementCollection",
    "BasicEventElement": "Event",
    "EventElement": "Event",
    "Referable": "SubmodelElement",
    "Identifiable": "SubmodelElement",
}
_VALUE_TYPES: Final = {
    "xs:boolean": 0, "xs:byte": 1, "xs:unsignedByte": 2, "xs:short": 3, "xs:unsignedShort": 4, "xs:int": 5, "xs:unsignedInt": 6,
    "xs:long": 7, "xs:unsignedLong": 8, "xs:float": 9, "xs:double": 10, "xs:string": 11, "xs:dateTime": 12,
    "xs:base64Binary": 13,
}  # fmt: skip
"""Numbers of AASValueTypeDataType."""
_PROPERTY: Final = "i=68"
_OBJECTS: Final = "i=85"
_DICTIONARY: Final = "i=17594"
_REFERABLE: Final = frozenset({"modelType", "idShort", "id", "displayName", "description", "category", "administration"})
_TOLD: Final = _REFERABLE | frozenset(
    {
        *("semanticId", "kind", "valueType", "value", "min", "max", "contentType", "entityType", "first", "second"),
        *("derivedFrom", "assetKind", "qualifiers", "submodels", "globalAssetId", "orderRelevant"),
    }
)
"""Fields that OPC 30270 has a place for."""
_OPAQUE: Final = frozenset({"extensions", "part", "variable"})


def ua(number: int) -> str:
    """The id of a node of the companion specification."""
    return f"nsu={I4AAS};i={number}"


def to_opcua(content: Content, losses: list[Loss], carrier: Carrier) -> tuple[Document, Iterator[Batch]]:
    """A document of shells as a namespace of an OPC UA server. Losses are appended while the batches are taken."""
    namespace = f"urn:hulian:model:{quote(content.document.name)}"
    document = Document(
        name=content.document.name,
        format="nodeset",
        title=content.document.title,
        namespaces=(namespace,),
        requires=(I4AAS,),
        extra={"nodeset": {"extensions": [carrier.document()]}},
    )
    return document, _Mapping(content, namespace, losses, carrier).batches(document)


class _Mapping:
    """One document on its way."""

    def __init__(self, content: Content, namespace: str, losses: list[Loss], carrier: Carrier) -> None:
        self._content, self._uri, self._losses, self._carrier = content, namespace, losses, carrier
        self._nodes: list[Node] = []
        self._references: list[Reference] = []
        self._entries: dict[str, str] = {}
        self._described: set[str] = set()
        self._operations: dict[str, Node] = {}

    def batches(self, document: Document) -> Iterator[Batch]:
        """All nodes; then the entries of dictionaries that no concept description of the document is."""
        for node in self._content.nodes():
            self._map(node)
            if len(self._nodes) > BATCH - 64:
                yield from self._taken()
        for identity, meaning in self._entries.items():
            if identity not in self._described:
                kind = "i=17598" if identity.startswith(f"nsu={DICTIONARIES}IRDI") else "i=17600"
                self._entry(identity, meaning, kind)
        used = {identity[4:].partition(";")[0] for identity in (*self._entries, *self._described)}
        document.namespaces = (*document.namespaces, *sorted(used - {self._uri}))
        yield from self._taken()
        if rest := self._carrier.rest():
            document.extra["nodeset"]["extensions"].append(rest)

    def _taken(self) -> Iterator[Batch]:
        for start in range(0, max(len(self._nodes), len(self._references)), BATCH):
            yield Batch(self._nodes[start : start + BATCH], self._references[start : start + BATCH])
        self._nodes.clear()
        self._references.clear()

    # ------------------------------------------------------------ nodes

    def _map(self, node: Node) -> None:
        own: dict[str, Any] = node.extra.get("aas", {})
        named = str(own.get("modelType", ""))
        if named == "ConceptDescriptions":
            return
        if named == "ConceptDescription":
            self._concept(node, own)
        elif named == "globalAssetId":
            self._carry(node, self._add_value(self._id(node.parent), "GlobalAssetId", "xs:string", node.value or ""))
        elif named == "SpecificAssetId":
            name = f"SpecificAssetId {node.name}"
            self._carry(node, self._add_value(self._id(node.parent), name, "xs:string", node.value or ""))
        else:
            self._element(node, own, named)

    def _element(self, node: Node, own: dict[str, Any], named: str) -> None:
        fields = {**own, "modelType": named} if named == "AssetInformation" else fields_of(node, listed=True, hyphens=True)
        kind = str(fields["modelType"])
        identity, listed = self._id(node.id), self._listed(node)
        name = "Asset" if kind == "AssetInformation" else node.name
        made = Node(
            id=identity,
            kind=Kind.OBJECT,
            name=name,
            parent=self._id(node.parent) if node.parent else _OBJECTS,
            relation="i=49" if listed else Relation.COMPONENT if node.parent else Relation.ORGANIZES,
            type=ua(_CLASSES.get(kind, _CLASSES["SubmodelElementCollection"])),
            labels=node.labels or {"": name},
            descriptions=node.descriptions,
            point=node.point,
            identifier=node.identifier,
            extra={"nodeset": {"browse": I4AAS if kind == "AssetInformation" else self._uri, "class": "Object"}},
        )
        self._carry(node, made)
        self._nodes.append(made)
        if kind == "AssetInformation":
            self._enumerated(identity, "AssetKind", 3003, 1 if fields.get("assetKind") == "Instance" else 0)
        else:
            self._common(node, kind, identity, fields)
            self._valued(node, kind, identity, fields)
        for meaning in node.meanings[:1]:
            self._means(identity, meaning, node)
        if len(node.meanings) > 1:
            self._lose(node, f"its further meanings {', '.join(node.meanings[1:])[:100]}")
        if node.constraints is not None and kind != "Range":
            self._lose(node, "its constraints")
        for field in sorted(set(fields) - _TOLD - _OPAQUE):
            if fields[field] not in (None, [], {}):
                self._lose(node, f"its {field}")

    def _carry(self, node: Node, made: Node) -> None:
        if carried := self._carrier.of(node):
            made.extra["nodeset"]["extensions"] = [carried]

    def _listed(self, node: Node) -> bool:
        above = self._content.node(node.parent) if node.parent else None
        return above is not None and above.extra.get("aas", {}).get("modelType") == "SubmodelElementList"

    def _common(self, node: Node, kind: str, identity: str, fields: dict[str, Any]) -> None:
        self._add_value(identity, "Category", "xs:string", str(fields.get("category") or ""))
        if kind in ("AssetAdministrationShell", "Submodel"):
            above = self._part(identity, "Identification", 1029)
            raw = str(fields.get("id", node.id))
            self._add_value(above, "Id", "xs:string", raw)
            form = dictionary_entry(raw)
            self._enumerated(above, "IdType", 3010, 2 if form is None else 0 if "/IRDI;" in form else 1)
            above = self._part(identity, "Administration", 1030)
            said = fields.get("administration", {})
            for field in ("version", "revision"):
                if field in said:
                    self._add_value(above, field.capitalize(), "xs:string", str(said[field]))
            if set(said) - {"version", "revision"}:
                self._lose(node, f"of its administration {', '.join(sorted(set(said) - {'version', 'revision'}))}")
        if kind != "AssetAdministrationShell":
            template = fields.get("kind") == "Template" or node.kind is Kind.OBJECT_TYPE
            self._enumerated(identity, "ModelingKind", 3015, 0 if template else 1)
        for number, qualifier in enumerate(fields.get("qualifiers", ())):
            self._qualifier(node, identity, number, qualifier)
        if "derivedFrom" in fields:
            self._reference(node, identity, "DerivedFrom", fields["derivedFrom"])

    def _qualifier(self, node: Node, identity: str, number: int, qualifier: dict[str, Any]) -> None:
        kind = str(qualifier.get("type", number))
        above = self._part(identity, f"Qualifier {number + 1} {kind}", 1032, own=False)
        self._add_value(above, "Type", "xs:string", kind)
        value_type = str(qualifier.get("valueType", "xs:string"))
        self._enumerated(above, "ValueType", 3004, _VALUE_TYPES.get(value_type, 11))
        if "value" in qualifier:
            self._typed(above, "Value", value_type, str(qualifier["value"]), node)
        for field in sorted(set(qualifier) - {"type", "valueType", "value", "kind"}):
            self._lose(node, f"{field} of its qualifier {kind}")

    def _valued(self, node: Node, kind: str, identity: str, fields: dict[str, Any]) -> None:
        """What only some classes have."""
        if kind in ("Property", "Range"):
            value_type = str(fields.get("valueType", "xs:string"))
            self._enumerated(identity, "ValueType", 3004, _VALUE_TYPES.get(value_type, 11))
            for field in ("value",) if kind == "Property" else ("min", "max"):
                if fields.get(field) is not None:
                    self._typed(identity, field.capitalize(), value_type, str(fields[field]), node)
        elif kind == "MultiLanguageProperty":
            self._texts(identity, fields.get("value"))
        elif kind in ("File", "Blob"):
            # a Blob of the standard is a file object, which only a server can fill
            own, datatype = (True, "xs:base64Binary") if kind == "Blob" else (False, "xs:string")
            media = str(fields.get("contentType") or "")
            self._add_value(identity, "MimeType", ua(3016), media, written="String", own=own)
            self._add_value(identity, "Value", datatype, str(fields.get("value") or ""), own=own)
        elif kind == "Entity":
            self._enumerated(identity, "EntityType", 3006, 1 if fields.get("entityType") == "SelfManagedEntity" else 0)
            if fields.get("globalAssetId"):
                self._add_value(identity, "GlobalAssetId", "xs:string", str(fields["globalAssetId"]), own=True)
        elif kind == "ReferenceElement" and isinstance(fields.get("value"), dict):
            self._reference(node, identity, "Value", fields["value"])
        elif kind.endswith("RelationshipElement"):
            for field in [each for each in ("first", "second") if each in fields]:
                self._reference(node, identity, field.capitalize(), fields[field])
        elif kind == "Operation":
            self._nodes.append(
                Node(
                    id=f"{identity}|Operation",
                    kind=Kind.OPERATION,
                    name="Operation",
                    parent=identity,
                    labels={"": node.name},
                    extra={"nodeset": {"browse": I4AAS, "class": "Method"}},
                )
            )

    def _texts(self, identity: str, texts: Any) -> None:
        """A text in its first language, and in all of them."""
        if isinstance(texts, list) and texts:
            self._localized(identity, "Value", texts[:1])
            if len(texts) > 1:
                self._localized(identity, "Texts", texts)

    def _concept(self, node: Node, own: dict[str, Any]) -> None:
        """A concept description: an entry of a dictionary."""
        raw = str(own.get("id") or (node.meanings[0] if node.meanings else node.name))
        known = dictionary_entry(raw)
        number = 1026 if known is None else 1024 if "/IRDI;" in known else 1025
        identity = known or f"nsu={self._uri};s={raw}"
        if identity in self._described:
            self._lose(node, f"that {raw} is described once more")
            return
        self._described.add(identity)
        made = self._entry(identity, raw, ua(number))
        made.labels, made.descriptions = node.labels or {"": node.name}, node.descriptions
        self._carry(node, made)
        self._add_value(identity, "Category", "xs:string", str(own.get("category") or ""))
        if node.unit:
            self._add_value(identity, "Unit", "xs:string", node.unit)
        for field in sorted(set(own) - _REFERABLE - _OPAQUE):
            self._lose(node, f"its {field}")

    def _entry(self, identity: str, name: str, type_id: str) -> Node:
        browse = identity[4:].partition(";")[0]
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name=name,
                parent=_DICTIONARY,
                type=type_id,
                labels={"": name},
                extra={"nodeset": {"browse": browse, "class": "Object"}},
            )
        )
        return self._nodes[-1]

    def _means(self, identity: str, meaning: str, node: Node) -> None:
        entry = dictionary_entry(meaning)
        if entry is None or len(entry) > 1000:
            self._lose(node, f"its meaning {meaning[:100]!r}")
            return
        self._entries[entry] = meaning
        self._references.append(Reference(identity, Relation.DESCRIBED, entry))

    # ------------------------------------------------------------ making

    def _id(self, identity: str) -> str:
        return f"nsu={self._uri};s={identity}"

    def _part(self, parent: str, name: str, number: int, *, own: bool = True) -> str:
        """A part that the companion specification names (or, without ``own``, that it leaves to the document)."""
        identity = f"{parent}|{name}"
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name=name,
                parent=parent,
                type=ua(number),
                labels={"": name},
                extra={"nodeset": {"browse": I4AAS if own else self._uri, "class": "Object"}},
            )
        )
        return identity

    def _reference(self, node: Node, parent: str, name: str, reference: Any) -> None:
        above = self._part(parent, name, _REFERENCE)
        keys = []
        for key in reference.get("keys", ()) if isinstance(reference, dict) else ():
            kind, value = str(key.get("type", "")), str(key.get("value", ""))
            nearest = kind if kind in _KEYS else _NEAREST.get(kind, "SubmodelElement")
            if nearest != kind:
                self._lose(node, f"that {name} leads to a {kind} (it is written as {nearest})")
            entry = dictionary_entry(value)
            form = 2 if entry is None else 3 if "/IRDI;" in entry else 4
            keys.append(
                {
                    "@xmlns": _TYPES_XSD,
                    "Type": f"{nearest}_{_KEYS.index(nearest)}",
                    "Local": "false" if kind == "GlobalReference" else "true",
                    "Value": value,
                    "IdType": f"{('IdShort', 'FragmentId', 'Custom', 'IRDI', 'IRI')[form]}_{form}",
                }
            )
        bodies = [{"TypeId": {"Identifier": ua(_KEY_ENCODING)}, "Body": {"AASKeyDataType": key}} for key in keys]
        made = self._add_value(above, "Keys", ua(3011), msgspec.json.encode(bodies).decode(), written="ListOfExtensionObject")
        made.extra["nodeset"]["attributes"] = {"ValueRank": "1"}

    def _enumerated(self, parent: str, name: str, datatype: int, value: int) -> None:
        self._add_value(parent, name, ua(datatype), str(value), written="Int32")

    def _typed(self, parent: str, name: str, value_type: str, value: str, node: Node) -> None:
        datatype = UA_TYPES.get(value_type)
        found = ua_value(value, datatype) if datatype is not None and datatype.startswith("xs:") else None
        if found is None or datatype is None:
            if value:
                self._lose(node, f"that {value[:100]!r} is of type {value_type} (it is written as String)")
            datatype, found = "xs:string", value
        made = self._add_value(parent, name, datatype, found)
        if name == "Value":
            made.unit, made.point = node.unit, node.point
            made.writable = node.writable
        if node.unit and name == "Value":
            self._add_value(made.id, "Unit", "xs:string", node.unit, own=True)

    def _localized(self, parent: str, name: str, texts: list[dict[str, str]]) -> None:
        bodies = [{"Locale": str(one.get("language", "")), "Text": str(one.get("text", ""))} for one in texts]
        many = name == "Texts"
        value = msgspec.json.encode(bodies if many else bodies[0]).decode()
        form = "ListOfLocalizedText" if many else "LocalizedText"
        made = self._add_value(parent, name, "i=21", value, written=form, own=many)
        if many:
            made.extra["nodeset"]["attributes"] = {"ValueRank": "1"}

    def _add_value(self, parent: str, name: str, datatype: str, value: str, *, written: str = "", own: bool = False) -> Node:
        """A property; ``own`` is one that the companion specification does not have."""
        details: dict[str, Any] = {"browse": self._uri if own else I4AAS, "class": "Variable"}
        if written:
            details["value"] = written
        self._nodes.append(
            Node(
                id=f"{parent}|{name}",
                kind=Kind.PROPERTY,
                name=name,
                parent=parent,
                relation=Relation.PROPERTY,
                type=_PROPERTY,
                value=value,
                datatype=datatype,
                labels={"": name},
                extra={"nodeset": details},
            )
        )
        return self._nodes[-1]

    def _lose(self, node: Node, what: str) -> None:
        self._losses.append(Loss(node.id, what, "OPC 30270 has no place for it"))
