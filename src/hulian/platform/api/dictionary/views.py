"""What the routes of dictionaries answer, and what they are asked."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = [
    "Brief",
    "BriefPage",
    "ChangeView",
    "Confirm",
    "Confirmed",
    "ConfirmedPage",
    "ConversionView",
    "DifferenceView",
    "EntryView",
    "NodeView",
    "Relations",
    "ReleaseView",
    "SaidView",
    "Shelf",
    "ShelvedView",
    "SuggestionView",
    "TreeItem",
    "TreeLevel",
    "UnitPage",
    "UnitView",
]

Says = msgspec.Meta


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One release of a dictionary, and how it differs from the one before."""

    release: int
    label: str
    taken_ms: float
    by: str
    added: int
    changed: int
    removed: int
    total: int


class ShelvedView(msgspec.Struct, frozen=True, kw_only=True):
    """A dictionary that is here; ``own`` is false for the one that comes with Hulian and stays."""

    name: str
    title: str
    publisher: str
    licence: str
    format: str
    release: int
    label: str
    total: int
    own: bool
    releases: list[ReleaseView]


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """The dictionaries, by name; the releases of each, the newest first."""

    items: list[ShelvedView]


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A concept in one line; texts in the language that was asked for, or the nearest."""

    concept: str
    kind: str
    name: str
    definition: str
    unit: str
    value: str
    dictionary: str
    deprecated: bool
    score: float = 0.0
    via: str = ""


class BriefPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some concepts; ``next`` is the cursor of the following ones."""

    items: list[Brief]
    next: str | None


class TreeItem(msgspec.Struct, frozen=True, kw_only=True):
    """A concept of the tree, and how many stand directly under it."""

    concept: str
    kind: str
    name: str
    below: int


class TreeLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under a concept, or at the top of a dictionary; ``more`` where not all are here."""

    items: list[TreeItem]
    more: bool


class UnitView(msgspec.Struct, frozen=True, kw_only=True):
    """A unit with its names in each list; ``write`` is what Hulian reads as this unit and no other."""

    write: str
    title: str
    name: str
    symbol: str
    unece: list[str]
    ucum: list[str]
    irdi: list[str]
    dimension: str | None
    convertible: bool


class UnitPage(msgspec.Struct, frozen=True, kw_only=True):
    """Units, the likeliest first."""

    items: list[UnitView]


class ConversionView(msgspec.Struct, frozen=True, kw_only=True):
    """``result`` = ``factor`` · ``value`` + ``offset``, worked out exactly and rounded once."""

    value: float
    result: float
    source: UnitView
    target: UnitView
    factor: float
    offset: float


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the information model that means a concept."""

    id: str
    path: str
    kind: str
    document: str
    unit: str
    point: str


class Relations(msgspec.Struct, frozen=True, kw_only=True):
    """What a concept has to do with others; at most 200 of each."""

    above: list[Brief]
    below: list[Brief]
    properties: list[Brief]
    classes: list[Brief]
    values: list[Brief]
    value_list: list[Brief]
    value_lists: list[Brief]
    quantity: list[Brief]
    quantity_of: list[Brief]
    replaced_by: list[Brief]
    replaces: list[Brief]


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """A concept whole: texts by language, its identifiers, its relations, and what of this plant means it."""

    concept: str
    key: str
    version: str
    kind: str
    dictionary: str
    since: int
    names: dict[str, str]
    short_names: dict[str, str]
    synonyms: dict[str, tuple[str, ...]]
    definitions: dict[str, str]
    notes: dict[str, str]
    datatype: str
    format: str
    unit: str
    unit_known: UnitView | None
    units: tuple[str, ...]
    symbol: str
    value: str
    source: str
    deprecated: bool
    extra: dict[str, Any]
    others: list[str]
    relations: Relations
    nodes: list[NodeView]
    nodes_total: int
    confirmed: list[str]


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A concept that differs: each field with its older and newer value."""

    concept: str
    name: str
    fields: dict[str, tuple[Any, Any]]


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two releases: how many, and the first 500 of each."""

    older: int
    newer: int
    added: list[Brief]
    removed: list[Brief]
    changed: list[ChangeView]
    added_total: int
    removed_total: int
    changed_total: int


# ------------------------------------------------------------ matching


class SuggestionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a point may mean; ``score`` is between 0 and 1."""

    concept: str
    name: str
    aspect: str
    score: float
    reasons: list[str]
    confirmed: bool


class SaidView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said of a point; the aspect ``none`` has no concept: nothing fitted."""

    aspect: str
    concept: str
    name: str
    by: str
    moment_ms: float


class Confirm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a ``point``, or a raw ``tag``, means. Without a concept: none of those that are known. ``retract`` takes back what
    was said of it: of ``aspect``, or everything."""

    point: Annotated[str, Says(max_length=2048)] = ""
    tag: Annotated[str, Says(max_length=1024)] = ""
    concept: Annotated[str, Says(max_length=2048)] | None = None
    aspect: str = ""
    retract: bool = False


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a point now, what was said before, and the nodes of the model that carry its meaning."""

    point: str
    said: list[SaidView]
    before: list[SaidView]
    nodes: list[str]


class ConfirmedPage(msgspec.Struct, frozen=True, kw_only=True):
    """One for each point or tag that was named, in this order."""

    items: list[Confirmed]
