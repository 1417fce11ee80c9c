"""What `nodeset.matching` found on a live server as a document of the model: instances of companion types, member by member.

Each instance is an object of its type, each member a node below it that means what the type says. A member with a value **is**
the live point that reads its address, where there is one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from hulian.network.exchange.semantics.contract import Attachment, Document, Kind, Node, Reference, Relation, Source
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.nodeset.matching import Match, Report, path_text
from hulian.network.exchange.semantics.nodeset.names import uri_of
from hulian.network.exchange.semantics.plain import FORMAT

__all__ = ["Bound", "instances_document"]


class Bound(NamedTuple):
    """The live point that reads an address of the server, and its unit."""

    point: str
    unit: str = ""


def instances_document(
    name: str, place: str, report: Report, model: Callable[[str], Node | None], points: Mapping[str, Bound]
) -> Source:
    """``report`` as a document ``name`` in the model's own language. ``place`` is the server, ``model`` gives the nodes of the
    types, ``points`` the live points by address (as the OPC UA connector writes it)."""
    out = io.BytesIO()
    FORMAT.write(_Instances(name, place, report, model, points), out)
    return memory_source(f"{name}.hulian.jsonl", out.getvalue())


class _Instances:
    """A `Content` of what was found."""

    def __init__(
        self, name: str, place: str, report: Report, model: Callable[[str], Node | None], points: Mapping[str, Bound]
    ) -> None:
        self._name, self._place, self._report, self._model, self._points = name, place, report, model, points
        types = dict.fromkeys(uri_of(match.known) for match in report.matches)
        self.document = Document(
            name=name, format=FORMAT.name, title=f"instances found at {place}", requires=tuple(uri for uri in types if uri)
        )

    def nodes(self) -> Iterator[Node]:
        top = f"{self._name}/"
        yield Node(id=top, kind=Kind.FOLDER, name=self._name, descriptions={"": f"found at {self._place}"})
        whole = {match.id for match in self._report.matches}
        for match in self._report.matches:
            yield self._instance(match, top)
            for path in sorted(match.nodes, key=len):
                # What is an instance itself, of the same type within one of it, stands on its own.
                if match.nodes[path] not in whole:
                    yield self._member(match, path)

    def _instance(self, match: Match, top: str) -> Node:
        missing = [path_text(one.path) for one in match.missing if one.required]
        details = {"address": match.id, "path": path_text(match.path), **({"missing": missing} if missing else {})}
        name = path_text(match.path) or match.id
        return Node(
            id=self._id(match, ()),
            kind=Kind.OBJECT,
            name=name,
            parent=top,
            relation=Relation.ORGANIZES,
            type=match.known,
            extra={"instance": details},
        )

    def _member(self, match: Match, path: tuple[tuple[str, str], ...]) -> Node:
        address = match.nodes[path]
        declaration, kind_of = match.declared[path]
        said = self._model(declaration)
        bound = self._points.get(address, Bound(""))
        node = Node(
            id=self._id(match, path),
            kind=match.kinds[path],
            name=path[-1][1],
            parent=self._id(match, path[:-1]),
            type=kind_of if match.kinds[path] is not Kind.OPERATION else "",
            unit=bound.unit,
            point=bound.point,
            extra={"instance": {"address": address, "declared": declaration}},
        )
        if said is not None:
            node.meanings, node.datatype, node.labels = said.meanings, said.datatype, said.labels
            node.unit = node.unit or said.unit
            node.descriptions, node.relation = said.descriptions, said.relation
        return node

    def _id(self, match: Match, path: tuple[tuple[str, str], ...]) -> str:
        return f"{self._name}/{match.nodes[path] if path else match.id}"

    def references(self) -> Iterator[Reference]:
        return iter(())

    def attachments(self) -> Iterator[Attachment]:
        return iter(())

    def node(self, identity: str) -> Node | None:
        return self._model(identity)
