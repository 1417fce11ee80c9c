"""Nodes to IML: what was read as IML is the same again; of what was read elsewhere, what IML can say."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

from lxml import etree

from hulian.network.exchange.semantics.contract import Constraints, Content, Kind, Loss, Node, Relation
from hulian.network.exchange.semantics.errors import TranslationError
from hulian.network.exchange.semantics.instrumentml.grammar import DATATYPES, ELEMENTS, ROOTS, type_of
from hulian.network.exchange.semantics.instrumentml.opaque import make
from hulian.network.exchange.semantics.instrumentml.reading import constraints_of

__all__ = ["write"]

_INDENT: Final = "  "


def write(content: Content, out: BinaryIO) -> list[Loss]:
    """See `Format.write`. One device of a set is held at a time."""
    return _Writer(content, out).run()


class _Writer:
    def __init__(self, content: Content, out: BinaryIO) -> None:
        self._content, self._out = content, out
        self._losses: list[Loss] = []
        self._elements: dict[str, Any] = {}
        self._set: Any = None
        """The set that is the root; None where the root is one device."""
        self._set_id = "\0"  # no id of a node
        self._top: Any = None
        self._here: set[str] = set()

    def run(self) -> list[Loss]:
        self._here = {node.id for node in self._content.nodes()}
        tops = [node for node in self._content.nodes() if node.parent not in self._here]
        if not any(_element_of(node, "") in ROOTS for node in tops):
            raise TranslationError("nothing of it is a device or a set of devices", place=self._content.document.name)
        self._out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        if not (len(tops) == 1 and _element_of(tops[0], "") != "DeviceSet"):
            self._begin_set(tops)
        for node in self._content.nodes():
            if self._set is not None and node.id == self._set_id:
                continue
            self._take(node)
        self._flush()
        if self._set is not None:
            self._out.write(b"</DeviceSet>\n")
        for reference in self._content.references():
            if reference.relation != Relation.OUTPUT:
                self._lose(reference.source, f"reference {reference.relation!r} to {reference.target}", "IML has no references")
        for attachment in self._content.attachments():
            self._lose(attachment.path, "an attached file", "IML has no container")
        return self._losses

    def _begin_set(self, tops: list[Node]) -> None:
        self._set = etree.Element("DeviceSet")
        if len(tops) == 1:
            self._set_id = tops[0].id
            self._attributes(self._set, "DeviceSet", tops[0])
        else:
            self._set.set("name", self._content.document.name)
        opened = etree.tostring(self._set).removesuffix(b"/>") + b">"
        self._out.write(opened + b"\n")

    def _lose(self, place: str, what: str, why: str) -> None:
        self._losses.append(Loss(place, what, why))

    # -- elements ------------------------------------------------------------------------------------------------------

    def _take(self, node: Node) -> None:
        at_top = node.parent == self._set_id or node.parent not in self._here
        if at_top:
            self._flush()
        parent = None if at_top else self._elements.get(node.parent)
        if parent is None and not at_top:
            if node.parent not in self._elements:
                self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", "what it stands under is not in the document")
            self._elements[node.id] = None  # with all that is below it
            return
        name = _element_of(node, "" if parent is None else parent.tag)
        if at_top and name not in ROOTS:
            name = ""
        if not name:
            where = "at the top" if parent is None else f"in a {parent.tag}"
            self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", f"IML has none {where}")
            self._elements[node.id] = None
            return
        if parent is not None and name not in ELEMENTS[parent.tag].children:
            parent = _between(parent, name)
        element = etree.Element(name) if parent is None else etree.SubElement(parent, name)
        if parent is None:
            self._top = element
        self._elements[node.id] = element
        self._attributes(element, name, node)

    def _attributes(self, element: Any, name: str, node: Node) -> None:
        own = node.extra.get("iml", {})
        if not own.get("unnamed"):
            self._set_text(element, "name", node.name, node)
        for key, texts in (("displayName", node.labels), ("description", node.descriptions)):
            self._language(element, key, texts, node)
        said = own.get("attributes", {})
        for key, value in said.items():
            if key not in ("units", "type"):
                self._set_text(element, key, value, node)
        if name in ("Field", "DataBuffer", "BasisBuffer"):
            self._typed(element, said, node)
        elif "type" in said:
            self._set_text(element, "type", said["type"], node)
        self._measured(element, name, said, node)
        if name == "Field":
            self._field(element, own, node)
        for child in own.get("content", ()):
            try:
                make(child, element)
            except (ValueError, TypeError) as error:
                self._lose(node.id, "what only IML knows of it", f"it is no XML: {error}")
        self._unsaid(node, name)

    def _measured(self, element: Any, name: str, said: dict[str, str], node: Node) -> None:
        """Unit and value."""
        rule = ELEMENTS[name]
        if "units" in rule.attributes:
            if node.unit or "units" in said:
                self._set_text(element, "units", node.unit or said["units"], node)
        else:
            if "units" in said:
                self._set_text(element, "units", said["units"], node)
            if node.unit:
                self._lose(node.id, f"unit {node.unit!r}", f"a {name} has none")
        if node.value is not None:
            if rule.value:
                self._set_text(element, rule.value, node.value, node)
            else:
                self._lose(node.id, f"value {node.value!r}", f"a {name} has none")

    def _unsaid(self, node: Node, name: str) -> None:
        """What the model has and IML has no word for."""
        for what, there in (
            ("its meanings", node.meanings), ("its type", node.type), ("its live point", node.point),
            ("its registered identifier", node.identifier),
        ):  # fmt: skip
            if there:
                self._lose(node.id, what, "IML has no word for it")
        if name != "Field" and node.constraints is not None:
            self._lose(node.id, "its constraints", f"a {name} has none")
        foreign = sorted(set(node.extra) - {"iml"})
        if foreign:
            self._lose(node.id, f"what only {', '.join(foreign)} knows of it", "it is another language's")

    def _set_text(self, element: Any, key: str, value: str, node: Node) -> None:
        try:
            element.set(key, value)
        except ValueError:
            self._lose(node.id, f"{key} {value!r}", "XML has no such characters")

    def _language(self, element: Any, key: str, texts: dict[str, str], node: Node) -> None:
        if not texts:
            return
        chosen = next(tag for tag in ("", "en", *texts) if tag in texts)
        self._set_text(element, key, texts[chosen], node)
        for tag, text in texts.items():
            if tag != chosen:
                self._lose(node.id, f"{key} in {tag!r}: {text!r}", "IML has texts in one language")
        if chosen:
            self._lose(node.id, f"that its {key} is in {chosen!r}", "IML does not name languages")

    def _typed(self, element: Any, said: dict[str, str], node: Node) -> None:
        """The type as it was written, unless the model has another one since."""
        written = said.get("type")
        datatype = node.datatype.removesuffix("[]")
        if written is not None and DATATYPES.get(written, "") == datatype:
            self._set_text(element, "type", written, node)
        elif datatype:
            element.set("type", type_of(datatype))
            if type_of(datatype) == "String" and datatype != "xs:string":
                self._lose(node.id, f"data type {datatype}", "IML has none like it; it is written as String")

    def _field(self, element: Any, own: dict[str, Any], node: Node) -> None:
        found = node.constraints or Constraints()
        if node.writable is not None:
            element.set("readOnly", "false" if node.writable else "true")
        if found.required:
            element.set("required", "true")
        kept = own.get("constraints", [])
        if kept and constraints_of(kept, required=found.required) == found:
            for one in kept:
                make(one, element)
            return
        if found.low is not None and found.high is not None:
            etree.SubElement(element, "RangeConstraint", low=found.low, high=found.high)
        elif found.low is not None or found.high is not None:
            self._lose(node.id, f"the range {found.low} to {found.high}", "a RangeConstraint has both ends")
        if found.choices:
            chosen = etree.SubElement(element, "ListConstraint")
            for value, name in found.choices:
                choice = etree.SubElement(chosen, "Choice", value=value)
                if name:
                    choice.set("name", name)
        if found.pattern:
            self._lose(node.id, f"the pattern {found.pattern!r}", "IML has none")

    # -- out -----------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """One device is complete."""
        self._elements.clear()
        if self._top is None:
            return
        _order(self._top)
        etree.indent(self._top, space=_INDENT)
        self._out.write(etree.tostring(self._top, encoding="UTF-8") + b"\n")
        self._top = None


def _element_of(node: Node, parent: str) -> str:
    """The element that a node is; empty where IML has none for it under ``parent``."""
    said = node.extra.get("iml", {}).get("element", "")
    if said in ELEMENTS:
        return str(said)
    if node.kind in (Kind.OBJECT, Kind.FOLDER) and parent in ("", "Device", "DeviceSet"):
        return "Device"
    if node.kind is Kind.OPERATION and parent in ("Device", "Port"):
        return "Message"
    if node.kind is Kind.PROPERTY:
        if parent in ("Message", "Response", "Script"):
            return "Field" if node.relation == Relation.INPUT or parent == "Response" else ""
        if parent in ("Device", "Port", "Connection"):
            return "Parameter"
    return ""


def _between(parent: Any, name: str) -> Any:
    """The interface that IML puts between a device and its message; made where it is missing."""
    wanted = {"Message": "MessageInterface", "Response": "ResponseInterface", "Script": "ScriptInterface"}.get(name, "")
    if not wanted or wanted not in ELEMENTS[parent.tag].children:
        return parent
    found = parent.find(wanted)
    return etree.SubElement(parent, wanted) if found is None else found


def _order(element: Any) -> None:
    """Children in the order of the grammar, which the schema asks for."""
    rule = ELEMENTS.get(element.tag)
    if rule is not None and rule.children and len(element) > 1:
        ranks = {child: rank for rank, child in enumerate(rule.children)}
        children = list(element)
        ordered = sorted(children, key=lambda child: ranks.get(child.tag, len(ranks)))
        if ordered != children:
            element[:] = ordered
    for child in element:
        _order(child)
