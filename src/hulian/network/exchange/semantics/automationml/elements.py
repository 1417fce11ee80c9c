"""Nodes as CAEX elements, one after another, in the form of one version of the schema."""

from __future__ import annotations

import uuid
from typing import Any, Final

from hulian.network.exchange.semantics.automationml.heading import additional, write_header, write_kept
from hulian.network.exchange.semantics.automationml.names import EXTRA, REFERENCES, bracketed, class_path, escaped, split_path
from hulian.network.exchange.semantics.automationml.text import XmlText
from hulian.network.exchange.semantics.automationml.values import constraints_of
from hulian.network.exchange.semantics.carried import Carrier
from hulian.network.exchange.semantics.contract import Constraints, Content, Loss, Node, Reference, Relation

__all__ = ["ElementWriter"]

_NAMESPACE: Final = uuid.UUID("5f1b7d0e-6a3c-5b5e-9a40-4d1c4e0f6a11")
"""Of the IDs that are made from the ids of nodes, the same each time."""
_IDENTIFIED: Final = ("InternalElement", "ExternalInterface")
_ONLY_3: Final = {
    "AttributeTypeLib": "attribute types",
    "AttributeType": "attribute types",
}
_KNOWN: Final = 65_536


class ElementWriter:
    """One file. `write` takes nodes with their depth; `finish` closes what is open."""

    def __init__(
        self,
        text: XmlText,
        content: Content,
        references: dict[str, list[Reference]],
        moved: dict[str, str],
        file: dict[str, Any],
        version: str,
        own: str,
        losses: list[Loss],
        carrier: Carrier | None = None,
    ) -> None:
        """``carrier`` packs nodes of other languages."""
        self._carrier = carrier
        self._text, self._content, self._references, self._moved = text, content, references, moved
        self._version, self._losses = version, losses
        self._same = version == own
        self._aliases = [(str(each["alias"]), str(each["path"])) for each in file.get("references", ())]
        self._open: list[tuple[Node, str, list[Reference]]] = []
        self._paths: dict[str, str] = {}
        self._skip = -1

    def write(self, node: Node, tag: str, depth: int) -> None:
        """The next node; what is open at its depth or below is closed first."""
        self._close(depth)
        if 0 <= self._skip < depth:
            return
        self._skip = -1
        if self._version == "2.15" and self._unsaid(node, tag):
            self._skip = depth
            return
        extra: dict[str, Any] = node.extra.get(EXTRA, {})
        if self._carrier is not None and (carried := self._carrier.of(node)):
            extra = {**extra, "header": [*extra.get("header", ()), additional(carried)]}
        waiting = self._references.get(node.id, [])
        if tag == "SystemUnitClass" and self._open and self._open[-1][1] == tag:
            # what the class around it supports and links stands before the classes in it
            self._connections(*self._open[-1])
        if tag == "RoleRequirements":
            self._requirement(node, extra)
        else:
            self._text.begin(tag, self._attributes(node, tag, extra, waiting))
            write_header(self._text, extra, node.descriptions, self._version, self._losses, node.id)
            if tag in ("Attribute", "AttributeType"):
                self._value(node, extra)
            else:
                self._untold(node)
        self._open.append((node, tag, [each for each in waiting if each.relation != Relation.SAME]))

    def finish(self) -> None:
        """Closes everything, and the file."""
        self._close(0)
        self._text.end()
        self._text.flush()
        if self._text.replaced:
            self._losses.append(
                Loss("the document", f"{self._text.replaced} signs", "XML has no place for them; U+FFFD stands there")
            )

    # ------------------------------------------------------------ closing

    def _close(self, depth: int) -> None:
        while len(self._open) > depth:
            node, tag, waiting = self._open[-1]
            if tag == "RoleRequirements":
                self._mapping(node)
            else:
                self._connections(node, tag, waiting)
                self._roles(node, tag, waiting, None)
            self._open.pop()
            self._text.end()

    def _connections(self, node: Node, tag: str, waiting: list[Reference]) -> None:
        """Supported roles and links, which stand before what is required; taken out of ``waiting``."""
        rest = []
        supported = []
        links = []
        for each in waiting:
            said = each.extra.get(EXTRA, {}).get("tag")
            if each.relation == Relation.LINK:
                links.append(each)
            elif said == "SupportedRoleClass" or (said is None and tag != "InternalElement"):
                supported.append(each)
            else:
                rest.append(each)
        if self._version == "2.15" and len(rest) > 1:
            # CAEX 2.15 requires one role; what else is required is at least supported
            bare = [each for each in rest[1:] if "node" not in each.extra.get(EXTRA, {})]
            self._losses.extend(
                Loss(node.id, f"that it requires {each.target}", "CAEX 2.15 requires one role") for each in bare
            )
            supported += bare
            rest = [each for each in rest if not any(each is other for other in bare)]
        waiting[:] = rest
        if tag not in ("InternalElement", "SystemUnitClass"):
            self._losses.extend(
                Loss(node.id, f"its {each.relation} to {each.target}", f"{tag} has none") for each in supported + links
            )
            return
        for each in supported:
            extra = each.extra.get(EXTRA, {})
            path = self._path(each.target, extra.get("ref"))
            self._text.begin("SupportedRoleClass", (("RefRoleClassPath", path), ("ChangeMode", extra.get("change"))))
            self._kept(extra, node.id)
            self._text.end()
        for each in links:
            self._link(each, node)

    def _roles(self, node: Node, tag: str, waiting: list[Reference], until: str | None) -> None:
        """Required roles without content, up to the one that has the node ``until``."""
        element_mapping = None
        while waiting:
            extra = waiting[0].extra.get(EXTRA, {})
            if extra.get("node"):
                if until is not None:
                    return
                element_mapping = extra.get("element_mapping") or element_mapping
                waiting.pop(0)
                continue
            each = waiting.pop(0)
            if tag != "InternalElement":
                self._losses.append(Loss(node.id, f"that it requires {each.target}", f"{tag} requires no roles"))
                continue
            path = self._path(each.target, extra.get("ref"))
            self._text.begin("RoleRequirements", (("RefBaseRoleClassPath", path), ("ChangeMode", extra.get("change"))))
            self._kept(extra, node.id)
            self._text.end()
            element_mapping = extra.get("element_mapping") or element_mapping
        if element_mapping:
            if self._version == "2.15":
                write_kept(self._text, element_mapping, self._version, self._losses, node.id)
            else:
                self._losses.append(Loss(node.id, "MappingObject", "CAEX 3.0 has it inside what is required"))

    def _requirement(self, node: Node, extra: dict[str, Any]) -> None:
        """Begins what a role requires, behind all that stands before it."""
        parent, tag, waiting = self._open[-1]
        self._connections(parent, tag, waiting)
        self._roles(parent, tag, waiting, node.id)
        reference = self._required_by(node)
        known = reference.extra.get(EXTRA, {}) if reference is not None else {}
        path = self._path(node.type, known.get("ref")) if node.type else known.get("ref")
        if path is None and self._version == "3.0":
            self._losses.append(
                Loss(node.id, "a requirement of no role", "CAEX 3.0 asks for a role; its path is empty", lost=False)
            )
            path = ""
        self._text.begin("RoleRequirements", (("RefBaseRoleClassPath", path), ("ChangeMode", known.get("change"))))
        write_header(self._text, {"header": known.get("header", ())}, {}, self._version, self._losses, node.id)

    def _further(self, node: Node) -> bool:
        """Whether something else is required before this."""
        for each in self._references.get(node.parent, ()):
            known = each.extra.get(EXTRA, {})
            if each.relation == Relation.ROLE and known.get("tag") != "SupportedRoleClass":
                return bool(known.get("node") != node.id)
        return False

    def _required_by(self, node: Node) -> Reference | None:
        for each in self._references.get(node.parent, ()):
            if each.extra.get(EXTRA, {}).get("node") == node.id:
                return each
        return None

    def _mapping(self, node: Node) -> None:
        reference = self._required_by(node)
        if reference is not None and (mapping := reference.extra.get(EXTRA, {}).get("mapping")):
            self._mapped(mapping, node.id)

    def _kept(self, extra: dict[str, Any], place: str) -> None:
        """Header and mapping of a role."""
        write_header(self._text, {"header": extra.get("header", ())}, {}, self._version, self._losses, place)
        if "mapping" in extra:
            self._mapped(extra["mapping"], place)

    def _mapped(self, mapping: str, place: str) -> None:
        other = "InterfaceNameMapping" if self._version == "3.0" else "InterfaceIDMapping"
        if other in mapping:
            self._losses.append(Loss(place, other, f"CAEX {self._version} maps interfaces in another way"))
            return
        write_kept(self._text, mapping, self._version, self._losses, place)

    def _link(self, link: Reference, at: Node) -> None:
        extra = link.extra.get(EXTRA, {})
        if self._same and ("a" in extra or "b" in extra or "name" in extra):
            sides = (extra.get("a"), extra.get("b"))
        else:
            sides = (self._side(link.source, extra.get("a")), self._side(link.target, extra.get("b")))
        attributes = (
            ("Name", str(extra.get("name") or "link")),
            ("ID", extra.get("id")),
            ("RefPartnerSideA", sides[0] if sides[0] is not None or self._version != "3.0" else ""),
            ("RefPartnerSideB", sides[1] if sides[1] is not None or self._version != "3.0" else ""),
            ("ChangeMode", extra.get("change")),
        )
        self._text.begin("InternalLink", attributes)
        write_header(self._text, {"header": extra.get("header", ())}, {}, self._version, self._losses, at.id)
        self._text.end()

    def _side(self, identity: str, written: str | None) -> str | None:
        """One side of a link in the form of the version that is written."""
        node = self._content.node(identity)
        if node is None:
            self._losses.append(Loss(identity, "one side of a link", "no interface is there; it is written as it was"))
            return written if written is not None else identity
        if self._version == "3.0":
            return self._identity(node)
        parent = self._content.node(node.parent)
        return f"{self._identity(parent) if parent is not None else node.parent}:{node.name}"

    # ------------------------------------------------------------ attributes of elements

    def _attributes(
        self, node: Node, tag: str, extra: dict[str, Any], waiting: list[Reference]
    ) -> list[tuple[str, str | None]]:
        said: list[tuple[str, str | None]] = [("Name", node.name)]
        identity = extra.get("id")
        if identity is None and tag in _IDENTIFIED and not self._same:
            identity = self._identity(node)
        said.append(("ID", identity))
        if tag in ("Attribute", "AttributeType"):
            said.append(("AttributeDataType", extra.get("datatype", node.datatype or None)))
            said.append(("Unit", node.unit or extra.get("unit")))
        if tag in REFERENCES:
            path: str | None = self._path(node.type, extra.get("ref")) if node.type else extra.get("ref")
            mirror = next((each for each in waiting if each.relation == Relation.SAME), None)
            if mirror is not None and not node.type:
                path = mirror.extra.get(EXTRA, {}).get("ref") or self._mirrored(mirror)
            if path is not None and REFERENCES[tag] == "RefAttributeType" and self._version == "2.15":
                self._losses.append(Loss(node.id, f"its type {path}", "CAEX 2.15 has no attribute types"))
                path = None
            said.append((REFERENCES[tag], path))
        said.append(("ChangeMode", extra.get("change")))
        return said

    def _identity(self, node: Node) -> str:
        """The ID of an object, made of its id in the model where it has none."""
        own = node.extra.get(EXTRA, {}).get("id")
        return str(own) if own else str(uuid.uuid5(_NAMESPACE, node.id))

    def _mirrored(self, mirror: Reference) -> str | None:
        master = self._content.node(mirror.target)
        if master is None:
            self._losses.append(Loss(mirror.source, f"that it is the same as {mirror.target}", "it is not in this document"))
            return None
        return self._identity(master)

    def _path(self, identity: str, written: str | None) -> str:
        """The path of a class: as it was written where it still says the same, else by the names above it."""
        if written is not None and self._says(written, identity):
            return written
        known = self._paths.get(identity)
        if known is None:
            known = self._found_path(identity)
            if len(self._paths) < _KNOWN:
                self._paths[identity] = known
        return known

    def _says(self, written: str, identity: str) -> bool:
        if not identity:
            return True
        last = escaped(split_path(written.replace("\\", "/"))[1][-1])
        return "#" in identity or identity.endswith((f"/{last}", f":{last}", f"@{last}")) or f"/{last}~" in identity

    def _found_path(self, identity: str) -> str:
        names: list[str] = []
        node = self._content.node(identity)
        prefix = f"{self._content.document.name}/"
        if node is None:
            for alias, path in self._aliases:
                if (found := class_path(identity, f"{prefix}{escaped(path)}!")) is not None:
                    return f"{alias}@{found}"
            return class_path(identity, prefix) or bracketed(identity)
        while node is not None and len(names) < 256:
            names.append(bracketed(node.name))
            above = self._moved.get(node.id, node.parent)
            if self._moved.get(above) == "":
                names.append(bracketed(self._content.document.name))
                break
            node = self._content.node(above) if above else None
        return "/".join(reversed(names))

    # ------------------------------------------------------------ values

    def _value(self, node: Node, extra: dict[str, Any]) -> None:
        """Value, meanings and constraints of an attribute, in the schema's order."""
        if "default" in extra:
            self._content_of("DefaultValue", extra.get("default_xml"), str(extra["default"]), node)
        if node.value is not None:
            self._content_of("Value", extra.get("value"), node.value, node)
        kept = extra.get("semantics", {})
        for number, meaning in enumerate(node.meanings):
            if str(number) not in kept or not write_kept(self._text, kept[str(number)], self._version, self._losses, node.id):
                self._text.leaf("RefSemantic", (("CorrespondingAttributePath", meaning),), None)
        known = extra.get("constraints", [])
        if known and constraints_of(known) == node.constraints:
            for each in known:
                self._constraint(each, node.id)
        elif node.constraints is not None:
            self._limits(node.constraints, node.id)
        self._untold(node)

    def _content_of(self, tag: str, kept: str | None, value: str, node: Node) -> None:
        if kept is not None and self._version == "2.15" and write_kept(self._text, kept, self._version, self._losses, node.id):
            return
        if kept is not None:
            self._losses.append(Loss(node.id, f"the XML in its {tag}", "CAEX 3.0 has text there; the text of it is written"))
        self._text.leaf(tag, (), value)

    def _constraint(self, known: dict[str, Any], place: str) -> None:
        if "xml" in known:
            write_kept(self._text, known["xml"], self._version, self._losses, place)
            return
        self._text.begin("Constraint", (("Name", known.get("name", "")),))
        if "ordinal" in known:
            self._text.begin("OrdinalScaledType", ())
            for key, tag in (("max", "RequiredMaxValue"), ("value", "RequiredValue"), ("min", "RequiredMinValue")):
                if key in known["ordinal"]:
                    self._text.leaf(tag, (), known["ordinal"][key])
        elif "nominal" in known:
            self._text.begin("NominalScaledType", ())
            for value in known["nominal"]:
                self._text.leaf("RequiredValue", (), value)
        else:
            self._text.begin("UnknownType", ())
            if known.get("unknown") is not None:
                self._text.leaf("Requirements", (), known["unknown"])
        self._text.end()
        self._text.end()

    def _limits(self, limits: Constraints, place: str) -> None:
        """Constraints of the model that CAEX had not said."""
        if limits.low is not None or limits.high is not None:
            ordinal = {key: value for key, value in (("max", limits.high), ("min", limits.low)) if value is not None}
            self._constraint({"name": "Range", "ordinal": ordinal}, place)
        if limits.choices:
            self._constraint({"name": "Choices", "nominal": [value for value, _ in limits.choices]}, place)
            named = [name for _, name in limits.choices if name]
            if named:
                self._losses.append(Loss(place, f"the names of its choices ({', '.join(named[:5])})", "CAEX has values only"))
        if limits.pattern:
            self._constraint({"name": "Pattern", "unknown": limits.pattern}, place)
        for said, what in ((limits.required, "that it must be there"), (limits.many, "that it may be there more than once")):
            if said:
                self._losses.append(Loss(place, what, "CAEX does not say so of attributes"))

    def _untold(self, node: Node) -> None:
        """What a node says and CAEX has no place for."""
        for language, label in node.labels.items():
            if label != node.name:
                self._losses.append(Loss(node.id, f"its label {label!r} ({language or 'no language'})", "CAEX has names only"))
        if node.writable is not None:
            self._losses.append(Loss(node.id, "whether it can be written", "CAEX does not say so"))
        for key, kept in (("identifier", node.identifier), ("point", node.point)):
            if kept:
                self._losses.append(Loss(node.id, f"its {key} {kept}", "CAEX has no place for it"))
        losses = [key for key in node.extra if key != EXTRA]
        if losses and self._carrier is None:
            self._losses.append(Loss(node.id, f"what only {', '.join(losses)} knows", "CAEX has no place for it"))

    def _unsaid(self, node: Node, tag: str) -> bool:
        """Whether CAEX 2.15 has no place for an element."""
        if tag in _ONLY_3:
            self._losses.append(Loss(node.id, f"{node.name} and what is below", f"CAEX 2.15 has no {_ONLY_3[tag]}"))
            return True
        if tag == "RoleRequirements" and self._further(node):
            self._losses.append(Loss(node.id, f"the requirement of {node.type or 'no role'}", "CAEX 2.15 requires one role"))
            return True
        if tag == "ExternalInterface" and self._open and self._open[-1][1] in ("ExternalInterface", "InterfaceClass"):
            self._losses.append(Loss(node.id, f"{node.name} and what is below", "CAEX 2.15 has no interfaces in interfaces"))
            return True
        return False
