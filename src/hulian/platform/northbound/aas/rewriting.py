"""New versions of documents: everything as it was, and one thing put in, put in the place of another, or taken out.

What is not changed is copied node by node, so that nothing of it can be lost. What depends on the change is made anew as a
reader would have: which shell a submodel stands under, and units that only a concept description states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.format import AasFormat
from hulian.network.exchange.semantics.aas.nodes import Builder
from hulian.network.exchange.semantics.aas.references import concept_id, target_of
from hulian.network.exchange.semantics.aas.texts import unit_of
from hulian.network.exchange.semantics.contract import (
    BATCH,
    Attachment,
    Batch,
    Content,
    Document,
    Kind,
    Loss,
    Node,
    Reference,
    Relation,
    Source,
)
from hulian.platform.northbound.aas.directory import DESCRIPTOR, Item

__all__ = ["Rewriting", "nodes_of", "own_document"]

_SHELLS_OWN = {"aas": "submodels"}
"""Mark of the references from a shell to submodels that stand under another."""


def own_document(name: str, item_title: str, *, descriptor: bool) -> Document:
    """The document of a thing that was posted. A descriptor is kept as a node of the model's own language."""
    if descriptor:
        return Document(name=name, format="hulian", title=item_title, extra={DESCRIPTOR: True})
    return Document(name=name, format="aas", version="AAS 3.1", title=item_title, extra={"aas": {"form": "json"}})


def nodes_of(
    collection: str, value: dict[str, Any], document: str, units: dict[str, str]
) -> tuple[list[Node], list[Reference]]:
    """The nodes of a thing, and the references that it makes."""
    if collection.endswith("-descriptors"):
        identity = f"{DESCRIPTOR}:{collection}:{value['id']}"[:1024]
        kept = {"collection": collection, "id": value["id"], "descriptor": value}
        name = str(value.get("idShort") or value["id"])[:200]
        return [Node(id=identity, kind=Kind.OBJECT, name=name, extra={DESCRIPTOR: kept})], []
    builder = Builder(document, Bends([]), units)
    fields = msgspec.json.decode(msgspec.json.encode(value))
    if collection == "shells":
        builder.shell({**fields, "modelType": "AssetAdministrationShell"})
    elif collection == "concept-descriptions":
        builder.concept({**fields, "modelType": "ConceptDescription"})
    else:
        builder.open_submodel({**fields, "modelType": "Submodel"})
        builder.close({})
    batches = builder.take(last=True)
    nodes = [node for batch in batches for node in batch.nodes]
    return nodes, [reference for batch in batches for reference in batch.references]


