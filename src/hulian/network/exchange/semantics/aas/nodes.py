"""From the fields of shells, submodels, elements and concept descriptions to nodes, one element at a time.

What a field of `Node` says is taken out of the fields; the rest stands in ``extra["aas"]`` as JSON has it, so that
`elements.fields_of` gives back what was read.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.carried import carried_document, carried_references, restored
from hulian.network.exchange.semantics.aas.metamodel import CHILDREN, OPERATION_VARIABLES
from hulian.network.exchange.semantics.aas.references import AAS_REFERENCE, concept_id, element_id, model_id, target_of
from hulian.network.exchange.semantics.aas.templates import type_of
from hulian.network.exchange.semantics.aas.texts import (
    constraints_of,
    content_of,
    languages,
    meanings_of,
    spoken,
    unit_of,
    unmeant,
)
from hulian.network.exchange.semantics.contract import BATCH, Batch, Constraints, Document, Kind, Node, Reference, Relation

__all__ = ["CONCEPTS", "DEFAULT_CLASS", "ID_SHORT", "KINDS", "Builder"]

CONCEPTS: Final = "ConceptDescriptions"
"""Name of the folder of the concept descriptions of a document."""
ID_SHORT: Final = re.compile(r"^[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?$")
KINDS: Final = {
    "AnnotatedRelationshipElement": Kind.OBJECT,
    "BasicEventElement": Kind.EVENT,
    "Blob": Kind.PROPERTY,
    "Capability": Kind.OBJECT,
    "Entity": Kind.OBJECT,
    "File": Kind.PROPERTY,
    "MultiLanguageProperty": Kind.PROPERTY,
    "Operation": Kind.OPERATION,
    "Property": Kind.PROPERTY,
    "Range": Kind.PROPERTY,
    "ReferenceElement": Kind.PROPERTY,
    "RelationshipElement": Kind.OBJECT,
    "SubmodelElementCollection": Kind.OBJECT,
    "SubmodelElementList": Kind.FOLDER,
}
DEFAULT_CLASS: Final = {
    Kind.PROPERTY: "Property",
    Kind.OBJECT: "SubmodelElementCollection",
    Kind.OPERATION: "Operation",
    Kind.EVENT: "BasicEventElement",
    Kind.FOLDER: "SubmodelElementList",
}
"""The class that an element of a kind has where ``extra`` names none."""
_DATATYPES: Final = {"File": "xs:anyURI", "Blob": "xs:base64Binary"}
_SAME_AS: Final = re.compile(r"/HierarchicalStructures/SameAs/")
_HAS_PART: Final = re.compile(r"/HierarchicalStructures/HasPart/")
_PART_OF: Final = re.compile(r"/HierarchicalStructures/IsPartOf/")
_HELD: Final = 8 * BATCH
"""Nodes that stay here, so that fields that come too late still find theirs."""


class _Place:
    """An element that is being read, with what it has below it so far."""

    __slots__ = ("count", "fields", "held", "id", "many", "names", "node", "path", "root", "sequence")

    def __init__(self, node: Node, root: str, path: str, many: bool, fields: dict[str, Any], sequence: int, held: bool) -> None:
        self.node, self.root, self.path, self.many = node, root, path, many
        self.fields, self.sequence, self.held = fields, sequence, held
        self.id, self.count = node.id, 0
        self.names: set[str] = set()


class Builder:
    """Collects nodes and references. Elements are opened, filled and closed, or given whole; `take` gives what is complete."""

    def __init__(self, document: str, bends: Bends, units: dict[str, str], part: int = 0) -> None:
        self._document, self._bends = document, bends
        self.units = units
        """Of the concept descriptions of this document, by their id; an id without unit is there with an empty one."""
        self.part = part
        self.carried: Document | None = None
        """The document of another language that this was, where it says so."""
        self._nodes: list[Node] = []
        self._references: list[Reference] = []
        self._given = 0
        self._places: list[_Place] = []
        self._holds = 0
        self._ids: set[str] = set()
        self._shells: dict[str, str] = {}
        self._templates: dict[str, str] = {}
        self._folder = ""

    # ------------------------------------------------ what was collected

    def take(self, *, last: bool = False) -> list[Batch]:
        """Batches of what no later field can change; all of it where ``last``."""
        keep = 0 if last else _HELD
        if not last and (self._holds or len(self._nodes) < keep + BATCH):
            return []
        ready, self._nodes = self._nodes[: len(self._nodes) - keep], self._nodes[len(self._nodes) - keep :]
        references, self._references = self._references, []
        self._given += len(ready)
        batches = [Batch(nodes=ready[at : at + BATCH]) for at in range(0, len(ready), BATCH)]
        if references:
            if not batches:
                batches.append(Batch())
            batches[-1].references = references
        return batches

    @property
    def newest(self) -> Node:
        """The node that was made last."""
        return self._nodes[-1]

    @property
    def references(self) -> int:
        """How many references wait to be taken."""
        return len(self._references)

    def references_since(self, count: int) -> list[Reference]:
        """Those that were made since there were ``count``, with nothing taken meanwhile."""
        return self._references[count:]

    # ------------------------------------------------ shells and concept descriptions

    def shell(self, fields: dict[str, Any]) -> None:
        """A shell, its asset information and the asset's ids."""
        node = self.shell_of(fields)
        _extra(node).pop("assetInformation", None)
        self._nodes.append(node)
        self._refer(node, fields)
        derived = fields.get("derivedFrom")
        if derived:
            target = target_of(derived, self._document)
            if target:
                self._references.append(Reference(node.id, Relation.SAME, target, {"aas": "derivedFrom"}))
        for reference in fields.get("submodels", ()):
            submodel = target_of(reference, self._document)
            if submodel in self._shells and self._shells[submodel] != node.id:
                self._references.append(Reference(node.id, Relation.COMPONENT, submodel, {"aas": "submodels"}))
            elif submodel:
                self._shells[submodel] = node.id
        asset = fields.get("assetInformation")
        if asset is None:
            return
        rest = {name: value for name, value in asset.items() if name not in ("specificAssetIds", "globalAssetId")}
        identity = model_id(f"{node.id}#assetInformation")
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name="assetInformation",
                parent=node.id,
                extra={"aas": {"modelType": "AssetInformation", **rest}},
            )
        )
        if "globalAssetId" in asset:
            self._nodes.append(
                Node(
                    id=model_id(f"{identity}.globalAssetId"),
                    kind=Kind.PROPERTY,
                    name="globalAssetId",
                    parent=identity,
                    relation=Relation.PROPERTY,
                    value=asset["globalAssetId"],
                    datatype="xs:anyURI",
                    extra={"aas": {"modelType": "globalAssetId"}},
                )
            )
        for index, one in enumerate(asset.get("specificAssetIds", ())):
            rest = {name: value for name, value in one.items() if name not in ("name", "value")}
            meanings = meanings_of(rest)
            unmeant(rest)
            self._nodes.append(
                Node(
                    id=model_id(f"{identity}.specificAssetIds[{index}]"),
                    kind=Kind.PROPERTY,
                    name=one.get("name", ""),
                    parent=identity,
                    relation=Relation.PROPERTY,
                    value=one.get("value"),
                    datatype="xs:string",
                    meanings=meanings,
                    extra={"aas": {"modelType": "SpecificAssetId", **rest}},
                )
            )

    def shell_of(self, fields: dict[str, Any]) -> Node:
        """The node of a shell, without its asset."""
        node = self._identifiable("AssetAdministrationShell", fields)
        if fields.get("assetInformation", {}).get("assetKind") == "Type":
            node.kind = Kind.OBJECT_TYPE
        return restored(node)

    def concept(self, fields: dict[str, Any]) -> None:
        """A concept description, in the folder of them."""
        if not self._folder:
            self._folder = concept_id(self._document, CONCEPTS)
            if self._folder not in self._ids:
                self._ids.add(self._folder)
                self._nodes.append(
                    Node(id=self._folder, kind=Kind.FOLDER, name=CONCEPTS, extra={"aas": {"modelType": CONCEPTS}})
                )
        node = self.concept_of(fields)
        node.parent, node.relation = self._folder, Relation.ORGANIZES
        self._nodes.append(node)
        self._refer(node, fields)
        for one in fields.get("isCaseOf", ()):
            target = target_of(one, self._document)
            if target:
                self._references.append(Reference(node.id, Relation.DESCRIBED, target, {"aas": "isCaseOf"}))

    def concept_of(self, fields: dict[str, Any]) -> Node:
        """The node of a concept description."""
        node = self._identifiable("ConceptDescription", fields)
        node.relation = Relation.ORGANIZES
        content = content_of(fields)
        node.meanings = (fields.get("id", ""),)
        node.labels = node.labels or languages(content.get("preferredName", []))
        node.descriptions = node.descriptions or languages(content.get("definition", []))
        node.value = content.get("value")
        node.unit, node.constraints = unit_of(fields), constraints_of(fields)
        return restored(node)

    def _identifiable(self, kind: str, fields: dict[str, Any]) -> Node:
        if "extensions" in fields:
            fields, carried = carried_document(fields)
            self.carried = self.carried or carried
        raw = fields.get("id", "")
        concept = kind == "ConceptDescription"
        identity = concept_id(self._document, raw) if concept else model_id(raw or f"{self._document}/{kind}")
        identity = self._unique(identity, raw)
        rest = {"modelType": kind, **{name: value for name, value in fields.items() if name != "modelType"}}
        if not concept and identity == raw:
            del rest["id"]
        if self.part:
            rest["part"] = self.part
        name = fields.get("idShort") or raw.rstrip("/").rsplit("/", 1)[-1] or kind
        rest["idShort"] = fields.get("idShort", "")
        if rest["idShort"] == name and ID_SHORT.match(name):
            del rest["idShort"]
        node = Node(id=identity, kind=Kind.PROPERTY_TYPE if concept else Kind.OBJECT, name=name)
        if not concept:
            _speak(node, rest)
            node.meanings = meanings_of(rest)
            unmeant(rest)
        else:
            node.labels, node.descriptions = languages(rest.get("displayName", [])), languages(rest.get("description", []))
        node.extra = {"aas": rest}
        return node

    def _unique(self, identity: str, place: str) -> str:
        if identity not in self._ids:
            self._ids.add(identity)
            return identity
        self._bends.took("same-id", place, "an id is there twice")
        number = 2
        while f"{identity}~{number}" in self._ids:
            number += 1
        self._ids.add(f"{identity}~{number}")
        return f"{identity}~{number}"

    # ------------------------------------------------ submodels and elements

    def open_submodel(self, fields: dict[str, Any]) -> None:
        """A submodel whose elements follow, until `close`."""
        sequence = self._given + len(self._nodes)
        children = fields.pop("submodelElements", None)
        node = self.submodel_of(fields)
        self._nodes.append(node)
        self._refer(node, fields)
        self._places.append(_Place(node, node.id, "", False, fields, sequence, False))
        for child in children or ():
            self.element(child)

    def submodel_of(self, fields: dict[str, Any]) -> Node:
        """The node of a submodel, without its elements."""
        node = self._identifiable("Submodel", fields)
        template = fields.get("kind") == "Template"
        if template:
            node.kind = Kind.OBJECT_TYPE
            for meaning in node.meanings[:1]:
                self._templates.setdefault(meaning, node.id)
        elif node.meanings:
            node.type = node.type or self._templates.get(node.meanings[0], "") or type_of(node.meanings[0])
        node.parent = self._shells.get(node.id, "")
        return restored(node)

    def open_element(self, fields: dict[str, Any], relation: str = Relation.COMPONENT) -> None:
        """An element whose children follow, until `close`."""
        above = self._places[-1]
        kind = fields["modelType"]
        sequence = self._given + len(self._nodes)
        held = kind == "Entity"
        self._holds += held
        name, path = self._named(above, fields)
        identity = element_id(above.root, path)
        node = self.node_of(identity, name, above.id, relation, fields)
        self._nodes.append(node)
        self._refer(node, fields)
        self._places.append(_Place(node, above.root, path, kind == "SubmodelElementList", fields, sequence, held))

    def close(self, late: dict[str, Any]) -> None:
        """Ends what was opened last; ``late`` are fields that stood behind its children."""
        place = self._places.pop()
        self._holds -= place.held
        if not late:
            return
        if not place.held and not place.node.parent and "id" in late:
            self._bends.took("order", place.id, "an id behind the elements of the submodel")
        elif place.sequence < self._given:
            self._bends.took("order", place.id, f"too late, and not kept: {', '.join(late)}")
            return
        fields = {**place.fields, **late}
        if fields["modelType"] != "Submodel":
            changed = self.node_of(place.id, place.node.name, place.node.parent, place.node.relation, fields)
            for name in Node.__struct_fields__:
                setattr(place.node, name, getattr(changed, name))
        else:
            extra = _extra(place.node)
            extra.update({name: value for name, value in late.items() if name != "id"})
        self._refer(place.node, late)

    def element(self, fields: dict[str, Any], relation: str = Relation.COMPONENT) -> None:
        """A whole element, with all that is below it."""
        kind = fields["modelType"]
        slot = CHILDREN.get(kind)
        if kind == "Operation":
            self._operation(fields, relation)
            return
        children = fields.pop(slot, None) if slot else None
        if slot is None:
            above = self._places[-1]
            name, path = self._named(above, fields)
            node = self.node_of(element_id(above.root, path), name, above.id, relation, fields)
            self._nodes.append(node)
            self._refer(node, fields)
            return
        self.open_element(fields, relation)
        for child in children or ():
            self.element(child)
        self.close({})

    def alike(self, model: Node, described: str, name: str, value: str) -> None:
        """A property that is as ``model`` but for its name and value; ``described`` is the concept that both refer to."""
        above = self._places[-1]
        name, path = self._named(above, {"idShort": name})
        node = Node(
            id=element_id(above.root, path),
            kind=model.kind,
            name=name,
            parent=above.id,
            relation=model.relation,
            value=value,
            datatype=model.datatype,
            unit=model.unit,
            meanings=model.meanings,
            labels=model.labels.copy(),
            descriptions=model.descriptions.copy(),
            constraints=model.constraints,
            extra=msgspec.msgpack.decode(msgspec.msgpack.encode(model.extra)) if model.extra else {},
        )
        self._nodes.append(node)
        if described:
            self._references.append(Reference(node.id, Relation.DESCRIBED, described, {"aas": "semanticId"}))

    def _operation(self, fields: dict[str, Any], relation: str) -> None:
        variables = [(slot, fields.pop(slot)) for slot in OPERATION_VARIABLES if slot in fields]
        self.open_element(fields, relation)
        operation = self._places[-1]
        for slot, ones in variables:
            for one in ones:
                value = one.get("value")
                if value is None:
                    continue
                at = len(self._nodes)
                self.element(value, Relation.OUTPUT if slot == "outputVariables" else Relation.INPUT)
                if slot == "inoutputVariables":
                    _extra(self._nodes[at])["variable"] = "inoutput"
                    self._references.append(Reference(operation.id, Relation.OUTPUT, self._nodes[at].id, {"aas": slot}))
        self.close({})

    def _named(self, above: _Place, fields: dict[str, Any]) -> tuple[str, str]:
        """Name and idShortPath among the siblings."""
        index, above.count = above.count, above.count + 1
        name = fields.get("idShort", "")
        if above.many or not name:
            return name or f"[{index}]", f"{above.path}[{index}]"
        key = name
        if name in above.names:
            key = f"{name}~{index}"
            self._bends.took("same-id", f"{above.id}/{name}", "an idShort is there twice")
        above.names.add(key)
        return name, f"{above.path}.{key}" if above.path else key

    def node_of(self, identity: str, name: str, parent: str, relation: str, fields: dict[str, Any]) -> Node:
        """The node of an element with these fields, without what stands below it."""
        rest = dict(fields)
        model_type = rest["modelType"]
        kind = KINDS[model_type]
        if DEFAULT_CLASS[kind] == model_type:
            del rest["modelType"]
        node = Node(id=identity, kind=kind, name=name, parent=parent, relation=relation)
        if "idShort" in rest and ID_SHORT.match(name):
            del rest["idShort"]
        elif "idShort" not in rest and not name.startswith("["):
            rest["idShort"] = ""
        if "displayName" in rest or "description" in rest:
            _speak(node, rest)
        if "semanticId" in rest or "supplementalSemanticIds" in rest:
            node.meanings = meanings_of(rest)
            unmeant(rest)
        node.unit = unit_of(rest) or (self.units.get(node.meanings[0], "") if node.meanings and kind is Kind.PROPERTY else "")
        if "qualifiers" in rest or "embeddedDataSpecifications" in rest or model_type == "Range":
            node.constraints = constraints_of(rest)
        _valued(node, model_type, rest)
        if rest:
            node.extra = {"aas": rest}
            if "extensions" in rest:
                node = restored(node)
        return node

    def _refer(self, node: Node, fields: dict[str, Any]) -> None:
        """The references that these fields make."""
        references = self._references
        if "extensions" in fields:
            references.extend(carried_references(node))
        if node.meanings and "semanticId" in fields and node.meanings[0] in self.units:
            references.append(
                Reference(node.id, Relation.DESCRIBED, concept_id(self._document, node.meanings[0]), {"aas": "semanticId"})
            )
        kind = fields.get("modelType", "")
        if kind == "ReferenceElement" and "value" in fields:
            self._lead(node.id, AAS_REFERENCE, fields["value"], "value")
        elif kind == "BasicEventElement" and "observed" in node.extra.get("aas", {}):
            self._lead(node.id, AAS_REFERENCE, fields["observed"], "observed")
        elif "first" in fields and "second" in fields:
            first, second = (target_of(fields[name], self._document) for name in ("first", "second"))
            if first and second:
                meaning = node.meanings[0] if node.meanings else ""
                if _PART_OF.search(meaning):
                    references.append(Reference(second, Relation.COMPONENT, first, {"aas": node.id}))
                    return
                relation = (
                    Relation.SAME
                    if _SAME_AS.search(meaning)
                    else Relation.COMPONENT
                    if _HAS_PART.search(meaning)
                    else Relation.LINK
                )
                references.append(Reference(first, relation, second, {"aas": node.id}))

    def _lead(self, source: str, relation: str, reference: dict[str, Any], field: str) -> None:
        target = target_of(reference, self._document)
        if target:
            self._references.append(Reference(source, relation, target, {"aas": field}))


