"""Asset Administration Shells as AutomationML, in the manner of AR AAS (Asset Administration Shell Representation 1.0.0).

Shells, asset information, submodels and their elements are internal elements that require a role of their class; templates are
system unit classes. Every field is an attribute whose semantic reference names it (``AAS:HasSemantics/semanticId``); texts have
an attribute for each language, a file is an external interface, and a reference to another part of the document is a link.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.aas.elements import fields_of
from hulian.network.exchange.semantics.automationml.heading import additional
from hulian.network.exchange.semantics.automationml.names import EXTRA, escaped, shortened
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import BATCH, Batch, Content, Document, Kind, Loss, Node, Reference, Relation

__all__ = ["INSTANCES", "ROLES", "to_automationml"]

INSTANCES: Final = "AssetAdministrationShellInstanceHierarchy"
_CONCEPTS: Final = "AssetAdministrationShellConceptDescriptions"
_TEMPLATES: Final = "AssetAdministrationShellSystemUnitClasses"
ROLES: Final = "AssetAdministrationShellRoleClassLib"
_INTERFACES: Final = "AssetAdministrationShellInterfaceClassLib"
_FILE: Final = "FileDataReference"
_LEADS: Final = "ReferableReference"
_IDS: Final = uuid.UUID("5d5a2b34-0f6d-5d1c-9a55-6fb0f1a4c7e2")
_OWNERS: Final = {
    "idShort": "IReferable",
    "category": "IReferable",
    "displayName": "IReferable",
    "description": "IReferable",
    "id": "Identifiable/identification",
    "administration": "Identifiable",
    "semanticId": "HasSemantics",
    "supplementalSemanticIds": "HasSemantics",
    "kind": "HasKind",
    "qualifiers": "Qualifiable",
    "extensions": "HasExtensions",
    "embeddedDataSpecifications": "HasDataSpecification",
}
"""The class that a field is of, where it is a general one."""
_NONE: Final = frozenset({"modelType", "part", "variable", "children"})
_CONTENT: Final = "dataSpecificationContent"
_DEEPEST: Final = 32


def to_automationml(content: Content, losses: list[Loss], carrier: Carrier) -> tuple[Document, Iterator[Batch]]:
    """A document of shells as a CAEX 3.0 document. Losses are appended while the batches are taken."""
    name = content.document.name
    document = Document(
        name=name,
        format="aml",
        version="CAEX 3.0",
        title=f"{name}.aml",
        extra={
            EXTRA: {
                "name": f"{name}.aml",
                "standards": ["AutomationML 2.10", "AR AAS 1.0.0"],
                "header": [additional(carrier.document())],
            }
        },
    )
    return document, _Mapping(content, losses, carrier).batches(document)


class _Mapping:
    """One document on its way. The nodes are kept, for each class of library stands apart from the others in CAEX."""

    def __init__(self, content: Content, losses: list[Loss], carrier: Carrier) -> None:
        self._content, self._losses, self._carrier = content, losses, carrier
        self._prefix = f"{content.document.name}/"
        self._parts: dict[str, list[Node]] = {INSTANCES: [], _CONCEPTS: [], _TEMPLATES: []}
        self._place: dict[str, str] = {}
        """By node of the shells: the hierarchy or library in which it stands."""
        self._attributes: set[str] = set()
        self._after: dict[str, list[Node]] = {}
        self._references: list[Reference] = []
        self._roles: dict[str, None] = {}
        self._interfaces: dict[str, None] = {}

    def batches(self, document: Document) -> Iterator[Batch]:
        """The hierarchies, then the libraries in the schema's order."""
        for node in self._content.nodes():
            self._map(node)
        self._lead()
        nodes: list[Node] = []
        for name, tag in ((INSTANCES, "InstanceHierarchy"), (_CONCEPTS, "InstanceHierarchy")):
            if self._parts[name]:
                nodes += [self._library(name, tag), *self._ordered(self._parts[name])]
        for name, tag, kind, classes in (
            (_INTERFACES, "InterfaceClassLib", Kind.INTERFACE_TYPE, self._interfaces),
            (ROLES, "RoleClassLib", Kind.ROLE, self._roles),
        ):
            if classes:
                nodes.append(self._library(name, tag))
                nodes += [self._class(tag, name, one, kind) for one in classes]
        if self._parts[_TEMPLATES]:
            nodes += [self._library(_TEMPLATES, "SystemUnitClassLib"), *self._ordered(self._parts[_TEMPLATES])]
        for start in range(0, max(len(nodes), len(self._references)), BATCH):
            yield Batch(nodes[start : start + BATCH], self._references[start : start + BATCH])
        if rest := self._carrier.rest():
            document.extra[EXTRA]["header"].append(additional(rest))

    def _ordered(self, nodes: list[Node]) -> Iterator[Node]:
        """Attributes, then interfaces, then elements below each: as the schema has them."""
        below: dict[str, list[Node]] = {}
        for node in nodes:
            below.setdefault(node.parent, []).append(node)
        ranks = {Kind.PROPERTY: 0}
        known = {node.id for node in nodes}
        waiting = [node for node in reversed(nodes) if node.parent not in known]
        while waiting:
            node = waiting.pop()
            yield node
            children = sorted(
                below.get(node.id, ()),
                key=lambda child: ranks.get(
                    child.kind, 1 if child.extra.get(EXTRA, {}).get("tag") == "ExternalInterface" else 2
                ),
            )
            waiting.extend(reversed(children))

    # ------------------------------------------------------------ nodes

    def _map(self, node: Node) -> None:
        own: dict[str, Any] = node.extra.get("aas", {})
        named = str(own.get("modelType", ""))
        if named == "ConceptDescriptions":
            self._place[node.id] = _CONCEPTS
        elif named in ("globalAssetId", "SpecificAssetId"):
            self._asset_id(node, named, own)
        else:
            self._element(node, own, named)

    def _asset_id(self, node: Node, named: str, own: dict[str, Any]) -> None:
        above, place = self._id(node.parent), self._place.get(node.parent, INSTANCES)
        meaning = f"AAS:AssetInformation/{'globalAssetId' if named == 'globalAssetId' else 'specificAssetId'}"
        made = self._attribute(place, above, node.name, node.value, meaning)
        made.extra.setdefault(EXTRA, {})["header"] = self._carried(node)
        for field, value in own.items():
            if field not in _NONE:
                self._field(place, made.id, "SpecificAssetId", field, value, 1)

    def _element(self, node: Node, own: dict[str, Any], named: str) -> None:
        fields = {**own, "modelType": named} if named == "AssetInformation" else fields_of(node, listed=True, hyphens=True)
        kind = str(fields["modelType"])
        above = self._place.get(node.parent, "")
        is_class = (
            node.kind is Kind.OBJECT_TYPE and (above in ("", _TEMPLATES)) and kind in ("AssetAdministrationShell", "Submodel")
        )
        place = above or (_TEMPLATES if is_class else _CONCEPTS if kind == "ConceptDescription" else INSTANCES)
        self._place[node.id] = place
        stands = node.parent in self._place and self._place[node.parent] == place and above != _CONCEPTS
        identity = self._id(node.id)
        parent = self._id(node.parent) if stands else self._id_of_library(place)
        extra: dict[str, Any] = {"header": self._carried(node)}
        if is_class:
            made_kind, relation = Kind.OBJECT_TYPE, Relation.ORGANIZES
        else:
            made_kind, relation = Kind.OBJECT, Relation.COMPONENT
            extra |= {"tag": "InternalElement", "id": str(uuid.uuid5(_IDS, node.id))}
        self._parts[place].append(
            Node(
                id=identity,
                kind=made_kind,
                name=node.name,
                parent=parent,
                relation=relation,
                descriptions={"": next(iter(node.descriptions.values()))} if node.descriptions else {},
                point=node.point,
                identifier=node.identifier,
                extra={EXTRA: extra},
            )
        )
        self._roles.setdefault(kind)
        role = {"ref": f"{ROLES}/{kind}", **({"tag": "SupportedRoleClass"} if is_class else {})}
        self._references.append(Reference(identity, Relation.ROLE, f"{self._prefix}role:{ROLES}/{kind}", {EXTRA: role}))
        if node.unit and kind == "Property":
            fields.setdefault("value", "")
        for field, value in fields.items():
            if field not in _NONE and value not in (None, [], {}):
                self._field(place, identity, kind, field, value, 0, node)
        if kind == "File":
            self._file(place, identity, node, fields)

    def _file(self, place: str, identity: str, node: Node, fields: dict[str, Any]) -> None:
        interface = self._interface(place, identity, _FILE, f"{node.id}#{_FILE}")
        self._attribute(place, interface, "MIMEType", str(fields.get("contentType") or ""), "")
        self._attribute(place, interface, "refURI", str(fields.get("value") or ""), "", datatype="xs:anyURI")

    def _carried(self, node: Node) -> list[str]:
        xml = self._carrier.of(node)
        return [additional(xml)] if xml else []

    # ------------------------------------------------------------ attributes

    def _field(self, place: str, parent: str, kind: str, name: str, value: Any, depth: int, node: Node | None = None) -> None:
        """A field as an attribute, with all that is in it."""
        meaning = f"AAS:{_OWNERS.get(name, kind)}/{name}"
        if name == "qualifiers" and isinstance(value, list):
            for one in value:
                made = self._attribute(
                    place, parent, f"qualifier:{one.get('type', '')}", one.get("value"), "AAS:Qualifiable/qualifier"
                )
                self._inside(place, made.id, "Qualifier", {key: of for key, of in one.items() if key != "value"}, depth)
        elif isinstance(value, str | bool | int | float):
            text = value if isinstance(value, str) else str(value).lower()
            datatype = node.datatype if node is not None and name == "value" and kind == "Property" else "xs:string"
            made = self._attribute(place, parent, name, text, meaning, datatype=datatype or "xs:string")
            if name == "value" and node is not None and kind == "Property":
                made.unit = node.unit
        elif _is_language(value):
            made = self._attribute(place, parent, name, str(value[0].get("text", "")), meaning)
            for one in value:
                self._attribute(place, made.id, f"aml-lang={one.get('language', '')}", str(one.get("text", "")), "")
        elif isinstance(value, dict) and "keys" in value:
            self._attribute(place, parent, name, _serial(value), meaning)
        elif isinstance(value, dict):
            made = self._attribute(place, parent, name, None, meaning)
            self._inside(place, made.id, "DataSpecificationIEC61360" if name == _CONTENT else name, value, depth)
        elif isinstance(value, list):
            made = self._attribute(place, parent, name, None, meaning)
            for number, one in enumerate(value):
                self._field(place, made.id, kind, f"{name}[{number}]", one, depth + 1)

    def _inside(self, place: str, parent: str, kind: str, value: dict[str, Any], depth: int) -> None:
        if depth >= _DEEPEST:
            self._losses.append(Loss(parent, "what is nested deeper", f"{_DEEPEST} levels of attributes are written"))
            return
        for field, inner in value.items():
            if inner in (None, [], {}):
                continue
            if kind == "DataSpecificationIEC61360" and field != "modelType":
                before = len(self._parts[place])
                self._field(place, parent, kind, field, inner, depth + 1)
                self._parts[place][before].meanings = (f"IEC:DataSpecificationIEC61360/{field}",)
            else:
                self._field(place, parent, kind, field, inner, depth + 1)

    def _attribute(
        self, place: str, parent: str, name: str, value: str | None, meaning: str, *, datatype: str = "xs:string"
    ) -> Node:
        sign = "/" if parent in self._attributes else "@"
        identity = shortened(f"{parent}{sign}{escaped(name)}")
        number = 2
        while identity in self._attributes:
            identity = shortened(f"{parent}{sign}{escaped(f'{name}~{number}')}")
            number += 1
        self._attributes.add(identity)
        self._parts[place].append(
            Node(
                id=identity,
                kind=Kind.PROPERTY,
                name=name,
                parent=parent,
                value=value,
                datatype=datatype if value is not None else "",
                meanings=(meaning,) if meaning else (),
            )
        )
        return self._parts[place][-1]

    # ------------------------------------------------------------ references

    def _lead(self) -> None:
        """A pair of interfaces and a link for each reference from one part of the document to another."""
        told: set[tuple[str, str]] = set()
        for number, reference in enumerate(self._content.references()):
            source, target = self._place.get(reference.source), self._place.get(reference.target)
            if reference.relation == Relation.DESCRIBED or source is None or target is None:
                continue  # said by an attribute
            if (reference.source, reference.target) in told:
                continue
            told.add((reference.source, reference.target))
            if source != target:
                what = f"a link to {reference.target}"
                self._losses.append(Loss(reference.source, what, "CAEX links within one hierarchy only; its attribute says it"))
                continue
            ends = [
                self._interface(place, self._id(node), _LEADS, f"{node}#{_LEADS}{number}{side}")
                for place, node, side in ((source, reference.source, "a"), (target, reference.target, "b"))
            ]
            extra = {"at": self._id(reference.source), "name": f"reference {number + 1}"}
            extra |= {"a": ends[0].removeprefix(self._prefix), "b": ends[1].removeprefix(self._prefix)}
            self._references.append(Reference(ends[0], Relation.LINK, ends[1], {EXTRA: extra}))

    def _interface(self, place: str, parent: str, kind: str, seed: str) -> str:
        self._interfaces.setdefault(kind)
        own = str(uuid.uuid5(_IDS, seed))
        identity = f"{self._prefix}{own}"
        path = f"{_INTERFACES}/{kind}"
        extra = {"tag": "ExternalInterface", "id": own, "ref": path}
        self._parts[place].append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name=kind,
                parent=parent,
                type=f"{self._prefix}interface:{path}",
                extra={EXTRA: extra},
            )
        )
        return identity

    # ------------------------------------------------------------ names

    def _id(self, identity: str) -> str:
        return shortened(f"{self._prefix}{uuid.uuid5(_IDS, identity)}")

    def _id_of_library(self, name: str) -> str:
        mark = "unit" if name == _TEMPLATES else "hierarchy"
        return f"{self._prefix}{mark}:{name}"

    def _library(self, name: str, tag: str) -> Node:
        mark = {"InterfaceClassLib": "interface", "RoleClassLib": "role"}.get(tag, "")
        identity = f"{self._prefix}{mark}:{name}" if mark else self._id_of_library(name)
        return Node(id=identity, kind=Kind.FOLDER, name=name, relation=Relation.ORGANIZES, extra={EXTRA: {"tag": tag}})

    def _class(self, tag: str, library: str, name: str, kind: Kind) -> Node:
        mark = "role" if tag == "RoleClassLib" else "interface"
        above = f"{self._prefix}{mark}:{library}"
        return Node(id=f"{above}/{name}", kind=kind, name=name, parent=above, relation=Relation.ORGANIZES)


def _is_language(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and set(one) == {"language", "text"} for one in value)
    )


def _serial(reference: dict[str, Any]) -> str:
    """A reference as the standard writes it: ``[ExternalRef](GlobalReference)0173-1#02-AAO677#002``."""
    form = {"ExternalReference": "[ExternalRef]", "ModelReference": "[ModelRef]"}.get(str(reference.get("type")), "")
    return form + ", ".join(f"({key.get('type', '')}){key.get('value', '')}" for key in reference.get("keys", ()))
