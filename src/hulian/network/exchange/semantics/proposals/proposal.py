"""What of a document can be live, as plain data: connections, and what each of them reads."""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass

__all__ = ["Gap", "Proposal", "ProposedConnector", "ProposedPoint"]


class Gap(msgspec.Struct, frozen=True):
    """What a description leaves open, and a person has to say or to bear. ``place`` is a connector's name or a node's id."""

    place: str
    what: str


class ProposedConnector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A connection to one device, as a person would type it. ``name`` tells it from the others of its document."""

    name: str
    protocol: str
    """Empty where the description does not tell."""
    url: str
    """Empty where the description does not tell."""
    settings: dict[str, Any] = {}
    missing: tuple[str, ...] = ()


class ProposedPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A point of a connector. Empty fields are those of which the description says nothing.

    ``thing`` is the registered identifier of what has the property, where the description names it; else ``above`` tells it,
    the names from the top of the description to the thing, and ``below`` those from there to the property, itself the last.
    """

    node: str
    connector: str
    address: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    thing: str = ""
    name: str = ""
    """The point that the node is bound to already."""
    storage: StorageClass = StorageClass.DOUBLE
    kind: Kind = Kind.CONTINUOUS
    tag: str = ""
    unit: str = ""
    """As the catalogue has it: a UCUM code where the unit is known."""
    low: float | None = None
    high: float | None = None
    texts: dict[str, str] = {}
    enumeration: dict[str, dict[str, str]] = {}
    meanings: tuple[str, ...] = ()
    writable: bool = False
    options: dict[str, Any] = {}
    also: tuple[str, ...] = ()
    """Ids of other nodes that are the same point: the property of another submodel that a mapping feeds."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """All of one document. Connectors and points are in its order."""

    document: str
    connectors: tuple[ProposedConnector, ...] = ()
    points: tuple[ProposedPoint, ...] = ()
    missing: tuple[Gap, ...] = ()
