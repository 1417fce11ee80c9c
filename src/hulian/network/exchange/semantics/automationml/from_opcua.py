"""OPC UA to AutomationML by OPC 10000-83, Annex A: a namespace becomes four libraries, its instances a hierarchy.

Of a namespace *U*: data types stand in ``ATL_U``, reference types in ``ICL_U`` (two interface classes each, one for either
end, but one where they are symmetric), interface types in ``RCL_U`` and, like object and variable types, in ``SUC_U``.
Instance declarations are elements of their class. Every class plays ``RCL_OpcAmlMetaModel/UaBaseRole``; methods are
of ``SUC_OpcAmlMetaModel/UaMethodNodeClass``. Only what differs from the type or the name is said. This is not the
inverse of `opcua.to_opcua`: a document says which of the two it is in its superior standard.

Each reference is a pair of interfaces and a link between them. CAEX has links within one class or one hierarchy only; others,
and those to nodes of other documents, are losses.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from hulian.network.exchange.semantics.automationml.annex import (
    ATL,
    ATTRIBUTES,
    CLASSES,
    ICL,
    ID_NAMES,
    META,
    RCL,
    RELATIONS,
    RULES,
    SAID,
    SUC,
    TAGS,
    belongs,
    class_id,
    data_type_id,
    distinct_names,
    explicit,
    library_id,
    meta_libraries,
    path_of,
    standard_name,
    xs_type,
)
from hulian.network.exchange.semantics.automationml.heading import additional
from hulian.network.exchange.semantics.automationml.names import EXTRA, escaped, shortened
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import (
    BATCH,
    Batch,
    Constraints,
    Content,
    Document,
    Kind,
    Loss,
    Node,
    Reference,
    Relation,
)
from hulian.network.exchange.semantics.opcua import BASE

__all__ = ["PROFILE", "to_automationml"]

PROFILE: Final = "OPC 10000-83 Annex A"
"""Superior standard of what this writes, beside AutomationML's own."""
_IDS: Final = uuid.UUID("0d6a1c6e-50bb-5b4e-8f0e-2b7c8f3a9d21")
_TYPE_ONLY: Final = "<AdditionalInformation>OpcUa:TypeOnly</AdditionalInformation>"
_WHY: Final = "CAEX links within one class or one hierarchy only"
_INFO: Final = "http://opcfoundation.org/UA/FX/2021/08/OpcUaLibInfo.xsd"


def to_automationml(
    content: Content, name: str, losses: list[Loss], carrier: Carrier | None = None
) -> tuple[Document, Iterator[Batch]]:
    """The nodes of an OPC UA document as a CAEX 3.0 document of this name; losses are appended while the batches are taken.

    ``carrier`` packs each node beside what it becomes, for the way back. The document is held in memory meanwhile.
    """
    said: dict[str, Any] = {"name": f"{content.document.title or name}.aml", "standards": ["AutomationML 2.10", PROFILE]}
    if carrier is not None:
        said["header"] = [additional(carrier.document())]
    document = Document(
        name=name,
        format="aml",
        version="CAEX 3.0",
        title=f"{content.document.title or name}.aml",
        namespaces=content.document.namespaces,
        requires=content.document.requires,
        extra={EXTRA: said},
    )
    return document, _Mapping(content, name, losses, carrier).batches()


