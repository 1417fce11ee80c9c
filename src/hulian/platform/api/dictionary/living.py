"""Live points in the information model: those that a document describes, and a document of those that none does.

A meaning is a note on a node of the model, and a point has one as soon as a document describes it. For all others there is a
document of their own, made from the catalogue: places of the plant as folders, things as objects, points as properties. It is
made again when the catalogue or the documents have changed; what people noted on its nodes stays, as with every document.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from hulian.data.catalogue import Catalogue
from hulian.kernel.point import Point
from hulian.network.exchange.semantics.contract import Constraints, Document, Kind, Node, Relation
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import NoSuchNodeError
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.model import Note, Version
from hulian.network.exchange.semantics.model.notes import FIELDS
from hulian.network.exchange.semantics.together import Semantics
from hulian.platform.api.dictionary.errors import TooManyPointsError

__all__ = ["DOCUMENT", "LivePoints", "Standing"]

DOCUMENT: Final = "live points"
"""The name of the document of the points that no other document describes."""
_FORMAT: Final = "hulian"
MOST: Final = 200_000
_PAGE: Final = 1000
_LONGEST: Final = 900
_DATATYPES: Final = {"double": "xs:double", "integer": "xs:long", "boolean": "xs:boolean", "text": "xs:string"}
_encode = msgspec.json.Encoder().encode


class Standing(msgspec.Struct, frozen=True):
    """A node that a live point is."""

    node: str
    document: str
    meanings: tuple[str, ...] = ()
    """As its document says them; what was noted on it is not among them."""


class LivePoints:
    """Where live points stand in the model. Thread-safe; all calls block."""

    def __init__(self, catalogue: Catalogue, semantics: Semantics) -> None:
        self._catalogue, self._model, self._suggester = catalogue, semantics.model, semantics.suggester
        self._lock = threading.Lock()
        self._described: tuple[object, dict[str, list[Standing]]] = (None, {})
        self._made: object = None
        self._key = 0
        self._live: dict[str, list[Standing]] = {}
        self._revision = -1
        self.wanted = False
        """Whether somebody looks at points, and will soon say what they mean."""

    def described(self) -> dict[str, list[Standing]]:
        """By the name of a point, the nodes of documents that it is; nothing is changed."""
        with self._lock:
            return self._look()[1]

    def place(self, points: Sequence[str]) -> dict[str, list[Standing]]:
        """By the names of ``points`` (and of others), their nodes. Where one has none, all that have none are given some.

        Raises `TooManyPointsError`.
        """
        with self._lock:
            described, current = self._look()[1], self._current()
            placed = {**self._live, **described}
            if current is not None and current.key == self._key and all(point in placed for point in points):
                return placed
            return self._make_sure()

    def refresh(self) -> None:
        """Makes the document again where the catalogue or the documents changed, once there is one or one is wanted.

        Called now and then: what is found by meaning has the unit and the place that the catalogue says. A catalogue that
        changes all the time is waited for.
        """
        revision = self._catalogue.revision()
        quiet, self._revision = revision == self._revision, revision
        with self._lock:
            if quiet and (self.wanted or self._current() is not None):
                self._make_sure()

    def _make_sure(self) -> dict[str, list[Standing]]:
        looked, described = self._look()
        current = self._current()
        stamp = (looked, self._catalogue.revision())
        if self._made != stamp or self._key != (current.key if current is not None else 0):
            lines, live = self._written(described)
            digest = hashlib.sha256(b"\n".join(lines)).hexdigest()
            if current is None or current.document.extra.get("content") != digest:
                moved = self._moved() if current is not None else {}
                current = self._make(lines, digest) if lines or current is not None else None
                self._carry(moved, live)
            self._live, self._made, self._key = live, stamp, current.key if current is not None else 0
        return {**self._live, **described}

    # ------------------------------------------------------------ what documents describe

    def _look(self) -> tuple[object, dict[str, list[Standing]]]:
        every = self._model.documents()
        versions = [one for one in every if one.document.name != DOCUMENT]
        notes = [(note.node, note.value) for note in self._model.notes("point")]
        stamp = (tuple(one.key for one in versions), tuple(notes))
        if self._described[0] == stamp:
            return self._described
        names = {one.key: one.document.name for one in versions}
        noted = dict(notes)
        found: dict[str, list[Standing]] = {}
        stated = self._model.points_stated(one.key for one in every)
        for key in names:
            for point, nodes in stated[key].items():
                # A note takes the place of what is written.
                kept = [Standing(node.id, names[key], node.meanings) for node in nodes if node.id not in noted]
                if kept:
                    found.setdefault(point, []).extend(kept)
        for identity, point in notes:
            standing = self._noted(identity, set(names.values()))
            if standing is not None:
                found.setdefault(point, []).append(standing)
        self._described = (stamp, found)
        return self._described

    def _noted(self, identity: str, documents: set[str]) -> Standing | None:
        if identity.startswith(f"{DOCUMENT}/"):
            return None
        try:
            node, _ = self._model.node(identity)
        except NoSuchNodeError:
            return None
        prefix = identity.partition("/")[0]
        return Standing(identity, prefix if prefix in documents else "", node.meanings)

    # ------------------------------------------------------------ the document of all others

    def _current(self) -> Version | None:
        return next((one for one in self._model.documents() if one.document.name == DOCUMENT), None)

    def _make(self, lines: list[bytes], digest: str) -> Version:
        document = Document(
            name=DOCUMENT, format=_FORMAT, title="Live points that no document describes", extra={"content": digest}
        )
        first = _encode({"hulian": 1, "document": document})
        source = memory_source(f"{DOCUMENT}.hulian.jsonl", b"\n".join([first, *lines]))
        found = self._model.read(format_named(_FORMAT), source, DOCUMENT, "hulian")
        try:
            return self._model.apply(found.version.key)
        except BaseException:
            self._model.discard(found.version.key)
            raise

    def _moved(self) -> dict[str, str]:
        """Points of the document as it is that have another name now: their series is told by."""
        was: dict[int, str] = {}
        for node in self._model.content(DOCUMENT).nodes():
            if node.point:
                was[int(node.extra["hulian"]["series"])] = node.point
        known = self._catalogue.points_of_series(was)
        return {was[series]: point.name for series, point in known.items() if point.name != was[series]}

    def _carry(self, moved: dict[str, str], placed: dict[str, list[Standing]]) -> None:
        """What was said of points goes with them when they are renamed."""
        if not moved:
            return
        notes = [note for note in self._notes() if note.node in {_id("", old) for old in moved}]
        names = {_id("", old): new for old, new in moved.items()}
        taken = [msgspec.structs.replace(note, value="") for note in notes]
        given = [
            msgspec.structs.replace(note, node=standing.node) for note in notes for standing in placed.get(names[note.node], [])
        ]
        self._model.note([*taken, *given])
        self._suggester.rename(moved)

    def _notes(self) -> Iterator[Note]:
        for field in FIELDS:
            yield from self._model.notes(field)

    def _written(self, described: dict[str, list[Standing]]) -> tuple[list[bytes], dict[str, list[Standing]]]:
        wanted = sorted(
            (point for point in self._every() if point.name not in described),
            key=lambda point: (point.path, point.thing, point.name),
        )
        lines: list[bytes] = []
        placed: dict[str, list[Standing]] = {}
        seen: set[str] = set()
        for point in wanted:
            for node in _nodes(point):
                if node.id not in seen:
                    seen.add(node.id)
                    lines.append(_encode({"node": node}))
            placed[point.name] = [Standing(_id("", point.name), DOCUMENT)]
        return lines, placed

    def _every(self) -> Iterator[Point]:
        cursor: str | None = None
        count = 0
        while True:
            page = self._catalogue.search("", limit=_PAGE, cursor=cursor)
            if page.total > MOST:
                raise TooManyPointsError(f"there are {page.total:,} points, more than {MOST:,}")
            for record in page.items:
                count += 1
                yield record.point
            cursor = page.next
            if cursor is None:
                return


def _id(kind: str, text: str) -> str:
    if len(text) > _LONGEST:
        text = hashlib.sha256(text.encode()).hexdigest()
    return f"{DOCUMENT}/{kind}:{text}" if kind else f"{DOCUMENT}/{text}"


def _nodes(point: Point) -> Iterator[Node]:
    """The point as a node, after the folders and the thing above it."""
    parent = ""
    above = ""
    for name in point.path.split("/") if point.path else []:
        above = f"{above}/{name}" if above else name
        yield Node(id=_id("place", above), kind=Kind.FOLDER, name=name, parent=parent, relation=Relation.ORGANIZES)
        parent = _id("place", above)
    thing = _id("thing", f"{point.path}|{point.thing}")
    yield Node(
        id=thing,
        kind=Kind.OBJECT,
        name=point.thing.partition("/")[2] or point.thing,
        parent=parent,
        relation=Relation.ORGANIZES if parent else Relation.COMPONENT,
        identifier=point.thing,
    )
    low, high = (None if end is None else f"{end:.15g}" for end in (point.low, point.high))
    yield Node(
        id=_id("", point.name),
        kind=Kind.PROPERTY,
        name=point.name.partition("#")[2],
        parent=thing,
        datatype=_DATATYPES.get(str(point.storage.value), ""),
        unit=point.unit,
        labels={"": point.tag} if point.tag else {},
        descriptions=dict(point.texts),
        constraints=Constraints(low=low, high=high) if low is not None or high is not None else None,
        writable=point.writable,
        point=point.name,
        extra={"hulian": {"series": str(point.series)}},
    )
