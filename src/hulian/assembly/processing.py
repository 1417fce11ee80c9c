"""What the edge has to know of points to process them: put beside their options when a plan is made, written by no person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hulian.data.catalogue import Catalogue, ConnectorRecord
from hulian.data.catalogue.document import CatalogueDocument
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.processing.declaration import DESCRIBED, FILTERS, Described, filters_of
from hulian.platform.edge.processing.plan import KNOWN, PROTOCOL, known_of, names_in
from hulian.trust import Trust
from hulian.trust.principals import ROLE_SCOPES, Scope

__all__ = ["check_document", "described", "knowing"]


def described(catalogue: Catalogue, bindings: Sequence[Binding]) -> tuple[Binding, ...]:
    """``bindings``, those with filters with what the catalogue knows of their points: name, unit, range.

    Others stay as they are, so that a new unit or range of a point that nobody filters restarts no connector.
    """
    filtered = [binding.series for binding in bindings if FILTERS in binding.options]
    if not filtered:
        return tuple(bindings)
    points = catalogue.points_of_series(filtered)

    def beside(binding: Binding) -> Binding:
        if FILTERS not in binding.options or (point := points.get(binding.series)) is None:
            return binding
        known = Described(name=point.name, unit=point.unit, low=point.low, high=point.high)
        options = {**binding.options, DESCRIBED: msgspec.to_builtins(known)}
        return msgspec.structs.replace(binding, options=options)

    return tuple(map(beside, bindings))


def knowing(catalogue: Catalogue, trust: Trust, record: ConnectorRecord, bindings: Sequence[Binding]) -> dict[str, Any]:
    """The settings of a processing with the points that it names, as far as they are read on the same edge, and the users who
    may send commands today: a rule whose owner may no longer writes nothing from the next plan on."""
    named = names_in(record.settings, [binding.options for binding in bindings])
    here = {other.name for other in catalogue.connectors() if other.edge == record.edge and other.protocol != PROTOCOL}
    points = [point for point in catalogue.points_named(sorted(named)).values() if point.connector in here]
    commanders = [user.name for user in trust.users.list() if not user.disabled and Scope.COMMAND in ROLE_SCOPES[user.role]]
    return {**record.settings, KNOWN: msgspec.to_builtins(known_of(points, commanders))}


def check_document(catalogue: Catalogue, document: CatalogueDocument, *, place: str) -> None:
    """Refuses filters that could not work before anything is written; the place names the point and the key."""
    for entry in document.point:
        known = Described(name=entry.name, unit=entry.unit, low=entry.low, high=entry.high)
        options = {**entry.options, DESCRIBED: msgspec.to_builtins(known)}
        filters_of(options, entry.storage, place=f"{place}: {entry.name}, options")