class _Mapping:
    """One document on its way."""

    def __init__(self, content: Content, name: str, losses: list[Loss], carrier: Carrier | None) -> None:
        self._content, self._name, self._losses, self._carrier = content, name, losses, carrier
        self._below: dict[str, list[Node]] = {}
        self._all: dict[str, Node] = {}
        self._top: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._references: list[Reference] = []
        self._lists: dict[str, tuple[str, str]] = {}
        for node in content.nodes():
            self._all[node.id] = node
            self._below.setdefault(node.parent, []).append(node)
        self._uris = list(content.document.namespaces) or [BASE]
        self._paired: set[tuple[str, str, str]] = set()
        self._renamed = distinct_names(self._all.values(), losses)

    def batches(self) -> Iterator[Batch]:
        """The hierarchy, then the libraries in the schema's order."""
        self._hierarchy()
        meta = meta_libraries(self._name)
        last = self._uris[-1]
        for kind, make in ((ICL, self._reference_type), (RCL, self._role), (SUC, self._class), (ATL, self._data_type)):
            self._nodes.extend(node for node in meta if node.id.startswith(library_id(self._name, kind, META)))
            for uri in self._uris:
                library = self._library(kind, uri)
                for node in list(self._all.values()):
                    if self._uri(node.id) == uri and belongs(node, kind):
                        make(node)
                if kind == ATL:
                    self._list_types(uri)
                    if uri == last and self._carrier is not None and (rest := self._carrier.rest()):
                        # nodes that became no element of their own travel with the last library
                        library.extra[EXTRA]["header"].append(additional(rest))
            yield from self._taken()
        self._connect()
        yield from self._taken()

    def _carried(self, node: Node) -> list[str]:
        xml = self._carrier.of(node) if self._carrier is not None else ""
        return [additional(xml)] if xml else []

    def _taken(self) -> Iterator[Batch]:
        for start in range(0, max(len(self._nodes), len(self._references)), BATCH):
            yield Batch(self._nodes[start : start + BATCH], self._references[start : start + BATCH])
        self._nodes.clear()
        self._references.clear()

    # ------------------------------------------------------------ names

    def _uri(self, identity: str) -> str:
        return identity[4:].partition(";")[0].replace("%3B", ";") if identity.startswith("nsu=") else BASE

    def _named(self, identity: str) -> str:
        """The name of a node of this document or another; its id where nobody knows it."""
        if identity in self._renamed:
            return self._renamed[identity]
        node = self._all.get(identity) or self._content.node(identity)
        if node is not None:
            return node.name
        return standard_name(identity) or identity

    def _class_of(self, identity: str, kind: str) -> tuple[str, str]:
        """Id and path of a class."""
        uri, name = self._uri(identity), self._named(identity)
        return class_id(self._name, kind, uri, name), path_of(kind, uri, name)

    def _element_id(self, node: Node) -> str:
        """The id of what a node becomes."""
        if node.kind in CLASSES:
            return self._class_of(node.id, SUC)[0]
        return shortened(f"{self._name}/{escaped(quote(node.id, safe=''))}")

    # ------------------------------------------------------------ libraries

    def _library(self, kind: str, uri: str) -> Node:
        models = self._content.document.extra.get("nodeset", {}).get("models", ())
        said: dict[str, str] = next(
            (model.get("attributes", {}) for model in models if model.get("attributes", {}).get("ModelUri") == uri), {}
        )
        version = said.get("Version", "")
        parts = {"OpcUaNamespaceUri": uri, "ModelVersion": version, "ModelPublicationDate": said.get("PublicationDate", "")}
        inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in parts.items() if value)
        info = f'<AdditionalInformation><OpcUaLibInfo xmlns="{_INFO}">{inside}</OpcUaLibInfo></AdditionalInformation>'
        extra: dict[str, Any] = {"tag": TAGS[kind], "header": [info]}
        if version:
            extra["version"] = version
        self._nodes.append(
            Node(
                id=library_id(self._name, kind, uri),
                kind=Kind.FOLDER,
                name=f"{kind}_{uri}",
                relation=Relation.ORGANIZES,
                extra={EXTRA: extra},
            )
        )
        return self._nodes[-1]

    def _add_class(self, node: Node, kind: str, made: Kind, base: str, **more: Any) -> str:
        """A class in the library of its namespace."""
        identity, _ = self._class_of(node.id, kind)
        base_id, path = self._class_of(base, kind) if base else ("", "")
        extra: dict[str, Any] = {"id": quote(f"{node.id};{kind}" if kind in (RCL, ICL) else node.id, safe="")}
        if base:
            extra["ref"] = path
        if carried := self._carried(node):
            extra["header"] = carried
        self._nodes.append(
            Node(
                id=identity,
                kind=made,
                name=self._named(node.id),
                parent=library_id(self._name, kind, self._uri(node.id)),
                relation=Relation.ORGANIZES,
                type=base_id,
                descriptions=dict(list(node.descriptions.items())[:1]),
                extra={EXTRA: extra},
                **more,
            )
        )
        for language, text in list(node.descriptions.items())[1:]:
            self._losses.append(Loss(node.id, f"the description {text[:60]!r} ({language})", "CAEX has one description"))
        return identity

    def _reference_type(self, node: Node) -> None:
        identity = self._add_class(
            node, ICL, Kind.INTERFACE_TYPE, node.type or (node.parent if node.parent in self._all else "")
        )
        attributes = node.extra.get("nodeset", {}).get("attributes", {})
        inverse = next(iter(node.extra.get("nodeset", {}).get("inverse", {}).values()), "")
        symmetric = attributes.get("Symmetric") == "true"
        path = path_of(ICL, self._uri(node.id), self._named(node.id))
        other = path if symmetric or not inverse else f"{path}/[{inverse}]"
        self._attribute(identity, "IsSource", "true" if not symmetric else "false", "xs:boolean")
        self._attribute(identity, "RefClassConnectsToPath", other, "xs:string")
        self._common(node, identity, type_only=True)
        if inverse and not symmetric:
            self._attribute(identity, "InverseName", inverse, "xs:string")
            back = f"{identity}/{escaped(inverse)}"
            self._nodes.append(
                Node(
                    id=back,
                    kind=Kind.INTERFACE_TYPE,
                    name=inverse,
                    parent=identity,
                    relation=Relation.ORGANIZES,
                    type=identity,
                    extra={EXTRA: {"ref": path}},
                )
            )
            self._attribute(back, "IsSource", "false", "xs:boolean")
            self._attribute(back, "RefClassConnectsToPath", path, "xs:string")

    def _role(self, node: Node) -> None:
        identity = self._add_class(node, RCL, Kind.ROLE, node.type)
        self._common(node, identity, type_only=True)

    def _class(self, node: Node) -> None:
        identity = self._add_class(node, SUC, Kind.OBJECT_TYPE, node.type)
        self._plays(identity)
        self._common(node, identity, type_only=True)
        if node.kind == Kind.PROPERTY_TYPE:
            self._value(node, identity)
        self._parts(node, identity, identity)

    def _data_type(self, node: Node) -> None:
        fields = node.extra.get("nodeset", {}).get("definition", {}).get("fields", [])
        choices = bool(node.constraints and node.constraints.choices)
        names = [str(field.get("Name", "")) for field in fields]
        limits = Constraints(choices=tuple((name, "") for name in names)) if choices else None
        datatype = "xs:string" if choices else "" if fields else xs_type(node.id, self._ancestors(node))
        identity = self._add_class(node, ATL, Kind.PROPERTY_TYPE, node.type, datatype=datatype, constraints=limits)
        self._common(node, identity, type_only=True)
        if choices:
            return
        for field in fields:
            self._typed(identity, str(field.get("Name", "")), field.get("DataType", "i=24"), field.get("ValueRank", "-1"), None)

    def _list_types(self, uri: str) -> None:
        for name, (owner, element) in sorted(self._lists.items()):
            if owner == uri:
                self._nodes.append(
                    Node(
                        id=class_id(self._name, ATL, uri, name),
                        kind=Kind.PROPERTY_TYPE,
                        name=name,
                        parent=library_id(self._name, ATL, uri),
                        relation=Relation.ORGANIZES,
                        type=f"{self._name}/attribute:AutomationMLBaseAttributeTypeLib/OrderedListType",
                        extra={EXTRA: {"ref": "AutomationMLBaseAttributeTypeLib/OrderedListType", "element": element}},
                    )
                )

    def _ancestors(self, node: Node) -> list[str]:
        found: list[str] = []
        while node.type and node.type not in found and len(found) < 64:
            found.append(node.type)
            above = self._all.get(node.type) or self._content.node(node.type)
            if above is None:
                break
            node = above
        return found

    # ------------------------------------------------------------ instances

    def _hierarchy(self) -> None:
        """Instances that belong to no class."""
        types = (*CLASSES, Kind.DATA_TYPE, Kind.REFERENCE_TYPE)
        tops = [
            node
            for node in self._all.values()
            if node.kind not in types
            and (node.parent not in self._all or self._all[node.parent].kind in (Kind.DATA_TYPE, Kind.REFERENCE_TYPE))
        ]
        described = [node for node in tops if node.parent in self._all]
        for node in described:
            # what a data type or reference type has of properties (EnumStrings and the like) follows from its definition
            self._losses.append(
                Loss(node.id, f"{node.name} of {self._named(node.parent)}", "Annex A has it in the type itself")
            )
        tops = [node for node in tops if node.parent not in self._all]
        if not tops:
            return
        identity = f"{self._name}/hierarchy:{escaped(self._name)}"
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.FOLDER,
                name=self._name,
                relation=Relation.ORGANIZES,
                extra={EXTRA: {"tag": "InstanceHierarchy"}},
            )
        )
        for node in tops:
            self._element(node, identity, identity)

    def _element(self, node: Node, parent: str, root: str) -> None:
        """An object, variable or method as an element, and what stands below it."""
        identity = self._element_id(node)
        self._top[node.id] = root
        if node.kind == Kind.OPERATION:
            type_id, path = class_id(self._name, SUC, META, "UaMethodNodeClass"), path_of(SUC, META, "UaMethodNodeClass")
        elif node.type:
            type_id, path = self._class_of(node.type, SUC)
        else:
            type_id = path = ""
        extra: dict[str, Any] = {"id": quote(node.id, safe="")}
        if path:
            extra["ref"] = path
        if carried := self._carried(node):
            extra["header"] = carried
        self._nodes.append(
            Node(
                id=identity,
                kind=Kind.OBJECT,
                name=node.name,
                parent=parent,
                type=type_id,
                descriptions=dict(list(node.descriptions.items())[:1]),
                extra={EXTRA: extra},
            )
        )
        self._common(node, identity, type_only=False)
        if node.kind == Kind.PROPERTY:
            self._value(node, identity)
        self._parts(node, identity, root)

    def _parts(self, node: Node, identity: str, root: str) -> None:
        self._top[node.id] = root
        for child in self._below.get(node.id, ()):
            if child.kind in (*CLASSES, Kind.DATA_TYPE, Kind.REFERENCE_TYPE) or child.id == node.id:
                continue
            if child.extra.get("nodeset", {}).get("made"):
                continue
            self._element(child, identity, root)

    def _plays(self, identity: str) -> None:
        role = class_id(self._name, RCL, META, "UaBaseRole")
        extra = {"tag": "SupportedRoleClass", "ref": path_of(RCL, META, "UaBaseRole")}
        self._references.append(Reference(identity, Relation.ROLE, role, {EXTRA: extra}))

    # ------------------------------------------------------------ attributes

    def _attribute(self, parent: str, name: str, value: str | None, datatype: str, *, sign: str = "@", **more: Any) -> str:
        identity = shortened(f"{parent}{sign}{escaped(name)}")
        self._nodes.append(
            Node(id=identity, kind=Kind.PROPERTY, name=name, parent=parent, value=value, datatype=datatype, **more)
        )
        return identity

    def _common(self, node: Node, identity: str, *, type_only: bool) -> None:
        """Attributes of every node class: only what differs from the name and the default."""
        kept = {EXTRA: {"header": [_TYPE_ONLY]}} if type_only else {}
        uri, letter, value = explicit(node.id)
        known = self._attribute(identity, "NodeId", None, "", extra=kept)
        root = self._attribute(known, "RootNodeId", None, "", sign="/")
        self._attribute(root, "NamespaceUri", uri, "xs:anyURI", sign="/")
        self._attribute(root, ID_NAMES[letter], value, "xs:long" if letter == "i" else "xs:string", sign="/")
        details = node.extra.get("nodeset", {})
        browse = details.get("browse") or uri
        if browse != uri:
            named = self._attribute(identity, "BrowseName", None, "")
            self._attribute(named, "NamespaceUri", browse, "xs:anyURI", sign="/")
        labels = {language: label for language, label in node.labels.items() if label != node.name}
        if labels:
            first = node.labels.get("", next(iter(labels.values())))
            shown = self._attribute(identity, "DisplayName", first, "xs:string")
            for language, label in labels.items():
                if language:
                    self._attribute(shown, f"aml-lang={language}", label, "xs:string", sign="/")
        attributes = details.get("attributes", {})
        if attributes.get("IsAbstract") == "true":
            self._attribute(identity, "IsAbstract", "true", "xs:boolean", extra=kept)
        for name, datatype, default in ATTRIBUTES:
            if name in attributes and attributes[name] != default:
                self._attribute(identity, name, attributes[name], datatype)
        for name in attributes:
            if name not in SAID:
                self._losses.append(Loss(node.id, f"{name}={attributes[name]!r}", "Annex A has no attribute for it"))

    def _value(self, node: Node, identity: str) -> None:
        rank = str(
            node.extra.get("nodeset", {}).get("attributes", {}).get("ValueRank", "1" if node.datatype.endswith("[]") else "-1")
        )
        self._typed(identity, "Value", node.datatype.removesuffix("[]") or "i=24", rank, node.value)
        if node.unit:
            self._nodes[-1].unit = node.unit

    def _typed(self, parent: str, name: str, datatype: str, rank: str, value: str | None) -> None:
        """An attribute of a data type; an array is of the list type of it."""
        known = data_type_id(datatype)
        uri, plain = self._uri(known), self._named(known)
        if str(rank).lstrip("-").isdecimal() and int(rank) >= 0:
            plain = f"ListOf{plain}"
            self._lists.setdefault(plain, (uri, known))
            shown = "xs:string" if value is not None else ""
        else:
            above = self._all.get(known) or self._content.node(known)
            shown = xs_type(known, self._ancestors(above) if above is not None else [])
        self._attribute(
            parent,
            name,
            value,
            shown,
            type=class_id(self._name, ATL, uri, plain),
            extra={EXTRA: {"ref": path_of(ATL, uri, plain)}},
        )

    # ------------------------------------------------------------ references

    def _connect(self) -> None:
        """Interfaces and links for the tree and for all further references."""
        for node in self._all.values():
            if node.id in self._top and node.parent in self._top and node.id != node.parent:
                rule = node.extra.get("nodeset", {}).get("rule", "")
                self._pair(node.parent, node.relation, node.id, rule)
        for reference in self._content.references():
            if reference.relation not in (Relation.SUBTYPE, Relation.SAME, Relation.ROLE, Relation.LINK):
                self._pair(reference.source, reference.relation, reference.target, "")
            else:
                self._lose(reference, "Annex A has no interface class for it")

    def _pair(self, source: str, relation: str, target: str, rule: str) -> None:
        one, other = self._top.get(source), self._top.get(target)
        if relation == "i=17603" and source in self._all:
            role, path = self._class_of(target, RCL)
            extra = {"tag": "SupportedRoleClass", "ref": path}
            self._references.append(Reference(self._element_id(self._all[source]), Relation.ROLE, role, {EXTRA: extra}))
            return
        if one is None or one != other:
            self._losses.append(Loss(source, f"{self._named(RELATIONS.get(relation, relation))} to {target}", _WHY))
            return
        kind = RELATIONS.get(relation, relation)
        if (source, kind, target) in self._paired:
            return
        self._paired.add((source, kind, target))
        uri, name = self._uri(kind), self._named(kind)
        ends = []
        above = self._all.get(kind) or self._content.node(kind)
        inverse = next(iter(above.extra.get("nodeset", {}).get("inverse", {}).values()), "") if above is not None else ""
        inverse = inverse or standard_name(kind, inverse=True)
        for owner, shown, way in ((source, name, "f"), (target, inverse or name, "r")):
            at = self._element_id(self._all[owner])
            own = str(uuid.uuid5(_IDS, f"{source}|{relation}|{target}|{way}"))
            identity = f"{self._name}/{own}"
            class_, path = class_id(self._name, ICL, uri, name), path_of(ICL, uri, name)
            if way == "r" and inverse:
                class_, path = f"{class_}/{escaped(inverse)}", f"{path}/[{inverse}]"
            partner = self._all[target if way == "f" else source].name
            self._nodes.append(
                Node(
                    id=identity,
                    kind=Kind.OBJECT,
                    name=f"{shown}:{partner}",
                    parent=at,
                    type=class_,
                    extra={EXTRA: {"tag": "ExternalInterface", "id": own, "ref": path}},
                )
            )
            if way == "r" and rule:
                self._attribute(identity, "ModellingRule", RULES.get(rule, rule), "xs:string")
            ends.append(identity)
        extra = {"at": self._element_id(self._all[source]), "name": f"{name}:{self._all[target].name}"}
        extra |= {"a": ends[0].rpartition("/")[2], "b": ends[1].rpartition("/")[2]}
        self._references.append(Reference(ends[0], Relation.LINK, ends[1], {EXTRA: extra}))

    def _lose(self, reference: Reference, why: str) -> None:
        self._losses.append(Loss(reference.source, f"{reference.relation} to {reference.target}", why))
