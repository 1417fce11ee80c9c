"""From a description to a running plant: what a document of the model says becomes connectors and points of the catalogue.

`Described` previews and applies; a person's later edit is never overwritten silently.
"""

from __future__ import annotations

from hulian.data.catalogue.described.records import (
    Applied,
    Choice,
    ConnectorChange,
    FieldChange,
    PointChange,
    Preview,
    Wish,
)
from hulian.data.catalogue.described.taking import Described

__all__ = ["Applied", "Choice", "ConnectorChange", "Described", "FieldChange", "PointChange", "Preview", "Wish"]
