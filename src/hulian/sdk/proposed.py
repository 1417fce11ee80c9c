"""What a description can become, as the platform tells it."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Proposals", "ProposalsApplied"]


class Proposals(msgspec.Struct, frozen=True, kw_only=True):
    """What taking a document over would change. ``connectors`` and ``points`` each have a name, what becomes of it (``added``,
    ``changed``, ``same``, ``left``), the fields that change, and those that a person set and that stay."""

    document: str
    version: int
    taken: int | None
    digest: str
    connectors: list[dict[str, Any]]
    points: list[dict[str, Any]]
    total: int
    added: int
    changed: int
    same: int
    left: int
    kept: int
    bound: int
    gone: list[str] = []
    missing: list[dict[str, str]] = []


class ProposalsApplied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; ``points`` counts those added, changed, unchanged; ``bound`` nodes are live points from now on."""

    document: str
    version: int
    points: dict[str, int]
    connectors_added: list[str] = []
    connectors_changed: list[str] = []
    bound: int = 0
    kept: int = 0
    left: int = 0
