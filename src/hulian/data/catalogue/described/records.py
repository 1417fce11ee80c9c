"""What a person chooses, what would happen, and what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from hulian.data.catalogue.records import Upserted
from hulian.network.exchange.semantics.proposals import Gap

__all__ = [
    "Applied",
    "CheckConnector",
    "CheckOptions",
    "Choice",
    "ConnectorChange",
    "FieldChange",
    "PointChange",
    "Preview",
    "Wish",
]

CheckConnector = Callable[[str, str, Mapping[str, Any]], None]
"""Given protocol, URL and settings, raises a `HulianError` where they do not fit."""
CheckOptions = Callable[[str, Mapping[str, Any]], None]
"""Given the protocol's name, raises a `HulianError` where a point's options do not fit it."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of one proposed connector; what is empty stays as the description has it.

    ``name`` is another name for it, or that of a connector that is there already. ``settings`` count before those of the
    description, key by key. ``credentials`` hold references, as the catalogue keeps them. With ``leave`` neither it nor its
    points are touched.
    """

    name: str = ""
    protocol: str = ""
    url: str = ""
    settings: dict[str, Any] = {}
    credentials: dict[str, str] = {}
    enabled: bool = True
    edge: str = ""
    leave: bool = False


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a proposal is wanted. ``connectors`` by the names that the proposal gives; ``points`` are names or ids of nodes,
    None for all; for those in ``overwrite`` (by name, ``*`` for all) the description counts more than what a person set."""

    connectors: dict[str, Choice] = {}
    points: frozenset[str] | None = None
    overwrite: frozenset[str] = frozenset()


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field: what it is, and what the description says."""

    field: str
    old: Any
    new: Any


class ConnectorChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a connector. ``described`` is its name in the proposal, ``points`` how many points it has of it."""

    name: str
    described: str
    protocol: str
    url: str
    change: Literal["added", "changed", "same", "left"]
    points: int = 0
    settings: dict[str, Any] = {}
    """Those that the description has."""
    fields: tuple[FieldChange, ...] = ()
    kept: tuple[FieldChange, ...] = ()
    """What a person set: it stays."""
    missing: tuple[str, ...] = ()


class PointChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a point; ``node`` is the property that it is."""

    name: str
    node: str
    connector: str
    address: str
    change: Literal["added", "changed", "same", "left"]
    fields: tuple[FieldChange, ...] = ()
    kept: tuple[FieldChange, ...] = ()
    """What a person set: it stays, unless the wish says otherwise."""
    missing: tuple[str, ...] = ()
    """Why it is left out, or what of the description does not fit."""
    removed: bool = False
    """A person removed it: it is left out, and comes back where it is overwritten."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen; ``digest`` stands for all of it. Connectors and points are in the order of the description."""

    document: str
    version: int
    taken: int | None
    """The version that the catalogue took over last; what is not as that said was set by a person."""
    digest: str
    connectors: tuple[ConnectorChange, ...]
    points: tuple[PointChange, ...]
    added: int
    changed: int
    same: int
    left: int
    kept: int
    """Points of which something that a person set stays."""
    bound: int
    """Nodes that become live points."""
    gone: tuple[str, ...] = ()
    """Points that the version taken last described and this one does not; they stay."""
    missing: tuple[Gap, ...] = ()


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done. ``connectors`` are those that read something else from now on."""

    document: str
    version: int
    points: Upserted
    connectors_added: tuple[str, ...] = ()
    connectors_changed: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    bound: int = 0
    kept: int = 0
    left: int = 0
