"""What the catalogue answers with. Everything is immutable; times are UTC ns."""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass

__all__ = [
    "Applied",
    "Branch",
    "Change",
    "ConnectorRecord",
    "Page",
    "PointRecord",
    "SeriesSpan",
    "ThingSummary",
    "Tree",
    "Upserted",
]


class ConnectorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One connection to one device. ``credentials`` holds ``user`` and, by reference only, ``password`` and ``key``.

    ``edge`` names the edge node that it runs on, empty for the platform itself. ``settings`` are the protocol's own;
    ``version`` grows with each change and guards the next one.
    """

    name: str
    protocol: str
    url: str
    settings: dict[str, Any] = {}
    credentials: dict[str, str] = {}
    enabled: bool = True
    edge: str = ""
    version: int = 1
    created: int = 0
    changed: int = 0


class PointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A point and the version that guards its next change."""

    point: Point
    version: int
    changed: int


class SeriesSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The series behind a name in ``[since, until)``; ``until`` None is today's. The first span begins at 0."""

    series: int
    storage: StorageClass
    connector: str
    address: str
    since: int
    until: int | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of ``total`` points, in the order of their names; ``next`` is the cursor of the page after, None at the end."""

    items: list[PointRecord]
    next: str | None
    total: int


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the plant, and how many things and points are in it and below."""

    name: str
    path: str
    things: int
    points: int


class ThingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A thing and how many points it has at this place."""

    identifier: str
    label: str
    points: int


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """What is directly under a place."""

    branches: list[Branch]
    things: list[ThingSummary]


class Upserted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the points given; ``reopened`` of the changed ones have another series from now on."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    reopened: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a committed change touched: the connectors that must be restarted, the points that are described anew."""

    revision: int
    connectors: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a document changed, or with a dry run would change: names, sorted."""

    connectors_added: list[str] = []
    connectors_changed: list[str] = []
    connectors_removed: list[str] = []
    points: Upserted = Upserted()
    points_removed: list[str] = []
