"""From the model to a NodeSet that a strict reader takes.

The namespace table is made anew: first what the document defines, then what it requires, then in the order of use.
Nodes come in the model's order, their references in the order: type, modelling rule, parent, the others, children.
Nodes of other languages are written by `foreign`'s rules. The nodes are held in a temporary file until the tables are
known; in memory are one string a node, and the references.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from lxml import etree

from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import Content, Document, Kind, Loss, Node, Reference, Relation
from hulian.network.exchange.semantics.nodeset.foreign import Foreign, is_foreign
from hulian.network.exchange.semantics.nodeset.lexical import allowed, is_date
from hulian.network.exchange.semantics.nodeset.names import split
from hulian.network.exchange.semantics.nodeset.opaque import attribute, text, to_xml
from hulian.network.exchange.semantics.nodeset.schema import (
    BASE,
    BINDING,
    CLASSES,
    INSTANCES,
    NODESET,
    RELATION_IDS,
    TYPE_IDS,
    XSI,
)
from hulian.network.exchange.semantics.nodeset.tables import Tables
from hulian.network.exchange.semantics.nodeset.values import write_value

__all__ = ["write"]

_PUBLISHED: Final = {
    "http://opcfoundation.org/UA/AML/": {"Version": "1.00", "PublicationDate": "2016-02-22T00:00:01Z"},
    # what its namespace says of itself: a server that has it knows no other version
    "http://opcfoundation.org/UA/I4AAS/": {"Version": "1.0.0", "PublicationDate": "2021-06-04T00:00:00Z"},
}
_IN_MEMORY: Final = 16 << 20
_TYPE_KINDS: Final = frozenset(
    {Kind.OBJECT_TYPE, Kind.PROPERTY_TYPE, Kind.DATA_TYPE, Kind.REFERENCE_TYPE, Kind.ROLE, Kind.INTERFACE_TYPE}
)
_TYPE_NODE: Final = "i=40"
_RULE: Final = "i=37"


def write(content: Content, out: BinaryIO) -> list[Loss]:
    """As `Format.write`."""
    writer = _Writer(content)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
        writer.write_nodes(body)
        out.write(writer.head().encode())
        body.seek(0)
        shutil.copyfileobj(body, out, 1 << 20)
    out.write(b"</UANodeSet>\n")
    return writer.losses


def _published(uri: str) -> dict[str, str]:
    """A required model; with version and date where they are known, which asyncua cannot do without."""
    return {"ModelUri": uri, **_PUBLISHED.get(uri, {})}


class _Writer:
    def __init__(self, content: Content) -> None:
        self._content, self._document = content, content.document
        self._tables = Tables(content.document)
        self.losses: list[Loss] = []
        self._here: set[str] = set()
        self._stated: dict[str, list[tuple[str, bool, str]]] = {}
        """By the node that states it: reference type, whether forward, the other node."""
        self._foreign = Foreign(self._tables)
        self._carrier = Carrier(content) if content.document.format != "nodeset" else None
        self._look()

    def _look(self) -> None:
        """Once through the content: which nodes there are, and who states which reference."""
        for node in self._content.nodes():
            if self._foreign.skips(node):
                self._foreign.take_argument(node)
                continue
            self._here.add(node.id)
            for entry in self._foreign.look(node):
                self._state(node.id, RELATION_IDS[Relation.DESCRIBED], True, entry)
            if "p" in node.extra.get("nodeset", {}).get("stated", ""):
                self._state(node.parent, self._relation(node.relation, node.id), True, node.id)
        for reference in self._content.references():
            self._take(reference)

    def _take(self, reference: Reference) -> None:
        relation = self._relation(reference.relation, reference.source)
        inverse = reference.extra.get("nodeset", {}).get("inverse", False)
        if not relation:
            return
        if reference.target in self._here and (inverse or reference.source not in self._here):
            self._state(reference.target, relation, False, reference.source)
        elif reference.source in self._here:
            self._state(reference.source, relation, True, reference.target)
        else:
            self._lose(reference.source, f"a reference to {reference.target}", "neither of the two nodes is in the document")

    def _state(self, node: str, relation: str, forward: bool, other: str) -> None:
        self._stated.setdefault(node, []).append((relation, forward, other))

    def _relation(self, relation: str, place: str) -> str:
        """Id of the reference type of a relation; empty, and a loss, where there is none."""
        found = RELATION_IDS.get(relation)
        if found is not None:
            return found
        if split(relation)[0]:
            return relation
        standard = self._foreign.relation(relation)
        if standard:
            self._lose(place, f"the relation {relation!r}", f"it is written as {standard}, which says less")
            return standard
        if relation in self._here:
            return relation
        self._lose(place, f"the relation {relation!r}", "OPC UA has no reference type for it")
        return ""

    def _lose(self, place: str, what: str, why: str) -> None:
        self.losses.append(Loss(place=place, what=what, why=why))

    # ------------------------------------------------------------ head

    def head(self) -> str:
        """All that stands before the nodes; the tables are full when the nodes are written."""
        document, details = self._document, self._document.extra.get("nodeset", {})
        modified = details.get("modified", "")
        pieces = ['<?xml version="1.0" encoding="utf-8"?>\n', f'<UANodeSet xmlns="{NODESET}" xmlns:xsi="{XSI}"']
        if modified and is_date(modified):
            pieces.append(f" LastModified={attribute(modified)}")
        elif modified:
            self._lose(document.name, f"LastModified {modified[:100]}", "it is no date and time")
        pieces.append(">\n")
        models: list[str] = []
        for model in details["models"] if "models" in details else self._models(document):
            self._model(model, "Model", "    ", models)
        carried = [piece for piece in (self._carrier.document(), self._carrier.rest()) if piece] if self._carrier else ()
        extensions = self._raw((*details.get("extensions", ()), *carried), document.name)
        pieces.extend(self._tables.write_uris())
        if models:
            pieces.extend(["  <Models>\n", *models, "  </Models>\n"])
        pieces.extend(self._tables.write_aliases())
        if extensions:
            pieces.append("  <Extensions>\n")
            pieces.extend(f"    <Extension>{each}</Extension>\n" for each in extensions)
            pieces.append("  </Extensions>\n")
        return "".join(pieces)

    def _models(self, document: Document) -> list[dict[str, Any]]:
        """Models of a document that was not read from a NodeSet."""
        # Dictionaries and interfaces are of version 1.04; servers ask for the date.
        base = {"ModelUri": BASE, "Version": "1.04", "PublicationDate": "2019-05-01T00:00:00Z"}
        requires = [{"attributes": base}, *({"attributes": _published(uri)} for uri in document.requires if uri != BASE)]
        # A server knows a namespace only where a model of it was loaded.
        defined = (*(document.namespaces or (self._tables.own,)), *sorted(self._foreign.dictionaries(self._here)))
        # The first requires for all of them: asyncua takes a requirement that is there twice for one that is not met.
        first, *others = dict.fromkeys(defined)
        return [
            {"attributes": {"ModelUri": first}, "requires": requires},
            *({"attributes": {"ModelUri": uri}} for uri in others),
        ]

    def _model(self, model: dict[str, Any], element: str, indent: str, pieces: list[str]) -> None:
        pieces.append(f"{indent}<{element}{self._attributes(model.get('attributes', {}), 'Model', self._document.name)}>\n")
        if "permissions" in model:
            pieces.append(f"{indent}  {self._permissions(model['permissions'])}\n")
        for required in model.get("requires", ()):
            self._model(required, "RequiredModel", indent + "  ", pieces)
        pieces.append(f"{indent}</{element}>\n")

    def _attributes(self, attributes: dict[str, Any], place: str, owner: str) -> str:
        written = []
        for name, value in attributes.items():
            value = str(value)
            reason = allowed(place, name, value)
            if reason:
                self._lose(owner, f"the attribute {name}={value[:100]!r}", reason)
                continue
            if name == "MethodDeclarationId":
                value = self._tables.node(value)
            elif name == "DataType":
                value = self._tables.alias(value)
            written.append(f" {name}={self._safe(value, owner, attribute)}")
        return "".join(written)

    def _safe(self, value: str, owner: str, how: Any) -> str:
        """A text as XML; without the characters that XML cannot hold, and a loss, where it has some."""
        try:
            return str(how(value))
        except ValueError:
            self._lose(owner, "control characters of a text", "no XML document can hold them")
            return str(how("".join(each for each in value if each.isprintable() or each in "\n\t")))

    def _raw(self, pieces: Iterable[str], owner: str) -> list[str]:
        """XML as it was read; a loss for what is none, or none that a parser takes alone."""
        written = []
        for xml in pieces:
            try:
                parsed = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
            except (etree.XMLSyntaxError, ValueError) as error:
                self._lose(owner, "an extension", str(error))
            else:
                written.append(etree.tostring(parsed, encoding="unicode"))
        return written

    def _permissions(self, permissions: list[list[str]]) -> str:
        inside = "".join(
            f'<RolePermission Permissions="{int(bits)}">{text(self._tables.node(role))}</RolePermission>'
            for role, bits in permissions
        )
        return f"<RolePermissions>{inside}</RolePermissions>"

    # ------------------------------------------------------------ nodes

    def write_nodes(self, body: Any) -> None:
        """Every node of the content, and what `foreign` makes beside them."""
        for node in self._content.nodes():
            if self._foreign.skips(node):
                continue
            made: list[Node] = []
            carried = ""
            if is_foreign(node):
                if self._carrier is not None:
                    carried = self._carrier.of(node, *self._foreign.arguments(node))
                node = self._foreign.translated(node, self._content, self._here, self.losses)
            made.extend(self._foreign.beside(node, self.losses))
            pieces: list[str] = []
            self._node(node, pieces, carried)
            for other in made:
                self._node(other, pieces)
            body.write("".join(pieces).encode())
        for attachment in self._content.attachments():
            self._lose(attachment.path, "an attached file", "a NodeSet carries none")
        for entry in self._foreign.entries(self._here):
            pieces = []
            self._node(entry, pieces)
            body.write("".join(pieces).encode())

    def _node(self, node: Node, pieces: list[str], carried: str = "") -> None:
        details = node.extra.get("nodeset", {})
        node_class = details.get("class", CLASSES[node.kind]).removeprefix("UA")
        identity = self._safe(self._tables.node(node.id), node.id, attribute)
        browse = details.get("browse") or split(node.id)[0] or self._tables.own
        pieces.append(f"  <UA{node_class} NodeId={identity} BrowseName=")
        pieces.append(self._safe(self._tables.qualified(browse, node.name), node.id, attribute))
        marks = details.get("stated", "ac" if node_class in INSTANCES else "c") if node.parent else ""
        above = details.get("parent") or (node.parent if "a" in marks else "")
        if above and node_class in INSTANCES:
            pieces.append(f" ParentNodeId={self._safe(self._tables.node(above), node.id, attribute)}")
        attributes = details.get("attributes", {})
        if node_class in ("Variable", "VariableType"):
            if node.datatype:
                plain = node.datatype.removesuffix("[]")
                pieces.append(f" DataType={attribute(self._tables.alias(TYPE_IDS.get(plain, plain)))}")
            if node.datatype.endswith("[]") and "ValueRank" not in attributes:
                pieces.append(' ValueRank="1"')
            if node_class == "Variable" and node.writable and "AccessLevel" not in attributes:
                pieces.append(' AccessLevel="3" UserAccessLevel="3"')
        pieces.append(f"{self._attributes(attributes, node_class, node.id)}>\n")
        self._texts("DisplayName", node.labels, node.id, pieces)
        self._texts("Description", node.descriptions, node.id, pieces)
        pieces.extend(
            f"    <Category>{self._safe(category, node.id, text)}</Category>\n" for category in details.get("categories", ())
        )
        if "documentation" in details:
            pieces.append(f"    <Documentation>{self._safe(details['documentation'], node.id, text)}</Documentation>\n")
        self._references(node, marks, pieces)
        if "permissions" in details:
            pieces.append(f"    {self._permissions(details['permissions'])}\n")
        extensions = self._raw(details.get("extensions", ()), node.id)
        if node.point or node.identifier:
            said = (("point", node.point), ("identifier", node.identifier))
            bound = "".join(f" {key}={self._safe(value, node.id, attribute)}" for key, value in said if value)
            extensions.append(f'<Binding xmlns="{BINDING}"{bound}/>')
        if carried:
            extensions.append(carried)
        if extensions:
            inside = "".join(f"<Extension>{each}</Extension>" for each in extensions)
            pieces.append(f"    <Extensions>{inside}</Extensions>\n")
        self._special(node, node_class, details, pieces)
        pieces.append(f"  </UA{node_class}>\n")

    def _texts(self, element: str, texts: dict[str, str], owner: str, pieces: list[str]) -> None:
        for locale, words in texts.items():
            opening = f" Locale={self._safe(locale, owner, attribute)}" if locale else ""
            pieces.append(f"    <{element}{opening}>{self._safe(words, owner, text)}</{element}>\n")

    def _references(self, node: Node, marks: str, pieces: list[str]) -> None:
        details = node.extra.get("nodeset", {})
        references: list[tuple[str, bool, str]] = []
        is_type = node.kind in _TYPE_KINDS
        if node.type and not is_type:
            references.append((_TYPE_NODE, True, node.type))
        if details.get("rule"):
            references.append((_RULE, True, details["rule"]))
        if node.parent and "c" in marks:
            relation = self._relation(node.relation, node.id)
            if relation:
                references.append((relation, False, node.parent))
        if is_type and node.type and (node.relation != Relation.SUBTYPE or node.parent != node.type):
            references.append((RELATION_IDS[Relation.SUBTYPE], False, node.type))
        references.extend(self._stated.pop(node.id, ()))
        if not references:
            return
        pieces.append("    <References>\n")
        for relation, forward, other in references:
            direction = "" if forward else ' IsForward="false"'
            kind = attribute(self._tables.alias(relation))
            target = self._safe(self._tables.node(other), node.id, text)
            pieces.append(f"      <Reference ReferenceType={kind}{direction}>{target}</Reference>\n")
        pieces.append("    </References>\n")

    def _special(self, node: Node, node_class: str, details: dict[str, Any], pieces: list[str]) -> None:
        """What only some node classes have."""
        if node_class in ("Variable", "VariableType"):
            inside: list[str] = []
            try:
                write_value(node.value, details.get("value"), node.datatype, self._tables, inside)
            except (ValueError, TypeError, KeyError, etree.XMLSyntaxError) as error:
                self._lose(node.id, f"the value {(node.value or '')[:100]!r}", str(error))
            else:
                if inside:
                    pieces.extend(["    ", *inside, "\n"])
        if node_class == "Variable":
            self._opaque("Translation", details.get("translations", ()), pieces)
        elif node_class == "Method":
            self._opaque("ArgumentDescription", details.get("arguments", ()), pieces)
        elif node_class == "DataType" and "definition" in details:
            self._definition(node, details["definition"], pieces)
        elif node_class == "ReferenceType":
            self._texts("InverseName", details.get("inverse", {}), node.id, pieces)

    def _opaque(self, element: str, values: Any, pieces: list[str]) -> None:
        for value in values:
            pieces.append("    ")
            to_xml(element, value, self._tables, pieces, NODESET)
            pieces.append("\n")

    def _definition(self, node: Node, definition: dict[str, Any], pieces: list[str]) -> None:
        name = self._tables.qualified(definition.get("browse", BASE), definition.get("Name", node.name))
        plain = {key: value for key, value in definition.items() if key not in ("Name", "browse", "fields")}
        pieces.append(f"    <Definition Name={attribute(name)}{self._attributes(plain, 'Definition', node.id)}>\n")
        for field in definition.get("fields", ()):
            inside = {key: value for key, value in field.items() if key not in ("labels", "descriptions")}
            pieces.append(f"      <Field{self._attributes(inside, 'Field', node.id)}>\n")
            self._texts("DisplayName", field.get("labels", {}), node.id, pieces)
            self._texts("Description", field.get("descriptions", {}), node.id, pieces)
            pieces.append("      </Field>\n")
        pieces.append("    </Definition>\n")