def _extra(node: Node) -> dict[str, Any]:
    if "aas" not in node.extra:
        node.extra = {**node.extra, "aas": {}}
    return node.extra["aas"]  # type: ignore[no-any-return]


def _speak(node: Node, rest: dict[str, Any]) -> None:
    """Labels and descriptions; their lists go where they say no more."""
    for name, attribute in (("displayName", "labels"), ("description", "descriptions")):
        texts = rest.get(name)
        if texts is not None:
            found = languages(texts)
            setattr(node, attribute, found)
            if spoken(found) == texts:
                del rest[name]


def _valued(node: Node, model_type: str, rest: dict[str, Any]) -> None:
    if model_type in ("Property", "Range"):
        node.datatype = rest.pop("valueType", "")
    if model_type == "Range":
        low, high = rest.pop("min", None), rest.pop("max", None)
        limits = node.constraints or Constraints()
        if (limits.low, limits.high) != (low, high):
            rest["min"], rest["max"] = low, high
    elif model_type in ("Property", "File", "Blob"):
        node.value = rest.pop("value", None)
        node.datatype = _DATATYPES.get(model_type, node.datatype)
    elif model_type in ("MultiLanguageProperty", "ReferenceElement") and "value" in rest:
        node.value = msgspec.json.encode(rest.pop("value")).decode()