class Rewriting:
    """Reads a document of the model as a new version of itself: a `contract.Format` whose source is the model.

    ``item`` is what is replaced or, where ``value`` is None, taken out; None where the document is made for ``value``.
    ``files`` are added, or replace those of the same path.
    """

    name = "aas"
    suffixes: Sequence[str] = ()

    def __init__(
        self,
        collection: str,
        value: dict[str, Any] | None,
        *,
        item: Item | None = None,
        before: Content | None = None,
        losses: Iterable[Loss] = (),
        files: Iterable[Attachment] = (),
    ) -> None:
        self._collection, self._value, self._item, self._before = collection, value, item, before
        self._losses = list(losses)
        self._files = {file.path: file for file in files}

    def recognises(self, name: str, head: bytes) -> bool:
        """Never: it reads nothing but what it was made with."""
        del name, head
        return False

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `contract.Format.read`."""
        losses.extend(self._losses)
        if self._before is None:
            value = self._value or {}
            title = str(value.get("idShort") or value.get("id", ""))[:200]
            document = own_document(name, title, descriptor=self._collection.endswith("-descriptors"))
        else:
            document = self._before.document
        return document, _batched(self._nodes(name), self._references(name), self._attachments())

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """As `contract.Format.write`: documents that are kept here are AAS."""
        return AasFormat().write(content, out)

    # ------------------------------------------------ what it is made of

    def _nodes(self, document: str) -> Iterator[Node]:
        self._gone: set[str] = set()
        self._new: list[Reference] = []
        self._above: dict[str, str] = {}
        self._shells: list[Reference] = []
        if self._before is None or self._item is None:
            yield from self._made(document, {}, 0)
            return
        units, old = self._units(self._before, self._item)
        folder = concept_id(document, "ConceptDescriptions")
        for place, node in enumerate(self._before.nodes()):
            if place == self._item.begin:
                yield from self._made(document, units, node.extra.get("aas", {}).get("part", 0), folder)
            if self._item.begin <= place < self._item.end:
                self._gone.add(node.id)
                continue
            yield self._belonging(_with_unit(node, units, old))

    def _made(self, document: str, units: dict[str, str], part: int, folder: str = "") -> Iterator[Node]:
        """The nodes of what is put in."""
        if self._value is None:
            return
        nodes, references = nodes_of(self._collection, self._value, document, units)
        self._new = [one for one in references if one.extra != _SHELLS_OWN]
        for node in nodes:
            if folder and node.id == folder:
                continue  # it is there already
            if part and not node.parent:
                node.extra["aas"]["part"] = part
            yield self._belonging(node)

    def _belonging(self, node: Node) -> Node:
        """A submodel stands under the shell before it that names it first; further shells refer to it."""
        own = node.extra.get("aas", {})
        named = own.get("modelType")
        if named == "AssetAdministrationShell":
            for reference in own.get("submodels", ()):
                submodel = target_of(reference, "")
                if submodel and self._above.setdefault(submodel, node.id) != node.id:
                    self._shells.append(Reference(node.id, Relation.COMPONENT, submodel, _SHELLS_OWN))
        elif named == "Submodel":
            node.parent = self._above.get(node.id, "")
        return node

    def _units(self, before: Content, item: Item) -> tuple[dict[str, str], tuple[str, str]]:
        """Units that concept descriptions of the document state; and, where one is changed, its id and the unit before."""
        units: dict[str, str] = {}
        for node in before.nodes():
            own = node.extra.get("aas", {})
            if own.get("modelType") == "ConceptDescription":
                units[str(own.get("id", ""))] = node.unit
        if item.collection != "concept-descriptions":
            return units, ("", "")
        old = (item.identity, units.pop(item.identity, ""))
        if self._value is not None:
            units[item.identity] = unit_of(self._value)
        return units, old

    def _references(self, document: str) -> Iterator[Reference]:
        """Those of what stays, then those of what is new; asked for after the nodes."""
        del document
        if self._before is not None:
            for reference in self._before.references():
                mark = reference.extra.get("aas")
                owner = mark if isinstance(mark, str) and "#" in mark else reference.source
                if reference.extra != _SHELLS_OWN and owner not in self._gone:
                    yield reference
        yield from self._new
        yield from self._shells

    def _attachments(self) -> Iterator[Attachment]:
        left = dict(self._files)
        if self._before is not None:
            for file in self._before.attachments():
                yield left.pop(file.path, file)
        yield from left.values()


def _with_unit(node: Node, units: dict[str, str], changed: tuple[str, str]) -> Node:
    """A property whose unit only its concept states has the new one."""
    identity, before = changed
    concerned = identity and node.kind is Kind.PROPERTY and node.meanings[:1] == (identity,) and node.unit == before
    if concerned and not unit_of(node.extra.get("aas", {})):
        node.unit = units.get(identity, "")
    return node


def _batched(nodes: Iterator[Node], references: Iterator[Reference], files: Iterator[Attachment]) -> Iterator[Batch]:
    part: list[Node] = []
    for node in nodes:
        part.append(node)
        if len(part) == BATCH:
            yield Batch(nodes=part)
            part = []
    if part:
        yield Batch(nodes=part)
    refers: list[Reference] = []
    for reference in references:
        refers.append(reference)
        if len(refers) == BATCH:
            yield Batch(references=refers)
            refers = []
    if refers:
        yield Batch(references=refers)
    for file in files:
        yield Batch(attachments=[file])
