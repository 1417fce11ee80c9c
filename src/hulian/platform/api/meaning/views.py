"""What the calls about the information model answer and take."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = [
    "ConceptView",
    "ConstraintsView",
    "DocumentView",
    "EdgeView",
    "FindPage",
    "FoundView",
    "GraphView",
    "LinkPage",
    "LinkView",
    "LiveView",
    "LossView",
    "ModelDocuments",
    "NodeItem",
    "NodePage",
    "NodeView",
    "NoteBody",
    "NoteView",
    "PointNodes",
    "SearchItem",
    "SearchPage",
    "SparqlBody",
    "SparqlView",
    "UnitView",
]

Says = msgspec.Meta
NodeId = Annotated[str, Says(min_length=1, max_length=1024)]


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    """A document of the model: its version that counts now. ``losses`` counts what its reading could not keep."""

    name: str
    key: int
    format: str
    version: str
    title: str
    file: str
    size: int
    nodes: int
    references: int
    who: str
    made_ms: float
    namespaces: list[str]
    requires: list[str]
    losses: int
    findings: int


class ModelDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    items: list[DocumentView]


class LiveView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sample of the point that a property is, in ``unit``: that asked for, else that of the node.

    ``factor`` and ``offset`` lead from the point's own unit (``point_unit``) to it. Where that cannot be, ``refused`` says why
    and the value is as the point has it. ``series`` is empty where there is no such point (any more).
    """

    point: str
    series: str
    unit: str
    point_unit: str
    factor: float = 1.0
    offset: float = 0.0
    refused: str = ""
    time_ms: float | None = None
    value: str | None = None
    number: float | None = None
    status: int | None = None
    quality: str = ""
    quality_name: str = ""


class NodeItem(msgspec.Struct, frozen=True, kw_only=True):
    """A node as it stands in a list. ``label`` is what people call it, ``labels`` what its document says by language.

    Unit, point and identifier are what somebody noted, else what the document says. A long ``value`` is cut.
    """

    id: str
    name: str
    kind: str
    document: str
    type: str = ""
    unit: str = ""
    value: str | None = None
    datatype: str = ""
    point: str = ""
    identifier: str = ""
    label: str = ""
    labels: dict[str, str] = {}
    children: bool = False


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the document; ``next`` is the cursor of the following page."""

    items: list[NodeItem]
    next: str | None = None


class SearchItem(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is called so, and the names above it."""

    node: NodeItem
    path: list[str]


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """The best first; ``total`` is how many there are."""

    items: list[SearchItem]
    total: int


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A reference and the node at its other end; ``node`` is null where no document brings it."""

    relation: str
    id: str
    node: NodeItem | None


class LinkPage(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the documents; ``next`` is the cursor of the following page.

    ``names`` are those of relations that a document or standard defines, and of standard nodes that no document brings.
    """

    items: list[LinkView]
    next: str | None = None
    names: dict[str, str] = {}


class ConceptView(msgspec.Struct, frozen=True, kw_only=True):
    """A meaning as it is written, and what the dictionaries say of it; without names where none has it."""

    concept: str
    noted: bool
    names: dict[str, str] = {}
    definitions: dict[str, str] = {}
    dictionary: str = ""


class UnitView(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as it is written, and what is known of it; ``symbol`` is empty where it is not known."""

    text: str
    symbol: str = ""
    title: str = ""


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said of a node."""

    field: str
    value: str
    who: str
    made_ms: float


class LossView(msgspec.Struct, frozen=True, kw_only=True):
    """What the reading of a document could not keep of a node (``lost``), or found wrong with it."""

    place: str
    what: str
    why: str
    lost: bool


class ConstraintsView(msgspec.Struct, frozen=True, kw_only=True):
    """What values a property may have."""

    low: str | None
    high: str | None
    choices: list[tuple[str, str]]
    pattern: str
    required: bool
    many: bool


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node whole. ``path`` are the nodes above it, the top first; ``types`` its type and those above that, with ``names`` of
    such as only a standard has.

    ``value`` is the document's, up to 10,000 characters; ``extra`` is what only one format knows, left out where it is large
    (``extra_cut``). ``refers`` and ``referred`` are first pages.
    """

    node: NodeItem
    descriptions: dict[str, str]
    value: str | None
    value_cut: bool
    writable: bool | None
    constraints: ConstraintsView | None
    unit: UnitView | None
    meanings: list[ConceptView]
    notes: list[NoteView]
    path: list[NodeItem]
    types: list[LinkView]
    refers: LinkPage
    referred: LinkPage
    losses: list[LossView]
    extra: dict[str, Any]
    extra_cut: bool
    names: dict[str, str] = {}
    live: LiveView | None = None


class EdgeView(msgspec.Struct, frozen=True, kw_only=True):
    """``source`` has ``target`` as a part, is of this type (``type``), or refers to it."""

    source: str
    relation: str
    target: str


class GraphView(msgspec.Struct, frozen=True, kw_only=True):
    """The node asked for comes first. ``absent`` are ids that no document brings, ``more`` those with further neighbours.

    ``names`` are those of relations and absent nodes that are defined somewhere.
    """

    nodes: list[NodeItem]
    edges: list[EdgeView]
    absent: list[str]
    more: list[str]
    names: dict[str, str] = {}


class FoundView(msgspec.Struct, frozen=True, kw_only=True):
    """A node of an answer: ``factor`` and ``offset`` turn its document's numbers into the unit asked for."""

    node: NodeItem
    path: str
    meanings: list[str]
    factor: float | None = None
    offset: float | None = None
    live: LiveView | None = None


class FindPage(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the model. Of ``total`` nodes the first 10,000 can be paged through."""

    items: list[FoundView]
    total: int
    unit: str
    next: str | None = None


class PointNodes(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that a live point is, with their places."""

    items: list[FoundView]


class NoteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of one node: point, identifier, meaning, unit or label. An empty value takes it back."""

    node: NodeId
    field: Annotated[str, Says(max_length=20, examples=["point"])]
    value: Annotated[str, Says(max_length=2048, examples=["99.118.8/pump-17#outlet.pressure"])]


class SparqlBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question in SPARQL over some documents, or all."""

    query: Annotated[str, Says(min_length=1, max_length=20_000)]
    documents: Annotated[list[Annotated[str, Says(max_length=100)]], Says(max_length=200)] = []
    rows: Annotated[int, Says(ge=1, le=10_000)] = 1_000
    seconds: Annotated[float, Says(gt=0, le=30)] = 10.0


class SparqlView(msgspec.Struct, frozen=True, kw_only=True):
    """Names and rows; ``more`` where there are further ones."""

    names: list[str]
    rows: list[list[str | None]]
    more: bool
