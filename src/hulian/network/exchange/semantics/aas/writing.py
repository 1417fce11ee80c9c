"""Nodes to environments: one pass over the content, each list in a spool of its own, no more held than what is open."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from typing import IO, Any, BinaryIO, Final

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.carried import carry, carry_document, carry_references
from hulian.network.exchange.semantics.aas.elements import fields_of, with_unit
from hulian.network.exchange.semantics.aas.json_writing import JsonWriting
from hulian.network.exchange.semantics.aas.metamodel import CHILDREN, ELEMENTS
from hulian.network.exchange.semantics.aas.nodes import CONCEPTS, Builder
from hulian.network.exchange.semantics.aas.references import concept_id, element_id
from hulian.network.exchange.semantics.aas.strict import completed, fits
from hulian.network.exchange.semantics.aas.xml_writing import XmlWriting
from hulian.network.exchange.semantics.contract import Content, Document, Loss, Node, Reference, Relation

__all__ = ["Environments"]

_LISTS: Final = {
    "AssetAdministrationShell": "assetAdministrationShells",
    "Submodel": "submodels",
    "ConceptDescription": "conceptDescriptions",
}
_SPOOLED: Final = 1 << 20
_ASSET: Final = frozenset({"AssetInformation", "globalAssetId", "SpecificAssetId"})


class _Frame:
    """A node that is being written."""

    __slots__ = ("children", "count", "expected", "fields", "held", "id", "kind", "names", "node", "opened", "path", "root")

    def __init__(self, node: Node, kind: str, root: str, path: str, held: bool) -> None:
        self.node, self.kind, self.root, self.path, self.held = node, kind, root, path, held
        self.id = node.id
        self.fields: dict[str, Any] = {}
        self.opened = False
        self.count = 0
        self.names: set[str] = set()
        self.children: dict[str, list[dict[str, Any]]] = {}


class _Part:
    """One environment of a package."""

    def __init__(self, form: XmlWriting | JsonWriting) -> None:
        self.form = form
        self.spools: dict[str, IO[bytes]] = {}
        self.counts: dict[str, int] = {}

    def begin(self, name: str) -> IO[bytes]:
        """The spool of a list, ready for its next member."""
        spool = self.spools.get(name)
        if spool is None:
            spool = self.spools[name] = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115
        if self.counts.get(name, 0):
            spool.write(self.form.separator)
        self.counts[name] = self.counts.get(name, 0) + 1
        return spool

    def write(self, out: BinaryIO) -> None:
        """The whole environment."""
        begin, end = self.form.document()
        out.write(begin)
        first = True
        for name in _LISTS.values():
            spool = self.spools.get(name)
            if spool is None:
                continue
            head, tail = self.form.listed(name, first=first)
            first = False
            out.write(head)
            spool.seek(0)
            shutil.copyfileobj(spool, out, 1 << 18)
            out.write(tail)
        out.write(end)

    def close(self) -> None:
        """Frees the spools."""
        for spool in self.spools.values():
            spool.close()


class Environments:
    """Writes what a content has into one environment or more."""

    def __init__(self, content: Content, specs: list[tuple[str, str]], losses: list[Loss]) -> None:
        """``specs`` are form and version of each environment."""
        self._content, self._losses, self._specs = content, losses, specs
        self._parts = [_Part(XmlWriting(version) if form == "xml" else JsonWriting()) for form, version in specs]
        self._part = 0
        self._stack: list[_Frame] = []
        self._shadow = Builder(content.document.name, Bends([]), {})
        self._identities = Builder(content.document.name, Bends([]), {})
        """Meets the same ids in the same order as a reader."""
        self._references: dict[str, list[tuple[int, Reference]]] = {}
        document = content.document
        self._was = document if document.format != "aas" else _carried(document)
        """The document of another language that this is made of, until it is told."""
        self._ordered = self._was is not None and self._was.format == "aml"
        """Whether the order of its references is part of it: CAEX writes them as elements."""
        self._unit = lru_cache(4096)(self._defined)

    def __enter__(self) -> Environments:
        return self

    def __exit__(self, *exc: object) -> None:
        for part in self._parts:
            part.close()

    def collect(self) -> None:
        """Takes all nodes and references of the content."""
        for place, reference in enumerate(self._content.references()):
            if "aas" not in reference.extra:
                self._references.setdefault(reference.source, []).append((place, reference))
        for node in self._content.nodes():
            self._take(node)
        self._pop_to("")
        for source, left in self._references.items():
            self._losses.extend(
                Loss(source, f"{one.relation} to {one.target}", "the node from which it leads is not in the document")
                for _, one in left
            )

    def write(self, number: int, out: BinaryIO) -> None:
        """One environment, after `collect`."""
        self._parts[number].write(out)

    # ------------------------------------------------ the tree

    def _pop_to(self, parent: str) -> None:
        while self._stack and self._stack[-1].id != parent:
            self._pop()

    def _take(self, node: Node) -> None:
        own = node.extra.get("aas", {})
        named = own.get("modelType", "")
        if named == CONCEPTS:
            self._pop_to("")
            return
        self._pop_to(node.parent)
        if named in _ASSET:
            self._asset(node, named, own)
            return
        if named in _LISTS or not self._stack or self._stack[-1].kind == "AssetAdministrationShell":
            if named not in _LISTS and node.parent and not self._stack:
                self._losses.append(Loss(node.id, f"its place below {node.parent}", "that is of another document", lost=False))
            self._identifiable(node, named if named in _LISTS else "Submodel", own)
            return
        self._element(node)

    def _asset(self, node: Node, named: str, own: dict[str, Any]) -> None:
        shell = next((frame for frame in self._stack if frame.kind == "AssetAdministrationShell"), None)
        if shell is None:
            self._losses.append(Loss(node.id, node.name, "there is no shell of which it is the asset"))
            return
        asset = shell.fields.setdefault("assetInformation", {})
        if named == "globalAssetId":
            asset["globalAssetId"] = node.value or ""
            return
        rest = {name: value for name, value in own.items() if name != "modelType"}
        if named == "AssetInformation":
            asset.update(rest)
            # Its own ids are below it.
            self._stack.append(_Frame(node, named, shell.root, "", True))
            return
        from hulian.network.exchange.semantics.aas.texts import remeant

        remeant(rest, node.meanings)
        asset.setdefault("specificAssetIds", []).append({**rest, "name": node.name, "value": node.value or ""})

    def _identifiable(self, node: Node, kind: str, own: dict[str, Any]) -> None:
        self._part = min(own.get("part", 0), len(self._parts) - 1)
        if self._stack and kind == "Submodel":
            self._belongs(self._stack[-1], node)
        frame = _Frame(node, kind, node.id, "", kind != "Submodel")
        if kind == "Submodel" and own.get("modelType") != "Submodel":
            own = {**own, "modelType": "Submodel"}
            made = Node(**{name: getattr(node, name) for name in Node.__struct_fields__})
            made.extra = {"aas": own}
            fields = fields_of(made, hyphens=self._hyphens)
            if node.kind.name.endswith("TYPE"):
                fields["kind"] = "Template"
        else:
            fields = fields_of(node, hyphens=self._hyphens)
        frame.fields = fields
        if kind == "Submodel":
            self._carry(frame, self._identities.submodel_of({**fields}))
        self._stack.append(frame)

    def _belongs(self, shell: _Frame, submodel: Node) -> None:
        """A shell refers to the submodels that stand below it."""
        identity = submodel.extra.get("aas", {}).get("id", submodel.id)
        listed = shell.fields.get("submodels", [])
        if not any(key.get("value") == identity for one in listed for key in one.get("keys", ())):
            reference = {"type": "ModelReference", "keys": [{"type": "Submodel", "value": identity}]}
            shell.fields["submodels"] = [*listed, reference]

    def _element(self, node: Node) -> None:
        above = self._stack[-1]
        listed = above.kind == "SubmodelElementList"
        if above.kind not in CHILDREN and above.kind != "Operation":
            self._into_collection(above)
        fields = fields_of(node, listed=listed, hyphens=self._hyphens)
        index, above.count = above.count, above.count + 1
        name = fields.get("idShort", "")
        if name and not listed:
            tried, number = name, 2
            while tried in above.names:
                tried, number = f"{name[:120]}_{number}", number + 1
            if tried != name:
                self._losses.append(Loss(node.id, f"idShort {name}", f"a sibling has it already: written as {tried}"))
                fields["idShort"] = tried
            above.names.add(tried)
            name = tried
        if listed or not name:
            path = f"{above.path}[{index}]"
        else:
            path = f"{above.path}.{name}" if above.path else name
        if fields["modelType"] not in ELEMENTS:
            fields["modelType"] = "SubmodelElementCollection"
        held = above.held or fields["modelType"] == "Operation"
        frame = _Frame(node, fields["modelType"], above.root, path, held)
        frame.fields = fields
        self._stack.append(frame)

    def _into_collection(self, frame: _Frame) -> None:
        """A property that has something below it: only a collection can."""
        node = frame.node
        made = Node(id=node.id, kind=node.kind, name=node.name, parent=node.parent, relation=node.relation)
        made.meanings, made.labels, made.descriptions = node.meanings, node.labels, node.descriptions
        own = {
            name: value for name, value in node.extra.get("aas", {}).items() if name in ("extensions", "category", "qualifiers")
        }
        made.extra = {"aas": {**own, "modelType": "SubmodelElementCollection"}}
        listed = frame.path.endswith("]")
        name = frame.fields.get("idShort")
        frame.fields = fields_of(made, listed=listed, hyphens=self._hyphens)
        if name:
            frame.fields["idShort"] = name
        frame.kind = "SubmodelElementCollection"

    # ------------------------------------------------ writing

    def _prepared(self, frame: _Frame) -> None:
        """What an element lacks or carries, once it is known what it is written as."""
        node, fields, kind = frame.node, frame.fields, frame.kind
        version = self._specs[self._part][1]
        if kind in ELEMENTS:
            if kind in ("Property", "Range"):
                self._typed(fields)
            with_unit(node, fields, self._unit(node.meanings[0]) if node.meanings else "")
            completed(fields, version, frame.root, self._losses.append, node.id)
            listed = frame.path.endswith("]")
            name = fields.get("idShort") or (frame.path[frame.path.rindex("[") :] if listed else node.name)
            expected = self._shadow.node_of(element_id(frame.root, frame.path), name, node.parent, Relation.COMPONENT, fields)
            if expected.meanings and not expected.unit and kind not in CHILDREN:
                expected.unit = self._unit(expected.meanings[0])
            above = self._above(frame)
            if above is not None and above.kind == "Operation":
                expected.relation = Relation.OUTPUT if node.relation == Relation.OUTPUT else Relation.INPUT
            self._carry(frame, expected)
            return
        completed(fields, version, frame.root, self._losses.append, node.id)
        if kind == "AssetAdministrationShell":
            self._carry(frame, self._identities.shell_of(fields))
        elif kind == "ConceptDescription":
            self._carry(frame, self._identities.concept_of(fields))

    def _above(self, frame: _Frame) -> _Frame | None:
        at = self._stack.index(frame)
        return self._stack[at - 1] if at else None

    def _typed(self, fields: dict[str, Any]) -> None:
        kind = fields["valueType"]
        values = [fields[name] for name in ("value", "min", "max") if fields.get(name)]
        if any(not fits(value, kind) for value in values):
            fields["valueType"] = "xs:string"

    def _carry(self, frame: _Frame, expected: Node) -> None:
        extension = carry(frame.node, expected)
        references = self._references.pop(frame.node.id, None)
        more = [extension] if extension else []
        if references:
            more.append(carry_references(references, ordered=self._ordered))
        if self._was is not None and frame.kind in _LISTS:
            more.append(carry_document(self._was))
            self._was = None
        if more:
            frame.fields["extensions"] = [*frame.fields.get("extensions", ()), *more]

    def _open(self, frame: _Frame) -> None:
        """Writes an element up to its children, and all above it that is not open yet."""
        for one in self._stack:
            if one.held or one.kind == "AssetAdministrationShell":
                continue
            if not one.opened:
                if one.kind != "Submodel":
                    self._prepared(one)
                self._spool(one).write(self._form.opened(one.fields))
                one.opened = True
            if one is frame:
                return

    def _pop(self) -> None:
        frame = self._stack[-1]
        if frame.opened:
            self._spool(frame, next_=False).write(self._form.closed(frame.fields))
            self._stack.pop()
            return
        if frame.kind == "AssetInformation":
            self._stack.pop()
            return
        self._prepared(frame)
        if frame.kind in CHILDREN and frame.kind not in _LISTS and "children" in frame.children:
            frame.fields[CHILDREN[frame.kind]] = frame.children["children"]
        elif frame.kind == "Operation":
            frame.fields.update(frame.children)
        above = self._stack[-2] if len(self._stack) > 1 else None
        if above is not None and above.held and frame.kind not in _LISTS:
            self._into(above, frame)
        else:
            if above is not None and frame.kind not in _LISTS:
                self._open(above)
            self._spool(frame).write(self._form.whole(frame.fields))
        self._stack.pop()

    def _into(self, above: _Frame, frame: _Frame) -> None:
        if above.kind != "Operation":
            above.children.setdefault("children", []).append(frame.fields)
            return
        slot = "outputVariables" if frame.node.relation == Relation.OUTPUT else "inputVariables"
        if frame.node.extra.get("aas", {}).get("variable") == "inoutput":
            slot = "inoutputVariables"
        above.children.setdefault(slot, []).append({"value": frame.fields})

    @property
    def _hyphens(self) -> bool:
        return self._specs[self._part][1] != "3.0"

    @property
    def _form(self) -> XmlWriting | JsonWriting:
        return self._parts[self._part].form

    def _spool(self, frame: _Frame, *, next_: bool = True) -> IO[bytes]:
        """Where a frame goes; with a separator before it where one is due."""
        part = self._parts[self._part]
        if frame.kind in _LISTS:
            name = _LISTS[frame.kind]
            return part.begin(name) if next_ else part.spools[name]
        spool = part.spools["submodels"]
        above = self._above(frame)
        if next_ and above is not None:
            written = above.children.setdefault("written", [])
            if written:
                spool.write(self._form.separator)
            else:
                written.append({})
        return spool

    def _defined(self, meaning: str) -> str:
        """The unit that the concept description of this document gives."""
        node = self._content.node(concept_id(self._content.document.name, meaning))
        return node.unit if node is not None else ""


def _carried(document: Document) -> Document | None:
    said = document.extra.get("aas", {}).get("carried")
    return msgspec.convert(said, Document) if said else None


def references_of(content: Content) -> Iterator[Reference]:
    """The references that no field of the metamodel says."""
    return (one for one in content.references() if "aas" not in one.extra)
