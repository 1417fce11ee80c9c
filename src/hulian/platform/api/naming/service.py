"""All that is asked about identifiers, behind one door."""

from __future__ import annotations

from hulian.platform.api.naming.applications import Applications
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.records import Records
from hulian.platform.api.naming.resolving import Resolving
from hulian.platform.api.naming.statistics import Figures
from hulian.platform.api.naming.templates import Templates
from hulian.platform.api.naming.tiers import Tiers

__all__ = ["Naming"]


class Naming:
    """Built once an application, when somebody first asks."""

    def __init__(self, node: IdentifierNode) -> None:
        self.resolving = Resolving(node)
        self.tiers = Tiers(node, self.resolving)
        self.records = Records(node, self.resolving)
        self.applications = Applications(node)
        self.templates = Templates(node, self.records)
        self.figures = Figures(node)
