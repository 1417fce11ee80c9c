"""Things of the model in the JSON form of the metamodel, with the newest values of live points where they are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from hulian.kernel.errors import HulianError
from hulian.network.exchange.semantics.aas.writing import Environments
from hulian.network.exchange.semantics.contract import Attachment, Document, Kind, Node, Reference
from hulian.network.exchange.semantics.model.excerpts import Excerpts
from hulian.platform.northbound.aas.bounds import SUBMODEL_NODES
from hulian.platform.northbound.aas.directory import DESCRIPTOR, Directory, Item, Shown
from hulian.platform.northbound.aas.live import LivePoints, Newest, enliven
from hulian.platform.northbound.errors import AasTooLargeError

__all__ = ["GROUP_NODES", "Piece", "Reading"]

GROUP_NODES: Final = 5_000
"""Nodes that are turned into JSON at once."""
_KEYS: Final = {
    "shells": "assetAdministrationShells",
    "submodels": "submodels",
    "concept-descriptions": "conceptDescriptions",
}
_HEADS: Final = {"shells": 500, "submodels": 1, "concept-descriptions": 1}
"""Nodes that a thing has without its elements, at most: a shell has its asset's ids beside itself."""


class Piece:
    """Some nodes of a document, as what is written: `contract.Content`."""

    def __init__(
        self,
        document: Document,
        nodes: Sequence[Node],
        references: Sequence[Reference],
        lookup: Callable[[str], Node | None] = lambda _: None,
        files: Iterable[Attachment] = (),
    ) -> None:
        self.document = document
        self._nodes, self._references, self._lookup, self._files = nodes, references, lookup, files

    def nodes(self) -> Iterator[Node]:
        """In document order."""
        return iter(self._nodes)

    def references(self) -> Iterator[Reference]:
        """In the order in which they were read."""
        return iter(self._references)

    def attachments(self) -> Iterator[Attachment]:
        """Files that go with it."""
        return iter(self._files)

    def node(self, identity: str) -> Node | None:
        """Any node of the model."""
        return self._lookup(identity)


