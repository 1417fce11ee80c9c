"""From a NodeSet to the model: every node in batches, parents first, in two ways.

The first goes through the document and writes what it read into a temporary file: only then is it known which parents
are further down, which reference types are hierarchical, and what a property says of the variable above it. The second
gives each node its place. In memory are a string for each node, and the nodes that stand before their parents.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import msgspec

from hulian.network.exchange.semantics.contract import BATCH, Batch, Document, Kind, Loss, Node, Reference, Relation, Source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.nodeset.bends import bent
from hulian.network.exchange.semantics.nodeset.events import CLASS_OF, PREFIX, ROOT, node_events
from hulian.network.exchange.semantics.nodeset.forest import Forest, Read
from hulian.network.exchange.semantics.nodeset.headers import Header
from hulian.network.exchange.semantics.nodeset.meaning import TELLING, Facts, choices_of_fields
from hulian.network.exchange.semantics.nodeset.names import split
from hulian.network.exchange.semantics.nodeset.opaque import outer_xml, to_json
from hulian.network.exchange.semantics.nodeset.schema import BASE, BINDING, DATATYPES, KINDS, NODESET, RELATIONS
from hulian.network.exchange.semantics.nodeset.standard import hierarchical, standard_supertypes
from hulian.network.exchange.semantics.nodeset.values import elements_of, read_value

__all__ = ["INTERFACE", "read"]

INTERFACE: Final = "i=17602"
_ENCODING: Final = "i=38"
_TRUE: Final = ("true", "1")
_IN_MEMORY: Final = 32 << 20
_BLOCK: Final = 64
_MOST_NODES: Final = 5_000_000
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Read])
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
_BINDING: Final = f"{{{BINDING}}}Binding"
_REFERENCE: Final = f"{PREFIX}Reference"


def read(source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
    """As `Format.read`."""
    reader = _Reader(source, losses)
    return reader.document(name), reader.batches()


class _Reader:
    """One way through the document, into a temporary file; and a second one through that, when all is known."""

    def __init__(self, source: Source, losses: list[Loss]) -> None:
        self._place, self._losses = source.name, losses
        self._header = Header(source.name)
        self._events = node_events(source, self._header)
        self._first = next(self._events)
        self._names = self._header.names()
        self._ids: set[str] = set()
        self._subtypes: list[tuple[str, str]] = []
        self._facts: dict[str, Facts] = {}
        self._interfaces = {INTERFACE}

    def document(self, name: str) -> Document:
        """What stands before the nodes."""
        root = self._first if self._first.tag == ROOT else self._first.getparent()
        return self._header.document(root, name, self._losses)

    def batches(self) -> Iterator[Batch]:
        """All nodes and references."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            for block in self._blocks():
                spool.write(block)
            spool.seek(0)
            yield from self._second(spool)

    def _blocks(self) -> Iterator[bytes]:
        """The first way: all nodes as they were read, in blocks."""
        reads: list[bytes] = []
        for element in itertools.chain((self._first,), self._events):
            if element.tag == ROOT:
                # Not the end: what stands behind it is read too, and refused.
                continue
            read = self._node(element)
            if read is None:
                continue
            self._notice(read)
            # Encoded at once: nothing of a node is left for the collector of garbage to look at.
            reads.append(_encoder.encode(read))
            if len(reads) == _BLOCK:
                yield _joined(reads)
                reads = []
        yield _joined(reads)

    def _notice(self, read: Read) -> None:
        """What must be known of this node before another one has its place."""
        node = read.node
        self._ids.add(node.id)
        if len(self._ids) > _MOST_NODES:
            raise HostileDocumentError(f"it has more than {_MOST_NODES} nodes", place=self._place)
        if node.kind is Kind.PROPERTY:
            if node.name in TELLING and node.value is not None:
                parent = read.attribute or next((other for _, forward, other in read.stated if not forward), "")
                facts = self._facts.get(parent) or Facts()
                facts.add(node.name, node.value)
                self._facts[parent] = facts
        elif node.kind is Kind.REFERENCE_TYPE:
            for relation, forward, other in read.stated:
                if relation == Relation.SUBTYPE:
                    self._subtypes.append((node.id, other) if forward else (other, node.id))

    def _second(self, spool: IO[bytes]) -> Iterator[Batch]:
        """The second way: places, and what it all means."""
        known = set(hierarchical())
        while more := {special for general, special in self._subtypes if general in known} - known:
            known |= more
        # HasEncoding is not hierarchical, but it is all that an encoding of a data type hangs on.
        tree = {RELATIONS.get(identity, identity) for identity in known} | {_ENCODING}
        forest = Forest(self._ids, tree, self._losses, self._place)
        batch = Batch([], [], [])
        for node, references in self._placed(spool, forest):
            self._understand(node, references)
            batch.nodes.append(node)
            batch.references.extend(references)
            if node.name in _ARGUMENTS and node.parent and node.kind is Kind.PROPERTY:
                batch.nodes.extend(_arguments(node))
            if len(batch.nodes) >= BATCH - 256:
                yield from _cut(batch)
                batch = Batch([], [], [])
        batch.references.extend(forest.leftover())
        yield from _cut(batch)

    def _placed(self, spool: IO[bytes], forest: Forest) -> Iterator[tuple[Node, list[Reference]]]:
        while size := spool.read(8):
            for read in _decoder.decode(spool.read(int.from_bytes(size, "big"))):
                yield from forest.take(read)
        yield from forest.rest()

    # ------------------------------------------------------------ one node

    def _node(self, element: Any) -> Read | None:
        names, line = self._names, element.sourceline
        attributes = dict(element.items())
        identity = names.node(attributes.pop("NodeId", None), line)
        if identity in self._ids:
            self._losses.append(bent("twice-defined", self._at(element), f"the second definition of {identity}"))
            return None
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
        read = Read(node, parent, [])
        self._children(element, read, details)
        return read

    def _children(self, element: Any, read: Read, details: dict[str, Any]) -> None:
        node, names = read.node, self._names
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
                self._extensions(child, node, details)
            elif tag in _OPAQUE:
                details.setdefault(_OPAQUE[tag], []).append(to_json(child, names, NODESET))
            else:
                self._losses.append(bent("unknown-child", self._at(child), f"{tag[:200]} of {node.id}"))

    def _extensions(self, element: Any, node: Node, details: dict[str, Any]) -> None:
        """Kept as they stand; one is our own."""
        for extension in element:
            for inside in extension:
                if inside.tag == _BINDING:
                    node.point, node.identifier = inside.get("point", ""), inside.get("identifier", "")
                else:
                    details.setdefault("extensions", []).append(outer_xml(inside)["@xml"])

    def _text(self, child: Any, texts: dict[str, str]) -> None:
        locale = child.get("Locale", "")
        if locale in texts:
            self._losses.append(bent("twice-in-locale", self._at(child), f"another text in {locale or 'no language'}"))
        else:
            texts[locale] = child.text or ""

    def _references(self, holder: Any, read: Read, details: dict[str, Any]) -> None:
        node, names, stated = read.node, self._names, read.stated
        relations, seen = names.relations, names.seen
        count = 0
        for each in holder.iterchildren(_REFERENCE):
            count += 1
            raw, text, direction = each.get("ReferenceType"), each.text, each.get("IsForward")
            relation = relations.get(raw) or names.relation(raw, each.sourceline)
            target = seen.get(text) or names.node(text, each.sourceline)
            forward = direction is None or direction in _TRUE
            if forward and relation == "i=40" and not node.type:
                node.type = target
            elif forward and relation == "i=37" and "rule" not in details:
                details["rule"] = target
            else:
                stated.append((relation, forward, target))
        if count != len(holder):
            self._losses.append(bent("unknown-child", self._at(holder), f"elements among the references of {node.id}"))

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


def _joined(reads: list[bytes]) -> bytes:
    """A block of the temporary file: its size, then an array of MessagePack."""
    block = b"".join((b"\xdd", len(reads).to_bytes(4, "big"), *reads))
    return len(block).to_bytes(8, "big") + block


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
