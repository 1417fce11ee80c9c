"""What of a described plant can become connectors and points, whichever language describes it.

`propose` asks the room of the document's format; nothing is dialled and nothing is written. What a person noted on the nodes
(point, identifier, unit) counts before what the document says.
"""

from __future__ import annotations

from hulian.network.exchange.semantics.proposals.document import NodeNotes, propose
from hulian.network.exchange.semantics.proposals.plant import Plant
from hulian.network.exchange.semantics.proposals.proposal import Gap, Proposal, ProposedConnector, ProposedPoint
from hulian.network.exchange.semantics.proposals.quantities import catalogue_unit

__all__ = [
    "Gap",
    "NodeNotes",
    "Plant",
    "Proposal",
    "ProposedConnector",
    "ProposedPoint",
    "catalogue_unit",
    "propose",
]