class Reading:
    """Gives things of one moment (``shown``). ``live`` is None where fixed values are wanted: before a change."""

    def __init__(
        self,
        excerpts: Excerpts,
        directory: Directory,
        shown: Shown,
        live: LivePoints | None,
    ) -> None:
        self._excerpts, self._directory, self.shown, self._live = excerpts, directory, shown, live
        self._concepts: dict[tuple[int, str], Node | None] = {}
        self._seen: frozenset[str] = frozenset()
        self._live_nodes = False
        self.sampled: dict[str, int] = {}
        """When the values that were given were sampled (ns since 1970), by node."""

    def whole(self, item: Item) -> dict[str, Any]:
        """One with all that is in it. Raises `AasTooLargeError`, and `KeyError` where its version is not kept any more.

        What has no live point is remembered: a version never changes, and clients ask for one element after the other.
        """
        noted = self._directory.points(self.shown.revision)
        known = self._directory.remembered(item)
        if known is not None and known[0].isdisjoint(noted):
            found: dict[str, Any] = msgspec.json.decode(known[1])
            return found
        one = next(iter(self.wholes([item])))
        if not self.sampled and not self._live_nodes:
            self._directory.remember(item, self._seen, msgspec.json.encode(one))
        return one

    def wholes(self, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
        """The same for several, in their order, a group at a time; each group asks for its live values at once."""
        group: list[Item] = []
        held = 0
        for item in items:
            size = item.end - item.begin
            if size > SUBMODEL_NODES:
                raise AasTooLargeError(
                    f"{item.identity[:200]!r} has {size:,} elements, more than the {SUBMODEL_NODES:,} that are given at once",
                    hint="export the document that has it: 'hulian model export'",
                )
            if group and (held + size > GROUP_NODES or group[0].version != item.version):
                yield from self._group(group)
                group, held = [], 0
            group.append(item)
            held += size
        if group:
            yield from self._group(group)

    def heads(self, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
        """Several without the elements of submodels."""
        yield from self.wholes(
            [item._replace(end=min(item.end, item.begin + _HEADS.get(item.collection, 1))) for item in items]
        )

    def _group(self, items: list[Item]) -> Iterator[dict[str, Any]]:
        version = items[0].version
        ranges = _joined(items)
        if len(ranges) == 1:
            nodes = list(self._excerpts.nodes(version, *ranges[0]))
        else:
            found = self._excerpts.nodes_at(version, (place for begin, end in ranges for place in range(begin, end)))
            nodes = [found[place] for place in sorted(found)]
        if len(nodes) != sum(end - begin for begin, end in ranges):
            raise KeyError(version)
        if items[0].collection not in _KEYS or nodes[0].extra.get(DESCRIPTOR):
            yield from (node.extra[DESCRIPTOR]["descriptor"] for node in nodes)
            return
        self._seen = frozenset(node.id for node in nodes)
        self._enliven(nodes)
        references = self._excerpts.references(version, (node.id for node in nodes))
        document = self.shown.documents[version]
        content = Piece(document, nodes, references, partial(self._concept, version, f"{document.name}/"))
        yield from _ordered(items, environment_of(content))

    def _concept(self, version: int, prefix: str, identity: str) -> Node | None:
        """The concept description that an element of a document means, of those that the document has itself: nothing else is
        looked up while elements are written."""
        key = version, identity
        if key not in self._concepts:
            copies = self.shown.copies(identity.removeprefix(prefix)) if identity.startswith(prefix) else []
            place = next((item.begin for item in copies if item.version == version), None)
            found = {} if place is None else self._excerpts.nodes_at(version, [place])
            self._concepts[key] = None if place is None else found.get(place)
        return self._concepts[key]

    def _enliven(self, nodes: list[Node]) -> None:
        noted = self._directory.points(self.shown.revision)
        chosen = {}
        for node in nodes:
            point = noted.get(node.id) or node.point
            if point and node.kind is Kind.PROPERTY:
                chosen[node.id] = point
        self._live_nodes = self._live_nodes or bool(chosen)
        if not chosen or self._live is None:
            return
        newest: Mapping[str, Newest] = {}
        why = ""
        try:
            newest = self._live(sorted(set(chosen.values())))
        except HulianError as error:
            why = f"the historian does not answer: {error.code}"
        for node in nodes:
            if node.id in chosen:
                sample = newest.get(chosen[node.id])
                enliven(node, sample, why)
                if sample is not None:
                    self.sampled[node.id] = sample.time


def _joined(items: list[Item]) -> list[tuple[int, int]]:
    """Ranges of places, neighbours as one."""
    ranges: list[tuple[int, int]] = []
    for item in sorted(items, key=lambda one: one.begin):
        if ranges and ranges[-1][1] == item.begin:
            ranges[-1] = (ranges[-1][0], item.end)
        else:
            ranges.append((item.begin, item.end))
    return ranges


def environment_of(content: Piece) -> dict[str, list[dict[str, Any]]]:
    """The lists of the environment that holds these nodes."""
    version = content.document.version.removeprefix("AAS ")
    out = io.BytesIO()
    with Environments(content, [("json", version if version == "3.0" else "3.1")], []) as environments:
        environments.collect()
        environments.write(0, out)
    found: dict[str, list[dict[str, Any]]] = msgspec.json.decode(out.getvalue())
    return found


def _ordered(items: list[Item], environment: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Those of the environment in the order of the items: it has them in the order of the document."""
    key = _KEYS[items[0].collection]
    in_document = sorted(range(len(items)), key=lambda at: items[at].begin)
    ones = environment.get(key, [])
    if len(ones) != len(items):
        raise KeyError(items[0].version)
    placed: list[dict[str, Any]] = [{}] * len(items)
    for at, one in zip(in_document, ones, strict=True):
        placed[at] = one
    yield from placed
