"""From a NodeSet to the model: every node in batches, parents first, in two ways through the document.

Memory is bounded by a string for each node (two, while the document is read) and by the nodes that stand before their parents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import BATCH, Batch, Document, Kind, Loss, Node, Reference, Relation, Source
from hulian.network.exchange.semantics.errors import DocumentError
from hulian.network.exchange.semantics.nodeset.bends import bent
from hulian.network.exchange.semantics.nodeset.forest import Forest, Read, inverse
from hulian.network.exchange.semantics.nodeset.meaning import choices_of_fields
from hulian.network.exchange.semantics.nodeset.names import split
from hulian.network.exchange.semantics.nodeset.opaque import outer_xml, to_json
from hulian.network.exchange.semantics.nodeset.schema import BASE, DATATYPES, KINDS, NODESET
from hulian.network.exchange.semantics.nodeset.standard import standard_supertypes
from hulian.network.exchange.semantics.nodeset.survey import CLASS_OF, PREFIX, ROOT, Survey, node_events, survey
from hulian.network.exchange.semantics.nodeset.values import elements_of, read_value

__all__ = ["INTERFACE", "read"]

INTERFACE: Final = "i=17602"
_FOLDER: Final = "i=61"
_DICTIONARY_ENTRIES: Final = frozenset({"i=17589", "i=17598", "i=17600"})
_ARGUMENTS: Final = {"InputArguments": Relation.INPUT, "OutputArguments": Relation.OUTPUT}
_LONGEST_NAME: Final = 65_536

_DISPLAY: Final = f"{PREFIX}DisplayName"
_DESCRIPTION: Final = f"{PREFIX}Description"
_REFERENCES: Final = f"{PREFIX}References"
_VALUE: Final = f"{PREFIX}Value"
_INVERSE: Final = f"{PREFIX}InverseName"
_CATEGORY: Final = f"{PREFIX}Category"
_DOCUMENTATION: Final = f"{PREFIX}Documentation"
_DEFINITION: Final = f"{PREFIX}Definition"
_PERMISSIONS: Final = f"{PREFIX}RolePermissions"
_EXTENSIONS: Final = f"{PREFIX}Extensions"
_OPAQUE: Final = {f"{PREFIX}Translation": "translations", f"{PREFIX}ArgumentDescription": "arguments"}
_REFERENCE: Final = f"{PREFIX}Reference"


def read(source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
    """As `Format.read`. Progress counts both ways, so that it ends at the document's size."""
    half = max(source.size // 2, 1)
    first = msgspec.structs.replace(source, progress=lambda count: source.progress(min(count // 2, half)))
    second = msgspec.structs.replace(source, progress=lambda count: source.progress(half + count // 2))
    found = survey(first)
    document = found.header.document(_Root(found.attributes), name, losses)
    return document, _Reader(second, found, losses).batches()


class _Root(msgspec.Struct):
    attrib: dict[str, str]


class _Reader:
    """The second way."""

    def __init__(self, source: Source, found: Survey, losses: list[Loss]) -> None:
        self._source, self._place, self._losses = source, source.name, losses
        self._names, self._facts, self._tree = found.names, found.facts, found.tree
        self._twice, self._met = found.twice, set[str]()
        self._forest = Forest(found.ids, losses, source.name)
        self._interfaces = {INTERFACE}
        self._below: list[tuple[str, str]] = []

    def batches(self) -> Iterator[Batch]:
        """All nodes and references."""
        batch = Batch([], [], [])
        for node, references in self._placed():
            self._understand(node, references)
            batch.nodes.append(node)
            batch.references.extend(references)
            if node.name in _ARGUMENTS and node.parent and node.kind is Kind.PROPERTY:
                batch.nodes.extend(_arguments(node))
            if len(batch.nodes) >= BATCH - 256:
                yield from _cut(batch)
                batch = Batch([], [], [])
        batch.references.extend(self._forest.leftover())
        yield from _cut(batch)

    def _placed(self) -> Iterator[tuple[Node, list[Reference]]]:
        for element in node_events(self._source, None):
            if element.tag == ROOT:
                break
            read = self._node(element)
            if read is not None:
                yield from self._forest.take(read, self._below)
        yield from self._forest.rest()

    # ------------------------------------------------------------ one node

    def _node(self, element: Any) -> Read | None:
        names, line = self._names, element.sourceline
        attributes = dict(element.attrib)
        identity = names.node(attributes.pop("NodeId", None), line)
        if identity in self._twice:
            if identity in self._met:
                self._losses.append(bent("twice-defined", self._at(element), f"the second definition of {identity}"))
                return None
            self._met.add(identity)
        node_class = CLASS_OF[element.tag]
        if "BrowseName" not in attributes:
            raise DocumentError(f"{identity} has no BrowseName", place=self._at(element))
        uri, name = names.qualified(attributes.pop("BrowseName"), line)
        if len(name) > _LONGEST_NAME:
            raise DocumentError(f"a name of {len(name)} characters, more than {_LONGEST_NAME}", place=self._at(element))
        details: dict[str, Any] = {"browse": uri, "class": node_class}
        node = Node(id=identity, kind=KINDS[node_class], name=name, labels={}, descriptions={}, extra={"nodeset": details})
        parent = attributes.pop("ParentNodeId", None)
        parent = names.node(parent, line) if parent and parent.strip() else ""
        datatype = attributes.pop("DataType", None)
        if datatype is not None:
            identity_of_type = names.node(datatype, line)
            node.datatype = DATATYPES.get(identity_of_type, identity_of_type)
            if node.datatype[:3] == "xs:" and attributes.get("ValueRank", "-1").strip() not in ("-1", "-2", "-3"):
                node.datatype += "[]"
        if attributes:
            if "MethodDeclarationId" in attributes:
                attributes["MethodDeclarationId"] = names.node(attributes["MethodDeclarationId"], line)
            details["attributes"] = attributes
            access = attributes.get("AccessLevel")
            if access is not None and access.strip().isdecimal():
                node.writable = bool(int(access) & 2)
        read = Read(node, [], parent, [])
        self._children(element, read, details)
        return read

    def _children(self, element: Any, read: Read, details: dict[str, Any]) -> None:
        node, names = read.node, self._names
        self._below = []
        for child in element:
            tag = child.tag
            if tag == _REFERENCES:
                self._references(child, read, details)
            elif tag == _DISPLAY:
                self._text(child, node.labels)
            elif tag == _DESCRIPTION:
                self._text(child, node.descriptions)
            elif tag == _VALUE:
                node.value, shape = read_value(child, names, node.datatype)
                if shape is not None:
                    details["value"] = shape
            elif tag == _CATEGORY:
                details.setdefault("categories", []).append(child.text or "")
            elif tag == _DOCUMENTATION:
                details["documentation"] = child.text or ""
            elif tag == _INVERSE:
                self._text(child, details.setdefault("inverse", {}))
            elif tag == _DEFINITION:
                self._definition(child, node, details)
            elif tag == _PERMISSIONS:
                details["permissions"] = [
                    [names.node(each.text, each.sourceline), each.get("Permissions", "0")] for each in child
                ]
            elif tag == _EXTENSIONS:
                details["extensions"] = [outer_xml(inside)["@xml"] for extension in child for inside in extension]
            elif tag in _OPAQUE:
                details.setdefault(_OPAQUE[tag], []).append(to_json(child, names, NODESET))
            else:
                self._losses.append(bent("unknown-child", self._at(child), f"{tag[:200]} of {node.id}"))

    def _text(self, child: Any, texts: dict[str, str]) -> None:
        locale = child.get("Locale", "")
        if locale in texts:
            self._losses.append(bent("twice-in-locale", self._at(child), f"another text in {locale or 'no language'}"))
        else:
            texts[locale] = child.text or ""

    def _references(self, holder: Any, read: Read, details: dict[str, Any]) -> None:
        node, names, tree = read.node, self._names, self._tree
        identity = node.id
        for each in holder:
            if each.tag != _REFERENCE:
                self._losses.append(bent("unknown-child", self._at(each), f"{each.tag[:200]} of {identity}"))
                continue
            relation = names.relation(each.get("ReferenceType"), each.sourceline)
            target = names.node(each.text, each.sourceline)
            forward = each.get("IsForward")
            if forward is None or forward in ("true", "1"):
                if relation == "i=40" and not node.type:
                    node.type = target
                elif relation == "i=37" and "rule" not in details:
                    details["rule"] = target
                elif relation in tree:
                    self._below.append((relation, target))
                else:
                    read.references.append(Reference(identity, relation, target))
            elif relation in tree or target == read.attribute:
                read.above.append((relation, target))
            else:
                read.references.append(inverse(identity, relation, target))
        if len(read.above) > 1 and node.kind in (Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.DATA_TYPE, Kind.REFERENCE_TYPE):
            read.above.sort(key=lambda above: above[0] != Relation.SUBTYPE)

    def _definition(self, element: Any, node: Node, details: dict[str, Any]) -> None:
        """Fields of a data type; what an enumeration allows becomes its constraints."""
        names = self._names
        definition: dict[str, Any] = dict(element.attrib)
        if ":" in definition.get("Name", ""):
            uri, definition["Name"] = names.qualified(definition["Name"], element.sourceline)
            if uri != BASE:
                definition["browse"] = uri
        fields = []
        for child in element:
            field: dict[str, Any] = dict(child.attrib)
            if "DataType" in field:
                field["DataType"] = names.node(field["DataType"], child.sourceline)
            for inside in child:
                kind = {_DISPLAY: "labels", _DESCRIPTION: "descriptions"}.get(inside.tag)
                if kind is None:
                    self._losses.append(bent("unknown-child", self._at(inside), f"{inside.tag[:200]} of a field of {node.id}"))
                else:
                    self._text(inside, field.setdefault(kind, {}))
            fields.append(field)
        definition["fields"] = fields
        details["definition"] = definition
        node.constraints = choices_of_fields(fields)

    # ------------------------------------------------------------ what it means

    def _understand(self, node: Node, references: list[Reference]) -> None:
        """What is known once a node has its place: folders, interfaces, ranges and units, what it means."""
        kind = node.kind
        if kind is Kind.OBJECT:
            if node.type == _FOLDER:
                node.kind = Kind.FOLDER
            elif node.type in _DICTIONARY_ENTRIES:
                node.meanings = (split(node.id)[1][2:],)
        elif kind is Kind.OBJECT_TYPE and self._is_interface(node):
            self._interfaces.add(node.id)
            node.kind = Kind.ROLE
        facts = self._facts.get(node.id)
        if facts is not None:
            node.unit = facts.unit
            node.constraints = facts.constraints() or node.constraints
        meanings = [
            split(reference.target)[1][2:]
            for reference in references
            if reference.relation == Relation.DESCRIBED and reference.source == node.id
        ]
        if meanings:
            node.meanings = tuple(dict.fromkeys(meanings))

    def _is_interface(self, node: Node) -> bool:
        general = node.parent if node.relation == Relation.SUBTYPE else ""
        return general in self._interfaces or node.id == INTERFACE or INTERFACE in standard_supertypes(general)

    def _at(self, element: Any) -> str:
        return f"{self._place}, line {element.sourceline}"


def _arguments(node: Node) -> Iterator[Node]:
    """The arguments in the value of ``InputArguments`` or ``OutputArguments``, as properties of the operation."""
    if node.extra["nodeset"]["browse"] != BASE:
        return
    for position, body in enumerate(elements_of(node.value)):
        datatype = body.get("DataType")
        identity = datatype.get("Identifier", "") if isinstance(datatype, dict) else ""
        shown = DATATYPES.get(identity, identity) if isinstance(identity, str) else ""
        rank = body.get("ValueRank")
        if shown[:3] == "xs:" and isinstance(rank, str) and rank.strip().isdecimal():
            shown += "[]"
        description = body.get("Description")
        words = description.get("Text", "") if isinstance(description, dict) else ""
        name = body.get("Name")
        yield Node(
            id=f"{node.id}#{position}",
            kind=Kind.PROPERTY,
            name=name if isinstance(name, str) else str(position),
            parent=node.parent,
            relation=_ARGUMENTS[node.name],
            datatype=shown,
            descriptions={"": words} if isinstance(words, str) and words else {},
            extra={"nodeset": {"made": "argument"}},
        )


def _cut(batch: Batch) -> Iterator[Batch]:
    """In batches of the size that the contract bounds; references go with the last."""
    nodes = batch.nodes
    while len(nodes) > BATCH:
        yield Batch(nodes[:BATCH], [], [])
        nodes = nodes[BATCH:]
    if nodes or batch.references:
        yield Batch(nodes, batch.references, [])
