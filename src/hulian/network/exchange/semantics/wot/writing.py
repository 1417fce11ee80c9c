"""Nodes to Thing Descriptions. What was read as one is the same again; what came from elsewhere becomes a Thing Model.

A Thing Description says with its forms how each property is reached. Nodes of another language have none, and so are written
as the W3C has it for what is described but not yet deployed: a Thing Model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

import msgspec

from hulian.network.exchange.semantics.contract import Constraints, Content, Kind, Loss, Node, Relation
from hulian.network.exchange.semantics.errors import TranslationError
from hulian.network.exchange.semantics.wot.reading import fields_of
from hulian.network.exchange.semantics.wot.terms import AFFORDANCES, constraints_of, schema_type

__all__ = ["CONTEXT", "write"]

CONTEXT: Final = "https://www.w3.org/2022/wot/td/v1.1"
_GROUPS: Final = {Kind.PROPERTY: "properties", Kind.OPERATION: "actions", Kind.EVENT: "events"}
_HOLDERS: Final = (Kind.OBJECT, Kind.FOLDER, Kind.OBJECT_TYPE)


def write(content: Content, out: BinaryIO) -> list[Loss]:
    """See `Format.write`. One affordance is held at a time, and what was written of the thing, as bytes."""
    return _Writer(content).run(out)


class _Place:
    """Where a node was put: its part of the document, and what names below it begin with (foreign objects in a thing)."""

    __slots__ = ("foreign", "group", "out", "prefix")

    def __init__(self, out: dict[str, Any] | None, group: str, prefix: str = "", *, foreign: bool = False) -> None:
        self.out, self.group, self.prefix, self.foreign = out, group, prefix, foreign


class _Writer:
    def __init__(self, content: Content) -> None:
        self._content = content
        self._losses: list[Loss] = []
        self._things: list[bytes] = []
        self._head: dict[str, Any] | None = None
        self._groups: dict[str, dict[str, bytes]] = {}
        self._open: tuple[str, str, dict[str, Any]] | None = None
        self._places: dict[str, _Place] = {}
        self._seen: set[str] = set()

    def run(self, out: BinaryIO) -> list[Loss]:
        for node in self._content.nodes():
            self._take(node)
        self._end_thing()
        if not self._things:
            raise TranslationError("nothing of it is a thing", place=self._content.document.name)
        listed = self._content.document.extra.get("wot", {}).get("list") or len(self._things) != 1
        out.write(b"[" + b",\n".join(self._things) + b"]\n" if listed else self._things[0] + b"\n")
        for reference in self._content.references():
            self._lose(reference.source, f"reference {reference.relation!r} to {reference.target}", "a thing has links only")
        for attachment in self._content.attachments():
            self._lose(attachment.path, "an attached file", "a Thing Description is no container")
        return self._losses

    def _lose(self, place: str, what: str, why: str) -> None:
        self._losses.append(Loss(place, what, why))

    # -- where ---------------------------------------------------------------------------------------------------------

    def _take(self, node: Node) -> None:
        parent = self._places.get(node.parent)
        self._seen.add(node.id)
        if parent is None:
            if node.parent in self._seen:
                self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", "what it stands under is not written")
                return
            if node.kind not in _HOLDERS:
                self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", "it is no thing, and stands in none")
                return
            self._begin_thing(node)
        elif parent.group == "thing":
            self._affordance(node, parent)
        elif parent.out is not None:
            self._inside(node, parent)
        else:
            self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", "what it stands under is not written")
        self._unsaid(node)

    def _begin_thing(self, node: Node) -> None:
        self._end_thing()
        own = node.extra.get("wot", {})
        if "schema" in own:
            head = _described(own["schema"], node, fields_of(own["schema"]))
            self._groups = {group: {} for group in own.get("has", ())}
        else:
            head = {"@context": CONTEXT, "@type": "tm:ThingModel", "title": node.name}
            head |= _texts(node, {}) | ({"@type": ["tm:ThingModel", *node.meanings]} if node.meanings else {})
            self._lose(node.id, "how it is reached", "its nodes have no forms: it is written as a Thing Model")
        self._head = head
        self._places = {node.id: _Place(head, "thing", foreign="schema" not in own)}

    def _affordance(self, node: Node, parent: _Place) -> None:
        own = node.extra.get("wot", {})
        if node.kind in _HOLDERS and "schema" not in own:
            self._places[node.id] = _Place(None, "thing", f"{parent.prefix}{node.name}.", foreign=True)
            if node.labels or node.descriptions or node.meanings:
                self._lose(
                    node.id, f"what is said of the part {node.name!r}", "a thing has no parts: their properties are its own"
                )
            return
        group = own.get("in") if own.get("in") in AFFORDANCES else _GROUPS.get(node.kind, "")
        if not group:
            self._lose(node.id, f"{node.kind.name.lower()} {node.name!r}", "a thing has properties, actions and events")
            self._places[node.id] = _Place(None, "lost")
            return
        self._end_affordance()
        out = _schema(node, required=False)
        name = self._free(group, f"{parent.prefix}{node.name}")
        self._open = (group, name, out)
        self._places[node.id] = _Place(out, group, foreign="schema" not in own)

    def _free(self, group: str, name: str) -> str:
        taken, number, wanted = self._groups.get(group, {}), 1, name
        while wanted in taken:
            number += 1
            wanted = f"{name}~{number}"
        return wanted

    def _inside(self, node: Node, parent: _Place) -> None:
        """A part of an affordance: a member of an object, an argument, the data of an event."""
        outer: dict[str, Any] = parent.out if parent.out is not None else {}
        own = node.extra.get("wot", {})
        where = own.get("in", "")
        required = False
        if where == "items":
            target, name = outer, "items"
        elif where in ("input", "output", "subscription", "data", "dataResponse", "cancellation"):
            target, name = outer, where
        elif where == "properties" or parent.group == "properties":
            target, name = outer.setdefault("properties", {}), node.name
            required = node.name in _listed(outer)
            if parent.foreign:
                outer["type"] = "object"
        else:
            part = "output" if node.relation == Relation.OUTPUT else "input"
            part = "data" if parent.group == "events" else part
            whole = outer.setdefault(part, {"type": "object", "properties": {}})
            target, name = whole.setdefault("properties", {}), node.name
        out = _schema(node, required=required)
        if node.constraints is not None and node.constraints.required != required and where == "properties":
            listed = [one for one in _listed(outer) if one != node.name]
            outer["required"] = [*listed, node.name] if node.constraints.required else listed
        target[name] = out
        self._places[node.id] = _Place(out, "properties", foreign="schema" not in own)

    def _unsaid(self, node: Node) -> None:
        for what, there in (("its type", node.type), ("its live point", node.point), ("its identifier", node.identifier)):
            if there:
                self._lose(node.id, what, "a Thing Description has no term for it")
        foreign = sorted(set(node.extra) - {"wot"})
        if foreign:
            self._lose(node.id, f"what only {', '.join(foreign)} knows of it", "it is another language's")

    # -- out -----------------------------------------------------------------------------------------------------------

    def _end_affordance(self) -> None:
        if self._open is not None:
            group, name, out = self._open
            self._groups.setdefault(group, {})[name] = msgspec.json.encode(out)
            self._open = None

    def _end_thing(self) -> None:
        self._end_affordance()
        if self._head is None:
            return
        parts = [msgspec.json.encode(key) + b":" + msgspec.json.encode(value) for key, value in self._head.items()]
        for group, members in self._groups.items():
            inner = b",\n".join(msgspec.json.encode(name) + b":" + raw for name, raw in members.items())
            parts.append(msgspec.json.encode(group) + b":{" + inner + b"}")
        self._things.append(b"{" + b",\n".join(parts) + b"}")
        self._head, self._groups = None, {}


def _listed(out: Mapping[str, Any]) -> list[Any]:
    said = out.get("required")
    return said if isinstance(said, list) else []


def _schema(node: Node, *, required: bool) -> dict[str, Any]:
    """A data schema or an affordance: what was read, with what the model says differently."""
    own = node.extra.get("wot", {})
    if "schema" not in own:
        return _made(node)
    written = own["schema"]
    out = _described(written, node, fields_of(written, required=required))
    if node.kind is Kind.PROPERTY:
        _measured(out, written, node, required=required)
    if "properties" in own.get("has", ()):
        out["properties"] = {}
    return out


def _described(written: Mapping[str, Any], node: Node, said: Mapping[str, Any]) -> dict[str, Any]:
    """Texts and meanings."""
    out = dict(written)
    for field, one, many in (("labels", "title", "titles"), ("descriptions", "description", "descriptions")):
        if getattr(node, field) != said[field]:
            out.pop(one, None)
            out.pop(many, None)
            out |= _language(getattr(node, field), one, many)
    if node.meanings != said["meanings"]:
        out["@type"] = list(node.meanings)
    return out


def _language(found: Mapping[str, str], one: str, many: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if found:
        out[one] = found.get("", found.get("en", next(iter(found.values()))))
        if several := {tag: text for tag, text in found.items() if tag}:
            out[many] = several
    return out


def _texts(node: Node, out: dict[str, Any]) -> dict[str, Any]:
    return out | _language(node.labels, "title", "titles") | _language(node.descriptions, "description", "descriptions")


def _measured(out: dict[str, Any], written: Mapping[str, Any], node: Node, *, required: bool) -> None:
    """Value, type, unit, limits and whether it may be written, where the model says something else than was read."""
    said = fields_of(written, required=required)
    if node.datatype != said["datatype"] and not node.extra["wot"].get("items"):
        _typed(out, node.datatype)
    if node.unit != said["unit"]:
        _put(out, "unit", node.unit or None)
    if node.value != said["value"]:
        term = "const" if written.get("const") is not None else "default"
        _put(out, term, None if node.value is None else _json(node.value, node.datatype))
    if node.writable != said["writable"]:
        _put(out, "readOnly", None if node.writable is None else not node.writable)
    found, before = node.constraints or Constraints(), said["constraints"] or Constraints()
    _limited(out, found, before, node.datatype)


def _typed(out: dict[str, Any], datatype: str) -> None:
    _put(out, "type", schema_type(datatype) or None)
    if datatype.endswith("[]"):
        out["items"] = {"type": schema_type(datatype[:-2]) or "string"}


def _limited(out: dict[str, Any], found: Constraints, before: Constraints, datatype: str) -> None:
    for field, terms in (("low", ("minimum", "exclusiveMinimum")), ("high", ("maximum", "exclusiveMaximum"))):
        value = getattr(found, field)
        if value != getattr(before, field):
            for term in terms:
                out.pop(term, None)
            _put(out, terms[0], None if value is None else _json(value, "xs:double"))
    if found.choices != before.choices:
        out.pop("enum", None)
        out.pop("oneOf", None)
        if any(name for _, name in found.choices):
            out["oneOf"] = [{"const": _json(value, datatype), "title": name} for value, name in found.choices]
        elif found.choices:
            out["enum"] = list(dict.fromkeys(_json(value, datatype) for value, _ in found.choices))
    if found.pattern != before.pattern:
        _put(out, "pattern", found.pattern or None)


def _put(out: dict[str, Any], term: str, value: Any) -> None:
    if value is None:
        out.pop(term, None)
    else:
        out[term] = value


def _json(text: str, datatype: str) -> Any:
    """A lexical value as JSON of its type; the text itself where it is none."""
    reads: Callable[[bytes], Any] = msgspec.json.decode
    if schema_type(datatype) == "string":
        return text
    try:
        return reads(text.encode())
    except msgspec.DecodeError:
        return text


def _made(node: Node) -> dict[str, Any]:
    """A schema for a node of another language."""
    out = _texts(node, {})
    if node.meanings:
        out["@type"] = list(node.meanings)
    if node.kind is not Kind.PROPERTY:
        return out
    if node.datatype:
        _typed(out, node.datatype)
    if node.unit:
        out["unit"] = node.unit
    if node.value is not None:
        out["default"] = _json(node.value, node.datatype)
    if node.writable is not None:
        out["readOnly"] = not node.writable
    _limited(out, node.constraints or Constraints(), constraints_of({}) or Constraints(), node.datatype)
    return out
